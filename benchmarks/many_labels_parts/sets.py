"""Data sets of benchmarks.many_labels, as files that any Python can read."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from benchmarks import large
from benchmarks.npz_sets import load_npz_set
from skhmc import Hierarchy
from skhmc.coherence import close_upward

__all__ = ["LARGE", "SETS", "load", "make_pairs", "store"]

REAL = ("cei", "rcv1_subset1", "goemotions", "clinc150", "ng20")
N_TOPICS, N_WORDS, N_GIVEN, N_NOISE = 100, 8, 4, 10  # of all, a group, ...
LARGE = "made_100000"
SETS = ("made_20000", "made_pairs", *REAL)


def make_pairs(n_samples, seed=0):
    """Return X, a closed Y (both CSR) and a hierarchy, not linear in the words.

    A topic has four groups of words, A0, A1, B0 and B1. A row about a topic has words
    of one A and of one B. One child of the topic is that their numbers are the same,
    the other that they are not: no single word says anything about it.
    """
    rng = np.random.default_rng(seed)
    groups = N_TOPICS // 10  # ten topics have one label above them
    topic = groups + np.arange(N_TOPICS)
    leaf = groups + N_TOPICS + np.arange(2 * N_TOPICS)
    edges = np.vstack(
        [
            np.column_stack([np.arange(N_TOPICS) // 10, topic]),
            np.column_stack([np.repeat(topic, 2), leaf]),
        ]
    )
    hierarchy = Hierarchy.from_edges(edges.tolist(), labels=range(leaf[-1] + 1))
    about = np.argsort(rng.random((n_samples, N_TOPICS)), axis=1)[:, :2]
    a, b = rng.integers(2, size=(2, *about.shape))
    rows = np.repeat(np.arange(n_samples), 2)
    labels = groups + N_TOPICS + 2 * about + (a == b)
    Y = sp.csr_matrix(
        (np.ones(2 * n_samples, np.uint8), (rows, labels.ravel())),
        (n_samples, hierarchy.n_labels),
    )
    columns = [
        ((4 * about + part)[:, :, None] * N_WORDS)
        + rng.integers(N_WORDS, size=(*about.shape, N_GIVEN))
        for part in (a, 2 + b)
    ]
    n_features = 4 * N_TOPICS * N_WORDS
    columns = np.concatenate([part.reshape(n_samples, -1) for part in columns], axis=1)
    noise = rng.integers(n_features, size=(n_samples, N_NOISE))
    columns = np.concatenate([columns, noise], axis=1)
    rows = np.repeat(np.arange(n_samples), columns.shape[1])
    ones = np.ones(columns.size, np.float32)
    X = sp.csr_matrix((ones, (rows, columns.ravel())), (n_samples, n_features))
    return X, close_upward(Y, hierarchy), hierarchy


def _made(name):
    """Return X, Y, the hierarchy, and training, validation and test rows."""
    if name == "made_pairs":
        n_train, n_held = 8000, 1000
        X, Y, hierarchy = make_pairs(n_train + 2 * n_held)
    else:
        sizes = large.SIZE if name == LARGE else large.SMALL
        n_train, n_held = sizes["n_samples"], large.N_HELD_OUT
        X, Y, hierarchy = large.make_data(
            n_train + 2 * n_held, *list(sizes.values())[1:]
        )
    test, valid, train = np.split(np.arange(X.shape[0]), [n_held, 2 * n_held])
    return X, Y, hierarchy, train, valid, test


def _real(name):
    data = load_npz_set(name)
    train, valid = data.train, data.valid
    if not len(valid):  # a sixth of the training rows
        mixed = np.random.default_rng(0).permutation(train)
        valid, train = np.split(mixed, [len(mixed) // 6])
    edges = [(a, b) for a, b in data.hierarchy.edges]
    hierarchy = Hierarchy.from_edges(edges, labels=range(data.target.shape[1]))
    return sp.csr_matrix(data.data), data.target, hierarchy, train, valid, data.test


def store(name, rows, folder):
    """Write training rows, and those that are judged.

    Parameters
    ----------
    name : str
        Of ``SETS``, or ``LARGE``.
    rows : {"valid", "test"}
        What is judged: the validation rows, or the test rows. Training rows are the
        same for both.
    folder : Path
    """
    make = _real if name in REAL else _made
    X, Y, hierarchy, train, valid, test = make(name)
    X = sp.csr_matrix(normalize(X), dtype=np.float32)
    judged = valid if rows == "valid" else test
    for part, chosen in (("train", np.sort(train)), ("judged", np.sort(judged))):
        sp.save_npz(folder / f"X_{part}.npz", X[chosen], compressed=False)
        sp.save_npz(folder / f"Y_{part}.npz", Y[chosen], compressed=False)
    np.save(folder / "edges.npy", np.asarray(hierarchy.edges))
    np.save(folder / "leaves.npy", hierarchy.leaves)


def load(folder):
    """Return the training labels, the judged labels and the hierarchy."""
    Y, judged = (
        sp.csr_matrix(sp.load_npz(folder / f"Y_{part}.npz"))
        for part in ("train", "judged")
    )
    edges = np.load(folder / "edges.npy").tolist()
    return Y, judged, Hierarchy.from_edges(edges, labels=range(Y.shape[1]))

"""Random data in files, of which only the sizes matter.

Labels are a random DAG, and how often leaves occur falls as one over their rank, as in
``benchmarks.large``.
"""

import numpy as np
import scipy.sparse as sp

from benchmarks.large import N_LEAVES, _csr, make_hierarchy
from skhmc import Hierarchy
from skhmc.coherence import close_upward

__all__ = ["draw_labels", "label_counts", "load", "store"]

BLOCK = 2**24  # numbers that are drawn at a time


def draw_labels(hierarchy, n_rows, seed=1):
    """Return a closed Y (n_rows, n_labels), a CSR matrix."""
    rng = np.random.default_rng(seed)
    leaves = np.random.default_rng(0).permutation(hierarchy.leaves)
    rate = 1 / np.arange(1, len(leaves) + 1)
    drawn = rng.choice(leaves, (n_rows, N_LEAVES), p=rate / rate.sum())
    return close_upward(_csr(drawn, hierarchy.n_labels, np.uint8), hierarchy)


def label_counts(Y):
    """Return how many rows have every label (n_labels,)."""
    return np.bincount(Y.indices, minlength=Y.shape[1])


def store(folder, case, features_per_row=None):
    """Write X, Y and the hierarchy of a case into files.

    X is dense, or a CSR matrix where ``features_per_row`` is given.
    """
    rng = np.random.default_rng(0)
    hierarchy = make_hierarchy(case.n_labels, rng)
    np.save(folder / "edges.npy", hierarchy.edges)
    Y = draw_labels(hierarchy, case.n_rows)
    sp.save_npz(folder / "Y.npz", Y, compressed=False)
    if features_per_row is not None:
        shape = case.n_rows, features_per_row
        columns = rng.integers(case.n_features, size=shape)
        X = _csr(columns, case.n_features, np.float32)
        sp.save_npz(folder / "X.npz", X, compressed=False)
        return
    shape = case.n_rows, case.n_features
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float32, shape)
    step = max(1, BLOCK // case.n_features)
    for start in range(0, case.n_rows, step):
        part = X[start : start + step]
        part[:] = rng.standard_normal(part.shape, np.float32)
    X.flush()


def load(folder, n_labels):
    """Return X, mapped where it is dense, Y and the hierarchy."""
    edges = np.load(folder / "edges.npy").tolist()
    hierarchy = Hierarchy.from_edges(edges, labels=range(n_labels))
    Y = sp.csr_matrix(sp.load_npz(folder / "Y.npz"))
    if (folder / "X.npz").exists():
        return sp.csr_matrix(sp.load_npz(folder / "X.npz")), Y, hierarchy
    return np.load(folder / "X.npy", mmap_mode="r"), Y, hierarchy

"""Fits in processes of their own, which are killed or interrupted at random moments.

A process is a fork of this one, so that none has to import torch: it is killed by the
operating system like any other.
"""

import os
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from skorch.callbacks import Callback

from skhmc import (
    Checkpoint,
    HCALClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
    HyperbolicHMC,
    MaxConstraintClassifier,
)
from skhmc._networks.packing import read_state
from skhmc.coherence import close_upward

SMALL = {"hidden_layer_sizes": (8,), "batch_size": 15, "random_state": 0}
SMALL |= {"learning_rate_init": 0.01, "device": "cpu"}
NETWORKS = [
    HCALClassifier(embedding_dim=4, **SMALL),
    HyperbolicHMC(embedding_dim=4, **SMALL),
    MaxConstraintClassifier(**SMALL),
]
EARLY = {"early_stopping": True, "n_iter_no_change": 4, "schedule": "constant"}
WAYS = {
    "dense X": {},
    "sparse X": {},
    "X in a file": {},
    "sampled labels": {"n_sampled_labels": 2},
    "early stopping": EARLY,
    "two networks": {"n_estimators": 2},
}
WAYS_OF_HYPERBOLIC = [way for way in WAYS if way != "two networks"]
N_EPOCHS = 12
MAX_KILLS = 3  # of one fit, one after the other
LATE = 10  # seconds after which a signal that nobody saw was swallowed
DAG = {"cat": ["mammal", "pet"], "cow": ["mammal"], "parrot": ["bird", "pet"]}


def data(way, folder):
    """Return a hierarchy, X and Y."""
    hierarchy = Hierarchy.from_parents(DAG)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    scores = X @ rng.normal(size=(5, hierarchy.n_labels))
    last = scores.argmax(axis=1)[:, None] == np.arange(hierarchy.n_labels)
    Y = close_upward((last | (scores > 1)).astype(int), hierarchy)
    if way == "sparse X":
        empty = sp.random(60, 1200, 0.005, "csr", random_state=0)
        X = sp.csr_matrix(sp.hstack([X[:, :2], empty]))
    if way == "X in a file":
        if not (folder / "X.npy").exists():
            np.save(folder / "X.npy", X)
        X = np.load(folder / "X.npy", mmap_mode="r")
    return hierarchy, X, Y


def learnt(clf, X):
    """Return the bytes of weights, probabilities and history, without durations."""
    history = [{k: v for k, v in epoch.items() if k != "dur"} for epoch in clf.history_]
    weights = [*clf.net_.module_.state_dict().values()]
    weights += clf.net_.criterion_.parameters()
    arrays = [*(w.detach().numpy().tobytes() for w in weights)]
    return repr((history, arrays, clf.predict_proba(X).tobytes())).encode()


class Pipe:
    """That of this process; a number in the callback would make it another one."""

    def __init__(self):
        self.number = None


PIPE = Pipe()


class Tells(Callback):
    """Writes a byte at the start of every epoch, when that before is kept."""

    def on_epoch_begin(self, net, **kwargs):
        if PIPE.number is not None:
            os.write(PIPE.number, b".")

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Process:
    """A fork that calls a function; what this writes is read when it is over.

    Parameters
    ----------
    function : callable
        Is given the number of a pipe.
    """

    def __init__(self, function):
        self.reader, writer = os.pipe()
        self.number = os.fork()
        if self.number:
            os.close(writer)
            return
        status = 1
        try:
            os.setpgid(0, 0)  # a signal to the group reaches its children, too
            os.close(self.reader)
            function(writer)
            status = 0
        finally:
            os._exit(status)

    def wait(self):
        """Return what was written, and the exit status, when it is over."""
        written = b""
        while part := os.read(self.reader, 2**16):
            written += part
        os.close(self.reader)
        return written, os.waitpid(self.number, 0)[1]

    def stop(self, number, whole_group=False):
        """Send a signal, if it still runs."""
        try:
            (os.killpg if whole_group else os.kill)(self.number, number)
        except ProcessLookupError:
            pass


# -- kills -----------------------------------------------------------------------------


def kill_one(number, rng):
    """Kill one fit up to three times; return what was wrong, and the kills."""
    network = NETWORKS[number % len(NETWORKS)]
    ways = list(WAYS) if "n_estimators" in network.get_params() else WAYS_OF_HYPERBOLIC
    way = ways[number // len(NETWORKS) % len(ways)]
    every = int(rng.integers(1, 4))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hierarchy, X, Y = data(way, folder)
        options = WAYS[way] | {"hierarchy": hierarchy, "max_iter": N_EPOCHS}
        clf = clone(network).set_params(**options, callbacks=[Tells])
        checkpoint = Checkpoint(folder / "fits", every=every)

        def fit(pipe, kept=True):
            PIPE.number = pipe
            mine = clone(clf).set_params(checkpoint=checkpoint if kept else None)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mine.fit(X, Y)
            os.write(pipe, b"|" + learnt(mine, X))

        start = time.perf_counter()
        expected, _ = Process(lambda pipe: fit(pipe, kept=False)).wait()
        seconds = time.perf_counter() - start
        expected = expected.partition(b"|")[2]
        wrong = [] if expected else ["the unbroken fit failed"]
        n_kills = 0
        before = 0
        for _ in range(int(rng.integers(1, MAX_KILLS + 1))):
            process = Process(fit)
            time.sleep(rng.uniform(0, 1.2) * seconds)
            process.stop(signal.SIGKILL)
            told, status = process.wait()
            n_kills += os.WIFSIGNALED(status)
            begun = told.partition(b"|")[0].count(b".")
            before, text = _lost(folder / "fits", before, begun, every)
            wrong += text
        found, _ = Process(fit).wait()
        if found.partition(b"|")[2] != expected:
            wrong.append("the fit that went on has other bits")
    said = f"{type(network).__name__}, {way}, every {every}"
    return n_kills, [f"{said}: {text}" for text in wrong]


def _lost(folder, before, begun, every):
    """Return the epochs in a folder's file, and a text if more were lost than may be.

    Of ``begun`` epochs after ``before``, the last one is not done.
    """
    files = list(folder.glob("*.safetensors"))
    least = before + max(begun - 1, 0)
    least -= least % every
    if not files:
        return 0, [] if least == 0 else [f"no file after {least} epochs"]
    try:
        (path,) = files
        head, state = read_state(path, "cpu")
        kept = len(state["history"])
    except Exception as error:
        return 0, [f"the file does not load: {error}"]
    if kept < least:
        return kept, [f"{kept} epochs in the file, of at least {least}"]
    return kept, []


# -- interruptions ---------------------------------------------------------------------


def _fit(clf, X, Y):
    try:
        clf.fit(X, Y)
    except KeyboardInterrupt:
        if hasattr(clf, "net_") and not (clf.n_iter_ and len(clf.predict(X)) == len(X)):
            raise RuntimeError("fitted after 0 epochs") from None
        raise


def _partial_fit(clf, X, Y):
    for _ in range(N_EPOCHS):
        before = getattr(clf, "n_iter_", 0)
        try:
            clf.partial_fit(X, Y)
        except KeyboardInterrupt:
            if getattr(clf, "n_iter_", 0) not in (before, before + 1):
                raise RuntimeError("parts of an epoch are counted") from None
            raise


def _scores(n_jobs, backend="loky"):
    def score(clf, X, Y):
        with parallel_config(backend):
            cross_val_score(clf, X, Y, cv=KFold(3), n_jobs=n_jobs)

    return score


def _search(clf, X, Y):
    GridSearchCV(clf, {"tol": [1e-3, 1e-4]}, cv=KFold(2)).fit(X, Y)


def _threshold(clf, X, Y):
    outer = HierarchicalThresholdClassifier(clf, clf.hierarchy, cv=KFold(2))
    try:
        outer.fit(X, Y)
    except KeyboardInterrupt:
        if hasattr(outer, "classes_"):
            raise RuntimeError("fitted with half-trained folds") from None
        raise


CALLS = {
    "fit": _fit,
    "cross_val_score, 1 job": _scores(1),
    "GridSearchCV": _search,
    "HierarchicalThresholdClassifier": _threshold,
    "partial_fit": _partial_fit,
    "cross_val_score, 2 forks": _scores(2, "multiprocessing"),
    "cross_val_score, 2 jobs": _scores(2),
}
RARE = "cross_val_score, 2 jobs"  # each of which imports torch: one call of so many
RARITY = 25


def interrupt_one(number, rng, seconds):
    """Interrupt one call at a random moment.

    Parameters
    ----------
    number : int
    rng : numpy.random.Generator
    seconds : dict of str to float
        Is given how long every call takes, as soon as it is known.

    Returns
    -------
    str
        "interrupted", "late" where the call was over before, or what was wrong.
    """
    often = [name for name in CALLS if name != RARE]
    name = RARE if number % RARITY == RARITY - 1 else often[number % len(often)]
    network = NETWORKS[number // len(often) % len(NETWORKS)]
    hierarchy, X, Y = data("dense X", None)

    def call(pipe):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        seen = []
        clf = clone(network).set_params(hierarchy=hierarchy, max_iter=N_EPOCHS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                os.write(pipe, b"begun")
                CALLS[name](clf, X, Y)
                signal.signal(signal.SIGINT, lambda *_: seen.append(1))
        except KeyboardInterrupt:
            os.write(pipe, b" interrupted")
            return
        except RuntimeError as error:
            os.write(pipe, f" {error}".encode())
            return
        os.write(pipe, b" over")
        end = time.monotonic() + LATE
        while not seen and time.monotonic() < end:
            time.sleep(0.01)
        os.write(pipe, b" late" if seen else b" swallowed")

    if name not in seconds:
        start = time.perf_counter()
        Process(lambda pipe: CALLS[name](_clf(network, hierarchy), X, Y)).wait()
        seconds[name] = time.perf_counter() - start
    process = Process(call)
    os.read(process.reader, 5)  # begun
    time.sleep(rng.uniform(0, 1) * seconds[name])
    process.stop(signal.SIGINT, whole_group=True)
    told, _ = process.wait()
    outcome = told.decode().removeprefix(" over").strip() or "died"
    return outcome, f"{name} of {type(network).__name__}: {outcome}"


def _clf(network, hierarchy):
    return clone(network).set_params(hierarchy=hierarchy, max_iter=N_EPOCHS)


def warm_up():
    """Do once what torch does when it is first used, so that forks need not."""
    torch.set_num_threads(1)
    hierarchy, X, Y = data("dense X", None)
    for network in NETWORKS:
        _clf(network, hierarchy).set_params(max_iter=1).fit(X, Y)

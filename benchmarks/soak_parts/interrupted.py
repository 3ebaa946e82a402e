"""Calls that fit networks, interrupted (Ctrl-C) at random moments."""

import os
import signal
import time
import warnings

from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from benchmarks.soak_parts.processes import NETWORKS, Process, data
from skhmc import HierarchicalThresholdClassifier

N_EPOCHS = 12
N_EPOCHS_OF_JOBS = 200  # so that training takes as long as importing torch
LATE = 10  # seconds after which a signal that nobody saw was swallowed


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


def _scores_of_jobs(clf, X, Y):
    clf.set_params(max_iter=N_EPOCHS_OF_JOBS)
    _scores(2)(clf, X, Y)


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


# joblib's backend "multiprocessing" is left out: its pool may wait for ever when it is
# interrupted, whatever it runs (a signal in logging's lock while it forks)
CALLS = {
    "fit": _fit,
    "cross_val_score, 1 job": _scores(1),
    "GridSearchCV": _search,
    "HierarchicalThresholdClassifier": _threshold,
    "partial_fit": _partial_fit,
    "cross_val_score, 2 threads": _scores(2, "threading"),
    "cross_val_score, 2 jobs": _scores_of_jobs,
}


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
    name : str
        Of the call.
    outcome : str
        "interrupted", "late" where the call was over before, or what was wrong.
    text : str
        All of it.
    """
    name = list(CALLS)[number % len(CALLS)]
    network = NETWORKS[number // len(CALLS) % len(NETWORKS)]
    hierarchy, X, Y = data("dense X", None)
    clf = clone(network).set_params(hierarchy=hierarchy, max_iter=N_EPOCHS)

    def call(pipe):
        seen = []
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
        Process(lambda pipe: CALLS[name](clf, X, Y)).wait()
        seconds[name] = time.perf_counter() - start
    process = Process(call)
    os.read(process.reader, 5)  # begun
    time.sleep(rng.uniform(0, 1) * seconds[name])
    process.stop(signal.SIGINT, whole_group=True)
    told, _ = process.wait()
    outcome = told.decode().removeprefix(" over").strip() or "died"
    return name, outcome, f"{name} of {type(network).__name__}: {outcome}"

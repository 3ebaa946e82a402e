"""CPU time of predict_proba of one row, beside the bare network and other libraries."""

import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from threadpoolctl import threadpool_limits

from benchmarks.speed_parts.common import found, paired, quiet, ratio_cell
from benchmarks.speed_parts.data import ESTIMATORS
from skhmc import CoherentClassifier
from skhmc.datasets import load_digit_properties

__all__ = ["goals", "measure", "tables"]

LIMIT = 1.5
CALLS = 50  # in a turn; a turn's p50 is paired with that of the other in the same turn
PER_LABEL = "MultiOutputClassifier(LogisticRegression)"
COHERENT = "CoherentClassifier(LogisticRegression)"


def measure(settings):
    """Predict one row of the digits with every estimator, on one thread."""
    digits = load_digit_properties()
    X = digits.data / 16
    one = np.ascontiguousarray(X[digits.test][:1])
    train = X[digits.train], digits.target[digits.train]
    functions = {}
    for kind in ESTIMATORS:
        options = {"max_iter": 1, "random_state": settings.seed}
        clf = kind(digits.hierarchy, device="cpu", **options)
        with quiet():
            clf.fit(*train)
        functions[kind.__name__] = lambda clf=clf: clf.predict_proba(one)
        functions[kind.__name__, "bare"] = bare(clf, one)
    linear = LogisticRegression(max_iter=1000)
    for name, clf in {
        PER_LABEL: MultiOutputClassifier(linear),
        COHERENT: CoherentClassifier(linear, digits.hierarchy),
    }.items():
        clf.fit(*train)
        functions[name] = lambda clf=clf: clf.predict_proba(one)
    turns = settings.pick(11, 3)
    with threadpool_limits(1):
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            times = in_turn(functions, turns, settings.pick(CALLS, 20))
        finally:
            torch.set_num_threads(before)
    return [row_of(name, times) for name in times if isinstance(name, str)]


def bare(clf, one):
    """Return a function that calls the network alone, on a row that it need not read.

    What networks keep from one prediction to the next, such as unit prototypes, it has.
    """
    module = clf.net_.module_.eval()
    row = torch.from_numpy(one.astype(clf._dtype))

    def forward():
        with torch.inference_mode():
            module(row)

    return forward


def in_turn(functions, turns, calls):
    """Return the milliseconds of CPU of every call, by function: (turns, calls)."""
    times = {name: np.empty((turns, calls)) for name in functions}
    for turn in range(-1, turns):  # the first one is not counted
        for name, function in functions.items():
            for call in range(calls):
                start = time.process_time()
                function()
                passed = time.process_time() - start
                if turn >= 0:
                    times[name][turn, call] = 1000 * passed
    return times


def row_of(name, times):
    """Return the figures of one estimator."""
    row = {"estimator": name} | percentiles(times[name])
    peer = times.get((name, "bare"))
    if peer is not None:
        row["bare"] = percentiles(peer)
        row |= paired(np.median(times[name], axis=1), np.median(peer, axis=1))
    return row


def percentiles(times):
    """Return the p50 and the p99 of all calls."""
    p50, p99 = np.percentile(times, [50, 99]).tolist()
    return {"p50": p50, "p99": p99}


def tables(rows):
    """Return the table of predictions of one row."""
    heads = ["estimator", "predict_proba, ms: p50 / p99", "network alone, ms", "ratio"]
    cells = []
    for row in rows:
        alone = ratio = "–"
        if "bare" in row:
            alone, ratio = spread(row["bare"]), ratio_cell(row)
        cells.append([row["estimator"], spread(row), alone, ratio])
    return [
        ("CPU time of the probabilities of one row (digits, 22 labels)", heads, cells)
    ]


def spread(figures):
    """Return the p50 and the p99 as text."""
    return f"{figures['p50']:.2f} / {figures['p99']:.2f}"


def goals(rows):
    """Return what was to be reached, and what was."""
    ratios = [row["ratio"] for row in rows if "ratio" in row]
    peer = "the network alone, its prototypes kept"
    return [
        ["predict_proba of one row", peer, f"≤ {LIMIT}× (p50)", found(ratios, LIMIT)]
    ]

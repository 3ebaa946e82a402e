"""Seconds of one training epoch, beside a bare loop over the same network."""

import numpy as np

from benchmarks.speed_parts.bare import BareLoop
from benchmarks.speed_parts.common import found, paired, quiet, ratio_cell, seconds_of
from benchmarks.speed_parts.data import ESTIMATORS, SETS, hierarchy_of, load

__all__ = ["goals", "measure", "tables"]

LIMITS = {"cpu": 1.15, "cuda": 1.10}


def measure(settings):
    """Train every estimator and its bare loop in turn, on every set."""
    repetitions, n_epochs = settings.pick((5, 3), (2, 2))
    rows = []
    for name in SETS[:1] if settings.quick else SETS:
        data = load(name)
        for kind in ESTIMATORS:
            options = {"max_iter": n_epochs, "random_state": settings.seed}
            clf = kind(**options, device=settings.device)
            clf.set_params(hierarchy=hierarchy_of(kind, data))
            row = compare(clf, data.X_train, data.Y_train, repetitions)
            shape = (*data.X_train.shape, data.Y.shape[1])
            names = {"estimator": kind.__name__, "set": name, "shape": shape}
            rows.append(names | row | {"device": settings.device})
    return rows


def compare(clf, X, Y, repetitions):
    """Return the figures of one estimator: seconds of epochs, of the rest of fit."""
    ours, bare, rest = [], [], []
    for _ in range(repetitions):
        with quiet():
            whole = seconds_of(lambda: clf.fit(X, Y), clf.device)
        epochs = [epoch["dur"] for epoch in clf.history_]
        loop = BareLoop(clf, X, Y, clf.device)
        peers = [seconds_of(loop.epoch, clf.device) for _ in epochs]
        ours.append(np.median(epochs[1:]))  # the first one warms up
        bare.append(np.median(peers[1:]))
        rest.append(whole - sum(epochs))
    figures = {"ours": np.median(ours), "bare": np.median(bare)}
    figures["rest"] = np.median(rest)
    figures["steps"] = loop.n_steps
    figures["samples_per_second"] = len(X) / figures["ours"]
    return {k: float(v) for k, v in figures.items()} | paired(ours, bare)


def tables(rows):
    """Return the table of epochs."""
    heads = ["estimator", "data set (samples × features × labels)", "epoch, s"]
    heads += ["bare loop, s", "ratio", "samples/s", "rest of fit, s"]
    cells = []
    for row in rows:
        shape = " × ".join(f"{n:,}" for n in row["shape"])
        seconds = [f"{row[k]:.3f}" for k in ("ours", "bare")]
        cells.append([row["estimator"], f"{row['set']} ({shape})", *seconds])
        cells[-1] += [ratio_cell(row), f"{row['samples_per_second']:,.0f}"]
        cells[-1].append(f"{row['rest']:.2f}")
    return [("One training epoch, data in memory", heads, cells)]


def goals(rows):
    """Return what was to be reached, and what was."""
    limit = LIMITS[rows[0]["device"].split(":")[0]]
    what = "one training epoch, data in memory"
    peer = "the same network in a bare PyTorch loop"
    reached = found([row["ratio"] for row in rows], limit)
    return [[what, peer, f"≤ {limit:.2f}×", reached]]

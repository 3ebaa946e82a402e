"""Seconds of predict_proba, beside one forward pass of the same network."""

import numpy as np
import torch

from benchmarks.speed_parts.common import found, interleave, paired, quiet, ratio_cell
from benchmarks.speed_parts.data import ESTIMATORS, SETS, hierarchy_of, load

__all__ = ["goals", "measure", "tables"]

LIMIT = 1.25


def measure(settings):
    """Predict all rows of every set with every estimator."""
    rows = []
    for name in SETS[:1] if settings.quick else SETS:
        data = load(name)
        for kind in ESTIMATORS:
            clf = kind(max_iter=1, random_state=settings.seed, device=settings.device)
            clf.set_params(hierarchy=hierarchy_of(kind, data))
            with quiet():
                clf.fit(data.X_train, data.Y_train)
            repetitions = settings.pick(11, 3)
            row = compare(clf, data.X, settings.device, repetitions)
            shape = (*data.X.shape, data.Y.shape[1])
            rows.append({"estimator": kind.__name__, "set": name, "shape": shape} | row)
    return rows


def compare(clf, X, device, repetitions):
    """Return the figures of one fitted estimator."""
    batches = batches_of(clf, X)
    module = clf.net_.module_

    def forward():
        with torch.no_grad():
            for batch in batches:
                module(batch)

    functions = {"ours": lambda: clf.predict_proba(X), "bare": forward}
    seconds = interleave(functions, repetitions, device)
    figures = {name: float(np.median(values)) for name, values in seconds.items()}
    figures["batches"] = len(batches)
    return figures | paired(seconds["ours"], seconds["bare"])


def batches_of(clf, X):
    """Return the batches that predict_proba hands the network."""
    batches = []
    hook = clf.net_.module_.register_forward_pre_hook(
        lambda module, args: batches.append(args[0].clone())
    )
    clf.predict_proba(X)
    hook.remove()
    return batches


def tables(rows):
    """Return the table of predictions."""
    heads = ["estimator", "data set (samples × features × labels)"]
    heads += ["predict_proba, s", "forward, s", "ratio"]
    cells = []
    for row in rows:
        shape = " × ".join(f"{n:,}" for n in row["shape"])
        seconds = [f"{row[k]:.4f}" for k in ("ours", "bare")]
        cells.append([row["estimator"], f"{row['set']} ({shape})", *seconds])
        cells[-1].append(ratio_cell(row))
    return [("Probabilities of all rows of a set", heads, cells)]


def goals(rows):
    """Return what was to be reached, and what was."""
    reached = found([row["ratio"] for row in rows], LIMIT)
    peer = "one forward pass of the same network, without gradients"
    return [["predict_proba", peer, f"≤ {LIMIT}×", reached]]

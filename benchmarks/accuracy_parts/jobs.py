"""One fit, and what is measured of it."""

import time
import warnings
from typing import NamedTuple

import torch
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from benchmarks.accuracy_parts.rows import PARTS, ROWS, definition, model_of, n_seeds
from benchmarks.accuracy_parts.sets import KINDS, PUBLISHED, load
from benchmarks.figures import leaf_accuracy
from benchmarks.speed_parts.common import peak_gb, quiet
from skhmc.metrics import (
    au_prc_score,
    exact_match_score,
    hierarchical_f1_score,
    hierarchical_violation_rate,
)

__all__ = [
    "Job",
    "definitions",
    "fit_and_score",
    "in_order",
    "jobs_of",
    "path_figures",
]

QUICK = {"max_iter": 2, "n_estimators": 5}  # at most; a network has one estimator


class Job(NamedTuple):
    """One fit."""

    data_set: str
    row: str
    seed: int

    def __str__(self):
        return f"{self.data_set}, {self.row}, seed {self.seed}"


def jobs_of(parts, data_sets=None, rows=None, seeds=None):
    """Return the jobs of parts, each once; None is all data sets, all rows."""
    found = {}
    for part in parts:
        for data_set in PARTS[part][0]:
            for row in PARTS[part][1]:
                if data_set in (data_sets or KINDS) and row in (rows or ROWS):
                    for seed in range(n_seeds(row, data_set, seeds)):
                        found[Job(data_set, row, seed)] = None
    return list(found)


def definitions(jobs, rows=ROWS):
    """Return the definition of every job."""
    pairs = {(job.row, KINDS[job.data_set]) for job in jobs}
    found = {pair: definition(*pair, rows) for pair in pairs}
    return {job: found[job.row, KINDS[job.data_set]] for job in jobs}


def in_order(jobs, runs):
    """Return jobs in the order to run them.

    Data sets with published figures come first, then single paths, so that what is done
    early says most; one seed of everything before the next; and what takes long first,
    by what earlier ``runs`` took.
    """
    known = {(run["data_set"], run["row"]): run["seconds"] for run in runs}
    published = next(iter(PUBLISHED.values()))

    def key(job):
        guess = 1e4 if job.data_set.endswith("_GO") else 1e3
        seconds = known.get((job.data_set, job.row), guess)
        clus = job.row in PARTS["clus"][1] and job.data_set in PARTS["clus"][0]
        return not clus, job.data_set not in published, job.seed, -seconds

    return sorted(jobs, key=key)


def fit_and_score(job, quick=False, rows=ROWS, part="test", device="cpu"):
    """Fit on the other rows of a part than are scored; return the figures.

    With ``quick`` of a few epochs or trees only.
    """
    torch.set_num_threads(1)
    with threadpool_limits(1):
        return _fit_and_score(job, quick, rows, part, device)


def _fit_and_score(job, quick, rows, part, device):
    begin, data = time.perf_counter(), load(job.data_set, part)
    kind = KINDS[job.data_set]
    model = model_of(job.row, kind, data.hierarchy, job.seed, rows, device)
    if quick:
        for name, value in model.get_params().items():
            last = name.rpartition("__")[2]
            if last in QUICK:
                few = QUICK[last]
                model.set_params(**{name: few if value == "auto" else min(value, few)})
    X, Y = data.X[data.fit], data.Y[data.fit]
    torch.manual_seed(job.seed)  # of the initial weights of SmallCNN
    start, cpu = time.perf_counter(), time.process_time()
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
    figures = {"device": getattr(model[-1], "device", "cpu")}
    figures["seconds"] = time.perf_counter() - start
    figures["cpu_seconds"] = time.process_time() - cpu
    X = data.X[data.held_out]
    for step in model[:-1]:
        X = step.transform(X)
    row = rows[job.row]
    figures |= _scores(data, *row.read(model[-1], X, data.hierarchy))
    also = {n: read(model[-1], X, data.hierarchy) for n, read in row.also.items()}
    also = {name: _scores(data, *said) for name, said in also.items() if said}
    figures |= {"also": also} if row.also else {}
    figures["job_seconds"] = time.perf_counter() - begin
    return figures | {"peak_gb": peak_gb()}


def _scores(data, proba, raw, final):
    """Return the scores of what a classifier says of the rows held out."""
    Y, scored = data.Y[data.held_out], {"hierarchy": data.hierarchy}
    scored["exclude"] = data.not_scored
    figures = {"au_prc": None if proba is None else au_prc_score(Y, proba, **scored)}
    figures["exact_match"] = exact_match_score(Y, final, data.hierarchy, close=False)
    figures["hierarchical_f1"] = hierarchical_f1_score(Y, final, data.hierarchy)
    for end, labels in (("_raw", raw), ("", final)):
        figures["hvr" + end] = hierarchical_violation_rate(labels, data.hierarchy)
        if data.single_path:
            found = path_figures(Y, labels, data.hierarchy)
            figures |= {name + end: value for name, value in found.items()}
    return figures


def path_figures(Y, labels, hierarchy):
    """Return how often levels, the leaf and whole paths are right, of single paths.

    A level is right where its label is, or its having none where a path ended above.
    """
    right = Y == labels
    return {
        "levels": [float(right[:, k].all(axis=1).mean()) for k in hierarchy.levels],
        "leaf": leaf_accuracy(Y, labels, hierarchy),
        "path": float(right.all(axis=1).mean()),
    }

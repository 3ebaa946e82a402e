"""The fits of benchmarks.hierarchy_value, and what is measured of each."""

import time
import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from sklearn.utils import Bunch, check_random_state
from threadpoolctl import threadpool_limits

from benchmarks import recipe
from benchmarks.accuracy_parts import rows
from benchmarks.accuracy_parts.results import named
from benchmarks.accuracy_parts.rows import OURS, Row, network
from benchmarks.accuracy_parts.sets import CLUS
from benchmarks.accuracy_parts.sets import KINDS as ALL_KINDS
from benchmarks.speed_parts.common import quiet
from benchmarks.value_parts.conditions import CONDITIONS
from benchmarks.value_parts.ideas import OnPaths, StartAtParents, shrink, to_prior
from skhmc import HCALClassifier
from skhmc.coherence import close_upward
from skhmc.metrics import au_prc_score

__all__ = [
    "AFTER",
    "ALL_ROWS",
    "ALL_SETS",
    "BANDS",
    "IDEAS",
    "KINDS",
    "MEASURES",
    "REST",
    "ROWS",
    "SEEDS",
    "SETS",
    "SHRUNK",
    "Job",
    "definitions",
    "figures_of",
    "fit_and_score",
    "fitted",
    "jobs_of",
    "load",
]

SEEDS = 3
SMALL = ("enron", "pheno_FUN", "eisen_FUN", "cellcycle_FUN")
SETS = (*SMALL, "seq_FUN", "eisen_GO", "cei", "rcv1_subset1")
REST = tuple(name for name in CLUS if name not in SETS)  # only to confirm
ALL_SETS = (*SETS, *REST)
KINDS = {name: ALL_KINDS.get(name, "sparse") for name in ALL_SETS}  # texts are sparse
ROWS = {
    name: rows.ROWS[name]
    for name in (OURS, "MaxConstraintClassifier", "flat MLP + closing", "HyperbolicHMC")
}
IDEAS = {  # measured under the condition "all"
    "equal task weights": Row(network(HCALClassifier, task_weighting="equal")),
    "no perturbation": Row(network(HCALClassifier, perturbation=0.0)),
    "balanced labels": Row(network(HCALClassifier, class_weight="balanced")),
    "start at the parents": Row(network(StartAtParents)),
    "sums over paths": Row(network(OnPaths)),
    "sums over paths, decay 1": Row(network(OnPaths, optimizer__weight_decay=1.0)),
}
ALL_ROWS = ROWS | IDEAS
CONFIRMED = (OURS, "MaxConstraintClassifier", "flat MLP + closing")
AFTER = {  # what is done to coherent probabilities after the fit
    "shrunk to the parents, 1": (shrink, 1),
    "shrunk to the parents, 3": (shrink, 3),
    "shrunk to the parents, 10": (shrink, 10),
    "shrunk to the priors, 1": (to_prior, 1),
    "shrunk to the priors, 3": (to_prior, 3),
}
SHRUNK = (OURS, "MaxConstraintClassifier")
BANDS = {"1-10": (1, 10), "11-50": (11, 50), "> 50": (51, np.inf)}  # positives to fit
MEASURES = ("micro", "macro", *BANDS)


class Job(NamedTuple):
    """One fit; ``row`` is that of a file of results: an estimator and a condition."""

    data_set: str
    row: str
    seed: int

    @classmethod
    def of(cls, data_set, estimator, condition, seed):
        return cls(data_set, f"{estimator} | {condition}", seed)

    @property
    def estimator(self):
        return self.row.split(" | ")[0]

    @property
    def condition(self):
        return self.row.split(" | ")[1]

    def __str__(self):
        return f"{self.data_set}, {self.row}, seed {self.seed}"


def jobs_of(data_sets=None, estimators=None, conditions=None, seeds=None):
    """Return the jobs, those that say most for their time first; None is all."""
    found = [
        Job.of(data_set, estimator, condition, seed)
        for seed in range(seeds or SEEDS)
        for condition in conditions or CONDITIONS
        for data_set in data_sets or ALL_SETS
        for estimator in estimators or ALL_ROWS
        if _is_planned(data_set, estimator, condition)
    ]

    def turn(job):  # two seeds of the small sets come first, what confirms comes last
        if job.data_set in REST:
            return SEEDS + 2
        return job.seed if job.data_set in SMALL else job.seed + 2

    return sorted(found, key=turn)


def _is_planned(data_set, estimator, condition):
    if data_set in REST:
        return condition == "all" and estimator in CONFIRMED
    return estimator in ROWS or (condition == "all" and data_set in SMALL)


def definitions(jobs):
    """Return what the figures of every job depend on, and a short name of that."""
    pairs = {(job.row, KINDS[job.data_set]): job for job in jobs}
    found = {pair: _definition(job, pair[1]) for pair, job in pairs.items()}
    return {job: found[job.row, KINDS[job.data_set]] for job in jobs}


def _definition(job, kind):
    details, _ = rows.definition(job.estimator, kind, ALL_ROWS)
    return named(details | {"condition": CONDITIONS[job.condition].said})


# -- one fit ---------------------------------------------------------------------------


@lru_cache(maxsize=1)
def load(name):
    """Return a data set with the rows to fit and the validation rows."""
    data = recipe.load(name)
    fit, held_out = recipe.split(data, "valid")
    return Bunch(
        X=data.data,
        Y=data.target.toarray().astype(np.int64),
        fit=fit,
        held_out=held_out,
        hierarchy=data.hierarchy,
        scored=np.asarray(data.eval_mask, bool),
    )


def fit_and_score(job):
    """Fit to the training rows of a condition, score on the validation rows."""
    return figures_of(job, *fitted(job))


def fitted(job):
    """Fit, and return what is said of the validation rows, and what it took.

    Returns
    -------
    dict, dict
        Probabilities by how they are made coherent; costs.
    """
    data = load(job.data_set)
    given = _given(job, data)
    kind = KINDS[job.data_set]
    model = rows.model_of(job.estimator, kind, given.hierarchy, job.seed, ALL_ROWS)
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    start, cpu = time.perf_counter(), time.process_time()
    with threadpool_limits(1), quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels without a row; of a wrong hierarchy
        model.fit(data.X[given.rows], given.Y)
        costs = {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - cpu,
        }
        X = data.X[data.held_out]
        for step in model[:-1]:
            X = step.transform(X)
        closed = ALL_ROWS[job.estimator].read(model[-1], X, given.hierarchy)[0]
        raw = raw_of(model[-1], X)
    return {"closed": closed, "raw": raw}, costs


def _given(job, data):
    random = check_random_state(job.seed)  # all estimators are given the same
    return CONDITIONS[job.condition].give(data, random)


def raw_of(clf, X):
    """Return probabilities that nobody made coherent."""
    if "coherence" not in clf.get_params():
        return clf.predict_proba(X)
    usual = clf.coherence
    try:
        return clf.set_params(coherence=None).predict_proba(X)
    finally:
        clf.set_params(coherence=usual)


def figures_of(job, said, costs):
    """Return the figures of a fit, by how its probabilities are made coherent."""
    data = load(job.data_set)
    given = _given(job, data)
    Y = data.Y[data.held_out]
    n_positive = data.Y[given.rows].sum(axis=0)  # before any is hidden
    if job.estimator in SHRUNK:
        said = said | after_the_fit(said["closed"], given)
    judged = data.scored & Y.any(axis=0)
    bands = {
        name: np.flatnonzero(judged & (n_positive >= low) & (n_positive <= high))
        for name, (low, high) in BANDS.items()
    }
    scores = {}
    for name, proba in said.items():
        found = {"micro": au_prc_score(Y[:, data.scored], proba[:, data.scored])}
        areas = {
            band: [average_precision_score(Y[:, k], proba[:, k]) for k in labels]
            for band, labels in bands.items()
        }
        found["macro"] = float(np.mean(sum(areas.values(), [])))
        found |= {band: mean_or_none(areas[band]) for band in BANDS}
        scores[name] = {key: rounded(value) for key, value in found.items()}
    n_labels = {name: len(labels) for name, labels in bands.items()}
    return {"scores": scores, "n_labels": n_labels} | costs


def after_the_fit(proba, given):
    """Return probabilities after every step of ``AFTER``, by what a fit was given."""
    hierarchy = given.hierarchy
    n_positive = close_upward(given.Y, hierarchy).sum(axis=0)
    counts = n_positive, len(given.rows)
    return {
        name: step(np.asarray(proba, float), hierarchy, *counts, strength)
        for name, (step, strength) in AFTER.items()
    }


def mean_or_none(values):
    """Return the mean, None of nothing."""
    return float(np.mean(values)) if len(values) else None


def rounded(value):
    """Return a figure with the digits that are worth storing."""
    return None if value is None else round(float(value), 5)

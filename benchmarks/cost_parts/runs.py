"""Runs whose seconds and memory are measured, each in a process of its own.

Seconds are those of the processor, on one thread: on a machine that is busy with
something else they say more than those that passed.
"""

import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from threadpoolctl import threadpool_limits

import skhmc
from benchmarks.command import in_own_process
from benchmarks.cost_parts.data import draw_labels, label_counts, load, store
from benchmarks.cost_parts.formulas import distinct
from benchmarks.large import make_hierarchy
from benchmarks.out_of_core import PeakMemory, private_memory
from skhmc._linear.siblings import Problems, group_siblings
from skhmc._networks.skorch_net import Net

__all__ = [
    "fit_in",
    "on_one_thread",
    "rows_of_labels",
    "run_fit",
    "run_predictions",
    "run_tree",
]

FEW_ROWS = 64  # of a fit whose network is only to be there


class _Watched:
    """Seconds of the epochs of a fit, and the memory it takes."""

    def __init__(self, n_epochs):
        self.epochs = []
        self.n_epochs = n_epochs

    def fit(self, clf, X, Y):
        """Fit; where there is to be no epoch, only up to the first one."""
        epoch = Net.run_single_epoch

        def run_single_epoch(net, iterator, *args, **options):
            if iterator is None:
                return
            if not self.n_epochs:
                raise _Begun
            start = time.process_time()
            epoch(net, iterator, *args, **options)
            self.epochs.append((time.process_time() - start) / len(iterator))

        Net.run_single_epoch = run_single_epoch
        try:
            clf.fit(X, Y)
        except _Begun:
            pass
        finally:
            Net.run_single_epoch = epoch


class _Begun(Exception):
    """The first epoch has begun."""


def on_one_thread(function, *args):
    """Return what a function returns that works on one thread and warns of nothing."""
    torch.set_num_threads(1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        return function(*args)


def _in_folder(run, case, features_per_row=None):
    """Store the data of a case, and return what a run in another process says."""
    with tempfile.TemporaryDirectory() as name:
        in_own_process(store, Path(name), case, features_per_row)
        return in_own_process(on_one_thread, run, Path(name), case)


def _network(hierarchy, case, **options):
    sizes = {"hidden_layer_sizes": (case.width,) * 2, "embedding_dim": case.embedding}
    options = {"device": "cpu", "random_state": 0, **sizes, **options}
    return skhmc.HCALClassifier(hierarchy, **options)


# -- fits of networks ------------------------------------------------------------------


def run_fit(case):
    """Return the case with its labels counted, and what its fit took.

    Parameters
    ----------
    case : Fit
        ``labels_per_row`` and ``n_positive`` are counted. With ``n_epochs=0`` there is
        a fit up to the first step.

    Returns
    -------
    case : Fit
    measured : dict of str to float
        "step", "begin" and "whole" in seconds, "memory" and "checkpoint" in bytes.
    """
    return _in_folder(fit_in, case)


def fit_in(folder, case):
    """Do what ``run_fit`` does, with the data of a folder."""
    _warm_up()
    X, Y, hierarchy = load(folder, case.n_labels)
    drawn = case.batch_size, case.n_rows
    case = replace(
        case,
        labels_per_row=Y.nnz / case.n_rows,
        n_positive=distinct(label_counts(Y), drawn),
    )
    clf = _network(
        hierarchy,
        case,
        n_sampled_labels=case.n_sampled,
        batch_size=case.batch_size,
        max_iter=max(case.n_epochs, 1),
    )
    watched = _Watched(case.n_epochs)
    memory = PeakMemory()
    before = private_memory()
    memory.start()
    start = time.process_time()
    watched.fit(clf, X, Y)
    whole = time.process_time() - start
    memory.ended.set()
    memory.join()
    n_steps = case.n_steps / max(case.n_epochs, 1)
    found = {"memory": memory.peak - before, "whole": whole}
    found["begin"] = whole - n_steps * sum(watched.epochs)
    if case.n_epochs:
        # the first epoch also makes the optimizer's state
        found["step"] = min(watched.epochs[1:] or watched.epochs)
    if case.n_epochs and case.n_processes == 1:
        found["checkpoint"] = _bytes_of_checkpoint(clf, X, Y, folder)
    return case, found


def _bytes_of_checkpoint(clf, X, Y, folder):
    """Return how large a checkpoint is, in which the number of rows is nothing."""
    clf.set_params(checkpoint=skhmc.Checkpoint(folder), max_iter=1)
    clf.fit(X[:FEW_ROWS], Y[:FEW_ROWS])
    (path,) = folder.glob("*.safetensors")
    return path.stat().st_size


def _warm_up():
    """Load what a fit loads."""
    Y = np.array([[1, 1, 0], [1, 0, 1]] * 4)
    X = np.random.default_rng(0).normal(size=(8, 4))
    skhmc.HCALClassifier([(0, 1), (0, 2)], max_iter=1, device="cpu").fit(X, Y)


# -- fits of label trees ---------------------------------------------------------------


def run_tree(case):
    """Return the case with its rows counted, and what its fit took.

    Parameters
    ----------
    case : Tree
        ``rows_of_labels`` is counted.

    Returns
    -------
    case : Tree
    measured : dict of str to float
        "tree" in seconds.
    """
    return _in_folder(_tree, case, int(case.features_per_row))


def _tree(folder, case):
    X, Y, hierarchy = load(folder, case.n_labels)
    case = replace(case, rows_of_labels=rows_of_labels(Y, hierarchy))
    clf = skhmc.LabelTreeClassifier(hierarchy, C=1.0, slope=4.0, random_state=0)
    start = time.process_time()
    clf.fit(X, Y)
    return case, {"tree": time.process_time() - start}


def rows_of_labels(Y, hierarchy):
    """Return how many classifiers see a row, on average.

    Those of labels whose parents the row has. Learnt nodes are not counted.

    Parameters
    ----------
    Y : csr_matrix of shape (n_rows, n_labels)
        Closed upward.
    hierarchy : Hierarchy
    """
    problems = Problems(None, sp.csc_matrix(Y))
    groups = group_siblings(hierarchy)
    rows = [len(problems._rows_with_all(g.parents)) * len(g.children) for g in groups]
    return sum(rows) / Y.shape[0]


# -- predictions -----------------------------------------------------------------------


def run_predictions(case):
    """Return the case, and what ``predict_files`` took.

    Parameters
    ----------
    case : Predictions

    Returns
    -------
    case : Predictions
    measured : dict of str to float
        "predictions" in seconds.
    """
    with tempfile.TemporaryDirectory() as name:
        return in_own_process(on_one_thread, _predict, Path(name), case)


def _predict(folder, case):
    rng = np.random.default_rng(0)
    hierarchy = make_hierarchy(case.n_labels, rng)
    X = rng.standard_normal((case.n_rows, case.n_features), np.float32)
    np.save(folder / "X.npy", X)
    Y = draw_labels(hierarchy, FEW_ROWS)
    clf = _network(hierarchy, case, max_iter=1).fit(X[:FEW_ROWS], Y)
    options = {"k": 5, "client": False, "verbose": False}
    np.save(folder / "few.npy", X[:FEW_ROWS])
    skhmc.predict_files(clf, folder / "few.npy", folder / "few", **options)
    start = time.process_time()
    skhmc.predict_files(clf, folder / "X.npy", folder / "out", **options)
    return case, {"predictions": time.process_time() - start}

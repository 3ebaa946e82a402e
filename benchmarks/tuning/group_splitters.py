"""Folds that keep groups together: how even labels are, and how long they take."""

import importlib.util
import time
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from benchmarks.recipe import load
from benchmarks.tables import table, text_row
from benchmarks.tuning.comparison import Comparison
from benchmarks.tuning.timing import made
from skhmc.model_selection import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedKFold,
)

__all__ = ["GroupSplitters"]

N_SPLITS = 5
HEADS = [
    "data set",
    "splitter",
    "torn groups",
    "uneven",
    "largest",
    "untrained",
    "untested",
    "s",
]
WIDTHS = (9, 34, 11, 7, 8, 10, 9, 6)


class GroupSplitters(Comparison):
    """Folds that keep groups together: how even labels are, and how long they take.

    Splits into five folds seq_FUN and the sparse texts cei, training rows in groups of
    very unequal sizes (the largest has about a tenth of the rows), and 6,000 made
    samples of 300 labels, whose groups have labels in common. Prints the share of
    groups that are in several folds; the mean difference, in percentage points, of a
    label's shares in a fold and in all rows; the largest fold beside a fifth of all
    rows; how many labels of two groups and more some training part lacks, and how many
    of five and more some test part; and seconds.

    StratifiedGroupKFold takes one class per sample: its rarest label. Splitters that
    know of no groups are shown on samples, which tears the groups, and on groups, each
    with the labels of any of its samples. Those of iterative-stratification are
    measured where that is installed.
    """

    name = "group_splitters"
    sets = ("seq_FUN", "cei", "made")
    page_name = "group_splitters_table.inc"

    def measure(self, options):
        results = {"runs": []}
        for name in self.sets:
            Y, groups = problem(name)
            for title, split in splitters().items():
                start = time.perf_counter()
                part = split(Y, groups)
                seconds = time.perf_counter() - start
                found = {"set": name, "splitter": title, "seconds": seconds}
                results["runs"].append(found | figures(Y, groups, part))
                yield results

    def lines(self, results, options):
        return [text_row(row, WIDTHS) for row in (HEADS, *self.rows(results))]

    def rows(self, results):
        """Return the rows of all data sets and splitters."""
        return [
            [
                run["set"],
                run["splitter"],
                f"{100 * run['torn']:.0f} %",
                f"{100 * run['uneven']:.3f}",
                f"{run['largest']:.3f}",
                run["untrained"],
                run["untested"],
                f"{run['seconds']:.2f}",
            ]
            for run in results["runs"]
        ]

    def tables(self, results):
        return [table("Five folds", HEADS, self.rows(results))]


def problem(name):
    """Return the labels, as a csr_matrix of bool, and the groups of a set."""
    rng = np.random.default_rng(0)
    if name == "made":
        n_samples = 6000
        groups = unequal(n_samples, rng)
        shared = made(groups.max() + 1, 300)[groups]
        return (made(n_samples, 300) + shared).astype(bool).tocsr(), groups
    data = load(name)
    Y = sp.csr_matrix(data.target[data.train]).astype(bool)
    return Y, unequal(Y.shape[0], rng)


def unequal(n_samples, rng):
    """Return groups of which few are large: at most a tenth of the samples."""
    size = 1 + (2 * rng.pareto(1.0, n_samples)).astype(int)
    size = np.minimum(size, n_samples // 10)
    return rng.permutation(np.repeat(np.arange(n_samples), size)[:n_samples])


# -- splitters -------------------------------------------------------------------------


def splitters():
    """Return functions (Y, groups) -> fold of every sample, by what they are."""
    found = {
        "MultilabelStratifiedGroupKFold": _with_groups(MultilabelStratifiedGroupKFold),
        "GroupKFold": _with_groups(GroupKFold),
        "StratifiedGroupKFold": _by_rarest,
        "MultilabelStratifiedKFold, groups": _of_groups(MultilabelStratifiedKFold),
        "MultilabelStratifiedKFold, samples": _of_samples(MultilabelStratifiedKFold),
    }
    if importlib.util.find_spec("iterstrat") is None:
        return found
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold as Iterative

    def shuffled(n_splits):
        return Iterative(n_splits, shuffle=True, random_state=0)

    found["iterative-stratification, groups"] = _of_groups(shuffled, dense=True)
    found["iterative-stratification, samples"] = _of_samples(shuffled, dense=True)
    return found


def _folds(splits, n_samples):
    part = np.empty(n_samples, dtype=np.intp)
    for fold, (_, test) in enumerate(splits):
        part[test] = fold
    return part


def _with_groups(kind):
    return lambda Y, groups: _folds(kind(N_SPLITS).split(Y, Y, groups), Y.shape[0])


def _by_rarest(Y, groups):
    count = np.asarray(Y.sum(axis=0)).ravel()
    rarity = Y.multiply(1 / np.maximum(count, 1)).tocsr()
    y = np.asarray(rarity.argmax(axis=1)).ravel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer samples than folds
        return _folds(StratifiedGroupKFold(N_SPLITS).split(Y, y, groups), Y.shape[0])


def _of_samples(kind, dense=False):
    def split(Y, groups):
        Y = Y.toarray().astype(int) if dense else Y
        return _folds(kind(N_SPLITS).split(np.zeros(Y.shape[0]), Y), Y.shape[0])

    return split


def _of_groups(kind, dense=False):
    def split(Y, groups):
        has = _membership(groups) @ Y.astype(int) > 0
        return _of_samples(kind, dense)(has.tocsr(), None)[groups]

    return split


# -- figures ---------------------------------------------------------------------------


def _membership(groups):
    ones = np.ones(len(groups), dtype=int)
    return sp.csr_matrix((ones, (groups, np.arange(len(groups)))))


def figures(Y, groups, part):
    """Return how even folds are, and what they lack."""
    n_samples = Y.shape[0]
    folds = _membership(part)
    counts = (folds @ Y.astype(int)).toarray()
    size = np.bincount(part, minlength=N_SPLITS)
    share = counts.sum(axis=0) / n_samples
    n_groups = np.asarray(((_membership(groups) @ Y.astype(int)) > 0).sum(axis=0))[0]
    parts_of_groups = (_membership(groups) @ folds.T > 0).sum(axis=1)
    alone = (counts > 0).sum(axis=0) == 1
    return {
        "torn": float((parts_of_groups > 1).mean()),
        "uneven": float(np.abs(counts / size[:, None] - share).mean()),
        "largest": float(size.max() * N_SPLITS / n_samples),
        "untrained": int((alone & (n_groups >= 2)).sum()),
        "untested": int(((counts == 0).any(axis=0) & (n_groups >= N_SPLITS)).sum()),
    }

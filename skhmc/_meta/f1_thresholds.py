r"""Thresholds of scores: coherent cuts, and the thresholds that score best.

The best thresholds of an F1 are found by sorting the scores once. Micro-averaged,

.. math:: F = \frac{2 TP}{P + T}

(P predicted and T true cells) is at least :math:`\lambda` when :math:`2 TP - \lambda P
\ge \lambda T`, a sum over cells, so every group of labels may choose for itself the cut
that makes its sum largest; with the F reached as the next :math:`\lambda` this ends at
the best F within a few rounds (Dinkelbach, "On Nonlinear Fractional Programming",
Management Science, 1967). Macro-averaged, F is a sum over labels anyway.
"""

from dataclasses import dataclass

import numpy as np

from skhmc.coherence import close_upward, max_constraint, min_constraint

__all__ = ["coherent", "cut", "f1_thresholds", "group_labels", "search_thresholds"]


STRATEGIES = ("global", "level", "label")  # from coarse to fine
DEFAULT = 0.5
CLOSE_TO = 1e-9  # sums that differ by less are equal
TINY = np.finfo(float).tiny


def coherent(scores, hierarchy, closing):
    """Raise labels to their descendants ("up") or lower them to their ancestors.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
    hierarchy : Hierarchy
    closing : {"up", "down"}

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
    """
    if closing == "up":
        return max_constraint(scores, hierarchy)
    return min_constraint(scores, hierarchy)


def cut(scores, thresholds, hierarchy, closing):
    """Return the labels whose score is above their threshold, as coherent sets.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        As :func:`coherent` returns them.
    thresholds : ndarray of shape (n_labels,)
    hierarchy : Hierarchy
    closing : {"up", "down"}
        Whether ancestors of labels above their threshold are added, or labels taken
        away that have an ancestor below.

    Returns
    -------
    ndarray of shape (n_samples, n_labels), bool
    """
    above = scores > thresholds
    if closing == "up":
        return close_upward(above, hierarchy)
    return min_constraint(above, hierarchy)


def group_labels(hierarchy, strategy):
    """Return the group of every label (n_labels,), numbered from 0: who share a cut."""
    if strategy == "global":
        return np.zeros(hierarchy.n_labels, dtype=np.intp)
    if strategy == "level":
        return np.asarray(hierarchy.depth)
    return np.arange(hierarchy.n_labels)


def _shrunk(own, coarse, groups, positive, shrinkage):
    """Return thresholds of labels: those of their groups, drawn to coarser ones."""
    n_positive = np.bincount(groups, positive)[groups]
    share = n_positive / np.maximum(n_positive + shrinkage, TINY)
    own = np.where(np.isnan(own), coarse, own)
    return share * own + (1 - share) * coarse


# -- the built-in metrics --------------------------------------------------------------


@dataclass
class _Cells:
    """Known cells with a positive score and weight, and the positives of all cells."""

    score: np.ndarray
    label: np.ndarray
    positive: np.ndarray  # weight, 0 of negatives
    weight: np.ndarray
    n_positive: np.ndarray  # (n_labels,), with cells that have no positive score


def _read_cells(scores, Y, weight):
    known = ~np.isnan(Y) if Y.dtype.kind == "f" else np.ones(Y.shape, bool)
    every = np.ones(len(Y)) if weight is None else weight
    rows, labels = np.nonzero(known & (scores > 0) & (every > 0)[:, None])
    each = every[rows]
    return _Cells(
        scores[rows, labels],
        labels,
        each * (Y[rows, labels] == 1),
        each,
        every @ (Y == 1),
    )


class _Sweep:
    """All cuts of groups of labels: one behind every distinct score, one above all."""

    def __init__(self, cells, groups):
        group = groups[cells.label]
        self.order = np.lexsort((-cells.score, group))
        score, group = cells.score[self.order].astype(np.float64), group[self.order]
        present, self.first, size = np.unique(
            group, return_index=True, return_counts=True
        )
        below = np.append(score, 0.0)[1:]
        below[self.first[1:] - 1] = 0.0  # the last of every group but the last one
        below[len(score) - 1 :] = 0.0
        self.last = np.flatnonzero(score > below)
        self.start = np.repeat(self.first, size)[self.last]
        self.group = np.append(group[self.last], present)
        top = (1 + score[self.first]) / 2
        self.threshold = np.append((score + below)[self.last] / 2, top)
        self.n_groups = groups.max() + 1

    def best(self, gain):
        """Return the thresholds (n_groups,) above which the gains sum highest.

        Of equally good ones the one nearest to 0.5; NaN where there is no score.
        """
        total = np.append(0.0, np.cumsum(gain[self.order]))
        value = total[self.last + 1] - total[self.start]
        value = np.append(value, np.zeros(len(self.first)))
        highest = np.full(self.n_groups, -np.inf)
        np.maximum.at(highest, self.group, value)
        good = np.flatnonzero(value >= highest[self.group] - CLOSE_TO)
        good = good[np.argsort(-np.abs(self.threshold[good] - DEFAULT), kind="stable")]
        found = np.full(self.n_groups, np.nan)
        found[self.group[good]] = self.threshold[good]  # the last one stays
        return found


def _micro_thresholds(cells, groups):
    """Return the thresholds of groups that have the best micro-averaged F1."""
    sweep, reached, f1 = _Sweep(cells, groups), -1.0, 0.0
    while f1 > reached + CLOSE_TO:
        reached = f1
        found = sweep.best(2 * cells.positive - reached * cells.weight)
        on = cells.score > found[groups[cells.label]]
        whole = cells.weight[on].sum() + cells.n_positive.sum()
        f1 = 2 * cells.positive[on].sum() / max(whole, TINY)
    return found


def _macro_gains(cells):
    """Return what every cell adds to the F1 of its label, when predicted in order."""
    sweep = _Sweep(cells, np.arange(len(cells.n_positive)))
    order, end, start = sweep.order, sweep.last + 1, sweep.start
    label = cells.label[order][sweep.last]
    both, whole = (
        np.append(0.0, np.cumsum(w[order])) for w in (cells.positive, cells.weight)
    )
    whole = whole[end] - whole[start] + cells.n_positive[label]
    f1 = 2 * (both[end] - both[start]) / np.maximum(whole, TINY)
    before = np.append(0.0, f1)[:-1]
    before[np.append(-1, label)[:-1] != label] = 0.0
    gain = np.zeros(len(order))
    gain[order[sweep.last]] = f1 - before
    return gain


def f1_thresholds(scores, Y, hierarchy, *, strategy, average, shrinkage, weight=None):
    """Return the threshold of every label that gives the best F1.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Between 0 and 1.
    Y : ndarray of shape (n_samples, n_labels)
        0, 1 or NaN.
    hierarchy : Hierarchy
    strategy : {"global", "level", "label"}
    average : {"micro", "macro"}
    shrinkage : float
    weight : ndarray of shape (n_samples,) or None
        Not scaled: a sample of weight 2 is two samples, also for the shrinkage.

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    cells = _read_cells(scores, Y, weight)
    gains = _macro_gains(cells) if average == "macro" else None
    positive, thresholds = cells.n_positive, np.full(Y.shape[1], DEFAULT)
    for level in STRATEGIES[: STRATEGIES.index(strategy) + 1]:
        groups = group_labels(hierarchy, level)
        if gains is None:
            own = _micro_thresholds(cells, groups)
        else:
            own = _Sweep(cells, groups).best(gains)
        much = 0.0 if level == "global" else shrinkage
        thresholds = _shrunk(own[groups], thresholds, groups, positive, much)
    return thresholds


# -- any metric ------------------------------------------------------------------------


def search_thresholds(score, scores, Y, hierarchy, *, strategy, shrinkage, n_tried=20):
    """Return the threshold of every label by trying some for every group in turn.

    Parameters
    ----------
    score : callable
        ``score(thresholds) -> float``, greater is better.
    scores : ndarray of shape (n_samples, n_labels)
        Whose quantiles are tried.
    Y : ndarray of shape (n_samples, n_labels)
        0, 1 or NaN.
    hierarchy : Hierarchy
    strategy : {"global", "level", "label"}
    shrinkage : float
    n_tried : int, default=20
        Thresholds tried per group.

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    positive, thresholds = (Y == 1).sum(axis=0), np.full(Y.shape[1], DEFAULT)
    for level in STRATEGIES[: STRATEGIES.index(strategy) + 1]:
        groups, own = group_labels(hierarchy, level), thresholds.copy()
        best = score(own)
        for group in np.unique(groups):
            labels = groups == group
            for value in _candidates(scores[:, labels], n_tried):
                tried = np.where(labels, value, own)
                if (reached := score(tried)) > best:
                    best, own = reached, tried
        much = 0.0 if level == "global" else shrinkage
        thresholds = _shrunk(own, thresholds, groups, positive, much)
    return thresholds


def _candidates(scores, n_tried):
    """Return thresholds spread over the positive scores, those near 0.5 first."""
    scores = scores[scores > 0].astype(np.float64)
    if not len(scores):
        return scores
    spread = (np.arange(n_tried) + 0.5) / n_tried
    found = np.quantile(scores, 1 - spread**2)  # denser where scores are high
    return found[np.argsort(np.abs(found - DEFAULT), kind="stable")]

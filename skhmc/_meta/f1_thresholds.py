r"""Thresholds of scores: applied coherently, and chosen to score best.

The best thresholds of an F1 are found by sorting the scores once. Micro-averaged,

.. math:: F = \frac{2 TP}{P + T}

(P predicted and T true cells) is at least :math:`\lambda` when :math:`2 TP - \lambda P
\ge \lambda T`, a sum over cells, so every group of labels may choose for itself the
threshold that makes its sum largest. With the F reached as the next :math:`\lambda`
this ends at the best F within a few rounds (Dinkelbach, "On Nonlinear Fractional
Programming", Management Science, 1967). Macro-averaged, F is a sum over labels anyway.
"""

from dataclasses import dataclass

import numpy as np

from skhmc._meta.label_sets import conditionals
from skhmc._scoring.outputs import DEFAULT_THRESHOLD
from skhmc._utils.top_k import top_k
from skhmc.coherence import close_upward, max_constraint, min_constraint

__all__ = [
    "apply_thresholds",
    "at_most",
    "constrain",
    "exact_match_threshold",
    "f1_thresholds",
    "group_labels",
    "search_one",
    "search_thresholds",
]


STRATEGIES = ("global", "level", "label")  # from coarse to fine
CLOSE_TO = 1e-9  # sums that differ by less are equal
TINY = np.finfo(float).tiny


def constrain(scores, hierarchy, closing):
    """Raise labels to their descendants ("up") or lower them to their ancestors.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Any scores.
    hierarchy : Hierarchy
        Its labels are the columns of ``scores``.
    closing : {"up", "down", "top_down"}
        Whether to raise ("up") or to lower.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
    """
    if closing == "up":
        return max_constraint(scores, hierarchy)
    return min_constraint(scores, hierarchy)


def apply_thresholds(scores, thresholds, hierarchy, closing):
    """Return the labels whose score is above their threshold, as coherent sets.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Scores as :func:`constrain` returns them.
    thresholds : ndarray of shape (n_labels,)
        The threshold of every label.
    hierarchy : Hierarchy
        Its labels are the columns of ``scores``.
    closing : {"up", "down", "top_down"}
        Whether ancestors of labels above their threshold are added, or labels taken
        away that have an ancestor below. "top_down" takes away, too, and compares the
        probabilities that labels have given their parents.

    Returns
    -------
    ndarray of shape (n_samples, n_labels), bool
    """
    compared = conditionals(scores, hierarchy) if closing == "top_down" else scores
    above = compared > thresholds
    if closing == "up":
        return close_upward(above, hierarchy)
    return min_constraint(above, hierarchy)


def at_most(above, scores, n_labels, hierarchy):
    """Return label sets without the least probable labels of those that are too large.

    As no label has a higher score than its parents, the highest scores, of equal ones
    those nearer to the roots, hold all ancestors. No coherent part of a label set with
    at most so many labels has a higher sum of scores.

    Parameters
    ----------
    above : ndarray of shape (n_samples, n_labels), bool
        Coherent label sets.
    scores : ndarray of shape (n_samples, n_labels)
        Scores as :func:`constrain` returns them.
    n_labels : int or None
        Number of labels that a set has at most; None is any.
    hierarchy : Hierarchy
        Its labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels), bool
    """
    if n_labels is None:
        return above
    rows = np.flatnonzero(above.sum(axis=1) > n_labels)
    if not len(rows):
        return above
    chosen = np.where(above[rows], scores[rows], -np.inf)
    columns, _ = top_k(chosen, n_labels, np.asarray(hierarchy.depth))
    above = above.copy()
    above[rows] = False
    above[rows[:, None], columns] = True
    return above


def group_labels(hierarchy, strategy):
    """Return the group of every label (n_labels,), numbered from 0.

    The labels of a group share a threshold.
    """
    if strategy == "global":
        return np.zeros(hierarchy.n_labels, dtype=np.intp)
    if strategy == "level":
        return np.asarray(hierarchy.depth)
    return np.arange(hierarchy.n_labels)


def _shrunk(thresholds, coarse, groups, positive, shrinkage):
    """Return thresholds of labels: those of their groups, drawn to coarser ones."""
    n_positive = np.bincount(groups, positive)[groups]
    share = n_positive / np.maximum(n_positive + shrinkage, TINY)
    thresholds = np.where(np.isnan(thresholds), coarse, thresholds)
    return share * thresholds + (1 - share) * coarse


def _levels_of(strategy, shrinkage):
    """Return the strategies from coarse to this one, and how much each is shrunk.

    One threshold of all labels has nothing coarser to be drawn to.
    """
    names = STRATEGIES[: STRATEGIES.index(strategy) + 1]
    return [(name, 0.0 if name == "global" else shrinkage) for name in names]


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
    row_weight = np.ones(len(Y)) if weight is None else weight
    rows, labels = np.nonzero(known & (scores > 0) & (row_weight > 0)[:, None])
    return _Cells(
        score=scores[rows, labels],
        label=labels,
        positive=row_weight[rows] * (Y[rows, labels] == 1),
        weight=row_weight[rows],
        n_positive=row_weight @ (Y == 1),
    )


class _Candidates:
    """All thresholds of groups of labels that tell cells apart.

    One lies below every distinct score of a group, halfway to the next lower one, and
    one above all. Cells are sorted by group and, within it, by falling score, so that
    a threshold predicts a run of cells that begins where its group begins.

    Attributes
    ----------
    order : ndarray of shape (n_cells,)
        The sorted cells.
    first : ndarray of shape (n_groups_present,)
        Place of every group's first cell in ``order``.
    last, start : ndarray of shape (n_below,)
        Places of the last and the first cell that are above a threshold, without those
        thresholds that are above all cells.
    group, threshold : ndarray of shape (n_below + n_groups_present,)
        The group and the value of every threshold, those above all cells at the end.
    """

    def __init__(self, cells, groups):
        group = groups[cells.label]
        self.order = np.lexsort((-cells.score, group))
        score = cells.score[self.order].astype(np.float64)
        group = group[self.order]
        present, self.first, size = np.unique(
            group, return_index=True, return_counts=True
        )
        next_lower = np.append(score, 0.0)[1:]
        next_lower[self.first[1:] - 1] = 0.0  # the last of every group but the last one
        next_lower[len(score) - 1 :] = 0.0
        self.last = np.flatnonzero(score > next_lower)
        self.start = np.repeat(self.first, size)[self.last]
        self.group = np.append(group[self.last], present)
        above_all = (1 + score[self.first]) / 2
        self.threshold = np.append((score + next_lower)[self.last] / 2, above_all)
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
        good = good[
            np.argsort(-np.abs(self.threshold[good] - DEFAULT_THRESHOLD), kind="stable")
        ]
        found = np.full(self.n_groups, np.nan)
        # of several thresholds of a group the last one written stays: the nearest
        found[self.group[good]] = self.threshold[good]
        return found


def _micro_thresholds(cells, groups):
    """Return the thresholds of groups that have the best micro-averaged F1."""
    candidates = _Candidates(cells, groups)
    reached = -1.0
    f1 = 0.0
    while f1 > reached + CLOSE_TO:
        reached = f1
        found = candidates.best(2 * cells.positive - reached * cells.weight)
        on = cells.score > found[groups[cells.label]]
        whole = cells.weight[on].sum() + cells.n_positive.sum()
        f1 = 2 * cells.positive[on].sum() / max(whole, TINY)
    return found


def _macro_gains(cells):
    """Return what every cell adds to the F1 of its label, when predicted in order."""
    candidates = _Candidates(cells, np.arange(len(cells.n_positive)))
    order = candidates.order
    start = candidates.start
    end = candidates.last + 1
    label = cells.label[order][candidates.last]
    # sums over the cells above every threshold: differences of cumulated ones
    true_up_to = np.append(0.0, np.cumsum(cells.positive[order]))
    predicted_up_to = np.append(0.0, np.cumsum(cells.weight[order]))
    true_positive = true_up_to[end] - true_up_to[start]
    predicted = predicted_up_to[end] - predicted_up_to[start]
    whole = predicted + cells.n_positive[label]
    f1 = 2 * true_positive / np.maximum(whole, TINY)
    # the last cell above a threshold gets what it adds to the threshold before, if that
    # is the same label's
    before = np.append(0.0, f1)[:-1]
    before[np.append(-1, label)[:-1] != label] = 0.0
    gain = np.zeros(len(order))
    gain[order[candidates.last]] = f1 - before
    return gain


def f1_thresholds(scores, Y, hierarchy, *, strategy, average, shrinkage, weight=None):
    """Return the threshold of every label that gives the best F1.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Scores between 0 and 1.
    Y : ndarray of shape (n_samples, n_labels)
        True labels: 0, 1 or NaN.
    hierarchy : Hierarchy
        Its labels are the columns.
    strategy : {"global", "level", "label"}
        Labels that share a threshold.
    average : {"micro", "macro"}
        The F1 that is to be best.
    shrinkage : float
        Number of positives with which a group's own threshold weighs as much as the
        coarser one.
    weight : ndarray of shape (n_samples,) or None
        Weights of the samples, not scaled: a sample of weight 2 is two samples, also
        for the shrinkage.

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    cells = _read_cells(scores, Y, weight)
    gains = _macro_gains(cells) if average == "macro" else None
    thresholds = np.full(Y.shape[1], DEFAULT_THRESHOLD)
    for level, much in _levels_of(strategy, shrinkage):
        groups = group_labels(hierarchy, level)
        if average == "macro":
            of_groups = _Candidates(cells, groups).best(gains)
        else:
            of_groups = _micro_thresholds(cells, groups)
        thresholds = _shrunk(
            of_groups[groups], thresholds, groups, cells.n_positive, much
        )
    return thresholds


def exact_match_threshold(scores, Y, weight=None):
    """Return the threshold of all labels that makes most label sets right.

    That of a sample is right from its highest score of a negative label up to its
    lowest score of a positive one, so that it is enough to count such ranges.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Scores from 0 to 1 as :func:`constrain` returns them.
    Y : ndarray of shape (n_samples, n_labels)
        True labels: 0, 1 or NaN, which may be predicted or not.
    weight : ndarray of shape (n_samples,) or None
        Weights of the samples.

    Returns
    -------
    float
        Of equally good thresholds the one nearest to 0.5.
    """
    first = np.where(Y == 0, scores, 0.0).max(axis=1)
    last = np.where(Y == 1, scores, 1.0).min(axis=1)
    right = first < last
    weight = np.ones(len(Y)) if weight is None else weight
    # a threshold is tried halfway to where the number of right ones changes next
    bounds = np.unique(np.concatenate([[0.0, 1.0], first[right], last[right]]))
    tried = np.append((bounds[:-1] + bounds[1:]) / 2, DEFAULT_THRESHOLD)
    order = np.argsort(np.abs(tried - DEFAULT_THRESHOLD), kind="stable")
    tried = tried[order]
    total = _weight_below(first[right], weight[right], tried)
    total -= _weight_below(last[right], weight[right], tried)
    return tried[(total >= total.max() - CLOSE_TO).argmax()]


def _weight_below(bounds, weight, values):
    """Return the weight of bounds that are no greater than every value."""
    order = np.argsort(bounds)
    total = np.append(0.0, np.cumsum(weight[order]))
    return total[np.searchsorted(bounds[order], values, side="right")]


# -- any metric ------------------------------------------------------------------------


def search_thresholds(
    score,
    scores,
    Y,
    hierarchy,
    *,
    strategy,
    shrinkage,
    weight=None,
    start=None,
    n_tried=20,
):
    """Return the threshold of every label by trying some for every group in turn.

    Parameters
    ----------
    score : callable
        Function ``score(thresholds) -> float`` of the thresholds of all labels; greater
        is better.
    scores : ndarray of shape (n_samples, n_labels)
        Scores, whose quantiles are tried.
    Y : ndarray of shape (n_samples, n_labels)
        True labels: 0, 1 or NaN.
    hierarchy : Hierarchy
        Its labels are the columns.
    strategy : {"global", "level", "label"}
        Labels that share a threshold.
    shrinkage : float
        Number of positives with which a group's own threshold weighs as much as the
        coarser one.
    weight : ndarray of shape (n_samples,) or None, default=None
        Weights of the samples for the shrinkage, see :func:`f1_thresholds`.
    start : float, default=None
        The best threshold that all labels share, if it is known.
    n_tried : int, default=20
        Number of thresholds tried per group.

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    positive = (Y == 1).sum(axis=0) if weight is None else weight @ (Y == 1)
    thresholds = np.full(Y.shape[1], DEFAULT_THRESHOLD if start is None else start)
    for level, much in _levels_of(strategy, shrinkage):
        if level == "global" and start is not None:
            continue
        groups = group_labels(hierarchy, level)
        best_thresholds = thresholds.copy()
        best = score(best_thresholds)
        for group in np.unique(groups):
            labels = groups == group
            for value in _quantiles(scores[:, labels], n_tried):
                tried = np.where(labels, value, best_thresholds)
                reached = score(tried)
                if reached > best:
                    best = reached
                    best_thresholds = tried
        thresholds = _shrunk(best_thresholds, thresholds, groups, positive, much)
    return thresholds


def search_one(score, n_labels, n_tried=19):
    """Return the best of some thresholds that all labels share (n_labels,).

    Parameters
    ----------
    score : callable
        Function ``score(thresholds) -> float`` of the thresholds of all labels; greater
        is better. Of equally good ones the one nearest to 0.5 is taken.
    n_labels : int
        Number of labels.
    n_tried : int, default=19
        Number of thresholds, evenly spread between 0 and 1.

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    tried = np.arange(1, n_tried + 1) / (n_tried + 1)
    tried = tried[np.argsort(np.abs(tried - DEFAULT_THRESHOLD), kind="stable")]
    return max((np.full(n_labels, value) for value in tried), key=score)


def _quantiles(scores, n_tried):
    """Return thresholds spread over the positive scores, those near 0.5 first."""
    scores = scores[scores > 0].astype(np.float64)
    if not len(scores):
        return scores
    spread = (np.arange(n_tried) + 0.5) / n_tried
    found = np.quantile(scores, 1 - spread**2)  # denser where scores are high
    return found[np.argsort(np.abs(found - DEFAULT_THRESHOLD), kind="stable")]

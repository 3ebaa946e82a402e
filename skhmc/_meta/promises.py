r"""Thresholds that keep a promise: a precision or a recall that holds for new samples.

A threshold that reached what was asked for on some samples reaches less on others half
the time. So it is tested: the hypothesis that the risk (what precision or recall lack)
is above :math:`\alpha` is rejected where the mean loss of n samples is so low that it
would be as low with a probability p at most, whatever the distribution of the losses.
The losses lie between 0 and 1, and p is the smaller one of the bounds of Hoeffding and
of Bentkus.

Many thresholds are tested, and all that are found to hold do so at once with the
``confidence``: by fixed sequences (Angelopoulos et al., "Learn then Test"). Recall
falls when the threshold rises: it is tested from the lowest threshold upward until one
fails.
Precision need not rise with the threshold. It is tested downward from several
thresholds, each with its share of the confidence: at the highest ones alone hardly
anything is predicted, and nothing could be rejected.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.stats import binom

__all__ = ["Promise", "hoeffding_bentkus", "losses", "promised_thresholds"]

# Fixed before data are seen, as the tests need it.
GRID = np.concatenate([[0.0], np.geomspace(1e-6, 0.009, 40), np.arange(1, 100) / 100])
STARTS = (0.98, 0.9, 0.75, 0.6, 0.45, 0.3, 0.15, 0.05)  # of sequences for precision
ALL = -1.0  # a threshold above which all labels are
NONE = 1.0  # one above which none is


@dataclass(frozen=True)
class Promise:
    """What is promised, and how surely."""

    goal: str  # "precision" or "recall"
    at_least: float
    confidence: float


def hoeffding_bentkus(mean, n, alpha):
    r"""Return a p-value for the hypothesis that the expected loss is above ``alpha``.

    Parameters
    ----------
    mean : ndarray
        Mean losses, each between 0 and 1.
    n : ndarray of int
        Number of independent losses in each mean; of none the p-value is 1.
    alpha : float
        Risk that is tested, between 0 and 1.

    Returns
    -------
    ndarray

    Notes
    -----
    With the mean m and :math:`a = \min(m, \alpha)`,

    .. math::
        p = \min\left(e^{-n (a \log \frac{a}{\alpha} + (1 - a) \log \frac{1 - a}{1 -
        \alpha})}, e \, P(\mathrm{Bin}(n, \alpha) \le \lceil n m \rceil)\right).
    """
    below = np.minimum(mean, alpha)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 log 0 is 0
        left = np.where(below > 0, below * np.log(below / alpha), 0.0)
    right = (1 - below) * np.log((1 - below) / (1 - alpha))
    hoeffding = np.exp(-n * (left + right))
    # n m may be a whole number but for rounding
    bentkus = np.e * binom.cdf(np.ceil(n * mean - 1e-9), n, alpha)
    return np.where(n > 0, np.minimum(np.minimum(hoeffding, bentkus), 1.0), 1.0)


def losses(predicted, Y, groups, goal):
    """Return what every sample's label set lacks of precision, or recall.

    Parameters
    ----------
    predicted : ndarray of shape (n_samples, n_labels), bool
        Predicted label sets.
    Y : ndarray of shape (n_samples, n_labels)
        True labels: 0, 1 or NaN, which does not count.
    groups : csr_matrix of shape (n_labels, n_groups)
        1 where a label is in a group, for which losses are reckoned separately.
    goal : {"precision", "recall"}
        Whether a loss is the share of predicted labels that are wrong, or of true ones
        that are missing.

    Returns
    -------
    loss : ndarray of shape (n_samples, n_groups)
        NaN where no label is predicted (precision), or none is true (recall).
    """
    if goal == "precision":
        counted = predicted & ~np.isnan(Y)
        wrong = predicted & (Y == 0)
    else:
        counted = Y == 1
        wrong = counted & ~predicted
    n_counted = counted.astype(np.float64) @ groups
    n_wrong = wrong.astype(np.float64) @ groups
    return np.divide(
        n_wrong, n_counted, out=np.full_like(n_counted, np.nan), where=n_counted > 0
    )


def _mean_losses(loss, units):
    """Return the means of losses over units, and how many units these are.

    A unit is a sample, or all samples that are not independent of each other: it counts
    once, with the mean of its samples.
    """
    known = ~np.isnan(loss)
    n_known = units @ known.astype(np.float64)
    total = units @ np.where(known, loss, 0.0)
    n = (n_known > 0).sum(axis=0)
    per_unit = total / np.maximum(n_known, 1)
    return per_unit.sum(axis=0) / np.maximum(n, 1), n


def promised_thresholds(predict, Y, codes, hierarchy, promise, units):
    """Return a threshold of every group of labels that keeps a promise.

    Parameters
    ----------
    predict : callable
        ``predict(threshold)`` returns the label sets (n_samples, n_labels), bool, that
        are predicted when it is the threshold of all labels.
    Y : ndarray of shape (n_samples, n_labels)
        True labels: 0, 1 or NaN.
    codes : ndarray of shape (n_labels,), int
        The group of every label: all labels, those of one depth, or one.
    hierarchy : Hierarchy
        Its labels are the columns of Y.
    promise : Promise
        What is promised for every group, with the confidence for all of them at once.
    units : ndarray of shape (n_samples,), int
        Number of the unit of every sample. Units are independent of each other.

    Returns
    -------
    thresholds : ndarray of shape (n_groups,)
        Never lower below a label than above it: closed upward, label sets hold no label
        for the sake of another alone, which nobody tested.
    kept : ndarray of shape (n_groups,), bool
        Whether a threshold was found. Where not, it is that of no label (precision) or
        of all (recall).
    """
    n_groups = codes.max() + 1
    n_labels = len(codes)
    groups = sp.csr_matrix((np.ones(n_labels), (np.arange(n_labels), codes)))
    samples = np.arange(len(units))
    units = sp.csr_matrix((np.ones(len(units)), (units, samples)))
    mean = np.empty((n_groups, len(GRID)))
    n = np.empty((n_groups, len(GRID)))
    for k, threshold in enumerate(GRID):
        loss = losses(predict(threshold), Y, groups, promise.goal)
        mean[:, k], n[:, k] = _mean_losses(loss, units)
    p = hoeffding_bentkus(mean, n, 1 - promise.at_least)
    risk = (1 - promise.confidence) / n_groups
    down = _from_the_roots(codes, hierarchy)
    if promise.goal == "recall":
        return _highest(_holds_upward(p, risk), down)
    return _lowest(_holds_downward(p, risk), down)


def _from_the_roots(codes, hierarchy):
    """Return every group with those of its labels' parents, from the roots down."""
    depth = np.zeros(codes.max() + 1, dtype=np.intp)
    np.maximum.at(depth, codes, hierarchy.depth)
    pairs = codes[hierarchy.edges]
    return [
        (group, np.unique(pairs[(pairs[:, 1] == group) & (pairs[:, 0] != group), 0]))
        for group in np.argsort(depth, kind="stable")
    ]


def _holds_upward(p, risk):
    """Return which thresholds hold, from the lowest up to the first that fails."""
    return np.logical_and.accumulate(p <= risk, axis=1)


def _holds_downward(p, risk):
    """Return which thresholds hold, from every start down to the first that fails."""
    rejected = p <= risk / len(STARTS)
    holds = np.zeros_like(rejected)
    for start in STARTS:
        first = np.abs(GRID - start).argmin()
        down = np.logical_and.accumulate(rejected[:, first::-1], axis=1)
        holds[:, : first + 1] |= down[:, ::-1]
    return holds


def _highest(holds, down):
    """Return the highest thresholds that hold, none above one of a group below."""
    kept = holds.any(axis=1)
    last = holds.shape[1] - 1 - holds[:, ::-1].argmax(axis=1)
    thresholds = np.where(kept, GRID[last], ALL)
    for group, above in reversed(down):
        # recall does not fall where the threshold is lowered
        thresholds[above] = np.minimum(thresholds[above], thresholds[group])
    return thresholds, kept


def _lowest(holds, down):
    """Return the lowest thresholds that hold, none below one of a group above."""
    thresholds = np.full(len(holds), NONE)
    for group, above in down:
        least = thresholds[above].max(initial=0.0)
        good = np.flatnonzero(holds[group] & (GRID >= least))
        if len(good):
            thresholds[group] = GRID[good[0]]
    return thresholds, thresholds < NONE

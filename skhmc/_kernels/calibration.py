r"""Sigmoids that turn scores into probabilities, fitted to all labels at once.

The map of a group of labels is Platt's: a line through the given log-odds g is the
calibrated log-odds, :math:`\sigma(a g + b)` with :math:`a \ge 0`. Few positives make a
poor map, so that a label's own is mixed with that of its level: of n cells of the rarer
value its share is :math:`n / (n + k)`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

__all__ = ["Sigmoids", "fit_sigmoids", "score_odds"]

SHRINKAGE = 10  # the k of the mixture, as in HierarchicalCalibratedClassifier
ENOUGH = 5  # cells of the rarer value without which a label has the map of its level
SMOOTH = 0.1  # how far from 0 and 1 scores begin to bend
FAR = 1e200  # scores beyond are no different
CELLS = 2**16  # scores that are worked on at a time
MAX_STEPS = 60
DECREMENT = 1e-12  # of the mean loss, below which Newton's method ends
TINY = np.finfo(np.float64).tiny


def score_odds(scores, smooth=SMOOTH):
    r"""Return the log-odds that scores stand for, also where these leave [0, 1].

    Scores of least squares are shares, near enough, but they may be below 0 or above 1.
    With :math:`\epsilon` (``smooth``) and :math:`\mathrm{s}(x) = \epsilon \log(1 +
    e^{x / \epsilon})`, the share is :math:`u = \mathrm{s}(x) - \mathrm{s}(x - 1)`: it
    rises with x, is x where that is well inside, and never leaves (0, 1). What is
    returned is :math:`\log u - \log(1 - u)`.
    """
    x = np.clip(scores, -FAR, FAR) / smooth
    top = 1 / smooth
    # 1 - u is u of 1 - x; each is exact where it is small, and so is its logarithm
    return _log_share(x, top) - _log_share(top - x, top)


def _log_share(x, top):
    """Return the logarithm of s(x) - s(x - top), with s(x) = log(1 + exp(x))."""
    # s(x) - s(x - top) = log((1 + e^x) / (1 + e^(x - top))) = log1p(z), where
    # z = e^x (1 - e^-top) / (1 + e^(x - top)); for low x log1p(z) is z itself
    log_z = x + np.log1p(-np.exp(-top)) - np.logaddexp(0, x - top)
    low = log_z < -30
    return np.where(low, log_z, np.log(np.logaddexp(0, np.where(low, 0, log_z))))


@dataclass(frozen=True)
class Sigmoids:
    """The maps of all labels.

    Attributes
    ----------
    own, level : ndarray of shape (2, n_labels)
        Slopes and intercepts of a label's own map, and of that of its level.
    share : ndarray of shape (n_labels,)
        Weight of the own map, from 0 to 1.
    """

    own: np.ndarray
    level: np.ndarray
    share: np.ndarray

    def __call__(self, odds):
        """Return probabilities (n_samples, n_labels) of given log-odds, float64."""
        proba = expit(odds * self.level[0] + self.level[1])
        mixed = np.flatnonzero(self.share)
        own = expit(odds[:, mixed] * self.own[0, mixed] + self.own[1, mixed])
        proba[:, mixed] += self.share[mixed] * (own - proba[:, mixed])
        return proba


def fit_sigmoids(odds, target, weight, levels, shrinkage=SHRINKAGE, enough=ENOUGH):
    """Return the maps of least log loss.

    Parameters
    ----------
    odds : ndarray of shape (n_samples, n_labels)
        Log-odds given to samples that the model has not seen.
    target : ndarray of shape (n_samples, n_labels)
        Share of positives in a cell, from 0 to 1.
    weight : ndarray of shape (n_samples, 1 or n_labels)
        Weights of the cells; 0 leaves a cell out.
    levels : ndarray of shape (n_labels,), int
        Level of every label.
    shrinkage : float
        Cells of the rarer value with which a label's own map weighs one half.
    enough : float
        Cells of the rarer value without which a label has no map of its own.

    Returns
    -------
    Sigmoids
    """
    _, levels = np.unique(levels, return_inverse=True)
    cells = _Cells(odds, target, weight)
    everywhere = np.arange(len(levels))
    level = _fit(cells, levels, everywhere)[:, levels]
    rarer = np.minimum(cells.positive, cells.total - cells.positive)
    has_own = (rarer > 0) & (rarer >= enough * (1 - 1e-9))  # whatever rounding does
    own = _fit(cells, everywhere, np.flatnonzero(has_own))
    share = np.where(has_own, rarer / np.maximum(rarer + shrinkage, TINY), 0.0)
    return Sigmoids(own, level, share)


class _Cells:
    """Log-odds, targets and weights, a row per label, summed up block by block."""

    def __init__(self, odds, target, weight):
        self.odds = np.ascontiguousarray(odds.T)
        self.target = np.ascontiguousarray(target.T)
        self.weight = np.ascontiguousarray(weight.T)
        n_labels, n_samples = self.odds.shape
        self.step = max(1, CELLS // max(1, n_samples))
        self.total = np.empty(n_labels)
        self.positive = np.empty(n_labels)
        for block in self.blocks(np.arange(n_labels)):
            _, y, w = self.of(block)
            self.total[block] = w.sum(axis=1)
            self.positive[block] = (w * y).sum(axis=1)

    def blocks(self, labels):
        """Yield labels, as many at a time as stay in a cache."""
        for start in range(0, len(labels), self.step):
            yield labels[start : start + self.step]

    def of(self, labels):
        """Return log-odds, targets and weights (n_labels, n_samples)."""
        weight = self.weight
        if len(weight) > 1:
            weight = weight[labels]
        given = self.odds[labels]
        return given, self.target[labels], np.broadcast_to(weight, given.shape)

    def derivatives(self, labels, slope, intercept, high, low):
        """Return the loss of labels, and its first and second derivatives (6, ...)."""
        sums = np.empty((6, len(labels)))
        at = 0
        for block in self.blocks(labels):
            here = slice(at, at + len(block))
            g, y, w = self.of(block)
            z = slope[here, None] * g
            z += intercept[here, None]
            y = y * (high - low)[here, None]
            y += low[here, None]
            small = np.exp(-np.abs(z))
            p = np.where(z >= 0, 1, small) / (1 + small)
            loss = np.log1p(small) + np.maximum(z, 0) - y * z
            error = p - y
            error *= w
            curve = p * (1 - p)
            curve *= w
            sums[0, here] = np.einsum("ij,ij->i", loss, w)
            sums[1, here] = error.sum(axis=1)
            sums[2, here] = np.einsum("ij,ij->i", error, g)
            sums[3, here] = curve.sum(axis=1)
            curve *= g
            sums[4, here] = curve.sum(axis=1)
            sums[5, here] = np.einsum("ij,ij->i", curve, g)
            at += len(block)
        return sums


def _fit(cells, groups, labels):
    """Return slopes and intercepts (2, n_groups) of least loss, by Newton's method.

    ``groups`` are those of all labels; fitted are the groups of ``labels``.
    """
    n_groups = int(groups.max()) + 1
    total = np.bincount(groups, cells.total, n_groups)
    positive = np.bincount(groups, cells.positive, n_groups)
    # Platt's targets instead of 1 and 0: they keep what is separable finite
    high = (positive + 1) / (positive + 2)
    low = 1 / (total - positive + 2)
    mean = (positive * high + (total - positive) * low) / np.maximum(total, TINY)
    level = logit(np.clip(mean, TINY, 1 - 1e-16))
    best = np.stack([np.zeros(n_groups), level])  # at first no score matters
    active = np.zeros(n_groups, bool)
    active[groups[labels]] = True
    active &= total > 0
    trial = best.copy()
    step = np.zeros((2, n_groups))
    least = np.full(n_groups, np.inf)
    for _ in range(MAX_STEPS):
        labels = labels[active[groups[labels]]]
        if not len(labels):
            break
        g = groups[labels]
        sums = cells.derivatives(labels, *trial[:, g], high[g], low[g])
        loss, d0, d1, h00, h01, h11 = (np.bincount(g, row, n_groups) for row in sums)
        better = active & (loss <= least)
        worse = active & ~better
        best[:, better], least[better] = trial[:, better], loss[better]
        h00, h11 = (h + 1e-12 * (h00 + h11) + TINY for h in (h00, h11))
        det = np.maximum(h00 * h11 - h01**2, TINY)
        newton = np.stack([h01 * d0 - h00 * d1, h01 * d1 - h11 * d0]) / det
        step[:, better] = newton[:, better]
        step[:, worse] /= 2
        decrement = -(step[0] * d1 + step[1] * d0)
        done = better & (decrement <= DECREMENT * total)
        best[:, done] += step[:, done]  # within rounding of the least
        active &= ~done
        trial = best + step
    falling = best[0] <= 0  # a falling line would turn the order round
    best[0, falling], best[1, falling] = 0, level[falling]
    return best

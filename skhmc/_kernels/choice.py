"""Which bandwidth and ridge: those that predict rows best which were left out."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from skhmc._kernels.calibration import fit_sigmoids, score_odds

__all__ = ["Choice", "choose"]

# What "auto" chooses from; chosen on validation rows (benchmarks.tune kernel).
BANDWIDTHS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4)  # gamma times the total variance of X
RIDGES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # over the kernel's mean spread
MAX_ROWS = 1000  # that are looked at; one decomposition takes their number cubed
MAX_LABELS = 200  # the most frequent ones
FREE = 1e-10
NEARLY = 1e-6  # scores that differ less are one, and the log loss decides
DIGITS = 10  # of probabilities that are ranked: what rounding adds is no order
TINY = np.finfo(np.float64).tiny


@dataclass
class Choice:
    """What was chosen, and all that was tried.

    Attributes
    ----------
    gamma, ridge : float or None
    tried : list of dict
        ``gamma``, ``ridge``, ``au_prc``, ``log_loss`` and ``squared_error`` (of the
        scores themselves) of every pair.
    """

    gamma: float | None
    ridge: float
    tried: list


def choose(problem, kernel_of, gammas, ridges, levels):
    """Return the Choice by which left-out rows are ranked best.

    Their scores are made probabilities by sigmoids that are fitted to them. What counts
    is the area under the precision-recall curve over all cells and, where that is the
    same, the log loss.

    Parameters
    ----------
    problem : Problem
        Of all rows; some are looked at, see ``MAX_ROWS``, and some labels.
    kernel_of : callable
        The Kernel of a gamma.
    gammas : list of float or None
    ridges : list of float or None
        None takes ``RIDGES`` times the mean diagonal of the centred kernel.
    levels : ndarray of shape (n_labels,)
        Level of every label.

    Returns
    -------
    Choice
    """
    rows = _some(problem.target.shape[0], MAX_ROWS)
    labels = _most_frequent(problem)
    X = problem.X[rows]
    target = problem.target[rows][:, labels]
    weight, count = problem.weight[rows], problem.rows[rows]
    if weight.shape[1] > 1:
        weight, count = weight[:, labels], count[:, labels]
    spread = _Spread(target, weight)
    tried = []
    for gamma in gammas:
        spread.decompose(kernel_of(gamma)(X, X))
        scale = spread.mean_diagonal or 1.0
        given = [scale * ridge for ridge in RIDGES] if ridges is None else ridges
        for ridge in given:
            scores = spread.left_out(ridge)
            odds = score_odds(scores)
            proba = fit_sigmoids(odds, target, count, levels[labels])(odds)
            tried.append(
                {
                    "gamma": gamma,
                    "ridge": ridge,
                    "au_prc": au_prc(proba, target, count),
                    "log_loss": log_loss(proba, target, count),
                    "squared_error": _mean((scores - target) ** 2, count),
                }
            )
    most = max(pair["au_prc"] for pair in tried)
    best = [pair for pair in tried if pair["au_prc"] > most - NEARLY]
    best = min(best, key=lambda pair: pair["log_loss"])
    return Choice(best["gamma"], best["ridge"], tried)


def _some(n, most):
    """Return at most so many positions, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def _most_frequent(problem):
    """Return the labels with most cells of their rarer value, in their order."""
    positive = (problem.rows * problem.target).sum(axis=0)
    negative = (problem.rows * (1 - problem.target)).sum(axis=0)
    rarer = np.minimum(positive, negative).round(6)  # equal ones stay in their order
    return np.sort(np.argsort(-rarer, kind="stable")[:MAX_LABELS])


def au_prc(proba, target, weight):
    """Return the average precision over all cells, whose targets may be shares."""
    weight = np.broadcast_to(weight, proba.shape).ravel()
    ranks = np.round(proba, DIGITS).ravel()
    order = np.argsort(-ranks, kind="stable")
    ranks, weight = ranks[order], weight[order]
    ends = np.append(np.flatnonzero(np.diff(ranks)), len(ranks) - 1)
    true = np.cumsum(weight * target.ravel()[order])[ends]
    said = np.maximum(np.cumsum(weight)[ends], TINY)
    return float(np.diff(true, prepend=0) @ (true / said) / true[-1])


def log_loss(proba, target, weight):
    """Return the mean log loss of cells, whose targets may be shares."""
    proba = np.clip(proba, TINY, 1 - 1e-16)
    loss = -(target * np.log(proba) + (1 - target) * np.log1p(-proba))
    return _mean(loss, weight)


def _mean(values, weight):
    weight = np.broadcast_to(weight, values.shape)
    return float((weight * values).sum() / weight.sum())


class _Spread:
    """Scores of left-out rows for any ridge, from one decomposition of the kernel.

    Unknown values count as their label's mean, and rows weigh their mean over the
    labels: here, where parameters are compared, this is near enough.
    """

    def __init__(self, target, weight):
        sums = weight.sum(axis=0)
        mean = (weight * target).sum(axis=0) / np.maximum(sums, TINY)
        self.target = np.where(weight > 0, target, mean)
        self.weight = weight.mean(axis=1)
        self.share = self.weight / self.weight.sum()

    def decompose(self, K):
        """Take a kernel matrix: its part that is not constant."""
        root = np.sqrt(self.weight)
        means = K @ self.share
        K = K - means - means[:, None] + self.share @ means
        self.mean_diagonal = max(float(self.share @ K.diagonal()), 0.0)
        K *= root
        K *= root[:, None]
        values, self.vectors = scipy.linalg.eigh(K, overwrite_a=True)
        self.values = np.maximum(values, 0)
        self.mean = self.share @ self.target
        self.parts = self.vectors.T @ (root[:, None] * (self.target - self.mean))

    def left_out(self, ridge):
        """Return scores (n_samples, n_labels) of every row without this row."""
        kept = self.values / (self.values + ridge * len(self.weight))
        root = np.sqrt(self.weight)[:, None]
        fitted = self.vectors @ (kept[:, None] * self.parts) / root + self.mean
        free = 1 - self.vectors**2 @ kept - self.share
        return self.target - (self.target - fitted) / np.maximum(free, FREE)[:, None]

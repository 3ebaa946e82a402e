"""A kernel and what was fitted with it: from rows to scores to probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skhmc._data.X import FileRows
from skhmc._kernels.calibration import Sigmoids, fit_sigmoids, score_odds
from skhmc._kernels.kernels import Nystroem
from skhmc._kernels.ridge import DualSystem, PrimalSystem, solve_labels

__all__ = ["Features", "KernelModel", "LeftOut", "fit_model"]

CELLS = 2**22  # kernel values, or scores, at a time
FOLDS = 10  # parts of the rows whose probabilities are left out together


@dataclass(frozen=True)
class Features:
    """What a row is to the model: a function of rows, with one column per basis.

    Attributes
    ----------
    of : callable
        A Kernel, or what makes features of rows by itself.
    basis : ndarray or csr_matrix or None
        The rows of a Kernel's second side; None where ``of`` has all that it needs.
    width : int
        Number of kernel values per row that are computed.
    """

    of: Any
    basis: Any
    width: int

    def __call__(self, X):
        """Return the features of rows (n_samples, n_basis)."""
        return self.of(X) if self.basis is None else self.of(X, self.basis)


@dataclass(frozen=True)
class KernelModel:
    """Coefficients of labels, and the maps of their scores.

    Attributes
    ----------
    features : Features
    coef : ndarray of shape (n_basis, n_labels)
    intercept : ndarray of shape (n_labels,)
    maps : Sigmoids
    """

    features: Features
    coef: np.ndarray
    intercept: np.ndarray
    maps: Sigmoids

    def scores(self, X):
        """Yield scores of rows (n_samples, n_labels), block by block."""
        step = max(1, CELLS // max(self.features.width, len(self.intercept)))
        for start in range(0, X.shape[0], step):
            rows = X[start : start + step]
            if isinstance(rows, FileRows):
                rows = rows.read(slice(None))
            with np.errstate(over="ignore", invalid="ignore"):  # said below
                scores = np.asarray(self.features(rows) @ self.coef) + self.intercept
            if not np.isfinite(scores).all():
                raise ValueError(
                    f"Scores are beyond what a float can hold: the greatest value of X "
                    f"is {abs(rows).max():.3g}. Scale the features as those of the fit."
                )
            yield scores

    def proba(self, scores):
        """Return probabilities of scores (n_samples, n_labels)."""
        return self.maps(score_odds(scores))


@dataclass(frozen=True)
class LeftOut:
    """What every row gets from a fit without this row.

    Attributes
    ----------
    scores : ndarray of shape (n_distinct, n_labels)
    target : ndarray of shape (n_distinct, n_labels)
    rows : ndarray of shape (n_distinct, 1 or n_labels)
        Given rows that a cell stands for.
    levels : ndarray of shape (n_labels,)
    """

    scores: np.ndarray
    target: np.ndarray
    rows: np.ndarray
    levels: np.ndarray

    def maps(self, some=slice(None)):
        """Return the Sigmoids of least loss over some rows."""
        odds = score_odds(self.scores[some])
        return fit_sigmoids(odds, self.target[some], self.rows[some], self.levels)

    def proba(self):
        """Return probabilities by maps that have not seen the row, nor its fold."""
        n = len(self.scores)
        if n == 1:
            return self.maps()(score_odds(self.scores))
        fold = np.arange(n) % FOLDS  # rows are in an order of their values
        proba = np.empty(self.scores.shape)
        for part in range(min(n, FOLDS)):
            here = fold == part
            proba[here] = self.maps(~here)(score_odds(self.scores[here]))
        return proba


def fit_model(problem, kernel, ridge, levels, landmarks=None):
    """Fit all labels.

    Parameters
    ----------
    problem : Problem
    kernel : Kernel
    ridge : float
    levels : ndarray of shape (n_labels,)
        Level of every label.
    landmarks : ndarray of int, default=None
        Rows of the Nyström features; None is exact.

    Returns
    -------
    model : KernelModel
    left_out : LeftOut
    """
    features, system = _system(problem.X, kernel, landmarks)
    solution = solve_labels(system, problem.target, problem.weight, ridge)
    del system
    left_out = LeftOut(solution.left_out, problem.target, problem.rows, levels)
    maps = left_out.maps()
    return KernelModel(features, solution.coef, solution.intercept, maps), left_out


def _system(X, kernel, landmarks):
    if landmarks is not None:
        nystroem = Nystroem(kernel, X[landmarks])
        features = Features(nystroem, None, len(landmarks))
        return features, PrimalSystem(nystroem(X))
    if kernel.has_features(X):
        features = Features(kernel.features, None, X.shape[1])
        return features, PrimalSystem(features(X))
    return Features(kernel, X, X.shape[0]), DualSystem(kernel.square(X))

"""A kernel and what was fitted with it: from rows to scores to probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skhmc._kernels.calibration import Sigmoids, fit_sigmoids, score_odds
from skhmc._kernels.kernels import Nystroem
from skhmc._kernels.ridge import DualSystem, PrimalSystem, solve_labels

__all__ = ["Features", "KernelModel", "fit_model"]

CELLS = 2**22  # kernel values at a time


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
        step = max(1, CELLS // max(1, self.features.width))
        for start in range(0, X.shape[0], step):
            with np.errstate(over="ignore", invalid="ignore"):  # said below
                rows = self.features(X[start : start + step])
                scores = np.asarray(rows @ self.coef) + self.intercept
            if not np.isfinite(scores).all():
                raise ValueError(
                    f"Scores are beyond what a float can hold: the greatest value of X "
                    f"is {abs(X).max():.3g}. Scale the features as those of the fit."
                )
            yield scores

    def proba(self, scores):
        """Return probabilities of scores (n_samples, n_labels)."""
        return self.maps(score_odds(scores))


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
    left_out : ndarray of shape (n_distinct, n_labels)
        Scores of every row without this row.
    """
    features, system = _system(problem.X, kernel, landmarks)
    solution = solve_labels(system, problem.target, problem.weight, ridge)
    del system
    odds = score_odds(solution.left_out)
    maps = fit_sigmoids(odds, problem.target, problem.rows, levels)
    model = KernelModel(features, solution.coef, solution.intercept, maps)
    return model, solution.left_out


def _system(X, kernel, landmarks):
    if landmarks is not None:
        nystroem = Nystroem(kernel, X[landmarks])
        features = Features(nystroem, None, len(landmarks))
        return features, PrimalSystem(nystroem(X))
    if kernel.has_features(X):
        features = Features(kernel.features, None, X.shape[1])
        return features, PrimalSystem(features(X))
    return Features(kernel, X, X.shape[0]), DualSystem(kernel(X, X))

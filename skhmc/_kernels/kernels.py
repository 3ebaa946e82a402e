"""Kernels: how alike two samples are, also of sparse rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import row_norms, safe_sparse_dot

__all__ = ["KERNELS", "Kernel", "Nystroem", "total_variance"]

KERNELS = ("cosine", "linear", "rbf")
RANK = 1e-12  # eigenvalues below it, times the greatest, are rounding


@dataclass(frozen=True)
class Kernel:
    """A kernel with its bandwidth.

    Attributes
    ----------
    kind : str or callable
        One of ``KERNELS``, or a function of two matrices of rows.
    gamma : float or None
        Of "rbf".
    center : ndarray of shape (n_features,) or None
        Subtracted from dense rows before distances, which are then not differences of
        large numbers.
    """

    kind: Any
    gamma: float | None = None
    center: np.ndarray | None = None

    def __call__(self, X, Z):
        """Return the kernel of all pairs of rows (n_X, n_Z), float64."""
        if callable(self.kind):
            return self._own(X, Z)
        if self.kind == "rbf":
            return self._rbf(X, Z)
        if self.kind == "cosine":
            X, Z = normalize(X), normalize(Z)
        return np.asarray(safe_sparse_dot(X, Z.T, dense_output=True))

    def has_features(self, X):
        """Tell whether rows themselves, being short, are features of this kernel."""
        few = not sp.issparse(X) and X.shape[1] <= X.shape[0]
        return few and not callable(self.kind) and self.kind != "rbf"

    def features(self, X):
        """Return features whose inner products are the kernel, where it has such."""
        return normalize(X) if self.kind == "cosine" else X

    def _rbf(self, X, Z):
        X, Z = self._centered(X), self._centered(Z)
        K = np.asarray(safe_sparse_dot(X, Z.T, dense_output=True))
        K *= -2
        K += row_norms(X, squared=True)[:, None]
        K += row_norms(Z, squared=True)
        np.maximum(K, 0, out=K)
        K *= -self.gamma
        return np.exp(K, out=K)

    def _centered(self, X):
        return X if self.center is None or sp.issparse(X) else X - self.center

    def _own(self, X, Z):
        K = np.array(self.kind(X, Z), dtype=np.float64)
        if K.shape != (X.shape[0], Z.shape[0]):
            raise ValueError(
                f"kernel={self.kind!r} returned an array of shape {K.shape} for "
                f"{X.shape[0]} and {Z.shape[0]} rows, expected one number for every "
                f"pair: ({X.shape[0]}, {Z.shape[0]}). It is called with two matrices "
                f"of rows, not with two rows."
            )
        if not np.isfinite(K).all():
            raise ValueError(f"kernel={self.kind!r} returned NaN or infinity.")
        return K


def total_variance(X):
    """Return the sum of the variances of all features: half the mean square distance.

    Raises
    ------
    ValueError
        When squares of X are beyond what a float can hold.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if sp.issparse(X):
            mean = np.asarray(X.mean(axis=0)).ravel()
            found = X.multiply(X).sum() / X.shape[0] - mean @ mean
        else:
            found = X.var(axis=0).sum()
    if not np.isfinite(found):
        raise ValueError(
            f"The squares of X are too large for a float: its greatest value is "
            f"{abs(X).max():.3g}. Scale the features, for instance with "
            f"sklearn.preprocessing.StandardScaler in a Pipeline."
        )
    return max(float(found), 0.0)


class Nystroem:
    """Features whose inner products are near a kernel, from its values at landmarks.

    With K the kernel of the landmarks and k that of a row and the landmarks, the
    features are :math:`k V D^{-1/2}`, where :math:`K = V D V^T`.

    Parameters
    ----------
    kernel : Kernel
    landmarks : ndarray or csr_matrix of shape (n_landmarks, n_features)
    """

    def __init__(self, kernel, landmarks):
        self.kernel = kernel
        self.landmarks = landmarks
        values, vectors = scipy.linalg.eigh(kernel(landmarks, landmarks))
        kept = values > RANK * max(values[-1], 0)
        self.turn = vectors[:, kept] / np.sqrt(values[kept])
        if not kept.any():  # the kernel is 0: so is one feature
            self.turn = np.zeros((len(values), 1))

    def __call__(self, X):
        """Return the features of rows (n_samples, n_kept)."""
        return self.kernel(X, self.landmarks) @ self.turn

"""Kernels: how alike two samples are, also of sparse rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.utils.extmath import row_norms, safe_sparse_dot
from sklearn.utils.sparsefuncs import mean_variance_axis

__all__ = [
    "KERNELS",
    "Kernel",
    "Nystroem",
    "check_semi_definite",
    "total_variance",
    "unit_rows",
]

KERNELS = ("cosine", "linear", "rbf")
RANK = 1e-12  # eigenvalues below it, times the greatest, are rounding
PRECISE = 1e-11  # variance beside the square of a sparse mean, which is not subtracted
CELLS = 2**22  # products of sparse rows at a time
ROUNDING = 1e-5  # of a kernel matrix, beside its greatest value; it may be of float32


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
        Subtracted from dense rows of "rbf" and "linear", whose values are then not
        differences of large numbers. None where the rows of the fit are sparse.
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
            return _products(unit_rows(X), unit_rows(Z))
        return self._centered_products(X, Z)

    def square(self, X):
        """Return the kernel of rows with themselves, which has to be symmetric."""
        K = self(X, X)
        part = K[:1000, :1000]  # rows have no order: what is wrong is wrong here
        if np.abs(part - part.T).max() > ROUNDING * np.abs(part).max():
            raise ValueError(
                f"kernel={self.kind!r} is not symmetric: of two rows x and z, the "
                f"kernels (x, z) and (z, x) differ. Expected a symmetric one."
            )
        return K

    def has_features(self, X):
        """Tell whether rows themselves, being short, are features of this kernel.

        At half as many features as rows, no row decides its score alone.
        """
        few = not sp.issparse(X) and 2 * X.shape[1] <= X.shape[0]
        return few and not callable(self.kind) and self.kind != "rbf"

    def features(self, X):
        """Return features whose inner products are the kernel, where it has such."""
        return unit_rows(X) if self.kind == "cosine" else X

    def _rbf(self, X, Z):
        K = self._centered_products(X, Z)
        K *= -2
        K += self._centered_squares(X)[:, None]
        K += self._centered_squares(Z)
        np.maximum(K, 0, out=K)
        with np.errstate(over="ignore"):  # beyond all numbers: the kernel is 0
            K *= -self.gamma
        return np.exp(K, out=K)

    def _centered_products(self, X, Z):
        if self.center is None:
            return _products(X, Z)
        Z = Z - self.center
        if sp.issparse(X):  # rows to predict, which stay sparse
            return _products(X, Z) - Z @ self.center
        return _products(X - self.center, Z)

    def _centered_squares(self, X):
        if self.center is None:
            return row_norms(X, squared=True)
        if sp.issparse(X):
            squares = row_norms(X, squared=True) - 2 * (X @ self.center)
            return squares + self.center @ self.center
        return row_norms(X - self.center, squared=True)

    def _own(self, X, Z):
        K = self.kind(X, Z)
        K = K.toarray() if sp.issparse(K) else np.asarray(K)
        if K.dtype.kind not in "biuf":
            raise ValueError(
                f"kernel={self.kind!r} returned an array of {K.dtype}, expected real "
                f"numbers."
            )
        K = K.astype(np.float64)  # a copy: callers write into it
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


def unit_rows(X):
    """Return rows of length 1; rows of zeros stay what they are.

    They are divided by their greatest value first, so that no square of it is too large
    or too small for a float.
    """
    greatest = abs(X).max(axis=1)
    X = _divided(X, greatest.toarray().ravel() if sp.issparse(X) else greatest)
    return _divided(X, row_norms(X))


def _divided(X, by):
    """Return rows divided by a number each, unless that is 0."""
    by = np.where(by > 0, by, 1)
    if not sp.issparse(X):
        return X / by[:, None]
    data = X.data / np.repeat(by, np.diff(X.indptr))
    return sp.csr_matrix((data, X.indices, X.indptr), X.shape)


def _products(X, Z):
    """Return the inner products of all pairs of rows (n_X, n_Z)."""
    if not sp.issparse(X):
        return np.asarray(safe_sparse_dot(X, Z.T, dense_output=True))
    K = np.empty((X.shape[0], Z.shape[0]))
    step = max(1, CELLS // Z.shape[0])  # as a sparse matrix they would take more
    for start in range(0, len(K), step):
        rows = slice(start, start + step)
        K[rows] = safe_sparse_dot(X[rows], Z.T, dense_output=True)
    return K


def check_semi_definite(values, greatest=0.0):
    """Raise where eigenvalues of a kernel matrix, in rising order, are negative.

    ``greatest`` is the size of numbers that have been subtracted from the kernel, and
    left rounding in its matrix.
    """
    if values[0] < -ROUNDING * max(np.abs(values).max(), greatest):
        raise ValueError(
            f"The kernel is not positive semi-definite: its matrix has the eigenvalues "
            f"{values[0]:.3g} to {values[-1]:.3g}. Expected none below 0, as of an "
            f"inner product."
        )


def total_variance(X):
    """Return the sum of the variances of all features: half the mean square distance.

    Raises
    ------
    ValueError
        When squares of X are beyond what a float can hold, or a sparse X is so far from
        0 that distances are lost in rounding.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if sp.issparse(X):
            mean, variances = mean_variance_axis(X, axis=0)
            found = variances.sum()
        else:
            found = X.var(axis=0).sum()
    if not np.isfinite(found):
        raise ValueError(
            f"The squares of X are too large for a float: its greatest value is "
            f"{abs(X).max():.3g}. Scale the features, for instance with "
            f"sklearn.preprocessing.StandardScaler in a Pipeline."
        )
    if sp.issparse(X) and 0 < found < PRECISE * (mean @ mean):
        raise ValueError(
            f"The sparse X is too far from 0 for its rows to be told apart: its mean "
            f"row has the length {np.linalg.norm(mean):.3g}, and the sum of the "
            f"variances of its features is {found:.3g}. Subtract what all rows have in "
            f"common, or pass X.toarray()."
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
        values, vectors = scipy.linalg.eigh(kernel.square(landmarks))
        check_semi_definite(values)
        kept = values > RANK * max(values[-1], 0)
        self.turn = vectors[:, kept] / np.sqrt(values[kept])
        if not kept.any():  # the kernel is 0: so is one feature
            self.turn = np.zeros((len(values), 1))

    def __call__(self, X):
        """Return the features of rows (n_samples, n_kept)."""
        return self.kernel(X, self.landmarks) @ self.turn

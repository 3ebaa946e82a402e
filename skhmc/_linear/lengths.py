"""Rows of length 1."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize
from sklearn.utils.sparsefuncs import min_max_axis
from sklearn.utils.sparsefuncs_fast import inplace_csr_row_normalize_l2

__all__ = ["mean_length", "of_length_1"]

GREAT = 1e12  # the squares of such numbers, and of their inverses, are exact enough


def of_length_1(X, copy=True):
    """Return rows divided by their length, as an array of the same kind.

    Rows of zeros stay what they are.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        Rows, finite.
    copy : bool, default=True
        Whether X has to stay what it is.

    Returns
    -------
    ndarray or csr_matrix of shape (n_samples, n_features)
    """
    if sp.issparse(X) and _all_ordinary(X.data):
        X = X.copy() if copy else X
        inplace_csr_row_normalize_l2(X)  # what normalize does after its checks
        return X
    lowest, highest = min_max_axis(X, 1) if sp.issparse(X) else (X.min(1), X.max(1))
    greatest = np.maximum(-lowest, highest)
    greatest[greatest == 0] = 1
    if greatest.max() > GREAT or greatest.min() < 1 / GREAT:
        # their squares would be infinite, or 0
        if sp.issparse(X):
            data = X.data / np.repeat(greatest, np.diff(X.indptr))
            X = sp.csr_matrix((data, X.indices, X.indptr), X.shape)
        else:
            X = X / greatest[:, None]
    return normalize(X)


def _all_ordinary(values):
    """Tell whether no number is too great or too small to be squared, nor 0.

    This is a look at all numbers, and enough for most X; a look at every row takes ten
    times as long for one row.
    """
    sizes = np.abs(values)
    least = sizes.min(initial=GREAT)
    return least >= 1 / GREAT and sizes.max(initial=0) <= GREAT


def mean_length(X):
    """Return the root of the mean square of the lengths of rows.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        Rows, of numbers whose squares are finite.

    Returns
    -------
    float
    """
    values = np.ravel(X.data if sp.issparse(X) else X)
    return float(np.sqrt(np.square(values, dtype=np.float64).sum() / X.shape[0]))

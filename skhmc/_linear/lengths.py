"""Rows of length 1."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

__all__ = ["of_length_1"]

GREAT = 1e15  # the squares of such numbers are far from what float32 holds


def of_length_1(X):
    """Return rows divided by their length, as an array of the same kind.

    Rows of zeros stay what they are.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        Rows, finite.

    Returns
    -------
    ndarray or csr_matrix of shape (n_samples, n_features)
    """
    values = X.data if sp.issparse(X) else X
    greatest = max(values.max(initial=0), -values.min(initial=0))
    if greatest > GREAT or 0 < greatest < 1 / GREAT:
        X = normalize(X, norm="max")  # squares would be infinite, or 0
    return normalize(np.asarray(X) if not sp.issparse(X) else X)

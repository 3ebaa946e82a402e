"""How many rows have two labels, or have one and do not know another."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["count_together", "count_unknown_beside"]

CELLS_PER_BLOCK = 2**24


def count_together(
    Y: np.ndarray | sp.csr_matrix, weight: np.ndarray | None = None
) -> sp.csr_matrix:
    """Count, for every pair of labels, the rows that have both.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Indicators that were read: 0, 1 or NaN.
    weight : ndarray of shape (n_samples,), default=None
        Weights of rows; None counts them.

    Returns
    -------
    csr_matrix of shape (n_labels, n_labels)
        Counts of pairs; the diagonal holds those of the labels. Integers, with
        weights floats.
    """
    weight = _row_weights(Y, weight)
    positive = _cells(Y, _values(Y) == 1, weight.dtype)
    counts = _together(positive, weight, positive)
    counts.eliminate_zeros()
    counts.sort_indices()
    return counts


def count_unknown_beside(
    Y: np.ndarray | sp.csr_matrix,
    weight: np.ndarray | None = None,
    counts: sp.csr_matrix | None = None,
) -> tuple[sp.csr_matrix, np.ndarray]:
    """Count the rows that have a label and do not know another.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Indicators that were read: 0, 1 or NaN.
    weight : ndarray of shape (n_samples,), default=None
        Weights of rows; None counts them.
    counts : csr_matrix of shape (n_labels, n_labels), default=None
        Matrix whose entries are the pairs to count; None counts all.

    Returns
    -------
    unknown : csr_matrix of shape (n_labels, n_labels)
        Counts of the rows that have the label of the row and where that of the column
        is unknown.
    known : ndarray of shape (n_labels,)
        Counts of the rows where every label is known.
    """
    weight = _row_weights(Y, weight)
    n_labels = Y.shape[1]
    shape = (n_labels, n_labels)
    known = np.full(n_labels, weight.sum())
    missing = np.isnan(_values(Y))
    if not missing.any():
        return sp.csr_matrix(shape), known
    unknown = _cells(Y, missing, weight.dtype)
    known = known - unknown.T @ weight
    positive = _cells(Y, _values(Y) == 1, weight.dtype)
    if counts is None:
        return _together(positive, weight, unknown), known
    pairs = counts.tocoo()
    found = _together_at(positive, weight, unknown, pairs.row, pairs.col)
    return sp.csr_matrix((found, (pairs.row, pairs.col)), shape), known


def _row_weights(Y: Any, weight: np.ndarray | None) -> np.ndarray:
    return np.ones(Y.shape[0], np.int64) if weight is None else weight


def _values(Y: Any) -> np.ndarray:
    return Y.data if sp.issparse(Y) else Y


def _cells(Y: Any, mask: np.ndarray, dtype: np.dtype) -> sp.csr_matrix:
    """Return the cells of Y that a mask of its values marks, as ones (csr)."""
    if sp.issparse(Y):
        mask = sp.csr_matrix((mask, Y.indices, Y.indptr), Y.shape, copy=True)
    cells = sp.csr_matrix(mask)
    cells.eliminate_zeros()
    return cells.astype(dtype)


def _together(
    positive: sp.spmatrix, weight: np.ndarray, other: sp.csr_matrix
) -> sp.csr_matrix:
    """Return the weight of the rows that have a cell in both columns, sparse."""
    return (positive.multiply(weight[:, None]).T.tocsr() @ other).tocsr()


def _together_at(
    positive: sp.csr_matrix,
    weight: np.ndarray,
    other: sp.csr_matrix,
    row: np.ndarray,
    column: np.ndarray,
) -> np.ndarray:
    """Return :func:`_together` at sorted pairs of columns only.

    All pairs may be far more than those that are asked for, so that they are counted
    block by block, and only the wanted ones kept.
    """
    n_labels = positive.shape[1]
    step = max(1, CELLS_PER_BLOCK // n_labels)
    positive = positive.tocsc()
    found = np.zeros(len(row))
    for start in range(0, n_labels, step):
        part = slice(*np.searchsorted(row, [start, start + step]))
        if part.start == part.stop:
            continue
        block = positive[:, start : start + step]
        there = _together(block, weight, other)[row[part] - start, column[part]]
        found[part] = np.asarray(there).ravel()
    return found

"""Label sets: what follows from them, and where they break edges."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skhmc._utils.levels import (
    CELLS_PER_BLOCK,
    ROWS_PER_BLOCK,
    check_width,
    over_sources,
    sweep,
    transposed,
)
from skhmc.hierarchy import Hierarchy

__all__ = [
    "close_upward",
    "is_single_path",
    "most_specific",
    "stopping_points",
    "violations",
]


def close_upward(Y: Any, hierarchy: Hierarchy) -> Any:
    """Add to every label set the ancestors of its labels.

    Parameters
    ----------
    Y : ndarray or sparse matrix of shape (n_samples, n_labels)
        Indicators 0 and 1; NaN is unknown (dense or stored).
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of Y.

    Returns
    -------
    ndarray or csr_matrix of shape (n_samples, n_labels)
        A new array of the same kind and dtype. A positive label makes every ancestor
        1, also a known negative (the positive wins); a negative label makes its
        unknown descendants 0; what is then unknown stays NaN.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> close_upward(np.array([[0, 0, 1]]), Hierarchy.from_edges([(0, 1), (1, 2)]))
    array([[1, 1, 1]])
    """
    Y = sp.csr_matrix(Y) if sp.issparse(Y) else np.asarray(Y)
    check_width(Y, hierarchy)
    if not sp.issparse(Y):
        return _close_dense(Y, hierarchy)
    if np.isnan(Y.data).any():
        step = min(ROWS_PER_BLOCK, CELLS_PER_BLOCK // Y.shape[1] + 1)
        starts = range(0, Y.shape[0], step)
        blocks = (Y[i : i + step].toarray() for i in starts)
        return sp.vstack([sp.csr_matrix(_close_dense(b, hierarchy)) for b in blocks])
    on = sp.csr_matrix(Y, dtype=bool)
    closed = (on + on @ hierarchy.ancestors).astype(Y.dtype)
    closed.sort_indices()
    return closed


def _close_dense(Y: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    positive = sweep(transposed(Y == 1), hierarchy.upward_plan, np.logical_or)
    positive = transposed(positive)
    if Y.dtype == bool:
        return positive
    closed = np.where(positive, np.ones((), Y.dtype), Y)
    if closed.dtype.kind == "f" and np.isnan(closed).any():
        negative = transposed(closed == 0)
        negative = sweep(negative, hierarchy.downward_plan, np.logical_or)
        closed[transposed(negative)] = 0
    return closed


def most_specific(Y: Any, hierarchy: Hierarchy) -> Any:
    """Remove from every label set the ancestors of its other labels.

    Parameters
    ----------
    Y : ndarray or sparse matrix of shape (n_samples, n_labels)
        Indicators 0 and 1; NaN is unknown (dense or stored).
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of Y.

    Returns
    -------
    ndarray or csr_matrix of shape (n_samples, n_labels)
        A new array of the same kind and dtype, in which a label with a positive
        descendant is 0 if it was 1. What was 0 or NaN stays so. Y and its upward
        closure have the same most specific labels, and these have the same closure.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> most_specific(np.array([[1, 1, 0]]), Hierarchy.from_edges([(0, 1), (1, 2)]))
    array([[0, 1, 0]])
    """
    Y = sp.csr_matrix(Y, copy=True) if sp.issparse(Y) else np.array(Y)
    check_width(Y, hierarchy)
    if not sp.issparse(Y):
        closed = sweep(transposed(Y == 1), hierarchy.upward_plan, np.logical_or)
        implied = np.zeros_like(closed)
        for targets, sources in hierarchy.upward_plan:
            implied[targets] = over_sources(closed, sources, np.logical_or)
        Y[implied.T & (Y == 1)] = 0
        return Y
    Y.sum_duplicates()
    on = sp.csr_matrix((Y.data == 1, Y.indices.copy(), Y.indptr.copy()), Y.shape)
    on.eliminate_zeros()
    implied = on.multiply(on @ hierarchy.ancestors).astype(np.float64)
    kept = sp.csr_matrix(Y.astype(np.float64) - implied)
    kept.eliminate_zeros()
    return kept.astype(Y.dtype)


def violations(Y: Any, hierarchy: Hierarchy) -> sp.csr_matrix:
    """Mark the edges whose child is predicted and whose parent is not.

    Parameters
    ----------
    Y : ndarray or sparse matrix of shape (n_samples, n_labels)
        Indicators; any nonzero entry counts as predicted.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of Y.

    Returns
    -------
    csr_matrix of shape (n_samples, n_edges), bool
        Columns follow ``hierarchy.edges``.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> violations(np.array([[0, 1], [1, 1]]), Hierarchy.from_edges([(0, 1)])).toarray()
    array([[ True],
           [False]])
    """
    Y = Y if sp.issparse(Y) else np.asarray(Y)
    check_width(Y, hierarchy)
    Y = sp.csc_matrix(Y, dtype=bool)
    parent, child = hierarchy.edges.T
    broken = Y[:, child].tocsr() > Y[:, parent].tocsr()
    broken.eliminate_zeros()
    return broken


def is_single_path(Y: np.ndarray | sp.spmatrix, hierarchy: Hierarchy) -> bool:
    """Return whether no sample has two labels at one depth of a tree.

    Parameters
    ----------
    Y : ndarray or sparse matrix of shape (n_samples, n_labels)
        Closed indicators.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of Y.

    Returns
    -------
    bool
        False where Y holds unknowns (NaN).

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> tree = Hierarchy.from_edges([(0, 1), (0, 2)])
    >>> is_single_path(np.array([[1, 1, 0], [1, 0, 1]]), tree)
    True
    >>> is_single_path(np.array([[1, 1, 1]]), tree)
    False
    """
    if not hierarchy.is_tree:
        return False
    values = Y.data if sp.issparse(Y) else Y
    if np.isnan(values).any():
        return False
    return all(_row_sums(Y[:, level]).max(initial=0) <= 1 for level in hierarchy.levels)


def _row_sums(Y: np.ndarray | sp.spmatrix) -> np.ndarray:
    return np.asarray(Y.sum(axis=1)).ravel()


def stopping_points(
    Y: np.ndarray | sp.spmatrix, hierarchy: Hierarchy
) -> tuple[np.ndarray, bool]:
    """Return under which internal labels rows of Y stop, and if rows are empty.

    Parameters
    ----------
    Y : ndarray or sparse matrix of shape (n_samples, n_labels)
        Closed indicators of single paths.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of Y.

    Returns
    -------
    stops : ndarray of int
        Positions of internal labels that are some row's most specific label.
    some_empty : bool
        Whether a row has no label.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> tree = Hierarchy.from_edges([(0, 1), (0, 2)])
    >>> stopping_points(np.array([[1, 1, 0], [1, 0, 0]]), tree)
    (array([0]), False)
    """
    Y = sp.csr_matrix(Y, dtype=np.int64)
    ends = np.asarray(most_specific(Y, hierarchy).sum(axis=0)).ravel() > 0
    ends[hierarchy.leaves] = False  # where every path ends anyway
    some_empty = bool((np.diff(Y.indptr) == 0).any())
    return np.flatnonzero(ends), some_empty

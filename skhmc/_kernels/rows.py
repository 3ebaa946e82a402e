"""Rows of the same features are one row: with their mean target and all their weight.

Ridge regression cannot tell the two apart, so that a row of weight 2 and the row twice
are one fit. A score that leaves a row out leaves its doubles out, too.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

__all__ = ["Problem", "merge_rows"]

TINY = np.finfo(np.float64).tiny


@dataclass
class Problem:
    """What ridge regression is given.

    Attributes
    ----------
    X : ndarray or csr_matrix of shape (n_distinct, n_features)
        Distinct rows with a known label of some weight.
    target : ndarray of shape (n_distinct, n_labels)
        Share of positives; 0 where nothing is known.
    weight : ndarray of shape (n_distinct, 1 or n_labels)
        Weights, of a label with a mean of 1 over the rows where it is known.
    count : ndarray of shape (1 or n_labels,)
        Given rows per weight, of a label.
    place : ndarray of shape (n_rows,), int
        Where every given row stands in X; -1 for those left out.
    """

    X: np.ndarray | sp.csr_matrix
    target: np.ndarray
    weight: np.ndarray
    count: np.ndarray
    place: np.ndarray

    @property
    def rows(self):
        """Given rows that a cell stands for (n_distinct, 1 or n_labels)."""
        return self.weight * self.count


def merge_rows(X, Y, weight):
    """Return the Problem of distinct rows.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_rows, n_features)
    Y : ndarray of shape (n_rows, n_labels)
        0, 1 or NaN. Every label has some known value with a weight.
    weight : ndarray of shape (n_rows, 1 or n_labels) or None

    Returns
    -------
    Problem
    """
    known = ~np.isnan(Y)
    weights = np.ones((len(Y), 1)) if weight is None else weight
    if not known.all():
        weights = weights * known
        Y = np.where(known, Y, 0)
    used = np.flatnonzero(weights.any(axis=1))
    first, place = _distinct(X[used])
    shape = len(first), len(used)
    add = sp.csr_matrix((np.ones(len(used)), (place, np.arange(len(used)))), shape)
    total = add @ weights[used]
    target = (add @ (weights[used] * Y[used])) / np.maximum(total, TINY)
    n_known = (total > 0).sum(axis=0)
    count = total.sum(axis=0) / n_known
    total = _mean_1(total, n_known)
    if total.shape[1] > 1 and (total == total[:, :1]).all():
        total, count = total[:, :1], count[:1]
    whole = np.full(len(Y), -1)
    whole[used] = place
    return Problem(X[used][first], target, total, count, whole)


def _mean_1(weight, n_known):
    """Return weights whose mean over the rows of some weight is 1, label by label."""
    weight = weight / weight.max(axis=0)
    return weight * (n_known / weight.sum(axis=0))


def _distinct(X):
    """Return a row of every kind, and of every row the position of its kind.

    The kinds have an order of their own, whatever that of the rows is.
    """
    if sp.issparse(X):
        return _distinct_sparse(X)
    rows = np.ascontiguousarray(X + 0.0)  # -0 is 0
    as_bytes = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))
    _, first, place = np.unique(
        as_bytes.ravel(), return_index=True, return_inverse=True
    )
    return first, place


def _distinct_sparse(X):
    """As ``_distinct``, by two random sums of every row."""
    n_features = X.shape[1]
    keys = X @ np.random.default_rng(0).normal(size=(n_features, 2))
    _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    place = place.ravel()
    differ = X - X[first[place]]
    if differ.count_nonzero():  # sums that are equal by chance: nothing is merged
        return np.arange(X.shape[0]), np.arange(X.shape[0])
    return first, place

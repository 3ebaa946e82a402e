"""Labels with the same parents: they are told apart on the rows of these."""

from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import logit

from skhmc._data.weights import smoothed_rates

__all__ = [
    "Column",
    "Problems",
    "Siblings",
    "counted_rows",
    "fit_siblings",
    "group_siblings",
    "is_constant",
]


class Siblings(NamedTuple):
    """Labels that have the same parents."""

    parents: np.ndarray  # (n_parents,), none of roots
    children: np.ndarray  # (n_children,)


class Column(NamedTuple):
    """The classifier of a label: its weights that are not nearly 0."""

    label: int
    features: np.ndarray  # (n_weights,), int32, sorted
    weights: np.ndarray  # (n_weights,), float32
    bias: float
    n_iter: int  # walks of the solver, 0 where there is nothing to learn


def group_siblings(hierarchy):
    """Return the Siblings of a hierarchy, those of roots first.

    Parameters
    ----------
    hierarchy : Hierarchy
        All labels.

    Returns
    -------
    list of Siblings
    """
    parents = hierarchy.parents
    starts = parents.indptr.tolist()
    above = parents.indices.tolist()
    found: dict[tuple, list[int]] = {}
    for label in np.argsort(hierarchy.depth, kind="stable").tolist():
        found.setdefault(tuple(above[starts[label] : starts[label + 1]]), []).append(
            label
        )
    return [
        Siblings(np.array(key, dtype=np.intp), np.array(labels, dtype=np.intp))
        for key, labels in found.items()
    ]


class Problems:
    """What every label's classifier is fitted to: the rows that have all its parents.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        Samples.
    positive : csc_matrix of shape (n_samples, n_labels)
        Has an entry where a sample has a label. Closed upward; rows are sorted.
    unknown : csc_matrix of shape (n_samples, n_labels) or None
        Has an entry where nobody knows.
    sample_weight : ndarray of shape (n_samples, 1 or n_labels) or None
        Weights.
    """

    def __init__(self, X, positive, unknown=None, sample_weight=None):
        self.X = X
        self.positive = positive
        self.unknown = unknown
        self.sample_weight = sample_weight

    def of(self, group):
        """Yield ``(label, read, y, weight)`` of every label of some Siblings.

        ``read()`` returns the rows of X, and the features that they have.
        """
        rows = self._rows_with_all(group.parents)
        read = lru_cache(partial(self._read, rows))
        for label in group.children.tolist():
            y = np.zeros(len(rows))
            y[np.searchsorted(rows, _column(self.positive, label))] = 1
            yield label, read, y, self._weight(rows, label)

    def _rows_with_all(self, labels):
        """Return the rows that have all of some labels, sorted."""
        if not len(labels):
            return np.arange(self.positive.shape[0], dtype=np.int32)
        rows = _column(self.positive, labels[0])
        for label in labels[1:]:
            also = _column(self.positive, label)
            rows = np.intersect1d(rows, also, assume_unique=True)
        return rows

    def _weight(self, rows, label):
        weight = np.ones(len(rows))
        if self.sample_weight is not None:
            column = label if self.sample_weight.shape[1] > 1 else 0
            weight = self.sample_weight[rows, column]
        if self.unknown is not None:
            unknown = np.isin(rows, _column(self.unknown, label), assume_unique=True)
            weight = np.where(unknown, 0, weight)
        return weight

    def _read(self, rows):
        """Return some rows as LIBLINEAR takes them, and which features they have."""
        X = self.X if len(rows) == self.X.shape[0] else self.X[rows]
        if not sp.issparse(X):
            features = np.arange(X.shape[1], dtype=np.int32)
            return np.ascontiguousarray(X, dtype=np.float64), features
        features, columns = np.unique(X.indices, return_inverse=True)
        parts = (
            X.data.astype(np.float64),
            columns.astype(np.int32),
            X.indptr.astype(np.int32),
        )
        shape = X.shape[0], len(features)
        return sp.csr_matrix(parts, shape), features.astype(np.int32)


def _column(matrix, k):
    return matrix.indices[matrix.indptr[k] : matrix.indptr[k + 1]]


def is_constant(y, weight):
    """Tell whether all rows that count have one value, or there are none."""
    counted = y[weight > 0]
    return not len(counted) or bool((counted == counted[0]).all())


def fit_siblings(problems, groups, fit, slope, weight_threshold):
    """Return the Columns of the labels of some Siblings.

    Parameters
    ----------
    problems : Problems
        All labels'.
    groups : list of Siblings
        Which labels to fit.
    fit : callable
        Of X, y and sample weights, returns weights, bias and number of walks.
    slope : float
        Of the sigmoid that makes margins probabilities.
    weight_threshold : float
        Weights that are not larger are dropped.

    Returns
    -------
    list of Column
    """
    found = []
    for group in groups:
        for label, read, y, weight in problems.of(group):
            if is_constant(y, weight):  # its share is all that can be learnt
                rate = smoothed_rates(weight @ y, weight.sum())
                none = np.empty(0, np.int32)
                bias = logit(rate) / slope
                found.append(Column(label, none, none.astype(np.float32), bias, 0))
                continue
            X, features = read()
            weights, bias, n_iter = fit(*counted_rows(X, y, weight))
            kept = np.abs(weights) > weight_threshold
            weights = weights[kept].astype(np.float32)
            found.append(Column(label, features[kept], weights, bias, n_iter))
    return found


def counted_rows(X, y, weight):
    """Return the rows that weigh something, with their weights."""
    counted = weight > 0
    if counted.all():
        return X, y, weight
    return X[counted], y[counted], weight[counted]

"""Labels with the same parents: they are told apart on the rows of these."""

from functools import lru_cache, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import logit

from skhmc._data.weights import smoothed_rates

__all__ = [
    "Columns",
    "Problems",
    "Siblings",
    "counted_rows",
    "fit_siblings",
    "group_siblings",
    "is_constant",
]


WEIGHTS_PER_PIECE = 2**18


class Siblings(NamedTuple):
    """Labels that have the same parents."""

    parents: np.ndarray  # (n_parents,), none of roots
    children: np.ndarray  # (n_children,)


class Columns(NamedTuple):
    """The classifiers of some labels: their weights that are not nearly 0, in a row."""

    labels: np.ndarray  # (n_labels,)
    n_weights: np.ndarray  # (n_labels,)
    bias: np.ndarray  # (n_labels,), float32
    n_iter: np.ndarray  # (n_labels,), walks of the solver; 0 where it had none to make
    features: np.ndarray  # (n_weights.sum(),), int32, sorted for each label
    weights: np.ndarray  # (n_weights.sum(),), float32

    def by_feature(self, n_features):
        """Yield some labels, and their weights as a csr_matrix (n_features, n_labels).

        Piece by piece, so that numbers of weights are never as large as all of them.
        """
        starts = np.concatenate([[0], np.cumsum(self.n_weights)])
        step = max(n_features, WEIGHTS_PER_PIECE)
        wanted = np.arange(0, starts[-1] + step, step)
        ends = np.searchsorted(starts, wanted)
        cuts = np.unique(np.minimum(ends, len(self.labels)))
        for first, last in pairwise(cuts.tolist()):
            here = slice(starts[first], starts[last])
            parts = (
                self.weights[here],
                self.features[here],
                starts[first : last + 1] - starts[first],
            )
            matrix = sp.csc_matrix(parts, (n_features, last - first))
            yield self.labels[first:last], matrix.tocsr()


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

    def of(self, group, labels=None):
        """Yield ``(label, read, y, weight)`` of every label of some Siblings.

        ``read()`` returns the rows of X, and the features that they have. ``labels``
        are those of the group that are wanted, by default all.
        """
        rows = self._rows_with_all(group.parents)
        read = lru_cache(partial(self._read, rows))
        labels = group.children if labels is None else labels
        for label in labels.tolist():
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
        features, columns = _numbered(X.indices, X.shape[1])
        parts = (X.data.astype(np.float64), columns, X.indptr.astype(np.int32))
        return sp.csr_matrix(parts, (X.shape[0], len(features))), features


def _numbered(indices, n):
    """Return which of n numbers there are, sorted, and the place of each in these."""
    if len(indices) < n:
        there, place = np.unique(indices, return_inverse=True)
    else:  # takes less memory than to sort them
        flags = np.zeros(n, bool)
        flags[indices] = True
        there = np.flatnonzero(flags)
        place = (np.cumsum(flags, dtype=np.int32) - 1)[indices]
    return there.astype(np.int32), place.astype(np.int32, copy=False)


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
    Columns
    """
    bias, n_iter = [], []
    features, weights = [], []
    for group in groups:
        for _, read, y, weight in problems.of(group):
            if is_constant(y, weight):  # its share is all that can be learnt
                rate = smoothed_rates(weight @ y, weight.sum())
                bias.append(logit(rate) / slope)
                n_iter.append(0)
                features.append(np.empty(0, np.int32))
                weights.append(np.empty(0, np.float32))
                continue
            X, seen = read()
            found, b, walks = fit(*counted_rows(X, y, weight))
            kept = np.abs(found) > weight_threshold
            bias.append(b)
            n_iter.append(walks)
            features.append(seen[kept])
            weights.append(found[kept].astype(np.float32))
    return Columns(
        labels=np.concatenate([group.children for group in groups]),
        n_weights=np.array([len(part) for part in weights]),
        bias=np.array(bias, np.float32),
        n_iter=np.array(n_iter),
        features=np.concatenate(features),
        weights=np.concatenate(weights),
    )


def counted_rows(X, y, weight):
    """Return the rows that weigh something, with their weights."""
    counted = weight > 0
    if counted.all():
        return X, y, weight
    return X[counted], y[counted], weight[counted]

"""Margins of siblings alone, for samples that have their parents."""

import numpy as np
import scipy.sparse as sp

from skhmc._utils.levels import ranges

__all__ = ["Chunks"]


class Chunks:
    """Weights of linear classifiers, those of siblings together.

    A chunk holds the weights of the labels with the same parents: feature by feature,
    those that the feature has. So a sample's margins of siblings take a look at the
    features of the sample that the chunk has, and at no other label.

    Parameters
    ----------
    weights : csr_matrix of shape (n_features, n_labels), float32
        Weights of all labels.
    bias : ndarray of shape (n_labels,), float32
        Their biases.
    groups : list of Siblings
        All labels, each once.
    """

    def __init__(self, weights, bias, groups):
        n_features, n_labels = weights.shape
        sizes = np.array([len(group.children) for group in groups])
        labels = np.concatenate([group.children for group in groups])
        self._bias = [bias[group.children] for group in groups]
        group_of = np.empty(n_labels, np.int32)
        group_of[labels] = np.repeat(np.arange(len(groups)), sizes)
        place = np.empty(n_labels, np.int32)  # of a label among its siblings
        place[labels] = np.arange(n_labels) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        # entries stand by feature; by group first, then by feature, it is one pass
        group = group_of[weights.indices]
        entries = np.arange(weights.nnz)
        by_group = sp.coo_matrix(
            (entries, (group, entries)), (len(groups), max(weights.nnz, 1))
        ).tocsr()
        order = by_group.data
        feature = np.repeat(
            np.arange(n_features, dtype=np.int32), np.diff(weights.indptr)
        )[order]
        self._child = place[weights.indices[order]]
        self._weight = weights.data[order]
        # a run is what one feature has in one chunk
        group = group[order]
        changes = np.diff(group, prepend=-1) | np.diff(feature, prepend=-1)
        first = np.flatnonzero(changes)
        self._feature = feature[first]
        self._run = first
        self._n_weights = np.diff(first, append=weights.nnz)
        n_runs = np.bincount(group[first], minlength=len(groups))
        self._start = np.concatenate([[0], np.cumsum(n_runs)])
        self._n_features = n_features

    def scorer(self, X):
        """Return a function of a group and rows of X that returns their margins.

        Parameters
        ----------
        X : csr_matrix of shape (n_samples, n_features), float32
            Samples.

        Returns
        -------
        callable
            Of the number of a group and rows (n_rows,), returns the margins of its
            labels (n_rows, n_children), float32.
        """
        here = np.full(self._n_features, -1, np.int32)  # the run of every feature
        starts = X.indptr[:-1]
        n_features = np.diff(X.indptr)

        def margins(group, rows):
            bias = self._bias[group]
            first, last = self._start[group], self._start[group + 1]
            if first == last:  # labels without a classifier
                return np.tile(bias, (len(rows), 1))
            features = self._feature[first:last]
            here[features] = np.arange(first, last)
            n_entries = n_features[rows]
            entries = ranges(starts[rows], starts[rows] + n_entries)
            run = here[X.indices[entries]]
            here[features] = -1
            met = np.flatnonzero(run >= 0)
            run = run[met]
            n_weights = self._n_weights[run]
            weights = ranges(self._run[run], self._run[run] + n_weights)
            product = np.repeat(X.data[entries[met]], n_weights)
            product *= self._weight[weights]
            row = np.repeat(np.arange(len(rows)) * len(bias), n_entries)[met]
            cell = np.repeat(row, n_weights)
            cell += self._child[weights]
            sums = np.bincount(cell, product, len(rows) * len(bias))
            return sums.reshape(-1, len(bias)).astype(np.float32) + bias

        return margins

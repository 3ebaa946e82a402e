"""Margins of siblings alone, for samples that have their parents."""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from skhmc._utils.levels import ranges

__all__ = ["Chunks"]

ENTRIES_AT_A_TIME = 2**21  # of samples, that are looked at


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
    families : Families
        The labels with the same parents.
    """

    def __init__(self, weights, bias, families):
        n_features, n_labels = weights.shape
        labels, sizes = families.labels, families.n_children
        n_groups = len(sizes)
        self._families = families
        self._bias = bias[labels]
        group_of = np.empty(n_labels, np.int32)
        group_of[labels] = np.repeat(np.arange(n_groups), sizes)
        place = np.empty(n_labels, np.int32)  # of a label among its siblings
        place[labels] = np.arange(n_labels) - np.repeat(families.first, sizes)
        # entries stand by feature; by group first, then by feature, it is one pass
        group = group_of[weights.indices]
        entries = np.arange(weights.nnz)
        by_group = sp.coo_matrix(
            (entries, (group, entries)), (n_groups, max(weights.nnz, 1))
        ).tocsr()
        order = by_group.data
        feature = np.repeat(
            np.arange(n_features, dtype=np.int32), np.diff(weights.indptr)
        )[order]
        # a run is what one feature has in one chunk
        group = group[order]
        changes = np.diff(group, prepend=-1) | np.diff(feature, prepend=-1)
        first = np.flatnonzero(changes)
        self._feature = feature[first]
        self._runs = sp.csr_matrix(
            (
                weights.data[order],
                place[weights.indices[order]],
                np.append(first, weights.nnz),
            ),
            (len(first), sizes.max()),
        )
        n_runs = np.bincount(group[first], minlength=n_groups)
        self._start = np.concatenate([[0], np.cumsum(n_runs)])
        self._n_features = n_features

    def margins(self, X, rows, groups):
        """Return the margins of all labels of some groups, pair by pair, in a row.

        Parameters
        ----------
        X : csr_matrix of shape (n_samples, n_features), float32
            Samples.
        rows : ndarray of shape (n_pairs,)
            Rows of X.
        groups : ndarray of shape (n_pairs,)
            Numbers of groups, sorted.

        Returns
        -------
        ndarray of shape (n_margins,), float32
        """
        sizes = self._families.n_children[groups]
        first = self._families.first[groups]
        margins = self._bias[ranges(first, first + sizes)]
        first = np.cumsum(sizes) - sizes  # cell of a pair
        # labels without weights, whose share is all that was learnt, take no features
        pairs = np.flatnonzero(self._start[groups + 1] > self._start[groups])
        n_entries = np.cumsum(np.diff(X.indptr)[rows[pairs]])
        n_parts = 1 + int(n_entries.max(initial=0)) // ENTRIES_AT_A_TIME
        cuts = np.searchsorted(n_entries, np.arange(1, n_parts) * ENTRIES_AT_A_TIME)
        for some in np.split(pairs, cuts):
            found = self._runs_met(X, rows[some], groups[some]) @ self._runs
            cells = np.repeat(first[some], np.diff(found.indptr))
            margins[cells + found.indices] += found.data
        return margins

    def _runs_met(self, X, rows, groups):
        """Return the runs that samples have features of (n_pairs, n_runs), by pair."""
        starts = X.indptr[rows]
        n_entries = X.indptr[rows + 1] - starts
        entries = ranges(starts, starts + n_entries)
        features = X.indices[entries]
        bounds = np.concatenate([[0], np.cumsum(n_entries, dtype=np.int64)])
        run = np.empty(len(entries), np.int32)
        here = np.full(self._n_features, -1, np.int32)  # the run of every feature
        cuts = np.flatnonzero(np.diff(groups, prepend=-1, append=-1))
        ends = bounds[cuts].tolist()
        for group, (start, stop) in zip(
            groups[cuts[:-1]].tolist(), pairwise(ends), strict=True
        ):
            first, last = self._start[group], self._start[group + 1]
            there = self._feature[first:last]
            here[there] = np.arange(first, last, dtype=np.int32)
            run[start:stop] = here[features[start:stop]]
            here[there] = -1
        met = np.flatnonzero(run >= 0)
        parts = X.data[entries[met]], run[met], np.searchsorted(met, bounds)
        return sp.csr_matrix(parts, (len(rows), self._runs.shape[0]))

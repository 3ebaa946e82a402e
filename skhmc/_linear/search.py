"""The most probable labels, found from the roots down."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skhmc._utils.levels import ranges

__all__ = ["Found", "Search"]


class Found(NamedTuple):
    """Labels of samples and their probabilities, cell by cell, in no order."""

    rows: np.ndarray
    labels: np.ndarray
    proba: np.ndarray

    def where(self, chosen):
        """Return the cells of a mask, or at some places."""
        return Found(self.rows[chosen], self.labels[chosen], self.proba[chosen])

    def ranked(self, depth):
        """Return the cells by sample, then by probability; ancestors come first."""
        order = np.lexsort((self.labels, depth[self.labels], -self.proba, self.rows))
        return self.where(order)

    def first(self, k, depth, n_samples):
        """Return the k most probable labels, and their probabilities (n_samples, k)."""
        ranked = self.ranked(depth)
        start = np.searchsorted(ranked.rows, np.arange(n_samples))
        places = start[:, None] + np.arange(k)
        return ranked.labels[places], ranked.proba[places]

    def indicators(self, shape):
        """Return a csr_matrix of bool with an entry for every cell."""
        ones = np.ones(len(self.rows), bool)
        return sp.csr_matrix((ones, (self.rows, self.labels)), shape)


class Search:
    """Walks down a hierarchy, and only below labels that are probable enough.

    No label is more probable than any of its parents. So below a label that is not
    probable enough, none is.

    Parameters
    ----------
    hierarchy : Hierarchy
        All labels.
    conditional : callable
        Of rows and labels (n_cells,), returns how probable each label is given all its
        parents, at most 1.
    n_samples : int
        Number of rows.
    """

    def __init__(self, hierarchy, conditional, n_samples):
        self._conditional = conditional
        self._n_samples = n_samples
        self._levels = hierarchy.levels
        self._depth = hierarchy.depth
        self._children = hierarchy.children
        self._n_parents = np.diff(hierarchy.parents.indptr)

    def above(self, least, strict=False):
        """Return all labels that are probable enough.

        Parameters
        ----------
        least : ndarray of shape (n_samples,)
            Least probability of a label of every sample.
        strict : bool, default=False
            Whether labels have to be more probable than that.

        Returns
        -------
        Found
        """
        reaches = np.greater if strict else np.greater_equal
        return self._walk(lambda level: reaches(level.proba, least[level.rows]))

    def beam(self, width):
        """Return labels met by a walk below the ``width`` most probable ones of a depth.

        Parameters
        ----------
        width : int
            Number of labels of a sample and a depth.

        Returns
        -------
        Found
        """

        def choose(level):
            order = np.lexsort((level.labels, -level.proba, level.rows))
            rows = level.rows[order]
            place = np.arange(len(rows)) - np.searchsorted(rows, rows)
            return order[place < width]

        return self._walk(choose)

    def best(self, k, wanted, beam=None):
        """Return at least the k most probable labels of every sample.

        A first walk, below few labels, finds k labels. The least of them bounds the
        second walk, which finds every label that is as probable.

        Parameters
        ----------
        k : int
            Number of labels, at most as many as are wanted.
        wanted : ndarray of shape (n_labels,), bool
            Which labels to return.
        beam : int or None
            Number of labels of a depth in the first walk, after which nothing comes
            where it found k labels. None goes on.

        Returns
        -------
        Found
        """
        found = self.beam(max(k, beam or 0))
        found = found.where(wanted[found.labels])
        least = self._kth(found, k)
        if beam is not None:
            enough = least > 0
            if enough.all():
                return found
            least = np.where(enough, np.inf, least)  # the others alone are looked for
            found = found.where(enough[found.rows])
        more = self.above(least)
        more = more.where(wanted[more.labels])
        if beam is None:
            return more
        return Found(*map(np.concatenate, zip(found, more, strict=True)))

    def _kth(self, found, k):
        """Return the k-th highest probability of every sample; 0 where fewer are found."""
        order = np.lexsort((-found.proba, found.rows))
        rows = found.rows[order]
        start = np.searchsorted(rows, np.arange(self._n_samples + 1))
        enough = np.diff(start) >= k
        least = np.zeros(self._n_samples, found.proba.dtype)
        least[enough] = found.proba[order[start[:-1][enough] + k - 1]]
        return least

    def _walk(self, choose):
        """Return all labels that are chosen on the way down.

        ``choose`` returns a mask, or places, of the cells of a level below which to go
        on.
        """
        rows = np.repeat(np.arange(self._n_samples), len(self._levels[0]))
        labels = np.tile(self._levels[0], self._n_samples)
        level = Found(rows, labels, self._conditional(rows, labels))
        found = [level.where(choose(level))]
        waiting: list[list[Found]] = [[] for _ in self._levels]
        for depth in range(1, len(self._levels)):
            self._hand_down(found[-1], waiting)
            if not waiting[depth]:
                found.append(level.where(slice(0)))
                continue
            level = self._meet(waiting[depth])
            waiting[depth] = []
            proba = level.proba * self._conditional(level.rows, level.labels)
            level = level._replace(proba=proba)
            found.append(level.where(choose(level)))
        return Found(*map(np.concatenate, zip(*found, strict=True)))

    def _hand_down(self, level, waiting):
        """Put every child of the labels of a level where its own level waits."""
        starts = self._children.indptr[level.labels]
        stops = self._children.indptr[level.labels + 1]
        n_children = stops - starts
        children = Found(
            np.repeat(level.rows, n_children),
            self._children.indices[ranges(starts, stops)],
            np.repeat(level.proba, n_children),
        )
        depth = self._depth[children.labels]
        for k in np.unique(depth).tolist():
            waiting[k].append(children.where(depth == k))

    def _meet(self, parts):
        """Return the labels all of whose parents came, with the least probable one's."""
        level = Found(*map(np.concatenate, zip(*parts, strict=True)))
        n_parents = self._n_parents[level.labels]
        if (n_parents == 1).all():
            return level
        n_labels = len(self._n_parents)
        cells = level.rows * n_labels + level.labels
        order = np.argsort(cells, kind="stable")
        cells, first, n_came = np.unique(
            cells[order], return_index=True, return_counts=True
        )
        rows, labels = np.divmod(cells, n_labels)
        least = np.minimum.reduceat(level.proba[order], first)
        met = Found(rows, labels, least)
        return met.where(n_came == self._n_parents[labels])

"""The most probable labels, found from the roots down."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skhmc._utils.levels import ranges

__all__ = ["Families", "Found", "Search"]


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


class Pairs(NamedTuple):
    """Siblings whose parents a sample has, and the least probability of these."""

    rows: np.ndarray
    groups: np.ndarray
    proba: np.ndarray

    def where(self, chosen):
        """Return the pairs of a mask."""
        return Pairs(self.rows[chosen], self.groups[chosen], self.proba[chosen])


class Families:
    """Labels with the same parents, and what is above and below them.

    Parameters
    ----------
    hierarchy : Hierarchy
        All labels.
    groups : list of Siblings
        All of them, those of roots first.
    """

    def __init__(self, hierarchy, groups):
        self.children = [group.children for group in groups]
        self.n_parents = np.array([len(group.parents) for group in groups])
        self.depth = np.array([hierarchy.depth[group.children[0]] for group in groups])
        self.n_levels = len(hierarchy.levels)
        parents = np.concatenate([group.parents for group in groups])
        number = np.repeat(np.arange(len(groups)), self.n_parents)
        # the groups below every label: those of one label stand side by side
        order = np.argsort(parents, kind="stable")
        self._below = number[order]
        self._starts = np.searchsorted(
            parents[order], np.arange(hierarchy.n_labels + 1)
        )

    def below(self, found):
        """Return the Pairs of all groups below the labels of Found."""
        starts = self._starts[found.labels]
        stops = self._starts[found.labels + 1]
        n_groups = stops - starts
        return Pairs(
            np.repeat(found.rows, n_groups),
            self._below[ranges(starts, stops)],
            np.repeat(found.proba, n_groups),
        )


class Search:
    """Walks down a hierarchy, and only below labels that are probable enough.

    No label is more probable than any of its parents. So below a label that is not
    probable enough, none is.

    Parameters
    ----------
    families : Families
        All labels.
    conditional : callable
        Of the number of a group and rows (n_rows,), returns how probable its labels are
        given their parents (n_rows, n_children), at most 1.
    n_samples : int
        Number of rows.
    """

    def __init__(self, families, conditional, n_samples):
        self._families = families
        self._conditional = conditional
        self._n_samples = n_samples

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

        def choose(rows, proba):
            return reaches(proba, least[rows, None])

        return self._walk(choose)

    def beam(self, width):
        """Return what a walk below the ``width`` most probable labels of a depth finds.

        Parameters
        ----------
        width : int
            Number of labels of a sample and a depth.

        Returns
        -------
        Found
        """

        def best_siblings(rows, proba):
            if proba.shape[1] <= width:
                return np.ones(proba.shape, bool)
            kth = np.partition(proba, -width, axis=1)[:, [-width]]
            return proba >= kth

        def best(level):
            order = np.lexsort((level.labels, -level.proba, level.rows))
            rows = level.rows[order]
            place = np.arange(len(rows)) - np.searchsorted(rows, rows)
            return level.where(order[place < width])

        return self._walk(best_siblings, best)

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
            Number of labels of a depth in the first walk. There is then no second one,
            but for samples of which the first found too few labels.

        Returns
        -------
        Found
        """
        found = self.beam(max(k, beam or 0))
        found = found.where(wanted[found.labels])
        least = self._kth(found, k)
        if beam is None:
            more = self.above(least)
            return more.where(wanted[more.labels])
        enough = least > 0
        if enough.all():
            return found
        more = self.above(np.where(enough, np.inf, 0))
        parts = found.where(enough[found.rows]), more.where(wanted[more.labels])
        return Found(*map(np.concatenate, zip(*parts, strict=True)))

    def _kth(self, found, k):
        """Return every sample's k-th highest probability; 0 if fewer were found."""
        order = np.lexsort((-found.proba, found.rows))
        rows = found.rows[order]
        start = np.searchsorted(rows, np.arange(self._n_samples + 1))
        enough = np.diff(start) >= k
        least = np.zeros(self._n_samples, np.float32)
        least[enough] = found.proba[order[start[:-1][enough] + k - 1]]
        return least

    def _walk(self, choose, choose_again=None):
        """Return all labels that are chosen on the way down.

        ``choose`` returns which of the labels of some siblings are to be gone on from,
        and ``choose_again`` which of all those of a depth.
        """
        families = self._families
        waiting: list[list[Pairs]] = [[] for _ in range(families.n_levels)]
        everyone = np.arange(self._n_samples)
        roots = np.zeros(self._n_samples, np.intp)
        waiting[0].append(Pairs(everyone, roots, np.ones(self._n_samples, np.float32)))
        found = []
        for depth, parts in enumerate(waiting):
            if not parts:
                continue
            level = self._score(self._meet(parts), choose)
            if choose_again is not None:
                level = choose_again(level)
            found.append(level)
            below = families.below(level)
            depths = families.depth[below.groups]
            for k in range(depth + 1, families.n_levels):
                here = depths == k
                if here.any():
                    waiting[k].append(below.where(here))
        return Found(*map(np.concatenate, zip(*found, strict=True)))

    def _meet(self, parts):
        """Return the groups all of whose parents came, with the least of these."""
        pairs = Pairs(*map(np.concatenate, zip(*parts, strict=True)))
        n_parents = self._families.n_parents[pairs.groups]
        if (n_parents <= 1).all():
            return pairs
        key = pairs.groups * self._n_samples + pairs.rows
        order = np.argsort(key, kind="stable")
        key, first, n_came = np.unique(
            key[order], return_index=True, return_counts=True
        )
        groups, rows = np.divmod(key, self._n_samples)
        least = np.minimum.reduceat(pairs.proba[order], first)
        met = Pairs(rows, groups, least)
        n_parents = self._families.n_parents[groups]
        return met.where(n_came == np.maximum(n_parents, 1))

    def _score(self, pairs, choose):
        """Return the chosen labels of some groups."""
        order = np.argsort(pairs.groups, kind="stable")
        pairs = pairs.where(order)
        starts = np.flatnonzero(np.diff(pairs.groups, prepend=-1))
        bounds = np.append(starts, len(order)).tolist()
        found = [Found(np.empty(0, np.intp), np.empty(0, np.intp), _NONE)]
        for start, stop in pairwise(bounds):
            group = pairs.groups[start]
            rows = pairs.rows[start:stop]
            proba = self._conditional(group, rows) * pairs.proba[start:stop, None]
            row, child = np.nonzero(choose(rows, proba))
            labels = self._families.children[group][child]
            found.append(Found(rows[row], labels, proba[row, child]))
        return Found(*map(np.concatenate, zip(*found, strict=True)))


_NONE = np.empty(0, np.float32)

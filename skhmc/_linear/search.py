"""The most probable labels, found from the roots down."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skhmc._utils.levels import ranges

__all__ = ["Families", "Found", "Search"]

CELLS_AT_A_TIME = 2**22
CELLS_OF_PROBA_1 = 5  # labels that are looked at to find those of probability 1
WIDTH = 8  # labels of a depth below which the first walk goes on


def kth_highest(rows, proba, k, n_samples):
    """Return every sample's k-th highest probability; 0 if there are fewer.

    Parameters
    ----------
    rows : ndarray of shape (n_cells,)
        Sample of every probability.
    proba : ndarray of shape (n_cells,), float32
        Probabilities, none negative.
    k : int
        At least 1.
    n_samples : int
        Number of samples.
    """
    # floats that are not negative are in the order of their bits
    bits = np.ascontiguousarray(proba, np.float32).view(np.int32).astype(np.int64)
    keys = np.sort((rows.astype(np.int64) + 1 << 32) - bits)
    starts = np.searchsorted(keys, np.arange(n_samples + 1) << 32, side="right")
    enough = np.diff(starts) >= k
    kth = np.zeros(n_samples, np.int32)
    above = np.arange(1, n_samples + 1)[enough] << 32
    kth[enough] = above - keys[starts[:-1][enough] + k - 1]
    return kth.view(np.float32)


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

    Attributes
    ----------
    labels : ndarray of shape (n_labels,)
        All labels; those of a group stand side by side.
    first : ndarray of shape (n_groups,)
        Where those of each group begin.
    n_children : ndarray of shape (n_groups,)
        How many there are.
    has_children : ndarray of shape (``hierarchy.n_labels``,), bool
        Which labels have children.
    """

    def __init__(self, hierarchy, groups):
        self.labels = np.concatenate([group.children for group in groups])
        self.n_children = np.array([len(group.children) for group in groups])
        self.first = np.cumsum(self.n_children) - self.n_children
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
        self.has_children = np.diff(self._starts) > 0

    def members(self, groups):
        """Return the labels of some groups, group by group."""
        first = self.first[groups]
        return self.labels[ranges(first, first + self.n_children[groups])]

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
        Of rows and the numbers of groups (n_pairs,), these sorted, returns what is said
        of the groups' labels alone, pair by pair, in a row.
    n_samples : int
        Number of rows.
    rule : ufunc, default=numpy.multiply
        Of what is said of a label alone and the least probability of its parents,
        returns its probability, which is not above this.
    """

    def __init__(self, families, conditional, n_samples, rule=np.multiply):
        self._rule = rule
        self._families = families
        self._conditional = conditional
        self._n_samples = n_samples

    def above(self, least, strict=False):
        """Return all labels that are probable enough.

        Parameters
        ----------
        least : ndarray of shape (n_samples,)
            Least probability of a label of every sample. A sample of which no label
            can be so probable is not looked at.
        strict : bool, default=False
            Whether labels have to be more probable than that.

        Returns
        -------
        Found
        """
        reaches = np.greater if strict else np.greater_equal
        found = []

        def choose(cells):
            found.append(cells.where(reaches(cells.proba, least[cells.rows])))
            return found[-1]

        self._walk(np.flatnonzero(least <= 1), choose)
        return together(found)

    def best(self, k, wanted, beam=None):
        """Return at least the k most probable labels of every sample.

        A first walk goes on below the most probable labels of every depth. Its k-th
        highest probability is at most that of the labels to be found. So a second walk
        finds all these, for samples of which the first walk left out a label that is as
        probable as this.

        Parameters
        ----------
        k : int
            Number of labels, at most as many as are wanted.
        wanted : ndarray of shape (n_labels,), bool
            Which labels to return.
        beam : int or None
            Number of labels of a depth below which the first walk goes on; None is k or
            some more. With a number, there is no second walk, but for samples of which
            too few labels were found.

        Returns
        -------
        Found
        """
        width = max(k, WIDTH) if beam is None else beam
        found, least, left_out = self._first_walk(k, wanted, width)
        again = left_out >= least if beam is None else least <= 0
        parts = [found.where(~again[found.rows])]
        for rows in self._pieces(np.flatnonzero(again), least):
            bound = np.full(self._n_samples, np.inf, np.float32)
            bound[rows] = least[rows]
            more = self.above(bound)
            parts.append(more.where(wanted[more.labels]))
        return together(parts)

    def _pieces(self, rows, least):
        """Cut rows into pieces whose labels above a bound fit into memory, by guess."""
        n_labels = len(self._families.labels)
        with np.errstate(divide="ignore"):
            n_cells = np.minimum(n_labels, CELLS_OF_PROBA_1 / least[rows])
        ends = np.cumsum(n_cells)
        n_pieces = 1 + int(ends.max(initial=0)) // CELLS_AT_A_TIME
        cuts = np.searchsorted(ends, np.arange(1, n_pieces) * CELLS_AT_A_TIME)
        return [piece for piece in np.split(rows, np.unique(cuts)) if len(piece)]

    def _first_walk(self, k, wanted, width):
        """Walk below the ``width`` most probable labels of every depth.

        Returns
        -------
        found : Found
            At least the k most probable of the wanted labels that were met.
        least : ndarray of shape (n_samples,), float32
            The k-th highest of their probabilities, 0 where they are fewer.
        left_out : ndarray of shape (n_samples,), float32
            The highest probability of a label below which the walk did not go on,
            though there may be something to find; negative where there is none.
        """
        n_samples = self._n_samples
        has_children = self._families.has_children
        found = _NOTHING
        least = np.zeros(n_samples, np.float32)
        left_out = np.full(n_samples, -1, np.float32)

        def choose(cells):
            nonlocal found, least
            found = together([found, cells.where(wanted[cells.labels])])
            least = kth_highest(found.rows, found.proba, k, n_samples)
            found = found.where(found.proba >= least[found.rows])
            enough = cells.proba >= least[cells.rows]
            inner = cells.where(enough & has_children[cells.labels])
            kth = kth_highest(inner.rows, inner.proba, width, n_samples)
            chosen = inner.proba >= kth[inner.rows]
            rest = inner.where(~chosen)
            np.maximum.at(left_out, rest.rows, rest.proba)
            return inner.where(chosen)

        self._walk(np.arange(n_samples), choose)
        return found, least, left_out

    def _walk(self, rows, choose):
        """Walk down from the roots.

        ``choose`` is told the labels of every depth whose parents were chosen, and
        returns those below which to go on.
        """
        families = self._families
        waiting: list[list[Pairs]] = [[] for _ in range(families.n_levels)]
        roots = np.zeros(len(rows), np.intp)
        waiting[0].append(Pairs(rows, roots, np.ones(len(rows), np.float32)))
        for depth, parts in enumerate(waiting):
            if not parts:
                continue
            below = families.below(choose(self._score(self._meet(parts))))
            depths = families.depth[below.groups]
            for k in range(depth + 1, families.n_levels):
                here = depths == k
                if here.any():
                    waiting[k].append(below.where(here))

    def _meet(self, parts):
        """Return the groups all of whose parents came, with the least of these.

        They are sorted by their number, then by sample.
        """
        pairs = Pairs(*map(np.concatenate, zip(*parts, strict=True)))
        key = pairs.groups * self._n_samples + pairs.rows
        order = np.argsort(key, kind="stable")
        n_parents = self._families.n_parents[pairs.groups]
        if (n_parents <= 1).all():
            return pairs.where(order)
        key, first, n_came = np.unique(
            key[order], return_index=True, return_counts=True
        )
        groups, rows = np.divmod(key, self._n_samples)
        least = np.minimum.reduceat(pairs.proba[order], first)
        met = Pairs(rows, groups, least)
        n_parents = self._families.n_parents[groups]
        return met.where(n_came == np.maximum(n_parents, 1))

    def _score(self, pairs):
        """Return all labels of some groups, which are sorted."""
        n_children = self._families.n_children[pairs.groups]
        proba = self._conditional(pairs.rows, pairs.groups)
        self._rule(proba, np.repeat(pairs.proba, n_children), out=proba)
        rows = np.repeat(pairs.rows, n_children)
        return Found(rows, self._families.members(pairs.groups), proba)


def together(parts):
    """Return the cells of several Found."""
    return Found(*map(np.concatenate, zip(*parts, strict=True)))


_NOTHING = Found(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32))

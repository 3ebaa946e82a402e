r"""Deal whole groups of samples out to parts, each with its share of every label.

Groups are placed one by one, first those that fill most of some label's share of a
part, each where

.. math::
    \chi^2 = \sum_l \sum_f \frac{(c_{lf} - e_{lf})^2}{e_{lf}}

rises least: :math:`c_{lf}` samples of part f have label l, and its share of them would
be :math:`e_{lf}`. That all samples count is one more label, with the weight
``SIZE_WEIGHT``. Then groups are moved to another part, or swapped with one there, as
long as that puts labels where they are missing and sizes stay even, or lowers
:math:`\chi^2` and leaves no label missing that was not.

Moving a group with the counts g from part a to b changes :math:`\chi^2` by

.. math::
    \sum_l \frac{g_l^2 - 2 g_l d_{la}}{e_{la}} + \frac{g_l^2 + 2 g_l d_{lb}}{e_{lb}},

where d = c - e, and a swap with a group h by both moves less :math:`2 \sum_l g_l h_l
(1 / e_{la} + 1 / e_{lb})`. So all moves come from one product of matrices, and all
swaps of two parts from another.
"""

from itertools import permutations

import numpy as np
import scipy.sparse as sp

from skhmc._data.stratify import moving_gain

__all__ = ["stratify_groups"]

SIZE_WEIGHT = 3.0  # of the number of samples, beside a label's 1
SLACK = 0.05  # of a part's size, by which labels that are missing may put it off
MOST_GROUPS = 64  # of a part, that are tried in swaps with all of another
FIRST = 1e9  # what a label that is missing no more counts beside chi-squared
ENOUGH = 0.02  # of chi-squared: a round through all parts that gains less is the last
CLOSE_TO = 1e-9  # smaller gains are rounding


def stratify_groups(Y, groups, shares, missing, rng=None, *, n_groups=None):
    """Return the part of every group.

    Parameters
    ----------
    Y : csr_matrix of shape (n_samples, n_labels), bool
        Positives.
    groups : Groups
        The group of every sample. There are at least as many as parts.
    shares : ndarray of shape (n_parts,)
        Share of the samples that every part should have; their sum is 1.
    missing : callable
        ``missing(counts)`` returns how bad it is for every label (n_labels,) that parts
        have no group with it, by the numbers of groups (n_labels, n_parts) there.
    rng : RandomState or None
        Breaks ties; None takes the first group and part.
    n_groups : ndarray of shape (n_parts,), int, or None
        Number of groups in every part, which swaps keep. None leaves it open: every
        part then has one at least.

    Returns
    -------
    ndarray of shape (groups.n_groups,), int
    """
    deal = _Deal(Y, groups, shares, missing, n_groups)
    deal.place(rng)
    pairs = list(permutations(np.unique(deal.part), 2))
    by_chance = deal.weight.size  # about what chi-squared is, of groups of one sample
    gain = np.inf
    while gain > max(ENOUGH * deal.chi_squared(), 0.05 * ENOUGH * by_chance):
        gain = sum(deal.improve(a, b) for a, b in pairs)
    while any(deal.improve(a, b, least=FIRST / 2) for a, b in pairs):
        pass  # until no change puts a label where it is missing
    return deal.part


class _Deal:
    """Groups in parts, and the counts of labels there.

    Attributes
    ----------
    counts : csr_matrix of shape (n_groups, n_labels + 1)
        Positives of every group and, in the last column, its samples.
    part : ndarray of shape (n_groups,), int
        Part of every group; -1 before it is placed.
    excess : ndarray of shape (n_labels + 1, n_parts)
        What parts have more than their share.
    weight : ndarray of shape (n_labels + 1, n_parts)
        What the square of an excess counts in chi-squared.
    has : csr_matrix of shape (n_groups, n_labels)
        1 where a group has a label.
    there : ndarray of shape (n_labels, n_parts)
        Number of groups in a part that have a label.
    """

    def __init__(self, Y, groups, shares, missing, n_groups):
        positives = sp.csr_matrix(groups.membership @ Y.astype(np.int64))
        self.size = np.bincount(groups.codes, minlength=groups.n_groups)
        counts = sp.hstack([positives, sp.csr_matrix(self.size[:, None])])
        self.counts = counts.tocsr().astype(np.float64)
        self.has = (positives > 0).astype(np.int64)
        self.missing = missing
        self.n_groups = n_groups
        total = np.asarray(self.counts.sum(axis=0)).ravel()
        self.share = total[:, None] * shares
        self.excess = -self.share
        self.weight = np.divide(
            1.0, self.share, out=np.zeros_like(self.share), where=self.share > 0
        )
        self.weight[-1] *= SIZE_WEIGHT
        # the sum over labels of g^2 / e, for every group and part
        self.squares = self.counts.power(2) @ self.weight
        self.part = np.full(groups.n_groups, -1)
        self.there = np.zeros((Y.shape[1], len(shares)), dtype=np.int64)

    # -- placing -----------------------------------------------------------------------

    def place(self, rng):
        """Place every group where chi-squared rises least and there is room."""
        n_groups, n_parts = self.squares.shape
        any_number = self.n_groups is None
        room = np.full(n_parts, n_groups) if any_number else self.n_groups.copy()
        empty = np.ones(n_parts, dtype=bool)
        order, ties = self._order(rng)
        for n_placed, g in enumerate(order):
            labels, count = _row(self.counts, g)
            rise = 2 * count @ (self.excess[labels] * self.weight[labels])
            rise += self.squares[g] + ties[g]
            rise[room == 0] = np.inf
            if any_number and empty.sum() == n_groups - n_placed:
                rise[~empty] = np.inf  # all groups that are left are needed for these
            best = rise.argmin()
            self.part[g] = best
            self.excess[labels, best] += count
            self.there[_row(self.has, g)[0], best] += 1
            room[best] -= 1
            empty[best] = False

    def _order(self, rng):
        """Return the order of groups, and what decides between parts that are equal."""
        total = np.asarray(self.counts.sum(axis=0))
        filled = self.counts.multiply(1 / np.maximum(total, 1)).tocsr()
        most = filled.max(axis=1).toarray().ravel()
        if rng is None:
            return np.argsort(-most, kind="stable"), np.zeros(self.squares.shape)
        about = np.floor(np.log2(most))  # those within a factor of 2 in any order
        order = np.lexsort((rng.random_sample(len(most)), -about))
        return order, CLOSE_TO * rng.random_sample(self.squares.shape)

    # -- moving and swapping -----------------------------------------------------------

    def chi_squared(self):
        """Return the sum of weighted squares of all excesses."""
        return (self.excess**2 * self.weight).sum()

    def improve(self, a, b, least=CLOSE_TO):
        """Move groups from part a to b, or swap them, and return the gain.

        The gains of all changes are reckoned once. The best are made first, those that
        come later only if they still gain more than ``least``.
        """
        ours, theirs, gain = self._changes(a, b)
        total = 0.0
        for k in np.argsort(-gain, kind="stable"):
            if gain[k] <= least:
                break
            total += self._try(ours[k], theirs[k], a, b, least)
        return total

    def _changes(self, a, b):
        """Return groups that move, those that move back (or -1), and what that gains.

        Of all swaps of a group the best.
        """
        ours = np.flatnonzero(self.part == a)
        theirs = np.flatnonzero(self.part == b)
        filled, evened = self._gains(ours, a, b)
        moves = self._total(filled, evened, self.size[ours], a, b)
        if self.n_groups is not None:
            moves[:] = -np.inf
        order = np.argsort(-filled * FIRST - evened, kind="stable")[:MOST_GROUPS]
        filled_back, evened_back = self._gains(theirs, b, a)
        both = filled_back + filled[order][:, None]
        both -= self._in_common(self.has, ours[order], theirs, self._either(a, b))
        even = evened_back + evened[order][:, None]
        weight = 2 * (self.weight[:, a] + self.weight[:, b])
        even += self._in_common(self.counts, ours[order], theirs, weight)
        size = self.size[ours[order]][:, None] - self.size[theirs]
        swaps = self._total(both, even, size, a, b)
        best = swaps.argmax(axis=1)
        return (
            np.concatenate([ours, ours[order]]),
            np.concatenate([np.full(len(ours), -1), theirs[best]]),
            np.concatenate([moves, swaps[np.arange(len(order)), best]]),
        )

    def _gains(self, groups, a, b):
        """Return how many labels fewer are missing, and how much chi-squared falls.

        When each of some groups moves from part a to b.
        """
        filled = self.has[groups] @ moving_gain(self.there, a, b, self.missing)
        pull = 2 * self.excess * self.weight
        evened = self.counts[groups] @ (pull[:, a] - pull[:, b])
        return filled, evened - self.squares[groups][:, [a, b]].sum(axis=1)

    def _either(self, a, b):
        """Return what is counted twice where both groups of a swap have a label."""
        there = moving_gain(self.there, a, b, self.missing)
        return there + moving_gain(self.there, b, a, self.missing)

    @staticmethod
    def _in_common(counts, ours, theirs, weight):
        """Return weighted sums over the labels that pairs of groups share."""
        if not weight.any():
            return 0.0
        weighted = counts[ours].toarray() * weight
        # sparse times dense: the product of two sparse matrices takes longer
        return (counts[theirs] @ weighted.T).T

    def _total(self, filled, evened, size, a, b):
        """Return one number for every change: first what is missing, then chi-squared.

        Minus infinity where more would be missing, or where sizes would be less even
        for the sake of what is missing.
        """
        gain = np.where(filled > 0, FIRST * filled + evened, evened)
        refused = (filled > 0) & ~self._keeps_sizes(size, a, b)
        return np.where(refused | (filled < 0), -np.inf, gain)

    def _keeps_sizes(self, size, a, b):
        """Tell whether sizes of both parts stay within what they may be off by."""
        ours, theirs = self.excess[-1, [a, b]]
        allowed = SLACK * min(self.share[-1, a], self.share[-1, b])
        allowed = max(abs(ours), abs(theirs), allowed)
        return (np.abs(ours - size) <= allowed) & (np.abs(theirs + size) <= allowed)

    def _try(self, g, h, a, b, least):
        """Move a group, and another one back, if that still gains enough: what."""
        alone = h < 0 and np.count_nonzero(self.part == a) == 1
        if alone or self.part[g] != a or (h >= 0 and self.part[h] != b):
            return 0.0
        labels, moved = _difference(self.counts, g, h)
        names, changed = _difference(self.has, g, h)
        there = self.there[names]
        there[:, a] -= changed
        there[:, b] += changed
        filled = self.missing(self.there[names]).sum() - self.missing(there).sum()
        excess = self.excess[labels]
        before = (excess**2 * self.weight[labels])[:, [a, b]].sum()
        excess[:, a] -= moved
        excess[:, b] += moved
        evened = before - (excess**2 * self.weight[labels])[:, [a, b]].sum()
        size = self.size[g] - (self.size[h] if h >= 0 else 0)
        gain = float(self._total(filled, evened, size, a, b))
        if gain <= least:
            return 0.0
        self.there[names] = there
        self.excess[labels] = excess
        self.part[g] = b
        if h >= 0:
            self.part[h] = a
        return gain


def _row(matrix, i):
    """Return the columns and the values of a row of a CSR matrix."""
    place = slice(matrix.indptr[i], matrix.indptr[i + 1])
    return matrix.indices[place], matrix.data[place]


def _difference(matrix, g, h):
    """Return the columns in which two rows differ, and by how much; -1 is no row."""
    moved = np.zeros(matrix.shape[1], dtype=matrix.dtype)
    columns, values = _row(matrix, g)
    moved[columns] = values
    if h >= 0:
        columns, values = _row(matrix, h)
        moved[columns] -= values
    columns = np.flatnonzero(moved)
    return columns, moved[columns]

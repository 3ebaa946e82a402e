r"""Whole label sets: how probable each is, and the most probable one seen in training.

Labels are decided from the roots down. A label is decided when all its parents are in
the set, and then it is in the set with the probability

.. math:: q_l = p_l / \min_{a \in parents(l)} p_a,

a root with :math:`q_l = p_l`. So a closed set S, with the labels D(S) that are decided
on the way to it, has the probability

.. math:: P(S) = \prod_{l \in S} q_l \prod_{l \in D(S) \setminus S} (1 - q_l).

Every closed set comes from one course of decisions, so that these probabilities sum to
1 over all closed sets, of a tree as of a directed acyclic graph, whatever the q are. On
a tree each label has its own probability p again, when those of the sets that hold it
are summed. With several parents it has less, but for parents that always come together:
the probability that all of them are there is less than the least of theirs.

The sums over D(S) are folded into those over S, which is much smaller. The children
that have a single parent are decided exactly when that is in S; what they add if they
are all out is a sum per parent. Only labels with several parents are looked up by set.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from skhmc._utils.levels import CELLS_PER_BLOCK, over_sources, transposed
from skhmc.hierarchy import Hierarchy

__all__ = [
    "LabelSets",
    "conditionals",
    "log_probabilities",
    "of_units",
    "seen_sets",
]

# Conditional probabilities are kept away from 0 and 1: what no tree of a forest said
# is not impossible.
LEAST = 1e-6
CLOSE_TO = 1e-9  # logarithms that differ by less are equal


def conditionals(proba, hierarchy):
    """Return the probability of every label, given that all its parents are there.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_labels)
        Coherent probabilities: none is above that of a parent.
    hierarchy : Hierarchy
        Its labels are the columns of ``proba``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        0 where that of a parent is 0.
    """
    return transposed(_conditionals_by_label(transposed(proba), hierarchy))


def _conditionals_by_label(values, hierarchy):
    """Do the same for values (n_labels, n_samples)."""
    values = values.astype(np.float64, copy=False)
    found = values.copy()
    for targets, sources in hierarchy.downward_plan:
        above = over_sources(values, sources, np.minimum)
        out = np.zeros_like(above)
        found[targets] = np.divide(values[targets], above, out=out, where=above > 0)
    return np.minimum(found, 1.0)


# -- how probable sets are -------------------------------------------------------------


class _Densities:
    """Logarithms of the probabilities of some label sets."""

    def __init__(self, sets, hierarchy):
        n_parents = np.diff(hierarchy.parents.indptr)
        self.hierarchy = hierarchy
        self.several = np.flatnonzero(n_parents > 1)
        self.only_child_of = _counts(hierarchy.children).multiply(n_parents == 1)
        self.only_child_of = self.only_child_of.tocsr()
        sets = _counts(sets)
        # how many parents of these labels are in every set
        there = (sets @ _counts(hierarchy.parents)[self.several].T).tocsr()
        there.data = (there.data == n_parents[self.several][there.indices]) * 1.0
        self.terms = sp.hstack([sets, there], format="csr")

    def of(self, proba):
        """Return those of all sets (n_sets, n_samples)."""
        q = _conditionals_by_label(transposed(proba), self.hierarchy)
        np.clip(q, LEAST, 1 - LEAST, out=q)
        out = np.log1p(-q)
        value = np.log(q) - out + self.only_child_of @ out
        found = self.terms @ np.concatenate([value, out[self.several]])
        found += out[self.hierarchy.roots].sum(axis=0)
        return found


def _counts(indicators):
    return sp.csr_matrix(indicators, dtype=np.float64)


def log_probabilities(proba, sets, hierarchy):
    """Return the logarithm of the probability of every label set for every sample.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_labels)
        Coherent probabilities of labels.
    sets : csr_matrix of shape (n_sets, n_labels)
        Label sets that hold all their ancestors.
    hierarchy : Hierarchy
        Its labels are the columns.

    Returns
    -------
    ndarray of shape (n_samples, n_sets)
    """
    return _Densities(sets, hierarchy).of(proba).T


# -- the sets seen in training ---------------------------------------------------------


@dataclass
class LabelSets:
    """Label sets that are known, those of most samples first."""

    sets: sp.csr_matrix  # (n_sets, n_labels), of ones
    weight: np.ndarray  # (n_sets,), above 0: the sum of the weights of its samples
    hierarchy: Hierarchy

    @property
    def log_lift(self):
        """How much more frequent sets are than independent decisions would make them.

        The logarithm (n_sets,) of a set's share of the samples over its probability
        where all samples have the frequencies of labels as their probabilities.
        """
        share = self.weight / self.weight.sum()
        frequency = share @ self.sets
        alone = log_probabilities(frequency[None], self.sets, self.hierarchy)[0]
        return np.log(share) - alone

    def most_probable(self, proba, dependence=0.0, max_labels=None, own=None):
        """Return the number of every sample's most probable set (n_samples,).

        Parameters
        ----------
        proba : ndarray of shape (n_samples, n_labels)
            Coherent probabilities of labels.
        dependence : float, default=0.0
            What ``log_lift`` counts beside the logarithm of the probability.
        max_labels : int or None
            Number of labels that a set has at most.
        own : csr_matrix of shape (n_samples, n_sets) or None
            What of every set's weight is not to count for a sample.

        Returns
        -------
        ndarray of int
            Of equally probable sets the first. -1 where there is none.
        """
        densities = _Densities(self.sets, self.hierarchy)
        log_weight = dependence * self.log_lift
        if max_labels is not None:
            log_weight[np.diff(self.sets.indptr) > max_labels] = -np.inf
        step = CELLS_PER_BLOCK // max(self.sets.shape) + 1
        best = np.empty(len(proba), dtype=np.intp)
        for start in range(0, len(proba), step):
            rows = slice(start, start + step)
            score = densities.of(proba[rows]) + log_weight[:, None]
            if own is not None:
                self._leave_out(score, own[rows], dependence)
            most = score.max(axis=0)
            first = (score >= most - CLOSE_TO).argmax(axis=0)
            best[rows] = np.where(np.isneginf(most), -1, first)
        return best

    def _leave_out(self, score, own, dependence):
        """Change scores (n_sets, n_samples) to those of sets without some weight."""
        own = own.tocoo()
        before = self.weight[own.col]
        left = before - own.data
        gone = left <= before * CLOSE_TO  # what is left is rounding
        share = np.where(gone, 1.0, left / before)
        change = np.where(gone, -np.inf, dependence * np.log(share))
        score[own.col, own.row] += change

    def indicators(self, numbers):
        """Return sets by number (n_samples, n_labels), bool; that of -1 is empty."""
        found = self.sets[np.maximum(numbers, 0)].toarray().astype(bool)
        found[numbers < 0] = False
        return found


def seen_sets(Y, hierarchy, weight=None):
    """Return the label sets of samples whose labels are all known.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Labels closed upward: 0, 1 or NaN. Rows with NaN have no known set.
    hierarchy : Hierarchy
        Its labels are the columns of Y.
    weight : ndarray of shape (n_samples,) or None
        Weights of the samples; those of weight 0 are not seen. None is 1 for all.

    Returns
    -------
    sets : LabelSets
        By falling weight; of one weight small sets first, then by their labels. So the
        order of the samples changes nothing.
    members : csr_matrix of shape (n_samples, n_sets)
        The weight of every sample at its set, if that is seen.
    """
    Y = sp.csr_matrix(Y, copy=True)
    Y.eliminate_zeros()
    Y.sort_indices()
    weight = np.ones(Y.shape[0]) if weight is None else weight
    row = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    seen = weight > 0
    seen[row[np.isnan(Y.data)]] = False
    Y = Y[seen]
    codes = _codes_of_rows(Y)
    _, first = np.unique(codes, return_index=True)
    total = np.bincount(codes, weight[seen])
    size = np.diff(Y.indptr)[first]
    order = np.lexsort((size, -total))
    sets = LabelSets(Y[first[order]].astype(np.int8), total[order], hierarchy)
    place = np.flatnonzero(seen), np.argsort(order)[codes]
    shape = len(seen), len(first)
    return sets, sp.csr_matrix((weight[seen], place), shape=shape)


def of_units(members, units):
    """Return the sums over samples that depend on each other (n_units, n_sets).

    Parameters
    ----------
    members : csr_matrix of shape (n_samples, n_sets)
        What every sample adds to the weight of sets.
    units : ndarray of shape (n_samples,), int
        Number of the unit of every sample.

    Returns
    -------
    csr_matrix
    """
    ones = np.ones(len(units))
    return sp.csr_matrix((ones, (units, np.arange(len(units))))) @ members


def _codes_of_rows(Y):
    """Return a number per row of sorted indicators, equal for equal rows only.

    Numbers are in the order of the rows' labels, whatever the order of the rows is.
    """
    size = np.diff(Y.indptr)
    codes = np.zeros(Y.shape[0], dtype=np.int64)
    for k in range(size.max(initial=0)):
        label = np.zeros_like(codes)  # 0 where a row has ended
        has = size > k
        label[has] = Y.indices[Y.indptr[:-1][has] + k] + 1
        _, codes = np.unique(codes * (Y.shape[1] + 1) + label, return_inverse=True)
    return codes

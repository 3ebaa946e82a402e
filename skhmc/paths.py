r"""Single paths: where every sample has one label per level, down to where it stops.

The *outcomes* of a sample are the most specific labels it can have: leaves, and *stops*
under internal labels (and under no label at all). A stop is a label of its own in the
*extended* hierarchy, so that every path of it ends at a leaf.

Every level has a *frontier*: its labels and the outcomes that lie above it. Each sample
has exactly one label in each frontier, so that a softmax over every frontier scores the
whole path, and paths of different length compare.
"""

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from skhmc.coherence import most_specific
from skhmc.hierarchy import Hierarchy

__all__ = ["PathSpace", "is_single_path", "stopping_points"]

# How much a coarser level's softmax counts beside the deepest's. All look at the same
# evidence, so that 1 counts it several times and is overconfident; chosen on validation
# parts by benchmarks.tune path_weight.
COARSE_WEIGHT = 0.1


def is_single_path(Y, hierarchy):
    """Tell whether no sample has two labels at one depth, in a tree.

    Parameters
    ----------
    Y : ndarray or sparse matrix of shape (n_samples, n_labels)
        Closed indicators.
    hierarchy : Hierarchy
        Its labels are the columns of Y.

    Returns
    -------
    bool
        False where Y holds unknowns (NaN).

    Examples
    --------
    >>> tree = Hierarchy.from_edges([(0, 1), (0, 2)])
    >>> is_single_path(np.array([[1, 1, 0], [1, 0, 1]]), tree)
    True
    >>> is_single_path(np.array([[1, 1, 1]]), tree)
    False
    """
    if not hierarchy.is_tree:
        return False
    values = Y.data if sp.issparse(Y) else Y
    if np.isnan(values).any():
        return False
    return all(_row_sums(Y[:, level]).max(initial=0) <= 1 for level in hierarchy.levels)


def _row_sums(Y):
    return np.asarray(Y.sum(axis=1)).ravel()


def stopping_points(Y, hierarchy):
    """Return under which internal labels rows of Y stop, and if rows are empty.

    Parameters
    ----------
    Y : ndarray or sparse matrix of shape (n_samples, n_labels)
        Closed indicators of single paths.
    hierarchy : Hierarchy
        Its labels are the columns of Y.

    Returns
    -------
    stops : ndarray of int
        Positions of internal labels that are some row's most specific label.
    some_empty : bool
        Whether a row has no label.

    Examples
    --------
    >>> tree = Hierarchy.from_edges([(0, 1), (0, 2)])
    >>> stopping_points(np.array([[1, 1, 0], [1, 0, 0]]), tree)
    (array([0]), False)
    """
    Y = sp.csr_matrix(Y, dtype=np.int64)
    ends = np.asarray(most_specific(Y, hierarchy).sum(axis=0)).ravel() > 0
    ends[hierarchy.leaves] = False
    return np.flatnonzero(ends), bool((np.diff(Y.indptr) == 0).any())


class PathSpace:
    """The outcomes of single paths, and the softmaxes that score them.

    Parameters
    ----------
    hierarchy : Hierarchy
        A tree or forest.
    stops : array-like of int, default=()
        Positions of internal labels under which a path may stop.
    empty : bool, default=False
        Whether a path may have no label at all.

    Attributes
    ----------
    extended : Hierarchy
        The hierarchy, then a label for every stop.
    outcomes : ndarray of int
        Positions in ``extended`` of its leaves.
    ends : ndarray of int
        Every outcome's most specific label in ``hierarchy``; -1 for no label.
    frontiers : list of ndarray of int
        Positions in ``extended`` of every level's exclusive labels.

    Examples
    --------
    >>> tree = Hierarchy.from_edges([(0, 1), (0, 2)])
    >>> space = PathSpace(tree, stops=[0])
    >>> space.ends.tolist()  # under label 0 a path may stop
    [1, 2, 0]
    >>> np.exp(space.outcome_log_proba(np.log([[1.0, 2.0, 1.0, 1.0]]))).round(2)
    array([[0.5 , 0.25, 0.25]])
    """

    def __init__(self, hierarchy, stops=(), empty=False):
        self.hierarchy = hierarchy
        self.stops = np.asarray(stops, dtype=np.intp)
        self.empty = empty
        n_labels, n_stops = hierarchy.n_labels, len(self.stops)
        added = np.arange(n_labels, n_labels + n_stops)
        names = [("stop", hierarchy.labels[k]) for k in self.stops]
        names += [("stop", None)] * empty
        self.extended = Hierarchy._from_positions(
            hierarchy.labels + tuple(names),
            np.vstack([hierarchy.edges, np.column_stack([self.stops, added])]),
        )
        self.outcomes = self.extended.leaves
        ends = np.concatenate([np.arange(n_labels), self.stops, [-1] * empty])
        self.ends = ends[self.outcomes].astype(np.intp)
        depth = self.extended.depth
        above = depth[self.outcomes]
        self.frontiers = [
            np.union1d(level, self.outcomes[above < k])
            for k, level in enumerate(self.extended.levels)
        ]

    @cached_property
    def members(self):
        """Ancestors-or-self in ``extended`` of every outcome: CSR (n_outcomes, n)."""
        eye = sp.identity(self.extended.n_labels, bool, "csr")
        return (self.extended.ancestors + eye)[self.outcomes]

    @cached_property
    def _frontier_members(self):
        return [self.members[:, frontier] for frontier in self.frontiers]

    def extend(self, Y):
        """Return closed indicators Y (n_samples, n_labels) with the stops' columns."""
        sparse = sp.issparse(Y)
        Y = sp.csr_matrix(Y)
        parts = [Y, most_specific(Y, self.hierarchy)[:, self.stops]]
        if self.empty:
            parts.append(sp.csr_matrix(_row_sums(Y)[:, None] == 0, dtype=Y.dtype))
        Y = sp.hstack(parts, format="csr")
        return Y if sparse else Y.toarray()

    def level_log_proba(self, logits):
        """Return log softmax of every level's own labels over its frontier."""
        log_p = np.empty_like(logits)
        for level, frontier in zip(self.extended.levels, self.frontiers, strict=True):
            norm = _log_sum_exp(logits[:, frontier])
            log_p[:, level] = logits[:, level] - norm
        return log_p

    def outcome_log_proba(self, logits):
        """Return the log-probabilities of the outcomes (n_samples, n_outcomes).

        An outcome's score is the log softmax of the deepest frontier, which holds all
        outcomes, plus ``COARSE_WEIGHT`` times those of the one label it has in every
        other level's frontier.
        """
        scores = np.zeros((len(logits), len(self.outcomes)), logits.dtype)
        for k, frontier in enumerate(self.frontiers):
            log_p = logits[:, frontier] - _log_sum_exp(logits[:, frontier])
            mine = self._frontier_members[k].astype(logits.dtype)
            deepest = k == len(self.frontiers) - 1
            scores += (mine @ log_p.T).T * (1 if deepest else COARSE_WEIGHT)
        return scores - _log_sum_exp(scores)


def _log_sum_exp(x):
    top = x.max(axis=1, keepdims=True)
    return top + np.log(np.exp(x - top).sum(axis=1, keepdims=True))

r"""Single paths: where every sample has one label per level, down to where it stops.

The *outcomes* of a sample are the most specific labels it can have: leaves, and *stops*
under internal labels (and under no label at all). A stop is a label of its own in the
*extended* hierarchy, so that every path of it ends at a leaf.

Every level has a *frontier*: its labels and the outcomes that lie above it. Each sample
has exactly one label in each frontier, so that a softmax over every frontier scores the
whole path, and paths of different length compare.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc.coherence import is_single_path, most_specific, stopping_points
from skhmc.hierarchy import Hierarchy

__all__ = ["PathSpace", "is_single_path", "stopping_points"]

# How much a coarser level's softmax counts beside the deepest's. All look at the same
# evidence, so that 1 counts it several times and is overconfident; chosen on validation
# parts by benchmarks.tune path_weight.
COARSE_WEIGHT = 0.1


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
        Hierarchy of the labels, then of a label for every stop.
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

    def __init__(
        self, hierarchy: Hierarchy, stops: ArrayLike = (), empty: bool = False
    ) -> None:
        self.hierarchy = hierarchy
        self.stops = np.asarray(stops, dtype=np.intp)
        self.empty = empty
        self.extended = self._extended_hierarchy()
        self.outcomes = self.extended.leaves
        # by position in the extended hierarchy: where a path that ends there stops
        ends = [np.arange(hierarchy.n_labels), self.stops]
        if empty:
            ends.append(np.array([-1]))
        self.ends = np.concatenate(ends)[self.outcomes].astype(np.intp)
        outcome_depth = self.extended.depth[self.outcomes]
        self.frontiers = [
            np.union1d(level, self.outcomes[outcome_depth < k])
            for k, level in enumerate(self.extended.levels)
        ]

    def _extended_hierarchy(self) -> Hierarchy:
        """Return the hierarchy with a leaf for every stop, behind its own labels."""
        n_labels = self.hierarchy.n_labels
        added = n_labels + np.arange(len(self.stops))
        names = [("stop", self.hierarchy.labels[k]) for k in self.stops]
        if self.empty:
            names.append(("stop", None))  # a root: the path that has no label
        edges = np.column_stack([self.stops, added])
        return Hierarchy._from_positions(
            self.hierarchy.labels + tuple(names),
            np.vstack([self.hierarchy.edges, edges]),
        )

    @cached_property
    def members(self) -> sp.csr_matrix:
        """Ancestors-or-self in ``extended`` of every outcome: CSR (n_outcomes, n)."""
        eye = sp.identity(self.extended.n_labels, bool, "csr")
        return (self.extended.ancestors + eye)[self.outcomes]

    @cached_property
    def _frontier_members(self) -> list[sp.csr_matrix]:
        return [self.members[:, frontier] for frontier in self.frontiers]

    def extend(self, Y: Any) -> Any:
        """Return closed indicators Y (n_samples, n_labels) with the stops' columns."""
        closed = sp.csr_matrix(Y)
        parts = [closed, most_specific(closed, self.hierarchy)[:, self.stops]]
        if self.empty:
            is_empty = np.asarray(closed.sum(axis=1)) == 0
            parts.append(sp.csr_matrix(is_empty, dtype=closed.dtype))
        extended = sp.hstack(parts, format="csr")
        return extended if sp.issparse(Y) else extended.toarray()

    def level_log_proba(self, logits: np.ndarray) -> np.ndarray:
        """Return log softmax of every level's own labels over its frontier."""
        log_p = np.empty_like(logits)
        for level, frontier in zip(self.extended.levels, self.frontiers, strict=True):
            norm = _log_sum_exp(logits[:, frontier])
            log_p[:, level] = logits[:, level] - norm
        return log_p

    def outcome_log_proba(self, logits: np.ndarray) -> np.ndarray:
        """Return the log-probabilities of the outcomes (n_samples, n_outcomes).

        An outcome's score is the log softmax of the deepest frontier, which holds all
        outcomes, plus ``COARSE_WEIGHT`` times those of the one label it has in every
        other level's frontier.
        """
        scores = np.zeros((len(logits), len(self.outcomes)), logits.dtype)
        for k, frontier in enumerate(self.frontiers):
            log_p = logits[:, frontier] - _log_sum_exp(logits[:, frontier])
            # every row has a single 1: the outcome's one label in this frontier
            members = self._frontier_members[k].astype(logits.dtype)
            is_deepest = k == len(self.frontiers) - 1
            weight = 1 if is_deepest else COARSE_WEIGHT
            scores += (members @ log_p.T).T * weight
        return scores - _log_sum_exp(scores)

    def outcome_proba(self, proba: np.ndarray) -> np.ndarray:
        """Return what probabilities of labels say of the outcomes.

        Parameters
        ----------
        proba : ndarray of shape (n_samples, n_labels)
            Coherent probabilities of the labels of ``hierarchy``.

        Returns
        -------
        ndarray of shape (n_samples, n_outcomes)
            That of a leaf; for a stop under a label, what this has more than its
            children together, at least 0.

        Examples
        --------
        >>> tree = Hierarchy.from_edges([(0, 1), (0, 2)])
        >>> space = PathSpace(tree, stops=[0])
        >>> space.outcome_proba(np.array([[1.0, 0.5, 0.25]]))
        array([[0.5 , 0.25, 0.25]])
        """
        n_labels = self.hierarchy.n_labels
        parents, children = self.hierarchy.edges.T
        shape = (n_labels, n_labels)
        ones = np.ones(len(parents), proba.dtype)
        below = sp.csr_matrix((ones, (children, parents)), shape)
        rest = proba - np.asarray(proba @ below)
        nothing = 1 - proba[:, self.hierarchy.roots].sum(axis=1, keepdims=True)
        rest = np.maximum(np.hstack([rest, nothing]), 0)  # -1, no label, is the last
        return rest[:, self.ends]


def _log_sum_exp(x: np.ndarray) -> np.ndarray:
    top = x.max(axis=1, keepdims=True)  # taken out, so that no exp overflows
    return top + np.log(np.exp(x - top).sum(axis=1, keepdims=True))

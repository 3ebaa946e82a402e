"""Leaving out the edges that follow from others."""

from __future__ import annotations

import numpy as np

from skhmc.hierarchy import Hierarchy

__all__ = ["from_pairs", "transitive_reduction"]

CELLS_PER_BLOCK = 2**24


def transitive_reduction(hierarchy: Hierarchy) -> Hierarchy:
    """Leave out the edges that follow from others.

    Parameters
    ----------
    hierarchy : Hierarchy
        A tree, which stays as it is, or a DAG.

    Returns
    -------
    Hierarchy
        The fewest edges with the same ancestors: an edge is left out when a longer path
        leads from its parent to its child.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.induction import transitive_reduction
    >>> transitive_reduction(Hierarchy(range(3), [(0, 1), (1, 2), (0, 2)])).edges
    array([[0, 1],
           [1, 2]])
    """
    parents = hierarchy.parents
    step = max(1, CELLS_PER_BLOCK // max(hierarchy.n_labels, 1))
    edges = [np.empty((0, 2), np.intp)]
    for start in range(0, hierarchy.n_labels, step):
        child, parent = _direct(parents[start : start + step], parents).nonzero()
        edges.append(np.column_stack([parent, child + start]))
    return from_pairs(hierarchy.labels, *np.concatenate(edges).T)


def _direct(rows, parents):
    """Return the parents in ``rows`` that no path of two or more edges leads to."""
    far = new = rows @ parents
    while new.nnz:
        new = (new @ parents) > far
        new.eliminate_zeros()
        far = far + new
    direct = rows > far
    direct.eliminate_zeros()
    return direct


def from_pairs(labels, parent, child):
    """Build a hierarchy from positions; labels that repeat are an error there."""
    names = Hierarchy.flat(labels).labels
    return Hierarchy._from_positions(names, np.column_stack([parent, child]))

"""Where labels stand in a picture: one column per depth, few crossing edges.

A layered layout after Sugiyama et al. (1981). Edges that skip columns run through
*passages*, narrow nodes in the columns between; all such edges of one parent share
theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import isotonic_regression

from skhmc.hierarchy import Hierarchy

__all__ = ["Layout", "layered_layout"]

PASSAGE = 0.45  # height of a passage, in rows
STARTS = 12  # orders to start from; the best result is taken
PASSES = 12  # over all columns, from each start
RELAXATIONS = 40
MOST_NODES = 3000  # labels and passages: there are matrices of pairs of them
LINK_COST = 1e-3  # of a link's height: small, so that it only decides between ties


@dataclass(frozen=True)
class Layout:
    """Columns and rows of nodes: the labels first, then the passages.

    Parameters
    ----------
    column : ndarray of shape (n_nodes,), int
        Depth, from 0.
    row : ndarray of shape (n_nodes,)
        Height of the middle in rows, growing downward, from 0. Labels of one column
        are at least 1 apart.
    chains : list of list of int
        Nodes that every edge of the hierarchy runs through, parent first.
    """

    column: np.ndarray
    row: np.ndarray
    chains: list[list[int]]


def layered_layout(hierarchy: Hierarchy) -> Layout:
    """Lay out a small hierarchy (hundreds of labels).

    Parameters
    ----------
    hierarchy : Hierarchy

    Returns
    -------
    Layout

    Raises
    ------
    ValueError
        When edges skip so many columns that their lines alone fill the picture.
    """
    column, chains = _route(hierarchy)
    if len(column) > MOST_NODES:
        raise ValueError(
            f"Cannot draw {hierarchy.n_labels} labels legibly: edges skip levels "
            f"{len(column) - hierarchy.n_labels} times, expected at most {MOST_NODES} "
            f"labels and skipped levels together. Lower max_labels or max_depth, or "
            f"pass a root."
        )
    links = _links(chains)
    n_columns = column.max(initial=-1) + 1
    columns = [np.flatnonzero(column == k) for k in range(n_columns)]
    is_label = np.arange(len(column)) < hierarchy.n_labels
    height = np.where(is_label, 1.0, PASSAGE)
    columns = _order(columns, links, len(column))
    row = _place(columns, links, height)
    top = (row - height / 2).min(initial=np.inf)
    return Layout(column, row - top - 0.5, chains)  # a label at the top has row 0


def _links(chains: list[list[int]]) -> np.ndarray:
    """Return the pairs of nodes that chains join, each once: (n_links, 2)."""
    found = {link for chain in chains for link in zip(chain, chain[1:], strict=False)}
    return np.array(sorted(found), int).reshape(-1, 2)


def _route(hierarchy: Hierarchy) -> tuple[np.ndarray, list[list[int]]]:
    """Return the columns of labels and passages, and every edge's chain of nodes."""
    depth = hierarchy.depth.tolist()
    column = list(depth)
    passages: dict[tuple[int, int], int] = {}  # by parent and column
    chains = []
    for parent, child in hierarchy.edges.tolist():
        chain = [parent]
        for k in range(depth[parent] + 1, depth[child]):
            if (parent, k) not in passages:
                passages[parent, k] = len(column)
                column.append(k)
            chain.append(passages[parent, k])
        chains.append([*chain, child])
    return np.array(column, int), chains


def _order(
    columns: list[np.ndarray], links: np.ndarray, n_nodes: int
) -> list[np.ndarray]:
    """Order every column by barycentres, for few crossings: the best of some starts.

    Barycentres only find an order near the one they start from. The first start is the
    order of the labels, the others are random.
    """
    right = np.zeros((n_nodes, n_nodes))  # row i marks what i is joined to on its right
    right[links[:, 0], links[:, 1]] = 1
    rng = np.random.default_rng(0)
    best = columns
    least = np.inf
    for start in range(STARTS):
        order = list(columns)
        if start > 0:
            order = [rng.permutation(nodes) for nodes in columns]
        rank = np.zeros(n_nodes)
        for nodes in order:
            _set_rank(rank, nodes)
        for k in range(PASSES):
            if k % 2 == 0:  # rightward, by the neighbours on the left
                _sort_columns(order, rank, right.T, range(len(order)))
            else:
                _sort_columns(order, rank, right, reversed(range(len(order))))
            cost = _cost(links, rank, columns)
            if cost < least:
                best = list(order)
                least = cost
    return best


def _set_rank(rank: np.ndarray, nodes: np.ndarray) -> None:
    # centred, so that the middles of long and short columns are level
    rank[nodes] = np.arange(len(nodes)) - (len(nodes) - 1) / 2


def _sort_columns(
    order: list[np.ndarray],
    rank: np.ndarray,
    neighbours: np.ndarray,
    columns: Iterable[int],
) -> None:
    """Sort columns one after another by the mean rank of their nodes' neighbours."""
    for k in columns:
        nodes = order[k]
        degree = neighbours[nodes].sum(axis=1)
        mean = neighbours[nodes] @ rank / np.maximum(degree, 1)
        centre = np.where(degree > 0, mean, rank[nodes])
        order[k] = nodes[np.argsort(centre, kind="stable")]
        _set_rank(rank, order[k])


def _cost(links: np.ndarray, rank: np.ndarray, columns: list[np.ndarray]) -> float:
    """Return the number of crossings, and as a tie-break the height of all links."""
    left, right = rank[links].T
    crossings = 0
    for nodes in columns:
        here = np.isin(links[:, 0], nodes)
        a = left[here]
        b = right[here]
        crossings += ((a[:, None] < a) & (b[:, None] > b)).sum()
    return crossings + np.abs(left - right).sum() * LINK_COST


def _place(
    columns: list[np.ndarray], links: np.ndarray, height: np.ndarray
) -> np.ndarray:
    """Move nodes towards the mean of their neighbours, keeping order and distances.

    With the offsets of a stack without gaps taken off, "in order and not overlapping"
    is "not decreasing": what is nearest to the wishes is an isotonic regression.
    """
    n_nodes = len(height)
    near = np.zeros((n_nodes, n_nodes))
    near[links[:, 0], links[:, 1]] = 1
    near[links[:, 1], links[:, 0]] = 1
    degree = near.sum(axis=1)
    row = np.zeros(n_nodes)
    stacks = []
    for nodes in columns:
        h = height[nodes]
        offset = np.cumsum(h) - h / 2 - h.sum() / 2
        stacks.append((nodes, offset))
        row[nodes] = offset
    for k in range(RELAXATIONS):
        for nodes, offset in stacks if k % 2 == 0 else reversed(stacks):
            mean = near[nodes] @ row / np.maximum(degree[nodes], 1)
            linked = np.flatnonzero(degree[nodes])
            # what is joined to nothing stays beside what is
            wish = np.zeros(len(nodes))
            if len(linked):
                at = np.arange(len(nodes))
                wish = np.interp(at, linked, (mean - offset)[linked])
            row[nodes] = isotonic_regression(wish) + offset
    return row

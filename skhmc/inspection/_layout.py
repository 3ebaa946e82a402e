"""Where labels stand in a picture: one column per depth, few crossing edges.

A layered layout after Sugiyama et al. (1981). Edges that skip columns run through
*passages*, narrow nodes in the columns between; all such edges of one parent share
theirs.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import isotonic_regression

__all__ = ["Layout", "layered_layout"]

PASSAGE = 0.45  # height of a passage, in rows
RESTARTS, SWEEPS, RELAXATIONS = 12, 12, 40


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
        For every edge of the hierarchy the nodes it runs through, parent first.
    """

    column: np.ndarray
    row: np.ndarray
    chains: list


def layered_layout(hierarchy):
    """Lay out a small hierarchy (hundreds of labels).

    Parameters
    ----------
    hierarchy : Hierarchy

    Returns
    -------
    Layout
    """
    column, chains = _route(hierarchy)
    links = np.array(
        sorted({link for c in chains for link in zip(c, c[1:], strict=False)}), int
    ).reshape(-1, 2)
    columns = [np.flatnonzero(column == k) for k in range(column.max(initial=-1) + 1)]
    height = np.where(np.arange(len(column)) < hierarchy.n_labels, 1.0, PASSAGE)
    columns = _order(columns, links, len(column))
    row = _place(columns, links, height)
    return Layout(column, row - (row - height / 2).min(initial=0) - 0.5, chains)


def _route(hierarchy):
    """Return the columns of labels and passages, and every edge's chain of nodes."""
    depth = hierarchy.depth.tolist()
    column, passages, chains = list(depth), {}, []
    for parent, child in hierarchy.edges.tolist():
        chain = [parent]
        for k in range(depth[parent] + 1, depth[child]):
            if (parent, k) not in passages:
                passages[parent, k] = len(column)
                column.append(k)
            chain.append(passages[parent, k])
        chains.append([*chain, child])
    return np.array(column, int), chains


def _order(columns, links, n_nodes):
    """Order every column by barycentres, for few crossings: the best of some starts."""
    right = np.zeros((n_nodes, n_nodes))
    right[links[:, 0], links[:, 1]] = 1
    rng, best, least = np.random.default_rng(0), columns, np.inf
    for start in range(RESTARTS):
        order = [rng.permutation(c) if start else c for c in columns]
        rank = np.zeros(n_nodes)
        for nodes in order:
            _set_rank(rank, nodes)
        for sweep in range(SWEEPS):
            _sweep(order, rank, right.T if sweep % 2 == 0 else right, sweep % 2)
            cost = _cost(links, rank, columns)
            if cost < least:
                best, least = list(order), cost
    return best


def _set_rank(rank, nodes):
    rank[nodes] = np.arange(len(nodes)) - (len(nodes) - 1) / 2


def _sweep(order, rank, neighbours, backward):
    """Sort columns one after another by the mean rank of their nodes' neighbours."""
    for k in range(len(order))[:: -1 if backward else 1]:
        nodes = order[k]
        degree = neighbours[nodes].sum(axis=1)
        mean = neighbours[nodes] @ rank / np.maximum(degree, 1)
        centre = np.where(degree > 0, mean, rank[nodes])
        order[k] = nodes[np.argsort(centre, kind="stable")]
        _set_rank(rank, order[k])


def _cost(links, rank, columns):
    """Return the number of crossings, and as a tie-break the height of all links."""
    left, right = rank[links].T
    crossings = 0
    for nodes in columns:
        here = np.isin(links[:, 0], nodes)
        a, b = left[here], right[here]
        crossings += ((a[:, None] < a) & (b[:, None] > b)).sum()
    return crossings + np.abs(left - right).sum() * 1e-3


def _place(columns, links, height):
    """Move nodes towards the mean of their neighbours, keeping order and distances."""
    row, near = np.zeros(len(height)), np.zeros((len(height),) * 2)
    near[links[:, 0], links[:, 1]] = near[links[:, 1], links[:, 0]] = 1
    offsets = []
    for nodes in columns:
        h = height[nodes]
        offsets.append(np.cumsum(h) - h / 2 - h.sum() / 2)
        row[nodes] = offsets[-1]
    degree = near.sum(axis=1)
    for k in range(RELAXATIONS):
        for nodes, offset in list(zip(columns, offsets, strict=True))[
            :: 1 - 2 * (k % 2)
        ]:
            mean = near[nodes] @ row / np.maximum(degree[nodes], 1)
            wish = np.where(degree[nodes] > 0, mean, row[nodes])
            row[nodes] = isotonic_regression(wish - offset) + offset
    return row

"""Level by level: depths, closures and update plans of a directed acyclic graph.

Everything here works on positions and on ``edges``, an (n_edges, 2) array of
(parent, child) sorted by parent.
"""

from __future__ import annotations

from typing import NamedTuple

import networkx as nx
import numpy as np
import scipy.sparse as sp

__all__ = ["PlanStep", "closure", "depths", "frozen", "plan_steps"]


class PlanStep(NamedTuple):
    """Labels that can be updated together, and what each is updated from.

    ``sources`` is padded by repeating a source, so a maximum or minimum over its
    second axis is exact; every label is the target of at most one step of a plan.
    """

    targets: np.ndarray  # (n_targets,)
    sources: np.ndarray  # (n_targets, fan), fan a power of two


def frozen(values):
    """Return an array or CSR matrix after making it read-only."""
    arrays = [values]
    if sp.issparse(values):
        values.sort_indices()
        arrays = [values.data, values.indices, values.indptr]
    for array in arrays:
        array.flags.writeable = False
    return values


def depths(edges: np.ndarray, n_labels: int) -> tuple[np.ndarray, list[int]]:
    """Return every label's longest path from a root, and a cycle if there is one.

    The cycle ends at the label it starts from; without one the list is empty.
    """
    depth = np.zeros(n_labels, dtype=np.intp)
    waiting = np.bincount(edges[:, 1], minlength=n_labels)
    starts = np.searchsorted(edges[:, 0], np.arange(n_labels + 1))
    front, level = np.flatnonzero(waiting == 0), 0
    while len(front):
        depth[front] = level
        level += 1
        child = edges[_ranges(starts[front], starts[front + 1]), 1]
        child, met = np.unique(child, return_counts=True)
        waiting[child] -= met
        front = child[waiting[child] == 0]
    if not waiting.any():
        return depth, []
    within = edges[(waiting > 0)[edges].all(axis=1)].tolist()
    cycle = [u for u, _ in nx.find_cycle(nx.DiGraph(within))]
    return depth, [*cycle, cycle[0]]


def closure(parents: sp.csr_matrix, max_depth: int) -> sp.csr_matrix:
    """Return the proper ancestors of every label from its direct parents.

    (I + P)^(2^k) by repeated squaring: log2(depth) sparse products.
    """
    reach = (parents + sp.identity(parents.shape[0], bool, "csr")).astype(bool)
    for _ in range(int(max_depth).bit_length()):
        reach = reach @ reach
    reach = reach.astype(bool).tocoo()
    proper = reach.row != reach.col
    positions = (reach.row[proper], reach.col[proper])
    ancestors = sp.csr_matrix((reach.data[proper], positions), reach.shape)
    ancestors.sort_indices()
    return ancestors


def plan_steps(
    target: np.ndarray, source: np.ndarray, level: np.ndarray
) -> tuple[PlanStep, ...]:
    """Group the edges source -> target into steps, targets in ascending ``level``.

    Targets of one level with like fan-in (rounded up to a power of two) share a step,
    so that a step is one rectangular gather.
    """
    if not len(target):
        return ()
    source = source[np.argsort(target, kind="stable")]
    targets, starts, fan = np.unique(
        np.sort(target), return_index=True, return_counts=True
    )
    width = 2 ** np.ceil(np.log2(fan)).astype(np.intp)
    order = np.lexsort((width, level[targets]))
    changes = np.diff(level[targets[order]]) | np.diff(width[order])
    steps = []
    for part in np.split(order, np.flatnonzero(changes) + 1):
        slot = np.minimum(np.arange(width[part[0]]), fan[part, None] - 1)
        sources = source[starts[part, None] + slot]
        steps.append(PlanStep(frozen(targets[part]), frozen(sources)))
    return tuple(steps)


def _ranges(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return ``concatenate([arange(a, b) for a, b in zip(starts, stops)])``."""
    counts = stops - starts
    offsets = np.repeat(stops - np.cumsum(counts), counts)
    return offsets + np.arange(counts.sum())

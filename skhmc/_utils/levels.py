"""Level by level: depths, closures and update plans of a directed acyclic graph.

Everything here works on positions and on ``edges``, an (n_edges, 2) array of
(parent, child) sorted by parent.
"""

from __future__ import annotations

from typing import NamedTuple

import networkx as nx
import numpy as np
import scipy.sparse as sp

__all__ = [
    "CELLS_PER_BLOCK",
    "PlanStep",
    "ROWS_PER_BLOCK",
    "check_width",
    "closure",
    "copy_rows",
    "depths",
    "frozen",
    "plan_steps",
    "sweep",
    "transposed",
]


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


ROWS_PER_BLOCK = 1024
CELLS_PER_BLOCK = 2**22  # of sparse labels, made dense at a time
TILE = 128  # columns that stay in a cache


def copy_rows(target, values):
    """Write ``values`` (n_rows, ...) into an array in C order.

    What is in F order goes piece by piece: numpy's own copy takes many times as long
    for some lengths (powers of two), of which columns share few places in a cache.
    """
    if values.ndim != 2 or not values.flags.f_contiguous:
        target[:] = values
        return
    for start in range(0, values.shape[1], TILE):
        target[:, start : start + TILE] = values[:, start : start + TILE]


def transposed(values):
    """Return a copy of the transpose, in C order."""
    result = np.empty(values.shape[::-1], values.dtype)
    copy_rows(result, values.T)
    return result


def sweep(values, plan, reduce):
    """Update rows of ``values`` (n_labels, n_samples) in place along a plan."""
    for targets, sources in plan:
        best = values.take(sources, axis=0)
        best = best[:, 0] if sources.shape[1] == 1 else reduce.reduce(best, axis=1)
        values[targets] = reduce(values.take(targets, axis=0), best, out=best)
    return values


def check_width(Y, hierarchy):
    """Raise unless ``Y`` has one column per label."""
    if not hasattr(hierarchy, "upward_plan"):
        raise TypeError(
            f"Expected a Hierarchy in the order of the columns, got "
            f"{type(hierarchy).__name__}. Build it: Hierarchy.build(source, labels)."
        )
    if Y.ndim != 2 or Y.shape[1] != hierarchy.n_labels:
        raise ValueError(
            f"Expected an array of shape (n_samples, {hierarchy.n_labels}), one column "
            f"per label of the hierarchy, got shape {Y.shape}."
        )

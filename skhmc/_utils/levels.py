"""Level by level: depths, closures and update plans of a directed acyclic graph.

Everything here works on positions and on ``edges``, an (n_edges, 2) array of
(parent, child) sorted by parent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

__all__ = [
    "CELLS_PER_BLOCK",
    "FEW_SAMPLES",
    "Gather",
    "PlanStep",
    "ROWS_PER_BLOCK",
    "check_width",
    "closure",
    "copy_rows",
    "depths",
    "frozen",
    "gathers",
    "over_sources",
    "plan_steps",
    "ranges",
    "sweep",
    "sweep_few",
    "transposed",
]


# Pairs of a label and an ancestor that are made at most; a chain has n^2 / 2
MAX_PAIRS = 2**28
# Up to which a sweep gathers all pairs at once instead of walking over levels
FEW_SAMPLES = 4
FEW_LABELS = 2**10
FEW_PAIRS = 2**13


class PlanStep(NamedTuple):
    """Labels that can be updated together, and what each is updated from.

    ``sources`` is padded by repeating a source, so a maximum or minimum over its
    second axis is exact; every label is the target of at most one step of a plan.
    """

    targets: np.ndarray  # (n_targets,)
    sources: np.ndarray  # (n_targets, fan), fan a power of two


class Gather(NamedTuple):
    """What every label can be given by a sweep: its own value, and others.

    Those of label k are ``positions[starts[k] : starts[k + 1]]``.
    """

    positions: np.ndarray  # (n_pairs,)
    starts: np.ndarray  # (n_labels,)


def frozen(values: Any) -> Any:
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
    front = np.flatnonzero(waiting == 0)
    level = 0
    while len(front):
        # a label comes when the last of its parents has come: by its longest path
        depth[front] = level
        level += 1
        child = edges[ranges(starts[front], starts[front + 1]), 1]
        child, met = np.unique(child, return_counts=True)
        waiting[child] -= met
        front = child[waiting[child] == 0]
    if not waiting.any():
        return depth, []
    return depth, _cycle(edges, waiting > 0)


def _cycle(edges: np.ndarray, waits: np.ndarray) -> list[int]:
    """Return a cycle among labels that wait for a parent, each of which has one."""
    above = np.full(len(waits), -1, dtype=np.intp)
    within = edges[waits[edges].all(axis=1)]
    above[within[:, 1]] = within[:, 0]
    parents = above.tolist()
    label = int(np.flatnonzero(waits)[0])
    place: dict[int, int] = {}
    while label not in place:  # upward, until a label comes again
        place[label] = len(place)
        label = parents[label]
    walked = list(place)[place[label] :]
    return [label, *walked[:0:-1], label]


def closure(edges: np.ndarray, depth: np.ndarray) -> sp.csr_matrix:
    """Return the proper ancestors of every label, from its edges and depths.

    Level by level: a label's ancestors are its parents and theirs, which are known by
    then. So every entry is made once per parent, and a chain of n labels, which has
    n^2 / 2 entries, takes no more than these.
    """
    n_labels = len(depth)
    _check_pairs(int(depth.sum()), n_labels)  # a label has more ancestors than depth
    if _is_dense(edges, depth):
        return _dense_closure(edges, depth)
    n_found = np.zeros(n_labels, dtype=np.intp)
    starts = np.zeros(n_labels, dtype=np.intp)  # where a label's ancestors stand
    found = np.empty(len(edges), dtype=np.intp)  # all of them, level by level
    stop = 0
    for step in _steps_down(edges, depth):
        parent, child = edges[step].T
        n_above = n_found[parent]
        _check_pairs(stop + int(n_above.max(initial=0)), n_labels)
        _check_pairs(int(n_above.sum()), n_labels)
        above = found[ranges(starts[parent], starts[parent] + n_above)]
        above = np.insert(above, np.cumsum(n_above), parent)  # after its own ancestors
        changes = np.flatnonzero(np.diff(child, prepend=-1))
        labels = child[changes]
        count = np.add.reduceat(n_above + 1, changes) if len(labels) else n_above
        if len(labels) < len(child):  # what comes through several parents counts once
            row = np.repeat(np.arange(len(labels)), count)
            row, above = np.divmod(np.unique(row * n_labels + above), n_labels)
            count = np.bincount(row)
        if stop + len(above) > len(found):
            found = np.resize(found, 2 * (stop + len(above)))
        found[stop : stop + len(above)] = above
        starts[labels] = stop + np.cumsum(count) - count
        n_found[labels] = count
        stop += len(above)
    positions = found[ranges(starts, starts + n_found)]
    indptr = np.concatenate([[0], np.cumsum(n_found)])
    ancestors = sp.csr_matrix(
        (np.ones(stop, bool), positions, indptr), (n_labels, n_labels)
    )
    ancestors.sort_indices()
    return ancestors


def _steps_down(edges: np.ndarray, depth: np.ndarray) -> list[np.ndarray]:
    """Return the positions of edges by the depth of their child, sorted by child."""
    level = depth[edges[:, 1]]
    order = np.lexsort((edges[:, 1], level))
    return np.split(order, np.flatnonzero(np.diff(level[order])) + 1)


CELLS_OF_BITS = 2**26  # labels times ancestors that are bits at a time
COST_OF_STEP = 2000  # numbers that are worked on while a step begins
COST_OF_SORTING = 20  # a number, where a bit's word costs 1


def _is_dense(edges: np.ndarray, depth: np.ndarray) -> bool:
    """Tell whether bits are faster than lists of ancestors.

    By how many ancestors come along all edges, each counted once per path.
    """
    n_labels = len(depth)
    n_above = np.zeros(n_labels)
    n_met = 0.0
    steps = _steps_down(edges, depth)
    for step in steps:
        parent, child = edges[step].T
        n_met += n_above[parent].sum()
        met = np.bincount(child, n_above[parent] + 1, n_labels)
        n_above = np.where(met, np.minimum(met, n_labels), n_above)
    n_words = _block_of(n_labels) // 64
    n_blocks = n_labels // (64 * n_words) + 1
    a_block = len(steps) * COST_OF_STEP + (len(edges) + 8 * n_labels) * n_words
    return bool(n_met * COST_OF_SORTING > n_blocks * a_block)


def _block_of(n_labels: int) -> int:
    """Return how many ancestors are bits at a time, a multiple of 64."""
    return 64 * max(1, min(CELLS_OF_BITS // max(n_labels, 1), n_labels) // 64)


def _dense_closure(edges: np.ndarray, depth: np.ndarray) -> sp.csr_matrix:
    """Return what ``closure`` does, where most labels have many ancestors.

    A label's ancestors are bits, those of one block of labels at a time: the size is
    known after every block, and too large a result ends there.
    """
    n_labels = len(depth)
    steps = _steps_down(edges, depth)
    size = _block_of(n_labels)
    counts = []
    found = []
    n_pairs = 0
    for first in range(0, n_labels, size):
        own = np.arange(first, min(first + size, n_labels))
        bits = np.zeros((n_labels, size), dtype=np.uint8)
        bits[own, own - first] = 1
        words = np.packbits(bits, axis=1).view(np.uint64)
        for step in steps:
            parent, child = edges[step].T
            changes = np.flatnonzero(np.diff(child, prepend=-1))
            words[child[changes]] |= np.bitwise_or.reduceat(words[parent], changes)
        bits = np.unpackbits(words.view(np.uint8), axis=1)
        bits[own, own - first] = 0  # proper ancestors only
        counts.append(np.count_nonzero(bits, axis=1))
        n_pairs += int(counts[-1].sum())
        _check_pairs(n_pairs, n_labels)
        found.append((np.flatnonzero(bits) % size + first).astype(np.int32))
    indptr = np.concatenate([[0], np.cumsum(np.sum(counts, axis=0))])
    positions = np.empty(n_pairs, dtype=np.int32)
    starts = indptr[:-1].copy()
    for count, columns in zip(counts, found, strict=True):
        positions[ranges(starts, starts + count)] = columns
        starts += count
    ones = np.ones(n_pairs, bool)
    return sp.csr_matrix((ones, positions, indptr), (n_labels, n_labels))


def _check_pairs(n_pairs: int, n_labels: int) -> None:
    """Raise before more pairs of a label and its ancestor are made than fit."""
    if n_pairs > MAX_PAIRS:
        raise ValueError(
            f"The {n_labels} labels have {n_pairs} pairs of a label and an ancestor or "
            f"more, which take {n_pairs * 17 / 2**30:.0f} GiB; expected {MAX_PAIRS} at "
            f"most. hierarchy.ancestors_of(label) walks up from one label; to use all, "
            f"leave out levels by hierarchy.subset(labels)."
        )


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
    # steps are cut where the sorted targets change level or width
    order = np.lexsort((width, level[targets]))
    changes = np.diff(level[targets[order]]) | np.diff(width[order])
    steps = []
    for part in np.split(order, np.flatnonzero(changes) + 1):
        # slots beyond a target's own sources repeat its last one
        slot = np.minimum(np.arange(width[part[0]]), fan[part, None] - 1)
        sources = np.asfortranarray(source[starts[part, None] + slot])
        steps.append(PlanStep(frozen(targets[part]), frozen(sources)))
    return tuple(steps)


def gathers(
    edges: np.ndarray, depth: np.ndarray, n_labels: int
) -> tuple[Gather, Gather] | None:
    """Return what :func:`sweep_few` takes, upward and downward.

    None is returned where steps are faster: for many labels, and for none above others.
    """
    if n_labels > FEW_LABELS or not len(edges):
        return None
    above = closure(edges, depth)
    if above.nnz > FEW_PAIRS:
        return None
    itself = sp.identity(n_labels, bool, "csr")
    upward = frozen((above.T + itself).tocsr())
    downward = frozen((above + itself).tocsr())
    up, down = (
        Gather(frozen(one.indices.astype(np.intp)), one.indptr[:-1])
        for one in (upward, downward)
    )
    return up, down


def ranges(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Return ``concatenate([arange(a, b) for a, b in zip(starts, stops)])``."""
    counts = stops - starts
    # what each range adds to the running number of its entries
    offsets = np.repeat(stops - np.cumsum(counts), counts)
    return offsets + np.arange(counts.sum())


ROWS_PER_BLOCK = 1024
CELLS_PER_BLOCK = 2**22  # of sparse labels, made dense at a time
TILE = 128  # columns that stay in a cache


def copy_rows(target: np.ndarray, values: np.ndarray) -> None:
    """Write ``values`` (n_rows, ...) into an array in C order.

    An array in F order is copied piece by piece: numpy's own copy takes many times as
    long for some lengths (powers of two), because the columns of such an array share
    few places in the processor's cache.
    """
    if values.ndim != 2 or not values.flags.f_contiguous:
        target[:] = values
        return
    for start in range(0, values.shape[1], TILE):
        target[:, start : start + TILE] = values[:, start : start + TILE]


def transposed(values: np.ndarray) -> np.ndarray:
    """Return a copy of the transpose, in C order."""
    result = np.empty(values.shape[::-1], values.dtype)
    copy_rows(result, values.T)
    return result


def over_sources(
    values: np.ndarray, sources: np.ndarray, reduce: np.ufunc
) -> np.ndarray:
    """Return the highest or lowest value of the sources of every target of a step.

    Parameters
    ----------
    values : ndarray of shape (n_labels, n_samples)
    sources : ndarray of int of shape (n_targets, fan)
        Of a step of a plan.
    reduce : ufunc
        ``np.maximum``, ``np.minimum`` or ``np.logical_or``.

    Returns
    -------
    ndarray of shape (n_targets, n_samples)
        A new array.
    """
    # First sources first: numpy then goes over many targets in one loop, and not over
    # the samples of each, which takes four times as long for a few samples.
    gathered = values.take(sources.T, axis=0)
    if len(gathered) == 1:
        return gathered[0]  # nothing to reduce, and no copy
    found: np.ndarray = reduce.reduce(gathered, axis=0)
    return found


def sweep(values: np.ndarray, plan: Iterable[PlanStep], reduce: np.ufunc) -> np.ndarray:
    """Update rows of ``values`` (n_labels, n_samples) in place along a plan.

    The order of the steps carries values over any number of levels: what is a target
    of one step is a source of later ones only.
    """
    for targets, sources in plan:
        best = over_sources(values, sources, reduce)
        values[targets] = reduce(values.take(targets, axis=0), best, out=best)
    return values


def sweep_few(values: np.ndarray, gather: Gather, reduce: np.ufunc) -> np.ndarray:
    """Return what :func:`sweep` makes of ``values`` (n_labels, n_samples), a new array.

    All that may reach a label is gathered at once. For a row or two the steps of a plan
    take ten times as long, however short they are.
    """
    reached = values.take(gather.positions, axis=0)
    found: np.ndarray = reduce.reduceat(reached, gather.starts, axis=0)
    return found


def check_width(Y: Any, hierarchy: Any) -> None:
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

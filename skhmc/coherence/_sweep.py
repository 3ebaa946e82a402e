"""Sweeps over the levels of a hierarchy."""

import numpy as np

__all__ = [
    "CELLS_PER_BLOCK",
    "ROWS_PER_BLOCK",
    "check_width",
    "copy_rows",
    "sweep",
    "transposed",
]

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

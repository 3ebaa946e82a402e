"""The coherent scores closest to given ones, on a tree."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._utils.levels import ROWS_PER_BLOCK
from skhmc.coherence._scores import (
    apply_by_label,
    as_finite_floats,
    raise_to_descendants,
)
from skhmc.hierarchy import Hierarchy

__all__ = ["check_tree", "fit_isotonic", "isotonic_constraint"]

# Halvings of a bracket, so that what is left of it is below the last bit of a float64.
N_BISECTIONS = 52


def check_tree(hierarchy: Hierarchy) -> None:
    """Raise when a label has several parents, which isotonic coherence cannot have.

    Parameters
    ----------
    hierarchy : Hierarchy
    """
    if not hierarchy.is_tree:
        several = np.flatnonzero(np.diff(hierarchy.parents.indptr) > 1)[0]
        name = hierarchy.labels[several]
        raise ValueError(
            f"Isotonic coherence needs a tree, but label {name!r} has the parents "
            f"{hierarchy.parents_of(name)}. Use the max constraint on a DAG."
        )


def isotonic_constraint(scores: ArrayLike, hierarchy: Hierarchy) -> np.ndarray:
    r"""Return the coherent scores closest to ``scores`` in least squares, on a tree.

    Every label's value is bracketed by bisection. With a threshold t per label, the
    labels above it are the upward-closed set of greatest :math:`\sum (s - t)` within
    their bracket, which two sweeps over the levels find for all samples at once.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Finite scores.
    hierarchy : Hierarchy
        A tree or forest; its labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        The isotonic regression of ``scores``, to about the precision of its dtype.

    Raises
    ------
    ValueError
        When the hierarchy is a DAG: there, no fast exact method is known.

    References
    ----------
    Hochbaum and Queyranne, "Minimizing a convex cost closure set", SIAM Journal on
    Discrete Mathematics, 2003.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> isotonic_constraint(np.array([[0.2, 0.6]]), Hierarchy.from_edges([(0, 1)]))
    array([[0.4, 0.4]])
    """
    return apply_by_label(fit_isotonic, scores, hierarchy)


def fit_isotonic(values: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Do what :func:`isotonic_constraint` does with values (n_labels, n_samples)."""
    check_tree(hierarchy)
    values = as_finite_floats(values, hierarchy)
    dtype = values.dtype
    n_samples = values.shape[1]
    blocks = np.split(
        values.astype(np.float64), range(ROWS_PER_BLOCK, n_samples, ROWS_PER_BLOCK), 1
    )
    fitted = np.concatenate([_fit_block(block, hierarchy) for block in blocks], axis=1)
    # rounding may put a child above its parent by the last bit
    return raise_to_descendants(fitted.astype(dtype), hierarchy)


def _fit_block(s: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Bisect the isotonic regression of ``s`` (n_labels, n_samples)."""
    n_labels = len(s)
    parent = np.full(n_labels, -1)
    parent[hierarchy.edges[:, 1]] = hierarchy.edges[:, 0]
    # of every level but the roots: its labels, their parents, and a matrix that adds
    # what the labels have to their parents
    steps = []
    for child in hierarchy.levels[1:]:
        above = parent[child]
        cells = (np.ones(len(child)), (above, np.arange(len(child))))
        steps.append((child, above, sp.csr_matrix(cells, (n_labels, len(child)))))
    low = np.tile(np.min(s, axis=0), (n_labels, 1))
    high = np.tile(np.max(s, axis=0), (n_labels, 1))
    for _ in range(N_BISECTIONS):
        middle = (low + high) / 2
        gain = s - middle
        # A label adds to its parent what the labels at and below it would gain, where
        # that is more than nothing and both are still in one bracket.
        for child, above, add in reversed(steps):
            together = low[child] == low[above]
            gain += add @ np.where(together, np.maximum(gain[child], 0), 0)
        upper = gain > 0
        for child, above, _ in steps:
            upper[child] &= upper[above] | (low[child] != low[above])
        low = np.where(upper, middle, low)
        high = np.where(upper, high, middle)
    return _pool_means(s, low, steps)


def _pool_means(s: np.ndarray, low: np.ndarray, steps: list) -> np.ndarray:
    """Return the mean of every pool: labels that are linked and share a bracket.

    It is taken above the bracket's foot ``low``, where equal scores have it without
    rounding.
    """
    total = s - low
    size = np.ones_like(s)
    for child, above, add in reversed(steps):
        pooled = low[child] == low[above]
        total += add @ np.where(pooled, total[child], 0)
        size += add @ np.where(pooled, size[child], 0)
    fitted = low + total / size
    for child, above, _ in steps:
        pooled = low[child] == low[above]
        fitted[child] = np.where(pooled, fitted[above], fitted[child])
    return fitted

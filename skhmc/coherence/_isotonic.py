"""The coherent scores closest to given ones, on a tree."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._utils.levels import ROWS_PER_BLOCK, check_width
from skhmc.coherence._scores import max_constraint
from skhmc.hierarchy import Hierarchy

__all__ = ["check_tree", "isotonic_constraint"]


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
    scores = np.asarray(scores)
    check_width(scores, hierarchy)
    check_tree(hierarchy)
    dtype = scores.dtype if scores.dtype.kind == "f" else np.float64
    blocks = np.split(
        scores.T.astype(np.float64),
        range(ROWS_PER_BLOCK, len(scores), ROWS_PER_BLOCK),
        axis=1,
    )
    blocks = [_isotonic_block(block, hierarchy) for block in blocks]
    fitted = np.concatenate(blocks, axis=1).T.astype(dtype)
    return max_constraint(fitted, hierarchy)  # what rounding broke


def _isotonic_block(s: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Bisect the isotonic regression of ``s`` (n_labels, n_samples)."""
    parent = np.full(len(s), -1)
    parent[hierarchy.edges[:, 1]] = hierarchy.edges[:, 0]
    child_levels = [(level, parent[level]) for level in hierarchy.levels[1:]]
    sums = [
        sp.csr_matrix((np.ones(len(c)), (p, np.arange(len(c)))), (len(s), len(c)))
        for c, p in child_levels
    ]
    low, high = (np.tile(f(s, axis=0), (len(s), 1)) for f in (np.min, np.max))
    for _ in range(52):
        middle = (low + high) / 2
        gain = s - middle
        for (child, above), add in zip(child_levels[::-1], sums[::-1], strict=True):
            together = low[child] == low[above]
            gain += add @ np.where(together, np.maximum(gain[child], 0), 0)
        upper = gain > 0
        for child, above in child_levels:
            upper[child] &= upper[above] | (low[child] != low[above])
        low, high = np.where(upper, middle, low), np.where(upper, high, middle)
    # labels that share a bracket form a pool, whose value is its mean (taken above the
    # bracket's foot, where equal scores have it without rounding)
    pools = [low[child] == low[above] for child, above in child_levels]
    total, size = s - low, np.ones_like(s)
    steps = list(zip(child_levels, sums, pools, strict=True))
    for (child, _), add, pooled in steps[::-1]:
        total += add @ np.where(pooled, total[child], 0)
        size += add @ np.where(pooled, size[child], 0)
    fitted = low + total / size
    for (child, above), _, pooled in steps:
        fitted[child] = np.where(pooled, fitted[above], fitted[child])
    return fitted

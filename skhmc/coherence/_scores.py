"""Scores: what makes them coherent, and where they break edges."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._utils.levels import ROWS_PER_BLOCK, check_width, sweep, transposed
from skhmc.hierarchy import Hierarchy

__all__ = [
    "average_constraint",
    "max_constraint",
    "min_constraint",
    "product_constraint",
    "score_violations",
]


def max_constraint(scores: ArrayLike, hierarchy: Hierarchy) -> np.ndarray:
    r"""Raise every label's score to the highest score among its descendants.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Any scores: probabilities, logits, negative values, -inf.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        :math:`s'_a = \max(s_a, \max_{b \in desc(a)} s_b)`: the least scores that are
        coherent and nowhere lower than ``scores``.

    References
    ----------
    Giunchiglia and Lukasiewicz, "Coherent Hierarchical Multi-Label Classification
    Networks", NeurIPS 2020.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> max_constraint(np.array([[0.2, 0.7]]), Hierarchy.from_edges([(0, 1)]))
    array([[0.7, 0.7]])
    """
    scores = np.asarray(scores)
    check_width(scores, hierarchy)
    values = sweep(transposed(scores), hierarchy.upward_plan, np.maximum)
    return transposed(values)


def min_constraint(scores: ArrayLike, hierarchy: Hierarchy) -> np.ndarray:
    r"""Lower every label's score to the lowest score among its ancestors.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Any scores: probabilities, logits, negative values, -inf.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        :math:`s'_a = \min(s_a, \min_{b \in anc(a)} s_b)`: the greatest scores that are
        coherent and nowhere higher than ``scores``.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> min_constraint(np.array([[0.2, 0.7]]), Hierarchy.from_edges([(0, 1)]))
    array([[0.2, 0.2]])
    """
    scores = np.asarray(scores)
    check_width(scores, hierarchy)
    values = sweep(transposed(scores), hierarchy.downward_plan, np.minimum)
    return transposed(values)


def average_constraint(scores: ArrayLike, hierarchy: Hierarchy) -> np.ndarray:
    r"""Return the mean of :func:`max_constraint` and :func:`min_constraint`.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Finite scores.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        Coherent scores: a child that is above its parent meets it halfway.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> average_constraint(np.array([[0.25, 0.75]]), Hierarchy.from_edges([(0, 1)]))
    array([[0.5, 0.5]])
    """
    return (max_constraint(scores, hierarchy) + min_constraint(scores, hierarchy)) / 2


def product_constraint(scores: ArrayLike, hierarchy: Hierarchy) -> np.ndarray:
    r"""Multiply the conditional probabilities that scores imply down the hierarchy.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Probabilities, or other scores of at least 0.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        Coherent scores, nowhere higher than those of :func:`min_constraint`.

    Raises
    ------
    ValueError
        When a score is negative.

    Notes
    -----
    Two scores imply the conditional probability :math:`s_c / s_p` of a child c given
    its parent p; where the child is above its parent, it can be 1 at most. From the
    roots down, which keep their scores,

    .. math:: s'_c = \min_{p \in pa(c)} s'_p \, \frac{s_c}{\max(s_p, s_c)}.

    In a tree a label's score is thus the product of the conditional probabilities above
    it. Unlike the product of the scores themselves, this leaves coherent scores alone.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> chain = Hierarchy.from_edges([(0, 1), (1, 2)])
    >>> product_constraint(np.array([[0.25, 0.5, 0.25]]), chain)  # P(2 | 1) = 1/2
    array([[0.25 , 0.25 , 0.125]])
    """
    scores = np.asarray(scores)
    check_width(scores, hierarchy)
    if (scores < 0).any():
        raise ValueError(
            f"The product needs probabilities, got the score {scores.min()}. Turn "
            f"logits into probabilities first, or use another constraint."
        )
    dtype = scores.dtype if scores.dtype.kind == "f" else np.float64
    given = transposed(scores.astype(dtype, copy=False))
    values = given.copy()
    for targets, sources in hierarchy.downward_plan:
        child, parent = given[targets][:, None], values[sources]
        most = np.maximum(given[sources], child)
        share = np.divide(parent, most, out=np.zeros_like(parent), where=most > 0)
        # in this order coherent scores stay as they are, to the last bit
        values[targets] = np.minimum(share * child, parent).min(axis=1)
    return transposed(values)


def score_violations(
    scores: ArrayLike, hierarchy: Hierarchy, tol: float = 0.0
) -> sp.csr_matrix:
    """Mark the edges whose child scores above its parent by more than ``tol``.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Any scores.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of ``scores``.
    tol : float, default=0.0
        Excess, in the unit of the scores, that still counts as coherent.

    Returns
    -------
    csr_matrix of shape (n_samples, n_edges), bool
        Columns follow ``hierarchy.edges``.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> edge = Hierarchy.from_edges([(0, 1)])
    >>> score_violations(np.array([[0.2, 0.6]]), edge).toarray()
    array([[ True]])
    """
    scores = np.asarray(scores)
    check_width(scores, hierarchy)
    parent, child = hierarchy.edges.T
    blocks = []
    for start in range(0, max(len(scores), 1), ROWS_PER_BLOCK):
        part = scores[start : start + ROWS_PER_BLOCK]
        blocks.append(sp.csr_matrix(part[:, child] > part[:, parent] + tol))
    return sp.vstack(blocks, format="csr")

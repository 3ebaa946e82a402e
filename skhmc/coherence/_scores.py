"""Scores: what makes them coherent, and where they break edges.

Every constraint has two forms. The public one takes scores (n_samples, n_labels). The
other one, which the table of rules holds, works on values (n_labels, n_samples) in C
order: a label's scores lie side by side there, so that a sweep over the levels reads
and writes whole rows. It may overwrite what it is given.
"""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._utils.levels import (
    FEW_SAMPLES,
    ROWS_PER_BLOCK,
    check_width,
    sweep,
    sweep_few,
    transposed,
)
from skhmc.hierarchy import Hierarchy

__all__ = [
    "apply_by_label",
    "as_finite_floats",
    "average_constraint",
    "average_of_both",
    "lower_to_ancestors",
    "max_constraint",
    "min_constraint",
    "multiply_conditionals",
    "product_constraint",
    "raise_to_descendants",
    "read_scores",
    "score_violations",
]


def apply_by_label(
    constrain: Callable[[np.ndarray, Hierarchy], np.ndarray],
    scores: ArrayLike,
    hierarchy: Hierarchy,
) -> np.ndarray:
    """Return scores (n_samples, n_labels) changed by a function of values by label.

    Parameters
    ----------
    constrain : callable
        Function of values (n_labels, n_samples), which it may overwrite, and of the
        hierarchy; returns the changed values.
    scores : array-like of shape (n_samples, n_labels)
        Scores, which stay as they are.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
    """
    scores = read_scores(scores, hierarchy)
    return transposed(constrain(transposed(scores), hierarchy))


def read_scores(scores: ArrayLike, hierarchy: Hierarchy) -> np.ndarray:
    """Return scores (n_samples, n_labels) as numbers; NaN is an error.

    Their dtype stays what it is, but that of objects becomes float64.
    """
    scores = np.asarray(scores)
    if scores.dtype == object:
        with suppress(TypeError, ValueError):
            scores = scores.astype(np.float64)
    if scores.dtype.kind not in "biuf":
        raise ValueError(
            f"Expected scores to be numbers, got dtype {scores.dtype}. Pass an array "
            f"of probabilities or logits of shape (n_samples, n_labels)."
        )
    check_width(scores, hierarchy)
    if scores.dtype.kind == "f" and np.isnan(scores).any():
        row, column = np.argwhere(np.isnan(scores))[0].tolist()
        raise ValueError(
            f"Expected scores to be numbers, got NaN for label "
            f"{hierarchy.labels[column]!r} in row {row}. Unknown scores cannot be "
            f"coherent; fill them, or drop the row."
        )
    return scores


# -- on values by label ----------------------------------------------------------------


def raise_to_descendants(values: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Do what :func:`max_constraint` does, in place but for few samples."""
    if values.shape[1] <= FEW_SAMPLES and hierarchy._short_sweeps:
        return sweep_few(values, hierarchy._short_sweeps[0], np.maximum)
    return sweep(values, hierarchy.upward_plan, np.maximum)


def lower_to_ancestors(values: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Do what :func:`min_constraint` does, in place but for few samples."""
    if values.shape[1] <= FEW_SAMPLES and hierarchy._short_sweeps:
        return sweep_few(values, hierarchy._short_sweeps[1], np.minimum)
    return sweep(values, hierarchy.downward_plan, np.minimum)


def average_of_both(values: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Do what :func:`average_constraint` does."""
    values = as_finite_floats(values, hierarchy)
    raised = raise_to_descendants(values.copy(), hierarchy)
    lowered = lower_to_ancestors(values, hierarchy)
    with np.errstate(over="ignore"):
        mean = (raised + lowered) / 2
    if np.isfinite(mean).all():
        return mean
    return np.where(np.isfinite(mean), mean, raised / 2 + lowered / 2)


def as_finite_floats(values: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Return values (n_labels, n_samples) as floats; infinite ones are an error.

    Integers and booleans become float64, in which sums do not wrap around.
    """
    if values.dtype.kind != "f":
        return values.astype(np.float64)
    if np.isinf(values).any():
        column, row = np.argwhere(np.isinf(values))[0].tolist()
        raise ValueError(
            f"A mean needs finite scores, got {values[column, row].item()!r} for label "
            f"{hierarchy.labels[column]!r} in row {row}. Turn logits into "
            f"probabilities first, or use the max or min constraint."
        )
    return values


def multiply_conditionals(values: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Do what :func:`product_constraint` does."""
    if (values < 0).any():
        raise ValueError(
            f"The product needs probabilities, got the score {values.min()}. Turn "
            f"logits into probabilities first, or use another constraint."
        )
    dtype = values.dtype if values.dtype.kind == "f" else np.float64
    given = values.astype(dtype, copy=False)
    result = given.copy()
    for targets, sources in hierarchy.downward_plan:
        child = given[targets][:, None]
        parent = result[sources]
        most = np.maximum(given[sources], child)
        share = np.divide(parent, most, out=np.zeros_like(parent), where=most > 0)
        # in this order coherent scores stay as they are, to the last bit
        result[targets] = np.minimum(share * child, parent).min(axis=1)
    return result


# -- on scores by sample ---------------------------------------------------------------


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
    return apply_by_label(raise_to_descendants, scores, hierarchy)


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
    return apply_by_label(lower_to_ancestors, scores, hierarchy)


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
    return apply_by_label(average_of_both, scores, hierarchy)


def product_constraint(scores: ArrayLike, hierarchy: Hierarchy) -> np.ndarray:
    r"""Multiply, from the roots down, the conditional probabilities in the scores.

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
    return apply_by_label(multiply_conditionals, scores, hierarchy)


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
    scores = read_scores(scores, hierarchy)
    parent, child = hierarchy.edges.T
    blocks = []
    for start in range(0, max(len(scores), 1), ROWS_PER_BLOCK):
        part = scores[start : start + ROWS_PER_BLOCK]
        blocks.append(sp.csr_matrix(part[:, child] > part[:, parent] + tol))
    return sp.vstack(blocks, format="csr")

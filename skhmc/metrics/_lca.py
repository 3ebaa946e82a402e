"""Precision and recall of labels up to their lowest common ancestors."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._data.align import align
from skhmc._utils.messages import name_list
from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy
from skhmc.metrics._hierarchical import label_sets
from skhmc.metrics._inputs import metric_weights

__all__ = ["lca_f1_score", "lca_precision_score", "lca_recall_score"]


def lca_f1_score(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""LCA-F1: F1 of the labels up to their lowest common ancestors.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges: a tree, or several.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The mean over samples, between 0 and 1 (best).

    Raises
    ------
    ValueError
        When a label has several parents, or shapes, values or names are wrong.

    See Also
    --------
    lca_precision_score : The share of predicted labels that are true.
    lca_recall_score : The share of true labels that are predicted.
    hierarchical_f1_score : Counts all ancestors, however far above.

    Notes
    -----
    T and P are the true and predicted sets with all ancestors, and :math:`K = T \cap
    P`. C is the set of lowest common ancestors: the first label of K on the way up from
    each most specific label of T and of P. Where two have none, a node above all roots
    is in C. With :math:`T' = (T \setminus P) \cup C` and :math:`P' = (P \setminus T)
    \cup C`,

    .. math::
        P_{LCA} = \frac{|C|}{|P'|}, \qquad R_{LCA} = \frac{|C|}{|T'|}, \qquad
        F_{LCA} = \frac{2 |C|}{|P'| + |T'|},

    each averaged over samples; 0 where a set is empty. So what all share far above does
    not count, as it does in hierarchical F1.

    With one most specific label per sample this is the measure of the paper. With
    several, the paper joins labels and common ancestors by graphs that are as small as
    possible; here common labels that are no lowest common ancestor never count. In a
    DAG a label may have many lowest common ancestors: an error.

    References
    ----------
    Kosmopoulos, Partalas, Gaussier, Paliouras and Androutsopoulos, "Evaluation measures
    for hierarchical classification: a unified view and novel approaches", arXiv
    1306.6802, 2013.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import lca_f1_score
    >>> animals = Hierarchy.from_paths(["mammal/cat/tabby", "mammal/dog", "bird"])
    >>> lca_f1_score([["mammal/cat/tabby"]], [["mammal/dog"]], animals)
    0.4

    The lowest common ancestor is mammal: T' is tabby, cat and mammal, P' dog and
    mammal. The precision is 1/2, the recall 1/3.
    """
    precision, recall, weights = _of_samples(y_true, y_pred, hierarchy, sample_weight)
    return _mean(_harmonic(precision, recall), weights)


def lca_precision_score(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""LCA-precision: true among predicted labels, up to common ancestors.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges: a tree, or several.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The mean over samples, between 0 and 1 (best).

    Raises
    ------
    ValueError
        When a label has several parents, or shapes, values or names are wrong.

    See Also
    --------
    lca_f1_score : The definition, with the reference.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import lca_precision_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> lca_precision_score([["cat"]], [["dog"]], animals)
    0.5
    """
    precision, recall, weights = _of_samples(y_true, y_pred, hierarchy, sample_weight)
    return _mean(precision, weights)


def lca_recall_score(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""LCA-recall: predicted among true labels, up to common ancestors.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges: a tree, or several.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The mean over samples, between 0 and 1 (best).

    Raises
    ------
    ValueError
        When a label has several parents, or shapes, values or names are wrong.

    See Also
    --------
    lca_f1_score : The definition, with the reference.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import lca_recall_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> lca_recall_score([["cat"]], [["mammal"]], animals)
    0.5
    """
    precision, recall, weights = _of_samples(y_true, y_pred, hierarchy, sample_weight)
    return _mean(recall, weights)


def _of_samples(
    y_true: Any, y_pred: Any, hierarchy: Any, sample_weight: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the precision and the recall of every sample, and the sample weights."""
    built: Hierarchy
    built, y_true, y_pred = align(hierarchy, y_true=y_true, y_pred=y_pred)
    several = np.flatnonzero(np.diff(built.parents.indptr) > 1)
    if len(several):
        raise ValueError(
            f"Expected a tree, got labels with several parents: "
            f"{name_list(built.labels[k] for k in several)}. Use hierarchical_f1_score "
            f"for a DAG."
        )
    true, predicted, _ = label_sets(y_true, y_pred, built, None, True)
    common = true.multiply(predicted).tocsr()
    missed = (true > predicted).tocsr()
    wrong = (predicted > true).tocsr()
    # met first on the way up: from a label itself, or from a child that is not common
    first = _specific(true, built) + _specific(predicted, built)
    # a label whose truth is unknown does not count, but is passed on the way
    off = _cells(_cells(close_upward(missed + wrong, built)) > _cells(common))
    first = first + _cells(off @ built.parents)
    n_first = np.asarray(_cells(first).multiply(common).sum(axis=1)).ravel()
    root = np.zeros(built.n_labels)
    root[built.roots] = 1
    n_first = n_first + (off @ root > 0)
    n_first[(true.getnnz(axis=1) == 0) | (predicted.getnnz(axis=1) == 0)] = 0
    precision = _share(n_first, n_first + wrong.getnnz(axis=1))
    recall = _share(n_first, n_first + missed.getnnz(axis=1))
    return precision, recall, metric_weights(sample_weight, len(recall))


def _cells(matrix: sp.spmatrix) -> sp.csr_matrix:
    """Return the cells that are not 0 as 1, so that sums count them once."""
    matrix = sp.csr_matrix(matrix, dtype=bool)
    matrix.eliminate_zeros()
    return matrix.astype(np.int32)


def _specific(sets: sp.csr_matrix, hierarchy: Hierarchy) -> sp.csr_matrix:
    """Return the labels of closed sets that have no child in them."""
    return _cells(_cells(sets) > _cells(_cells(sets) @ hierarchy.parents))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    out = np.zeros(len(part))
    return np.divide(part, whole, out=out, where=whole > 0)


def _harmonic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _share(2 * a * b, a + b)


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    total = weights.sum()
    return float(weights @ values / total) if total else float("nan")

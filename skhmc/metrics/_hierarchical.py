"""Hierarchical precision, recall and F-measures."""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._data.align import align
from skhmc._data.flat_names import judge_flat
from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy
from skhmc.metrics._inputs import (
    check_indicator,
    kept_labels,
    metric_weights,
    positives,
    truth,
)

__all__ = [
    "hierarchical_f1_score",
    "hierarchical_fbeta_score",
    "hierarchical_precision_score",
    "hierarchical_recall_score",
    "label_sets",
]

AVERAGES = ("micro", "samples", "macro")


def hierarchical_fbeta_score(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    beta: float,
    average: str = "micro",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
    zero_division: float = 0.0,
) -> float:
    r"""Hierarchical F-measure: F-beta of label sets that hold all their ancestors.

    A wrong label costs less the closer it is to the truth, because the two then share
    ancestors.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample. The columns of DataFrames are matched to the labels by
        name; other columns follow the DataFrame given beside them, else the hierarchy
        (integer labels number them).
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    beta : float
        Weight of recall against precision: 0 is precision, 1 the harmonic mean of both,
        ``float("inf")`` recall.
    average : {"micro", "samples", "macro"}, default="micro"
        Kind of average: "micro" pools all decisions, "samples" averages over samples
        and "macro" over labels. Samples and labels without any known cell are left out
        of the averages.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; they still pass labels up when the sets are closed.
        ``"roots"`` leaves out the labels of depth 0: do this when the hierarchy has an
        artificial root that every sample holds, which says nothing.
    close : bool, default=True
        Whether to add the ancestors to true and predicted sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.
    zero_division : float, default=0.0
        The value of a ratio 0 / 0: 0, 1 or NaN (left out of averages).

    Returns
    -------
    float
        The score, between 0 and 1 (best).

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    See Also
    --------
    hierarchical_precision_score : The share of predicted labels that are true.
    hierarchical_recall_score : The share of true labels that are predicted.
    hierarchical_f1_score : The harmonic mean of both.

    Notes
    -----
    With P and T the predicted and the true labels of sample i and their ancestors,

    .. math::
        hP = \frac{\sum_i |P_i \cap T_i|}{\sum_i |P_i|}, \quad
        hR = \frac{\sum_i |P_i \cap T_i|}{\sum_i |T_i|}, \quad
        hF_\beta = \frac{(1 + \beta^2) hP \, hR}{\beta^2 hP + hR}.

    The paper counts no root, because its root is artificial; here the labels of depth
    0 count by default, because in a forest they carry information.

    References
    ----------
    Kiritchenko, Matwin, Nock and Famili, "Learning and evaluation in the presence of
    class hierarchies: application to text categorization", Canadian AI, 2006.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import hierarchical_fbeta_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> score = hierarchical_fbeta_score([[0, 1, 0]], [[0, 0, 1]], animals, beta=2)
    >>> score  # both are mammals
    0.5
    """
    if average not in AVERAGES:
        raise ValueError(f"average must be one of {AVERAGES}, got {average!r}.")
    if not isinstance(beta, numbers.Real) or not beta >= 0:
        raise ValueError(f"beta must be a number that is not negative, got {beta!r}.")
    if not (zero_division in (0, 1) or np.isnan(zero_division)):
        raise ValueError(f"zero_division must be 0, 1 or NaN, got {zero_division!r}.")
    true, predicted, n_known = label_sets(y_true, y_pred, hierarchy, exclude, close)
    weights = metric_weights(sample_weight, true.shape[0])
    both = _sums(predicted.multiply(true), weights, average)
    n_true = _sums(true, weights, average)
    n_predicted = _sums(predicted, weights, average)
    if np.isinf(beta):
        part = both
        whole = n_true
    else:
        part = (1 + beta**2) * both
        whole = beta**2 * n_true + n_predicted
    ratio = np.full(np.shape(whole), float(zero_division))
    np.divide(part, whole, out=ratio, where=whole > 0)
    if average == "micro":
        return float(ratio)
    # labels were weighed by the samples in their sums already
    share = weights if average == "samples" else 1.0
    # what nothing is known of, and ratios that are to be left out, count nothing
    share = np.where((n_known[average] > 0) & ~np.isnan(ratio), share, 0.0)
    total = share.sum()
    if not total:
        return float(zero_division)
    return float(share @ np.nan_to_num(ratio) / total)


def label_sets(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    exclude: str | Iterable[Hashable] | None,
    close: bool,
) -> tuple[sp.csr_matrix, sp.csr_matrix, dict[str, np.ndarray]]:
    """Return true and predicted cells that count, and how many cells are known."""
    built: Hierarchy
    built, y_true, y_pred = align(hierarchy, y_true=y_true, y_pred=y_pred)
    if hierarchy is None:
        judge_flat(built)
    check_indicator(y_pred, "y_pred")
    keep = np.flatnonzero(kept_labels(built, exclude))
    true, unknown = truth(y_true, built, close)
    predicted = positives(y_pred)
    if close:
        predicted = positives(close_upward(predicted, built))
    true = true[:, keep]
    predicted = predicted[:, keep]
    unknown = unknown[:, keep]
    n_known = {
        "samples": len(keep) - np.diff(unknown.indptr),
        "macro": true.shape[0] - np.bincount(unknown.indices, minlength=len(keep)),
    }
    if unknown.nnz:  # what is predicted where the truth is unknown does not count
        predicted = predicted > unknown
    return true, predicted, n_known


def _sums(
    sets: sp.spmatrix, weights: np.ndarray, average: str
) -> np.ndarray | np.floating:
    """Return the sizes of label sets: one number, per sample, or per label."""
    sets = sets.tocsr().astype(np.float64)
    sets.eliminate_zeros()
    if average == "samples":
        return np.diff(sets.indptr).astype(np.float64)
    sums = sets.T @ weights
    return sums.sum() if average == "micro" else sums


def hierarchical_precision_score(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    average: str = "micro",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
    zero_division: float = 0.0,
) -> float:
    r"""Hierarchical precision: true among predicted labels, with all ancestors.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    average : {"micro", "samples", "macro"}, default="micro"
        Kind of average: "micro" pools all decisions, "samples" averages over samples
        and "macro" over labels.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; they still pass labels up when the sets are closed.
        ``"roots"`` leaves out the labels of depth 0.
    close : bool, default=True
        Whether to add the ancestors to true and predicted sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.
    zero_division : float, default=0.0
        The value of a ratio 0 / 0: 0, 1 or NaN (left out of averages).

    Returns
    -------
    float
        The score, between 0 and 1 (best).

    See Also
    --------
    hierarchical_fbeta_score : The formulas and the reference.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import hierarchical_precision_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> hierarchical_precision_score([[1, 0, 0]], [[0, 0, 1]], animals)
    0.5
    """
    return hierarchical_fbeta_score(
        y_true,
        y_pred,
        hierarchy,
        beta=0.0,
        average=average,
        exclude=exclude,
        close=close,
        sample_weight=sample_weight,
        zero_division=zero_division,
    )


def hierarchical_recall_score(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    average: str = "micro",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
    zero_division: float = 0.0,
) -> float:
    r"""Hierarchical recall: predicted among true labels, with all ancestors.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    average : {"micro", "samples", "macro"}, default="micro"
        Kind of average: "micro" pools all decisions, "samples" averages over samples
        and "macro" over labels.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; they still pass labels up when the sets are closed.
        ``"roots"`` leaves out the labels of depth 0.
    close : bool, default=True
        Whether to add the ancestors to true and predicted sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.
    zero_division : float, default=0.0
        The value of a ratio 0 / 0: 0, 1 or NaN (left out of averages).

    Returns
    -------
    float
        The score, between 0 and 1 (best).

    See Also
    --------
    hierarchical_fbeta_score : The formulas and the reference.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import hierarchical_recall_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> hierarchical_recall_score([[0, 1, 0]], [[1, 0, 0]], animals)
    0.5
    """
    return hierarchical_fbeta_score(
        y_true,
        y_pred,
        hierarchy,
        beta=float("inf"),
        average=average,
        exclude=exclude,
        close=close,
        sample_weight=sample_weight,
        zero_division=zero_division,
    )


def hierarchical_f1_score(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    average: str = "micro",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
    zero_division: float = 0.0,
) -> float:
    r"""Hierarchical F1: the harmonic mean of hierarchical precision and recall.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    average : {"micro", "samples", "macro"}, default="micro"
        Kind of average: "micro" pools all decisions, "samples" averages over samples
        and "macro" over labels.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; they still pass labels up when the sets are closed.
        ``"roots"`` leaves out the labels of depth 0.
    close : bool, default=True
        Whether to add the ancestors to true and predicted sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.
    zero_division : float, default=0.0
        The value of a ratio 0 / 0: 0, 1 or NaN (left out of averages).

    Returns
    -------
    float
        The score, between 0 and 1 (best).

    See Also
    --------
    hierarchical_fbeta_score : The formulas and the reference.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import hierarchical_f1_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> hierarchical_f1_score([[0, 1, 0]], [[0, 0, 1]], animals)
    0.5
    """
    return hierarchical_fbeta_score(
        y_true,
        y_pred,
        hierarchy,
        beta=1.0,
        average=average,
        exclude=exclude,
        close=close,
        sample_weight=sample_weight,
        zero_division=zero_division,
    )

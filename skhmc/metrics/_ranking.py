"""The area under the precision-recall curve."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from skhmc._data.align import align
from skhmc._utils.messages import name_list
from skhmc.metrics._inputs import check_scores, kept_labels, metric_weights, truth

__all__ = ["au_prc_score", "label_areas"]

AVERAGES = ("micro", "macro", "weighted", None)
CELLS_PER_BLOCK = 2**21


def au_prc_score(
    y_true: Any,
    y_score: Any,
    *,
    hierarchy: Any = None,
    average: str | None = "micro",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    r"""Area under the precision-recall curve, AU(PRC), of hierarchical scores.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample. The columns of DataFrames are matched to the labels by
        name; other columns follow the DataFrame given beside them, else the hierarchy
        (integer labels number them).
    y_score : array-like or DataFrame of shape (n_samples, n_labels)
        Scores: probabilities, logits, any numbers that rank.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: nothing is closed.
    average : {"micro", "macro", "weighted"} or None, default="micro"
        Kind of average: "micro" is the area under the one curve of all (sample, label)
        decisions, "macro" the mean of the areas of the labels, "weighted" their mean by
        numbers of positives. The last two skip labels without positives. None returns
        the area of every label that counts.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; without hierarchy and DataFrame, positions of
        columns. Leave out an artificial root that every sample holds.
    close : bool, default=True
        Whether to add the ancestors to the true sets first. Scores are taken as given.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float or ndarray of shape (n_counting,)
        The area, between 0 and 1 (best); NaN when nothing that counts is positive. With
        ``average=None`` one per label that is not excluded, in their order; NaN for
        labels without positives.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    Warns
    -----
    UndefinedMetricWarning
        When labels without positives are skipped (how many, and which), or when
        nothing that counts is positive.

    Notes
    -----
    Scikit-learn's average precision, a sum of steps:
    :math:`\sum_k (R_k - R_{k-1}) P_k` over the distinct scores, descending. The micro
    average is :math:`AU(\overline{PRC})` of the paper, the macro and weighted averages
    are :math:`\overline{AUPRC}` and :math:`\overline{AUPRC}_w`. Unlike scikit-learn,
    which gives them 0, labels without positives are skipped.

    References
    ----------
    Vens, Struyf, Schietgat, Dzeroski and Blockeel, "Decision trees for hierarchical
    multi-label classification", Machine Learning, 2008.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import au_prc_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true = [[1, 1, 0], [1, 0, 1]]
    >>> y_score = [[0.9, 0.8, 0.3], [0.7, 0.2, 0.6]]
    >>> au_prc_score(y_true, y_score, hierarchy=animals)
    1.0
    """
    if average not in AVERAGES:
        raise ValueError(f"average must be one of {AVERAGES}, got {average!r}.")
    hierarchy, y_true, y_score = align(hierarchy, y_true=y_true, y_score=y_score)
    scores = check_scores(y_score)
    keep = np.flatnonzero(kept_labels(hierarchy, exclude))
    hits, unknown = truth(y_true, hierarchy, close)
    hits = hits[:, keep]
    unknown = unknown[:, keep]
    if len(keep) < hierarchy.n_labels:
        scores = scores[:, keep]
    weights = None
    if sample_weight is not None:
        weights = metric_weights(sample_weight, len(scores))
        # a threshold at a sample without weight may retrieve nothing: 0 / 0
        use = weights > 0
        hits = hits[use]
        unknown = unknown[use]
        scores = scores[use]
        weights = weights[use]
    if not hits.nnz:
        warnings.warn(
            "No known cell of y_true is positive, so AU(PRC) is undefined: NaN.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
        return np.nan if average else np.full(len(keep), np.nan)
    if average == "micro":
        return _pooled(hits, unknown, scores, weights)
    areas, support = label_areas(hits.tocsc(), unknown.tocsc(), scores, weights)
    empty = support == 0
    if average is None:
        return np.where(empty, np.nan, areas)
    if empty.any():
        names = name_list(hierarchy.labels[j] for j in keep[empty])
        warnings.warn(
            f"{empty.sum()} of {len(keep)} labels have no positive in y_true and are "
            f"skipped in the {average} AU(PRC): {names}.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    share = support if average == "weighted" else ~empty
    return float(np.average(areas, weights=share))


def _pooled(
    hits: sp.csr_matrix,
    unknown: sp.csr_matrix,
    scores: np.ndarray,
    weights: np.ndarray | None,
) -> float:
    """Return the average precision of all known (sample, label) decisions."""
    row, column = hits.nonzero()
    hit_scores = scores[row, column]
    hit_weights = None
    if weights is not None:
        hit_weights = weights[row]
        weights = np.repeat(weights, scores.shape[1])
    if unknown.nnz:
        known = np.ones(scores.shape, dtype=bool)
        known[unknown.nonzero()] = False
        scores = scores[known]
        if weights is not None:
            weights = weights[known.ravel()]
    return _average_precision(hit_scores, hit_weights, scores.ravel(), weights)


def label_areas(
    hits: sp.csc_matrix,
    unknown: sp.csc_matrix,
    scores: np.ndarray,
    weights: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return every label's average precision (0 where undefined) and positives."""
    n_samples, n_labels = scores.shape
    areas = np.zeros(n_labels)
    support = np.zeros(n_labels)
    step = max(1, CELLS_PER_BLOCK // n_samples)
    for start in range(0, n_labels, step):
        block = np.ascontiguousarray(scores[:, start : start + step].T)
        for j, column in enumerate(block, start):
            on = hits.indices[hits.indptr[j] : hits.indptr[j + 1]]
            off = unknown.indices[unknown.indptr[j] : unknown.indptr[j + 1]]
            if not len(on):
                continue
            known = np.delete(column, off)
            if weights is None:
                support[j] = len(on)
                areas[j] = _average_precision(column[on], None, known, None)
            else:
                support[j] = weights[on].sum()
                rest = np.delete(weights, off)
                areas[j] = _average_precision(column[on], weights[on], known, rest)
    return areas, support


def _average_precision(
    hit_scores: np.ndarray,
    hit_weights: np.ndarray | None,
    scores: np.ndarray,
    weights: np.ndarray | None,
) -> float:
    """Return the average precision, from the positives' scores and all scores.

    Only thresholds at the score of a positive add to the recall, so that one sort of
    all scores and a search in it for these few are enough.
    """
    thresholds, step = np.unique(-hit_scores, return_inverse=True)  # best first
    gained = np.bincount(step.ravel(), hit_weights)
    found = np.cumsum(gained)
    order = -scores
    if weights is None:
        order.sort()
        retrieved = np.searchsorted(order, thresholds, side="right")
    else:
        by_score = np.argsort(order)
        last = np.searchsorted(order[by_score], thresholds, side="right") - 1
        retrieved = np.cumsum(weights[by_score])[last]
    return float((gained * found / retrieved).sum() / found[-1])

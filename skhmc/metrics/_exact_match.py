"""Exact match: the share of samples whose label set is right as a whole."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skhmc.metrics._hierarchical import label_sets
from skhmc.metrics._inputs import metric_weights

__all__ = ["exact_match_score"]


def exact_match_score(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Exact match: the share of samples whose labels are all right.

    It is also called subset accuracy. One wrong label is as bad as many.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; they still pass labels up when the sets are closed.
        ``"roots"`` leaves out the labels of depth 0.
    close : bool, default=True
        Whether to add the ancestors to true and predicted sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The score, between 0 and 1 (best). NaN if no label of any sample is known.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    See Also
    --------
    hierarchical_f1_score : Gives credit for a part of the labels.
    skhmc.HierarchicalThresholdClassifier : With ``strategy="set"`` it predicts the most
        probable label set.

    Notes
    -----
    With P and T the predicted and the true labels of sample i, with their ancestors,
    the score is :math:`\frac{1}{n} \sum_i [P_i = T_i]`. Only known labels are compared,
    and samples without a known label are left out.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import exact_match_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> exact_match_score([["cat"], ["dog"]], [["cat"], ["mammal"]], animals)
    0.5
    """
    true, predicted, n_known = label_sets(y_true, y_pred, hierarchy, exclude, close)
    weights = metric_weights(sample_weight, true.shape[0])
    weights = np.where(n_known["samples"] > 0, weights, 0.0)
    wrong = (true != predicted).getnnz(axis=1) > 0
    total = weights.sum()
    return float(weights @ ~wrong / total) if total else float("nan")

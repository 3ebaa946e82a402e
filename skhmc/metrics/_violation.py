"""The hierarchical violation rate."""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp

from skhmc._data.align import align
from skhmc.coherence import score_violations, violations
from skhmc.metrics._inputs import (
    check_indicator,
    check_scores,
    kept_labels,
    positives,
)

__all__ = ["hierarchical_violation_rate"]

UNITS = ("sample", "edge", "prediction")


def hierarchical_violation_rate(
    y_pred: Any,
    hierarchy: Any,
    *,
    unit: str = "sample",
    y_score: Any = None,
    tol: float = 0.0,
    exclude: str | Iterable[Hashable] | None = None,
) -> float:
    r"""Hierarchical violation rate (HVR): how often predictions break the hierarchy.

    An edge is violated in a sample if its child is predicted and its parent is not. A
    prediction that is closed upward scores 0, and so does an empty one. So show the
    rate beside a measure of quality such as :func:`au_prc_score`.

    Parameters
    ----------
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names, one per sample, taken as
        they are: an ancestor that is not named is not predicted. The columns of a
        DataFrame are matched to the labels by name; other columns follow the
        hierarchy, or are numbered by its integer labels. None with ``y_score``.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    unit : {"sample", "edge", "prediction"}, default="sample"
        Unit that is counted: samples with a violated edge, edges of samples, or the
        predicted labels (see Notes).
    y_score : array-like or DataFrame of shape (n_samples, n_labels), default=None
        Scores to judge in place of ``y_pred``: an edge is violated if its child scores
        above its parent by more than ``tol``.
    tol : float, default=0.0
        Excess, in the unit of the scores, that still counts as coherent.
    exclude : None, "roots" or iterable of label names, default=None
        Labels whose edges do not count, as child or as parent.

    Returns
    -------
    float
        The rate, between 0 (coherent) and 1; 0 when there is nothing to violate.

    Raises
    ------
    ValueError
        When the shapes, the values, ``unit``, ``tol`` or ``exclude`` are wrong, or when
        not exactly one of ``y_pred`` and ``y_score`` is given.

    See Also
    --------
    HierarchicalViolationRate : The scorer.

    Notes
    -----
    With n samples, edges E (parent -> child) and the violated pairs
    :math:`V = \{(i, (a, b)) : b \in P_i, a \notin P_i\}`:

    - ``"sample"``: the share of samples with at least one predicted label of which any
      parent is not predicted;
    - ``"edge"``: :math:`|V| / (n |E|)`;
    - ``"prediction"``: the predicted labels with a violated edge above them / the
      predicted labels that have a parent. With ``y_score`` every label of every sample
      counts as predicted.

    For predictions of one label per level, the first is 1 minus the share of samples
    in which every child-parent link holds.

    References
    ----------
    Jiang, Liu, Liu and Yu, "Hierarchy-Consistent Learning and Adaptive Loss Balancing
    for Hierarchical Multi-Label Classification", CIKM, 2025.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import hierarchical_violation_rate
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_pred = [[1, 1, 0], [0, 1, 0]]  # the second is a cat, but no mammal
    >>> hierarchical_violation_rate(y_pred, animals)
    0.5
    >>> hierarchical_violation_rate(y_pred, animals, unit="edge")
    0.25
    """
    if unit not in UNITS:
        raise ValueError(f"unit must be one of {UNITS}, got {unit!r}.")
    if (y_pred is None) == (y_score is None):
        got = "neither" if y_pred is None else "both"
        raise ValueError(
            f"Expected one of y_pred (labels) and y_score (scores), got {got}. To "
            f"judge scores, pass None as y_pred."
        )
    if not isinstance(tol, numbers.Real) or not tol >= 0:
        raise ValueError(f"tol must be a number that is not negative, got {tol!r}.")
    if y_score is None:
        hierarchy, labels = align(hierarchy, y_pred=y_pred)
        check_indicator(labels, "y_pred")
        predicted = positives(labels)
        broken = violations(labels, hierarchy)
    else:
        hierarchy, scores = align(hierarchy, y_score=y_score)
        scores = check_scores(scores)
        predicted = None  # every label of every sample
        broken = score_violations(scores, hierarchy, tol)
    keep = kept_labels(hierarchy, exclude)
    counted = keep[hierarchy.edges].all(axis=1)
    child = hierarchy.edges[counted, 1]
    return _rate(broken[:, counted], child, predicted, hierarchy.n_labels, unit)


def _rate(
    broken: sp.csr_matrix,
    child: np.ndarray,
    predicted: sp.csr_matrix | None,
    n_labels: int,
    unit: str,
) -> float:
    """Count the broken (sample, edge) pairs by unit; ``child`` ends every edge."""
    n_samples, n_edges = broken.shape
    if unit == "sample":
        violated = np.count_nonzero(np.diff(broken.indptr))
        total = n_samples
    elif unit == "edge":
        violated = broken.nnz
        total = n_samples * n_edges
    else:
        cells = (np.ones(n_edges, bool), (np.arange(n_edges), child))
        ends = sp.csr_matrix(cells, shape=(n_edges, n_labels))
        below = np.unique(child)
        # a label counts once, however many of its parents are missing
        violated = (broken @ ends).nnz
        if predicted is None:
            total = n_samples * len(below)
        else:
            total = predicted[:, below].nnz
    return float(violated / total) if total else 0.0

"""Measures of one label per level, by the names that papers on images use."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._data.align import align
from skhmc.hierarchy import Hierarchy
from skhmc.metrics._hierarchical import label_sets
from skhmc.metrics._inputs import check_indicator, metric_weights, positives, truth

__all__ = ["full_path_accuracy_score", "tree_inconsistency_error"]


def full_path_accuracy_score(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Full-path accuracy, FPA: the share of samples with all levels right.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The share, between 0 and 1 (best).

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    See Also
    --------
    exact_match_score : Adds the ancestors to what is predicted, too.
    tree_inconsistency_error : How often the levels contradict each other.

    Notes
    -----
    The true sets get their ancestors; predictions are taken as they are. A level that
    is not predicted is wrong. Only known labels are compared.

    References
    ----------
    Park, Zhang, Yu, Beery and Huang, "Visually consistent hierarchical image
    classification", ICLR, 2025.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import full_path_accuracy_score
    >>> animals = Hierarchy.from_paths(["mammal/cat", "bird/emu"])
    >>> y_true = [["mammal/cat"], ["bird/emu"]]
    >>> y_pred = [["mammal", "mammal/cat"], ["mammal", "bird/emu"]]
    >>> full_path_accuracy_score(y_true, y_pred, animals)
    0.5
    """
    built: Hierarchy
    built, y_true, y_pred = align(hierarchy, y_true=y_true, y_pred=y_pred)
    true, _, n_known = label_sets(y_true, y_pred, built, None, True)
    check_indicator(y_pred, "y_pred")
    predicted = positives(y_pred)
    different = sp.csr_matrix(true != predicted)
    if (n_known["samples"] < built.n_labels).any():
        _, unknown = truth(y_true, built, True)
        different = sp.csr_matrix(different > unknown)
    weights = metric_weights(sample_weight, true.shape[0])
    total = weights.sum()
    right = different.getnnz(axis=1) == 0
    return float(weights @ right / total) if total else float("nan")


def tree_inconsistency_error(
    y_pred: Any,
    hierarchy: Any,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Tree-based inconsistency error, TICE: predictions that are on no single path.

    Parameters
    ----------
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names, one label per level,
        taken as they are.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The share of samples, between 0 (best) and 1.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    See Also
    --------
    hierarchical_violation_rate : Allows several paths per sample.
    full_path_accuracy_score : How often all levels are right.

    Notes
    -----
    The labels of a sample are consistent if they are the labels of one path that begins
    at a root: each but the root is a child of the one before. In a DAG, where a label
    has several parents, one path is enough; the other parents must not be there. A
    sample without a label is consistent. So predicting nothing has no error: show it
    beside the full-path accuracy. Where samples have several paths, this measure says
    nothing.

    References
    ----------
    Park, Zhang, Yu, Beery and Huang, "Visually consistent hierarchical image
    classification", ICLR, 2025.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import tree_inconsistency_error
    >>> animals = Hierarchy.from_paths(["mammal/cat", "bird/emu"])
    >>> y_pred = [["mammal", "mammal/cat"], ["mammal", "bird/emu"]]
    >>> tree_inconsistency_error(y_pred, animals)
    0.5
    """
    built: Hierarchy
    built, y_pred = align(hierarchy, y_pred=y_pred)
    check_indicator(y_pred, "y_pred")
    predicted = positives(y_pred)
    broken = _off_one_path(predicted, built)
    weights = metric_weights(sample_weight, len(broken))
    total = weights.sum()
    return float(weights @ broken / total) if total else float("nan")


def _off_one_path(predicted: sp.csr_matrix, hierarchy: Hierarchy) -> np.ndarray:
    """Tell of every sample whether its labels are not those of one path from a root."""
    n_samples, n_labels = predicted.shape
    sample, label = predicted.nonzero()
    order = np.lexsort((hierarchy.depth[label], sample))
    sample, label = sample[order], label[order]
    first = np.diff(sample, prepend=-1) > 0
    is_root = np.zeros(n_labels, dtype=bool)
    is_root[hierarchy.roots] = True
    # parents are less deep than children, so that on a path each label follows its own
    parent, child = np.asarray(hierarchy.edges, dtype=np.int64).reshape(-1, 2).T
    before = np.append(0, label[:-1]) if len(label) else label
    follows = np.isin(
        before.astype(np.int64) * n_labels + label, parent * n_labels + child
    )
    good = np.where(first, is_root[label], follows)
    broken = np.zeros(n_samples, dtype=bool)
    broken[sample[~good]] = True
    return broken

"""How far predicted label sets are from the true ones, in the hierarchy."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._data.align import align
from skhmc._utils.levels import over_sources, sweep
from skhmc.hierarchy import Hierarchy
from skhmc.metrics._hierarchical import label_sets
from skhmc.metrics._inputs import kept_labels, metric_weights

__all__ = ["depth_weighted_hamming_loss", "h_loss", "tree_distance_loss"]

COSTS = ("siblings", "uniform")
CELLS_PER_BLOCK = 2**22


def h_loss(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    costs: str = "siblings",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""H-loss: the cost of the first mistake on every path from a root.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    costs : {"siblings", "uniform"}, default="siblings"
        Cost of a mistake at a label: "siblings" shares 1 among the roots and the cost
        of a parent among its children, "uniform" is 1 for every label.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; they still pass labels up when the sets are closed.
    close : bool, default=True
        Whether to add the ancestors to true and predicted sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The mean over samples, 0 at best. With "siblings" at most 1.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    See Also
    --------
    tree_distance_loss : Counts all mistakes, not the first ones only.

    Notes
    -----
    With the costs :math:`c_l` and the true and predicted sets T and P of sample i,

    .. math::
        \ell_H = \frac{1}{n} \sum_i \sum_l c_l \,
        [l \in T_i \mathbin{\triangle} P_i] \,
        [a \notin T_i \mathbin{\triangle} P_i \text{ for all ancestors } a
        \text{ of } l].

    The paper has trees. A label of several parents has the sum of the shares that they
    give it. Labels that are excluded have neither mistakes nor costs.

    References
    ----------
    Cesa-Bianchi, Gentile and Zaniboni, "Incremental algorithms for hierarchical
    classification", Journal of Machine Learning Research, 2006.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import h_loss
    >>> animals = Hierarchy.from_paths(["mammal/cat/tabby", "mammal/dog", "bird"])
    >>> h_loss([["mammal/cat/tabby"]], [["mammal/dog"]], animals)
    0.5

    A mammal costs 1/2, a cat and a dog 1/4 each. Cat and dog are wrong, below them
    nothing counts.
    """
    if costs not in COSTS:
        raise ValueError(f"costs must be one of {COSTS}, got {costs!r}.")
    wrong, built, keep = _mistakes(y_true, y_pred, hierarchy, exclude, close)
    cost = np.ones(built.n_labels)
    if costs == "siblings":
        cost = _shared_costs(built)
    loss = np.zeros(wrong.shape[0])
    step = max(1, CELLS_PER_BLOCK // built.n_labels)
    for start in range(0, len(loss), step):
        here = wrong[start : start + step].toarray().T  # a row per label
        below = np.zeros_like(here)
        reached = sweep(np.ascontiguousarray(here), built.downward_plan, np.logical_or)
        for targets, sources in built.downward_plan:
            below[targets] = over_sources(reached, sources, np.logical_or)
        loss[start : start + step] = cost @ (here & ~below)
    return _mean(loss, sample_weight)


def tree_distance_loss(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Tree-induced distance: edges between the true and the predicted label.

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
    close : bool, default=True
        Whether to add the ancestors to true and predicted sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The mean number of edges, 0 at best.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    See Also
    --------
    hierarchical_f1_score : The same labels as a share, between 0 and 1.

    Notes
    -----
    It is :math:`\frac{1}{n} \sum_i |T_i \mathbin{\triangle} P_i|` for the true and
    predicted sets with all ancestors. In a tree, with one path per sample, this is the
    number of edges between the two most specific labels, where roots are joined by a
    node above them. For sets of labels and in DAGs it is the size of the symmetric
    difference, which is no length of a path.

    References
    ----------
    Dekel, Keshet and Singer, "Large margin hierarchical classification", ICML, 2004.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import tree_distance_loss
    >>> animals = Hierarchy.from_paths(["mammal/cat/tabby", "mammal/dog", "bird"])
    >>> tree_distance_loss([["mammal/cat/tabby"]], [["mammal/dog"]], animals)
    3.0

    From tabby up to cat and mammal, and down to dog.
    """
    wrong, _, _ = _mistakes(y_true, y_pred, hierarchy, exclude, close)
    return _mean(wrong.getnnz(axis=1).astype(np.float64), sample_weight)


def depth_weighted_hamming_loss(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Hamming distance of label sets in which labels near the roots weigh more.

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
    close : bool, default=True
        Whether to add the ancestors to true and predicted sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The mean over samples, between 0 (best) and 1.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    See Also
    --------
    tree_distance_loss : The same with equal weights, as a number of labels.
    h_loss : Counts only the first mistake on a path.

    Notes
    -----
    With the weights :math:`w_l = D - d_l + 1`, where :math:`d_l` is the depth of label
    l and D the greatest depth, it is

    .. math::
        \frac{1}{n} \sum_i \frac{\sum_l w_l [l \in T_i \mathbin{\triangle} P_i]}
        {\sum_l w_l}.

    As most labels are in neither set, values are small; compare them with those of
    predicting nothing.

    From the paper is the distance of two label sets in which labels near the roots
    weigh more, divided by the weight of all labels. There it is no measure, but weighs
    the pairs of samples in a loss (:class:`skhmc.nn.HiLeCon`). The program that its
    authors published has three weights to choose from: these, :math:`e^{1 / d_l}` with
    roots of depth 1, and equal ones. We do not know which of them the paper's figures
    have. Not from the paper are the use as a measure of predictions, the mean over
    samples and their weights, ``exclude``, ``close``, and what is unknown.

    References
    ----------
    Yu, He, Gutiérrez-Basulto and Pan, "Instances and labels: hierarchy-aware joint
    supervised contrastive learning for hierarchical multi-label text classification",
    Findings of EMNLP, 2023.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import depth_weighted_hamming_loss
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> depth_weighted_hamming_loss([["cat"]], [["dog"]], animals)
    0.5

    The mammal weighs 2, and cat and dog 1 each, which are wrong: 2 of 4.
    """
    wrong, built, keep = _mistakes(y_true, y_pred, hierarchy, exclude, close)
    weight = (built.depth.max() - built.depth + 1.0) * keep
    return _mean(wrong @ weight / weight.sum(), sample_weight)


def _mistakes(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    exclude: str | Iterable[Hashable] | None,
    close: bool,
) -> tuple[sp.csr_matrix, Hierarchy, np.ndarray]:
    """Return the wrong cells that count, the hierarchy, and which labels count."""
    built: Hierarchy
    built, y_true, y_pred = align(hierarchy, y_true=y_true, y_pred=y_pred)
    true, predicted, _ = label_sets(y_true, y_pred, built, None, close)
    keep = kept_labels(built, exclude)
    wrong = sp.csr_matrix(true != predicted)
    wrong.data &= keep[wrong.indices]
    wrong.eliminate_zeros()
    return wrong, built, keep


def _shared_costs(hierarchy: Hierarchy) -> np.ndarray:
    """Return costs: 1 is shared among the roots, a parent's among its children."""
    cost = np.zeros(hierarchy.n_labels)
    cost[hierarchy.roots] = 1 / len(hierarchy.roots)
    share = 1 / np.maximum(np.diff(hierarchy.children.indptr), 1)
    for level in hierarchy.levels[1:]:
        cost[level] = hierarchy.parents[level] @ (cost * share)
    return cost


def _mean(loss: np.ndarray, sample_weight: ArrayLike | None) -> float:
    weights = metric_weights(sample_weight, len(loss))
    total = weights.sum()
    return float(weights @ loss / total) if total else float("nan")

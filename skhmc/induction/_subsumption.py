"""The count-only baseline."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from numpy.typing import ArrayLike

from skhmc._data.weights import read_row_weights
from skhmc.hierarchy import Hierarchy
from skhmc.induction._rates import rates_of_counts, rates_of_rows, read_labels
from skhmc.induction._rules import learn_dag, learn_tree

__all__ = ["subsumption_hierarchy"]


def subsumption_hierarchy(
    Y: Any,
    labels: Iterable[Hashable] | None = None,
    *,
    threshold: float = 0.8,
    rule: str = "tree",
    counts: Any = None,
    sample_weight: ArrayLike | None = None,
) -> Hierarchy:
    r"""Learn a hierarchy by counting: a parent subsumes its children.

    The baseline for whatever else learns a hierarchy: there are no parameters to train,
    and it takes seconds on thousands of labels.

    Parameters
    ----------
    Y : array-like or sparse matrix (n_samples, n_labels), label sets, or None
        Indicators 0 and 1; NaN is unknown. Or lists of label names, one per sample.
        None with ``counts``.
    labels : iterable, default=None
        Names of the labels, in the order of the columns; by default the columns of a
        DataFrame, the sorted names of label sets, else 0 ... n_labels - 1. The columns
        of a DataFrame with the same names are brought into this order.
    threshold : float, default=0.8
        Share of a label's rows that must have its parent too, above 0 and at most 1.
    rule : {"tree", "dag"}, default="tree"
        Kind of the result: in a tree a label has the rarest of its candidates for a
        parent, in a DAG all but those that are ancestors of others.
    counts : sparse matrix or ndarray of shape (n_labels, n_labels), default=None
        Counts as :func:`cooccurrence` returns them, in place of Y.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows of Y. None counts every row once.

    Returns
    -------
    Hierarchy
        Labels without candidate are roots, and so are labels without any positive.

    Raises
    ------
    ValueError
        When shapes, values or options are wrong, or when not exactly one of ``Y`` and
        ``counts`` is given.

    See Also
    --------
    skhmc.metrics.hierarchy_recovery_report : Compares it with the true hierarchy.

    Notes
    -----
    k is a candidate to be the parent of l when

    .. math::
        P(k \mid l) \ge t \quad \text{and} \quad P(k \mid l) > P(l \mid k).

    Where all labels are known, the second condition says that k is more frequent, and
    so it is read where some are unknown. The publication has t = 0.8 and
    :math:`P(l \mid k) < 1`. Labels that stand in the same rows are never each other's
    parents: nothing in the counts says which of them is the more general.

    References
    ----------
    Sanderson and Croft, "Deriving concept hierarchies from text", SIGIR, 1999.

    Examples
    --------
    >>> from skhmc.induction import subsumption_hierarchy
    >>> Y = [[1, 1, 0], [1, 0, 1], [1, 0, 0]]
    >>> tree = subsumption_hierarchy(Y, ["animal", "cat", "bird"])
    >>> tree.children_of("animal")
    ['cat', 'bird']
    """
    if rule not in ("tree", "dag"):
        raise ValueError(f"rule must be 'tree' or 'dag', got {rule!r}.")
    if (Y is None) == (counts is None):
        got = "neither" if Y is None else "both"
        raise ValueError(f"Expected one of Y and counts, got {got}.")
    if Y is None and sample_weight is not None:
        raise ValueError("sample_weight goes with Y; give cooccurrence the weights.")
    if counts is not None:
        rates = rates_of_counts(counts)
    else:
        read, labels = read_labels(Y, labels)
        weight = read_row_weights(sample_weight, read.shape[0])
        rates = rates_of_rows(read, weight)
    learn = learn_tree if rule == "tree" else learn_dag
    return learn(rates, labels, threshold=threshold)

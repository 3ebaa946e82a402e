"""closure_report: how annotations contradict the edges of a hierarchy."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from skhmc._data.align import align
from skhmc._data.tables import as_table, sample_names
from skhmc.audit._detector import check_number
from skhmc.metrics import check_indicator

__all__ = ["closure_report"]


def closure_report(y: Any, hierarchy: Any, *, max_samples: int = 10) -> Any:
    """Tell which edges of the hierarchy annotations break, and in which samples.

    An edge is broken by a sample that has the child and not the parent. Annotations
    that hold most specific labels only break nearly all edges, and mean no harm:
    :func:`skhmc.coherence.close_upward` adds what is missing. A few broken edges in
    annotations that are closed otherwise are errors, of an annotation or of the
    hierarchy. An edge that most samples with the child break is perhaps the wrong way
    round, or should not be there.

    Parameters
    ----------
    y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), or list \
            of label sets
        Annotations 0 and 1 as they are. NaN is unknown, and breaks nothing.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes
        The labels and edges.
    max_samples : int, default=10
        Largest number of samples that are named for an edge.

    Returns
    -------
    DataFrame, or dict of lists where no library for tables is installed
        A row per broken edge, the most broken first: ``parent``, ``child``;
        ``n_broken``, the number of samples; ``share``, of those that have the child
        and of which it is known if they have the parent; ``samples``, a tuple of the
        first ones, as positions or as names in the index of ``y``.

    Raises
    ------
    ValueError
        When shapes, values or names are wrong.

    See Also
    --------
    skhmc.metrics.hierarchical_violation_rate : One number, of predictions.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.audit import closure_report
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y = [[1, 1, 0], [0, 1, 0], [1, 0, 1]]  # mammal, cat, dog
    >>> table = closure_report(y, animals)
    >>> table["child"][0], int(table["n_broken"][0]), float(table["share"][0])
    ('cat', 1, 0.5)
    >>> table["samples"][0]
    (1,)
    """
    max_samples = check_number(max_samples, "max_samples")
    built, Y = align(hierarchy, y_true=y)
    check_indicator(Y, "y", allow_nan=True)
    positive, unknown = _known(Y)
    parent, child = built.edges.T
    has_child = positive[:, child]
    harmless = (positive + unknown)[:, parent]
    broken = sp.csc_matrix(has_child - has_child.multiply(harmless))
    broken.eliminate_zeros()
    n_broken = np.diff(broken.indptr)
    n_both = np.asarray(has_child.multiply(positive[:, parent]).sum(axis=0)).ravel()
    found = np.flatnonzero(n_broken)
    found = found[np.argsort(-n_broken[found], kind="stable")]
    samples = []
    for edge in found:
        rows = broken.indices[broken.indptr[edge] : broken.indptr[edge + 1]]
        rows = np.sort(rows)[:max_samples]
        samples.append(tuple(np.asarray(sample_names(y, rows)).tolist()))
    return as_table(
        {
            "parent": [built.labels[k] for k in parent[found]],
            "child": [built.labels[k] for k in child[found]],
            "n_broken": n_broken[found],
            "share": n_broken[found] / (n_broken + n_both)[found],
            "samples": samples,
        },
        y,
    )


def _known(Y):
    """Return the cells that are 1, and those that are NaN, as matrices of 0 and 1."""
    if not sp.issparse(Y):
        ones, unknown = Y == 1, np.isnan(np.asarray(Y, dtype=np.float64))
        return sp.csc_matrix(ones, dtype=np.int8), sp.csc_matrix(unknown, dtype=np.int8)
    cells = sp.csc_matrix(Y, dtype=np.float64, copy=True)
    unknown = cells.copy()
    unknown.data = np.isnan(unknown.data).astype(np.float64)
    cells.data = (cells.data == 1).astype(np.float64)
    for found in (cells, unknown):
        found.eliminate_zeros()
    return cells.astype(np.int8), unknown.astype(np.int8)

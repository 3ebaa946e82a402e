"""Tables of single annotations: what is suggested, and what is doubted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp

from skhmc._data.tables import as_table, sample_names
from skhmc.audit._given import dense, row_blocks
from skhmc.hierarchy import Hierarchy, term_names

__all__ = ["doubted", "suggested", "worst_cells"]


def worst_cells(
    scores: np.ndarray,
    Y: Any,
    value: int,
    n_cells: int,
    bound: float,
    hierarchy: Hierarchy,
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and labels of cells that hold a value, the most suspicious first.

    Of cells of 0 those with the greatest scores, at least ``bound``, and of a path
    whose labels have the same score its end alone; of cells of 1 those with the least,
    at most ``bound``. Equal ones stand in the order of rows.
    """
    sign = -1.0 if value == 0 else 1.0
    kept_rows, kept_labels, kept = [], [], []
    for rows in row_blocks(*scores.shape):
        signed = sign * scores[rows]
        use = (dense(Y[rows]) == value) & (signed <= sign * bound)  # NaN is neither
        if value == 0:
            use &= ~_goes_on(scores[rows], hierarchy)
        i, j = np.nonzero(use)
        best = np.argsort(signed[i, j], kind="stable")[:n_cells]
        kept_rows.append(i[best] + rows.start)
        kept_labels.append(j[best])
        kept.append(signed[i, j][best])
    if not kept:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    order = np.argsort(np.concatenate(kept), kind="stable")[:n_cells]
    return np.concatenate(kept_rows)[order], np.concatenate(kept_labels)[order]


def _goes_on(scores: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Tell labels of which a child has the same score."""
    parent, child = hierarchy.edges.T
    n_edges = len(parent)
    shape = (hierarchy.n_labels, n_edges)
    of_parent = sp.csr_matrix((np.ones(n_edges), (parent, np.arange(n_edges))), shape)
    equal = scores[:, parent] == scores[:, child]
    return (of_parent @ equal.T.astype(np.float64)).T > 0


class _Names:
    """Names of labels around a cell."""

    def __init__(self, Y: Any, hierarchy: Hierarchy):
        self.Y = Y
        self.hierarchy = hierarchy
        # matrices of labels by depth, so that paths are read from the root
        self.up = sp.csr_matrix(hierarchy.ancestors)
        self.down = sp.csr_matrix(hierarchy.descendants)

    def of(self, positions: Iterable[int]) -> tuple:
        order = sorted(positions, key=lambda k: (self.hierarchy.depth[k], k))
        return tuple(self.hierarchy.labels[k] for k in order)

    def around(self, row: int, label: int) -> dict[str, tuple]:
        """Return labels above, beside and below a label, by what is annotated."""
        hierarchy = self.hierarchy
        there = np.flatnonzero(dense(self.Y[[row]])[0] == 1)
        above = self.up[[label]].indices
        parents = hierarchy.parents[[label]].indices
        beside = hierarchy.children[parents].indices if len(parents) else []
        if not len(parents):
            beside = hierarchy.roots
        beside = np.setdiff1d(np.unique(beside), [label])
        return {
            "missing": self.of([*np.setdiff1d(above, there), label]),
            "above": self.of(np.intersect1d(above, there)),
            "beside": self.of(np.intersect1d(beside, there)),
            "below": self.of(np.intersect1d(self.down[[label]].indices, there)),
        }


def suggested(
    scores: np.ndarray,
    proba: np.ndarray,
    Y: Any,
    hierarchy: Hierarchy,
    X: Any,
    n_cells: int,
    min_score: float,
) -> Any:
    """Return the table of paths that are probable and not annotated."""
    rows, labels = worst_cells(scores, Y, 0, n_cells, min_score, hierarchy)
    columns = ("missing", "above", "beside")
    return _table(rows, labels, scores, proba, Y, hierarchy, X, columns)


def doubted(
    scores: np.ndarray,
    proba: np.ndarray,
    Y: Any,
    hierarchy: Hierarchy,
    X: Any,
    n_cells: int,
    max_score: float,
) -> Any:
    """Return the table of annotations that are improbable."""
    rows, labels = worst_cells(scores, Y, 1, n_cells, max_score, hierarchy)
    columns = ("above", "beside", "below")
    return _table(rows, labels, scores, proba, Y, hierarchy, X, columns)


def _called(hierarchy, label_names):
    """Return a column of what people call the terms of an ontology; else none."""
    called = term_names(hierarchy)
    return {"name": [called[label] for label in label_names]} if called else {}


def _table(rows, labels, scores, proba, Y, hierarchy, X, columns):
    names = _Names(Y, hierarchy)
    around = [names.around(*cell) for cell in zip(rows, labels, strict=True)]
    label_names = np.empty(len(labels), dtype=object)
    label_names[:] = [hierarchy.labels[label] for label in labels]
    table = {
        "sample": sample_names(X, rows),
        "label": label_names.tolist(),
        **_called(hierarchy, label_names),
        "score": scores[rows, labels],
        "probability": proba[rows, labels],
    }
    for column in columns:
        table[column] = [found[column] for found in around]
    return as_table(table, X)

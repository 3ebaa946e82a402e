"""How probable annotations are, those that are there and those that are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from skhmc.audit._given import (
    dense,
    given_others,
    path_aggregate,
    path_product,
    row_blocks,
)
from skhmc.coherence import close_upward, max_constraint
from skhmc.hierarchy import Hierarchy

__all__ = ["AGGREGATES", "annotation_scores"]

AGGREGATES = ("given", "lift", "mean", "min", "product")


def annotation_scores(
    proba: np.ndarray,
    Y: Any,
    hierarchy: Hierarchy,
    folds: np.ndarray,
    aggregate: str,
    weight: np.ndarray | None,
) -> np.ndarray:
    """Return a score of every cell: how probable its label is, annotated or not.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_labels)
        Probabilities of a classifier that has not seen the samples; NaN in rows of
        which there are none.
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Annotations; NaN is unknown.
    hierarchy : Hierarchy
    folds : ndarray of int of shape (n_samples,)
        Fold of every sample, -1 where there is none.
    aggregate : str
        One of ``AGGREGATES``.
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
        Cells that weigh 0 are unknown.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        NaN where nothing is known to be right or wrong.
    """
    if weight is not None and not np.all(weight):
        Y = _without_weightless(Y, weight)
    Y = close_upward(Y, hierarchy)
    n_samples, n_labels = Y.shape
    proba = np.where(folds[:, None] >= 0, proba, 0.0)
    proba = max_constraint(proba, hierarchy)
    given = None
    if aggregate == "given":
        given = given_others(proba, Y, hierarchy, folds, weight)
    frequency = _frequency(Y, weight)
    scores = np.full(Y.shape, np.nan)
    for rows in row_blocks(n_samples, n_labels):
        labels = dense(Y[rows])
        there = labels == 1
        if aggregate == "lift":
            found = _lift(proba[rows], frequency)
        elif given is None:
            found = path_aggregate(proba[rows], hierarchy, aggregate)
        else:
            alone, inner = given(rows)
            path = path_product(alone, inner, there, hierarchy)
            found = np.where(there, _at_least_below(alone, there, hierarchy), path)
        unknown = np.isnan(labels)
        if weight is not None:
            unknown |= np.broadcast_to(weight[rows] == 0, unknown.shape)
        scores[rows] = np.where(unknown, np.nan, found)
    scores[folds < 0] = np.nan
    return scores


def _without_weightless(Y, weight):
    """Return Y with the cells that weigh nothing as unknown."""
    nothing = np.broadcast_to(np.asarray(weight) == 0, Y.shape)
    if not sp.issparse(Y):
        return np.where(nothing, np.nan, np.asarray(Y, dtype=np.float64))
    marked = sp.csr_matrix(np.where(nothing, np.nan, 0.0))
    return sp.csr_matrix(sp.csr_matrix(Y, dtype=np.float64) + marked)


def _frequency(Y, weight):
    """Return the share of every label in the samples of which it is known."""
    n_known = np.zeros(Y.shape[1])
    n_there = np.zeros(Y.shape[1])
    for rows in row_blocks(*Y.shape):
        labels = dense(Y[rows])
        own = 1.0 if weight is None else weight[rows]
        n_known += (~np.isnan(labels) * own).sum(axis=0)
        n_there += ((labels == 1) * own).sum(axis=0)
    return np.divide(n_there, n_known, out=np.zeros_like(n_there), where=n_known > 0)


def _lift(proba, frequency):
    """Return p / (p + f): 0.5 where a sample has no more than the frequency."""
    return proba / np.maximum(proba + frequency, 1e-12)


def _at_least_below(scores, there, hierarchy):
    """Raise annotated labels to the most probable annotated label below them."""
    lowest = np.where(there, scores, 0.0)
    return max_constraint(lowest, hierarchy)

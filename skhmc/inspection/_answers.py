"""What an estimator answers about samples, and checks of such answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from skhmc._data.align import align
from skhmc._data.responses import (
    class_labels,
    find,
    match_labels,
    n_dimensions,
    positive_scores,
    raw_predict,
    raw_proba,
    single_label,
)
from skhmc.hierarchy import Hierarchy

__all__ = [
    "check_has_proba",
    "check_known",
    "check_probabilities",
    "hierarchy_of",
    "in_one_order",
    "index_of",
    "match_scores",
    "respond",
]

SLACK = 1e-5  # float32 sums of probabilities may exceed 1 by this


def check_probabilities(proba: np.ndarray) -> None:
    """Raise unless these are numbers between 0 and 1."""
    wrong = ~((proba >= -SLACK) & (proba <= 1 + SLACK))
    if wrong.any():
        raise ValueError(
            f"proba must hold probabilities between 0 and 1, got "
            f"{proba[wrong][0].item()!r}. Pass what predict_proba returns, not "
            f"decision values."
        )


def check_known(Y: np.ndarray, name: str) -> None:
    """Raise unless these are indicators, or NaN."""
    known = Y[~np.isnan(Y)]
    wrong = known[(known != 0) & (known != 1)]
    if len(wrong):
        raise ValueError(
            f"{name} must hold 0 and 1, or NaN for unknown, got {wrong[0].item()!r}. "
            f"Pass indicators, not scores or label names."
        )


def check_has_proba(estimator: Any, caller: str) -> None:
    """Raise unless an estimator has probabilities."""
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"{type(estimator).__name__} has no predict_proba, expected probabilities "
            f"of labels. Use an estimator that has it, or {caller}.from_predictions."
        )


def hierarchy_of(estimator: Any, hierarchy: Any) -> Any:
    """Return the hierarchy that is given, else the estimator's; raise without one."""
    if hierarchy is None:
        hierarchy = find(estimator, "hierarchy_")
    if hierarchy is None:
        raise ValueError(
            f"{type(estimator).__name__} has no hierarchy_, expected an estimator "
            f"fitted with a hierarchy. Pass hierarchy= as well, with the labels in the "
            f"order of the columns."
        )
    return hierarchy


def index_of(table: Any) -> Any:
    """Return the index of a DataFrame or Series, whose rows have names; else None."""
    index = getattr(table, "index", None)
    return None if callable(index) else index  # lists have a method of this name


def match_scores(
    estimator: Any, hierarchy: Any, y: Any, proba: Any
) -> tuple[Hierarchy, Any, Any]:
    """Return the hierarchy, and labels and probabilities in its order.

    Parameters
    ----------
    estimator : fitted classifier
    hierarchy : Hierarchy or what ``Hierarchy.build`` takes, or None
        None is flat.
    y : array-like of shape (n_samples, n_labels) or (n_samples,)
        Labels in any form the estimator was fitted with.
    proba : array-like of shape (n_samples, n_labels) or (n_samples, n_classes)
        What it says of the samples.
    """
    if n_dimensions(y) > 1:
        return match_labels(estimator, hierarchy, y, proba)
    built = None if hierarchy is None else Hierarchy.build(hierarchy)
    classes = class_labels(estimator, proba)
    return single_label(built, np.asarray(y), proba, classes)


def respond(
    estimator: Any, X: Any, y_true: Any, hierarchy: Any, *, raw: bool, caller: str
) -> tuple[Hierarchy, Any, Any, Any]:
    """Return the hierarchy, y_true, predictions and probabilities in its order."""
    hierarchy = hierarchy_of(estimator, hierarchy)
    check_has_proba(estimator, caller)
    if raw:
        proba = raw_proba(estimator, X)
        y_pred = raw_predict(estimator, X)
    else:
        proba = positive_scores(estimator, X)
        y_pred = estimator.predict(X)
    return in_one_order(estimator, hierarchy, y_true, y_pred, proba)


def in_one_order(
    estimator: Any, hierarchy: Any, y_true: Any, y_pred: Any, proba: Any
) -> tuple[Hierarchy, Any, Any, Any]:
    """Return the hierarchy, y_true, predictions and probabilities in its order.

    Without y_true, or without probabilities, None takes their place.
    """
    if n_dimensions(y_pred) == 1:  # most specific labels, not indicators
        hierarchy = Hierarchy.build(hierarchy)
        if proba is not None:
            classes = find(estimator, "classes_")
            _, _, proba = single_label(hierarchy, None, proba, classes)
        if y_true is not None and n_dimensions(y_true) > 1:
            names = list(hierarchy.labels)
            _, y_true = align(hierarchy, names=names, y_true=y_true)
            _, _, y_pred = single_label(hierarchy, None, y_pred)
        else:
            _, y_true, y_pred = single_label(hierarchy, y_true, y_pred)
        return hierarchy, y_true, y_pred, proba
    if proba is not None:
        _, _, proba = match_labels(estimator, hierarchy, None, proba)
    hierarchy, y_true, y_pred = match_labels(estimator, hierarchy, y_true, y_pred)
    return hierarchy, y_true, y_pred, proba

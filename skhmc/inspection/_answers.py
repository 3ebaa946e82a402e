"""What an estimator answers about samples, and checks of such answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from skhmc._data.responses import (
    find,
    match_labels,
    n_dimensions,
    positive_scores,
    raw_predict,
    raw_proba,
    single_label,
)
from skhmc.hierarchy import Hierarchy

__all__ = ["check_known", "check_probabilities", "respond"]

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


def respond(
    estimator: Any, X: Any, y_true: Any, hierarchy: Any, *, raw: bool, caller: str
) -> tuple[Hierarchy, Any, Any, Any]:
    """Return the hierarchy, y_true, predictions and probabilities in its order."""
    name = type(estimator).__name__
    if hierarchy is None:
        hierarchy = find(estimator, "hierarchy_")
    if hierarchy is None:
        raise ValueError(
            f"{name} has no hierarchy_, expected an estimator fitted with a hierarchy. "
            f"Pass hierarchy= as well."
        )
    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            f"{name} has no predict_proba, expected probabilities of labels. Use an "
            f"estimator that has it, or {caller}.from_predictions."
        )
    proba = (raw_proba if raw else positive_scores)(estimator, X)
    y_pred = raw_predict(estimator, X) if raw else estimator.predict(X)
    if n_dimensions(y_pred) == 1:  # most specific labels, not indicators
        hierarchy = Hierarchy.build(hierarchy)
        classes = find(estimator, "classes_")
        _, _, proba = single_label(hierarchy, None, proba, classes)
        _, y_true, y_pred = single_label(hierarchy, y_true, y_pred)
        return hierarchy, y_true, y_pred, proba
    _, _, proba = match_labels(estimator, hierarchy, None, proba)
    hierarchy, y_true, y_pred = match_labels(estimator, hierarchy, y_true, y_pred)
    return hierarchy, y_true, y_pred, proba

"""What a scorer asks of an estimator: its hierarchy, its labels, its predictions."""

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from skhmc._data.align import align
from skhmc._data.containers import is_frame
from skhmc._data.forms import read_form
from skhmc._data.targets import are_label_sets
from skhmc._utils.messages import name_list, plain
from skhmc._utils.warnings import read_before
from skhmc.hierarchy import Hierarchy

__all__ = [
    "class_labels",
    "find",
    "match_labels",
    "n_dimensions",
    "positive_columns",
    "positive_scores",
    "raw_predict",
    "raw_proba",
    "single_label",
    "top_labels",
]


def _inside(estimator):
    """Return the fitted estimator that a Pipeline, search or meta-estimator holds."""
    if hasattr(estimator, "steps"):
        return estimator.steps[-1][1]
    for name in ("best_estimator_", "estimator_"):
        if hasattr(estimator, name):
            return getattr(estimator, name)
    held = getattr(estimator, "estimator", None)  # as in FrozenEstimator
    return held if _is_fitted(held) else None


def _is_fitted(estimator):
    if hasattr(estimator, "steps"):
        return _is_fitted(estimator.steps[-1][1])
    attributes = getattr(estimator, "__dict__", {})
    return any(name.endswith("_") and name[0] != "_" for name in attributes)


def find(estimator, attribute):
    """Return an attribute of the outermost estimator that has it, else None."""
    while estimator is not None:
        value = getattr(estimator, attribute, None)
        if value is not None:
            return value
        estimator = _inside(estimator)
    return None


def raw_predict(estimator, X):
    """Return predictions before the coherence step; ``predict`` where there is none."""
    if find(estimator, "predict_raw") is None:
        return estimator.predict(X)
    estimator, X = _owner(estimator, X, "predict_raw")
    return estimator.predict_raw(X)


def raw_proba(estimator, X):
    """Return probabilities before the coherence step, of networks by their logits.

    ``predict_proba`` where there is no such step.
    """
    if find(estimator, "raw_predict_proba") is not None:
        estimator, X = _owner(estimator, X, "raw_predict_proba")
        return estimator.raw_predict_proba(X)
    if find(estimator, "raw_decision_function") is not None:
        estimator, X = _owner(estimator, X, "raw_decision_function")
        return expit(estimator.raw_decision_function(X))
    return positive_scores(estimator, X)


def _owner(estimator, X, method):
    """Return the outermost estimator with a method, and X as it gets it."""
    while not hasattr(estimator, method):
        if hasattr(estimator, "steps") and len(estimator.steps) > 1:
            X = estimator[:-1].transform(X)
        elif hasattr(estimator, "estimator_") and hasattr(estimator, "transform"):
            X = estimator.transform(X)  # feature selection such as RFE
        estimator = _inside(estimator)
    return estimator, X


def top_labels(estimator, X, k, among):
    """Return what ``predict_top_k`` does, in Pipelines and searches, too.

    None where there is no such method. Other meta-estimators may change what the one
    inside predicts, so that theirs alone is asked.
    """
    while not hasattr(estimator, "predict_top_k"):
        if hasattr(estimator, "steps"):
            if len(estimator.steps) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return None
    return estimator.predict_top_k(X, k, among=among)


def positive_scores(estimator, X):
    """Return scores (n_samples, n_labels): probabilities, else decision values."""
    if hasattr(estimator, "predict_proba"):
        scores = estimator.predict_proba(X)
        if isinstance(scores, list):
            scores = positive_columns(scores, getattr(estimator, "classes_", None))
        return scores
    if hasattr(estimator, "decision_function"):
        return estimator.decision_function(X)
    raise ValueError(
        f"{type(estimator).__name__} has neither predict_proba nor decision_function, "
        f"expected one of them. Use a metric of predict, or another estimator."
    )


def positive_columns(probabilities, classes):
    """Return P(label = 1) from a list of (n_samples, n_classes) arrays per label."""
    if classes is None:
        widths = {p.shape[1] for p in probabilities}
        if widths != {2}:
            raise ValueError(
                f"predict_proba returned a list of arrays with {sorted(widths)} "
                f"columns and the estimator has no classes_; expected 2 columns each."
            )
        return np.column_stack([p[:, 1] for p in probabilities])
    columns = []
    for p, known in zip(probabilities, classes, strict=True):
        at = np.flatnonzero(np.asarray(known) == 1)
        columns.append(p[:, at[0]] if len(at) else np.zeros(len(p)))
    return np.column_stack(columns)


def n_dimensions(Y):
    """Return the number of dimensions of an array, matrix, DataFrame or list."""
    if is_frame(Y) or are_label_sets(Y):
        return 2
    return Y.ndim if hasattr(Y, "ndim") else 1 + np.ndim(Y[0])


def single_label(hierarchy, y, response, classes=None):
    """Turn a 1-D y, and labels or class probabilities, into the multi-label form.

    Every value is a label, and stands for itself and its ancestors; the probability of
    a label is the sum of those of the classes at and below it.
    """
    values = [v for v in (y, classes) if v is not None]
    values += [response] if np.ndim(response) == 1 else []
    if hierarchy is None:
        hierarchy = Hierarchy.flat(np.unique(np.concatenate(values)).tolist())
    above = (sp.identity(hierarchy.n_labels, bool, "csr") + hierarchy.ancestors) > 0
    if np.ndim(response) == 1:
        response = above[_positions(hierarchy, response)]
    elif classes is not None:
        response = response @ above[_positions(hierarchy, classes)].astype(float)
    if y is not None:
        y = above[_positions(hierarchy, y)]
    return hierarchy, y, response


def _positions(hierarchy, values):
    """Return the position in the hierarchy of every value of a 1-D array."""
    if not len(values):
        return np.empty(0, dtype=np.intp)
    values, where = np.unique(np.asarray(values), return_inverse=True)
    unknown = [v for v in values if plain(v) not in hierarchy]
    if unknown:
        raise ValueError(
            f"Expected labels of the hierarchy ({name_list(hierarchy.labels)}), got "
            f"{name_list(unknown)}. Use these names, or an indicator of shape "
            f"(n_samples, n_labels)."
        )
    positions = np.array([hierarchy.position(v) for v in values], dtype=np.intp)
    return positions[where.ravel()]


def class_labels(estimator, response):
    """Return the classes that the columns of single-label probabilities stand for."""
    classes = find(estimator, "classes_")
    shape = np.shape(response)
    if classes is None or len(shape) != 2 or shape[1] != len(classes):
        raise ValueError(
            f"Scoring a 1-D y needs probabilities of shape (n_samples, n_classes) and "
            f"classes_, got an array of shape {shape} from {type(estimator).__name__}. "
            f"Use an estimator with predict_proba."
        )
    return np.asarray(classes)


def match_labels(estimator, hierarchy, y, response):
    """Return the hierarchy, y and the response with the same order of labels.

    Without y, or without a response, None takes its place.
    """
    y, _ = read_form(y, hierarchy)
    given = find(estimator, "label_names_")
    given = None if given is None else list(given)
    numbered = given is not None and given == list(range(len(given)))
    names = list(response.columns) if is_frame(response) else None
    # numbers name columns that had no names in fit, or that were named so there
    same = numbered and is_frame(y) and set(y.columns) == set(given)
    if names is None and (same or not numbered):
        names = given
    if names is None and is_frame(y):
        names = list(y.columns)
    if y is None:
        hierarchy, response = align(hierarchy, names=names, y_pred=response)
        return hierarchy, None, response
    if names is None and hierarchy is None and are_label_sets(y, len(given or ())):
        names = given  # the numbers that fit gave to columns
    with read_before():  # by the metric, in the end
        if response is None:
            return *align(hierarchy, names=names, y_true=y), None
        return align(hierarchy, names=names, y_true=y, y_pred=response)

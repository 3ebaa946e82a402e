"""What the metrics check of labels, scores and weights that are aligned."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._data.weights import check_sample_weight
from skhmc._utils.messages import name_list, plain
from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy

__all__ = [
    "check_indicator",
    "check_scores",
    "kept_labels",
    "label_numbers",
    "metric_weights",
    "positives",
    "truth",
]

# weights above or below could not be added up in floats; no data set has as many cells
LARGEST = 1e150
SMALLEST = 1e-150


def check_indicator(Y: Any, argument: str, *, allow_nan: bool = False) -> None:
    """Raise when Y holds anything but 0, 1 and, where allowed, NaN."""
    values = Y.data if sp.issparse(Y) else Y
    good = (values == 0) | (values == 1)
    if allow_nan:
        good |= np.isnan(values)
    if not good.all():
        got = values[~good].ravel()[0].item()
        known = "0 and 1, or NaN for unknown" if allow_nan else "0 and 1"
        do = "Leave no NaN." if np.isnan(got) else "Apply a threshold to scores first."
        raise ValueError(f"{argument} must hold {known}, got the value {got!r}. {do}")


def check_scores(scores: Any, argument: str = "y_score") -> np.ndarray:
    """Return dense floating scores; NaN and sparse matrices are errors."""
    if sp.issparse(scores):
        raise TypeError(
            f"{argument} must be a dense array, got a sparse matrix, whose empty cells "
            f"would count as the score 0. Pass {argument}.toarray()."
        )
    if np.isnan(scores).any():
        raise ValueError(f"{argument} holds NaN, expected a score for every label.")
    return scores if scores.dtype.kind == "f" else scores.astype(np.float64)


def metric_weights(sample_weight: ArrayLike | None, n_samples: int) -> np.ndarray:
    """Return one weight per sample, of 1 where none are given.

    Metrics keep the scale of weights, unlike fits: whether it matters is for the
    formula to say. It never does in the metrics here, so that weights whose sums no
    float can hold are divided by the greatest.
    """
    weights = check_sample_weight(sample_weight, n_samples)
    if weights is None:
        return np.ones(n_samples)
    greatest = weights.max(initial=0.0)
    if greatest > LARGEST or 0 < greatest < SMALLEST:
        return weights / greatest
    return weights


def kept_labels(
    hierarchy: Hierarchy, exclude: str | Iterable[Hashable] | None
) -> np.ndarray:
    """Return which labels count, a bool array of shape (n_labels,)."""
    keep = np.ones(hierarchy.n_labels, dtype=bool)
    if exclude is None:
        return keep
    if isinstance(exclude, str):
        if exclude != "roots":
            raise ValueError(
                f"exclude must be None, 'roots' or a list of label names, got "
                f"{exclude!r}. To leave out one label, pass [{exclude!r}]."
            )
        keep[hierarchy.roots] = False
    else:
        names = [plain(label) for label in exclude]
        wrong = [x for x in names if isinstance(x, bool) or x not in hierarchy]
        if wrong:
            raise ValueError(
                f"exclude names labels that the hierarchy does not have: "
                f"{name_list(wrong)}. It has {name_list(hierarchy.labels)}."
            )
        keep[[hierarchy.position(label) for label in names]] = False
    if not keep.any():
        raise ValueError(
            f"exclude={exclude!r} leaves none of the {len(keep)} labels to count. "
            f"Leave out fewer."
        )
    return keep


def label_numbers(
    values: Any, hierarchy: Hierarchy, argument: str, source: str, given: Any = None
) -> np.ndarray:
    """Return one number per label, in the order of the hierarchy.

    Parameters
    ----------
    values : mapping, Series or array-like of shape (n_labels,)
        Numbers by the names of labels, or in the order of the hierarchy.
    hierarchy : Hierarchy
        The labels.
    argument : str
        What the values are called, for messages.
    source : str
        Function that returns such values for all labels.
    given : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The hierarchy as the user has it, perhaps in another order than columns have.

    Returns
    -------
    ndarray of shape (n_labels,)
        Numbers as they are given. Their values are not checked.

    Raises
    ------
    ValueError
        When numbers are missing, or have no names and labels have two orders.
    """
    if isinstance(values, Mapping) or hasattr(values, "to_dict"):
        by_name = dict(values)
        missing = [label for label in hierarchy.labels if label not in by_name]
        if missing:
            raise ValueError(
                f"{argument} lacks labels: {name_list(missing)}. Pass what "
                f"{source} returns for all labels."
            )
        values = [by_name[label] for label in hierarchy.labels]
        given = None  # names say which is which
    found = np.asarray(values)
    if found.shape != (hierarchy.n_labels,) or found.dtype.kind not in "iuf":
        raise ValueError(
            f"{argument} must hold one number for each of {hierarchy.n_labels} labels, "
            f"got shape {found.shape} and dtype {found.dtype}."
        )
    if given is not None:
        _refuse_two_orders(hierarchy, given, argument, source)
    return found


def _refuse_two_orders(hierarchy, given, argument, source):
    """Raise where the columns of labels have another order than their hierarchy."""
    order = Hierarchy.build(given).labels
    if order != hierarchy.labels and set(order) == set(hierarchy.labels):
        raise ValueError(
            f"{argument} has no names, but the labels stand in two orders: "
            f"{name_list(hierarchy.labels)} as columns, {name_list(order)} in the "
            f"hierarchy. Pass numbers by name, as {source} returns them."
        )


def positives(Y: Any) -> sp.csr_matrix:
    """Return the positive cells of an indicator as a bool csr_matrix."""
    return _cells(Y, lambda values: values == 1)


def truth(
    y_true: Any, hierarchy: Hierarchy, close: bool
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Return the positive and the unknown cells of the true labels, closed upward."""
    check_indicator(y_true, "y_true", allow_nan=True)
    if close:
        y_true = close_upward(y_true, hierarchy)
    return positives(y_true), _cells(y_true, np.isnan)


def _cells(Y: Any, test: Callable[[np.ndarray], np.ndarray]) -> sp.csr_matrix:
    """Return the cells whose value passes a test, as a bool csr_matrix."""
    if not sp.issparse(Y):
        return sp.csr_matrix(test(Y))
    parts = (test(Y.data), Y.indices.copy(), Y.indptr.copy())
    cells = sp.csr_matrix(parts, shape=Y.shape)
    cells.eliminate_zeros()
    return cells

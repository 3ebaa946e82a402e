"""Thresholds of labels that a user gives: a number, by name, per level or per label."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

from skhmc._scoring.outputs import DEFAULT_THRESHOLD
from skhmc._utils.messages import name_list, plain, repeated

__all__ = ["is_tuned", "read_thresholds"]


def is_tuned(thresholds):
    """Tell whether thresholds are to be found, not given."""
    return isinstance(thresholds, str) and thresholds == "tuned"


def read_thresholds(thresholds, hierarchy, strategy):
    """Return the threshold of every label.

    Parameters
    ----------
    thresholds : float, dict, Series or array-like
        One of all labels; those of some labels by name, while others have 0.5; one per
        level, the roots' first, where ``strategy`` is "level"; else one per label.
    hierarchy : Hierarchy
        The labels, in the order of an array.
    strategy : {"global", "level", "label"}
        Says what an array is.

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    if hasattr(thresholds, "to_dict") and hasattr(thresholds, "index"):
        _refuse_repeated(thresholds.index)
        thresholds = thresholds.to_dict()  # a Series, by the names in its index
    if isinstance(thresholds, Mapping):
        return _by_name(thresholds, hierarchy)
    if np.ndim(thresholds) == 0:
        value = _number(np.asarray(thresholds).item(), "thresholds")
        return np.full(hierarchy.n_labels, value)
    values = [_number(plain(value), "thresholds") for value in thresholds]
    if strategy == "level":
        _check_number_of(values, len(hierarchy.levels), "level", "the roots' first")
        return np.array(values)[hierarchy.depth]
    hint = "in the order of Y's columns"
    if len(values) == len(hierarchy.levels):
        hint += "; for one per level set strategy='level'"
    _check_number_of(values, hierarchy.n_labels, "label", hint)
    return np.array(values)


def _refuse_repeated(index):
    """Raise where names are repeated: a dict would keep the last of each."""
    again = repeated(plain(name) for name in index)
    if again:
        raise ValueError(
            f"Expected one threshold per label, got several of {name_list(again)} "
            f"in the index of thresholds. Leave one of each."
        )


def _by_name(thresholds, hierarchy):
    unknown = [name for name in thresholds if name not in hierarchy]
    if unknown:
        raise ValueError(
            f"thresholds names {name_list(unknown)}, which are no labels. Labels are "
            f"{name_list(hierarchy.labels)}."
        )
    found = np.full(hierarchy.n_labels, DEFAULT_THRESHOLD)
    for name, value in thresholds.items():
        number = _number(plain(value), f"the threshold of label {plain(name)!r}")
        found[hierarchy.position(name)] = number
    return found


def _number(value, what):
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise ValueError(
            f"Expected {what} to be a probability between 0 and 1, got {value!r}."
        )
    return float(value)


def _check_number_of(values, expected, kind, hint):
    if len(values) != expected:
        raise ValueError(
            f"Expected thresholds to be one per {kind}, {expected} ({hint}), got "
            f"{len(values)}. By name a dict says which is which."
        )

"""The classifiers that vote: checked, made ready for the labels, fitted, and asked."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._meta.coherent import CoherentClassifier
from skhmc._meta.delegation import hierarchy_parameters, is_frozen, with_columns
from skhmc._meta.out_of_fold import (
    classes_out_of_fold,
    out_of_fold,
    positive_proba,
    proba_of_classes,
)
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import read_before

__all__ = [
    "DROPPED",
    "check_members",
    "fit_member",
    "given_weights",
    "is_dropped",
    "prepared",
    "proba_of",
    "scores_all_but_one",
    "unseen_proba",
    "without_dropped",
]

DROPPED = "drop"


# -- what the user gave ----------------------------------------------------------------


def is_dropped(member):
    """Tell whether a place in the list of members is empty."""
    return isinstance(member, str) and member == DROPPED


def without_dropped(estimators):
    """Return the names and classifiers that are there."""
    return [(name, member) for name, member in estimators if not is_dropped(member)]


def check_members(estimators):
    """Raise unless these are names and classifiers that can vote."""
    if not all(map(_is_named, estimators)):
        raise InvalidParameterError(
            f"Expected estimators as a list of (name, classifier), got "
            f"{estimators!r:.200}. Give every classifier a name: [('trees', trees)]."
        )
    members = without_dropped(estimators)
    if not members:
        raise InvalidParameterError(
            f"Expected estimators with at least one classifier that is not 'drop', got "
            f"{estimators!r}. None takes the recommended ones."
        )
    for name, member in members:
        if not hasattr(member, "fit") or not hasattr(member, "predict_proba"):
            raise InvalidParameterError(
                f"Expected classifiers with predict_proba, got {member!r:.80} without "
                f"as member {name!r}. Choose its parameters so that it has "
                f"probabilities, or calibrate it: "
                f"CalibratedClassifierCV({type(member).__name__}(...))."
            )


def _is_named(pair):
    is_pair = isinstance(pair, (list, tuple)) and len(pair) == 2
    return is_pair and isinstance(pair[0], str)


def given_weights(weights, estimators):
    """Return weights of the members that are not dropped, with the sum 1.

    Parameters
    ----------
    weights : dict or array-like of shape (n_estimators,)
        Numbers of at least 0, by name or in the order of the list. By name, those that
        are dropped need none.
    estimators : list of (str, estimator)
    """
    places = [name for name, _ in estimators]
    names = [name for name, _ in without_dropped(estimators)]
    if not isinstance(weights, Mapping):
        if len(weights) != len(places):
            raise InvalidParameterError(
                f"Expected weights with {len(places)} numbers, one for each of "
                f"{name_list(places)}, got {len(weights)}."
            )
        by_name = dict(zip(places, weights, strict=True))
    else:
        by_name = weights
        unknown = [name for name in weights if name not in places]
        missing = [name for name in names if name not in weights]
        if unknown or missing:
            raise InvalidParameterError(
                f"Expected weights with a number for each of {name_list(names)}, got "
                f"{dict(weights)!r}: it lacks {name_list(missing) or 'none'} and has "
                f"{name_list(unknown) or 'none'} beside."
            )
    numbers = [by_name[name] for name in names]
    if not all(isinstance(x, Real) and 0 <= x < np.inf for x in numbers):
        raise InvalidParameterError(
            f"Expected weights as finite numbers of at least 0, got {weights!r}."
        )
    total = float(sum(numbers))
    if not 0 < total < np.inf:
        raise InvalidParameterError(
            f"Expected weights with a finite sum above 0, got {weights!r} for the "
            f"members {name_list(names)}."
        )
    return np.array(numbers, dtype=np.float64) / total


# -- fit -------------------------------------------------------------------------------


def prepared(member, hierarchy):
    """Return an unfitted clone of a member that is ready for the labels.

    One with a parameter ``hierarchy``, in a Pipeline or a search too, gets that of the
    labels there, in the order of their columns. Any other one is put in a
    CoherentClassifier without a coherence step, which hands it the labels as it takes
    them.
    """
    names = hierarchy_parameters(member)
    if is_frozen(member) or not names:
        return CoherentClassifier(clone(member), hierarchy, coherence=None)
    inner = with_columns(member, hierarchy.labels)
    given = inner.get_params()
    return inner.set_params(**{n: hierarchy for n in names if given[n] is None})


def fit_member(member, X, targets, params):
    """Return a member that ``prepared`` made, fitted.

    Where labels are unknown (NaN) or have weights of their own, and it does not take
    that, it is fitted to every label by itself.
    """
    with read_before():
        if targets.classes is not None:
            return clone(member).fit(X, targets.classes[targets.codes], **params)
        try:
            return clone(member).fit(X, targets.Y, **params)
        except ValueError:
            alone = _one_per_label(member, targets.Y, params)
            if alone is None:
                raise
            return alone.fit(X, targets.Y, **params)


def _one_per_label(member, Y, params):
    """Return a member with one clone per label, None where that would not help."""
    unknown = np.isnan(Y.data if sp.issparse(Y) else Y).any()
    if not unknown and np.ndim(params.get("sample_weight")) < 2:
        return None
    if not isinstance(member, CoherentClassifier) or member.strategy == "per_label":
        return None
    if not get_tags(member.estimator).target_tags.single_output:
        return None
    return clone(member).set_params(strategy="per_label")


def scores_all_but_one(member):
    """Tell whether a member can say what it would of every row without this one."""
    return hasattr(member, "leave_one_out_proba")


def unseen_proba(member, X, targets, splits, params):
    """Return probabilities of rows that a clone of a fitted member has not seen.

    Parameters
    ----------
    member : estimator
        One that ``fit_member`` returned.
    X : array-like of n_samples rows
    targets : Targets
    splits : list of (train, test) or None
        None is all rows but one, where ``scores_all_but_one``.
    params : dict
        Parameters of ``fit``.

    Returns
    -------
    rows : ndarray of int
    proba : ndarray of shape (len(rows), n_labels or n_classes)
    """
    member = clone(member)
    Y = targets.Y
    y = Y if targets.classes is None else targets.classes[targets.codes]
    with read_before():
        if splits is None:
            weight = params.get("sample_weight")
            member.set_params(proba_format="array")
            return np.arange(Y.shape[0]), member.leave_one_out_proba(X, y, weight)
        if targets.classes is None:
            return out_of_fold(member, X, Y, Y, splits, params=params)
        classes = targets.classes
        given = member, X, y, classes, splits
        return classes_out_of_fold(*given, params=params)


def proba_of(member, X, classes):
    """Return probabilities (n_samples, n_labels), or (n_samples, n_classes)."""
    if classes.ndim == 1:
        if len(classes) == 1:
            return np.ones((len(member.predict_proba(X)), 1))
        return proba_of_classes(member, X, classes)
    return positive_proba(member, X, len(classes))

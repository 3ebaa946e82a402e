"""The classifiers that vote: made ready for the labels, fitted, and asked."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils import get_tags

from skhmc._meta.coherent import CoherentClassifier
from skhmc._meta.delegation import hierarchy_parameters, is_frozen, with_columns
from skhmc._meta.out_of_fold import (
    classes_out_of_fold,
    out_of_fold,
    positive_proba,
    proba_of_classes,
)
from skhmc._utils.warnings import read_before

__all__ = ["fit_member", "prepared", "proba_of", "scores_all_but_one", "unseen_proba"]


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
        return classes_out_of_fold(member, X, y, classes, splits, params=params)


def proba_of(member, X, classes):
    """Return probabilities (n_samples, n_labels), or (n_samples, n_classes)."""
    if classes.ndim == 1:
        if len(classes) == 1:
            return np.ones((len(member.predict_proba(X)), 1))
        return proba_of_classes(member, X, classes)
    return positive_proba(member, X, len(classes))

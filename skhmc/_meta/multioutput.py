"""Classifiers of scikit-learn fitted to many labels: once to all, or once to each."""

import itertools

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.validation import _check_method_params

from skhmc._data.responses import positive_columns
from skhmc._meta.delegation import has_hierarchy
from skhmc._utils.warnings import warn_user

__all__ = ["PerLabel", "fit_as_is", "fit_native", "takes_many_labels"]


def takes_many_labels(estimator):
    """Tell from its tags whether an estimator takes a 2-D y."""
    tags = get_tags(estimator)
    if tags.target_tags.multi_output:
        return True
    return tags.classifier_tags is not None and tags.classifier_tags.multi_label


def fit_as_is(estimator, X, y, params):
    """Fit a clone to y of several labels, or to classes.

    Raises
    ------
    ValueError
        The estimator's, with advice where it may be that it takes one label only.
    """
    try:
        return clone(estimator).fit(X, y, **params)
    except ValueError as error:
        if np.ndim(y) == 1 or takes_many_labels(estimator):
            raise
        name = type(estimator).__name__
        raise ValueError(
            f"{name} does not say that it takes several labels, and fails with y of "
            f"several ({error}). Fit one per label: CoherentClassifier({name}(...), "
            f"hierarchy)."
        ) from error


def fit_native(estimator, X, Y, params):
    """Fit an estimator once to an indicator of all labels.

    A single label becomes a 1-D y, where the estimator takes such: but for one with a
    hierarchy, to which the 0 and 1 in it would be names of labels.
    """
    Y = Y.toarray() if sp.issparse(Y) else Y
    if np.isnan(Y).any():
        try:
            return estimator.fit(X, Y, **params)
        except ValueError as error:
            raise ValueError(
                f"Y holds NaN (unknown), which {type(estimator).__name__} does not "
                f"take ({error}). strategy='per_label' fits every label to the rows "
                f"that know it."
            ) from error
    if np.ndim(params.get("sample_weight")) == 2 and Y.shape[1] > 1:
        return _fit_weighted(estimator, X, Y.astype(np.int64), params)
    Y = Y.astype(np.int64)  # of smaller integers MLPClassifier mixes up many labels
    takes_one = get_tags(estimator).target_tags.single_output
    if Y.shape[1] == 1 and takes_one and not has_hierarchy(estimator):
        return estimator.fit(X, Y.ravel(), **_params_of(params, 0))
    return estimator.fit(X, Y, **params)


def _fit_weighted(estimator, X, Y, params):
    try:
        return estimator.fit(X, Y, **params)
    except ValueError as error:
        raise ValueError(
            f"sample_weight has a column per label, which {type(estimator).__name__} "
            f"does not take ({error}). strategy='per_label' hands every label its own."
        ) from error


class PerLabel(BaseEstimator):
    """Fits a clone of a classifier to every column of an indicator.

    As MultiOutputClassifier does, but unknown entries are left out, weights may differ
    between labels, and errors name the label.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``, for 1-D y.
    n_jobs : int, default=None
        Number of fits at a time.
    """

    def __init__(self, estimator, *, n_jobs=None):
        self.estimator = estimator
        self.n_jobs = n_jobs

    def fit(self, X, Y, names, fits, **params):
        """Fit every label.

        Parameters
        ----------
        X : object of n_samples rows
            Samples, handed on as they are, or some of their rows.
        Y : ndarray or csr_matrix of shape (n_samples, n_labels)
            Indicators 0, 1 or NaN; every column holds both 0 and 1.
        names : sequence
            Names of the labels.
        fits : Fits
            Shows how many labels are done.
        **params
            Parameters of every ``fit``; a 2-D ``sample_weight`` column by column.

        Returns
        -------
        self
        """
        Y = sp.csc_matrix(Y) if sp.issparse(Y) else Y
        given = (
            (clone(self.estimator), X, _column(Y, k), name, _params_of(params, k))
            for k, name in enumerate(names)
        )
        found, kept = fits.run("labels", _fit_label, given, n_jobs=self.n_jobs)
        self.estimators_ = found
        for one in itertools.chain(*kept):
            warn_user(*one)
        return self

    def predict_proba(self, X):
        """Return the probabilities (n_samples, n_labels) of 1."""
        proba = [estimator.predict_proba(X) for estimator in self.estimators_]
        return positive_columns(proba, [e.classes_ for e in self.estimators_])

    @property
    def n_features_in_(self):
        return self.estimators_[0].n_features_in_

    @property
    def feature_names_in_(self):
        return self.estimators_[0].feature_names_in_


def _column(Y, k):
    if sp.issparse(Y):
        return Y[:, [k]].toarray().ravel()
    return Y[:, k].ravel()


def _params_of(params, k):
    """Return the parameters of one label's fit: with its column of weights."""
    weight = params.get("sample_weight")
    if np.ndim(weight) == 2:
        return params | {"sample_weight": weight[:, k]}
    return params


def _fit_label(estimator, X, y, name, params):
    known = np.flatnonzero(~np.isnan(y))
    if len(known) < len(y):
        params = _check_method_params(X, params, known)
        X = _safe_indexing(X, known)
        y = y[known]
    try:
        return estimator.fit(X, y.astype(np.int64), **params)
    except Exception as error:
        error.add_note(
            f"While fitting label {name!r}: {int(y.sum())} of {len(y)} rows. Labels "
            f"with too few rows of one value get their prior by min_positives=..."
        )
        raise

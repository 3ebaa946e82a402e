"""Probabilities of every label for samples that the estimator has not seen."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from skhmc._data.responses import positive_scores
from skhmc._meta.fits import Fits, say_of_folds
from skhmc._utils.warnings import read_before
from skhmc.model_selection import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedKFold,
)

__all__ = [
    "classes_out_of_fold",
    "count_once",
    "is_number_of_folds",
    "out_of_fold",
    "positive_proba",
    "proba_of_classes",
    "read_cv",
    "split_rows",
]


FOLDS = 5


def is_number_of_folds(cv):
    """Tell whether ``cv`` stands for stratified folds: an int, or None for five."""
    return cv is None or isinstance(cv, (int, np.integer))


def read_cv(cv, *, grouped=False):
    """Return a splitter; an int or None stands for stratified folds.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        How to split.
    grouped : bool, default=False
        Whether the samples belong to groups, which stratified folds then keep together.
        Any other splitter does with groups what it does.
    """
    if not is_number_of_folds(cv):
        return check_cv(cv)
    kind = MultilabelStratifiedGroupKFold if grouped else MultilabelStratifiedKFold
    return kind(FOLDS if cv is None else cv)


def split_rows(cv, X, Y, params):
    """Return the rows of the training and the test part of every split.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        How to split.
    X : array-like of shape (n_samples, ...)
        Samples, of which splitters see no more than the number.
    Y : ndarray, csr_matrix or DataFrame of shape (n_samples, n_labels)
        Labels, with their names where they have some.
    params : dict
        Parameters of ``split``: ``groups``, if there are any.

    Returns
    -------
    list of (train, test)
    """
    grouped = params.get("groups") is not None
    return list(read_cv(cv, grouped=grouped).split(X, Y, **params))


def positive_proba(estimator, X, n_labels):
    """Return the probabilities (n_samples, n_labels) of labels, in whichever form.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier, whose ``predict_proba`` returns (n_samples, n_labels), or a
        list of arrays (n_samples, n_classes), of which a label may have one.
    X : array-like of shape (n_samples, ...)
        Samples as the estimator takes them.
    n_labels : int
        Number of labels.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
    """
    proba = np.asarray(positive_scores(estimator, X))
    classes = getattr(estimator, "classes_", None)
    one = n_labels == 1 and np.ndim(classes) == 1  # one column was taken for classes
    if one and proba.shape[1] == len(classes):
        at = np.flatnonzero(np.asarray(classes) == 1)
        proba = proba[:, at] if len(at) else np.zeros((len(proba), 1))
    if proba.ndim != 2 or proba.shape[1] != n_labels:
        raise ValueError(
            f"{type(estimator).__name__} predicts probabilities of shape "
            f"{proba.shape}, expected (n_samples, {n_labels}), one column per label. "
            f"Use a classifier of several labels, such as MultiOutputClassifier around "
            f"this one; CoherentClassifier makes one by strategy='per_label'."
        )
    return proba


def out_of_fold(estimator, X, y, Y, splits, *, params, fits=None, n_jobs=None):
    """Fit on every training part and predict the test part.

    Parameters
    ----------
    estimator : estimator
        A classifier, cloned for every split.
    X : array-like of shape (n_samples, ...)
        Samples as the estimator takes them.
    y : array-like of shape (n_samples, n_labels) or list
        Labels as the estimator is fitted with them.
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        The same labels as 0, 1 or NaN, in the order of the estimator's output.
    splits : list of (train, test)
        Rows of every training and test part.
    params : dict
        Parameters of ``fit``; what has one row per sample is split, too.
    fits : Fits, default=None
        Shows how many folds are done; None shows nothing.
    n_jobs : int, default=None
        Number of splits that run at a time.

    Returns
    -------
    rows : ndarray of int
        Rows of all test parts, in turn.
    proba : ndarray of shape (len(rows), n_labels)

    Notes
    -----
    Some estimators refuse labels that have one value in a training part. They are
    fitted again without these, which get this value as their probability.
    """
    given = ((clone(estimator), X, y, Y, *split, params) for split in splits)
    fits = fits or Fits(estimator)
    parts, kept = fits.run("folds", _fit_and_predict, given, n_jobs=n_jobs)
    say_of_folds(kept)
    return np.concatenate([test for _, test in splits]), np.concatenate(parts)


def _fit_and_predict(*arguments):
    with read_before():  # also in another process
        return _proba_of_test(*arguments)


def _proba_of_test(estimator, X, y, Y, train, test, params):
    X_train = _safe_indexing(X, train)
    X_test = _safe_indexing(X, test)
    y_train = _safe_indexing(y, train)
    params = _check_method_params(X, params, train)
    n_labels = Y.shape[1]
    try:
        estimator.fit(X_train, y_train, **params)
        return positive_proba(estimator, X_test, n_labels)
    except ValueError:
        value = _only_value(Y[train])
        if np.isnan(value).all() or not hasattr(y, "shape"):
            raise
    proba = np.repeat(np.nan_to_num(value)[None, :], len(test), axis=0)
    left = np.flatnonzero(np.isnan(value))
    if len(left):
        y_train = _safe_indexing(y_train, left, axis=1)
        estimator = clone(estimator).fit(X_train, y_train, **params)
        proba[:, left] = positive_proba(estimator, X_test, len(left))
    return proba


def count_once(rows, weight=None):
    """Return the weights of rows, of which those of one sample share its weight.

    Repeated folds make no new samples: what is drawn to a coarser group by numbers of
    samples would be drawn too little.

    Parameters
    ----------
    rows : ndarray of int
        The sample of every row.
    weight : ndarray of shape (len(rows), ...) or None, default=None
        Weights of the rows; None is 1.

    Returns
    -------
    ndarray or None
        ``weight`` itself, where no sample is there twice.
    """
    times = np.bincount(rows)[rows]
    if (times == 1).all():
        return weight
    return 1 / times if weight is None else (weight.T / times).T


def _only_value(Y):
    """Return the value of every label that has only one, NaN for the others."""
    if sp.issparse(Y):
        Y = Y.toarray()
    has_ones = (Y == 1).any(axis=0)
    has_zeros = (Y == 0).any(axis=0)
    return np.where(has_ones & has_zeros, np.nan, has_ones.astype(float))


# -- one class per sample --------------------------------------------------------------


def proba_of_classes(estimator, X, classes):
    """Return the probabilities (n_samples, n_classes) of classes.

    Parameters
    ----------
    estimator : estimator
        A classifier that was fitted to some of the classes; others have 0.
    X : array-like of shape (n_samples, ...)
        Samples as the estimator takes them.
    classes : ndarray of shape (n_classes,)
        What the columns stand for.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
    """
    given = np.asarray(estimator.predict_proba(X))
    place = {label: k for k, label in enumerate(classes.tolist())}
    proba = np.zeros((len(given), len(classes)))
    proba[:, [place[label] for label in estimator.classes_.tolist()]] = given
    return proba


def classes_out_of_fold(
    estimator, X, y, classes, splits, *, params, fits=None, n_jobs=None
):
    """Fit on every training part and predict the classes of the test part.

    As :func:`out_of_fold`, for a 1-D ``y`` of classes. A class that a training part
    lacks has the probability 0 there; where it has one class only, this has 1.

    Returns
    -------
    rows : ndarray of int
        Rows of all test parts, in turn.
    proba : ndarray of shape (len(rows), n_classes)
    """
    given = ((clone(estimator), X, y, classes, *split, params) for split in splits)
    fits = fits or Fits(estimator)
    parts, kept = fits.run("folds", _classes_of_test, given, n_jobs=n_jobs)
    say_of_folds(kept)
    return np.concatenate([test for _, test in splits]), np.concatenate(parts)


def _classes_of_test(estimator, X, y, classes, train, test, params):
    y_train = np.asarray(_safe_indexing(y, train))
    if (y_train == y_train[0]).all():
        only = (classes == y_train[0]).astype(float)
        return np.tile(only, (len(test), 1))
    params = _check_method_params(X, params, train)
    with read_before():
        estimator.fit(_safe_indexing(X, train), y_train, **params)
    return proba_of_classes(estimator, _safe_indexing(X, test), classes)

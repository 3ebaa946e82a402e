"""What a user hands over as ``y``: read, matched to the hierarchy, closed upward."""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import accuracy_score
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from skhmc._columns import are_label_sets, match_columns
from skhmc._sources import name_list, plain
from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy

__all__ = ["Targets", "check_X", "read_fit_input", "read_targets", "subset_accuracy"]


@dataclass
class Targets:
    """Closed labels of every sample, and what they are called.

    ``classes`` is None for indicators; else y was 1-D and holds these classes, sorted.
    """

    Y: np.ndarray | sp.csr_matrix  # (n_samples, n_labels), 0, 1 or NaN
    hierarchy: Hierarchy
    classes: np.ndarray | None = None


def check_X(estimator, X, *, reset, allow_nd):
    """Return X as a C-ordered array or CSR matrix of the estimator's ``dtype``.

    Parameters
    ----------
    estimator : BaseEstimator
        Has ``dtype``; learns or is checked for ``n_features_in_``.
    X : array-like or sparse matrix of shape (n_samples, n_features, ...)
    reset : bool
        True in ``fit``.
    allow_nd : bool
        Whether X may have more than two dimensions.

    Returns
    -------
    ndarray or csr_matrix
    """
    options = {"accept_sparse": "csr", "dtype": np.dtype(estimator.dtype), "order": "C"}
    try:
        return validate_data(estimator, X, reset=reset, allow_nd=allow_nd, **options)
    except ValueError as error:
        if "infinity" in str(error):
            raise ValueError(
                f"{error}\nTurn infinite values into NaN and impute them in a "
                f"Pipeline, for instance with sklearn.impute.SimpleImputer."
            ) from error
        if "convert string" not in str(error) and "of bytes/strings" not in str(error):
            raise
        raise ValueError(
            f"Expected X to hold numbers, got text ({error}). Encode it in a Pipeline: "
            f"TfidfVectorizer for texts, OneHotEncoder for categories."
        ) from error


def read_fit_input(estimator, X, y, sample_weight):
    """Read what ``fit`` was given; set names, classes and hierarchy on the estimator.

    Returns
    -------
    X : ndarray or csr_matrix of shape (n_samples, ...)
    targets : Targets
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
    """
    vars(estimator).pop("net_", None)  # a fit that fails leaves no half-new estimator
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but "
            f"the target y is None."
        )
    X = check_X(estimator, X, reset=True, allow_nd=estimator._many_dimensions)
    targets = read_targets(y, estimator.hierarchy)
    check_consistent_length(X, targets.Y)
    hierarchy, classes = targets.hierarchy, targets.classes
    shape = targets.Y.shape if classes is None else (targets.Y.shape[0], 1)
    if hasattr(sample_weight, "columns") and hasattr(y, "columns"):
        sample_weight = sample_weight[list(y.columns)]
    weight = check_sample_weight(sample_weight, shape, np.dtype(estimator.dtype))
    estimator.hierarchy_ = hierarchy
    estimator.label_names_ = np.empty(hierarchy.n_labels, dtype=object)
    estimator.label_names_[:] = hierarchy.labels
    tiled = np.tile([0, 1], (hierarchy.n_labels, 1))
    estimator.classes_ = tiled if classes is None else classes
    return X, targets, weight


def subset_accuracy(estimator, X, y, sample_weight):
    """Return the share of samples whose known labels are all predicted right.

    ``y`` is read as ``fit`` reads it: columns by name, closed upward.
    """
    predicted = estimator.predict(X)
    if estimator.classes_.ndim == 1:
        return accuracy_score(y, predicted, sample_weight=sample_weight)
    targets = read_targets(y, estimator.hierarchy_, warn=False)
    order = [estimator.hierarchy_.position(x) for x in targets.hierarchy.labels]
    Y = targets.Y.toarray() if sp.issparse(targets.Y) else targets.Y
    right = ((Y == predicted[:, order]) | np.isnan(Y)).all(axis=1)
    return float(np.average(right, weights=sample_weight))


def read_targets(y, source, warn=True):
    """Read ``y`` in any accepted form.

    Parameters
    ----------
    y : array-like or sparse matrix
        Indicators (n_samples, n_labels), a DataFrame of them, label sets (a list of
        lists of names), or one label per sample (n_samples,).
    source : hierarchy-like or None
        What :meth:`Hierarchy.build` takes; None is flat.
    warn : bool, default=True
        Whether to warn when indicators are not closed upward.

    Returns
    -------
    Targets
    """
    known = isinstance(y, list) and source is not None
    if are_label_sets(y, Hierarchy.build(source).n_labels if known else None):
        return _read_label_sets(y, source)
    names = [plain(c) for c in y.columns] if hasattr(y, "columns") else None
    if names is not None and np.asarray(y).dtype == object:  # pandas.NA to NaN
        y = y.astype(object).where(y.notna(), np.nan)
    if sp.issparse(y):
        y = sp.csr_matrix(y, copy=True)
        y.sum_duplicates()
    else:
        y = np.asarray(y)
    column = y.ndim == 2 and y.shape[1] == 1 and names is None and not sp.issparse(y)
    if column and not _binary(y):
        y = column_or_1d(y, warn=True)
    if y.ndim == 1:
        return _read_classes(y, source)
    if y.ndim != 2 or not y.shape[1]:
        raise ValueError(
            f"Expected y of shape (n_samples, n_labels) with at least one label, or "
            f"(n_samples,), got shape {y.shape}."
        )
    hierarchy = match_columns(source, names, y.shape[1])
    if hierarchy.n_labels != y.shape[1]:
        raise ValueError(
            f"Y has {y.shape[1]} columns, but the hierarchy has {hierarchy.n_labels} "
            f"labels: {name_list(hierarchy.labels)}. Give one column per label, in "
            f"this order, or a DataFrame to match columns by name."
        )
    return _close(_check_indicators(y, hierarchy), hierarchy, warn)


def _binary(y):
    return y.dtype.kind in "biuf" and bool((np.isin(y, (0, 1)) | (y != y)).all())


def _read_label_sets(rows, source):
    rows = [[plain(label) for label in row] for row in rows]
    seen = dict.fromkeys(label for row in rows for label in row)
    if source is None:
        if not any(isinstance(x, str) for x in seen) and seen:
            raise ValueError(
                f"y holds lists of {name_list(seen)}, and no hierarchy says which "
                f"labels there are. Pass a hierarchy, strings, or indicators (see "
                f"sklearn.preprocessing.MultiLabelBinarizer)."
            )
        try:
            hierarchy = Hierarchy.flat(sorted(seen))
        except TypeError:  # names of several types have no order
            hierarchy = Hierarchy.flat(seen)
    else:
        hierarchy = Hierarchy.build(source)
    _check_known(seen, hierarchy)
    if not hierarchy.n_labels:
        raise ValueError("y holds no label at all, expected at least one.")
    positions = [hierarchy.position(label) for row in rows for label in row]
    starts = np.cumsum([0, *map(len, rows)])
    ones = np.ones(len(positions), np.float32)
    Y = sp.csr_matrix((ones, positions, starts), (len(rows), hierarchy.n_labels))
    Y.sum_duplicates()
    Y.data[:] = 1
    return _close(Y, hierarchy, warn=False)  # the most specific names are enough


def _check_known(labels, hierarchy):
    unknown = [label for label in labels if label not in hierarchy]
    if unknown:
        raise ValueError(
            f"y holds labels that the hierarchy does not have: {name_list(unknown)}. "
            f"Add them to the hierarchy or correct the names."
        )


def _read_classes(y, source):
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    hierarchy = Hierarchy.flat(classes) if source is None else Hierarchy.build(source)
    _check_known(classes, hierarchy)
    positions = np.array([hierarchy.position(label) for label in classes])
    shape = (len(y), hierarchy.n_labels)
    ones = np.ones(len(y), np.float32)
    Y = sp.csr_matrix((ones, positions[codes], np.arange(len(y) + 1)), shape)
    Y = close_upward(Y, hierarchy)
    return Targets(Y, hierarchy, classes)


def _check_indicators(Y, hierarchy):
    values = Y.data if sp.issparse(Y) else Y
    if values.dtype.kind not in "biuf":
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                "Expected Y to hold 0, 1 or NaN, got strings or other objects. For "
                "label names pass a list of lists."
            ) from None
        Y = values if not sp.issparse(Y) else Y.astype(np.float64)
    wrong = ~(np.isin(values, (0, 1)) | np.isnan(values))
    if wrong.any():
        where = np.argwhere(wrong)[0]
        column = Y.indices[where[0]] if sp.issparse(Y) else where[1]
        got, label = values[wrong][0].item(), hierarchy.labels[column]
        raise ValueError(
            f"Expected Y to hold 0, 1 or NaN (unknown), got {got!r} for label "
            f"{label!r}. Unknown label type: for classes pass a 1-D y."
        )
    return Y


def _close(Y, hierarchy, warn):
    Y = Y.astype(np.float32)
    closed = close_upward(Y, hierarchy)
    added = (closed == 1).astype(np.int8) - (Y == 1).astype(np.int8)
    n_added = int(added.sum())
    if warn and n_added:
        row, column = (index[0] for index in added.nonzero())
        child = (Y[[row]] == 1).astype(np.int8)
        below = hierarchy.descendants[[column]].toarray().ravel()
        child = child.toarray().ravel() if sp.issparse(child) else child.ravel()
        example = hierarchy.labels[np.flatnonzero(below & (child > 0))[0]]
        warnings.warn(
            f"Y is not closed upward: added {n_added} missing ancestor labels, such "
            f"as {hierarchy.labels[column]!r} above {example!r} in row {row}. Close Y "
            f"with skhmc.coherence.close_upward to silence this.",
            UserWarning,
            stacklevel=4,
        )
    return Targets(closed, hierarchy)


def check_sample_weight(sample_weight, shape, dtype):
    """Return weights as (n_samples, 1 or n_labels) with the mean 1, or None.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels) or None
    shape : tuple
        Shape of Y; (n_samples, 1) where only one weight per sample makes sense.
    dtype : numpy dtype

    Returns
    -------
    ndarray or None
    """
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.ndim == 0:
        weight = np.full(shape[0], weight)
    if weight.shape not in {(shape[0],), shape}:
        raise ValueError(
            f"Expected sample_weight of shape ({shape[0]},) or {shape}, got "
            f"{weight.shape}."
        )
    if not np.isfinite(weight).all():
        raise ValueError("Expected finite sample_weight, got NaN or infinity.")
    if (weight < 0).any():
        where = tuple(np.argwhere(weight < 0)[0].tolist())
        got = weight[where].item()
        raise ValueError(
            f"Expected sample_weight of at least 0, got {got!r} at {where}. Negative "
            f"weights have no meaning here; drop the samples instead."
        )
    if not weight.any():
        raise ValueError("Expected some positive sample weight, got only zeros.")
    # scaled to a mean of 1: their scale means nothing, and batches divide by their size
    return (weight / weight.mean()).reshape(shape[0], -1).astype(dtype)

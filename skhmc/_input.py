"""What ``fit``, ``partial_fit`` and ``score`` are handed over, checked."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import accuracy_score
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skhmc._file_rows import FileRows, has_rows_in_file, row_blocks
from skhmc._sources import name_list
from skhmc._targets import read_targets

__all__ = [
    "check_X",
    "match_weight",
    "read_fit_input",
    "read_fit_labels",
    "require_y",
    "set_labels",
    "subset_accuracy",
]

CELLS = 2**22  # predictions that are scored at a time against sparse labels


def check_X(estimator, X, *, reset, allow_nd):
    """Return X as a C-ordered array or CSR matrix of the estimator's ``dtype``.

    What lies in a file stays there, whatever its dtype: FileRows are returned.

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
    ndarray, csr_matrix or FileRows
    """
    options = {"accept_sparse": "csr", "dtype": np.dtype(estimator.dtype), "order": "C"}
    options["allow_nd"] = allow_nd
    try:
        if has_rows_in_file(X):
            X = _check_rows_in_file(estimator, X, reset, options)
        else:
            X = validate_data(estimator, X, reset=reset, **options)
        _check_sample_shape(estimator, X.shape[1:], reset)
        return X
    except ValueError as error:
        if "while dim <= 2 is required" in str(error):
            raise ValueError(
                f"{error}\nFor images or sequences give an encoder, which takes such X."
            ) from error
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


def _check_rows_in_file(estimator, X, reset, options):
    first, *others = row_blocks(X)
    validate_data(estimator, X[first], reset=reset, **options)
    for block in others:
        check_array(X[block], estimator=estimator, input_name="X", **options)
    return FileRows(X, options["dtype"])


def _check_sample_shape(estimator, shape, reset):
    """Learn the shape of one sample, or compare it; 2-D X is compared by its width."""
    if reset:
        estimator._sample_shape = shape
    elif len(shape) > 1 and shape != estimator._sample_shape:
        raise ValueError(
            f"X holds samples of shape {shape}, but {type(estimator).__name__} was "
            f"fitted with samples of shape {estimator._sample_shape}."
        )


def read_fit_input(
    estimator, X, y, sample_weight, *, former=None, classes=None, partial=False
):
    """Read what ``fit`` or ``partial_fit`` was given.

    Parameters
    ----------
    estimator : BaseEstimator
    X, y, sample_weight
        As documented in ``fit``.
    former : {None, "features", "labels"}
        What of a former fit must be the same: nothing, the features of X, or also the
        labels, whose columns are then brought into its order.
    classes : array-like or None
        What y may hold, where y itself need not show it.
    partial : bool, default=False
        Whether other parts of the training data follow.

    Returns
    -------
    X : ndarray, csr_matrix or FileRows of shape (n_samples, ...)
    targets : Targets
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
    """
    require_y(estimator, y)
    many = estimator._many_dimensions
    X = check_X(estimator, X, reset=former is None, allow_nd=many)
    known = former == "labels"
    source = estimator.hierarchy_ if known else estimator.hierarchy
    targets = read_targets(y, source, classes=classes, partial=partial and not known)
    weight = _read_weight(X, y, targets, sample_weight, np.dtype(estimator.dtype))
    if known:
        targets, weight = _as_before(estimator, targets, weight)
    return X, targets, weight


def read_fit_labels(estimator, X, y, sample_weight):
    """Read what ``fit`` was given beside an X that somebody else checks.

    Parameters
    ----------
    estimator : BaseEstimator
        Has ``hierarchy``.
    X, y, sample_weight
        As documented in ``fit``.

    Returns
    -------
    targets : Targets
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
        With a mean of 1.
    """
    require_y(estimator, y)
    targets = read_targets(y, estimator.hierarchy)
    if not targets.Y.shape[0]:
        raise ValueError("Found 0 samples, expected at least one.")
    return targets, _read_weight(X, y, targets, sample_weight, np.dtype(np.float64))


def require_y(estimator, y):
    """Raise the error that scikit-learn's checks know, where y is None."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but "
            f"the target y is None."
        )


def _read_weight(X, y, targets, sample_weight, dtype):
    check_consistent_length(X, targets.Y)
    shape = (targets.Y.shape[0], 1) if targets.classes is not None else targets.Y.shape
    return check_sample_weight(match_weight(sample_weight, y), shape, dtype)


def match_weight(sample_weight, y):
    """Return weights with the columns in the order of y's, where both have names."""
    if hasattr(sample_weight, "columns") and hasattr(y, "columns"):
        if set(sample_weight.columns) == set(y.columns):
            return sample_weight[list(y.columns)]
    return sample_weight


def _as_before(estimator, targets, weight):
    """Bring targets and weights into the order of ``estimator.hierarchy_``."""
    former = estimator.classes_ if estimator.classes_.ndim == 1 else None
    if (former is None) != (targets.classes is None):
        shapes = ["(n_samples,)", "(n_samples, n_labels)"]
        was, now = shapes if former is not None else shapes[::-1]
        raise ValueError(
            f"Expected y of shape {was} as before, got {now}. Start anew with fit, or "
            f"with a clone."
        )
    if former is not None:
        new = [x for x in targets.classes.tolist() if x not in set(former.tolist())]
        if new:
            raise ValueError(
                f"y holds classes that were not there before: {name_list(new)}. Name "
                f"all classes in the first call: partial_fit(X, y, classes=...)."
            )
        codes = np.searchsorted(former, targets.classes)[targets.codes]
        return replace(targets, classes=former, codes=codes), weight
    hierarchy = estimator.hierarchy_
    order = [targets.hierarchy.position(x) for x in hierarchy.labels]
    if weight is not None and weight.shape[1] > 1:
        weight = weight[:, order]
    return replace(targets, Y=targets.Y[:, order], hierarchy=hierarchy), weight


def set_labels(estimator, targets):
    """Set ``hierarchy_``, ``label_names_`` and ``classes_`` of an estimator."""
    hierarchy, classes = targets.hierarchy, targets.classes
    estimator.hierarchy_ = hierarchy
    estimator.label_names_ = np.empty(hierarchy.n_labels, dtype=object)
    estimator.label_names_[:] = hierarchy.labels
    tiled = np.tile([0, 1], (hierarchy.n_labels, 1))
    estimator.classes_ = tiled if classes is None else classes


def subset_accuracy(estimator, X, y, sample_weight):
    """Return the share of samples whose known labels are all predicted right.

    ``y`` is read as ``fit`` reads it: columns by name, closed upward.
    """
    check_is_fitted(estimator, "classes_")
    if estimator.classes_.ndim == 1:
        return accuracy_score(y, estimator.predict(X), sample_weight=sample_weight)
    targets = read_targets(y, estimator.hierarchy_, warn=False)
    order = [estimator.hierarchy_.position(x) for x in targets.hierarchy.labels]
    check_consistent_length(X, targets.Y)
    wrong, n_samples = [], targets.Y.shape[0]
    step = CELLS // len(order) + 1 if sp.issparse(targets.Y) else n_samples
    for start in range(0, n_samples, step):  # predictions of all rows may be dense
        rows = slice(start, start + step)
        part = X if step >= n_samples else _safe_indexing(X, rows)
        wrong.append(_differ(targets.Y[rows], estimator.predict(part)[:, order]))
    return float(np.average(~np.concatenate(wrong), weights=sample_weight))


def _differ(Y, predicted):
    """Return in which rows (n_samples,) a known label is another one."""
    if not sp.issparse(Y) and not sp.issparse(predicted):
        return ((Y != predicted) & ~np.isnan(Y)).any(axis=1)
    apart = sp.csr_matrix(Y) - sp.csr_matrix(predicted)  # NaN stays
    apart.data[np.isnan(apart.data)] = 0
    apart.eliminate_zeros()
    return np.diff(apart.indptr) > 0


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

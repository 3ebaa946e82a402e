"""The share of samples whose known labels are all predicted right."""

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import accuracy_score
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from skhmc._data.containers import check_one_kind, unwrap
from skhmc._data.targets import read_targets
from skhmc._data.weights import read_row_weights
from skhmc._utils.warnings import read_before

__all__ = ["subset_accuracy"]


CELLS = 2**22  # predictions that are scored at a time against sparse labels


def subset_accuracy(estimator, X, y, sample_weight):
    """Return the share of samples whose known labels are all predicted right.

    ``y`` is read as ``fit`` reads it: columns by name, closed upward. Weights are of
    samples.
    """
    check_is_fitted(estimator, "classes_")
    y = unwrap(y)
    if estimator.classes_.ndim == 1:
        check_one_kind(y)
        return _share_of_right_classes(estimator, X, y, sample_weight)
    with read_before():  # fit warned of the hierarchy
        targets = read_targets(y, estimator.hierarchy_, warn=False)
    weight = _read_weight(sample_weight, targets.Y.shape[0])
    order = [estimator.hierarchy_.position(x) for x in targets.hierarchy.labels]
    check_consistent_length(X, targets.Y)
    n_samples = targets.Y.shape[0]
    step = n_samples
    if sp.issparse(targets.Y):  # predictions of all rows may be dense, and too large
        step = CELLS // len(order) + 1
    wrong = []
    for start in range(0, n_samples, step):
        rows = slice(start, start + step)
        part = X if step >= n_samples else _safe_indexing(X, rows)
        wrong.append(_differ(targets.Y[rows], estimator.predict(part)[:, order]))
    return float(np.average(~np.concatenate(wrong), weights=weight))


def _share_of_right_classes(estimator, X, y, sample_weight):
    predicted = estimator.predict(X)
    weight = _read_weight(sample_weight, len(predicted))
    if predicted.dtype == object != estimator.classes_.dtype:
        # it stopped at labels of another type than the classes, which no metric of
        # scikit-learn compares
        right = np.ravel(y).astype(object) == predicted
        return float(np.average(right, weights=weight))
    return accuracy_score(y, predicted, sample_weight=weight)


def _read_weight(sample_weight, n_samples):
    """Return one weight per sample, some of them above 0, or None."""
    weight = read_row_weights(sample_weight, n_samples)
    if weight is not None and not weight.any():
        raise ValueError("Expected some positive sample weight, got only zeros.")
    return weight


def _differ(Y, predicted):
    """Return in which rows (n_samples,) a known label is another one."""
    if not sp.issparse(Y) and not sp.issparse(predicted):
        return ((Y != predicted) & ~np.isnan(Y)).any(axis=1)
    apart = sp.csr_matrix(Y) - sp.csr_matrix(predicted)  # NaN stays
    apart.data[np.isnan(apart.data)] = 0
    apart.eliminate_zeros()
    return np.diff(apart.indptr) > 0

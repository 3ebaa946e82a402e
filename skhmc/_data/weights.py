"""Weights of samples and labels, and the label counts that they follow from."""

from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._utils.messages import name_list
from skhmc._utils.warnings import warn_user

__all__ = [
    "balanced_weights",
    "label_counts",
    "match_weight",
    "most_per_row",
    "rates",
    "read_class_weight",
    "warn_constant",
]


ROWS_PER_BLOCK = 1024
CELLS_PER_BLOCK = 2**22  # what is made dense at a time
SMOOTHING = 1e-4  # the rate of a label that no training row has


def label_counts(Y, weight):
    """Return the weighted positives and known values of every label.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        0, 1 or NaN.
    weight : ndarray of shape (n_samples, 1 or n_labels) or None

    Returns
    -------
    positive, known : ndarray of shape (n_labels,)
    """
    if sp.issparse(Y) and weight is None and not np.isnan(Y.data).any():
        known = np.full(Y.shape[1], float(Y.shape[0]))
        return np.asarray(Y.sum(axis=0, dtype=np.float64)).ravel(), known
    positive, known = np.zeros(Y.shape[1]), np.zeros(Y.shape[1])
    step = min(ROWS_PER_BLOCK, CELLS_PER_BLOCK // Y.shape[1] + 1)
    for start in range(0, Y.shape[0], step):
        rows = slice(start, start + step)
        y = Y[rows].toarray(order="F") if sp.issparse(Y) else Y[rows]
        w = np.ones((len(y), 1)) if weight is None else weight[rows]
        # columns first: sums are then rounded alike however Y is laid out
        positive += np.nansum(np.asfortranarray(y * w), axis=0)
        known += np.asfortranarray(~np.isnan(y) * w).sum(axis=0)
    return positive, known


def most_per_row(Y, columns, groups):
    """Return the most positive labels of a row, for every group of labels.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        0, 1 or NaN.
    columns : ndarray of int or None
        Where every column of a CSR matrix Y stands; None is where it is.
    groups : list of ndarray of int
        Of columns.

    Returns
    -------
    list of int
    """
    positive = sp.csr_matrix(Y == 1)
    if columns is not None:
        places = columns[positive.indices], positive.indptr
        positive = sp.csr_matrix((positive.data, *places), positive.shape)
    return [int(positive[:, group].sum(axis=1).max()) for group in groups]


def rates(positive, known):
    """Return every label's share of positives, kept off 0 and 1.

    Unknown labels are taken for as rare as can be: anything more could be above their
    ancestors, which a coherence step would then raise. Neither the number of rows nor
    the scale of weights matters, so that weights and repeated rows are equivalent.
    """
    share = positive / np.maximum(known, np.finfo(float).tiny)
    return (share + SMOOTHING) / (1 + 2 * SMOOTHING)


def warn_constant(positive, known, fixed, names, priors, few=None):
    """Warn once of labels that training can say nothing about, and of their fate.

    Parameters
    ----------
    positive, known : ndarray of shape (n_labels,)
    fixed : ndarray of shape (n_labels,), bool
        The labels it is about.
    names : sequence
    priors : bool
        Whether such labels are predicted at their prior.
    few : ndarray of shape (n_labels,), bool, default=None
        Labels that have both values, one of them too seldom. Only with ``priors``.
    """
    kinds = {
        "no known value": (fixed & (known == 0), "never"),
        "no positive row": (fixed & (known > 0) & (positive == 0), "hardly ever"),
        "only positive rows": (fixed & (known > 0) & (positive == known), "always"),
    }
    if few is not None:
        rest = few & (0 < positive) & (positive < known)
        kinds["too few rows of one value"] = (rest, "")
    found = {kind: pair for kind, pair in kinds.items() if pair[0].any()}
    if found:
        said = [
            f"{mask.sum()} with {kind} ({name_list(np.array(names, object)[mask])})"
            for kind, (mask, _) in found.items()
        ]
        how_often = " and ".join(fate for _, fate in found.values())
        fate = "at their prior" if priors else f"as {how_often} there"
        warn_user(
            f"Of {len(names)} labels, {'; '.join(said)} in the training data: nothing "
            f"can be learnt about them, and they are predicted {fate}."
        )


def balanced_weights(counts, cap):
    """Return weights that make exclusive classes count alike, up to a cap.

    A class weighs as much more than the most frequent one as it is rarer, at most
    ``cap`` times as much. The total weight stays what it was: with an infinite cap
    these are the weights that scikit-learn calls balanced.

    Parameters
    ----------
    counts : ndarray of shape (..., n_classes)
        Of the training samples; classes without a sample get the weight 1.
    cap : float
        At least 1.

    Returns
    -------
    ndarray of shape (..., n_classes)

    Examples
    --------
    >>> balanced_weights(np.array([30.0, 10.0]), cap=np.inf)
    array([0.66666667, 2.        ])
    >>> balanced_weights(np.array([30.0, 10.0]), cap=2.0)
    array([0.8, 1.6])
    """
    there = counts > 0
    most = counts.max(axis=-1, keepdims=True)
    ratio = np.minimum(most / np.where(there, counts, 1), cap)
    total = counts.sum(axis=-1, keepdims=True)
    weighted = (ratio * counts).sum(axis=-1, keepdims=True)
    return np.where(there, ratio * total / np.where(weighted > 0, weighted, 1), 1.0)


def read_class_weight(class_weight, hierarchy):
    """Return the weight of every label's positives, as a dict gives them by name.

    Parameters
    ----------
    class_weight : dict
        Label name to a number of at least 0; other labels weigh 1.
    hierarchy : Hierarchy

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    unknown = [label for label in class_weight if label not in hierarchy]
    if unknown:
        raise ValueError(
            f"class_weight names labels that there are not: {name_list(unknown)}. "
            f"Expected some of {name_list(hierarchy.labels)}."
        )
    weight = np.ones(hierarchy.n_labels)
    for label, value in class_weight.items():
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not (number and 0 <= value < np.inf):
            raise InvalidParameterError(
                f"Expected class_weight to hold finite numbers of at least 0, got "
                f"{value!r} for label {label!r}."
            )
        weight[hierarchy.position(label)] = value
    return weight


def match_weight(sample_weight, y):
    """Return weights with the columns in the order of y's, where both have names."""
    if hasattr(sample_weight, "columns") and hasattr(y, "columns"):
        if set(sample_weight.columns) == set(y.columns):
            return sample_weight[list(y.columns)]
    return sample_weight


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

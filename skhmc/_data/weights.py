"""Weights of samples and labels, and the label counts that they follow from."""

from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._data.containers import column_names, is_frame
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import warn_user
from skhmc.hierarchy import Hierarchy

__all__ = [
    "balanced_weights",
    "check_finite_sum",
    "check_sample_weight",
    "label_counts",
    "match_weight",
    "max_positives_per_row",
    "read_class_weight",
    "read_label_weights",
    "read_row_weights",
    "read_sample_weight",
    "smoothed_rates",
    "to_mean_1",
    "warn_constant",
]


ROWS_PER_BLOCK = 1024
CELLS_PER_BLOCK = 2**22  # what is made dense at a time
SMOOTHING = 1e-4  # the rate of a label that no training row has
MAX_CLASS_WEIGHT = 1e9  # losses times more could overflow in float32
TINY = np.finfo(np.float64).tiny


# -- label counts ----------------------------------------------------------------------


def label_counts(Y, weight):
    """Return the weighted positives and known values of every label.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Indicators: 0, 1 or NaN.
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
        Weights of samples; None weighs all alike.

    Returns
    -------
    positive : ndarray of shape (n_labels,)
        Weight of the rows that have a label.
    known : ndarray of shape (n_labels,)
        Weight of the rows in which a label is known.
    """
    if sp.issparse(Y) and weight is None and not np.isnan(Y.data).any():
        known = np.full(Y.shape[1], float(Y.shape[0]))
        return np.asarray(Y.sum(axis=0, dtype=np.float64)).ravel(), known
    positive = np.zeros(Y.shape[1])
    known = np.zeros(Y.shape[1])
    # block by block, because a sparse Y as a whole may not fit as a dense one
    step = min(ROWS_PER_BLOCK, CELLS_PER_BLOCK // Y.shape[1] + 1)
    for start in range(0, Y.shape[0], step):
        rows = slice(start, start + step)
        y = Y[rows].toarray(order="F") if sp.issparse(Y) else Y[rows]
        w = np.ones((len(y), 1)) if weight is None else weight[rows]
        # columns first: sums are then rounded alike however Y is laid out
        positive += np.nansum(np.asfortranarray(y * w), axis=0)
        known += np.asfortranarray(~np.isnan(y) * w).sum(axis=0)
    return positive, known


def max_positives_per_row(Y, columns, groups):
    """Return the greatest number of positive labels in a row, for groups of labels.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Indicators: 0, 1 or NaN.
    columns : ndarray of int or None
        New positions of the columns of a CSR matrix Y; None leaves them in place.
    groups : list of ndarray of int
        Positions of the labels of every group, after the columns were moved.

    Returns
    -------
    list of int
    """
    positive = sp.csr_matrix(Y == 1)
    if columns is not None:
        parts = (positive.data, columns[positive.indices], positive.indptr)
        positive = sp.csr_matrix(parts, positive.shape)
    return [int(positive[:, group].sum(axis=1).max()) for group in groups]


def smoothed_rates(positive, known):
    """Return every label's share of positives, kept off 0 and 1.

    Unknown labels are taken for as rare as can be: anything more could be above their
    ancestors, which a coherence step would then raise. Neither the number of rows nor
    the scale of weights matters, so that weights and repeated rows are equivalent.
    """
    share = positive / np.maximum(known, TINY)
    return (share + SMOOTHING) / (1 + 2 * SMOOTHING)


def warn_constant(positive, known, fixed, names, priors, few=None):
    """Warn once of labels that training can say nothing about, and of their fate.

    Parameters
    ----------
    positive : ndarray of shape (n_labels,)
        Weight of the rows that have a label.
    known : ndarray of shape (n_labels,)
        Weight of the rows in which a label is known.
    fixed : ndarray of shape (n_labels,), bool
        Labels to warn of.
    names : sequence
        Names of all labels.
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


# -- class weights ---------------------------------------------------------------------


def balanced_weights(counts, cap):
    """Return weights that make exclusive classes count alike, up to a cap.

    A class weighs as much more than the most frequent one as it is rarer, at most
    ``cap`` times as much. The total weight stays what it was: with an infinite cap
    these are the weights that scikit-learn calls balanced.

    Parameters
    ----------
    counts : ndarray of shape (..., n_classes)
        Numbers of training samples; classes without a sample get the weight 1.
    cap : float
        Largest ratio of two weights, at least 1.

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
    present = counts > 0
    most = counts.max(axis=-1, keepdims=True)
    ratio = np.minimum(most / np.where(present, counts, 1), cap)
    total = counts.sum(axis=-1, keepdims=True)
    weighted = (ratio * counts).sum(axis=-1, keepdims=True)
    return np.where(present, ratio * total / np.where(weighted > 0, weighted, 1), 1.0)


def read_class_weight(class_weight, hierarchy):
    """Return the weight of every label's positives, as a dict gives them by name.

    Parameters
    ----------
    class_weight : dict
        Numbers of at least 0 by label name; other labels weigh 1.
    hierarchy : Hierarchy
        Labels that there are, in the order of the result.

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
        if not (number and 0 <= value <= MAX_CLASS_WEIGHT):
            raise InvalidParameterError(
                f"Expected class_weight to hold finite numbers, at most "
                f"{MAX_CLASS_WEIGHT:.0e} and at least 0, got {value!r} for label "
                f"{label!r}."
            )
        weight[hierarchy.position(label)] = value
    return weight


def read_label_weights(class_weight, hierarchy, exclusive=False):
    """Return the weights of every label's zeros and of its ones, as a dict gives them.

    Parameters
    ----------
    class_weight : dict
        Numbers of at least 0 by label name, which weigh positives. Or those of the
        values 0 and 1, as in scikit-learn, which weigh the negatives and the positives
        of all labels: keys that are bools, or 0 and 1 where these are no labels.
    hierarchy : Hierarchy
        Labels that there are, in the order of the result.
    exclusive : bool, default=False
        Whether labels of one level exclude each other, and are scored by a softmax.

    Returns
    -------
    zeros, ones : ndarray of shape (n_labels,)

    Raises
    ------
    ValueError
        When 0 and 1 are labels as well, so that both may be meant. Or when the values
        are weighted of labels that exclude each other, for which that means nothing.

    Warns
    -----
    UserWarning
        When the only key is 0 or 1 and a label has this name, whose weight it then is.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> read_label_weights({0: 1, 1: 20}, Hierarchy.flat(["a", "b"]))
    (array([1., 1.]), array([20., 20.]))
    >>> read_label_weights({"b": 20}, Hierarchy.flat(["a", "b"]))
    (array([1., 1.]), array([ 1., 20.]))
    """
    if _is_by_value(class_weight, hierarchy):
        zero, one = read_class_weight(class_weight, Hierarchy.flat([0, 1])).tolist()
        if exclusive and zero != one:
            raise ValueError(
                f"class_weight={class_weight!r} weighs the zeros and the ones of all "
                f"labels, but here a sample has one label of every level, and a "
                f"softmax scores them: its losses have no zeros. Name labels, or train "
                f"with label_loss='bce'."
            )
        n_labels = hierarchy.n_labels
        return np.full(n_labels, zero), np.full(n_labels, one)
    return np.ones(hierarchy.n_labels), read_class_weight(class_weight, hierarchy)


def _is_by_value(class_weight, hierarchy):
    """Tell weights of the values 0 and 1 from those of labels."""
    if not class_weight or not all(key in (0, 1) for key in class_weight):
        return False
    if all(isinstance(key, (bool, np.bool_)) for key in class_weight):
        return True
    if not all(key in hierarchy for key in class_weight):
        return True  # it can mean nothing else
    by_value = {bool(key): weight for key, weight in class_weight.items()}
    readings = (
        f"class_weight={class_weight!r} may mean the labels 0 and 1, of which there "
        f"are some, or the values 0 and 1 of all labels"
    )
    if len(class_weight) == 2:
        raise ValueError(
            f"{readings}. For the values, pass class_weight={by_value!r}. For the "
            f"labels, name a third one too, such as one of weight 1, or give the "
            f"columns of Y names other than 0 and 1."
        )
    key = next(iter(class_weight))
    warn_user(
        f"{readings}. It is read as the weight of the positives of label {key!r}. For "
        f"the value, pass class_weight={by_value!r}; name a second label, such as one "
        f"of weight 1, where the label is meant."
    )
    return False


# -- sample weights --------------------------------------------------------------------


def match_weight(sample_weight, y, targets):
    """Return weights of the labels of targets, where there are weights of columns.

    Parameters
    ----------
    sample_weight : array-like, DataFrame, number or None
        Weights as documented in ``fit``.
    y : object
        What was given as y. Weights with the same names of columns are brought into
        their order.
    targets : Targets
        What was read from y. Ancestors that were added to its columns weigh what these
        do: where the sample has one, as much as the heaviest column below that is
        positive; else as the lightest one below, since all of them have to be negative.

    Returns
    -------
    array-like, DataFrame, number or None
    """
    if sample_weight is None:
        return None
    if is_frame(sample_weight) and is_frame(y):
        names = column_names(y)
        if set(column_names(sample_weight)) == set(names):
            select = getattr(sample_weight, "select", None)  # of pyarrow
            by_name = hasattr(sample_weight, "column_names") and select is not None
            sample_weight = select(names) if by_name else sample_weight[names]
    n_labels = targets.hierarchy.n_labels
    n_columns = n_labels - len(targets.added)
    if targets.added and np.shape(sample_weight) == (len(targets.Y), n_columns):
        return _weigh_ancestors(_weights_as_numbers(sample_weight), targets)
    return sample_weight


def _weigh_ancestors(weight, targets):
    """Return weights of given columns with those of added ancestors behind."""
    n_columns = weight.shape[1]
    positive = targets.Y[:, :n_columns] == 1
    below = targets.hierarchy.descendants[n_columns:, :n_columns].toarray()
    weights = [weight]
    for columns in below:
        here = weight[:, columns]
        has_one = positive[:, columns]
        heaviest = np.where(has_one, here, 0).max(axis=1)
        lightest = here.min(axis=1)
        weights.append(np.where(has_one.any(axis=1), heaviest, lightest)[:, None])
    return np.hstack(weights)


def check_sample_weight(sample_weight, n_samples, n_labels=None):
    """Return sample weights as floats, as large as they were given.

    Parameters
    ----------
    sample_weight : array-like, number or None
        Weights of samples, or one for all.
    n_samples : int
        Number of samples.
    n_labels : int, default=None
        Number of labels, where every sample may weigh differently for each. None
        allows one weight per sample only.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_labels), float64, or None
    """
    if sample_weight is None:
        return None
    weight = _weights_as_numbers(sample_weight)
    if weight.ndim == 0:
        weight = np.full(n_samples, weight)
    _check_weight_shape(weight.shape, n_samples, n_labels)
    if not np.isfinite(weight).all():
        raise ValueError("Expected finite sample_weight, got NaN or infinity.")
    if (weight < 0).any():
        where = tuple(np.argwhere(weight < 0)[0].tolist())
        got = weight[where].item()
        raise ValueError(
            f"Expected sample_weight of at least 0, got {got!r} at {where}. Negative "
            f"weights have no meaning here; drop the samples instead."
        )
    return weight


def _weights_as_numbers(sample_weight):
    """Return weights as float64; what is missing is NaN, or an error."""
    if np.ma.isMaskedArray(sample_weight):  # a masked weight is missing
        sample_weight = sample_weight.astype(np.float64).filled(np.nan)
    elif hasattr(sample_weight, "isna") and np.any(sample_weight.isna()):
        # pandas, whose missing values are not all floats
        raise ValueError("Expected finite sample_weight, got NaN or infinity.")
    given = np.asarray(sample_weight)
    if given.dtype.kind == "c":  # of which a cast would drop a part
        raise ValueError(
            f"Expected sample_weight to be real numbers, got {given.dtype}."
        )
    try:
        return given.astype(np.float64)
    except OverflowError as error:
        raise ValueError(
            "Expected sample_weight that a float can hold, got integers beyond 1e308. "
            "Divide them by the greatest."
        ) from error


def _check_weight_shape(shape, n_samples, n_labels):
    """Raise unless there is a weight per sample or, where allowed, also per label."""
    allowed = {(n_samples,)}
    expected = f"({n_samples},), one weight per sample"
    if n_labels is not None:
        allowed.add((n_samples, n_labels))
        expected = f"({n_samples},) or ({n_samples}, {n_labels})"
    if shape not in allowed:
        raise ValueError(f"Expected sample_weight of shape {expected}, got {shape}.")


def read_row_weights(sample_weight, n_samples):
    """Return one weight per sample for sums whose scale matters, such as counts.

    Parameters
    ----------
    sample_weight : array-like, number or None
        Weights of samples, which are not scaled.
    n_samples : int
        Number of samples.

    Returns
    -------
    ndarray of shape (n_samples,), float64, or None
    """
    weight = check_sample_weight(sample_weight, n_samples)
    if weight is None:
        return None
    check_finite_sum(weight)
    return weight


def check_finite_sum(weight):
    """Raise where checked weights are to be added up, and are too large for it."""
    with np.errstate(over="ignore"):
        total = weight.sum()
    if np.isinf(total):
        raise ValueError(
            f"Expected sample_weight whose sum is finite, got weights up to "
            f"{weight.max().item()!r}. Divide them by the greatest."
        )


def to_mean_1(weight):
    """Return checked weights scaled to a mean of 1; all zeros are an error.

    A fit does so because the scale of weights means nothing, while losses of batches
    are divided by the number of their samples.
    """
    if not weight.any():
        raise ValueError("Expected some positive sample weight, got only zeros.")
    with np.errstate(over="ignore"):
        mean = weight.mean()
    if not TINY <= mean < np.inf:
        # the sum is too large, or the mean too small, for a float: weights would all
        # become 0 or infinity. Divided by the greatest first, none of both happens.
        weight = weight / weight.max()
        mean = weight.mean()
    return weight / mean


def read_sample_weight(sample_weight, y, targets, dtype):
    """Return the weights that a fit was given, with a mean of 1.

    Parameters
    ----------
    sample_weight : array-like, DataFrame, number or None
        Weights as documented in ``fit``.
    y : object
        What was given as y. Weights with named columns are matched to its columns.
    targets : Targets
        What was read from y. Of a 1-D y only samples weigh, not labels.
    dtype : numpy dtype
        Dtype of the result.

    Returns
    -------
    ndarray of shape (n_samples, 1 or n_labels) or None
    """
    n_samples, n_labels = targets.Y.shape
    if targets.classes is not None:
        n_labels = 1
    sample_weight = match_weight(sample_weight, y, targets)
    weight = check_sample_weight(sample_weight, n_samples, n_labels)
    if weight is None:
        return None
    return to_mean_1(weight).reshape(n_samples, -1).astype(dtype)

"""How much memory a fit takes, told before it takes it."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._linear.siblings import counted_rows, is_constant
from skhmc._utils.memory import bytes_as_text, free_memory

__all__ = [
    "Plan",
    "check_memory",
    "check_memory_of_centroids",
    "plan_centroids",
    "plan_memory",
]

WEIGHT = 8  # bytes: a number and its feature
# of an entry of X that a solver is given: a number, its feature, and LIBLINEAR's own
ENTRY = 8 + 4 + 16
LABEL = 100  # bytes beside its weights, about
N_TRIALS = 240  # labels that are fitted to tell how many weights are kept
WORTH_TRIALS = 2**27  # bytes
HALVES = 1.75  # times centroids: they, a half of them, and a half of this


class Plan(NamedTuple):
    """Memory that a fit takes beside X and Y, in bytes."""

    taken: int  # already
    more: int  # that it still takes


def plan_memory(
    problems, groups, fit, weight_threshold, own_X, n_jobs, rng, closed_Y=None
):
    """Return the Plan of a fit.

    A label has at most as many weights as there are features in the rows with its
    parents, and these have at most as many features as entries. How many are kept of
    that is seen at some labels, drawn by how many they may have, from all sizes.

    Parameters
    ----------
    problems : Problems
        All labels'.
    groups : list of Siblings
        All labels.
    fit : callable
        Of X, y and sample weights, returns weights, bias and number of walks.
    weight_threshold : float
        Weights that are not larger are dropped.
    own_X : bool
        Whether the X of the problems is a copy of the user's.
    n_jobs : int or None
        Number of processes.
    rng : RandomState
        Draws labels.
    closed_Y : ndarray or csr_matrix of shape (n_samples, n_labels), default=None
        The labels as they are kept beside the user's.
    """
    X, positive = problems.X, problems.positive
    n_samples, n_features = X.shape
    per_row = np.diff(X.indptr) if sp.issparse(X) else np.full(n_samples, n_features)
    per_label = positive.T.astype(np.float64) @ per_row
    entries = np.array(
        [
            per_label[group.parents].min() if len(group.parents) else per_row.sum()
            for group in groups
        ]
    )
    sizes = np.array([len(group.children) for group in groups])
    most = np.minimum(entries, n_features)
    n_weights = float(most @ sizes)
    if n_weights * WEIGHT > WORTH_TRIALS:
        drawn = _drawn(most * sizes, rng, by=most)
        shares = [
            _n_kept(problems, groups[k], fit, weight_threshold, rng) / most[k]
            for k in drawn.tolist()
        ]
        n_weights *= np.mean(shares)
    solver = ENTRY * entries.max() * effective_n_jobs(n_jobs)
    # twice, when they are put together
    model = 2 * WEIGHT * n_weights + LABEL * sizes.sum()
    taken = _n_bytes(positive)
    taken += _n_bytes(X) if own_X else 0
    taken += 0 if closed_Y is None else _n_bytes(closed_Y)
    return Plan(taken=taken, more=int(max(solver, model)))


def plan_centroids(X, positive, groups, rng):
    """Return the bytes of the centroids of labels, while they are put together.

    A centroid has at most as many features as its rows have entries. How many of that
    are different is seen at some labels.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        Samples.
    positive : csc_matrix of shape (n_samples, n_labels)
        Labels of the samples.
    groups : list of Siblings
        Those whose centroids are needed, one group at a time.
    rng : RandomState
        Draws labels.
    """
    if not groups:
        return 0
    n_samples, n_features = X.shape
    per_row = np.diff(X.indptr) if sp.issparse(X) else np.full(n_samples, n_features)
    most = np.minimum(positive.T.astype(np.float64) @ per_row, n_features)
    size = X.dtype.itemsize + 4  # a number and its feature
    numbers = max(most[group.children].sum() for group in groups)
    if numbers * size > WORTH_TRIALS and sp.issparse(X):
        labels = np.concatenate([group.children for group in groups])
        drawn = labels[_drawn(most[labels], rng)]
        shares = [_n_features(X, positive, k) / most[k] for k in drawn.tolist()]
        numbers *= np.mean(shares)
    # a copy of X, whose rows are made of length 1, and the labels the other way round
    return int(HALVES * size * numbers + _n_bytes(X) + 3 * _n_bytes(positive))


def _drawn(sizes, rng, by=None):
    """Return numbers of things, drawn by their size.

    With ``by``, they are evenly spread over what this says of things: a mean over them
    is more exact where it depends on that.
    """
    order = np.argsort(sizes if by is None else by, kind="stable")
    ends = np.cumsum(sizes[order])
    points = (rng.uniform() + np.arange(N_TRIALS)) / N_TRIALS * ends[-1]
    return order[np.searchsorted(ends, points, side="right")]


def _n_features(X, positive, label):
    """Return how many features the samples of a label have."""
    rows = positive.indices[positive.indptr[label] : positive.indptr[label + 1]]
    return len(np.unique(X[rows].indices))


def _n_kept(problems, group, fit, weight_threshold, rng):
    """Return how many weights a label of some Siblings keeps."""
    label = rng.choice(group.children, 1)
    _, read, y, weight = next(problems.of(group, label))
    if is_constant(y, weight):
        return 0
    weights, _, _ = fit(*counted_rows(read()[0], y, weight))
    return int((np.abs(weights) > weight_threshold).sum())


def _n_bytes(matrix):
    if not sp.issparse(matrix):
        return matrix.nbytes
    return matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes


def check_memory_of_centroids(n_bytes, n_labels, max_children):
    """Raise where the centroids of labels take more memory than is free."""
    free = free_memory()
    if free is None or n_bytes <= free:
        return
    raise InvalidParameterError(
        f"Inner nodes have to be learnt among {n_labels:,} labels that are more than "
        f"max_children={max_children!r} below one label, or have none above them. The "
        f"mean samples of these labels need about {bytes_as_text(n_bytes)}, but "
        f"{bytes_as_text(free)} of memory are free. Pass a hierarchy with fewer "
        f"children, or leave out features that few samples have, as by the "
        f"max_features of TfidfVectorizer."
    )


def check_memory(plan, n_labels, weight_threshold):
    """Raise where a fit still takes more memory than is free."""
    free = free_memory()
    if free is None or plan.more <= free:
        return
    raise InvalidParameterError(
        f"The classifiers of {n_labels:,} labels and learnt nodes, with those weights "
        f"that are larger than weight_threshold={weight_threshold!r}, need about "
        f"{bytes_as_text(plan.more)} while they are fitted, but "
        f"{bytes_as_text(free)} of memory are free. Set a larger weight_threshold, or "
        f"leave out features that few samples have, as by the max_features of "
        f"TfidfVectorizer."
    )

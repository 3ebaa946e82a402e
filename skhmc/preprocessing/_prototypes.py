"""Prototypes of labels: class means, shrunk toward those of their parents."""

import numpy as np
import scipy.sparse as sp
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel

from skhmc.coherence import most_specific

__all__ = ["METRICS", "learn_prototypes", "similarities"]

METRICS = ("cosine", "euclidean", "rbf")

# squared lengths of which this share of what they were computed from is rounding
ROUNDING = 1e-20
SPARSE_ROUNDING = 1e-13


def learn_prototypes(X, Y, weight, hierarchy, *, aggregation, shrinkage, center):
    """Return the prototypes of all labels, and what they are seen from.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        Samples.
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Closed indicators; NaN is not positive.
    weight : ndarray of shape (n_samples,)
        Weights of the samples.
    hierarchy : Hierarchy
        Its labels are the columns of Y.
    aggregation : {"samples", "children"}
        See :func:`label_means`.
    shrinkage : float
        See :func:`shrink`.
    center : bool
        Whether the origin is the mean of the rows, not 0.

    Returns
    -------
    prototypes : ndarray of shape (n_labels, n_features), float64
    mass : ndarray of shape (n_labels,)
        Weight of every label's samples.
    origin : ndarray of shape (n_features,)
    spread : float
        Mean squared distance of the rows from their mean.
    """
    if not weight.any():
        raise ValueError(
            "All sample weights are zero, expected some positive ones (in every part "
            "of cv). Leave sample_weight out to weigh all samples alike."
        )
    mean, spread = center_and_spread(X, weight)
    origin = mean if center else np.zeros_like(mean)
    means, mass = label_means(X, Y, weight, hierarchy, aggregation)
    prototypes = shrink(means, mass, hierarchy, shrinkage, origin)
    return prototypes, mass, origin, spread


def center_and_spread(X, weight):
    """Return the mean of the rows, and their mean squared distance from it.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        Samples.
    weight : ndarray of shape (n_samples,)
        Weights of the samples.

    Returns
    -------
    center : ndarray of shape (n_features,), float64
    spread : float
    """
    weight = weight / weight.sum()
    center = np.asarray(X.T @ weight, dtype=np.float64).ravel()
    return center, float(weight @ _squared_norms(X, center))


def _squared_norms(X, center):
    """Return the squared distance of every row from a point."""
    if not sp.issparse(X):
        X = X - center
        return np.einsum("ij,ij->i", X, X)
    return np.maximum(_squares(X) - 2 * (X @ center) + center @ center, 0)


def _squares(X):
    """Return the squared length of every row, in float64."""
    if not sp.issparse(X):
        return np.einsum("ij,ij->i", X, X, dtype=np.float64)
    squared = sp.csr_matrix(
        (X.data.astype(np.float64) ** 2, X.indices, X.indptr), X.shape
    )
    return np.asarray(squared.sum(axis=1)).ravel()


def label_means(X, Y, weight, hierarchy, aggregation):
    """Return every label's mean and the weight of its positive samples.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        Samples.
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Closed indicators; NaN is not positive.
    weight : ndarray of shape (n_samples,)
        Weights of the samples.
    hierarchy : Hierarchy
        Its labels are the columns of Y.
    aggregation : {"samples", "children"}
        What a label's mean is made of: of its samples, or of its children's means and
        the mean of the samples that have none of its children, each counted once.

    Returns
    -------
    means : ndarray of shape (n_labels, n_features), float64
        Zero for labels without positives.
    mass : ndarray of shape (n_labels,)
        Sums of weights.
    """
    means, mass = _means(X, Y, weight)
    if aggregation == "samples":
        return means, mass
    means, own = _means(X, most_specific(Y, hierarchy), weight)
    parts = (own > 0).astype(np.float64)  # of which a mean is the mean
    for level in hierarchy.levels[-2::-1]:
        children = hierarchy.children[level] @ sp.diags_array((mass > 0) * 1.0)
        means[level] = parts[level, None] * means[level] + children @ means
        parts[level] += np.asarray(children.sum(axis=1)).ravel()
        means[level] /= np.maximum(parts[level], 1)[:, None]
    return means, mass


def _means(X, Y, weight):
    on = sp.csr_matrix(Y == 1, dtype=np.float64)
    weighted = (sp.diags_array(weight) @ on).T.tocsr()
    mass = np.asarray(weighted.sum(axis=1)).ravel()
    sums = weighted @ X
    sums = sums.toarray() if sp.issparse(sums) else np.asarray(sums)
    return sums / np.where(mass > 0, mass, 1)[:, None], mass


def shrink(means, mass, hierarchy, strength, origin):
    """Return the prototypes: means, shrunk toward the prototypes of the parents.

    Parameters
    ----------
    means : ndarray of shape (n_labels, n_features)
        Means of the labels' samples.
    mass : ndarray of shape (n_labels,)
        Weight of the samples behind every mean.
    hierarchy : Hierarchy
        Labels and edges, in the order of the means.
    strength : float
        Number of samples that the parents count as.
    origin : ndarray of shape (n_features,)
        Point that the means of the roots are shrunk toward.

    Returns
    -------
    ndarray of shape (n_labels, n_features)
        Level by level, ``(mass * mean + strength * above) / (mass + strength)``, where
        ``above`` is the mean of the parents' prototypes; ``above`` where both are 0.
    """
    total = mass + strength
    share = (mass / np.where(total > 0, total, 1))[:, None]
    prototypes = share * means + (1 - share) * origin
    for level in hierarchy.levels[1:]:
        parents = hierarchy.parents[level].astype(np.float64)
        above = (parents @ prototypes) / np.diff(parents.indptr)[:, None]
        prototypes[level] = share[level] * means[level] + (1 - share[level]) * above
    return prototypes


def similarities(X, prototypes, metric, origin, gamma):
    """Return how similar every row is to every prototype.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        A sparse X is not made dense.
    prototypes : ndarray of shape (n_labels, n_features)
    metric : {"cosine", "euclidean", "rbf"}
        The cosine of the angle at ``origin`` (0 where a side has no length), minus the
        distance d, or ``exp(-gamma d ** 2)``.
    origin : ndarray of shape (n_features,)
    gamma : float

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
    """
    if metric == "cosine":
        return _cosine(X, prototypes, origin)
    if metric == "rbf":
        return rbf_kernel(X, prototypes, gamma=gamma)
    return -euclidean_distances(X, prototypes)


def _cosine(X, prototypes, origin):
    rounding = SPARSE_ROUNDING if sp.issparse(X) else ROUNDING
    lengths = _lengths(X, origin, rounding)
    sides = (prototypes - origin) / _lengths(prototypes, origin, ROUNDING)[:, None]
    if sp.issparse(X):
        dots = X @ sides.T - sides @ origin
    else:
        dots = (X - origin) @ sides.T
    return np.clip(dots / lengths[:, None], -1, 1)


def _lengths(X, origin, rounding):
    """Return the distances of rows from the origin, infinite for those that are on it.

    What is left of a difference after rounding has a length, but no direction.
    """
    squares = _squared_norms(X, origin)
    there = squares > rounding * (_squares(X) + origin @ origin)
    return np.sqrt(np.where(there, squares, np.inf))

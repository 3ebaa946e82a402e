"""Which of the labels that occur together is whose parent."""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._utils.messages import name_list
from skhmc.hierarchy import Hierarchy
from skhmc.induction._rates import LabelRates
from skhmc.induction._reduction import from_pairs, transitive_reduction

__all__ = ["learn_dag", "learn_tree"]

PAIRS_PER_BLOCK = 2**18  # how many distances are asked for at a time
ROUNDING = 2e-7  # relative, of sums of weights in float32: what differs less is equal


def learn_tree(
    rates: LabelRates,
    labels: Iterable[Hashable] | None = None,
    *,
    threshold: float = 0.8,
    distances: Any = None,
    radius: ArrayLike | None = None,
) -> Hierarchy:
    r"""Choose a parent for every label, among the more general ones it occurs with.

    Parameters
    ----------
    rates : LabelRates
        Rates at which labels occur together, from :func:`label_rates` or
        :func:`rates_of_counts`.
    labels : iterable, default=None
        Names of the labels; by default 0 ... n_labels - 1.
    threshold : float, default=0.8
        Share of a label's rows that must have its parent too, above 0 and at most 1.
    distances : callable, ndarray or sparse matrix, default=None
        Distances between labels: the nearest candidate becomes the parent.
        ``distances(child, parent)`` gets two arrays of positions and returns as many
        distances, or matrices of shape (n_labels, n_labels) hold them; sparse ones must
        store every pair that is looked up. None: the rarest candidate becomes the
        parent.
    radius : array-like of shape (n_labels,), default=None
        Radii that decide between labels that are equally frequent: the smaller is the
        more general. None: of such labels none is the more general.

    Returns
    -------
    Hierarchy
        A tree or forest.

    Raises
    ------
    ValueError
        When shapes, ``threshold`` or distances are wrong.

    See Also
    --------
    learn_dag : Keeps more than one parent.
    subsumption_hierarchy : The same from the labels, without distances.

    Notes
    -----
    With the frequency f, the candidates of l are

    .. math:: K_l = \{k : P(k \mid l) \ge t,\ f_k > f_l\},

    and the parent is :math:`\arg\min_{k \in K_l} d(l, k)`. Equal distances (or none)
    are decided by the smaller frequency, then by the greater radius, the greater
    :math:`P(k \mid l)` and the first column. Labels without candidate are roots, and so
    are labels without any positive. Equivalent labels, which stand in the same rows,
    have the same candidates but are not each other's, unless radii tell them apart.

    Examples
    --------
    >>> from skhmc.induction import label_rates, learn_tree
    >>> Y = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]])
    >>> names = ["animal", "mammal", "bird", "cat"]
    >>> tree = learn_tree(label_rates(Y), names)
    >>> tree.parents_of("cat"), tree.parents_of("bird")
    (['mammal'], ['animal'])
    """
    rates, names = _check_rates(rates, labels)
    radii = _check_radius(radius, len(names))
    child, parent, share = _candidates(rates, threshold, radii)
    distance = _pair_distances(distances, child, parent, names)
    frequency = _steps(rates.frequency)[parent]
    tie_breaks = (parent, -share.round(6), -radii[parent], frequency)
    order = np.lexsort((*tie_breaks, distance, child))
    # the first pair of every child is that of its parent
    first = order[np.unique(child[order], return_index=True)[1]]
    return from_pairs(names, parent[first], child[first])


def learn_dag(
    rates: LabelRates,
    labels: Iterable[Hashable] | None = None,
    *,
    threshold: float = 0.8,
    radius: ArrayLike | None = None,
) -> Hierarchy:
    r"""Make the more general labels of every label its ancestors, as a DAG.

    Parameters
    ----------
    rates : LabelRates
        Rates at which labels occur together, from :func:`label_rates` or
        :func:`rates_of_counts`.
    labels : iterable, default=None
        Names of the labels; by default 0 ... n_labels - 1.
    threshold : float, default=0.8
        Share of a label's rows that must have an ancestor too, above 0 and at most 1.
    radius : array-like of shape (n_labels,), default=None
        Radii that decide between labels that are equally frequent: the smaller is the
        more general. None: of such labels none is the more general.

    Returns
    -------
    Hierarchy
        A directed acyclic graph without any edge that follows from others.

    See Also
    --------
    learn_tree : One parent per label.
    transitive_reduction : Which edges follow from others.

    Notes
    -----
    The transitive reduction of the edges from every :math:`k \in K_l` to l, the
    candidates of :func:`learn_tree`. Below ``threshold=1`` the candidates of a parent
    need not be candidates of its child, but they become its ancestors.

    Examples
    --------
    >>> from skhmc.induction import label_rates, learn_dag
    >>> Y = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0]])
    >>> learn_dag(label_rates(Y), ["pet", "mammal", "cat"]).parents_of("cat")
    ['pet', 'mammal']
    """
    rates, names = _check_rates(rates, labels)
    radii = _check_radius(radius, len(names))
    child, parent, _ = _candidates(rates, threshold, radii)
    return transitive_reduction(from_pairs(names, parent, child))


def _candidates(rates, threshold, radius):
    """Return (child, parent, P(parent | child)) of the parents there could be."""
    if not (isinstance(threshold, numbers.Real) and 0 < threshold <= 1):
        raise ValueError(
            f"threshold must be a number above 0 and at most 1, got {threshold!r}."
        )
    given = sp.coo_matrix(rates.given)
    frequency = _steps(rates.frequency)
    often = given.data >= threshold * (1 - ROUNDING)
    often &= given.row != given.col
    child = given.row[often]
    parent = given.col[often]
    share = given.data[often]
    general = frequency[parent] > frequency[child]
    equal = frequency[parent] == frequency[child]
    general |= equal & (radius[parent] < radius[child])
    return child[general], parent[general], share[general]


def _steps(values):
    """Return the ranks of values, from 0; those that rounding may separate share one.

    Weights must not say which of two labels is the more frequent when the rows that
    they stand for would not.
    """
    order = np.argsort(values)
    ascending = np.asarray(values, np.float64)[order]
    ranks = np.zeros(len(order), np.intp)
    ranks[order[1:]] = np.cumsum(np.diff(ascending) > ROUNDING * ascending[1:])
    return ranks


def _pair_distances(distances, child, parent, labels):
    """Return the distances of pairs; without distances all are equal."""
    if distances is None or not len(child):
        return np.zeros(len(child))
    if callable(distances):
        cuts = range(PAIRS_PER_BLOCK, len(child), PAIRS_PER_BLOCK)
        pairs = zip(np.split(child, cuts), np.split(parent, cuts), strict=True)
        blocks = [np.asarray(distances(*pair), dtype=np.float64) for pair in pairs]
        found = np.concatenate([np.atleast_1d(block) for block in blocks])
        if found.shape != child.shape:
            raise ValueError(
                f"distances(child, parent) must return one number per pair, got shape "
                f"{found.shape} for {len(child)} pairs."
            )
    else:
        found = _looked_up(distances, child, parent, len(labels))
    wrong = np.flatnonzero(np.isnan(found))
    if len(wrong):
        pair = [labels[child[wrong[0]]], labels[parent[wrong[0]]]]
        raise ValueError(f"There is no distance, or NaN, between {name_list(pair)}.")
    return found


def _looked_up(distances, child, parent, n_labels):
    """Return entries of a matrix; those that a sparse one does not store are NaN."""
    sparse = sp.issparse(distances)
    if sparse:
        distances = distances.tocsr()
    else:
        distances = np.asarray(distances, np.float64)
    if distances.shape != (n_labels, n_labels):
        raise ValueError(
            f"distances must have shape ({n_labels}, {n_labels}), one row and column "
            f"per label, got {distances.shape}."
        )
    found = np.asarray(distances[child, parent], dtype=np.float64).ravel()
    if sparse:
        parts = (np.ones(distances.nnz), distances.indices, distances.indptr)
        stored = sp.csr_matrix(parts, distances.shape)[child, parent]
        found[np.asarray(stored).ravel() == 0] = np.nan
    return found


def _check_rates(
    rates: LabelRates, labels: Iterable[Hashable] | None
) -> tuple[LabelRates, tuple[Hashable, ...]]:
    """Return rates with arrays of fitting shapes, and a tuple of labels."""
    given = sp.csr_matrix(rates.given)
    frequency = np.asarray(rates.frequency)
    names = tuple(range(len(frequency)) if labels is None else labels)
    n_labels = len(names)
    if given.shape != (n_labels, n_labels) or frequency.shape != (n_labels,):
        raise ValueError(
            f"Expected rates of the {n_labels} labels, got given of shape "
            f"{given.shape} and frequency of shape {frequency.shape}."
        )
    return LabelRates(given, frequency), names


def _check_radius(radius: ArrayLike | None, n_labels: int) -> np.ndarray:
    """Return every label's radius; without any all are equal."""
    if radius is None:
        return np.zeros(n_labels)
    radius = np.asarray(radius, np.float64)
    if radius.shape != (n_labels,) or np.isnan(radius).any():
        raise ValueError(
            f"radius must hold one number per label, {n_labels} of them and none NaN, "
            f"got shape {radius.shape}."
        )
    return radius

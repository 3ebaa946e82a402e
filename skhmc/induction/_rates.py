"""How often labels occur, alone and together."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._data.containers import is_frame, unwrap
from skhmc._data.cooccurrence import count_together, count_unknown_beside
from skhmc._data.levels import is_level_table
from skhmc._data.targets import as_label_sets, read_targets
from skhmc._data.weights import read_row_weights
from skhmc._utils.messages import name_list, plain
from skhmc.hierarchy import Hierarchy

__all__ = [
    "LabelRates",
    "cooccurrence",
    "label_rates",
    "rates_of_counts",
    "rates_of_rows",
    "read_labels",
]

TINY = np.finfo(np.float64).tiny


class LabelRates(NamedTuple):
    """How often labels occur, alone and together.

    Parameters
    ----------
    given : csr_matrix of shape (n_labels, n_labels), float64
        Entry (l, k) is P(k | l), the share of the rows of l that have k too. Pairs that
        never occur together, and the diagonal, are not stored.
    frequency : ndarray of shape (n_labels,)
        Frequency of every label, in any unit: only their order counts.
    """

    given: sp.csr_matrix
    frequency: np.ndarray


def read_labels(
    Y: Any, labels: Iterable[Hashable] | None
) -> tuple[np.ndarray | sp.csr_matrix, tuple[Hashable, ...]]:
    """Return indicators, and the labels that their columns are.

    Columns of a DataFrame are brought into the order of labels that are the same, and
    else renamed, as columns without names are named.
    """
    if labels is not None:
        labels = [plain(label) for label in labels]
    Y = unwrap(Y)
    if is_level_table(Y):
        return _read_levels(Y, labels)
    sets = as_label_sets(Y, None if labels is None else len(labels))
    if sets is not None:
        source = None if labels is None else Hierarchy.flat(labels)
        targets = read_targets(sets, source, warn=False)
        return targets.Y, targets.hierarchy.labels
    if labels is not None and is_frame(Y) and set(labels) == set(Y.columns):
        Y = Y[labels]
    targets = read_targets(Y, None, warn=False, indicators=True)
    return targets.Y, targets.hierarchy.labels if labels is None else tuple(labels)


def _read_levels(
    Y: Any, labels: list[Hashable] | None
) -> tuple[sp.csr_matrix, tuple[Hashable, ...]]:
    """Return indicators of level columns, in the order of labels if these are given."""
    targets = read_targets(Y, None, warn=False)
    found = targets.hierarchy
    if labels is None:
        return targets.Y, found.labels
    unknown = [label for label in found.labels if label not in set(labels)]
    if unknown:
        raise ValueError(
            f"Y holds level columns with the labels {name_list(unknown)}, which are "
            f"not in labels ({name_list(labels)}). Name labels by their whole paths."
        )
    rows = targets.Y.tocoo()
    at = np.array([labels.index(label) for label in found.labels])
    shape = (len(Y), len(labels))
    return sp.csr_matrix((rows.data, (rows.row, at[rows.col])), shape), tuple(labels)


def _read_nameless(
    Y: Any, labels: Iterable[Hashable] | None
) -> np.ndarray | sp.csr_matrix:
    """Return indicators for a result that names no labels."""
    Y = unwrap(Y)
    if labels is None and (is_level_table(Y) or as_label_sets(Y) is not None):
        raise ValueError(
            "Y holds label names, and the result would not say which row and column is "
            "which label. Pass labels=[names in the order of the result]; see also "
            "subsumption_hierarchy, whose result has names."
        )
    return read_labels(Y, labels)[0]


def cooccurrence(
    Y: Any,
    sample_weight: ArrayLike | None = None,
    *,
    labels: Iterable[Hashable] | None = None,
) -> sp.csr_matrix:
    r"""Count, for every pair of labels, the rows that have both.

    Parameters
    ----------
    Y : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Indicators 0 and 1; NaN is unknown and does not count. Or lists of label names,
        one per sample, with ``labels``.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows, not scaled. None counts every row once.
    labels : iterable, default=None
        Names of the labels in the order of the result. Lists of names need them; the
        columns of a DataFrame with the same names are brought into this order.

    Returns
    -------
    csr_matrix of shape (n_labels, n_labels)
        :math:`Y^\top Y`; the diagonal holds the positives of every label. Integers,
        with weights floats.

    Examples
    --------
    >>> from skhmc.induction import cooccurrence
    >>> cooccurrence(np.array([[1, 1, 0], [1, 0, 1]])).toarray()
    array([[2, 1, 1],
           [1, 1, 0],
           [1, 0, 1]])
    """
    read = _read_nameless(Y, labels)
    return count_together(read, read_row_weights(sample_weight, read.shape[0]))


def label_rates(
    Y: Any,
    sample_weight: ArrayLike | None = None,
    *,
    labels: Iterable[Hashable] | None = None,
) -> LabelRates:
    r"""Return how often labels occur, alone and together.

    Parameters
    ----------
    Y : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Indicators 0 and 1; NaN is unknown. Or lists of label names, one per sample,
        with ``labels``.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows. None counts every row once.
    labels : iterable, default=None
        Names of the labels in the order of the result. Lists of names need them; the
        columns of a DataFrame with the same names are brought into this order.

    Returns
    -------
    LabelRates
        P(k | l) over the rows that have l and where k is known, and the share of
        positives in the known values of every label.

    Examples
    --------
    >>> from skhmc.induction import label_rates
    >>> rates = label_rates(np.array([[1, 1], [1, 0], [0, 0], [np.nan, 1]]))
    >>> rates.frequency  # 2 of 3, 2 of 4
    array([0.66666667, 0.5       ])
    >>> rates.given.toarray()  # in the rows of each, the other where it is known
    array([[0. , 0.5],
           [1. , 0. ]])
    """
    read = _read_nameless(Y, labels)
    return rates_of_rows(read, read_row_weights(sample_weight, read.shape[0]))


def rates_of_rows(
    Y: np.ndarray | sp.csr_matrix, weight: np.ndarray | None
) -> LabelRates:
    """Return how often labels occur in indicators and weights that were read."""
    counts = count_together(Y, weight)
    return rates_of_counts(counts, *count_unknown_beside(Y, weight, counts))


def rates_of_counts(
    counts: Any,
    unknown: sp.csr_matrix | None = None,
    known: np.ndarray | None = None,
) -> LabelRates:
    r"""Return how often labels occur, from the counts of :func:`cooccurrence`.

    Parameters
    ----------
    counts : sparse matrix or ndarray of shape (n_labels, n_labels)
        Counts of pairs of labels; the diagonal holds those of the labels.
    unknown : csr_matrix of shape (n_labels, n_labels), default=None
        Entry (l, k) counts the rows that have l and where k is unknown. None: nothing
        is unknown.
    known : ndarray of shape (n_labels,), default=None
        Rows where every label is known; frequencies are shares of them. Without, they
        are the counts.

    Returns
    -------
    LabelRates
        As :func:`label_rates` gives them.

    Examples
    --------
    >>> from skhmc.induction import rates_of_counts
    >>> rates_of_counts(np.array([[2, 1], [1, 1]])).given.toarray()
    array([[0. , 0.5],
           [1. , 0. ]])
    """
    counts = sp.coo_matrix(counts)
    if counts.shape[0] != counts.shape[1]:
        raise ValueError(
            f"Expected counts of pairs of labels, a square matrix, got shape "
            f"{counts.shape}. See cooccurrence."
        )
    size = counts.tocsr().diagonal()
    apart = (counts.row != counts.col) & (counts.data != 0)
    row = counts.row[apart]
    column = counts.col[apart]
    together = counts.data[apart]
    if not ((together > 0) & (together <= size[row])).all() or (size < 0).any():
        raise ValueError(
            "Expected counts that are not negative, and on the diagonal those of the "
            "labels, which none of their pairs exceeds. See cooccurrence."
        )
    rows = size[row].astype(np.float64)
    if unknown is not None and unknown.nnz and len(row):
        rows -= np.asarray(unknown[row, column]).ravel()
    share = np.minimum(together / rows, 1)
    given = sp.csr_matrix((share, (row, column)), counts.shape)
    if known is None:
        return LabelRates(given, size)
    return LabelRates(given, size / np.maximum(known, TINY))

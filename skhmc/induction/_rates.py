"""How often labels occur, alone and together."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

__all__ = [
    "LabelRates",
    "cooccurrence",
    "label_rates",
    "rates_of_counts",
    "unknown_beside",
]

CELLS_PER_BLOCK = 2**24
TINY = np.finfo(np.float64).tiny


class LabelRates(NamedTuple):
    """How often labels occur, alone and together.

    Parameters
    ----------
    given : csr_matrix of shape (n_labels, n_labels), float64
        Entry (l, k) is P(k | l), the share of the rows of l that have k too. Pairs that
        never occur together, and the diagonal, are not stored.
    frequency : ndarray of shape (n_labels,)
        How frequent every label is. Only the order counts.
    """

    given: sp.csr_matrix
    frequency: np.ndarray


def cooccurrence(Y, sample_weight=None):
    r"""Count the rows that have two labels both.

    Parameters
    ----------
    Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
        Indicators 0 and 1; NaN is unknown and does not count.
    sample_weight : array-like of shape (n_samples,), default=None
        How much every row counts.

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
    positive, _, weight = _read(Y, sample_weight)
    counts = _together(positive, weight, positive)
    counts.eliminate_zeros()
    counts.sort_indices()
    return counts


def label_rates(Y, sample_weight=None):
    r"""Return how often labels occur, alone and together.

    Parameters
    ----------
    Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
        Indicators 0 and 1; NaN is unknown.
    sample_weight : array-like of shape (n_samples,), default=None
        How much every row counts.

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
    counts = cooccurrence(Y, sample_weight)
    return rates_of_counts(counts, *unknown_beside(Y, sample_weight, counts))


def unknown_beside(Y, sample_weight=None, counts=None):
    """Count the rows that have a label and do not know another.

    Parameters
    ----------
    Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
        Indicators 0 and 1; NaN is unknown.
    sample_weight : array-like of shape (n_samples,), default=None
        How much every row counts.
    counts : csr_matrix of shape (n_labels, n_labels), default=None
        The pairs to count; None for all.

    Returns
    -------
    unknown : csr_matrix of shape (n_labels, n_labels)
        Entry (l, k) is of the rows that have l and where k is unknown.
    known : ndarray of shape (n_labels,)
        Of the rows where every label is known.
    """
    positive, unknown, weight = _read(Y, sample_weight)
    shape, known = (positive.shape[1],) * 2, np.full(positive.shape[1], weight.sum())
    if unknown is None:
        return sp.csr_matrix(shape), known
    known = known - unknown.T @ weight
    if counts is None:
        return _together(positive, weight, unknown), known
    pairs = counts.tocoo()
    found = _together_at(positive, weight, unknown, pairs.row, pairs.col)
    return sp.csr_matrix((found, (pairs.row, pairs.col)), shape), known


def rates_of_counts(counts, unknown=None, known=None):
    r"""Return how often labels occur, from what :func:`cooccurrence` counted.

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
    row, column, together = counts.row[apart], counts.col[apart], counts.data[apart]
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
    return LabelRates(given, size if known is None else size / np.maximum(known, TINY))


def _read(Y, sample_weight):
    """Return positive and unknown (None without any) cells and the rows' weights."""
    if hasattr(Y, "iloc"):  # pandas, whose missing values are not all floats
        Y = Y.to_numpy(dtype=np.float64, na_value=np.nan)
    if sp.issparse(Y):
        Y = sp.csr_matrix(Y, copy=True)
        Y.sum_duplicates()
    else:
        Y = np.asarray(Y)
    if Y.ndim != 2 or Y.dtype.kind not in "biuf":
        raise ValueError(
            f"Expected Y as an indicator array of shape (n_samples, n_labels), got "
            f"shape {Y.shape} and dtype {Y.dtype}."
        )
    values = Y.data if sp.issparse(Y) else Y
    missing = np.isnan(values)
    wrong = ~((values == 0) | (values == 1) | missing)
    if wrong.any():
        got = values[wrong].ravel()[0].item()
        raise ValueError(
            f"Y must hold 0, 1 and NaN for unknown, got the value {got!r}."
        )
    weight = np.ones(Y.shape[0], np.int64)
    if sample_weight is not None:
        weight = np.asarray(sample_weight, dtype=np.float64)
        good = weight.shape == (Y.shape[0],)
        if not good or not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError(
                f"sample_weight must be finite, not negative and of shape "
                f"({Y.shape[0]},), got shape {weight.shape}."
            )
    unknown = _cells(Y, missing, weight.dtype) if missing.any() else None
    return _cells(Y, values == 1, weight.dtype), unknown, weight


def _cells(Y, mask, dtype):
    """Return the cells of Y that a mask of its values marks, as ones (csr)."""
    if sp.issparse(Y):
        mask = sp.csr_matrix((mask, Y.indices, Y.indptr), Y.shape, copy=True)
    cells = sp.csr_matrix(mask)
    cells.eliminate_zeros()
    return cells.astype(dtype)


def _together(positive, weight, other):
    """Return the weight of the rows that have a cell in both columns, sparse."""
    return (positive.multiply(weight[:, None]).T.tocsr() @ other).tocsr()


def _together_at(positive, weight, other, row, column):
    """Return :func:`_together` at sorted pairs of columns only."""
    n_labels = positive.shape[1]
    step = max(1, CELLS_PER_BLOCK // n_labels)
    positive, found = positive.tocsc(), np.zeros(len(row))
    for start in range(0, n_labels, step):
        block = positive[:, start : start + step]
        part = slice(*np.searchsorted(row, [start, start + step]))
        if part.start == part.stop:
            continue
        there = _together(block, weight, other)[row[part] - start, column[part]]
        found[part] = np.asarray(there).ravel()
    return found

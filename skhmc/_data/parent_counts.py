"""How many samples have a label, and how many have all its parents."""

import numpy as np
import scipy.sparse as sp

__all__ = ["ROWS_PER_BLOCK", "add_former_counts", "parent_counts"]

ROWS_PER_BLOCK = 4096


def parent_counts(Y, hierarchy):
    """Count the samples that have a label, and those that have all its parents.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Closed indicators: 0, 1 or NaN. A sample counts for a label where that is known.
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of Y.

    Returns
    -------
    ndarray of shape (n_labels, 2), int
        Samples with the label; samples with all its parents. Every sample has all
        parents of a root.
    """
    counts = np.zeros((hierarchy.n_labels, 2), dtype=np.int64)
    n_parents = np.diff(hierarchy.parents.indptr)
    several = np.flatnonzero(n_parents > 1)
    one = np.flatnonzero(n_parents == 1)
    # the only parent of a label, by the order of rows in the matrix of parents
    parent = hierarchy.parents.indices[hierarchy.parents.indptr[one]]
    above = sp.csc_matrix(hierarchy.children[:, several], dtype=np.int32)
    for start in range(0, Y.shape[0], ROWS_PER_BLOCK):
        on, unknown = _cells(Y[start : start + ROWS_PER_BLOCK])
        n_on = np.asarray(on.sum(axis=0)).ravel()
        n_rows = on.shape[0]
        counts[:, 0] += n_on
        counts[n_parents == 0, 1] += n_rows
        counts[one, 1] += n_on[parent]
        met = (on @ above).tocsr()
        met.data = (met.data == n_parents[several][met.indices]).astype(np.int32)
        counts[several, 1] += np.asarray(met.sum(axis=0)).ravel()
        if unknown.nnz:
            counts[:, 1] -= _below_all_parents(on, unknown, hierarchy)
    return counts


def _cells(Y):
    """Return the positive and the unknown cells as csr_matrix of 0 and 1."""
    Y = sp.csr_matrix(Y)
    parts = []
    for test in (Y.data == 1, np.isnan(Y.data)):
        part = sp.csr_matrix((test.astype(np.int32), Y.indices, Y.indptr), Y.shape)
        part = part.copy()
        part.eliminate_zeros()
        parts.append(part)
    return parts


def _below_all_parents(on, unknown, hierarchy):
    """Count the unknown cells of every label whose parents are all positive."""
    row, label = unknown.nonzero()
    edges = hierarchy.parents[label]  # a row per cell: the parents of its label
    cell = np.repeat(np.arange(len(row)), np.diff(edges.indptr))
    if not len(cell):
        return np.bincount(label, minlength=hierarchy.n_labels)
    met = np.asarray(on[row[cell], edges.indices]).ravel()
    n_met = np.bincount(cell, met, minlength=len(row))
    all_met = n_met == np.diff(edges.indptr)
    return np.bincount(label[all_met], minlength=hierarchy.n_labels)


def add_former_counts(counts, labels, former, former_labels):
    """Return the counts of labels, with those of a former part of the samples.

    Parameters
    ----------
    counts, former : ndarray of shape (n_labels, 2) and (n_former, 2)
        What :func:`parent_counts` returns.
    labels, former_labels : iterable
        Names of the labels. Labels that are new had no sample before.

    Returns
    -------
    ndarray of shape (n_labels, 2)
    """
    place = {label: k for k, label in enumerate(labels)}
    total = counts.copy()
    for label, row in zip(former_labels, former, strict=True):
        if label in place:
            total[place[label]] += row
    return total

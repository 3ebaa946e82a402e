"""Outputs of many samples, put together block by block.

Nothing here holds more than the output and what one block of samples takes.
"""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from scipy.special import logit

from skhmc._utils.levels import copy_rows

__all__ = ["Blocks", "TopK", "above", "format_proba", "sigmoid", "to_csr", "top_k"]


CHUNK = 2**15  # numbers that stay in a fast cache


class Blocks:
    """Rows of an output, made block by block when they are asked for, and once.

    Parameters
    ----------
    blocks : iterable of array
        In order.
    n_samples : int
        How many rows they have together.
    """

    def __init__(self, blocks, n_samples):
        self.blocks, self.n_samples = blocks, n_samples

    def map(self, change):
        """Return what a function makes of every block."""
        return Blocks(map(change, self.blocks), self.n_samples)

    def array(self, dtype=None, axis=0):
        """Return one array; its samples, and those of the blocks, are along ``axis``.

        ``dtype`` is by default that of the blocks.
        """
        output, start = None, 0
        for block in self.blocks:
            alone = block.shape[axis] == self.n_samples
            if alone and block.flags.c_contiguous:
                return block.astype(dtype or block.dtype, copy=False)
            if output is None:
                shape = list(block.shape)
                shape[axis] = self.n_samples
                output = np.empty(shape, dtype or block.dtype)
                rows = np.moveaxis(output, axis, 0)
            part = np.moveaxis(block, axis, 0)
            copy_rows(rows[start : start + len(part)], part)
            start += len(part)
        return output

    def indicators(self, sparse):
        """Return indicators as an array or, from CSR blocks, a csr_matrix of int64."""
        if not sparse:
            return self.array(np.int64)
        whole = sp.vstack(list(self.blocks), format="csr")
        whole.data = np.ones(whole.nnz, np.int64)
        whole.sort_indices()
        return whole


def format_proba(estimator, proba):
    """Return blocks of probabilities in the estimator's ``proba_format``.

    "array" is (n_samples, n_labels), "list" one array (n_samples, 2) per label. Those
    of the classes of a 1-D y are (n_samples, n_classes).
    """
    if estimator.proba_format == "array" or estimator.classes_.ndim == 1:
        return proba.array()
    return list(proba.map(lambda p: np.stack([1 - p.T, p.T], axis=-1)).array(axis=1))


def sigmoid(logits):
    """Return ``1 / (1 + exp(-logits))``, a new array in C order.

    Faster than ``scipy.special.expit``, and as that the same for a number wherever it
    stands.
    """
    logits = np.ascontiguousarray(logits)
    proba = np.empty_like(logits)
    given, made = logits.reshape(-1), proba.reshape(-1)
    with np.errstate(over="ignore", under="ignore"):  # exp(-logits) may be infinite
        for start in range(0, given.size, CHUNK):
            part = made[start : start + CHUNK]
            np.negative(given[start : start + CHUNK], out=part)
            np.exp(part, out=part)
            np.reciprocal(np.add(part, 1, out=part), out=part)
    return proba


def to_csr(chosen):
    """Return an array of bool as a csr_matrix, faster than scipy where few are True."""
    return _cells_to_csr(np.flatnonzero(chosen), chosen.shape)


def above(logits, threshold):
    """Return as a csr_matrix of bool where ``sigmoid(logits) > threshold``."""
    # only near the threshold, and above, is the probability itself needed: 1 below it
    # covers what rounding does next to 1
    least = logit(np.clip(threshold, 1e-300, 1 - 1e-16)) - 1 if threshold else -np.inf
    logits = np.ascontiguousarray(logits)
    cells = np.flatnonzero(logits > least)
    cells = cells[sigmoid(logits.ravel()[cells]) > threshold]
    return _cells_to_csr(cells, logits.shape)


def _cells_to_csr(cells, shape):
    starts = np.searchsorted(cells, np.arange(shape[0] + 1) * shape[1])
    return sp.csr_matrix((np.ones(len(cells), bool), cells % shape[1], starts), shape)


# -- the most probable labels ----------------------------------------------------------


def top_k(scores, k, depth):
    """Return the columns of the k highest scores of every row, and these scores.

    Of equal scores that of less depth comes first, then that of the lower column: of
    coherent scores the first labels of a row, however many, hold their ancestors.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
    k : int
        At most ``n_labels``.
    depth : ndarray of shape (n_labels,)
        Of every label; a parent's is less than its child's.

    Returns
    -------
    columns : ndarray of shape (n_samples, k), int
    scores : ndarray of shape (n_samples, k)
    """
    scores = np.ascontiguousarray(scores)
    cells = np.flatnonzero(scores >= _at_most_kth(scores, k))
    rows, columns = np.divmod(cells, scores.shape[1])
    best = scores.ravel()[cells]
    order = np.lexsort((columns, depth[columns], -best, rows))
    first = np.searchsorted(rows, np.arange(len(scores)))
    order = order[first[:, None] + np.arange(k)]
    return columns[order], best[order]


def _at_most_kth(scores, k):
    """Return a value of every row (n_samples, 1) that at least k scores reach.

    The k-th highest of the maxima of some groups of labels: most often few more reach
    it, and it takes one pass.
    """
    n_groups = 8 * k
    width = scores.shape[1] // n_groups
    if width > 1:
        scores = scores[:, : n_groups * width].reshape(len(scores), n_groups, width)
        scores = scores.max(axis=2)
    return np.partition(scores, -k, axis=1)[:, [-k]]


class TopK:
    """Gives an estimator ``predict_top_k``.

    It has ``_proba_blocks(X)``, which returns :class:`Blocks` of the probabilities of
    labels or, after a 1-D y, of classes; and ``hierarchy_`` and ``classes_``.
    """

    @property
    def _depth(self):
        """How deep labels are in the hierarchy that probabilities are coherent with."""
        return self.hierarchy_.depth

    def predict_top_k(self, X, k):
        """Return the k most probable labels of every sample.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, ...)
            As in ``predict``.
        k : int
            How many, at most as many as there are labels.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int
            Positions in ``label_names_``, the most probable label first; after a 1-D y
            in ``classes_``. Of equally probable labels the ancestors come first, so
            that the first labels of a row, however many, are a coherent set, unless
            the coherence step is switched off.
        proba : ndarray of shape (n_samples, k)
            Their probabilities.
        """
        blocks = self._proba_blocks(X)
        single = self.classes_.ndim == 1
        depth = np.zeros(len(self.classes_), int) if single else self._depth
        if not isinstance(k, Integral) or not 1 <= k <= len(depth):
            what = "classes" if single else "labels"
            raise ValueError(
                f"Got k={k!r}, expected an integer from 1 to {len(depth)}, the number "
                f"of {what}. Ask for fewer."
            )
        parts = [top_k(block, k, depth) for block in blocks.blocks]
        return tuple(map(np.concatenate, zip(*parts, strict=True)))

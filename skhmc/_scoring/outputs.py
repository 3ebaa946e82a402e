"""Outputs of many samples, put together block by block.

Nothing here holds more than the output and what one block of samples takes.
"""

import numpy as np
import scipy.sparse as sp
from scipy.special import logit

from skhmc._utils.levels import copy_rows

__all__ = [
    "ALMOST_1",
    "DEFAULT_THRESHOLD",
    "TINY",
    "Blocks",
    "above",
    "format_proba",
    "log_odds",
    "sigmoid",
    "to_csr",
]


DEFAULT_THRESHOLD = 0.5
# the least and the greatest probability between 0 and 1
TINY = np.finfo(np.float64).tiny
ALMOST_1 = 1 - np.finfo(np.float64).epsneg
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
        self.blocks = blocks
        self.n_samples = n_samples

    def map(self, change):
        """Return what a function makes of every block."""
        return Blocks(map(change, self.blocks), self.n_samples)

    def array(self, dtype=None, axis=0):
        """Return one array; its samples, and those of the blocks, are along ``axis``.

        ``dtype`` is by default that of the blocks.
        """
        output = None
        start = 0
        for block in self.blocks:
            alone = block.shape[axis] == self.n_samples  # and need not be copied
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


def log_odds(proba, of_classes):
    """Return the log-odds of probabilities of labels, finite also at 0 and 1.

    Of probabilities of classes, of which one is true, return the logarithms; for two
    classes, the log-odds of the second one, (n_samples,).
    """
    if not of_classes:
        return logit(np.clip(proba, TINY, ALMOST_1))
    log_p = np.log(np.maximum(np.float64(proba), TINY))
    if log_p.shape[1] == 2:
        return log_p[:, 1] - log_p[:, 0]
    return log_p


def sigmoid(logits):
    """Return ``1 / (1 + exp(-logits))``, a new array in C order.

    Faster than ``scipy.special.expit``, and as that the same for a number wherever it
    stands.
    """
    logits = np.ascontiguousarray(logits)
    proba = np.empty_like(logits)
    given = logits.reshape(-1)
    made = proba.reshape(-1)
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
    # The probability itself is needed only where the logit is near the threshold's, or
    # above. A distance of 1 below it covers what rounding does to a sigmoid next to 1.
    least = -np.inf
    if threshold:
        least = logit(np.clip(threshold, 1e-300, 1 - 1e-16)) - 1
    logits = np.ascontiguousarray(logits)
    cells = np.flatnonzero(logits > least)
    cells = cells[sigmoid(logits.ravel()[cells]) > threshold]
    return _cells_to_csr(cells, logits.shape)


def _cells_to_csr(cells, shape):
    starts = np.searchsorted(cells, np.arange(shape[0] + 1) * shape[1])
    return sp.csr_matrix((np.ones(len(cells), bool), cells % shape[1], starts), shape)

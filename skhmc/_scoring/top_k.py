"""The most probable labels of every sample."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from skhmc.hierarchy import Hierarchy

__all__ = ["TopKMixin", "top_k"]


def top_k(scores, k, depth):
    """Return the columns of the k highest scores of every row, and these scores.

    Of equal scores that of less depth comes first, then that of the lower column: of
    coherent scores the first labels of a row, however many, hold their ancestors.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Scores without NaN.
    k : int
        Number of labels, at most ``n_labels``.
    depth : ndarray of shape (n_labels,)
        Depth of every label; a parent's is less than its child's.

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


class TopKMixin:
    """Mixin that gives an estimator ``predict_top_k``.

    The estimator has ``hierarchy_``, ``classes_`` and ``_proba_blocks(X)``, which
    returns ``Blocks`` of the probabilities of labels or, after a 1-D y, of classes.
    """

    hierarchy_: Hierarchy
    classes_: np.ndarray
    _proba_blocks: Callable[[Any], Any]

    @property
    def _depth(self):
        """How deep labels are in the hierarchy that probabilities are coherent with."""
        return self.hierarchy_.depth

    def predict_top_k(self, X: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the k most probable labels of every sample.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, ...)
            Samples, as ``predict`` takes them.
        k : int
            Number of labels to return, at most as many as there are.

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
        if self.classes_.ndim == 1:  # classes have no order but their columns'
            depth = np.zeros(len(self.classes_), int)
            what = "classes"
        else:
            depth = self._depth
            what = "labels"
        if not isinstance(k, Integral) or not 1 <= k <= len(depth):
            raise ValueError(
                f"Got k={k!r}, expected an integer from 1 to {len(depth)}, the number "
                f"of {what}. Ask for fewer."
            )
        parts = [top_k(block, k, depth) for block in blocks.blocks]
        columns = np.concatenate([part[0] for part in parts])
        proba = np.concatenate([part[1] for part in parts])
        return columns, proba

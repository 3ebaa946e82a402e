"""The most probable labels of every sample."""

import numpy as np

__all__ = ["top_k"]


def top_k(
    scores: np.ndarray, k: int, depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
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


def _at_most_kth(scores: np.ndarray, k: int) -> np.ndarray:
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

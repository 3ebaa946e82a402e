r"""Coherence of labels and scores with a hierarchy, on arrays.

A label set is coherent when it holds every ancestor of its labels; scores are
coherent when no label scores above one of its parents. All functions take and return
(n_samples, n_labels) arrays and sweep over the levels: time is linear in samples x
(labels + edges), once or, for :func:`isotonic_constraint`, 52 times.

:func:`close_upward` makes label sets coherent, the constraints make scores coherent and
leave coherent scores as they are; :func:`violations` and :func:`score_violations` say
where the edges are broken.
"""

import numpy as np
import scipy.sparse as sp

__all__ = [
    "average_constraint",
    "close_upward",
    "isotonic_constraint",
    "max_constraint",
    "min_constraint",
    "product_constraint",
    "score_violations",
    "violations",
]

ROWS_PER_BLOCK = 1024


def _sweep(values, plan, reduce):
    """Update rows of ``values`` (n_labels, n_samples) in place along a plan."""
    for targets, sources in plan:
        best = reduce.reduce(values[sources], axis=1)
        values[targets] = reduce(values[targets], best)
    return values


def _check_width(Y, hierarchy):
    if Y.ndim != 2 or Y.shape[1] != hierarchy.n_labels:
        raise ValueError(
            f"Expected an array of shape (n_samples, {hierarchy.n_labels}), one column "
            f"per label of the hierarchy, got shape {Y.shape}."
        )


def close_upward(Y, hierarchy):
    """Add to every label set the ancestors of its labels.

    Parameters
    ----------
    Y : ndarray or sparse matrix of shape (n_samples, n_labels)
        Indicators 0 and 1; NaN is unknown (dense or stored).
    hierarchy : Hierarchy
        Its labels are the columns of Y.

    Returns
    -------
    ndarray or csr_matrix of shape (n_samples, n_labels)
        A new array of the same kind and dtype. A positive label makes every ancestor
        1, also a known negative (the positive wins); a negative label makes its
        unknown descendants 0; what is then unknown stays NaN.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> close_upward(np.array([[0, 0, 1]]), Hierarchy.from_edges([(0, 1), (1, 2)]))
    array([[1, 1, 1]])
    """
    Y = sp.csr_matrix(Y) if sp.issparse(Y) else np.asarray(Y)
    _check_width(Y, hierarchy)
    if not sp.issparse(Y):
        return _close_dense(Y, hierarchy)
    if np.isnan(Y.data).any():
        starts = range(0, Y.shape[0], ROWS_PER_BLOCK)
        blocks = (Y[i : i + ROWS_PER_BLOCK].toarray() for i in starts)
        return sp.vstack([sp.csr_matrix(_close_dense(b, hierarchy)) for b in blocks])
    on = sp.csr_matrix(Y, dtype=bool)
    closed = (on + on @ hierarchy.ancestors).astype(Y.dtype)
    closed.sort_indices()
    return closed


def _close_dense(Y, hierarchy):
    positive = _sweep((Y == 1).T.copy(), hierarchy.upward_plan, np.logical_or).T
    closed = np.where(positive, np.ones((), Y.dtype), Y)
    if closed.dtype.kind == "f" and np.isnan(closed).any():
        negative = (closed == 0).T.copy()
        negative = _sweep(negative, hierarchy.downward_plan, np.logical_or).T
        closed[negative] = 0
    return closed


def max_constraint(scores, hierarchy):
    r"""Raise every label's score to the highest score among its descendants.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Any scores: probabilities, logits, negative values, -inf.
    hierarchy : Hierarchy
        Its labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        :math:`s'_a = \max(s_a, \max_{b \in desc(a)} s_b)`: the least scores that are
        coherent and nowhere lower than ``scores``.

    References
    ----------
    Giunchiglia and Lukasiewicz, "Coherent Hierarchical Multi-Label Classification
    Networks", NeurIPS 2020.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> max_constraint(np.array([[0.2, 0.7]]), Hierarchy.from_edges([(0, 1)]))
    array([[0.7, 0.7]])
    """
    scores = np.asarray(scores)
    _check_width(scores, hierarchy)
    values = np.array(scores.T, order="C")
    return np.ascontiguousarray(_sweep(values, hierarchy.upward_plan, np.maximum).T)


def min_constraint(scores, hierarchy):
    r"""Lower every label's score to the lowest score among its ancestors.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Any scores: probabilities, logits, negative values, -inf.
    hierarchy : Hierarchy
        Its labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        :math:`s'_a = \min(s_a, \min_{b \in anc(a)} s_b)`: the greatest scores that are
        coherent and nowhere higher than ``scores``.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> min_constraint(np.array([[0.2, 0.7]]), Hierarchy.from_edges([(0, 1)]))
    array([[0.2, 0.2]])
    """
    scores = np.asarray(scores)
    _check_width(scores, hierarchy)
    values = np.array(scores.T, order="C")
    return np.ascontiguousarray(_sweep(values, hierarchy.downward_plan, np.minimum).T)


def average_constraint(scores, hierarchy):
    r"""Return the mean of :func:`max_constraint` and :func:`min_constraint`.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Finite scores.
    hierarchy : Hierarchy
        Its labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        Coherent scores: a child that is above its parent meets it halfway.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> average_constraint(np.array([[0.25, 0.75]]), Hierarchy.from_edges([(0, 1)]))
    array([[0.5, 0.5]])
    """
    return (max_constraint(scores, hierarchy) + min_constraint(scores, hierarchy)) / 2


def product_constraint(scores, hierarchy):
    r"""Multiply the conditional probabilities that scores imply down the hierarchy.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Probabilities, or other scores of at least 0.
    hierarchy : Hierarchy
        Its labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        Coherent scores, nowhere higher than those of :func:`min_constraint`.

    Raises
    ------
    ValueError
        When a score is negative.

    Notes
    -----
    Two scores imply the conditional probability :math:`s_c / s_p` of a child c given
    its parent p; where the child is above its parent, it can be 1 at most. From the
    roots down, which keep their scores,

    .. math:: s'_c = \min_{p \in pa(c)} s'_p \, \frac{s_c}{\max(s_p, s_c)}.

    In a tree a label's score is thus the product of the conditional probabilities above
    it. Unlike the product of the scores themselves, this leaves coherent scores alone.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> chain = Hierarchy.from_edges([(0, 1), (1, 2)])
    >>> product_constraint(np.array([[0.25, 0.5, 0.25]]), chain)  # P(2 | 1) = 1/2
    array([[0.25 , 0.25 , 0.125]])
    """
    scores = np.asarray(scores)
    _check_width(scores, hierarchy)
    if (scores < 0).any():
        raise ValueError(
            f"The product needs probabilities, got the score {scores.min()}. Turn "
            f"logits into probabilities first, or use another constraint."
        )
    dtype = scores.dtype if scores.dtype.kind == "f" else np.float64
    given = np.array(scores.T, dtype=dtype, order="C")
    values = given.copy()
    for targets, sources in hierarchy.downward_plan:
        child, parent = given[targets][:, None], values[sources]
        most = np.maximum(given[sources], child)
        share = np.divide(parent, most, out=np.zeros_like(parent), where=most > 0)
        # in this order coherent scores stay as they are, to the last bit
        values[targets] = np.minimum(share * child, parent).min(axis=1)
    return np.ascontiguousarray(values.T)


def check_tree(hierarchy):
    """Raise when a label has several parents, which isotonic coherence cannot have.

    Parameters
    ----------
    hierarchy : Hierarchy
    """
    if not hierarchy.is_tree:
        several = np.flatnonzero(np.diff(hierarchy.parents.indptr) > 1)[0]
        name = hierarchy.labels[several]
        raise ValueError(
            f"Isotonic coherence needs a tree, but label {name!r} has the parents "
            f"{hierarchy.parents_of(name)}. Use the max constraint on a DAG."
        )


def isotonic_constraint(scores, hierarchy):
    r"""Return the coherent scores closest to ``scores`` in least squares, on a tree.

    Every label's value is bracketed by bisection. With a threshold t per label, the
    labels above it are the upward-closed set of greatest :math:`\sum (s - t)` within
    their bracket, which two sweeps over the levels find for all samples at once.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Finite scores.
    hierarchy : Hierarchy
        A tree or forest; its labels are the columns of ``scores``.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        The isotonic regression of ``scores``, to about the precision of its dtype.

    Raises
    ------
    ValueError
        When the hierarchy is a DAG: there, no fast exact method is known.

    References
    ----------
    Hochbaum and Queyranne, "Minimizing a convex cost closure set", SIAM Journal on
    Discrete Mathematics, 2003.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> isotonic_constraint(np.array([[0.2, 0.6]]), Hierarchy.from_edges([(0, 1)]))
    array([[0.4, 0.4]])
    """
    scores = np.asarray(scores)
    _check_width(scores, hierarchy)
    check_tree(hierarchy)
    dtype = scores.dtype if scores.dtype.kind == "f" else np.float64
    blocks = np.split(
        scores.T.astype(np.float64),
        range(ROWS_PER_BLOCK, len(scores), ROWS_PER_BLOCK),
        axis=1,
    )
    blocks = [_isotonic_block(block, hierarchy) for block in blocks]
    fitted = np.concatenate(blocks, axis=1).T.astype(dtype)
    return max_constraint(fitted, hierarchy)  # what rounding broke


def _isotonic_block(s, hierarchy):
    """Bisect the isotonic regression of ``s`` (n_labels, n_samples)."""
    parent = np.full(len(s), -1)
    parent[hierarchy.edges[:, 1]] = hierarchy.edges[:, 0]
    child_levels = [(level, parent[level]) for level in hierarchy.levels[1:]]
    sums = [
        sp.csr_matrix((np.ones(len(c)), (p, np.arange(len(c)))), (len(s), len(c)))
        for c, p in child_levels
    ]
    low, high = (np.tile(f(s, axis=0), (len(s), 1)) for f in (np.min, np.max))
    for _ in range(52):
        middle = (low + high) / 2
        gain = s - middle
        for (child, above), add in zip(child_levels[::-1], sums[::-1], strict=True):
            together = low[child] == low[above]
            gain += add @ np.where(together, np.maximum(gain[child], 0), 0)
        upper = gain > 0
        for child, above in child_levels:
            upper[child] &= upper[above] | (low[child] != low[above])
        low, high = np.where(upper, middle, low), np.where(upper, high, middle)
    # labels that share a bracket form a pool, whose value is its mean (taken above the
    # bracket's foot, where equal scores have it without rounding)
    pools = [low[child] == low[above] for child, above in child_levels]
    total, size = s - low, np.ones_like(s)
    steps = list(zip(child_levels, sums, pools, strict=True))
    for (child, _), add, pooled in steps[::-1]:
        total += add @ np.where(pooled, total[child], 0)
        size += add @ np.where(pooled, size[child], 0)
    fitted = low + total / size
    for (child, above), _, pooled in steps:
        fitted[child] = np.where(pooled, fitted[above], fitted[child])
    return fitted


def violations(Y, hierarchy):
    """Mark the edges whose child is predicted and whose parent is not.

    Parameters
    ----------
    Y : ndarray or sparse matrix of shape (n_samples, n_labels)
        Indicators; any nonzero entry counts as predicted.
    hierarchy : Hierarchy
        Its labels are the columns of Y.

    Returns
    -------
    csr_matrix of shape (n_samples, n_edges), bool
        Columns follow ``hierarchy.edges``.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> violations(np.array([[0, 1], [1, 1]]), Hierarchy.from_edges([(0, 1)])).toarray()
    array([[ True],
           [False]])
    """
    Y = Y if sp.issparse(Y) else np.asarray(Y)
    _check_width(Y, hierarchy)
    Y = sp.csc_matrix(Y, dtype=bool)
    parent, child = hierarchy.edges.T
    child, parent = Y[:, child].tocsr(), Y[:, parent].tocsr()
    broken = child > parent
    broken.eliminate_zeros()
    return broken


def score_violations(scores, hierarchy, tol=0.0):
    """Mark the edges whose child scores above its parent by more than ``tol``.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_labels)
        Any scores.
    hierarchy : Hierarchy
        Its labels are the columns of ``scores``.
    tol : float, default=0.0
        Excess, in the unit of the scores, that still counts as coherent.

    Returns
    -------
    csr_matrix of shape (n_samples, n_edges), bool
        Columns follow ``hierarchy.edges``.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> edge = Hierarchy.from_edges([(0, 1)])
    >>> score_violations(np.array([[0.2, 0.6]]), edge).toarray()
    array([[ True]])
    """
    scores = np.asarray(scores)
    _check_width(scores, hierarchy)
    parent, child = hierarchy.edges.T
    blocks = []
    for start in range(0, max(len(scores), 1), ROWS_PER_BLOCK):
        part = scores[start : start + ROWS_PER_BLOCK]
        blocks.append(sp.csr_matrix(part[:, child] > part[:, parent] + tol))
    return sp.vstack(blocks, format="csr")

r"""Deal samples out to parts such that every part has its share of every label.

Samples are placed one by one, those with the rarest labels first (Sechidis, Tsoumakas
and Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011), each where
it lowers

.. math::
    \chi^2 = \sum_l \sum_f \frac{(c_{lf} - e_{lf})^2}{e_{lf}}

most: :math:`c_{lf}` samples of part f have label l, and its share of them would be
:math:`e_{lf}`. That all samples count is one more label, which they all have. Then
samples are swapped until no swap puts more labels where they are missing.
"""

from itertools import cycle, permutations

import numpy as np
import scipy.sparse as sp

__all__ = ["missing_in_folds", "missing_in_train_test", "moving_gain", "stratify"]

MOST_ROWS = 256  # of a part, that are tried in swaps with all of another


def stratify(Y, sizes, missing, rng=None, *, alone_in=None):
    """Return the part of every sample.

    Parameters
    ----------
    Y : csr_matrix of shape (n_samples, n_labels), bool
        Positives.
    sizes : ndarray of shape (n_parts,), int
        How many samples every part takes; their sum is n_samples.
    missing : callable
        ``missing(counts)`` returns how bad it is for every label (n_labels,) that parts
        have none of its positives, by the positives (n_labels, n_parts) there.
    rng : RandomState or None
        Breaks ties; None takes the first sample and part.
    alone_in : int or None
        Part that takes, as long as there is room, the samples with a label that no
        other sample has; swaps may move them. Had they been dealt out by chi-squared,
        to be swapped back afterwards, the other labels would come out less even.

    Returns
    -------
    ndarray of shape (n_samples,), int
    """
    part = _deal(Y, sizes, rng, alone_in)
    return _swap(Y, part, len(sizes), missing)


def _deal(Y, sizes, rng, alone_in):
    """Place every sample where it lowers chi-squared most and there is room."""
    n_samples = Y.shape[0]
    everyone = sp.csr_matrix(np.ones((n_samples, 1), dtype=bool))
    Y = sp.hstack([Y, everyone], format="csr")
    count = np.bincount(Y.indices, minlength=Y.shape[1])
    wanted = count[:, None] * (sizes / n_samples)
    weight = np.divide(1.0, wanted, out=np.zeros_like(wanted), where=wanted > 0)
    order, ties = _rarest_first(Y, count, len(sizes), rng)
    alone = np.zeros(n_samples, dtype=bool)
    if alone_in is not None:
        alone[Y[:, count == 1].nonzero()[0]] = True
    room = sizes.copy()
    part = np.empty(n_samples, dtype=np.intp)
    for i in order:
        labels = Y.indices[Y.indptr[i] : Y.indptr[i + 1]]
        gain = ((wanted[labels] - 0.5) * weight[labels]).sum(axis=0) + ties[i]
        gain[room == 0] = -np.inf
        best = gain.argmax()
        if alone[i] and room[alone_in] > 0:
            best = alone_in
        part[i] = best
        room[best] -= 1
        wanted[labels, best] -= 1  # what the part still lacks
    return part


def _rarest_first(Y, count, n_parts, rng):
    """Return the order of samples, and what decides between parts that are equal."""
    n_samples = Y.shape[0]
    rank = np.empty(len(count), dtype=np.intp)
    rank[np.argsort(count, kind="stable")] = np.arange(len(count))
    rarest = np.minimum.reduceat(rank[Y.indices], Y.indptr[:-1])
    if rng is None:
        return np.argsort(rarest, kind="stable"), np.zeros((n_samples, n_parts))
    order = np.lexsort((rng.random_sample(n_samples), rarest))
    return order, 1e-9 * rng.random_sample((n_samples, n_parts))


def _swap(Y, part, n_parts, missing):
    """Swap pairs of samples as long as that puts labels where they are missing."""
    counts = _counts(Y, part, n_parts)
    ways = list(permutations(range(n_parts), 2))
    since = 0  # ways tried since the last swap
    for source, target in cycle(ways):
        while _swap_between(Y, part, counts, source, target, missing):
            since = 0
        since += 1
        if since > len(ways):
            return part


def _counts(Y, part, n_parts):
    ones = np.ones(len(part), dtype=np.intp)
    parts = sp.csr_matrix((ones, (part, np.arange(len(part)))), (n_parts, len(part)))
    return (parts @ Y.astype(np.intp)).toarray().T


def _swap_between(Y, part, counts, source, target, missing):
    """Move labels that a part lacks there from another; tell whether it was possible.

    Updates ``part`` and ``counts``.
    """
    rows, others, gain = _gains(Y, part, counts, source, target, missing)
    swapped = False
    for i in np.argsort(-gain.max(axis=1, initial=0), kind="stable"):
        j = gain[i].argmax()
        if gain[i, j] <= 0:
            continue
        moved = np.zeros(Y.shape[1], dtype=np.intp)
        moved[_labels(Y, rows[i])] += 1
        moved[_labels(Y, others[j])] -= 1
        labels = np.flatnonzero(moved)
        after = counts[labels]
        after[:, source] -= moved[labels]
        after[:, target] += moved[labels]
        # other swaps may have come first
        if missing(after).sum() < missing(counts[labels]).sum():
            counts[labels] = after
            part[[rows[i], others[j]]] = target, source
            gain[:, j] = 0
            swapped = True
    return swapped


def _labels(Y, row):
    return Y.indices[Y.indptr[row] : Y.indptr[row + 1]]


def _gains(Y, part, counts, source, target, missing):
    """Return samples of a part, those of another, and what swapping each pair gains.

    A swap moves the labels that only one of both has, so that its gain is that of
    moving all labels of one there and of the other back, less that of common labels.
    """
    there = moving_gain(counts, source, target, missing)
    back = moving_gain(counts, target, source, missing)
    lacking = np.flatnonzero((there > 0) & (counts[:, source] > 0))
    rows = np.flatnonzero(part == source)
    others = np.flatnonzero(part == target)
    if not len(lacking) or not len(others):
        return rows[:0], others, np.zeros((0, len(others)))
    rows = rows[np.diff(Y[rows][:, lacking].indptr) > 0]
    ours = Y[rows].astype(np.float64)
    theirs = Y[others].astype(np.float64)
    if len(rows) > MOST_ROWS:
        best = np.argsort(-(ours @ there), kind="stable")[:MOST_ROWS]
        rows = rows[best]
        ours = ours[best]
    common = (ours.multiply(there + back).tocsr() @ theirs.T).toarray()
    return rows, others, (ours @ there)[:, None] + theirs @ back - common


def moving_gain(counts, source, target, missing):
    """Return what is won for every label by moving one positive to another part."""
    moved = counts.copy()
    moved[:, source] -= 1
    moved[:, target] += 1
    return (missing(counts) - missing(moved)).astype(np.float64)


def missing_in_folds(counts):
    """Return in how many folds every label is missing.

    Worse than all that is a label in one fold only, which its training part lacks.

    Parameters
    ----------
    counts : ndarray of shape (n_labels, n_folds)

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    n_missing = (counts == 0).sum(axis=1)
    alone = (n_missing == counts.shape[1] - 1) & (counts.sum(axis=1) > 1)
    return n_missing + counts.size * alone


def missing_in_train_test(counts, test_share):
    """Return how bad it is for every label that the training or the test part lacks it.

    Worst is a label of several samples that the training part lacks, then one that the
    test part could have. A label of a single sample that the training part lacks comes
    last: to keep all of these samples there would keep labels that only they have from
    ever being tested.

    Parameters
    ----------
    counts : ndarray of shape (n_labels, 3)
        In the training part, in the test part, and in neither.
    test_share : float
        Labels that have less than one sample in such a share need not be there.

    Returns
    -------
    ndarray of shape (n_labels,)
    """
    total = counts.sum(axis=1)
    untested = (counts[:, 1] == 0) & (total * test_share >= 1)
    untrained = (counts[:, 0] == 0) & (total > 0)
    alone = untrained & (total == 1)
    worse = counts.size  # than all that comes after
    return worse**2 * (untrained & ~alone) + worse * untested + alone

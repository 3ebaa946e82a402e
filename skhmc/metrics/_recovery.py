"""How well a learnt hierarchy recovers the true one."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import dijkstra
from scipy.stats import rankdata
from sklearn.utils import Bunch, check_random_state

from skhmc._utils.messages import name_list
from skhmc.hierarchy import Hierarchy

__all__ = ["hierarchy_recovery_report"]

CELLS_PER_BLOCK = 2**21


def hierarchy_recovery_report(
    true: Any,
    learnt: Any,
    *,
    distances: Any = None,
    radius: ArrayLike | None = None,
    max_pairs: int = 10_000_000,
    random_state: int | np.random.RandomState | None = 0,
) -> Bunch:
    r"""Compare a learnt hierarchy, and distances between its labels, with the true one.

    Parameters
    ----------
    true : Hierarchy or anything ``Hierarchy.build`` takes
        The true hierarchy.
    learnt : Hierarchy or anything ``Hierarchy.build`` takes
        The learnt hierarchy. It has the same labels, in any order.
    distances : ndarray of shape (n_labels, n_labels) or callable, default=None
        Symmetric learnt distances, rows and columns in the order of ``learnt.labels``;
        any numbers that are smaller for nearer labels. ``distances(rows)`` gets an
        array of positions and returns these rows, of shape (len(rows), n_labels). By
        default the hops in ``learnt``.
    radius : array-like of shape (n_labels,), default=None
        Distance of each label from the origin, in the order of ``learnt.labels``. By
        default the label's depth in ``learnt``.
    max_pairs : int, default=10_000_000
        Number of pairs of labels up to which distances are judged on all pairs (the
        default: about 4,500 labels). Of more they are judged on a random sample of
        labels, each with all others, of about as many pairs.
    random_state : int, RandomState instance or None, default=0
        Seed of the sample of labels that is drawn where they have more than
        ``max_pairs`` pairs.

    Returns
    -------
    Bunch
        A dict whose entries are also attributes. A value that is not defined is NaN.

        edge_precision, edge_recall, edge_f1 : float
            Of the edges of ``learnt``, see Notes.
        ancestor_precision, ancestor_recall, ancestor_f1 : float
            Of its pairs of a label and a proper ancestor.
        ancestor_map : float
            Mean average precision of a label's true ancestors among all other labels,
            nearest first; labels without ancestor are left out.
        ancestor_map_of_hops : float
            The same for the hops in ``true`` in place of the distances. It is below 1,
            because distances have no direction: children are as near as parents.
        ancestor_mean_rank : float
            Mean rank, from 1, of a true ancestor among the labels that are not
            ancestors. Equal distances share their mean rank.
        hop_spearman : float
            Spearman's rank correlation of the hops in ``true`` with the distances, over
            all pairs of two labels.
        hop_spearman_ceiling : float
            The most that distances without ties can reach.
        hop_spearman_of_depth : float
            The same for the sum of both labels' true depths in place of the distances.
        radius_spearman, radius_spearman_ceiling : float
            Of the true depths with the radius.
        n_labels, n_judged : int
            Number of labels, and of those whose distances were judged.

    Raises
    ------
    ValueError
        When the labels differ, or shapes or options are wrong.

    See Also
    --------
    skhmc.induction.subsumption_hierarchy : The baseline to print beside it.

    Notes
    -----
    With the true pairs T and the learnt ones L, precision is
    :math:`|T \cap L| / |L|`, recall :math:`|T \cap L| / |T|` and F1
    :math:`2 |T \cap L| / (|T| + |L|)`.

    The *hops* between two labels are the fewest edges that join them, in any direction.
    A node above all roots joins the trees of a forest.

    The ceiling of a correlation with n values of which t are equal is

    .. math:: \sqrt{1 - \sum_t (t^3 - t) / (n^3 - n)},

    the sum over all groups of equal hops (or depths). Only distances with ties in the
    same places, such as hops themselves, score above it.

    Besides the matrix that may be given, time and memory are those of ``max_pairs``
    pairs (less than 1 GB) and of the ancestors of all labels.

    References
    ----------
    Nickel and Kiela, "Learning continuous hierarchies in the Lorentz model of
    hyperbolic geometry", ICML, 2018 (mean rank and average precision).

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import hierarchy_recovery_report
    >>> true = Hierarchy.from_paths(["a/b/c", "a/b/d"])
    >>> learnt = Hierarchy.from_parents({"a/b": "a", "a/b/c": "a/b", "a/b/d": "a"})
    >>> report = hierarchy_recovery_report(true, learnt)
    >>> report.edge_precision, report.ancestor_precision, report.ancestor_recall
    (0.6666666666666666, 1.0, 0.8)
    """
    if not (isinstance(max_pairs, numbers.Integral) and max_pairs > 0):
        raise ValueError(f"max_pairs must be a positive integer, got {max_pairs!r}.")
    true, learnt = _match(true, learnt)
    n_labels = learnt.n_labels
    radius = learnt.depth if radius is None else np.asarray(radius, dtype=np.float64)
    if radius.shape != (n_labels,) or np.isnan(radius).any():
        raise ValueError(
            f"radius must hold one number per label, {n_labels} of them and none NaN, "
            f"got shape {radius.shape}."
        )
    judged = np.arange(n_labels)
    if n_labels * (n_labels - 1) // 2 > max_pairs:
        draw = check_random_state(random_state).permutation(n_labels)
        judged = np.sort(draw[: max(1, max_pairs // n_labels)])
    return Bunch(
        **_overlap("edge", true.parents, learnt.parents),
        **_overlap("ancestor", true.ancestors, learnt.ancestors),
        **_judge_distances(true, _row_reader(distances, learnt), judged),
        radius_spearman=_spearman(_integer_ranks(true.depth), rankdata(radius)),
        radius_spearman_ceiling=_ceiling(true.depth),
        n_labels=n_labels,
        n_judged=len(judged),
    )


def _match(true, learnt):
    """Return both hierarchies, the true one in the order of the learnt one's labels."""
    true = Hierarchy.build(true)
    learnt = Hierarchy.build(learnt)
    missing = [label for label in true.labels if label not in learnt]
    unknown = [label for label in learnt.labels if label not in true]
    if missing or unknown:
        raise ValueError(
            f"The two hierarchies have different labels. Only in true: "
            f"{name_list(missing) or 'none'}. Only in learnt: "
            f"{name_list(unknown) or 'none'}. Correct the names, or compare "
            f"hierarchy.subset(labels) of the labels that both have."
        )
    return Hierarchy.build(true, labels=learnt.labels), learnt


def _overlap(kind, true, learnt):
    """Return precision, recall and F1 of the pairs that two matrices mark."""
    both = true.multiply(learnt).nnz
    return {
        f"{kind}_precision": _share(both, learnt.nnz),
        f"{kind}_recall": _share(both, true.nnz),
        f"{kind}_f1": _share(2 * both, true.nnz + learnt.nnz),
    }


def _share(part, whole):
    return part / whole if whole else np.nan


# -- distances ---------------------------------------------------------------------


def _row_reader(distances, learnt):
    """Return a function from positions of labels to their checked rows of distances."""
    n_labels = learnt.n_labels
    if distances is None:
        graph = _joined(learnt)
        return lambda rows: _hops(graph, rows)
    if sp.issparse(distances):
        raise TypeError("distances must be an array or callable, got a sparse matrix.")
    if not callable(distances):
        matrix = np.asarray(distances)
        if matrix.shape != (n_labels, n_labels):
            raise ValueError(
                f"distances must have shape ({n_labels}, {n_labels}), one row and one "
                f"column per label, got {matrix.shape}."
            )
        distances = matrix.__getitem__

    def read(rows):
        found = np.array(distances(rows), dtype=np.float64)
        if found.shape != (len(rows), n_labels):
            raise ValueError(
                f"distances(rows) must have shape ({len(rows)}, {n_labels}) for "
                f"{len(rows)} rows, got {found.shape}."
            )
        if np.isnan(found).any():
            i, j = np.argwhere(np.isnan(found))[0]
            pair = name_list([learnt.labels[rows[i]], learnt.labels[j]])
            raise ValueError(f"distances must not be NaN, as between {pair}.")
        return found

    return read


def _joined(hierarchy):
    """Return the edges as a graph, with a last node above all roots."""
    top = hierarchy.n_labels
    roots = hierarchy.roots
    above = np.column_stack([np.full(len(roots), top), roots])
    edges = np.concatenate([hierarchy.edges, above])
    return sp.csr_matrix((np.ones(len(edges)), edges.T), shape=(top + 1,) * 2)


def _hops(graph, rows):
    """Return the fewest edges between some labels and all, (n_rows, n_labels)."""
    found = dijkstra(graph, directed=False, indices=rows, unweighted=True)
    return found[:, :-1].astype(np.int32)


def _judge_distances(true, read, judged):
    """Return what there is to say of distances, block by block of judged labels."""
    graph = _joined(true)
    depth = true.depth.astype(np.int32)
    pairs = []
    ranked = []
    turn = np.full(true.n_labels, true.n_labels)
    turn[judged] = np.arange(len(judged))  # every pair once, in the earlier label's row
    step = max(1, CELLS_PER_BLOCK // max(true.n_labels, 1))
    for start in range(0, len(judged), step):
        rows = judged[start : start + step]
        distance = read(rows)
        hops = _hops(graph, rows)
        once = turn > turn[rows, None]
        sums = depth[rows, None] + depth
        pairs.append((distance[once], hops[once], sums[once]))
        for found in zip(rows, distance, hops, strict=True):
            above = true.ancestors[[found[0]]].indices
            if len(above):
                ranked.append(_rank_ancestors(above, *found))
    distance, hops, sums = (np.concatenate(x) for x in zip(*pairs, strict=True))
    pairs.clear()
    hop_ranks = _integer_ranks(hops)
    if not ranked:  # nothing has an ancestor
        ranked.append((np.nan, np.nan, np.nan))
    ap, ap_of_hops, ranks = zip(*ranked, strict=True)
    return {
        "ancestor_map": float(np.mean(ap)),
        "ancestor_map_of_hops": float(np.mean(ap_of_hops)),
        "ancestor_mean_rank": float(np.mean(np.hstack(ranks))),
        "hop_spearman": _spearman(hop_ranks, rankdata(distance)),
        "hop_spearman_ceiling": _ceiling(hops),
        "hop_spearman_of_depth": _spearman(hop_ranks, _integer_ranks(sums)),
    }


def _rank_ancestors(above, label, distance, hops):
    """Return the average precision, that of the hops, and the ancestors' ranks."""
    precision, ranks = _ranking(np.delete(distance, label), distance[above])
    precision_of_hops, _ = _ranking(np.delete(hops, label), hops[above])
    return precision, precision_of_hops, ranks


def _ranking(every, wanted):
    """Return the average precision of some among all distances, and their ranks."""
    every = np.sort(every)
    wanted = np.sort(wanted)
    until = [np.searchsorted(x, wanted, "right") for x in (every, wanted)]
    before = [np.searchsorted(x, wanted, "left") for x in (every, wanted)]
    nearer = before[0] - before[1]  # of those that are not wanted
    equal = until[0] - until[1] - nearer
    return np.mean(until[1] / until[0]), 1 + nearer + equal / 2


# -- rank correlation --------------------------------------------------------------


def _integer_ranks(values):
    """Return the ranks of integers from 0, equal ones sharing the mean of theirs."""
    counts = np.bincount(values)
    return (np.cumsum(counts) - (counts - 1) / 2)[values]


def _spearman(ranks, others):
    """Return the correlation of two arrays of ranks; NaN where one is constant."""
    if not len(ranks) or np.ptp(ranks) == 0 or np.ptp(others) == 0:
        return np.nan
    middle = (len(ranks) + 1) / 2
    ranks = ranks - middle
    others = others - middle
    scale = np.sqrt(ranks @ ranks) * np.sqrt(others @ others)
    return float(np.clip(ranks @ others / scale, -1, 1))


def _ceiling(values):
    """Return the greatest correlation of integers with values that are all distinct."""
    n = float(len(values))
    if n < 2:
        return np.nan
    tied = np.bincount(values).astype(np.float64)
    return float(np.sqrt(1 - (tied**3 - tied).sum() / (n**3 - n)))

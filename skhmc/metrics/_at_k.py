"""Metrics of the k labels that score highest, for very many labels."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping
from itertools import chain
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from skhmc._data.align import align
from skhmc._data.containers import is_frame
from skhmc._utils.kinds import repeatable
from skhmc._utils.messages import name_list
from skhmc._utils.top_k import top_k
from skhmc.hierarchy import Hierarchy
from skhmc.metrics._inputs import (
    check_scores,
    kept_labels,
    label_numbers,
    metric_weights,
    truth,
)

__all__ = [
    "coverage_at_k_score",
    "label_propensity",
    "ndcg_at_k_score",
    "precision_at_k_score",
    "propensity_scored_precision_at_k_score",
    "recall_at_k_score",
]

AMONG = ("leaves", "all")
CELLS_PER_BLOCK = 2**22


def precision_at_k_score(
    y_true: Any,
    y_score: Any,
    *,
    k: int = 5,
    hierarchy: Any = None,
    among: str = "leaves",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Precision at k: the share of the k highest scored labels that are true.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample. Columns are matched as in :func:`au_prc_score`. A sparse
        matrix is never made dense.
    y_score : array-like, DataFrame or sparse matrix (n_samples, n_labels), or tuple
        Scores. Cells that a sparse matrix does not store are not predicted: they come
        after all others, and are never right. Or the tuple ``(columns, proba)`` that
        ``predict_top_k`` returns, with k labels per sample or more. The columns are an
        array of positions in the labels of the hierarchy, or lists of names
        (``names=True``).
    k : int, default=5
        Number of labels of a sample. Where fewer count, all of them are taken.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: all labels are leaves.
    among : {"leaves", "all"}, default="leaves"
        Labels that count: those without children, or all. Ancestors come first in any
        coherent order, so that "all" gives higher values which say less.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; without hierarchy and DataFrame, positions of
        columns.
    close : bool, default=True
        Whether to add the ancestors to the true sets first. Scores are taken as given.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The mean over the samples, between 0 and 1 (best); NaN when no cell is known.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong, or when the tuple holds fewer
        known labels of a sample than count.

    Warns
    -----
    UndefinedMetricWarning
        When no sample counts.

    See Also
    --------
    recall_at_k_score : The share of the true labels that are found.
    propensity_scored_precision_at_k_score : Rare labels count more.

    Notes
    -----
    With the true labels :math:`T_i` and the k highest scored labels :math:`P_i`,

    .. math:: P@k = \frac{1}{n} \sum_i \frac{|T_i \cap P_i|}{k}.

    A sample without a true label counts as 0, as in the programs of the field: what is
    predicted for it is wrong. So samples that end above the leaves lower the value. Of
    equal scores the label of less depth comes first, then that of the lower column, as
    in ``predict_top_k``. Unknown labels are skipped: the next ones take their places.
    Where a sample has fewer than k labels that are known and count, k is their number.

    References
    ----------
    Bhatia, Dahiya, Jain, Kar, Mittal, Prabhu and Varma, "The extreme classification
    repository: multi-label datasets and code", 2016.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import precision_at_k_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true = [[1, 1, 0], [1, 0, 1]]
    >>> y_score = [[0.9, 0.8, 0.3], [0.7, 0.6, 0.5]]
    >>> precision_at_k_score(y_true, y_score, k=1, hierarchy=animals)
    0.5
    >>> precision_at_k_score(y_true, y_score, k=1, hierarchy=animals, among="all")
    1.0
    """
    top = _read(y_true, y_score, k, hierarchy, among, exclude, close, sample_weight)
    places = np.minimum(top.hit.shape[1], top.n_known)
    return top.mean(top.hit.sum(axis=1), places, "Precision at k")


def recall_at_k_score(
    y_true: Any,
    y_score: Any,
    *,
    k: int = 5,
    hierarchy: Any = None,
    among: str = "leaves",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Recall at k: the share of the true labels among the k highest scored ones.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1, NaN for unknown; or lists of label names.
    y_score : array-like, DataFrame or sparse matrix (n_samples, n_labels), or tuple
        Scores, or the tuple that ``predict_top_k`` returns.
    k : int, default=5
        Number of labels of a sample. Where fewer count, all of them are taken.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: all labels are leaves.
    among : {"leaves", "all"}, default="leaves"
        Labels that count: those without children, or all.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count.
    close : bool, default=True
        Whether to add the ancestors to the true sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The mean over the samples that have a true label, between 0 and 1; NaN when
        there are none. Where samples have more than k labels, 1 is out of reach.

    Raises
    ------
    ValueError
        As :func:`precision_at_k_score`.

    Warns
    -----
    UndefinedMetricWarning
        When no sample has a true label that counts.

    See Also
    --------
    precision_at_k_score : Says more of the arguments.
    coverage_at_k_score : The share of the labels that are ever found.

    Notes
    -----
    .. math::
        R@k = \frac{1}{|\{i : T_i \neq \emptyset\}|}
        \sum_{i : T_i \neq \emptyset} \frac{|T_i \cap P_i|}{|T_i|},

    with the signs of :func:`precision_at_k_score`. A sample without a true label is
    0 / 0, and is skipped.

    Examples
    --------
    >>> from skhmc.metrics import recall_at_k_score
    >>> y_true = [[1, 1, 0], [0, 0, 0]]
    >>> recall_at_k_score(y_true, [[0.9, 0.1, 0.3], [0.7, 0.6, 0.5]], k=2)
    0.5
    """
    top = _read(y_true, y_score, k, hierarchy, among, exclude, close, sample_weight)
    return top.mean(top.hit.sum(axis=1), top.n_true, "Recall at k")


def ndcg_at_k_score(
    y_true: Any,
    y_score: Any,
    *,
    k: int = 5,
    hierarchy: Any = None,
    among: str = "leaves",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Normalised discounted cumulative gain at k: true labels count more if first.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1, NaN for unknown; or lists of label names.
    y_score : array-like, DataFrame or sparse matrix (n_samples, n_labels), or tuple
        Scores, or the tuple that ``predict_top_k`` returns.
    k : int, default=5
        Number of labels of a sample. Where fewer count, all of them are taken.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: all labels are leaves.
    among : {"leaves", "all"}, default="leaves"
        Labels that count: those without children, or all.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count.
    close : bool, default=True
        Whether to add the ancestors to the true sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The mean over the samples that have a true label, between 0 and 1 (best); NaN
        when there are none.

    Raises
    ------
    ValueError
        As :func:`precision_at_k_score`.

    Warns
    -----
    UndefinedMetricWarning
        When no sample has a true label that counts.

    See Also
    --------
    precision_at_k_score : Says more of the arguments.
    sklearn.metrics.ndcg_score : Of dense arrays; averages over ties in scores, and
        counts samples without a true label as 0.

    Notes
    -----
    .. math::
        nDCG@k = \frac{\sum_{j=1}^{k} [P_{ij} \in T_i] / \log_2(j + 1)}
        {\sum_{j=1}^{\min(k, |T_i|)} 1 / \log_2(j + 1)},

    with :math:`P_{ij}`, the label of the j-th highest score in sample i, and the mean
    over the samples with :math:`T_i \neq \emptyset`.

    References
    ----------
    Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques", ACM
    Transactions on Information Systems, 2002.

    Examples
    --------
    >>> from skhmc.metrics import ndcg_at_k_score
    >>> ndcg_at_k_score([[1, 1, 0]], [[0.9, 0.8, 0.3]], k=2)
    1.0
    >>> round(ndcg_at_k_score([[0, 1, 0]], [[0.9, 0.8, 0.3]], k=2), 3)
    0.631
    """
    top = _read(y_true, y_score, k, hierarchy, among, exclude, close, sample_weight)
    discount = 1 / np.log2(np.arange(top.hit.shape[1]) + 2)
    # one more than k: of samples without a true label the best is 0
    best = np.cumsum(np.append(0.0, discount))[np.minimum(top.n_true, len(discount))]
    return top.mean(top.hit @ discount, best, "nDCG at k")


def propensity_scored_precision_at_k_score(
    y_true: Any,
    y_score: Any,
    *,
    propensity: Mapping[Hashable, float] | ArrayLike,
    k: int = 5,
    hierarchy: Any = None,
    among: str = "leaves",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Propensity-scored precision at k, PSP@k: rare labels count more.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1, NaN for unknown; or lists of label names.
    y_score : array-like, DataFrame or sparse matrix (n_samples, n_labels), or tuple
        Scores, or the tuple that ``predict_top_k`` returns.
    propensity : mapping of label to float, or array-like of shape (n_labels,)
        Probability that a label is given if it is right, above 0 and at most 1, as
        :func:`label_propensity` returns it for the training labels. An array has the
        order of the columns of ``y_true``.
    k : int, default=5
        Number of labels of a sample. Where fewer count, all of them are taken.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: all labels are leaves.
    among : {"leaves", "all"}, default="leaves"
        Labels that count: those without children, or all.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count.
    close : bool, default=True
        Whether to add the ancestors to the true sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The score, between 0 and 1 (best); NaN when there is no true label.

    Raises
    ------
    ValueError
        As :func:`precision_at_k_score`, or when propensities are missing or wrong.

    Warns
    -----
    UndefinedMetricWarning
        When no sample has a true label that counts.

    See Also
    --------
    precision_at_k_score : Says more of the arguments.
    label_propensity : The propensities, from training labels.

    Notes
    -----
    With the propensities :math:`p_l`, the true labels :math:`T_i` and the k highest
    scored ones :math:`P_i`,

    .. math::
        PSP@k = \frac{\sum_i \sum_{l \in P_i \cap T_i} 1 / p_l}
        {\sum_i \max_{S \subseteq T_i, |S| \leq k} \sum_{l \in S} 1 / p_l}:

    what was gained, as a share of the most that k labels of each sample can gain, both
    summed over the samples. Samples without a true label change nothing.

    References
    ----------
    Jain, Prabhu and Varma, "Extreme multi-label loss functions for recommendation,
    tagging, ranking & other missing label applications", KDD, 2016.

    Examples
    --------
    >>> from skhmc.metrics import propensity_scored_precision_at_k_score
    >>> y_score = [[0.9, 0.1], [0.8, 0.2]]  # the rare label 1 is never first
    >>> propensity_scored_precision_at_k_score(
    ...     [[1, 0], [0, 1]], y_score, k=1, propensity={0: 0.5, 1: 0.25}
    ... )
    0.3333333333333333
    """
    hierarchy = repeatable(hierarchy)
    top = _read(y_true, y_score, k, hierarchy, among, exclude, close, sample_weight)
    values = _read_propensity(propensity, top.hierarchy, hierarchy)
    inverse = (1 / values)[top.counting]
    gained = np.where(top.hit, inverse[top.columns], 0).sum(axis=1)
    rows = np.repeat(np.arange(len(gained)), top.n_true)
    value = inverse[top.true.indices]
    order = np.lexsort((-value, rows))
    place = np.arange(len(rows)) - top.true.indptr[rows]
    first = place < top.hit.shape[1]
    best = np.bincount(rows[first], value[order][first], minlength=len(gained))
    most = top.weight @ best
    if not most > 0:
        return _undefined("PSP at k")
    return float(top.weight @ gained / most)


def coverage_at_k_score(
    y_true: Any,
    y_score: Any,
    *,
    k: int = 5,
    hierarchy: Any = None,
    among: str = "leaves",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Coverage at k: the share of the labels that are rightly found at least once.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1, NaN for unknown; or lists of label names.
    y_score : array-like, DataFrame or sparse matrix (n_samples, n_labels), or tuple
        Scores, or the tuple that ``predict_top_k`` returns.
    k : int, default=5
        Number of labels of a sample. Where fewer count, all of them are taken.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: all labels are leaves.
    among : {"leaves", "all"}, default="leaves"
        Labels that count: those without children, or all.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count.
    close : bool, default=True
        Whether to add the ancestors to the true sets first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights. Samples of weight 0 do not count; how large other weights are
        changes nothing.

    Returns
    -------
    float
        The share, between 0 and 1 (best), of the labels that a sample has; NaN when no
        sample has a label.

    Raises
    ------
    ValueError
        As :func:`precision_at_k_score`.

    Warns
    -----
    UndefinedMetricWarning
        When no sample has a true label that counts.

    See Also
    --------
    precision_at_k_score : Says more of the arguments.
    recall_at_k_score : The share of the true labels of a sample that are found.
    sklearn.metrics.coverage_error : Something else: how many labels of a sample must be
        taken to find all true ones.

    Notes
    -----
    With the signs of :func:`precision_at_k_score`,

    .. math::
        C@k = \frac{|\bigcup_i (T_i \cap P_i)|}{|\bigcup_i T_i|}.

    It is low for a classifier that predicts frequent labels only.

    References
    ----------
    Schultheis, Wydmuch, Kotlowski, Babbar and Dembczynski, "Generalized test utilities
    for long-tail performance in extreme multi-label classification", NeurIPS, 2023.

    Examples
    --------
    >>> from skhmc.metrics import coverage_at_k_score
    >>> y_true = [[1, 0], [1, 0], [0, 1]]
    >>> coverage_at_k_score(y_true, [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], k=1)
    0.5
    """
    top = _read(y_true, y_score, k, hierarchy, among, exclude, close, sample_weight)
    counts = top.weight > 0
    there = np.unique(top.true[counts].indices)
    if not len(there):
        return _undefined("Coverage at k")
    found = np.unique(top.columns[counts][top.hit[counts]])
    return len(found) / len(there)


def label_propensity(
    y_train: Any,
    *,
    hierarchy: Any = None,
    A: float = 0.55,
    B: float = 1.5,
    close: bool = True,
) -> dict[Any, float]:
    r"""Return the propensities of labels, from how often training samples have them.

    Parameters
    ----------
    y_train : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Training labels, of 3 samples or more. Unknown labels (NaN) count as missing.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat.
    A, B : float, default=0.55 and 1.5
        Parameters of the model. Those of the paper are 0.55 and 1.5, but for data from
        Wikipedia (0.5 and 0.4) and Amazon (0.6 and 2.6).
    close : bool, default=True
        Whether to add the ancestors to the label sets first.

    Returns
    -------
    dict
        The propensity of every label, by its name.

    Raises
    ------
    ValueError
        When there are fewer than 3 samples, or A or B is not above 0.

    Notes
    -----
    With N samples, of which :math:`N_l` have label l,

    .. math::
        p_l = \frac{1}{1 + C e^{-A \log(N_l + B)}}, \qquad
        C = (\log N - 1) (B + 1)^A.

    References
    ----------
    Jain, Prabhu and Varma, "Extreme multi-label loss functions for recommendation,
    tagging, ranking & other missing label applications", KDD, 2016.

    Examples
    --------
    >>> from skhmc.metrics import label_propensity
    >>> y_train = [["cat"], ["cat"], ["cat"], ["dog"]]
    >>> propensity = label_propensity(y_train, hierarchy={"cat": [], "dog": []})
    >>> {label: round(p, 3) for label, p in propensity.items()}
    {'cat': 0.782, 'dog': 0.721}
    """
    for name, value in (("A", A), ("B", B)):
        if isinstance(value, bool) or not (isinstance(value, Real) and value > 0):
            raise ValueError(f"{name} must be a number above 0, got {value!r}.")
    hierarchy, y_train = align(hierarchy, y_true=y_train)
    n_samples = y_train.shape[0]
    if n_samples < 3:
        raise ValueError(
            f"Propensities need 3 training samples at least, got {n_samples}. Pass the "
            f"labels that the classifier was fitted to."
        )
    positive, _ = truth(y_train, hierarchy, close)
    counts = np.bincount(positive.indices, minlength=hierarchy.n_labels)
    C = (np.log(n_samples) - 1) * (B + 1) ** A
    found = 1 / (1 + C * np.exp(-A * np.log(counts + B)))
    return dict(zip(hierarchy.labels, found.tolist(), strict=True))


# -- what all of them read -------------------------------------------------------------


class _Top(NamedTuple):
    """The highest scored labels of samples, beside the true ones.

    Columns number the labels that count.

    Attributes
    ----------
    hierarchy : Hierarchy
        In the order of the columns of ``y_true``.
    counting : ndarray of int
        Which of its labels count.
    columns : ndarray of shape (n_samples, k), int
        The labels, highest score first; 0 where ``hit`` is False, perhaps.
    hit : ndarray of shape (n_samples, k), bool
        Which of them are true. Places that are empty are not.
    true : csr_matrix of shape (n_samples, n_counting), bool
    n_true, n_known : ndarray of shape (n_samples,), int
        How many labels that count are true, and known.
    weight : ndarray of shape (n_samples,)
    """

    hierarchy: Hierarchy
    counting: np.ndarray
    columns: np.ndarray
    hit: np.ndarray
    true: sp.csr_matrix
    n_true: np.ndarray
    n_known: np.ndarray
    weight: np.ndarray

    def mean(self, got, best, name):
        """Return the mean of ``got / best`` over samples whose best is not 0."""
        use = (best > 0) & (self.weight > 0)
        if not use.any():
            return _undefined(name)
        return float(np.average(got[use] / best[use], weights=self.weight[use]))


def _undefined(name):
    warnings.warn(
        f"No sample has labels that count, so {name} is undefined: NaN.",
        UndefinedMetricWarning,
        stacklevel=4,
    )
    return np.nan


def _read(y_true, y_score, k, hierarchy, among, exclude, close, sample_weight):
    """Return the _Top of what a metric at k is given."""
    _check_options(k, among)
    pair = isinstance(y_score, tuple)
    if pair:
        given, by_name = hierarchy, is_frame(y_true)
        hierarchy, y_true = align(hierarchy, y_true=y_true)
        cells = _cells_of_pair(y_score, y_true.shape[0], hierarchy, given, by_name)
    else:
        hierarchy, y_true, y_score = align(hierarchy, y_true=y_true, y_score=y_score)
        y_score = _check_scores(y_score)
    counts = _which_count(hierarchy, among, exclude)
    counting = np.flatnonzero(counts)
    true, unknown = (
        sp.csr_matrix(part[:, counting]) for part in truth(y_true, hierarchy, close)
    )
    n_known = len(counting) - np.diff(unknown.indptr)
    depth = np.asarray(hierarchy.depth)[counting]
    k = min(k, len(counting))
    if pair:
        cells = _where_counted(cells, counts)
        columns, filled = _first_of_cells(*cells, unknown, depth, k)
        _check_enough(filled, n_known, k, among)
    elif sp.issparse(y_score):
        y_score = sp.csr_matrix(y_score[:, counting])
        rows = np.repeat(np.arange(y_score.shape[0]), np.diff(y_score.indptr))
        cells = rows, y_score.indices, y_score.data
        columns, filled = _first_of_cells(*cells, unknown, depth, k)
    else:
        columns = _first_of_scores(y_score, counting, unknown, depth, k)
        filled = np.arange(k) < n_known[:, None]
    return _Top(
        hierarchy=hierarchy,
        counting=counting,
        columns=columns,
        hit=_at(true, columns) & filled,
        true=true,
        n_true=np.diff(true.indptr),
        n_known=n_known,
        weight=metric_weights(sample_weight, len(columns)),
    )


def _check_options(k, among):
    if isinstance(k, bool) or not (isinstance(k, Integral) and k >= 1):
        raise ValueError(f"k must be an integer of at least 1, got {k!r}.")
    if among not in AMONG:
        raise ValueError(f"among must be one of {AMONG}, got {among!r}.")


def _which_count(hierarchy, among, exclude):
    """Return which labels count, a bool array of shape (n_labels,)."""
    counts = kept_labels(hierarchy, exclude)
    if among == "leaves":
        leaf = np.zeros(hierarchy.n_labels, bool)
        leaf[hierarchy.leaves] = True
        if not (counts & leaf).any():
            raise ValueError(
                f"exclude={exclude!r} leaves none of the {leaf.sum()} leaves to count. "
                f"Leave out fewer, or pass among='all'."
            )
        counts &= leaf
    return counts


def _check_scores(scores):
    """Return floating scores, dense or CSR; NaN is an error."""
    if not sp.issparse(scores):
        return check_scores(scores)
    if np.isnan(scores.data).any():
        raise ValueError("y_score holds NaN, expected a score for every stored cell.")
    return scores.astype(np.float64)


def _at(cells, columns):
    """Return the values (n_samples, k) of bool cells at some columns of every row."""
    if not columns.size:
        return np.zeros(columns.shape, bool)
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    return np.asarray(cells[rows, columns.ravel()]).reshape(columns.shape)


def _first_of_scores(scores, counting, unknown, depth, k):
    """Return the columns (n_samples, k) of the highest scores, unknown ones last."""
    found = np.zeros((len(scores), k), np.intp)
    step = max(1, CELLS_PER_BLOCK // len(counting))
    lowest = np.finfo(scores.dtype).min
    for start in range(0, len(scores), step):
        rows = slice(start, start + step)
        block = np.maximum(scores[rows][:, counting], lowest)  # -inf is for unknown
        block[unknown[rows].nonzero()] = -np.inf
        found[rows] = top_k(block, k, depth)[0]
    return found


def _first_of_cells(rows, columns, scores, unknown, depth, k):
    """Return columns (n_samples, k) of the highest known cells, and where there are."""
    known = ~_at_cells(unknown, rows, columns)
    rows, columns, scores = rows[known], columns[known], scores[known]
    order = np.lexsort((columns, depth[columns], -scores, rows))
    rows, columns = rows[order], columns[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    first = place < k
    found = np.zeros((unknown.shape[0], k), np.intp)
    filled = np.zeros(found.shape, bool)
    found[rows[first], place[first]] = columns[first]
    filled[rows[first], place[first]] = True
    return found, filled


def _at_cells(cells, rows, columns):
    if not cells.nnz or not len(rows):
        return np.zeros(len(rows), bool)
    return np.asarray(cells[rows, columns]).ravel()


# -- the pair that predict_top_k returns -----------------------------------------------


def _cells_of_pair(pair, n_samples, hierarchy, given, by_name):
    """Return rows, columns and scores of the tuple ``(columns, proba)``."""
    if len(pair) != 2:
        raise ValueError(
            f"y_score is a tuple of {len(pair)}, expected (columns, proba) as "
            f"predict_top_k returns them. Pass scores as an array."
        )
    columns, proba = pair
    if isinstance(columns, np.ndarray):
        columns = _positions(columns, hierarchy, given, by_name)
    else:
        columns = _named(columns, hierarchy)
    proba = np.asarray(proba)
    if proba.shape != columns.shape or proba.dtype.kind not in "iuf":
        raise ValueError(
            f"y_score is (columns, proba) of shapes {columns.shape} and {proba.shape}, "
            f"expected the same (n_samples, k) numbers. Pass what predict_top_k "
            f"returns."
        )
    if len(columns) != n_samples:
        raise ValueError(
            f"y_score has {len(columns)} samples, but y_true has {n_samples}. Pass one "
            f"row per sample in both."
        )
    if np.isnan(proba).any():
        raise ValueError("y_score holds NaN, expected a score for every column.")
    twice = np.diff(np.sort(columns, axis=1), axis=1) == 0
    if twice.any():
        row = int(np.flatnonzero(twice.any(axis=1))[0])
        raise ValueError(
            f"y_score holds a label twice in row {row}, expected different labels."
        )
    rows = np.repeat(np.arange(n_samples), columns.shape[1])
    return rows, columns.ravel(), proba.ravel().astype(np.float64)


def _positions(columns, hierarchy, given, by_name):
    """Return positions of labels, as those of the hierarchy that was given."""
    if columns.ndim != 2 or columns.dtype.kind not in "iu":
        raise ValueError(
            f"The columns in y_score must be an array of int of shape (n_samples, k), "
            f"or lists of label names, got shape {columns.shape} and dtype "
            f"{columns.dtype}."
        )
    if columns.size and not 0 <= columns.min() <= columns.max() < hierarchy.n_labels:
        raise ValueError(
            f"The columns in y_score number labels from {columns.min()} to "
            f"{columns.max()}, expected 0 to {hierarchy.n_labels - 1}, the positions "
            f"of the labels of the hierarchy."
        )
    if not by_name or given is None:
        return columns.astype(np.intp)
    if not isinstance(given, Hierarchy):
        raise ValueError(
            "The columns in y_score are positions, y_true has named columns, and no "
            "order of the positions is known. Pass hierarchy=clf.hierarchy_, or the "
            "names that predict_top_k(..., names=True) returns."
        )
    place = np.array([hierarchy.position(label) for label in given.labels], np.intp)
    return place[columns]


def _named(names, hierarchy):
    """Return the positions (n_samples, k) of lists of label names."""
    if not all(isinstance(row, (list, tuple)) for row in names):
        raise ValueError(
            "y_score is a tuple of two, read as (columns, proba), but its columns are "
            "neither an array nor lists of label names. Pass scores as an array."
        )
    widths = {len(row) for row in names}
    if len(widths) > 1:
        raise ValueError(
            f"The lists of names in y_score have {min(widths)} to {max(widths)} names, "
            f"expected as many for every sample. Pass a CSR matrix of scores."
        )
    wrong = {name for name in chain.from_iterable(names) if name not in hierarchy}
    if wrong:
        raise ValueError(
            f"y_score names labels that the hierarchy does not have: "
            f"{name_list(wrong)}. It has {name_list(hierarchy.labels)}."
        )
    found = [hierarchy.position(name) for name in chain.from_iterable(names)]
    return np.array(found, np.intp).reshape(len(names), *widths)


def _where_counted(cells, counts):
    """Return the cells of the labels that count, whose columns number these."""
    rows, columns, scores = cells
    use = counts[columns]
    return rows[use], (np.cumsum(counts) - 1)[columns[use]], scores[use]


def _check_enough(filled, n_known, k, among):
    """Raise where a tuple holds too few labels of a sample."""
    short = np.minimum(k, n_known) - filled.sum(axis=1)
    if (short <= 0).all():
        return
    row = int(short.argmax())
    what = "labels" if among == "all" else "leaves"
    raise ValueError(
        f"y_score holds {filled[row].sum()} known {what} that count in row {row}, "
        f"expected {min(k, n_known[row])}. Pass predict_top_k(X, k, among={among!r}) "
        f"with a larger k: the labels that are unknown or excluded come on top."
    )


def _read_propensity(propensity, hierarchy, given):
    """Return the propensities (n_labels,) in the order of the columns."""
    source = "label_propensity"
    values = label_numbers(propensity, hierarchy, "propensity", source, given)
    good = (values > 0) & (values <= 1)
    if not good.all():
        wrong = int(np.flatnonzero(~good)[0])
        raise ValueError(
            f"propensity of {hierarchy.labels[wrong]!r} is {values[wrong].item()!r}, "
            f"expected above 0 and at most 1."
        )
    return values.astype(np.float64)

"""The measures by which CAFA compares predictors of protein function."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from skhmc._data.align import align
from skhmc._utils.kinds import repeatable
from skhmc._utils.levels import transposed
from skhmc._utils.messages import name_list, plain
from skhmc.coherence import raise_to_descendants
from skhmc.hierarchy import Hierarchy, Ontology
from skhmc.metrics._inputs import (
    check_scores,
    kept_labels,
    label_numbers,
    metric_weights,
    truth,
)
from skhmc.metrics._threshold_sums import (
    Block,
    Sums,
    count_at_scores,
    count_at_thresholds,
    threshold_finder,
)

__all__ = [
    "CafaCurve",
    "cafa_curves",
    "f_max_score",
    "s_min_score",
    "weighted_f_max_score",
]

AVERAGES = ("samples", "micro")
CELLS_PER_BLOCK = 2**20
ROUNDED = 1e-6  # by how much sums of probabilities may be above 1


@dataclass(frozen=True)
class CafaCurve:
    """What is predicted at every threshold, in one namespace.

    :func:`cafa_curves` returns one per namespace. Draw ``precision`` over ``recall``,
    or ``misinformation`` over ``remaining_uncertainty``.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Thresholds in ascending order. Labels of at least this score are predicted.
    precision, recall, f : ndarray of shape (n_thresholds,)
        Precision, recall and their harmonic mean F, 0 where nothing is predicted.
    coverage : ndarray of shape (n_thresholds,)
        Share of the samples of which something is predicted.
    remaining_uncertainty : ndarray of shape (n_thresholds,)
        Weight of the true labels that are not predicted, on average over samples.
    misinformation : ndarray of shape (n_thresholds,)
        Weight of the predicted labels that are not true, on average over samples.
    semantic_distance : ndarray of shape (n_thresholds,)
        The square root of the sum of the squares of both. NaN at thresholds above all
        scores, where nothing is predicted of any sample.
    n_samples : int
        Number of samples that have a true label of the namespace: those that count.

    See Also
    --------
    cafa_curves : The definitions.
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f: np.ndarray
    coverage: np.ndarray
    remaining_uncertainty: np.ndarray
    misinformation: np.ndarray
    semantic_distance: np.ndarray
    n_samples: int

    @property
    def f_max(self) -> float:
        """The greatest F."""
        return float(self.f.max())

    @property
    def f_max_threshold(self) -> float:
        """The highest threshold of the greatest F."""
        return float(self.thresholds[self._best])

    @property
    def s_min(self) -> float:
        """The smallest semantic distance."""
        return float(np.nanmin(self.semantic_distance))

    @property
    def s_min_threshold(self) -> float:
        """The highest threshold of the smallest semantic distance."""
        at = np.flatnonzero(self.semantic_distance == self.s_min)
        return float(self.thresholds[at[-1]])

    @property
    def _best(self) -> int:
        return int(np.flatnonzero(self.f == self.f.max())[-1])

    def summary(self) -> dict[str, float]:
        """Return the best values, with precision and recall at the best threshold.

        Returns
        -------
        dict
            Numbers by name, of which ``pandas.DataFrame`` makes a table: ``{name:
            curve.summary() for name, curve in curves.items()}``.
        """
        best = self._best
        return {
            "f_max": self.f_max,
            "threshold": self.f_max_threshold,
            "precision": float(self.precision[best]),
            "recall": float(self.recall[best]),
            "coverage": float(self.coverage[best]),
            "s_min": self.s_min,
            "s_min_threshold": self.s_min_threshold,
            "n_samples": self.n_samples,
        }

    def __repr__(self) -> str:
        parts = {name: round(value, 4) for name, value in self.summary().items()}
        return f"CafaCurve({', '.join(f'{k}={v}' for k, v in parts.items())})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CafaCurve):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, x.name), getattr(other, x.name), True)
            for x in fields(self)
        )


def cafa_curves(
    y_true: Any,
    y_score: Any,
    *,
    hierarchy: Any = None,
    information: Mapping[Hashable, float] | ArrayLike | None = None,
    namespaces: str | Mapping[Hashable, Hashable] | None = "auto",
    thresholds: str | ArrayLike | None = None,
    average: str = "samples",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> dict[Hashable, CafaCurve]:
    r"""Precision, recall and semantic distance over all thresholds, as in CAFA.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample. The columns of DataFrames are matched to the labels by
        name; other columns follow the DataFrame given beside them, else the hierarchy.
    y_score : array-like, DataFrame or sparse matrix of shape (n_samples, n_labels)
        Scores between 0 and 1. A label of score 0, or of an empty cell of a sparse
        matrix, is not predicted at any threshold.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: nothing is closed.
    information : mapping, Series or array-like of shape (n_labels,), default=None
        Weight of every label, in bits: what :func:`information_accretion` returns for
        the training labels, or the table that a challenge publishes. Labels of 0 do not
        count. None: every label counts 1.
    namespaces : "auto", mapping of label to namespace, or None, default="auto"
        Namespace of every label. Each is judged by itself, with the edges inside it.
        "auto" takes those of an ontology that was read by ``Hierarchy.from_obo``, and
        is one namespace, "all", otherwise. None puts all labels in one.
    thresholds : None, "cafa" or array-like, default=None
        Thresholds. None is all that can be best: the scores of the true labels and the
        highest score. "cafa" is 0.01, 0.02, ... 0.99.
    average : {"samples", "micro"}, default="samples"
        Kind of average of precision and recall: "samples" is that of CAFA, "micro"
        pools the labels of all samples.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count. Samples of which no other label is true still count.
    close : bool, default=True
        Whether to add the ancestors to the true sets, and to raise scores to the
        highest score of a descendant, first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    dict
        A :class:`CafaCurve` by namespace. Namespaces without a true label that counts
        are left out.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong; scores are not between 0 and
        1; or a label has no namespace.

    Warns
    -----
    UndefinedMetricWarning
        When a namespace is left out.

    See Also
    --------
    f_max_score : The greatest F, averaged over namespaces.
    weighted_f_max_score : The same with labels weighted by their information.
    s_min_score : The smallest semantic distance.

    Notes
    -----
    In a namespace the n samples that have a true label of it count. With
    :math:`T_i` the true labels of sample i, :math:`P_i(\tau)` those of score
    :math:`\tau` or more, :math:`m(\tau)` the number of samples of which any label is
    predicted, and :math:`v(A)` what the labels of a set count together,

    .. math::
        pr(\tau) &= \frac{1}{m(\tau)} \sum_{i: P_i(\tau) \neq \emptyset}
        \frac{v(P_i(\tau) \cap T_i)}{v(P_i(\tau))}, \qquad
        rc(\tau) = \frac{1}{n} \sum_i \frac{v(P_i(\tau) \cap T_i)}{v(T_i)}, \\
        ru(\tau) &= \frac{1}{n} \sum_i v(T_i \setminus P_i(\tau)), \qquad
        mi(\tau) = \frac{1}{n} \sum_i v(P_i(\tau) \setminus T_i).

    F is :math:`2 \, pr \, rc / (pr + rc)`, the semantic distance is
    :math:`\sqrt{ru^2 + mi^2}`. A ratio 0 / 0 is 0.

    A threshold that only wrong labels reach adds nothing to the recall and lowers the
    precision, or adds a sample to m with precision 0. So no F is above that of all
    scores of true labels.

    Edges between namespaces carry nothing, neither true labels nor scores, as in
    CAFA's evaluator. To let them, close both over the whole hierarchy before.

    References
    ----------
    Clark and Radivojac, "Information-theoretic evaluation of predicted ontological
    annotations", Bioinformatics, 2013.

    Radivojac et al., "A large-scale evaluation of computational protein function
    prediction", Nature Methods, 2013.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import cafa_curves
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true, y_score = [["cat"], ["dog"]], [[0.9, 0.6, 0.2], [0.8, 0.7, 0.3]]
    >>> curve = cafa_curves(y_true, y_score, hierarchy=animals)["all"]
    >>> curve.thresholds, curve.precision.round(3)
    (array([0.3, 0.6, 0.8, 0.9]), array([0.833, 0.75 , 1.   , 1.   ]))
    >>> curve.recall
    array([1.  , 0.75, 0.5 , 0.25])
    """
    task = _read(
        y_true,
        y_score,
        hierarchy,
        information,
        thresholds,
        average,
        exclude,
        close,
        sample_weight,
    )
    groups = _columns_by_namespace(task.hierarchy, namespaces)
    curves = {name: _curve(task, columns) for name, columns in groups.items()}
    empty = [name for name, curve in curves.items() if curve is None]
    if empty:
        warnings.warn(
            f"No sample has a true label that counts in {name_list(empty)}: left out.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    return {name: curve for name, curve in curves.items() if curve is not None}


def f_max_score(
    y_true: Any,
    y_score: Any,
    *,
    hierarchy: Any = None,
    namespaces: str | Mapping[Hashable, Hashable] | None = "auto",
    thresholds: str | ArrayLike | None = None,
    average: str = "samples",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Fmax of CAFA: the greatest F over all thresholds, averaged over namespaces.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_score : array-like, DataFrame or sparse matrix of shape (n_samples, n_labels)
        Scores between 0 and 1. A label of score 0, or of an empty cell of a sparse
        matrix, is not predicted at any threshold.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: nothing is closed.
    namespaces : "auto", mapping of label to namespace, or None, default="auto"
        Namespace of every label. Each has a threshold of its own, and the mean is
        returned. "auto" takes those of an ontology that was read by
        ``Hierarchy.from_obo``, and is one namespace otherwise. None puts all in one.
    thresholds : None, "cafa" or array-like, default=None
        Thresholds. None is all scores, "cafa" is 0.01, 0.02, ... 0.99.
    average : {"samples", "micro"}, default="samples"
        Kind of average of precision and recall: "samples" is that of CAFA, "micro"
        pools the labels of all samples.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count. Leave out roots that every sample has.
    close : bool, default=True
        Whether to add the ancestors to the true sets, and to raise scores to the
        highest score of a descendant, first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The score, between 0 and 1 (best); NaN when no true label counts.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong, or scores are not between 0
        and 1.

    Warns
    -----
    UndefinedMetricWarning
        When a namespace has no true label that counts, and is left out.

    See Also
    --------
    cafa_curves : The definitions, and all thresholds with precision and recall.
    weighted_f_max_score : The same with labels weighted by their information.

    Notes
    -----
    The threshold is chosen on the samples that are judged: the score is what the best
    threshold would give. It is often high for a predictor that only knows how frequent
    labels are.

    References
    ----------
    Radivojac et al., "A large-scale evaluation of computational protein function
    prediction", Nature Methods, 2013.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import f_max_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true, y_score = [["cat"], ["dog"]], [[0.9, 0.6, 0.2], [0.8, 0.7, 0.3]]
    >>> round(f_max_score(y_true, y_score, hierarchy=animals), 6)  # 2 * 5/6 / (5/6 + 1)
    0.909091
    """
    curves = cafa_curves(
        y_true,
        y_score,
        hierarchy=hierarchy,
        namespaces=namespaces,
        thresholds=thresholds,
        average=average,
        exclude=exclude,
        close=close,
        sample_weight=sample_weight,
    )
    return _mean(curve.f_max for curve in curves.values())


def weighted_f_max_score(
    y_true: Any,
    y_score: Any,
    *,
    information: Mapping[Hashable, float] | ArrayLike | None = None,
    hierarchy: Any = None,
    namespaces: str | Mapping[Hashable, Hashable] | None = "auto",
    thresholds: str | ArrayLike | None = None,
    average: str = "samples",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Weighted Fmax of CAFA: labels count what they say beyond their parents.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_score : array-like, DataFrame or sparse matrix of shape (n_samples, n_labels)
        Scores between 0 and 1. A label of score 0, or of an empty cell of a sparse
        matrix, is not predicted at any threshold.
    information : mapping, Series or array-like of shape (n_labels,)
        Weight of every label, in bits: what :func:`information_accretion` returns for
        the training labels, or the table that a challenge publishes. Needed; scorers
        take it from the fitted estimator.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: nothing is closed.
    namespaces : "auto", mapping of label to namespace, or None, default="auto"
        Namespace of every label. Each has a threshold of its own, and the mean is
        returned. "auto" takes those of an ontology that was read by
        ``Hierarchy.from_obo``, and is one namespace otherwise. None puts all in one.
    thresholds : None, "cafa" or array-like, default=None
        Thresholds. None is all scores, "cafa" is 0.01, 0.02, ... 0.99.
    average : {"samples", "micro"}, default="samples"
        Kind of average of precision and recall: "samples" is that of CAFA, "micro"
        pools the labels of all samples.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count. Roots that every training sample has have no
        information, and do not count anyway.
    close : bool, default=True
        Whether to add the ancestors to the true sets, and to raise scores to the
        highest score of a descendant, first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The score, between 0 and 1 (best); NaN when no true label counts.

    Raises
    ------
    ValueError
        When information is missing, shapes, values, names or options are wrong, or
        scores are not between 0 and 1.

    Warns
    -----
    UndefinedMetricWarning
        When a namespace has no true label that counts, and is left out.

    See Also
    --------
    cafa_curves : The definitions, and all thresholds with precision and recall.
    information_accretion : What labels count, from training labels.

    References
    ----------
    Jiang et al., "An expanded evaluation of protein function prediction methods shows
    an improvement in accuracy", Genome Biology, 2016.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import weighted_f_max_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true, y_score = [["cat"], ["dog"]], [[0.9, 0.6, 0.2], [0.8, 0.7, 0.3]]
    >>> bits = {"mammal": 0.0, "cat": 1.0, "dog": 1.0}
    >>> score = weighted_f_max_score(
    ...     y_true, y_score, information=bits, hierarchy=animals
    ... )
    >>> round(score, 6)  # precision (1 + 1/2) / 2, recall 1
    0.857143
    """
    curves = cafa_curves(
        y_true,
        y_score,
        hierarchy=hierarchy,
        information=_needed(information),
        namespaces=namespaces,
        thresholds=thresholds,
        average=average,
        exclude=exclude,
        close=close,
        sample_weight=sample_weight,
    )
    return _mean(curve.f_max for curve in curves.values())


def s_min_score(
    y_true: Any,
    y_score: Any,
    *,
    information: Mapping[Hashable, float] | ArrayLike | None = None,
    hierarchy: Any = None,
    namespaces: str | Mapping[Hashable, Hashable] | None = "auto",
    thresholds: str | ArrayLike | None = None,
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""Smin of CAFA: the smallest semantic distance over all thresholds, 0 at best.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_score : array-like, DataFrame or sparse matrix of shape (n_samples, n_labels)
        Scores between 0 and 1. A label of score 0, or of an empty cell of a sparse
        matrix, is not predicted at any threshold.
    information : mapping, Series or array-like of shape (n_labels,)
        Weight of every label, in bits: what :func:`information_accretion` returns for
        the training labels, or the table that a challenge publishes. Needed; scorers
        take it from the fitted estimator.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: nothing is closed.
    namespaces : "auto", mapping of label to namespace, or None, default="auto"
        Namespace of every label. Each has a threshold of its own, and the mean is
        returned. "auto" takes those of an ontology that was read by
        ``Hierarchy.from_obo``, and is one namespace otherwise. None puts all in one.
    thresholds : None, "cafa" or array-like, default=None
        Thresholds. None is all scores, "cafa" is 0.01, 0.02, ... 0.99.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count.
    close : bool, default=True
        Whether to add the ancestors to the true sets, and to raise scores to the
        highest score of a descendant, first.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float
        The distance in bits, 0 at best; NaN when no true label counts.

    Raises
    ------
    ValueError
        When information is missing, shapes, values, names or options are wrong, or
        scores are not between 0 and 1.

    Warns
    -----
    UndefinedMetricWarning
        When a namespace has no true label that counts, and is left out.

    See Also
    --------
    cafa_curves : The definitions, and both parts of the distance.
    information_accretion : What labels count, from training labels.

    Notes
    -----
    It has no upper bound: it grows with the number of true labels and their
    information. So compare it only on the same samples, with the same information.
    Thresholds above all scores, at which nothing is predicted, do not count.

    References
    ----------
    Clark and Radivojac, "Information-theoretic evaluation of predicted ontological
    annotations", Bioinformatics, 2013.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import s_min_score
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true, y_score = [["cat"], ["dog"]], [[0.9, 0.6, 0.2], [0.8, 0.7, 0.3]]
    >>> bits = {"mammal": 0.0, "cat": 1.0, "dog": 1.0}
    >>> s_min_score(y_true, y_score, information=bits, hierarchy=animals)
    0.5
    """
    curves = cafa_curves(
        y_true,
        y_score,
        hierarchy=hierarchy,
        information=_needed(information),
        namespaces=namespaces,
        thresholds=thresholds,
        exclude=exclude,
        close=close,
        sample_weight=sample_weight,
    )
    return _mean(curve.s_min for curve in curves.values())


def _needed(information):
    if information is None:
        raise ValueError(
            "information is None, expected what every label counts. Pass "
            "information_accretion(y_train, hierarchy) of the training labels, or a "
            "published table. Scorers find it in estimators of skhmc."
        )
    return information


def _mean(values):
    values = list(values)
    return float(np.mean(values)) if values else float("nan")


# -- what is given ---------------------------------------------------------------------


class _Task(NamedTuple):
    """What :func:`cafa_curves` is given, read and checked.

    Attributes
    ----------
    hierarchy : Hierarchy
        In the order of the columns.
    y_true, scores : ndarray or csr_matrix of shape (n_samples, n_labels)
    counted : ndarray of shape (n_labels,), bool
    value : ndarray of shape (n_labels,) or None
    thresholds : ndarray or None
    average : str
    close : bool
    weight : ndarray of shape (n_samples,)
    """

    hierarchy: Hierarchy
    y_true: Any
    scores: Any
    counted: np.ndarray
    value: np.ndarray | None
    thresholds: np.ndarray | None
    average: str
    close: bool
    weight: np.ndarray


def _read(
    y_true,
    y_score,
    hierarchy,
    information,
    thresholds,
    average,
    exclude,
    close,
    sample_weight,
):
    if average not in AVERAGES:
        raise ValueError(f"average must be one of {AVERAGES}, got {average!r}.")
    thresholds = _read_thresholds(thresholds)
    given = repeatable(hierarchy)
    hierarchy, y_true, y_score = align(given, y_true=y_true, y_score=y_score)
    value = None
    if information is not None:
        value = _read_information(information, hierarchy, given)
    return _Task(
        hierarchy=hierarchy,
        y_true=y_true,
        scores=_read_scores(y_score),
        counted=kept_labels(hierarchy, exclude),
        value=value,
        thresholds=thresholds,
        average=average,
        close=close,
        weight=metric_weights(sample_weight, y_true.shape[0]),
    )


def _read_thresholds(thresholds):
    if thresholds is None:
        return None
    if isinstance(thresholds, str):
        if thresholds != "cafa":
            raise ValueError(
                f"thresholds must be None, 'cafa' or numbers, got {thresholds!r}."
            )
        return np.arange(0.01, 1, 0.01)
    found = np.unique(np.asarray(thresholds, dtype=np.float64))
    if not len(found) or not (found > 0).all() or not (found <= 1).all():
        raise ValueError(
            f"thresholds must be numbers above 0 and at most 1, got {thresholds!r}."
        )
    return found


def _read_information(information, hierarchy, given):
    source = "information_accretion"
    values = label_numbers(information, hierarchy, "information", source, given)
    good = (values >= 0) & np.isfinite(values)
    if not good.all():
        wrong = int(np.flatnonzero(~good)[0])
        raise ValueError(
            f"information of {hierarchy.labels[wrong]!r} is {values[wrong].item()!r}, "
            f"expected a finite number of bits that is not negative."
        )
    return values.astype(np.float64)


def _read_scores(scores):
    """Return floating scores between 0 and 1, dense or CSR."""
    if sp.issparse(scores):
        scores = sp.csr_matrix(scores, dtype=np.float64)
        values = scores.data
        if np.isnan(values).any():
            raise ValueError("y_score holds NaN, expected a score in stored cells.")
    else:
        values = scores = check_scores(scores)
    if values.size:
        low, high = values.min(), values.max()
        if low >= 0 and 1 < high <= 1 + ROUNDED:  # sums of probabilities
            scores = scores.copy()
            values = scores.data if sp.issparse(scores) else scores
            np.minimum(values, 1, out=values)
            return scores
        if low < 0 or high > 1:
            got = low if low < 0 else high
            raise ValueError(
                f"y_score must hold scores between 0 and 1, got {got.item()!r}. Pass "
                f"probabilities; scipy.special.expit makes some of logits."
            )
    return scores


def _columns_by_namespace(hierarchy, namespaces):
    """Return the positions of the labels of every namespace, by its name."""
    if isinstance(namespaces, str) and namespaces != "auto":
        raise ValueError(
            f"namespaces must be 'auto', None or a mapping of labels to namespaces, "
            f"got {namespaces!r}."
        )
    everything = {"all": np.arange(hierarchy.n_labels)}
    if namespaces is None:
        return everything
    if isinstance(namespaces, str):
        if not isinstance(hierarchy, Ontology):
            return everything
        terms = hierarchy.terms
        of = {x: terms[x].namespace for x in hierarchy.labels if x in terms}
        if not any(of.values()):
            return everything
    else:
        of = {plain(label): name for label, name in dict(namespaces).items()}
    missing = [x for x in hierarchy.labels if of.get(x) is None]
    if missing:
        raise ValueError(
            f"No namespace is known of the labels {name_list(missing)}. Pass "
            f"namespaces={{label: namespace, ...}} of all labels, or None to judge "
            f"all of them together."
        )
    names = [of[label] for label in hierarchy.labels]
    positions = {name: [] for name in names}
    for position, name in enumerate(names):
        positions[name].append(position)
    return {name: np.array(at, np.intp) for name, at in positions.items()}


# -- one namespace ---------------------------------------------------------------------


def _curve(task, columns):
    """Return the curve of the labels in some columns; None if no true label counts."""
    y_true, scores, hierarchy = task.y_true, task.scores, task.hierarchy
    if len(columns) < hierarchy.n_labels:
        hierarchy = _inside(hierarchy, columns)
        y_true = y_true[:, columns]
        scores = scores[:, columns]
    hits, unknown = truth(y_true, hierarchy, task.close)
    rows = np.flatnonzero((hits.getnnz(axis=1) > 0) & (task.weight > 0))
    counted = np.flatnonzero(task.counted[columns])
    value = None if task.value is None else task.value[columns][counted]
    hits = hits[rows][:, counted]
    unknown = unknown[rows][:, counted]
    weight = task.weight[rows]
    has_value = True if value is None else (value > 0)[hits.indices]
    if not np.any(has_value & (hits.data > 0)):
        return None

    def blocks():
        # of every sample, all labels and all thresholds that are given are held
        n_held = max(hierarchy.n_labels, np.size(task.thresholds))
        step = max(1, CELLS_PER_BLOCK // n_held)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            block = _by_label(scores, rows[part])
            if task.close:
                block = raise_to_descendants(block, hierarchy)
            if len(counted) < len(block):
                block = block[counted]
            sample, label = unknown[part].nonzero()
            block[label, sample] = 0
            sample, label = hits[part].nonzero()
            yield Block(block, (label, sample), weight[part], value)

    sums, thresholds, highest = _count(blocks, task.thresholds)
    return _curve_of_sums(sums, thresholds, highest, task.average, len(rows))


def _inside(hierarchy, columns):
    """Return the hierarchy of some labels and of the edges between two of them."""
    place = np.full(hierarchy.n_labels, -1)
    place[columns] = np.arange(len(columns))
    edges = place[hierarchy.edges]
    labels = tuple(hierarchy.labels[k] for k in columns)
    return Hierarchy._from_positions(labels, edges[(edges >= 0).all(axis=1)])


def _by_label(scores, rows):
    """Return the scores of some samples, an array of shape (n_labels, n_samples)."""
    if sp.issparse(scores):
        return np.ascontiguousarray(scores[rows].T.toarray())
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return transposed(scores[rows[0] : rows[-1] + 1])  # no copy in between
    return transposed(scores[rows])


def _count(blocks, thresholds):
    """Return the sums over blocks, at which thresholds, and the highest score."""
    highest = 0.0
    if thresholds is not None:
        sums = Sums(len(thresholds))
        find = threshold_finder(thresholds)
        for block in blocks():
            highest = max(highest, block.scores.max(initial=0))
            count_at_thresholds(sums, block, find, thresholds[0])
        return sums, thresholds, highest
    found = []
    for block in blocks():
        highest = max(highest, block.scores.max(initial=0))
        found.append(np.unique(block.scores[block.hits]).astype(np.float64))
    thresholds = np.unique(np.append(np.concatenate(found), highest or 1.0))
    thresholds = thresholds[thresholds > 0]
    sums = Sums(len(thresholds))
    for block in blocks():  # made again: held, they would be a copy of all scores
        count_at_scores(sums, block, thresholds)
    sums.accumulate()
    return sums, thresholds, highest


def _curve_of_sums(sums, thresholds, highest, average, n_samples):
    if average == "samples":
        precision = _share(sums.precision, sums.covered)
        recall = sums.recall / sums.weight
    else:
        precision = _share(sums.hit, sums.predicted)
        recall = sums.hit / sums.true
    remaining = np.maximum(sums.true - sums.hit, 0) / sums.weight
    wrong = np.maximum(sums.predicted - sums.hit, 0) / sums.weight
    distance = np.hypot(remaining, wrong)
    if highest >= thresholds[0]:  # else nothing is predicted anywhere
        distance[thresholds > highest] = np.nan
    return CafaCurve(
        thresholds=thresholds,
        precision=precision,
        recall=recall,
        f=_share(2 * precision * recall, precision + recall),
        coverage=sums.covered / sums.weight,
        remaining_uncertainty=remaining,
        misinformation=wrong,
        semantic_distance=distance,
        n_samples=n_samples,
    )


def _share(part, whole):
    """Return part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

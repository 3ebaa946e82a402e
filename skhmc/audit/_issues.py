"""find_label_issues: annotations that are there, and improbable."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skhmc._data.align import align
from skhmc._data.containers import column_names, is_frame
from skhmc._data.groups import read_groups
from skhmc._data.weights import check_sample_weight
from skhmc._utils.messages import name_list
from skhmc.audit._detector import check_aggregate, check_number
from skhmc.audit._scores import annotation_scores
from skhmc.audit._tables import doubted
from skhmc.coherence import close_upward
from skhmc.metrics import check_indicator, check_scores

__all__ = ["find_label_issues"]

N_FOLDS = 5
ROUNDED = 1e-6  # by how much sums of probabilities may be above 1


def find_label_issues(
    y: Any,
    y_proba: Any,
    hierarchy: Any = None,
    *,
    aggregate: str = "lift",
    n_issues: int = 100,
    max_score: float = 1.0,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Any:
    """Find annotations that are improbable, the least probable first.

    Every row of the table has the annotated labels above and below the improbable one.
    Whoever removes a label removes those below it, too.

    Parameters
    ----------
    y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), or list \
            of label sets
        Annotations 0 and 1; NaN is unknown, and is not judged. Labels above
        annotated ones count as annotated.
    y_proba : array-like or DataFrame of shape (n_samples, n_labels)
        Probabilities of a classifier that has not seen the samples, as
        scikit-learn's ``cross_val_predict`` returns them.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        The labels and edges. None is flat.
    aggregate : {"lift", "mean", "min", "product", "given"}, default="lift"
        Score of an annotation. "lift" compares its probability p with the frequency f
        of the label: p / (p + f), which is 0.5 if the sample says nothing of the label,
        and less if it speaks against it. "mean", "min" and "product" are those of the
        probabilities on the path from a root. "given" is the probability of the label
        if all other annotations of the sample are right, as in
        :class:`MissingAnnotationDetector`. It finds fewer wrong annotations: each makes
        the right ones beside it improbable, too.
    n_issues : int, default=100
        Largest number of rows.
    max_score : float, default=1.0
        Greatest score of a row.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of samples, or of samples and labels; columns of a DataFrame are matched
        to the labels by name. Annotations of weight 0 are not judged, and count as
        unknown.
    groups : array-like of shape (n_samples,), default=None
        Group of every sample. What annotations say about each other is learnt from
        samples of other groups.

    Returns
    -------
    DataFrame, or dict of lists where no library for tables is installed
        ``sample``, its position or its name in the index of ``y``; ``label``; with an
        ontology ``name``, what people call the term; ``score``; ``probability``; and
        tuples of labels: ``above``, ``beside`` and ``below``, the annotated labels
        above it, its annotated siblings, and the annotated labels below it.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    See Also
    --------
    MissingAnnotationDetector : Fits a classifier, and finds missing annotations, too.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.audit import find_label_issues
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y = [[1, 1, 0], [1, 0, 1], [1, 1, 1], [1, 1, 0]]  # mammal, cat, dog
    >>> y_proba = [[0.9, 0.8, 0.1], [0.9, 0.1, 0.8], [0.9, 0.8, 0.1], [0.9, 0.8, 0.1]]
    >>> table = find_label_issues(y, y_proba, animals, aggregate="min", n_issues=1)
    >>> int(table["sample"][0]), table["label"][0], table["above"][0]
    (2, 'dog', ('mammal',))
    """
    check_aggregate(aggregate)
    n_rows = check_number(n_issues, "n_issues")
    built, Y, proba = align(hierarchy, y_true=y, y_score=y_proba)
    check_indicator(Y, "y", allow_nan=True)
    proba = _probabilities(check_scores(proba, "y_proba"))
    n_samples, n_labels = Y.shape
    sample_weight = _by_name(sample_weight, built)
    weight = check_sample_weight(sample_weight, n_samples, n_labels)
    if weight is not None:
        weight = weight.reshape(n_samples, -1)
    folds = _folds(n_samples, groups)
    Y = close_upward(Y, built)
    scores = annotation_scores(proba, Y, built, folds, aggregate, weight)
    return doubted(scores, proba, Y, built, y, n_rows, max_score)


def _probabilities(proba):
    """Return probabilities, all of them from 0 to 1."""
    low, high = proba.min(initial=0.0), proba.max(initial=1.0)
    if low < -ROUNDED or high > 1 + ROUNDED:
        got = low if low < -ROUNDED else high
        raise ValueError(
            f"y_proba must hold probabilities between 0 and 1, got {got.item()!r}. "
            f"scipy.special.expit makes some of logits."
        )
    return np.clip(proba, 0, 1)


def _by_name(sample_weight, hierarchy):
    """Return weights of labels in the order of the hierarchy, where they have names."""
    if not is_frame(sample_weight):
        return sample_weight
    names = column_names(sample_weight)
    if len(names) < 2 or list(names) == list(range(len(names))):
        return sample_weight
    if set(names) != set(hierarchy.labels):
        raise ValueError(
            f"sample_weight has the columns {name_list(names)}, expected those of the "
            f"labels {name_list(hierarchy.labels)}."
        )
    read = np.asarray(sample_weight)
    return read[:, [list(names).index(label) for label in hierarchy.labels]]


def _folds(n_samples, groups):
    """Return parts of the samples, at random, with whole groups."""
    codes = np.arange(n_samples)
    if groups is not None:
        codes = read_groups(groups, n_samples).codes
    turn = np.random.RandomState(0).permutation(int(codes.max(initial=0)) + 1)
    return turn[codes] % N_FOLDS

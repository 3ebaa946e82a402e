"""MissingAnnotationDetector: annotations that are probable, but not there."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context
from sklearn.utils._param_validation import (
    HasMethods,
    InvalidParameterError,
    StrOptions,
)
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import _num_samples, check_is_fitted

from skhmc._data.groups import read_groups
from skhmc._data.versions import VersionedMixin
from skhmc._data.weights import check_sample_weight, match_weight
from skhmc._meta.base import MetaClassifierMixin
from skhmc._meta.delegation import is_frozen, read_for_inner, route_fit, with_columns
from skhmc._meta.fits import Fits
from skhmc._meta.out_of_fold import out_of_fold, split_rows
from skhmc._utils.doc_link import DocLinkMixin
from skhmc._utils.warnings import read_before
from skhmc.audit._scores import AGGREGATES, annotation_scores
from skhmc.audit._tables import doubted, suggested

__all__ = ["MissingAnnotationDetector", "check_aggregate", "check_number"]


def check_aggregate(aggregate: Any) -> None:
    """Raise unless there is such an aggregate."""
    if aggregate not in AGGREGATES:
        raise InvalidParameterError(
            f"Expected aggregate to be one of {AGGREGATES}, got {aggregate!r}."
        )


def check_number(n_rows: Any, argument: str) -> int:
    """Return the number of rows of a table, at least 1."""
    whole = isinstance(n_rows, Integral) and not isinstance(n_rows, bool)
    if not whole or n_rows < 1:
        raise InvalidParameterError(
            f"Expected {argument} to be an integer of at least 1, the number of rows "
            f"of the table, got {n_rows!r}."
        )
    return int(n_rows)


class MissingAnnotationDetector(
    VersionedMixin, DocLinkMixin, MetaEstimatorMixin, BaseEstimator
):
    r"""Finds annotations that are probably missing, and those that are probably wrong.

    Fits a classifier in cross-validation, so that every sample gets probabilities from
    a fit that has not seen it. Then it looks for labels that are probable and not
    annotated, and for annotations that are improbable. It returns tables with the most
    suspicious annotations first, for a person who decides.

    Parameters
    ----------
    estimator : estimator
        A classifier of several labels with ``predict_proba``, from this package or
        scikit-learn. It is cloned for every fold.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Label hierarchy. None uses the hierarchy of ``estimator``; if it has none,
        labels are flat.
    cv : int, splitter, iterable or None, default=5
        Number of folds of :class:`skhmc.model_selection.MultilabelStratifiedKFold`
        (None: 5), or another way to split. Samples that are in no test part get no
        score. Probabilities of samples in several test parts are averaged.
    aggregate : {"given", "lift", "mean", "min", "product"}, default="given"
        Score of a label that may be missing. "given" is the probability of the label if
        all other annotations of the sample are right, see the Notes. The others look at
        probabilities only: "mean" is their mean on the path from a root to the label,
        "min" the least and "product" the product; "lift" compares the probability with
        the label's frequency. May change after ``fit``.
    n_jobs : int, default=None
        Number of folds fitted in parallel.
    verbose : int, default=0
        Verbosity: 1 shows a bar of the folds that are fitted.

    Attributes
    ----------
    proba_ : ndarray of shape (n_samples, n_labels)
        Probabilities of samples that the classifier has not seen. NaN in rows that are
        in no test part.
    folds_ : ndarray of int of shape (n_samples,)
        Test part of every sample, the first of several, or -1.
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,)
        Names of the columns of ``proba_`` and of scores.

    Raises
    ------
    ValueError
        In ``fit``, if ``y`` has one class per sample, which says of all others that
        they are not missing, or if ``estimator`` is fitted already and frozen.

    See Also
    --------
    find_label_issues : Improbable annotations, from probabilities you have.
    closure_report : How annotations contradict the hierarchy.

    Notes
    -----
    With the annotations S of a sample, and a label l that is not in S but whose parents
    are, "given" is the probability

    .. math:: P(l \mid x, S) = \frac{P(S \cup \{l\} \mid x)}
        {P(S \mid x) + P(S \cup \{l\} \mid x)} .

    A logistic regression, one for all labels and samples, learns it from the
    annotations as they are. Its features are the classifier's probability of l, and
    that given the parents; the share of l in the samples with its parents, and its
    number; the number of annotated siblings; the number of other annotations; the
    probability that no child of l is there; and what the other annotations say about
    l: a ridge regression from the 500 most frequent labels that are neither above nor
    below l, in samples of other folds. A missing path of several labels has the product
    of their probabilities, each if the next one is there. A label has the score of the
    most probable path that ends with it or below it. An annotation that is there has
    the same probability without itself, and at least that of annotations below it.

    Both regressions are fitted once per fold, to the samples of the other folds. So no
    annotation speaks for itself.

    Annotations that are missing lower all these probabilities, in the same way for all
    samples if they are missing at random. So the order means more than the number.

    What nobody has annotated for any sample cannot be found. If a group of experts has
    left out the same labels always, the classifier learns to leave them out, too.

    For annotations that are there, :meth:`label_issues` has another default, "lift". A
    wrong annotation makes the right ones beside it improbable, too, if all others are
    taken for right.

    NaN in Y is unknown: it is not used, and nothing is suggested or doubted there.
    Labels of weight 0 count as unknown.

    References
    ----------
    Romero, Finke, Rocha and Acquaah, "Spectral evolution and hierarchical
    classification for gene function prediction", arXiv 2207.06237, 2022 (aggregated
    probabilities on paths).

    Besag, "Statistical Analysis of Non-Lattice Data", The Statistician, 1975 (the
    pseudo-likelihood, which "given" maximises).

    Examples
    --------
    >>> from skhmc import KernelHMC
    >>> from skhmc.audit import MissingAnnotationDetector
    >>> import numpy as np
    >>> from skhmc.datasets import load_digit_properties
    >>> digits = load_digit_properties()
    >>> X, Y = digits.data[:300] / 16, digits.target[:300].copy()
    >>> names = list(digits.label_names)
    >>> five = int(np.flatnonzero(Y[:, names.index("digit 5")])[1])
    >>> Y[five, names.index("digit 5")] = 0  # nobody has looked
    >>> clf = KernelHMC(digits.hierarchy, gamma=0.3, ridge=0.003)
    >>> detector = MissingAnnotationDetector(clf).fit(X, Y)
    >>> table = detector.suggestions(1)
    >>> int(table["sample"][0]) == five, table["label"][0], table["above"][0]
    (True, 'digit 5', ('odd', 'prime', 'odd prime'))
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "cv": ["cv_object"],
        "aggregate": [StrOptions(set(AGGREGATES))],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    # groups are for the splitter, and for an estimator that asks for them
    __metadata_request__fit = {"groups": UNUSED}

    get_metadata_routing = MetaClassifierMixin.get_metadata_routing

    def __init__(
        self,
        estimator: Any,
        hierarchy: Any = None,
        *,
        cv: Any = 5,
        aggregate: str = "given",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.hierarchy = hierarchy
        self.cv = cv
        self.aggregate = aggregate
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        **params: Any,
    ) -> Self:
        """Get probabilities of all samples from fits that have not seen them.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, ...)
            Samples as ``estimator`` takes them.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Annotations 0 and 1, and NaN for unknown. Missing ancestors are added, with
            a warning. Or lists of label names.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights, passed on to ``estimator`` and used by the scores. A sample or a
            label with the weight 0 is not judged.
        groups : array-like of shape (n_samples,), default=None
            Group of every sample, such as its patient or its family of proteins. With
            an int ``cv``, no group is in the training and the test part of a fold.
        **params : dict
            Parameters of ``fit`` of ``estimator``. With metadata routing, parameters
            of all objects that request them.

        Returns
        -------
        self
            The fitted detector.
        """
        if is_frozen(self.estimator):
            raise ValueError(
                f"{type(self.estimator).__name__} is fitted already and frozen, but "
                f"samples have to be judged by fits that have not seen them. Pass the "
                f"estimator itself, or probabilities of other samples to "
                f"skhmc.audit.find_label_issues."
            )
        self.__dict__.pop("proba_", None)  # unfitted, should this fail
        given = y
        X, y, targets = read_for_inner(self, X, y, fitted=False)
        if targets.classes is not None:
            raise ValueError(
                "y has one class per sample, in which no label can be missing. Pass "
                "indicators of shape (n_samples, n_labels), or a list of lists of "
                "label names."
            )
        sample_weight = match_weight(sample_weight, given, targets)
        n_samples, n_labels = targets.Y.shape
        weight = check_sample_weight(sample_weight, n_samples, n_labels)
        if weight is not None:
            weight = weight.reshape(n_samples, -1)
        if groups is not None:
            read_groups(groups, _num_samples(X))  # refuses those that are missing
        names = list(targets.hierarchy.labels)
        inner = with_columns(self.estimator, names)
        with read_before():
            routed = route_fit(self, sample_weight, params, groups)
            splits = split_rows(self.cv, X, y, routed.splitter.split)
            rows, proba = out_of_fold(
                inner,
                X,
                y,
                targets.Y,
                splits,
                params=routed.estimator.fit,
                fits=Fits(self, self.verbose),
                n_jobs=self.n_jobs,
            )
        times = np.bincount(rows, minlength=n_samples)
        total = np.zeros((n_samples, n_labels))
        np.add.at(total, rows, proba)
        total[times == 0] = np.nan
        folds = np.full(n_samples, -1)
        for fold, (_, test) in reversed(list(enumerate(splits))):
            folds[test] = fold
        self._Y = targets.Y
        self._weight = weight
        self._X_index = getattr(X, "index", None) if hasattr(X, "iloc") else None
        self._scored: tuple[str, np.ndarray] | None = None
        self.hierarchy_ = targets.hierarchy
        self.label_names_ = targets.label_names
        self.folds_ = folds
        self.proba_ = total / np.maximum(times, 1)[:, None]
        return self

    def annotation_scores(self) -> np.ndarray:
        """Return how probable every label of every sample is, annotated or not.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            Scores from 0 to 1, as ``aggregate`` says. NaN where the annotation is
            unknown, weighs nothing, or no fit has left the sample out.
        """
        check_is_fitted(self, "proba_")
        return self._scores_by(self.aggregate).copy()

    def _scores_by(self, aggregate):
        """Return the scores of an aggregate, computed once."""
        check_aggregate(aggregate)
        if self._scored is None or self._scored[0] != aggregate:
            scores = annotation_scores(
                self.proba_,
                self._Y,
                self.hierarchy_,
                self.folds_,
                aggregate,
                self._weight,
            )
            self._scored = aggregate, scores
        return self._scored[1]

    def suggestions(self, n_suggestions: int = 100, *, min_score: float = 0.0) -> Any:
        """Return paths that are probably missing, the most probable first.

        A row is the end of a path. If labels of a path have the same score, the deepest
        of them stands for all.

        Parameters
        ----------
        n_suggestions : int, default=100
            Largest number of rows.
        min_score : float, default=0.0
            Least score of a row.

        Returns
        -------
        DataFrame, or dict of lists where no library for tables is installed
            ``sample``, its position or its name in the index of X; ``label``; with an
            ontology ``name``, what people call the term; ``score``; ``probability``,
            that of the classifier; and tuples of labels: ``missing``, the label and
            those above it that are not annotated, the highest first; ``above`` and
            ``beside``, annotated labels above it and annotated siblings.
        """
        check_is_fitted(self, "proba_")
        n_rows = check_number(n_suggestions, "n_suggestions")
        return self._table(suggested, self.aggregate, n_rows, min_score)

    def label_issues(
        self, n_issues: int = 100, *, aggregate: str = "lift", max_score: float = 1.0
    ) -> Any:
        """Return annotations that are probably wrong, the least probable first.

        Parameters
        ----------
        n_issues : int, default=100
            Largest number of rows.
        aggregate : {"lift", "mean", "min", "product", "given"}, default="lift"
            Score of an annotation, as in :func:`find_label_issues`.
        max_score : float, default=1.0
            Greatest score of a row.

        Returns
        -------
        DataFrame, or dict of lists where no library for tables is installed
            As :func:`find_label_issues` returns it.
        """
        check_is_fitted(self, "proba_")
        n_rows = check_number(n_issues, "n_issues")
        return self._table(doubted, aggregate, n_rows, max_score)

    def _table(self, make, aggregate, n_rows, bound):
        scores = self._scores_by(aggregate)
        index = _Indexed(self._X_index) if self._X_index is not None else None
        given = (self.proba_, self._Y, self.hierarchy_, index)
        return make(scores, *given, n_rows, bound)


class _Indexed:
    """What is kept of a DataFrame X: the names of its rows."""

    iloc = None

    def __init__(self, index):
        self.index = index

"""HierarchicalThresholdClassifier: thresholds that are tuned, given or promised."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_method_params,
    _num_samples,
    check_is_fitted,
)

from skhmc._data.groups import read_groups
from skhmc._data.targets import Targets
from skhmc._data.weights import (
    check_finite_sum,
    check_sample_weight,
    match_weight,
    to_mean_1,
)
from skhmc._meta.base import MetaClassifierMixin
from skhmc._meta.delegation import (
    inner_has,
    is_frozen,
    metric_options,
    output_order,
    read_for_inner,
    route_fit,
    with_columns,
)
from skhmc._meta.f1_thresholds import (
    apply_thresholds,
    at_most,
    constrain,
    f1_thresholds,
    group_labels,
    search_thresholds,
)
from skhmc._meta.given_thresholds import is_tuned, read_thresholds
from skhmc._meta.multioutput import fit_as_is
from skhmc._meta.out_of_fold import out_of_fold, positive_proba, split_rows
from skhmc._meta.promises import Promise, promised_thresholds
from skhmc._scoring.answers import Answer, AnswersMixin
from skhmc._scoring.outputs import Blocks
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import read_before, warn_user
from skhmc.metrics import METRICS, metric_names

__all__ = ["HierarchicalThresholdClassifier"]


GOALS = {name: METRICS[name] for name in metric_names("tuning")}
CLOSINGS = ("up", "down")
# parameters that mean nothing after a 1-D y, and what they then have to be
UNSET = {
    "thresholds": "tuned",
    "max_labels": None,
    "min_precision": None,
    "min_recall": None,
}


@dataclass
class _Tuned:
    """Thresholds of all labels, how predictions are closed, and the score reached."""

    thresholds: np.ndarray | None = None
    closing: str | None = None
    score: float | None = None
    per_fold: np.ndarray | None = None


def _reordered(thresholds, before, after):
    """Return thresholds, if any, in the order of the labels of another hierarchy."""
    if thresholds is None:
        return None
    return thresholds[[before.position(name) for name in after.labels]]


class HierarchicalThresholdClassifier(
    AnswersMixin, MetaClassifierMixin, ClassifierMixin, BaseEstimator
):
    r"""Sets the thresholds of any multi-label classifier where a score is best.

    The threshold 0.5 is right for few scores: of rare labels hardly any probability is
    above it. Thresholds are chosen by cross-validation, one for all labels, one per
    level of the hierarchy or one per label: where a score is best, or as low as a
    precision that is asked for allows. Or they are given. Predictions are coherent with
    the hierarchy whatever the thresholds and the probabilities are.

    Parameters
    ----------
    estimator : estimator
        A classifier of several labels with ``predict_proba``: one of this package, or
        of scikit-learn. A fitted one in a FrozenEstimator is not fitted again.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        The label hierarchy. None is that of ``estimator``, or flat where it has none.
        Where both have one, that of ``estimator`` is put in the order of this one, by
        name.
    strategy : {"global", "level", "label"}, default="global"
        Labels that share a threshold: all, those of one depth, or none.
    metric : str or callable, default="hierarchical_f1"
        Score that is to be best: a name such as "hierarchical_f1", "f1_micro" (the same
        here, where all label sets hold their ancestors) or "f1_macro", or a callable
        ``metric(Y_true, Y_pred) -> float``. A callable is called for 20 thresholds of
        every group of labels, with ``hierarchy`` if it has this parameter, and takes
        its time with ``strategy="label"``.
    cv : int, splitter, iterable, "prefit" or None, default=5
        Number of folds of :class:`skhmc.model_selection.MultilabelStratifiedKFold`
        (None: 5), or how else to split. "prefit" takes ``estimator`` as it is, and all
        samples given to tune.
    shrinkage : float, default=10
        Number of positives, :math:`m` in the Notes, with which a label's own best
        threshold weighs as much as its level's.
    refit : bool, default=True
        Whether ``estimator_`` is fitted with all samples. False takes that of the only
        split of ``cv``. Without effect on "prefit".
    n_jobs : int, default=None
        Number of folds fitted at a time.
    thresholds : "tuned", float, dict or array-like, default="tuned"
        Thresholds that are given, in place of tuning: a number for all labels; a dict,
        or a Series, by name of label, where labels without have 0.5; an array with one
        per label in the order of Y's columns; or, with ``strategy="level"``, with one
        per level, the roots' first. Then nothing is split, and label sets are closed
        upward.
    max_labels : int, default=None
        Number of labels that a sample is predicted to have at most: the most probable
        ones of those above their thresholds, which hold their ancestors. May change
        after ``fit``.
    min_precision : float, default=None
        Precision that new samples are to have on average, with the ``confidence``: the
        share of right labels among those predicted, of the samples for which any are
        predicted. Thresholds are the lowest ones that promise it, for the labels of
        each group of ``strategy``; labels without such are never predicted. None tunes
        by ``metric``.
    min_recall : float, default=None
        The same for the share of a sample's true labels that are predicted, of the
        samples that have any. Thresholds are the highest ones that promise it.
    confidence : float, default=0.9
        Probability with which samples are drawn on which ``min_precision``, or
        ``min_recall``, is promised rightly, for all groups of ``strategy`` at once.

    Attributes
    ----------
    thresholds_ : ndarray of shape (n_labels,)
        Probabilities above which labels are predicted. None after a 1-D ``y``.
    thresholds_per_fold_ : ndarray of shape (n_folds, n_labels)
        Thresholds that are best in the test part of each fold alone, which tells how
        far they are to be trusted; NaN where ``metric`` has no value there. None where
        thresholds are not tuned.
    closing_ : {"up", "down"}
        Way in which predictions are made coherent. None after a 1-D ``y``.
    best_score_ : float
        The ``metric`` of the thresholds in cross-validation. None after a 1-D ``y``,
        and with ``thresholds`` that are given.
    estimator_ : estimator
        The fitted classifier.
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,)
        Names of the columns of Y and of all outputs.
    classes_ : ndarray of shape (n_labels, 2) or (n_classes,)
        ``[0, 1]`` per label; the classes of a 1-D ``y``.
    n_features_in_, feature_names_in_
        Number and names of the features, where ``estimator_`` has them.

    See Also
    --------
    sklearn.model_selection.TunedThresholdClassifierCV : For binary ``y``.
    skhmc.model_selection.MultilabelStratifiedKFold : How samples are split.

    Notes
    -----
    Probabilities are made coherent, upward (a label is as probable as the most probable
    label below it) or downward (not more probable than its parents), and compared
    with the thresholds. Then label sets are closed the same way: upward, ancestors of
    predicted labels are added; downward, labels with an ancestor missing are taken
    away. Both are tuned, and the better one is kept (``closing_``). Where probabilities
    are coherent already and there is one threshold, nothing has to be closed.

    Of all thresholds the best are found exactly by sorting once, for label sets before
    they are closed; :math:`F_1 = 2 TP / (P + T)` is maximised over many thresholds by
    Dinkelbach's method. Of equally good thresholds the one nearest to 0.5 is taken.
    With :math:`n_g` positives a group g of labels gets

    .. math:: t_g = \frac{n_g}{n_g + m} \hat t_g + \frac{m}{n_g + m} t_{parent(g)},

    where :math:`\hat t_g` is its best threshold by itself, and the next coarser group
    of a label is its level, of a level all labels.

    ``max_labels`` takes the labels with the highest probabilities, of equal ones those
    of less depth. As no label is more probable than its parents, they hold all their
    ancestors, and no other coherent part of the label set with as few labels has a
    greater sum of probabilities: so many of its labels are right on average.

    ``min_precision`` and ``min_recall`` test thresholds on a fixed grid by "learn then
    test", with p-values by the bounds of Hoeffding and Bentkus, for label sets closed
    upward: with the ``confidence``, the means over all samples that could be drawn are
    what was asked for. Samples, or with ``groups`` groups, have to be independent and
    drawn as later ones are; NaN in Y does not count, and neither do samples of weight
    0, while other weights change nothing here. The promise is for estimators that have
    not seen the samples: exact for a fitted one (``cv="prefit"``) and for one split
    with ``refit=False``; for the refitted one, which learnt from more samples than
    those of the folds, it is as good as the folds' stand for it. ``max_labels`` that
    change after ``fit`` break it. No label has a lower threshold than its parents.

    After a 1-D ``y`` (one class per sample) nothing is tuned: ``predict`` is that of
    ``estimator``, so that it is the most probable class. NaN in Y (unknown) does not
    count in tuning; whether it can be fitted is up to ``estimator``.

    References
    ----------
    Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: Calibrating
    Predictive Algorithms to Achieve Risk Control", Annals of Applied Statistics, 2025,
    arXiv 2110.01052.

    Bates, Angelopoulos, Lei, Malik and Jordan, "Distribution-Free, Risk-Controlling
    Prediction Sets", Journal of the ACM, 2021.

    Dinkelbach, "On Nonlinear Fractional Programming", Management Science, 1967.

    Lipton, Elkan and Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize F1
    Measure", ECML PKDD 2014.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skhmc import HierarchicalThresholdClassifier
    >>> from skhmc.datasets import make_hidden_hierarchy
    >>> data = make_hidden_hierarchy(400, random_state=0)
    >>> forest = RandomForestClassifier(min_samples_leaf=5, random_state=0)
    >>> clf = HierarchicalThresholdClassifier(forest, hierarchy=data.hierarchy)
    >>> clf = clf.fit(data.data, data.target)
    >>> bool((clf.thresholds_ < 0.5).all())
    True
    >>> sure = HierarchicalThresholdClassifier(
    ...     forest, hierarchy=data.hierarchy, min_precision=0.9
    ... ).fit(data.data, data.target)
    >>> float(sure.thresholds_[0])  # lower ones would be wrong too often
    0.15
    >>> sure.max_labels = 3
    >>> int(sure.predict(data.data).sum(axis=1).max())
    3
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "strategy": [StrOptions({"global", "level", "label"})],
        "metric": [StrOptions(set(GOALS)), callable],
        "cv": ["cv_object", StrOptions({"prefit"})],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "thresholds": [StrOptions({"tuned"}), Real, Mapping, "array-like"],
        "max_labels": [Interval(Integral, 1, None, closed="left"), None],
        "min_precision": [Interval(Real, 0, 1, closed="neither"), None],
        "min_recall": [Interval(Real, 0, 1, closed="neither"), None],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
    }

    # groups are for the splitter, and for an estimator that asks for them
    __metadata_request__fit = {"groups": UNUSED}

    def __init__(
        self,
        estimator: Any,
        hierarchy: Any = None,
        *,
        strategy: str = "global",
        metric: str | Callable[..., Any] = "hierarchical_f1",
        cv: Any = 5,
        shrinkage: float | str = 10,
        refit: bool = True,
        n_jobs: int | None = None,
        thresholds: Any = "tuned",
        max_labels: int | None = None,
        min_precision: float | None = None,
        min_recall: float | None = None,
        confidence: float = 0.9,
    ) -> None:
        self.estimator = estimator
        self.hierarchy = hierarchy
        self.strategy = strategy
        self.metric = metric
        self.cv = cv
        self.shrinkage = shrinkage
        self.refit = refit
        self.n_jobs = n_jobs
        self.thresholds = thresholds
        self.max_labels = max_labels
        self.min_precision = min_precision
        self.min_recall = min_recall
        self.confidence = confidence

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        **params: Any,
    ) -> Self:
        """Tune the thresholds and fit the estimator.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, ...)
            Samples as ``estimator`` takes them.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; closed upward here by ``hierarchy``,
            with a warning. Or lists of label names, or a column of names per level; or
            classes (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights, handed to ``estimator``. In tuning with a built-in metric samples
            weigh as much, too: a weight of 2 is as the sample twice.
        groups : array-like of shape (n_samples,), default=None
            Group of every sample, such as its patient. An int ``cv`` then keeps groups
            together, by :class:`MultilabelStratifiedGroupKFold`; other splitters get
            them, and so does an ``estimator`` that takes them. With metadata routing,
            those who ask for them.
        **params : dict
            Parameters of ``fit`` of ``estimator``; with metadata routing, of those who
            ask for them.

        Returns
        -------
        self
            The fitted classifier.
        """
        self.__dict__.pop("classes_", None)  # unfitted, should this fail
        self._check_together()
        fitted = self._is_prefit() or is_frozen(self.estimator)
        given = y
        X, y, targets = read_for_inner(self, X, y, fitted=fitted)
        sample_weight = match_weight(sample_weight, given, targets)
        with read_before():
            routed = route_fit(self, sample_weight, params, groups)
            units = self._units(groups, targets)
            return self._fit_read(X, y, targets, sample_weight, units, routed, fitted)

    def _fit_read(self, X, y, targets, sample_weight, units, routed, fitted):
        """Tune the thresholds and fit the estimator to labels that were read."""
        params = routed.estimator.fit
        given = self._read_given(targets)
        splits = None
        if given is None:
            splits = self._split(X, y, targets, routed.splitter.split)
        inner = self._with_columns(y, targets)
        self.estimator_, unseen = self._fit_estimator(inner, X, y, splits, params)
        tuned = _Tuned()  # after a 1-D y, nothing is
        if targets.classes is None:
            if fitted:
                before = targets.hierarchy
                targets = self._in_order_of_outputs(y, targets)
                given = _reordered(given, before, targets.hierarchy)
            self._warn_without_levels(targets.hierarchy)
            if given is not None:
                tuned = _Tuned(given, CLOSINGS[0])
            elif unseen is None:
                rows, proba = out_of_fold(
                    inner, X, y, targets.Y, splits, params=params, n_jobs=self.n_jobs
                )
                sizes = [len(test) for _, test in splits]
                tuned = self._tune(rows, proba, targets, sample_weight, units, sizes)
            else:
                proba = self._proba_of_rows(X, unseen, targets.hierarchy.n_labels)
                tuned = self._tune(unseen, proba, targets, sample_weight, units)
        self.thresholds_ = tuned.thresholds
        self.thresholds_per_fold_ = tuned.per_fold
        self.closing_ = tuned.closing
        self.best_score_ = tuned.score
        self.hierarchy_ = targets.hierarchy
        self.label_names_ = targets.label_names
        self.classes_ = targets.output_classes
        return self

    # -- what was asked for ------------------------------------------------------------

    @property
    def _promise(self):
        """What is promised, None where thresholds are tuned or given."""
        for goal, least in (
            ("precision", self.min_precision),
            ("recall", self.min_recall),
        ):
            if least is not None:
                return Promise(goal, float(least), float(self.confidence))
        return None

    def _check_together(self):
        """Raise where parameters contradict each other."""
        if self.min_precision is not None and self.min_recall is not None:
            raise ValueError(
                f"Got min_precision={self.min_precision!r} and min_recall="
                f"{self.min_recall!r}, but thresholds can keep one promise. Set the "
                f"other one None."
            )
        promise = self._promise
        if promise is None:
            return
        asked = f"min_{promise.goal}={promise.at_least!r}"
        if not is_tuned(self.thresholds):
            raise ValueError(
                f"{asked} finds thresholds, but thresholds={self.thresholds!r} gives "
                f"them. Leave one of the two out."
            )
        if self.max_labels is not None and promise.goal == "recall":
            raise ValueError(
                f"{asked} promises what label sets hold, and max_labels="
                f"{self.max_labels!r} cuts them. Leave one of the two out."
            )
        if self.max_labels is not None and self.strategy != "global":
            raise ValueError(
                f"{asked} with max_labels={self.max_labels!r} is for one threshold of "
                f"all labels, got strategy={self.strategy!r}. Set strategy='global', "
                f"or max_labels=None."
            )

    def _refuse_after_classes(self):
        """Raise where a 1-D y leaves nothing to do for what was asked for."""
        for name, unset in UNSET.items():
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value == unset):
                raise ValueError(
                    f"{name}={value!r} is for several labels per sample, but y has one "
                    f"class per sample. Pass 2-D Y; to stop above a class, "
                    f"CoherentClassifier and the networks have a threshold."
                )

    def _read_given(self, targets):
        """Return the thresholds that were given (n_labels,), or None."""
        if targets.classes is not None:
            self._refuse_after_classes()
            return None
        if is_tuned(self.thresholds):
            return None
        return read_thresholds(self.thresholds, targets.hierarchy, self.strategy)

    def _units(self, groups, targets):
        """Return the numbers of samples, or of groups: what is independent."""
        n_samples = targets.Y.shape[0]
        if groups is None:
            return np.arange(n_samples)
        return read_groups(groups, n_samples).codes

    def _warn_without_levels(self, hierarchy):
        missing = self.hierarchy is None and not len(hierarchy.edges)
        if self.strategy == "level" and missing:
            name = type(self.estimator).__name__
            warn_user(
                f"strategy='level' without levels: no hierarchy was given, and {name} "
                f"has none, so that all labels share a threshold. Pass hierarchy=..."
            )

    def _is_prefit(self):
        return isinstance(self.cv, str)

    def _split(self, X, y, targets, params):
        """Return the rows of training and test parts, or None."""
        if self._is_prefit() or targets.classes is not None:
            return None
        Y = y if hasattr(y, "columns") else targets.Y  # with names, where it has
        return split_rows(self.cv, X, Y, params)

    def _with_columns(self, y, targets):
        """Return the estimator, which knows the columns of y by name or by order."""
        named = targets.classes is not None or hasattr(y, "columns")
        if self._is_prefit() or named:
            return self.estimator
        return with_columns(self.estimator, targets.hierarchy.labels)

    def _fit_estimator(self, inner, X, y, splits, params):
        """Return the fitted estimator, and the rows to tune on if it has not seen them.

        That is None where thresholds are tuned on other estimators, out of fold.
        """
        if self._is_prefit():
            check_is_fitted(inner)
            return inner, slice(None)
        if self.refit or splits is None:
            return fit_as_is(inner, X, y, params), None
        if len(splits) > 1:
            raise ValueError(
                f"refit=False keeps the estimator of the only split, but "
                f"cv={self.cv!r} has {len(splits)}. Use refit=True, or one split: "
                f"MultilabelStratifiedShuffleSplit(1)."
            )
        train, test = splits[0]
        params = _check_method_params(X, params, train)
        X_train = _safe_indexing(X, train)
        y_train = _safe_indexing(y, train)
        return fit_as_is(inner, X_train, y_train, params), test

    def _in_order_of_outputs(self, y, targets):
        """Return the labels in the order in which ``estimator_`` predicts them."""
        hierarchy = targets.hierarchy
        order = output_order(self.estimator_, hierarchy, hasattr(y, "columns"))
        names = [hierarchy.labels[k] for k in order]
        return Targets(targets.Y[:, order], hierarchy.subset(names))

    def _proba_of_rows(self, X, rows, n_labels):
        """Return the probabilities by ``estimator_``; rows may be a slice of all."""
        if not isinstance(rows, slice):  # which X need not support
            X = _safe_indexing(X, rows)
        return positive_proba(self.estimator_, X, n_labels)

    # -- tuning ------------------------------------------------------------------------

    def _tune(self, rows, proba, targets, sample_weight, units, sizes=None):
        """Return the best thresholds, closing label sets in the better way.

        ``sizes`` are those of the folds that the rows come from, in turn.
        """
        hierarchy = targets.hierarchy
        Y = targets.Y[rows]
        if sp.issparse(Y):
            Y = Y.toarray()
        if not np.isnan(Y).any():  # of which any metric may be asked
            Y = Y.astype(int)
        weight = None
        if sample_weight is not None:
            given = check_sample_weight(sample_weight, *targets.Y.shape)
            check_finite_sum(given)
            weight = to_mean_1(given).reshape(targets.Y.shape[0], -1)
            # that has a mean of 1, but here the scale counts: 2 is the sample twice
            weight = np.mean(given) * weight.mean(axis=1)[rows]
        if self._promise is not None:
            return self._keep_promise(proba, Y, hierarchy, weight, units[rows])
        # without an edge both ways to close are the same
        closings = CLOSINGS if len(hierarchy.edges) else CLOSINGS[:1]
        found = [
            self._tune_closing(closing, proba, Y, hierarchy, weight)
            for closing in closings
        ]
        best = max(found, key=lambda tuned: tuned.score)  # of equal ones the first
        if sizes is None:
            best.per_fold = best.thresholds[None, :]
        else:
            given = best.closing, proba, Y, hierarchy, weight
            best.per_fold = self._tune_folds(*given, sizes)
        return best

    def _tune_folds(self, closing, proba, Y, hierarchy, weight, sizes):
        """Return the thresholds (n_folds, n_labels) that are best in every fold alone.

        NaN where a metric has no value there.
        """
        found = np.full((len(sizes), hierarchy.n_labels), np.nan)
        stop = np.cumsum(sizes)
        for fold, (first, last) in enumerate(zip(stop - sizes, stop, strict=True)):
            rows = slice(first, last)
            of_rows = None if weight is None else weight[rows]
            given = closing, proba[rows], Y[rows], hierarchy, of_rows
            with warnings.catch_warnings(), contextlib.suppress(ValueError):
                warnings.simplefilter("ignore")  # of labels that the fold does not have
                found[fold] = self._tune_closing(*given).thresholds
        return found

    def _keep_promise(self, proba, Y, hierarchy, weight, units):
        """Return the thresholds that keep what is promised, for sets closed upward."""
        scores = constrain(proba, hierarchy, CLOSINGS[0])
        codes = group_labels(hierarchy, self.strategy)
        rows = slice(None) if weight is None else np.flatnonzero(weight > 0)
        counted = scores[rows]

        def predict(threshold):
            return at_most(counted > threshold, counted, self.max_labels, hierarchy)

        given = predict, Y[rows], codes, hierarchy, self._promise, units[rows]
        found, kept = promised_thresholds(*given)
        self._warn_of_broken_promises(kept[codes], hierarchy)
        thresholds = found[codes]
        predicted = self._sets(scores, thresholds, hierarchy, CLOSINGS[0])
        score = self._measure(Y, predicted.astype(int), hierarchy, weight)
        return _Tuned(thresholds, CLOSINGS[0], score)

    def _warn_of_broken_promises(self, kept, hierarchy):
        """Warn of labels of which too little is known to promise anything."""
        if kept.all():
            return
        promise = self._promise
        done = "never" if promise.goal == "precision" else "always"
        broken = [hierarchy.labels[k] for k in np.flatnonzero(~kept)]
        warn_user(
            f"No threshold has a {promise.goal} of {promise.at_least} with a "
            f"confidence of {promise.confidence} for {len(broken)} of {len(kept)} "
            f"labels ({name_list(broken)}): they are {done} predicted. More samples, a "
            f"lower min_{promise.goal} or confidence, or a coarser strategy than "
            f"{self.strategy!r} may help."
        )

    def _sets(self, scores, thresholds, hierarchy, closing):
        """Return coherent label sets, of max_labels at most."""
        above = apply_thresholds(scores, thresholds, hierarchy, closing)
        return at_most(above, scores, self.max_labels, hierarchy)

    def _tune_closing(self, closing, proba, Y, hierarchy, weight):
        """Return the best thresholds where label sets are closed in one way."""
        scores = constrain(proba, hierarchy, closing)

        def measure(thresholds):
            predicted = self._sets(scores, thresholds, hierarchy, closing)
            return self._measure(Y, predicted.astype(int), hierarchy, weight)

        options = {"strategy": self.strategy, "shrinkage": self.shrinkage}
        average = None
        if not callable(self.metric):
            average = GOALS[self.metric].f1_average
        if average is None:
            thresholds = search_thresholds(measure, scores, Y, hierarchy, **options)
        else:  # of F1 the best thresholds are found exactly
            thresholds = f1_thresholds(
                scores, Y, hierarchy, average=average, weight=weight, **options
            )
        return _Tuned(thresholds, closing, measure(thresholds))

    def _measure(self, Y, predicted, hierarchy, weight):
        if not callable(self.metric):
            return GOALS[self.metric].measure(Y, predicted, hierarchy, weight)
        value = self.metric(Y, predicted, **metric_options(self.metric, hierarchy))
        if not isinstance(value, Real) or not np.isfinite(value):
            raise ValueError(
                f"Expected metric(Y_true, Y_pred) to return a finite number, got "
                f"{value!r}. Such a value as zero_division=0 helps where labels or "
                f"samples have nothing to score."
            )
        return float(value)

    def predict(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return predicted indicators (n_samples, n_labels), int, coherent.

        After a 1-D ``y`` classes (n_samples,).
        """
        check_is_fitted(self, "classes_")
        if self.thresholds_ is None:
            self._refuse_after_classes()
            return self.estimator_.predict(X)
        return self._above(self.predict_proba(X)).astype(int)

    def _above(self, proba):
        """Return which labels are above their thresholds, as coherent sets."""
        self._validate_params()  # max_labels may change after fit
        scores = constrain(proba, self.hierarchy_, self.closing_)
        return self._sets(scores, self.thresholds_, self.hierarchy_, self.closing_)

    def _proba_blocks(self, X):
        proba = self.predict_proba(X)
        return Blocks([proba], len(proba))

    def _answer_blocks(self, X):
        check_is_fitted(self, "classes_")
        if self._one_class:
            answer = self._answer_of_names(X)
        else:
            proba = self.predict_proba(X)
            answer = Answer(lambda: self._above(proba), lambda: proba)
        return Blocks([answer], _num_samples(X))

    def _answer_of_names(self, X):
        """Return the Answer of ``estimator_``, which may stop above the classes."""
        labels = self._class_labels()

        def chosen():
            predicted = self.estimator_.predict(X)
            positions = [self.hierarchy_.position(label) for label in predicted]
            return labels.sets(np.array(positions, dtype=np.intp))

        return Answer(chosen, lambda: labels.proba(self.predict_proba(X)))

    def predict_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Return the estimator's label probabilities (n_samples, n_labels).

        After a 1-D ``y`` those of ``classes_``.
        """
        check_is_fitted(self, "classes_")
        if self.thresholds_ is None:
            return self.estimator_.predict_proba(X)
        return positive_proba(self.estimator_, X, len(self.label_names_))

    @available_if(inner_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Return that of the estimator, which knows nothing of the thresholds."""
        check_is_fitted(self, "classes_")
        return self.estimator_.decision_function(X)

    @available_if(inner_has("raw_decision_function"))
    def raw_decision_function(self, X: Any) -> np.ndarray:
        """Return that of the estimator, before its coherence step."""
        check_is_fitted(self, "classes_")
        return self.estimator_.raw_decision_function(X)

    @available_if(inner_has("predict_raw"))
    def predict_raw(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return that of the estimator, with its own threshold, before coherence."""
        check_is_fitted(self, "classes_")
        return self.estimator_.predict_raw(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.target_tags.multi_output = inner.target_tags.multi_output
        return tags

"""HierarchicalThresholdClassifier: thresholds that are tuned, given or promised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.frozen import FrozenEstimator
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
from skhmc._data.parent_counts import parent_counts
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
    output_order,
    read_for_inner,
    refuse_other_labels,
    refuse_params,
    route_fit,
    with_columns,
)
from skhmc._meta.f1_thresholds import constrain
from skhmc._meta.fits import Fits
from skhmc._meta.given_thresholds import is_tuned, read_thresholds
from skhmc._meta.label_sets import LabelSets, of_units, seen_sets
from skhmc._meta.multioutput import fit_as_is
from skhmc._meta.out_of_fold import out_of_fold, positive_proba, split_rows
from skhmc._meta.promises import Promise
from skhmc._meta.tuning import CLOSINGS, GOALS, TOP_DOWN, Tuned, Tuner, Unseen
from skhmc._scoring.answers import Answer, AnswersMixin
from skhmc._scoring.outputs import Blocks, format_proba
from skhmc._utils.warnings import each_kind_once, read_before, warn_user

__all__ = ["HierarchicalThresholdClassifier"]


# parameters that mean nothing after a 1-D y, and what they then have to be
UNSET = {
    "thresholds": "tuned",
    "max_labels": None,
    "min_precision": None,
    "min_recall": None,
}


def _reordered(thresholds, before, after):
    """Return thresholds, if any, in the order of the labels of another hierarchy."""
    if thresholds is None:
        return None
    return thresholds[[before.position(name) for name in after.labels]]


def _read_weight(sample_weight, n_samples, n_labels):
    """Return the weights of samples, and which cells weigh nothing.

    Of a weight per label the weight of a sample is the mean of those above 0. The scale
    counts: 2 is the sample twice.

    Returns
    -------
    weight : ndarray of shape (n_samples,) or None
    weightless : ndarray of shape (n_samples, n_labels), bool, or None
        None where labels do not weigh differently.
    """
    if sample_weight is None:
        return None, None
    given = check_sample_weight(sample_weight, n_samples, n_labels)
    check_finite_sum(given)
    scaled = to_mean_1(given).reshape(n_samples, -1)
    n_counted = np.count_nonzero(scaled, axis=1)
    weight = np.mean(given) * (scaled.sum(axis=1) / np.maximum(n_counted, 1))
    return weight, (given == 0 if given.ndim == 2 else None)


class HierarchicalThresholdClassifier(
    AnswersMixin, MetaClassifierMixin, ClassifierMixin, BaseEstimator
):
    r"""Tunes the thresholds of any multi-label classifier for the best score.

    The threshold 0.5 is best for few scores: for rare labels hardly any probability is
    above it. This classifier chooses thresholds by cross-validation: one for all
    labels, one per level of the hierarchy, or one per label. It takes the thresholds
    with the best score, or the lowest ones that keep a required precision. You can also
    give thresholds. Predictions are coherent with the hierarchy for all thresholds and
    probabilities. Two strategies do without thresholds of probabilities: "set" predicts
    the most probable label set of those seen in training, which is right as a whole
    more often; "top_down" goes down from the roots.

    Parameters
    ----------
    estimator : estimator
        A classifier of several labels with ``predict_proba``, from this package or
        scikit-learn. A fitted one in a FrozenEstimator is not fitted again. One of
        scikit-learn does not know the names of labels: give the columns in the order of
        its ``fit``.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Label hierarchy. None uses the hierarchy of ``estimator``; if it has none,
        labels are flat. If both have one, that of ``estimator`` is put in the order of
        this one, by name.
    strategy : {"global", "level", "label", "top_down", "set"}, default="global"
        Groups of labels that share a threshold: all labels ("global"), those of one
        depth ("level"), or each label by itself ("label"). "top_down" has one threshold
        for all labels, of the probability of a label if its parents are there. "set"
        predicts the most probable label set of those that training samples have. It
        needs no threshold, and ``estimator`` is fitted once.
    metric : str or callable, default="hierarchical_f1"
        Score that is maximised: a name such as "hierarchical_f1", "f1_micro" (the same
        here, because all label sets have their ancestors), "f1_macro" or "exact_match";
        or a callable ``metric(Y_true, Y_pred) -> float``. A callable is called for 20
        thresholds of every group of labels, with ``hierarchy`` if it has this
        parameter. It is slow with ``strategy="label"``.
    cv : int, splitter, iterable, "prefit" or None, default=5
        Number of folds of :class:`skhmc.model_selection.MultilabelStratifiedKFold`
        (None: 5), or another way to split. "prefit" uses ``estimator`` without fitting
        it, and tunes on all given samples.
    shrinkage : float, default=10
        Number of positives, :math:`m` in the Notes, at which a label's own best
        threshold has the same weight as that of its level.
    refit : bool, default=True
        Whether ``estimator_`` is fitted with all samples. False takes the estimator of
        the only split of ``cv``. No effect with "prefit".
    n_jobs : int, default=None
        Number of folds fitted in parallel.
    verbose : int, default=0
        Verbosity: 1 shows a bar of the folds that are fitted, and of the thresholds
        that are tuned.
    thresholds : "tuned", float, dict or array-like, default="tuned"
        Thresholds to use instead of tuning. A number is for all labels. A dict or a
        Series has thresholds by name of label; labels without one get 0.5. An array has
        one per label in the order of Y's columns or, with ``strategy="level"``, one per
        level, from the roots. With given thresholds nothing is split, and label sets
        are closed upward (not with "top_down"). Not for ``strategy="set"``.
    max_labels : int, default=None
        Largest number of labels that are predicted for a sample. They are the most
        probable ones above their thresholds, and include their ancestors. With
        ``strategy="set"``, larger sets are left out; if none is left, nothing is
        predicted. May change after ``fit``.
    min_precision : float, default=None
        Mean precision that is promised for new samples, with the ``confidence``. The
        precision of a sample is the share of right labels among its predicted ones;
        samples without predictions do not count. Thresholds are the lowest ones that
        keep the promise, for the labels of each group of ``strategy``. Labels without
        such a threshold are never predicted. None tunes by ``metric``.
    min_recall : float, default=None
        Mean recall that is promised for new samples, with the ``confidence``. The
        recall of a sample is the share of its true labels that are predicted; samples
        without true labels do not count. Thresholds are the highest ones that keep the
        promise.
    confidence : float, default=0.9
        Probability that the promise of ``min_precision`` or ``min_recall`` is true, for
        all groups of ``strategy`` together, over random draws of the samples.
    dependence : float or "tuned", default=0.5
        Weight, between 0 and 1, of the dependence of labels in training samples: that
        some come together or exclude each other. Used by ``strategy="set"``. With 0 a
        set is as probable as independent decisions about its labels make it. With 1
        the weight is right for samples of which nothing is known. "tuned" takes the
        best of five values by ``metric``, with ``cv``.
    proba_format : {"array", "list"}, default="array"
        Form of the output of ``predict_proba``. "list" is the form of
        MultiOutputClassifier.

    Attributes
    ----------
    thresholds_ : ndarray of shape (n_labels,)
        Probabilities above which labels are predicted; with "top_down", probabilities
        of labels if their parents are there. NaN with "set". None after a 1-D ``y``.
    thresholds_per_fold_ : ndarray of shape (n_folds, n_labels)
        Thresholds that are best in the test part of each fold alone. Their spread shows
        how reliable they are. NaN if ``metric`` has no value there. None if thresholds
        are not tuned.
    closing_ : {"up", "down", "top_down"}
        Way in which predictions are made coherent. None after a 1-D ``y``.
    best_score_ : float
        Value of ``metric`` for the thresholds in cross-validation. None after a 1-D
        ``y``, with given ``thresholds``, and if ``strategy="set"`` tunes nothing.
    label_sets_ : csr_matrix of shape (n_sets, n_labels)
        Label sets that can be predicted with ``strategy="set"``, the most frequent
        first. None with other strategies.
    label_set_weights_ : ndarray of shape (n_sets,)
        Numbers of the training samples with these sets, or their weight.
    dependence_ : float
        The value of ``dependence`` that is used with ``strategy="set"``.
    estimator_ : estimator
        The fitted classifier.
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,)
        Names of the columns of Y and of all outputs.
    label_counts_ : ndarray of shape (n_labels, 2)
        Training samples that have a label, and that have all its parents: what
        scorers weigh labels by.
    classes_ : ndarray of shape (n_labels, 2) or (n_classes,)
        ``[0, 1]`` per label. After a 1-D ``y``, its classes.
    n_features_in_, feature_names_in_
        Number and names of the features, if ``estimator_`` has them.

    See Also
    --------
    sklearn.model_selection.TunedThresholdClassifierCV : For binary ``y``.
    skhmc.model_selection.MultilabelStratifiedKFold : How samples are split.

    Notes
    -----
    Probabilities are first made coherent, in one of two ways. Upward: a label becomes
    as probable as the most probable label below it. Downward: a label becomes no more
    probable than its parents. Then they are compared with the thresholds. After this,
    label sets are made coherent in the same way. Upward adds the ancestors of predicted
    labels. Downward removes labels with a missing ancestor. Both ways are tuned, and
    the better one is kept (``closing_``). If probabilities are coherent already and
    there is one threshold, label sets do not change.

    The best threshold is found exactly by one sorting of the probabilities, for label
    sets that are not yet coherent. With many thresholds, Dinkelbach's method maximises
    :math:`F_1 = 2 TP / (P + T)`. Of equally good thresholds, the one nearest to 0.5 is
    taken. With :math:`n_g` positives, a group g of labels gets

    .. math:: t_g = \frac{n_g}{n_g + m} \hat t_g + \frac{m}{n_g + m} t_{parent(g)},

    where :math:`\hat t_g` is its own best threshold. The parent group of a label is its
    level. The parent group of a level is all labels.

    ``max_labels`` takes the labels with the highest probabilities. Of equal ones it
    takes those of less depth. No label is more probable than its parents, so the result
    has all ancestors. No other coherent part of the label set with as few labels has a
    greater sum of probabilities. This sum is the mean number of right labels.

    ``min_precision`` and ``min_recall`` test thresholds on a fixed grid by "learn then
    test", with p-values from the bounds of Hoeffding and Bentkus, for label sets closed
    upward. The promise: with the ``confidence``, the mean over all samples that could
    be drawn is at least the value asked for. Samples must
    be independent, and drawn in the same way as later ones. With ``groups``, the groups
    must be, and the mean is over groups: each counts once, with the mean of its
    samples. NaN in Y, and samples and
    labels of weight 0, do not count. Other weights change nothing here.

    The promise is for estimators that have not seen the samples. It is exact for a
    fitted one (``cv="prefit"``), and for one split with ``refit=False``. A refitted
    estimator has learnt from more samples than those of the folds; for it, the promise
    is only as good as the folds represent it. The promise does not hold if
    ``max_labels`` changes after ``fit``. No label has a lower threshold than its
    parents.

    ``strategy="set"`` and ``"top_down"`` decide about labels from the roots down. The
    probability of a label, if all its parents are there, is :math:`q_l = p_l / \min_a
    p_a` over its parents a, and :math:`p_l` for a root. "top_down" predicts a label
    with all its parents if :math:`q_l` is above the threshold. The best one of 19 is
    taken. A label set S, with the labels D(S) whose parents are all in S, has the
    probability

    .. math:: P(S) = \prod_{l \in S} q_l \prod_{l \in D(S) \setminus S} (1 - q_l).

    These probabilities sum to 1 over all sets that hold their ancestors. On a tree,
    those of the sets with a label sum to its probability. A label with several parents
    has less, because all of them are there less often than the rarest one. With the
    share :math:`f_S` of training samples that have the set, and the probability
    :math:`P_0(S)` that it has by the frequencies of labels alone, "set" predicts the S
    with the greatest

    .. math:: \log P(S) + \delta \log \frac{f_S}{P_0(S)},

    where :math:`\delta` is ``dependence``. Of equal sets it takes the most frequent
    one, then the smallest one. The sets are those of samples without NaN in Y (after
    closing) and without weights of 0. Conditional probabilities are kept between
    :math:`10^{-6}` and :math:`1 - 10^{-6}`. If ``dependence`` is tuned, what a sample
    and its group add to :math:`f_S` is left out of its own prediction.

    After a 1-D ``y`` (one class per sample) nothing is tuned. ``predict`` is that of
    ``estimator``, the most probable class. NaN in Y (unknown) does not count in tuning.
    Whether ``estimator`` can be fitted with NaN depends on it.

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
    >>> forest = RandomForestClassifier(20, min_samples_leaf=5, random_state=0)
    >>> clf = HierarchicalThresholdClassifier(forest, hierarchy=data.hierarchy)
    >>> clf = clf.fit(data.data, data.target)
    >>> bool((clf.thresholds_ < 0.5).all())
    True
    >>> sure = HierarchicalThresholdClassifier(
    ...     forest, hierarchy=data.hierarchy, min_precision=0.9
    ... ).fit(data.data, data.target)
    >>> float(sure.thresholds_[0])  # lower ones would be wrong too often
    0.16
    >>> sure.max_labels = 3
    >>> int(sure.predict(data.data).sum(axis=1).max())
    3

    Label sets that are right as a whole, on other samples:

    >>> data = make_hidden_hierarchy(400, cluster_std=1.0, random_state=0)
    >>> train, test = slice(250), slice(250, None)
    >>> for options in ({"thresholds": 0.5}, {"strategy": "set"}):
    ...     clf = HierarchicalThresholdClassifier(forest, data.hierarchy, **options)
    ...     clf = clf.fit(data.data[train], data.target[train])
    ...     print(round(clf.score(data.data[test], data.target[test]), 2))
    0.03
    0.19
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "strategy": [StrOptions({"global", "level", "label", TOP_DOWN, "set"})],
        "metric": [StrOptions(set(GOALS)), callable],
        "cv": ["cv_object", StrOptions({"prefit"})],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "thresholds": [StrOptions({"tuned"}), Real, Mapping, "array-like"],
        "max_labels": [Interval(Integral, 1, None, closed="left"), None],
        "min_precision": [Interval(Real, 0, 1, closed="neither"), None],
        "min_recall": [Interval(Real, 0, 1, closed="neither"), None],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "dependence": [Interval(Real, 0, 1, closed="both"), StrOptions({"tuned"})],
        "proba_format": [StrOptions({"array", "list"})],
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
        verbose: int = 0,
        thresholds: Any = "tuned",
        max_labels: int | None = None,
        min_precision: float | None = None,
        min_recall: float | None = None,
        confidence: float = 0.9,
        dependence: float | str = 0.5,
        proba_format: str = "array",
    ) -> None:
        self.estimator = estimator
        self.hierarchy = hierarchy
        self.strategy = strategy
        self.metric = metric
        self.cv = cv
        self.shrinkage = shrinkage
        self.refit = refit
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.thresholds = thresholds
        self.max_labels = max_labels
        self.min_precision = min_precision
        self.min_recall = min_recall
        self.confidence = confidence
        self.dependence = dependence
        self.proba_format = proba_format

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
            Indicators 0 and 1, and NaN for unknown. Missing ancestors in ``hierarchy``
            are added, with a warning. Or lists of label names; or one column of names
            per level; or classes (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights, passed on to ``estimator``. A built-in metric uses them in tuning,
            too: a weight of 2 has the effect of two such samples. Of a weight per
            label, it takes the mean of those above 0 in each sample. A label with the
            weight 0 counts as unknown there.
        groups : array-like of shape (n_samples,), default=None
            Group of every sample, such as its patient. An int ``cv`` then uses
            :class:`skhmc.model_selection.MultilabelStratifiedGroupKFold`, which keeps
            groups together. Other splitters get the groups, and so does an
            ``estimator`` that takes them. With metadata routing, only objects that
            request groups get them.
        **params : dict
            Parameters of ``fit`` of ``estimator``. With metadata routing, parameters
            of all objects that request them.

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
        if self._is_prefit() or isinstance(self.estimator, FrozenEstimator):
            refuse_params(self.estimator, params)
        with read_before(), each_kind_once():
            routed = route_fit(self, sample_weight, params, groups)
            units = self._units(groups, targets)
            return self._fit_read(X, y, targets, sample_weight, units, routed, fitted)

    def _fit_read(self, X, y, targets, sample_weight, units, routed, fitted):
        """Tune the thresholds and fit the estimator to labels that were read."""
        params = routed.estimator.fit
        given = self._read_given(targets)
        splits = None
        if given is None and self._searches:
            splits = self._split(X, y, targets, routed.splitter.split)
        inner = self._with_columns(y, targets)
        self.estimator_, unseen = self._fit_estimator(inner, X, y, splits, params)
        tuned = Tuned()  # after a 1-D y, nothing is
        if targets.classes is None:
            if fitted:
                refuse_other_labels(self.estimator_, targets.hierarchy)
                before = targets.hierarchy
                targets, sample_weight = self._in_order_of_outputs(
                    y, targets, sample_weight
                )
                given = _reordered(given, before, targets.hierarchy)
            self._warn_without_levels(targets.hierarchy)
            if given is not None:
                closing = TOP_DOWN if self.strategy == TOP_DOWN else CLOSINGS[0]
                tuned = Tuned(given, closing)
            elif not self._searches:
                sets, _ = self._seen(targets, sample_weight)
                tuned = Tuned.of_sets(sets, float(self.dependence))
            elif unseen is None:
                rows, proba = out_of_fold(
                    inner,
                    X,
                    y,
                    targets.Y,
                    splits,
                    params=params,
                    fits=self._fits,
                    n_jobs=self.n_jobs,
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
        self.label_sets_ = tuned.sets.sets if tuned.sets else None
        self.label_set_weights_ = tuned.sets.weight if tuned.sets else None
        self.dependence_ = tuned.dependence
        self.hierarchy_ = targets.hierarchy
        self.label_names_ = targets.label_names
        self.label_counts_ = parent_counts(targets.Y, targets.hierarchy)
        self.classes_ = targets.output_classes
        return self

    # -- what was asked for ------------------------------------------------------------

    @property
    def _searches(self):
        """Whether something is to be found on samples that were not seen."""
        return self.strategy != "set" or self.dependence == "tuned"

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
        if self.strategy == "set" and not is_tuned(self.thresholds):
            raise ValueError(
                f"strategy='set' has no thresholds, got thresholds="
                f"{self.thresholds!r}. Leave one of the two out."
            )
        if promise is None:
            return
        asked = f"min_{promise.goal}={promise.at_least!r}"
        if not is_tuned(self.thresholds):
            raise ValueError(
                f"{asked} finds thresholds, but thresholds={self.thresholds!r} gives "
                f"them. Leave one of the two out."
            )
        if self.strategy in (TOP_DOWN, "set"):
            raise ValueError(
                f"{asked} is promised by thresholds of probabilities, which strategy="
                f"{self.strategy!r} does not have. Set strategy='global', 'level' or "
                f"'label'."
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

    def _seen(self, targets, sample_weight):
        """Return the label sets that are known whole, and what samples add to them."""
        weight, weightless = _read_weight(sample_weight, *targets.Y.shape)
        if weightless is not None:  # they count as unknown
            weight = np.where(weightless.any(axis=1), 0, weight)
        sets, members = seen_sets(targets.Y, targets.hierarchy, weight)
        if not len(sets.weight):
            raise ValueError(
                f"strategy='set' predicts label sets of training samples, but none of "
                f"{members.shape[0]} samples has a known value, with a weight above "
                f"0, for every label. Pass some complete rows, or set strategy="
                f"'global'."
            )
        return sets, members

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

    def _in_order_of_outputs(self, y, targets, sample_weight):
        """Return labels and weights in the order in which ``estimator_`` predicts."""
        hierarchy = targets.hierarchy
        order = output_order(self.estimator_, hierarchy, hasattr(y, "columns"))
        names = [hierarchy.labels[k] for k in order]
        if np.ndim(sample_weight) == 2:
            sample_weight = np.asarray(sample_weight)[:, order]
        return Targets(targets.Y[:, order], hierarchy.subset(names)), sample_weight

    def _proba_of_rows(self, X, rows, n_labels):
        """Return the probabilities by ``estimator_``; rows may be a slice of all."""
        if not isinstance(rows, slice):  # which X need not support
            X = _safe_indexing(X, rows)
        return positive_proba(self.estimator_, X, n_labels)

    def _tune(self, rows, proba, targets, sample_weight, units, sizes=None):
        """Return thresholds found on rows that were not seen, of folds of some sizes.

        Of what was given, ``sample_weight`` and ``units`` are those of all samples.
        """
        Y = targets.Y[rows]
        if sp.issparse(Y):
            Y = Y.toarray()
        weight, weightless = _read_weight(sample_weight, *targets.Y.shape)
        if weight is not None:
            weight = weight[rows]
        promise = self._promise
        may_be_unknown = promise is not None or not callable(self.metric)
        if weightless is not None and may_be_unknown:
            Y = np.where(weightless[rows], np.nan, Y)
        if not np.isnan(Y).any():  # of which any metric may be asked
            Y = Y.astype(int)
        sizes = [len(Y)] if sizes is None else sizes
        samples = np.arange(len(units))[rows]
        unseen = Unseen(
            proba, Y, targets.hierarchy, weight, samples, units[rows], sizes
        )
        if self.strategy == "set":
            sets, members = self._seen(targets, sample_weight)
            own = of_units(members, units)[units[rows]]
            return self._tuner.weigh_dependence(unseen, sets, own)
        if promise is None:
            return self._tuner.tune(unseen)
        return self._tuner.keep(promise, unseen)

    @property
    def _tuner(self):
        how = self.strategy, self.metric, self.shrinkage, self.max_labels
        return Tuner(*how, self._fits)

    @property
    def _fits(self):
        return Fits(self, self.verbose)

    # -- predictions -------------------------------------------------------------------

    def predict(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return predicted indicators (n_samples, n_labels), int, coherent.

        After a 1-D ``y``, returns classes (n_samples,).
        """
        check_is_fitted(self, "classes_")
        if self.thresholds_ is None:
            self._refuse_after_classes()
            return self.estimator_.predict(X)
        return self._above(self._proba(X)).astype(int)

    def _above(self, proba):
        """Return which labels are above their thresholds, as coherent sets."""
        self._validate_params()  # max_labels may change after fit
        scores = constrain(proba, self.hierarchy_, self.closing_)
        if self.label_sets_ is not None:
            sets = LabelSets(self.label_sets_, self.label_set_weights_, self.hierarchy_)
            how = self.dependence_, self.max_labels
            return sets.indicators(sets.most_probable(scores, *how))
        how = self.thresholds_, self.hierarchy_, self.closing_
        return self._tuner.label_sets(scores, *how)

    def _proba(self, X):
        """Return probabilities of labels, or of classes after a 1-D y, as an array."""
        check_is_fitted(self, "classes_")
        if self.thresholds_ is None:
            return self.estimator_.predict_proba(X)
        return positive_proba(self.estimator_, X, len(self.label_names_))

    def _proba_blocks(self, X):
        proba = self._proba(X)
        return Blocks([proba], len(proba))

    def _answer_blocks(self, X):
        check_is_fitted(self, "classes_")
        if self._one_class:
            answer = self._answer_of_names(X)
        else:
            proba = self._proba(X)
            answer = Answer(lambda: self._above(proba), lambda: proba)
        return Blocks([answer], _num_samples(X))

    def _answer_of_names(self, X):
        """Return the Answer of ``estimator_``, which may stop above the classes."""
        labels = self._class_labels()

        def chosen():
            predicted = self.estimator_.predict(X)
            positions = [self.hierarchy_.position(label) for label in predicted]
            return labels.sets(np.array(positions, dtype=np.intp))

        return Answer(chosen, lambda: labels.proba(self._proba(X)))

    def predict_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Return the estimator's label probabilities (n_samples, n_labels).

        With ``proba_format="list"``, returns a list of arrays (n_samples, 2), as
        MultiOutputClassifier does. After a 1-D ``y``, returns the probabilities of
        ``classes_``.
        """
        self._validate_params()  # proba_format may change after fit
        return format_proba(self, self._proba_blocks(X))

    @available_if(inner_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the estimator's decision function; thresholds do not change it."""
        check_is_fitted(self, "classes_")
        return self.estimator_.decision_function(X)

    @available_if(inner_has("raw_decision_function"))
    def raw_decision_function(self, X: Any) -> np.ndarray:
        """Return the estimator's decision function before its coherence step."""
        check_is_fitted(self, "classes_")
        return self.estimator_.raw_decision_function(X)

    @available_if(inner_has("predict_raw"))
    def predict_raw(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return the estimator's own predictions, before its coherence step."""
        check_is_fitted(self, "classes_")
        return self.estimator_.predict_raw(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.target_tags.multi_output = inner.target_tags.multi_output
        return tags

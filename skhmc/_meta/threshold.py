"""HierarchicalThresholdClassifier: cuts probabilities where a score is best."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
)
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_method_params, check_is_fitted

from skhmc._data.targets import Targets, set_labels
from skhmc._data.weights import check_sample_weight, to_mean_1
from skhmc._meta.delegation import (
    inner_has,
    is_frozen,
    metric_options,
    output_order,
    read_for_inner,
    route_fit,
    take_features,
    with_columns,
)
from skhmc._meta.f1_thresholds import coherent, cut, f1_thresholds, search_thresholds
from skhmc._meta.multioutput import fit_as_is
from skhmc._meta.out_of_fold import out_of_fold, positive_proba, read_cv
from skhmc._scoring.subset_accuracy import subset_accuracy
from skhmc._utils.warnings import warn_user
from skhmc.metrics import hierarchical_f1_score

__all__ = ["HierarchicalThresholdClassifier"]


AVERAGES = {"hierarchical_f1": "micro", "f1_micro": "micro", "f1_macro": "macro"}
CLOSINGS = ("up", "down")
CALLEES = ("fit", "split")


class HierarchicalThresholdClassifier(
    MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    r"""Cuts the probabilities of any multi-label classifier where a score is best.

    The cut at 0.5 is right for few scores: of rare labels hardly any probability is
    above it. Thresholds are chosen by cross-validation, one for all labels, one per
    level of the hierarchy or one per label. Predictions are coherent with the hierarchy
    whatever the thresholds and the probabilities are.

    Parameters
    ----------
    estimator : estimator
        A classifier of several labels with ``predict_proba``: one of this package, or
        of scikit-learn. A fitted one in a FrozenEstimator is not fitted again.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        None is that of ``estimator``, or flat where it has none. Where both have one,
        that of ``estimator`` is put in the order of this one, by name.
    strategy : {"global", "level", "label"}, default="global"
        Which labels share a threshold: all, those of one depth, or none.
    metric : str or callable, default="hierarchical_f1"
        What is to be best: "hierarchical_f1", "f1_micro" (the same here, where all
        label sets hold their ancestors), "f1_macro", or a callable
        ``metric(Y_true, Y_pred) -> float``, which is called for 20 thresholds of every
        group of labels (with ``hierarchy``, if it has this parameter) and takes its
        time with ``strategy="label"``.
    cv : int, splitter, iterable, "prefit" or None, default=5
        Number of folds of :class:`MultilabelStratifiedKFold` (None: 5), or how else to
        split. "prefit" takes ``estimator`` as it is, and all samples given to tune.
    shrinkage : float, default=10
        :math:`m`, see Notes: with so many positives a label's own best threshold
        weighs as much as its level's.
    refit : bool, default=True
        Whether ``estimator_`` is fitted with all samples. False takes that of the only
        split of ``cv``. Without effect on "prefit".
    n_jobs : int, default=None
        Folds fitted at a time.

    Attributes
    ----------
    thresholds_ : ndarray of shape (n_labels,)
        A label is predicted when its probability is above. None after a 1-D ``y``.
    closing_ : {"up", "down"}
        How predictions are made coherent. None after a 1-D ``y``.
    best_score_ : float
        The score that they have in cross-validation. None after a 1-D ``y``.
    estimator_ : estimator
        The fitted classifier.
    hierarchy_ : Hierarchy
        In the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,)
        Names of the columns of Y and of all outputs.
    classes_ : ndarray of shape (n_labels, 2) or (n_classes,)
        ``[0, 1]`` per label; the classes of a 1-D ``y``.
    n_features_in_, feature_names_in_
        Those of ``estimator_``, where it has them.

    See Also
    --------
    sklearn.model_selection.TunedThresholdClassifierCV : For binary ``y``.
    skhmc.model_selection.MultilabelStratifiedKFold : How samples are split.

    Notes
    -----
    Probabilities are made coherent, upward (a label is as probable as the most probable
    label below it) or downward (not more probable than its parents), and cut. Then
    label sets are closed the same way: upward, ancestors of predicted labels are added;
    downward, labels with an ancestor missing are taken away. Both are tuned, and the
    better one is kept (``closing_``). Where probabilities are coherent already and
    there is one threshold, nothing has to be closed.

    Of all thresholds the best are found exactly by sorting once, for label sets before
    they are closed; :math:`F_1 = 2 TP / (P + T)` is maximised over many thresholds by
    Dinkelbach's method. Of equally good thresholds the one nearest to 0.5 is taken.
    With :math:`n_g` positives a group g of labels gets

    .. math:: t_g = \frac{n_g}{n_g + m} \hat t_g + \frac{m}{n_g + m} t_{parent(g)},

    where :math:`\hat t_g` is its best threshold by itself, and the next coarser group
    of a label is its level, of a level all labels.

    After a 1-D ``y`` (one class per sample) nothing is tuned: ``predict`` is that of
    ``estimator``, so that it is the most probable class. NaN in Y (unknown) does not
    count in tuning; whether it can be fitted is up to ``estimator``.

    References
    ----------
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
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "strategy": [StrOptions({"global", "level", "label"})],
        "metric": [StrOptions(set(AVERAGES)), callable],
        "cv": ["cv_object", StrOptions({"prefit"})],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator,
        hierarchy=None,
        *,
        strategy="global",
        metric="hierarchical_f1",
        cv=5,
        shrinkage=10,
        refit=True,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.hierarchy = hierarchy
        self.strategy = strategy
        self.metric = metric
        self.cv = cv
        self.shrinkage = shrinkage
        self.refit = refit
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, **params):
        """Tune the thresholds and fit the estimator.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, ...)
            As ``estimator`` takes it.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; closed upward here by ``hierarchy``,
            with a warning. Or lists of label names; or classes (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Handed to ``estimator``; in tuning with a built-in metric samples weigh as
            much, too: a weight of 2 is as the sample twice.
        **params : dict
            Handed to ``fit`` of ``estimator``, and ``groups`` to ``cv``; with metadata
            routing, to those who ask for it.

        Returns
        -------
        HierarchicalThresholdClassifier
            The fitted classifier itself.
        """
        vars(self).pop("classes_", None)  # unfitted, should this fail
        fitted = self._is_prefit() or is_frozen(self.estimator)
        X, y, targets = read_for_inner(self, X, y, fitted=fitted)
        routed = route_fit(self, sample_weight, params)
        splits = self._split(X, y, targets, routed.splitter.split)
        inner = self._inner(y, targets)
        given = (inner, X, y, splits, routed.estimator.fit)
        self.estimator_, unseen = self._fitted(*given)
        self.thresholds_ = self.closing_ = self.best_score_ = None
        if targets.classes is None:
            targets = self._as_fitted(y, targets) if fitted else targets
            self._warn_flat(targets.hierarchy)
            rows, proba = self._probabilities(*given, targets.Y, unseen)
            self._tune(rows, proba, targets, sample_weight)
        set_labels(self, targets)
        take_features(self)
        return self

    def _warn_flat(self, hierarchy):
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
        return list(read_cv(self.cv).split(X, Y, **params))

    def _inner(self, y, targets):
        """Return the estimator, which knows the columns of y by name or by order."""
        named = targets.classes is not None or hasattr(y, "columns")
        if self._is_prefit() or named:
            return self.estimator
        return with_columns(self.estimator, targets.hierarchy.labels)

    def _fitted(self, inner, X, y, splits, params):
        """Return the fitted estimator, and rows to tune on that it has not seen."""
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
        X, y = _safe_indexing(X, train), _safe_indexing(y, train)
        return fit_as_is(inner, X, y, params), test

    def _as_fitted(self, y, targets):
        """Return the labels in the order in which ``estimator_`` predicts them."""
        hierarchy = targets.hierarchy
        order = output_order(self.estimator_, hierarchy, hasattr(y, "columns"))
        names = [hierarchy.labels[k] for k in order]
        return Targets(targets.Y[:, order], hierarchy.subset(names))

    def _probabilities(self, inner, X, y, splits, params, Y, unseen):
        """Return rows, and probabilities from estimators that have not seen them."""
        if unseen is None:
            options = {"params": params, "n_jobs": self.n_jobs}
            return out_of_fold(inner, X, y, Y, splits, **options)
        X = X if isinstance(unseen, slice) else _safe_indexing(X, unseen)
        return unseen, positive_proba(self.estimator_, X, Y.shape[1])

    def _tune(self, rows, proba, targets, sample_weight):
        """Choose the thresholds and how predictions are closed."""
        hierarchy, Y, weight = targets.hierarchy, targets.Y[rows], None
        Y = Y.toarray() if sp.issparse(Y) else Y
        Y = Y if np.isnan(Y).any() else Y.astype(int)
        if sample_weight is not None:
            weight = to_mean_1(check_sample_weight(sample_weight, *targets.Y.shape))
            weight = weight.reshape(targets.Y.shape[0], -1)
            given = np.mean(np.asarray(sample_weight))  # their scale counts
            weight = given * weight.mean(axis=1)[rows]
        options = {"strategy": self.strategy, "shrinkage": self.shrinkage}
        self.best_score_ = -np.inf
        for closing in CLOSINGS if len(hierarchy.edges) else CLOSINGS[:1]:
            scores = coherent(proba, hierarchy, closing)

            def score(thresholds, scores=scores, closing=closing):
                predicted = cut(scores, thresholds, hierarchy, closing).astype(int)
                return self._measure(Y, predicted, hierarchy, weight)

            data = (scores, Y, hierarchy)
            if callable(self.metric):
                thresholds = search_thresholds(score, *data, **options)
            else:
                options |= {"average": AVERAGES[self.metric], "weight": weight}
                thresholds = f1_thresholds(*data, **options)
            if (reached := score(thresholds)) > self.best_score_:
                self.best_score_, self.closing_ = reached, closing
                self.thresholds_ = thresholds

    def _measure(self, Y, predicted, hierarchy, weight):
        if not callable(self.metric):
            options = {"average": AVERAGES[self.metric], "sample_weight": weight}
            return hierarchical_f1_score(
                Y, predicted, hierarchy, close=False, **options
            )
        value = self.metric(Y, predicted, **metric_options(self.metric, hierarchy))
        if not isinstance(value, Real) or not np.isfinite(value):
            raise ValueError(
                f"Expected metric(Y_true, Y_pred) to return a finite number, got "
                f"{value!r}. Such a value as zero_division=0 helps where labels or "
                f"samples have nothing to score."
            )
        return float(value)

    def predict(self, X):
        """Return predicted indicators (n_samples, n_labels), int, coherent.

        After a 1-D ``y`` classes (n_samples,).
        """
        check_is_fitted(self, "classes_")
        if self.thresholds_ is None:
            return self.estimator_.predict(X)
        scores = coherent(self.predict_proba(X), self.hierarchy_, self.closing_)
        return cut(scores, self.thresholds_, self.hierarchy_, self.closing_).astype(int)

    def predict_proba(self, X):
        """Return the estimator's label probabilities (n_samples, n_labels).

        After a 1-D ``y`` those of ``classes_``.
        """
        check_is_fitted(self, "classes_")
        if self.thresholds_ is None:
            return self.estimator_.predict_proba(X)
        return positive_proba(self.estimator_, X, len(self.label_names_))

    @available_if(inner_has("decision_function"))
    def decision_function(self, X):
        """Return that of the estimator, which knows nothing of the thresholds."""
        check_is_fitted(self, "classes_")
        return self.estimator_.decision_function(X)

    @available_if(inner_has("raw_decision_function"))
    def raw_decision_function(self, X):
        """Return that of the estimator, before its coherence step."""
        check_is_fitted(self, "classes_")
        return self.estimator_.raw_decision_function(X)

    @available_if(inner_has("predict_raw"))
    def predict_raw(self, X):
        """Return that of the estimator, with its own threshold, before coherence."""
        check_is_fitted(self, "classes_")
        return self.estimator_.predict_raw(X)

    def score(self, X, y, sample_weight=None):
        """Return the share of samples whose known labels are all predicted right."""
        return subset_accuracy(self, X, y, sample_weight)

    def get_metadata_routing(self):
        """Return who asks for which metadata: the estimator, and the splitter.

        Returns
        -------
        MetadataRouter
            Scikit-learn's description of the routing.
        """
        fit, split = (MethodMapping().add(caller="fit", callee=c) for c in CALLEES)
        router = MetadataRouter(owner=self).add_self_request(self)
        router = router.add(estimator=self.estimator, method_mapping=fit)
        return router.add(splitter=self.cv, method_mapping=split)

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        tags.target_tags.multi_output = inner.target_tags.multi_output
        tags.target_tags.single_output = inner.target_tags.single_output
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
        return tags

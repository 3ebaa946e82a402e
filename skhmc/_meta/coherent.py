"""CoherentClassifier: any probabilistic classifier, made coherent with a hierarchy."""

from numbers import Integral, Real

import numpy as np
from scipy.special import logit
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
)
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import _num_samples, check_is_fitted

from skhmc._data.targets import read_fit_labels, set_labels
from skhmc._data.weights import (
    label_counts,
    match_weight,
    smoothed_rates,
    warn_constant,
)
from skhmc._meta.delegation import (
    is_frozen,
    output_order,
    route_fit,
    take_features,
    with_columns,
)
from skhmc._meta.multioutput import PerLabel, fit_native, takes_many_labels
from skhmc._meta.out_of_fold import positive_proba
from skhmc._scoring.outputs import Blocks, TopK, format_proba
from skhmc._scoring.subset_accuracy import subset_accuracy
from skhmc.coherence import (
    average_constraint,
    check_tree,
    isotonic_constraint,
    max_constraint,
    min_constraint,
    product_constraint,
)

__all__ = ["CoherentClassifier"]


METHODS = {
    "max": max_constraint,
    "min": min_constraint,
    "isotonic": isotonic_constraint,
    "product": product_constraint,
    "average": average_constraint,
}
TINY, ALMOST_1 = np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).epsneg


class CoherentClassifier(TopK, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Makes any probabilistic classifier coherent with a label hierarchy.

    Fits a clone of a classifier of scikit-learn, or one per label, to the labels and
    their ancestors, and changes its probabilities so that no label is more probable
    than one of its parents. Labels predicted at any one threshold then hold the
    ancestors of each.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``. It gets X as it is, so it may be a Pipeline
        that takes texts. It needs no hierarchy of its own; one that it has is put in
        the order of Y's columns, by name.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        The label hierarchy; None is flat. Columns of a DataFrame Y are matched by name.
    method : {"average", "max", "min", "isotonic", "product"} or None, \
            default="average"
        How probabilities become coherent: labels are raised to their highest descendant
        ("max") or lowered to their lowest ancestor ("min"), the mean of both
        ("average"), the nearest coherent probabilities ("isotonic", trees only), or the
        conditional probabilities that they imply, multiplied down ("product"). None
        shows the raw probabilities. May change after ``fit``.
    strategy : {"auto", "native", "per_label"}, default="auto"
        Whether ``estimator`` is fitted once to all labels ("native"), or a clone to
        each label ("per_label"). "auto" is "native" where the tags of ``estimator`` say
        that it takes several labels.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5.
    proba_format : {"array", "list"}, default="array"
        Form of ``predict_proba``; "list" is MultiOutputClassifier's.
    min_positives : int, default=1
        How many positive and how many negative rows a label needs to be fitted; others
        are predicted at their prior. Estimators with a cross-validation of their own
        need as many as it has folds, such as CalibratedClassifierCV.
    n_jobs : int, default=None
        How many labels to fit at a time, with one estimator per label.

    Attributes
    ----------
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,), object
        Names of the columns of all outputs.
    classes_ : ndarray
        ``[[0, 1]] * n_labels``; after a 1-D y the classes met, sorted.
    strategy_ : str or None
        What "auto" decided. None after a 1-D y.
    estimator_ : estimator or None
        The fitted estimator; with one per label, what holds them in ``estimators_``,
        without those of labels at their prior. None when that are all.
    n_features_in_ : int
        Number of features seen in ``fit``, where ``estimator_`` knows it.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Their names, where X had names.

    Raises
    ------
    ValueError
        In ``fit``, when ``estimator`` has no ``predict_proba``, or for "isotonic" when
        a label has several parents.

    See Also
    --------
    skhmc.coherence : The methods as functions of arrays.
    sklearn.multioutput.MultiOutputClassifier : One classifier per label.

    Notes
    -----
    A label that training shows one value of, or fewer than ``min_positives`` rows of
    one value, is left out of the fit and predicted at its prior, with a warning. After
    a 1-D y (each sample's most specific label) the estimator is fitted to y itself:
    probabilities of classes that exclude each other are coherent as they are, summed
    over the classes at and below a label.

    A fitted classifier is taken in a :class:`sklearn.frozen.FrozenEstimator`; ``fit``
    then only reads the labels, and all of them must be those it was fitted with.

    References
    ----------
    Obozinski, Lanckriet, Grant, Jordan and Noble, "Consistent probabilistic outputs for
    protein function prediction", Genome Biology, 2008.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skhmc import CoherentClassifier
    >>> from skhmc.coherence import score_violations
    >>> from skhmc.datasets import load_digit_properties
    >>> digits = load_digit_properties()
    >>> X, Y = digits.data / 16, digits.target
    >>> clf = CoherentClassifier(LogisticRegression(), digits.hierarchy)
    >>> proba = clf.fit(X[digits.train], Y[digits.train]).predict_proba(X[digits.test])
    >>> score_violations(proba, digits.hierarchy).nnz
    0
    >>> clf.method = None  # as the estimator says
    >>> score_violations(clf.predict_proba(X[digits.test]), digits.hierarchy).nnz > 0
    True
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit"])],
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "method": [StrOptions(set(METHODS)), None],
        "strategy": [StrOptions({"auto", "native", "per_label"})],
        "threshold": [None, Interval(Real, 0, 1, closed="both")],
        "proba_format": [StrOptions({"array", "list"})],
        "min_positives": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator,
        hierarchy=None,
        *,
        method="average",
        strategy="auto",
        threshold=None,
        proba_format="array",
        min_positives=1,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.hierarchy = hierarchy
        self.method = method
        self.strategy = strategy
        self.threshold = threshold
        self.proba_format = proba_format
        self.min_positives = min_positives
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)  # those of estimator
    def fit(self, X, y, **params):
        """Fit the estimator to the closed labels.

        Parameters
        ----------
        X : object of n_samples rows
            Whatever ``estimator`` takes, untouched.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1; closed upward here, with a warning. Or lists of label
            names; or (n_samples,) most specific labels. NaN (unknown) where
            ``estimator`` takes it, or with one estimator per label: each is then fitted
            to the rows that know its label.
        **params : dict
            Parameters of the estimator's ``fit``, such as ``sample_weight``:
            (n_samples,), or (n_samples, n_labels) with one estimator per label or one
            that takes it. Routed by request where metadata routing is enabled.

        Returns
        -------
        CoherentClassifier
            The fitted estimator itself.
        """
        self._check_estimator()
        vars(self).pop("classes_", None)  # unfitted, should this fail
        params = self._route(params)
        targets, weight = read_fit_labels(self, X, y, params.get("sample_weight"))
        if self.method == "isotonic":
            check_tree(targets.hierarchy)
        if targets.classes is not None:
            self._fit_classes(X, targets, params)
        else:
            if np.ndim(params.get("sample_weight")) == 2:
                weights = np.asarray(match_weight(params["sample_weight"], y))
                params = params | {"sample_weight": weights}
            self._fit_labels(X, targets, weight, params, hasattr(y, "columns"))
        set_labels(self, targets)
        take_features(self)
        return self

    def _check_estimator(self):
        if not hasattr(self.estimator, "predict_proba"):
            name = type(self.estimator).__name__
            raise InvalidParameterError(
                f"Expected an estimator with predict_proba, got {name} without. Choose "
                f"its parameters so that it has probabilities, or calibrate it: "
                f"CoherentClassifier(CalibratedClassifierCV({name}(...)), hierarchy)."
            )

    def _route(self, params):
        params = {name: value for name, value in params.items() if value is not None}
        weight = params.pop("sample_weight", None)
        return dict(route_fit(self, weight, params).estimator.fit)

    def _fit_classes(self, X, targets, params):
        """Fit the estimator to one label per sample."""
        classes, codes = targets.classes, targets.codes
        self.strategy_ = self.estimator_ = None
        if len(classes) != 1 or is_frozen(self.estimator):
            self.estimator_ = clone(self.estimator).fit(X, classes[codes], **params)
        else:
            n_samples = np.array([len(codes)])
            warn_constant(n_samples, n_samples, n_samples > 0, classes, priors=False)

    def _fit_labels(self, X, targets, weight, params, named):
        """Fit the estimator to the labels that it can learn."""
        self._choose_labels(targets, weight, named)
        many = takes_many_labels(self.estimator)
        self.strategy_ = {"auto": "native" if many else "per_label"}.get(
            self.strategy, self.strategy
        )
        self.estimator_ = None
        if not len(self._learnt):
            return
        Y, names = targets.Y[:, self._learnt], targets.hierarchy.labels
        if np.ndim(params.get("sample_weight")) == 2:
            chosen = params["sample_weight"][:, self._learnt]
            params = params | {"sample_weight": chosen}
        if self.strategy_ == "native":
            inner = with_columns(self.estimator, names, self._learnt)
            self.estimator_ = fit_native(inner, X, Y, params)
        else:
            names = [names[k] for k in self._learnt]
            inner = PerLabel(self.estimator, n_jobs=self.n_jobs)
            self.estimator_ = inner.fit(X, Y, names, **params)

    def _choose_labels(self, targets, weight, named):
        """Set which labels are fitted, in which order, and the priors of the others."""
        hierarchy = targets.hierarchy
        positive, known = label_counts(targets.Y, weight)
        self._priors = smoothed_rates(positive, known)
        if is_frozen(self.estimator):
            self._learnt = np.array(output_order(self.estimator, hierarchy, named))
            return
        rows, all_rows = label_counts(targets.Y, None if weight is None else weight > 0)
        fixed = np.minimum(rows, all_rows - rows) < self.min_positives
        names = hierarchy.labels
        warn_constant(positive, known, fixed, names, priors=True, few=fixed)
        self._learnt = np.flatnonzero(~fixed)

    # -- predictions -------------------------------------------------------------------

    def _proba(self, X, method):
        """Return probabilities of labels made coherent, or those of classes."""
        check_is_fitted(self, "classes_")
        self._validate_params()  # some may change after fit
        if self.classes_.ndim == 1:
            if self.estimator_ is None:
                return np.ones((_num_samples(X), 1))
            return self.estimator_.predict_proba(X)
        proba = np.tile(self._priors, (_num_samples(X), 1))
        if len(self._learnt):
            n_learnt = len(self._learnt)
            proba[:, self._learnt] = positive_proba(self.estimator_, X, n_learnt)
        if method is not None:
            proba = METHODS[method](proba, self.hierarchy_)
        return proba

    def _inside(self, proba):
        """Keep probabilities of labels off 0 and 1, as scikit-learn's checks ask."""
        return proba if self.classes_.ndim == 1 else np.clip(proba, TINY, ALMOST_1)

    def _proba_blocks(self, X):
        proba = self._inside(self._proba(X, self.method))
        return Blocks([proba], len(proba))

    def _indicators(self, X, method):
        proba = self._proba(X, method)
        if self.classes_.ndim == 1:
            return self.classes_[proba.argmax(axis=1)]
        threshold = 0.5 if self.threshold is None else self.threshold
        return (proba > threshold).astype(np.int64)

    def predict(self, X):
        """Return predicted indicators (n_samples, n_labels), int.

        Coherent with ``hierarchy_`` unless ``method=None``. After a 1-D y the most
        probable class of every sample (n_samples,).
        """
        return self._indicators(X, self.method)

    def predict_proba(self, X):
        """Return label probabilities (n_samples, n_labels).

        With ``proba_format="list"`` MultiOutputClassifier's list of (n_samples, 2).
        After a 1-D y the probabilities of ``classes_``.
        """
        return format_proba(self, self._proba_blocks(X))

    def decision_function(self, X):
        """Return coherent log-odds (n_samples, n_labels); positive: likelier than not.

        After a 1-D y the log-probabilities of ``classes_``; of two classes, the
        log-odds of the second, (n_samples,).
        """
        return self._log_odds(self._proba(X, self.method))

    def raw_decision_function(self, X):
        """Return the log-odds (n_samples, n_labels) before the coherence step.

        After a 1-D y there is none: these are those of ``decision_function``.
        """
        return self._log_odds(self._proba(X, None))

    def _log_odds(self, proba):
        if self.classes_.ndim == 2:
            return logit(self._inside(proba))
        log_p = np.log(np.maximum(np.float64(proba), TINY))
        return log_p[:, 1] - log_p[:, 0] if log_p.shape[1] == 2 else log_p

    def raw_predict_proba(self, X):
        """Return label probabilities (n_samples, n_labels) before the coherence step.

        After a 1-D y there is none: these are those of ``predict_proba``.
        """
        return self._inside(self._proba(X, None))

    def predict_raw(self, X):
        """Return indicators (n_samples, n_labels) before coherence, if there is any."""
        return self._indicators(X, None)

    def score(self, X, y, sample_weight=None):
        """Return the share of samples whose known labels are all predicted right."""
        return subset_accuracy(self, X, y, sample_weight)

    # -- scikit-learn's protocols ------------------------------------------------------

    def get_metadata_routing(self):
        """Return which metadata the estimator asks for, and where.

        Returns
        -------
        MetadataRouter
            Scikit-learn's description of requests.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        tags.target_tags.single_output = inner.target_tags.single_output
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
        tags.classifier_tags.multi_label = True
        return tags

"""CoherentClassifier: any probabilistic classifier, made coherent with a hierarchy."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context, clone
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
)
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import _num_samples

from skhmc._data.flat_names import judge_flat
from skhmc._data.parent_counts import parent_counts
from skhmc._data.targets import read_fit_labels
from skhmc._data.weights import (
    check_finite_sum,
    label_counts,
    match_weight,
    smoothed_rates,
    warn_constant,
)
from skhmc._meta.base import MetaClassifierMixin
from skhmc._meta.delegation import (
    is_frozen,
    output_order,
    refuse_other_labels,
    route_fit,
    with_columns,
)
from skhmc._meta.fits import Fits
from skhmc._meta.multioutput import PerLabel, fit_native, takes_many_labels
from skhmc._meta.out_of_fold import positive_proba
from skhmc._scoring.answers import check_can_stop
from skhmc._scoring.outputs import Blocks
from skhmc._scoring.proba_outputs import ProbaOutputsMixin
from skhmc._utils.warnings import each_kind_once, read_before
from skhmc.coherence import RULES, RuleNames

__all__ = ["CoherentClassifier"]


class CoherentClassifier(
    ProbaOutputsMixin, MetaClassifierMixin, ClassifierMixin, BaseEstimator
):
    """Makes any probabilistic classifier coherent with a label hierarchy.

    Fits a clone of a scikit-learn classifier, or one clone per label, to the labels and
    their ancestors. Then changes its probabilities so that no label is more probable
    than any of its parents. So with a single threshold, the ancestors of a predicted
    label are predicted, too.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``. It gets X unchanged, so it may be a
        Pipeline that takes texts. It needs no hierarchy. If it has one, this is put in
        the order of Y's columns, by name.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Label hierarchy. None means that labels are flat. Columns of a DataFrame Y are
        matched by name.
    coherence : str or None, default="average"
        Rule that makes probabilities coherent, one in the table of
        :ref:`rules <coherence-rules>`, such as the following. "max" raises labels to
        their highest descendant. "min" lowers them to their lowest ancestor. "average"
        is the mean of both. "product" multiplies conditional probabilities, computed
        from the raw ones, from the roots down. "isotonic" takes the nearest coherent
        probabilities (trees only). None gives the raw probabilities. May change after
        ``fit``.
    strategy : {"auto", "native", "per_label"}, default="auto"
        Whether ``estimator`` is fitted once to all labels ("native"), or one clone to
        each label ("per_label"), as in MultiOutputClassifier. "auto" is "native" if the
        tags of ``estimator`` say that it takes several labels: trees, forests, nearest
        neighbours, MLPClassifier.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5. After a 1-D y, None
        predicts the most probable class. With a number, the prediction goes from the
        root towards this class, and stops at the deepest label above the number.
    proba_format : {"array", "list"}, default="array"
        Form of the output of ``predict_proba``. "list" is the form of
        MultiOutputClassifier.
    min_positives : int, default=1
        Number of positive and of negative rows that a label needs to be fitted. The
        probability of other labels is their prior. An estimator with an internal
        cross-validation, such as CalibratedClassifierCV, needs at least as many as it
        has folds.
    n_jobs : int, default=None
        Number of labels fitted in parallel, if there is one estimator per label.
    verbose : int, default=0
        Verbosity: 1 shows a bar of the labels that are fitted, if there is one
        estimator per label.

    Attributes
    ----------
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,), object
        Names of the columns of all outputs.
    label_counts_ : ndarray of shape (n_labels, 2)
        Training samples that have a label, and that have all its parents: what
        scorers weigh labels by.
    classes_ : ndarray
        ``[[0, 1]] * n_labels``. After a 1-D y, its classes, sorted.
    strategy_ : str or None
        Strategy that was used, with "auto" replaced. None after a 1-D y.
    estimator_ : estimator or None
        The fitted estimator. With one clone per label, its attribute ``estimators_`` is
        a list. Labels that have only their prior are not in the list. None if this is
        true of all labels.
    n_features_in_ : int
        Number of features seen in ``fit``, if ``estimator_`` has it.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the features, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if ``estimator`` has no ``predict_proba``, or for "isotonic" if a
        label has several parents.

    See Also
    --------
    skhmc.coherence : The rules as functions of arrays.
    sklearn.multioutput.MultiOutputClassifier : One classifier per label.

    Notes
    -----
    A label is not fitted if it has only one value in training, or fewer than
    ``min_positives`` rows of one value. Its probability is then its prior, with a
    warning. After a 1-D y (each sample's most specific label) the estimator is fitted
    to y itself. The probability of a label is then the sum over the classes at and
    below the label. Only one class of a sample is true, so these sums are coherent.

    For a fitted classifier, use a :class:`sklearn.frozen.FrozenEstimator`. ``fit`` then
    only reads the labels. They must be the labels that the classifier was fitted with.

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
    >>> clf.coherence = None  # as the estimator says
    >>> score_violations(clf.predict_proba(X[digits.test]), digits.hierarchy).nnz > 0
    True
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit"])],
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "coherence": [StrOptions(RuleNames()), None],
        "strategy": [StrOptions({"auto", "native", "per_label"})],
        "threshold": [None, Interval(Real, 0, 1, closed="both")],
        "proba_format": [StrOptions({"array", "list"})],
        "min_positives": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    # weights and groups are for the estimator inside, which says by its own request if
    # it wants them
    __metadata_request__fit = {"sample_weight": UNUSED, "groups": UNUSED}
    hands_groups_on = True

    def __init__(
        self,
        estimator: Any,
        hierarchy: Any = None,
        *,
        coherence: str | None = "average",
        strategy: str = "auto",
        threshold: float | None = None,
        proba_format: str = "array",
        min_positives: int = 1,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.hierarchy = hierarchy
        self.coherence = coherence
        self.strategy = strategy
        self.threshold = threshold
        self.proba_format = proba_format
        self.min_positives = min_positives
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)  # those of estimator
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        **params: Any,
    ) -> Self:
        """Fit the estimator to the closed labels.

        Parameters
        ----------
        X : object of n_samples rows
            Samples as ``estimator`` takes them. They are passed on unchanged.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1. Missing ancestors are added, with a warning. Or lists of
            label names; or most specific labels (n_samples,). NaN (unknown) is allowed
            if ``estimator`` takes it, or with one estimator per label. Each of these is
            fitted to the rows in which its label is known.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights, passed on to ``estimator``. They can have one column per label with
            one estimator per label, or with an estimator that takes such weights.
        groups : array-like of shape (n_samples,), default=None
            Group of every sample, passed on to an ``estimator`` that takes groups.
            Networks of this package then hold out whole groups for early stopping.
        **params : dict
            Other parameters of ``fit`` of the estimator. With metadata routing, they
            and the weights are passed to the objects that request them.

        Returns
        -------
        self
            The fitted classifier.
        """
        self._check_estimator()
        self.__dict__.pop("classes_", None)  # unfitted, should this fail
        params = self._route(sample_weight, groups, params)
        given = params.get("sample_weight")
        targets, weight = read_fit_labels(self, X, y, given)
        if self.hierarchy is None:
            judge_flat(targets.hierarchy)
        if given is not None:  # the estimator gets them as they are, and adds them up
            check_finite_sum(np.asarray(given, dtype=np.float64))
        if self.coherence is not None:
            RULES[self.coherence].check(targets.hierarchy)
        if targets.classes is not None:  # they exclude each other: the estimator's task
            check_can_stop(self.threshold, targets.hierarchy)
            self.strategy_ = None
            with read_before():
                self.estimator_ = self._fit_classes(X, targets, params)
        else:
            if np.ndim(params.get("sample_weight", 1)) == 2:
                weights = np.asarray(match_weight(params["sample_weight"], y, targets))
                params = params | {"sample_weight": weights}
            positive, known = label_counts(targets.Y, weight)
            self._priors = smoothed_rates(positive, known)
            if is_frozen(self.estimator):  # it has learnt all labels, in its own order
                refuse_other_labels(self.estimator, targets.hierarchy)
                named = hasattr(y, "columns")
                self._learnt = output_order(self.estimator, targets.hierarchy, named)
            else:
                few = self._have_few_rows(targets.Y, weight)
                names = targets.hierarchy.labels
                warn_constant(positive, known, few, names, priors=True, few=few)
                self._learnt = np.flatnonzero(~few)
            self.strategy_ = self._chosen_strategy()
            with read_before(), each_kind_once():
                self.estimator_ = self._fit_labels(X, targets, params)
        self.hierarchy_ = targets.hierarchy
        self.label_names_ = targets.label_names
        self.label_counts_ = parent_counts(targets.Y, targets.hierarchy)
        self.classes_ = targets.output_classes
        return self

    def _check_estimator(self):
        if not hasattr(self.estimator, "predict_proba"):
            name = type(self.estimator).__name__
            raise InvalidParameterError(
                f"Expected an estimator with predict_proba, got {name} without. Choose "
                f"its parameters so that it has probabilities, or calibrate it: "
                f"CoherentClassifier(CalibratedClassifierCV({name}(...)), hierarchy)."
            )

    def _route(self, sample_weight, groups, params):
        """Return the parameters that ``fit`` of the estimator gets."""
        params = {name: value for name, value in params.items() if value is not None}
        return dict(route_fit(self, sample_weight, params, groups).estimator.fit)

    def _chosen_strategy(self):
        if self.strategy != "auto":
            return self.strategy
        return "native" if takes_many_labels(self.estimator) else "per_label"

    def _fit_classes(self, X, targets, params):
        """Return the estimator fitted to one label per sample; None if there is one."""
        classes = targets.classes
        codes = targets.codes
        if len(classes) == 1 and not is_frozen(self.estimator):
            n_samples = np.array([len(codes)])
            warn_constant(n_samples, n_samples, n_samples > 0, classes, priors=False)
            return None
        return clone(self.estimator).fit(X, classes[codes], **params)

    def _have_few_rows(self, Y, weight):
        """Tell which labels have too few rows of a value to be fitted (n_labels,)."""
        # rows count, whatever they weigh, but for those that weigh nothing
        counted = None if weight is None else weight > 0
        positive, known = label_counts(Y, counted)
        return np.minimum(positive, known - positive) < self.min_positives

    def _fit_labels(self, X, targets, params):
        """Return the estimator fitted to the labels that it can learn; None without."""
        if not len(self._learnt):
            return None
        Y = targets.Y[:, self._learnt]
        names = targets.hierarchy.labels
        if np.ndim(params.get("sample_weight")) == 2:
            chosen = params["sample_weight"][:, self._learnt]
            params = params | {"sample_weight": chosen}
        if self.strategy_ == "native":
            inner = with_columns(self.estimator, names, self._learnt)
            return fit_native(inner, X, Y, params)
        inner = PerLabel(self.estimator, n_jobs=self.n_jobs)
        return inner.fit(
            X, Y, [names[k] for k in self._learnt], Fits(self, self.verbose), **params
        )

    # -- predictions -------------------------------------------------------------------

    def _raw_proba_blocks(self, X):
        """Return Blocks of what the estimator says of labels, or of classes."""
        if self._one_class:
            proba = self._proba_of_classes(X)
        else:
            proba = self._proba_of_labels(X)
        return Blocks([proba], len(proba))

    def _proba_of_classes(self, X):
        if self.estimator_ is None:
            return np.ones((_num_samples(X), 1))
        return self.estimator_.predict_proba(X)

    def _proba_of_labels(self, X):
        proba = np.tile(self._priors, (_num_samples(X), 1))
        if len(self._learnt):
            n_learnt = len(self._learnt)
            proba[:, self._learnt] = positive_proba(self.estimator_, X, n_learnt)
        return proba

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True  # also around those of one label
        return tags

"""HierarchicalCalibratedClassifier: probabilities that are shares, and coherent."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Bunch, get_tags
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
)
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from skhmc._data.groups import read_groups
from skhmc._data.parent_counts import parent_counts
from skhmc._data.targets import Targets
from skhmc._data.weights import check_sample_weight, match_weight, read_row_weights
from skhmc._meta.base import MetaClassifierMixin
from skhmc._meta.calibration_maps import (
    METHODS,
    PER,
    Identity,
    apply_maps,
    chosen_per,
    fit_maps,
)
from skhmc._meta.delegation import (
    is_frozen,
    output_order,
    read_for_inner,
    refuse_other_labels,
    refuse_params,
    route_fit,
    with_columns,
)
from skhmc._meta.fits import Fits
from skhmc._meta.multioutput import fit_as_is
from skhmc._meta.out_of_fold import (
    classes_out_of_fold,
    count_once,
    out_of_fold,
    positive_proba,
    proba_of_classes,
    split_rows,
)
from skhmc._scoring.outputs import Blocks
from skhmc._scoring.proba_outputs import ProbaOutputsMixin
from skhmc._utils.messages import name_list, plain
from skhmc._utils.warnings import each_kind_once, read_before, warn_user
from skhmc.coherence import RULES, RuleNames, close_upward
from skhmc.hierarchy import Hierarchy

__all__ = ["HierarchicalCalibratedClassifier"]


class HierarchicalCalibratedClassifier(
    ProbaOutputsMixin, MetaClassifierMixin, ClassifierMixin, BaseEstimator
):
    r"""Calibrates the probabilities of any multi-label classifier, and keeps coherence.

    Of the labels with a probability of 0.8, four in five should be true. With naive
    Bayes, fewer are. This classifier compares probabilities with the labels of samples
    that ``estimator`` has not seen. It maps them to the shares of labels that were true
    there. There is one map per label, one per level of the hierarchy, or one for all
    labels. Then a rule makes the probabilities coherent.

    Parameters
    ----------
    estimator : estimator
        A classifier of several labels with ``predict_proba``, from this package or
        scikit-learn. A fitted one in a :class:`sklearn.frozen.FrozenEstimator` is not
        fitted again. It is calibrated on all given samples, which must not be those it
        was fitted with. A classifier of scikit-learn does not know the names of labels:
        give the columns in the order of its ``fit``.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Label hierarchy. None uses the hierarchy of ``estimator``; if it has none,
        labels are flat. If both have one, that of ``estimator`` is put in the order of
        this one, by name.
    method : {"isotonic", "sigmoid", "temperature"}, default="sigmoid"
        Kind of map: a rising step line ("isotonic"), drawn to a line as ``shrinkage``
        says; a line through the logits ("sigmoid", Platt's); or logits divided by a
        number ("temperature").
    per : {"auto", "label", "level", "all"}, default="auto"
        Labels that share a map: none ("label"), those of one depth ("level"), or all.
        "auto" is "all" for temperatures, which then change no order of labels, and
        "label" for the other methods.
    cv : int, splitter, iterable or None, default=5
        Number of folds of :class:`skhmc.model_selection.MultilabelStratifiedKFold`
        (None: 5), or how else to split. Without effect on a FrozenEstimator.
    shrinkage : float, default=10
        Number of samples of a label's rarer value, :math:`k` in the Notes, with which
        its own map weighs as much as that of its level. With 30 times as many, a step
        line ("isotonic") weighs as much as the line through the logits of the same
        samples. 0 does without both: "isotonic" then is scikit-learn's.
    coherence : str or None, default="average"
        Rule that makes calibrated probabilities coherent, from the table of
        :ref:`rules <coherence-rules>`. "max" raises labels to their highest descendant,
        "min" lowers them to their lowest ancestor, "average" is the mean of both. None
        leaves the probabilities as the maps give them. May change after ``fit``.
    proba_format : {"array", "list"}, default="array"
        Form of ``predict_proba``; "list" is MultiOutputClassifier's.
    n_jobs : int, default=None
        Number of folds fitted at a time.
    verbose : int, default=0
        Verbosity: 1 shows a bar of the folds that are fitted.

    Attributes
    ----------
    estimator_ : estimator
        The classifier, fitted to all samples.
    maps_ : list of callable
        The map of every label, from an array of probabilities to calibrated ones,
        before coherence; of every class after a 1-D ``y``. Labels that share a map have
        the same object.
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,)
        Names of the columns of Y and of all outputs.
    label_counts_ : ndarray of shape (n_labels, 2)
        Training samples that have a label, and that have all its parents: what
        scorers weigh labels by.
    classes_ : ndarray of shape (n_labels, 2) or (n_classes,)
        ``[0, 1]`` per label; the classes of a 1-D ``y``.
    n_features_in_, feature_names_in_
        Number and names of the features, where ``estimator_`` has them.

    See Also
    --------
    skhmc.metrics.expected_calibration_error : How far probabilities are from shares.
    skhmc.inspection.ReliabilityDisplay : A picture of that.

    Notes
    -----
    The maps are learnt from probabilities of classifiers that were fitted without the
    sample's fold. ``estimator_`` is then fitted to all samples. With f the map of a
    group g of labels by itself, and :math:`n_g` its positives or its negatives,
    whichever are fewer, the group gets

    .. math:: q_g(p) = \frac{n_g}{n_g + k} f_g(p) + \frac{k}{n_g + k} q_{parent(g)}(p),

    where the next coarser group of a label is its level, of a level all labels. A label
    of which only one value is known has the map of its level. Nothing is coarser than
    the map of all labels.

    A step line has many numbers to learn. By itself it makes many probabilities equal,
    and may say 0 or 1. So for "isotonic", :math:`f_g` is a mixture, too: of the step
    line :math:`s_g` and of the line through the logits :math:`l_g` (as in "sigmoid"),

    .. math:: f_g(p) = \frac{n_g}{n_g + 30 k} s_g(p) + \frac{30 k}{n_g + 30 k} l_g(p).

    No map falls, so the order of the samples of a label never reverses. Platt's slope
    is at least 0. Where maps say 0 or 1, ``predict_proba`` moves it by less than 1e-15.
    Before a logit, very low probabilities count as half of the lowest one above 0 in
    calibration. Very high ones count as half way from the highest one below 1 to 1.
    Forests say 0 and mean less than one tree.

    With ``sample_weight``, :math:`n_g` is a sum of weights: a sample of weight 2 counts
    as two samples. NaN in Y (unknown) does not count. Whether ``estimator`` can be
    fitted with NaN depends on it.

    After a 1-D ``y`` (one class per sample), every class is mapped, and the results are
    divided by their sum over the classes. Classes of one depth are a level. The
    probabilities of labels above are sums, so they are coherent without a rule.
    scikit-learn has ``CalibratedClassifierCV`` for this case, too.

    References
    ----------
    Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons to
    Regularized Likelihood Methods", Advances in Large Margin Classifiers, 1999.

    Zadrozny and Elkan, "Transforming Classifier Scores into Accurate Multiclass
    Probability Estimates", KDD 2002.

    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML
    2017.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skhmc import CoherentClassifier, HierarchicalCalibratedClassifier
    >>> from skhmc.datasets import load_digit_properties
    >>> from skhmc.metrics import get_scorer
    >>> digits = load_digit_properties()
    >>> X, Y, test = digits.data, digits.target, digits.test
    >>> bayes = CoherentClassifier(GaussianNB(), digits.hierarchy)
    >>> clf = HierarchicalCalibratedClassifier(bayes, cv=2)
    >>> clf = clf.fit(X[digits.train], Y[digits.train])
    >>> ece = get_scorer("ece")  # negated: 0 is best
    >>> before = ece(clf.estimator_, X[test], Y[test])
    >>> bool(before < ece(clf, X[test], Y[test]) < 0)
    True
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "method": [StrOptions(set(METHODS))],
        "per": [StrOptions({"auto", *PER})],
        "cv": ["cv_object"],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "coherence": [StrOptions(RuleNames()), None],
        "proba_format": [StrOptions({"array", "list"})],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    # groups are for the splitter, and for an estimator that asks for them
    __metadata_request__fit = {"groups": UNUSED}

    def __init__(
        self,
        estimator: Any,
        hierarchy: Any = None,
        *,
        method: str = "sigmoid",
        per: str = "auto",
        cv: Any = 5,
        shrinkage: float = 10,
        coherence: str | None = "average",
        proba_format: str = "array",
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.hierarchy = hierarchy
        self.method = method
        self.per = per
        self.cv = cv
        self.shrinkage = shrinkage
        self.coherence = coherence
        self.proba_format = proba_format
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _validate_params(self):
        if isinstance(self.cv, str) and self.cv == "prefit":
            raise InvalidParameterError(
                "Got cv='prefit', expected a number of folds or a splitter. Hand over "
                "a fitted classifier as FrozenEstimator(classifier), of "
                "sklearn.frozen: it is calibrated as it is."
            )
        super()._validate_params()

    # -- fit ---------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        **params: Any,
    ) -> Self:
        """Fit the estimator, and calibrate it on samples that it has not seen.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, ...)
            Samples as ``estimator`` takes them.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; closed upward here by ``hierarchy``,
            with a warning. Or lists of label names; or classes (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights, handed to ``estimator`` and heeded by the maps.
        groups : array-like of shape (n_samples,), default=None
            Group of every sample, such as its patient. An int ``cv`` then keeps groups
            together, by :class:`skhmc.model_selection.MultilabelStratifiedGroupKFold`;
            other splitters get them, and so does an ``estimator`` that takes them. With
            metadata routing, those who ask for them.
        **params : dict
            Parameters of ``fit`` of ``estimator``; with metadata routing, of those who
            ask for them.

        Returns
        -------
        self
            The fitted classifier.
        """
        self.__dict__.pop("classes_", None)  # unfitted, should this fail
        fitted = is_frozen(self.estimator)
        given = y
        X, y, targets = read_for_inner(self, X, y, fitted=fitted)
        if self.coherence is not None:
            RULES[self.coherence].check(targets.hierarchy)
        sample_weight = match_weight(sample_weight, given, targets)
        weight = _read_weight(sample_weight, targets)
        if groups is not None:  # also where nothing is split
            read_groups(groups, targets.Y.shape[0])
        with read_before(), each_kind_once():
            routed = Bunch(estimator=Bunch(fit={}))  # nobody to fit, nothing to split
            if self._is_frozen():
                refuse_params(self.estimator, params)
            else:
                routed = route_fit(self, sample_weight, params, groups)
            if targets.classes is None:
                return self._fit_labels(X, y, targets, weight, routed, fitted)
            return self._fit_classes(X, y, targets, weight, routed)

    def _fit_labels(self, X, y, targets, weight, routed, fitted):
        """Fit to indicators of several labels."""
        params = routed.estimator.fit
        named = hasattr(y, "columns")
        inner = self.estimator
        if fitted:
            refuse_other_labels(inner, targets.hierarchy)
        if not named:
            inner = with_columns(inner, targets.hierarchy.labels)
        self.estimator_ = self._fit_estimator(inner, X, y, params)
        if fitted:  # the labels in the order in which it predicts them
            order = output_order(self.estimator_, targets.hierarchy, named)
            names = [targets.hierarchy.labels[k] for k in order]
            targets = Targets(targets.Y[:, order], targets.hierarchy.subset(names))
            if weight is not None and weight.shape[1] > 1:
                weight = weight[:, order]
        if self._is_frozen():
            rows = np.arange(targets.Y.shape[0])
            proba = positive_proba(self.estimator_, X, targets.hierarchy.n_labels)
        else:
            Y = y if named else targets.Y  # with names, where it has
            splits = split_rows(self.cv, X, Y, routed.splitter.split)
            rows, proba = out_of_fold(
                inner,
                X,
                y,
                targets.Y,
                splits,
                params=params,
                fits=Fits(self, self.verbose),
                n_jobs=self.n_jobs,
            )
        self._warn_without_levels(targets.hierarchy)
        levels = np.asarray(targets.hierarchy.depth)
        self.maps_ = self._fit_maps(proba, targets.Y, weight, rows, levels)
        if all(isinstance(one, Identity) for one in self.maps_):
            warn_user(
                f"The samples to calibrate with know only one value of every label "
                f"({name_list(targets.hierarchy.labels)}): probabilities stay as they "
                f"are. Calibrate with samples that hold some labels and not others."
            )
        self.hierarchy_ = targets.hierarchy
        self.label_names_ = targets.label_names
        self.label_counts_ = parent_counts(targets.Y, targets.hierarchy)
        self.classes_ = targets.output_classes
        return self

    def _fit_classes(self, X, y, targets, weight, routed):
        """Fit to one class per sample."""
        params = routed.estimator.fit
        self.estimator_ = self._fit_estimator(self.estimator, X, y, params)
        classes = np.asarray(self.estimator_.classes_)
        hierarchy = _hierarchy_of_classes(classes, targets, self.estimator_)
        if self._is_frozen():
            rows = np.arange(len(y))
            proba = proba_of_classes(self.estimator_, X, classes)
        else:
            splits = split_rows(self.cv, X, y, routed.splitter.split)
            rows, proba = classes_out_of_fold(
                self.estimator,
                X,
                y,
                classes,
                splits,
                params=params,
                fits=Fits(self, self.verbose),
                n_jobs=self.n_jobs,
            )
        Y = (targets.classes[targets.codes][:, None] == classes).astype(np.float64)
        positions = [hierarchy.position(plain(label)) for label in classes]
        levels = np.asarray(hierarchy.depth)[positions]
        self.maps_ = self._fit_maps(proba, Y, weight, rows, levels)
        self.hierarchy_ = hierarchy
        self.label_names_ = Targets(Y, hierarchy).label_names
        labels = np.zeros((len(Y), hierarchy.n_labels))
        labels[:, positions] = Y
        self.label_counts_ = parent_counts(close_upward(labels, hierarchy), hierarchy)
        self.classes_ = classes
        return self

    def _warn_without_levels(self, hierarchy):
        missing = self.hierarchy is None and not len(hierarchy.edges)
        if self.per == "level" and missing:
            name = type(self.estimator).__name__
            warn_user(
                f"per='level' without levels: no hierarchy was given, and {name} has "
                f"none, so that all labels share a map. Pass hierarchy=..."
            )

    def _is_frozen(self):
        """Tell whether there is nothing to fit, and so nothing to split."""
        return isinstance(self.estimator, FrozenEstimator)

    def _fit_estimator(self, inner, X, y, params):
        """Return the fitted estimator; a frozen one is only looked at."""
        if self._is_frozen():
            check_is_fitted(inner)
            return inner
        return fit_as_is(inner, X, y, params)

    def _fit_maps(self, proba, Y, weight, rows, levels):
        weight = count_once(rows, None if weight is None else weight[rows])
        return fit_maps(
            proba,
            Y[rows],
            None if weight is None else weight.reshape(len(rows), -1),
            levels,
            method=self.method,
            per=chosen_per(self.per, self.method),
            shrinkage=self.shrinkage,
        )

    # -- predictions -------------------------------------------------------------------

    def _raw_proba_blocks(self, X):
        """Return Blocks of calibrated probabilities of labels, or of classes."""
        if self._one_class:
            proba = self._proba_of_classes(X)
        else:
            given = positive_proba(self.estimator_, X, len(self.label_names_))
            proba = apply_maps(self.maps_, given)
        return Blocks([proba], len(proba))

    def _proba_of_classes(self, X):
        given = proba_of_classes(self.estimator_, X, self.classes_)
        proba = apply_maps(self.maps_, given)
        total = proba.sum(axis=1, keepdims=True)
        # where all maps say 0 nothing is left to divide
        return np.where(total > 0, proba / np.where(total > 0, total, 1), given)

    def predict(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return the labels more probable than not (n_samples, n_labels), int.

        Coherent with ``hierarchy_`` unless ``coherence=None``. After a 1-D y the most
        probable class of every sample (n_samples,).
        """
        self._check_ready()
        return self._indicators(X, self.coherence)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.target_tags.multi_output = inner.target_tags.multi_output
        return tags


def _read_weight(sample_weight, targets):
    """Return the weights of the maps (n_samples, 1 or n_labels), or None.

    Their scale counts: 2 is the sample twice.
    """
    n_samples, n_labels = targets.Y.shape
    n_columns = n_labels if targets.classes is None else None
    weight = check_sample_weight(sample_weight, n_samples, n_columns)
    if weight is None:
        return None
    read_row_weights(weight.ravel(), weight.size)  # the sum must be finite
    return weight.reshape(n_samples, -1)


def _hierarchy_of_classes(classes, targets, estimator):
    """Return a hierarchy that holds all classes of the fitted estimator."""
    known = {plain(label) for label in classes.tolist()}
    new = [x for x in targets.classes.tolist() if plain(x) not in known]
    if new:
        raise ValueError(
            f"y holds the classes {name_list(new)}, to which "
            f"{type(estimator).__name__} was not fitted: it knows "
            f"{name_list(classes.tolist())}. Calibrate it with samples of these."
        )
    if all(label in targets.hierarchy for label in known):
        return targets.hierarchy
    return Hierarchy.flat(classes.tolist())

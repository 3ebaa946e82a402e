"""HierarchicalVotingClassifier: the mean of several classifiers, coherent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import (
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
)
from sklearn.utils import Bunch, get_tags, indexable
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import _num_samples, check_is_fitted

from skhmc._data.flat_names import judge_flat
from skhmc._data.forms import read_form
from skhmc._data.parent_counts import parent_counts
from skhmc._data.targets import read_fit_labels, require_y
from skhmc._data.weights import check_finite_sum, match_weight, to_mean_1
from skhmc._meta.delegation import (
    is_frozen,
    known_hierarchy,
    may_take_weights,
    takes_groups,
)
from skhmc._meta.fits import Fits
from skhmc._meta.members import (
    DROPPED,
    check_members,
    fit_member,
    given_weights,
    is_dropped,
    prepared,
    proba_of,
    scores_all_but_one,
    unseen_proba,
    without_dropped,
)
from skhmc._meta.mixtures import AVERAGES, Classes, Labels, simplex_weights
from skhmc._meta.out_of_fold import is_number_of_folds, read_cv, split_rows
from skhmc._meta.recommended import asking, recommended
from skhmc._networks.hcal import HCALClassifier
from skhmc._scoring.answers import check_can_stop
from skhmc._scoring.outputs import Blocks
from skhmc._scoring.proba_outputs import ProbaOutputsMixin
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import each_kind_once, warn_user
from skhmc.coherence import RULES, RuleNames, is_single_path, stopping_points
from skhmc.paths import PathSpace

__all__ = ["HierarchicalVotingClassifier"]

SPLITTER = "cv__splitter"  # among names of members, which hold no "__"
MAX_CELLS = 2**22  # scores of unseen rows that weights are found by, of every member


class HierarchicalVotingClassifier(
    ProbaOutputsMixin, ClassifierMixin, MetaEstimatorMixin, _BaseComposition
):
    r"""Means of the probabilities of several classifiers, coherent with a hierarchy.

    A network, a forest and a kernel err on different samples, and their mean is better
    than each of them on most data sets. Members may be any classifiers with
    probabilities: of this package, of scikit-learn, of one label or of several,
    Pipelines. Without any, the recommended ones for the data at hand vote.

    Parameters
    ----------
    estimators : list of (str, estimator), default=None
        Names and classifiers. "drop" in place of a classifier leaves it out. Members
        with a parameter ``hierarchy`` get ``hierarchy``. If they have one, it is put in
        the order of Y's columns, by name. None takes the members in the Notes.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Label hierarchy. None uses that of the first member that has one; if none has,
        labels are flat. Columns of a DataFrame Y are matched by name.
    weights : {"auto", "cv"}, dict or array-like of shape (n_members,), default="auto"
        Weights of the members, at least 0, by name or in the order of ``estimators``.
        They are divided by their sum. "auto" is the rule in the Notes for recommended
        members, and equal weights for given ones. "cv" finds weights by the log loss of
        samples that members have not seen.
    cv : int, splitter, iterable or None, default=5
        Number of folds of :class:`skhmc.model_selection.MultilabelStratifiedKFold`
        (None: 5), or how else to split. Only used by ``weights="cv"``.
    average : {"proba", "logit"}, default="proba"
        Whether the mean is taken of probabilities, or of their log-odds. After a 1-D y,
        the latter are log-probabilities.
    coherence : str or None, default="average"
        Rule that makes the mean coherent, from the table of
        :ref:`rules <coherence-rules>`. None leaves the mean as it is. May change after
        ``fit``.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5; where every sample in
        ``fit`` had one label per level of a tree, it is the most probable path. After a
        1-D y, None predicts the most probable class. With a number, the prediction goes
        from the root towards this class, and stops at the deepest label above the
        number.
    proba_format : {"array", "list"}, default="array"
        Form of ``predict_proba``; "list" is MultiOutputClassifier's.
    n_jobs : int, default=None
        Number of members fitted at a time.
    verbose : int, default=0
        Verbosity: 1 shows a bar of the members that are fitted.
    random_state : int, RandomState instance or None, default=None
        Seeds the recommended members. Given ones keep their own seeds.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted members, without those that are dropped. Members that know of no
        hierarchy are in a :class:`skhmc.CoherentClassifier`.
    named_estimators_ : Bunch
        The same by name, with "drop" for those that are dropped.
    weights_ : ndarray of shape (n_members,)
        How much each of ``estimators_`` counts; the sum is 1.
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,), object
        Names of the columns of all outputs.
    label_counts_ : ndarray of shape (n_labels, 2)
        Training samples that have a label, and that have all its parents: what
        scorers weigh labels by.
    classes_ : ndarray
        ``[[0, 1]] * n_labels``. After a 1-D y, its classes, sorted.
    n_features_in_, feature_names_in_
        Number and names of the features, if a member has them.

    Raises
    ------
    ValueError
        In ``fit``, if names or weights of members are not right, if a member has no
        ``predict_proba``, or if none is left.

    See Also
    --------
    skhmc.CoherentClassifier : One classifier of scikit-learn made coherent.
    skhmc.KernelHMC : A member whose scores of unseen samples cost no folds.

    Notes
    -----
    With members m and weights :math:`a_m`, the probability of label l before the
    coherence step is

    .. math::
        P_l(x) = \sum_m a_m P_{ml}(x) \quad \text{or} \quad
        P_l(x) = \sigma \Big( \sum_m a_m \operatorname{logit} P_{ml}(x) \Big),

    where probabilities stay :math:`10^{-5}` away from 0 and 1 in a logit. The mean of
    coherent probabilities is coherent.

    **Recommended members**, by the shape of the data. Numeric features: two parts
    network (:class:`skhmc.HCALClassifier`), one part forest, one part kernel
    (:class:`skhmc.KernelHMC`). Fewer rows than twice the features, or more than half of
    the features with two values at most: one part network, one forest, two kernel.
    Sparse X (of scipy, not a DataFrame): two parts network, one kernel, one
    :class:`skhmc.LabelTreeClassifier`. More than 3000 dense features: network and
    kernel. Single paths: the network alone; but with "cv" or numbers as ``weights`` the
    members for that shape. X that is not 2-D, or more than :math:`2^{28}` cells of Y:
    the network alone. The kernel is "rbf", and the cosine where sparse rows do not have
    length 1. It is exact up to 10,000 samples, and with "cv" or numbers as ``weights``
    up to 20,000, if there is the memory. The forest has 200 extremely randomised trees,
    each grown to random sums of the labels, so that they cost little with many labels.
    The scale of ``sample_weight`` does not matter to these members. The page "Several
    classifiers vote" of the user guide says how they were chosen.

    **weights="cv"** minimises the log loss of the mean over all known labels of samples
    that members were not fitted to, with weights of at least 0 and the sum 1. The
    problem is convex. Weights found on n samples count :math:`n / (n + 100)`, equal
    weights the rest. A member with a method ``leave_one_out_proba`` is not fitted in
    folds, unless ``groups`` are given. Where samples times labels are more than 4
    million, a part of the samples is drawn for this.

    **Unknown labels** (NaN in Y) and weights with a column per label are handed to the
    members. A classifier of scikit-learn that does not take them is fitted once per
    label, with the weights of the label, to the rows that know it.

    References
    ----------
    Breiman, "Stacked Regressions", Machine Learning, 1996.

    Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning, 2006.

    Joly, Geurts and Wehenkel, "Random forests with random projections of the output
    space for high dimensional multi-label classification", ECML PKDD 2014.

    Examples
    --------
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skhmc import HierarchicalVotingClassifier
    >>> from skhmc.datasets import load_digit_properties
    >>> digits = load_digit_properties()
    >>> X, Y = digits.data / 16, digits.target
    >>> clf = HierarchicalVotingClassifier(
    ...     [("trees", ExtraTreesClassifier(20, random_state=0)),
    ...      ("linear", LogisticRegression())],
    ...     digits.hierarchy,
    ...     weights={"trees": 2, "linear": 1},
    ... )
    >>> clf.fit(X[digits.train], Y[digits.train]).weights_.round(2)
    array([0.67, 0.33])
    >>> clf.predict_labels(X[digits.test][:1], most_specific=True)
    [['digit 0']]
    """

    _parameter_constraints: dict = {
        "estimators": [list, None],
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "weights": [StrOptions({"auto", "cv"}), Mapping, "array-like"],
        "cv": ["cv_object"],
        "average": [StrOptions(set(AVERAGES))],
        "coherence": [StrOptions(RuleNames()), None],
        "threshold": [None, Interval(Real, 0, 1, closed="both")],
        "proba_format": [StrOptions({"array", "list"})],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    # they are for the members and the splitter, who say by their own requests
    __metadata_request__fit = {"sample_weight": UNUSED, "groups": UNUSED}

    def __init__(
        self,
        estimators: list[tuple[str, Any]] | None = None,
        hierarchy: Any = None,
        *,
        weights: Any = "auto",
        cv: Any = 5,
        average: str = "proba",
        coherence: str | None = "average",
        threshold: float | None = None,
        proba_format: str = "array",
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimators = estimators
        self.hierarchy = hierarchy
        self.weights = weights
        self.cv = cv
        self.average = average
        self.coherence = coherence
        self.threshold = threshold
        self.proba_format = proba_format
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    # -- the members, as parameters ----------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with the members by name and their own parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the members and their parameters, too.

        Returns
        -------
        dict of str to object
            Values by name.
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, members by name, or parameters of members.

        Parameters
        ----------
        **params : object
            Such as ``weights="cv"``, ``trees="drop"`` or ``trees__max_depth=3``.

        Returns
        -------
        self
            The same classifier.
        """
        self._set_params("estimators", **params)
        return self

    def _check_members(self):
        """Return names and classifiers of the given members that are not dropped."""
        check_members(self.estimators)
        self._validate_names([name for name, _ in self.estimators])
        members = without_dropped(self.estimators)
        frozen = [name for name, member in members if is_frozen(member)]
        if frozen and self._finds_weights:
            raise InvalidParameterError(
                f"weights='cv' fits every member without a part of the samples, but "
                f"member {frozen[0]!r} is frozen. Use weights='auto', or numbers."
            )
        return members

    @property
    def _has_own_weights(self):
        return not (isinstance(self.weights, str) and self.weights == "auto")

    @property
    def _finds_weights(self):
        return isinstance(self.weights, str) and self.weights == "cv"

    # -- fit ---------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)  # those of members
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        **params: Any,
    ) -> Self:
        """Fit all members to the closed labels, and find their weights.

        Parameters
        ----------
        X : object of n_samples rows
            Samples as the members take them.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown. Missing ancestors are added, with a
            warning. Or lists of label names; or most specific labels (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights, handed to all members, and heeded by ``weights="cv"``.
        groups : array-like of shape (n_samples,), default=None
            Group of every sample, such as its patient. With ``weights="cv"``, an int
            ``cv`` then keeps groups together. Members that take groups get them.
        **params : dict
            Other parameters of ``fit`` of all members. With metadata routing, they, the
            weights and the groups are passed to the objects that request them.

        Returns
        -------
        self
            The fitted classifier.
        """
        self.__dict__.pop("classes_", None)  # unfitted, should this fail
        require_y(self, y)
        members = None if self.estimators is None else self._check_members()
        X, targets, weight, given_weight = self._read(members, X, y, sample_weight)
        self._space = _paths(targets)
        members, weights = self._voters(members, X, targets)
        if self.estimators is None and given_weight is not None:
            given_weight = _of_any_scale(given_weight)
        routed, split = self._route(members, given_weight, groups, params)
        ready = [prepared(member, targets.hierarchy) for _, member in members]
        with each_kind_once():
            self.estimators_ = self._run(
                "members",
                fit_member,
                (
                    (member, X, targets, routed[name])
                    for (name, _), member in zip(members, ready, strict=True)
                ),
            )
            return self._weigh(members, weights, X, targets, weight, routed, split)

    def _run(self, what, function, arguments):
        """Return what calls of a function return, several at a time, with a bar."""
        fits = Fits(self, self.verbose)
        found, kept = fits.run(what, function, arguments, n_jobs=self.n_jobs)
        for one in itertools.chain(*kept):
            warn_user(*one)
        return found

    def _weigh(self, members, weights, X, targets, weight, routed, split):
        """Find the weights of fitted members, and set what is fitted."""
        names = [name for name, _ in members]
        if self._finds_weights and len(names) > 1:
            weights = self._found_weights(names, X, targets, weight, routed, split)
        self.weights_ = weights
        all_names = [name for name, _ in self.estimators or members]
        fitted = dict(zip(names, self.estimators_, strict=True))
        self.named_estimators_ = Bunch(**dict.fromkeys(all_names, DROPPED) | fitted)
        self.hierarchy_ = targets.hierarchy
        self.label_names_ = targets.label_names
        self.label_counts_ = parent_counts(targets.Y, targets.hierarchy)
        self.classes_ = targets.output_classes
        return self

    def _read(self, members, X, y, sample_weight):
        """Return X, the labels, and the weights: with a mean of 1, and as given."""
        given = y
        y, source = read_form(y, self._source(members))
        X, y = indexable(X, y)
        targets, weight = read_fit_labels(Bunch(hierarchy=source), X, y, sample_weight)
        if source is None:
            judge_flat(targets.hierarchy)
        if self.coherence is not None:
            RULES[self.coherence].check(targets.hierarchy)
        if targets.classes is not None:
            check_can_stop(self.threshold, targets.hierarchy)
        sample_weight = match_weight(sample_weight, given, targets)
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight, dtype=np.float64)
            if not sample_weight.ndim:  # one number for all
                sample_weight = np.full(targets.Y.shape[0], sample_weight)
            check_finite_sum(sample_weight)
        return X, targets, weight, sample_weight

    def _voters(self, members, X, targets):
        """Return names and classifiers of members, and how much each counts."""
        if members is None:
            single_path = self._space is not None or targets.classes is not None
            members, weights = recommended(
                X, targets.Y, single_path, self.random_state, self._has_own_weights
            )
        else:
            weights = np.full(len(members), 1 / len(members))
        if not isinstance(self.weights, str):
            places = members if self.estimators is None else self.estimators
            weights = given_weights(self.weights, places)
        return members, weights

    def _source(self, members):
        """Return the hierarchy, or that of the first member that has one."""
        if self.hierarchy is not None:
            return self.hierarchy
        for _, member in members or ():
            known = known_hierarchy(member, is_frozen(member))
            if known is not None:
                return known
        return None

    def _route(self, members, sample_weight, groups, params):
        """Return the parameters of ``fit`` of every member, and those of ``split``."""
        given = {"sample_weight": sample_weight, "groups": groups, **params}
        given = {name: value for name, value in given.items() if value is not None}
        if self.estimators is not None and get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **given)
            split = routed[SPLITTER].split if SPLITTER in routed else {}
            return {name: dict(routed[name].fit) for name, _ in members}, split
        groups = given.pop("groups", None)
        grouped = [name for name, member in members if takes_groups(member)]
        splits = self._finds_weights and len(members) > 1
        if groups is not None and not grouped and not splits:
            raise ValueError(
                f"groups were given, but none of the members "
                f"{name_list([name for name, _ in members])} takes any in fit. Leave "
                f"them out, or route them: sklearn.set_config("
                f"enable_metadata_routing=True)."
            )
        routed = {}
        for name, member in members:
            if sample_weight is not None and not may_take_weights(member):
                raise ValueError(
                    f"sample_weight was given, but member {name!r}, "
                    f"{type(member).__name__}, takes none in fit. Leave it out, or "
                    f"route it: sklearn.set_config(enable_metadata_routing=True)."
                )
            routed[name] = dict(given)
            if groups is not None and name in grouped:
                routed[name]["groups"] = groups
        return routed, {} if groups is None else {"groups": groups}

    def _found_weights(self, names, X, targets, weight, routed, split):
        """Return weights by the log loss of samples that members have not seen."""
        y = targets.Y if targets.classes is None else targets.classes[targets.codes]
        splits = None
        grouped = split.get("groups") is not None
        by_folds = [grouped or not scores_all_but_one(m) for m in self.estimators_]
        if any(by_folds):
            splits = split_rows(self.cv, X, y, split)
        unseen = self._run(
            "members without a fold",
            unseen_proba,
            (
                (member, X, targets, splits if folds else None, routed[name])
                for name, member, folds in zip(
                    names, self.estimators_, by_folds, strict=True
                )
            ),
        )
        return weights_of_unseen(unseen, targets, weight, self.average)

    # -- predictions -------------------------------------------------------------------

    def _raw_proba_blocks(self, X):
        check_is_fitted(self, "classes_")
        n_samples = _num_samples(X)
        if self.classes_.shape == (1,):
            return Blocks([np.ones((n_samples, 1))], n_samples)
        mean = (Classes if self._one_class else Labels)(self.average)
        counted = [k for k, weight in enumerate(self.weights_) if weight > 0]
        probas = (proba_of(self.estimators_[k], X, self.classes_) for k in counted)
        return Blocks([mean.mean(probas, self.weights_[counted])], n_samples)

    def _above(self, proba):
        if self._space is None or self.threshold is not None or self.coherence is None:
            return super()._above(proba)
        best = self._space.outcome_proba(proba).argmax(axis=1)
        return self._space.members[best][:, : proba.shape[1]].toarray()

    def _indicators(self, X, coherence):
        if coherence is not None or self._one_class:
            return super()._indicators(X, coherence)
        blocks = self._labels_proba_blocks(X, None)
        return blocks.map(super()._above).array(np.int64)

    # -- what scikit-learn asks --------------------------------------------------------

    def _of_a_member(self, attribute):
        for member in self.estimators_:
            if hasattr(member, attribute):
                return getattr(member, attribute)
        raise AttributeError(f"No member has the attribute {attribute!r}.")

    @property
    def n_features_in_(self) -> int:
        return self._of_a_member("n_features_in_")

    @property
    def feature_names_in_(self) -> np.ndarray:
        return self._of_a_member("feature_names_in_")

    def get_metadata_routing(self) -> Any:
        """Return which metadata ``fit`` hands on: to the members, and the splitter.

        Returns
        -------
        MetadataRouter
            Scikit-learn's description of requests. Recommended members ask for
            ``sample_weight`` and ``groups``.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        fit = MethodMapping().add(caller="fit", callee="fit")
        for name, member in self.estimators or [_asking()]:
            if not is_dropped(member):
                router.add(**{name: member}, method_mapping=fit)
        if self._finds_weights:
            split = MethodMapping().add(caller="fit", callee="split")
            cv = self.cv
            if is_number_of_folds(cv):
                cv = read_cv(None, grouped=True)  # which asks for groups
            router.add(**{SPLITTER: cv}, method_mapping=split)
        return router

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        members = self.estimators or [_asking()]
        inner = [get_tags(m) for _, m in members if not is_dropped(m)]
        tags.input_tags.sparse = all(t.input_tags.sparse for t in inner)
        tags.input_tags.allow_nan = all(t.input_tags.allow_nan for t in inner)
        tags.non_deterministic = any(t.non_deterministic for t in inner)
        return tags


def _asking():
    """Return a name and a classifier that asks for what recommended members take."""
    return "recommended", asking(HCALClassifier())


def _of_any_scale(weight):
    """Return sample weights of which those above 0 have a mean of 1.

    A LabelTreeClassifier multiplies its C by them. Neither their scale nor rows of
    weight 0, which are as good as left out, should change C for recommended members.
    """
    scaled = np.zeros_like(weight)
    scaled[weight > 0] = to_mean_1(weight[weight > 0])
    return scaled


def _paths(targets):
    """Return the paths that samples have, None where they have several labels each."""
    hierarchy = targets.hierarchy
    if targets.classes is not None or not len(hierarchy.edges):
        return None
    if not is_single_path(targets.Y, hierarchy):
        return None
    return PathSpace(hierarchy, *stopping_points(targets.Y, hierarchy))


def weights_of_unseen(unseen, targets, weight, average):
    """Return weights by what members say of rows that they have not seen.

    Parameters
    ----------
    unseen : list of (rows, proba)
        Of every member: all rows in their order, or the rows of folds.
    targets : Targets
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
    average : str
    """
    n_samples, n_columns = targets.Y.shape[0], unseen[0][1].shape[1]
    folds = [rows for rows, _ in unseen if not _in_order(rows, n_samples)]
    rows = folds[0] if folds else np.arange(n_samples)
    most = max(MAX_CELLS // n_columns, 1)
    kept = np.arange(len(rows))
    if len(kept) > most:
        kept = np.sort(np.random.default_rng(0).permutation(kept)[:most])
    rows = rows[kept]
    probas = [
        proba[rows if len(folds) and _in_order(of, n_samples) else kept]
        for of, proba in unseen
    ]
    if targets.classes is None:
        Y = targets.Y[rows]
        Y = Y.toarray() if sp.issparse(Y) else Y
    else:
        Y = np.zeros((len(rows), n_columns))
        # the log loss of classes is that of the true one; its log-odds need the others
        Y[:] = np.nan if average == "proba" else 0
        Y[np.arange(len(rows)), targets.codes[rows]] = 1
    return simplex_weights(probas, Y, average, None if weight is None else weight[rows])


def _in_order(rows, n_samples):
    return np.array_equal(rows, np.arange(n_samples))

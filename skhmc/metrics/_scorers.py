"""Scorers: metrics that ask the fitted estimator for its hierarchy."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Hashable, Iterable
from difflib import get_close_matches
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.metadata_routing import MetadataRequest

from skhmc._data.containers import unwrap
from skhmc._data.responses import (
    class_labels,
    find,
    match_labels,
    n_dimensions,
    positive_scores,
    raw_predict,
    single_label,
    top_labels,
)
from skhmc.hierarchy import Hierarchy
from skhmc.metrics._information import bits_of_counts
from skhmc.metrics._violation import hierarchical_violation_rate

__all__ = ["HierarchicalScorer", "HierarchicalViolationRate"]

BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
RESPONSES = ("auto", "predict", "predict_proba")
OPTIONS = ("hierarchy", "response_method", "raw", "greater_is_better")
# what the options were called in former versions of sklearn.metrics.make_scorer
FORMER = {"needs_proba": "response_method", "needs_threshold": "response_method"}
LIKE = 0.8  # how alike names are of which one may be the other, misspelt
SHORT = 4  # letters of a name that may be the beginning of an option's


class HierarchicalScorer:
    """Scorer of a hierarchical metric: ``scorer(estimator, X, y)``, greater is better.

    Accepted wherever scikit-learn takes ``scoring=``: ``cross_val_score``,
    ``cross_validate``, searches (alone, or in a dict), also over Pipelines.

    Parameters
    ----------
    metric : callable
        Function ``metric(y_true, response, *, hierarchy, **kwargs) -> float``, such as
        :func:`hierarchical_f1_score`. It gets ``sample_weight`` if it has this
        parameter.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes, default=None
        The labels and edges. None reads ``hierarchy_`` from the fitted estimator,
        through Pipelines, searches and meta-estimators. If there is none, a metric
        whose ``hierarchy`` defaults to None gets None.
    response_method : {"auto", "predict", "predict_proba"}, default="auto"
        Method whose result the metric judges; "auto" is "predict_proba" for metrics
        with a parameter ``y_score``, else "predict". ``"predict_proba"`` takes an array
        (n_samples, n_labels) or a list of one array per label, and falls back to
        ``decision_function``.
    raw : bool, default=False
        Whether to judge the predictions before the coherence step: ``predict_raw(X)``
        if the estimator has it, else ``predict(X)``. Only with ``"predict"``.
    greater_is_better : bool, default=True
        Whether a greater value of the metric is better. False negates the value, so
        that a greater score is better.
    **kwargs : dict
        Keyword arguments that the metric gets in every call.

    Raises
    ------
    TypeError
        If one of ``kwargs`` is no argument of the metric, or looks like a misspelt
        option of the scorer where the metric takes any argument.
    ValueError
        In a call, if no hierarchy is given or found, or shapes or names do not match.

    Notes
    -----
    Columns are matched to labels by name, if there are names: the columns of a
    predicted DataFrame, the estimator's ``label_names_``, the columns of ``y``. A
    hierarchy learnt from data (``learned_hierarchy_``) is never used.

    A metric with a parameter ``information``, such as :func:`s_min_score`, gets the
    information accretion by the labels that the estimator was fitted to
    (``label_counts_``).

    A 1-D ``y`` holds one label per sample, which stands for itself and its ancestors;
    the score of a label is then the probability of the classes at and below it.

    Displays of scikit-learn, such as LearningCurveDisplay, read the name of the metric
    from the scorer's ``__name__``, which begins with ``neg_`` where it is negated.

    Metrics at k, such as :func:`precision_at_k_score`, judge what ``predict_top_k(X,
    k)`` returns, where the estimator has this method and its own hierarchy is used:
    scores of all labels are never held.

    NaN in ``y`` (unknown) does not count. Scikit-learn splits such ``y`` only with an
    explicit splitter (``cv=KFold(5)``, not ``cv=5``).

    Examples
    --------
    >>> from skhmc.metrics import HierarchicalScorer, hierarchical_f1_score
    >>> animals = {"cat": "mammal", "dog": "mammal"}
    >>> HierarchicalScorer(hierarchical_f1_score, animals, average="samples")
    HierarchicalScorer(hierarchical_f1_score,
                       hierarchy={'cat': 'mammal', 'dog': 'mammal'}, average='samples')
    """

    def __init__(
        self,
        metric: Callable[..., float],
        hierarchy: Any = None,
        *,
        response_method: str = "auto",
        raw: bool = False,
        greater_is_better: bool = True,
        **kwargs: Any,
    ) -> None:
        self.metric = metric
        self.hierarchy = hierarchy
        self.response_method = response_method
        self.raw = raw
        self.greater_is_better = greater_is_better
        self.kwargs = kwargs
        self._check_arguments()

    def _check_arguments(self):
        """Raise when an argument of the metric may be a misspelt option."""
        try:
            parameters = self._parameters()
        except (TypeError, ValueError):  # built-in functions may not say
            parameters = {}
        known = [p.name for p in parameters.values() if p.kind in BY_NAME]
        takes_any = len(known) < len(parameters) or not parameters
        for name in self.kwargs:
            if name in known:
                continue
            option = _option_like(name)
            if option is None and takes_any:
                continue
            meant = "" if option is None else f" Did you mean {option}=...?"
            raise TypeError(
                f"{name}={self.kwargs[name]!r} is no option of {type(self).__name__}, "
                f"which has {', '.join(OPTIONS)}, nor a named argument of "
                f"{self._metric_name()}, which has {', '.join(known) or 'none'}.{meant}"
            )

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, sample_weight: Any = None
    ) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier, Pipeline, search or meta-estimator.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples, n_labels) or (n_samples,), \
                or list of label sets, default=None
            True indicators (NaN is unknown), lists of label names, or one label per
            sample.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, for metrics that take them.

        Returns
        -------
        float
            The metric, negated unless ``greater_is_better``.
        """
        if sample_weight is not None and not self._accept_sample_weight():
            raise ValueError(
                f"{self._metric_name()} takes no sample_weight, got one. Leave it out."
            )
        y = unwrap(y)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        weights |= self._information(estimator)
        hierarchy = self._source(estimator)
        ranked = self._rank(estimator, X, y)
        if ranked is not None:
            hierarchy, y, response = ranked
            value = self._measure(y, response, hierarchy, **weights)
            return float(value) if self.greater_is_better else 0.0 - float(value)
        response = self._respond(estimator, X)
        if n_dimensions(y if y is not None else response) == 1:
            classes = None
            if self.judged_response() == "predict_proba":
                classes = class_labels(estimator, response)
            built = None if hierarchy is None else Hierarchy.build(hierarchy)
            if self.raw and np.ndim(response) == 2:  # indicators, as the net has them
                built, _, response = match_labels(estimator, built, None, response)
            hierarchy, y, response = single_label(built, y, response, classes)
        else:
            hierarchy, y, response = match_labels(estimator, hierarchy, y, response)
        value = self._measure(y, response, hierarchy, **weights)
        return float(value) if self.greater_is_better else 0.0 - float(value)

    def _source(self, estimator):
        if self.hierarchy is not None:
            return self.hierarchy
        hierarchy = find(estimator, "hierarchy_")
        if hierarchy is None and self._parameters()["hierarchy"].default is not None:
            ours = type(self).__name__
            first = "" if ours == "HierarchicalViolationRate" else "metric, "
            raise ValueError(
                f"{ours} found no hierarchy_ in {type(estimator).__name__}, expected "
                f"an estimator fitted with a hierarchy. Pass the hierarchy to the "
                f"scorer: {ours}({first}hierarchy=...)."
            )
        return hierarchy

    def _information(self, estimator):
        """Return the bits of labels, from training, for a metric that needs them."""
        if "information" not in self._parameters() or "information" in self.kwargs:
            return {}
        counts = find(estimator, "label_counts_")
        names = find(estimator, "label_names_")
        if counts is None or names is None:
            raise ValueError(
                f"{self._metric_name()} found no label_counts_ in "
                f"{type(estimator).__name__}, expected an estimator of skhmc, which "
                f"counts training labels. Pass the bits to the scorer: "
                f"HierarchicalScorer(metric, information=information_accretion("
                f"y_train, hierarchy))."
            )
        bits = bits_of_counts(np.asarray(counts)).tolist()
        return {"information": dict(zip(names, bits, strict=True))}

    def judged_response(self) -> str:
        """Return what is judged: "predict" or "predict_proba"."""
        if self.response_method not in RESPONSES:
            raise ValueError(
                f"response_method must be one of {RESPONSES}, got "
                f"{self.response_method!r}."
            )
        if self.response_method != "auto":
            return self.response_method
        return "predict_proba" if "y_score" in self._parameters() else "predict"

    def _respond(self, estimator, X):
        if self.judged_response() == "predict":
            return raw_predict(estimator, X) if self.raw else estimator.predict(X)
        if self.raw:
            raise ValueError("raw=True needs a metric of predict.")
        return positive_scores(estimator, X)

    def _rank(self, estimator, X, y):
        """Return hierarchy, y and the most probable labels, for metrics at k.

        None where the metric is another one, or needs the scores of all labels.
        """
        options = {p.name: p.default for p in self._parameters().values()}
        if not {"y_score", "k", "among"} <= set(options):
            return None
        options |= self.kwargs
        k, among = options["k"], options["among"]
        hierarchy = find(estimator, "hierarchy_")
        if (
            self.judged_response() != "predict_proba"
            or self.hierarchy is not None
            or hierarchy is None
            or options.get("exclude") is not None
            or not isinstance(k, Integral)
            or k < 1
            or y is None
            or n_dimensions(y) == 1
        ):
            return None
        matched, Y, _ = match_labels(estimator, hierarchy, y, None)
        if list(matched.labels) != list(hierarchy.labels):
            return None
        n_candidates = (
            len(hierarchy.leaves) if among == "leaves" else hierarchy.n_labels
        )
        k = min(k + _most_unknown(Y), n_candidates)
        found = top_labels(estimator, X, k, among)
        return None if found is None else (matched, Y, found)

    def _measure(self, y, response, hierarchy, **weights):
        if y is None:
            raise ValueError(f"{self._metric_name()} needs y, got None. Pass it.")
        return self.metric(y, response, hierarchy=hierarchy, **self.kwargs, **weights)

    # -- scikit-learn's protocol ---------------------------------------------------

    def _parameters(self):
        return inspect.signature(self.metric).parameters

    def _accept_sample_weight(self):
        return "sample_weight" in self._parameters()

    def set_score_request(self, **requests: Any) -> HierarchicalScorer:
        """Say which metadata to route to this scorer.

        Parameters
        ----------
        **requests : dict
            Request for ``sample_weight``: True asks for it, False refuses it, a string
            asks for it under this name.

        Returns
        -------
        HierarchicalScorer
            The scorer itself.
        """
        known = ["sample_weight"] if self._accept_sample_weight() else []
        unknown = [name for name in requests if name not in known]
        if unknown:
            raise TypeError(
                f"{self._metric_name()} cannot request {unknown}; it takes {known}."
            )
        self._requests = requests
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return which metadata this scorer asks for.

        Returns
        -------
        MetadataRequest
            Scikit-learn's description of requests.
        """
        request = MetadataRequest(owner=type(self).__name__)
        if self._accept_sample_weight():
            alias = getattr(self, "_requests", {}).get("sample_weight")
            request.score.add_request(param="sample_weight", alias=alias)
        return request

    @property
    def __name__(self) -> str:  # read by displays of scikit-learn
        metric = self.metric
        while hasattr(metric, "func"):  # functools.partial
            metric = metric.func
        name = getattr(metric, "__name__", type(metric).__name__)
        return name if self.greater_is_better else f"neg_{name}"

    def _metric_name(self):
        return getattr(self.metric, "__name__", repr(self.metric))

    def __repr__(self):
        return self._show([self._metric_name()], _changed(self, HierarchicalScorer))

    def _show(self, arguments, named):
        name = type(self).__name__
        arguments = arguments + [f"{key}={value!r}" for key, value in named.items()]
        line = f"{name}({', '.join(arguments)})"
        if len(line) <= 80 or len(arguments) < 2:
            return line
        pad = "\n" + " " * (len(name) + 1)
        return f"{name}({arguments[0]},{pad}{', '.join(arguments[1:])})"


class HierarchicalViolationRate(HierarchicalScorer):
    """Scorer of the hierarchical violation rate (HVR), negated: 0 is best, -1 worst.

    Any prediction that is closed upward scores 0, and so does an empty one. So always
    show it beside a measure of quality such as AU(PRC).

    Parameters
    ----------
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes, default=None
        The labels and edges. None reads ``hierarchy_`` from the fitted estimator,
        through Pipelines, searches and meta-estimators.
    unit : {"sample", "edge", "prediction"}, default="sample"
        Unit that is counted, as in :func:`hierarchical_violation_rate`: samples with a
        violated edge, edges of samples, or the predicted labels.
    raw : bool, default=False
        Whether to judge the predictions before the coherence step: ``predict_raw(X)``
        if the estimator has it, else ``predict(X)``.
    exclude : None, "roots" or iterable of label names, default=None
        Labels whose edges do not count, as child or as parent.

    Raises
    ------
    ValueError
        When called and no hierarchy is given or found.

    Warns
    -----
    UserWarning
        When called with a hierarchy without edges, for which every rate is 0.

    Notes
    -----
    A hierarchy learnt from data (``learned_hierarchy_``) is never used: learning no
    edges would score best. A 1-D prediction holds one label per sample, which stands
    for itself and its ancestors, so its rate is 0.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.multioutput import MultiOutputClassifier
    >>> from skhmc.metrics import HierarchicalViolationRate
    >>> X = [[0.0], [1.0], [2.0], [3.0]] * 3
    >>> Y = [[0, 0], [1, 0], [1, 1], [1, 1]] * 3
    >>> scorer = HierarchicalViolationRate([(0, 1)])
    >>> model = MultiOutputClassifier(LogisticRegression())
    >>> cross_val_score(model, X, Y, scoring=scorer, cv=3)
    array([0., 0., 0.])
    """

    def __init__(
        self,
        hierarchy: Any = None,
        unit: str = "sample",
        raw: bool = False,
        exclude: str | Iterable[Hashable] | None = None,
    ) -> None:
        super().__init__(
            hierarchical_violation_rate,
            hierarchy,
            response_method="predict",
            raw=raw,
            greater_is_better=False,
        )
        self.unit = unit
        self.exclude = exclude

    def _measure(self, y, response, hierarchy):
        if not len(hierarchy.edges):
            warnings.warn(
                "The hierarchy has no edge, so its violation rate is 0 whatever is "
                "predicted and says nothing. Pass the hierarchy that matters: "
                "HierarchicalViolationRate(hierarchy=...).",
                UserWarning,
                stacklevel=3,
            )
        return self.metric(response, hierarchy, unit=self.unit, exclude=self.exclude)

    def __repr__(self):
        return self._show([], _changed(self, HierarchicalViolationRate))


def _most_unknown(Y):
    """Return the largest number of unknown labels of a sample."""
    if sp.issparse(Y):
        unknown = np.add.reduceat(np.append(np.isnan(Y.data), False), Y.indptr[:-1])
        return int(unknown[np.diff(Y.indptr) > 0].max(initial=0))
    return int(np.isnan(Y).sum(axis=1).max(initial=0))


def _option_like(name):
    """Return the option of a scorer that a name may stand for, or None."""
    if name in FORMER:
        return FORMER[name]
    name = name.lower()
    begun = [x for x in OPTIONS if len(name) >= SHORT and x.startswith(name)]
    alike = begun or get_close_matches(name, OPTIONS, n=1, cutoff=LIKE)
    return alike[0] if alike else None


def _changed(scorer, kind):
    """Return the arguments of ``kind`` that differ from their defaults."""
    defaults = inspect.signature(kind).parameters.values()
    named = {
        p.name: getattr(scorer, p.name)
        for p in defaults
        if p.default is not p.empty and not _is_same(getattr(scorer, p.name), p.default)
    }
    return named | scorer.kwargs


def _is_same(value, default):
    """Tell the default; a text that was read from a file is another object."""
    return value is default or (isinstance(value, str) and value == default)

"""The one table of metrics that have a name, and what each of them can serve as.

A new metric is a function in a module of its own, one entry here and, to be public, a
line in ``skhmc/metrics/__init__.py``. The entry makes it a ready scorer, a goal of
tuned thresholds, a score for early stopping, or several of these.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from skhmc.metrics._at_k import (
    ndcg_at_k_score,
    precision_at_k_score,
    recall_at_k_score,
)
from skhmc.metrics._cafa import f_max_score, s_min_score, weighted_f_max_score
from skhmc.metrics._calibration import expected_calibration_error
from skhmc.metrics._exact_match import exact_match_score
from skhmc.metrics._hierarchical import (
    hierarchical_f1_score,
    hierarchical_precision_score,
    hierarchical_recall_score,
)
from skhmc.metrics._ranking import au_prc_score
from skhmc.metrics._scorers import HierarchicalScorer, HierarchicalViolationRate
from skhmc.metrics._violation import hierarchical_violation_rate

__all__ = ["METRICS", "Metric", "find_metric", "metric_names"]

USES = {
    "scorer": "a scorer of skhmc",
    "tuning": "a goal of tuned thresholds",
    "stopping": "a score for early stopping",
}


@dataclass(frozen=True)
class Metric:
    """A metric that has a name.

    Parameters
    ----------
    function : callable
        The metric, called as ``function(y_true, response, hierarchy=hierarchy,
        sample_weight=weight, **options)``.
    response : {"predict", "predict_proba"}
        What is judged: predicted indicators or scores.
    uses : tuple of str
        Keys of ``USES``: what the name may be given for. Thresholds can be tuned to
        metrics of "predict", early stopping can watch any; both must be better when
        greater.
    options : mapping
        Further arguments of the function.
    greater_is_better : bool
        False for errors and rates of failure, which scorers negate.
    scorer : HierarchicalScorer or None
        A ready scorer, where it cannot be made of the rest.
    f1_average : {"micro", "macro"} or None
        The average of F1 that the metric is where all label sets are closed, if it is
        one: then the best thresholds can be found exactly.
    whole_sets : bool
        Whether it is the share of label sets that are right as a whole: then the best
        threshold of all labels can be found exactly.
    """

    function: Callable[..., Any]
    response: str
    uses: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    greater_is_better: bool = True
    scorer: HierarchicalScorer | None = None
    f1_average: str | None = None
    whole_sets: bool = False

    def measure(
        self, y_true: Any, response: Any, hierarchy: Any, sample_weight: Any = None
    ) -> float:
        """Return the value of the metric, as it is: not negated."""
        return self.function(
            y_true,
            response,
            hierarchy=hierarchy,
            sample_weight=sample_weight,
            **self.options,
        )

    def make_scorer(self) -> HierarchicalScorer:
        """Return a scorer, which reads the hierarchy from the fitted estimator."""
        if self.scorer is not None:
            return copy.deepcopy(self.scorer)
        options = dict(self.options)
        if not self.greater_is_better:
            options["greater_is_better"] = False
        scorer = HierarchicalScorer(self.function, **options)
        if scorer.judged_response() != self.response:
            scorer.response_method = self.response
        return scorer


def _at(k: int, function: Callable[..., Any]) -> Metric:
    """Return the entry of a metric of the k highest scores."""
    return Metric(function, "predict_proba", ("scorer", "stopping"), {"k": k})


METRICS: dict[str, Metric] = {
    "au_prc": Metric(au_prc_score, "predict_proba", ("scorer", "stopping")),
    "ece": Metric(
        expected_calibration_error,
        "predict_proba",
        ("scorer",),
        greater_is_better=False,
    ),
    "exact_match": Metric(
        exact_match_score, "predict", ("scorer", "tuning"), whole_sets=True
    ),
    "f_max": Metric(f_max_score, "predict_proba", ("scorer", "stopping")),
    "hierarchical_f1": Metric(
        hierarchical_f1_score,
        "predict",
        ("scorer", "tuning", "stopping"),
        f1_average="micro",
    ),
    "hierarchical_precision": Metric(
        hierarchical_precision_score, "predict", ("scorer",)
    ),
    "hierarchical_recall": Metric(hierarchical_recall_score, "predict", ("scorer",)),
    "f1_micro": Metric(
        hierarchical_f1_score,
        "predict",
        ("tuning", "stopping"),
        options={"average": "micro", "close": False},
        f1_average="micro",
    ),
    "f1_macro": Metric(
        hierarchical_f1_score,
        "predict",
        ("tuning", "stopping"),
        options={"average": "macro", "close": False},
        f1_average="macro",
    ),
    "ndcg_at_5": _at(5, ndcg_at_k_score),
    "precision_at_1": _at(1, precision_at_k_score),
    "precision_at_3": _at(3, precision_at_k_score),
    "precision_at_5": _at(5, precision_at_k_score),
    "recall_at_5": _at(5, recall_at_k_score),
    # the training labels, by which these weigh, are known to a scorer only
    "s_min": Metric(s_min_score, "predict_proba", ("scorer",), greater_is_better=False),
    "weighted_f_max": Metric(weighted_f_max_score, "predict_proba", ("scorer",)),
    # no goals: what predicts nothing has no violation
    "hvr": Metric(
        hierarchical_violation_rate,
        "predict",
        ("scorer",),
        greater_is_better=False,
        scorer=HierarchicalViolationRate(),
    ),
    "hvr_raw": Metric(
        hierarchical_violation_rate,
        "predict",
        ("scorer",),
        greater_is_better=False,
        scorer=HierarchicalViolationRate(raw=True),
    ),
}


def metric_names(use: str) -> list[str]:
    """Return the names of the metrics that serve a use, sorted."""
    return sorted(name for name, metric in METRICS.items() if use in metric.uses)


def find_metric(name: str, use: str) -> Metric:
    """Return the metric of a name for a use; another name is an error."""
    if name not in metric_names(use):
        raise ValueError(
            f"{name!r} is not {USES[use]}, expected one of {metric_names(use)}."
        )
    return METRICS[name]

"""Metrics and scorers for hierarchical multi-label classification."""

# the registry is for packages of skhmc: thresholds and early stopping look names up;
# so are the bins of calibration errors, of which pictures are made, and the checks of
# labels and scores

from skhmc.metrics._at_k import (
    coverage_at_k_score,
    label_propensity,
    ndcg_at_k_score,
    precision_at_k_score,
    propensity_scored_precision_at_k_score,
    recall_at_k_score,
)
from skhmc.metrics._calibration import ReliabilityBins as ReliabilityBins
from skhmc.metrics._calibration import expected_calibration_error
from skhmc.metrics._calibration import reliability_bins as reliability_bins
from skhmc.metrics._exact_match import exact_match_score
from skhmc.metrics._hierarchical import (
    hierarchical_f1_score,
    hierarchical_fbeta_score,
    hierarchical_precision_score,
    hierarchical_recall_score,
)
from skhmc.metrics._inputs import check_indicator as check_indicator
from skhmc.metrics._inputs import check_scores as check_scores
from skhmc.metrics._ranking import au_prc_score
from skhmc.metrics._ready import (
    au_prc_scorer,
    get_scorer,
    get_scorer_names,
    hierarchical_f1_scorer,
    hvr_scorer,
)
from skhmc.metrics._recovery import hierarchy_recovery_report
from skhmc.metrics._registry import METRICS as METRICS
from skhmc.metrics._registry import Metric as Metric
from skhmc.metrics._registry import find_metric as find_metric
from skhmc.metrics._registry import metric_names as metric_names
from skhmc.metrics._report import hierarchical_classification_report
from skhmc.metrics._scorers import HierarchicalScorer, HierarchicalViolationRate
from skhmc.metrics._violation import hierarchical_violation_rate

__all__ = [
    "HierarchicalScorer",
    "HierarchicalViolationRate",
    "au_prc_score",
    "au_prc_scorer",
    "coverage_at_k_score",
    "exact_match_score",
    "expected_calibration_error",
    "get_scorer",
    "get_scorer_names",
    "hierarchical_classification_report",
    "hierarchical_f1_score",
    "hierarchical_f1_scorer",
    "hierarchical_fbeta_score",
    "hierarchical_precision_score",
    "hierarchical_recall_score",
    "hierarchical_violation_rate",
    "hierarchy_recovery_report",
    "hvr_scorer",
    "label_propensity",
    "ndcg_at_k_score",
    "precision_at_k_score",
    "propensity_scored_precision_at_k_score",
    "recall_at_k_score",
]

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
from skhmc.metrics._cafa import (
    CafaCurve,
    cafa_curves,
    f_max_score,
    s_min_score,
    weighted_f_max_score,
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
from skhmc.metrics._information import information_accretion
from skhmc.metrics._inputs import check_indicator as check_indicator
from skhmc.metrics._inputs import check_scores as check_scores
from skhmc.metrics._lca import lca_f1_score, lca_precision_score, lca_recall_score
from skhmc.metrics._levels import full_path_accuracy_score, tree_inconsistency_error
from skhmc.metrics._path_losses import (
    depth_weighted_hamming_loss,
    h_loss,
    tree_distance_loss,
)
from skhmc.metrics._ranking import au_prc_score
from skhmc.metrics._ready import (
    au_prc_scorer,
    f_max_scorer,
    get_scorer,
    get_scorer_names,
    hierarchical_f1_scorer,
    hvr_scorer,
    s_min_scorer,
    weighted_f_max_scorer,
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
    "CafaCurve",
    "HierarchicalScorer",
    "HierarchicalViolationRate",
    "au_prc_score",
    "au_prc_scorer",
    "cafa_curves",
    "coverage_at_k_score",
    "depth_weighted_hamming_loss",
    "exact_match_score",
    "expected_calibration_error",
    "f_max_score",
    "f_max_scorer",
    "full_path_accuracy_score",
    "get_scorer",
    "get_scorer_names",
    "h_loss",
    "hierarchical_classification_report",
    "hierarchical_f1_score",
    "hierarchical_f1_scorer",
    "hierarchical_fbeta_score",
    "hierarchical_precision_score",
    "hierarchical_recall_score",
    "hierarchical_violation_rate",
    "hierarchy_recovery_report",
    "hvr_scorer",
    "information_accretion",
    "label_propensity",
    "lca_f1_score",
    "lca_precision_score",
    "lca_recall_score",
    "ndcg_at_k_score",
    "precision_at_k_score",
    "propensity_scored_precision_at_k_score",
    "recall_at_k_score",
    "s_min_score",
    "s_min_scorer",
    "tree_distance_loss",
    "tree_inconsistency_error",
    "weighted_f_max_score",
    "weighted_f_max_scorer",
]

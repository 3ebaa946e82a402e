"""Pictures of hierarchies, of labels, of what estimators predict and how they learn."""

from skhmc.inspection._explain import explain
from skhmc.inspection._hierarchy_display import HierarchyDisplay
from skhmc.inspection._hvr_display import HVRDisplay
from skhmc.inspection._label_embedding_display import LabelEmbeddingDisplay
from skhmc.inspection._level_report_display import LevelReportDisplay
from skhmc.inspection._predictions_page import PredictionsPage
from skhmc.inspection._reliability_display import ReliabilityDisplay
from skhmc.inspection._training_history_display import TrainingHistoryDisplay

__all__ = [
    "HVRDisplay",
    "HierarchyDisplay",
    "LabelEmbeddingDisplay",
    "LevelReportDisplay",
    "PredictionsPage",
    "ReliabilityDisplay",
    "TrainingHistoryDisplay",
    "explain",
]

"""Pictures of hierarchies, of labels, of what estimators predict and how they learn."""

from skhmc.inspection._hierarchy_display import HierarchyDisplay
from skhmc.inspection._label_embedding_display import LabelEmbeddingDisplay
from skhmc.inspection._reliability_display import ReliabilityDisplay
from skhmc.inspection._training_history_display import TrainingHistoryDisplay

__all__ = [
    "HierarchyDisplay",
    "LabelEmbeddingDisplay",
    "ReliabilityDisplay",
    "TrainingHistoryDisplay",
]

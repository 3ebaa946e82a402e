"""Pictures of hierarchies, of labels, and of what estimators predict."""

from skhmc.inspection._hierarchy_display import HierarchyDisplay
from skhmc.inspection._label_embedding_display import LabelEmbeddingDisplay
from skhmc.inspection._reliability_display import ReliabilityDisplay

__all__ = ["HierarchyDisplay", "LabelEmbeddingDisplay", "ReliabilityDisplay"]

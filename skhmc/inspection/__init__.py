"""Pictures of hierarchies and of what estimators predict on them."""

from skhmc.inspection._hierarchy_display import HierarchyDisplay

__all__ = ["HierarchyDisplay"]

"""The label hierarchy: the one data structure that everything shares."""

from skhmc.hierarchy._hierarchy import Hierarchy

__all__ = ["Hierarchy"]

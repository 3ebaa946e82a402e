"""The label hierarchy: the one data structure that everything shares."""

from skhmc.hierarchy._hierarchy import Hierarchy
from skhmc.hierarchy._levels import level_rows as level_rows
from skhmc.hierarchy._obo import Term
from skhmc.hierarchy._ontology import Ontology

__all__ = ["Hierarchy", "Ontology", "Term"]

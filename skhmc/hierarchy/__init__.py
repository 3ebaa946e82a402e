"""The label hierarchy: the one data structure that everything shares."""

from skhmc.hierarchy._hierarchy import Hierarchy
from skhmc.hierarchy._levels import level_rows as level_rows
from skhmc.hierarchy._obo import Term
from skhmc.hierarchy._ontology import Ontology
from skhmc.hierarchy._tables import columns_of as columns_of
from skhmc.hierarchy._tables import is_blank as is_blank
from skhmc.hierarchy._text import term_names as term_names

__all__ = ["Hierarchy", "Ontology", "Term"]

"""Data sets with label hierarchies, and loaders for them.

:func:`load_digit_properties`, :func:`load_intents` and :func:`load_made_genes` are
included and need no download. :func:`load_clus_arff` reads files, :func:`fetch_clus`
knows the benchmark sets by name,
:func:`make_hidden_hierarchy` makes points whose hierarchy is to be discovered, and
:func:`read_annotations` reads which sample has which labels.
"""

from skhmc.datasets._annotations import read_annotations
from skhmc.datasets._clus_arff import load_clus_arff
from skhmc.datasets._data_home import clear_data_home, get_data_home
from skhmc.datasets._digits import load_digit_properties
from skhmc.datasets._fetch import fetch_clus
from skhmc.datasets._hidden_hierarchy import make_hidden_hierarchy
from skhmc.datasets._intents import load_intents
from skhmc.datasets._made_genes import load_made_genes

__all__ = [
    "clear_data_home",
    "fetch_clus",
    "get_data_home",
    "load_clus_arff",
    "load_digit_properties",
    "load_intents",
    "load_made_genes",
    "make_hidden_hierarchy",
    "read_annotations",
]

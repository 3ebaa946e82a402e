"""Transformers that know a hierarchy: of the labels, or of a feature's categories.

For ``Y``, :class:`HierarchicalLabelBinarizer` turns label sets and paths into closed
indicators, and :class:`AncestorClosure` closes indicators. For ``X``,
:class:`HierarchicalPrototypeTransformer` adds similarities to the labels' prototypes,
and :class:`TaxonomyEncoder` encodes categories together with their ancestors.
"""

from skhmc.preprocessing._ancestor_closure import AncestorClosure
from skhmc.preprocessing._label_binarizer import HierarchicalLabelBinarizer
from skhmc.preprocessing._prototype_transformer import HierarchicalPrototypeTransformer
from skhmc.preprocessing._taxonomy_encoder import TaxonomyEncoder

__all__ = [
    "AncestorClosure",
    "HierarchicalLabelBinarizer",
    "HierarchicalPrototypeTransformer",
    "TaxonomyEncoder",
]

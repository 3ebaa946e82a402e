r"""Hierarchies learnt from labels alone: which of them occur together, how far apart.

Everything starts from the share of the rows of one label that have another,
:math:`P(k \mid l)`, and from how frequent every label is. A label k is *more general*
than l when it is more frequent: on label sets that are closed upward an ancestor is
never rarer, and because the edges run along one order there is no cycle.

:func:`subsumption_hierarchy` needs nothing but the labels; :func:`learn_tree` can take
the nearest of the more general labels, by any distance; :func:`learn_dag` keeps them
all and leaves out what :func:`transitive_reduction` finds to follow. Time and memory
are linear in the pairs of labels that occur together; nothing is ever
n_labels x n_labels.
"""

from skhmc.induction._rates import (
    LabelRates,
    cooccurrence,
    label_rates,
    rates_of_counts,
)
from skhmc.induction._reduction import transitive_reduction
from skhmc.induction._rules import learn_dag, learn_tree
from skhmc.induction._subsumption import subsumption_hierarchy

__all__ = [
    "LabelRates",
    "cooccurrence",
    "label_rates",
    "learn_dag",
    "learn_tree",
    "rates_of_counts",
    "subsumption_hierarchy",
    "transitive_reduction",
]

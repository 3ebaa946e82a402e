r"""Coherence of labels and scores with a hierarchy, on arrays.

A label set is coherent when it holds every ancestor of its labels; scores are
coherent when no label scores above one of its parents. All functions take and return
(n_samples, n_labels) arrays and sweep over the levels: time is linear in samples x
(labels + edges), once or, for :func:`isotonic_constraint`, 52 times.

:func:`close_upward` makes label sets coherent, the constraints make scores coherent and
leave coherent scores as they are; :func:`most_specific` takes from label sets what
follows from the rest; :func:`violations` and :func:`score_violations` say where the
edges are broken.
"""

from skhmc.coherence._isotonic import isotonic_constraint
from skhmc.coherence._labels import close_upward, most_specific, violations
from skhmc.coherence._labels import is_single_path as is_single_path
from skhmc.coherence._labels import stopping_points as stopping_points
from skhmc.coherence._rules import RULES as RULES
from skhmc.coherence._rules import Rule as Rule
from skhmc.coherence._rules import RuleNames as RuleNames
from skhmc.coherence._rules import TableNames as TableNames
from skhmc.coherence._scores import (
    average_constraint,
    max_constraint,
    min_constraint,
    product_constraint,
    score_violations,
)
from skhmc.coherence._scores import raise_to_descendants as raise_to_descendants

__all__ = [
    "average_constraint",
    "close_upward",
    "isotonic_constraint",
    "max_constraint",
    "min_constraint",
    "most_specific",
    "product_constraint",
    "score_violations",
    "violations",
]

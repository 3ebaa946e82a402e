"""The one table of coherence rules: what ``coherence=`` of any estimator may be.

Networks, CoherentClassifier and the documentation read it. A new rule is a new row: it
says how scores become coherent, and what may be taken for granted of the result.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from skhmc.coherence._isotonic import check_tree, fit_isotonic
from skhmc.coherence._scores import (
    apply_by_label,
    average_of_both,
    lower_to_ancestors,
    multiply_conditionals,
    raise_to_descendants,
)
from skhmc.hierarchy import Hierarchy

__all__ = ["RULES", "Rule", "RuleNames", "TableNames"]


@dataclass(frozen=True)
class Rule:
    """How scores become coherent with a hierarchy.

    Parameters
    ----------
    description : str
        What happens where a child scores above its parent, in one sentence.
    constrain : callable
        Function of probabilities (n_labels, n_samples), in C order, and of a hierarchy.
        It returns coherent ones of the same shape and dtype, and may overwrite those
        that it is given.
    needs_tree : bool, default=False
        Whether no label may have several parents.
    needs_paths : bool, default=False
        Whether the probabilities are those of whole paths, summed over the paths that a
        label is on. Only a softmax of single paths has such.
    takes_logits : bool, default=False
        Whether logits may be given instead of probabilities, with the same result: the
        rule only compares scores, and computes none.
    closes_predictions : bool, default=False
        Whether the labels above a threshold are those above it before the rule, and
        their ancestors. Then predictions need no coherent scores.
    """

    description: str
    constrain: Callable[[np.ndarray, Hierarchy], np.ndarray]
    needs_tree: bool = False
    needs_paths: bool = False
    takes_logits: bool = False
    closes_predictions: bool = False

    def check(self, hierarchy: Hierarchy) -> None:
        """Raise when the rule cannot make scores coherent with a hierarchy."""
        if self.needs_tree:
            check_tree(hierarchy)

    def apply(self, scores: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
        """Return coherent scores (n_samples, n_labels), a new array in C order."""
        return apply_by_label(self.constrain, scores, hierarchy)


RULES: dict[str, Rule] = {
    "average": Rule(
        'They meet halfway between what "max" and "min" say.',
        average_of_both,
    ),
    "max": Rule(
        "The parent is raised to its highest descendant.",
        raise_to_descendants,
        takes_logits=True,
        closes_predictions=True,
    ),
    "min": Rule(
        "The child is lowered to its lowest ancestor.",
        lower_to_ancestors,
        takes_logits=True,
    ),
    "product": Rule(
        'As "min", and descendants keep their share of what is lowered.',
        multiply_conditionals,
    ),
    "isotonic": Rule(
        "Both become the nearest coherent scores, in least squares. Trees only.",
        fit_isotonic,
        needs_tree=True,
    ),
    "path": Rule(
        "Paths are scored as wholes, which breaks no edge. Single paths only.",
        raise_to_descendants,  # sums over paths are coherent but for rounding
        needs_paths=True,
    ),
}


class TableNames(Set[str]):
    """Names of the rows of a table, as a set that follows the table.

    A row that is added later is there, too, where parameters are checked.

    Parameters
    ----------
    table : mapping
        Rows by name.
    *others : str
        Names that are allowed beside those of rows.
    without : callable
        Function of a row that tells whether its name is left out.

    Examples
    --------
    >>> table = {"sigmoid": 1, "softmax": 2}
    >>> names = TableNames(table, "auto", without=lambda row: row > 1)
    >>> sorted(names), "softmax" in names
    (['auto', 'sigmoid'], False)
    """

    def __init__(self, table: Mapping[str, Any], *others: str, without: Any) -> None:
        self.table = table
        self.others = others
        self.without = without

    def __iter__(self) -> Iterator[str]:
        yield from self.others
        for name, row in self.table.items():
            if not self.without(row):
                yield name

    def __contains__(self, name: object) -> bool:
        return any(name == known for known in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @classmethod
    def _from_iterable(cls, names: Iterable) -> frozenset:
        """Return what the operators of a set, such as a union, make of names."""
        return frozenset(names)


class RuleNames(TableNames):
    """Names of rules that the table has, whenever they are asked for.

    Parameters
    ----------
    *others : str
        Names that are allowed beside those of rules.
    paths : bool, default=False
        Whether rules count that need single paths.
    """

    def __init__(self, *others: str, paths: bool = False) -> None:
        super().__init__(RULES, *others, without=lambda r: r.needs_paths and not paths)

"""The names that a table has, whenever they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

__all__ = ["TableNames"]


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

"""Parents by child, and children by parent: mappings, columns and tables."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from skhmc._utils.messages import name_list, plain
from skhmc.hierarchy._edges import first_seen
from skhmc.hierarchy._tables import (
    is_blank,
    is_column,
    is_table,
    read_column,
    read_table,
    whole,
)

__all__ = [
    "is_nested",
    "parent_by_name",
    "read_children",
    "read_parent_table",
    "read_parents",
]


# -- parents by child ------------------------------------------------------------------


def read_parents(
    parents: Any, child: Hashable | None = None, parent: Hashable | None = None
) -> tuple[Iterable, list]:
    """Read parents by child: a mapping, a Series, or a table with two columns.

    Blank values mean a root. A child that stands several times has all the parents.
    """
    if is_table(parents):
        return read_parent_table(parents, child, parent, first="child")
    if child is not None or parent is not None:
        raise ValueError(
            f"child= and parent= name the columns of a table, got a "
            f"{type(parents).__name__}. Leave them out."
        )
    if is_column(parents):
        children = read_column(parents.index)
        return _from_pairs(children, read_column(parents))
    if not isinstance(parents, Mapping):
        raise TypeError(
            f"Expected parents by child: a mapping {{child: parent}}, a Series or a "
            f"table with the columns child= and parent=, got a "
            f"{type(parents).__name__}. For pairs use Hierarchy.from_edges."
        )
    if is_nested(parents):
        raise ValueError(
            f"The parents of {_first_nested(parents)!r} are a mapping. A nested "
            f"mapping goes from parents to children: use Hierarchy.from_children."
        )
    return _from_pairs(parents.keys(), parents.values())


def _from_pairs(children: Iterable, parents: Iterable) -> tuple[list, list]:
    edges = []
    names = []
    children = list(children)
    one_label = tuple_reader(children)
    for child, given in zip(children, parents, strict=True):
        if is_blank(child):
            raise ValueError(
                f"A child is missing: got {child!r} with the parent {given!r}. Every "
                f"label needs a name; only parents may be missing, above roots."
            )
        above = _as_list(given, one_label)
        edges += [(parent, child) for parent in above]
        names.append((*above, child))
    return first_seen(names), edges


def tuple_reader(keys: list) -> Callable[[Any], bool]:
    """Return what tells whether a tuple is one label, rather than several.

    It is where a key of the mapping is this tuple, or where all keys are tuples and its
    items are none.
    """
    known = {key for key in keys if isinstance(key, tuple)}
    only = len(known) == len(set(keys)) > 0

    def is_label(given: Any) -> bool:
        if not isinstance(given, tuple):
            return False
        if given in known:
            return True
        return only and not all(isinstance(x, tuple) for x in given)

    return is_label


def _as_list(labels: Any, one_label: Callable[[Any], bool]) -> list:
    """Return one label, several, or none (blank) as a list without what is blank."""
    if isinstance(labels, str) or not isinstance(labels, Iterable) or one_label(labels):
        labels = [labels]
    elif isinstance(labels, (set, frozenset)):  # whose order changes between runs
        labels = sorted(labels, key=str)
    return [label for label in labels if not is_blank(label)]


# -- a table ---------------------------------------------------------------------------


def read_parent_table(
    table: Any,
    child: Hashable | None = None,
    parent: Hashable | None = None,
    first: str | None = None,
) -> tuple[Iterable, list]:
    """Read a table with a column of labels and one of their parents.

    Where no name says which is which, ``first`` is what is expected in the first
    column, "parent" or "child", and nothing where it is None. The data can contradict.
    """
    columns = read_table(table)
    if child is None and "child" in columns:
        child = "child"
    if parent is None and "parent" in columns:
        parent = "parent"
    names = [name for name in (child, parent) if name is not None]
    lost = [name for name in names if name not in columns]
    if lost:
        raise ValueError(
            f"The table has no column {name_list(lost)}, only {name_list(columns)}."
        )
    if len(names) < 2:
        child, parent = _find_columns(columns, child, parent, first)
    return _from_pairs(columns[child], columns[parent])


def _find_columns(
    columns: dict[Hashable, list],
    child: Hashable | None,
    parent: Hashable | None,
    first: str | None,
) -> tuple[Hashable, Hashable]:
    """Return which column holds labels and which parents, by name or by the data."""
    names = list(columns)
    if len(names) == 2:
        others = dict(zip(names, names[::-1], strict=True))
        if child is not None:
            return child, others[child]
        if parent is None:
            parent = parent_by_name(names)
        if parent is None:
            parent = _parent_by_data(columns, first)
        if parent is not None:
            return others[parent], parent
    raise ValueError(
        f"Nothing says which column holds labels and which their parents: the table "
        f"has {name_list(names)}. Say so: Hierarchy.from_parents(table, child=..., "
        f"parent=...). For one column per level use Hierarchy.from_levels(table)."
    )


def parent_by_name(names: list) -> Hashable | None:
    """Return the one of two columns whose name says that it holds parents."""
    texts = [str(name).lower() for name in names]
    for word, other in (("parent", False), ("child", True)):
        having = [k for k, text in enumerate(texts) if word in text]
        if len(having) == 1:
            return names[having[0] - 1 if other else having[0]]
    return None


def _parent_by_data(
    columns: dict[Hashable, list], first: str | None
) -> Hashable | None:
    """Return the one of two columns that holds parents, as far as the data say so.

    Values are missing in it; the other one holds labels, each once, and parents among
    them. (Of two levels the second may be missing, below what repeats.) Without missing
    values, what is expected counts, unless only the labels would stand repeatedly.
    """
    names = list(columns)
    blank = [name for name in names if _has_blanks(columns[name])]
    repeating = [name for name in names if _repeats(columns[name])]
    if len(blank) == 1:
        other = names[1 - names.index(blank[0])]
        parents = {value for value in columns[blank[0]] if not is_blank(value)}
        known = not parents or parents & set(columns[other])
        if other in repeating or not known or (first == "parent" and other == names[0]):
            return None
        return blank[0]
    if first == "parent" and not blank and repeating != [names[1]]:
        return names[0]
    if first == "child" and not blank and repeating == [names[1]]:
        return names[1]
    return None


def _has_blanks(values: list) -> bool:
    return any(is_blank(value) for value in values)


def _repeats(values: list) -> bool:
    names = [value for value in values if not is_blank(value)]
    return len(first_seen([names])) < len(names)


# -- children by parent ----------------------------------------------------------------


def is_nested(source: Mapping) -> bool:
    """Tell a mapping that holds mappings: parents with all that is below them."""
    return any(isinstance(below, Mapping) for below in source.values())


def _first_nested(source: Mapping) -> Any:
    return next(x for x, below in source.items() if isinstance(below, Mapping))


def read_children(children: Any) -> tuple[Iterable, list]:
    """Read children by parent: a mapping, also of mappings, or a Series of lists."""
    pairs: Iterable[tuple[Any, Any]]
    if is_column(children):
        pairs = zip(read_column(children.index), read_column(children), strict=True)
    elif isinstance(children, Mapping):
        pairs = children.items()
    else:
        raise TypeError(
            f"Expected children by parent: a mapping {{parent: [children]}}, nested or "
            f"not, or a Series of lists, got a {type(children).__name__}. For a table "
            f"use Hierarchy.from_parents(table, child=..., parent=...)."
        )
    names: list[Any] = []
    edges: list[tuple[Any, Any]] = []
    # a stack, not a recursion: hierarchies may be deeper than Python's limit
    waiting = list(pairs)[::-1]
    one_label = tuple_reader([parent for parent, _ in waiting])
    while waiting:
        parent, given = waiting.pop()
        if is_blank(parent):
            raise ValueError(f"A parent is missing: got {parent!r} above {given!r}.")
        names.append(parent)
        below = _below(given, one_label)
        edges += [(parent, child) for child, _ in below]
        names += [child for child, _ in below]
        waiting += [pair for pair in below[::-1] if pair[1] is not None]
    return first_seen([names]), edges


def _below(given: Any, one_label: Callable[[Any], bool]) -> list[tuple[Any, Any]]:
    """Return the children in what stands below a parent, each with what is below it."""
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, str) or not isinstance(given, Iterable) or one_label(given):
        return [(child, None) for child in _as_list(given, one_label)]
    found: list[tuple[Any, Any]] = []
    for child in whole(plain(x) for x in given):
        if isinstance(child, Mapping):
            found += child.items()
        elif not is_blank(child):
            found.append((child, None))
    return found

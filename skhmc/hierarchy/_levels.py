"""One column per level, the root first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
import scipy.sparse as sp

from skhmc._utils.joined_paths import find_joined_names
from skhmc._utils.messages import name_list, plain
from skhmc._utils.warnings import HierarchyWarning, warn_of_input
from skhmc.hierarchy._edges import MISSING_AS_TEXT
from skhmc.hierarchy._tables import is_blank, is_table, read_table, whole

__all__ = ["level_rows", "read_levels"]

BETWEEN = "\n"  # names of a row, for a moment


def read_levels(levels: Any, sep: str = "/") -> tuple[Iterable, list]:
    """Read rows of names, from the root down; a label is named by its whole path."""
    if not isinstance(sep, str) or not sep:
        raise ValueError(f"sep must be text that joins names, got {sep!r}.")
    names: dict[tuple, str] = {}
    edges: dict[tuple[str, str], None] = {}  # a set that keeps the order
    rows = dict.fromkeys(level_rows(levels))
    _warn_if_paths(rows)
    for row in rows:
        for stop in range(1, len(row) + 1):
            path = row[:stop]
            if path in names:
                continue
            names[path] = sep.join(path)
            if stop > 1:
                edges[names[path[:-1]], names[path]] = None
    _check_different(names, sep)
    _warn_of_minus_one(names)
    return list(names.values()), list(edges)


def _warn_if_paths(rows: Iterable[tuple[str, ...]]) -> None:
    """Warn where the names in a row are whole paths, such as those of one sample."""
    found = find_joined_names(map(BETWEEN.join, rows), (BETWEEN,))
    if found:
        warn_of_input(
            f"The names in a row look like whole paths: "
            f"{name_list(found[1].split(BETWEEN))}. Hierarchy.from_levels reads each "
            f"name as a label below the one before. For several paths per sample use "
            f"Hierarchy.from_paths with a list of all of them, such as "
            f"labels.explode() of a Series.",
            HierarchyWarning,
        )


def level_rows(levels: Any) -> list[tuple[str, ...]]:
    """Return the names of every row from the root down, without what is blank."""
    rows = _as_rows(levels)
    return [_read_row(number, row) for number, row in enumerate(rows)]


def _as_rows(levels: Any) -> list[list]:
    """Return rows of plain values; short ones end above."""
    if is_table(levels):
        columns = list(read_table(levels).values())
    else:
        rows = _given_rows(levels)
        # column by column, for whole numbers that are floats beside missing ones
        columns = [whole(column) for column in zip_longest(*rows)]
        if not columns:
            return rows
    return [list(row) for row in zip(*columns, strict=True)]


def _given_rows(levels: Any) -> list[list]:
    """Return rows as they are given; what has no rows is an error."""
    unfit = isinstance(levels, (str, Mapping)) or sp.issparse(levels)
    rows = [] if unfit or not isinstance(levels, Iterable) else list(levels)
    unfit = unfit or not isinstance(levels, Iterable)
    if unfit or not all(isinstance(row, (list, tuple, np.ndarray)) for row in rows):
        raise TypeError(
            f"Expected one column per level, the root first: a table, a 2-D array or a "
            f"list of rows, got {_shown(levels)}. For paths such as 'a/b/c' use "
            f"Hierarchy.from_paths."
        )
    return [[plain(name) for name in row] for row in rows]


def _shown(levels: Any) -> str:
    text = repr(levels)
    return text if len(text) < 60 else f"a {type(levels).__name__}"


def _read_row(number: int, row: list) -> tuple[str, ...]:
    here = [not is_blank(name) for name in row]
    stop = sum(here)
    if not all(here[:stop]):
        gap = here.index(False)
        raise ValueError(
            f"Row {number} has no name at level {gap}, but names below it: {row!r}. "
            f"A row may end early, and has no gaps: fill it, or repeat the name above."
        )
    names = tuple(_name(name) for name in row[:stop])
    if names and names[-1] in MISSING_AS_TEXT:
        raise ValueError(
            f"Row {number} ends with the text {names[-1]!r}: {row!r}. That is what "
            f"missing values become in an array of strings. Give None or '' where a "
            f"row ends early; where it is a name, change it or use "
            f"Hierarchy.from_paths."
        )
    return names


def _name(name: Any) -> str:
    if isinstance(name, (list, tuple, dict, set, np.ndarray)):
        raise TypeError(f"A level must be a name or a number, got {name!r}.")
    return str(name).strip()


def _warn_of_minus_one(names: dict[tuple, str]) -> None:
    """Warn of rows that are perhaps filled up with -1, as those of numbers may be."""
    filled = [path for path in names if len(path) > 1 and path[-1] == "-1"]
    if filled:
        warn_of_input(
            f"{len(filled)} labels are called '-1' below others, such as "
            f"{filled[0]!r}. Where -1 fills up rows that end above, give None or NaN: "
            f"np.where(levels == -1, np.nan, levels), or frame.replace(-1, None). "
            f"Where it is a name, pass text that is no number.",
            HierarchyWarning,
        )


def _check_different(names: dict[tuple, str], sep: str) -> None:
    """Raise where two paths have the same name: ("a/b",) and ("a", "b")."""
    paths: dict[str, tuple] = {}
    for path, name in names.items():
        other = paths.setdefault(name, path)
        if other != path:
            raise ValueError(
                f"The paths {other!r} and {path!r} would both be named {name!r}. Give "
                f"a sep that no name holds, such as sep=' > '."
            )

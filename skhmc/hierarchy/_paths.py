"""Paths such as "a/b/c"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from skhmc._utils.joined_paths import find_joined, joined_hint
from skhmc._utils.messages import name_list
from skhmc._utils.separator_search import check_occurs, find_separator, without_ids
from skhmc._utils.separators import (
    NO_SEPARATOR,
    Separator,
    check_sep,
    given_separator,
    path_edges,
)
from skhmc._utils.warnings import HierarchyWarning, warn_of_input
from skhmc.hierarchy._tables import is_blank, is_table, read_column, read_table

__all__ = ["read_paths"]

NUMBER_SEP = " - "  # what also stands after an id
COMMENT = re.compile(r"#.*version", re.IGNORECASE)


def read_paths(
    paths: Iterable[str], sep: str | None = "auto", sure: bool = True
) -> tuple[Iterable, list]:
    """Read paths such as ``a/b/c``; every prefix is a label.

    ``sure`` says that the strings are known to be paths, so that a separator in a few
    of them is one.
    """
    paths = _as_strings(paths)
    check_sep(sep)
    if sep is None:
        return dict.fromkeys(paths), []
    if sure:  # perhaps the lines of a file
        paths = [path for path in _without_comment(paths) if path.strip()]
    elif _without_comment(paths) != without_ids(_without_comment(paths)):
        paths = _without_comment(paths)  # all others have ids
    bare = paths if sep == NUMBER_SEP else without_ids(paths)
    if sep == "auto":
        separator = find_separator(bare, sure)
        if separator == NO_SEPARATOR:  # names, which may begin with a number
            bare = paths
    else:
        separator = given_separator(sep, bare)
        check_occurs(separator, bare)
    _warn_if_joined(bare, separator)
    return path_edges(bare, separator)


def _as_strings(paths: Iterable[Any]) -> list[str]:
    if isinstance(paths, str):
        raise TypeError(f"Expected a list of paths, got one string: [{paths!r}]?")
    paths = _only_column(paths) if is_table(paths) else read_column(paths)
    wrong = [path for path in paths if not isinstance(path, str)]
    if wrong:
        raise TypeError(
            f"A path must be a string, got {wrong[0]!r}. {_what_to_do(wrong[0])}"
        )
    return paths


def _what_to_do(value: Any) -> str:
    """Return what helps where a value of some type is no path."""
    if is_blank(value):
        return "Leave out what is empty: Hierarchy.from_paths(paths.dropna())."
    advice = (
        "For paths as tuples or lists of names use Hierarchy.from_levels, for pairs "
        "Hierarchy.from_edges."
    )
    if isinstance(value, list | tuple | set):
        advice += (
            " For several paths per sample use Hierarchy.from_paths(paths.explode()) "
            "of a Series, or a list of all of them."
        )
    return advice


def _only_column(table: Any) -> list:
    """Return the values of a table that has one column; of several, ask which."""
    columns = read_table(table)
    if len(columns) != 1:
        raise TypeError(
            f"Expected one column of paths, got a table with {name_list(columns)}. "
            f"Say which: Hierarchy.from_paths(table[name of the column]); "
            f"for one column per level use Hierarchy.from_levels(table)."
        )
    return next(iter(columns.values()))


def _warn_if_joined(paths: list[str], separator: Separator) -> None:
    """Warn where strings look like several paths, which are read as one."""
    found = find_joined(paths, separator) if separator != NO_SEPARATOR else None
    if found:
        text = separator.text
        warn_of_input(
            f"{joined_hint(*found)} It is now read as one path. If it is one, "
            f"Hierarchy.from_levels([path.split({text!r}) for path in paths], "
            f"sep={text!r}) silences this.",
            HierarchyWarning,
        )


def _without_comment(paths: list[str]) -> list[str]:
    """Leave out the line about the version that a published taxonomy begins with."""
    return paths[1:] if paths and COMMENT.match(paths[0]) else paths

"""Paths such as "a/b/c"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from skhmc._utils.separator_search import check_occurs, find_separator, without_ids
from skhmc._utils.separators import NO_SEPARATOR, check_sep, given_separator, path_edges
from skhmc.hierarchy._tables import read_column

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
    bare = paths if sep == NUMBER_SEP else without_ids(paths)
    if sep == "auto":
        separator = find_separator(bare, sure)
        if separator == NO_SEPARATOR:  # names, which may begin with a number
            bare = paths
    else:
        separator = given_separator(sep, bare)
        check_occurs(separator, bare)
    return path_edges(bare, separator)


def _as_strings(paths: Iterable[Any]) -> list[str]:
    if isinstance(paths, str):
        raise TypeError(f"Expected a list of paths, got one string: [{paths!r}]?")
    paths = read_column(paths)
    wrong = [path for path in paths if not isinstance(path, str)]
    if wrong:
        raise TypeError(
            f"A path must be a string, got {wrong[0]!r}. For paths as tuples or lists "
            f"of names use Hierarchy.from_levels, for pairs Hierarchy.from_edges."
        )
    return paths


def _without_comment(paths: list[str]) -> list[str]:
    """Leave out the line about the version that a published taxonomy begins with."""
    return paths[1:] if paths and COMMENT.match(paths[0]) else paths

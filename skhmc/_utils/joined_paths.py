"""Strings that hold several paths at once: "A > B;C > D", as cells of a file do."""

from __future__ import annotations

from collections.abc import Iterable

from skhmc._utils.messages import shown
from skhmc._utils.separators import STRONG, Separator

__all__ = ["JOINERS", "find_joined", "find_joined_names", "joined_hint"]

JOINERS = (";", "|", ",", "\n")  # what stands between the labels in a cell


def find_joined(
    paths: list[str], separator: Separator, joiners: tuple[str, ...] = JOINERS
) -> tuple[str, str] | None:
    """Return what joins paths in one string, and the first such string, else None.

    Every piece of it begins with the root of some string, and two pieces or more are
    paths. So "Food > Pots; pans > Steel" is one path unless "pans" is a root.
    """
    symbols = [joiner for joiner in joiners if joiner != separator.symbol.strip()]
    for joiner in symbols:
        joined = [path for path in paths if joiner in path]
        if not joined:
            continue
        roots = {separator.split(path.split(joiner)[0])[0] for path in paths}
        for path in joined:
            pieces = [separator.split(piece) for piece in path.split(joiner)]
            n_paths = sum(len(parts) > 1 for parts in pieces)
            if n_paths > 1 and all(parts[0] in roots for parts in pieces):
                return joiner, path
    return None


def find_joined_names(
    names: Iterable[str], joiners: tuple[str, ...] = JOINERS
) -> tuple[str, str] | None:
    """Return the same of names whose separator is not known, if they are paths."""
    names = list(names)
    for symbol in STRONG:
        held = symbol not in JOINERS and any(symbol in name for name in names)
        found = find_joined(names, Separator(symbol, symbol), joiners) if held else None
        if found:
            return found
    return None


def joined_hint(joiner: str, path: str) -> str:
    """Return what a message says of several paths in one string."""
    return (
        f"{joiner!r} seems to join several paths, as in {shown(path)}. If these are "
        f"the labels of one sample, split them: labels = paths.str.split({joiner!r}) "
        f"of a Series for fit, and Hierarchy.from_paths(labels.explode())."
    )

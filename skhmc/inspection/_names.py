"""What is written for a label: what its name adds to its parents' names."""

from __future__ import annotations

import re

from skhmc._utils.separators import SYMBOLS
from skhmc.hierarchy import Hierarchy, term_names

__all__ = ["shorten", "short_names"]

LONGEST = 34  # characters of a name
# what separates the parts of a path wherever it stands
SURE = re.compile("|".join(rf"\s*{re.escape(symbol)}\s*" for symbol in SYMBOLS))
# what may, where it joins every child to its parent: punctuation, with spaces around it
PERHAPS = re.compile(r"\s*(?:[^\w\s]|_)+\s*")


def shorten(name: str) -> str:
    """Return a name of at most LONGEST characters: a long one loses its middle."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 + 1 :]}"


def short_names(hierarchy: Hierarchy) -> list[str]:
    """Return the labels' names without the names of their parents before them.

    ``"01/01/03"`` below ``"01/01"`` is ``"03"``. A name is cut only where each of the
    label's parents begins it and a separator follows: one of those that readers of
    paths know, or one that joins all labels of the hierarchy to their parents. Terms of
    an ontology have the names that people call them by, whole.

    Parameters
    ----------
    hierarchy : Hierarchy

    Returns
    -------
    list of str
    """
    names = [str(label) for label in hierarchy.labels]
    if called := term_names(hierarchy):
        return [
            " ".join(called[label].split()) or name
            for label, name in zip(hierarchy.labels, names, strict=True)
        ]
    above: list[list[str]] = [[] for _ in names]
    for parent, child in hierarchy.edges.tolist():
        above[child].append(names[parent])
    shared = _shared_separator(names, above)
    return [_cut(name, near, shared) for name, near in zip(names, above, strict=True)]


def _shared_separator(names: list[str], above: list[list[str]]) -> str | None:
    """Return the punctuation that joins every label to its parents, if one does."""
    found = set()
    for name, near in zip(names, above, strict=True):
        for parent in near:
            rest = name[len(parent) :] if name.startswith(parent) else ""
            match = PERHAPS.match(rest)
            found.add(match.group() if match else None)
    return found.pop() if len(found) == 1 else None


def _cut(name: str, parents: list[str], shared: str | None) -> str:
    if not parents or not all(name.startswith(parent) for parent in parents):
        return name
    rest = name[max(map(len, parents)) :]
    match = SURE.match(rest)
    start = match.end() if match else 0
    if shared and not match and rest.startswith(shared):
        start = len(shared)
    # what is nothing but a separator is no name: "C++" below "C+"
    return rest[start:] if start and rest[start:].strip() else name

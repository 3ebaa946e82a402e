"""What separates the parts of paths such as "a/b/c", given or found in strings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from skhmc._utils.messages import shown

__all__ = [
    "ANY_STRONG",
    "NO_SEPARATOR",
    "NUMBERED",
    "STRONG",
    "SYMBOLS",
    "WEAK",
    "Separator",
    "check_sep",
    "given_separator",
    "own_separators",
    "path_edges",
    "text_of",
    "with_spaces",
    "without_id",
]

# What separates parts, the longer ones first: "->" is no ">"
STRONG = (
    "->",
    "=>",
    ">>",
    "::",
    ">",
    "/",
    "|",
    "\\",
    ";",
    "\u00bb",
    "\u203a",
    "\u2192",
    "\u21d2",
    "\u27f6",
    "\u2794",
    "\u279c",
    "\u25b6",
    "\u25b8",
    "\u25ba",
    "\uff0f",  # full-width: / > |
    "\uff1e",
    "\uff5c",
    "\t",
)
# What names hold as well. It is asked about where parts are few and parents not given.
WEAK = (" - ", " \u2013 ", " \u2014 ", "__", ".", ":")
SYMBOLS = (*STRONG, *WEAK)
ANY_STRONG = re.compile("|".join(re.escape(symbol) for symbol in STRONG))
NUMBERED = re.compile(
    r"\s*\d+(?:\s+-\s+|\t\s*)(?=\S)"
)  # the id in "1 - Animals > Cats"


MAX_TEXT = 2**30  # characters of the names on a path, times two


class Separator(NamedTuple):
    """What stands between the parts of paths."""

    symbol: str  # where paths are split
    text: str  # what joins the parts of a label's name: the symbol, perhaps in spaces

    def split(self, path: str) -> list[str]:
        """Return the parts of a path, without spaces around them."""
        parts = [path]
        if self.symbol in STRONG:  # only whole symbols: not the ">" of a "->"
            ends = [0]
            for found in ANY_STRONG.finditer(path):
                if found.group() == self.symbol:
                    ends += found.span()
            ends.append(len(path))
            parts = [path[a:b] for a, b in zip(ends[::2], ends[1::2], strict=True)]
        elif self.symbol:  # none: nothing is split
            parts = path.split(self.symbol)
        return [part.strip() for part in parts]

    def _is_empty(self, part: str) -> bool:
        """Tell what stands between two separators, of which one may lack a space."""
        bare = self.symbol.strip()
        ends = bare in STRONG and (part.startswith(bare) or part.endswith(bare))
        return not part or ends

    def loose(self) -> Separator:
        """Return the separator that needs no spaces where it stands in paths."""
        bare = self.symbol.strip()
        return Separator(bare if bare in STRONG else self.symbol, self.text)

    def prefixes(self, path: str) -> list[str]:
        """Return the names of the labels on a path, from the root down."""
        parts = self.split(path)
        if any(map(self._is_empty, parts)):
            text = self.text or "/"
            raise ValueError(
                f"The path {shown(path)} has an empty part; expected names joined by "
                f"{text!r}, such as 'a{text}b'. Leave out separators at the ends, as "
                f"path.strip({text!r}) does, and doubled ones. Where {text!r} is part "
                f"of names, Hierarchy.from_paths(paths, sep=None) splits none."
            )
        if len(parts) * len(path) > MAX_TEXT:
            raise ValueError(
                f"The path {shown(path)} has {len(parts)} parts. The names of its "
                f"labels, which are its beginnings, would take "
                f"{len(parts) * len(path) / 2**31:.0f} GiB. Build the hierarchy by "
                f"Hierarchy.from_edges, with short names."
            )
        return [self.text.join(parts[: i + 1]) for i in range(len(parts))]


NO_SEPARATOR = Separator("", "")


def with_spaces(symbol: str, paths: list[str]) -> Separator:
    """Return the separator of a symbol that separates the parts of paths.

    Where all paths have it in spaces, it is none without ("Food / Coffee/Tea").
    """
    text = text_of(symbol, paths)
    if text == f" {symbol} " and all(text in path for path in paths if symbol in path):
        symbol = text
    return Separator(symbol, text)


def text_of(symbol: str, paths: list[str]) -> str:
    """Return the symbol with the spaces around it that most paths have."""
    if symbol != symbol.strip():
        return symbol
    pattern = re.compile(f" ?{re.escape(symbol)} ?")
    found = (pattern.search(path.strip()) for path in paths if symbol in path)
    counts = Counter(match.group() for match in found if match)
    return max(counts, key=lambda text: (counts[text], len(text)), default=symbol)


def given_separator(sep: str, names: Iterable[Any]) -> Separator:
    """Return the separator that a user names, with the spaces that names have."""
    strings = [name for name in names if isinstance(name, str)]
    return Separator(sep, sep if sep != sep.strip() else text_of(sep, strings))


def own_separators(names: Iterable[Any], edges: Iterable) -> tuple[Separator, ...]:
    """Return what may separate the parts of paths to labels of a hierarchy.

    First stands the one with which children are named after their parents, "/" where
    they are not.
    """
    strings = [name for name in names if isinstance(name, str)]
    pairs = [pair for pair in edges if all(isinstance(name, str) for name in pair)]
    own = []
    for symbol in SYMBOLS:
        separator = with_spaces(symbol, strings)
        below = (pair for pair in pairs if symbol in pair[1])
        if any(_is_path_below(child, parent, separator) for parent, child in below):
            own.append(separator)
    own += [with_spaces(symbol, strings) for symbol in ("/", *STRONG)]
    return tuple(dict.fromkeys((*own, *(separator.loose() for separator in own))))


def _is_path_below(child: str, parent: str, separator: Separator) -> bool:
    parts = separator.split(child)
    return len(parts) > 1 and separator.text.join(parts[:-1]) == parent


def path_edges(
    paths: Iterable[str], separator: Separator
) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the labels on paths, every prefix one, and the edges between them."""
    names: dict[str, None] = {}  # a set that keeps the order
    edges: dict[tuple[str, str], None] = {}
    for path in paths:
        found = separator.prefixes(path)
        names.update(dict.fromkeys(found))
        edges.update(dict.fromkeys(zip(found[:-1], found[1:], strict=True)))
    return list(names), list(edges)


def check_sep(sep: Any) -> None:
    """Raise unless a separator is "auto", None or text."""
    if sep is not None and not (isinstance(sep, str) and sep):
        raise ValueError(
            f"sep must be what separates the parts of a path, such as '/' or ' > ', "
            f"'auto' to find it, or None where no string is a path, got {sep!r}."
        )


def without_id(path: str) -> str:
    """Leave out the id that a path such as "1 - Animals > Cats" begins with."""
    return NUMBERED.sub("", path, count=1) if NUMBERED.match(path) else path

"""What separates the parts of paths such as "a/b/c", given or found in strings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from skhmc._utils.messages import name_list

__all__ = [
    "NO_SEPARATOR",
    "STRONG",
    "SYMBOLS",
    "Separator",
    "check_occurs",
    "check_sep",
    "find_separator",
    "given_separator",
    "own_separators",
    "path_edges",
    "without_id",
    "without_ids",
]

# What separates parts for certain, the longer ones first: "->" is no ">"
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
)
# What names hold as well. It is asked about where parts are few and parents not given.
WEAK = (" - ", "__", ".")
# What ids (GO:0008150) and many names hold: looked at only where parts are many
RARE = (":", ",")
ASKED = (",",)  # what separates the names of a set rather than the parts of a path
SETS = ("|", ";")  # what also separates several labels of one sample
SYMBOLS = (*STRONG, *WEAK, ":")
ANY_STRONG = re.compile("|".join(re.escape(symbol) for symbol in STRONG))
NUMBERED = re.compile(
    r"\s*\d+(?:\s+-\s+|\t\s*)(?=\S)"
)  # the id in "1 - Animals > Cats"


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
                f"The path {path!r} has an empty part; expected names joined by "
                f"{text!r}, such as 'a{text}b'."
            )
        return [self.text.join(parts[: i + 1]) for i in range(len(parts))]


NO_SEPARATOR = Separator("", "")


def _separator(symbol: str, paths: list[str]) -> Separator:
    """Return the separator of a symbol that separates the parts of paths.

    Where all paths have it in spaces, it is none without ("Food / Coffee/Tea").
    """
    text = _text(symbol, paths)
    if text == f" {symbol} " and all(text in path for path in paths if symbol in path):
        symbol = text
    return Separator(symbol, text)


def _text(symbol: str, paths: list[str]) -> str:
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
    return Separator(sep, sep if sep != sep.strip() else _text(sep, strings))


def own_separators(names: Iterable[Any], edges: Iterable) -> tuple[Separator, ...]:
    """Return what may separate the parts of paths to labels of a hierarchy.

    First stands the one with which children are named after their parents, "/" where
    they are not.
    """
    strings = [name for name in names if isinstance(name, str)]
    pairs = [pair for pair in edges if all(isinstance(name, str) for name in pair)]
    own = []
    for symbol in SYMBOLS:
        separator = _separator(symbol, strings)
        below = (pair for pair in pairs if symbol in pair[1])
        if any(_is_path_below(child, parent, separator) for parent, child in below):
            own.append(separator)
    own += [_separator(symbol, strings) for symbol in ("/", *STRONG)]
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


def without_ids(paths: list[str]) -> list[str]:
    """Leave the ids out of paths such as "1 - Animals > Cats", if all have one."""
    ids = [NUMBERED.match(path) for path in paths]
    numbers = {found.group() for found in ids if found}
    if not numbers or not all(ids):
        return paths
    rest = [without_id(path) for path in paths]
    unique = len(numbers) == len(set(paths))
    return rest if unique and any(map(ANY_STRONG.search, rest)) else paths


# -- which separator -------------------------------------------------------------------


class _Evidence(NamedTuple):
    """What speaks for a symbol being the separator."""

    symbol: str
    share: float  # of the strings that hold it
    joins: bool  # whether some label has several children, or stands by itself too
    given: bool  # whether some string's parent is a string, too
    n_parts: int  # of the longest path

    @property
    def is_clear(self) -> bool:
        return self.symbol not in ASKED and (self.given or self.n_parts > 2)


def find_separator(paths: Iterable[str], sure: bool = True) -> Separator:
    """Return the separator that strings share, NO_SEPARATOR where they are no paths.

    Parameters
    ----------
    paths : iterable of str
    sure : bool, default=True
        Whether the strings are known to be paths. Else a symbol counts that half of
        them hold, or that stands between labels and what is below them.

    Raises
    ------
    ValueError
        When two separators fit, or when names could be paths as well as not.
    """
    paths = list(dict.fromkeys(path.strip() for path in paths))
    every = [_evidence(symbol, paths) for symbol in STRONG]
    strong = [x for x in every if x.share and (sure or _shows_paths(x))]
    weak = []
    if all(found.share < 0.5 for found in strong):  # perhaps of a few names
        weak = _weak(paths, sure)
    if not strong and not weak:
        return NO_SEPARATOR
    chosen = _choose(strong + weak, paths)
    text = _text(chosen.symbol, paths)
    _check_no_sets(chosen.symbol, paths)
    if chosen in weak and not chosen.is_clear:
        raise ValueError(
            f"Most of the strings hold {text!r}, such as {paths[0]!r}, and nothing "
            f"says whether they are paths. Where they are, give sep={text!r}: "
            f"Hierarchy.from_paths(paths, sep={text!r}); else {_FLAT}."
        )
    return _separator(chosen.symbol, paths)


def _weak(paths: list[str], sure: bool) -> list[_Evidence]:
    """Return what speaks for the symbols that names hold as well."""
    every = [_evidence(symbol, paths) for symbol in WEAK]
    weak = [x for x in every if x.share and _may_separate(x, sure)]
    rare = [_evidence(symbol, paths) for symbol in RARE]
    rare = [x for x in rare if x.joins and x.share == 1]
    return weak + [x for x in rare if sure or x.n_parts > 2]


_FLAT = "sep=None or Hierarchy.flat(names), which read every string as one label"


def _shows_paths(strong: _Evidence) -> bool:
    return strong.share >= 0.5 or strong.joins or strong.is_clear


def _may_separate(weak: _Evidence, sure: bool) -> bool:
    """Tell whether a symbol that names hold as well is to be read or asked about."""
    if sure:  # of paths; but a few names hold a full stop
        return weak.symbol != "." or weak.share >= 0.5 or weak.is_clear
    if weak.share < 0.5 and not weak.is_clear:
        return False
    return weak.joins or (weak.share == 1 and weak.is_clear)


def _evidence(symbol: str, paths: list[str]) -> _Evidence:
    separator = Separator(symbol, symbol)
    holding = [path for path in paths if symbol in path]
    if symbol == ".":  # none that ends an abbreviation
        holding = [path for path in holding if not re.search(r"\.(\s|$)", path)]
    split = [tuple(separator.split(path)) for path in holding]
    split = [parts for parts in split if len(parts) > 1]
    whole = {(path,) for path in paths} | set(split)
    above = Counter(parts[:-1] for parts in set(split))
    tops = Counter(parts[:1] for parts in set(split))
    given = any(parent in whole for parent in above)
    several = any(n > 1 for n in (*above.values(), *tops.values()))
    n_parts = max(map(len, split), default=0)
    share = len(split) / len(paths) if paths else 0
    return _Evidence(symbol, share, given or several, given, n_parts)


def _choose(fitting: list[_Evidence], paths: list[str]) -> _Evidence:
    """Return the one symbol that fits; two that do are an error."""
    most = max(found.share for found in fitting)
    rivals = [found for found in fitting if 2 * found.share >= most]
    joining = [found for found in rivals if found.joins]
    others = [found.share for found in rivals if not found.joins]
    if joining and max(found.share for found in joining) > max(others, default=0):
        rivals = joining
    if len(rivals) > 1:
        example = next(path for path in paths if rivals[0].symbol in path)
        texts = [_text(found.symbol, paths) for found in rivals]
        raise ValueError(
            f"Several separators fit the paths: {name_list(texts)}, as in "
            f"{example!r}. Say which: Hierarchy.from_paths(paths, sep={texts[0]!r}); "
            f"or, where no string is a path, {_FLAT}."
        )
    return rivals[0]


def _check_no_sets(symbol: str, paths: list[str]) -> None:
    """Raise where strings look like several labels of one sample: "Action|Drama"."""
    if symbol not in SETS:
        return
    split = [Separator(symbol, symbol).split(path) for path in paths]
    first = {parts[0] for parts in split}
    both = first.intersection(part for parts in split for part in parts[1:])
    repeated_along = {part for parts in split for part in parts[1:] if part == parts[0]}
    both -= repeated_along
    if both:
        raise ValueError(
            f"{name_list(sorted(both))} stand first in some strings and later in "
            f"others, such as {paths[0]!r}. Are these several labels of one sample? "
            f"Then split them: text.split({symbol!r}). For paths give "
            f"sep={symbol!r}; else {_FLAT}."
        )


def check_occurs(separator: Separator, paths: list[str]) -> None:
    """Raise where no path holds the separator given, but all hold another."""
    if any(len(separator.split(path)) > 1 for path in paths):
        return
    other = find_separator(paths, sure=False)
    if other != NO_SEPARATOR:
        raise ValueError(
            f"No path holds the separator {separator.text!r}, but they hold "
            f"{other.text!r}, such as {_example(other, paths)!r}. Give sep="
            f"{other.text!r}, or sep=None where no string is a path."
        )


def _example(separator: Separator, paths: list[str]) -> str:
    return next(path for path in paths if len(separator.split(path)) > 1)

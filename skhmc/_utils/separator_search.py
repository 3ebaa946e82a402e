"""Which separator strings share, if they are paths: found, asked for or doubted.

Symbols differ in what they say. ">" or "::" stands in paths and in hardly any name. "/"
stands in many names too (Rock/Pop), and so do full stops, colons and hyphens. What a
symbol splits tells more: several labels that share the beginning, the beginning as a
string of its own, three parts and more. Where this says little, a HierarchyWarning has
the numbers and both readings, or the reader asks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, NoReturn

from skhmc._utils.messages import name_list, shown
from skhmc._utils.separators import (
    ANY_STRONG,
    NO_SEPARATOR,
    NUMBERED,
    STRONG,
    WEAK,
    Separator,
    text_of,
    with_spaces,
    without_id,
)
from skhmc._utils.warnings import HierarchyWarning, read_before, warn_of_input

__all__ = ["check_occurs", "find_separator", "holds_separator", "without_ids"]

ASKED = (",",)  # what separates the names of a set rather than the parts of a path
SETS = ("|", ";")  # what also separates several labels of one sample
IN_NAMES = "/"  # of the strong ones, what plain names hold
# What separates columns of a file as well, and so is asked about
COLUMNS = ("\t",)

# Where a symbol separates nothing: a short form, a decimal in text, an id, a time
NO_PATH = {
    ".": re.compile(r".*\.(\s.*)?|.*\s.*\d\.\d.*|.*\d\.\d.*\s.*", re.DOTALL),
    ":": re.compile(r"\s*[A-Za-z_]+:\d+\s*|\s*\d?\d:\d\d(:\d\d)?\s*|.*::.*"),
}
SHORT = re.compile(r"[A-Z]/[A-Z]|n/a|w/o|w/")  # so is this, unless it joins labels
COMPARED = re.compile(r".*[^->]>=?\s*[\d.,%]+\s*")  # "income > 50"

FLAT = "sep=None or Hierarchy.flat(names), which read every string as one label"


class Evidence(NamedTuple):
    """What speaks for a symbol being the separator."""

    symbol: str
    share: float  # of the strings that hold it
    n_given: int  # strings whose parent is a string, too
    several: bool  # whether some label has several children
    n_parts: int  # of the longest path

    @property
    def joins(self) -> bool:
        return self.several or self.n_given > 0

    @property
    def is_clear(self) -> bool:
        return self.symbol not in ASKED and (self.n_given > 0 or self.n_parts > 2)

    @property
    def is_plenty(self) -> bool:
        """Tell whether what a few strings hold is more than a name or two."""
        many_parts = self.symbol in STRONG and self.n_parts > 2
        often = self.share >= 0.5 and (self.joins or many_parts)
        deep = self.n_parts > 2 and self.several
        return often or deep or self.n_given > 1


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

    Warns
    -----
    HierarchyWarning
        When strings are perhaps paths and are read as names, or the other way round.
    """
    paths = list(dict.fromkeys(path.strip() for path in paths))
    fitting = _fitting(paths, sure)
    if not fitting:
        _warn_if_left(paths)
        return NO_SEPARATOR
    chosen = _choose(fitting, paths)
    _check_no_sets(chosen.symbol, paths)
    _check_no_edges(chosen, paths)
    if not _is_enough(chosen):
        text = text_of(chosen.symbol, paths)
        example = shown(_holding(chosen, paths))
        raise ValueError(
            f"Most of the strings hold {text!r}, such as {example}, and "
            f"nothing says whether they are paths. Where they are, give "
            f"sep={text!r}: Hierarchy.from_paths(paths, sep={text!r}); else {FLAT}."
        )
    separator = _spaced(chosen.symbol, paths)
    if _is_doubtful(chosen, sure):
        _warn_of_paths(chosen, separator, paths)
    return separator


def holds_separator(strings: list[str]) -> bool:
    """Tell whether strings look like paths whose separator hardly any name holds."""
    paths = list(dict.fromkeys(path.strip() for path in strings))
    found = _evidence_of(STRONG, paths)
    return any(x.share >= 0.5 or x.joins or x.is_clear for x in found)


def without_ids(paths: list[str]) -> list[str]:
    """Leave the ids out of paths such as "1 - Animals > Cats", if all have one."""
    ids = [NUMBERED.match(path) for path in paths]
    numbers = {found.group() for found in ids if found}
    if not numbers or not all(ids) or len(numbers) < len(set(paths)):
        return paths
    rest = [without_id(path) for path in paths]
    stripped = list(dict.fromkeys(path.strip() for path in rest))
    are_paths = any(map(ANY_STRONG.search, rest)) or _weak(stripped, sure=False)
    return rest if are_paths else paths


def check_occurs(separator: Separator, paths: list[str]) -> None:
    """Raise where no path holds the separator given, but all hold another."""
    if any(len(separator.split(path)) > 1 for path in paths):
        return
    with read_before():  # what is doubtful was decided by the separator given
        other = find_separator(paths, sure=False)
    if other != NO_SEPARATOR:
        example = next(path for path in paths if len(other.split(path)) > 1)
        raise ValueError(
            f"No path holds the separator {separator.text!r}, but they hold "
            f"{other.text!r}, such as {shown(example)}. Give sep={other.text!r}, or "
            f"sep=None where no string is a path."
        )


# -- what fits -------------------------------------------------------------------------


def _evidence_of(symbols: Iterable[str], paths: list[str]) -> list[Evidence]:
    """Return what speaks for those symbols that separate anything."""
    found = (_evidence(symbol, paths) for symbol in symbols)
    return [evidence for evidence in found if evidence.share]


def _evidence(symbol: str, paths: list[str]) -> Evidence:
    separator = Separator(symbol, symbol)
    holding = [path for path in paths if symbol in path]
    if symbol in NO_PATH:
        holding = [path for path in holding if not NO_PATH[symbol].fullmatch(path)]
    found = _weigh(separator, holding, paths)
    if symbol == IN_NAMES and not found.joins:
        holding = [path for path in holding if not SHORT.fullmatch(path)]
        found = _weigh(separator, holding, paths)
    return found


def _weigh(separator: Separator, holding: list[str], paths: list[str]) -> Evidence:
    """Return what the strings that hold a separator say about it."""
    split = {tuple(separator.split(path)) for path in holding}
    split = {parts for parts in split if len(parts) > 1}
    whole = {(path,) for path in paths} | split
    above = Counter(parts[:-1] for parts in split)
    tops = Counter(parts[:1] for parts in split)
    n_given = sum(n for parent, n in above.items() if parent in whole)
    several = any(n > 1 for n in (*above.values(), *tops.values()))
    n_parts = max(map(len, split), default=0)
    share = len(split) / len(paths) if paths else 0
    return Evidence(separator.symbol, share, n_given, several, n_parts)


def _fitting(paths: list[str], sure: bool) -> list[Evidence]:
    """Return what may separate the parts of the strings, if they are paths."""
    certain = [x for x in _evidence_of(STRONG, paths) if x.symbol != IN_NAMES]
    every = _evidence_of((IN_NAMES, *WEAK), paths)
    slash = [x for x in every if x.symbol == IN_NAMES and (sure or _shows_paths(x))]
    fitting = [x for x in certain if sure or _shows_paths(x)]
    if any(x.share >= 0.5 for x in fitting):
        return fitting + slash
    soft = slash + _weak(paths, sure)
    if not soft:
        return fitting
    best = max(soft, key=lambda x: x.share)
    few = [x for x in certain if x.n_given or 4 * x.share >= best.share]
    few = [x for x in few if x.share < best.share and not _is_compared(x, paths)]
    if few:  # "Rock/Pop > Live" among names that hold a slash
        _ask_which([*few, best], paths)
    return fitting + _among_soft(soft, every, best)


def _among_soft(
    soft: list[Evidence], every: list[Evidence], best: Evidence
) -> list[Evidence]:
    """Return those of the symbols that names hold as well which may separate."""
    rivals = [x for x in every if x.symbol != best.symbol and _rivals(x, best)]
    if best.symbol == IN_NAMES and best.share >= 0.5:
        soft = [best]
    found = list({x.symbol: x for x in (*soft, *rivals)}.values())
    share = max((x.share for x in found if x.symbol == IN_NAMES), default=1)
    if any(x.share > share and x.is_clear for x in found):
        return [x for x in found if x.symbol != IN_NAMES]
    return found


def _rivals(other: Evidence, best: Evidence) -> bool:
    """Tell whether another symbol fits as well as the one that most strings hold.

    Then the latter may stand in names: "Rock/Pop - Live".
    """
    if other.symbol == ".":  # what file names hold below a "/"
        many = other.n_given > 0 or other.n_parts > 2 or other.share >= best.share
        fits = many and (other.joins or not best.joins)
        return fits and other.share >= 0.5 * best.share
    if other.n_given:
        return other.share >= 0.5 * best.share
    if other.joins:
        return other.share >= 0.75 * best.share
    return not best.joins and other.share >= best.share


def _shows_paths(strong: Evidence) -> bool:
    """Tell whether a strong symbol shows paths among strings that may be names."""
    enough = strong.share > 0.5 if strong.symbol == IN_NAMES else strong.share >= 0.5
    return enough or strong.joins or strong.is_clear


def _weak(paths: list[str], sure: bool) -> list[Evidence]:
    """Return what speaks for the symbols that names hold as well."""
    weak = [x for x in _evidence_of(WEAK, paths) if _may_separate(x, sure)]
    asked = [x for x in _evidence_of(ASKED, paths) if x.joins and x.share == 1]
    return weak + [x for x in asked if sure or x.n_parts > 2]


def _may_separate(weak: Evidence, sure: bool) -> bool:
    """Tell whether a symbol that names hold as well is to be read or asked about."""
    most = weak.share >= 0.5
    if sure:  # of paths; but a few names hold a full stop or a colon
        return weak.symbol not in (".", ":") or most or weak.joins or weak.is_clear
    if weak.symbol == ":" and not weak.is_clear:  # tags such as "topic:sports"
        return False
    if most or weak.is_clear:
        return weak.joins or (weak.share == 1 and weak.is_clear)
    return False


# -- which of them ---------------------------------------------------------------------


def _choose(fitting: list[Evidence], paths: list[str]) -> Evidence:
    """Return the one symbol that fits; two that do are an error."""
    most = max(found.share for found in fitting)
    rivals = [found for found in fitting if 2 * found.share >= most]
    joining = [found for found in rivals if found.joins]
    others = [found.share for found in rivals if not found.joins]
    if joining and max(found.share for found in joining) > max(others, default=0):
        rivals = joining
    if len(rivals) > 1:
        _ask_which(rivals, paths)
    return rivals[0]


def _ask_which(rivals: list[Evidence], paths: list[str]) -> NoReturn:
    texts = [text_of(found.symbol, paths) for found in rivals]
    raise ValueError(
        f"Several separators fit the paths: {name_list(texts)}, as in "
        f"{shown(_holding(rivals[0], paths))}. Say which: Hierarchy.from_paths(paths, "
        f"sep={texts[0]!r}); or, where no string is a path, {FLAT}."
    )


def _spaced(symbol: str, paths: list[str]) -> Separator:
    """Return the separator of a symbol that stands in spaces, or also without.

    In spaces only where every path has it so, unless two labels would then differ in
    nothing but spaces.
    """
    spaced = with_spaces(symbol, paths)
    loose = spaced.loose()
    tight = [path for path in paths if len(loose.split(path)) > len(spaced.split(path))]
    if not tight or spaced.symbol == symbol:
        return spaced
    labels = {name for path in paths for name in spaced.prefixes(path)}
    if len({tuple(loose.split(name)) for name in labels}) < len(labels):
        return loose
    if symbol != IN_NAMES and not all(map(COMPARED.fullmatch, tight)):
        warn_of_input(
            f"{len(tight)} of {len(paths)} paths hold {symbol!r} without spaces, such "
            f"as {shown(tight[0])}, and all hold {spaced.text!r}. They are split at "
            f"{spaced.text!r} only: if so, give sep={spaced.text!r} to silence this. "
            f"To split them at every {symbol!r}, give sep={symbol!r}: "
            f"Hierarchy.from_paths(paths, sep={symbol!r}).",
            HierarchyWarning,
        )
    return spaced


# -- what speaks against paths ---------------------------------------------------------


def _is_enough(chosen: Evidence) -> bool:
    """Tell whether a symbol need not be asked about."""
    if chosen.symbol in COLUMNS or chosen.symbol not in STRONG:
        return chosen.is_clear
    return True


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
            f"others, such as {shown(paths[0])}. Are these several labels of one "
            f"sample? Then split them: text.split({symbol!r}). For paths give "
            f"sep={symbol!r}; else {FLAT}."
        )


def _check_no_edges(chosen: Evidence, paths: list[str]) -> None:
    """Raise where strings look like edges: "A > B" and "B > C"."""
    if chosen.n_parts > 2 or chosen.share < 1 or len(paths) < 2:
        return
    split = [Separator(chosen.symbol, chosen.symbol).split(path) for path in paths]
    first = {parent for parent, child in split if parent != child}
    both = first & {child for parent, child in split if parent != child}
    names = sorted(name for name in both if not any(map(str.isdigit, name)))
    if names:
        text = text_of(chosen.symbol, paths)
        raise ValueError(
            f"{name_list(names)} stand first in some strings and last in others, such "
            f"as {shown(paths[0])}. Are these edges? Then split them: "
            f"Hierarchy.from_edges([text.split({text!r}) for text in strings]). For "
            f"paths give sep={text!r}: Hierarchy.from_paths(paths, sep={text!r}); "
            f"else {FLAT}."
        )


def _is_doubtful(chosen: Evidence, sure: bool) -> bool:
    """Tell whether what is read as paths may be names that hold the symbol."""
    if chosen.is_plenty:
        return False
    if chosen.symbol in STRONG and chosen.symbol != IN_NAMES:
        return False
    return not (sure and (chosen.share >= 0.5 or chosen.joins or chosen.is_clear))


def _warn_of_paths(chosen: Evidence, separator: Separator, paths: list[str]) -> None:
    holding = _all_holding(chosen, paths)
    text = separator.text
    parts = separator.split(holding[0])
    above = text.join(parts[:-1])
    warn_of_input(
        f"{len(holding)} of {len(paths)} strings hold {text!r}, such as "
        f"{shown(holding[0])}, and are read as paths: {shown(above)} is a parent of "
        f"{shown(holding[0])}. Perhaps they are names, without parents. If they are "
        f"paths, give sep={text!r} to silence this: Hierarchy.from_paths(paths, "
        f"sep={text!r}). For names give {FLAT}.",
        HierarchyWarning,
    )


def _warn_if_left(paths: list[str]) -> None:
    """Warn of strings that are read as names, and may be paths."""
    left = [x for x in _evidence_of(STRONG, paths) if x.symbol != IN_NAMES]
    tags = [x for x in _evidence_of(":", paths) if x.several and x.share >= 0.5]
    for found in left + tags:
        if _is_compared(found, paths):
            continue
        holding = _all_holding(found, paths)
        text = text_of(found.symbol, paths)
        parent = Separator(found.symbol, text).split(holding[0])[0]
        warn_of_input(
            f"{len(holding)} of {len(paths)} strings hold {text!r}, such as "
            f"{shown(holding[0])}, and all are read as names, without parents. Perhaps "
            f"they are paths, and {shown(parent)} is a parent of {shown(holding[0])}: "
            f"then give sep={text!r}, as in Hierarchy.from_paths(paths, "
            f"sep={text!r}). For names give {FLAT}.",
            HierarchyWarning,
        )
        return


def _is_compared(found: Evidence, paths: list[str]) -> bool:
    """Tell whether the symbol compares numbers: "income > 50"."""
    return all(map(COMPARED.fullmatch, _all_holding(found, paths)))


def _all_holding(found: Evidence, paths: list[str]) -> list[str]:
    separator = Separator(found.symbol, found.symbol)
    return [path for path in paths if len(separator.split(path)) > 1]


def _holding(found: Evidence, paths: list[str]) -> str:
    return _all_holding(found, paths)[0]

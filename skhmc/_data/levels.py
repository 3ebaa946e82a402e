"""Labels as one column per level, the root first: which labels every row names."""

import re
from collections import Counter

import numpy as np

from skhmc._data.containers import (
    are_words,
    column_names,
    column_values,
    holds_text,
    is_frame,
)
from skhmc._data.X import is_in_file
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import HierarchyWarning, warn_of_input
from skhmc.hierarchy import Hierarchy, is_blank, level_rows

__all__ = ["all_levels", "is_level_table", "level_names", "warn_if_levels"]

MIN_NAMES = 3  # in the first column, where its direction is doubted
MIN_ROWS = 5  # of lists of names that may be levels; fewer are chance

_ELSE = (
    "Y holds text, so that its columns are read as levels, the root first. For a "
    "column per label write 0 and 1 as numbers; label names are a list of lists, one "
    "per sample (Y.tolist() of an array)."
)
_SURE = "hierarchy=Hierarchy.from_levels(Y) says that they are levels"


def is_level_table(Y, source=None):
    """Tell a table or 2-D array whose columns are levels and hold names.

    Two columns and more with text in them are levels. Numbers are, where a hierarchy
    has all their paths and cannot have these columns as its labels.

    Parameters
    ----------
    Y : object
        Labels, unwrapped.
    source : hierarchy-like or None
        What :meth:`Hierarchy.build` takes.
    """
    if _n_columns(Y) < 2:
        return False
    return holds_text(Y) or _are_numbered_levels(Y, source)


def _n_columns(Y):
    if is_frame(Y):
        return len(column_names(Y))
    return Y.shape[1] if isinstance(Y, np.ndarray) and Y.ndim == 2 else 0


def level_names(Y, source, *, sep="/", whole=True):
    """Return the labels that every row of level columns names.

    Parameters
    ----------
    Y : table or ndarray of shape (n_samples, n_levels)
        Names, the root first; short rows end above.
    source : hierarchy-like or None
        What :meth:`Hierarchy.build` takes. None makes the hierarchy of the rows.
    sep : str, default="/"
        What joins names, where the hierarchy is made here.
    whole : bool, default=True
        Whether a row that the hierarchy does not have is an error; else its known
        beginning counts.

    Returns
    -------
    rows : list of set
        One label of every level; none of blank rows.
    source : hierarchy-like
        ``source``, or the hierarchy that was made.
    """
    paths = _read_paths(Y, source)
    if source is None:
        _check_are_levels(Y, paths)
        hierarchy = Hierarchy.from_levels(Y, sep=sep)
        return [_joined(path, sep) for path in paths], hierarchy
    search = _Search(Hierarchy.build(source))
    found = {path: search.find(path) for path in dict.fromkeys(paths)}
    unknown = [path for path, (_, known) in found.items() if path and not known]
    if unknown and whole:
        sets = _as_sets(paths, unknown, search.hierarchy)
        if sets is None:
            _refuse_unknown(Y, unknown, search)
        return sets, source
    labels = {path: labels for path, (labels, _) in found.items()}
    return [set(labels[path]) for path in paths], source


def _joined(path, sep):
    """Return the names of the labels along a path."""
    return {sep.join(path[:stop]) for stop in range(1, len(path) + 1)}


def all_levels(tables):
    """Return one hierarchy of several tables of levels."""
    return Hierarchy.from_levels([list(path) for Y in tables for path in level_rows(Y)])


def _read_paths(Y, source):
    """Return the names of every row from the root down."""
    try:
        return level_rows(Y)
    except ValueError as error:  # gaps, say
        _refuse_indicators(Y)
        if source is not None:
            _refuse_named(Y, Hierarchy.build(source))
        raise ValueError(f"{error} {_ELSE}") from None


# -- without a hierarchy ---------------------------------------------------------------


def _check_are_levels(Y, paths):
    """Raise or warn where columns of text are perhaps no levels."""
    if not any(paths):
        raise ValueError("Y holds no label at all, expected at least one.")
    _refuse_indicators(Y)
    _warn_if_sets(paths)
    _warn_if_reversed(paths)


def _refuse_indicators(Y):
    """Raise where cells look like 0 and 1, written as text or in some columns."""
    columns = column_values(Y) if is_frame(Y) else Y.T.tolist()
    found = [{x for x in values if not is_blank(x)} for values in columns]
    names = {str(x).strip() for values in found for x in values}
    n_columns = sum(bool(values) for values in found)
    again = sum(map(len, found)) > len(names)
    if n_columns > 1 and (are_words(names) or (len(names) <= 2 and again)):
        raise ValueError(
            f"Expected Y to hold 0, 1 or NaN, got strings: {name_list(sorted(names))} "
            f"and nothing else. Write indicators as numbers, (Y == {max(names)!r})"
            f".astype(int). If these are names in levels, {_SURE}."
        )
    titles = column_names(Y) if is_frame(Y) else range(len(columns))
    binary = [t for t, v in zip(titles, found, strict=True) if v and _are_binary(v)]
    if binary:
        text = [title for title in titles if title not in binary]
        raise ValueError(
            f"The columns {name_list(binary)} of Y hold 0 and 1, the columns "
            f"{name_list(text)} text. Leave out what is no label. If all are names in "
            f"levels, {_SURE}."
        )


def _are_binary(values):
    return not any(isinstance(x, str) for x in values) and values <= {0, 1}


def _warn_if_sets(paths):
    """Warn where most names that stand first also stand later: sets in any order."""
    first = {path[0] for path in paths if path and not path[0].isdigit()}
    later = {name for path in paths for name in path[1:] if name != path[0]}
    both = sorted(first & later)
    if both and 2 * len(both) >= len(first):
        row = next(i for i, path in enumerate(paths) if both[0] in path[1:])
        warn_of_input(
            f"The columns of Y are read as levels, the root first, but "
            f"{name_list(both)} stand in the first column and in later ones, such as "
            f"{both[0]!r} in row {row}: {paths[row]!r}. Are rows sets of label names? "
            f"Then pass lists of them. If columns are levels, {_SURE}, without this.",
            HierarchyWarning,
        )


def _warn_if_reversed(paths):
    """Warn where the last column is perhaps the root: names lead upward only."""
    paths = [path for path in paths if len(path) > 1]
    steps = {pair for path in paths for pair in _steps(path)}
    n_below = Counter(upper for upper, _ in steps)
    first, second, last = ({path[k] for path in paths} for k in (0, 1, -1))
    narrows = len(first) > len(last) and max(n_below.values()) == 1
    are_ids = len(first) == len(paths) > len(second)
    if len(first) < MIN_NAMES or not (narrows or are_ids):
        return
    upper, lower = paths[0][:2]
    warn_of_input(
        f"The columns of Y are read as levels, the root first, but the first has "
        f"{len(first)} names in {len(paths)} rows, the second {len(second)}. Are the "
        f"levels in reverse, or is the first column an id? As given, {upper!r} is "
        f"above {lower!r}. Put the most general level first. If they are right, "
        f"{_SURE}, without this.",
        HierarchyWarning,
    )


def _steps(path):
    """Return the pairs of names above each other, each with its level."""
    steps = list(enumerate(path))
    return zip(steps[:-1], steps[1:], strict=True)


def warn_if_levels(rows):
    """Warn where lists, which are sets of names, look like rows of level columns.

    That is, every name stands at one level and below one name, as in a tree, and some
    names have several below them. Names in two places may be a tree's, too, and then
    nothing tells them from those of sets.

    Parameters
    ----------
    rows : list of list
        Label names as given, perhaps padded.
    """
    if not all(isinstance(row, (list, tuple)) for row in rows):
        return
    paths = [tuple(name for name in row if not is_blank(name)) for row in rows]
    paths = [path for path in paths if path]
    names = {name for path in paths for name in path}
    if not all(isinstance(name, str) for name in names):
        return
    deep = [path for path in paths if len(path) > 1]
    if len(deep) < MIN_ROWS or 2 * len(deep) < len(paths) or not _is_tree(paths):
        return
    warn_of_input(
        f"Y is read as sets of label names without a hierarchy, but its rows look like "
        f"levels, the root first, such as {deep[0]!r}: every name stands at one level "
        f"and below one name. If they are, pass a table or a 2-D array, such as "
        f"pandas.DataFrame(Y). If they are sets and nothing is known of the labels, "
        f"hierarchy=Hierarchy.flat(names) says so without this.",
        HierarchyWarning,
    )


def _is_tree(paths):
    """Tell whether names are a tree: one level and one parent each, several children.

    The tree has to branch where it is met repeatedly.
    """
    levels = {(level, name) for path in paths for level, name in enumerate(path)}
    if len({name for _, name in levels}) < len(levels):
        return False
    pairs = {pair for path in paths for pair in zip(path[:-1], path[1:], strict=True)}
    lower = {below for _, below in pairs}
    n_below = Counter(above for above, _ in pairs)
    branching = sum(n > 1 for n in n_below.values())
    return len(lower) == len(pairs) and branching > 1


# -- with a hierarchy ------------------------------------------------------------------


class _Search:
    """Finds the label at the end of a path of names.

    A label may be called by its plain name or by its whole path, as
    :meth:`Hierarchy.from_levels` names it. A path may begin below the roots where its
    names say which label is meant.

    Parameters
    ----------
    hierarchy : Hierarchy
    """

    def __init__(self, hierarchy):
        self.hierarchy = hierarchy
        self._joints, self._by_part = _read_names(hierarchy)

    def find(self, path):
        """Return the labels along a path, and whether all of it is known.

        Parameters
        ----------
        path : tuple of str
            Names, the uppermost first.

        Returns
        -------
        labels : tuple
            Those of the longest known beginning; empty where none is known.
        known : bool
        """
        chains = [(label,) for label in self._first(path[0])] if path else []
        known = ()
        for part in path[1:]:
            if len(chains) == 1:
                known = chains[0]
            chains = [
                (*chain, label)
                for chain in chains
                for label in self._below(chain, part)
            ]
        if len(chains) == 1:
            return chains[0], True
        return known, False

    def ambiguous(self, path):
        """Return what the first name of a path may mean, if it is several labels."""
        labels = self._first(path[0])
        return labels if len(labels) > 1 else []

    def _first(self, part):
        own = [name for name in _values(part) if name in self.hierarchy]
        return own[:1] or self._by_part.get(part, [])

    def _below(self, chain, part):
        label = chain[-1]
        joined = [f"{label}{joint}{part}" for joint in self._joints]
        for name in [*joined, *_values(part)]:
            if name in self.hierarchy and label in self.hierarchy.parents_of(name):
                return [name]
        return []


def _values(part):
    """Return a name, and the number that it writes."""
    return [part, int(part)] if part.isdecimal() else [part]


def _read_names(hierarchy):
    """Return what joins the names of parents and children, and labels by last part."""
    counts = Counter()
    by_part = {}
    labels = hierarchy.labels
    for above, below in hierarchy.edges.tolist():
        parent, child = labels[above], labels[below]
        if not isinstance(parent, str) or not isinstance(child, str):
            continue
        rest = child.removeprefix(parent)
        joint = re.match(r"__|\W+", rest) if rest != child else None
        if not joint:
            continue
        # the name may begin with other signs itself: "a/(b)"
        for end in range(joint.end(), 0, -1):
            counts[rest[:end]] += 1
            by_part.setdefault(rest[end:], []).append(child)
    return [text for text, _ in counts.most_common()], by_part


def _as_sets(paths, unknown, hierarchy):
    """Return rows as sets of names, with a warning, where all names are labels.

    Else None. Rows that are paths mean the same either way.
    """
    names = {name for path in paths for name in path}
    if not all(name in hierarchy for name in names):
        return None
    row = paths.index(unknown[0])
    warn_of_input(
        f"Row {row} of Y, {unknown[0]!r}, is no path of the hierarchy from a label "
        f"down, so that all rows are read as sets of label names. If that is meant, "
        f"pass lists of names to silence this; if columns are levels, the root first, "
        f"correct the row.",
        HierarchyWarning,
    )
    return [set(path) for path in paths]


def _refuse_unknown(Y, unknown, search):
    """Raise where a hierarchy does not have paths, and say what may be wrong."""
    hierarchy = search.hierarchy
    _refuse_named(Y, hierarchy)
    _refuse_strays(Y, hierarchy)
    if are_words({name for path in unknown for name in path}):
        hint = "For 0 and 1 as text write numbers, Y.astype(int) say."
    elif search.ambiguous(unknown[0]):
        hint = (
            f"{unknown[0][0]!r} may be any of {name_list(search.ambiguous(unknown[0]))}"
            f": give the columns of the levels above, too."
        )
    elif all(search.find(path[::-1])[1] for path in unknown):
        hint = "The levels stand in reverse: put the most general one first."
    else:
        hint = _ELSE
    raise ValueError(
        f"Y is read as one column per level, the root first, and the hierarchy does "
        f"not have {name_list(unknown)}. Its labels are {name_list(hierarchy.labels)}. "
        f"Correct the names or add them to the hierarchy. {hint}"
    )


def _refuse_named(Y, hierarchy):
    """Raise where columns of text are named as labels: indicators in other words."""
    if not is_frame(Y) or not any(name in hierarchy for name in column_names(Y)):
        return
    text = next(x for v in column_values(Y) for x in v if isinstance(x, str) and x)
    raise ValueError(
        f"Expected Y to hold 0, 1 or NaN, got strings, such as {text!r}. Its columns "
        f"are named as labels: write 1 where a sample has the label and 0 where not, "
        f"as numbers."
    )


def _refuse_strays(Y, hierarchy):
    """Raise where an array has a column per label, and 0 and 1 as text among others."""
    if is_frame(Y) or Y.shape[1] != hierarchy.n_labels:
        return
    cells = {str(x).strip() for x in Y.ravel().tolist()}
    strays = sorted(cells - {"0", "1"})
    if strays and {"0", "1"} <= cells and not any(x in hierarchy for x in cells):
        raise ValueError(
            f"Expected Y to hold 0, 1 or NaN, got strings: '0', '1' and "
            f"{name_list(strays)}. Write indicators as numbers, and NaN for unknown."
        )


# -- levels of numbers -----------------------------------------------------------------


def _are_numbered_levels(Y, source):
    """Tell columns of numbers that are all paths of a hierarchy, not its labels."""
    if source is None or not _are_codes(Y):
        return False
    hierarchy = Hierarchy.build(source)
    if _n_columns(Y) == hierarchy.n_labels:
        return False
    if is_frame(Y) and any(name in hierarchy for name in column_names(Y)):
        return False
    try:
        paths = set(level_rows(Y))
    except ValueError:  # gaps
        return False
    search = _Search(hierarchy)
    return all(search.find(path)[1] for path in paths if path)


def _are_codes(Y):
    """Tell whole numbers of which some are neither 0 nor 1."""
    if isinstance(Y, np.ndarray) and is_in_file(Y):
        return False
    values = np.asarray(Y)
    if values.dtype.kind not in "iuf" or not (values > 1).any():
        return False
    return bool((np.isnan(values) | (values == np.floor(values))).all())

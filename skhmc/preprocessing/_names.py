"""Names and paths: which label of a hierarchy each of them means."""

from skhmc._utils.messages import plain
from skhmc._utils.separator_search import check_occurs, find_separator, without_ids
from skhmc._utils.separators import (
    NO_SEPARATOR,
    Separator,
    check_sep,
    given_separator,
    own_separators,
    path_edges,
    without_id,
)
from skhmc.hierarchy import Hierarchy

__all__ = ["find_label", "known_separators", "learn_hierarchy", "sorted_names"]


def sorted_names(names):
    """Return different names sorted; by type first where types have no common order."""
    try:
        return sorted(names)
    except TypeError:
        return sorted(names, key=lambda name: (type(name).__name__, str(name)))


def learn_hierarchy(names, sep, sure=False):
    """Return the hierarchy that names and paths describe.

    Parameters
    ----------
    names : iterable
        Strings and tuples of strings. Where some are of another kind, all names are
        labels without parents.
    sep : str or None
        What separates the parts of a string that is a path; "auto" finds it. None:
        every string is a label without parents.
    sure : bool, default=False
        Whether strings are known to be paths, so that a separator in a few of them is
        one.

    Returns
    -------
    hierarchy : Hierarchy
        A label's name is its whole path. Sorted, parents before children.
    separators : tuple of Separator
        What separates the parts of paths to these labels.
    """
    check_sep(sep)
    names = [plain(name) for name in names]
    strings = [name for name in names if isinstance(name, str)]
    # beside tuples, which are paths, strings are paths too
    separator = _separator(
        strings, sep, sure or any(isinstance(x, tuple) for x in names)
    )
    if separator == NO_SEPARATOR and len(strings) < len(names):
        separator = None if sep is None else Separator("/", "/")  # joins tuples
    paths = {_joined(name, separator) for name in names}
    if sep is None or not all(isinstance(path, str) for path in paths):
        separators = () if sep is None else (separator,)
        return Hierarchy.flat(sorted_names(paths)), separators
    if len(strings) == len(names) and separator != NO_SEPARATOR:
        paths = without_ids(list(paths))
    labels, edges = path_edges(paths, separator)
    if separator == NO_SEPARATOR:  # what new names may hold
        separator = Separator("/", "/")
    # part by part: as whole strings, "a b" would stand between "a" and "a/b"
    labels.sort(key=separator.split)
    return Hierarchy(labels, edges), (separator, separator.loose())


def _separator(strings, sep, sure):
    if sep is None:
        return NO_SEPARATOR
    if sep == "auto":
        return find_separator(without_ids(strings), sure)
    separator = given_separator(sep, strings)
    check_occurs(separator, strings)
    return separator


def known_separators(hierarchy, sep):
    """Return what may separate the parts of paths to the labels of a hierarchy."""
    check_sep(sep)
    if sep is None:
        return ()
    if sep != "auto":
        return (given_separator(sep, hierarchy.labels),)
    labels = hierarchy.labels
    edges = [(labels[a], labels[b]) for a, b in hierarchy.edges]
    return own_separators(labels, edges)


def _joined(name, separator):
    """Return a tuple as a path, anything else as it is."""
    if not isinstance(name, tuple):
        return name
    if separator is None:
        raise ValueError(
            f"Got the path {name!r} with sep=None, so that it cannot be joined to a "
            f"name. Give a sep, or a hierarchy that has these labels."
        )
    wrong = [x for x in name if not isinstance(x, str) or len(separator.split(x)) > 1]
    if wrong or not name:
        raise ValueError(
            f"A path of a hierarchy that is to be learnt must be a tuple of strings "
            f"without {separator.symbol!r}, got {name!r}. Give another sep, or a "
            f"hierarchy."
        )
    return separator.text.join(part.strip() for part in name)


def find_label(name, hierarchy, separators):
    """Return the label that a name or path means, and how much of it is known.

    Parameters
    ----------
    name : hashable
        A label, or else a path from any label downward: a tuple of parts, or a string
        in which one of ``separators`` separates them.
    hierarchy : Hierarchy
        A path means the label that has the joined path as its name, or the last of
        labels that are parent and child.
    separators : tuple of Separator
        What may separate parts; with the first also a path counts of which only the
        beginning is known.

    Returns
    -------
    position : int
        The label's, or that of the longest known beginning of the path; -1 where
        nothing is known.
    whole : bool
        Whether the whole name is known.

    Examples
    --------
    >>> from skhmc._utils.separators import Separator
    >>> animals = Hierarchy.from_paths(["cat/lynx", "dog"])
    >>> slash = (Separator("/", "/"),)
    >>> [find_label(name, animals, slash) for name in ("cat/lynx", "cat/puma", "cow")]
    [(1, True), (0, False), (-1, False)]
    """
    name = plain(name)
    if name in hierarchy:
        return hierarchy.position(name), True
    paths = list(_as_paths(name, separators))
    for separator, parts in paths:
        end = _end_of(parts, hierarchy, separator)
        if end >= 0:
            return end, True
    for separator, parts in paths[:1]:
        for stop in range(len(parts) - 1, 0, -1):
            end = _end_of(parts[:stop], hierarchy, separator)
            if end >= 0:
                return end, False
    return -1, False


def _as_paths(name, separators):
    """Yield the separators with the parts that a name has by them."""
    if isinstance(name, tuple):
        yield (separators or (NO_SEPARATOR,))[0], name
    if isinstance(name, str):
        texts = dict.fromkeys((name, without_id(name)))  # "1 - Cats" means "Cats"
        for text in texts:
            for separator in separators:
                yield separator, separator.split(text)


def _end_of(parts, hierarchy, separator):
    """Return the position of the last label of a path, -1 where there is none."""
    if separator.text and all(isinstance(part, str) for part in parts):
        joined = separator.text.join(parts)
        if joined in hierarchy:
            return hierarchy.position(joined)
    if not all(part in hierarchy for part in parts):
        return -1
    steps = [hierarchy.position(part) for part in parts]
    for parent, child in zip(steps[:-1], steps[1:], strict=True):
        if not hierarchy.children[parent, child]:
            return -1
    return steps[-1]

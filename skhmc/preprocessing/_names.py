"""Names and paths: which label of a hierarchy each of them means."""

from skhmc._utils.messages import plain
from skhmc.hierarchy import Hierarchy

__all__ = ["find_label", "learn_hierarchy", "sorted_names"]


def sorted_names(names):
    """Return different names sorted; by type first where types have no common order."""
    try:
        return sorted(names)
    except TypeError:
        return sorted(names, key=lambda name: (type(name).__name__, str(name)))


def learn_hierarchy(names, sep):
    """Return the hierarchy that names and paths describe.

    Parameters
    ----------
    names : iterable
        Strings and tuples of strings. Names of another kind are labels without
        parents, and so is every string where ``sep`` is None.
    sep : str or None
        What separates the parts of a string that is a path.

    Returns
    -------
    Hierarchy
        A label's name is its whole path. Sorted, parents before children.
    """
    paths = {_joined(name, sep) for name in names}
    if sep is None or not all(isinstance(path, str) for path in paths):
        return Hierarchy.flat(sorted_names(paths))
    labels = Hierarchy.from_paths(paths, sep=sep).labels
    # part by part: as whole strings, "a b" would stand between "a" and "a/b"
    labels = sorted(labels, key=lambda name: name.split(sep))
    return Hierarchy.from_paths(paths, labels, sep)


def _joined(name, sep):
    """Return a tuple as a path, anything else as it is."""
    if not isinstance(name, tuple):
        return plain(name)
    if sep is None:
        raise ValueError(
            f"Got the path {name!r} with sep=None, so that it cannot be joined to a "
            f"name. Give a sep, or a hierarchy that has these labels."
        )
    wrong = [part for part in name if not isinstance(part, str) or sep in part]
    if wrong or not name:
        raise ValueError(
            f"A path of a hierarchy that is to be learnt must be a tuple of strings "
            f"without {sep!r}, got {name!r}. Give another sep, or a hierarchy."
        )
    return sep.join(name)


def find_label(name, hierarchy, sep):
    """Return the label that a name or path means, and how much of it is known.

    Parameters
    ----------
    name : hashable
        A label, or else a path from any label downward: a tuple of parts, or a string
        in which ``sep`` separates them.
    hierarchy : Hierarchy
        A path means the label that has the joined path as its name, or the last of
        labels that are parent and child.
    sep : str or None

    Returns
    -------
    position : int
        The label's, or that of the longest known beginning of the path; -1 where
        nothing is known.
    whole : bool
        Whether the whole name is known.

    Examples
    --------
    >>> animals = Hierarchy.from_paths(["cat/lynx", "dog"])
    >>> [find_label(name, animals, "/") for name in ("cat/lynx", "cat/puma", "cow")]
    [(1, True), (0, False), (-1, False)]
    """
    name = plain(name)
    if name in hierarchy:
        return hierarchy.position(name), True
    parts = name
    if isinstance(name, str) and sep is not None:
        parts = tuple(name.split(sep))
    if not isinstance(parts, tuple):
        return -1, False
    for stop in range(len(parts), 0, -1):
        end = _end_of(parts[:stop], hierarchy, sep)
        if end >= 0:
            return end, stop == len(parts)
    return -1, False


def _end_of(parts, hierarchy, sep):
    """Return the position of the last label of a path, -1 where there is none."""
    if sep is not None and all(isinstance(part, str) for part in parts):
        joined = sep.join(parts)
        if joined in hierarchy:
            return hierarchy.position(joined)
    if not all(part in hierarchy for part in parts):
        return -1
    steps = [hierarchy.position(part) for part in parts]
    for parent, child in zip(steps[:-1], steps[1:], strict=True):
        if not hierarchy.children[parent, child]:
            return -1
    return steps[-1]

"""Labels in any form as one of few: what every reader of Y begins with."""

from collections.abc import Iterator

from skhmc._data.containers import unwrap
from skhmc._data.levels import is_level_table, level_names
from skhmc._utils.kinds import repeatable
from skhmc.hierarchy import Hierarchy

__all__ = ["read_form"]


def read_form(Y, source):
    """Return labels in a form that the rest reads, and the hierarchy.

    Parameters
    ----------
    Y : object
        Labels in any form.
    source : hierarchy-like or None
        What :meth:`Hierarchy.build` takes.

    Returns
    -------
    Y : object
        As :func:`skhmc._data.containers.unwrap` returns it. Level columns have become
        a list of sets with the labels of every row, and so have labels that are tuples,
        one for each sample.
    source : hierarchy-like or None
        The hierarchy of level columns where there was none.
    """
    Y = unwrap(Y)
    if isinstance(source, Iterator):
        source = repeatable(source)
    if is_level_table(Y, source):
        return level_names(Y, source)
    if _are_tuple_labels(Y, source):
        return [{row} for row in Y], source
    return Y, source


def _are_tuple_labels(Y, source):
    """Tell one label per sample from sets of names, where labels are tuples.

    That is, every row is a label of the hierarchy, and some row holds what is none.
    """
    if source is None or not isinstance(Y, (list, tuple)) or not Y:
        return False
    if not all(isinstance(row, tuple) for row in Y):
        return False
    try:
        rows = set(Y)
    except TypeError:  # tuples of lists
        return False
    hierarchy = Hierarchy.build(source)
    if not all(row in hierarchy for row in rows):
        return False
    return not all(name in hierarchy for row in rows for name in row)

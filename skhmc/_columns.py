"""Which label each column of an array is, and whether there are columns at all."""

import scipy.sparse as sp

from skhmc._sources import is_matrix, name_list
from skhmc.hierarchy import Hierarchy

__all__ = ["are_label_sets", "match_columns"]


def match_columns(source, names, n_labels):
    """Return a hierarchy in the order of columns, by name where they have names.

    Without names, the columns stand in the order of a ``Hierarchy`` (or matrix). Other
    sources have no order; with them integer labels are positions of columns.

    Parameters
    ----------
    source : hierarchy-like or None
        What :meth:`Hierarchy.build` takes; None is flat.
    names : list or None
        Names of the columns.
    n_labels : int
        Number of columns.

    Returns
    -------
    Hierarchy
        Perhaps of another size than ``n_labels``; callers say so in their own words.
    """
    if names is not None or source is None:
        labels = range(n_labels) if names is None else names
        return Hierarchy.build(source, labels=labels)
    hierarchy = Hierarchy.build(source)
    if isinstance(source, Hierarchy) or is_matrix(source):
        return hierarchy
    if all(isinstance(label, int) for label in hierarchy.labels):
        outside = [x for x in hierarchy.labels if not 0 <= x < n_labels]
        if outside:
            raise ValueError(
                f"The hierarchy has the labels {name_list(outside)}, which are no "
                f"positions of the {n_labels} columns. Give a column for each, or "
                f"leave them out of the hierarchy."
            )
        return Hierarchy.build(source, range(n_labels))  # in no edge: a root
    raise ValueError(
        f"The hierarchy names its labels ({name_list(hierarchy.labels)}), but the "
        f"columns have no names, so their order is unknown. Pass DataFrames, or "
        f"Hierarchy.build(source, labels=[names in the order of the columns])."
    )


def are_label_sets(y, n_labels=None):
    """Tell lists of label names from a nested list of indicators.

    Rows that are sets or hold strings are names, and so are rows of different length.
    Rows of 0, 1 and NaN only are indicators, but for rows of one entry where there are
    several labels; other rows of numbers are names when they are not ``n_labels`` long.

    Parameters
    ----------
    y : object
        What was given as labels.
    n_labels : int, default=None
        Number of labels; None when it is not known.

    Returns
    -------
    bool
    """
    if sp.issparse(y) or hasattr(y, "columns") or getattr(y, "ndim", 1) != 1:
        return False
    if not hasattr(y, "__len__") or not len(y):
        return False
    kinds = (list, tuple, set, frozenset)
    if isinstance(y, str) or not all(isinstance(row, kinds) for row in y):
        return False
    if any(isinstance(row, (set, frozenset)) for row in y):
        return True
    values, lengths = {x for row in y for x in row}, {len(row) for row in y}
    if len(lengths) > 1 or lengths == {0} or any(isinstance(x, str) for x in values):
        return True
    if n_labels is None or lengths == {n_labels}:
        return False
    return lengths == {1} or any(x not in (0, 1) and x == x for x in values)

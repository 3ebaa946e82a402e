"""Which label each column of an array is, and whether there are columns at all."""

import scipy.sparse as sp

from skhmc._sources import is_matrix, name_list
from skhmc.hierarchy import Hierarchy

__all__ = ["are_label_sets", "match_columns"]


def match_columns(source, names, n_labels):
    """Return a hierarchy in the order of columns, by name where they have names.

    Without names, integer labels are positions of columns, and the columns of other
    labels stand in the order of a ``Hierarchy`` (or matrix), which alone has one.

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
        Of another size than ``n_labels`` only when neither has names for the other's;
        callers say so in their own words.
    """
    if names is not None or source is None:
        labels = range(n_labels) if names is None else names
        return Hierarchy.build(source, labels=labels)
    hierarchy = Hierarchy.build(source)
    if set(hierarchy.labels) <= set(range(n_labels)):
        if not isinstance(source, Hierarchy):  # labels in no edge are roots
            hierarchy = Hierarchy.build(source, range(n_labels))
        if hierarchy.n_labels == n_labels:
            return Hierarchy.build(hierarchy, range(n_labels))
    elif not isinstance(source, Hierarchy) and not is_matrix(source):
        raise ValueError(
            f"The hierarchy names its labels ({name_list(hierarchy.labels)}), but the "
            f"columns have no names, so their order is unknown. Pass DataFrames, or "
            f"Hierarchy.build(source, labels=[names in the order of the columns])."
        )
    return hierarchy


def are_label_sets(y, n_labels=None):
    """Tell lists of label names from a nested list of indicators.

    Rows that are sets or hold strings are names, and so are rows of different length.
    Other rows are indicators when they hold 0, 1 and NaN only and, where it is known,
    are ``n_labels`` long.

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
    if len(lengths) > 1 or any(isinstance(x, str) for x in values):
        return True
    if n_labels is None:
        return False
    return lengths != {n_labels} or any(x not in (0, 1) and x == x for x in values)

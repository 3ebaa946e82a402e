"""Columns of Y that do not name the labels of a hierarchy, or not all of them."""

import numpy as np

from skhmc._data.judge import other_reading
from skhmc._utils.kinds import is_matrix
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import warn_of_input
from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy

__all__ = [
    "fill_ancestors",
    "known_names",
    "leaves_hint",
    "missing_ancestors",
    "refuse_width",
    "warn_ancestors",
]


def _has_own_names(source):
    """Tell whether a hierarchy names labels, which an array only numbers."""
    return source is not None and (hasattr(source, "columns") or not is_matrix(source))


def known_names(names, source):
    """Return the names of columns; None where they only count columns.

    Parameters
    ----------
    names : list or None
        Names of a DataFrame's columns.
    source : hierarchy-like or None
        What :meth:`Hierarchy.build` takes.

    Returns
    -------
    list or None
        None where the names are 0 ... n - 1, as of a DataFrame that was given none, or
        "0" ... or polars' "column_0" ..., and the hierarchy has none of them.
    """
    if names is None or not _has_own_names(source) or not _only_count(names):
        return names
    hierarchy = Hierarchy.build(source)
    return names if any(name in hierarchy for name in names) else None


def _only_count(names):
    """Tell names that libraries give columns without: 0, "0" or "column_0" ..."""
    numbers = range(len(names))
    return any(
        names == [make(k) for k in numbers] for make in (int, str, "column_{}".format)
    )


def missing_ancestors(names, source):
    """Return the labels that have no column and stand above those that have.

    Parameters
    ----------
    names : list or None
        Names of the columns.
    source : hierarchy-like or None
        What :meth:`Hierarchy.build` takes.

    Returns
    -------
    list
        In the order of the hierarchy. Empty, too, where other labels are missing or
        unknown, which is an error of those who match columns.

    Raises
    ------
    ValueError
        Where the columns are all roots of labels without columns, so that no edge would
        be left.
    """
    if names is None or not _has_own_names(source):
        return []
    hierarchy = Hierarchy.build(source)
    has_column = np.zeros(hierarchy.n_labels, dtype=bool)
    has_column[[hierarchy.position(name) for name in names if name in hierarchy]] = True
    if has_column.all() or not has_column.any():
        return []
    missing = [hierarchy.labels[i] for i in np.flatnonzero(~has_column)]
    above = hierarchy.ancestors[has_column].sum(axis=0)
    if (np.asarray(above).ravel()[~has_column] > 0).all():
        return missing
    _refuse_descendants(hierarchy, has_column, missing, source)
    return []


def _refuse_descendants(hierarchy, has_column, missing, source):
    """Raise where only roots have columns, and turned round would be the leaves."""
    columns = np.flatnonzero(has_column)
    below = np.asarray(hierarchy.descendants[columns].sum(axis=0)).ravel()
    is_root = np.isin(columns, hierarchy.roots).all()
    many = len(hierarchy.roots) > len(hierarchy.leaves)
    if is_root and many and (below[~has_column] > 0).all():
        raise ValueError(
            f"Y has columns for the {len(columns)} roots of the hierarchy only "
            f"({name_list(hierarchy.labels[i] for i in columns)}), and none for "
            f"{name_list(missing)}, which stand below them. The hierarchy is perhaps "
            f"upside down. {other_reading(source)} If the direction is right, add the "
            f"missing columns."
        )


def refuse_width(n_columns, hierarchy):
    """Raise where a hierarchy has other labels than one per column."""
    raise ValueError(
        f"Y has {n_columns} columns, but the hierarchy has {hierarchy.n_labels} "
        f"labels: {name_list(hierarchy.labels)}. Give one column per label, in this "
        f"order, or a DataFrame to match columns by name."
        f"{leaves_hint(n_columns, hierarchy)}"
    )


def leaves_hint(n_columns, hierarchy):
    """Return what to do where columns may be the leaves of a hierarchy, else ""."""
    if n_columns != len(hierarchy.leaves):
        return ""
    leaves = name_list(hierarchy.labels[i] for i in hierarchy.leaves)
    return (
        f" If the columns are its {n_columns} leaves, say in which order: "
        f"pd.DataFrame(Y, columns=[{leaves}]) gets the ancestors added."
    )


def fill_ancestors(Y, hierarchy):
    """Return indicators with columns for ancestors that had none.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_columns)
        0, 1 and NaN, for the first labels of the hierarchy.
    hierarchy : Hierarchy
        The other labels are ancestors of these.

    Returns
    -------
    ndarray of shape (n_samples, n_labels), float32
        In the columns added, 1 above a positive label, NaN above unknown ones, else 0.
    """
    n_columns = Y.shape[1]
    filled = np.full((len(Y), hierarchy.n_labels), np.nan, np.float32)
    filled[:, :n_columns] = Y
    below = hierarchy.descendants[n_columns:, :n_columns].astype(np.int32)
    unknown = below @ np.isnan(filled[:, :n_columns]).T.astype(np.int32) > 0
    closed = close_upward(filled, hierarchy)[:, n_columns:]
    closed[np.isnan(closed) & ~unknown.T] = 0
    filled[:, n_columns:] = closed
    return filled


def warn_ancestors(added, hierarchy):
    """Say which labels were added to the columns of Y."""
    n_labels = hierarchy.n_labels
    warn_of_input(
        f"Y has no columns for {len(added)} of the {n_labels} labels of the hierarchy: "
        f"{name_list(added)}. They are ancestors of its {n_labels - len(added)} "
        f"columns, from which they follow, and were added behind these: outputs have "
        f"this order. To silence this, give Y a column for every label, as "
        f"AncestorClosure of skhmc.preprocessing does."
    )

"""Several arrays of labels that a metric compares, in one order of columns."""

import numpy as np

from skhmc._data.columns import (
    fill_ancestors,
    known_names,
    leaves_hint,
    missing_ancestors,
)
from skhmc._data.containers import (
    check_one_kind,
    column_names,
    is_frame,
    unwrap,
)
from skhmc._data.forms import read_form
from skhmc._data.judge import judge_hierarchy
from skhmc._data.levels import all_levels, is_level_table, level_names
from skhmc._data.targets import (
    as_label_sets,
    match_columns,
    read_container,
    set_indicators,
    to_floats,
)
from skhmc._utils.kinds import repeatable
from skhmc._utils.messages import name_list
from skhmc.hierarchy import Hierarchy

__all__ = ["align"]


# arguments that hold labels; the others hold scores, which are numbers only
LABEL_ARGUMENTS = ("y_true", "y_pred")


def align(hierarchy, *, names=None, **arrays):
    """Bring the arrays that a metric compares into one order of labels.

    The columns stand in the order of the first array that has columns: by name where
    that is a DataFrame, else as :func:`match_columns` says. ``y_true`` and ``y_pred``
    may be label sets, which have no columns; where nothing has any, the order is that
    of the hierarchy.

    Parameters
    ----------
    hierarchy : hierarchy-like or None
        What :meth:`Hierarchy.build` takes; None is flat.
    names : list, default=None
        Labels of the columns; by default the columns of the first DataFrame.
    **arrays : array-like, sparse matrix, DataFrame or label sets
        What to read, by the name of the metric's argument.

    Returns
    -------
    hierarchy : Hierarchy
        In the order of the columns.
    *arrays : ndarray or csr_matrix of shape (n_samples, n_labels)
        Numbers, in the order of the arguments. Their values are not checked.

    Raises
    ------
    ValueError
        When shapes or names do not match, or when nothing says in which order the
        columns of an array stand.
    """
    arrays, hierarchy = _read_forms(arrays, repeatable(hierarchy), names)
    if names is None:
        names = _first_names(hierarchy, arrays)
    n_labels = _number_of_labels(hierarchy, names, arrays)
    rows = {}
    columns = {}
    for argument, Y in arrays.items():
        sets = None
        if argument in LABEL_ARGUMENTS:
            sets = as_label_sets(Y, n_labels)
        if sets is None:
            columns[argument] = _as_array(Y, names, argument, hierarchy)
        else:
            rows[argument] = sets
    source = hierarchy
    hierarchy = _order_of_columns(source, names, rows, columns)
    for argument, sets in rows.items():
        columns[argument] = set_indicators(sets, hierarchy, argument)
    read = [columns[argument] for argument in arrays]
    _check_shapes(dict(zip(arrays, read, strict=True)), hierarchy)
    if "y_true" in columns:
        judge_hierarchy(columns["y_true"], hierarchy, source)
    return hierarchy, *read


def _read_forms(arrays, hierarchy, names):
    """Return arrays in the forms that the rest reads, and their hierarchy."""
    arrays = {argument: unwrap(Y) for argument, Y in arrays.items()}
    if hierarchy is None and names is None:
        hierarchy = _hierarchy_of_levels(arrays)
    for argument in LABEL_ARGUMENTS:
        if argument in arrays:
            arrays[argument], _ = read_form(arrays[argument], hierarchy)
    return arrays, hierarchy


def _hierarchy_of_levels(arrays):
    """Return the hierarchy of all level columns, where nothing else has an order."""
    levels = {}
    for argument, Y in arrays.items():
        if argument in LABEL_ARGUMENTS and is_level_table(Y):
            levels[argument] = Y
        elif not is_frame(Y) and len(getattr(Y, "shape", ())) == 2:
            return None
    for Y in levels.values():
        level_names(Y, None)  # warns where they are perhaps no levels
    return all_levels(levels.values()) if levels else None


def _first_names(hierarchy, arrays):
    """Return the names of the columns of the first DataFrame that has names."""
    for argument, Y in arrays.items():
        names = _own_names(Y, hierarchy)
        if names is not None:
            above = argument in LABEL_ARGUMENTS
            return [*names, *(missing_ancestors(names, hierarchy) if above else ())]
    return None


def _own_names(Y, hierarchy):
    if not is_frame(Y):
        return None
    return known_names(column_names(Y), hierarchy)


def _number_of_labels(hierarchy, names, arrays):
    """Return how many labels there are, which tells lists of 0 and 1 from names."""
    if names is not None:
        return len(names)
    for Y in arrays.values():
        if len(getattr(Y, "shape", ())) == 2:
            return Y.shape[1]
    if hierarchy is not None:
        return Hierarchy.build(hierarchy).n_labels
    return None


def _order_of_columns(hierarchy, names, rows, columns):
    """Return the hierarchy in the order in which the columns of arrays stand."""
    if columns:
        n_labels = next(iter(columns.values())).shape[1]
        if rows and names is None and hierarchy is None:
            raise ValueError(
                f"{next(iter(rows))} holds label names, but the columns of "
                f"{next(iter(columns))} have no names and no hierarchy says in which "
                f"order they stand. Pass a DataFrame, or hierarchy=Hierarchy.flat("
                f"[names in the order of the columns])."
            )
        return match_columns(hierarchy, names, n_labels)
    if names is not None:
        return match_columns(hierarchy, names, len(names))
    if hierarchy is None:
        raise ValueError(
            f"{' and '.join(rows)} hold label names, and no hierarchy says which "
            f"labels there are. Pass a hierarchy, such as Hierarchy.flat(names)."
        )
    return Hierarchy.build(hierarchy)


def _as_array(Y, names, argument, hierarchy):
    """Return numbers with 2 dimensions; columns that have names in their order."""
    if argument in LABEL_ARGUMENTS:
        check_one_kind(Y)
    try:
        own_names = _own_names(Y, hierarchy)
        Y, _ = read_container(Y)
        if Y.dtype == object:
            Y = to_floats(Y)
    except (TypeError, ValueError):  # text, or rows of different lengths
        Y = np.empty(0, object)
        own_names = None
    if Y.dtype.kind not in "biuf" or Y.ndim != 2:
        raise ValueError(
            f"{argument} must be a numeric array, CSR matrix or DataFrame of shape "
            f"(n_samples, n_labels), got shape {Y.shape} and dtype {Y.dtype}. Label "
            f"names are a list of lists, one per sample; "
            f"skhmc.preprocessing.HierarchicalLabelBinarizer makes indicators of "
            f"names and paths."
        )
    if own_names is None:
        return Y
    if argument in LABEL_ARGUMENTS:
        added = missing_ancestors(own_names, hierarchy)
        if added:
            own_names = [*own_names, *added]
            Y = fill_ancestors(Y, Hierarchy.build(hierarchy, own_names))
    return np.asarray(Y[:, _find_columns(own_names, names, argument)], np.float64)


def _find_columns(own_names, names, argument):
    """Return where the columns that have ``names`` stand in a DataFrame."""
    if len(own_names) != len(names) or set(own_names) != set(names):
        only = [name for name in own_names if name not in set(names)]
        missing = [name for name in names if name not in set(own_names)]
        raise ValueError(
            f"The columns of {argument} do not match the labels. Only in {argument}: "
            f"{name_list(only) or 'none'}. Missing: {name_list(missing) or 'none'}. "
            f"Correct the columns."
        )
    position = {name: k for k, name in enumerate(own_names)}
    return [position[name] for name in names]


def _check_shapes(arrays, hierarchy):
    first = next(iter(arrays))
    n_samples = arrays[first].shape[0]
    for argument, Y in arrays.items():
        if Y.shape[1] != hierarchy.n_labels:
            raise ValueError(
                f"{argument} has {Y.shape[1]} columns, expected {hierarchy.n_labels}, "
                f"one per label of the hierarchy ({name_list(hierarchy.labels)}). Pass "
                f"the hierarchy of exactly these columns, see Hierarchy.subset."
                f"{leaves_hint(Y.shape[1], hierarchy)}"
            )
        if Y.shape[0] != n_samples:
            raise ValueError(
                f"{argument} has {Y.shape[0]} samples, but {first} has {n_samples}. "
                f"Pass one row per sample in both."
            )

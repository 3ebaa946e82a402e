"""Labels in containers of any library, in the few forms that the rest reads.

Nothing of another library is imported: a container is known by its methods.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from numbers import Number

import numpy as np
import scipy.sparse as sp

from skhmc._utils.kinds import repeatable
from skhmc._utils.messages import is_missing, name_list, plain
from skhmc.hierarchy import columns_of

__all__ = [
    "are_words",
    "check_one_kind",
    "column_names",
    "column_values",
    "has_dictionaries",
    "holds_text",
    "is_frame",
    "is_missing_scalar",
    "refuse_lazy",
    "unwrap",
]

ROWS = (list, tuple, set, frozenset)  # what holds the label names of a sample
NUMBERS = ("int", "uint", "float", "double", "half", "bool", "decimal")


def is_frame(Y):
    """Return whether Y is a DataFrame or table, whose columns have names."""
    return hasattr(Y, "columns")


def refuse_lazy(Y):
    """Raise where Y only plans what its columns will hold, as a polars.LazyFrame."""
    if hasattr(Y, "collect_schema") and not hasattr(Y, "__len__"):
        raise TypeError(
            f"Got a {type(Y).__name__}, which holds no data yet. Call its collect() "
            f"first."
        )


# -- one form for all ------------------------------------------------------------------


def unwrap(Y):
    """Return labels as an array, sparse matrix, table, Series or list of rows.

    Parameters
    ----------
    Y : object
        Labels in any form: what can be read once only is read here. A column of
        pyarrow or polars becomes an array or list; rows of label names, in whichever
        container, become lists, tuples and sets; a MultiIndex becomes a table.

    Returns
    -------
    object
        ``Y`` itself where it is in one of these forms already.

    Raises
    ------
    TypeError
        Where the rows of a container have no order, or it is a mapping or text.
    """
    if sp.issparse(Y):
        return Y
    _refuse_unordered(Y)
    refuse_lazy(Y)
    if is_frame(Y):
        return _only_column_of_rows(Y)
    if getattr(Y, "nlevels", 1) > 1:  # a MultiIndex of pandas: one column per level
        return Y.to_frame(index=False)
    if isinstance(Y, np.ndarray):
        return _unwrap_array(Y)
    if isinstance(Y, (list, tuple)):
        return _unwrap_rows(Y)
    if isinstance(Y, Iterator) or not hasattr(Y, "__array__"):
        return _unwrap_rows(list(repeatable(Y))) if isinstance(Y, Iterable) else Y
    return _unwrap_column(Y)


def _refuse_unordered(Y):
    """Raise where nothing says which label belongs to which sample."""
    if isinstance(Y, Mapping) and not is_frame(Y):
        do = (
            "Where keys are labels and values their columns, pass "
            "pandas.DataFrame(mapping); where keys are samples, list(mapping.values())."
        )
        if {"samples", "labels"} <= set(Y):
            do = "Of what skhmc.datasets.read_annotations returns, pass .labels."
        raise TypeError(
            f"Got labels as a mapping with the keys {name_list(Y)}. Expected one row "
            f"per sample: a list of lists of label names, or an array. {do}"
        )
    if isinstance(Y, (str, bytes)):
        raise TypeError(
            f"Expected y to be label sets, a list of lists of names, or an array with "
            f"one row per sample, got a {type(Y).__name__}: {Y!r}."
        )
    if isinstance(Y, Set):
        raise TypeError(
            f"Got labels as a {type(Y).__name__}, whose order does not say which label "
            f"belongs to which sample. Pass a list with one entry per sample."
        )
    if getattr(getattr(Y, "dtype", None), "names", None):
        raise TypeError(
            f"Got a structured array with the fields {name_list(Y.dtype.names)}. Pass "
            f"pandas.DataFrame(Y), whose columns have names."
        )


def _only_column_of_rows(table):
    """Return the rows of a table's only column, where that holds lists of names.

    One column of text is one label per sample. Any other table is returned as it is.
    """
    names = column_names(table)
    if len(names) != 1 or not len(table) or not may_hold_text(table):
        return table
    values = column_values(table)[0]
    if any(isinstance(value, (*ROWS, np.ndarray)) for value in values):
        return _unwrap_rows(values)
    if any(isinstance(value, str) for value in values) and not are_words(values):
        return _as_objects(values)
    return table


def _unwrap_array(Y):
    if Y.dtype.kind == "S" and Y.ndim == 1 and len(Y):
        _unwrap_row(Y[0])
    if Y.dtype != object or Y.ndim != 1 or np.ma.isMaskedArray(Y):
        return Y
    rows = _unwrap_rows(Y)
    return list(rows) if any(isinstance(row, ROWS) for row in rows) else Y


def _unwrap_column(Y):
    """Return the values of a column of pyarrow, polars, pandas or another library."""
    dtype = getattr(Y, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return Y
    if hasattr(Y, "to_pylist"):
        values = Y.to_pylist()
    elif hasattr(Y, "to_list"):  # pandas 2 warns of that of a Categorical
        values = getattr(Y, "tolist", Y.to_list)()
    else:
        return Y
    rows = _unwrap_rows(values)
    if any(isinstance(row, ROWS) for row in rows):
        return rows
    if hasattr(Y, "iloc"):  # a Series keeps its index
        return Y
    if any(isinstance(value, str) for value in values):
        return _as_objects(values)
    return np.asarray([np.nan if value is None else value for value in values])


def _as_objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _unwrap_rows(rows):
    """Return the rows of samples, those of names as lists, tuples and sets.

    The rows themselves where they are so already, or are arrays of numbers.
    """
    kinds = set(map(type, rows))
    if kinds == {str} or kinds <= set(ROWS) or _are_arrays_of_numbers(rows):
        return rows
    found = [_unwrap_row(row) for row in rows]
    if any(isinstance(row, ROWS) for row in found):
        # a single name among lists of them; a missing row is padding
        found = [row if isinstance(row, ROWS) else [row] for row in found]
    same = all(new is old for new, old in zip(found, rows, strict=True))
    return rows if same else found


def _are_arrays_of_numbers(rows):
    """Tell arrays of equally many numbers, which are rows of indicators."""
    shapes = {getattr(row, "shape", ()) for row in rows}
    if len(shapes) != 1 or shapes == {()}:
        return False
    return all(getattr(row.dtype, "kind", "O") in "biufc" for row in rows)


def _unwrap_row(row):
    if row is None or isinstance(row, (str, Number, *ROWS)):
        return row
    if isinstance(row, bytes):
        raise TypeError(
            f"Got the bytes {row!r} as a label, expected text. Decode them: "
            f"np.asarray(y).astype(str)."
        )
    if isinstance(row, Mapping):
        raise TypeError(
            f"Got the mapping {row!r} as the labels of a sample. Expected a list of "
            f"the names of its labels, such as {list(row)!r}."
        )
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(row, method):
            return getattr(row, method)()
    if isinstance(row, Set):  # another library's
        return set(row)
    return list(row) if isinstance(row, Iterable) else row


def is_missing_scalar(value):
    """Tell None, NaN, NaT and pandas.NA from names, and from rows of names."""
    if isinstance(value, (str, np.ndarray, *ROWS)):
        return False
    return value is None or is_missing(value)


# -- tables ----------------------------------------------------------------------------


def column_names(frame):
    """Return the names of a DataFrame's columns, or of those of a table of pyarrow."""
    names = getattr(frame, "column_names", None)  # of pyarrow, whose columns are values
    return [plain(name) for name in (frame.columns if names is None else names)]


def column_values(frame):
    """Return the values of every column of a table as a list of lists."""
    read = []
    for column in columns_of(frame):
        values = column.to_pylist if hasattr(column, "to_pylist") else column.to_list
        read.append([plain(value) for value in values()])
    return read


def has_dictionaries(table):
    """Tell a table of pyarrow with dictionaries, whose array has no missing values."""
    types = getattr(getattr(table, "schema", None), "types", ())
    return any(str(kind).startswith("dictionary") for kind in types)


def may_hold_text(table):
    """Tell whether a column of a table has another type than numbers and booleans."""
    if hasattr(table, "schema") and hasattr(table.schema, "types"):  # of pyarrow
        types = table.schema.types
    else:
        types = list(table.dtypes)
    return not all(_is_type_of_numbers(kind) for kind in types)


def _is_type_of_numbers(kind):
    if isinstance(kind, np.dtype):
        return kind.kind in "biufc"
    return str(kind).lower().removeprefix("sparse[").startswith(NUMBERS)


def holds_text(Y):
    """Tell a table or a 2-D array with text among its cells."""
    if is_frame(Y):
        if not may_hold_text(Y):
            return False
        return any(isinstance(x, str) for values in column_values(Y) for x in values)
    if not isinstance(Y, np.ndarray) or Y.ndim != 2:
        return False
    if Y.dtype == object:
        return any(isinstance(x, str) for x in Y.flat)
    return Y.dtype.kind in "UT"


WORDS = {"0", "1", "0.0", "1.0", "true", "false", "yes", "no", "t", "f", "y", "n"}


def are_words(values):
    """Tell text that stands for 0 and 1 from names: "0", "1", "True", "no" ..."""
    words = {str(value).strip().lower() for value in values if isinstance(value, str)}
    return len(words) <= 2 and words - {""} <= WORDS


# -- one label per sample --------------------------------------------------------------


def check_one_kind(y):
    """Raise where one label per sample is missing, or some are text and some numbers.

    Parameters
    ----------
    y : object
        Labels. Only a list, tuple, Series or array of objects with one dimension is
        looked at.
    """
    if is_frame(y) or sp.issparse(y) or getattr(y, "ndim", 1) != 1:
        return
    if getattr(getattr(y, "dtype", None), "kind", "O") != "O":
        return
    if not hasattr(y, "__len__"):
        return
    if set(map(type, y.to_list() if hasattr(y, "to_list") else y)) == {str}:
        return
    values = [plain(value) for value in y]
    if any(isinstance(value, ROWS) or hasattr(value, "shape") for value in values):
        return  # rows of indicators
    texts = [value for value in values if isinstance(value, str)]
    missing = [i for i, value in enumerate(values) if is_missing_scalar(value)]
    numbers = [value for value in values if isinstance(value, Number)]
    numbers = [value for value in numbers if not is_missing(value)]
    if texts and numbers:
        raise ValueError(
            f"y holds text, such as {texts[0]!r}, and numbers, such as "
            f"{numbers[0]!r}: classes need one type. Write [str(label) for label in "
            f"y], or lists of names ([[{numbers[0]!r}], [{texts[0]!r}], ...]) where a "
            f"hierarchy has labels of both types."
        )
    if missing:
        raise ValueError(
            f"Input y contains NaN or None: {len(missing)} of {len(values)} samples "
            f"have no label, the first is row {missing[0]}. Leave these samples out, "
            f"or pass lists of label names, [] where there is none."
        )

"""Tables and columns of any library of data frames, as lists."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from skhmc._utils.messages import is_missing, name_list, plain

__all__ = [
    "columns_of",
    "is_blank",
    "is_column",
    "is_table",
    "read_column",
    "read_table",
]


def is_table(source: Any) -> bool:
    """Tell a table with named columns: of pandas, polars (also lazy) or pyarrow."""
    return hasattr(source, "columns")


def is_column(source: Any) -> bool:
    """Tell a column with an index, as pandas has it."""
    index = getattr(source, "index", None)
    return hasattr(source, "to_numpy") and not (index is None or callable(index))


def is_blank(value: Any) -> bool:
    """Tell what stands for no value: None, NaN, pandas.NA, masked, blank text."""
    if isinstance(value, str):
        return not value.strip()
    if value is None or value is np.ma.masked:
        return True
    return isinstance(value, Hashable) and is_missing(value)


def read_table(table: Any) -> dict[Hashable, list]:
    """Return the columns of a table as lists, by name.

    Whole numbers that are floats only because others are missing become integers.
    """
    if hasattr(table, "collect"):  # a lazy frame of polars
        table = table.collect()
    names = list(getattr(table, "column_names", table.columns))
    if len(set(names)) < len(names):
        raise ValueError(
            f"The columns of a table need different names, got {name_list(names)}."
        )
    read = [read_column(column) for column in columns_of(table)]
    return dict(zip((plain(name) for name in names), read, strict=True))


def columns_of(table: Any) -> Iterable:
    """Return the columns of a table, also where several have one name."""
    if hasattr(table, "iloc"):  # of pandas
        return [table.iloc[:, k] for k in range(table.shape[1])]
    if hasattr(table, "get_columns"):  # of polars
        return table.get_columns()
    return table.columns


def read_column(column: Any) -> list:
    """Return the values of a column as a list of plain values."""
    if isinstance(column, (set, frozenset)):  # whose order changes between runs
        column = sorted(column, key=str)
    for method in ("to_pylist", "to_list", "tolist"):  # pyarrow, polars, pandas, numpy
        if hasattr(column, method):
            values = getattr(column, method)()
            break
    else:
        values = list(column)
    return whole([plain(value) for value in values])


def whole(values: Iterable[Any]) -> list:
    """Return whole floats as integers, where missing values made them floats."""
    values = list(values)
    floats = [x for x in values if isinstance(x, float) and np.isfinite(x)]
    numbers = [x for x in values if not is_blank(x)]
    if len(floats) < len(numbers) or not all(x.is_integer() for x in floats):
        return values
    return [x if is_blank(x) else int(x) for x in values]

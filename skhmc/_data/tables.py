"""Rows of a table, in whatever library for tables there is."""

import numpy as np

from skhmc._utils.optional import import_optional

__all__ = ["as_table", "sample_names"]

LIBRARIES = ("pandas", "polars")  # the first that is installed


def sample_names(X, rows):
    """Return the names of rows of X: its index where it has one, else their numbers.

    Parameters
    ----------
    X : object
        Samples.
    rows : ndarray of int
        Positions of the samples.

    Returns
    -------
    pandas.Index or ndarray
    """
    if hasattr(X, "iloc") and hasattr(X, "index"):
        return X.index.take(rows).to_flat_index()
    return rows


def as_table(columns, X):
    """Return columns as a DataFrame, or as a dict of lists where nothing has one.

    Parameters
    ----------
    columns : dict
        Arrays or lists of one length, by name.
    X : object
        What the user handed over: of a DataFrame, the answer is one of that library.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame or dict of lists
    """
    own = type(X).__module__.partition(".")[0]
    for name in sorted(LIBRARIES, key=lambda name: name != own):
        try:
            library = import_optional(name, caller="predict_table", extra="test")
        except ImportError:
            continue
        return library.DataFrame(columns)
    return {name: _as_list(column) for name, column in columns.items()}


def _as_list(column):
    return column.tolist() if isinstance(column, np.ndarray) else list(column)

"""Rows of label names that were made equally long, by '' or by missing values."""

from skhmc._utils.messages import is_missing
from skhmc._utils.warnings import warn_of_input

__all__ = ["is_padding", "without_padding"]


def is_padding(name):
    """Tell '', None, NaN and pandas.NA from names of labels."""
    if isinstance(name, str):
        return not name
    return name is None or is_missing(name)


def without_padding(rows):
    """Return lists of label names without what only fills them up, and warn once.

    Parameters
    ----------
    rows : list of list
        Label names of every sample. What fills a path, a tuple, stands at its end.

    Returns
    -------
    list of list
    """
    kept = [[_whole(name) for name in row if not is_padding(name)] for row in rows]
    shorter = [i for i, row in enumerate(rows) if _n_parts(kept[i]) < _n_parts(row)]
    if shorter:
        warn_of_input(
            f"{len(shorter)} of {len(rows)} rows of label names are filled up with '' "
            f"or missing values (None, NaN), the first is row {shorter[0]}. They were "
            f"left out: a row has as many names as the sample has labels. Leave them "
            f"out to silence this ([] where there is no label)."
        )
    return kept


def _n_parts(row):
    """Return how many names and parts of paths a row has."""
    return sum(1 + len(name) if isinstance(name, tuple) else 1 for name in row)


def _whole(name):
    """Return a path without the padding at its end; anything else as it is."""
    while isinstance(name, tuple) and name and is_padding(name[-1]):
        name = name[:-1]
    return name

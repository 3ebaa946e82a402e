"""Rows of label names that were made equally long, by '' or by missing values."""

from itertools import chain

from skhmc._utils.messages import is_missing
from skhmc._utils.warnings import warn_of_input

__all__ = ["is_padding", "warn_of_nan_text", "without_padding"]

NAN_AS_TEXT = {"nan", "NaN", "<NA>", "NaT"}  # "None" is also what people call a class


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
    if not any(_may_pad(name) for name in set(chain.from_iterable(rows))):
        return rows
    kept = [[_whole(name) for name in row if not is_padding(name)] for row in rows]
    shorter = [i for i, row in enumerate(rows) if _n_parts(kept[i]) < _n_parts(row)]
    if shorter:
        warn_of_input(
            f"{len(shorter)} of {len(rows)} rows of label names are filled up with '' "
            f"or missing values (None, NaN), the first is row {shorter[0]}. These "
            f"names were left out: a row has as many names as the sample has labels."
            f"{_of_empty_rows(kept, shorter)} Leave them out to silence this ([] where "
            f"there is no label)."
        )
    return kept


def _of_empty_rows(kept, shorter):
    """Say what becomes of the rows that have no name left, if there are any."""
    empty = [i for i in shorter if not kept[i]]
    if not empty:
        return ""
    return (
        f" {len(empty)} of these rows have no name left, the first is row {empty[0]}: "
        f"they stay, as samples that have no label at all. Where the labels are not "
        f"known, leave out the sample."
    )


def warn_of_nan_text(names):
    """Warn of labels called as missing values in an array of strings.

    Parameters
    ----------
    names : iterable
        Names of labels, where no hierarchy says that these are some.
    """
    found = [x for x in names if isinstance(x, str) and x in NAN_AS_TEXT]
    if found:
        warn_of_input(
            f"y holds the text {found[0]!r}, which is what missing values become in an "
            f"array of strings. It is read as a label. Where it is missing, leave it "
            f"out ([] where a sample has no label); where it is a name, a hierarchy "
            f"that has it, such as Hierarchy.flat(names), silences this."
        )


def _may_pad(name):
    """Tell padding, and paths, which may end with some."""
    return isinstance(name, tuple) or is_padding(name)


def _n_parts(row):
    """Return how many names and parts of paths a row has."""
    return sum(1 + len(name) if isinstance(name, tuple) else 1 for name in row)


def _whole(name):
    """Return a path without the padding at its end; anything else as it is."""
    while isinstance(name, tuple) and name and is_padding(name[-1]):
        name = name[:-1]
    return name

"""From the fields of ARFF rows to columns of numbers."""

from __future__ import annotations

import re

import numpy as np

from skhmc._utils.messages import name_list
from skhmc.datasets._arff_text import ArffText, Attribute, shortened

__all__ = ["feature_names", "read_features"]

# no digit can be matched by two parts, so that time is linear in the length
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def feature_names(attribute: Attribute) -> list[str]:
    """Return the names of an attribute's columns."""
    if attribute.is_one_column:
        return [attribute.name]
    return [f"{attribute.name}={value}" for value in attribute.values]


def read_features(text: ArffText) -> np.ndarray:
    """Return the features of one file, shape (n_rows, n_features)."""
    blocks = []
    columns = zip(*text.rows, strict=True)
    for attribute, column in zip(text.attributes, columns, strict=True):
        if attribute.kind == "nominal":
            blocks.append(_codes(column, attribute, text))
        elif attribute.kind == "numeric":
            blocks.append(_numbers(column, attribute, text)[:, None])
    return np.concatenate(blocks, axis=1)


def _numbers(
    column: tuple[str, ...], attribute: Attribute, text: ArffText
) -> np.ndarray:
    """Return a column of numbers; fast where all is well, slow to find what is not."""
    try:
        values = np.array([np.nan if x == "?" else float(x) for x in column])
        joined = "".join(column)
        # float() reads more than ARFF has: 1_0 as 10, and digits of other scripts
        is_plain = joined.isascii() and "_" not in joined
        n_known = len(column) - column.count("?")
        if is_plain and np.isfinite(values).sum() == n_known:
            return values
    except ValueError:
        pass  # the field at fault is found below
    bad = next(i for i, x in enumerate(column) if x != "?" and not _is_finite(x))
    raise ValueError(
        f"{text.file}, line {text.lines[bad]}: attribute {attribute.name!r} got "
        f"{shortened(column[bad])}, expected a finite number, or ? for a missing value."
    )


def _is_finite(field: str) -> bool:
    return NUMBER.fullmatch(field) is not None and bool(np.isfinite(float(field)))


def _codes(column: tuple[str, ...], attribute: Attribute, text: ArffText) -> np.ndarray:
    """Encode a nominal column one-hot, or as one column when its values are 0, 1."""
    values = attribute.values
    # the row behind those of the values is what is missing; a value "?" goes first
    code = {"?": len(values)} | {value: i for i, value in enumerate(values)}
    try:
        codes = [code[field] for field in column]
    except KeyError as error:
        bad = column.index(error.args[0])
        raise ValueError(
            f"{text.file}, line {text.lines[bad]}: attribute {attribute.name!r} got "
            f"{shortened(column[bad])}, expected one of [{name_list(values)}], or ? "
            f"for a missing value."
        ) from None
    if attribute.is_one_column:
        return np.array([*map(float, values), np.nan])[codes, None]
    numbers = np.array(codes)
    known = numbers < len(values)
    one_hot = np.zeros((len(codes), len(values)))
    one_hot[~known] = np.nan
    one_hot[np.flatnonzero(known), numbers[known]] = 1
    return one_hot

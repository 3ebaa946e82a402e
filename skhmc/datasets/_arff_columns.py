"""From the fields of ARFF rows to columns of numbers."""

import re

import numpy as np

__all__ = ["feature_names", "read_features"]

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def _is_one_column(attribute):
    return attribute.kind == "numeric" or set(attribute.values) == {"0", "1"}


def feature_names(attribute):
    """Return the names of an attribute's columns."""
    if _is_one_column(attribute):
        return [attribute.name]
    return [f"{attribute.name}={value}" for value in attribute.values]


def read_features(text):
    """Return the features of one file, shape (n_rows, n_features)."""
    blocks = []
    columns = zip(*text.rows, strict=True)
    for attribute, column in zip(text.attributes, columns, strict=True):
        if attribute.kind == "nominal":
            blocks.append(_codes(column, attribute, text))
        elif attribute.kind == "numeric":
            blocks.append(_numbers(column, attribute, text)[:, None])
    return np.concatenate(blocks, axis=1)


def _numbers(column, attribute, text):
    try:
        values = np.array([np.nan if x == "?" else float(x) for x in column])
        joined = "".join(column)
        plain = joined.isascii() and "_" not in joined  # float() reads 1_0 as 10
        if plain and np.isfinite(values).sum() == len(column) - column.count("?"):
            return values
    except ValueError:
        pass
    bad = next(i for i, x in enumerate(column) if x != "?" and not _is_finite(x))
    raise ValueError(
        f"{text.file}, line {text.lines[bad]}: attribute {attribute.name!r} got "
        f"{column[bad]!r}, expected a finite number, or ? for a missing value."
    )


def _is_finite(field):
    return NUMBER.fullmatch(field) and np.isfinite(float(field))


def _codes(column, attribute, text):
    """Encode a nominal column one-hot, or as one column when its values are 0, 1."""
    values = attribute.values
    code = {"?": len(values)} | {value: i for i, value in enumerate(values)}
    try:
        codes = [code[field] for field in column]
    except KeyError as error:
        bad = column.index(error.args[0])
        raise ValueError(
            f"{text.file}, line {text.lines[bad]}: attribute {attribute.name!r} got "
            f"{column[bad]!r}, expected one of {list(values)}, or ? for a missing "
            f"value."
        ) from None
    if _is_one_column(attribute):
        return np.array([*map(float, values), np.nan])[codes][:, None]
    return np.vstack([np.eye(len(values)), np.full(len(values), np.nan)])[codes]

"""Rows of files as an estimator takes them; those that are none are told apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from skhmc._scale.inputs import CALLER, SampleFile
from skhmc._utils.messages import name_list, shown
from skhmc._utils.optional import import_optional

__all__ = ["Block", "Layout", "read_layout"]

# what Arrow's cast of a text to a number takes, without what only it takes
NUMBER = r"^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
NUMBERS = ("int", "uint", "float", "double", "halffloat", "decimal", "bool")
TEXTS = ("string", "large_string", "string_view")
LISTS = ("list", "fixed_size_list", "large_list")


@dataclass(frozen=True)
class Layout:
    """Which columns are read, and what is made of them.

    ``form`` is "frame" (a DataFrame of all columns), "array" (numbers), "texts" or
    "vectors" (one column), or "rows" of a file that is an array itself. ``kinds`` says
    of every column whether it holds "number", "text", or what Arrow calls it.
    """

    form: str
    columns: list[str]
    kinds: dict[str, str]
    id_column: str | None
    width: int | None  # numbers of a vector


@dataclass
class Block:
    """Some rows of a file.

    ``X`` are those that can be asked about, ``rows`` their positions in the block, and
    ``missing`` (len(rows), n_columns) where they lack a value, None where nobody looks.
    ``wrong`` are reasons by position of the others.
    """

    n_rows: int
    X: Any
    rows: np.ndarray
    missing: np.ndarray | None
    wrong: dict[int, str]
    ids: Any


# -- which columns ---------------------------------------------------------------------


def read_layout(
    files: list[SampleFile],
    columns: str | list[str] | None,
    id_column: str | None,
    names: list[str] | None,
    n_features: int | None,
) -> Layout:
    """Decide which columns an estimator gets, and how.

    Parameters
    ----------
    files : list of SampleFile
    columns, id_column
        As the user gave them.
    names : list of str or None
        Names of the features that the estimator was fitted with.
    n_features : int or None
        Number of these.

    Raises
    ------
    ValueError
        Where a file lacks columns, or has another number of them.
    """
    if files[0].kind != "parquet":
        return _layout_of_arrays(files, columns, id_column, n_features)
    if isinstance(columns, str):
        chosen = [columns]
    elif columns is not None or names is not None:
        chosen = [str(name) for name in columns or names or ()]
    else:
        chosen = [name for name in _all_columns(files[0]) if name != id_column]
    _check_columns(files, [*chosen, *([] if id_column is None else [id_column])])
    kinds = {name: _kind(files, name) for name in chosen}
    width = None
    if isinstance(columns, str):
        form = "vectors" if kinds[columns].startswith(LISTS) else "texts"
        width = n_features if form == "vectors" else None
    else:
        if n_features is not None and len(chosen) != n_features:
            raise ValueError(
                f"The estimator was fitted with {n_features} features, but "
                f"{len(chosen)} columns would be read: {name_list(chosen)}. Say which "
                f"ones by columns=, and name the column of ids by id_column=."
            )
        numbers = all(kind == "number" for kind in kinds.values())
        form = "array" if numbers and names is None else "frame"
    return Layout(form, chosen, kinds, id_column, width)


def _layout_of_arrays(files, columns, id_column, n_features):
    if columns is not None or id_column is not None:
        raise ValueError(
            f"Got columns={columns!r} and id_column={id_column!r}, but "
            f"{files[0].path!r} holds no named columns. Leave them out: the answers "
            f"have the numbers of rows."
        )
    expected = files[0].width if n_features is None else n_features
    for file in files:
        if file.width != expected:
            raise ValueError(
                f"{file.path!r} has {file.width} columns, expected {expected}, as the "
                f"estimator was fitted with. Leave it out, or write it again."
            )
    return Layout("rows", [], {}, None, None)


def _all_columns(file):
    return [*file.columns, *(n for n in file.partition if n not in file.columns)]


def _check_columns(files, needed):
    for file in files:
        there = _all_columns(file)
        lacking = [name for name in needed if name not in there]
        if lacking:
            raise ValueError(
                f"{file.path!r} lacks the columns {name_list(lacking)}; it has "
                f"{name_list(there)}. Name those that the estimator was fitted with "
                f"by columns=, or leave the file out."
            )


def _kind(files, name):
    """Return what a column holds in most rows: a file may have it in another type."""
    rows: Counter = Counter()
    for file in files:
        rows[_kind_in(file, name)] += max(file.n_rows, 1)
    return rows.most_common(1)[0][0]


def _kind_in(file, name):
    if name in file.partition:
        return "number" if isinstance(file.partition[name], int) else "text"
    kind = file.columns[name]
    if kind.startswith(NUMBERS):
        return "number"
    if kind.startswith(TEXTS) or kind == "null":
        return "text"
    return kind


# -- rows of a file --------------------------------------------------------------------


def read_rows(layout: Layout, block: Any) -> Block:
    """Return a block's rows as the estimator takes them.

    Parameters
    ----------
    layout : Layout
    block : pyarrow.Table, ndarray or csr_matrix
        What :func:`skhmc._scale.inputs.read_blocks` yields.
    """
    if layout.form == "rows":
        missing = np.isnan(block) if _may_lack(block) else None
        n_rows = block.shape[0]
        return Block(n_rows, block, np.arange(n_rows), missing, {}, None)
    wrong: dict[int, str] = {}
    ids = None if layout.id_column is None else block.column(layout.id_column)
    columns = [
        _COLUMN_READERS.get(layout.kinds[name], _as_it_is)(
            block.column(name), name, wrong
        )
        for name in layout.columns
    ]
    X = _FORMS[layout.form](layout, columns, wrong)
    n_rows = block.num_rows
    rows = np.setdiff1d(np.arange(n_rows), list(wrong))
    if layout.form == "vectors":
        return Block(n_rows, np.array([X[k] for k in rows]), rows, None, wrong, ids)
    if layout.form == "texts":
        return Block(n_rows, X[rows], rows, None, wrong, ids)
    missing = _is_missing(X)[rows]
    X = X.iloc[rows] if layout.form == "frame" else X[rows]
    return Block(n_rows, X, rows, missing, wrong, ids)


def _may_lack(block):
    return isinstance(block, np.ndarray) and block.dtype.kind == "f"


def _is_missing(X):
    return np.isnan(X) if isinstance(X, np.ndarray) else X.isna().to_numpy()


def _number(column, name, wrong):
    """Return numbers; integers where none is missing."""
    compute = import_optional("pyarrow.compute", caller=CALLER, extra="scale")
    arrow = import_optional("pyarrow", caller=CALLER, extra="scale")
    kind = str(column.type)
    if not kind.startswith(NUMBERS):
        if not (kind.startswith(TEXTS) or kind == "null"):
            return _refuse_all(column, name, wrong, "a number")
        text = compute.utf8_trim_whitespace(column.cast(arrow.large_string()))
        good = compute.match_substring_regex(text, NUMBER)
        bad = compute.fill_null(compute.invert(good), False)  # null is missing
        for row in np.flatnonzero(bad.to_numpy()):
            value = shown(column[int(row)].as_py())
            _say(wrong, row, f"column {name!r} holds {value}, expected a number")
        none = arrow.scalar(None, arrow.large_string())
        column = compute.if_else(compute.fill_null(good, False), text, none)
    whole = kind.startswith(("int", "uint", "bool")) and not column.null_count
    if not whole and kind not in ("float", "double"):
        column = column.cast(arrow.float64())
    return column.to_numpy()


def _text(column, name, wrong):
    kind = str(column.type)
    if kind.startswith(TEXTS) or kind == "null":
        return column.to_pandas()
    if not kind.startswith(NUMBERS):
        return column.to_pandas()
    return _refuse_all(column, name, wrong, "text")


def _as_it_is(column, name, wrong):
    return column.to_pandas()


def _refuse_all(column, name, wrong, expected):
    """Refuse every row that has a value of another type than other files have."""
    said = f"column {name!r} holds {column.type}, expected {expected}"
    for row in np.flatnonzero(column.is_valid().to_numpy()):
        _say(wrong, row, said)
    return np.full(len(column), np.nan)


def _say(wrong, row, reason):
    row = int(row)
    wrong[row] = f"{wrong[row]}; {reason}" if row in wrong else reason


_COLUMN_READERS = {"number": _number, "text": _text}


def _frame(layout, columns, wrong):
    pandas = import_optional("pandas", caller=CALLER, extra="scale")
    return pandas.DataFrame(dict(zip(layout.columns, columns, strict=True)))


def _array(layout, columns, wrong):
    kinds = {column.dtype for column in columns}
    dtype = np.float32 if kinds == {np.dtype(np.float32)} else np.float64
    return np.column_stack([np.asarray(column, dtype) for column in columns])


def _texts(layout, columns, wrong):
    texts = np.empty(len(columns[0]), object)
    for row, text in enumerate(columns[0]):
        texts[row] = text
        if not isinstance(text, str):
            _say(wrong, row, f"column {layout.columns[0]!r} holds no text")
    return texts


def _vectors(layout, columns, wrong):
    """Return the lists of a column; those of another length or kind are refused."""
    name = layout.columns[0]
    vectors = [_as_vector(value) for value in columns[0]]
    width = layout.width
    if width is None:
        width = Counter(len(v) for v in vectors if v is not None).most_common(1)[0][0]
    for row, vector in enumerate(vectors):
        if vector is None:
            _say(wrong, row, f"column {name!r} holds no list of numbers")
        elif len(vector) != width:
            said = f"column {name!r} holds {len(vector)} numbers, expected {width}"
            _say(wrong, row, said)
    return vectors


def _as_vector(value):
    try:
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return vector if vector.ndim == 1 else None


_FORMS = {"frame": _frame, "array": _array, "texts": _texts, "vectors": _vectors}

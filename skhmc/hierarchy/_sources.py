"""Whatever describes a hierarchy, told apart by its type and its values.

Each kind of description has a file of its own. Every reader returns (labels, edges by
name).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp

from skhmc._utils.kinds import is_matrix, repeatable
from skhmc._utils.messages import name_list
from skhmc._utils.separator_search import holds_separator
from skhmc._utils.warnings import HierarchyWarning, warn_of_input
from skhmc.hierarchy._edges import read_edges
from skhmc.hierarchy._graphs import read_networkx
from skhmc.hierarchy._parents import (
    is_nested,
    parent_by_name,
    read_children,
    read_parent_table,
    read_parents,
)
from skhmc.hierarchy._paths import read_paths
from skhmc.hierarchy._tables import (
    is_blank,
    is_column,
    is_table,
    read_column,
    read_table,
)

__all__ = ["read_edge_table", "read_matrix", "read_source"]

OBO = re.compile(r"\.obo(\.gz)?$")

# columns of a table of edges, by their usual names
EDGE_COLUMNS = (("from", "to"), ("source", "target"))
MIN_EDGES = 8  # whose direction is doubted; fewer are chance


def read_matrix(matrix: Any, labels: Iterable | None = None) -> tuple[Iterable, list]:
    """Read a square 0/1 matrix; entry (i, j) = 1 makes i a parent of j.

    A DataFrame names its columns and, unless its index only counts, its rows; else
    ``labels`` names both.
    """
    if hasattr(matrix, "columns"):
        labels = list(getattr(matrix, "column_names", matrix.columns))
        matrix = _rows_as_columns(matrix, labels)
    matrix = sp.coo_matrix(matrix if sp.issparse(matrix) else np.asarray(matrix))
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"Expected a square matrix, got shape {matrix.shape}.")
    if not np.isin(matrix.data, (0, 1)).all():
        raise ValueError("Expected a matrix of zeros and ones, got other values.")
    labels = list(range(matrix.shape[0]) if labels is None else labels)
    if len(labels) != matrix.shape[0]:
        raise ValueError(
            f"Got {len(labels)} labels for a matrix of shape {matrix.shape}."
        )
    on = np.flatnonzero(matrix.data)
    return labels, [(labels[matrix.row[k]], labels[matrix.col[k]]) for k in on]


def _rows_as_columns(matrix: Any, labels: list) -> Any:
    """Return a table with its rows in the order of its columns, where they have names.

    Only pandas names rows.
    """
    rows = list(getattr(matrix, "index", range(len(labels))))
    if rows == list(range(len(rows))):
        return matrix
    if len(rows) != len(labels) or set(rows) != set(labels):
        raise ValueError(
            f"The rows of the matrix ({name_list(rows)}) are not named as its "
            f"columns ({name_list(labels)}). Use the same labels for both."
        )
    return matrix.loc[labels]


def read_edge_table(table: Any, first: str | None = None) -> tuple[Iterable, list]:
    """Read a table of edges: columns of that name, else of parents and children."""
    columns = read_table(table)
    for names in EDGE_COLUMNS:
        if set(names) == {str(name).lower() for name in columns}:
            found = {str(name).lower(): values for name, values in columns.items()}
            edges = list(zip(found[names[0]], found[names[1]], strict=True))
            real = {str(name).lower(): name for name in columns}
            _warn_if_turned(edges, (real[names[0]], real[names[1]]))
            return read_edges(edges)
    return read_parent_table(table, first=first)


def _warn_if_turned(edges: list[tuple[Any, Any]], names: tuple[Any, Any]) -> None:
    """Warn where each edge has a parent of its own, and few children share them all."""
    given = [pair for pair in dict.fromkeys(edges) if not any(map(is_blank, pair))]
    above, below = (len({pair[end] for pair in given}) for end in (0, 1))
    if above == len(given) >= max(MIN_EDGES, 2 * below):
        parent, child = given[0]
        warn_of_input(
            f"Edges of a table run from {names[0]!r}, the parent, to {names[1]!r}, and "
            f"as given {parent!r} is a parent of {child!r}. But no name stands "
            f"twice as {names[0]!r}, and {len(given)} edges lead to {below} names: "
            f"turned round they were a tree. For that use Hierarchy.from_parents("
            f"table, child={names[0]!r}, parent={names[1]!r}); else pass pairs, "
            f"Hierarchy.from_edges(table.to_numpy().tolist()), to silence this.",
            HierarchyWarning,
        )


def _names_edges(source: Any) -> bool:
    """Tell a table of two numbers a row whose columns are called parent and child."""
    if not is_table(source) or len(source.columns) != 2:
        return False
    names = list(getattr(source, "column_names", source.columns))
    edges = {str(name).lower() for name in names} in map(set, EDGE_COLUMNS)
    return edges or parent_by_name(names) is not None


def read_source(source: Any, labels: Iterable | None = None) -> tuple[Iterable, list]:
    """Read whatever describes a hierarchy, by its type."""
    if isinstance(source, nx.Graph):
        return read_networkx(source)
    if isinstance(source, Mapping):
        return read_children(source) if is_nested(source) else read_parents(source)
    if is_matrix(source) and not _names_edges(source):
        return read_matrix(source, labels)
    if is_table(source):
        return read_edge_table(source)
    if is_column(source):
        return _read_column(source)
    if isinstance(source, str) or not isinstance(source, Iterable):
        raise TypeError(
            f"Cannot build a hierarchy from {source!r}. Expected a Hierarchy, a "
            f"networkx.DiGraph, a mapping {{child: parents}}, pairs (parent, child), "
            f"paths 'a/b/c', or a square 0/1 matrix.{_reader_of(source)}"
        )
    return _read_items(read_column(repeatable(source)))


def _reader_of(source: Any) -> str:
    """Return what reads a file, where its name is given in place of a hierarchy."""
    if isinstance(source, str | os.PathLike) and OBO.search(os.fspath(source)):
        return f" Hierarchy.from_obo({source!r}) reads an ontology in OBO format."
    return ""


def _read_items(items: list) -> tuple[Iterable, list]:
    """Read a list of paths or of edges."""
    strings = [item for item in items if isinstance(item, str)]
    if strings and len(strings) == len(items):
        return read_paths(items, sure=False)
    if strings:
        other = next(item for item in items if not isinstance(item, str))
        raise TypeError(
            f"Got strings such as {strings[0]!r} together with {other!r}. Expected "
            f"either paths, which are strings only, or pairs (parent, child)."
        )
    return read_edges(items)


# -- a column with an index ------------------------------------------------------------


def _read_column(column: Any) -> tuple[Iterable, list]:
    """Read a Series: paths or edges, or parents whose children are in its index."""
    values = read_column(column)
    index = read_column(column.index)
    if all(isinstance(value, tuple) for value in values):
        return read_edges(values)
    if _are_parents(values, index):
        return read_parents(column)
    if _are_paths(values, index):
        return read_paths(values, sure=False)
    raise ValueError(
        f"Nothing says whether the values of the Series are paths, or parents of the "
        f"labels in its index: got {_shown(values)} with the index {_shown(index)}. "
        f"Say so: Hierarchy.from_paths(series) or Hierarchy.from_parents(series) "
        f"(from_children, where the values are lists of children)."
    )


def _are_parents(values: list, index: list) -> bool:
    """Tell parents: some are in the index too, or are missing, or stand repeatedly."""
    names = [value for value in values if not is_blank(value)]
    if index == list(range(len(index))):  # it only counts
        return bool(names) and all(isinstance(x, int) for x in names)
    if not names or any(isinstance(x, (list, set, dict)) for x in names):
        return False
    if set(names) & set(index):
        return True
    if not _hold_separator(names):
        return len(names) < len(values) or len(set(names)) < len(names)
    return False


def _are_paths(values: list, index: list) -> bool:
    """Tell paths: nothing but strings, with a separator or an index that counts."""
    if not all(isinstance(value, str) for value in values):
        return False
    return index == list(range(len(index))) or _hold_separator(values)


def _hold_separator(values: list) -> bool:
    return all(isinstance(value, str) for value in values) and holds_separator(values)


def _shown(values: list) -> str:
    return name_list(values[:3]) + (", ..." if len(values) > 3 else "")

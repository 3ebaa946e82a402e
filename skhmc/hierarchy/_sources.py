"""What a hierarchy can be built from: each reader returns (labels, edges by name)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse as sp

from skhmc._utils.kinds import is_matrix
from skhmc._utils.messages import is_missing, name_list, plain, repeated

__all__ = [
    "edge_positions",
    "index_labels",
    "read_edges",
    "read_matrix",
    "read_networkx",
    "read_parents",
    "read_paths",
    "read_source",
]


def index_labels(labels: Iterable[Any]) -> dict[Hashable, int]:
    """Return ``{label: position}``; labels that repeat or are NaN are an error."""
    labels = [plain(label) for label in labels]
    bad = [x for x in labels if not isinstance(x, Hashable) or is_missing(x)]
    if bad:
        raise TypeError(
            f"Labels must be hashable and not NaN, got {bad[0]!r}. Use strings, "
            f"numbers or tuples."
        )
    index = {label: position for position, label in enumerate(labels)}
    if len(index) < len(labels):
        again = name_list(repeated(labels))
        raise ValueError(f"Labels must be unique; these stand more than once: {again}.")
    return index


def edge_positions(edges: Iterable, index: dict[Hashable, int]) -> np.ndarray:
    """Return edges by name as positions (n_edges, 2); unknown names are an error."""
    edges = as_pairs(edges)
    try:
        flat = [index[plain(label)] for edge in edges for label in edge]
    except KeyError:
        names = dict.fromkeys(plain(label) for edge in edges for label in edge)
        unknown = [name for name in names if name not in index]
        raise ValueError(
            f"The edges name labels that are not among the {len(index)} given labels: "
            f"{name_list(unknown)}. Add them to labels or correct the edges."
        ) from None
    return np.array(flat, dtype=np.intp).reshape(-1, 2)


def as_pairs(edges: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Return edges as a list of pairs; anything but a pair is an error."""
    pairs = []
    for edge in edges:
        if isinstance(edge, str) or not hasattr(edge, "__len__") or len(edge) != 2:
            raise ValueError(
                f"An edge must be a pair (parent, child), got {edge!r}. For paths such "
                f"as 'a/b/c' use Hierarchy.from_paths."
            )
        pairs.append((edge[0], edge[1]))
    return pairs


def _first_seen(groups: Iterable[Iterable[Any]]) -> list[Hashable]:
    """Return the labels: sorted if all are integers, else in order of appearance."""
    every: Iterable[Any] = (plain(label) for group in groups for label in group)
    labels = list(dict.fromkeys(every))  # each once, in order
    if all(isinstance(x, int) and not isinstance(x, bool) for x in labels):
        labels.sort()
    return labels


def read_edges(edges: Iterable[Any]) -> tuple[Iterable, list]:
    """Read pairs (parent, child)."""
    edges = as_pairs(edges)
    return _first_seen(edges), edges


def read_parents(parents: Mapping) -> tuple[Iterable, list]:
    """Read ``{child: parent}`` or ``{child: [parents]}``; None or NaN means a root."""
    edges = []
    names = []
    for child, given in parents.items():
        above = _as_list(given)
        edges += [(parent, child) for parent in above]
        names.append((*above, child))
    return _first_seen(names), edges


def _as_list(parents: Any) -> list:
    """Return one parent, several, or none (None or NaN) as a list."""
    if isinstance(parents, (list, tuple, set, frozenset, np.ndarray)):
        return list(parents)
    if parents is None or is_missing(parents):
        return []
    return [parents]


def read_paths(paths: Iterable[str], sep: str = "/") -> tuple[Iterable, list]:
    """Read paths such as ``a/b/c``; every prefix is a label."""
    names: dict[str, None] = {}
    for path in paths:
        if not isinstance(path, str):
            raise TypeError(f"A path must be a string, got {path!r}.")
        parts = path.split(sep)
        if "" in parts:
            raise ValueError(
                f"The path {path!r} has an empty part; expected names joined by "
                f"{sep!r}, such as 'a{sep}b'."
            )
        prefixes = (sep.join(parts[: i + 1]) for i in range(len(parts)))
        names.update(dict.fromkeys(prefixes))  # a set that keeps the order
    return names, [(name.rpartition(sep)[0], name) for name in names if sep in name]


def read_networkx(graph: nx.DiGraph) -> tuple[Iterable, list]:
    """Read a directed graph whose edges run parent -> child."""
    if not graph.is_directed():
        raise TypeError(
            f"Expected a networkx.DiGraph with edges parent -> child, got an "
            f"undirected {type(graph).__name__}."
        )
    return graph.nodes, list(graph.edges())


def read_matrix(matrix: Any, labels: Iterable | None = None) -> tuple[Iterable, list]:
    """Read a square 0/1 matrix; entry (i, j) = 1 makes i a parent of j.

    A DataFrame names its columns and, unless its index only counts, its rows; else
    ``labels`` names both.
    """
    if hasattr(matrix, "columns"):
        labels = list(matrix.columns)
        rows = list(matrix.index)
        if rows != list(range(len(rows))):
            if len(rows) != len(labels) or set(rows) != set(labels):
                raise ValueError(
                    f"The rows of the matrix ({name_list(rows)}) are not named as its "
                    f"columns ({name_list(labels)}). Use the same labels for both."
                )
            matrix = matrix.loc[labels]
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


def read_source(source: Any, labels: Iterable | None = None) -> tuple[Iterable, list]:
    """Read whatever describes a hierarchy, by its type."""
    if isinstance(source, nx.Graph):
        return read_networkx(source)
    if isinstance(source, Mapping):
        return read_parents(source)
    if is_matrix(source):
        return read_matrix(source, labels)
    if isinstance(source, str) or not isinstance(source, Iterable):
        raise TypeError(
            f"Cannot build a hierarchy from {source!r}. Expected a Hierarchy, a "
            f"networkx.DiGraph, a mapping {{child: parents}}, pairs (parent, child), "
            f"paths 'a/b/c', or a square 0/1 matrix."
        )
    items = list(source.to_numpy() if hasattr(source, "to_numpy") else source)
    if items and all(isinstance(item, str) for item in items):
        return read_paths(items)
    return read_edges(items)

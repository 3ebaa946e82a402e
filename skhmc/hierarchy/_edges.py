"""Labels and edges, checked: what every reader ends with."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from skhmc._utils.messages import is_missing, name_list, plain, repeated, shown
from skhmc._utils.warnings import HierarchyWarning, warn_of_input

__all__ = [
    "as_pairs",
    "cycle_text",
    "edge_positions",
    "first_seen",
    "index_labels",
    "read_edges",
    "warn_of_spaces",
]


def index_labels(labels: Iterable[Any]) -> dict[Hashable, int]:
    """Return ``{label: position}``; labels that repeat or are NaN are an error."""
    labels = [plain(label) for label in labels]
    check_labels(labels)
    index = {label: position for position, label in enumerate(labels)}
    if len(index) < len(labels):
        again = name_list(repeated(labels))
        raise ValueError(f"Labels must be unique; these stand more than once: {again}.")
    return index


def check_labels(labels: Iterable[Any]) -> None:
    """Raise where a label cannot be one: a list, a dict, NaN."""
    for label in labels:
        if not _is_hashable(label) or is_missing(label):
            raise TypeError(
                f"Labels must be hashable and not NaN, got {label!r}. Use strings, "
                f"numbers or tuples."
            )


def _is_hashable(label: Any) -> bool:
    try:
        hash(label)
    except TypeError:  # also of a tuple with a list in it
        return False
    return True


def edge_positions(edges: Iterable, index: dict[Hashable, int]) -> np.ndarray:
    """Return edges by name as positions (n_edges, 2); unknown names are an error."""
    edges = as_pairs(edges)
    check_labels(plain(label) for edge in edges for label in edge)
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


MAX_IN_CYCLE = 10  # labels that a message prints of a cycle


def cycle_text(names: list[Any]) -> str:
    """Return the names on a cycle, the first again at the end, for a message."""
    texts = [x if isinstance(x, str) and len(x) < 100 else shown(x) for x in names]
    text = " -> ".join(texts[:MAX_IN_CYCLE])
    if len(texts) <= MAX_IN_CYCLE:
        return text
    return f"{text} -> ... -> {texts[-1]} ({len(names) - 1} labels in all)"


def warn_of_spaces(names: Iterable[Any]) -> None:
    """Warn of names that differ in nothing but spaces at their ends, as in files."""
    names = [name for name in names if isinstance(name, str)]
    if all(name == name.strip() for name in names):
        return
    first: dict[str, str] = {}
    alike = [
        (first[name.strip()], name)
        for name in names
        if first.setdefault(name.strip(), name) != name
    ]
    if alike:
        one, other = alike[0]
        warn_of_input(
            f"{len(alike)} of {len(names)} labels differ from another in nothing but "
            f"spaces at their ends, such as {other!r} and {one!r}. They are read as "
            f"different labels. Where they are the same, strip the names: "
            f"name.strip(), or column.str.strip() of a DataFrame. Where they differ, "
            f"pass labels= to silence this.",
            HierarchyWarning,
        )


def as_pairs(edges: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Return edges as a list of pairs; anything but a pair is an error."""
    pairs = []
    for edge in edges:
        unfit = isinstance(edge, (str, set, frozenset, dict))
        if unfit or not hasattr(edge, "__len__") or len(edge) != 2:
            raise ValueError(
                f"An edge must be a pair (parent, child), got {shown(edge)}. For paths "
                f"such as 'a/b/c' use Hierarchy.from_paths; for lists of children "
                f"Hierarchy.from_children; for one column per level "
                f"Hierarchy.from_levels."
            )
        pairs.append((edge[0], edge[1]))
    return pairs


def _is_no_name(label: Any) -> bool:
    """Tell what stands for a missing end: None, and what fills up a file."""
    return label is None or (isinstance(label, str) and not label.strip())


def first_seen(groups: Iterable[Iterable[Any]]) -> list[Hashable]:
    """Return the labels: sorted if all are integers, else in order of appearance."""
    every: list[Any] = [plain(label) for group in groups for label in group]
    check_labels(every)
    labels = list(dict.fromkeys(every))  # each once, in order
    if all(isinstance(x, int) and not isinstance(x, bool) for x in labels):
        labels.sort()
    return labels


def read_edges(edges: Iterable[Any]) -> tuple[Iterable, list]:
    """Read pairs (parent, child)."""
    edges = as_pairs(edges)
    for edge in edges:
        if any(_is_no_name(label) for label in edge):
            raise ValueError(
                f"The edge {edge!r} has an end missing. For a table of labels and "
                f"their parents, which are missing above roots, use "
                f"Hierarchy.from_parents."
            )
    return first_seen(edges), edges

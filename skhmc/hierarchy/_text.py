"""A hierarchy as people read it: an indented tree, and a collapsible one in notebooks.

A label with several parents stands under each of them; what is below it is shown once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from html import escape
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from skhmc.hierarchy._hierarchy import Hierarchy

__all__ = ["term_names", "to_html", "to_text"]

MAX_HTML_ROWS = 300  # labels in a notebook, however many there are
MAX_NAME = 80  # characters of a name there
MAX_PARENTS = 3  # other parents that are named behind a label


class _Row(NamedTuple):
    """A label that waits to be written, and where."""

    label: int
    depth: int  # in the text
    above: int  # position of the parent it stands under; -1 for none
    prefix: str  # of the line
    below: str  # prefix of the lines of its children


def to_text(hierarchy: Hierarchy, max_rows: int | None, max_depth: int | None) -> str:
    """Return the tree, one label a line; see :meth:`Hierarchy.to_text`."""
    _check_limit("max_rows", max_rows, 1)
    _check_limit("max_depth", max_depth, 0)
    lines: list[str] = []
    seen: set[int] = set()
    expanded: set[int] = set()
    # more siblings than there are rows need not wait, but one, which tells that some do
    most = hierarchy.n_labels if max_rows is None else int(max_rows) + 1
    waiting = _rows(hierarchy.roots[:most], 0, -1, None)
    while waiting and (max_rows is None or len(lines) < max_rows):
        row = waiting.pop()
        seen.add(row.label)
        children = _row_of(hierarchy.children, row.label)
        notes = _notes(hierarchy, row.label, row.above)
        if len(children):
            if row.label in expanded:
                notes.append("see above")
            elif row.depth == max_depth:
                notes.append(f"{_number(len(children), 'child', 'children')} below")
            else:
                expanded.add(row.label)
                first = children[:most]
                waiting += _rows(first, row.depth + 1, row.label, row.below)
        lines.append(row.prefix + _with_notes(_titled(hierarchy, row.label), notes))
    if waiting:
        more = hierarchy.n_labels - len(seen)
        lines.append(f"… {more:,} more" if more else "…")
    return "\n".join(lines)


def _rows(labels: np.ndarray, depth: int, above: int, prefix: str | None) -> list[_Row]:
    """Return the rows of siblings, the first of them last, as a stack wants it."""
    rows = []
    for number, label in enumerate(labels.tolist(), 1):
        if prefix is None:  # a root, which hangs from nothing
            rows.append(_Row(label, depth, above, "", ""))
        elif number == len(labels):
            rows.append(_Row(label, depth, above, prefix + "└── ", prefix + "    "))
        else:
            rows.append(_Row(label, depth, above, prefix + "├── ", prefix + "│   "))
    return rows[::-1]


def to_html(hierarchy: Hierarchy) -> str:
    """Return a collapsible tree of bounded size for a notebook.

    The labels nearest to the roots are shown; behind each the number of its children
    that are not.
    """
    head = f"<summary><code>{escape(repr(hierarchy))}</code></summary>"
    shown, n_roots = _nearest_to_the_roots(hierarchy)
    more = len(hierarchy.roots) - n_roots
    roots = hierarchy.roots[:n_roots].tolist()
    items = [_item(hierarchy, label, -1, shown) for label in roots]
    return f"<details open>{head}{_list(items, more)}</details>"


def _nearest_to_the_roots(hierarchy: Hierarchy) -> tuple[dict[int, list[int]], int]:
    """Return which children of which labels are shown, and of how many roots.

    A label that stands under several parents has its children below the first one.
    """
    roots = hierarchy.roots[:MAX_HTML_ROWS].tolist()
    shown: dict[int, list[int]] = {}
    left = MAX_HTML_ROWS - len(roots)
    waiting = deque(roots)
    while waiting and left:
        label = waiting.popleft()
        if label in shown:
            continue
        children = _row_of(hierarchy.children, label)[:left].tolist()
        shown[label] = children
        left -= len(children)
        waiting.extend(children)
    return shown, len(roots)


def _item(
    hierarchy: Hierarchy, label: int, above: int, shown: dict[int, list[int]]
) -> str:
    """Return a label and what is shown below it, as an item of a list."""
    notes = _notes(hierarchy, label, above)
    name = _titled(hierarchy, label)
    if len(name) > MAX_NAME:
        name = name[: MAX_NAME - 1] + "…"
    text = escape(_with_notes(name, notes))
    n_children = len(_row_of(hierarchy.children, label))
    if not n_children:
        return f"<li>{text}</li>"
    # taken out, so that they are shown once
    children = shown.pop(label, [])
    items = [_item(hierarchy, child, label, shown) for child in children]
    more = n_children - len(items)
    if not items:
        return f"<li>{text} <i>… {more:,} below</i></li>"
    summary = f"<summary>{text}</summary>"
    return f"<li><details>{summary}{_list(items, more)}</details></li>"


def _list(items: list[str], more: int) -> str:
    last = f"<li><i>… {more:,} more</i></li>" if more else ""
    return f"<ul>{''.join(items)}{last}</ul>"


# -- names -----------------------------------------------------------------------------


def term_names(hierarchy: Hierarchy) -> Mapping[Hashable, str]:
    """Return what people call the terms of an ontology; of others nothing."""
    return getattr(hierarchy, "names", {})


def _name(hierarchy: Hierarchy, label: int) -> str:
    """Return a label's name on one line."""
    name = str(hierarchy.labels[label])
    return name if name.isprintable() and name else repr(hierarchy.labels[label])


def _titled(hierarchy: Hierarchy, label: int) -> str:
    """Return a label's name and, of a term of an ontology, what people call it."""
    called = " ".join(term_names(hierarchy).get(hierarchy.labels[label], "").split())
    name = _name(hierarchy, label)
    return f"{name} {called}" if called and called != name else name


def _notes(hierarchy: Hierarchy, label: int, above: int) -> list[str]:
    """Return what is said behind a name: under which other parents it stands."""
    others = [k for k in _row_of(hierarchy.parents, label).tolist() if k != above]
    if not others:
        return []
    names = [_name(hierarchy, k) for k in others[:MAX_PARENTS]]
    more = len(others) - len(names)
    if more:
        names.append(f"{more} more")
    return [f"also under {', '.join(names)}"]


def _with_notes(name: str, notes: list[str]) -> str:
    return f"{name} ({'; '.join(notes)})" if notes else name


def _number(n: int, one: str, several: str) -> str:
    return f"{n:,} {one if n == 1 else several}"


def _row_of(matrix: Any, label: int) -> np.ndarray:
    """Return the positions that a row of a CSR matrix marks."""
    return matrix.indices[matrix.indptr[label] : matrix.indptr[label + 1]]


def _check_limit(name: str, value: Any, least: int) -> None:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if value is not None and not (whole and value >= least):
        raise ValueError(
            f"Got {name}={value!r}, expected an integer of at least {least}, or None "
            f"for no limit."
        )

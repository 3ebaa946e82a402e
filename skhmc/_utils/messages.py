"""What messages have in common: names in short, and plain values."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

__all__ = ["is_missing", "name_list", "plain", "repeated", "shown"]

MAX_NAMES = 8  # names printed in a message before "..."
MAX_LENGTH = 120  # characters of a name in a message


def shown(name: Any) -> str:
    """Return a name as text for a message, a very long one cut."""
    text = repr(plain(name))
    if len(text) <= MAX_LENGTH:
        return text
    half = MAX_LENGTH // 2
    return f"{text[:half]}...{text[-half:]} ({len(text)} characters)"


def name_list(names: Iterable[Any]) -> str:
    """Return the first few names as text for a message."""
    names = list(names)
    text = ", ".join(shown(name) for name in names[:MAX_NAMES])
    if len(names) > MAX_NAMES:
        text += f", ... ({len(names)} in all)"
    return text


def repeated(names: Iterable[Hashable]) -> list[Hashable]:
    """Return the names that stand more than once, as they are met again."""
    seen: set[Hashable] = set()
    again: dict[Hashable, None] = {}  # a set that keeps the order
    for name in names:
        if name in seen:
            again[name] = None
        seen.add(name)
    return list(again)


def plain(label: Any) -> Hashable:
    """Turn a numpy scalar into the Python value it holds, so equality is by content."""
    return label.item() if isinstance(label, np.generic) else label


def is_missing(value: Any) -> bool:
    """Tell NaN, NaT and pandas.NA from labels: they do not equal themselves."""
    differs = value != value
    if isinstance(differs, (bool, np.bool_)):
        return bool(differs)
    return True  # pandas.NA, of which every comparison is NA and has no truth value

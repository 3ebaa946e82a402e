"""What messages have in common: names in short, and plain values."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

__all__ = ["is_missing", "name_list", "plain"]


MAX_NAMES = 8  # names printed in a message before "..."


def name_list(names: Iterable[Any]) -> str:
    """Return the first few names as text for a message."""
    names = list(names)
    text = ", ".join(repr(plain(name)) for name in names[:MAX_NAMES])
    return text + (f", ... ({len(names)} in all)" if len(names) > MAX_NAMES else "")


def plain(label: Any) -> Hashable:
    """Turn a numpy scalar into the Python value it holds, so equality is by content."""
    return label.item() if isinstance(label, np.generic) else label


def is_missing(value: Any) -> bool:
    """Tell NaN, NaT and pandas.NA (of which a comparison is no bool) from labels."""
    return (
        value is not None
        and not isinstance(value != value, (bool, np.bool_))
        or (bool(value != value))
    )

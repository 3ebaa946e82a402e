"""What kind of thing a user handed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["as_names", "is_matrix", "repeatable"]


def is_matrix(source: Any) -> bool:
    """Tell whether a source is read as an adjacency matrix: square, of numbers."""
    if sp.issparse(source):
        return True
    shape: tuple[int, ...] = getattr(source, "shape", ())
    square = len(shape) == 2 and shape[0] == shape[1]
    return square and np.asarray(source).dtype.kind in "biuf"


def as_names(names: str | Iterable[str], argument: str) -> list[str]:
    """Return one string, or several, as a list; anything else is a TypeError."""
    given: list = [names]
    if not isinstance(names, str) and isinstance(names, Iterable):
        given = list(names)
    if not given or not all(isinstance(name, str) for name in given):
        raise TypeError(
            f"Expected {argument} to be a string or several, got {names!r}."
        )
    return given


def repeatable(source: Any) -> Any:
    """Return a list of what can be read once only, and anything else as it is.

    What has been read is an error: it would pass for a hierarchy without edges.
    """
    if not isinstance(source, Iterator):
        return source
    items = list(source)
    if not items:
        raise ValueError(
            f"This {type(source).__name__} has nothing left: it can be read once only, "
            f"and perhaps was. Pass a list."
        )
    return items

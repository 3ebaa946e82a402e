"""What kind of thing a user handed over."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["is_matrix"]


def is_matrix(source: Any) -> bool:
    """Tell whether a source is read as an adjacency matrix: square, of numbers."""
    if sp.issparse(source):
        return True
    shape: tuple[int, ...] = getattr(source, "shape", ())
    square = len(shape) == 2 and shape[0] == shape[1]
    return square and np.asarray(source).dtype.kind in "biuf"

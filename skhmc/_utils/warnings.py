"""Warnings that point at the user's line."""

import sys
import warnings
from types import FrameType

__all__ = ["HierarchyWarning", "warn_user"]

OURS = {"skhmc", "sklearn", "joblib"}  # packages whose lines a warning does not show


class HierarchyWarning(UserWarning):
    """A hierarchy is perhaps not the one that was meant.

    Y contradicts the direction of its edges, say: the message has the numbers, both
    readings, and the call that means the other one.
    """


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn from the nearest line outside this package and scikit-learn.

    Whatever wraps an estimator, a Pipeline say, the line shown is the one that called
    it.
    """
    frame = sys._getframe()
    level = 1
    while frame.f_back is not None and _package_of(frame) in OURS:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _package_of(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "").split(".")[0]

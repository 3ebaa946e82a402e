"""Warnings that point at the user's line."""

import sys
import warnings

__all__ = ["warn_user"]


OURS = {"skhmc", "sklearn", "joblib"}


def warn_user(message, category=UserWarning):
    """Warn from the nearest line outside this package and scikit-learn.

    Whatever wraps an estimator, a Pipeline say, the line shown is the one that called
    it.
    """
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in OURS:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)

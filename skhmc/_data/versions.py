"""The version that wrote a pickle, and a warning where another one reads it."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from skhmc._utils.version import package_version

__all__ = ["VERSION_KEY", "VersionWarning", "VersionedMixin"]

VERSION_KEY = "_skhmc_version"  # in pickles, and never an attribute
BEFORE = "before 0.1.0"  # pickles that do not say it


class VersionWarning(InconsistentVersionWarning):
    """An estimator was kept by one version of skhmc and is loaded by another.

    Parameters
    ----------
    estimator_name : str
        Name of the estimator's class.
    original_version : str
        The version of skhmc that kept it.
    done : str, default="unpickle"
        What was done with it.

    Examples
    --------
    >>> print(VersionWarning("KernelHMC", "0.0.1"))  # doctest: +ELLIPSIS
    Trying to unpickle estimator KernelHMC of skhmc 0.0.1 with skhmc ...
    """

    def __init__(
        self, estimator_name: str, original_version: str, done: str = "unpickle"
    ) -> None:
        self.estimator_name = estimator_name
        self.original_version = original_version
        self.done = done

    def __str__(self) -> str:
        return (
            f"Trying to {self.done} estimator {self.estimator_name} of skhmc "
            f"{self.original_version} with skhmc {package_version()}. It may break, or "
            f"predict something else. Compare some predictions with those of before, "
            f"or fit again."
        )


class VersionedMixin:
    """Mixin of estimators whose pickles say which version of skhmc made them.

    It stands before ``BaseEstimator``, which says the same of scikit-learn's own.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), VERSION_KEY: package_version()}  # type: ignore

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop(VERSION_KEY, BEFORE)
        if version != package_version():
            warnings.warn(VersionWarning(type(self).__name__, version), stacklevel=2)
        super().__setstate__(state)  # type: ignore

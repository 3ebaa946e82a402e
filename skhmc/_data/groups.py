"""Groups of samples that belong together: read, checked and numbered."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from skhmc._utils.messages import is_missing, name_list, plain
from skhmc._utils.warnings import warn_user

__all__ = ["Groups", "read_groups", "refuse_few_groups"]

# what becomes of a missing value in an array of texts
MISSING_AS_TEXT = ("nan", "None", "NaT", "<NA>")


@dataclass(frozen=True)
class Groups:
    """The group of every sample by number, and what the groups are called."""

    codes: np.ndarray  # (n_samples,), int
    names: list  # in the order in which they are met

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.names)

    @property
    def membership(self) -> sp.csr_matrix:
        """The matrix (n_groups, n_samples) of 0 and 1 that sums over groups."""
        n_samples = len(self.codes)
        ones = np.ones(n_samples, dtype=np.int64)
        shape = (self.n_groups, n_samples)
        return sp.csr_matrix((ones, (self.codes, np.arange(n_samples))), shape)


def read_groups(groups: Any, n_samples: int) -> Groups:
    """Return the groups of samples.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        Any values that can be compared: numbers, names, dates. Equal ones are one
        group. A column of a DataFrame or an array of shape (n_samples, 1) will do.
    n_samples : int
        Number of samples.

    Returns
    -------
    Groups

    Raises
    ------
    ValueError
        When there is not one value per sample, or one is missing: a sample of an
        unknown group may belong to any.

    Warns
    -----
    UserWarning
        Where a group is called "nan" or the like. ``numpy.array(["a", nan])`` makes
        this text of a missing value, and nothing tells it from a name.
    """
    values = _one_per_sample(groups, n_samples)
    number: dict = {}  # of every group, in the order in which they are met
    codes = np.empty(n_samples, dtype=np.intp)
    missing = []
    for i, value in enumerate(values):
        if not isinstance(value, Hashable):
            raise ValueError(
                f"Expected groups to be one value per sample, such as a number or a "
                f"name, got {value!r} in row {i}."
            )
        if _is_missing(value):
            missing.append(i)
        codes[i] = number.setdefault(value, len(number))
    if missing:
        raise ValueError(
            f"{len(missing)} of {n_samples} samples have no group: the value is "
            f"missing (None, NaN) in rows {name_list(missing)}. Give a sample that "
            f"belongs to no other a group of its own."
        )
    _warn_of_texts(number, codes)
    return Groups(codes, [plain(name) for name in number])


def _is_missing(value):
    """Tell whether a value, or a part of a tuple, is None, NaN or the like."""
    if isinstance(value, tuple):
        return any(map(_is_missing, value))
    return value is None or is_missing(value)


def _warn_of_texts(number, codes):
    """Warn of groups whose names are what becomes of missing values in texts."""
    for text in MISSING_AS_TEXT:
        if text in number:
            rows = np.flatnonzero(codes == number[text]).tolist()
            warn_user(
                f"{len(rows)} of {len(codes)} samples are in the group {text!r} (rows "
                f"{name_list(rows)}). An array of texts makes this of a missing value. "
                f"If it was one, give every such sample a group of its own; if it is a "
                f"name, rename the group."
            )


def _one_per_sample(groups, n_samples):
    """Return the values as a list; lists keep the types of their values."""
    if isinstance(groups, (Mapping, Set)):  # of which a list has keys, or any order
        raise ValueError(
            f"Expected groups to be one value per sample, as an array or a list, got a "
            f"{type(groups).__name__}. Pass the values in the order of the samples."
        )
    if sp.issparse(groups):
        groups = groups.toarray()
    shape = np.shape(groups) if hasattr(groups, "shape") else (_length(groups),)
    if len(shape) == 2 and shape[1] == 1:
        groups = np.asarray(groups)[:, 0]
        shape = shape[:1]
    if len(shape) != 1:
        raise ValueError(
            f"Expected groups to be one value per sample, got the shape {shape}. Of "
            f"several columns make one, such as tuples of their values."
        )
    if shape[0] != n_samples:
        raise ValueError(
            f"Expected groups to be one value per sample, {n_samples}, got {shape[0]}. "
            f"Pass those of the same rows."
        )
    return groups.tolist() if hasattr(groups, "tolist") else list(groups)


def _length(groups):
    if isinstance(groups, (str, bytes)) or not hasattr(groups, "__len__"):
        raise ValueError(
            f"Expected groups to be one value per sample, as an array or a list, got "
            f"{groups!r}."
        )
    return len(groups)


def refuse_few_groups(groups: Groups, least: int, asked: str, remedy: str) -> None:
    """Raise where there are fewer groups than parts that need one.

    Parameters
    ----------
    groups : Groups
        The groups of all samples.
    least : int
        Number of groups that are needed.
    asked : str
        What needs them, as the beginning of a sentence: "n_splits=5 needs".
    remedy : str
        What to do, a sentence.
    """
    if groups.n_groups < least:
        raise ValueError(
            f"{asked} at least {least} groups, as no group may be in two parts, but "
            f"the {len(groups.codes)} samples are in {groups.n_groups} "
            f"({name_list(groups.names)}). {remedy}"
        )

"""One train and one test part of multi-label data."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.validation import _num_samples

from skhmc.model_selection._group_splitters import (
    MultilabelStratifiedGroupShuffleSplit,
)
from skhmc.model_selection._splitters import MultilabelStratifiedShuffleSplit

__all__ = ["multilabel_train_test_split"]


def multilabel_train_test_split(
    *arrays: Any,
    test_size: float | int | None = None,
    train_size: float | int | None = None,
    random_state: int | np.random.RandomState | None = None,
    shuffle: bool = True,
    stratify: Any = None,
    hierarchy: Any = None,
    groups: Any = None,
) -> list[Any]:
    """Split arrays into a train and a test part, each with its share of every label.

    As :func:`sklearn.model_selection.train_test_split`, whose ``stratify`` takes one
    label per sample.

    Parameters
    ----------
    *arrays : array-like, sparse matrix, DataFrame or list
        Arrays to split, all with the same number of rows.
    test_size : float or int, default=None
        Share or number of test samples. None is what ``train_size`` leaves, or 0.25.
        With ``groups``, sizes are shares or numbers of groups.
    train_size : float or int, default=None
        Share or number of training samples. None is what ``test_size`` leaves.
    random_state : int, RandomState or None, default=None
        Seed that makes the split repeatable.
    shuffle : bool, default=True
        Whether to mix the rows; False keeps their order, only without ``stratify``.
    stratify : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), \
            default=None
        Labels to share out: indicators 0 and 1, NaN for unknown; or lists of
        label names; or classes (n_samples,). None splits at random.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Hierarchy by which ``stratify`` is closed upward, so that the share of ancestors
        counts, too. Needed only where ``stratify`` is not closed.
    groups : array-like of shape (n_samples,), default=None
        Group of every sample, such as its patient. No group is in both parts.

    Returns
    -------
    list
        The train and the test part of every array, in turn.

    Raises
    ------
    ValueError
        When lengths differ or sizes are wrong, or groups are missing.

    See Also
    --------
    MultilabelStratifiedShuffleSplit : How the samples are placed.
    MultilabelStratifiedGroupShuffleSplit : How groups are placed.

    Examples
    --------
    >>> import numpy as np
    >>> from skhmc.model_selection import multilabel_train_test_split
    >>> X, Y = np.arange(12), np.array([[1, 0], [1, 1], [0, 1]] * 4)
    >>> X_train, X_test, Y_train, Y_test = multilabel_train_test_split(
    ...     X, Y, stratify=Y, random_state=0
    ... )
    >>> Y_train.sum(axis=0), Y_test.sum(axis=0)
    (array([6, 6]), array([2, 2]))
    >>> patients = np.repeat(["a", "b", "c", "d"], 3)
    >>> train, test = multilabel_train_test_split(
    ...     patients, stratify=Y, groups=patients, random_state=0
    ... )
    >>> np.unique(train).tolist(), np.unique(test).tolist()
    (['a', 'b', 'd'], ['c'])
    """
    options: dict[str, Any] = {
        "test_size": test_size,
        "train_size": train_size,
        "random_state": random_state,
    }
    if groups is None and stratify is None:
        return train_test_split(*arrays, shuffle=shuffle, **options)
    if not shuffle:
        name = "groups" if stratify is None else "stratify"
        raise ValueError(
            f"shuffle=False keeps the order of the samples, and {name} chooses among "
            f"them. Leave one of the two out."
        )
    if not arrays:
        raise ValueError("Expected at least one array to split, got none.")
    arrays = indexable(*arrays)
    if test_size is None and train_size is None:
        options["test_size"] = 0.25
    rows = next(_splits(arrays[0], stratify, hierarchy, groups, options))
    return [_safe_indexing(array, part) for array in arrays for part in rows]


def _splits(X, stratify, hierarchy, groups, options):
    """Return an iterator over one split of samples, or of groups."""
    if groups is None:
        splitter = MultilabelStratifiedShuffleSplit(1, **options, hierarchy=hierarchy)
        return splitter.split(X, stratify)
    if stratify is None:  # one label that all samples have
        stratify = np.ones((_num_samples(X), 1), dtype=int)
        hierarchy = None
    splitter = MultilabelStratifiedGroupShuffleSplit(1, **options, hierarchy=hierarchy)
    return splitter.split(X, stratify, groups)

"""Splitters for ``cv=`` that deal labels out evenly and keep groups together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.model_selection import BaseShuffleSplit, ShuffleSplit
from sklearn.model_selection._split import GroupsConsumerMixin, _RepeatedSplits
from sklearn.utils import check_random_state

from skhmc._data.containers import unwrap
from skhmc._data.groups import read_groups, refuse_few_groups
from skhmc._data.stratify import missing_in_folds, missing_in_train_test
from skhmc._data.stratify_groups import stratify_groups
from skhmc.model_selection._splitters import (
    MultilabelStratifiedKFold,
    check_n_splits,
    read_positives,
)

__all__ = [
    "MultilabelStratifiedGroupKFold",
    "MultilabelStratifiedGroupShuffleSplit",
    "RepeatedMultilabelStratifiedGroupKFold",
]


def _require_groups(splitter, groups):
    """Raise where groups are None, with the name of the splitter that does without."""
    if groups is None:
        name = type(splitter).__name__
        raise ValueError(
            f"{name} needs groups, got None: pass one value per sample, as in "
            f"split(X, Y, groups) or GridSearchCV(...).fit(X, Y, groups=groups). "
            f"Without groups take {name.replace('Group', '')}."
        )


def _read_with_groups(splitter, X, y, groups):
    """Return X, the positives of y as a bool csr_matrix, and the Groups."""
    _require_groups(splitter, groups)
    X, Y = read_positives(splitter, X, y, None)
    return X, Y, read_groups(groups, Y.shape[0])


class MultilabelStratifiedGroupKFold(GroupsConsumerMixin, MultilabelStratifiedKFold):
    r"""K folds of multi-label data: groups stay together, labels are shared out.

    As :class:`sklearn.model_selection.StratifiedGroupKFold`, for several labels per
    sample. Rows of one patient, plate or document are alike whatever their labels are:
    a model that has seen some of them knows the others, so that a score on these is
    too good. Here no group is in the training and in the test part.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2 and at most as many as there are groups.
    shuffle : bool, default=False
        Whether to put groups in a random order first: those that fill about as much
        of a fold. Without it splits are always the same.
    random_state : int, RandomState or None, default=None
        Seed that makes shuffled splits repeatable.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Hierarchy by which Y is closed upward, so that the share of ancestors counts,
        too. Needed only where Y is not closed.

    See Also
    --------
    MultilabelStratifiedKFold : Folds of samples that do not belong together.
    RepeatedMultilabelStratifiedGroupKFold : Several times such folds.
    MultilabelStratifiedGroupShuffleSplit : Random train and test parts of groups.
    sklearn.model_selection.StratifiedGroupKFold : For one label per sample.

    Notes
    -----
    Groups are placed one by one, first those that fill most of some label's share of a
    fold (so the large ones, and those with rare labels), each where

    .. math:: \sum_l \sum_f \frac{(c_{lf} - e_{lf})^2}{e_{lf}}

    rises least: fold f has :math:`c_{lf}` samples with label l, and its share would be
    :math:`e_{lf}`. The number of samples counts as some labels that all have. Then
    groups are moved to another fold, or swapped with one there, as long as that puts
    labels in folds that have none of them, or lowers the sum.

    Folds are as large as groups allow, and none is empty. A label that one group alone
    has is in the training part or in the test part, never in both.

    ``split`` takes as ``y`` what the estimators of this package take; unknown labels
    (NaN) do not count. A 1-D ``y`` is stratified by class.

    Examples
    --------
    >>> import numpy as np
    >>> from skhmc.model_selection import MultilabelStratifiedGroupKFold
    >>> Y = np.array([[1, 0], [1, 0], [1, 1], [1, 1], [0, 1], [0, 1]])
    >>> patients = ["a", "a", "b", "b", "c", "d"]
    >>> cv = MultilabelStratifiedGroupKFold(2)
    >>> for train, test in cv.split(Y, Y, groups=patients):
    ...     print(sorted({patients[i] for i in test}), Y[test].sum(axis=0))
    ['a', 'c'] [2 1]
    ['b', 'd'] [2 3]
    """

    def split(
        self, X: Any, y: Any, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of the training and the test part of every split.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, of which only the number matters.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; or lists of label names; or classes
            (n_samples,).
        groups : array-like of shape (n_samples,)
            Group of every sample: any values, of which equal ones are one group.

        Yields
        ------
        train : ndarray of int
            Rows of the training part.
        test : ndarray of int
            Rows of the test part.

        Raises
        ------
        ValueError
            Where ``groups`` is None or lacks values, or there are fewer groups than
            folds.
        """
        self._check(X)
        X, Y, groups = _read_with_groups(self, X, y, groups)
        refuse_few_groups(
            groups,
            self.n_splits,
            f"n_splits={self.n_splits} needs",
            "Take fewer folds.",
        )
        rng = check_random_state(self.random_state) if self.shuffle else None
        shares = np.full(self.n_splits, 1 / self.n_splits)
        part = stratify_groups(Y, groups, shares, missing_in_folds, rng)[groups.codes]
        for fold in range(self.n_splits):
            yield np.flatnonzero(part != fold), np.flatnonzero(part == fold)


class RepeatedMultilabelStratifiedGroupKFold(GroupsConsumerMixin, _RepeatedSplits):
    """K folds of groups, several times, each time with the groups in another order.

    The folds of :class:`MultilabelStratifiedGroupKFold` with ``shuffle=True``. Where
    few groups can be placed well in one way only, repetitions may be alike.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2 and at most as many as there are groups.
    n_repeats : int, default=10
        Number of times that groups are dealt out to folds.
    random_state : int, RandomState or None, default=None
        Seed that makes splits repeatable.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Hierarchy by which Y is closed upward, so that the share of ancestors counts,
        too. Needed only where Y is not closed.

    See Also
    --------
    MultilabelStratifiedGroupKFold : Folds, and how groups are placed.
    RepeatedMultilabelStratifiedKFold : For samples that do not belong together.

    Examples
    --------
    >>> import numpy as np
    >>> from skhmc.model_selection import RepeatedMultilabelStratifiedGroupKFold
    >>> Y = np.array([[1, 0], [1, 0], [1, 1], [1, 1], [0, 1], [0, 1]])
    >>> patients = ["a", "a", "b", "c", "d", "d"]
    >>> cv = RepeatedMultilabelStratifiedGroupKFold(
    ...     n_splits=2, n_repeats=2, random_state=0
    ... )
    >>> for train, test in cv.split(Y, Y, groups=patients):
    ...     print(sorted({patients[i] for i in test}), Y[test].sum(axis=0))
    ['a', 'b'] [3 1]
    ['c', 'd'] [1 3]
    ['b', 'd'] [1 3]
    ['a', 'c'] [3 1]
    """

    def __init__(
        self,
        *,
        n_splits: int = 5,
        n_repeats: int = 10,
        random_state: int | np.random.RandomState | None = None,
        hierarchy: Any = None,
    ) -> None:
        super().__init__(
            MultilabelStratifiedGroupKFold,
            n_repeats=n_repeats,
            random_state=random_state,
            n_splits=n_splits,
            hierarchy=hierarchy,
        )

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of the training and the test part of every fold, repeatedly.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, of which only the number matters.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Labels in any form that the estimators of this package take.
        groups : array-like of shape (n_samples,)
            Group of every sample: any values, of which equal ones are one group.

        Yields
        ------
        train : ndarray of int
            Rows of the training part.
        test : ndarray of int
            Rows of the test part.

        Raises
        ------
        ValueError
            Where ``groups`` is None or lacks values, or there are fewer groups than
            folds.
        """
        _require_groups(self, groups)
        yield from super().split(X, unwrap(y), groups)  # every repetition reads y


class MultilabelStratifiedGroupShuffleSplit(GroupsConsumerMixin, BaseShuffleSplit):
    """Random train and test parts of whole groups, each with its share of labels.

    As :class:`sklearn.model_selection.GroupShuffleSplit`, with labels shared out.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits, each drawn anew. Where few groups can be chosen, the same
        ones may be best several times.
    test_size : float or int, default=None
        Share or number of the groups (not samples) in the test part. None is what
        ``train_size`` leaves, or 0.2.
    train_size : float or int, default=None
        Share or number of the groups in the training part. None is what ``test_size``
        leaves.
    random_state : int, RandomState or None, default=None
        Seed that makes splits repeatable.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Hierarchy by which Y is closed upward, so that the share of ancestors counts,
        too. Needed only where Y is not closed.

    See Also
    --------
    MultilabelStratifiedGroupKFold : Folds of groups, and how they are placed.
    MultilabelStratifiedShuffleSplit : Parts of samples that do not belong together.

    Notes
    -----
    Sizes are numbers of groups, as in scikit-learn. Among the choices of so many groups
    one is taken whose samples and labels are about the same share of all: of very
    unequal groups perhaps several small ones and a large one.

    Swaps of groups see to it that the training part lacks no label that two or more
    groups have, then that the test part lacks no label that has a group in such a
    share, and that sizes stay even.

    Examples
    --------
    >>> import numpy as np
    >>> from skhmc.model_selection import MultilabelStratifiedGroupShuffleSplit
    >>> Y = np.array([[1, 0], [1, 0], [1, 1], [1, 1], [0, 1], [0, 1]])
    >>> patients = ["a", "b", "c", "c", "d", "d"]
    >>> cv = MultilabelStratifiedGroupShuffleSplit(1, test_size=2, random_state=0)
    >>> for train, test in cv.split(Y, Y, groups=patients):
    ...     print(sorted({patients[i] for i in test}), Y[test].sum(axis=0))
    ['a', 'd'] [1 2]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        test_size: float | int | None = None,
        train_size: float | int | None = None,
        random_state: int | np.random.RandomState | None = None,
        hierarchy: Any = None,
    ) -> None:
        super().__init__(
            n_splits,
            test_size=test_size,
            train_size=train_size,
            random_state=random_state,
        )
        self._default_test_size = 0.2  # as in GroupShuffleSplit
        self.hierarchy = hierarchy

    def split(
        self, X: Any, y: Any, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of the training and the test part of every split.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, of which only the number matters.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; or lists of label names; or classes
            (n_samples,).
        groups : array-like of shape (n_samples,)
            Group of every sample: any values, of which equal ones are one group.

        Yields
        ------
        train : ndarray of int
            Rows of the training part, in random order.
        test : ndarray of int
            Rows of the test part, in random order.

        Raises
        ------
        ValueError
            Where ``groups`` is None or lacks values, or there are too few of them.
        """
        check_n_splits(self.n_splits, 1)
        X, Y, groups = _read_with_groups(self, X, y, groups)
        yield from self._iter_indices(X, Y, groups)

    def _iter_indices(self, X, y=None, groups=None):
        rng = check_random_state(self.random_state)
        n_train, n_test = self._n_groups(groups)
        n_groups = np.array([n_train, n_test, groups.n_groups - n_train - n_test])
        shares = n_groups / groups.n_groups
        missing = partial(missing_in_train_test, test_share=shares[1])
        for _ in range(self.n_splits):
            part = stratify_groups(y, groups, shares, missing, rng, n_groups=n_groups)
            of_samples = part[groups.codes]
            train = np.flatnonzero(of_samples == 0)
            test = np.flatnonzero(of_samples == 1)
            yield rng.permutation(train), rng.permutation(test)

    def _n_groups(self, groups):
        """Return the numbers of groups in the training and in the test part."""
        name = type(self).__name__
        refuse_few_groups(groups, 2, f"{name} needs", "Split samples, or add groups.")
        test_size = self.test_size
        if test_size is None and self.train_size is None:
            test_size = self._default_test_size
        plain = ShuffleSplit(
            1, test_size=test_size, train_size=self.train_size, random_state=0
        )  # says how large the parts are, or what is wrong with their sizes
        try:
            return tuple(map(len, next(plain.split(np.zeros(groups.n_groups)))))
        except ValueError as error:
            error.add_note(
                f"The samples of {name} are {groups.n_groups} groups: test_size and "
                f"train_size count these."
            )
            raise

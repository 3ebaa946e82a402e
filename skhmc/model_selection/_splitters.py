"""Splitters for ``cv=`` that deal labels out evenly."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit, ShuffleSplit
from sklearn.model_selection._split import _RepeatedSplits
from sklearn.utils import check_random_state, indexable

from skhmc._data.containers import unwrap
from skhmc._data.forms import read_form
from skhmc._data.stratify import (
    missing_in_folds,
    missing_in_train_test,
    stratify,
)
from skhmc._data.targets import read_targets
from skhmc._utils.warnings import warn_user

__all__ = [
    "MultilabelStratifiedKFold",
    "MultilabelStratifiedShuffleSplit",
    "RepeatedMultilabelStratifiedKFold",
    "check_n_splits",
    "read_positives",
]


def read_positives(splitter, X, y, groups):
    """Return X and the known positives of y, closed upward, as a bool csr_matrix."""
    name = type(splitter).__name__
    if y is None:
        raise ValueError(
            f"{name} needs y, got None: pass the labels, as in split(X, Y). To split "
            f"without labels use scikit-learn's KFold or ShuffleSplit."
        )
    if groups is not None:
        warn_user(f"The groups parameter is ignored by {name}.")
    y, hierarchy = read_form(y, splitter.hierarchy)
    X, y = indexable(X, y)
    Y = read_targets(y, hierarchy, warn=False).Y
    if not sp.issparse(Y):
        return X, sp.csr_matrix(Y == 1)
    Y = sp.csr_matrix((Y.data == 1, Y.indices, Y.indptr), shape=Y.shape)
    Y.eliminate_zeros()
    Y.sort_indices()
    return X, Y


def check_n_splits(n_splits, least):
    """Raise unless a number of splits is an int, and large enough."""
    if not isinstance(n_splits, Integral) or n_splits < least:
        raise ValueError(
            f"Expected n_splits to be an int of at least {least}, got {n_splits!r}."
        )


class MultilabelStratifiedKFold(BaseCrossValidator):
    r"""K folds of multi-label data, each with its share of every label.

    Like :class:`sklearn.model_selection.StratifiedKFold`, but for several labels per
    sample. Use it for ``cv=`` in ``cross_val_score`` and searches. Unlike ``cv=5`` it
    takes Y with NaN and, in searches, sparse Y (``cross_val_score`` itself does not).

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether to put samples in a random order first. Without it splits are always
        the same.
    random_state : int, RandomState or None, default=None
        Seed that makes shuffled splits repeatable.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Hierarchy by which Y is closed upward, so that ancestors get their shares, too.
        Needed only if Y is not closed.

    See Also
    --------
    MultilabelStratifiedGroupKFold : Folds that keep groups of samples together.
    RepeatedMultilabelStratifiedKFold : Such folds, drawn several times.
    MultilabelStratifiedShuffleSplit : Random train and test parts of any size.
    multilabel_train_test_split : One train and one test part.

    Notes
    -----
    Fold sizes differ by 1 at most. Samples are placed one by one, those with the rarest
    (and, in a closed Y, so the deepest) labels first, each in the fold where it lowers

    .. math:: \sum_l \sum_f \frac{(c_{lf} - e_{lf})^2}{e_{lf}}

    most: fold f has :math:`c_{lf}` samples with label l, and its share would be
    :math:`e_{lf}`. In the paper the rarest label alone decides. Then pairs of samples
    are swapped until no swap would put more labels in folds that have none of them.
    Labels in one fold only, which its training part lacks, come first. If labels do not
    force samples together, every label with ``n_splits`` positives is in every fold.

    ``split`` takes as ``y`` what the estimators of this package take; unknown labels
    (NaN) do not count. A 1-D ``y`` is stratified by class.

    References
    ----------
    Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data", ECML
    PKDD 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skhmc.model_selection import MultilabelStratifiedKFold
    >>> Y = np.array([[1, 0], [1, 0], [1, 1], [1, 1], [0, 1], [0, 1]])
    >>> for train, test in MultilabelStratifiedKFold(2).split(Y, Y):
    ...     print(test, Y[test].sum(axis=0))
    [0 2 4] [2 2]
    [1 3 5] [2 2]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
        hierarchy: Any = None,
    ) -> None:
        if random_state is not None and not shuffle:
            raise ValueError(
                f"random_state={random_state!r} has no effect with shuffle=False. Set "
                f"shuffle=True, or leave random_state out."
            )
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        self.hierarchy = hierarchy

    def split(
        self, X: Any, y: Any, groups: object = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of the training and the test part of every split.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, of which only the number matters.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; or lists of label names, or a column
            of names per level; or classes (n_samples,).
        groups : object, default=None
            Ignored, with a warning.

        Yields
        ------
        train : ndarray of int
            Rows of the training part.
        test : ndarray of int
            Rows of the test part.
        """
        self._check(X)
        X, Y = read_positives(self, X, y, groups)
        yield from super().split(X, Y)

    def _check(self, X):
        check_n_splits(self.n_splits, 2)
        n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
        if self.n_splits > n_samples:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the number of samples, "
                f"{n_samples}. Take fewer folds."
            )

    def _iter_test_masks(self, X, y=None, groups=None):
        sizes = np.full(self.n_splits, y.shape[0] // self.n_splits)
        sizes[: y.shape[0] % self.n_splits] += 1
        rng = check_random_state(self.random_state) if self.shuffle else None
        part = stratify(y, sizes, missing_in_folds, rng)
        for fold in range(self.n_splits):
            yield part == fold

    def get_n_splits(
        self, X: object = None, y: object = None, groups: object = None
    ) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored.

        Returns
        -------
        int
            ``n_splits``.
        """
        return self.n_splits


class RepeatedMultilabelStratifiedKFold(_RepeatedSplits):
    """K folds of multi-label data, several times, each time drawn anew.

    Like :class:`sklearn.model_selection.RepeatedStratifiedKFold`, but for several
    labels per sample: the folds of :class:`MultilabelStratifiedKFold` with
    ``shuffle=True``.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    n_repeats : int, default=10
        Number of times that the folds are drawn.
    random_state : int, RandomState or None, default=None
        Seed that makes splits repeatable.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Hierarchy by which Y is closed upward, see :class:`MultilabelStratifiedKFold`.

    See Also
    --------
    MultilabelStratifiedKFold : Folds, and how samples are placed.

    Examples
    --------
    >>> import numpy as np
    >>> from skhmc.model_selection import RepeatedMultilabelStratifiedKFold
    >>> Y = np.array([[1, 0], [1, 0], [1, 1], [1, 1], [0, 1], [0, 1]])
    >>> cv = RepeatedMultilabelStratifiedKFold(n_splits=2, n_repeats=2, random_state=1)
    >>> [Y[test].sum(axis=0).tolist() for train, test in cv.split(Y, Y)]
    [[2, 2], [2, 2], [2, 2], [2, 2]]
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
            MultilabelStratifiedKFold,
            n_repeats=n_repeats,
            random_state=random_state,
            n_splits=n_splits,
            hierarchy=hierarchy,
        )

    def split(
        self, X: Any, y: Any = None, groups: object = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of the training and the test part of every fold, repeatedly.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, of which only the number matters.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Labels in any form that the estimators of this package take.
        groups : object, default=None
            Ignored, with a warning.

        Yields
        ------
        train : ndarray of int
            Rows of the training part.
        test : ndarray of int
            Rows of the test part.
        """
        yield from super().split(X, unwrap(y), groups)  # every repetition reads y


class MultilabelStratifiedShuffleSplit(BaseShuffleSplit):
    """Random train and test parts of multi-label data, each with its share of labels.

    Like :class:`sklearn.model_selection.StratifiedShuffleSplit`, but for several labels
    per sample.

    Parameters
    ----------
    n_splits : int, default=10
        Number of splits, each drawn anew.
    test_size : float or int, default=None
        Share or number of test samples. None is what ``train_size`` leaves, or 0.1.
    train_size : float or int, default=None
        Share or number of training samples. None is what ``test_size`` leaves.
    random_state : int, RandomState or None, default=None
        Seed that makes splits repeatable.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Hierarchy by which Y is closed upward, so that ancestors get their shares, too.
        Needed only if Y is not closed.

    See Also
    --------
    MultilabelStratifiedKFold : Folds, and how samples are placed.
    multilabel_train_test_split : One train and one test part.

    Notes
    -----
    Samples are placed as by :class:`MultilabelStratifiedKFold`, in a training and a
    test part, and in an unused part if the sizes do not add up to all. Then samples are
    swapped, for three aims in this order. The training part lacks no label of two or
    more samples. The test part lacks no label that has at least one sample in a share
    of its size. The training part lacks no label of a single sample.

    Examples
    --------
    >>> import numpy as np
    >>> from skhmc.model_selection import MultilabelStratifiedShuffleSplit
    >>> Y = np.array([[1, 0], [1, 0], [1, 1], [1, 1], [0, 1], [0, 1]])
    >>> cv = MultilabelStratifiedShuffleSplit(1, test_size=2, random_state=0)
    >>> for train, test in cv.split(Y, Y):
    ...     print(Y[train].sum(axis=0), Y[test].sum(axis=0))
    [3 3] [1 1]
    """

    def __init__(
        self,
        n_splits: int = 10,
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
        self.hierarchy = hierarchy

    def split(
        self, X: Any, y: Any, groups: object = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of the training and the test part of every split.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, of which only the number matters.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; or lists of label names, or a column
            of names per level; or classes (n_samples,).
        groups : object, default=None
            Ignored, with a warning.

        Yields
        ------
        train : ndarray of int
            Rows of the training part, in random order.
        test : ndarray of int
            Rows of the test part, in random order.
        """
        check_n_splits(self.n_splits, 1)
        X, Y = read_positives(self, X, y, groups)
        yield from super().split(X, Y)

    def _iter_indices(self, X, y=None, groups=None):
        rng = check_random_state(self.random_state)
        n_samples = y.shape[0]
        plain = ShuffleSplit(
            1, test_size=self.test_size, train_size=self.train_size, random_state=0
        )  # says how large the parts are, or what is wrong with their sizes
        n_train, n_test = map(len, next(plain.split(np.zeros(n_samples))))
        sizes = np.array([n_train, n_test, n_samples - n_train - n_test])
        missing = partial(missing_in_train_test, test_share=n_test / n_samples)
        for _ in range(self.n_splits):
            part = stratify(y, sizes, missing, rng, alone_in=0)
            train = np.flatnonzero(part == 0)
            test = np.flatnonzero(part == 1)
            yield rng.permutation(train), rng.permutation(test)

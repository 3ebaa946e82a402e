"""Label sets, names and paths as closed indicators, and back."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import check_is_fitted

from skhmc._data.align import align
from skhmc._data.containers import is_frame, unwrap
from skhmc._data.forms import read_form
from skhmc._data.judge import judge_hierarchy
from skhmc._data.levels import is_level_table, level_names, warn_if_levels
from skhmc._data.padding import is_padding, without_padding
from skhmc._data.versions import VersionedMixin
from skhmc._utils.doc_link import DocLinkMixin
from skhmc._utils.messages import name_list
from skhmc._utils.separators import Separator, check_sep
from skhmc._utils.warnings import read_before
from skhmc.coherence import close_upward, most_specific
from skhmc.hierarchy import Hierarchy
from skhmc.preprocessing._ancestor_closure import read_indicators
from skhmc.preprocessing._names import (
    find_label,
    known_separators,
    learn_hierarchy,
    sorted_names,
)

__all__ = ["HierarchicalLabelBinarizer"]


def _read_rows(y):
    """Return a list of lists of names and paths."""
    y = unwrap(y)
    if _are_indicators(y):
        raise TypeError(
            f"Expected y to be label sets, a list of lists of names, or columns of "
            f"levels, got a {type(y).__name__} without text. Indicators need no "
            f"binarizer (see AncestorClosure)."
        )
    return without_padding([_read_row(row) for row in y])


def _are_indicators(y):
    """Tell an array of indicators, whose entries could pass for the names 0 and 1.

    Tables of anything but names, too.
    """
    if sp.issparse(y) or is_frame(y):
        return True
    if not isinstance(y, np.ndarray) or y.ndim != 2 or y.dtype.kind not in "biuf":
        return False
    return y.shape[1] > 1 and bool((np.isin(y, (0, 1)) | (y != y)).all())


def _are_rows_of_0_and_1(y, hierarchy):
    """Tell indicators of the labels of a hierarchy, lists of 0 and 1 among them."""
    if _are_indicators(y):
        return True
    if 0 in hierarchy or 1 in hierarchy:  # lists of names
        return False
    if not isinstance(y, (list, tuple)) and getattr(y, "ndim", 0) != 2:
        return False
    rows = all(isinstance(row, (list, tuple, np.ndarray)) for row in y)
    return rows and all(
        len(row) == hierarchy.n_labels and all(cell in (0, 1) for cell in row)
        for row in y
    )


def _names_of(y, hierarchy):
    """Return the names of the labels that indicators hold.

    Raise where neither columns nor the hierarchy, as it is given, have an order.
    """
    hierarchy, Y = align(hierarchy, y_true=y)
    values = Y.data if sp.issparse(Y) else Y
    if not np.isin(values, (0, 1)).all():
        raise ValueError(
            "Expected indicators of 0 and 1, got other values or NaN. AncestorClosure "
            "keeps what is unknown (NaN)."
        )
    Y = sp.csr_matrix(Y)
    Y.eliminate_zeros()
    names = np.empty(hierarchy.n_labels, dtype=object)
    names[:] = hierarchy.labels
    cuts = zip(Y.indptr[:-1], Y.indptr[1:], strict=True)
    return [names[Y.indices[a:b]].tolist() for a, b in cuts]


def _read_row(row):
    single = isinstance(row, str) or not isinstance(row, Iterable)
    row = [row] if single else list(row)
    for name in row:
        if not isinstance(name, Hashable) or (single and is_padding(name)):
            raise TypeError(
                f"A label must be a name or a path, 'a/b' or ('a', 'b'), got {name!r}. "
                f"Write a path as a string or tuple, and no label as an empty list."
            )
    return row


class _TakesLabelSets:
    """``transform`` of an argument named y.

    Scikit-learn's mixin wraps what a transformer defines itself into functions of X.
    """

    def fit_transform(self, y: Iterable[Any]) -> Any:
        """Learn the labels and return the indicators.

        Parameters
        ----------
        y : iterable of label sets
            A list, tuple or set of names and paths for each sample, or a single name;
            or a table or 2-D array of text with one column per level, the root first.

        Returns
        -------
        ndarray, csr_matrix or DataFrame of shape (n_samples, n_labels)
            As of ``transform``.
        """
        y = unwrap(y)  # once: it and its rows may be iterators
        self.fit(y)  # type: ignore[attr-defined]
        again = self.hierarchy is None  # type: ignore[attr-defined]
        Y = self._transform(y, again=again)  # type: ignore[attr-defined]
        return _wrap_data_with_container("transform", Y, y, self)

    def transform(self, y: Iterable[Any]) -> Any:
        """Return the indicators of label sets.

        Parameters
        ----------
        y : iterable of label sets
            A list, tuple or set of names and paths for each sample, or a single name;
            or a table or 2-D array of text with one column per level, the root first.

        Returns
        -------
        ndarray, csr_matrix or DataFrame of shape (n_samples, n_labels), int64
            Indicators, closed upward unless ``closed=False``.

        Raises
        ------
        ValueError
            When there are unknown labels and ``unknown="error"``; it names them.
        """
        check_is_fitted(self)
        y = unwrap(y)
        Y = self._transform(y)  # type: ignore[attr-defined]
        return _wrap_data_with_container("transform", Y, y, self)


class HierarchicalLabelBinarizer(
    VersionedMixin, DocLinkMixin, _TakesLabelSets, TransformerMixin, BaseEstimator
):
    """Turn label sets and paths into indicators closed upward, and back.

    For hierarchies, this is what :class:`sklearn.preprocessing.MultiLabelBinarizer` is
    for flat labels. The estimators of skhmc take lists of label names as they are. Use
    this for paths, for other estimators, for metrics, and for the way back to names.

    Parameters
    ----------
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None learns them from the paths in ``y``.
    sparse_output : bool, default=False
        Whether ``transform`` returns a CSR matrix.
    closed : bool, default=True
        Whether to add the ancestors of every label.
    sep : str or None, default="auto"
        Text between the parts of a string that is a path; "auto" finds the one that the
        names share, as :meth:`Hierarchy.from_paths` does, or takes "/" if they share
        none. None: no string is a path.
    unknown : {"error", "ignore"}, default="error"
        Treatment of unknown labels by ``transform``: raise an error, or leave them out.
        The known beginning of a path is then kept: ``"a/b/new"`` counts as ``"a/b"``.

    Attributes
    ----------
    hierarchy_ : Hierarchy
        The hierarchy given or learnt.
    classes_ : ndarray of shape (n_labels,)
        Names of the columns: the labels of ``hierarchy_``, in its order.

    See Also
    --------
    AncestorClosure : Close indicators.

    Notes
    -----
    A row of ``y`` is one sample's labels: a list, tuple or set, or a single name. In a
    row, the name of a label means this label. Other strings with a separator, and
    tuples, are **paths**. ``"a/b/c"`` and ``("a", "b", "c")`` mean the same: the label
    with the name ``"a/b/c"`` or, if there is none, the label c below b below a. So the
    row ``("a", "b")`` is a set of two labels, and ``[("a", "b")]`` a path.

    In a table or a 2-D array of text a row is a path, and its columns are levels, the
    root first; rows may end early. Without ``hierarchy`` they make that of
    :meth:`Hierarchy.from_levels`. With a ``hierarchy``, ``y`` may also be indicators:
    columns are matched by name, or follow a Hierarchy; with a mapping, columns without
    names are an error.

    Without ``hierarchy`` other names are read as paths and named by the whole path, as
    by :meth:`Hierarchy.from_paths`; columns are sorted, every label after its parent.
    Names that are not strings are labels without parents.

    ``set_output(transform="pandas")`` makes DataFrames, whose columns are the names of
    the labels, as strings. It needs ``sparse_output=False``.

    Examples
    --------
    >>> from skhmc.preprocessing import HierarchicalLabelBinarizer
    >>> binarizer = HierarchicalLabelBinarizer()
    >>> Y = binarizer.fit_transform([["animal/cat"], ["animal/dog", "pet"], []])
    >>> list(binarizer.classes_)
    ['animal', 'animal/cat', 'animal/dog', 'pet']
    >>> Y
    array([[1, 1, 0, 0],
           [1, 0, 1, 1],
           [0, 0, 0, 0]])
    >>> binarizer.inverse_transform(Y)
    [('animal/cat',), ('animal/dog', 'pet'), ()]
    """

    _parameter_constraints: dict = {
        "sparse_output": ["boolean"],
        "closed": ["boolean"],
        "sep": [str, None],
        "unknown": [StrOptions({"error", "ignore"})],
    }

    def __init__(
        self,
        hierarchy: Any = None,
        *,
        sparse_output: bool = False,
        closed: bool = True,
        sep: str | None = "auto",
        unknown: str = "error",
    ) -> None:
        self.hierarchy = hierarchy
        self.sparse_output = sparse_output
        self.closed = closed
        self.sep = sep
        self.unknown = unknown

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, y: Any) -> HierarchicalLabelBinarizer:
        """Learn the labels, and without ``hierarchy`` also their edges.

        Parameters
        ----------
        y : iterable of label sets
            A list, tuple or set of names and paths for each sample, or a single name;
            or a table or 2-D array of text with one column per level, the root first.
            Not looked at where there is a ``hierarchy``.

        Returns
        -------
        HierarchicalLabelBinarizer
            The binarizer itself.
        """
        if self.hierarchy is None:
            self._learn(unwrap(y))
        else:
            self.hierarchy_ = Hierarchy.build(self.hierarchy)
            self._separators = known_separators(self.hierarchy_, self.sep)
        labels = self.hierarchy_.labels
        integers = all(type(label) is int for label in labels)
        self.classes_ = np.empty(len(labels), dtype=int if integers else object)
        self.classes_[:] = labels
        return self

    def _learn(self, y):
        """Learn the hierarchy from level columns, or from names and paths."""
        if is_level_table(y):
            sep = self._level_sep()
            _, self.hierarchy_ = level_names(y, None, sep=sep)
            known = known_separators(self.hierarchy_, sep)
            self._separators = (Separator(sep, sep), *known)
            return
        names = {name for row in _read_rows(y) for name in row}
        if not names:
            raise ValueError("y holds no label at all, expected at least one.")
        self.hierarchy_, self._separators = learn_hierarchy(names, self.sep)
        if not len(self.hierarchy_.edges):
            warn_if_levels(y)

    def _level_sep(self):
        """Return what joins the names of levels."""
        check_sep(self.sep)
        if self.sep is None:
            raise ValueError(
                "y holds level columns, whose labels are named by their whole paths, "
                "and sep=None has nothing to join names by. Give sep='auto', or "
                "hierarchy=Hierarchy.from_levels(y, sep=...)."
            )
        return "/" if self.sep == "auto" else self.sep

    def _transform(self, y, again=False):
        """Return the indicators of y, which fit has read before or not."""
        with read_before() if again else nullcontext():
            rows = self._read(y)
        found = {name: self._find(name) for row in rows for name in row}
        unknown = [name for name, (_, whole) in found.items() if not whole]
        if unknown and self.unknown == "error":
            raise ValueError(
                f"y holds unknown labels: {name_list(sorted_names(unknown))}. Expected "
                f"some of {name_list(self.hierarchy_.labels)}. Correct the names, or "
                f"leave them out with unknown='ignore'."
            )
        rows = [{found[name][0] for name in row} - {-1} for row in rows]
        positions = [position for row in rows for position in sorted(row)]
        starts = np.cumsum([0, *map(len, rows)])
        parts = (np.ones(len(positions), np.int64), positions, starts)
        Y = sp.csr_matrix(parts, (len(rows), self.hierarchy_.n_labels))
        if self.hierarchy is not None:
            judge_hierarchy(Y, self.hierarchy_, self.hierarchy)
        if self.closed:
            Y = close_upward(Y, self.hierarchy_)
        return Y if self.sparse_output else Y.toarray()

    def _read(self, y):
        """Return a list of lists of names and paths."""
        y = unwrap(y)
        if is_level_table(y, self.hierarchy_):
            whole = self.unknown == "error"
            rows, _ = level_names(y, self.hierarchy_, whole=whole)
            return rows
        if self.hierarchy is not None and _are_rows_of_0_and_1(y, self.hierarchy_):
            return _names_of(y, self.hierarchy)
        y, _ = read_form(y, self.hierarchy_)
        return _read_rows(y)

    def _find(self, name):
        return find_label(name, self.hierarchy_, self._separators)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns of ``transform``: the labels.

        Parameters
        ----------
        input_features : None
            Ignored: names of labels do not depend on names of the input.

        Returns
        -------
        ndarray of shape (n_labels,), object
            The names, as strings.
        """
        check_is_fitted(self)
        return np.array([str(label) for label in self.classes_], dtype=object)

    def inverse_transform(self, Y: Any) -> list[tuple]:
        """Return the most specific labels of every row.

        Parameters
        ----------
        Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), \
                or list of label sets
            Indicators 0 and 1, closed or not; NaN is unknown and no label.

        Returns
        -------
        list of tuple
            Every row's labels that are no ancestors of others, in the order of the
            columns.
        """
        check_is_fitted(self)
        with read_before():
            closed, hierarchy = read_indicators(Y, self.hierarchy_, order=True)
        Y = sp.csr_matrix(most_specific(closed, hierarchy) == 1)
        Y.sort_indices()
        cuts = zip(Y.indptr[:-1], Y.indptr[1:], strict=True)
        return [tuple(self.classes_[Y.indices[a:b]].tolist()) for a, b in cuts]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.two_d_labels = True
        return tags

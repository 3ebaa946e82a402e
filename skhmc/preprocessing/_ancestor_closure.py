"""Label indicators closed upward, as a transformer."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from skhmc._data.columns import warn_ancestors
from skhmc._data.containers import unwrap
from skhmc._data.flat_names import judge_flat
from skhmc._data.forms import read_form
from skhmc._data.targets import Targets, as_label_sets, read_container, read_targets
from skhmc._data.versions import VersionedMixin
from skhmc._utils.doc_link import DocLinkMixin
from skhmc._utils.warnings import each_said_once, read_before
from skhmc.coherence import most_specific
from skhmc.hierarchy import Hierarchy

__all__ = ["AncestorClosure", "read_indicators"]


def read_indicators(
    Y: Any, hierarchy: Any, *, order: bool = False
) -> tuple[np.ndarray | sp.csr_matrix, Hierarchy]:
    """Return indicators closed upward, with the hierarchy of their columns.

    Parameters
    ----------
    Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), \
            or list of label sets
        Indicators: 0, 1 and NaN. Or lists of label names, one per sample.
    hierarchy : hierarchy-like or None
        Hierarchy that says which label a column is, where columns have no names.
    order : bool, default=False
        Whether to bring the columns of a DataFrame into the order of ``hierarchy``, a
        ``Hierarchy``.

    Returns
    -------
    closed : ndarray or csr_matrix of shape (n_samples, n_labels)
        In the dtype of Y, float64 for objects, int64 for label sets.
    hierarchy : Hierarchy
        In the order of the columns.
    """
    Y, hierarchy = read_form(Y, hierarchy)
    n_labels = None
    if hierarchy is not None:
        n_labels = Hierarchy.build(hierarchy).n_labels
    sets = as_label_sets(Y, n_labels)
    if sets is not None:
        targets = read_targets(sets, hierarchy, warn=False)
        targets = Targets(targets.Y.toarray().astype(np.int64), targets.hierarchy)
    else:
        targets = _read_numbers(Y, hierarchy)
    found = targets.hierarchy
    if order and found != hierarchy:
        positions = [found.position(label) for label in hierarchy.labels]
        return targets.Y[:, positions], hierarchy
    return targets.Y, found


def _read_numbers(Y: Any, hierarchy: Any) -> Targets:
    """Return closed indicators in the container and dtype of Y."""
    if not (sp.issparse(Y) or hasattr(Y, "columns")):
        try:
            Y = np.asanyarray(Y)  # also a masked array
        except ValueError:  # rows of different length
            Y = np.empty(0, object)
    dtype = Y.dtype if hasattr(Y, "dtype") else read_container(Y)[0].dtype
    targets = read_targets(Y, hierarchy, warn=False, indicators=True)
    if targets.added:
        warn_ancestors(targets.added, targets.hierarchy)
    closed = targets.Y.astype(dtype if dtype.kind in "biuf" else np.float64)
    if sp.issparse(closed) and not sp.issparse(Y):  # what lies in a file
        closed = closed.toarray()
    return Targets(closed, targets.hierarchy)


class _TakesY:
    """``transform`` of an argument named Y.

    Scikit-learn's mixin wraps what a transformer defines itself into functions of X.
    """

    def fit_transform(self, Y: Any, y: None = None) -> Any:
        """Learn which label each column is, and close the indicators upward.

        Parameters
        ----------
        Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), \
                or list of label sets
            Indicators 0 and 1; NaN is unknown. Or lists of label names, one per
            sample; or a column of names per level, the root first.
        y : None
            Ignored.

        Returns
        -------
        ndarray, csr_matrix or DataFrame of shape (n_samples, n_labels)
            The closed indicators.
        """
        Y = unwrap(Y)  # once: it may be an iterator
        self.fit(Y)  # type: ignore[attr-defined]
        with read_before():
            closed = self._close(Y)  # type: ignore[attr-defined]
        return _wrap_data_with_container("transform", closed, Y, self)

    def transform(self, Y: Any) -> Any:
        """Close label indicators upward.

        Parameters
        ----------
        Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), \
                or list of label sets
            Indicators 0 and 1; NaN is unknown. Or lists of label names, one per
            sample; or a column of names per level, the root first.

        Returns
        -------
        ndarray, csr_matrix or DataFrame of shape (n_samples, n_labels)
            The closed indicators.
        """
        closed = self._close(Y)  # type: ignore[attr-defined]
        return _wrap_data_with_container("transform", closed, Y, self)


class AncestorClosure(
    VersionedMixin, DocLinkMixin, _TakesY, TransformerMixin, BaseEstimator
):
    """Close label indicators upward: every label brings its ancestors.

    A transformer of ``Y``, like :class:`sklearn.preprocessing.LabelBinarizer`. The
    estimators of skhmc close ``Y`` themselves, with a warning. Use this for other
    estimators, and to close ``Y`` without the warning.

    Parameters
    ----------
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: nothing is added.

    Attributes
    ----------
    hierarchy_ : Hierarchy
        The hierarchy in the order of the columns of the ``Y`` that was fitted.
    n_features_in_ : int
        Number of labels.
    feature_names_in_ : ndarray of shape (n_labels,)
        Names of the columns, if ``Y`` was a DataFrame with strings as names.

    See Also
    --------
    HierarchicalLabelBinarizer : Make closed indicators of label names.
    skhmc.coherence.close_upward : The same as a function of arrays.
    skhmc.coherence.most_specific : The inverse as a function of arrays.

    Notes
    -----
    A positive label makes every ancestor 1, also a known 0. A 0 makes unknown (NaN)
    descendants 0. Other unknown labels stay NaN.

    The columns of a DataFrame are matched by name. Missing columns of ancestors are
    added behind them, with a warning. Columns without names have the order of the
    hierarchy (integer labels number them). After ``fit`` they have the order that was
    fitted, which is also the order of the output. The output has the kind (dense or
    CSR) and the dtype of the input; ``set_output(transform="pandas")`` makes DataFrames
    of dense output.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.preprocessing import AncestorClosure
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> closure = AncestorClosure(animals)
    >>> Y = closure.fit_transform([[0, 1, 0], [0, 0, 0]])
    >>> Y
    array([[1, 1, 0],
           [0, 0, 0]])
    >>> closure.inverse_transform(Y)
    array([[0, 1, 0],
           [0, 0, 0]])
    """

    def __init__(self, hierarchy: Any = None) -> None:
        self.hierarchy = hierarchy

    def fit(self, Y: Any, y: None = None) -> AncestorClosure:
        """Learn which label each column is.

        Parameters
        ----------
        Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), \
                or list of label sets
            Indicators 0 and 1; NaN is unknown. Or lists of label names, one per
            sample; or a column of names per level, the root first.
        y : None
            Ignored.

        Returns
        -------
        AncestorClosure
            The transformer itself.
        """
        with each_said_once():
            Y, hierarchy = read_form(Y, self.hierarchy)
            closed, self.hierarchy_ = read_indicators(Y, hierarchy)
        if self.hierarchy is None:
            judge_flat(self.hierarchy_)
        # names of columns are those of a DataFrame; label sets have no columns
        seen = Y if hasattr(Y, "columns") else closed
        validate_data(self, seen, skip_check_array=True)
        return self

    def inverse_transform(self, Y: Any) -> Any:
        """Remove the labels that follow from others.

        Parameters
        ----------
        Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), \
                or list of label sets
            Indicators, closed or not.

        Returns
        -------
        ndarray or csr_matrix of shape (n_samples, n_labels)
            The most specific labels, whose closure is that of ``Y``.
        """
        with read_before():
            closed = self._close(Y)
        return most_specific(closed, self.hierarchy_)

    def _close(self, Y):
        check_is_fitted(self)
        return read_indicators(Y, self.hierarchy_, order=True)[0]

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """Return the names of the columns: those of ``Y``, else of the labels.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns; those that ``fit`` saw, where it saw names.

        Returns
        -------
        ndarray of shape (n_labels,), object
            The names.
        """
        check_is_fitted(self)
        named = hasattr(self, "feature_names_in_")
        added = self.n_features_in_ < self.hierarchy_.n_labels
        if added or (input_features is None and not named):
            return np.array([str(x) for x in self.hierarchy_.labels], dtype=object)
        return _check_feature_names_in(self, input_features)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # of labels, as for LabelBinarizer
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.target_tags.two_d_labels = True
        return tags

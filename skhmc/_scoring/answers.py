"""Answers as people read them: names of labels, and tables of their probabilities."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from skhmc._data.tables import as_table, sample_names
from skhmc._data.versions import VersionedMixin
from skhmc._scoring.class_labels import ClassLabels
from skhmc._scoring.outputs import Blocks, to_csr
from skhmc._utils.doc_link import DocLinkMixin
from skhmc._utils.messages import name_list, plain
from skhmc._utils.top_k import top_k
from skhmc._utils.warnings import warn_user
from skhmc.coherence import most_specific as without_ancestors
from skhmc.hierarchy import Hierarchy

__all__ = ["Answer", "AnswersMixin", "check_can_stop"]

AMONG = (None, "all", "leaves")


class Answer(NamedTuple):
    """What is said of a block of samples; both are computed when they are called.

    ``chosen`` returns the predicted indicators of all labels (n_samples, n_labels), an
    array or a csr_matrix, and ``proba`` the labels' probabilities.
    """

    chosen: Callable[[], Any]
    proba: Callable[[], np.ndarray]


def check_can_stop(threshold, hierarchy):
    """Raise unless predictions of one label per sample can stop at a parent.

    Parameters
    ----------
    threshold : float or None
        What a label's probability has to be above; None predicts classes.
    hierarchy : Hierarchy
        All labels.
    """
    if threshold is None or len(hierarchy.edges):
        return
    raise ValueError(
        f"After a 1-D y, threshold={threshold!r} makes predictions stop at a parent of "
        f"the most probable class, but the hierarchy of {name_list(hierarchy.labels)} "
        f"has no edge. Set threshold=None, or pass a hierarchy. The cut between two "
        f"classes is moved by sklearn.model_selection.FixedThresholdClassifier."
    )


def check_among(among):
    """Raise unless ``among`` says which labels to choose from."""
    if among not in AMONG:
        raise ValueError(
            f"Got among={among!r}, expected 'all', 'leaves' or None. To choose "
            f"among labels of your own, see predict_label_proba."
        )


def check_k(k, n, what):
    """Raise unless there are k of something."""
    if not isinstance(k, Integral) or not 1 <= k <= n:
        raise ValueError(
            f"Got k={k!r}, expected an integer from 1 to {n}, the number of {what}. "
            f"Ask for fewer."
        )


class _Cells(NamedTuple):
    """Samples, labels of theirs, and how probable these are, cell by cell."""

    rows: np.ndarray
    columns: np.ndarray
    proba: np.ndarray

    def ordered(self, depth):
        """Return the cells by sample, then by probability; ancestors come first."""
        order = np.lexsort((self.columns, depth[self.columns], -self.proba, self.rows))
        return _Cells(*(part[order] for part in self))


class AnswersMixin(VersionedMixin, DocLinkMixin):
    """Mixin of predictions by name, of the most probable labels, and of tables.

    The estimator has ``hierarchy_``, ``classes_`` and, perhaps, ``threshold``, and

    - ``_proba_blocks(X)``: ``Blocks`` of the probabilities of labels or, after a 1-D y,
      of classes;
    - ``_answer_blocks(X)``: ``Blocks`` of :class:`Answer`, of labels in any case.
    """

    hierarchy_: Hierarchy
    classes_: np.ndarray
    _proba_blocks: Callable[[Any], Blocks]
    _answer_blocks: Callable[[Any], Blocks]

    def __sklearn_is_fitted__(self):
        """Tell whether ``fit`` came to its end: it sets ``classes_`` last."""
        return "classes_" in vars(self)

    def _check_ready(self):
        """Raise unless it is fitted and its parameters are right."""
        check_is_fitted(self, "classes_")

    @property
    def _answered_hierarchy(self):
        """The hierarchy that predictions are coherent with."""
        return self.hierarchy_

    # -- after a 1-D y -----------------------------------------------------------------

    @property
    def _one_class(self):
        return self.classes_.ndim == 1

    def _class_labels(self):
        return ClassLabels(self.hierarchy_, self.classes_)

    @property
    def _stops(self):
        """Whether ``predict`` stops above the classes where it is unsure."""
        threshold = getattr(self, "threshold", None)
        if threshold is None or not self._one_class:
            return False
        check_can_stop(threshold, self.hierarchy_)
        return True

    def _predict_stops(self, X):
        """Return the deepest labels (n_samples,) that are probable enough."""
        labels = self._class_labels()
        threshold = self.threshold

        def change(proba):
            return labels.stops(proba, threshold)

        ends, is_sure = self._proba_blocks(X).map(change).array().T
        n_unsure = int((is_sure == 0).sum())
        if n_unsure:
            warn_user(
                f"Of {len(ends)} samples, {n_unsure} have no label whose probability "
                f"is above threshold={threshold!r}. predict, which has a label for "
                f"every sample, returns their most probable root; predict_labels(X) "
                f"returns [] for them."
            )
        return _vocabulary(self.hierarchy_, self.classes_)[ends]

    def _answer_of_classes(self, labels, codes, proba):
        """Return an Answer about all labels from functions that speak of classes.

        ``labels`` are ``_class_labels()``. ``codes`` returns the predicted classes
        (n_samples,), by number, and ``proba`` their probabilities (n_samples,
        n_classes).
        """
        stops = self._stops

        def chosen():
            if not stops:
                return labels.sets(labels.positions[codes()])
            ends, is_sure = labels.stops(proba(), self.threshold).T
            return labels.sets(np.where(is_sure, ends, -1))

        return Answer(chosen, lambda: labels.proba(proba()))

    # -- names -------------------------------------------------------------------------

    def predict_labels(self, X: Any, *, most_specific: bool = False) -> list[list]:
        """Return the names of the labels of every sample.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, ...)
            Samples, as ``predict`` takes them.
        most_specific : bool, default=False
            Whether to leave out labels with a predicted descendant.

        Returns
        -------
        list of list
            Predicted labels, one list per sample, from the roots down. Labels of one
            depth are in the order of ``label_names_``. After a 1-D y, a list has the
            class and its ancestors. With a ``threshold`` it is empty if no label is
            probable enough. Names are plain Python objects, so ``json`` takes texts and
            numbers.
        """
        self._check_ready()
        hierarchy = self._answered_hierarchy
        found: list[list] = []
        for answer in self._answer_blocks(X).blocks:
            chosen = _as_csr(answer.chosen())
            if most_specific:
                chosen = sp.csr_matrix(without_ancestors(chosen, hierarchy))
            found += _names_of_rows(chosen, hierarchy)
        return found

    # -- probabilities -----------------------------------------------------------------

    def _label_proba_blocks(self, X):
        """Return Blocks of the probabilities of all labels."""
        blocks = self._proba_blocks(X)
        if self._one_class:
            return blocks.map(self._class_labels().proba)
        return blocks

    def predict_label_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of all labels, also after a 1-D y.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, ...)
            Samples, as ``predict`` takes them.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            Probabilities, with a column for every name in ``label_names_``. They are
            those of ``predict_proba``. But after a 1-D y, ``predict_proba`` has only
            ``classes_``. The probability of a label is then the sum over the classes at
            and below it.
        """
        self._check_ready()
        return self._label_proba_blocks(X).array()

    def predict_top_k(
        self, X: Any, k: int, *, among: str | None = None, names: bool = False
    ) -> tuple[Any, Any]:
        """Return the k most probable labels of every sample.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, ...)
            Samples, as ``predict`` takes them.
        k : int
            Number of labels to return, at most as many as there are.
        among : {"all", "leaves"} or None, default=None
            Labels to choose from: all labels, or those without children. None is all
            labels. After a 1-D y, None is the classes.
        names : bool, default=False
            Whether to return names and numbers as lists, instead of arrays.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int, or list of list
            Positions in ``label_names_``, the most probable label first. After a 1-D y
            with ``among=None``, positions in ``classes_``. Of equally probable labels
            the ancestors come first. So the first labels of a row, for any number, are
            a coherent set, unless the probabilities are not coherent or
            ``among="leaves"``. With ``names=True``, a list of names per sample.
        proba : ndarray of shape (n_samples, k), or list of list
            Probabilities of these labels. With ``names=True``, a list of floats per
            sample.
        """
        self._check_ready()
        best, proba, of_classes = self._most_probable(X, k, among)
        if not names:
            return best, proba
        return self._names_of(best, of_classes), proba.tolist()

    def _most_probable(self, X, k, among):
        """Return columns and probabilities (n_samples, k), and whether of classes."""
        blocks, columns, depth, what = self._candidates(X, among)
        check_k(k, len(depth), what)
        parts = [top_k(block, k, depth) for block in blocks.blocks]
        best = np.concatenate([part[0] for part in parts])
        proba = np.concatenate([part[1] for part in parts])
        if columns is not None:
            best = columns[best]
        return best, proba, what == "classes"

    def _names_of(self, best, of_classes):
        """Return the names of columns (n_samples, k) as lists."""
        known = self.hierarchy_.labels
        if of_classes:
            known = [plain(label) for label in self.classes_.tolist()]
        return [[known[c] for c in row] for row in best.tolist()]

    def _candidates(self, X, among):
        """Return what to rank: Blocks, their columns, their depth, what they are.

        Columns are None where these are all that there are.
        """
        check_among(among)
        if among is None and self._one_class:  # they have no order but their columns'
            depth = np.zeros(len(self.classes_), int)
            return self._proba_blocks(X), None, depth, "classes"
        blocks = self._label_proba_blocks(X)
        depth = self._answered_hierarchy.depth
        if among != "leaves":
            return blocks, None, depth, "labels"
        leaves = self._answered_hierarchy.leaves
        return blocks.map(lambda p: p[:, leaves]), leaves, depth[leaves], "leaves"

    def predict_table(
        self, X: Any, *, min_proba: float | None = None, k: int | None = None
    ) -> Any:
        """Return labels and their probabilities as a table, a row per label.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, ...)
            Samples, as ``predict`` takes them.
        min_proba : float, default=None
            Smallest probability of a label in the table. None, without ``k``, takes the
            labels of ``predict_labels``, with any probability.
        k : int, default=None
            Largest number of labels of a sample. The most probable ones are taken. None
            is no limit.

        Returns
        -------
        DataFrame or dict of lists
            Table with the columns ``sample``, ``label`` and ``probability``, sorted by
            sample, then by probability. Of equally probable labels the ancestors come
            first. Samples have their names in the index of X if it has one, otherwise
            the numbers 0 to n_samples - 1. After a 1-D y, labels are the classes and
            all labels above them, as in ``predict_label_proba``. The table is a
            ``pandas.DataFrame`` if pandas is installed. It is a ``polars.DataFrame`` if
            only polars is installed, or if X is one. Otherwise it is a dict of lists.

        Raises
        ------
        ValueError
            If ``min_proba`` is not a number from 0 to 1, or ``k`` is not an integer of
            at least 1.
        """
        self._check_ready()
        _check_limits(min_proba, k)
        hierarchy = self._answered_hierarchy
        found = list(self._cells(X, min_proba, k, hierarchy.depth))
        names = hierarchy.labels
        table = {
            "sample": sample_names(X, np.concatenate([cells.rows for cells in found])),
            "label": [names[k] for cells in found for k in cells.columns.tolist()],
            "probability": np.concatenate([cells.proba for cells in found]),
        }
        return as_table(table, X)

    def _cells(self, X, min_proba, k, depth):
        """Yield the cells of the table, block by block."""
        by_predict = min_proba is None and k is None
        blocks = self._answer_blocks(X) if by_predict else self._label_proba_blocks(X)
        start = 0
        for block in blocks.blocks:
            if by_predict:
                proba = block.proba()
                rows, columns = _as_csr(block.chosen()).nonzero()
            else:
                proba = block
                rows, columns = _probable_cells(proba, min_proba, k, depth)
            numbers = rows.astype(np.int64) + start
            cells = _Cells(numbers, columns, proba[rows, columns])
            yield cells.ordered(depth)
            start += len(proba)


def _probable_cells(proba, min_proba, k, depth):
    """Return rows and columns of probabilities that are high, or among the highest."""
    if k is None:
        return np.nonzero(proba >= min_proba)
    columns, best = top_k(proba, min(k, proba.shape[1]), depth)
    wanted = best >= (0 if min_proba is None else min_proba)
    return np.nonzero(wanted)[0], columns[wanted]


def _check_limits(min_proba, k):
    if min_proba is not None:
        number = isinstance(min_proba, Real) and not isinstance(min_proba, bool)
        if not (number and 0 <= min_proba <= 1):
            raise ValueError(
                f"Got min_proba={min_proba!r}, expected a number from 0 to 1, or None."
            )
    whole = isinstance(k, Integral) and not isinstance(k, bool)
    if k is not None and not (whole and k >= 1):
        raise ValueError(f"Got k={k!r}, expected an integer of at least 1, or None.")


def _as_csr(chosen):
    """Return indicators as a csr_matrix that stores nothing else than ones."""
    if not sp.issparse(chosen):
        return to_csr(np.ascontiguousarray(chosen))
    chosen = sp.csr_matrix(chosen)
    if not chosen.data.all():
        chosen = chosen.copy()
        chosen.eliminate_zeros()
    return chosen


def _names_of_rows(chosen, hierarchy):
    """Return the names that every row of a csr_matrix marks, from the roots down."""
    columns = chosen.indices
    rows = np.repeat(np.arange(chosen.shape[0]), np.diff(chosen.indptr))
    order = np.lexsort((columns, hierarchy.depth[columns], rows))
    names = [hierarchy.labels[column] for column in columns[order].tolist()]
    starts = chosen.indptr.tolist()
    pairs = zip(starts[:-1], starts[1:], strict=True)
    return [names[start:stop] for start, stop in pairs]


def _vocabulary(hierarchy, classes):
    """Return the names of all labels as an array of the kind that ``classes`` are."""
    names = np.empty(hierarchy.n_labels, dtype=object)
    names[:] = hierarchy.labels  # also where names are tuples
    kinds = {type(label) for label in hierarchy.labels}
    if classes.dtype == object or len(kinds) > 1:
        return names
    same = np.array(hierarchy.labels)  # wide enough for the longest
    return same.astype(np.result_type(same.dtype, classes.dtype))

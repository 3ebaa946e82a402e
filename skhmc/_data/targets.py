"""What a user hands over as labels: read, matched to the hierarchy, closed upward.

Every function of skhmc that takes labels reads them in one of two ways:
:func:`read_targets` reads the one ``y`` of a fit, a split or a transformer, and closes
it upward; :func:`skhmc._data.align.align` reads several arrays that a metric compares,
and brings their columns into one order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import scipy.sparse as sp
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skhmc._data.columns import (
    fill_ancestors,
    known_names,
    missing_ancestors,
    refuse_width,
    warn_ancestors,
)
from skhmc._data.containers import (
    are_words,
    check_one_kind,
    column_names,
    column_values,
    has_dictionaries,
    is_frame,
    is_missing_scalar,
    refuse_lazy,
    unwrap,
)
from skhmc._data.forms import read_form
from skhmc._data.judge import DirectionJudge, judge_hierarchy
from skhmc._data.levels import is_level_table, warn_if_levels
from skhmc._data.padding import warn_of_nan_text, without_padding
from skhmc._data.weights import read_sample_weight
from skhmc._data.X import is_in_file, row_blocks
from skhmc._utils.joined_paths import JOINERS
from skhmc._utils.kinds import is_matrix, repeatable
from skhmc._utils.messages import name_list, plain
from skhmc._utils.warnings import each_said_once, warn_of_input, warn_user
from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy, Ontology

__all__ = [
    "Targets",
    "add_classes",
    "are_label_sets",
    "as_label_sets",
    "check_same_shape",
    "match_columns",
    "match_former",
    "read_container",
    "read_fit_labels",
    "read_targets",
    "require_y",
    "set_indicators",
    "to_floats",
]


# -- the containers --------------------------------------------------------------------


def read_container(Y):
    """Return an array or CSR matrix, and the names of its columns if it has any.

    Missing values of DataFrames and masked cells become NaN. What is no number is left
    as it is: callers say in their own words what they expected.
    """
    refuse_lazy(Y)
    if is_frame(Y):
        return _frame_values(Y), column_names(Y)
    if np.ma.isMaskedArray(Y):
        return Y.astype(np.float64).filled(np.nan), None
    if sp.issparse(Y):
        Y = sp.csr_matrix(Y, copy=True)
        Y.sum_duplicates()
        return Y, None
    return np.asarray(Y), None


def _frame_values(frame):
    if has_dictionaries(frame):
        return np.array(column_values(frame), dtype=object).T
    values = np.asarray(frame)
    if values.dtype == object and hasattr(frame, "notna"):
        # of pandas, whose missing values are not all floats
        values = np.asarray(frame.astype(object).where(frame.notna(), np.nan))
    return values


def to_floats(values):
    """Return an array of objects as floats.

    Text, also of digits, complex numbers and dates are a TypeError.
    """
    if values.dtype != object or any(isinstance(x, str) for x in values.flat):
        raise TypeError
    unknown = [type(x).__name__ == "NAType" for x in values.flat]  # pandas.NA
    values = values.copy()
    values[np.reshape(unknown, values.shape)] = np.nan
    return values.astype(np.float64)


# -- which column is which label -------------------------------------------------------


def match_columns(source, names, n_labels):
    """Return a hierarchy in the order of columns, by name where they have names.

    Without names, the columns stand in the order of a ``Hierarchy`` (or matrix). Other
    sources have no order; with them integer labels are positions of columns.

    Parameters
    ----------
    source : hierarchy-like or None
        What :meth:`Hierarchy.build` takes; None is flat.
    names : list or None
        Names of the columns.
    n_labels : int
        Number of columns.

    Returns
    -------
    Hierarchy
        Perhaps of another size than ``n_labels``; callers say so in their own words.
    """
    if isinstance(source, Iterator):
        source = repeatable(source)
    if names is not None or source is None:
        labels = range(n_labels) if names is None else names
        return Hierarchy.build(source, labels=labels)
    hierarchy = Hierarchy.build(source)
    if isinstance(source, Hierarchy) or is_matrix(source):
        return hierarchy
    if all(isinstance(label, int) for label in hierarchy.labels):
        _check_positions(hierarchy.labels, n_labels)
        return Hierarchy.build(source, range(n_labels))  # in no edge: a root
    raise ValueError(
        f"The hierarchy names its labels ({name_list(hierarchy.labels)}), but the "
        f"columns have no names, so their order is unknown. Pass DataFrames, or "
        f"Hierarchy.build(source, labels=[names in the order of the columns])."
    )


def _check_positions(labels, n_labels):
    """Raise where integers cannot be positions of columns.

    Those from 1 up to one less than there are columns may be positions; whether they
    are counted from 1 is then for the labels to say, see ``skhmc._data.judge``.
    """
    outside = [x for x in labels if not 0 <= x < n_labels]
    if outside == [n_labels] and min(labels) == 1:
        raise ValueError(
            f"The labels of the hierarchy are 1 to {n_labels}, and the {n_labels} "
            f"columns, which have no names, are counted from 0. Where label 1 is the "
            f"first column, pass Hierarchy.build(source, labels=range(1, "
            f"{n_labels + 1}))."
        )
    if outside:
        raise ValueError(
            f"The hierarchy has the labels {name_list(outside)}, which are no "
            f"positions of the {n_labels} columns. Which column is which label? Pass "
            f"Hierarchy.build(source, labels=[the labels in the order of the columns])."
        )


def are_label_sets(y, n_labels=None):
    """Tell lists of label names from a nested list of indicators.

    Rows that are sets or hold strings are names, and so are rows of different length.
    Rows of 0, 1 and NaN only are indicators, but for rows of one entry where there are
    several labels; other rows of numbers are names when they are not ``n_labels`` long.

    Parameters
    ----------
    y : object
        What was given as labels.
    n_labels : int, default=None
        Number of labels; None when it is not known.

    Returns
    -------
    bool
    """
    if sp.issparse(y) or hasattr(y, "columns") or getattr(y, "ndim", 1) != 1:
        return False
    if not hasattr(y, "__len__") or not len(y):
        return False
    kinds = (list, tuple, set, frozenset)
    if isinstance(y, str) or not all(isinstance(row, kinds) for row in y):
        return False
    if any(isinstance(row, (set, frozenset)) for row in y):
        return True
    try:
        values = set(chain.from_iterable(y))
    except TypeError:  # lists in lists
        return False
    lengths = set(map(len, y))
    if len(lengths) > 1 or lengths == {0} or any(isinstance(x, str) for x in values):
        return True
    if n_labels is None or lengths == {n_labels}:
        return False
    return lengths == {1} or any(x not in (0, 1) and x == x for x in values)


def as_label_sets(y, n_labels=None):
    """Return lists of label names, one per sample, or None where y is something else.

    A 1-D y of strings holds one name per sample. Numbers in a 1-D y could as well be
    one sample's indicators, and are never read as names here.

    Parameters
    ----------
    y : object
        Labels in any form.
    n_labels : int, default=None
        Number of labels; None when it is not known.

    Returns
    -------
    list of list, or None
        Without names that are empty or missing, which only make rows equally long.
    """
    if are_label_sets(y, n_labels):
        return without_padding([list(row) for row in y])
    one_each = not isinstance(y, str) and not is_frame(y) and not sp.issparse(y)
    one_each = one_each and hasattr(y, "__len__") and getattr(y, "ndim", 1) == 1
    if one_each and len(y):
        if all(isinstance(name, str) for name in y):
            return without_padding([[name] for name in y])
    return None


# -- the one y of a fit ----------------------------------------------------------------


_CLASSES_NEEDED = (
    "classes must be passed on the first call to partial_fit when no hierarchy says "
    "which labels there are: partial_fit(X, y, classes=[all labels])."
)
_LEVELS_NEEDED = (
    "The first call to partial_fit got level columns, and no hierarchy says which "
    "labels there are: pass hierarchy=Hierarchy.from_levels(all rows) to the estimator."
)


@dataclass
class Targets:
    """Closed labels of every sample, and what they are called.

    ``classes`` is None for indicators; else y was 1-D and holds these classes, sorted,
    and ``codes`` are the positions of y in them.
    """

    Y: np.ndarray | sp.csr_matrix  # (n_samples, n_labels), 0, 1 or NaN
    hierarchy: Hierarchy
    classes: np.ndarray | None = None
    codes: np.ndarray | None = None
    added: tuple = ()  # labels at the end of the columns, which a DataFrame had not

    def __sizeof__(self):
        """Return the bytes in memory, by which Dask decides what to send only once."""
        arrays = [self.Y.data if sp.issparse(self.Y) else self.Y, self.classes]
        held = [array.nbytes for array in arrays if isinstance(array, np.ndarray)]
        return object.__sizeof__(self) + sum(held)

    @property
    def label_names(self):
        """The names of the columns (n_labels,): ``label_names_`` of an estimator."""
        names = np.empty(self.hierarchy.n_labels, dtype=object)
        names[:] = self.hierarchy.labels  # also where names are tuples
        return names

    @property
    def output_classes(self):
        """What every output may be: ``classes_`` of an estimator.

        ``[[0, 1]] * n_labels`` of indicators, else the classes.
        """
        if self.classes is None:
            return np.tile([0, 1], (self.hierarchy.n_labels, 1))
        return self.classes


def read_targets(
    y, source, *, warn=True, classes=None, partial=False, indicators=False
):
    """Read ``y`` in any accepted form.

    A DataFrame may lack labels that are ancestors of its columns: they are added behind
    these, in the order of the hierarchy.

    Parameters
    ----------
    y : array-like or sparse matrix
        Indicators (n_samples, n_labels), a DataFrame of them, label sets (a list of
        lists of names), or one label per sample (n_samples,).
    source : hierarchy-like or None
        What :meth:`Hierarchy.build` takes; None is flat.
    warn : bool, default=True
        Whether to warn when indicators are not closed upward, or columns are added.
    classes : array-like or None
        What there is: names of label sets, classes of one label per sample, or a list
        of ``[0, 1]`` for indicators. None is what y holds.
    partial : bool, default=False
        Whether y is the first of several parts, so that it need not hold all classes.
    indicators : bool, default=False
        Whether anything but indicators and label sets is an error: neither a 1-D y nor
        one column of values other than 0 and 1 is then read as classes.

    Returns
    -------
    Targets
        With a CSR matrix where y is one, or lies in a file (``numpy.memmap``), which is
        never held in memory.
    """
    given = y, source, warn, classes, partial, indicators
    if source is None or isinstance(source, Hierarchy):
        return _read_any(*given)
    with each_said_once():  # it is built wherever it is needed
        return _read_any(*given)


def _read_any(y, source, warn, classes, partial, indicators):
    """Read ``y`` as :func:`read_targets` says."""
    names = None
    if not _is_plain(y):
        if partial and source is None:
            y = _unwrap_no_levels(y)
        y, source = read_form(y, source)
        if are_label_sets(y, _n_labels_said(y, source, classes)):
            return _read_label_sets(y, source, classes, partial)
        check_one_kind(y)
        y, names = read_container(y)
        if names is not None:
            names = known_names(names, source)
    if indicators:
        _check_is_table(y)
    if names is None and not indicators and _is_column_of_classes(y):
        y = column_or_1d(y, warn=True)
    if y.ndim == 1:
        return _read_classes(y, source, classes, partial)
    return _read_indicators(y, names, source, classes, warn)


def _unwrap_no_levels(y):
    """Return y unwrapped, once: it may be an iterator; level columns are an error."""
    y = unwrap(y)
    if is_level_table(y):
        raise ValueError(_LEVELS_NEEDED)
    return y


def _is_plain(y):
    """Tell a 2-D array of 0, 1 and NaN: indicators as they are, in no container."""
    is_array = type(y) in (np.ndarray, np.memmap)
    if not is_array or y.ndim != 2 or y.dtype.kind not in "biuf":
        return False
    return is_in_file(y) or not (y > 1).any()


def _read_indicators(y, names, source, classes, warn):
    if y.ndim != 2 or not y.shape[1]:
        raise ValueError(
            f"Expected y of shape (n_samples, n_labels) with at least one label, or "
            f"(n_samples,), got shape {y.shape}."
        )
    _check_binary_classes(classes, y.shape[1])
    hierarchy, added = _match(y, names, source)
    if names is None and is_in_file(y):
        return _read_file(y, hierarchy, warn, source)
    Y = _check_indicators(y, hierarchy)
    if added:
        Y = fill_ancestors(Y, hierarchy)
        if warn:
            warn_ancestors(added, hierarchy)
    closed, n_added, example = _closed(Y, hierarchy, warn)
    beyond_doubt = warn and not n_added and _is_below_roots(Y, hierarchy)
    if not added and not beyond_doubt:
        judge_hierarchy(Y, hierarchy, source)
    if n_added:
        _warn_added(n_added, example)
    return Targets(closed, hierarchy, added=tuple(added))


def _match(y, names, source):
    """Return the hierarchy of the columns, and ancestors that have none, behind."""
    added = []
    if names is not None:
        added = missing_ancestors(names, source)
        names = [*names, *added]
    hierarchy = match_columns(source, names, y.shape[1])
    if hierarchy.n_labels != y.shape[1] + len(added):
        refuse_width(y.shape[1], hierarchy)
    return hierarchy, added


def _is_below_roots(Y, hierarchy):
    """Tell whether Y has some label below a root, or there is no edge to doubt.

    If Y is closed as well, the label stands beside its parent, as it should.
    """
    if not len(hierarchy.edges):
        return True
    below = hierarchy.depth > 0
    if sp.issparse(Y):
        return bool((below[Y.indices] & (Y.data == 1)).any())
    return bool((Y[:, below] == 1).any())


def _n_labels_said(y, source, classes):
    """Return how many labels there are, where it is said; None where it is not."""
    if isinstance(y, list) and source is not None:
        return Hierarchy.build(source).n_labels
    return None if classes is None else len(classes)


def _check_is_table(y):
    if y.ndim != 2 or y.dtype.kind in "US":
        raise ValueError(
            f"Expected Y to be indicators of shape (n_samples, n_labels), got shape "
            f"{y.shape} and dtype {y.dtype}. Label names are a list of lists, one per "
            f"sample; skhmc.preprocessing.HierarchicalLabelBinarizer makes indicators "
            f"of names and paths."
        )


def _is_column_of_classes(y):
    """Tell whether y is one dense column of anything but 0, 1 and NaN."""
    if sp.issparse(y) or y.ndim != 2 or y.shape[1] != 1:
        return False
    if y.dtype.kind == "O":  # of a table that has mixed columns, or None in this one
        return not all(_is_indicator(value) for value in y.flat)
    return y.dtype.kind not in "biuf" or not (np.isin(y, (0, 1)) | (y != y)).all()


def _is_indicator(value):
    """Tell whether an object is 0, 1, False, True, or missing."""
    if is_missing_scalar(value):
        return True
    return isinstance(value, (int, float, np.number, np.bool_)) and value in (0, 1)


def _check_binary_classes(classes, n_labels):
    if classes is None:
        return
    each = [set(np.ravel(np.asarray(found, object)).tolist()) for found in classes]
    if len(each) != n_labels or not all(found <= {0, 1} for found in each):
        raise ValueError(
            f"y holds indicators of {n_labels} labels, for which classes may only be "
            f"[[0, 1]] * {n_labels}, got {classes!r}. Leave classes out: the columns "
            f"of y are the labels."
        )


def _read_label_sets(rows, source, classes, partial):
    if source is None and classes is None:
        warn_if_levels(rows)
    rows = without_padding([list(row) for row in rows])
    seen = dict.fromkeys(map(plain, dict.fromkeys(chain.from_iterable(rows))))
    if source is None and classes is not None:
        hierarchy = Hierarchy.flat(classes)
    elif source is None and partial:
        raise ValueError(_CLASSES_NEEDED)
    elif source is None:
        _refuse_words(rows, seen)
        warn_of_nan_text(seen)
        if not any(isinstance(x, str) for x in seen) and seen:
            raise ValueError(
                f"y holds lists of {name_list(seen)}, and no hierarchy says which "
                f"labels there are. Pass a hierarchy, strings, or indicators (see "
                f"sklearn.preprocessing.MultiLabelBinarizer)."
            )
        try:
            hierarchy = Hierarchy.flat(sorted(seen))
        except TypeError:  # names of several types have no order
            hierarchy = Hierarchy.flat(seen)
    else:
        hierarchy = Hierarchy.build(source)
    Y = set_indicators(rows, hierarchy, "y")
    judge_hierarchy(Y, hierarchy, source)
    return _close(Y, hierarchy, warn=False)  # the most specific names are enough


def _refuse_words(rows, seen):
    """Raise where rows of text are indicators: equally long, and "0" and "1" only."""
    lengths = {len(row) for row in rows}
    again = any(len(set(row)) < len(row) for row in rows)
    if len(lengths) == 1 and again and are_words(seen):
        raise ValueError(
            f"Expected Y to hold 0, 1 or NaN, got strings: rows of {name_list(seen)} "
            f"and nothing else. Write indicators as numbers."
        )


def set_indicators(rows, hierarchy, argument):
    """Return label sets as a CSR matrix whose columns are a hierarchy's labels."""
    names = {name: plain(name) for name in chain.from_iterable(rows)}
    _check_known(dict.fromkeys(names.values()), hierarchy, argument)
    if not hierarchy.n_labels:
        raise ValueError(f"{argument} holds no label at all, expected at least one.")
    place = {name: hierarchy.position(label) for name, label in names.items()}
    positions = [place[name] for name in chain.from_iterable(rows)]
    starts = np.cumsum([0, *map(len, rows)])
    ones = np.ones(len(positions), np.float32)
    Y = sp.csr_matrix((ones, positions, starts), (len(rows), hierarchy.n_labels))
    Y.sum_duplicates()
    Y.data[:] = 1
    return Y


def _check_known(labels, hierarchy, argument="y"):
    unknown = [label for label in labels if label not in hierarchy]
    if unknown:
        explained = ""
        if isinstance(hierarchy, Ontology):
            explained = f" {hierarchy.explain(unknown)}".rstrip()
        elif str(unknown[0]) in hierarchy and not isinstance(unknown[0], str):
            explained = f" It has the text {str(unknown[0])!r}: give both one type."
        elif unknown[0] in map(str, hierarchy.labels):
            explained = f" It has the number {unknown[0]}: give both one type."
        raise ValueError(
            f"{argument} holds labels that the hierarchy does not have: "
            f"{name_list(unknown)}.{explained}{_why_unknown(unknown, hierarchy)} "
            f"Add them to the hierarchy or correct the names."
        )


def _why_unknown(unknown, hierarchy):
    """Return a hint where names that are not known are made up of names that are."""
    texts = [name for name in unknown if isinstance(name, str)]
    if any(name.strip() in hierarchy for name in texts):
        return " Some differ only in spaces around them: leave these out."
    for joiner in JOINERS:
        if any(_joins_known(name, joiner, hierarchy) for name in texts):
            return f" {joiner!r} joins several labels: split them at {joiner!r}."
    return ""


def _joins_known(name, joiner, hierarchy):
    pieces = name.split(joiner)
    return len(pieces) > 1 and all(piece.strip() in hierarchy for piece in pieces)


def _read_classes(y, source, classes, partial):
    assert_all_finite(y, input_name="y")
    _warn_of_empty(y)
    check_classification_targets(y)
    found, codes = np.unique(y, return_inverse=True)
    if source is None:
        warn_of_nan_text(found.tolist())
    hierarchy = None if source is None else Hierarchy.build(source)
    if classes is None and partial:
        if hierarchy is None:
            raise ValueError(_CLASSES_NEEDED)
        classes = list(hierarchy.labels)
    classes = found if classes is None else np.unique(classes)
    hierarchy = hierarchy or Hierarchy.flat(classes)
    _check_known(classes, hierarchy)
    absent = np.setdiff1d(found, classes)
    if len(absent):
        raise ValueError(
            f"y holds labels that are not in classes: {name_list(absent)}. Expected "
            f"some of {name_list(classes)}."
        )
    positions = np.array([hierarchy.position(label) for label in found])
    shape = (len(y), hierarchy.n_labels)
    ones = np.ones(len(y), np.float32)
    Y = sp.csr_matrix((ones, positions[codes], np.arange(len(y) + 1)), shape)
    judge_hierarchy(Y, hierarchy, source)
    Y = close_upward(Y, hierarchy)
    return Targets(Y, hierarchy, classes, np.searchsorted(classes, found)[codes])


def _warn_of_empty(y):
    """Warn where the class of samples has no name."""
    if y.dtype.kind not in "OUT":
        return
    empty = np.flatnonzero(y == "")
    if len(empty):
        warn_of_input(
            f"y holds '' in {len(empty)} of {len(y)} samples, the first is row "
            f"{empty[0]}. That is read as a class of its own. Where samples have no "
            f"label leave them out, or pass lists of label names with [] for these."
        )


def _check_indicators(Y, hierarchy):
    values = Y.data if sp.issparse(Y) else Y
    if values.dtype.kind not in "biuf":
        try:
            values = to_floats(values)
        except (TypeError, ValueError):
            raise ValueError(
                "Expected Y to hold 0, 1 or NaN, got strings or other objects. For "
                "label names pass a list of lists."
            ) from None
        Y = values if not sp.issparse(Y) else Y.astype(np.float64)
    wrong = ~(np.isin(values, (0, 1)) | np.isnan(values))
    if wrong.any():
        where = np.argwhere(wrong)[0]
        column = Y.indices[where[0]] if sp.issparse(Y) else where[1]
        got = values[wrong][0].item()
        label = hierarchy.labels[column]
        raise ValueError(
            f"Expected Y to hold 0, 1 or NaN (unknown), got {got!r} for label "
            f"{label!r}. Unknown label type: for classes pass a 1-D y, for numbers as "
            f"names of levels hierarchy=Hierarchy.from_levels(Y)."
        )
    return Y


def _close(Y, hierarchy, warn):
    closed, n_added, example = _closed(Y, hierarchy, warn)
    if n_added:
        _warn_added(n_added, example)
    return Targets(closed, hierarchy)


def _read_file(Y, hierarchy, warn, source):
    """Check and close indicators that lie in a file; keep them as a CSR matrix."""
    parts = []
    n_added = 0
    example = None
    judge = DirectionJudge(hierarchy, source)
    for rows in row_blocks(Y):
        block = _check_indicators(Y[rows], hierarchy)
        judge.read(block, rows.start)
        closed, n, found = _closed(block, hierarchy, warn)
        parts.append(sp.csr_matrix(closed))
        if n and not n_added:
            example = (*found[:2], found[2] + rows.start)
        n_added += n
    judge.warn()
    if n_added:
        _warn_added(n_added, example)
    return Targets(sp.vstack(parts, "csr"), hierarchy)


def _closed(Y, hierarchy, count):
    """Return closed labels, how many were added, and one: its name, why, its row."""
    Y = Y.astype(np.float32)
    closed = close_upward(Y, hierarchy)
    if not count:
        return closed, 0, None
    added = (closed == 1).astype(np.int8) - (Y == 1).astype(np.int8)
    n_added = int(added.sum())
    if not n_added:
        return closed, 0, None
    row, column = (index[0] for index in added.nonzero())
    child = (Y[[row]] == 1).astype(np.int8)
    below = hierarchy.descendants[[column]].toarray().ravel()
    child = child.toarray().ravel() if sp.issparse(child) else child.ravel()
    lower = hierarchy.labels[np.flatnonzero(below & (child > 0))[0]]
    return closed, n_added, (hierarchy.labels[column], lower, row)


def _warn_added(n_added, example):
    label, lower, row = example
    warn_user(
        f"Y is not closed upward: added {n_added} missing ancestor labels, such as "
        f"{label!r} above {lower!r} in row {row}. Close Y with "
        f"skhmc.coherence.close_upward to silence this.",
    )


# -- what fit was given ----------------------------------------------------------------


def read_fit_labels(estimator, X, y, sample_weight):
    """Read what ``fit`` was given beside an X that somebody else checks.

    Parameters
    ----------
    estimator : BaseEstimator
        Has ``hierarchy``.
    X, y, sample_weight
        As documented in ``fit``.

    Returns
    -------
    targets : Targets
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
        With a mean of 1.
    """
    require_y(estimator, y)
    targets = read_targets(y, estimator.hierarchy)
    if not targets.Y.shape[0]:
        raise ValueError("Found 0 samples, expected at least one.")
    check_consistent_length(X, targets.Y)
    return targets, read_sample_weight(sample_weight, y, targets, np.dtype(np.float64))


def require_y(estimator, y):
    """Raise the error that scikit-learn's checks know, where y is None."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but "
            f"the target y is None."
        )


def match_former(targets, weight, hierarchy, classes, all_named=False):
    """Bring targets and weights into the order of those of a former fit.

    Parameters
    ----------
    targets : Targets
        New targets, whose labels are those of the former fit.
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
        New weights, with columns as the targets have them.
    hierarchy : Hierarchy
        The former ``hierarchy_``.
    classes : ndarray
        The former ``classes_``: 1-D for one label per sample, else (n_labels, 2).
    all_named : bool, default=False
        Whether the classes of targets are all labels, since none were named.

    Returns
    -------
    targets : Targets
    weight : ndarray or None

    Raises
    ------
    ValueError
        When y has another form than before, or classes that are new.
    """
    one_label = classes.ndim == 1
    check_same_shape(targets, one_label)
    if one_label:
        return add_classes(targets, classes, (), all_named), weight
    order = [targets.hierarchy.position(x) for x in hierarchy.labels]
    if weight is not None and weight.shape[1] > 1:
        weight = weight[:, order]
    return replace(targets, Y=targets.Y[:, order], hierarchy=hierarchy), weight


def check_same_shape(targets, one_label):
    """Raise unless y has one label per sample, or several, as before."""
    if one_label == (targets.classes is not None):
        return
    one, many = "(n_samples,)", "(n_samples, n_labels)"
    before = one if one_label else many
    now = many if one_label else one
    raise ValueError(
        f"Expected y of shape {before} as before, got {now}. Start anew with fit, or "
        f"with a clone."
    )


def add_classes(targets, classes, new=(), all_named=False):
    """Return targets of one label per sample with the former classes, and new ones.

    Parameters
    ----------
    targets : Targets
        With the classes that y holds, or that were named.
    classes : ndarray of shape (n_classes,)
        The former classes, sorted.
    new : iterable, default=()
        Labels that were not there before.
    all_named : bool, default=False
        Whether the classes of targets are all labels, since none were named; then all
        new labels are classes.

    Raises
    ------
    ValueError
        When there are other classes, which are no new labels.
    """
    given = targets.classes
    if all_named:
        given = np.array([x for x in given.tolist() if x in set(new)], given.dtype)
    held = targets.classes[np.unique(targets.codes)]
    found = np.unique(np.concatenate([given, held]))
    known = set(classes.tolist())
    strange = [x for x in found.tolist() if x not in known and x not in set(new)]
    if strange:
        raise ValueError(
            f"y holds classes that were not there before: {name_list(strange)}. Name "
            f"all classes in the first call: partial_fit(X, y, classes=...)."
        )
    if not known.issuperset(found.tolist()):
        classes = np.unique(np.concatenate([classes, found]))
    codes = np.searchsorted(classes, targets.classes)[targets.codes]
    return replace(targets, classes=classes, codes=codes)

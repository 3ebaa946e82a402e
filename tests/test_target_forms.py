"""Every form of Y is read as a plain array or CSR matrix of it would be, bit for bit.

All estimators read Y by ``read_targets``, so what is shown here holds for each of them;
tests/test_contract_targets.py fits each to one form of every kind.
"""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skhmc._data.targets import read_targets
from skhmc.coherence import close_upward
from tests.contract import DAG, KINDS, TREE, task
from tests.test_file_rows import on_disk

every_kind = pytest.mark.parametrize("kind", KINDS)
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
DTYPES = [*INTEGERS, "bool", "float32", "float64", "object"]


def strided(frame):
    """Return a view into a larger array, neither C- nor F-ordered."""
    large = np.zeros((2 * len(frame), 2 * frame.shape[1]), int)
    large[::2, ::2] = frame
    return large[::2, ::2]


def with_none(frame):
    """Return a frame of objects, None where it is not known."""
    return frame.astype(object).where(frame.notna(), None)


def names_of(frame, close=True):
    """Return the lists of label names of every row, or only the most specific ones."""
    found = []
    for row in frame.to_numpy():
        names = {name for name, on in zip(frame, row, strict=True) if on == 1}
        if not close:
            hierarchy = DAG if set(frame) == set(DAG.labels) else TREE
            names -= {p for name in names for p in hierarchy.parents_of(name)}
        found.append(sorted(names))
    return found


# Of closed labels in a DataFrame with a column per label.
DENSE_FORMS = {
    "fortran": np.asfortranarray,
    "strided": strided,
    "lists": lambda frame: frame.to_numpy().tolist(),
    "tuples": lambda frame: [tuple(row) for row in frame.to_numpy()],
    "rows": lambda frame: list(frame.to_numpy()),
    "frame of bool": lambda frame: frame.astype(bool),
    "frame of float": lambda frame: frame.astype("float32"),
    "frame of Int64": lambda frame: frame.astype("Int64"),
    "frame of boolean": lambda frame: frame.astype("boolean"),
    "frame of Float32": lambda frame: frame.astype("Float32"),
    "frame of object": lambda frame: frame.astype(object),
    "frame of sparse": lambda frame: frame.astype(pd.SparseDtype("int64", 0)),
    "frame of several": lambda frame: frame.astype(
        {frame.columns[0]: bool, frame.columns[1]: "Int8"}
    ),
    "frame with an index": lambda frame: frame.set_index(
        np.arange(len(frame))[::-1] * 7
    ),
}
SPARSE_FORMS = {
    f"{format}_{container}": getattr(sp, f"{format}_{container}")
    for format in ("csr", "csc", "coo", "lil", "dok")
    for container in ("matrix", "array")
}
ROWS_OF_NAMES = [list, tuple, set, frozenset]
# Of labels in a DataFrame, some of them NaN.
UNKNOWN_DENSE_FORMS = {
    "float32": lambda frame: frame.to_numpy().astype("float32"),
    "lists": lambda frame: frame.to_numpy().tolist(),
    "frame": lambda frame: frame,
    "frame of Int64": lambda frame: frame.astype("Int64"),
    "frame of boolean": lambda frame: frame.astype("boolean"),
    "frame with None": with_none,
    "array with None": lambda frame: with_none(frame).to_numpy(),
    "frame with pandas.NA": lambda frame: frame.astype("Int64").astype(object),
}
UNKNOWN_SPARSE_FORMS = {
    "csr": lambda frame: sp.csr_matrix(frame.to_numpy()),
    "coo": lambda frame: sp.coo_array(frame.to_numpy()),
}
UNKNOWN_FORMS = UNKNOWN_DENSE_FORMS | UNKNOWN_SPARSE_FORMS
# Of one label per row, an array of strings.
CLASS_FORMS = {
    "list": list,
    "tuple": tuple,
    "object": lambda y: y.astype(object),
    "Series": pd.Series,
    "string": lambda y: pd.Series(y, dtype="string"),
    "category": lambda y: pd.Series(y, dtype="category", index=np.arange(len(y))[::-1]),
}


def labels_of(kind, unknown=False):
    """Return a hierarchy and closed labels in a DataFrame, perhaps with some NaN."""
    hierarchy, _, Y = task(kind)
    if unknown:
        Y = np.where(np.random.default_rng(0).random(Y.shape) < 0.2, np.nan, Y)
        Y = close_upward(Y, hierarchy)
    return hierarchy, pd.DataFrame(Y, columns=hierarchy.labels)


def assert_read_alike(y, other, hierarchy):
    """Two forms of Y are read as the same targets, in type, dtype and every bit."""
    found, expected = (read_targets(given, hierarchy) for given in (y, other))
    assert found.hierarchy == expected.hierarchy
    assert list(found.hierarchy.labels) == list(expected.hierarchy.labels)
    assert sp.issparse(found.Y) == sp.issparse(expected.Y)
    if sp.issparse(found.Y):
        assert found.Y.format == expected.Y.format == "csr"
        assert found.Y.has_canonical_format and expected.Y.has_canonical_format
        found.Y, expected.Y = (targets.Y.toarray() for targets in (found, expected))
    np.testing.assert_array_equal(found.Y, expected.Y, strict=True)
    assert (found.classes is None) == (expected.classes is None)
    if found.classes is not None:
        assert found.classes.tolist() == expected.classes.tolist()
        np.testing.assert_array_equal(found.codes, expected.codes, strict=True)


@every_kind
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_dtype(kind, dtype):
    hierarchy, frame = labels_of(kind)
    assert_read_alike(frame.to_numpy().astype(dtype), frame.to_numpy(), hierarchy)


@every_kind
@pytest.mark.parametrize("form", DENSE_FORMS)
def test_any_container(kind, form):
    hierarchy, frame = labels_of(kind)
    assert_read_alike(DENSE_FORMS[form](frame), frame.to_numpy(), hierarchy)


@every_kind
@pytest.mark.parametrize("form", SPARSE_FORMS)
def test_any_sparse_matrix(kind, form):
    hierarchy, frame = labels_of(kind)
    plain = sp.csr_matrix(frame.to_numpy())
    for dtype in DTYPES[:-1]:
        given = SPARSE_FORMS[form](frame.to_numpy().astype(dtype))
        assert_read_alike(given, plain, hierarchy)


@every_kind
@pytest.mark.parametrize("dtype", DTYPES[:-1])
def test_any_dtype_in_a_file(tmp_path, kind, dtype):
    hierarchy, frame = labels_of(kind)
    in_file = on_disk(tmp_path, frame.to_numpy().astype(dtype))
    assert_read_alike(in_file, sp.csr_matrix(frame.to_numpy()), hierarchy)


def test_unknown_labels_in_a_file(tmp_path):
    hierarchy, frame = labels_of("many", unknown=True)
    plain = frame.to_numpy()
    assert_read_alike(on_disk(tmp_path, plain), sp.csr_matrix(plain), hierarchy)


def test_a_sparse_matrix_is_read_as_the_same_values():
    hierarchy, frame = labels_of("many")
    found = read_targets(sp.csr_matrix(frame.to_numpy()), hierarchy).Y.toarray()
    expected = read_targets(frame.to_numpy(), hierarchy).Y
    np.testing.assert_array_equal(found, expected, strict=True)


@every_kind
@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("row", ROWS_OF_NAMES)
def test_names_of_labels(kind, close, row):
    hierarchy, frame = labels_of(kind)
    given = [row(names) for names in names_of(frame, close)]
    assert_read_alike(given, sp.csr_matrix(frame.to_numpy()), hierarchy)


@every_kind
@pytest.mark.parametrize("form", UNKNOWN_DENSE_FORMS)
def test_unknown_labels(kind, form):
    hierarchy, frame = labels_of(kind, unknown=True)
    assert frame.isna().to_numpy().mean() > 0.05
    assert_read_alike(UNKNOWN_DENSE_FORMS[form](frame), frame.to_numpy(), hierarchy)


@every_kind
@pytest.mark.parametrize("form", UNKNOWN_SPARSE_FORMS)
def test_unknown_labels_of_a_sparse_matrix(kind, form):
    hierarchy, frame = labels_of(kind, unknown=True)
    given, plain = UNKNOWN_SPARSE_FORMS[form](frame), frame.to_numpy()
    assert_read_alike(given, sp.csr_matrix(plain), hierarchy)
    found = read_targets(given, hierarchy).Y.toarray()
    expected = read_targets(plain, hierarchy).Y
    np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("form", CLASS_FORMS)
def test_one_label_per_row(known, form):
    y = np.array(["a/1", "a/2", "b/1", "b/2", "c"])[np.arange(60) % 5]
    assert_read_alike(CLASS_FORMS[form](y), y, TREE if known else None)

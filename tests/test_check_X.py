"""Every form of X is read as the same numbers, wherever it lies.

All networks read X by ``check_X``, so what is shown here holds for each of them;
tests/test_contract_files.py fits each to some of the forms.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator

from skhmc._data.X import FileRows, check_X
from tests.test_file_rows import on_disk

DTYPES = ["float16", "float32", "float64", "uint8", "int16", "uint64", "bool", ">f4"]
X = np.random.default_rng(0).integers(0, 2, (30, 5)) * 3.0


class Reader(BaseEstimator):
    """What check_X asks of an estimator, one that takes an encoder."""

    encoder = None


def read(given, dtype="float32"):
    return check_X(Reader(), given, dtype=dtype, reset=True, allow_nd=False)


def strided(X):
    """Return a view into a larger array, neither C- nor F-ordered."""
    large = np.zeros((2 * len(X), 2 * X.shape[1]))
    large[::2, ::2] = X
    return large[::2, ::2]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Many blocks of rows also of little data."""
    monkeypatch.setattr("skhmc._data.X.ENTRIES_PER_BLOCK", 40)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("own", ["float32", "float64"])
def test_any_dtype_in_memory_and_in_a_file(tmp_path, dtype, own):
    given = X.astype(dtype)
    expected = given.astype(own)
    found = read(given, own)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected, strict=True)
    in_file = read(on_disk(tmp_path, given), own)
    assert isinstance(in_file, FileRows)
    np.testing.assert_array_equal(in_file.read(slice(None)), expected, strict=True)


@pytest.mark.parametrize(
    "form",
    [
        np.ndarray.tolist,
        np.asfortranarray,
        strided,
        pd.DataFrame,
        lambda X: pd.DataFrame(X).astype({0: "float32", 1: "int8"}),
        lambda X: pd.DataFrame(X).astype("Float64"),
        lambda X: X.astype(object),
    ],
    ids=[
        *("lists", "fortran", "strided", "frame", "frame of several"),
        *("frame of Float64", "object"),
    ],
)
def test_any_dense_container(form):
    found = read(form(X))
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, X.astype("float32"), strict=True)


@pytest.mark.parametrize(
    "form",
    [
        *(sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.lil_matrix, sp.dok_matrix),
        *(sp.csr_array, sp.csc_array, sp.coo_array, sp.lil_array, sp.dok_array),
        lambda X: pd.DataFrame(X).astype(pd.SparseDtype("float64", 0.0)),
    ],
)
def test_any_sparse_matrix(form):
    found = read(form(X))
    assert sp.issparse(found) and found.format == "csr"
    np.testing.assert_array_equal(found.toarray(), X.astype("float32"), strict=True)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_any_view_of_a_file(tmp_path, mode):
    large = np.zeros((40, 9))
    large[10:, 2:7] = X
    found = read(on_disk(tmp_path, large, mode)[10:, 2:7])
    assert isinstance(found, FileRows)
    np.testing.assert_array_equal(
        found.read(slice(None)), X.astype("float32"), strict=True
    )


def with_value(X, value, dtype=np.float64):
    X = X.astype(dtype)
    X[25, 3] = value  # not in the first block
    return X


WRONG_X = {
    "NaN": (lambda X: with_value(X, np.nan), "Input X contains NaN"),
    "infinity": (lambda X: with_value(X, np.inf), "Turn infinite values into NaN"),
    "too large": (lambda X: with_value(X, 1e300), "Turn infinite values into NaN"),
    "text": (lambda X: with_value(X, "many", "U8"), "Expected X to hold numbers"),
    "complex": (lambda X: X.astype(complex), "Complex data not supported"),
    "three dimensions": (lambda X: X[:, :, None], "For images or sequences give an"),
    "one dimension": (lambda X: X[:, 0], "Expected 2D array, got 1D array"),
}


@pytest.mark.parametrize("what", WRONG_X)
def test_a_wrong_X_is_an_error_of_the_same_words(tmp_path, what):
    make, message = WRONG_X[what]
    wrong = make(X)
    said = []
    for given in (wrong, on_disk(tmp_path, wrong)):
        with warnings.catch_warnings(), pytest.raises(ValueError, match=message) as e:
            warnings.simplefilter("ignore", RuntimeWarning)  # 1e300 in float32
            read(given)
        said.append(str(e.value))
    assert said[0] == said[1]

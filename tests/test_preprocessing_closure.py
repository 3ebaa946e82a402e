"""AncestorClosure: a transformer of Y."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skhmc import Hierarchy
from skhmc.coherence import close_upward, most_specific
from skhmc.preprocessing import AncestorClosure
from tests.hierarchies import hierarchies, random_labels

H = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})  # mammal, cat, dog
OPEN = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]])
CLOSED = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]])


@random_labels
@given(hierarchies(), st.integers(0, 2**32 - 1), st.booleans())
def test_it_is_the_functions(h, seed, sparse):
    Y = np.random.default_rng(seed).choice([0, 1, np.nan], (5, h.n_labels))
    given_Y = sp.csr_matrix(Y) if sparse else Y
    closure = AncestorClosure(h)
    closed = closure.fit_transform(given_Y)
    specific = closure.inverse_transform(given_Y)
    assert sp.issparse(closed) == sp.issparse(specific) == sparse
    closed, specific = (x.toarray() if sparse else x for x in (closed, specific))
    np.testing.assert_array_equal(closed, close_upward(Y, h))
    np.testing.assert_array_equal(specific, most_specific(close_upward(Y, h), h))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("make", [np.array, sp.csr_matrix, sp.csc_matrix, sp.csr_array])
def test_kind_and_dtype_are_kept(dtype, make):
    closed = AncestorClosure(H).fit_transform(make(OPEN.astype(dtype)))
    assert closed.dtype == dtype
    closed = closed.toarray() if sp.issparse(closed) else closed
    np.testing.assert_array_equal(closed, CLOSED)


def test_an_array_in_a_file_becomes_an_array(tmp_path):
    np.save(tmp_path / "Y.npy", OPEN)
    in_file = np.load(tmp_path / "Y.npy", mmap_mode="r")
    closed = AncestorClosure(H).fit_transform(in_file)
    np.testing.assert_array_equal(closed, CLOSED, strict=True)


def test_unknowns_by_hand():
    nan = np.nan
    Y = np.array([[nan, 1, nan], [0, nan, nan], [nan, nan, 0]])
    closed = AncestorClosure(H).fit_transform(Y)
    expected = [[1, 1, nan], [0, 0, 0], [nan, nan, 0]]
    np.testing.assert_array_equal(closed, expected)
    masked = np.ma.array(OPEN, mask=False)
    masked[0, 0] = np.ma.masked
    assert AncestorClosure(H).fit_transform(masked)[0].tolist() == [1, 1, 0]


def test_no_hierarchy_adds_nothing():
    np.testing.assert_array_equal(AncestorClosure().fit_transform(OPEN), OPEN)


def test_frames_in_frames_out_matched_by_name():
    frame = pd.DataFrame(OPEN, columns=["mammal", "cat", "dog"], index=[5, 6, 7])
    shuffled = frame[["dog", "mammal", "cat"]]
    closure = AncestorClosure(H).set_output(transform="pandas").fit(shuffled)
    assert closure.feature_names_in_.tolist() == ["dog", "mammal", "cat"]
    expected = pd.DataFrame(CLOSED, index=[5, 6, 7], columns=frame.columns)
    for Y in (shuffled, frame):  # the order is that of the fit
        out = closure.transform(Y)
        pd.testing.assert_frame_equal(out, expected[["dog", "mammal", "cat"]])
    assert closure.inverse_transform(frame).tolist()[0] == [0, 0, 1]


def test_nullable_columns_become_floats():
    frame = pd.DataFrame(OPEN, columns=H.labels).astype("Int64")
    frame.loc[1, "dog"] = pd.NA
    closed = AncestorClosure(H).fit_transform(frame)
    assert closed.dtype == np.float64 and np.isnan(closed[1, 2])


def test_names_of_columns():
    closure = AncestorClosure(H).fit(OPEN)
    assert closure.get_feature_names_out().tolist() == ["mammal", "cat", "dog"]
    assert closure.n_features_in_ == 3 and closure.hierarchy_ == H


def test_clone_pickle_and_not_fitted():
    closure = AncestorClosure(H)
    with pytest.raises(NotFittedError):
        clone(closure).transform(OPEN)
    loaded = pickle.loads(pickle.dumps(closure.fit(OPEN)))
    np.testing.assert_array_equal(loaded.transform(OPEN), CLOSED)


@pytest.mark.parametrize(
    "Y", [["cat", "dog"], [["cat"], ["dog", "mammal"]], [{"cat"}, {"dog"}]]
)
def test_label_names_become_closed_indicators(Y):
    closure = AncestorClosure(H)
    closed = closure.fit_transform(Y)
    np.testing.assert_array_equal(closed, [[1, 1, 0], [1, 0, 1]], strict=True)
    assert closure.n_features_in_ == 3 and closure.hierarchy_ == H
    assert closure.inverse_transform(Y).tolist() == [[0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("Y", [[1, 0], np.array([["cat"], ["dog"]])])
def test_what_could_be_names_or_not_is_refused_with_advice(Y):
    with pytest.raises(ValueError, match=r"indicators .* got shape .*LabelBinarizer"):
        AncestorClosure(H).fit(Y)
    with pytest.raises(ValueError, match="hierarchy does not have: 'cow'"):
        AncestorClosure(H).fit([["cow"]])


def test_wrong_values_and_widths():
    with pytest.raises(ValueError, match=r"0, 1 or NaN .* got 2 for label 'dog'"):
        AncestorClosure(H).fit(OPEN + [[0, 0, 2], [0, 0, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match="2 columns, but the hierarchy has 3"):
        AncestorClosure(H).fit(OPEN).transform(OPEN[:, :2])
    with pytest.raises(ValueError, match="Only in Y: 'cow'"):
        AncestorClosure(H).fit(pd.DataFrame(OPEN, columns=["mammal", "cat", "cow"]))


def test_y_by_keyword():
    closure = AncestorClosure(H).set_output(transform="pandas")
    frame = pd.DataFrame(OPEN, columns=H.labels, index=[5, 6, 7])
    expected = pd.DataFrame(CLOSED, columns=H.labels, index=[5, 6, 7])
    pd.testing.assert_frame_equal(closure.fit_transform(Y=frame), expected)
    pd.testing.assert_frame_equal(closure.fit(Y=frame).transform(Y=frame), expected)
    assert closure.inverse_transform(Y=frame).tolist() == OPEN.tolist()


def test_one_column_is_never_read_as_classes():
    for Y in ([[2], [1]], np.array([[0.5], [1.0]])):
        with pytest.raises(ValueError, match="Expected Y to hold 0, 1 or NaN"):
            AncestorClosure().fit(Y)
    assert AncestorClosure().fit_transform([[0], [1]]).tolist() == [[0], [1]]

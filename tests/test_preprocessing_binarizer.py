"""HierarchicalLabelBinarizer: label sets and paths to indicators, and back."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import MultiLabelBinarizer

from skhmc import Hierarchy
from skhmc.coherence import close_upward, most_specific
from skhmc.preprocessing import HierarchicalLabelBinarizer
from tests.hierarchies import hierarchies, random_labels

H = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal", "lynx": "cat"})
# mammal, cat, dog, lynx
PATHS = Hierarchy.from_paths(["a/b/c", "a/d", "e"])  # a, a/b, a/b/c, a/d, e


def random_sets(h, seed, n_samples=6):
    rng = np.random.default_rng(seed)
    on = rng.random((n_samples, h.n_labels)) < 0.3
    return on, [[h.labels[k] for k in np.flatnonzero(row)] for row in on]


@random_labels
@given(hierarchies(), st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_round_trip(h, seed, sparse, closed):
    on, sets = random_sets(h, seed)
    binarizer = HierarchicalLabelBinarizer(h, sparse_output=sparse, closed=closed)
    Y = binarizer.fit_transform(sets)
    assert sp.issparse(Y) == sparse and Y.dtype == np.int64
    dense = Y.toarray() if sparse else Y
    np.testing.assert_array_equal(dense, close_upward(on, h) if closed else on)
    specific = most_specific(on, h)
    expected = [tuple(h.labels[k] for k in np.flatnonzero(row)) for row in specific]
    assert binarizer.inverse_transform(Y) == expected
    again = binarizer.transform(binarizer.inverse_transform(Y))
    again = close_upward(again, h)
    np.testing.assert_array_equal(
        again.toarray() if sparse else again, close_upward(on, h)
    )


@given(hierarchies(), st.integers(0, 2**32 - 1))
def test_flat_is_scikit_learns(h, seed):
    _, sets = random_sets(h, seed)
    ours, theirs = HierarchicalLabelBinarizer(), MultiLabelBinarizer()
    sets.append([3])
    Y = ours.fit_transform(sets)
    np.testing.assert_array_equal(Y, theirs.fit_transform(sets))
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    assert ours.classes_.dtype == theirs.classes_.dtype
    assert ours.inverse_transform(Y) == theirs.inverse_transform(Y)


@pytest.mark.parametrize(
    "y",
    [
        [["lynx"], ["dog", "cat"], []],
        [("lynx",), ("dog", "cat"), ()],
        [{"lynx"}, {"dog", "cat"}, set()],
        [["mammal/cat/lynx"], ["mammal/dog", "cat"], []],
        [["cat/lynx"], ["dog", ("mammal", "cat")], []],
        [[("cat", "lynx")], np.array(["dog", "cat"]), []],
        pd.Series([["lynx"], ["dog", "cat"], []]),
        (row for row in [["lynx"], ["dog", "cat"], []]),
    ],
)
def test_every_form_of_sets_and_paths(y):
    Y = HierarchicalLabelBinarizer(H).fit_transform(y)
    assert Y.tolist() == [[1, 1, 0, 1], [1, 1, 1, 0], [0, 0, 0, 0]]


def test_single_names():
    for y in (["lynx", "dog"], np.array(["lynx", "dog"]), pd.Series(["lynx", "dog"])):
        Y = HierarchicalLabelBinarizer(H).fit_transform(y)
        assert Y.tolist() == [[1, 1, 0, 1], [1, 0, 1, 0]]
    numbers = HierarchicalLabelBinarizer({1: 0, 2: 0}).fit(None)
    assert numbers.transform(np.array([2, 0])).tolist() == [[1, 0, 1], [1, 0, 0]]


def test_a_row_is_a_set_and_a_tuple_within_it_is_a_path():
    binarizer = HierarchicalLabelBinarizer(PATHS).fit(None)
    assert binarizer.transform([[("a", "d")]]).tolist() == [[1, 0, 0, 1, 0]]
    assert binarizer.transform([("a", "e")]).tolist() == [[1, 0, 0, 0, 1]]
    assert binarizer.transform([[("a", "b", "c")], ["a/b/c"]])[:, 2].tolist() == [1, 1]


def test_the_name_of_a_label_comes_before_a_path():
    h = Hierarchy(["a", "b", "a/b", ("a", "b")], [("a", "b")])
    binarizer = HierarchicalLabelBinarizer(h, closed=False).fit(None)
    assert binarizer.transform([["a/b"], [("a", "b")]]).argmax(axis=1).tolist() == [
        2,
        3,
    ]


def test_a_path_needs_its_edges():
    binarizer = HierarchicalLabelBinarizer(H).fit(None)
    with pytest.raises(
        ValueError, match=r"unknown labels: 'mammal/lynx', \('dog', 'lynx'\)\."
    ):
        binarizer.transform([["mammal/lynx"], [("dog", "lynx")]])


def test_the_hierarchy_is_learnt_from_paths_whatever_the_order():
    rows = [{"b-x"}, {"b/c", ("a", "b", "c")}, {"a/b"}, {"b"}]
    expected = ["a", "a/b", "a/b/c", "b", "b/c", "b-x"]
    for y in (rows, rows[::-1]):
        binarizer = HierarchicalLabelBinarizer().fit(y)
        assert binarizer.classes_.tolist() == expected
    assert binarizer.hierarchy_ == Hierarchy.from_paths(expected, labels=expected)
    Y = binarizer.transform(rows)
    assert binarizer.inverse_transform(Y) == [
        ("b-x",),
        ("a/b/c", "b/c"),
        ("a/b",),
        ("b",),
    ]


def test_another_separator_and_none():
    dots = HierarchicalLabelBinarizer(sep=".").fit([["1.2", "a/b"]])
    assert dots.classes_.tolist() == ["1", "1.2", "a/b"]
    none = HierarchicalLabelBinarizer(sep=None).fit([["a/b", "a"]])
    assert none.classes_.tolist() == ["a", "a/b"] and none.hierarchy_.edges.size == 0
    assert none.transform([["a/b"]]).tolist() == [[0, 1]]


def test_names_of_several_types_are_sorted_by_type():
    binarizer = HierarchicalLabelBinarizer().fit([["b", 2], ["a", 1]])
    assert binarizer.classes_.tolist() == [1, 2, "a", "b"]


def test_unknown_labels():
    binarizer = HierarchicalLabelBinarizer(PATHS).fit(None)
    y = [["a/b/new", "e"], ["new"], [("a", "d", "x", "y")]]
    with pytest.raises(
        ValueError, match="labels: 'a/b/new', 'new', .*unknown='ignore'"
    ):
        binarizer.transform(y)
    Y = binarizer.set_params(unknown="ignore").transform(y)
    assert Y.tolist() == [[1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 0, 0, 1, 0]]


@pytest.mark.parametrize("make", [np.array, sp.csr_matrix, sp.csc_array])
def test_inverse_of_open_indicators_of_any_kind(make):
    binarizer = HierarchicalLabelBinarizer(H).fit(None)
    Y = make(np.array([[0.0, 0, 1, 1], [1, np.nan, 0, 0]]))
    assert binarizer.inverse_transform(Y) == [("dog", "lynx"), ("mammal",)]


def test_inverse_of_a_frame_goes_by_name():
    frame = pd.DataFrame([[1, 0, 1, 0]], columns=["dog", "lynx", "mammal", "cat"])
    binarizer = HierarchicalLabelBinarizer(H).fit(None)
    assert binarizer.inverse_transform(frame) == [("dog",)]


def test_clone_pickle_and_not_fitted():
    binarizer = HierarchicalLabelBinarizer(H, sparse_output=True)
    with pytest.raises(NotFittedError):
        clone(binarizer).transform([["cat"]])
    loaded = pickle.loads(pickle.dumps(binarizer.fit([["cat"]])))
    assert loaded.inverse_transform(loaded.transform([["cat"]])) == [("cat",)]


def test_indicators_beside_a_mapping_need_names():
    """The order of its labels is not that in which the user wrote them."""
    parents = {"cat": "mammal", "mammal": "animal"}
    binarizer = HierarchicalLabelBinarizer(parents)
    Y = np.array([[1, 0, 0]])  # a cat, for who numbers labels as they are written
    for one in (Y, sp.csr_matrix(Y), Y.tolist()):
        with pytest.raises(ValueError, match=r"order is unknown.*Pass DataFrames, or"):
            binarizer.fit_transform(one)
    named = pd.DataFrame(Y, columns=["cat", "mammal", "animal"])
    assert binarizer.inverse_transform(binarizer.fit_transform(named)) == [("cat",)]
    binarizer.set_params(hierarchy=Hierarchy.build(parents, list(named)))
    assert binarizer.inverse_transform(binarizer.fit_transform(Y)) == [("cat",)]


def test_errors_say_what_to_do():
    binarizer = HierarchicalLabelBinarizer()
    indicators = np.array([[0, 1], [1, 0]])  # which could pass for names
    wrong = (pd.DataFrame([[1]]), sp.csr_matrix([[1]]), indicators, indicators > 0)
    for y in (*wrong, "cat"):
        with pytest.raises(TypeError, match="Expected y to be label sets.*got a "):
            binarizer.fit(y)
    for rows in (["cat", None], ["cat", np.nan], ["cat", ""], [["cat"], [["a", "b"]]]):
        with pytest.raises(TypeError, match="name or a path.*empty list"):
            binarizer.fit(rows)
    with pytest.raises(ValueError, match="holds no label at all"):
        binarizer.fit([[], []])
    with pytest.raises(ValueError, match=r"tuple of strings without '/', got \('a/b'"):
        binarizer.fit([[("a/b", "c")]])
    with pytest.raises(ValueError, match=r"path \('a', 'b'\) with sep=None"):
        clone(binarizer).set_params(sep=None).fit([[("a", "b")]])
    with pytest.raises(ValueError, match="'a//b' has an empty part"):
        binarizer.fit([["a//b"]])
    with pytest.raises(ValueError, match="The 'unknown' parameter"):
        HierarchicalLabelBinarizer(unknown="drop").fit([["a"]])
    fitted = HierarchicalLabelBinarizer(H).fit(None)
    with pytest.raises(ValueError, match="indicators .* got shape"):
        fitted.inverse_transform([1, 0])
    assert fitted.inverse_transform([("cat",), ("dog", "mammal")]) == [
        ("cat",),
        ("dog",),
    ]
    with pytest.raises(ValueError, match="0, 1 or NaN .* got 0.5 for label 'dog'"):
        fitted.inverse_transform([[0, 0, 0.5, 0]])

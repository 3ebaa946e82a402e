"""Reading y: every accepted form, matched to the hierarchy, closed upward."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skhmc import Hierarchy
from skhmc._data.targets import Targets, read_targets
from skhmc._data.weights import check_sample_weight, read_sample_weight, to_mean_1

H = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})  # mammal, cat, dog
CLOSED = np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 0]])


def dense(targets):
    return targets.Y.toarray() if sp.issparse(targets.Y) else targets.Y


@pytest.mark.parametrize(
    "dtype", [np.int64, np.int8, np.uint8, bool, np.float32, np.float64, object]
)
def test_indicators_of_any_dtype(dtype):
    targets = read_targets(CLOSED.astype(dtype), H)
    np.testing.assert_array_equal(dense(targets), CLOSED)
    assert targets.hierarchy == H and targets.classes is None


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_matrix, sp.csr_array])
def test_sparse_indicators_stay_sparse(make):
    targets = read_targets(make(CLOSED), H)
    assert sp.issparse(targets.Y)
    np.testing.assert_array_equal(dense(targets), CLOSED)


def test_a_nested_list_of_indicators():
    np.testing.assert_array_equal(dense(read_targets(CLOSED.tolist(), H)), CLOSED)


def test_columns_of_a_frame_are_matched_by_name_and_keep_their_order():
    frame = pd.DataFrame(CLOSED, columns=H.labels)[["dog", "mammal", "cat"]]
    targets = read_targets(frame, H)
    assert targets.hierarchy.labels == ("dog", "mammal", "cat")
    assert targets.hierarchy.parents_of("dog") == ["mammal"]
    np.testing.assert_array_equal(dense(targets), CLOSED[:, [2, 0, 1]])


def test_nullable_columns_hold_unknowns():
    frame = pd.DataFrame(CLOSED, columns=H.labels).astype("Int64")
    frame.loc[2, "dog"] = pd.NA
    expected = CLOSED.astype(float)
    expected[2, 2] = np.nan
    np.testing.assert_array_equal(dense(read_targets(frame, H)), expected)


@pytest.mark.parametrize(
    "rows",
    [
        [["cat"], ["dog"], ["mammal"], []],
        [{"cat", "mammal"}, {"dog"}, {"mammal"}, set()],
        [("cat",), ("dog", "dog"), ("mammal",), ()],
    ],
)
def test_lists_of_names_are_closed_without_a_warning(rows):
    np.testing.assert_array_equal(dense(read_targets(rows, H)), CLOSED)


def test_lists_of_names_without_hierarchy_are_sorted():
    targets = read_targets([["b"], ["a", "b"]], None)
    assert targets.hierarchy == Hierarchy.flat(["a", "b"])
    np.testing.assert_array_equal(dense(targets), [[0, 1], [1, 1]])


def test_one_label_per_sample():
    targets = read_targets(["cat", "dog", "mammal", "cat"], H)
    assert targets.classes.tolist() == ["cat", "dog", "mammal"]
    expected = [[1, 1, 0], [1, 0, 1], [1, 0, 0], [1, 1, 0]]
    np.testing.assert_array_equal(dense(targets), expected)


def test_one_label_per_sample_without_hierarchy():
    targets = read_targets(np.array([3, 5, 3]), None)
    assert targets.hierarchy == Hierarchy.flat([3, 5])
    np.testing.assert_array_equal(dense(targets), [[1, 0], [0, 1], [1, 0]])


def test_unclosed_labels_are_closed_with_one_warning_that_counts():
    Y = CLOSED.copy()
    Y[[0, 1], 0] = 0
    message = "added 2 missing ancestor labels, such as 'mammal' above 'cat' in row 0"
    with pytest.warns(UserWarning, match=message):
        targets = read_targets(Y, H)
    np.testing.assert_array_equal(dense(targets), CLOSED)


def test_unknown_labels_are_closed_both_ways():
    nan = np.nan
    Y = np.array([[nan, 1, nan], [0, nan, nan], [nan, nan, 0]])
    with pytest.warns(UserWarning, match="added 1"):
        targets = read_targets(Y, H)
    expected = [[1, 1, nan], [0, 0, 0], [nan, nan, 0]]
    np.testing.assert_array_equal(dense(targets), expected)


def test_columns_without_names_stand_in_the_order_of_a_hierarchy():
    hierarchy = Hierarchy([2, 0, 1], edges=[(2, 0)])
    assert read_targets(np.array([[1, 1, 0]]), hierarchy).hierarchy == hierarchy


def test_integers_of_a_source_without_order_are_positions():
    graph = nx.DiGraph([(2, 0), (2, 1)])
    hierarchy = read_targets(np.array([[1, 0, 1]]), graph).hierarchy
    assert hierarchy.labels == (0, 1, 2) and hierarchy.parents_of(0) == [2]
    with pytest.raises(ValueError, match=r"the labels 2, which are no positions of th"):
        read_targets(np.array([[1, 0]]), graph)


def test_nested_lists_of_indicators_are_never_names():
    rows = [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    targets = read_targets(rows, [(0, 1)])
    np.testing.assert_array_equal(dense(targets), rows)
    with pytest.raises(ValueError, match="Y has 3 columns"):
        read_targets(rows, Hierarchy.from_edges([(0, 1)]))
    with pytest.raises(ValueError, match="got 2 for label"):
        read_targets([[2, 0, 1], [2, 1, 0]], [(0, 1), (1, 2)])


@pytest.mark.parametrize(
    "source",
    [
        [(0, 1)],
        {1: 0},
        {1: [0], 2: None},
        np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
        sp.csr_matrix([[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
        Hierarchy.from_edges([(0, 1)], labels=range(3)),
        Hierarchy.from_edges([(0, 1)], labels=range(3)).to_networkx(),
    ],
    ids=lambda source: type(source).__name__,
)
def test_whatever_builds_a_hierarchy_will_do(source):
    targets = read_targets(np.array([[1, 1, 0]]), source)
    assert targets.hierarchy == Hierarchy.from_edges([(0, 1)], labels=range(3))


def test_labels_of_a_frame_in_no_edge_are_roots():
    frame = pd.DataFrame(CLOSED, columns=["mammal", "cat", "fish"])
    targets = read_targets(frame, {"cat": "mammal"})
    assert targets.hierarchy.labels == ("mammal", "cat", "fish")


@pytest.mark.parametrize(
    ("y", "source", "message"),
    [
        (
            pd.DataFrame(CLOSED, columns=["mammal", "cat", "fish"]),
            H,
            "Only in Y: 'fish'. Only in the hierarchy: 'dog'",
        ),
        (
            pd.DataFrame(CLOSED[:, :2], columns=["mammal", "cat"]),
            H,
            "Only in Y: none. Only in the hierarchy: 'dog'.*subset",
        ),
        (
            pd.DataFrame(CLOSED, columns=["mammal", "cat", "fish"]),
            {"cat": "mammal", "dog": "mammal"},
            "not among the 3 given labels: 'dog'",
        ),
        (CLOSED[:, :2], H, "Y has 2 columns, but the hierarchy has 3 labels"),
        (CLOSED, {"cat": "mammal", "dog": "mammal"}, "columns have no names"),
        ([["cat", "cow"]], H, "labels that the hierarchy does not have: 'cow'"),
        (["cat", "cow"], H, "labels that the hierarchy does not have: 'cow'"),
        (CLOSED * 2, H, r"Expected Y to hold 0, 1 or NaN .*got 2 for label .mammal"),
        (CLOSED - 0.5, H, "Expected Y to hold 0, 1 or NaN"),
        (sp.csr_matrix(CLOSED * 3), H, "for label 'mammal'"),
        (np.full((2, 3), "a", object), H, "does not have .*'a', 'a', 'a'"),
        (np.full((2, 3), "a"), H, "one column per level.*0 and 1 as numbers"),
        (CLOSED.astype(complex), H, "got strings or other objects"),
        (sp.csr_matrix(CLOSED.astype(complex)), H, "got strings or other objects"),
        (CLOSED.astype("datetime64[s]"), H, "got strings or other objects"),
        (np.zeros((3, 0)), None, "at least one label"),
        (np.zeros((2, 2, 2)), None, r"got shape \(2, 2, 2\)"),
        ([set(), set()], None, "no label at all"),
    ],
)
def test_wrong_y_is_an_error_that_names_what_is_wrong(y, source, message):
    with pytest.raises(ValueError, match=message):
        read_targets(y, source)


def test_lists_of_integers_are_names_where_they_cannot_be_indicators():
    hierarchy = Hierarchy.from_edges([(0, 1), (0, 2)])
    for rows in ([[0], [1]], [[1, 2], [0, 2]], [[1], [1, 2]]):
        targets = read_targets(rows, hierarchy)
        expected = [[int(x in row or x == 0) for x in range(3)] for row in rows]
        np.testing.assert_array_equal(dense(targets), expected)
    indicators = [[1, 0, 1], [1, 1, 0]]
    np.testing.assert_array_equal(
        dense(read_targets(indicators, hierarchy)), indicators
    )


def test_lists_of_integers_without_a_hierarchy_are_ambiguous():
    with pytest.raises(ValueError, match=r"y holds lists of 0, 1, and no hierarchy"):
        read_targets([[0], [1], [0, 1]], None)


def test_one_label_with_unknowns_is_an_indicator():
    targets = read_targets(np.array([[1.0], [np.nan], [0.0]]), None)
    assert targets.classes is None
    np.testing.assert_array_equal(dense(targets), [[1], [np.nan], [0]])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_one_label_in_an_object_array_is_an_indicator(missing):
    column = np.array([[1], [0], [missing], [True]], dtype=object)
    for y in (column, pd.DataFrame(column, columns=["a"])):
        targets = read_targets(y, None)
        assert targets.classes is None
        np.testing.assert_array_equal(dense(targets), [[1], [0], [np.nan], [1]])
    with pytest.warns(UserWarning, match="column-vector"):
        assert list(read_targets(np.array([["a"], ["b"]], object), None).classes) == [
            "a",
            "b",
        ]


def test_duplicate_entries_of_a_sparse_y_are_one_wrong_value():
    Y = sp.csr_matrix((np.ones(3), np.array([1, 1, 0]), [0, 2, 3]), shape=(2, 2))
    with pytest.raises(ValueError, match="got 2.0 for label 1"):
        read_targets(Y, None)


def test_one_label_per_sample_is_kept_sparse():
    assert sp.issparse(read_targets(["cat", "dog"], H).Y)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), r"Expected sample_weight of shape \(4,\) or \(4, 3\), got \(3,\)"),
        (np.ones((4, 2)), r"got \(4, 2\)"),
        ([1, 1, -0.5, 1], r"at least 0, got .*-0.5.* at \(2,\)"),
        ([1, np.nan, 1, 1], "finite sample_weight"),
        (np.zeros(4), "only zeros"),
        (np.ma.array([1, 1, 1, 1], mask=[0, 0, 0, 1]), "finite sample_weight"),
        (pd.Series([1, 1, 1, pd.NA], dtype="Int64"), "finite sample_weight"),
        (pd.Series([1, 1, 1, pd.NA], dtype=object), "finite sample_weight"),
    ],
)
def test_wrong_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        read_weight(weight)


def read_weight(weight, dtype=np.float64):
    """Read the weights of four samples and three labels as ``fit`` does."""
    Y = np.zeros((4, 3), np.float32)
    return read_sample_weight(weight, Y, Targets(Y, H), dtype)


def test_weights_of_samples_and_of_labels():
    assert read_weight(None) is None
    assert read_weight(2, np.float32).tolist() == [[1]] * 4
    assert read_weight([1, 3, 0, 4]).tolist() == [[0.5], [1.5], [0.0], [2.0]]
    of_labels = read_weight(np.ones((4, 3)), np.float32)
    assert of_labels.shape == (4, 3) and of_labels.dtype == np.float32


@pytest.mark.parametrize("scale", [1e37, 1e308, 1e-310, 5e-324])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_too_large_or_small_to_add_up_are_scaled_all_the_same(scale, dtype):
    assert read_weight(np.full(4, scale), dtype).tolist() == [[1]] * 4
    some = read_weight([scale, 0, scale, 0], dtype)
    assert some.tolist() == [[2], [0], [2], [0]]


def test_checked_weights_keep_their_scale():
    assert check_sample_weight([1, 3, 0, 4], 4).tolist() == [1, 3, 0, 4]
    assert check_sample_weight(2, 3).tolist() == [2, 2, 2]
    np.testing.assert_array_equal(to_mean_1(np.array([1.0, 3])), [0.5, 1.5])
    with pytest.raises(ValueError, match=r"shape \(4,\), one weight per sample, got"):
        check_sample_weight(np.ones((4, 3)), 4)


def test_weights_with_names_are_matched_to_the_columns_of_y():
    frame = pd.DataFrame(CLOSED, columns=H.labels)
    weight = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=H.labels)
    expected = read_sample_weight(weight, frame, Targets(CLOSED, H), np.float64)
    shuffled = weight[["dog", "mammal", "cat"]]
    found = read_sample_weight(shuffled, frame, Targets(CLOSED, H), np.float64)
    np.testing.assert_array_equal(found, expected)


def test_object_arrays_may_hold_what_pandas_calls_missing():
    frame = pd.DataFrame({"a": [1, 0, pd.NA], "b": [0, pd.NA, 1]}, dtype="Int64")
    found = read_targets(frame.to_numpy(), None).Y
    np.testing.assert_array_equal(found, [[1, 0], [0, np.nan], [np.nan, 1]])


def test_what_is_masked_is_unknown():
    Y = np.ma.array([[1, 0], [0, 1]], mask=[[0, 1], [0, 0]])
    found = read_targets(Y, None).Y
    np.testing.assert_array_equal(found, [[1, np.nan], [0, 1]])


@pytest.mark.parametrize("kind", [str, object, bytes])
def test_digits_as_text_are_no_indicators(kind):
    Y = np.array([["0", "1"], ["1", "0"]]).astype(kind)
    with pytest.raises(ValueError, match="Expected Y to hold 0, 1 or NaN, got strings"):
        read_targets(Y, None)

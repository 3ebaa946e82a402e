"""Answers by name: labels, tables, the most probable labels; stops after a 1-D y."""

import json
import sys
import tracemalloc
import types

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from skhmc import (
    CoherentClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
    HyperbolicHMC,
    MaxConstraintClassifier,
)
from skhmc._data.tables import as_table
from skhmc._networks import skorch_net
from skhmc._scoring.class_labels import ClassLabels
from tests.contract import KINDS, build, every_estimator, task
from tests.hierarchies import hierarchies
from tests.test_outputs import many_labels

TREE = Hierarchy.from_edges([("a", "a1"), ("a", "a2"), ("b", "b1"), ("a1", "a11")])
DAG = Hierarchy.from_parents({"cat": ["mammal", "pet"], "cow": ["mammal"]})


class Says(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are its samples."""

    def fit(self, X, y):
        if np.ndim(y) == 1:
            self.classes_ = np.unique(y)
        else:
            self.classes_ = np.tile([0, 1], (np.shape(y)[1], 1))
        return self

    def predict_proba(self, X):
        return np.asarray(X, float)

    def predict(self, X):
        if self.classes_.ndim == 1:
            return self.classes_[np.argmax(X, axis=1)]
        return (np.asarray(X) > 0.5).astype(int)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def says(hierarchy=DAG, **options):
    """Return a fitted classifier of all labels, whose probabilities are its samples."""
    labels = list(hierarchy.labels)
    Y = np.eye(len(labels), dtype=int)[[0, 0]]
    Y[1] = 1 - Y[0]  # every label has both values
    frozen = FrozenEstimator(Says().fit(None, Y))
    clf = CoherentClassifier(frozen, hierarchy, coherence="max", **options)
    with pytest.warns(UserWarning):  # Y is not closed upward
        return clf.fit(Y, pd.DataFrame(Y, columns=labels))


def says_class(hierarchy=TREE, classes=("a1", "a2", "b1"), **options):
    """Return the same of a 1-D y."""
    return CoherentClassifier(Says(), hierarchy, **options).fit(classes, list(classes))


def rows_of(table):
    assert list(table.columns) == ["sample", "label", "probability"]
    return [tuple(row) for row in table.itertuples(index=False)]


# -- names, by hand --------------------------------------------------------------------


def test_names_of_label_sets():
    clf = says()
    assert DAG.labels == ("mammal", "pet", "cat", "cow")
    X = [[0.9, 0.2, 0.1, 0.8], [0.1, 0.1, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4]]
    assert clf.predict_labels(X) == [
        ["mammal", "cow"],
        ["mammal", "pet", "cat", "cow"],
        [],
    ]
    assert clf.predict_labels(X, most_specific=True) == [["cow"], ["cat", "cow"], []]
    # without coherence: an ancestor is left out also when what is between is not there
    chain = Hierarchy.from_edges([("x", "y"), ("y", "z")])
    clf = says(chain).set_params(coherence=None)
    assert clf.predict_labels([[1, 0, 1]], most_specific=True) == [["z"]]
    assert clf.predict_labels([[1, 0, 1]]) == [["x", "z"]]


def test_names_stand_from_the_roots_down_whatever_the_columns():
    turned = TREE.subset(["a11", "b1", "a1", "b", "a", "a2"])
    clf = says(turned)
    assert clf.predict_labels([[1, 0, 0, 0, 0, 0.9]]) == [["a", "a1", "a2", "a11"]]


def test_names_after_one_label_per_sample():
    clf = says_class()
    X = [[0.4, 0.3, 0.3], [0.3, 0.3, 0.4]]
    assert clf.predict(X).tolist() == ["a1", "b1"]
    assert clf.predict_labels(X) == [["a", "a1"], ["b", "b1"]]
    assert clf.predict_labels(X, most_specific=True) == [["a1"], ["b1"]]
    flat = says_class(None)
    assert flat.predict_labels(X) == [["a1"], ["b1"]]


def test_names_are_plain_and_go_into_json():
    numbers = Hierarchy.from_edges(np.array([[7, 8], [7, 9]]))
    clf = says_class(numbers, np.array([8, 9]))
    X = np.array([[0.25, 0.75]], np.float32)
    assert json.dumps(clf.predict_labels(X)) == "[[7, 9]]"
    names, proba = clf.predict_top_k(X, 3, among="all", names=True)
    assert json.dumps([names, proba]) == "[[[7, 9, 8]], [[1.0, 0.75, 0.25]]]"
    names, proba = clf.predict_top_k(X, 1, names=True)
    assert json.dumps([names, proba]) == "[[[9]], [[0.75]]]"
    assert {type(name) for row in clf.predict_labels(X) for name in row} == {int}


# -- tables, by hand -------------------------------------------------------------------


X_TABLE = [[0.9, 0.2, 0.1, 0.8], [0.1, 0.1, 0.7, 0.6]]


def test_the_table_has_the_labels_that_are_predicted():
    table = says().predict_table(X_TABLE)
    assert isinstance(table, pd.DataFrame)
    assert rows_of(table) == [
        (0, "mammal", 0.9),
        (0, "cow", 0.8),
        (1, "mammal", 0.7),  # of equal ones the ancestors first
        (1, "pet", 0.7),
        (1, "cat", 0.7),
        (1, "cow", 0.6),
    ]
    rare = says(threshold=0.85).predict_table(X_TABLE)
    assert rows_of(rare) == [(0, "mammal", 0.9)]


def test_the_table_has_what_is_asked_for():
    clf = says()
    assert rows_of(clf.predict_table(X_TABLE, min_proba=0.7)) == [
        (0, "mammal", 0.9),
        (0, "cow", 0.8),
        (1, "mammal", 0.7),
        (1, "pet", 0.7),
        (1, "cat", 0.7),
    ]
    assert rows_of(clf.predict_table(X_TABLE, k=1)) == [
        (0, "mammal", 0.9),
        (1, "mammal", 0.7),
    ]
    both = clf.predict_table(X_TABLE, min_proba=0.85, k=np.int64(2))
    assert rows_of(both) == [(0, "mammal", 0.9)]
    whole = clf.predict_table(X_TABLE, min_proba=0)
    assert len(whole) == 8
    pd.testing.assert_frame_equal(clf.predict_table(X_TABLE, k=100), whole)
    assert rows_of(clf.predict_table(X_TABLE, min_proba=1)) == []


def test_samples_are_named_by_the_index():
    X = pd.DataFrame(X_TABLE, index=["s1", "s2"])
    table = says().predict_table(X, k=1)
    assert table["sample"].tolist() == ["s1", "s2"]
    X.index = pd.MultiIndex.from_tuples([("p", 1), ("p", 2)])
    assert says().predict_table(X, k=1)["sample"].tolist() == [("p", 1), ("p", 2)]
    assert says().predict_table(sp.csr_matrix(X_TABLE).toarray(), k=1)["sample"][1] == 1


def test_the_table_after_one_label_per_sample():
    clf = says_class()
    X = [[0.375, 0.25, 0.375]]
    assert rows_of(clf.predict_table(X)) == [(0, "a", 0.625), (0, "a1", 0.375)]
    assert rows_of(clf.predict_table(X, min_proba=0.3)) == [
        (0, "a", 0.625),
        (0, "b", 0.375),  # of equal ones the roots first
        (0, "a1", 0.375),
        (0, "b1", 0.375),
    ]


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.nan, "0.5", True])
def test_a_wrong_least_probability(wrong):
    with pytest.raises(ValueError, match="min_proba=.*a number from 0 to 1, or None"):
        says().predict_table(X_TABLE, min_proba=wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "all", True])
def test_a_wrong_number_of_rows(wrong):
    with pytest.raises(ValueError, match="k=.*an integer of at least 1, or None"):
        says().predict_table(X_TABLE, k=wrong)


def test_tables_without_pandas(monkeypatch):
    columns = {
        "sample": np.array([0, 1]),
        "label": ["a", 1],
        "probability": np.float32([0.5, 1]),
    }
    X = pd.DataFrame([[0], [1]])
    polars = types.ModuleType("polars")
    polars.DataFrame = lambda data: ("polars", data)
    monkeypatch.setitem(sys.modules, "polars", polars)
    assert isinstance(as_table(columns, [[0]]), pd.DataFrame)
    theirs = type("DataFrame", (), {"__module__": "polars.dataframe.frame"})()
    assert as_table(columns, theirs) == ("polars", columns)
    assert isinstance(as_table(columns, X), pd.DataFrame)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert as_table(columns, [[0]]) == ("polars", columns)
    monkeypatch.setitem(sys.modules, "polars", None)
    plain = as_table(columns, [[0]])
    assert json.dumps(plain) == (
        '{"sample": [0, 1], "label": ["a", 1], "probability": [0.5, 1.0]}'
    )


# -- probabilities of all labels, and the most probable --------------------------------


def test_probabilities_of_labels_above_the_classes():
    clf = says_class()
    found = clf.predict_label_proba([[0.5, 0.25, 0.25]])
    assert dict(zip(clf.label_names_, found[0].tolist(), strict=True)) == {
        "a": 0.75,
        "a1": 0.5,
        "a2": 0.25,
        "b": 0.25,
        "b1": 0.25,
        "a11": 0,  # y held none
    }
    two = says(DAG)
    np.testing.assert_array_equal(
        two.predict_label_proba(X_TABLE), two.predict_proba(X_TABLE)
    )
    cow = says_class(DAG, ("cat", "cow")).predict_label_proba([[0.25, 0.75]])
    assert cow.tolist() == [[1.0, 0.25, 0.25, 0.75]]  # mammal, pet, cat, cow


@given(hierarchies(max_labels=20), st.integers(0, 2**32 - 1))
def test_sums_over_classes_are_coherent_to_the_last_bit(hierarchy, seed):
    rng = np.random.default_rng(seed)
    n_classes = rng.integers(1, hierarchy.n_labels + 1)
    classes = rng.choice(hierarchy.n_labels, n_classes, replace=False)
    proba = rng.dirichlet(np.ones(n_classes), 5).astype(rng.choice(["f4", "f8"]))
    found = ClassLabels(hierarchy, classes).proba(proba)
    assert found.dtype == proba.dtype and (found <= 1).all()
    for label in range(hierarchy.n_labels):
        below = {label, *hierarchy.descendants_of(label)}
        at = [k for k, name in enumerate(classes) if name in below]
        np.testing.assert_allclose(found[:, label], proba[:, at].sum(1), rtol=1e-5)
    parent, child = hierarchy.edges.T
    assert (found[:, parent] >= found[:, child]).all()


def test_the_most_probable_of_all_labels_or_leaves():
    clf = says_class()
    X = [[0.5, 0.2, 0.3], [0.1, 0.2, 0.7]]
    names, proba = clf.predict_top_k(X, 3, among="all", names=True)
    assert names == [["a", "a1", "b"], ["b", "b1", "a"]]
    np.testing.assert_allclose(proba, [[0.7, 0.5, 0.3], [0.7, 0.7, 0.3]])
    names, _ = clf.predict_top_k(X, 2, among="leaves", names=True)
    assert names == [["b1", "a2"], ["b1", "a2"]]  # a1 has a child
    columns, _ = clf.predict_top_k(X, 2, among="leaves")
    assert clf.label_names_[columns].tolist() == names
    assert clf.predict_top_k(X, 1, names=True)[0] == [["a1"], ["b1"]]
    two = says()
    assert two.predict_top_k(X_TABLE, 1, names=True) == (
        [["mammal"]] * 2,
        [[0.9], [0.7]],
    )
    assert two.predict_top_k(X_TABLE, 1, among="leaves", names=True)[0] == [
        ["cow"],
        ["cat"],
    ]
    with pytest.raises(ValueError, match="from 1 to 3, the number of leaves"):
        clf.predict_top_k(X, 4, among="leaves")
    with pytest.raises(ValueError, match="from 1 to 6, the number of labels"):
        clf.predict_top_k(X, 7, among="all")
    with pytest.raises(ValueError, match="among='roots', expected 'all', 'leaves'"):
        clf.predict_top_k(X, 1, among="roots")


# -- a threshold after a 1-D y ---------------------------------------------------------


def test_predictions_stop_where_they_are_unsure():
    clf = says_class(threshold=0.5)
    X = [[0.4, 0.3, 0.3], [0.3, 0.3, 0.4], [0.1, 0.2, 0.7]]
    assert clf.predict(X).tolist() == ["a", "a", "b1"]
    assert clf.predict_labels(X) == [["a"], ["a"], ["b", "b1"]]
    assert clf.predict_labels(X, most_specific=True) == [["a"], ["a"], ["b1"]]
    assert rows_of(clf.predict_table(X[1:2])) == [(0, "a", 0.6)]
    clf.threshold = 0.35  # the most probable class comes first where it is sure enough
    assert clf.predict(X).tolist() == ["a1", "b1", "b1"]
    clf.threshold = 0
    assert clf.predict(X).tolist() == ["a1", "b1", "b1"]
    clf.threshold = None
    assert clf.predict(X).tolist() == ["a1", "b1", "b1"]


def test_nothing_is_sure_enough():
    clf = says_class(threshold=0.65)
    X = [[0.4, 0.3, 0.3], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]]
    message = "Of 3 samples, 1 have no label .* above threshold=0.65.*most probable"
    with pytest.warns(UserWarning, match=message):
        assert clf.predict(X).tolist() == ["a", "a", "b1"]
    assert clf.predict_labels(X) == [["a"], [], ["b", "b1"]]
    assert rows_of(clf.predict_table(X[:2])) == [(0, "a", 0.7)]


def test_an_inner_class_is_a_class():
    clf = says_class(classes=("a", "a1", "b1"), threshold=0.05)
    X = [[0.6, 0.1, 0.3], [0.1, 0.6, 0.3]]
    assert clf.predict(X).tolist() == ["a", "a1"]
    clf.threshold = 0.65
    assert clf.predict(X).tolist() == ["a", "a"]


def test_stops_have_the_type_of_the_classes_and_room_for_their_names():
    tree = Hierarchy.from_edges([("animal", "cat"), ("animal", "cow")])
    clf = says_class(tree, ("cat", "cow"), threshold=0.9)
    found = clf.predict([[0.5, 0.5]])
    assert found.tolist() == ["animal"] and found.dtype.kind == "U"
    numbers = Hierarchy.from_edges([(7, 8), (7, 9)])
    clf = says_class(numbers, (8, 9), threshold=0.9)
    found = clf.predict([[0.5, 0.5], [0.05, 0.95]])
    assert found.tolist() == [7, 9] and found.dtype == np.int64
    mixed = Hierarchy.from_edges([("seven", 8), ("seven", 9)])
    X = [[0.5, 0.5], [0, 1]]
    assert clf.score(X, [7, 9]) == 1
    clf = says_class(mixed, (8, 9), threshold=0.9)
    assert clf.predict(X).tolist() == ["seven", 9]
    assert clf.score(X, [8, 9]) == 0.5 and clf.score(X, [8, 9], [1, 3]) == 0.75


def test_a_flat_hierarchy_has_nowhere_to_stop():
    message = "threshold=0.7 makes predictions stop at a parent .*'a1'.*no edge"
    with pytest.raises(ValueError, match=message):
        says_class(None, threshold=0.7)
    clf = says_class(None).set_params(threshold=0.7)
    for method in (clf.predict, clf.predict_labels, clf.predict_table):
        with pytest.raises(ValueError, match=message):
            method([[0.4, 0.3, 0.3]])
    assert says_class(None).predict([[0.4, 0.3, 0.3]]) == ["a1"]


def naive_stop(proba, classes, hierarchy, threshold):
    """Walk up from every class, the most probable first; None where nothing is sure."""
    label_proba = {
        label: sum(
            p
            for p, name in zip(proba, classes, strict=True)
            if name == label or label in hierarchy.ancestors_of(name)
        )
        for label in hierarchy.labels
    }
    for k in sorted(range(len(proba)), key=lambda k: (-proba[k], k)):
        path = [classes[k], *hierarchy.ancestors_of(classes[k])]
        path = [label for label in path if label_proba[label] > threshold]
        if path:
            best = max(hierarchy.depth[hierarchy.position(label)] for label in path)
            return {
                label
                for label in path
                if hierarchy.depth[hierarchy.position(label)] == best
            }
    return None


@given(hierarchies(max_labels=12), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_stops_against_a_walk(hierarchy, seed, threshold):
    rng = np.random.default_rng(seed)
    n_classes = rng.integers(1, hierarchy.n_labels + 1)
    classes = rng.choice(hierarchy.n_labels, n_classes, replace=False)
    counts = rng.integers(0, 4, (4, n_classes)) + (np.arange(n_classes) == 0)
    proba = counts / 64  # sums are exact, and many are equal
    found = ClassLabels(hierarchy, classes).stops(proba, threshold)
    roots = [hierarchy.labels[k] for k in hierarchy.roots]
    for row, (end, is_sure) in zip(proba, found, strict=True):
        expected = naive_stop(row, classes, hierarchy, threshold)
        assert bool(is_sure) == (expected is not None)
        assert hierarchy.labels[end] in (expected or roots)


# -- real estimators -------------------------------------------------------------------


def fit(estimator, kind, one_label=False, **options):
    hierarchy, X, Y = task(kind)
    if one_label:
        last = [np.flatnonzero(row)[-1] if row.any() else 0 for row in Y]
        Y = np.array(hierarchy.labels)[last]
    return build(estimator, hierarchy, max_iter=1, **options).fit(X, Y), X, Y


def sets_of(predicted, hierarchy):
    predicted = predicted.toarray() if sp.issparse(predicted) else predicted
    return [{hierarchy.labels[k] for k in np.flatnonzero(row)} for row in predicted]


@every_estimator
@pytest.mark.parametrize("kind", KINDS)
def test_networks_say_the_names_of_what_they_predict(estimator, kind, monkeypatch):
    clf, X, _ = fit(estimator, kind)
    h = clf.hierarchy_
    monkeypatch.setattr(skorch_net, "BLOCK_ENTRIES", 5 * h.n_labels)
    monkeypatch.setattr(skorch_net, "LEAST_ROWS", 1)
    for change in ({}, {"threshold": 0.3}, {"coherence": None, "sparse_output": True}):
        clf.set_params(**change)
        found = clf.predict_labels(X)
        assert [set(row) for row in found] == sets_of(clf.predict(X), h)
        specific = clf.predict_labels(X, most_specific=True)
        for row, ends in zip(found, specific, strict=True):
            above = {x for label in row for x in h.ancestors_of(label)}
            assert set(ends) == set(row) - above
        proba = clf.predict_label_proba(X)
        np.testing.assert_array_equal(proba, clf.predict_proba(X))
        table = clf.predict_table(X)
        rows = table["sample"].tolist()
        assert rows == sorted(rows)
        for sample, row in enumerate(found):
            part = table[table["sample"] == sample]
            assert set(part["label"]) == set(row)
            columns = [h.position(label) for label in part["label"]]
            np.testing.assert_array_equal(part["probability"], proba[sample, columns])
            assert part["probability"].is_monotonic_decreasing
    best, _ = clf.predict_top_k(X, 2)
    assert clf.predict_top_k(X, 2, names=True)[0] == clf.label_names_[best].tolist()


@every_estimator
def test_networks_after_one_label_per_sample(estimator, monkeypatch):
    clf, X, _ = fit(estimator, "paths", one_label=True)
    h = clf.hierarchy_
    monkeypatch.setattr(skorch_net, "BLOCK_ENTRIES", 5 * h.n_labels)
    monkeypatch.setattr(skorch_net, "LEAST_ROWS", 1)
    predicted = clf.predict(X)
    for row, label in zip(clf.predict_labels(X), predicted, strict=True):
        assert row == [*h.ancestors_of(label), label]
    assert clf.predict_labels(X, most_specific=True) == [[x] for x in predicted]
    proba = clf.predict_proba(X)
    whole = clf.predict_label_proba(X)
    np.testing.assert_allclose(whole[:, h.roots].sum(axis=1), 1, rtol=1e-5)
    for threshold in (0.0, 0.3):
        clf.set_params(threshold=threshold)
        if threshold == 0:
            np.testing.assert_array_equal(clf.predict(X), predicted)
        stops = [naive_stop(row, clf.classes_, h, threshold) for row in proba]
        found = clf.predict_labels(X, most_specific=True)
        assert found == [sorted(stop) if stop else [] for stop in stops]
    np.testing.assert_array_equal(clf.predict_proba(X), proba)


def test_a_learnt_hierarchy_says_what_is_most_specific():
    _, X, Y = task("many")
    clf = HyperbolicHMC(
        coherence="learned",
        hidden_layer_sizes=(8,),
        embedding_dim=4,
        max_iter=1,
        parent_threshold=0.5,
        threshold=0.2,
        random_state=0,
    ).fit(X, Y)
    h = clf.learned_hierarchy_
    assert len(h.edges) and not len(clf.hierarchy_.edges)
    found = clf.predict_labels(X)
    specific = clf.predict_labels(X, most_specific=True)
    for row, ends in zip(found, specific, strict=True):
        assert set(ends) == {x for x in row if not set(h.descendants_of(x)) & set(row)}
    assert specific != found


@pytest.mark.parametrize("inner", [DecisionTreeClassifier, RandomForestClassifier])
def test_tuned_thresholds(inner):
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    options = {"n_estimators": 5} if inner is RandomForestClassifier else {}
    forest = inner(max_depth=3, random_state=0, **options)
    clf = HierarchicalThresholdClassifier(forest, hierarchy, cv=2).fit(X, frame)
    found = clf.predict_labels(X)
    assert [set(row) for row in found] == sets_of(clf.predict(X), clf.hierarchy_)
    table = clf.predict_table(X)
    assert table.groupby("sample")["label"].agg(set).tolist() == [
        set(row) for row in found if row
    ]
    proba = clf.predict_proba(X)
    np.testing.assert_array_equal(clf.predict_label_proba(X), proba)
    best, _ = clf.predict_top_k(X, 1)
    np.testing.assert_array_equal(proba[np.arange(len(X)), best[:, 0]], proba.max(1))


def test_tuned_thresholds_after_one_label_per_sample():
    X = [[0.4, 0.3, 0.3], [0.3, 0.3, 0.4], [0.1, 0.2, 0.7]]
    y = ["a1", "a2", "b1"]
    for threshold, expected in ((None, [["a", "a1"], ["b", "b1"]]), (0.5, [["a"]] * 2)):
        inner = CoherentClassifier(Says(), TREE, threshold=threshold)
        clf = HierarchicalThresholdClassifier(inner, TREE).fit(X, y)
        assert clf.predict_labels(X[:2]) == expected
    assert clf.predict_label_proba(X[:1])[0].max() == pytest.approx(0.7)
    assert rows_of(clf.predict_table(X[:1]))[0][:2] == (0, "a")


def test_classes_that_y_does_not_hold():
    frozen = FrozenEstimator(Says().fit(None, ["a1", "a2", "b1"]))
    clf = HierarchicalThresholdClassifier(frozen, TREE).fit(np.eye(3)[:2], ["a1", "a2"])
    assert clf.predict_labels(np.eye(3)) == [["a", "a1"], ["a", "a2"], ["b", "b1"]]
    with pytest.raises(ValueError, match="of 3 classes, but y held 2. Fit with a y"):
        clf.predict_label_proba(np.eye(3))


@pytest.mark.parametrize("form", ["frame", "names", "array", "csr"])
def test_every_form_of_Y(form):
    X = np.repeat(np.eye(3), 2, axis=0)
    names = ["cat", "cow", "pet"]
    sets = [[name] for name in names for _ in range(2)]
    order = ["cow", "mammal", "pet", "cat"]
    closed = [
        {"cat": "cat mammal pet", "cow": "cow mammal", "pet": "pet"}[s[0]] for s in sets
    ]
    Y = np.array([[int(name in row.split()) for name in order] for row in closed])
    source = DAG
    if form == "frame":
        y = pd.DataFrame(Y, columns=order)
    elif form == "names":
        y = sets
    else:
        y = Y if form == "array" else sp.csr_matrix(Y)
        source = [(1, 0), (1, 3), (2, 3)]
    clf = CoherentClassifier(DecisionTreeClassifier(random_state=0), source).fit(X, y)
    found = clf.predict_labels(X[::2], most_specific=True)
    if form in ("array", "csr"):  # names are positions
        found = [[order[k] for k in row] for row in found]
        assert all(type(k) is int for row in clf.predict_labels(X) for k in row)
    assert found == [["cat"], ["cow"], ["pet"]]


def test_stops_in_cross_validation():
    X = np.repeat(np.eye(3), 4, axis=0)
    y = np.repeat(["a1", "a2", "b1"], 4)
    clf = CoherentClassifier(DecisionTreeClassifier(), TREE, threshold=0.6)
    np.testing.assert_array_equal(cross_val_predict(clf, X, y, cv=2), y)


def test_names_of_many_labels_need_little_memory():
    clf, draw = many_labels(2_000, threshold=0.3)
    X = draw(20_000)
    clf.predict_labels(X[:100])
    tracemalloc.start()
    names = clf.predict_labels(X, most_specific=True)
    table = clf.predict_table(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(names) == 20_000 and len(table) > 20_000
    assert peak < 20_000 * 2_000 * 4 / 2  # half of the probabilities


@pytest.mark.parametrize("method", ["labels", "table", "label_proba", "top_k"])
@pytest.mark.parametrize(
    "estimator",
    [
        MaxConstraintClassifier(max_iter=1, hidden_layer_sizes=(4,)),
        HyperbolicHMC(),
        CoherentClassifier(DecisionTreeClassifier()),
        HierarchicalThresholdClassifier(DecisionTreeClassifier()),
        HierarchicalCalibratedClassifier(DecisionTreeClassifier()),
    ],
)
def test_an_estimator_has_to_be_fitted(estimator, method):
    ask = getattr(estimator, f"predict_{method}")
    more = (1,) if method == "top_k" else ()
    with pytest.raises(NotFittedError):
        ask(np.eye(2), *more)


def test_max_constraint_stops_before_it_trains():
    X = np.eye(2)
    clf = MaxConstraintClassifier(threshold=0.5)
    with pytest.raises(ValueError, match="has no edge"):
        clf.fit(X, ["a", "b"])

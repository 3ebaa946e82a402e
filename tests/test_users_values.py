"""A value that people know from elsewhere means what they know, or is refused.

One short test per example, with its right value by hand. What such values mean in every
combination stands in test_class_weight.py, test_answers.py and test_metrics_scorers.py.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    Hierarchy,
    MaxConstraintClassifier,
)
from skhmc.metrics import HierarchicalScorer, au_prc_score, hierarchical_f1_score

TREE = Hierarchy.from_parents({"a1": "a", "a2": "a", "b1": "b"})
NAMES = list(TREE.labels)
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}


def data(n_samples=40, seed=0):
    """Return X and a DataFrame of closed labels of TREE."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 3))
    a1, a2, b1 = X[:, 0] > 0.3, X[:, 1] > 0.5, X[:, 2] > 0
    Y = {"a1": a1, "a2": a2, "b1": b1, "a": a1 | a2, "b": b1 | (X[:, 0] < -1)}
    return X, pd.DataFrame(Y).astype(int)[NAMES]


# -- class_weight ----------------------------------------------------------------------


def test_class_weight_of_0_and_1_weighs_the_ones_of_every_label():
    X, Y = data()
    by_value = MaxConstraintClassifier(TREE, class_weight={0: 1, 1: 20}, **SMALL)
    by_name = MaxConstraintClassifier(
        TREE, class_weight=dict.fromkeys(NAMES, 20), **SMALL
    )
    found = by_value.fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(found, by_name.fit(X, Y).predict_proba(X))


def test_class_weight_of_0_and_1_where_labels_have_these_names_asks():
    X, Y = data()
    clf = MaxConstraintClassifier(class_weight={0: 1, 1: 20}, **SMALL)
    with pytest.raises(ValueError, match="the labels 0 and 1.*or the values 0 and 1"):
        clf.fit(X, Y.to_numpy())


def test_class_weight_in_numbers_of_numpy():
    X, Y = data()
    weights = [{0: 1, 1: 20}, {np.int64(0): np.float32(1), np.int64(1): np.int8(20)}]
    found = [
        MaxConstraintClassifier(TREE, class_weight=weight, **SMALL)
        .fit(X, Y)
        .predict_proba(X)
        for weight in weights
    ]
    np.testing.assert_array_equal(*found)


# -- threshold after a 1-D y -----------------------------------------------------------


class Says(ClassifierMixin, BaseEstimator):
    """Predicts X as the probabilities of the classes."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.asarray(X, dtype=float)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def says(**options):
    clf = CoherentClassifier(Says(), TREE, **options)
    return clf.fit(np.eye(3), ["a1", "a2", "b1"])


def test_a_threshold_stops_at_the_parent_where_the_child_is_unsure():
    # a1 .4 and a2 .3 are a .7; b1 is .8 in the second row
    X = [[0.4, 0.3, 0.3], [0.1, 0.1, 0.8]]
    assert says(threshold=0.5).predict(X).tolist() == ["a", "b1"]
    assert says().predict(X).tolist() == ["a1", "b1"]


def test_a_threshold_of_a_network_stops_too():
    X, Y = data()
    y = np.where(Y["b1"] == 1, "b1", np.where(Y["a1"] == 1, "a1", "a2"))
    clf = HCALClassifier(TREE, threshold=0.999, **SMALL).fit(X, y)
    with pytest.warns(UserWarning, match="have no label.*above threshold=0.999"):
        assert set(clf.predict(X)) <= {"a", "b"}


def test_a_threshold_without_a_hierarchy_is_refused():
    with pytest.raises(ValueError, match="threshold"):
        CoherentClassifier(Says(), threshold=0.5).fit(np.eye(3), ["a1", "a2", "b1"])


def test_probabilities_of_inner_labels_after_a_1d_y():
    found = says().predict_label_proba([[0.4, 0.3, 0.3]])
    by_name = dict(zip(says().hierarchy_.labels, found[0], strict=True))
    expected = {"a": 0.7, "a1": 0.4, "a2": 0.3, "b": 0.3, "b1": 0.3}
    assert by_name == pytest.approx(expected)


# -- predict_top_k ---------------------------------------------------------------------


def test_names_of_the_most_probable_labels():
    X = [[0.4, 0.3, 0.3]]
    names, proba = says().predict_top_k(X, 2, names=True, among="all")
    assert np.asarray(names).tolist() == [["a", "a1"]]
    np.testing.assert_allclose(proba, [[0.7, 0.4]])
    names, _ = says().predict_top_k(X, 1, names=True, among="leaves")
    assert np.asarray(names).tolist() == [["a1"]]


@pytest.mark.parametrize("one_label", [True, False])
def test_positions_of_the_most_probable_labels_mean_the_same_names(one_label):
    X, Y = data()
    y = Y
    if one_label:
        y = np.where(Y["b1"] == 1, "b1", np.where(Y["a1"] == 1, "a1", "a2"))
    clf = CoherentClassifier(KNeighborsClassifier(5), TREE).fit(X, y)
    positions, scores = clf.predict_top_k(X, 2)
    names, same = clf.predict_top_k(X, 2, names=True)
    where = clf.classes_ if one_label else clf.label_names_
    assert np.asarray(names).tolist() == where[positions].tolist()
    np.testing.assert_array_equal(scores, same)


# -- scorers ---------------------------------------------------------------------------


def takes_any(y_true, y_pred, hierarchy=None, **kwargs):
    return hierarchical_f1_score(y_true, y_pred, hierarchy=hierarchy)


@pytest.mark.parametrize("metric", [takes_any, au_prc_score, hierarchical_f1_score])
@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ({"response": "predict_proba"}, "response_method"),
        ({"respones_method": "predict"}, "response_method"),
        ({"needs_proba": True}, "response_method"),
        ({"greater_is_beter": False}, "greater_is_better"),
        ({"hierarchie": TREE}, "hierarchy"),
    ],
)
def test_a_misspelt_option_of_a_scorer(metric, option, meant):
    with pytest.raises(TypeError, match=f"Did you mean {meant}="):
        HierarchicalScorer(metric, **option)


# -- drop-ins --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inner",
    [
        RandomForestClassifier(5, random_state=0),
        DecisionTreeClassifier(random_state=0),
        KNeighborsClassifier(3),
    ],
)
def test_raw_probabilities_are_those_of_multi_output_classifier(inner):
    X, Y = data()
    clf = CoherentClassifier(inner, TREE, strategy="per_label").fit(X, Y)
    theirs = MultiOutputClassifier(inner).fit(X, Y).predict_proba(X)
    expected = np.column_stack([proba[:, 1] for proba in theirs])
    np.testing.assert_array_equal(clf.raw_predict_proba(X), expected)


def test_the_strategy_that_was_chosen_is_said():
    X, Y = data()
    forest = RandomForestClassifier(3, random_state=0)
    assert CoherentClassifier(forest, TREE).fit(X, Y).strategy_ == "native"
    clf = CoherentClassifier(forest, TREE, strategy="per_label").fit(X, Y)
    assert clf.strategy_ == "per_label" and len(clf.estimator_.estimators_) == 5


def test_f1_of_scikit_learn_is_hierarchical_f1_of_closed_labels():
    X, Y = data()
    predicted = CoherentClassifier(KNeighborsClassifier(5), TREE).fit(X, Y).predict(X)
    expected = f1_score(Y, predicted, average="micro")
    assert hierarchical_f1_score(Y, predicted, hierarchy=TREE) == expected

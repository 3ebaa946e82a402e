"""HierarchicalThresholdClassifier that answers whole label sets, or from the roots."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhmc import HierarchicalThresholdClassifier, Hierarchy
from skhmc._meta.f1_thresholds import constrain
from skhmc._meta.label_sets import conditionals, seen_sets
from skhmc.coherence import close_upward, max_constraint, min_constraint
from skhmc.metrics import (
    exact_match_score,
    find_metric,
    hierarchical_violation_rate,
)
from tests.contract import DAG, task
from tests.hierarchies import hierarchies, random_labels

NAMES = list(DAG.labels)


class Says(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are X; it counts its fits."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).n_fits += 1
        self.fitted_ = True
        return self

    def predict_proba(self, X):
        return np.asarray(X)


def clf(strategy, hierarchy=DAG, estimator=None, **options):
    estimator = Says() if estimator is None else estimator
    return HierarchicalThresholdClassifier(
        estimator, hierarchy=hierarchy, strategy=strategy, **options
    )


def said(hierarchy, n_samples=60, seed=0):
    """Return probabilities that know something of labels, and closed labels."""
    rng = np.random.default_rng(seed)
    Y = close_upward((rng.random((n_samples, hierarchy.n_labels)) < 0.3) * 1, hierarchy)
    return np.clip(0.4 * Y + 0.5 * rng.random(Y.shape), 0, 1), Y


@pytest.mark.slow
@parametrize_with_checks(
    [clf(strategy, None, LogisticRegression()) for strategy in ("set", "top_down")]
)
def test_common_checks(estimator, check):
    check(estimator)


# -- both ------------------------------------------------------------------------------


@random_labels
@settings(max_examples=15)
@given(hierarchies(max_labels=10), st.integers(0, 1000))
def test_predictions_are_coherent_on_any_hierarchy(hierarchy, seed):
    X, Y = said(hierarchy, 20, seed)  # probabilities are not coherent
    fresh, _ = said(hierarchy, 30, seed + 1)
    for strategy in ("set", "top_down"):
        inner = Says().fit(X, Y)
        fitted = clf(strategy, hierarchy, inner, cv="prefit", max_labels=4)
        predicted = fitted.fit(X, Y).predict(fresh)
        assert hierarchical_violation_rate(predicted, hierarchy) == 0
        assert predicted.sum(axis=1).max() <= 4


@pytest.mark.parametrize("strategy", ["set", "top_down"])
def test_what_y_may_be(strategy):
    X, Y = said(DAG)
    model = clf(strategy, thresholds="tuned" if strategy == "set" else 0.5)
    expected = model.fit(X, Y).predict(X)
    assert expected.any() and np.issubdtype(expected.dtype, np.integer)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), expected)
    names = [{NAMES[k] for k in np.flatnonzero(row)} for row in expected]
    assert [set(row) for row in again.predict_labels(X)] == names
    csr = model.fit(X, sp.csr_matrix(Y)).predict(X)
    np.testing.assert_array_equal(csr, expected)
    turned = pd.DataFrame(Y, columns=NAMES)[NAMES[::-1]]
    model.fit(X[:, ::-1], turned)
    np.testing.assert_array_equal(model.predict(X[:, ::-1]), expected[:, ::-1])
    names = [[NAMES[k] for k in np.flatnonzero(row)] for row in Y]
    np.testing.assert_array_equal(model.fit(X, names).predict(X), expected)


@pytest.mark.parametrize("strategy", ["set", "top_down"])
def test_one_class_per_sample_has_nothing_to_decode(strategy):
    _, X, _ = task("many")
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    fitted = clf(strategy, None, tree).fit(X, y)
    inner = clone(tree).fit(X, y)
    np.testing.assert_array_equal(fitted.predict(X), inner.predict(X))
    assert fitted.thresholds_ is fitted.label_sets_ is fitted.dependence_ is None


@pytest.mark.parametrize("strategy", ["set", "top_down"])
def test_one_label_and_constant_labels(strategy):
    X = np.array([[0.9], [0.2], [0.6], [0.1]])
    fitted = clf(strategy, None, cv=2).fit(X, (X > 0.5).astype(int))
    np.testing.assert_array_equal(fitted.predict(X), X > 0.5)
    chain = Hierarchy.from_edges([(0, 1)])
    X = np.column_stack([np.ones(4), np.zeros(4)])
    Y = np.column_stack([np.ones(4, int), np.zeros(4, int)])
    fitted = clf(strategy, chain, cv="prefit", estimator=Says().fit(X, Y)).fit(X, Y)
    np.testing.assert_array_equal(fitted.predict(X), Y)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"strategy": "set", "thresholds": 0.5}, "'set' has no thresholds, got .*=0.5"),
        ({"strategy": "set", "min_precision": 0.9}, "=0.9 is promised .*='set' does"),
        ({"strategy": "top_down", "min_recall": 0.9}, "min_recall=0.9 .*='top_down'"),
        ({"strategy": "sets"}, "'strategy' parameter .* must be a str among"),
        ({"strategy": "set", "dependence": 2}, "'dependence' parameter .* must"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    X, Y = said(DAG)
    with pytest.raises(ValueError, match=message):
        clf(**options).fit(X, Y)


# -- the most probable set -------------------------------------------------------------


def test_sets_need_one_fit_and_no_folds():
    X, Y = said(DAG)
    Says.n_fits = 0
    fitted = clf("set", cv=5).fit(X, Y)
    assert Says.n_fits == 1
    assert np.isnan(fitted.thresholds_).all() and fitted.best_score_ is None
    assert fitted.thresholds_per_fold_ is None and fitted.dependence_ == 0.5
    sets, _ = seen_sets(Y, DAG)
    np.testing.assert_array_equal(fitted.label_sets_.toarray(), sets.sets.toarray())
    assert fitted.label_set_weights_.sum() == len(Y)
    fresh, _ = said(DAG, 40, seed=1)
    rows = {tuple(row) for row in Y}
    assert {tuple(row) for row in fitted.predict(fresh)} <= rows


def test_sets_match_more_often_than_labels_cut_at_one_half():
    hierarchy, X, Y = task("many", n_samples=200)
    forest = DecisionTreeClassifier(min_samples_leaf=10, random_state=0)
    train, test = slice(120), slice(120, None)

    def match(**options):
        fitted = clf(estimator=forest, hierarchy=hierarchy, **options)
        fitted.fit(X[train], Y[train])
        found = exact_match_score(Y[test], fitted.predict(X[test]), hierarchy)
        assert found == fitted.score(X[test], Y[test])
        return found

    assert match(strategy="set") > match(strategy="global", thresholds=0.5)


def test_labels_that_come_together_are_answered_together():
    flat = Hierarchy.flat(2)
    Y = np.array([[1, 1], [1, 1], [0, 0], [0, 0], [1, 0]])
    X = np.array([[0.6, 0.45]] * 5)
    alone = clf("set", flat, dependence=0).fit(X, Y)
    np.testing.assert_array_equal(alone.predict(X[:1]), [[1, 0]])
    together = clf("set", flat).fit(X, Y)
    np.testing.assert_array_equal(together.predict(X[:1]), [[1, 1]])


def test_samples_weigh_as_if_repeated_and_weightless_ones_are_not_seen():
    flat = Hierarchy.flat(2)
    Y = np.array([[1, 0], [0, 1], [1, 1]])
    X = np.array([[0.4, 0.6]] * 3)
    fresh = np.random.default_rng(0).random((50, 2))
    fitted = clf("set", flat, dependence=1).fit(X, Y, sample_weight=[3, 1, 0])
    assert fitted.label_set_weights_.tolist() == [3, 1]
    again = clone(fitted).fit(X[[0, 0, 0, 1]], Y[[0, 0, 0, 1]])
    np.testing.assert_array_equal(fitted.predict(fresh), again.predict(fresh))
    small = clone(fitted).fit(X, Y, sample_weight=[3e-9, 1e-9, 0])
    np.testing.assert_array_equal(fitted.predict(fresh), small.predict(fresh))
    equal = clone(fitted).fit(X[:2], Y[:2]).predict(fresh)
    assert (fitted.predict(fresh) != equal).any()
    fitted.fit(X, Y, sample_weight=[[1, 1], [2, 2], [1, 0]])  # of a label: unknown
    assert fitted.label_set_weights_.tolist() == [2, 1]


@random_labels
def test_samples_with_unknown_labels_give_no_set():
    X, Y = said(DAG)
    Y = Y.astype(float)
    Y[:50, -1] = np.nan
    known = close_upward(Y, DAG)
    complete = ~np.isnan(known).any(axis=1)
    assert 10 <= complete.sum() < 60
    fitted = clf("set").fit(X, Y)
    expected = clf("set").fit(X[complete], known[complete].astype(int))
    np.testing.assert_array_equal(fitted.predict(X), expected.predict(X))
    Y[:] = np.nan
    with pytest.raises(ValueError, match="none of 60 samples has a known value, with"):
        clf("set").fit(X, Y)


def test_tuned_counts_are_those_that_score_best_without_a_samples_own_set():
    X, Y = said(DAG, 30)
    options = {"metric": "exact_match", "dependence": "tuned"}
    fitted = clf("set", DAG, Says().fit(X, Y), cv="prefit", **options).fit(X, Y)
    p = max_constraint(X, DAG)
    sets, own = seen_sets(Y, DAG)
    score = {}
    for dependence in (0.0, 0.25, 0.5, 0.75, 1.0):
        answers = sets.indicators(sets.most_probable(p, dependence, own=own))
        score[dependence] = exact_match_score(Y, answers.astype(int), DAG)
    assert fitted.best_score_ == max(score.values()) == score[fitted.dependence_]
    assert len(set(score.values())) > 1
    # what says X out of fold says the same
    out_of_fold = clf("set", cv=3, **options).fit(X, Y)
    assert out_of_fold.best_score_ == fitted.best_score_
    grouped = clf("set", cv=2, **options).fit(X, Y, groups=np.zeros(30) + (Y[:, 0] > 0))
    assert grouped.best_score_ <= fitted.best_score_  # their sets are all left out


def test_a_fitted_classifier_in_another_order_of_labels():
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=list(hierarchy.labels))
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, frame)
    fitted = clf("set", hierarchy, FrozenEstimator(tree)).fit(X, frame)
    expected = clf(
        "set", hierarchy, DecisionTreeClassifier(max_depth=3, random_state=0)
    )
    np.testing.assert_array_equal(fitted.predict(X), expected.fit(X, frame).predict(X))


def test_strategy_after_fit_changes_nothing_before_the_next_one():
    X, Y = said(DAG)
    for strategy in ("set", "top_down"):
        fitted = clf(strategy).fit(X, Y)
        expected = fitted.predict(X)
        fitted.set_params(strategy="label")
        np.testing.assert_array_equal(fitted.predict(X), expected)
    with pytest.raises(NotFittedError):
        clf("set").predict(X)


# -- one threshold of exact match ------------------------------------------------------


@random_labels
@settings(max_examples=20)
@given(hierarchies(max_labels=5), st.integers(0, 1000))
def test_one_threshold_matches_as_many_sets_as_any_other(hierarchy, seed):
    X, Y = said(hierarchy, 12, seed)
    weight = np.random.default_rng(seed).integers(0, 3, 12) + (np.arange(12) == 0)
    options = {"cv": "prefit", "metric": "exact_match"}
    fitted = clf("global", hierarchy, Says().fit(X, Y), **options)
    fitted.fit(X, Y, sample_weight=weight)
    scores = constrain(X, hierarchy, fitted.closing_)
    values = np.unique(np.append(scores, [0, 1]))
    scored = {}
    for t in [*(values[:-1] + values[1:]) / 2, 0.5]:
        predicted = (scores > t).astype(int)
        scored[t] = exact_match_score(Y, predicted, hierarchy, sample_weight=weight)
    assert fitted.best_score_ == pytest.approx(max(scored.values()))


# -- from the roots down ---------------------------------------------------------------


@settings(max_examples=15)
@given(hierarchies(max_labels=10), st.integers(0, 1000))
def test_children_are_answered_by_their_conditional_probability(hierarchy, seed):
    X, Y = said(hierarchy, 12, seed)
    fitted = clf("top_down", hierarchy, thresholds=0.6).fit(X, Y)
    p = min_constraint(X, hierarchy)
    for row, answer in zip(p, fitted.predict(X), strict=True):
        expected = np.zeros(hierarchy.n_labels)
        for label in np.argsort(hierarchy.depth, kind="stable"):
            parents = hierarchy.edges[hierarchy.edges[:, 1] == label, 0]
            if expected[parents].all():
                above = min(row[parents], default=1.0)
                expected[label] = above > 0 and row[label] / above > 0.6
        np.testing.assert_array_equal(answer, expected)


def test_the_threshold_of_conditionals_is_tuned():
    X, Y = said(DAG, 100)
    inner = Says().fit(X, Y)
    for metric in ("exact_match", "hierarchical_f1"):
        options = {"cv": "prefit", "metric": metric}
        fitted = clf("top_down", estimator=inner, **options).fit(X, Y)
        assert fitted.closing_ == "top_down" and np.ptp(fitted.thresholds_) == 0
        scores = {}
        for threshold in np.arange(1, 20) / 20:
            at = clf("top_down", estimator=inner, thresholds=threshold).fit(X, Y)
            value = find_metric(metric, "tuning").measure(Y, at.predict(X), DAG)
            scores[threshold] = value
        assert fitted.best_score_ == max(scores.values())
        assert (
            scores[fitted.thresholds_[0]] == fitted.best_score_ > min(scores.values())
        )


def test_own_thresholds_of_conditionals_by_name():
    chain = Hierarchy.from_edges([("a", "b")])
    X = np.array([[0.5, 0.4]])
    given = {"a": 0.45, "b": 0.75}
    frame = pd.DataFrame([[1, 1]], columns=["a", "b"])
    fitted = clf("top_down", chain, thresholds=given).fit(X, frame)
    np.testing.assert_array_equal(fitted.predict(X), [[1, 1]])  # .4 / .5 is .8
    fitted.set_params(thresholds={"a": 0.45, "b": 0.85}).fit(X, frame)
    np.testing.assert_array_equal(fitted.predict(X), [[1, 0]])
    np.testing.assert_allclose(conditionals(X, chain), [[0.5, 0.8]])

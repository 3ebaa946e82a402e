"""SketchedForest, the trees among the recommended members of a vote."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor

from skhmc._meta.sketched_forest import SketchedForest


def task(n_samples=60, n_labels=5):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4)).astype(np.float32)
    Y = (X @ rng.normal(size=(4, n_labels)) > 0.3).astype(float)
    return X, Y


def naive(forest, X, Y, weight, X_new):
    """Return the formula of the docstring, with loops."""
    proba = np.zeros((len(X_new), Y.shape[1]))
    row_weight = weight.mean(axis=1)
    for i, x in enumerate(X_new):
        kernel = np.zeros(len(X))
        for tree in forest.estimators_:
            alike = tree.apply(X) == tree.apply(x[None])
            kernel += alike / row_weight[alike].sum() / len(forest.estimators_)
        for k in range(Y.shape[1]):
            counted = kernel * weight[:, k] * ~np.isnan(Y[:, k])
            proba[i, k] = (counted * np.nan_to_num(Y[:, k])).sum() / counted.sum()
    return proba


@pytest.mark.parametrize("n_components", [2, 64])
def test_probabilities_are_those_of_the_formula(n_components):
    X, Y = task()
    rng = np.random.default_rng(1)
    weight = rng.uniform(0.5, 2, size=Y.shape)
    Y[rng.random(Y.shape) < 0.2] = np.nan
    forest = SketchedForest(
        n_estimators=5,
        n_components=n_components,
        min_samples_leaf=6,
        random_state=0,
    )
    forest.fit(X, Y, weight)
    expected = naive(forest, X, Y, weight, X[:10])
    np.testing.assert_allclose(forest.predict_proba(X[:10]), expected, atol=1e-12)
    assert forest.predict(X[:10]).dtype == np.int64


def test_trees_are_those_of_all_rows_when_labels_are_few():
    X, Y = task()
    ours = SketchedForest(n_estimators=50, random_state=0).fit(X, Y)
    theirs = ExtraTreesRegressor(
        50, min_samples_leaf=3, max_features=0.3, random_state=0
    ).fit(X, Y)
    difference = np.abs(ours.predict_proba(X) - theirs.predict(X))
    assert difference.mean() < 0.05  # but for chance


def test_sparse_data_give_the_same():
    X, Y = task()
    X[X < 0] = 0
    forest = SketchedForest(n_estimators=5, n_components=3, random_state=0)
    dense = forest.fit(X, Y).predict_proba(X)
    csr = clone(forest).fit(X, sp.csr_matrix(Y)).predict_proba(X)
    np.testing.assert_array_equal(csr, dense)
    sparse = clone(forest).fit(sp.csr_matrix(X), Y).predict_proba(sp.csr_matrix(X))
    assert np.abs(sparse - Y).mean() < 0.4


def test_classes_add_up_to_1():
    X, Y = task()
    y = np.array(["b", "a", "c"])[Y[:, :2].sum(axis=1).astype(int)]
    forest = SketchedForest(n_estimators=10, random_state=0).fit(X, y)
    proba = forest.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert list(forest.classes_) == ["a", "b", "c"]
    assert (forest.predict(X) == y).mean() > 0.5


def test_rows_are_bounded_and_those_without_weight_left_out():
    X, Y = task()
    weight = np.ones(60)
    weight[:20] = 0
    forest = SketchedForest(n_estimators=2, max_samples=10, random_state=0)
    forest.fit(X, Y, weight)
    assert forest.estimators_[0].tree_.n_node_samples[0] == 10
    few = SketchedForest(n_estimators=2, random_state=0).fit(X, Y, weight)
    assert few.estimators_[0].tree_.n_node_samples[0] == 40


def test_a_label_that_no_row_knows_has_its_prior():
    X, Y = task()
    Y[:, 0] = np.nan
    forest = SketchedForest(n_estimators=3, random_state=0).fit(X, Y)
    assert (forest.predict_proba(X)[:, 0] < 1e-3).all()

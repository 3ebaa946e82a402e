"""Weights of samples mean repeated rows, exactly, on deterministic instances."""

import numpy as np
import pandas as pd
import pytest

from tests.contract import KINDS, TREE, build, every_exact, task

every_kind = pytest.mark.parametrize("kind", [*KINDS, "classes"])


def data(kind):
    """Return a hierarchy, X and targets; "classes" is one label per row."""
    if kind == "classes":
        X = task("paths")[1]
        return TREE, X, np.array(TREE.labels)[np.argsort(np.argsort(X[:, 0])) % 7]
    return task(kind)


def fit(estimator, kind, rows=slice(None), sample_weight=None):
    hierarchy, X, y = data(kind)
    few = {"max_iter": 10} if hasattr(estimator, "max_iter") else {}
    clf = build(estimator, hierarchy, **few)
    return clf.fit(X[rows], y[rows], sample_weight=sample_weight).decision_function(X)


def assert_equivalent(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


@every_exact
@every_kind
def test_weight_one_is_no_weight(estimator, kind):
    plain = fit(estimator, kind)
    shape = data(kind)[2].shape
    weights = [1.0, np.ones(60), [1] * 60, pd.Series(np.ones(60)), np.ones(shape)]
    for weight in weights:
        assert_equivalent(fit(estimator, kind, sample_weight=weight), plain)


@every_exact
@every_kind
def test_weight_two_is_a_row_twice_and_weight_zero_a_row_left_out(estimator, kind):
    weight = np.random.default_rng(0).integers(0, 3, 60)
    weight[:14] = 2  # of every label, some rows stay
    rows = np.repeat(np.arange(60), weight)
    repeated = fit(estimator, kind, rows)
    assert np.abs(repeated - fit(estimator, kind)).max() > 1e-3
    weights = [weight, weight.astype("float32"), weight.tolist()]
    if kind != "classes":
        weights.append(np.repeat(weight[:, None], data(kind)[2].shape[1], axis=1))
    for given in weights:
        assert_equivalent(fit(estimator, kind, sample_weight=given), repeated)


@every_exact
@every_kind
def test_the_scale_of_weights_does_not_matter(estimator, kind):
    weight = np.random.default_rng(0).uniform(0.5, 2, 60)
    plain, small, large = (
        fit(estimator, kind, sample_weight=scale * weight) for scale in (1, 1e-3, 1e3)
    )
    assert_equivalent(small, plain)
    assert_equivalent(large, plain)


@every_exact
@every_kind
def test_the_order_of_rows_does_not_matter_in_one_batch(estimator, kind):
    order = np.random.default_rng(0).permutation(60)
    weight = np.random.default_rng(1).uniform(0.5, 2, 60)
    for w, moved in ((None, None), (weight, weight[order])):
        plain = fit(estimator, kind, sample_weight=w)
        assert_equivalent(fit(estimator, kind, order, sample_weight=moved), plain)


@every_exact
def test_weights_of_labels_weigh_each_label_by_itself(estimator):
    hierarchy, X, Y = task("many")
    weight = np.ones(Y.shape)
    rare = hierarchy.position("cat")
    weight[Y[:, rare] == 1, rare] = 20
    heavy = build(estimator, hierarchy).fit(X, Y, sample_weight=weight)
    plain = build(estimator, hierarchy).fit(X, Y)
    change = (heavy.predict_proba(X) - plain.predict_proba(X)).mean(axis=0)
    assert change[rare] > 0.05 and change.argmax() == rare


@every_exact
def test_a_label_of_weight_zero_is_not_looked_at(estimator):
    hierarchy, X, Y = task("many")
    leaf = hierarchy.position("cow")
    rows = np.flatnonzero(Y[:, leaf])[::2]  # Y stays closed without these
    weight, other, unknown = np.ones(Y.shape), Y.copy(), Y.astype(float)
    weight[rows, leaf], other[rows, leaf], unknown[rows, leaf] = 0, 0, np.nan
    plain, *found = (
        build(estimator, hierarchy).fit(X, y, sample_weight=weight).decision_function(X)
        for y in (Y, other, unknown)
    )
    for decision in found:
        assert_equivalent(decision, plain)

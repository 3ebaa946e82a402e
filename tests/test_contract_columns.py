"""Outputs follow the columns of Y, which are matched to the hierarchy by name."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, cross_val_predict

from skhmc import Hierarchy
from skhmc.coherence import close_upward, score_violations, violations
from tests.contract import (
    KINDS,
    assert_same,
    assert_same_fit,
    build,
    every_classifier,
    every_estimator,
    problem,
    task,
)
from tests.hierarchies import hierarchies

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_classifier
@every_kind
def test_columns_are_matched_by_name_in_any_order(estimator, kind):
    hierarchy, X, Y = task(kind)
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    clf = build(estimator, hierarchy).fit(X, frame)
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(hierarchy.labels).tolist()
        other = build(estimator, hierarchy).fit(X, frame[shuffled])
        assert list(other.label_names_) == shuffled == list(other.hierarchy_.labels)
        back = [shuffled.index(label) for label in hierarchy.labels]
        for method in ("predict", "predict_proba", "decision_function"):
            found = getattr(other, method)(X)[:, back]
            expected = getattr(clf, method)(X)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        assert other.score(X, frame) == other.score(X, frame[shuffled])


@every_classifier
@settings(max_examples=8)
@given(hierarchies(max_labels=8), st.integers(0, 2**16))
@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")
def test_permuting_the_columns_permutes_the_outputs(estimator, hierarchy, seed):
    rng = np.random.default_rng(seed)
    n_labels = hierarchy.n_labels
    X, Y = rng.normal(size=(30, 3)), rng.random((30, n_labels)) < 0.4
    frame = pd.DataFrame(close_upward(Y.astype(int), hierarchy))
    shuffled = rng.permutation(n_labels).tolist()
    clfs = [
        build(estimator, hierarchy).fit(X, y)
        for y in (frame.to_numpy(), frame, frame[shuffled])
    ]
    assert_same_fit(*clfs[:2], X)
    assert list(clfs[2].label_names_) == shuffled
    for method in ("predict_proba", "decision_function"):
        plain, other = (getattr(clf, method)(X) for clf in clfs[1:])
        assert score_violations(other, clfs[2].hierarchy_).nnz == 0
        # logits of probabilities near 1 are only as exact as float32 has these
        pair = [np.clip(scores, -6, 6) for scores in (other, plain[:, shuffled])]
        np.testing.assert_allclose(*pair, rtol=1e-4, atol=1e-5)
    assert violations(clfs[2].predict(X), clfs[2].hierarchy_).nnz == 0


@every_classifier
@pytest.mark.parametrize(
    "names",
    [
        ["one", "two", "three"],
        [3, 1, 2],
        [0.5, 1.5, 2.5],
        [("a", 1), ("a", 2), ("b", 1)],
        [2, "two", (2,)],
        [True, False, None],
        pd.to_datetime(["2001-01-01", "2002-01-01", "2003-01-01"]),
    ],
    ids=str,
)
def test_names_of_columns_keep_their_types(estimator, names):
    X, Y = np.random.default_rng(0).normal(size=(30, 3)), np.eye(3, dtype=int)
    columns = pd.Index(names, dtype=object, tupleize_cols=False)
    frame = pd.DataFrame(np.tile(Y, (10, 1)), columns=columns)
    clf = build(estimator, Hierarchy.flat(names)).fit(X, frame.iloc[:, ::-1])
    assert clf.label_names_.dtype == object
    found = [(type(name), name) for name in clf.label_names_]
    assert found == [(type(name), name) for name in columns[::-1]]
    assert found == [(type(name), name) for name in clf.hierarchy_.labels]


@every_classifier
def test_numbers_of_columns_become_plain_integers(estimator):
    X, Y = np.random.default_rng(0).normal(size=(30, 3)), np.tile(np.eye(3), (10, 1))
    for columns in (None, [3, 1, 2], np.array([3, 1, 2], dtype=np.int32)):
        frame = pd.DataFrame(Y, columns=columns)
        clf = build(estimator).fit(X, frame)
        assert [(type(k), k) for k in clf.label_names_] == [(int, k) for k in frame]
    assert build(estimator).fit(X, Y).label_names_.tolist() == [0, 1, 2]


@every_estimator
@pytest.mark.filterwarnings("ignore:Of 6 labels, 1 with only positive:UserWarning")
def test_scikit_learn_drops_names_for_probabilities_in_cross_validation(estimator):
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    options = {"cv": 2, "method": "predict_proba"}
    clf = build(estimator, hierarchy)
    expected = cross_val_predict(clf, X, Y, **options)
    assert_same(cross_val_predict(clf, X, frame, **options), expected)
    # columns can only be taken by position: put them in the hierarchy's order before
    other = list(frame.rename(columns={"cat": "mammal", "mammal": "cat"}))
    with pytest.warns(UserWarning, match="not closed upward"):
        found = cross_val_predict(clf, X, frame[other], **options)
    assert np.abs(found - expected).max() > 0.1


@every_classifier
@pytest.mark.filterwarnings("ignore:Of 5 labels, 1 with:UserWarning")
def test_scikit_learn_encodes_each_column_before_it_predicts_probabilities(estimator):
    _, X, Y = problem(5)
    flat, cv = Hierarchy.flat(5), KFold(2)
    always, never = Y.copy(), Y.copy()
    always[:, 4], never[:, 4] = 1, 0
    clf = build(estimator, flat)
    assert (cross_val_predict(clf, X, always, cv=cv)[:, 4] == 1).all()
    # the only value of a column becomes 0, and of 0 and NaN the latter 1: then fit to
    # the folds oneself, or read the estimators that cross_validate returns
    options = {"cv": cv, "method": "predict_proba"}
    found = cross_val_predict(clf, X, always, **options)
    assert_same(found, cross_val_predict(clf, X, never, **options))
    unknown = np.where(Y == 1, Y, 0.0)
    unknown[Y[:, 4] == 1, 4] = np.nan
    found = cross_val_predict(clf, X, unknown, **options)
    assert_same(found, cross_val_predict(clf, X, Y, **options))


@every_estimator
def test_a_hierarchy_without_an_order_needs_names(estimator):
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=hierarchy.labels)[list(hierarchy.labels)[::-1]]
    edges = [(hierarchy.labels[p], hierarchy.labels[c]) for p, c in hierarchy.edges]
    clf = build(estimator, edges)
    assert cross_val_predict(clf, X, frame, cv=2).shape == Y.shape
    with pytest.raises(ValueError, match="the columns have no names"):
        cross_val_predict(clf, X, frame, cv=2, method="predict_proba")


@every_classifier
def test_weights_of_labels_are_matched_by_name(estimator):
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    weight = pd.DataFrame(
        np.random.default_rng(0).random(Y.shape), columns=frame.columns
    )
    plain = build(estimator, hierarchy).fit(X, Y, sample_weight=weight.to_numpy())
    for w in (weight, weight[list(frame)[::-1]]):
        again = build(estimator, hierarchy).fit(X, frame, sample_weight=w)
        assert_same_fit(again, plain, X)
    rows = pd.Series(weight.iloc[:, 0].to_numpy(), index=np.arange(len(X))[::-1])
    series, array = (
        build(estimator, hierarchy).fit(X, frame, sample_weight=w)
        for w in (rows, rows.to_numpy())
    )
    assert_same_fit(series, array, X)

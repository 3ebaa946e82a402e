"""In place of MultiOutputClassifier: Pipelines, stacking, routing, copies."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from tests.contract import (
    KINDS,
    assert_same,
    assert_same_fit,
    baseline,
    build,
    every_classifier,
    every_estimator,
    every_size,
    looks,
    problem,
    task,
)

every_format = pytest.mark.parametrize("proba_format", ["array", "list"])


def texts(X, Y):
    """Return a text for every row, with words for its labels and for noise."""
    labels = [[f"word{k}" for k in np.flatnonzero(row)] for row in Y]
    return [" ".join([*words, f"noise{k % 5}"]) for k, words in enumerate(labels)]


def frame(X, Y):
    """Return a DataFrame with numbers and a column of categories."""
    found = pd.DataFrame(X, columns=list("abcde"))
    return found.assign(kind=np.where(Y[:, 1], "yes", "no"))


COLUMNS = ColumnTransformer(
    [("numbers", StandardScaler(), list("abcde")), ("kinds", OneHotEncoder(), ["kind"])]
)


# -- Pipelines -------------------------------------------------------------------------


@every_classifier
@pytest.mark.parametrize(
    "proba_format", ["list", pytest.param("array", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("before", "make"),
    [
        (StandardScaler(), lambda X, Y: X),
        (make_pipeline(StandardScaler(), PCA(3)), lambda X, Y: X),
        (TfidfVectorizer(), texts),
        (COLUMNS, frame),
    ],
    ids=["scaler", "pca", "texts", "columns"],
)
def test_pipelines_give_what_their_steps_give(estimator, proba_format, before, make):
    hierarchy, X, Y = problem(5)
    inputs = make(X, Y)
    clf = build(estimator, hierarchy, proba_format=proba_format)
    ours = make_pipeline(clone(before), clone(clf)).fit(inputs, Y)
    theirs = make_pipeline(clone(before), baseline()).fit(inputs, Y)
    assert looks(ours.predict(inputs)) == looks(theirs.predict(inputs))
    if proba_format == "list":
        assert looks(ours.predict_proba(inputs)) == looks(theirs.predict_proba(inputs))
    assert {type(p.score(inputs, Y)) for p in (ours, theirs)} <= {float, np.float64}
    steps = clone(before)
    by_hand = clf.fit(steps.fit_transform(inputs), Y)
    prepared = steps.transform(inputs)  # of texts not the same, by one rounding
    for method in ("predict", "predict_proba", "decision_function"):
        assert_same(getattr(ours, method)(inputs), getattr(by_hand, method)(prepared))
    assert ours.n_features_in_ == theirs.n_features_in_ if make is not texts else True


@every_classifier
def test_set_output_hands_names_of_features_to_the_classifier(estimator):
    hierarchy, X, Y = problem(5)
    inputs = frame(X, Y)
    before = ColumnTransformer(
        [("all", StandardScaler(), list("abcde"))], verbose_feature_names_out=False
    )
    clf = build(estimator, hierarchy)
    plain, ours, theirs = (
        make_pipeline(clone(before), final) for final in (clf, clone(clf), baseline())
    )
    plain.fit(inputs, Y)
    for pipeline in (ours, theirs):
        pipeline.set_output(transform="pandas").fit(inputs, Y)
        assert list(pipeline[-1].feature_names_in_) == list("abcde")
    assert not hasattr(plain[-1], "feature_names_in_")
    for method in ("predict", "predict_proba"):
        assert_same(getattr(ours, method)(inputs), getattr(plain, method)(inputs))


@every_classifier
def test_columns_of_x_in_another_order_are_an_error(estimator):
    hierarchy, X, Y = problem(5)
    inputs = frame(X, Y)[list("abcde")]
    for clf in (build(estimator, hierarchy), baseline()):
        clf.fit(inputs, Y)
        with pytest.raises(ValueError, match="feature names should match"):
            clf.predict(inputs[list("bacde")])


@every_classifier
def test_estimators_show_what_was_changed(estimator):
    hierarchy, X, Y = problem(3)
    clf = build(estimator, hierarchy)
    assert type(clf).__name__ in repr(clf)
    for shown in (clf, clf.fit(X, Y), make_pipeline(StandardScaler(), clf)):
        assert type(clf).__name__ in shown._repr_html_inner()


# -- ensembles -------------------------------------------------------------------------


def stacked(clf, method, n_labels):
    """Return what a fitted StackingClassifier hands to its final estimator."""
    _, X, Y = problem(n_labels)
    stack = StackingClassifier(
        [("it", clf), ("other", KNeighborsClassifier())],
        baseline(),
        cv=KFold(2),
        stack_method=method,
    ).fit(X, Y)
    assert stack.predict(X).shape == Y.shape
    return stack.transform(X)


@every_size(smallest=2)
@pytest.mark.parametrize("method", ["predict_proba", "predict"])
def test_the_list_stacks_as_a_multi_output_classifier_does(estimator, n_labels, method):
    clf = build(estimator, problem(n_labels)[0], proba_format="list")
    found, expected = (stacked(c, method, n_labels) for c in (clf, baseline()))
    assert looks(found) == looks(expected)
    assert found.shape == (60, 2 * n_labels)


@every_size(smallest=2)
def test_the_array_stacks_but_for_a_column_at_two_labels(estimator, n_labels):
    clf = build(estimator, problem(n_labels)[0])
    widths = [stacked(clf, m, n_labels).shape[1] for m in ("auto", "predict_proba")]
    lost = 1 if n_labels == 2 else 0  # as the first of two classes: so it is documented
    assert widths == [2 * n_labels - lost] * 2


@every_size(smallest=2)
@every_format
def test_decision_functions_stack_at_any_number_of_labels(
    estimator, proba_format, n_labels
):
    hierarchy, X, Y = problem(n_labels)
    clf = build(estimator, hierarchy, proba_format=proba_format)
    options = {"cv": KFold(2), "stack_method": "decision_function"}
    found = StackingClassifier([("it", clf)], baseline(), **options).fit(X, Y)
    assert_same(found.transform(X), clf.fit(X, Y).decision_function(X))
    with pytest.raises(ValueError, match="does not implement the method"):
        StackingClassifier([("it", baseline())], baseline(), **options).fit(X, Y)


@every_classifier
@every_format
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_a_column_of_one_label_stacks_for_nobody(estimator, proba_format):
    clf = build(estimator, problem(1)[0], proba_format=proba_format)
    _, X, Y = problem(1)
    for candidate in (clf, baseline()):
        stack = StackingClassifier([("it", candidate)], baseline(), cv=KFold(2))
        with pytest.raises(ValueError, match="^y (must have|holds labels)"):
            stack.fit(X, Y)  # it makes y 1-D


@every_size(smallest=2)
def test_estimators_serve_as_the_final_one_of_a_stack(estimator, n_labels):
    hierarchy, X, Y = problem(n_labels)
    for final in (build(estimator, hierarchy), baseline()):
        stack = StackingClassifier([("k", KNeighborsClassifier())], final, cv=KFold(2))
        assert stack.fit(X, Y).predict(X).shape == Y.shape


@every_classifier
@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_many_labels_vote_for_nobody(estimator, voting):
    hierarchy, X, Y = problem(3)
    for clf in (build(estimator, hierarchy), baseline()):
        with pytest.raises(NotImplementedError, match="Multilabel and multi-output"):
            VotingClassifier([("it", clf)], voting=voting).fit(X, Y)


# -- copies ----------------------------------------------------------------------------


@every_classifier
@pytest.mark.parametrize("kind", KINDS)
def test_clones_of_a_fitted_estimator_are_not_fitted_and_fit_alike(estimator, kind):
    hierarchy, X, Y = task(kind)
    clf = build(estimator, hierarchy).fit(X, Y)
    again = clone(clf)
    assert not [name for name in vars(again) if name.endswith("_")]
    assert again.get_params().keys() == clf.get_params().keys()
    assert_same_fit(again.fit(X, Y), clf, X)


@every_classifier
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_and_loaded_says_the_same(estimator, kind, tmp_path):
    hierarchy, X, Y = task(kind)
    clf = build(estimator, hierarchy).fit(X, pd.DataFrame(Y, columns=hierarchy.labels))
    joblib.dump(clf, tmp_path / "plain.joblib")
    joblib.dump(clf, tmp_path / "small.joblib", compress=3)
    copies = [pickle.loads(pickle.dumps(clf, protocol)) for protocol in (2, 5)]
    copies += [joblib.load(tmp_path / f"{name}.joblib") for name in ("plain", "small")]
    copies += [joblib.load(tmp_path / "plain.joblib", mmap_mode="r")]
    copies += [FrozenEstimator(clf).fit(X, 1 - Y).estimator]
    for copy in copies:
        assert_same_fit(copy, clf, X)
        assert copy.hierarchy_ == clf.hierarchy_
        assert repr(copy.get_params()) == repr(clf.get_params())
    assert_same_fit(copies[0].fit(X, pd.DataFrame(Y, columns=hierarchy.labels)), clf, X)


# -- weights through metadata routing --------------------------------------------------


def weights(n_labels, per_label):
    shape = (60, n_labels) if per_label else 60
    return np.random.default_rng(0).integers(1, 5, shape).astype(float)


def requesting(clf):
    """Return a copy that asks for sample weights in ``fit`` only."""
    asking = clone(clf).set_fit_request(sample_weight=True)
    return asking.set_score_request(sample_weight=False)


@every_estimator
@pytest.mark.parametrize("per_label", [False, True])
def test_weights_are_routed_to_fit_in_pipelines_and_searches(estimator, per_label):
    hierarchy, X, Y = problem(3)
    weight, clf = weights(3, per_label), build(estimator, hierarchy)
    plain = clone(clf).fit(X, Y).predict_proba(X)
    expected = clone(clf).fit(X, Y, sample_weight=weight).predict_proba(X)
    assert not np.array_equal(plain, expected)
    with config_context(enable_metadata_routing=True):
        ours = [requesting(clf)]
        if not per_label:  # MultiOutputClassifier takes weights of samples only
            inner = LogisticRegression().set_fit_request(sample_weight=True)
            ours.append(MultiOutputClassifier(inner))
        found = []
        for asking in ours:
            pipeline = make_pipeline(FunctionTransformer(), asking)
            search = GridSearchCV(asking, {}, cv=2, error_score="raise")
            for outer in (pipeline, search):
                outer.fit(X, Y, sample_weight=weight)
                found.append(outer.predict_proba(X))
    assert_same(found[0], expected)
    assert_same(found[1], expected)


@every_estimator
@pytest.mark.parametrize("per_label", [False, True])
@pytest.mark.parametrize("routing", [False, True])
def test_weights_reach_the_folds_of_cross_validate(estimator, per_label, routing):
    hierarchy, X, Y = problem(3)
    weight, cv = weights(3, per_label), KFold(2)
    clf = build(estimator, hierarchy)
    options = {"cv": cv, "return_estimator": True, "params": {"sample_weight": weight}}
    with config_context(enable_metadata_routing=routing):
        asking = requesting(clf) if routing else clf
        found = cross_validate(asking, X, Y, **options)
    for fold, (train, _) in zip(found["estimator"], cv.split(X), strict=True):
        expected = clone(clf).fit(X[train], Y[train], sample_weight=weight[train])
        assert_same_fit(fold, expected, X)


@every_estimator
def test_weights_of_samples_are_routed_to_the_score(estimator):
    hierarchy, X, Y = problem(3)
    weight = weights(3, False)
    clf = build(estimator, hierarchy)
    with config_context(enable_metadata_routing=True):
        asking = clone(clf).set_fit_request(sample_weight=False)
        asking.set_score_request(sample_weight=True)
        found = cross_validate(
            asking, X, Y, cv=KFold(2), params={"sample_weight": weight}
        )
    for k, (train, test) in enumerate(KFold(2).split(X)):
        right = (clone(clf).fit(X[train], Y[train]).predict(X[test]) == Y[test]).all(1)
        expected = np.average(right, weights=weight[test])
        assert found["test_score"][k] == pytest.approx(expected)

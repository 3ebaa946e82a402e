"""In place of MultiOutputClassifier: outputs, scorers, cross-validation, searches."""

import functools

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.metrics import average_precision_score, get_scorer, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import type_of_target

from skhmc.coherence import score_violations, violations
from tests.contract import (
    assert_same,
    baseline,
    build,
    dense,
    every_classifier,
    every_estimator,
    every_score,
    every_size,
    looks,
    one_estimator,
    problem,
    replayed,
)

every_format = pytest.mark.parametrize("proba_format", ["array", "list"])


def fit(estimator, n_labels, **options):
    hierarchy, X, Y = problem(n_labels)
    return build(estimator, hierarchy, **options).fit(X, Y), X, Y


# -- outputs ---------------------------------------------------------------------------


@every_size()
def test_fit_and_predict_give_the_types_of_a_multi_output_classifier(
    estimator, n_labels
):
    hierarchy, X, Y = problem(n_labels)
    ours, theirs = build(estimator, hierarchy), baseline().fit(X, Y)
    assert ours.fit(X, Y) is ours
    assert looks(ours.predict(X)) == looks(theirs.predict(X))
    assert ours.predict(X).dtype == theirs.predict(X).dtype
    assert ours.n_features_in_ == theirs.n_features_in_
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    assert type_of_target(ours.classes_) == type_of_target(theirs.classes_)
    assert violations(ours.predict(X), hierarchy).nnz == 0


@every_size()
def test_the_list_of_probabilities_is_what_a_multi_output_classifier_gives(
    estimator, n_labels
):
    clf, X, Y = fit(estimator, n_labels, proba_format="list")
    pairs = clf.predict_proba(X)
    assert looks(pairs) == looks(baseline().fit(X, Y).predict_proba(X))
    for pair in pairs:
        assert ((pair >= 0) & (pair <= 1)).all()
        np.testing.assert_allclose(pair.sum(axis=1), 1, rtol=1e-6)


@every_size()
def test_the_array_of_probabilities_holds_the_second_columns_of_the_list(
    estimator, n_labels
):
    clf, X, Y = fit(estimator, n_labels)
    proba = clf.predict_proba(X)
    assert isinstance(proba, np.ndarray) and proba.shape == Y.shape
    pairs = clf.set_params(proba_format="list").predict_proba(X)
    for label, pair in enumerate(pairs):
        np.testing.assert_array_equal(pair[:, 1], proba[:, label])
    assert score_violations(proba, clf.hierarchy_).nnz == 0


@every_size()
def test_the_decision_function_ranks_as_the_probabilities_do(estimator, n_labels):
    clf, X, Y = fit(estimator, n_labels)
    assert not hasattr(baseline().fit(X, Y), "decision_function")
    decision, proba = clf.decision_function(X), clf.predict_proba(X)
    assert decision.shape == Y.shape and decision.dtype == proba.dtype
    np.testing.assert_array_equal(decision > 0, proba > 0.5)
    for scores, p in zip(decision.T, proba.T, strict=True):
        assert (np.diff(p[np.argsort(scores)]) >= 0).all()


@every_estimator
def test_probabilities_have_the_precision_asked_for(estimator):
    for dtype in ("float32", "float64"):
        clf, X, _ = fit(estimator, 3, precision=dtype)
        for outputs in (clf.predict_proba(X), clf.decision_function(X)):
            assert outputs.dtype == dtype
        pairs = clf.set_params(proba_format="list").predict_proba(X)
        assert {pair.dtype for pair in pairs} == {np.dtype(dtype)}


@every_size()
def test_score_is_the_share_of_rows_predicted_right(estimator, n_labels):
    ours, X, Y = fit(estimator, n_labels)
    for clf in (ours, baseline().fit(X, Y)):
        score = clf.score(X, Y)
        assert isinstance(score, float)
        assert score == pytest.approx((clf.predict(X) == Y).all(axis=1).mean())


@every_classifier
def test_predicting_before_fitting_is_the_same_error(estimator):
    hierarchy, X, Y = problem(3)
    for clf in (build(estimator, hierarchy), baseline()):
        for method in ("predict", "predict_proba"):
            with pytest.raises(NotFittedError):
                getattr(clf, method)(X)
        with pytest.raises(NotFittedError):
            clf.score(X, Y)


# -- scorers ---------------------------------------------------------------------------

FOR_ALL = {
    *("accuracy", "average_precision", "neg_log_loss", "neg_mean_absolute_error"),
    *("roc_auc", "roc_auc_ovr", "roc_auc_ovr_weighted", "neg_mean_squared_error"),
    *(f"{x}_{y}" for x in ("f1", "jaccard", "recall") for y in ("macro", "micro")),
}


@functools.cache
def scorers_of_the_baseline(n_labels):
    _, X, Y = problem(n_labels)
    return set(every_score(baseline().fit(X, Y), X, Y))


def in_double_precision(estimator):
    """Return options of ``fit``, where an estimator can choose its precision."""
    has_one = "precision" in estimator.get_params(deep=False)
    return {"precision": "float64"} if has_one else {}


@every_size()
@every_format
def test_every_scorer_says_what_it_says_of_a_multi_output_classifier(
    estimator, n_labels, proba_format
):
    # in float64, where no two logits share a probability
    options = {"proba_format": proba_format} | in_double_precision(estimator)
    clf, X, Y = fit(estimator, n_labels, **options)
    ours, theirs = (every_score(c, X, Y) for c in (clf, replayed(clf)))
    assert ours == pytest.approx(theirs, rel=1e-5, nan_ok=True)
    assert set(ours) >= scorers_of_the_baseline(n_labels)
    assert set(ours) >= FOR_ALL
    assert np.isfinite([ours[name] for name in FOR_ALL]).all()


@every_size()
@every_format
def test_curves_are_means_over_the_labels(estimator, n_labels, proba_format):
    options = {"proba_format": proba_format} | in_double_precision(estimator)
    clf, X, Y = fit(estimator, n_labels, **options)
    proba = dense(clf.predict_proba(X))
    for name, function in (
        ("roc_auc", roc_auc_score),
        ("average_precision", average_precision_score),
    ):
        by_hand = [function(y, p) for y, p in zip(Y.T, proba.T, strict=True)]
        assert get_scorer(name)(clf, X, Y) == pytest.approx(np.mean(by_hand))


# -- cross-validation ------------------------------------------------------------------


@every_size()
@pytest.mark.parametrize(
    "method, proba_format",
    [
        ("predict", "array"),
        ("predict_proba", "array"),
        ("predict_proba", "list"),
        ("decision_function", "array"),
    ],
)
def test_cross_val_predict_gives_what_each_fold_gives(
    estimator, n_labels, proba_format, method
):
    hierarchy, X, Y = problem(n_labels)
    clf, cv = build(estimator, hierarchy, proba_format=proba_format), KFold(2)
    found = cross_val_predict(clf, X, Y, cv=cv, method=method)
    parts = []
    for train, test in cv.split(X):  # the folds are the two halves
        parts.append(getattr(clone(clf).fit(X[train], Y[train]), method)(X[test]))
    if isinstance(parts[0], list):
        expected = [np.concatenate(pairs) for pairs in zip(*parts, strict=True)]
    else:
        expected = np.concatenate(parts)
    assert_same(found, expected)
    if method == "predict" or (method, proba_format) == ("predict_proba", "list"):
        theirs = cross_val_predict(baseline(), X, Y, cv=cv, method=method)
        assert looks(found) == looks(theirs)


@every_classifier
def test_methods_that_a_multi_output_classifier_does_not_have(estimator):
    hierarchy, X, Y = problem(3)
    with pytest.raises(AttributeError, match="no attribute 'decision_function'"):
        cross_val_predict(baseline(), X, Y, cv=2, method="decision_function")
    for clf in (baseline(), build(estimator, hierarchy)):
        with pytest.raises(AttributeError, match="no attribute 'predict_log_proba'"):
            cross_val_predict(clf, X, Y, cv=2, method="predict_log_proba")


SCORING = ["f1_macro", "average_precision", "roc_auc", "neg_log_loss", "accuracy"]


@every_size()
@every_format
@pytest.mark.filterwarnings("ignore:The y_(prob|pred) values do not sum:UserWarning")
def test_cross_validate_with_many_scorers_gives_what_each_fold_gives(
    estimator, n_labels, proba_format
):
    hierarchy, X, Y = problem(n_labels)
    ours = build(estimator, hierarchy, proba_format=proba_format)
    options = {"return_estimator": True, "return_train_score": True}
    options |= {"return_indices": True, "error_score": "raise"}
    found, theirs = (
        cross_validate(c, X, Y, cv=KFold(2), scoring=SCORING, **options)
        for c in (ours, baseline())
    )
    assert set(found) == set(theirs)
    for k, clf in enumerate(found["estimator"]):
        for part in ("train", "test"):
            rows = found["indices"][part][k]
            for name in SCORING:
                expected = get_scorer(name)(clf, X[rows], Y[rows])
                assert found[f"{part}_{name}"][k] == expected, (part, name)


@pytest.mark.slow
@every_classifier
def test_curves_and_importances_run(estimator):
    hierarchy, X, Y = problem(5)
    for clf in (build(estimator, hierarchy), baseline()):
        pipeline = make_pipeline(StandardScaler(), clf)
        _, *scores = learning_curve(pipeline, X, Y, cv=2, train_sizes=[0.8, 1.0])
        scores += validation_curve(
            pipeline,
            X,
            Y,
            cv=2,
            param_name="standardscaler__with_mean",
            param_range=[True, False],
        )
        assert all(s.shape == (2, 2) and np.isfinite(s).all() for s in scores)
        options = {"n_repeats": 2, "random_state": 0, "scoring": "average_precision"}
        found = permutation_importance(pipeline.fit(X, Y), X, Y, **options)
        assert found.importances.shape == (5, 2) and found.importances.any()
        score, others, _ = permutation_test_score(
            pipeline, X, Y, cv=2, n_permutations=2, scoring="roc_auc", random_state=0
        )
        assert np.isfinite([score, *others]).all()


# -- searches --------------------------------------------------------------------------

GRID = {"standardscaler__with_std": [True, False]}


def check_search(estimator, proba_format, search, **options):
    hierarchy, X, Y = problem(5, n_samples=200)
    ours = build(estimator, hierarchy, proba_format=proba_format)
    found, theirs = (
        search(
            make_pipeline(StandardScaler(), clf), GRID, cv=2, error_score="raise"
        ).set_params(**options)
        for clf in (ours, baseline())
    )
    found.fit(X, Y), theirs.fit(X, Y)
    assert found.cv_results_.keys() == theirs.cv_results_.keys()
    assert np.isfinite([found.score(X, Y), theirs.score(X, Y)]).all()
    scaler = StandardScaler(with_std=found.best_params_["standardscaler__with_std"])
    scaled = scaler.fit_transform(X)
    best = clone(ours).fit(scaled, Y)
    assert_same(found.predict(X), best.predict(scaled))
    assert_same(found.predict_proba(X), best.predict_proba(scaled))
    assert_same(found.decision_function(X), best.decision_function(scaled))
    nested = cross_val_score(found, X, Y, cv=2, scoring="f1_micro")
    assert np.isfinite(nested).all()


@every_classifier
@pytest.mark.parametrize(
    "proba_format", ["list", pytest.param("array", marks=pytest.mark.slow)]
)
def test_a_grid_search_runs_and_predicts_as_its_best_estimator(estimator, proba_format):
    check_search(estimator, proba_format, GridSearchCV, scoring="average_precision")


@one_estimator
@pytest.mark.parametrize(
    ("search", "options"),
    [
        (GridSearchCV, {"scoring": SCORING[:3], "refit": "roc_auc"}),
        (RandomizedSearchCV, {"n_iter": 2, "random_state": 0}),
        (HalvingGridSearchCV, {"factor": 2, "min_resources": 100, "random_state": 0}),
    ],
    ids=["multi-metric", "random", "halving"],
)
def test_other_searches_run_and_predict_as_their_best_estimator(
    estimator, search, options
):
    check_search(estimator, "array", search, **options)


# -- labels that a fold does not show --------------------------------------------------


@every_estimator
@every_format
@pytest.mark.parametrize(
    ("label", "value", "kind"),
    [(4, 0, "no positive row"), (0, 1, "only positive rows")],
)
def test_a_label_with_one_value_in_a_training_fold_is_a_warning_and_a_prior(
    estimator, proba_format, label, value, kind
):
    hierarchy, X, Y = problem(5)
    Y = Y.copy()
    Y[:30, label] = value  # the second fold trains on these rows
    if value:
        assert not hierarchy.parents_of(label)
    with pytest.raises(ValueError, match="at least 2 classes"):
        cross_val_predict(baseline(), X, Y, cv=2)
    clf = build(estimator, hierarchy, proba_format=proba_format)
    message = rf"Of 5 labels, 1 with {kind} \({label}\)"
    with pytest.warns(UserWarning, match=message) as caught:
        found = cross_val_predict(clf, X, Y, cv=2, method="predict_proba")
    assert len(caught) == 1
    proba = dense(found)
    assert proba.shape == Y.shape and np.isfinite(proba).all()
    assert (np.abs(proba[30:, label] - value) < 0.05).all()
    assert (np.abs(proba[:30, label] - value) > 0.05).any()
    with pytest.warns(UserWarning, match=message):
        predicted = cross_val_predict(clf, X, Y, cv=2)
    assert (predicted[30:, label] == value).all()


@every_classifier
def test_the_list_keeps_two_columns_for_a_label_with_one_value(estimator):
    hierarchy, X, Y = problem(5)
    Y = Y.copy()
    Y[:, 4] = 0
    theirs = MultiOutputClassifier(KNeighborsClassifier()).fit(X, Y)
    assert theirs.predict_proba(X)[4].shape == (60, 1)  # and then scorers fail
    with pytest.warns(UserWarning, match=r"1 with no positive row \(4\)"):
        clf = build(estimator, hierarchy, proba_format="list").fit(X, Y)
    assert [pair.shape for pair in clf.predict_proba(X)] == [(60, 2)] * 5

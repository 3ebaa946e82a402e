"""HierarchicalCalibratedClassifier: maps of labels, levels and all, and coherence."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import _SigmoidCalibration
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    RepeatedKFold,
    cross_val_predict,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhmc import (
    CoherentClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
)
from skhmc._meta.calibration_maps import (
    METHODS,
    PER,
    Identity,
    Limits,
    Mixture,
    apply_maps,
    find_limits,
    fit_isotonic,
    fit_maps,
    fit_sigmoid,
    fit_temperature,
)
from skhmc.coherence import (
    average_constraint,
    close_upward,
    max_constraint,
    score_violations,
)
from skhmc.metrics import au_prc_scorer, get_scorer, hvr_scorer
from skhmc.model_selection import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedKFold,
)
from tests.contract import DAG, TREE, every_estimator, task
from tests.fake_estimators import FakeHMC
from tests.hierarchies import hierarchies

NAMES = list(DAG.labels)
WIDE = Limits(1e-9, 1 - 1e-9)
every_method = pytest.mark.parametrize("method", METHODS)


class Says(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probabilities are X."""

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.asarray(X)


def said(n_samples, n_labels, seed):
    """Return probabilities that know something and are too sure, and labels."""
    rng = np.random.default_rng(seed)
    true = rng.random((n_samples, n_labels)) * 0.8
    Y = (rng.random(true.shape) < true).astype(int)
    return expit(2.5 * logit(np.clip(true, 0.01, 0.99)) + 0.5), Y


def calibrated(X, Y, hierarchy=None, **options):
    """Return a calibrated classifier around one whose probabilities are X."""
    inner = FrozenEstimator(Says())
    return HierarchicalCalibratedClassifier(inner, hierarchy, **options).fit(X, Y)


def bayes(hierarchy=DAG):
    return CoherentClassifier(GaussianNB(), hierarchy)


def forest(**options):
    return RandomForestClassifier(10, min_samples_leaf=5, random_state=0, **options)


@parametrize_with_checks([HierarchicalCalibratedClassifier(LogisticRegression())])
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [HierarchicalCalibratedClassifier(LogisticRegression(), method="isotonic", cv=2)]
)
def test_common_checks_of_isotonic(estimator, check):
    check(estimator)


# -- maps ------------------------------------------------------------------------------


def cells(n=300, seed=0):
    """Return probabilities, values and weights of cells."""
    X, Y = said(n, 1, seed)
    weight = np.random.default_rng(seed).integers(0, 3, n).astype(float) + 0.5
    return X[:, 0], Y[:, 0].astype(float), weight


def test_temperature_is_that_of_a_plain_search():
    proba, y, weight = cells()
    found = fit_temperature(proba, y, weight, WIDE)

    def losses(temperatures):
        p = expit(logit(proba) / np.reshape(temperatures, (-1, 1)))
        return -(np.where(y, np.log(p), np.log(1 - p)) @ weight) / weight.sum()

    grid = np.exp(np.linspace(-2, 2, 2001))
    at_grid = losses(grid)
    assert found.temperature == pytest.approx(grid[at_grid.argmin()], rel=2e-3)
    assert losses([found.temperature])[0] <= at_grid.min()
    assert 2 < found.temperature < 3.5  # logits were made 2.5 times as large
    np.testing.assert_allclose(found(proba), expit(logit(proba) / found.temperature))


def test_temperature_without_an_optimum_ends_at_the_range():
    p = np.array([0.1, 0.2, 0.8, 0.9])
    ones = np.ones(4)
    right = fit_temperature(p, np.array([0.0, 0, 1, 1]), ones, WIDE)
    wrong = fit_temperature(p, np.array([1.0, 1, 0, 0]), ones, WIDE)
    assert right.temperature == pytest.approx(np.exp(-10))
    assert wrong.temperature == pytest.approx(np.exp(10))
    np.testing.assert_allclose(wrong(p), 0.5, atol=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
def test_sigmoid_is_the_fit_of_scikit_learn(weighted):
    proba, y, weight = cells()
    weight = weight if weighted else np.ones_like(weight)
    found = fit_sigmoid(proba, y, weight, WIDE)
    reference = _SigmoidCalibration().fit(logit(proba), y, weight)
    assert found.slope == pytest.approx(-reference.a_, rel=1e-4)
    assert found.intercept == pytest.approx(-reference.b_, rel=1e-3, abs=1e-4)
    grid = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(found(grid), reference.predict(logit(grid)), atol=1e-5)


def test_sigmoid_never_turns_the_order_round():
    proba, y, weight = cells()
    found = fit_sigmoid(proba, 1 - y, weight, WIDE)
    assert found.slope == 0
    target = weight @ (1 - y) / weight.sum()
    np.testing.assert_allclose(found(proba), target, atol=0.01)


def test_isotonic_is_that_of_scikit_learn():
    proba, y, weight = cells()
    found = fit_isotonic(proba, y, weight, WIDE)
    reference = IsotonicRegression(out_of_bounds="clip").fit(proba, y, weight)
    grid = np.linspace(0, 1, 101)
    np.testing.assert_allclose(found(grid), reference.predict(grid))


def test_limits_are_half_way_to_0_and_1():
    proba = np.array([0.0, np.finfo(float).tiny, 0.2, 0.6, 1 - 2**-53, 1.0])
    limits = find_limits(proba)
    assert (limits.lowest, limits.highest) == (0.1, 0.8)
    np.testing.assert_allclose(limits.logit([0, 0.5, 1]), logit([0.1, 0.5, 0.8]))
    empty = find_limits(np.array([0.0, 1.0]))
    assert 0 < empty.lowest < 1e-6 and 1 - 1e-6 < empty.highest < 1


@every_method
def test_weights_are_repeated_cells(method):
    proba, y, _ = cells()
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    levels = np.zeros(1, int)
    options = {"method": method, "per": "label", "shrinkage": 10}
    one = fit_maps(proba[:, None], y[:, None], weight[:, None], levels, **options)[0]
    rows = np.repeat(np.arange(len(y)), weight.astype(int))
    two = fit_maps(proba[rows, None], y[rows, None], None, levels, **options)[0]
    none = fit_maps(proba[:, None], y[:, None], None, levels, **options)[0]
    grid = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(one(grid), two(grid), rtol=1e-5)
    assert np.abs(one(grid) - none(grid)).max() > 1e-3


# -- maps of groups --------------------------------------------------------------------

LEVELS = np.array([0, 0, 1, 1, 1])


@every_method
def test_who_shares_a_map(method):
    X, Y = said(200, 5, 0)
    options = {"method": method, "shrinkage": 0}
    of_all = fit_maps(X, Y, None, LEVELS, per="all", **options)
    assert len({id(one) for one in of_all}) == 1
    of_levels = fit_maps(X, Y, None, LEVELS, per="level", **options)
    assert len({id(one) for one in of_levels}) == 2 and of_levels[0] is of_levels[1]
    of_labels = fit_maps(X, Y, None, LEVELS, per="label", **options)
    assert len({id(one) for one in of_labels}) == 5
    grid = np.linspace(0.01, 0.99, 20)
    pooled = METHODS[method](
        X.ravel(), Y.ravel().astype(float), np.ones(Y.size), find_limits(X.ravel())
    )
    np.testing.assert_allclose(of_all[0](grid), pooled(grid))


@every_method
def test_few_positives_or_negatives_are_drawn_to_the_level(method):
    X, Y = said(200, 5, 0)
    Y[3:, 0] = 0
    Y[:3, 0] = 1
    Y[2:, 4] = 1  # all but two have it
    Y[:2, 4] = 0
    options = {"method": method, "per": "label"}
    alone = fit_maps(X, Y, None, LEVELS, shrinkage=0, **options)
    level = fit_maps(X, Y, None, LEVELS, method=method, per="level", shrinkage=7)
    drawn = fit_maps(X, Y, None, LEVELS, shrinkage=7, **options)
    lines = fit_maps(X, Y, None, LEVELS, method="sigmoid", per="label", shrinkage=0)
    grid = np.linspace(0.05, 0.95, 20)
    for k, n in [(0, 3), (4, 2)]:
        assert alone[k].share == 1 and drawn[k].share == n / (n + 7)
        own = alone[k](grid)
        if method == "isotonic":  # a step line is drawn to a line first
            own = n / (n + 210) * own + 210 / (n + 210) * lines[k](grid)
        mixed = n / (n + 7) * own + 7 / (n + 7) * level[k](grid)
        np.testing.assert_allclose(drawn[k](grid), mixed)


def test_labels_of_one_value_have_the_map_of_their_level_with_any_weights():
    X, Y = said(50, 5, 0)
    Y[:, 3] = 1
    options = {"method": "isotonic", "shrinkage": 0}
    for seed in range(20):  # of whose sums some are rounded differently
        weight = np.random.default_rng(seed).random((50, 1))
        maps = fit_maps(X, Y, weight, LEVELS, per="label", **options)
        of_levels = fit_maps(X, Y, weight, LEVELS, per="level", **options)
        np.testing.assert_array_equal(maps[3](X[:, 3]), of_levels[3](X[:, 3]))
        nothing = fit_maps(X, Y[:, [3] * 5], weight, LEVELS, per="label", **options)
        assert all(isinstance(one, Identity) for one in nothing)


@every_method
@pytest.mark.parametrize("shrinkage", [0, 10])
def test_labels_of_one_value_have_the_map_of_their_level(method, shrinkage):
    X, Y = said(200, 5, 0)
    Y = Y.astype(float)
    Y[:, 0], Y[:, 3], Y[:, 4] = 0, 1, np.nan
    options = {"method": method, "shrinkage": shrinkage}
    maps = fit_maps(X, Y, None, LEVELS, per="label", **options)
    of_levels = fit_maps(X, Y, None, LEVELS, per="level", **options)
    grid = np.linspace(0.05, 0.95, 20)
    for k in (0, 3, 4):
        np.testing.assert_array_equal(maps[k](grid), of_levels[k](grid))
    nothing = fit_maps(X, np.zeros_like(Y), None, LEVELS, per="label", **options)
    assert all(isinstance(one, Identity) for one in nothing)
    np.testing.assert_array_equal(apply_maps(nothing, X), X)


@every_method
def test_unknown_cells_do_not_count(method):
    X, Y = said(200, 5, 0)
    unknown = np.vstack([Y.astype(float), np.full(Y.shape, np.nan)])
    more = np.vstack([X, X[::-1]])
    options = {"method": method, "per": "label", "shrinkage": 10}
    one = fit_maps(X, Y, None, LEVELS, **options)
    two = fit_maps(more, unknown, None, LEVELS, **options)
    grid = np.tile(np.linspace(0.01, 0.99, 20)[:, None], 5)
    np.testing.assert_array_equal(apply_maps(one, grid), apply_maps(two, grid))


@every_method
@pytest.mark.parametrize("per", PER)
def test_weights_of_labels_and_sparse_labels(method, per):
    X, Y = said(200, 5, 0)
    weight = np.random.default_rng(0).integers(0, 2, Y.shape)
    hidden = np.where(weight > 0, Y, np.nan)
    options = {"method": method, "per": per, "shrinkage": 10}
    one = fit_maps(X, Y, weight, LEVELS, **options)
    two = fit_maps(X, hidden, None, LEVELS, **options)
    three = fit_maps(X, sp.csr_matrix(Y), weight, LEVELS, **options)
    np.testing.assert_array_equal(apply_maps(one, X), apply_maps(two, X))
    np.testing.assert_array_equal(apply_maps(one, X), apply_maps(three, X))


# -- calibrated and coherent -----------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Y is not closed upward")
@pytest.mark.filterwarnings("ignore:The samples to calibrate with know only one")
@given(
    hierarchies(max_labels=10),
    st.sampled_from(list(METHODS)),
    st.sampled_from(PER),
    st.sampled_from(["average", "max", "min", "product"]),
    st.integers(0, 1000),
)
@settings(max_examples=30)
def test_coherent_on_any_hierarchy(hierarchy, method, per, rule, seed):
    X, Y = said(30, hierarchy.n_labels, seed)
    clf = calibrated(X, Y, hierarchy, method=method, per=per, coherence=rule)
    fresh, _ = said(30, hierarchy.n_labels, seed + 1)
    proba = clf.predict_proba(fresh)
    assert score_violations(proba, hierarchy).nnz == 0
    assert ((proba > 0) & (proba < 1)).all()
    np.testing.assert_array_equal(clf.predict(fresh), proba > 0.5)
    # before closing the order of samples stays, within every label
    raw = clf.raw_predict_proba(fresh)
    order = np.argsort(fresh, axis=0, kind="stable")
    assert (np.diff(np.take_along_axis(raw, order, axis=0), axis=0) >= -1e-12).all()


@every_method
def test_what_was_different_stays_different(method):
    X, Y = said(300, 5, 0)
    clf = calibrated(X, Y, method=method)
    raw = clf.raw_predict_proba(np.tile(np.linspace(X.min(), X.max(), 50)[:, None], 5))
    assert (np.diff(raw, axis=0) > 0).all()


def test_one_temperature_of_all_labels_changes_no_order():
    X, Y = said(300, 6, 0)
    X, Y = max_constraint(X, DAG), close_upward(Y, DAG)
    clf = calibrated(X, Y, DAG, method="temperature")
    assert len(set(map(id, clf.maps_))) == 1
    before, after = X.ravel(), clf.predict_proba(X).ravel()
    np.testing.assert_array_equal(before.argsort(), after.argsort())
    for method, n_maps in [("sigmoid", 6), ("isotonic", 6)]:
        clf = calibrated(X, Y, DAG, method=method)
        assert len(set(map(id, clf.maps_))) == n_maps
    clf = calibrated(X, Y, DAG, method="temperature", per="label")
    assert len(set(map(id, clf.maps_))) == 6


def test_isotonic_is_that_of_scikit_learn_per_label():
    X, Y = said(300, 6, 0)
    Y = close_upward(Y, DAG)
    clf = calibrated(X, Y, DAG, method="isotonic", shrinkage=0)
    fresh, _ = said(100, 6, 1)
    raw = clf.raw_predict_proba(fresh)
    for k in range(6):
        reference = IsotonicRegression(out_of_bounds="clip").fit(X[:, k], Y[:, k])
        np.testing.assert_allclose(raw[:, k], reference.predict(fresh[:, k]))
    for clf.coherence, rule in [
        ("average", average_constraint),
        ("max", max_constraint),
    ]:
        expected = rule(raw, DAG)
        np.testing.assert_allclose(clf.predict_proba(fresh), expected, atol=1e-15)
    clf.coherence = None
    np.testing.assert_array_equal(clf.predict_proba(fresh), raw)
    np.testing.assert_array_equal(clf.predict_raw(fresh), raw > 0.5)


@every_method
def test_probabilities_become_better(method):
    X, Y = said(2000, 4, 0)
    train, test = slice(1000), slice(1000, None)
    clf = calibrated(X[train], Y[train], method=method)
    after = clf.predict_proba(X[test])

    def losses(proba):
        return np.array([log_loss(Y[test, k], proba[:, k]) for k in range(4)])

    assert (losses(after) < losses(X[test]) - 0.02).all()
    flat = Hierarchy.flat(4)
    ece = get_scorer("ece").metric
    before = ece(Y[test], X[test], hierarchy=flat)
    assert ece(Y[test], after, hierarchy=flat) < before / 2


# -- out of fold, and frozen -----------------------------------------------------------


def test_maps_are_fitted_out_of_fold():
    hierarchy, X, Y = task("many", n_samples=120)
    cv = MultilabelStratifiedKFold(4)
    clf = HierarchicalCalibratedClassifier(forest(), hierarchy, cv=4).fit(X, Y)
    proba = cross_val_predict(forest(), X, Y, cv=cv, method="predict_proba")
    proba = np.column_stack([pair[:, 1] for pair in proba])
    expected = calibrated(proba, Y, hierarchy)
    inner = forest().fit(X, Y)
    own = np.column_stack([pair[:, 1] for pair in inner.predict_proba(X)])
    np.testing.assert_allclose(clf.predict_proba(X), expected.predict_proba(own))
    with_n_jobs = clone(clf).set_params(n_jobs=1, cv=list(cv.split(X, Y))).fit(X, Y)
    np.testing.assert_array_equal(with_n_jobs.predict_proba(X), clf.predict_proba(X))


@every_method
@pytest.mark.parametrize("weighted", [False, True])
def test_samples_of_repeated_folds_count_once(method, weighted):
    X, Y = said(60, 3, 0)
    weight = np.random.default_rng(0).random(60) if weighted else None

    class Weighs(Says):
        def fit(self, X, y, sample_weight=None):
            return self

    clf = HierarchicalCalibratedClassifier(Weighs(), method=method)
    one = clone(clf).set_params(cv=KFold(3)).fit(X, Y, weight)
    two = clone(clf).set_params(
        cv=RepeatedKFold(n_splits=3, n_repeats=4, random_state=0)
    )
    two.fit(X, Y, weight)
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-6)


def test_a_frozen_classifier_stays_as_it_is():
    hierarchy, X, Y = task("many", n_samples=120)
    fitted = forest().fit(X[:60], Y[:60])
    frozen = FrozenEstimator(fitted)
    clf = HierarchicalCalibratedClassifier(frozen, hierarchy).fit(X[60:], Y[60:])
    assert clf.estimator_ is frozen
    proba = [
        np.column_stack([pair[:, 1] for pair in fitted.predict_proba(part)])
        for part in (X[60:], X)
    ]
    expected = calibrated(proba[0], Y[60:], hierarchy)
    np.testing.assert_allclose(clf.predict_proba(X), expected.predict_proba(proba[1]))
    with pytest.raises(NotFittedError):
        HierarchicalCalibratedClassifier(FrozenEstimator(forest())).fit(X, Y)


def test_a_frozen_classifier_takes_nothing_and_checks_groups():
    hierarchy, X, Y = task("many")
    frozen = FrozenEstimator(forest().fit(X, Y))
    for clf in (
        HierarchicalCalibratedClassifier(frozen, hierarchy),
        HierarchicalThresholdClassifier(frozen, hierarchy, cv="prefit"),
        HierarchicalThresholdClassifier(frozen, hierarchy),
    ):
        with pytest.raises(ValueError, match="FrozenEstimator is .* parameters 'depth"):
            clf.fit(X, Y, depth=3)
        with pytest.raises(ValueError, match="one value per sample, 60, got 59"):
            clf.fit(X, Y, groups=np.arange(59))
        with pytest.raises(ValueError, match="60 of 60 samples have no group"):
            clf.fit(X, Y, groups=[np.nan] * 60)
        clf.fit(X, Y, groups=np.arange(60) // 2)


@pytest.mark.parametrize(
    "kind", [HierarchicalCalibratedClassifier, HierarchicalThresholdClassifier]
)
def test_a_search_inside_with_folds_of_groups(kind):
    hierarchy, X, Y = task("many")
    groups = np.arange(60) // 3
    cv = MultilabelStratifiedGroupKFold(2)
    search = GridSearchCV(
        forest(), {"max_depth": [1, 3]}, cv=cv, scoring="average_precision"
    )
    one = kind(search, hierarchy, cv=2).fit(X, Y, groups=groups)
    alone = clone(search).fit(X, Y, groups=groups)
    np.testing.assert_array_equal(
        one.estimator_.cv_results_["mean_test_score"],
        alone.cv_results_["mean_test_score"],
    )
    within = CoherentClassifier(search, hierarchy, strategy="native")
    kind(within, hierarchy, cv=2).fit(X, Y, groups=groups)
    with pytest.raises(ValueError, match="MultilabelStratifiedGroupKFold needs groups"):
        kind(search, hierarchy, cv=2).fit(X, Y)


def test_a_frozen_classifier_with_other_columns():
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=NAMES)
    fitted = FrozenEstimator(FakeHMC(hierarchy).fit(X, frame))
    weight = np.random.default_rng(0).random(Y.shape)
    one, two = (
        HierarchicalCalibratedClassifier(fitted).fit(
            X, y, sample_weight=pd.DataFrame(weight, columns=NAMES)
        )
        for y in (frame, frame[NAMES[::-1]])
    )
    assert list(two.label_names_) == NAMES  # as its probabilities are
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    other = frame.rename(columns={"cat": "lion", "cow": "bull"})
    flat = Hierarchy.flat(list(other.columns))
    clf = HierarchicalCalibratedClassifier(fitted, flat)
    sets = [[other.columns[k] for k in np.flatnonzero(row)] for row in Y]
    for y in (other, Y, sets):
        with pytest.raises(
            ValueError, match="lacks 'lion', 'bull' and has 'cat', 'cow'"
        ):
            clf.fit(X, y)


def test_groups_stay_together():
    hierarchy, X, Y = task("many")
    groups = np.arange(60) // 5
    clf = HierarchicalCalibratedClassifier(forest(), hierarchy, cv=GroupKFold(3))
    by_splitter = clf.fit(X, Y, groups=groups).predict_proba(X)
    listed = clone(clf).set_params(cv=list(GroupKFold(3).split(X, groups=groups)))
    np.testing.assert_array_equal(by_splitter, listed.fit(X, Y).predict_proba(X))

    class Watches(MultiOutputClassifier):
        """Keeps the groups of every part that it is fitted with."""

        def fit(self, X, Y, sample_weight=None):
            parts.append(set(X[:, -1]))
            return super().fit(X, Y, sample_weight=sample_weight)

    parts = []
    watched = HierarchicalCalibratedClassifier(Watches(LogisticRegression()), cv=3)
    watched.fit(np.column_stack([X, groups]), Y, groups=groups)
    assert parts[0] == set(groups)
    left_out = [set(groups) - part for part in parts[1:]]
    assert sorted(x for part in left_out for x in part) == sorted(set(groups))


# -- any classifier, and any Y ---------------------------------------------------------


@pytest.mark.parametrize(
    "inner",
    [
        forest(),
        MultiOutputClassifier(LogisticRegression()),
        bayes(),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        GridSearchCV(forest(), {"max_depth": [2]}, cv=KFold(2)),
        HierarchicalCalibratedClassifier(forest(), cv=2),
    ],
    ids=lambda inner: type(inner).__name__,
)
@every_method
def test_classifiers_of_scikit_learn(inner, method):
    hierarchy, X, Y = task("many")
    clf = HierarchicalCalibratedClassifier(inner, hierarchy, method=method, cv=2)
    clf.fit(X, Y)
    assert list(clf.label_names_) == NAMES and clf.hierarchy_ == hierarchy
    np.testing.assert_array_equal(clf.classes_, np.tile([0, 1], (6, 1)))
    proba = clf.predict_proba(X)
    assert proba.shape == (60, 6) and hvr_scorer(clf, X, Y) == 0
    assert len(clf.maps_) == 6
    pairs = clone(clf).set_params(proba_format="list").fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(np.stack([p[:, 1] for p in pairs], axis=1), proba)
    np.testing.assert_allclose(clf.decision_function(X), logit(proba), rtol=1e-6)
    assert clf.raw_decision_function(X).shape == proba.shape
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), proba)


@every_estimator
@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")
def test_estimators_of_this_package(estimator):
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y[:, ::-1], columns=NAMES[::-1])
    inner = clone(estimator).set_params(hierarchy=hierarchy)
    clf = HierarchicalCalibratedClassifier(inner, per="level", cv=2).fit(X, frame)
    assert clf.hierarchy_ == clf.estimator_.hierarchy_ == DAG.subset(NAMES[::-1])
    assert list(clf.label_names_) == NAMES[::-1]
    assert score_violations(clf.predict_proba(X), clf.hierarchy_).nnz == 0
    assert au_prc_scorer(clf, X, frame) > 0.3
    raw = apply_maps(clf.maps_, clf.estimator_.predict_proba(X))
    np.testing.assert_array_equal(clf.raw_predict_proba(X), raw)


@pytest.mark.parametrize("n_labels", [1, 2])
@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize("inner", [forest(), FakeHMC()])
@every_method
def test_few_labels(inner, n_labels, method):
    _, X, Y = task("many")
    clf = HierarchicalCalibratedClassifier(inner, method=method, cv=3)
    clf.fit(X, Y[:, :n_labels])
    assert clf.predict_proba(X).shape == clf.predict(X).shape == (60, n_labels)


@pytest.mark.filterwarnings("ignore:Of 8 labels:UserWarning")
@every_method
def test_constant_labels(method):
    hierarchy, X, Y = task("many")
    Y = np.column_stack([Y, np.zeros(60, int), np.ones(60, int)])
    wider = Hierarchy(
        [*NAMES, "no", "yes"], [(NAMES[p], NAMES[c]) for p, c in DAG.edges]
    )
    clf = HierarchicalCalibratedClassifier(
        bayes(None), wider, method=method, per="label", cv=3
    )
    proba = clf.fit(X, Y).predict_proba(X)
    assert (proba[:, -1] > 0.5).all() and (proba[:, -2] < 0.2).all()
    level = clf.maps_[NAMES.index("mammal")].coarser
    assert clf.maps_[-1] is clf.maps_[-2] is level


def test_folds_that_lack_a_label():
    _, X, Y = task("many")
    Y = np.column_stack([Y, np.arange(60) == 7])
    clf = HierarchicalCalibratedClassifier(MultiOutputClassifier(LogisticRegression()))
    assert clf.fit(X, Y).predict_proba(X).shape == (60, 7)


def test_unknown_labels_do_not_count():
    hierarchy, X, Y = task("many")
    unknown = Y.astype(float)
    unknown[np.random.default_rng(0).random(Y.shape) < 0.2] = np.nan
    unknown = close_upward(unknown, hierarchy)
    clf = HierarchicalCalibratedClassifier(
        bayes(hierarchy), cv=MultilabelStratifiedKFold(3)
    ).fit(X, unknown)
    assert np.isfinite(clf.predict_proba(X)).all() and hvr_scorer(clf, X, unknown) == 0
    X, Y = said(200, 2, 0)
    half = Y.astype(float)
    half[100:] = np.nan
    one, two = calibrated(X[:100], Y[:100]), calibrated(X, half)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def test_nothing_is_known_of_any_label():
    X, _ = said(20, 6, 0)
    with pytest.warns(UserWarning, match="of every label .'mammal', .*stay"):
        clf = calibrated(X, np.zeros((20, 6), int), DAG, coherence=None)
    np.testing.assert_array_equal(clf.predict_proba(X), X)


@pytest.mark.filterwarnings("ignore:Y has no columns for 3 of the 6 labels")
def test_columns_of_leaves_alone_with_their_weights():
    _, X, Y = task("many")
    leaves = ["cat", "cow", "parrot"]
    frame = pd.DataFrame(Y, columns=NAMES)[leaves]
    weight = np.random.default_rng(0).random((60, 3)) + 0.5
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    inner = CoherentClassifier(tree, strategy="per_label")
    clf = HierarchicalCalibratedClassifier(inner, DAG, cv=KFold(2))
    clf.fit(X, frame, sample_weight=weight)
    assert list(clf.label_names_) == [*leaves, "mammal", "pet", "bird"]
    turned = pd.DataFrame(weight, columns=leaves)[leaves[::-1]]
    same = clone(clf).fit(X, frame, sample_weight=turned)
    np.testing.assert_array_equal(clf.predict_proba(X), same.predict_proba(X))
    without = clone(clf).fit(X, frame)
    assert np.abs(clf.predict_proba(X) - without.predict_proba(X)).max() > 1e-3


def test_levels_without_a_hierarchy_warn():
    X, Y = said(40, 3, 0)
    with pytest.warns(UserWarning, match="per='level' without levels: .*FrozenEst"):
        clf = calibrated(X, Y, per="level")
    assert len({id(one) for one in clf.maps_}) == 1


def test_thresholds_go_around():
    hierarchy, X, Y = task("many")
    inner = HierarchicalCalibratedClassifier(bayes(None), hierarchy, cv=2)
    clf = HierarchicalThresholdClassifier(inner, cv=2).fit(X, Y)
    assert clf.hierarchy_ == hierarchy and hvr_scorer(clf, X, Y) == 0
    own = clf.estimator_.predict_proba(X)
    np.testing.assert_array_equal(clf.predict_proba(X), own)


def test_forms_of_y():
    hierarchy, X, Y = task("many")
    clf = HierarchicalCalibratedClassifier(bayes(None), hierarchy, cv=2)
    expected = clone(clf).fit(X, Y).predict_proba(X)
    sets = [[NAMES[k] for k in np.flatnonzero(row)] for row in Y]
    frame = pd.DataFrame(Y, columns=NAMES)
    for y in (sp.csr_matrix(Y), sets, frame):
        np.testing.assert_allclose(clone(clf).fit(X, y).predict_proba(X), expected)
    turned = clone(clf).fit(X, frame[NAMES[::-1]])
    assert list(turned.label_names_) == NAMES[::-1]
    leaves = Y.copy()
    leaves[:, [NAMES.index(name) for name in ("mammal", "pet", "bird")]] = 0
    with pytest.warns(UserWarning, match="Y is not closed upward") as caught:
        opened = clone(clf).fit(X, leaves)
    assert len(caught) == 1
    closed = clone(clf).fit(X, close_upward(leaves, hierarchy))
    np.testing.assert_array_equal(opened.predict_proba(X), closed.predict_proba(X))


# -- weights and metadata --------------------------------------------------------------


def test_weights_reach_the_estimator_and_the_maps():
    X, Y = said(200, 3, 0)
    weight = np.random.default_rng(0).integers(0, 3, 200)
    frozen = HierarchicalCalibratedClassifier(FrozenEstimator(Says()))
    one = clone(frozen).fit(X, Y, sample_weight=weight).predict_proba(X)
    same = clone(frozen).fit(X, Y, np.tile(weight[:, None], 3)).predict_proba(X)
    np.testing.assert_array_equal(one, same)
    rows = np.repeat(np.arange(200), weight)
    two = clone(frozen).fit(X[rows], Y[rows]).predict_proba(X)
    np.testing.assert_allclose(one, two, rtol=1e-4)
    assert np.abs(one - clone(frozen).fit(X, Y).predict_proba(X)).max() > 1e-3
    with pytest.raises(ValueError, match="sample_weight was given, but KNeighbors"):
        HierarchicalCalibratedClassifier(KNeighborsClassifier()).fit(
            X, Y, sample_weight=weight
        )
    for wrong, message in [(-weight, "at least 0"), (weight[:-1], "shape")]:
        with pytest.raises(ValueError, match=message):
            clone(frozen).fit(X, Y, sample_weight=wrong)


def test_metadata_routing():
    hierarchy, X, Y = task("many")
    groups, weight = np.arange(60) // 5, np.arange(60.0) + 1
    inner = RandomForestClassifier(5, random_state=0)
    plain = HierarchicalCalibratedClassifier(inner, hierarchy, cv=GroupKFold(3))
    plain.fit(X, Y, sample_weight=weight, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = inner.set_fit_request(sample_weight=True)
        clf = HierarchicalCalibratedClassifier(asking, hierarchy, cv=GroupKFold(3))
        clf.fit(X, Y, sample_weight=weight, groups=groups)
        np.testing.assert_array_equal(clf.predict_proba(X), plain.predict_proba(X))
        frozen = HierarchicalCalibratedClassifier(FrozenEstimator(Says()))
        frozen.fit(Y.astype(float), Y, sample_weight=weight)  # the maps ask for them
        unset = HierarchicalCalibratedClassifier(RandomForestClassifier(5))
        with pytest.raises(ValueError, match="not explicitly set as requested"):
            unset.fit(X, Y, sample_weight=weight)


# -- one class per sample --------------------------------------------------------------


@every_method
@pytest.mark.parametrize("per", PER)
def test_classes(method, per):
    _, X, _ = task("paths", n_samples=120)
    rng = np.random.default_rng(0)
    y = np.array(["a/1", "a/2", "b/1", "c"])[
        (X[:, :4] + 0.5 * rng.normal(size=(120, 4))).argmax(axis=1)
    ]
    clf = HierarchicalCalibratedClassifier(GaussianNB(), TREE, method=method, per=per)
    proba = clf.fit(X, y).predict_proba(X)
    assert proba.shape == (120, 4) and list(clf.classes_) == sorted(set(y))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(clf.predict(X), clf.classes_[proba.argmax(axis=1)])
    labels = clf.predict_label_proba(X)
    assert score_violations(labels, TREE).nnz == 0
    a = list(clf.label_names_).index("a")
    np.testing.assert_allclose(labels[:, a], proba[:, :2].sum(axis=1))


def test_maps_of_classes_are_fitted_out_of_fold():
    _, X, _ = task("paths", n_samples=90)
    y = (X[:, :3] + 0.5).argmax(axis=1)
    fold = np.arange(90) % 3
    clf = HierarchicalCalibratedClassifier(GaussianNB(), cv=PredefinedSplit(fold))
    clf.fit(X, y)
    proba = cross_val_predict(
        GaussianNB(), X, y, cv=PredefinedSplit(fold), method="predict_proba"
    )
    maps = fit_maps(
        proba,
        (y[:, None] == np.arange(3)).astype(float),
        None,
        np.zeros(3, int),
        method="sigmoid",
        per="label",
        shrinkage=clf.shrinkage,
    )
    given = GaussianNB().fit(X, y).predict_proba(X)
    expected = apply_maps(maps, given)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(clf.predict_proba(X), expected)


def test_a_class_that_a_fold_lacks():
    _, X, _ = task("paths")
    y = np.array(["x", "z"])[(np.arange(60) % 2)]
    y[7] = "y"
    splits = [(np.delete(np.arange(60), [k, k + 1]), [k, k + 1]) for k in (6, 10)]
    splits.append((np.array([0, 2]), np.array([1, 3])))  # the part of one class
    clf = HierarchicalCalibratedClassifier(GaussianNB(), cv=splits).fit(X, y)
    np.testing.assert_allclose(clf.predict_proba(X).sum(axis=1), 1)


def test_classes_of_a_frozen_classifier():
    _, X, _ = task("paths")
    y = np.array(["x", "y", "z"])[X[:, :3].argmax(axis=1)]
    frozen = FrozenEstimator(GaussianNB().fit(X, y))
    some = y != "y"
    clf = HierarchicalCalibratedClassifier(frozen).fit(X[some], y[some])
    assert list(clf.classes_) == ["x", "y", "z"]
    assert clf.predict_proba(X).shape == (60, 3)
    wrong = np.where(y == "y", "q", y)
    with pytest.raises(
        ValueError, match="classes 'q', to which Frozen.* knows 'x', 'y"
    ):
        HierarchicalCalibratedClassifier(frozen).fit(X, wrong)


# -- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"method": "beta"}, "'method' parameter"),
        ({"per": "leaf"}, "'per' parameter"),
        ({"shrinkage": -1}, "'shrinkage' parameter"),
        ({"coherence": "path"}, "'coherence' parameter"),
        ({"cv": "5"}, "'cv' parameter"),
        ({"cv": "prefit"}, "FrozenEstimator"),
        ({"estimator": StandardScaler()}, "'estimator' parameter"),
        ({"hierarchy": [(0, 9)]}, "no positions of the 6 columns"),
    ],
)
def test_wrong_parameters(options, message):
    _, X, Y = task("many")
    clf = HierarchicalCalibratedClassifier(forest()).set_params(**options)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, Y)


def test_misuse_names_labels():
    hierarchy, X, Y = task("many")
    clf = HierarchicalCalibratedClassifier(forest(), hierarchy, coherence="isotonic")
    with pytest.raises(ValueError, match="'cat'"):  # has two parents
        clf.fit(X, Y)
    clf = HierarchicalCalibratedClassifier(forest(), hierarchy).fit(X, Y)
    clf.coherence = "best"
    with pytest.raises(InvalidParameterError, match="'coherence' parameter"):
        clf.predict(X)
    clf = HierarchicalCalibratedClassifier(LogisticRegression(), hierarchy)
    with pytest.raises(ValueError, match="does not say that it takes several labels"):
        clf.fit(X, Y)
    one = HierarchicalCalibratedClassifier(FrozenEstimator(Says()))
    with pytest.raises(ValueError, match=r"predicts .* \(60, 5\), .* \(n_.*, 6\)"):
        one.fit(X, Y)


def test_a_fit_that_fails_leaves_nothing_fitted():
    hierarchy, X, Y = task("many")
    clf = HierarchicalCalibratedClassifier(forest(), hierarchy).fit(X, Y)
    with pytest.raises(ValueError):
        clf.fit(X, Y[:, :2])
    with pytest.raises(NotFittedError):
        clf.predict_proba(X)


def test_a_mixture_of_one_share_is_its_own_map():
    own = Mixture(1.0, np.sqrt, None)
    assert own(0.25) == 0.5


def test_trees_that_say_0_and_1():
    hierarchy, X, Y = task("many")
    tree = DecisionTreeClassifier(random_state=0)
    for method in METHODS:
        clf = HierarchicalCalibratedClassifier(tree, hierarchy, method=method)
        proba = clf.fit(X, Y).predict_proba(X)
        assert np.isfinite(clf.decision_function(X)).all()
        assert ((proba > 0) & (proba < 1)).all()

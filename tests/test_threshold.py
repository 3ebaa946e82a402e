"""Tests of HierarchicalThresholdClassifier: coherent whatever is tuned, and tuned."""

import pickle
from itertools import product

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhmc import CoherentClassifier, HierarchicalThresholdClassifier, Hierarchy
from skhmc._meta.f1_thresholds import search_thresholds
from skhmc._meta.out_of_fold import out_of_fold
from skhmc.coherence import close_upward
from skhmc.metrics import (
    au_prc_score,
    au_prc_scorer,
    get_scorer,
    hierarchical_f1_score,
    hierarchical_f1_scorer,
    hierarchical_violation_rate,
    hvr_scorer,
)
from skhmc.model_selection import MultilabelStratifiedKFold
from tests.contract import DAG, every_estimator, task
from tests.fake_estimators import FakeHMC
from tests.hierarchies import hierarchies

STRATEGIES = ("global", "level", "label")
NAMES = list(DAG.labels)


def forest(**options):
    return RandomForestClassifier(
        n_estimators=10, min_samples_leaf=5, random_state=0, **options
    )


def logistic():
    return MultiOutputClassifier(LogisticRegression())


class Says(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probabilities are X."""

    def __init__(self, fitted_=True):
        self.fitted_ = fitted_

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.asarray(X)


def said(n_samples, n_labels, seed):
    """Return probabilities that know something of labels, and labels."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n_samples, n_labels)) < 0.3).astype(int)
    return np.clip(0.3 * Y + 0.5 * rng.random(Y.shape), 0, 1), Y


@parametrize_with_checks([HierarchicalThresholdClassifier(LogisticRegression())])
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [HierarchicalThresholdClassifier(LogisticRegression(), strategy="label")]
)
def test_common_checks_of_a_threshold_per_label(estimator, check):
    check(estimator)


# -- coherent --------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Y is not closed upward")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "metric", ["hierarchical_f1", pytest.param("f1_macro", marks=pytest.mark.slow)]
)
@given(hierarchies(max_labels=12), st.integers(0, 1000))
def test_predictions_are_coherent_on_any_hierarchy(strategy, metric, hierarchy, seed):
    X, Y = said(30, hierarchy.n_labels, seed)  # probabilities are not coherent
    options = {"strategy": strategy, "metric": metric, "cv": "prefit"}
    clf = HierarchicalThresholdClassifier(Says(), hierarchy=hierarchy, **options)
    clf.fit(X, Y)
    fresh, _ = said(30, hierarchy.n_labels, seed + 1)
    assert hierarchical_violation_rate(clf.predict(fresh), hierarchy) == 0
    clf.thresholds_ = np.random.default_rng(seed).random(hierarchy.n_labels)
    for clf.closing_ in ("up", "down"):
        assert hierarchical_violation_rate(clf.predict(fresh), hierarchy) == 0


def chain():
    """Return a path of three labels, probabilities, and the labels closed."""
    path = Hierarchy.from_edges([(0, 1), (1, 2)])
    Y = np.array([[1, 1, 1]] * 4 + [[1, 1, 0]] * 4 + [[1, 0, 0]] * 4 + [[0, 0, 0]] * 4)
    return path, Y


def test_closing_is_what_scores_best():
    path, Y = chain()
    deep = np.where(Y, 0.6, 0.2)
    deep[:, 2] = np.where(Y[:, 2], 0.9, 0.05)  # the deepest label is sure
    deep[:4, 1] = 0.1  # and its parent is not seen
    clf = HierarchicalThresholdClassifier(Says(), hierarchy=path, cv="prefit")
    assert clf.fit(deep, Y).closing_ == "up"
    assert clf.best_score_ == 1 and (clf.predict(deep) == Y).all()
    shallow = np.where(Y, 0.6, 0.2)
    shallow[12:, 2] = 0.9  # the deepest label is seen where no other is
    assert clf.fit(shallow, Y).closing_ == "down"
    assert clf.best_score_ == 1 and (clf.predict(shallow) == Y).all()


# -- tuned -----------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("metric", ["hierarchical_f1", "f1_macro"])
def test_the_score_is_that_of_the_thresholds_out_of_fold(strategy, metric):
    hierarchy, X, Y = task("many", n_samples=120)
    options = {"strategy": strategy, "metric": metric, "cv": 4}
    clf = HierarchicalThresholdClassifier(forest(), hierarchy=hierarchy, **options)
    clf.fit(X, Y)
    cv = MultilabelStratifiedKFold(4)
    proba = cross_val_predict(forest(), X, Y, cv=cv, method="predict_proba")
    proba = np.column_stack([pair[:, 1] for pair in proba])  # coherent: a forest's are
    average = "macro" if metric == "f1_macro" else "micro"
    scores = {}
    for name, thresholds in [("tuned", clf.thresholds_), ("half", 0.5)]:
        tuned = clone(clf).set_params(estimator=Says(), cv="prefit")
        tuned.fit(proba, Y)
        tuned.thresholds_ = np.broadcast_to(thresholds, 6)
        tuned.closing_ = clf.closing_
        score = hierarchical_f1_score(
            Y, tuned.predict(proba), hierarchy, average=average
        )
        scores[name] = score
    assert clf.best_score_ == pytest.approx(scores["tuned"])
    assert scores["tuned"] >= scores["half"]
    assert clf.thresholds_.shape == (6,) and (np.ptp(clf.thresholds_) == 0) == (
        strategy == "global"
    )


@pytest.mark.filterwarnings("ignore:strategy=.level. without levels:UserWarning")
def test_rare_labels_are_found():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 4))
    Y = (X @ rng.normal(size=(4, 5)) + rng.normal(size=(900, 5)) > 3.5).astype(int)
    train, test = slice(600), slice(600, None)
    inner = forest().set_params(min_samples_leaf=20).fit(X[train], Y[train])
    half = f1_score(Y[test], inner.predict(X[test]), average="micro")
    for strategy in STRATEGIES:
        clf = HierarchicalThresholdClassifier(inner, strategy=strategy)
        predicted = clf.fit(X[train], Y[train]).predict(X[test])
        assert f1_score(Y[test], predicted, average="micro") > half + 0.1


def test_micro_f1_is_hierarchical_f1_of_closed_sets():
    hierarchy, X, Y = task("many")
    fitted = [
        HierarchicalThresholdClassifier(
            forest(), hierarchy=hierarchy, metric=metric, strategy="label"
        ).fit(X, Y)
        for metric in ("hierarchical_f1", "f1_micro")
    ]
    np.testing.assert_array_equal(*(clf.thresholds_ for clf in fitted))
    assert fitted[0].best_score_ == fitted[1].best_score_


@pytest.mark.parametrize(
    "strategy", ["global", "level", pytest.param("label", marks=pytest.mark.slow)]
)
def test_any_metric(strategy):
    hierarchy, X, Y = task("many")
    seen = []

    def metric(Y_true, Y_pred):
        seen.append((Y_true, Y_pred))
        return f1_score(Y_true, Y_pred, average="samples", zero_division=0)

    clf = HierarchicalThresholdClassifier(
        forest(), hierarchy=hierarchy, strategy=strategy, metric=metric
    ).fit(X, Y)
    for Y_true, Y_pred in seen:
        assert Y_true.dtype.kind == Y_pred.dtype.kind == "i"
        assert hierarchical_violation_rate(Y_pred, hierarchy) == 0
    assert clf.best_score_ <= max(metric(*pair) for pair in list(seen))
    assert clf.best_score_ > metric(*seen[0])  # at 0.5


def test_few_positives_shrink_to_the_level():
    _, X, Y = task("many")
    far = HierarchicalThresholdClassifier(
        forest(), hierarchy=DAG, strategy="label", shrinkage=1e9
    ).fit(X, Y)
    common = HierarchicalThresholdClassifier(forest(), hierarchy=DAG).fit(X, Y)
    np.testing.assert_allclose(far.thresholds_, common.thresholds_, atol=1e-6)
    own = clone(far).set_params(shrinkage=0).fit(X, Y)
    near = clone(far).set_params(shrinkage=10).fit(X, Y)
    assert np.ptp(far.thresholds_) < np.ptp(near.thresholds_) < np.ptp(own.thresholds_)


@pytest.mark.filterwarnings("ignore:strategy=.level. without levels:UserWarning")
def test_weights_are_repeated_rows():
    X, Y = said(40, 3, 0)
    weight = np.random.default_rng(0).integers(0, 3, 40)
    frozen = FrozenEstimator(Says())
    for metric, strategy in product(("f1_micro", "f1_macro"), STRATEGIES):
        options = {"metric": metric, "strategy": strategy, "cv": "prefit"}
        clf = HierarchicalThresholdClassifier(frozen, **options)
        one = clone(clf).fit(X, Y, sample_weight=weight)
        two = clone(clf).fit(np.repeat(X, weight, axis=0), np.repeat(Y, weight, axis=0))
        np.testing.assert_allclose(one.thresholds_, two.thresholds_)
        assert one.best_score_ == pytest.approx(two.best_score_)
        assert one.best_score_ != clone(clf).fit(X, Y).best_score_


@pytest.mark.parametrize("weighted", [False, True])
def test_samples_of_repeated_folds_count_once(weighted):
    X, Y = said(60, 3, 0)
    weight = np.random.default_rng(0).random(60) if weighted else None

    class Weighs(Says):
        def fit(self, X, y, sample_weight=None):
            return self

    repeated = RepeatedKFold(n_splits=3, n_repeats=4, random_state=0)
    for metric in ("f1_micro", "f1_macro"):
        clf = HierarchicalThresholdClassifier(
            Weighs(), strategy="label", metric=metric, cv=KFold(3)
        ).fit(X, Y, weight)
        again = clone(clf).set_params(cv=repeated).fit(X, Y, weight)
        np.testing.assert_allclose(again.thresholds_, clf.thresholds_)
        assert again.best_score_ == pytest.approx(clf.best_score_)
        # every fold alone has its samples once
        listed = clone(clf).set_params(cv=list(repeated.split(X))[3:6])
        np.testing.assert_array_equal(
            again.thresholds_per_fold_[3:6],
            listed.fit(X, Y, weight).thresholds_per_fold_,
        )
    options = {"score": lambda t: -np.abs(t - 0.3).sum(), "strategy": "label"}
    half = search_thresholds(
        scores=X,
        Y=Y,
        hierarchy=Hierarchy.flat(3),
        shrinkage=10,
        weight=np.full(60, 0.5),
        **options,
    )
    whole = search_thresholds(
        scores=X, Y=Y, hierarchy=Hierarchy.flat(3), shrinkage=20, **options
    )
    np.testing.assert_allclose(half, whole)


@pytest.mark.filterwarnings("ignore:strategy=.level. without levels:UserWarning")
@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "label"},
        {"metric": "f1_macro", "strategy": "level"},
        {"min_precision": 0.3},
        {"min_recall": 0.3},
    ],
)
def test_labels_of_weight_0_are_unknown(options):
    X, Y = said(300, 3, 0)
    weight = np.random.default_rng(0).integers(0, 2, Y.shape)
    weight[:5] = 0
    wrong = np.where(weight == 0, 1 - Y, Y)
    clf = HierarchicalThresholdClassifier(FrozenEstimator(Says()), **options)
    one = clone(clf).fit(X, wrong, sample_weight=weight)
    two = clone(clf).fit(X, np.where(weight == 0, np.nan, Y))
    np.testing.assert_array_equal(one.thresholds_, two.thresholds_)
    assert one.best_score_ == two.best_score_


def test_weights_of_labels_leave_what_metrics_are_given_as_it_is():
    X, Y = said(60, 3, 0)
    weight = np.random.default_rng(0).integers(0, 2, Y.shape)

    def metric(Y_true, Y_pred):
        assert Y_true.dtype.kind == "i"
        return f1_score(Y_true, Y_pred, average="micro", zero_division=0)

    clf = HierarchicalThresholdClassifier(FrozenEstimator(Says()), metric=metric)
    weighted = clone(clf).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(weighted.thresholds_, clf.fit(X, Y).thresholds_)


# -- any classifier --------------------------------------------------------------------

CLASSIFIERS = [
    forest(),
    logistic(),
    ClassifierChain(LogisticRegression()),
    OneVsRestClassifier(LogisticRegression()),
    KNeighborsClassifier(),
    MLPClassifier((5,), max_iter=3, random_state=0),
    make_pipeline(StandardScaler(), logistic()),
    GridSearchCV(forest(), {"max_depth": [2]}, cv=KFold(2)),
    HierarchicalThresholdClassifier(forest(), cv=2),
]


@pytest.mark.filterwarnings("ignore:.*hasn't converged yet")
@pytest.mark.parametrize("inner", CLASSIFIERS, ids=lambda c: type(c).__name__)
def test_classifiers_of_scikit_learn(inner):
    hierarchy, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(inner, hierarchy=hierarchy, strategy="label")
    clf.fit(X, Y)
    assert list(clf.label_names_) == NAMES and clf.hierarchy_ == hierarchy
    np.testing.assert_array_equal(clf.classes_, np.tile([0, 1], (6, 1)))
    proba, predicted = clf.predict_proba(X), clf.predict(X)
    assert proba.shape == predicted.shape == (60, 6) and predicted.dtype.kind == "i"
    expected = clf.estimator_.predict_proba(X)
    if isinstance(expected, list):
        expected = np.column_stack([pair[:, 1] for pair in expected])
    np.testing.assert_array_equal(proba, expected)
    assert hasattr(clf, "decision_function") == hasattr(inner, "decision_function")
    assert not hasattr(clf, "raw_decision_function") and not hasattr(clf, "predict_raw")
    assert hvr_scorer(clf, X, Y) == 0
    right = (predicted == Y).all(axis=1).mean()
    assert clf.score(X, Y) == pytest.approx(right)


@every_estimator
@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")
def test_estimators_of_this_package(estimator):
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y[:, ::-1], columns=NAMES[::-1])
    inner = clone(estimator).set_params(hierarchy=hierarchy)
    clf = HierarchicalThresholdClassifier(inner, strategy="level", cv=2).fit(X, frame)
    assert clf.hierarchy_ == clf.estimator_.hierarchy_ == DAG.subset(NAMES[::-1])
    assert list(clf.label_names_) == NAMES[::-1]
    np.testing.assert_array_equal(clf.predict_proba(X), clf.estimator_.predict_proba(X))
    assert hvr_scorer(clf, X, frame) == 0
    assert au_prc_scorer(clf, X, frame) == au_prc_scorer(clf.estimator_, X, frame)
    raw = clf.raw_decision_function(X)
    np.testing.assert_array_equal(raw, clf.estimator_.raw_decision_function(X))
    np.testing.assert_array_equal(clf.predict_raw(X), clf.estimator_.predict_raw(X))
    assert get_scorer("hvr_raw")(clf, X, frame) <= 0
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict(X), clf.predict(X))
    listed = clone(inner).set_params(proba_format="list")
    other = clone(clf).set_params(estimator=listed).fit(X, frame)
    np.testing.assert_array_equal(other.thresholds_, clf.thresholds_)
    assert other.predict_proba(X).shape == (60, 6)


@pytest.mark.parametrize("n_labels", [1, 2])
@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize("inner", [forest(), logistic(), FakeHMC()])
def test_few_labels(inner, n_labels):
    _, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(inner, strategy="label")
    clf.fit(X, Y[:, :n_labels])
    assert clf.predict_proba(X).shape == clf.predict(X).shape == (60, n_labels)
    assert clf.best_score_ > 0.7


def test_folds_without_a_label():
    _, X, Y = task("many")
    Y = np.column_stack([Y, np.arange(60) == 7, np.ones(60, int)])
    Y[8, -1] = 0
    clf = HierarchicalThresholdClassifier(logistic(), strategy="label").fit(X, Y)
    assert clf.predict(X)[:, -1].all()
    splits = list(MultilabelStratifiedKFold(5).split(X, Y))
    rows, proba = out_of_fold(logistic(), X, Y, Y, splits, params={})
    assert sorted(rows) == list(range(60))
    at = dict(zip(rows.tolist(), proba, strict=True))
    assert at[7][-2] == 0 and at[8][-1] == 1  # as in all rows of the training part
    left = np.setdiff1d(np.arange(60), next(b for _, b in splits if 7 in b))
    fewer = logistic().fit(X[left], Y[left][:, :6]).predict_proba(X[[7]])
    np.testing.assert_allclose(at[7][:6], [pair[0, 1] for pair in fewer])
    single = HierarchicalThresholdClassifier(logistic()).fit(X, Y[:, [6]])
    assert single.thresholds_.shape == (1,)


def test_other_errors_of_folds_are_not_hidden():
    class Refuses(Says):
        def fit(self, X, y):
            if len(X) < 60:
                raise ValueError("I refuse")
            return self

    X, Y = said(60, 3, 0)
    with pytest.raises(ValueError, match="I refuse"):
        HierarchicalThresholdClassifier(Refuses()).fit(X, Y)


# -- forms of Y ------------------------------------------------------------------------


def test_unknown_labels_do_not_count():
    hierarchy, X, Y = task("many")
    unknown = Y.astype(float)
    unknown[np.random.default_rng(0).random(Y.shape) < 0.2] = np.nan
    unknown = close_upward(unknown, hierarchy)
    clf = HierarchicalThresholdClassifier(
        FakeHMC(hierarchy), strategy="label", cv=MultilabelStratifiedKFold(3)
    ).fit(X, unknown)
    assert clf.best_score_ > 0.8 and hvr_scorer(clf, X, unknown) == 0
    X, Y = said(200, 2, 0)
    known, unknown = Y[:100], Y.astype(float)
    unknown[100:] = np.nan
    clf = HierarchicalThresholdClassifier(Says(), cv="prefit", strategy="label")
    one, two = clone(clf).fit(X[:100], known), clone(clf).fit(X, unknown)
    np.testing.assert_array_equal(one.thresholds_, two.thresholds_)
    assert one.best_score_ == two.best_score_


def test_open_label_sets_are_closed_with_one_warning():
    hierarchy, X, Y = task("many")
    leaves = Y.copy()
    leaves[:, [NAMES.index(name) for name in ("mammal", "pet", "bird")]] = 0
    clf = HierarchicalThresholdClassifier(forest(), hierarchy=hierarchy)
    closed = clone(clf).fit(X, close_upward(leaves, hierarchy))
    with pytest.warns(UserWarning, match="Y is not closed upward") as caught:
        opened = clone(clf).fit(X, leaves)
    assert len(caught) == 1
    sets = [[NAMES[k] for k in np.flatnonzero(row)] for row in leaves]
    frame = pd.DataFrame(leaves, columns=NAMES)[sorted(NAMES)]
    same = clone(clf).fit(X, sets)
    with pytest.warns(UserWarning, match="Y is not closed upward"):
        by_name = clone(clf).fit(X, frame)
    assert list(by_name.label_names_) == sorted(NAMES)
    assert by_name.hierarchy_ == hierarchy.subset(sorted(NAMES))
    for other in (opened, same):
        np.testing.assert_array_equal(other.predict_proba(X), closed.predict_proba(X))
        np.testing.assert_array_equal(other.predict(X), closed.predict(X))
    assert (by_name.estimator_.predict(X).sum(axis=1) > 1).any()  # was given ancestors


def test_label_sets_and_who_knows_the_hierarchy():
    _, X, Y = task("many")
    sets = [[NAMES[k] for k in np.flatnonzero(row)] for row in Y]
    outside = HierarchicalThresholdClassifier(forest(), hierarchy=DAG).fit(X, sets)
    same = HierarchicalThresholdClassifier(forest(), hierarchy=DAG).fit(X, Y)
    np.testing.assert_array_equal(outside.predict(X), same.predict(X))
    flat = HierarchicalThresholdClassifier(forest()).fit(X, sets)
    assert list(flat.label_names_) == sorted(NAMES)

    for hierarchy in (DAG, DAG.subset(NAMES[::-1])):
        inside = HierarchicalThresholdClassifier(FakeHMC(hierarchy)).fit(X, sets)
        assert inside.hierarchy_ == inside.estimator_.hierarchy_ == hierarchy
        by_name = FakeHMC(DAG).fit(X, pd.DataFrame(Y, columns=NAMES)).predict_proba(X)
        order = [NAMES.index(name) for name in hierarchy.labels]
        np.testing.assert_allclose(inside.predict_proba(X), by_name[:, order])


PARENTS = {"cat": ["mammal", "pet"], "cow": ["mammal"], "parrot": ["bird", "pet"]}
INNER = [PARENTS, DAG, DAG.subset(NAMES[::-1])]


@pytest.mark.parametrize("inner", INNER, ids=["names", "same", "other order"])
@pytest.mark.parametrize("form", ["array", "sets", "frame"])
def test_both_hierarchies_are_read_by_name(inner, form):
    _, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=NAMES)
    sets = [[NAMES[k] for k in np.flatnonzero(row)] for row in Y]
    y = {"array": Y, "sets": sets, "frame": frame[sorted(NAMES)]}[form]
    own = CoherentClassifier(LogisticRegression(), inner)
    expected = CoherentClassifier(LogisticRegression(), DAG)
    expected = make_pipeline(StandardScaler(), expected).fit(X, Y).predict_proba(X)
    pipe = make_pipeline(StandardScaler(), own)
    for hierarchy in (DAG,) if form == "array" else (DAG, None):
        clf = HierarchicalThresholdClassifier(pipe, hierarchy=hierarchy, cv=2)
        found = clf.fit(X, y).predict_proba(X)
        order = [NAMES.index(name) for name in clf.label_names_]
        np.testing.assert_allclose(found, expected[:, order])
        assert clf.hierarchy_ == DAG.subset(clf.label_names_)
        assert au_prc_scorer(clf, X, frame) > 0.9 and hvr_scorer(clf, X, frame) == 0
    assert own.hierarchy is inner  # only the clone's was changed


def test_a_hierarchy_inside_that_does_not_fit():
    _, X, Y = task("many")
    inner = FakeHMC([("a", "b")])
    clf = HierarchicalThresholdClassifier(inner, hierarchy=DAG)
    with pytest.raises(ValueError, match="edges name labels that are not .* 'a', 'b'"):
        clf.fit(X, Y)
    clf = HierarchicalThresholdClassifier(
        FakeHMC(DAG), hierarchy=Hierarchy.from_edges([(0, 1)])
    )
    with pytest.raises(ValueError, match="hierarchy of FakeHMC has 6 labels, .* 2 col"):
        clf.fit(X, Y[:, [0, 2]])


def test_numbers_that_only_count_columns_are_no_names():
    _, X, Y = task("many")
    numbers = [3, 1, 2, 0, 5, 4]
    edges = [(numbers[p], numbers[c]) for p, c in DAG.edges]
    hierarchy = Hierarchy.from_edges(edges, labels=numbers)
    options = {"strategy": "label", "cv": 2}
    named = HierarchicalThresholdClassifier(FakeHMC(DAG), hierarchy=DAG, **options)
    named.fit(X, Y)
    inner = FakeHMC(Hierarchy.from_edges(DAG.edges.tolist(), labels=range(6)))
    fitted = FrozenEstimator(clone(inner).fit(X, Y))
    clf = HierarchicalThresholdClassifier(fitted, hierarchy=hierarchy, **options)
    assert list(clf.fit(X, Y).label_names_) == numbers
    np.testing.assert_allclose(clf.predict_proba(X), fitted.predict_proba(X))
    whole = {"cv": "prefit", "strategy": "label"}
    expected = HierarchicalThresholdClassifier(Says(), hierarchy=DAG, **whole)
    expected.fit(fitted.predict_proba(X), Y)
    np.testing.assert_allclose(
        clf.set_params(**whole).fit(X, Y).thresholds_, expected.thresholds_
    )


def test_the_hierarchy_inside_closes_y_once():
    _, X, Y = task("many")
    leaves = Y.copy()
    leaves[:, [NAMES.index(name) for name in ("mammal", "pet", "bird")]] = 0
    for y in (leaves, pd.DataFrame(leaves, columns=NAMES)):
        clf = HierarchicalThresholdClassifier(FakeHMC(DAG), cv=2)
        with pytest.warns(UserWarning, match="Y is not closed upward") as caught:
            clf.fit(X, y)
        assert len(caught) == 1
    closed = clone(clf).fit(X, close_upward(leaves, DAG))
    np.testing.assert_array_equal(closed.predict_proba(X), clf.predict_proba(X))


def test_splitters_get_the_names_of_columns():
    _, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=NAMES)[sorted(NAMES)]
    cv = MultilabelStratifiedKFold(3, hierarchy=PARENTS)
    clf = HierarchicalThresholdClassifier(FakeHMC(PARENTS), cv=cv).fit(X, frame)
    same = HierarchicalThresholdClassifier(FakeHMC(PARENTS), cv=3).fit(X, frame)
    assert clf.best_score_ == same.best_score_


@pytest.mark.parametrize("inner", [Hierarchy.from_paths(["a/b", "c"]), None])
def test_classes_know_the_hierarchy_inside(inner):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.array(["a/b", "a", "c"])[rng.integers(0, 3, 60)]
    own = CoherentClassifier(LogisticRegression(), inner)
    clf = HierarchicalThresholdClassifier(own).fit(X, y)
    assert clf.hierarchy_ == clf.estimator_.hierarchy_
    assert au_prc_scorer(clf, X, y) == au_prc_scorer(clf.estimator_, X, y)


def test_a_fit_that_fails_leaves_no_half_of_two_fits():
    X, Y = said(60, 3, 0)
    clf = HierarchicalThresholdClassifier(forest()).fit(X, Y)
    clf.set_params(metric=lambda *_: np.nan)
    with pytest.raises(ValueError, match="to return a finite number"):
        clf.fit(X, Y[:, :2])
    for function in (clf.predict, clf.predict_proba):
        with pytest.raises(NotFittedError):
            function(X)


def test_within_a_coherent_classifier():
    _, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=NAMES)[sorted(NAMES)]
    for hierarchy in (None, DAG):
        tuned = HierarchicalThresholdClassifier(logistic(), hierarchy=hierarchy, cv=2)
        clf = CoherentClassifier(tuned, DAG).fit(X, frame)
        plain = CoherentClassifier(logistic(), DAG).fit(X, frame)
        assert clf.strategy_ == "native"
        np.testing.assert_allclose(clf.predict_proba(X), plain.predict_proba(X))


def test_sparse_labels():
    _, X, Y = task("many")
    inner = OneVsRestClassifier(LogisticRegression())
    clf = HierarchicalThresholdClassifier(inner, hierarchy=DAG)
    one, two = clone(clf).fit(X, Y), clone(clf).fit(X, sp.csr_matrix(Y))
    np.testing.assert_array_equal(one.thresholds_, two.thresholds_)
    np.testing.assert_array_equal(one.predict(X), two.predict(sp.csr_matrix(X)))


@pytest.mark.parametrize("y", [["no", "yes"], ["a", "b", "c"]])
def test_one_label_per_sample_is_left_to_the_estimator(y):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.array(y)[rng.integers(0, len(y), 60)]
    clf = HierarchicalThresholdClassifier(LogisticRegression()).fit(X, y)
    inner = LogisticRegression().fit(X, y)
    assert clf.thresholds_ is None and clf.best_score_ is None and clf.closing_ is None
    np.testing.assert_array_equal(clf.predict(X), inner.predict(X))
    np.testing.assert_array_equal(clf.predict_proba(X), inner.predict_proba(X))
    np.testing.assert_array_equal(clf.classes_, inner.classes_)
    assert clf.score(X, y) == inner.score(X, y)


# -- what is fitted, and on what -------------------------------------------------------


def test_fitted_classifiers_stay_as_they_are():
    hierarchy, X, Y = task("many")
    fitted = forest().fit(X[:30], Y[:30])
    options = {"hierarchy": hierarchy, "strategy": "level"}
    prefit = HierarchicalThresholdClassifier(fitted, cv="prefit", **options)
    prefit.fit(X[30:], Y[30:])
    assert prefit.estimator_ is fitted
    frozen = HierarchicalThresholdClassifier(FrozenEstimator(fitted), cv=3, **options)
    frozen.fit(X[30:], Y[30:])
    np.testing.assert_array_equal(frozen.thresholds_, prefit.thresholds_)
    np.testing.assert_array_equal(frozen.predict(X), prefit.predict(X))
    with pytest.raises(NotFittedError):
        HierarchicalThresholdClassifier(forest(), cv="prefit").fit(X, Y)


def test_a_fitted_classifier_with_other_columns():
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=NAMES)
    fitted = FakeHMC(hierarchy).fit(X, frame)
    one, two = (
        HierarchicalThresholdClassifier(fitted, cv="prefit", strategy="label").fit(X, y)
        for y in (frame, frame[NAMES[::-1]])
    )
    assert list(two.label_names_) == NAMES  # as its probabilities are
    np.testing.assert_array_equal(one.thresholds_, two.thresholds_)


@pytest.mark.parametrize("kind", [HierarchicalThresholdClassifier, CoherentClassifier])
def test_a_fitted_classifier_of_other_labels_is_refused(kind):
    hierarchy, X, Y = task("many")
    fitted = FakeHMC(hierarchy).fit(X, pd.DataFrame(Y, columns=NAMES))
    others = pd.DataFrame(Y, columns=[*NAMES[:-1], "else"])
    flat = Hierarchy.flat(list(others.columns))
    message = f"lacks 'else' and has '{NAMES[-1]}' beside"
    with pytest.raises(ValueError, match=message):
        kind(FrozenEstimator(fitted), flat).fit(X, others)
    numbered = kind(FrozenEstimator(fitted), hierarchy).fit(X, Y)  # by order
    assert len(numbered.label_names_) == len(NAMES)


def test_without_refit_the_estimator_of_the_only_split_is_kept():
    _, X, Y = task("many")
    cv = ShuffleSplit(1, test_size=0.3, random_state=0)
    clf = HierarchicalThresholdClassifier(forest(), cv=cv, refit=False).fit(X, Y)
    train, test = next(cv.split(X))
    expected = forest().fit(X[train], Y[train])
    proba = np.transpose([pair[:, 1] for pair in expected.predict_proba(X)])
    np.testing.assert_array_equal(clf.predict_proba(X), proba)
    tuned = hierarchical_f1_score(Y[test], clf.predict(X[test]), Hierarchy.flat(6))
    assert clf.best_score_ == pytest.approx(tuned)
    with pytest.raises(ValueError, match="refit=False keeps .* has 2. Use refit=True"):
        clone(clf).set_params(cv=2).fit(X, Y)


def test_cv_may_be_any_splitter():
    _, X, Y = task("many")
    cv = KFold(3)
    clf = HierarchicalThresholdClassifier(forest(), cv=cv).fit(X, Y)
    groups = np.arange(60) // 20
    by_group = HierarchicalThresholdClassifier(forest(), cv=GroupKFold(3))
    assert by_group.fit(X, Y, groups=groups).best_score_ == clf.best_score_
    listed = HierarchicalThresholdClassifier(forest(), cv=list(cv.split(X)), n_jobs=2)
    with joblib.parallel_backend("threading"):
        assert listed.fit(X, Y).best_score_ == clf.best_score_
    five = HierarchicalThresholdClassifier(forest(), cv=5).fit(X, Y)
    none = HierarchicalThresholdClassifier(forest(), cv=None).fit(X, Y)
    assert none.best_score_ == five.best_score_


# -- in scikit-learn -------------------------------------------------------------------


def test_in_searches_and_cross_validation():
    hierarchy, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(forest(), hierarchy=hierarchy, cv=2)
    scores = cross_val_score(clf, X, Y, cv=KFold(2), scoring=hierarchical_f1_scorer)
    assert scores.shape == (2,) and (scores > 0).all()
    grid = {"strategy": ["global", "label"], "estimator__max_depth": [2, None]}
    search = GridSearchCV(clf, grid, cv=KFold(2), scoring=hierarchical_f1_scorer)
    search.fit(X, Y)
    assert hvr_scorer(search, X, Y) == 0
    assert au_prc_scorer(search, X, Y) == au_prc_score(
        Y, search.predict_proba(X), hierarchy=hierarchy
    )
    pipe = make_pipeline(StandardScaler(), clf).fit(X, Y)
    assert hierarchical_f1_scorer(pipe, X, Y) > 0.5


class Records(MultiOutputClassifier):
    """Keeps the sizes of the weights it is fitted with."""

    seen = []

    def fit(self, X, Y, sample_weight=None):
        Records.seen.append(None if sample_weight is None else len(sample_weight))
        return super().fit(X, Y, sample_weight=sample_weight)


def test_sample_weights_go_to_the_estimator():
    _, X, Y = task("many")
    Records.seen.clear()
    clf = HierarchicalThresholdClassifier(Records(LogisticRegression()), cv=3)
    clf.fit(X, Y, np.ones(60))  # by position, as AdaBoost and others may
    assert Records.seen == [60, 40, 40, 40]
    clf.fit(X, Y)
    assert Records.seen[4:] == [None] * 4
    with pytest.raises(ValueError, match="sample_weight was given, but KNeighbors"):
        HierarchicalThresholdClassifier(KNeighborsClassifier()).fit(
            X, Y, sample_weight=np.ones(60)
        )


def test_metadata_routing():
    _, X, Y = task("many")
    groups, weight = np.arange(60) // 5, np.arange(60.0) + 1
    with sklearn.config_context(enable_metadata_routing=True):
        Records.seen.clear()
        logistic = LogisticRegression().set_fit_request(sample_weight=True)
        inner = Records(logistic).set_fit_request(sample_weight=True)
        clf = HierarchicalThresholdClassifier(inner, cv=GroupKFold(3))
        clf.fit(X, Y, sample_weight=weight, groups=groups)
        assert Records.seen == [60, 40, 40, 40]
        refuses = Records(LogisticRegression().set_fit_request(sample_weight=False))
        clf = HierarchicalThresholdClassifier(refuses, cv=3)
        clf.fit(X, Y, sample_weight=weight)
        assert Records.seen[4:] == [None] * 4
        unset = HierarchicalThresholdClassifier(Records(LogisticRegression()))
        with pytest.raises(ValueError, match="not explicitly set as requested"):
            unset.fit(X, Y, sample_weight=weight)


# -- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"strategy": "leaf"}, "'strategy' parameter .* 'global', 'label', 'level'|"),
        ({"metric": "accuracy"}, "'metric' parameter"),
        ({"shrinkage": -1}, "'shrinkage' parameter"),
        ({"cv": "5"}, "'cv' parameter"),
        ({"cv": 1}, "'cv' parameter"),
        ({"estimator": StandardScaler()}, "'estimator' parameter"),
        ({"hierarchy": [(0, 9)]}, "no positions of the 6 columns"),
    ],
)
def test_wrong_parameters(options, message):
    _, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(forest()).set_params(**options)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, Y)


def test_a_classifier_of_one_label_is_refused():
    X, Y = said(40, 3, 0)

    class One(Says):
        def predict_proba(self, X):
            return np.zeros((len(X), 2))

    with pytest.raises(ValueError, match=r"One predicts .* \(40, 2\), .* \(n_.*, 3\)"):
        HierarchicalThresholdClassifier(One(), cv="prefit").fit(X, Y)


@pytest.mark.parametrize("value", [np.nan, None, np.ones(2)])
def test_metrics_that_are_no_number(value):
    X, Y = said(40, 3, 0)
    clf = HierarchicalThresholdClassifier(Says(), metric=lambda *_: value, cv="prefit")
    with pytest.raises(ValueError, match="to return a finite number, got .*zero_div"):
        clf.fit(X, Y)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        HierarchicalThresholdClassifier(forest()).predict(np.zeros((1, 2)))


def test_an_estimator_of_one_label_says_what_to_put_around_it():
    hierarchy, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(LogisticRegression(), hierarchy=hierarchy)
    message = (
        r"LogisticRegression does not say that it takes several labels, and fails with "
        r"y of several .*1d array.*CoherentClassifier\(LogisticRegression\(...\), hier"
    )
    with pytest.raises(ValueError, match=message):
        clf.fit(X, Y)
    with pytest.raises(ValueError, match="^This solver needs samples of at least 2"):
        clf.set_params(hierarchy=None).fit(X, np.zeros(len(X), int))


def test_levels_without_a_hierarchy_warn():
    _, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(KNeighborsClassifier(), strategy="level")
    with pytest.warns(UserWarning, match="without levels: no hierarchy .* KNeighbors"):
        clf.fit(X, Y)
    assert len(set(clf.thresholds_)) == 1


def test_a_metric_may_ask_for_the_hierarchy_and_is_no_scorer():
    hierarchy, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(KNeighborsClassifier(), hierarchy)
    found = []

    def metric(Y_true, Y_pred, hierarchy):
        found.append(hierarchy)
        return hierarchical_f1_score(Y_true, Y_pred, hierarchy)

    clf.set_params(metric=metric).fit(X, Y)
    assert found and all(one == hierarchy for one in found)
    scorers = [get_scorer("hierarchical_f1"), make_scorer(f1_score, average="macro")]
    for scorer in scorers:
        with pytest.raises(InvalidParameterError, match="got the scorer .* Give"):
            clf.set_params(metric=scorer).fit(X, Y)
    clf.set_params(metric=max)  # a built-in function without a signature
    with pytest.raises((TypeError, ValueError)):
        clf.fit(X, Y)


def test_weights_per_label_follow_the_order_of_a_fitted_classifier():
    """A frame in another order than the classifier's, with weights in its own order."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    Y = pd.DataFrame(X + rng.normal(size=X.shape) > 0, columns=["a", "b"]).astype(int)
    weight = np.ones((60, 2))
    weight[(Y["b"] == 0) & (X[:, 1] > -0.5), 1] = 0  # unknown for "b" alone
    fitted = CoherentClassifier(LogisticRegression()).fit(X, Y)

    def thresholds(columns, weight):
        clf = HierarchicalThresholdClassifier(
            FrozenEstimator(fitted), strategy="label", shrinkage=0
        )
        clf.fit(X, Y[columns], sample_weight=weight)
        return dict(zip(clf.label_names_, clf.thresholds_, strict=True))

    found = thresholds(["a", "b"], weight)
    assert thresholds(["b", "a"], weight[:, ::-1]) == found
    assert thresholds(["b", "a"], pd.DataFrame(weight, columns=["a", "b"])) == found
    assert thresholds(["b", "a"], weight) != found

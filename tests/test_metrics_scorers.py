import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    LearningCurveDisplay,
    RandomizedSearchCV,
    ValidationCurveDisplay,
    cross_val_score,
    cross_validate,
)
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skhmc import Hierarchy, metrics
from skhmc.coherence import close_upward
from skhmc.metrics import (
    HierarchicalScorer,
    HierarchicalViolationRate,
    au_prc_score,
    au_prc_scorer,
    get_scorer,
    get_scorer_names,
    hierarchical_f1_score,
    hierarchical_f1_scorer,
    hierarchical_violation_rate,
    hvr_scorer,
)
from tests.fake_estimators import FakeHMC

NAMES = ["root", "a", "b", "a1", "a2"]
TREE = Hierarchy(NAMES, [("root", "a"), ("root", "b"), ("a", "a1"), ("a", "a2")])
READY = [hvr_scorer, au_prc_scorer, hierarchical_f1_scorer]


def data(n=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    noise = rng.normal(size=(n, 5))
    Y = (X @ rng.normal(size=(4, 5)) + 2 * noise > 2.5).astype(int)
    return X, close_upward(Y, TREE)


X, Y = data()
FRAME = pd.DataFrame(Y, columns=NAMES)
LINEAR = MultiOutputClassifier(LogisticRegression())
FITTED = FakeHMC(TREE).fit(X, Y)
RAW = FITTED.predict_raw(X)
RAW_RATE = hierarchical_violation_rate(RAW, TREE)


def wrapped(estimator):
    """The estimator in everything a scorer must look through."""
    grid = {"alpha": [0.1, 1.0]}
    pipeline = make_pipeline(StandardScaler(), clone(estimator))
    named = {f"fakehmc__{key}": value for key, value in grid.items()}
    return {
        "plain": estimator,
        "pipeline": pipeline,
        "search": GridSearchCV(estimator, grid, scoring=au_prc_scorer, cv=2),
        "search of pipeline": GridSearchCV(pipeline, named, scoring=hvr_scorer, cv=2),
        "pipeline of search": make_pipeline(
            StandardScaler(), GridSearchCV(estimator, grid, scoring=hvr_scorer, cv=2)
        ),
        "frozen": FrozenEstimator(clone(estimator).fit(X, Y)),
        "frozen pipeline": FrozenEstimator(clone(pipeline).fit(X, Y)),
        "selection": RFE(estimator, n_features_to_select=2, importance_getter=weights),
        "holder": Holder(estimator),
    }


def weights(estimator):
    return estimator.coef_[:-1].T


class Holder(ClassifierMixin, BaseEstimator):
    """A meta-estimator that keeps its fitted estimator in ``estimator_``."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, Y):
        self.estimator_ = clone(self.estimator).fit(X, Y)
        return self

    def predict(self, X):
        return self.estimator_.predict(X)

    def predict_proba(self, X):
        return self.estimator_.predict_proba(X)


class Fixed(ClassifierMixin, BaseEstimator):
    """Predicts what it was made with."""

    def __init__(self, prediction=None, proba=None, **attributes):
        self.prediction = prediction
        self.proba = proba
        vars(self).update(attributes)

    def predict(self, X):
        return self.prediction

    def predict_proba(self, X):
        return self.proba


# -- the violation rate ----------------------------------------------------------


def test_negated_and_zero_is_not_minus_zero():
    assert HierarchicalViolationRate()(FITTED, X, Y) == 0
    assert not np.signbit(HierarchicalViolationRate()(FITTED, X, Y))
    linear = LINEAR.fit(X, Y)
    rate = hierarchical_violation_rate(linear.predict(X), TREE, unit="edge")
    assert rate > 0
    assert HierarchicalViolationRate(TREE, unit="edge")(linear, X, Y) == -rate
    without = hierarchical_violation_rate(linear.predict(X), TREE, exclude="roots")
    assert HierarchicalViolationRate(TREE, exclude="roots")(linear, X) == -without


def test_raw_judges_predictions_before_the_coherence_step():
    assert RAW_RATE > 0
    assert HierarchicalViolationRate(raw=True)(FITTED, X, Y) == -RAW_RATE
    linear = LINEAR.fit(X, Y)  # has no coherence step: its plain predictions
    scores = [HierarchicalViolationRate(TREE, raw=r)(linear, X) for r in (False, True)]
    assert scores[0] == scores[1] < 0


@pytest.mark.parametrize("name", wrapped(FakeHMC(TREE)))
@pytest.mark.parametrize("raw", [False, True])
def test_hierarchy_and_raw_predictions_are_found_inside(name, raw):
    estimator = wrapped(FakeHMC(TREE))[name].fit(X, Y)
    score = HierarchicalViolationRate(raw=raw)(estimator, X, Y)
    if name in ("plain", "frozen", "holder"):
        assert score == (-RAW_RATE if raw else 0)
    elif raw:
        assert -1 < score < 0
    else:
        assert score == 0
    assert 0 < hierarchical_f1_scorer(estimator, X, Y) <= 1


def test_raw_predictions_get_the_transformed_samples():
    double = FunctionTransformer(lambda X: 2 * X)
    half = FunctionTransformer(lambda X: X / 2)
    pipeline = make_pipeline(double, half, FakeHMC(TREE)).fit(X, Y)
    assert HierarchicalViolationRate(raw=True)(pipeline, X) == -RAW_RATE
    nested = make_pipeline(double, make_pipeline(half, FakeHMC(TREE))).fit(X, Y)
    assert HierarchicalViolationRate(raw=True)(nested, X) == -RAW_RATE


@pytest.mark.parametrize("scorer", [hvr_scorer, hierarchical_f1_scorer])
@pytest.mark.parametrize("pipe", [False, True])
def test_without_a_hierarchy_it_says_to_pass_one(scorer, pipe):
    model = make_pipeline(StandardScaler(), LINEAR) if pipe else LINEAR
    name = type(scorer).__name__
    message = rf"{name} found no hierarchy_ in .*Pass .* {name}\(.*hierarchy=\.\.\.\)"
    with pytest.raises(ValueError, match=message):
        scorer(model.fit(X, Y), X, Y)


def test_an_unfitted_or_learnt_hierarchy_is_not_used():
    search = GridSearchCV(
        FakeHMC(TREE), {"alpha": [1]}, scoring=hvr_scorer, cv=2, refit=False
    ).fit(X, Y)
    learnt = Fixed(Y, learned_hierarchy_=TREE)
    for estimator in (search, learnt):
        with pytest.raises(ValueError, match="found no hierarchy_"):
            hvr_scorer(estimator, X, Y)


def test_a_hierarchy_without_edges_warns():
    with pytest.warns(UserWarning, match="has no edge, .* says nothing"):
        assert hvr_scorer(FakeHMC().fit(X, Y), X, Y) == 0


@pytest.mark.parametrize("scorer", READY, ids=["hvr", "au_prc", "f1"])
def test_dict_scoring_and_refit(scorer):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), FakeHMC(TREE)),
        {"fakehmc__alpha": [0.1, 10.0]},
        scoring={"chosen": scorer, "raw": HierarchicalViolationRate(raw=True)},
        refit="chosen",
        cv=3,
        error_score="raise",
    ).fit(X, Y)
    assert set(search.cv_results_["mean_test_raw"] < 0) == {True}
    assert search.score(X, Y) == scorer(search.best_estimator_, X, Y)


def test_cross_validation_and_searches():
    scorer = HierarchicalViolationRate(raw=True)
    options = {"cv": KFold(3), "error_score": "raise"}
    scores = cross_val_score(FakeHMC(TREE), X, Y, scoring=scorer, **options)
    assert scores.shape == (3,) and (scores < 0).any()
    by_hand = []
    for train, test in KFold(3).split(X):
        model = FakeHMC(TREE).fit(X[train], Y[train])
        by_hand.append(-hierarchical_violation_rate(model.predict_raw(X[test]), TREE))
    np.testing.assert_array_equal(scores, by_hand)
    several = {name: get_scorer(name) for name in get_scorer_names()}
    table = cross_validate(FakeHMC(TREE), X, Y, scoring=several, **options)
    np.testing.assert_array_equal(table["test_hvr_raw"], scores)
    assert (table["test_hvr"] == 0).all() and (table["test_au_prc"] > 0.3).all()
    grid = {"alpha": [0.1, 1.0]}
    inner = GridSearchCV(FakeHMC(TREE), grid, scoring=scorer, **options)
    assert (cross_val_score(inner, X, Y, scoring=hvr_scorer, **options) == 0).all()
    randomized = RandomizedSearchCV(
        FakeHMC(TREE), grid, n_iter=2, scoring=scorer, random_state=0, **options
    )
    assert randomized.fit(X, Y).best_score_ < 0


def test_explicit_hierarchy_with_multi_output_classifier():
    scoring = {
        "hvr": HierarchicalViolationRate(TREE),
        "hf1": HierarchicalScorer(hierarchical_f1_score, TREE),
        "au_prc": au_prc_scorer,
    }
    options = {"cv": 3, "error_score": "raise"}
    table = cross_validate(LINEAR, X, FRAME, scoring=scoring, **options)
    assert (table["test_hvr"] < 0).any() and (table["test_hf1"] > 0.5).all()
    search = GridSearchCV(
        LINEAR, {"estimator__C": [0.1, 1]}, scoring=scoring, refit="hvr", **options
    ).fit(X, Y)
    assert search.best_score_ == search.cv_results_["mean_test_hvr"].max()


@pytest.mark.slow
def test_in_two_processes():
    options = {"cv": 2, "n_jobs": 2, "error_score": "raise"}
    table = cross_validate(
        LINEAR,
        X,
        Y,
        scoring={"hvr": HierarchicalViolationRate(TREE), "au_prc": au_prc_scorer},
        **options,
    )
    alone = cross_val_score(LINEAR, X, Y, scoring=HierarchicalViolationRate(TREE), cv=2)
    np.testing.assert_array_equal(table["test_hvr"], alone)


# -- names of labels ---------------------------------------------------------------


def test_labels_are_matched_by_name():
    order = ["a2", "root", "b", "a1", "a"]
    model = FakeHMC(TREE).fit(X, FRAME[order])
    edges = [("root", "a"), ("root", "b"), ("a", "a1"), ("a", "a2")]
    for given in (TREE, edges, None):
        assert HierarchicalViolationRate(given)(model, X, FRAME) == 0
        scorer = HierarchicalScorer(hierarchical_f1_score, given)
        expected = hierarchical_f1_score(FRAME[order], model.predict(X), edges)
        assert scorer(model, X, FRAME) == pytest.approx(expected)
    linear = LINEAR.fit(X, FRAME[order])  # its columns follow those of y
    rate = hierarchical_violation_rate(linear.predict(X), TREE.subset(order))
    assert HierarchicalViolationRate(TREE)(linear, X, FRAME[order]) == -rate
    frame = Fixed(pd.DataFrame(linear.predict(X), columns=order))
    assert HierarchicalViolationRate(TREE)(frame, X, FRAME) == -rate


def test_labels_that_are_numbers_stand_for_columns():
    model = FakeHMC().fit(X, Y)  # label_names_ are 0 ... 4
    rate = hierarchical_violation_rate(model.predict(X), TREE)
    assert HierarchicalViolationRate(TREE)(model, X, Y) == -rate
    numbers = [(0, 1), (0, 2), (1, 3), (1, 4)]
    assert HierarchicalViolationRate(numbers)(model, X, Y) == -rate
    assert HierarchicalViolationRate(TREE)(model, X, FRAME) == -rate


def test_names_that_differ():
    model = FakeHMC(TREE).fit(X, Y)
    other = Hierarchy(["root", "a", "b", "a1", "x"])
    with pytest.raises(ValueError, match="Only in Y: 'a2'. Only in the hierarchy: 'x'"):
        HierarchicalViolationRate(other)(model, X, Y)


def test_label_sets_as_lists_of_names():
    lists = [[NAMES[j] for j in np.flatnonzero(row)] for row in Y]
    for scorer in READY:
        assert scorer(FITTED, X, lists) == scorer(FITTED, X, Y)
    with pytest.raises(ValueError, match="y_true holds labels .* does not have: 'z'"):
        hierarchical_f1_scorer(FITTED, X, [["z"]] * len(X))


# -- forms of predictions ----------------------------------------------------------


def test_sparse_predictions_and_truth():
    sparse = Fixed(sp.csr_matrix(RAW), hierarchy_=TREE)
    assert hvr_scorer(sparse, X, sp.csr_matrix(Y)) == -RAW_RATE
    f1 = hierarchical_f1_score(Y, RAW, TREE)
    assert hierarchical_f1_scorer(sparse, X, sp.csr_matrix(Y)) == f1


def test_probabilities_as_array_list_and_decision():
    expected = average_precision_score(Y, FITTED.predict_proba(X), average="micro")
    assert au_prc_scorer(FITTED, X, Y) == pytest.approx(expected)
    columns = [np.column_stack([1 - p, p]) for p in FITTED.predict_proba(X).T]
    assert au_prc_scorer(Fixed(proba=columns), X, Y) == pytest.approx(expected)
    chain = ClassifierChain(LogisticRegression()).fit(X, Y)
    proba = chain.predict_proba(X)
    assert au_prc_scorer(chain, X, Y) == pytest.approx(au_prc_score(Y, proba))

    class Decides:
        def decision_function(self, X):
            return FITTED.decision_function(X)

    assert au_prc_scorer(Decides(), X, Y) == pytest.approx(expected)


def test_labels_of_one_class_in_a_list_of_probabilities():
    classes = [np.array([0, 1]), np.array([0]), np.array([1]), np.array([1, 0])]
    p = np.array([0.9, 0.2, 0.6])
    half = np.column_stack([1 - p, p])
    one = np.ones((3, 1))
    model = Fixed(proba=[half, one, one, half[:, ::-1]], classes_=classes)
    true = np.array([[1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    score = np.column_stack([p, p * 0, p * 0 + 1, p])
    assert au_prc_scorer(model, X[:3], true) == au_prc_score(true, score)
    model = Fixed(proba=[half, one])
    with pytest.raises(ValueError, match=r"\[1, 2\] columns .* no classes_"):
        au_prc_scorer(model, X[:3], true[:, :2])


def test_closes_the_truth_when_it_finds_a_hierarchy():
    open_ = Y.copy()
    open_[Y[:, 3] == 1, 1] = 0
    assert au_prc_scorer(FITTED, X, open_) == au_prc_scorer(FITTED, X, Y)
    plain = Fixed(proba=FITTED.predict_proba(X))
    assert au_prc_scorer(plain, X, open_) != au_prc_scorer(plain, X, Y)


def test_unknown_labels():
    unknown = Y.astype(float)
    unknown[np.random.default_rng(1).random(Y.shape) < 0.2] = np.nan
    options = {"cv": KFold(3), "error_score": "raise"}
    scoring = {name: get_scorer(name) for name in get_scorer_names()}
    table = cross_validate(FakeHMC(TREE), X, unknown, scoring=scoring, **options)
    assert all(np.isfinite(table[f"test_{name}"]).all() for name in scoring)
    expected = au_prc_score(unknown, FITTED.predict_proba(X), hierarchy=TREE)
    assert au_prc_scorer(FITTED, X, unknown) == expected


def test_one_label_per_sample():
    y = np.array(["a1", "a2", "b", "a"])
    model = Fixed(
        np.array(["a2", "a2", "b", "a1"]),
        np.array([[0, 0.4, 0.6, 0], [0, 0.3, 0.7, 0], [0, 0, 0.1, 0.9], [1, 0, 0, 0]]),
        hierarchy_=TREE,
        classes_=np.array(["a", "a1", "a2", "b"]),
    )
    assert hvr_scorer(model, X[:4], y) == 0
    # closed true: 3 3 2 2 labels, predicted: 3 3 2 3, in common: 2 3 2 2
    assert hierarchical_f1_scorer(model, X[:4], y) == 2 * 9 / (10 + 11)
    assert hierarchical_f1_scorer(model, X[:4], pd.Series(y)) == 2 * 9 / (10 + 11)
    assert hierarchical_f1_scorer(model, X[:4], y.tolist()) == 2 * 9 / (10 + 11)
    # P(root) = 1, P(a) = P(a and below), ...
    score = [[1, 1, 0, 0.4, 0.6], [1, 1, 0, 0.3, 0.7], [1, 0.1, 0.9, 0, 0.1]]
    score += [[1, 1, 0, 0, 0]]
    true = [[1, 1, 0, 1, 0], [1, 1, 0, 0, 1], [1, 0, 1, 0, 0], [1, 1, 0, 0, 0]]
    expected = au_prc_score(true, score)
    assert au_prc_scorer(model, X[:4], y) == pytest.approx(expected)
    with pytest.raises(ValueError, match="Expected labels of the hierarchy .*got 'z'"):
        hierarchical_f1_scorer(model, X[:4], ["z"] * 4)


def test_multiclass_scores_of_scikit_learn():
    y = np.array(["a1", "a2", "b"])[X[:, :3].argmax(axis=1)]
    options = {"scoring": HierarchicalScorer(hierarchical_f1_score, TREE), "cv": 3}
    scores = cross_val_score(LogisticRegression(), X, y, error_score="raise", **options)
    assert (scores > 0.8).all()
    flat = cross_val_score(LogisticRegression(), X, y, scoring=au_prc_scorer, cv=3)
    assert (flat > 0.8).all()
    decides = Fixed(proba=np.zeros(len(X)), classes_=np.array([0, 1]))
    with pytest.raises(ValueError, match="1-D y needs probabilities of shape"):
        au_prc_scorer(decides, X, y)


# -- scikit-learn's protocol -------------------------------------------------------


def test_pickle_copy_and_repr():
    tree = HierarchicalViolationRate(TREE, unit="edge", raw=True)
    assert repr(tree) == (
        "HierarchicalViolationRate(hierarchy=Hierarchy(5 labels, 4 edges, tree of "
        "depth 2),\n                          unit='edge', raw=True)"
    )
    assert repr(hvr_scorer) == "HierarchicalViolationRate()"
    assert repr(hierarchical_f1_scorer) == "HierarchicalScorer(hierarchical_f1_score)"
    copy = pickle.loads(pickle.dumps(tree))
    assert repr(copy) == repr(tree) and copy(FITTED, X) == tree(FITTED, X)
    search = GridSearchCV(FakeHMC(), {"alpha": [1]}, scoring=tree)
    assert repr(clone(search).scoring) == repr(tree)


def test_sample_weight():
    counts = np.random.default_rng(0).integers(0, 3, len(X))
    repeated = np.repeat(np.arange(len(X)), counts)
    for scorer in (au_prc_scorer, hierarchical_f1_scorer):
        weighted = scorer(FITTED, X, Y, sample_weight=counts)
        assert weighted == pytest.approx(scorer(FITTED, X[repeated], Y[repeated]))
    with pytest.raises(ValueError, match="violation_rate takes no sample_weight"):
        hvr_scorer(FITTED, X, Y, sample_weight=counts)


def test_metadata_routing():
    counts = np.random.default_rng(0).integers(1, 3, len(X))
    estimator = FakeHMC(TREE)
    options = {"cv": KFold(3), "error_score": "raise"}
    plain = cross_validate(estimator, X, Y, scoring={"s": au_prc_scorer}, **options)
    with config_context(enable_metadata_routing=True):
        estimator.set_fit_request(sample_weight=False)
        scoring = {
            "s": get_scorer("au_prc").set_score_request(sample_weight=True),
            "not": get_scorer("au_prc").set_score_request(sample_weight=False),
            "hvr": hvr_scorer,
        }
        options["params"] = {"sample_weight": counts}
        routed = cross_validate(estimator, X, Y, scoring=scoring, **options)
        one = cross_val_score(estimator, X, Y, scoring=scoring["s"], **options)
        with pytest.raises(ValueError, match="sample_weight"):
            cross_val_score(estimator, X, Y, scoring=au_prc_scorer, **options)
    np.testing.assert_array_equal(routed["test_not"], plain["test_s"])
    assert (routed["test_s"] != plain["test_s"]).any()
    np.testing.assert_array_equal(one, routed["test_s"])
    with pytest.raises(TypeError, match=r"cannot request \['sample_weight'\]"):
        hvr_scorer.set_score_request(sample_weight=True)


def test_names():
    assert get_scorer_names() == sorted(get_scorer_names())
    for name in get_scorer_names():
        assert get_scorer(name)(FITTED, X, Y) <= 1
    assert repr(get_scorer("hvr_raw")) == "HierarchicalViolationRate(raw=True)"
    with pytest.raises(ValueError, match="'hrv' is not a scorer .*'au_prc'"):
        get_scorer("hrv")
    assert sorted(metrics.__all__) == metrics.__all__


@pytest.mark.parametrize(
    "scorer, message",
    [
        (HierarchicalScorer(au_prc_score, response_method="x"), "one of .* got 'x'"),
        (
            HierarchicalScorer(au_prc_score, response_method="predict_proba", raw=True),
            "raw=True needs a metric of predict",
        ),
        (HierarchicalViolationRate(unit="row"), "unit must be one of"),
    ],
)
def test_wrong_options(scorer, message):
    with pytest.raises(ValueError, match=message):
        scorer(FITTED, X, Y)


def test_missing_y_and_responses():
    with pytest.raises(ValueError, match="hierarchical_f1_score needs y, got None"):
        hierarchical_f1_scorer(FITTED, X)
    with pytest.raises(ValueError, match="neither predict_proba nor decision_function"):
        au_prc_scorer(object(), X, Y)


def test_a_metric_of_scores_judges_probabilities():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    Y = (X[:, :2] + rng.normal(size=(80, 2)) > 0).astype(int)
    clf = RandomForestClassifier(5, random_state=0).fit(X[:40], Y[:40])
    proba = np.column_stack([p[:, 1] for p in clf.predict_proba(X[40:])])
    found = HierarchicalScorer(au_prc_score)(clf, X[40:], Y[40:])
    assert found == au_prc_score(Y[40:], proba)
    cut = HierarchicalScorer(au_prc_score, response_method="predict")
    assert cut(clf, X[40:], Y[40:]) == au_prc_score(Y[40:], clf.predict(X[40:])) < found


# -- misspelt options, and displays ----------------------------------------------------


def takes_any(y_true, y_score, *, hierarchy=None, **kwargs):
    return float(np.mean(y_score))


def takes_some(y_true, y_pred, *, hierarchy=None, average="micro"):
    return 1.0


def wants_response(y_true, y_pred, *, hierarchy=None, response=None, **kwargs):
    return float(response)


@pytest.mark.parametrize(
    "name",
    [
        "response",
        "response_methods",
        "responsemethod",
        "Response_method",
        "needs_proba",
    ],
)
@pytest.mark.parametrize("metric", [takes_any, takes_some, au_prc_score])
def test_a_misspelt_option_is_no_argument_of_the_metric(metric, name):
    message = f"{name}='predict' is no option .* Did you mean response_method="
    with pytest.raises(TypeError, match=message):
        HierarchicalScorer(metric, **{name: "predict"})


@pytest.mark.parametrize(
    "name, meant",
    [
        ("greater_is_beter", "greater_is_better"),
        ("greater", "greater_is_better"),
        ("hierachy", "hierarchy"),
        ("RAW", "raw"),
    ],
)
def test_every_option_is_recognised(name, meant):
    with pytest.raises(TypeError, match=f"Did you mean {meant}=...?"):
        HierarchicalScorer(takes_any, **{name: True})


def test_arguments_that_a_metric_has_are_its_own():
    assert HierarchicalScorer(takes_any, beta=2.0, power=3).kwargs["power"] == 3
    scorer = HierarchicalScorer(wants_response, response=0.25)  # it says so itself
    assert scorer(FITTED, X, Y) == 0.25
    with pytest.raises(TypeError, match="beta=2.0 is no option .* average.$"):
        HierarchicalScorer(takes_some, beta=2.0)
    clone(HierarchicalScorer(takes_some, average="samples"), safe=False)
    assert HierarchicalScorer(max, key=1).kwargs == {"key": 1}  # does not say


def test_names_for_displays():
    assert hierarchical_f1_scorer.__name__ == "hierarchical_f1_score"
    assert hvr_scorer.__name__ == "neg_hierarchical_violation_rate"
    assert HierarchicalScorer(partial(partial(takes_any))).__name__ == "takes_any"
    assert HierarchicalScorer.__name__ == "HierarchicalScorer"
    assert pickle.loads(pickle.dumps(hvr_scorer)).__name__ == hvr_scorer.__name__


def test_displays_of_scikit_learn():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    options = {"scoring": hierarchical_f1_scorer, "cv": KFold(2)}
    display = LearningCurveDisplay.from_estimator(
        FakeHMC(TREE), X, Y, train_sizes=[0.5, 1.0], **options
    )
    assert display.ax_.get_ylabel() == "Hierarchical f1 score"
    expected = cross_val_score(FakeHMC(TREE), X, Y, **options)
    np.testing.assert_array_equal(display.test_scores[1], expected)
    options["scoring"] = hvr_scorer
    display = ValidationCurveDisplay.from_estimator(
        FakeHMC(TREE), X, Y, param_name="alpha", param_range=[0.1, 1.0], **options
    )
    assert display.ax_.get_ylabel() == "Negative hierarchical violation rate"
    np.testing.assert_array_equal(display.test_scores, np.zeros((2, 2)))
    matplotlib.pyplot.close("all")

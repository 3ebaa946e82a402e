"""CoherentClassifier around the classifiers of scikit-learn, and around ours."""

import pickle
import re
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import (
    estimator_checks_generator,
    parametrize_with_checks,
)
from sklearn.utils.validation import has_fit_parameter

from skhmc import CoherentClassifier, Hierarchy
from skhmc._data.weights import smoothed_rates
from skhmc.coherence import (
    average_constraint,
    close_upward,
    isotonic_constraint,
    max_constraint,
    min_constraint,
    product_constraint,
    score_violations,
    violations,
)
from skhmc.metrics import HierarchicalViolationRate, get_scorer, hvr_scorer
from tests.contract import (
    DAG,
    TREE,
    assert_same,
    baseline,
    dense,
    every_score,
    looks,
    problem,
    replayed,
    task,
)
from tests.instances import FAST

CONSTRAINTS = {
    "max": max_constraint,
    "min": min_constraint,
    "isotonic": isotonic_constraint,
    "product": product_constraint,
    "average": average_constraint,
}
every_size = pytest.mark.parametrize("n_labels", [1, 2, 3, 5])
every_format = pytest.mark.parametrize("proba_format", ["array", "list"])


def logistic():
    return LogisticRegression(max_iter=1000)  # as in tests.contract.baseline


def forest():
    return RandomForestClassifier(5, random_state=0)


INNER = [
    logistic(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    KNeighborsClassifier(),
]
every_inner = pytest.mark.parametrize("inner", INNER, ids=lambda e: type(e).__name__)


@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")  # one class, by design
@parametrize_with_checks([CoherentClassifier(logistic())])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")
@parametrize_with_checks([CoherentClassifier(clone(INNER[1]))])
def test_checks_of_scikit_learn_around_other_classifiers(estimator, check):
    check(estimator)


def checks_without_weights(inner):
    """Return scikit-learn's checks around a classifier that takes no weights."""
    pairs = estimator_checks_generator(CoherentClassifier(inner))
    return [
        pytest.param(estimator, check, id=check.func.__name__)
        for estimator, check in pairs
        if "sample_weight" not in check.func.__name__
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")
@pytest.mark.parametrize(
    "estimator, check", checks_without_weights(KNeighborsClassifier())
)
def test_checks_around_a_classifier_that_takes_no_weights(estimator, check):
    check(estimator)


# -- classifiers of scikit-learn -------------------------------------------------------

NATIVE = [
    ClassifierChain(logistic()),
    DecisionTreeClassifier(max_depth=3),
    ExtraTreesClassifier(5),
    GridSearchCV(DecisionTreeClassifier(), {"max_depth": [2, 3]}, cv=2),
    KNeighborsClassifier(),
    MLPClassifier((8,), solver="lbfgs", alpha=1.0, max_iter=5000, random_state=0),
    MultiOutputClassifier(logistic()),
    OneVsRestClassifier(logistic()),
    RandomForestClassifier(5),
    make_pipeline(StandardScaler(), ExtraTreeClassifier()),
]
PER_LABEL = [
    AdaBoostClassifier(n_estimators=3),
    BaggingClassifier(LogisticRegression(), 3),
    BernoulliNB(binarize=3.0),
    CalibratedClassifierCV(LinearSVC(), cv=2),
    ComplementNB(),
    GaussianNB(),
    GaussianProcessClassifier(),
    GradientBoostingClassifier(n_estimators=3),
    GridSearchCV(logistic(), {"C": [0.1, 1]}, cv=2),
    HistGradientBoostingClassifier(max_iter=3),
    LinearDiscriminantAnalysis(),
    QuadraticDiscriminantAnalysis(),
    StackingClassifier([("lda", LinearDiscriminantAnalysis())], logistic(), cv=2),
    VotingClassifier([("a", logistic()), ("b", GaussianNB())], voting="soft"),
    make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss")),
]


def identify(estimator):
    last = getattr(estimator, "steps", [[None, estimator]])[-1][1]
    return f"{type(estimator).__name__}-{type(last).__name__}"


@every_size
@pytest.mark.parametrize("inner", NATIVE + PER_LABEL, ids=identify)
def test_any_classifier_becomes_coherent(inner, n_labels):
    hierarchy, X, Y = problem(n_labels)
    X = X - X.min()  # for naive Bayes
    clf = CoherentClassifier(inner, hierarchy).fit(X, Y)
    assert clf.strategy_ == ("native" if inner in NATIVE else "per_label")
    proba, raw = clf.predict_proba(X), clf.raw_predict_proba(X)
    assert proba.shape == raw.shape == Y.shape
    expected = average_constraint(raw, hierarchy)  # the default
    np.testing.assert_allclose(proba, expected, atol=1e-15)
    assert score_violations(proba, hierarchy).nnz == 0
    np.testing.assert_array_equal(clf.predict(X), proba > 0.5)
    areas = [roc_auc_score(y, p) for y, p in zip(Y.T, raw.T, strict=True)]
    assert np.mean(areas) > 0.6


@every_size
@pytest.mark.parametrize("strategy", ["auto", "native", "per_label"])
@pytest.mark.parametrize("tree", [True, False])
def test_raw_probabilities_are_the_estimator_s(n_labels, strategy, tree):
    hierarchy, X, Y = problem(n_labels)
    inner = DecisionTreeClassifier(max_depth=3, random_state=0) if tree else logistic()
    if strategy == "native" and not tree:
        inner = MultiOutputClassifier(inner)
    clf = CoherentClassifier(inner, hierarchy, strategy=strategy).fit(X, Y)
    single = (strategy == "per_label") or not tree
    if single:
        one = clone(getattr(inner, "estimator", inner))
        expected = MultiOutputClassifier(one).fit(X, Y).predict_proba(X)
    else:
        expected = clone(inner).fit(X, Y.ravel() if n_labels == 1 else Y)
        expected = expected.predict_proba(X)
        expected = [expected] if n_labels == 1 else expected
    np.testing.assert_array_equal(clf.raw_predict_proba(X), dense(expected))
    assert_same(clf.predict_raw(X), (dense(expected) > 0.5).astype(int))


def test_one_forest_per_label_says_what_a_multi_output_classifier_says():
    hierarchy, X, Y = problem(5)
    clf = CoherentClassifier(forest(), hierarchy, strategy="per_label").fit(X, Y)
    theirs = dense(MultiOutputClassifier(forest()).fit(X, Y).predict_proba(X))
    assert (theirs == 0).any() and (theirs == 1).any()
    np.testing.assert_array_equal(clf.raw_predict_proba(X), theirs)


def test_the_strategy_can_be_chosen():
    hierarchy, X, Y = problem(5)
    clf = CoherentClassifier(forest(), hierarchy, strategy="per_label").fit(X, Y)
    assert len(clf.estimator_.estimators_) == 5
    clf = CoherentClassifier(logistic(), hierarchy, strategy="native")
    with pytest.raises(ValueError, match="y should be a 1d array"):
        clf.fit(X, Y)


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers what it was given, and predicts what it is told."""

    def __init__(self, proba=None):
        self.proba = proba

    def fit(self, X, y, **params):
        self.X_, self.y_, self.params_ = X, y, params
        return self

    def predict_proba(self, X):
        return self.proba

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@pytest.mark.parametrize("form", [np.uint8, np.float32, bool, "csr", "frame"])
def test_the_estimator_gets_x_untouched_and_closed_int64_labels(form):
    hierarchy, X, Y = task("many")
    leaves = np.zeros_like(Y)
    leaves[:, hierarchy.leaves] = Y[:, hierarchy.leaves]
    if form == "csr":
        given = sp.csr_matrix(leaves)
    elif form == "frame":
        given = pd.DataFrame(leaves, columns=hierarchy.labels)
    else:
        given = leaves.astype(form)
    clf = CoherentClassifier(Recorder(), hierarchy)
    with pytest.warns(UserWarning, match="Y is not closed upward") as caught:
        clf.fit(X, given)
    assert len(caught) == 1
    assert clf.estimator_.X_ is X
    assert looks(clf.estimator_.y_) == (np.ndarray, Y.shape, "i")
    assert clf.estimator_.y_.dtype == np.int64
    closed = max_constraint(leaves, hierarchy)
    np.testing.assert_array_equal(clf.estimator_.y_, closed)


def test_a_wrong_number_of_columns_is_an_error():
    hierarchy, X, Y = problem(5)
    clf = CoherentClassifier(Recorder(np.zeros((60, 3))), hierarchy).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"Recorder .* shape \(60, 3\), .*, 5\), one column per label"
    ):
        clf.predict(X)


def test_many_labels_keep_their_columns_in_an_mlp():
    rng = np.random.default_rng(0)
    Y = (rng.random((60, 300)) < 0.5).astype(np.uint8)
    clf = CoherentClassifier(MLPClassifier((), max_iter=600, solver="lbfgs"))
    assert (clf.fit(Y - 0.5, Y).predict(Y - 0.5) == Y).mean() > 0.95  # it copies X


# -- rules -----------------------------------------------------------------------------


@pytest.mark.parametrize("inner", [logistic(), INNER[1]], ids=["logistic", "tree"])
@pytest.mark.parametrize("coherence", CONSTRAINTS)
@pytest.mark.parametrize("kind", ["many", "paths"])
def test_the_rule_may_change_after_fit(inner, coherence, kind):
    hierarchy, X, Y = task(kind)
    options = {"coherence": None, "strategy": "per_label"}
    clf = CoherentClassifier(inner, hierarchy, **options).fit(X, Y)
    raw = clf.raw_predict_proba(X)
    assert score_violations(raw, hierarchy).nnz > 0
    assert_same(clf.predict_proba(X), raw)
    clf.set_params(coherence=coherence)
    if (kind, coherence) == ("many", "isotonic"):
        for function in (clf.predict, clf.predict_proba):
            with pytest.raises(ValueError, match="needs a tree, but label"):
                function(X)
        with pytest.raises(ValueError, match="needs a tree, but label 'cat' has the"):
            clone(clf).fit(X, Y)
        return
    proba = clf.predict_proba(X)
    expected = CONSTRAINTS[coherence](raw, hierarchy)
    np.testing.assert_allclose(proba, expected, atol=1e-15)
    assert score_violations(proba, hierarchy).nnz == 0
    assert violations(clf.predict(X), hierarchy).nnz == 0
    assert_same(clf.raw_predict_proba(X), raw)
    assert_same(clf.predict_raw(X), (raw > 0.5).astype(int))
    clf.coherence = "mean"
    with pytest.raises(InvalidParameterError, match="'coherence' parameter .* 'mean'"):
        clf.predict(X)


@every_inner
@pytest.mark.parametrize("coherence", [*CONSTRAINTS, None])
@pytest.mark.parametrize("many", [True, False], ids=["labels", "classes"])
def test_the_decision_is_the_log_odds(inner, coherence, many):
    hierarchy, X, Y = task("paths")
    y = Y if many else (Y[:, 0] + Y[:, 1] + Y[:, 2] * 2)
    clf = CoherentClassifier(inner, hierarchy if many else None, coherence=coherence)
    clf.fit(X, y)
    pairs = [
        (clf.decision_function, clf.predict_proba),
        (clf.raw_decision_function, clf.raw_predict_proba),
    ]
    for decision, proba in ((f(X), p(X)) for f, p in pairs):
        assert np.isfinite(decision).all()
        if many:
            # finite also where a probability is 0 or 1
            np.testing.assert_allclose(1 / (1 + np.exp(-decision)), proba, atol=1e-300)
            np.testing.assert_array_equal(decision > 0, proba > 0.5)
        else:
            np.testing.assert_allclose(np.exp(decision), proba, atol=1e-300)
    two = CoherentClassifier(inner, coherence=coherence).fit(X, Y[:, 0])
    odds, proba = two.decision_function(X), two.predict_proba(X)
    assert odds.shape == (len(X),)
    np.testing.assert_allclose(
        np.exp(-np.logaddexp(0, -odds)), proba[:, 1], atol=1e-300
    )


@pytest.mark.parametrize("inner", [INNER[1], INNER[2], forest()])
@pytest.mark.parametrize("coherence", ["max", "min", "product", "average"])
def test_means_of_closed_labels_are_coherent_as_they_are(inner, coherence):
    hierarchy, X, Y = task("many")
    clf = CoherentClassifier(inner, hierarchy, coherence=coherence).fit(X, Y)
    raw = clf.raw_predict_proba(X)  # which may be 0, and not only next to it
    np.testing.assert_allclose(clf.predict_proba(X), raw, atol=1e-300)


def test_thresholds():
    hierarchy, X, Y = task("many")
    clf = CoherentClassifier(logistic(), hierarchy).fit(X, Y)
    proba = clf.predict_proba(X)
    for threshold in (0.0, 0.2, 0.9, 1.0):
        clf.threshold = threshold
        assert_same(clf.predict(X), (proba > threshold).astype(int))
        assert violations(clf.predict(X), hierarchy).nnz == 0
    clf.threshold = 1.5
    with pytest.raises(InvalidParameterError, match="'threshold' parameter"):
        clf.predict(X)


def test_the_violation_rate_is_read_from_the_estimator():
    hierarchy, X, Y = task("many")
    model = make_pipeline(StandardScaler(), CoherentClassifier(logistic(), hierarchy))
    model.fit(X, Y)
    assert hvr_scorer(model, X, Y) == 0
    raw = HierarchicalViolationRate(raw=True)(model, X, Y)
    assert raw == HierarchicalViolationRate(hierarchy)(baseline().fit(X, Y), X, Y) < 0


# -- in place of MultiOutputClassifier -------------------------------------------------


@every_size
@every_inner
def test_outputs_have_the_types_of_a_multi_output_classifier(inner, n_labels):
    hierarchy, X, Y = problem(n_labels)
    clf = CoherentClassifier(inner, hierarchy)
    assert clf.fit(X, Y) is clf
    theirs = MultiOutputClassifier(inner).fit(X, Y)
    assert looks(clf.predict(X)) == looks(theirs.predict(X))
    assert clf.n_features_in_ == theirs.n_features_in_
    np.testing.assert_array_equal(clf.classes_, theirs.classes_)
    proba = clf.predict_proba(X)
    pairs = clf.set_params(proba_format="list").predict_proba(X)
    assert looks(pairs) == looks(theirs.predict_proba(X))
    np.testing.assert_array_equal(dense(pairs), proba)
    assert clf.score(X, Y) == pytest.approx((clf.predict(X) == Y).all(axis=1).mean())


@every_format
@pytest.mark.parametrize(
    "inner, n_labels",
    [(INNER[0], 1), (INNER[0], 2), (INNER[0], 5), (INNER[1], 3), (INNER[2], 3)],
)
def test_every_scorer_says_what_it_says_of_a_multi_output_classifier(
    inner, n_labels, proba_format
):
    hierarchy, X, Y = problem(n_labels)
    clf = CoherentClassifier(inner, hierarchy, proba_format=proba_format).fit(X, Y)
    ours, theirs = (every_score(c, X, Y) for c in (clf, replayed(clf)))
    assert ours == pytest.approx(theirs, rel=1e-9, nan_ok=True)
    assert {"roc_auc", "average_precision", "neg_log_loss", "f1_macro"} <= set(ours)


@every_size
@every_format
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_cross_val_predict_gives_what_each_fold_gives(n_labels, proba_format, method):
    hierarchy, X, Y = problem(n_labels)
    clf = CoherentClassifier(logistic(), hierarchy, proba_format=proba_format)
    found = cross_val_predict(clf, X, Y, cv=KFold(2), method=method)
    parts = [
        getattr(clone(clf).fit(X[a], Y[a]), method)(X[b]) for a, b in KFold(2).split(X)
    ]
    if isinstance(parts[0], list):
        expected = [np.concatenate(pairs) for pairs in zip(*parts, strict=True)]
    else:
        expected = np.concatenate(parts)
    assert_same(found, expected)


def test_searches_look_inside():
    hierarchy, X, Y = problem(5)
    clf = CoherentClassifier(logistic(), hierarchy)
    grid = {"estimator__C": [0.01, 1.0], "coherence": ["max", "average"]}
    search = GridSearchCV(clf, grid, cv=2, scoring="average_precision").fit(X, Y)
    assert len(set(search.cv_results_["mean_test_score"])) > 2
    best = search.best_params_
    expected = clone(clf).set_params(**best).fit(X, Y)
    assert_same(search.predict_proba(X), expected.predict_proba(X))
    pipeline = make_pipeline(StandardScaler(), search)
    assert np.isfinite(cross_val_score(pipeline, X, Y, cv=2, scoring="f1_micro")).all()


@every_format
@pytest.mark.parametrize("n_labels", [2, 3, 5])
def test_stacking(n_labels, proba_format):
    hierarchy, X, Y = problem(n_labels)
    one = CoherentClassifier(logistic(), hierarchy, proba_format=proba_format)
    stack = StackingClassifier(
        [("one", one)], DecisionTreeClassifier(max_depth=3, random_state=0), cv=2
    ).fit(X, Y)
    assert stack.predict(X).shape == Y.shape
    width = 1 if (n_labels, proba_format) == (2, "array") else n_labels
    assert stack.transform(X).shape == (60, width)  # the array loses a column of two


def test_clones_and_pickles():
    hierarchy, X, Y = task("many")
    clf = CoherentClassifier(forest(), hierarchy, coherence="min").fit(X, Y)
    other = pickle.loads(pickle.dumps(clf))
    assert_same(other.predict_proba(X), clf.predict_proba(X))
    copy = clone(clf)
    with pytest.raises(NotFittedError):
        copy.predict(X)
    assert_same(copy.fit(X, Y).predict_proba(X), clf.predict_proba(X))


def test_jobs_give_the_same_fit():
    hierarchy, X, Y = problem(5)
    with parallel_config("threading"):
        one, two = (
            CoherentClassifier(logistic(), hierarchy, n_jobs=n).fit(X, Y)
            for n in (None, 2)
        )
    assert_same(one.predict_proba(X), two.predict_proba(X))


def test_fitting_again_forgets_the_former_fit():
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(X, columns=list("abcde"))
    clf = CoherentClassifier(logistic(), hierarchy).fit(frame, Y)
    assert clf.feature_names_in_.tolist() == list("abcde")
    clf.fit(X[:, :2], Y)
    assert clf.n_features_in_ == 2 and not hasattr(clf, "feature_names_in_")
    with pytest.warns(UserWarning, match="no positive row"):
        clf.fit(X, np.zeros_like(Y))
    assert clf.estimator_ is None and not hasattr(clf, "n_features_in_")


def test_a_fit_that_fails_leaves_no_half_of_two_fits():
    hierarchy, X, Y = problem(5)
    clf = CoherentClassifier(logistic(), hierarchy).fit(X, Y)
    with pytest.raises(ValueError, match="contains NaN"):
        clf.fit(np.full_like(X, np.nan), Y)
    with pytest.raises(NotFittedError):
        clf.predict(X)


# -- forms of Y ------------------------------------------------------------------------


def names_of(frame):
    return [[name for name in frame if row[name]] for _, row in frame.iterrows()]


@every_inner
@pytest.mark.parametrize(
    "form",
    [
        lambda frame: frame,
        lambda frame: frame.astype(bool),
        lambda frame: frame.to_numpy().tolist(),
        lambda frame: sp.csr_matrix(frame.to_numpy()),
        lambda frame: sp.coo_array(frame.to_numpy()),
        names_of,
    ],
    ids=["frame", "bool", "lists", "csr", "coo", "names"],
)
def test_any_form_of_y_gives_the_same_fit(inner, form):
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    plain, other = (
        CoherentClassifier(inner, hierarchy).fit(X, y) for y in (Y, form(frame))
    )
    assert_same(plain.predict_proba(X), other.predict_proba(X))
    assert other.label_names_.tolist() == list(hierarchy.labels)


@every_inner
def test_columns_are_matched_by_name(inner):
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=hierarchy.labels)[list(hierarchy.labels)[::-1]]
    clf = CoherentClassifier(inner, hierarchy).fit(X, frame)
    assert clf.label_names_.tolist() == list(hierarchy.labels)[::-1]
    plain = CoherentClassifier(inner, hierarchy).fit(X, Y)
    np.testing.assert_allclose(clf.predict_proba(X)[:, ::-1], plain.predict_proba(X))
    assert clf.score(X, frame) == plain.score(X, Y)


# -- unknown labels --------------------------------------------------------------------


def unknown(Y, rate=0.2):
    return np.where(np.random.default_rng(0).random(Y.shape) < rate, np.nan, Y)


@pytest.mark.parametrize("sparse", [False, True])
def test_one_estimator_per_label_is_fitted_to_the_rows_that_know_it(sparse):
    _, X, Y = problem(5)
    Y = unknown(Y)
    clf = CoherentClassifier(logistic()).fit(X, sp.csr_matrix(Y) if sparse else Y)
    raw = clf.raw_predict_proba(X)
    weighted = clone(clf).fit(X, Y, sample_weight=np.arange(60) + 1.0)
    for k, y in enumerate(Y.T):
        rows = ~np.isnan(y)
        one = logistic().fit(X[rows], y[rows])
        np.testing.assert_allclose(raw[:, k], one.predict_proba(X)[:, 1])
        one.fit(X[rows], y[rows], sample_weight=np.arange(1.0, 61)[rows])
        expected = one.predict_proba(X)[:, 1]
        np.testing.assert_allclose(weighted.raw_predict_proba(X)[:, k], expected)
    again = CoherentClassifier(logistic()).fit(X.tolist(), Y)  # a list has no mask
    assert_same(again.raw_predict_proba(X), raw)


@pytest.mark.parametrize("inner", [forest(), KNeighborsClassifier(), MLPClassifier()])
def test_unknown_labels_that_the_estimator_does_not_take(inner):
    hierarchy, X, Y = problem(5)
    message = "NaN .unknown., which .* does not take .*contains NaN.*'per_label'"
    with pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        CoherentClassifier(inner, hierarchy).fit(X, close_upward(unknown(Y), hierarchy))


# -- constant labels -------------------------------------------------------------------

CONSTANT = [logistic(), forest(), MultiOutputClassifier(logistic())]


@pytest.mark.parametrize("inner", CONSTANT, ids=lambda e: type(e).__name__)
def test_constant_labels_get_their_prior(inner):
    hierarchy, X, Y = problem(5)
    Y = Y.copy()
    Y[:, 4], Y[:, 0] = 0, 1
    clf = CoherentClassifier(inner, hierarchy, coherence=None)
    message = (
        r"Of 5 labels, 1 with no positive row \(4\); 1 with only positive rows \(0\)"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        clf.fit(X, Y)
    assert len(caught) == 1
    prior = smoothed_rates(Y.sum(axis=0), np.full(5, 60.0))
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba[:, [0, 4]], np.tile(prior[[0, 4]], (60, 1)))
    assert ((0 < prior) & (prior < 1)).all()
    inside = CoherentClassifier(inner, coherence=None).fit(X, Y[:, 1:4])
    assert_same(proba[:, 1:4], inside.predict_proba(X))
    assert (clf.predict(X)[:, [0, 4]] == [1, 0]).all()


@pytest.mark.parametrize("inner", CONSTANT, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("n_learnt", [0, 1, 2])
def test_few_labels_that_are_not_constant(inner, n_learnt):
    hierarchy, X, Y = problem(5)
    Y = Y.copy()
    Y[:, n_learnt:] = 0
    with pytest.warns(UserWarning, match="no positive row"):
        clf = CoherentClassifier(inner, hierarchy).fit(X, Y)
    proba = clf.predict_proba(X)
    assert proba.shape == Y.shape and score_violations(proba, hierarchy).nnz == 0
    for k in range(n_learnt):
        assert roc_auc_score(Y[:, k], proba[:, k]) > 0.7
    assert (proba[:, n_learnt:] < 0.001).all()


def test_a_label_that_is_constant_where_it_counts():
    hierarchy, X, Y = problem(5)
    weight = (Y[:, 3] == 0).astype(float)
    clf = CoherentClassifier(logistic(), hierarchy)
    with pytest.warns(UserWarning, match=r"1 with no positive row \(3\)"):
        clf.fit(X, Y, sample_weight=weight)


def test_a_label_without_weight_raises_no_ancestor():
    hierarchy, X, Y = task("many")
    leaf, weight = hierarchy.position("parrot"), np.ones(Y.shape)
    weight[:, leaf] = 0
    clf = CoherentClassifier(logistic(), hierarchy, coherence="max")
    with pytest.warns(UserWarning, match=r"1 with no known value \('parrot'\)"):
        clf.fit(X, Y, sample_weight=weight)
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba[:, leaf], 1e-4, rtol=1e-3)
    rest = [k for k in range(Y.shape[1]) if k != leaf]
    names = [hierarchy.labels[k] for k in rest]
    without = CoherentClassifier(logistic(), hierarchy.subset(names), coherence="max")
    expected = without.fit(X, Y[:, rest]).predict_proba(X)
    np.testing.assert_allclose(proba[:, rest], expected, atol=1.01e-4)


@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
def test_errors_name_the_label():
    hierarchy, X, Y = task("many")
    Y = Y.copy()
    rare = hierarchy.position("parrot")
    Y[np.flatnonzero(Y[:, rare])[1:], rare] = 0
    clf = CoherentClassifier(CalibratedClassifierCV(logistic()), hierarchy)
    message = "While fitting label 'parrot': 1 of 60 rows.* prior by min_positives"
    with pytest.raises(ValueError, match=message):
        clf.fit(X, Y)


@pytest.mark.parametrize("weighted", [False, True])
def test_labels_with_few_positives_or_negatives_get_their_prior(weighted):
    hierarchy, X, Y = task("many")
    Y, rare = Y.copy(), hierarchy.position("parrot")
    weight, more = np.ones(60), np.flatnonzero(Y[:, rare])[4:]
    if weighted:
        weight[more] = 0  # rows without weight do not count
    else:
        Y[more, rare] = 0
    Y = np.column_stack([Y, np.arange(60) > 2])
    params = {"sample_weight": weight} if weighted else {}
    edges = hierarchy.edges.tolist()
    inner = CalibratedClassifierCV(logistic())  # five folds
    clf = CoherentClassifier(inner, edges, min_positives=5, coherence=None)
    message = r"Of 7 labels, 2 with too few rows of one value \(5, 6\) .* their prior"
    with pytest.warns(UserWarning, match=message) as caught:
        clf.fit(X, Y, **params)
    assert len(caught) == 1
    share = (weight[:, None] * Y).sum(axis=0) / weight.sum()
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba[:, 5:], np.tile(share[5:], (60, 1)), atol=1e-3)
    fewer = CoherentClassifier(inner, coherence=None).fit(X, Y[:, :5], **params)
    assert_same(proba[:, :5], fewer.predict_proba(X))
    clf.set_params(coherence="average")
    assert score_violations(clf.predict_proba(X), clf.hierarchy_).nnz == 0
    with pytest.raises(InvalidParameterError, match="'min_positives' parameter"):
        clf.set_params(min_positives=0).fit(X, Y)


# -- one label per row -----------------------------------------------------------------


@every_inner
@pytest.mark.filterwarnings("ignore:The names of the labels look like paths")
@pytest.mark.parametrize("known", [True, False])
def test_one_label_per_row_is_the_estimator_s_own_task(inner, known):
    X = task("many")[1]
    y = np.array(TREE.labels)[np.arange(60) % 7]  # also internal labels
    clf = CoherentClassifier(inner, TREE if known else None).fit(X, y)
    theirs = clone(inner).fit(X, y)
    proba = clf.predict_proba(X)
    assert_same(proba, theirs.predict_proba(X))
    assert_same(clf.raw_predict_proba(X), proba)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(clf.classes_, theirs.classes_)
    assert_same(clf.predict(X), clf.classes_[proba.argmax(axis=1)])
    assert_same(clf.predict_raw(X), clf.predict(X))
    assert clf.score(X, y) == theirs.score(X, y)
    assert clf.strategy_ is None and type(clf.estimator_) is type(inner)
    assert set(clf.hierarchy_.labels) == set(TREE.labels)
    if known:
        assert hvr_scorer(clf, X, y) == 0
        assert 0 < get_scorer("au_prc")(clf, X, y) <= 1
    with pytest.raises(ValueError, match="labels that the hierarchy does not have"):
        CoherentClassifier(inner, DAG).fit(X, y)


@every_inner
@pytest.mark.parametrize("hierarchy", [None, {"a": "b"}])
def test_one_class_is_always_predicted(inner, hierarchy):
    X = task("many")[1]
    clf = CoherentClassifier(inner, hierarchy)
    message = r"Of 1 labels, 1 with only positive rows \('a'\) .* as always there"
    with pytest.warns(UserWarning, match=message):
        clf.fit(X, ["a"] * 60)
    assert set(clf.predict(X)) == {"a"}
    np.testing.assert_array_equal(clf.predict_proba(X), np.ones((60, 1)))


# -- what is handed on -----------------------------------------------------------------

TEXTS = ["a cat", "the cow", "a parrot", "cat and parrot", "cow", "parrot"] * 10


@pytest.mark.parametrize("inner", [logistic(), KNeighborsClassifier()])
def test_texts_reach_the_estimator(inner):
    words = ("cat", "cow", "parrot")
    names = [[word for word in words if word in text] for text in TEXTS]
    model = make_pipeline(CountVectorizer(), inner)
    clf = CoherentClassifier(model, DAG).fit(TEXTS, names)
    predicted = clf.predict(TEXTS)
    for text, row in zip(TEXTS, predicted, strict=True):
        found = {x for x, on in zip(clf.label_names_, row, strict=True) if on}
        assert found & set(words) == {word for word in words if word in text}
    Y = predicted.astype(float)
    Y[::7, DAG.position("cat")] = np.nan
    clf = CoherentClassifier(model, DAG, strategy="per_label").fit(TEXTS, Y)
    assert clf.score(TEXTS, predicted) == 1


@every_inner
def test_sparse_x_and_frames(inner):
    hierarchy, X, Y = task("many")
    plain = CoherentClassifier(inner, hierarchy).fit(X, Y)
    sparse = CoherentClassifier(inner, hierarchy).fit(sp.csr_matrix(X), Y)
    proba = sparse.predict_proba(sp.csr_matrix(X))
    np.testing.assert_allclose(proba, plain.predict_proba(X), atol=1e-3)
    frame = pd.DataFrame(X, columns=list("abcde"))
    named = CoherentClassifier(inner, hierarchy).fit(frame, Y)
    assert named.feature_names_in_.tolist() == list("abcde")
    np.testing.assert_allclose(named.predict_proba(frame), plain.predict_proba(X))
    with pytest.raises(ValueError, match="feature names should match"):
        named.predict(frame[list("edcba")])


def test_tags_are_the_estimator_s():
    for inner in (PCA(), logistic(), HistGradientBoostingClassifier(), forest()):
        tags, own = get_tags(CoherentClassifier(inner)), get_tags(inner)
        assert tags.input_tags == own.input_tags
        assert tags.classifier_tags.multi_label and not tags.target_tags.multi_output
        assert tags.estimator_type == "classifier" and tags.target_tags.required
        assert not tags.array_api_support
    svc = SVC(kernel="precomputed")
    assert get_tags(CoherentClassifier(svc)).input_tags.pairwise


@pytest.mark.parametrize("inner", [LinearSVC(), RidgeClassifier(), SVC()])
def test_estimators_without_probabilities(inner):
    hierarchy, X, Y = problem(3)
    name = type(inner).__name__
    message = rf"predict_proba, got {name} without.*CalibratedClassifierCV\({name}"
    with pytest.raises(InvalidParameterError, match=message):
        CoherentClassifier(inner, hierarchy).fit(X, Y)


def test_wrong_estimators_and_missing_y():
    _, X, Y = problem(3)
    with pytest.raises(InvalidParameterError, match="'estimator' parameter"):
        CoherentClassifier("logistic").fit(X, Y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        CoherentClassifier(logistic()).fit(X, None)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        CoherentClassifier(logistic()).fit(X[:9], Y)
    with pytest.raises(ValueError, match="Found 0 samples"):
        CoherentClassifier(logistic()).fit(X[:0], Y[:0])


def test_a_fitted_estimator_is_taken_as_it_is():
    hierarchy, X, Y = problem(5)
    inner = forest().fit(X, Y)
    few = np.zeros_like(Y[:10])  # constant labels do not matter
    clf = CoherentClassifier(FrozenEstimator(inner), hierarchy).fit(X[:10], few)
    expected = average_constraint(dense(inner.predict_proba(X)), hierarchy)
    np.testing.assert_allclose(clf.predict_proba(X), expected, atol=1e-15)


@pytest.mark.parametrize("inside_pipeline", [False, True])
def test_a_fitted_estimator_with_other_columns(inside_pipeline):
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    fitted = CoherentClassifier(forest(), hierarchy).fit(X, frame.iloc[:, ::-1])
    inner = FrozenEstimator(fitted)
    inner = make_pipeline(inner) if inside_pipeline else inner
    none = np.zeros_like(Y)  # constant labels do not matter
    for y in (frame, Y, pd.DataFrame(none, columns=hierarchy.labels)):
        clf = CoherentClassifier(inner, hierarchy).fit(X, y)
        assert_same(clf.predict_proba(X), fitted.predict_proba(X)[:, ::-1].copy())


PARENTS = {"cat": ["mammal", "pet"], "cow": ["mammal"], "parrot": ["bird", "pet"]}


@pytest.mark.parametrize("own", [PARENTS, DAG, DAG.subset(sorted(DAG.labels)), None])
@pytest.mark.parametrize("constant", [False, True])
def test_a_hierarchy_inside_is_read_by_name(own, constant):
    hierarchy, X, Y = task("many")
    Y = Y * (np.array(hierarchy.labels) != "pet") if constant else Y
    known = None if constant else hierarchy  # without pet it is not closed
    frame = pd.DataFrame(Y, columns=hierarchy.labels)[list(hierarchy.labels)[::-1]]
    inner = GridSearchCV(CoherentClassifier(forest(), own), {}, cv=2)
    clf = CoherentClassifier(inner, known)
    said = "no positive row" if constant else None
    with pytest.warns(UserWarning, match=said) if said else nullcontext():
        clf.fit(X, frame)
    plain = CoherentClassifier(forest(), known)
    with pytest.warns(UserWarning, match=said) if said else nullcontext():
        plain.fit(X, frame)
    assert_same(clf.predict_proba(X), plain.predict_proba(X))
    if own is not None:
        names = [name for name in frame if not (constant and name == "pet")]
        inside = clf.estimator_.best_estimator_
        assert inside.hierarchy_ == hierarchy.subset(names)
    assert inner.estimator.hierarchy is own  # only the clone's was changed


@pytest.mark.parametrize(
    "inner", [pytest.param(instance, id=name) for name, instance in FAST]
)
def test_our_own_estimators_take_unknown_labels(inner):
    hierarchy, X, Y = task("many")
    Y = close_upward(unknown(Y), hierarchy)
    assert np.isnan(Y).any()
    clf = CoherentClassifier(inner, hierarchy, coherence="min").fit(X, Y)
    assert clf.strategy_ == "native"
    raw = clone(inner).fit(X, Y).predict_proba(X).astype(float)
    np.testing.assert_allclose(clf.predict_proba(X), min_constraint(raw, hierarchy))


@pytest.mark.parametrize("known", [True, False])
def test_one_learnt_label_reaches_a_classifier_with_a_hierarchy(known):
    hierarchy = Hierarchy.from_edges([(0, 1)])
    X = np.arange(12.0)[:, None]
    Y = np.column_stack([np.ones(12), X[:, 0] > 5]).astype(int)
    inner = CoherentClassifier(DecisionTreeClassifier(), hierarchy)
    clf = CoherentClassifier(inner, hierarchy if known else None)
    with pytest.warns(UserWarning, match="Of 2 labels, 1 with only positive rows"):
        clf.fit(X, Y)
    assert clf.estimator_.hierarchy_.labels == (1,)
    np.testing.assert_array_equal(clf.predict(X), Y)


# -- weights and metadata --------------------------------------------------------------


def test_weights_are_an_argument_of_fit():
    hierarchy, X, Y = problem(3)
    weight = np.random.default_rng(0).random(60)
    clf = CoherentClassifier(logistic(), hierarchy)
    assert has_fit_parameter(clf, "sample_weight")
    named = clone(clf).fit(X, Y, sample_weight=weight)
    assert_same(clf.fit(X, Y, weight).predict_proba(X), named.predict_proba(X))


def test_boosting_and_calibration_hand_their_weights_on():
    _, X, Y = problem(3)
    weight = np.random.default_rng(0).random(60)
    y = Y[:, 0]
    stump = DecisionTreeClassifier(max_depth=1, random_state=0)
    for around in (
        lambda inner: AdaBoostClassifier(inner, n_estimators=3, random_state=0),
        lambda inner: CalibratedClassifierCV(inner, cv=2),
    ):
        ours = around(CoherentClassifier(stump)).fit(X, y, sample_weight=weight)
        theirs = around(stump).fit(X, y, sample_weight=weight)
        proba = ours.predict_proba(X)
        np.testing.assert_allclose(proba, theirs.predict_proba(X), rtol=1e-6)
        unweighted = around(CoherentClassifier(stump)).fit(X, y).predict_proba(X)
        assert np.abs(proba - unweighted).max() > 1e-3


def test_weights_reach_every_label():
    hierarchy, X, Y = problem(5)
    weight = np.random.default_rng(0).integers(0, 4, 60).astype(float)
    clf = CoherentClassifier(logistic(), hierarchy).fit(X, Y, sample_weight=weight)
    theirs = baseline().fit(X, Y, sample_weight=weight)
    assert_same(clf.raw_predict_proba(X), dense(theirs.predict_proba(X)))
    rows = np.repeat(np.arange(60), weight.astype(int))
    repeated = CoherentClassifier(logistic(), hierarchy).fit(X[rows], Y[rows])
    np.testing.assert_allclose(
        repeated.predict_proba(X), clf.predict_proba(X), atol=1e-3
    )
    ones, none = (
        CoherentClassifier(INNER[1], hierarchy).fit(X, Y, sample_weight=weight)
        for weight in (np.ones(60), None)
    )
    assert_same(ones.predict_proba(X), none.predict_proba(X))


@pytest.mark.parametrize("n_labels", [1, 5])
def test_weights_of_labels(n_labels):
    hierarchy, X, Y = problem(n_labels)
    weight = np.random.default_rng(0).random(Y.shape)
    clf = CoherentClassifier(logistic(), hierarchy).fit(X, Y, sample_weight=weight)
    for k in range(n_labels):
        one = logistic().fit(X, Y[:, k], sample_weight=weight[:, k])
        assert_same(clf.raw_predict_proba(X)[:, k], one.predict_proba(X)[:, 1])
    names = [f"label {k}" for k in range(n_labels)]
    frame, weights = (pd.DataFrame(Z, columns=names) for Z in (Y, weight))
    named = CoherentClassifier(logistic()).fit(
        X, frame, sample_weight=weights[names[::-1]]
    )
    assert_same(named.raw_predict_proba(X), clf.raw_predict_proba(X))
    constant = np.column_stack([np.zeros(60), Y])  # a column that is left out
    more = np.column_stack([np.ones(60), weight])
    with pytest.warns(UserWarning, match="no positive row"):
        named = CoherentClassifier(logistic()).fit(X, constant, sample_weight=more)
    assert_same(named.raw_predict_proba(X)[:, 1:], clf.raw_predict_proba(X))


def test_an_estimator_that_takes_no_weights():
    hierarchy, X, Y = problem(3)
    clf = CoherentClassifier(KNeighborsClassifier(), hierarchy)
    with pytest.raises(ValueError, match="was given, but KNeighborsClass.* takes none"):
        clf.fit(X, Y, sample_weight=np.ones(60))
    with pytest.raises(ValueError, match=r"sample_weight of shape \(60,\)"):
        CoherentClassifier(logistic()).fit(X, Y, sample_weight=np.ones(59))


def test_parameters_of_fit_are_handed_on():
    hierarchy, X, Y = problem(3)
    weight = np.random.default_rng(0).random(60)
    model = make_pipeline(StandardScaler(), logistic())
    clf = CoherentClassifier(model, hierarchy)
    clf.fit(X, Y, logisticregression__sample_weight=weight)
    X = StandardScaler().fit_transform(X)
    one = logistic().fit(X, Y[:, 1], sample_weight=weight)
    assert_same(clf.estimator_.estimators_[1][-1].coef_, one.coef_)


@pytest.mark.parametrize("n_classes", [None, 3])
def test_metadata_is_routed(n_classes):
    hierarchy, X, Y = problem(3)
    y = Y if n_classes is None else np.arange(60) % n_classes
    weight = np.random.default_rng(0).random(60)
    with config_context(enable_metadata_routing=True):
        inner = logistic()
        clf = CoherentClassifier(inner, hierarchy)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            clf.fit(X, y, sample_weight=weight)
        clf.fit(X, y, sample_weight=None)
        inner.set_fit_request(sample_weight=True)
        clf.fit(X, y, sample_weight=weight)
        other = clone(clf)
        other.estimator.set_fit_request(sample_weight="importance")
        other.fit(X, y, importance=weight)
        routed = cross_validate(
            clf.set_score_request(sample_weight=False),
            X,
            y,
            params={"sample_weight": weight},
            cv=KFold(2),
            return_estimator=True,
        )
    plain = CoherentClassifier(logistic(), hierarchy).fit(X, y, sample_weight=weight)
    for found in (clf, other):
        assert_same(found.predict_proba(X), plain.predict_proba(X))
    half = clone(plain).fit(X[30:], y[30:], sample_weight=weight[30:])
    first = routed["estimator"][0]
    assert_same(first.predict_proba(X), half.predict_proba(X))


def test_searches_route_to_the_score():
    hierarchy, X, Y = problem(3)
    weight = np.random.default_rng(0).random(60)
    with config_context(enable_metadata_routing=True):
        inner = logistic().set_fit_request(sample_weight=True)
        clf = CoherentClassifier(inner, hierarchy).set_score_request(sample_weight=True)
        grid = {"estimator__C": [0.1, 1.0]}
        search = GridSearchCV(clf, grid, cv=2).fit(X, Y, sample_weight=weight)
    best = clone(CoherentClassifier(logistic(), hierarchy)).set_params(
        **search.best_params_
    )
    best.fit(X, Y, sample_weight=weight)
    assert_same(search.predict_proba(X), best.predict_proba(X))


@pytest.mark.parametrize("coherence", [*CONSTRAINTS, None])
def test_what_is_impossible_or_certain_stays_so_before_the_rule(coherence):
    hierarchy, X, Y = task("paths")
    clf = CoherentClassifier(forest(), hierarchy, coherence=coherence).fit(X, Y)
    expected = dense(forest().fit(X, Y).predict_proba(X))
    assert (expected == 0).any() and (expected == 1).any()
    raw = clf.raw_predict_proba(X)
    np.testing.assert_array_equal(raw, expected)
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba, expected, atol=1e-15)
    if coherence is None:
        np.testing.assert_array_equal(proba, expected)
    else:  # as scikit-learn's checks ask
        assert (proba > 0).all() and (proba < 1).all()
    clf.set_params(threshold=0.0)
    assert_same(clf.predict(X), (expected > 0).astype(int))


def test_weights_per_label_that_the_estimator_does_not_take():
    hierarchy, X, Y = task("many")
    message = (
        "column per label, which RandomForest.* does not take .* 'per_label'|per_l"
    )
    with pytest.raises(ValueError, match=message):
        clf = CoherentClassifier(forest(), hierarchy)
        clf.fit(X, Y, sample_weight=np.ones(Y.shape))

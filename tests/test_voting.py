"""HierarchicalVotingClassifier: any classifiers, their mean, and its weights."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import expit, logit
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalVotingClassifier,
    Hierarchy,
    KernelHMC,
    MaxConstraintClassifier,
)
from skhmc._meta.mixtures import PRIOR_SAMPLES, simplex_weights
from skhmc._meta.recommended import (
    FEW_OR_NOMINAL,
    NUMERIC,
    SINGLE_PATHS,
    SPARSE,
    WIDE,
    kernel_for,
    parts_for,
    recommended,
)
from skhmc._meta.sketched_forest import SketchedForest
from skhmc.coherence import close_upward, is_single_path, score_violations
from skhmc.paths import PathSpace
from tests.fake_estimators import FakeHMC
from tests.hierarchies import random_hierarchy

TREE = Hierarchy.from_edges([("r", "a"), ("r", "b"), ("a", "a1"), ("a", "a2")])
STUMPS = Hierarchy.from_edges([("a", "a1"), ("a", "a2")], ["b", "a", "a1", "a2"])
NET = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}


def task(hierarchy=TREE, n_samples=50, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 4))
    Y = X @ rng.normal(size=(4, hierarchy.n_labels)) > 0.8
    return X, close_upward(Y.astype(float), hierarchy)


def trees(**options):
    return RandomForestClassifier(5, min_samples_leaf=3, random_state=0, **options)


def vote(members=None, hierarchy=TREE, **options):
    if members is None:
        members = [("trees", trees()), ("bayes", GaussianNB())]
    return HierarchicalVotingClassifier(members, hierarchy, **options)


# -- the mean --------------------------------------------------------------------------


@pytest.mark.parametrize("average", ["proba", "logit"])
def test_probabilities_are_the_mean_of_those_of_members(average):
    X, Y = task()
    clf = vote(weights=[3, 1], average=average, coherence=None).fit(X, Y)
    np.testing.assert_allclose(clf.weights_, [0.75, 0.25])
    alone = [
        CoherentClassifier(member, TREE, coherence=None).fit(X, Y).predict_proba(X)
        for member in (trees(), GaussianNB())
    ]
    if average == "proba":
        expected = 0.75 * alone[0] + 0.25 * alone[1]
    else:
        logits = [logit(np.clip(p, 1e-5, 1 - 1e-5)) for p in alone]
        expected = expit(0.75 * logits[0] + 0.25 * logits[1])
    np.testing.assert_allclose(clf.predict_proba(X), expected)


def test_all_kinds_of_members_vote_and_the_result_is_coherent():
    hierarchy = random_hierarchy(7, seed=3, max_parents=2)
    X, Y = task(hierarchy)
    members = [
        ("network", MaxConstraintClassifier(**NET)),
        ("scaled", make_pipeline(StandardScaler(), HCALClassifier(**NET))),
        ("list", KNeighborsClassifier(7)),
        ("multi", MultiOutputClassifier(LogisticRegression())),
        ("single", LogisticRegression()),
        ("kernel", KernelHMC()),
        ("closed", CoherentClassifier(trees())),
        ("searched", GridSearchCV(trees(), {"max_depth": [2]}, cv=2)),
    ]
    Y[:2] = [[1], [0]] * np.ones((2, hierarchy.n_labels))  # no label is constant
    clf = vote(members, hierarchy).fit(X, Y)
    proba = clf.predict_proba(X)
    assert proba.shape == Y.shape
    assert not score_violations(proba, hierarchy).nnz
    for name in ("network", "kernel", "closed"):
        assert clf.named_estimators_[name].hierarchy_ == hierarchy
    assert clf.named_estimators_["scaled"][-1].hierarchy_ == hierarchy
    with_list = clf.set_params(proba_format="list").predict_proba(X)
    np.testing.assert_allclose(np.stack(with_list, axis=1)[:, :, 1], proba)


def test_a_members_hierarchy_is_put_in_the_order_of_the_columns():
    X, Y = task()
    other = TREE.subset(list(TREE.labels)[::-1])
    frame = pd.DataFrame(Y, columns=list(TREE.labels))
    clf = HierarchicalVotingClassifier([("one", FakeHMC(other))]).fit(X, frame)
    alone = FakeHMC(TREE).fit(X, Y)
    assert clf.hierarchy_.labels == TREE.labels
    np.testing.assert_allclose(clf.predict_proba(X), alone.predict_proba(X))


def test_classes_of_one_label_per_sample_still_add_up_to_1():
    X, Y = task()
    y = np.array(["b", "a1", "a2"])[Y[:, 2:4].sum(axis=1).astype(int)]
    members = [
        ("network", HCALClassifier(**NET)),
        ("trees", trees()),
        ("kernel", KernelHMC()),
    ]
    for average in ("proba", "logit"):
        clf = vote(members, STUMPS, average=average, weights="cv", cv=2).fit(X, y)
        proba = clf.predict_proba(X)
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
        assert list(clf.classes_) == ["a1", "a2", "b"]
        assert set(clf.predict(X)) <= set(clf.classes_)
        assert clf.predict_label_proba(X).shape == (len(X), STUMPS.n_labels)


def test_on_single_paths_a_path_is_predicted():
    paths = [["b"], ["a", "a1"], ["a", "a2"], ["a"]]  # some stop at an internal label
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    clf = vote(hierarchy=STUMPS).fit(X, [paths[k] for k in rng.integers(4, size=60)])
    assert all(row in paths for row in clf.predict_labels(X))
    least = clf.set_params(threshold=0.9).predict(X)
    assert (least == 0).all(axis=1).any()
    assert is_single_path(least, clf.hierarchy_)


def test_outcomes_have_what_their_children_leave():
    space = PathSpace(TREE, stops=[TREE.position("a")], empty=True)
    proba = np.array([[0.9, 0.6, 0.3, 0.2, 0.3]])
    proba = proba[
        :, np.argsort([TREE.position(x) for x in ("r", "a", "b", "a1", "a2")])
    ]
    values = {"r": 0.9, "a": 0.6, "b": 0.3, "a1": 0.2, "a2": 0.3}
    proba = np.array([[values[name] for name in TREE.labels]])
    found = space.outcome_proba(proba)[0]
    ends = [None if k < 0 else TREE.labels[k] for k in space.ends]
    expected = {"b": 0.3, "a1": 0.2, "a2": 0.3, "a": 0.1, None: 0.1}
    np.testing.assert_allclose(found, [expected[end] for end in ends])


# -- weights ---------------------------------------------------------------------------


@pytest.mark.parametrize("average", ["proba", "logit"])
def test_weights_have_the_least_log_loss_on_the_simplex(average):
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.95, size=(400, 6))
    Y = (rng.random(truth.shape) < truth).astype(float)
    good = truth
    noisy = expit(logit(truth) + rng.normal(size=truth.shape))
    bad = rng.uniform(0.3, 0.7, size=truth.shape)
    Y[rng.random(Y.shape) < 0.1] = np.nan
    found = simplex_weights([good, noisy, bad], Y, average)
    trust = 400 / (400 + PRIOR_SAMPLES)
    best = (found - (1 - trust) / 3) / trust
    assert best.sum() == pytest.approx(1)

    def loss(a):
        if average == "proba":
            p = a[0] * good + a[1] * noisy + a[2] * bad
        else:
            p = expit(a[0] * logit(good) + a[1] * logit(noisy) + a[2] * logit(bad))
        of_true = np.where(Y == 1, p, 1 - p)
        return -np.log(of_true[~np.isnan(Y)]).mean()

    grid = [np.array([i, j, 20 - i - j]) / 20 for i in range(21) for j in range(21 - i)]
    assert loss(best) <= min(map(loss, grid)) + 1e-7
    assert found[0] > found[2]


def test_weights_without_a_known_label_are_equal():
    p = np.full((3, 2), 0.5)
    np.testing.assert_array_equal(
        simplex_weights([p, p], np.full((3, 2), np.nan), "proba"), [0.5, 0.5]
    )


def test_a_weight_of_2_is_a_sample_twice():
    rng = np.random.default_rng(0)
    probas = [rng.uniform(0.1, 0.9, size=(30, 2)) for _ in range(2)]
    Y = rng.integers(2, size=(30, 2)).astype(float)
    weight = np.where(np.arange(30) < 10, 2.0, 1.0)[:, None]
    twice = np.r_[np.arange(10), np.arange(30)]
    found = simplex_weights(probas, Y, "proba", weight)
    repeated = simplex_weights([p[twice] for p in probas], Y[twice], "proba")
    trust, trust_of_repeated = 30 / 130, 40 / 140
    np.testing.assert_allclose(
        (found - 0.5) / trust, (repeated - 0.5) / trust_of_repeated, atol=1e-3
    )


def test_weights_by_cv_are_those_of_samples_that_members_have_not_seen():
    X, Y = task(n_samples=60)
    folds = KFold(3)
    clf = vote(weights="cv", cv=folds).fit(X, Y)
    unseen = [
        cross_val_predict(
            CoherentClassifier(member, TREE, coherence=None),
            X,
            Y.astype(int),
            cv=folds,
            method="predict_proba",
        )
        for member in (trees(), GaussianNB())
    ]
    np.testing.assert_allclose(
        clf.weights_, simplex_weights(unseen, Y, "proba"), atol=1e-6
    )


def test_a_kernel_is_scored_without_folds(monkeypatch):
    X, Y = task(n_samples=60)
    calls = []
    once = KernelHMC.leave_one_out_proba

    def counted(self, *arguments):
        calls.append(len(arguments[0]))
        return once(self, *arguments)

    monkeypatch.setattr(KernelHMC, "leave_one_out_proba", counted)
    members = [("kernel", KernelHMC()), ("bayes", GaussianNB())]
    clf = vote(members, weights="cv", cv=2).fit(X, Y)
    assert calls == [60]
    assert clf.weights_[0] > clf.weights_[1]
    # a group would be on both sides
    vote(members, weights="cv", cv=2).fit(X, Y, groups=np.arange(60) // 2)
    assert calls == [60]


# -- what is handed over ---------------------------------------------------------------


def test_members_are_parameters():
    clf = vote()
    clf.set_params(trees__n_estimators=3, bayes="drop", weights=[1, 5])
    assert clf.get_params()["trees__n_estimators"] == 3
    X, Y = task()
    clf.fit(X, Y)
    assert len(clf.estimators_) == 1
    assert clf.weights_.tolist() == [1.0]
    assert clf.named_estimators_["bayes"] == "drop"
    assert clf.named_estimators_.trees.estimator_.n_estimators == 3
    by_name = vote(weights={"bayes": 1, "trees": 3}).fit(X, Y)
    assert by_name.weights_.tolist() == [0.75, 0.25]


def test_unknown_labels_go_to_every_member_as_it_takes_them():
    X, Y = task()
    Y[:5, 1:] = np.nan
    members = [("network", HCALClassifier(**NET)), ("bayes", BernoulliNB())]
    members += [("trees", trees()), ("kernel", KernelHMC())]
    clf = vote(members, coherence=None).fit(X, Y)
    alone = CoherentClassifier(trees(), TREE, coherence=None, strategy="per_label")
    np.testing.assert_array_equal(
        clf.named_estimators_.trees.predict_proba(X),
        alone.fit(X, Y).predict_proba(X),
    )
    assert np.isfinite(vote(members, weights="cv", cv=2).fit(X, Y).weights_).all()
    with pytest.raises(ValueError, match="Y holds NaN"):
        vote([("multi", MultiOutputClassifier(GaussianNB()))]).fit(X, Y)


def test_weights_of_samples_reach_the_members():
    X, Y = task()
    weight = np.where(np.arange(50) < 25, 0.0, 1.0)
    clf = vote().fit(X, Y, sample_weight=weight)
    alone = CoherentClassifier(GaussianNB(), TREE, coherence=None)
    alone.fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(
        clf.named_estimators_.bayes.predict_proba(X), alone.predict_proba(X)
    )
    members = [("trees", trees()), ("near", KNeighborsClassifier())]
    with pytest.raises(ValueError, match="member 'near', KNeighbors.* takes none"):
        vote(members).fit(X, Y, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        members[0] = ("trees", trees().set_fit_request(sample_weight=True))
        vote(members).fit(X, Y, sample_weight=weight)
        vote(None, weights="cv", cv=2).get_metadata_routing()
    with pytest.raises(ValueError, match="none of the members 'trees', 'bayes' takes"):
        vote().fit(X, Y, groups=np.arange(50))


def test_sparse_labels_and_few_labels():
    X, Y = task()
    dense = vote().fit(X, Y).predict_proba(X)
    sparse = vote().fit(X, sp.csr_matrix(Y)).predict_proba(X)
    np.testing.assert_array_equal(sparse, dense)
    one = Hierarchy.flat(["only"])
    assert vote(hierarchy=one).fit(X, Y[:, 1:2]).predict(X).shape == (50, 1)
    constant = Y.copy()
    constant[:, TREE.position("b")] = 0
    constant[:, TREE.position("r")] = 1
    with pytest.warns(UserWarning, match="'b'"):
        clf = vote().fit(X, constant)
    assert (clf.predict_proba(X)[:, TREE.position("b")] < 0.01).all()


# -- recommended members ---------------------------------------------------------------


def short(**options):
    return HCALClassifier(**NET | options)


def test_recommended_members_vote_and_have_the_given_seed(monkeypatch):
    where = "skhmc._meta.recommended."
    monkeypatch.setattr(f"{where}HCALClassifier", short)
    monkeypatch.setattr(
        f"{where}SketchedForest", partial(SketchedForest, n_estimators=5)
    )
    X, Y = task(n_samples=40)
    clf = HierarchicalVotingClassifier(None, TREE, random_state=7).fit(X, Y)
    members = clf.named_estimators_
    assert list(members) == ["network", "forest", "kernel"]
    assert clf.weights_.tolist() == [0.5, 0.25, 0.25]
    alone = short(hierarchy=TREE, random_state=7).fit(X, Y)
    np.testing.assert_array_equal(
        members.network.predict_proba(X), alone.predict_proba(X)
    )
    assert members.forest.estimator_.random_state == 7
    again = clone(clf).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    given = clone(clf).set_params(weights={"network": 1, "forest": 0, "kernel": 0})
    np.testing.assert_allclose(
        given.fit(X, Y).predict_proba(X), alone.predict_proba(X), atol=1e-7
    )
    weight = np.random.default_rng(0).uniform(size=40)
    clone(clf).fit(X, Y, sample_weight=weight, groups=np.arange(40))
    with config_context(enable_metadata_routing=True):
        clone(clf).fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize(
    "X, n_labels, single_path, parts",
    [
        (np.random.default_rng(0).normal(size=(90, 9)), 5, False, NUMERIC),
        (np.random.default_rng(0).normal(size=(90, 60)), 5, False, FEW_OR_NOMINAL),
        (np.random.default_rng(0).integers(2, size=(90, 9)), 5, False, FEW_OR_NOMINAL),
        (sp.random(90, 9, 0.1, "csr"), 5, False, SPARSE),
        (sp.random(90, 9, 0.1, "csr"), 5, True, SINGLE_PATHS),
        (np.zeros((90, 3001), np.int8), 5, False, WIDE),
        (np.random.default_rng(0).normal(size=(90, 9)), 5, True, SINGLE_PATHS),
        (np.zeros((90, 3, 8, 8)), 5, False, {"network": 1}),
        (np.zeros((90, 3)), 2**26, False, {"network": 1}),
    ],
)
def test_members_follow_from_the_shape_of_the_data(X, n_labels, single_path, parts):
    Y = sp.csr_matrix((90, n_labels))
    assert parts_for(X, Y, single_path) == parts
    # where folds or users say the weights, single paths change nothing
    own = parts_for(X, Y, single_path, own_weights=True)
    assert own == parts_for(X, Y, single_path=False)


def test_one_member_needs_no_folds():
    X, Y = task()
    clf = vote([("trees", trees())], weights="cv", cv=[])  # would not split
    assert clf.fit(X, Y).weights_.tolist() == [1.0]
    with pytest.raises(ValueError, match="groups were given"):
        clf.fit(X, Y, groups=np.arange(50))


def test_the_kernel_of_sparse_rows_is_rbf_where_they_have_length_1():
    X = sp.csr_matrix(
        np.random.default_rng(0).integers(99, size=(30, 9)), dtype=np.int8
    )
    X[3] = 0
    X.eliminate_zeros()
    for form in (sp.csr_matrix, sp.coo_array, sp.csc_array):
        assert kernel_for(form(X)) == "cosine"
        assert kernel_for(form(normalize(X.astype(np.float32)))) == "rbf"
    halves = normalize(X.astype(float))
    ends, n_stored = 2 * halves.indptr, np.repeat(halves.indices, 2)
    halves = sp.csr_matrix((np.repeat(halves.data / 2, 2), n_stored, ends), X.shape)
    assert kernel_for(halves) == "rbf"
    assert halves.nnz == len(n_stored)  # the user's stays as it is
    assert kernel_for(X.toarray()) == "rbf"


@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")  # the root, by design
@pytest.mark.parametrize("one_class", [False, True])
def test_folds_weigh_recommended_members_of_sparse_single_paths(monkeypatch, one_class):
    monkeypatch.setattr("skhmc._meta.recommended.HCALClassifier", short)
    X, _ = task(n_samples=90)
    kinds = (X[:, :2] > 0) @ [1, 2]
    y = np.array(["a1", "a2", "b", "b"])[kinds]
    if not one_class:
        y = close_upward(np.equal.outer(y, TREE.labels).astype(float), TREE)
    X = sp.csr_matrix(np.maximum(X, 0))
    clf = HierarchicalVotingClassifier(None, TREE, weights="cv", cv=3, random_state=0)
    clf.fit(X, y)
    assert list(clf.named_estimators_) == list(SPARSE)
    assert clf.weights_[0] < 0.5  # two epochs teach the network little
    assert (clf.predict(X) == y).mean() > 0.9
    found = dict(zip(SPARSE, clf.weights_, strict=True))
    again = clone(clf).set_params(weights=found).fit(X, y)
    np.testing.assert_allclose(again.predict_proba(X), clf.predict_proba(X))
    alone = clone(clf).set_params(weights="auto").fit(X, y)
    assert list(alone.named_estimators_) == ["network"]


def test_the_scale_of_weights_does_not_matter_to_recommended_members(monkeypatch):
    monkeypatch.setattr("skhmc._meta.recommended.HCALClassifier", short)
    X, Y = task()
    weight = np.random.default_rng(0).uniform(size=50)
    weight[:5] = 0
    clf = HierarchicalVotingClassifier(None, TREE, random_state=0)
    X = sp.csr_matrix(np.maximum(X, 0))
    usual, small = (
        clone(clf).fit(X, Y, sample_weight=w).predict_proba(X)
        for w in (weight, weight / 1000)
    )
    np.testing.assert_allclose(small, usual, atol=1e-5)


def test_the_kernel_has_landmarks_where_there_is_no_memory_for_all_pairs(monkeypatch):
    Y = sp.csr_matrix((12_000, 3))
    X = sp.random(12_000, 5, 0.2, "csr", random_state=0)

    def n_components(**options):
        members, _ = recommended(X, Y, False, 0, **options)
        return dict(members)["kernel"].n_components

    assert n_components() == 2000
    monkeypatch.setattr("skhmc._meta.recommended.free_memory", lambda: 10**10)
    assert n_components(own_weights=True) == "auto"
    monkeypatch.setattr("skhmc._meta.recommended.free_memory", lambda: 10**9)
    with pytest.warns(UserWarning, match="needs about 2.88 GB, but 1 GB"):
        assert n_components(own_weights=True) == 2000


# -- messages --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"members": [GaussianNB()]}, r"list of \(name, classifier\)"),
        ({"members": [("a", "drop")]}, "at least one classifier"),
        ({"members": []}, "at least one classifier"),
        ({"members": [("a", RidgeClassifier())]}, "without as member 'a'"),
        ({"weights": [1]}, "2 numbers, one for each of 'trees', 'bayes', got 1"),
        ({"weights": {"trees": 1}}, "lacks 'bayes' and has none"),
        ({"weights": {"trees": 1, "bayes": 1, "x": 1}}, "has 'x' beside"),
        ({"weights": [1, -1]}, "at least 0, got"),
        ({"weights": [1, np.nan]}, "finite numbers"),
        ({"weights": [1, "a"]}, "finite numbers"),
        ({"weights": [0, 0]}, "a finite sum above 0"),
        (
            {"members": [("a", FrozenEstimator(trees()))], "weights": "cv"},
            "member 'a' is frozen",
        ),
    ],
)
def test_members_and_weights_that_are_not_right(options, message):
    X, Y = task()
    with pytest.raises(InvalidParameterError, match=message):
        vote(**options).fit(X, Y)


def test_names_of_members_are_checked_as_scikit_learn_does():
    X, Y = task()
    with pytest.raises(ValueError, match="not unique"):
        vote([("a", trees()), ("a", trees())]).fit(X, Y)
    with pytest.raises(ValueError, match="must not contain __"):
        vote([("a__b", trees())]).fit(X, Y)


# -- scikit-learn ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Of . labels:UserWarning")  # one class, by design
@parametrize_with_checks(
    [
        HierarchicalVotingClassifier(
            [
                ("tree", DecisionTreeClassifier(random_state=0)),
                ("linear", LogisticRegression()),
            ]
        )
    ]
)
def test_common_checks(estimator, check):
    check(estimator)

"""LabelTreeClassifier: its solver, probabilities, learnt nodes, search and memory."""

import pickle
import re
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from joblib import parallel_backend
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import Hierarchy, LabelTreeClassifier
from skhmc._linear import chunks, clusters, label_tree, memory, search, siblings
from skhmc._linear.binary import LOSSES, fit_binary, fit_public
from skhmc._linear.choice import DEFAULT_SLOPE, GRID, choose_C_and_slope
from skhmc._linear.clusters import add_nodes, balanced_parts
from skhmc._linear.lengths import of_length_1
from skhmc._linear.search import Families, Search, kth_highest
from skhmc._linear.siblings import Problems, group_siblings
from skhmc._scoring.answers import AnswersMixin
from skhmc.coherence import close_upward
from tests.contract import assert_same, assert_same_fit, task
from tests.hierarchies import random_hierarchy

GIVEN = {"C": 1.0, "slope": 3.0, "random_state": 0}
EXACT = {"loss": "squared_hinge", "tol": 1e-8, "max_iter": 100_000, "seed": 0}
pytestmark = pytest.mark.filterwarnings("ignore:Of .* labels:UserWarning")


def problem(n_labels=12, n_samples=60, n_features=30, seed=0, max_parents=2):
    """Return a random DAG, a sparse X and a closed Y that X says something of."""
    hierarchy = random_hierarchy(n_labels, seed, max_parents)
    rng = np.random.default_rng(seed)
    X = rng.random((n_samples, n_features)) * (
        rng.random((n_samples, n_features)) < 0.3
    )
    scores = X @ rng.normal(size=(n_features, n_labels))
    Y = close_upward((scores > np.quantile(scores, 0.8, axis=0)).astype(int), hierarchy)
    return hierarchy, sp.csr_matrix(X), Y


# -- one classifier --------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_samples, n_features", [(2, 1), (40, 5), (30, 60)])
def test_the_solver_gives_the_weights_of_the_public_estimators(
    loss, n_samples, n_features
):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    y = (X[:, 0] + rng.normal(size=n_samples) > 0).astype(float)
    y[:2] = 0, 1
    weight = rng.uniform(0.2, 3, n_samples)
    options = EXACT | {"loss": loss, "C": 0.7}
    for inputs in (X, sp.csr_matrix(X)):
        for w in (np.ones(n_samples), weight):
            weights, bias, n_iter = fit_binary(inputs, y, w, **options)
            expected, expected_bias, _ = fit_public(inputs, y, w, **options)
            np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(bias, expected_bias, rtol=1e-4, atol=1e-6)
            assert n_iter >= 1


def test_without_the_private_solver_the_fit_is_the_same(monkeypatch):
    hierarchy, X, Y = problem()
    options = GIVEN | {"tol": 1e-8, "max_iter": 10**5}
    clf = LabelTreeClassifier(hierarchy, **options).fit(X, Y)
    monkeypatch.setattr("skhmc._linear.binary.train_wrap", None)
    other = LabelTreeClassifier(hierarchy, **options).fit(X, Y)
    proba = clf.predict_proba(X), other.predict_proba(X)
    np.testing.assert_allclose(*proba, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_a_label_is_fitted_to_the_rows_that_have_all_its_parents(seed):
    hierarchy, X, Y = problem(seed=seed, max_parents=3)
    weight = np.random.default_rng(seed).uniform(0.5, 2, Y.shape)
    options = {"weight_threshold": 0.0, "tol": 1e-8, "max_iter": 10**5}
    clf = LabelTreeClassifier(hierarchy, **GIVEN | options)
    clf.fit(X, Y, sample_weight=weight)
    rows_of_length_1 = of_length_1(X).toarray()
    n_learnt = 0
    for k in range(hierarchy.n_labels):
        parents = [hierarchy.position(p) for p in hierarchy.parents_of(k)]
        rows = Y[:, parents].all(axis=1)
        y, w = Y[rows, k].astype(float), weight[rows, k]
        found = clf.coef_[:, [k]].toarray().ravel()
        if len(set(y)) < 2:
            rate = (w @ y / max(w.sum(), 1e-300) + 1e-4) / (1 + 2e-4)
            assert not found.any()
            assert expit(3 * clf.intercept_[k]) == pytest.approx(rate, rel=1e-4)
            continue
        n_learnt += 1
        expected, bias, _ = fit_public(rows_of_length_1[rows], y, w, C=1.0, **EXACT)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
        assert clf.intercept_[k] == pytest.approx(bias, rel=1e-3, abs=1e-5)
    assert n_learnt > 3


def test_beside_all_a_label_is_fitted_to_all_rows():
    hierarchy, X, Y = problem(max_parents=3)
    options = {"weight_threshold": 0.0, "tol": 1e-8, "max_iter": 10**5}
    clf = LabelTreeClassifier(hierarchy, negatives="all", **GIVEN | options).fit(X, Y)
    rows_of_length_1 = of_length_1(X).toarray()
    ones = np.ones(len(Y))
    for k in range(hierarchy.n_labels):
        y = Y[:, k].astype(float)
        expected, bias, _ = fit_public(rows_of_length_1, y, ones, C=1.0, **EXACT)
        found = clf.coef_[:, [k]].toarray().ravel()
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
        assert clf.intercept_[k] == pytest.approx(bias, rel=1e-3, abs=1e-5)


def test_beside_all_the_unknown_is_left_out_and_jobs_change_nothing():
    hierarchy, X, Y = task("many")
    leaf = hierarchy.position("cow")
    rows = np.flatnonzero(Y[:, leaf])[::2]
    weight, unknown = np.ones(Y.shape), Y.astype(float)
    weight[rows, leaf], unknown[rows, leaf] = 0, np.nan
    clf = LabelTreeClassifier(hierarchy, negatives="all", **GIVEN)
    expected = clone(clf).fit(X, Y, sample_weight=weight)
    assert_same_fit(clone(clf).fit(X, unknown), expected, X)
    plain = clone(clf).fit(X, Y)
    assert not np.array_equal(plain.predict_proba(X), expected.predict_proba(X))
    with parallel_backend("threading"):
        assert_same_fit(clone(clf).set_params(n_jobs=2).fit(X, Y), plain, X)


def test_weights_that_are_not_larger_than_the_threshold_are_dropped():
    hierarchy, X, Y = problem()
    whole = LabelTreeClassifier(hierarchy, **GIVEN, weight_threshold=0).fit(X, Y).coef_
    some = LabelTreeClassifier(hierarchy, **GIVEN, weight_threshold=0.3).fit(X, Y).coef_
    expected = np.where(np.abs(whole.toarray()) > 0.3, whole.toarray(), 0)
    np.testing.assert_array_equal(some.toarray(), expected)
    assert 0 < some.nnz < whole.nnz and abs(some.data).min() > 0.3


def test_the_scale_of_features_does_not_drop_weights():
    hierarchy, X, Y = problem()
    options = GIVEN | {"normalize": False, "C": 0.1}
    plain = LabelTreeClassifier(hierarchy, **options).fit(X, Y)
    options["C"] /= 1e6
    small = LabelTreeClassifier(hierarchy, **options).fit(1e3 * X, Y)
    assert 0.8 < small.coef_.nnz / plain.coef_.nnz < 1.25


def test_unknown_labels_and_weights_of_zero_are_not_looked_at():
    hierarchy, X, Y = task("many")
    leaf = hierarchy.position("cow")
    rows = np.flatnonzero(Y[:, leaf])[::2]
    weight, other, unknown = np.ones(Y.shape), Y.copy(), Y.astype(float)
    weight[rows, leaf], other[rows, leaf], unknown[rows, leaf] = 0, 0, np.nan
    expected, *others = (
        LabelTreeClassifier(hierarchy, **GIVEN).fit(X, y, sample_weight=w)
        for y, w in [
            (Y, weight),
            (other, weight),
            (unknown, None),
            (sp.csr_matrix(unknown), None),
        ]
    )
    plain = LabelTreeClassifier(hierarchy, **GIVEN).fit(X, Y)
    assert not np.array_equal(plain.predict_proba(X), expected.predict_proba(X))
    for clf in others:
        assert_same_fit(clf, expected, X)


def test_whole_weights_are_repeated_rows():
    hierarchy, X, Y = problem()
    weight = np.random.default_rng(0).integers(0, 3, len(Y))
    rows = np.repeat(np.arange(len(Y)), weight)
    clf = LabelTreeClassifier(hierarchy, **GIVEN, tol=1e-9, max_iter=10**5)
    repeated = clone(clf).fit(X[rows], Y[rows]).predict_proba(X)
    for given in (weight, np.repeat(weight[:, None], Y.shape[1], axis=1)):
        found = clone(clf).fit(X, Y, sample_weight=given).predict_proba(X)
        np.testing.assert_allclose(found, repeated, rtol=1e-4)


# -- C and the slope -------------------------------------------------------------------


def test_C_and_slope_are_those_of_a_plain_search():
    hierarchy, X, Y = problem(n_labels=3, n_samples=200)
    rng = np.random.RandomState(0)
    fit = siblings.partial(fit_binary, **EXACT)
    X = X.toarray()
    tasks = [(X, y.astype(float), np.ones(len(y))) for y in Y.T]
    C, slope = choose_C_and_slope(tasks, fit, "auto", "auto", "squared_hinge", 10, rng)
    rng = np.random.RandomState(0)
    losses = {}
    slopes = np.geomspace(0.1, 30, 400)
    for value in GRID:
        draw = np.random.RandomState(0)
        margins, truths = [], []
        for inputs, y, _ in tasks:
            out = np.concatenate(
                [
                    draw.permutation(np.flatnonzero(y == v))[: int((y == v).sum() / 4)]
                    for v in (0, 1)
                ]
            )
            rest = np.setdiff1d(np.arange(len(y)), out)
            ones = np.ones(len(rest))
            coef, bias, _ = fit_public(inputs[rest], y[rest], ones, C=value, **EXACT)
            margins.append(inputs[out] @ coef + bias)
            truths.append(y[out])
        sign = 2 * np.concatenate(truths) - 1
        wrong = -sign * np.concatenate(margins)
        every = np.logaddexp(0, slopes[:, None] * wrong).sum(axis=1)
        losses[value] = every.min(), slopes[every.argmin()]
    least = min(loss for loss, _ in losses.values())
    expected = next(value for value in GRID if losses[value][0] <= 1.01 * least)
    assert C == expected and slope == pytest.approx(losses[C][1], rel=0.03)


def test_what_is_given_is_not_chosen():
    hierarchy, X, Y = problem(n_labels=3, n_samples=200)
    for options in ({"C": 0.5}, {"slope": 1.5}, {"C": 0.5, "slope": 1.5}):
        clf = LabelTreeClassifier(hierarchy, random_state=0, **options).fit(X, Y)
        for name, value in options.items():
            assert getattr(clf, f"{name}_") == value
    few = LabelTreeClassifier(hierarchy).fit(X[:12], Y[:12])  # nothing can be held out
    assert (few.C_, few.slope_) == (1.0, DEFAULT_SLOPE["squared_hinge"])


# -- probabilities ---------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_probabilities_are_those_of_a_loop_over_labels(loss, seed):
    hierarchy, X, Y = problem(seed=seed, max_parents=3)
    clf = LabelTreeClassifier(hierarchy, loss=loss, **GIVEN).fit(X, Y)
    q = expit(clf.slope_ * (of_length_1(X) @ clf.coef_.toarray() + clf.intercept_))
    expected = np.zeros(Y.shape)
    for k in np.argsort(hierarchy.depth, kind="stable"):
        parents = [hierarchy.position(p) for p in hierarchy.parents_of(k)]
        expected[:, k] = q[:, k] * expected[:, parents].min(axis=1, initial=1)
    for inputs in (X, X.toarray()):
        found = clf.predict_proba(inputs)
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        np.testing.assert_allclose(clf.raw_predict_proba(inputs), q, rtol=1e-4)
        odds = logit(found.astype(float))
        np.testing.assert_allclose(clf.decision_function(inputs), odds, rtol=1e-3)
    # not above a parent by one bit
    parent, child = np.transpose(hierarchy.edges)
    assert (found[:, child] <= found[:, parent]).all()
    clf.set_params(coherence=None)
    np.testing.assert_allclose(clf.predict_proba(X), q, rtol=1e-4)
    np.testing.assert_array_equal(clf.predict(X), clf.predict_proba(X) > 0.5)


@pytest.mark.parametrize("negatives", ["siblings", "all"])
@pytest.mark.parametrize("rule", ["auto", "product", "min"])
def test_rules_are_those_of_a_loop_over_labels(negatives, rule):
    hierarchy, X, Y = problem(max_parents=3)
    clf = LabelTreeClassifier(hierarchy, negatives=negatives, coherence=rule, **GIVEN)
    q = clf.fit(X, Y).raw_predict_proba(X)
    lesser = rule == "min" or (rule, negatives) == ("auto", "all")
    join = np.minimum if lesser else np.multiply
    expected = np.ones(Y.shape, np.float32)
    for k in np.argsort(hierarchy.depth, kind="stable"):
        parents = [hierarchy.position(p) for p in hierarchy.parents_of(k)]
        expected[:, k] = join(q[:, k], expected[:, parents].min(axis=1, initial=1))
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-6)
    # the rule is that of the fit
    clf.set_params(negatives="all")
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-6)


def test_one_label_per_sample_may_end_at_a_parent():
    hierarchy, X, Y = task("paths")
    names = np.array(hierarchy.labels)
    ends = np.array(
        [row[hierarchy.depth[row].argmax()] for row in map(np.flatnonzero, Y)]
    )
    y = names[ends]
    clf = LabelTreeClassifier(hierarchy, **GIVEN, normalize=False).fit(X, y)
    P = clone(clf).fit(X, Y).predict_proba(X).astype(float)
    alone = np.empty((len(X), len(clf.classes_)))
    for j, name in enumerate(clf.classes_):
        below = [hierarchy.position(c) for c in hierarchy.children_of(name)]
        alone[:, j] = P[:, hierarchy.position(name)] - P[:, below].max(1, initial=0)
    expected = alone / alone.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-3, atol=1e-6)
    assert {"a", "a/1"} <= set(y) and clf.score(X, y) > 0.8


def test_labels_that_nothing_can_be_learnt_of():
    hierarchy = Hierarchy.from_paths(["a/always", "a/never", "b/unknown", "b/x"])
    rng = np.random.default_rng(0)
    X = rng.random((40, 4))
    Y = np.zeros((40, 6))
    at = hierarchy.position
    a, b = at("a"), at("b")
    Y[:20, [a, at("a/always")]] = 1
    Y[15:, b] = 1
    Y[15:30, at("b/x")] = 1
    Y[:, at("b/unknown")] = np.nan
    Y[:15, at("b/unknown")] = 0
    clf = LabelTreeClassifier(hierarchy, **GIVEN)
    with pytest.warns(UserWarning, match="no positive row .*'a/never'"):
        clf.fit(X, Y)
    q = clf.raw_predict_proba(X)
    assert (q[:, at("a/always")] > 0.999).all() and (q[:, at("a/never")] < 0.001).all()
    assert clf.coef_[:, at("b/unknown")].nnz == 0
    # one label, one row, one value
    one = LabelTreeClassifier().fit(np.ones((1, 1)), np.ones((1, 1)))
    assert one.predict_proba(np.zeros((2, 1))).min() > 0.999


# -- learnt nodes ----------------------------------------------------------------------


def test_parts_have_about_equal_sizes_and_keep_together_what_is_alike():
    rng = np.random.RandomState(0)
    centers = np.repeat(np.eye(4), 8, axis=0)
    points = of_length_1(centers + 0.1 * rng.rand(32, 4))[rng.permutation(32)]
    parts = balanced_parts(points, 4, rng)
    assert sorted(np.concatenate(parts)) == list(range(32))
    for part in parts:
        assert len(part) == 8 and len(set(points[part].argmax(axis=1))) == 1
    for n, n_parts in ((7, 3), (13, 5), (5, 5)):
        sizes = [len(p) for p in balanced_parts(sp.csr_matrix((n, 3)), n_parts, rng)]
        assert sum(sizes) == n and min(sizes) >= 1
        assert max(sizes) <= 2 * min(sizes) + 1


@pytest.mark.parametrize("edges", [[], [(0, k) for k in range(1, 40)]])
def test_no_label_or_learnt_node_has_too_many_children(edges):
    hierarchy = Hierarchy.from_edges(edges, labels=range(40))
    rng = np.random.default_rng(0)
    X = sp.random(80, 20, 0.3, format="csr", random_state=0)
    Y = close_upward((rng.random((80, 40)) < 0.1).astype(int), hierarchy)
    clf = LabelTreeClassifier(hierarchy, **GIVEN, max_children=4).fit(X, Y)
    nodes = clf._nodes
    assert clf.n_nodes_ == nodes.n_labels > 40
    assert max(len(group.children) for group in group_siblings(nodes)) <= 4
    for label in range(40):  # an ancestor stays one
        assert set(hierarchy.ancestors_of(label)) <= set(nodes.ancestors_of(label))
    # nodes are between labels, and appear nowhere
    assert clf.coef_.shape == (20, 40) and clf.predict_proba(X).shape == (80, 40)
    members = add_nodes(
        hierarchy, X, sp.csc_matrix(Y == 1), 4, np.random.RandomState(0)
    ).members.toarray()
    for k in range(members.shape[1]):
        below = set(nodes.descendants_of(40 + k))
        assert set(np.flatnonzero(members[:, k])) == {j for j in below if j < 40}


def test_a_node_is_positive_unknown_and_weighs_as_its_members():
    Y = np.array([[1, 0, 0], [0, np.nan, 0], [np.nan, 1, 0], [0, 0, 1.0]])
    weight = np.arange(12.0).reshape(4, 3)
    hierarchy = Hierarchy.flat(range(3))
    positive, unknown = label_tree._indicators_of(Y)
    rng = np.random.RandomState(0)
    nodes = add_nodes(hierarchy, np.eye(4), positive, 2, rng)
    got = nodes.problems(np.eye(4), positive, unknown, weight)
    for k, members in enumerate(nodes.members.T.toarray(), start=3):
        known = np.nan_to_num(Y[:, members])
        has_one = known.any(axis=1)
        np.testing.assert_array_equal(got.positive[:, k].toarray().ravel(), has_one)
        maybe = np.isnan(Y[:, members]).any(axis=1) & ~has_one
        np.testing.assert_array_equal(got.unknown[:, k].toarray().ravel(), maybe)
        np.testing.assert_array_equal(
            got.sample_weight[:, k], weight[:, members].max(axis=1)
        )


# -- search ----------------------------------------------------------------------------


def scored(hierarchy, q, rule=np.multiply):
    """Return a Search of conditional probabilities in an array, and all products."""
    families = Families(hierarchy, group_siblings(hierarchy))

    def conditional(rows, groups):
        n = families.n_children[groups]
        return q[np.repeat(rows, n), families.members(groups)]

    P = q.copy()
    for labels, parents in hierarchy.downward_plan:
        P[:, labels] = rule(P[:, labels], P[:, parents].min(axis=2))
    return Search(families, conditional, len(q), rule), P


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ties", [False, True])
def test_search_finds_what_scoring_all_finds(seed, ties, monkeypatch):
    monkeypatch.setattr(search, "WIDTH", 1 + seed % 3)
    monkeypatch.setattr(search, "CELLS_AT_A_TIME", 10 + 100 * seed)
    hierarchy = random_hierarchy(40, seed, 1 + seed % 3)
    rng = np.random.default_rng(seed)
    q = rng.random((15, 40), dtype=np.float32)
    if ties:
        q = np.round(q * 3) / np.float32(3)
    searched, P = scored(hierarchy, q, np.minimum if seed % 2 else np.multiply)
    leaves = np.zeros(40, bool)
    leaves[hierarchy.leaves] = True
    for wanted in (np.ones(40, bool), leaves):
        for k in (1, 3, int(wanted.sum())):
            found = searched.best(k, wanted)
            labels, proba = found.first(k, hierarchy.depth, 15)
            for row in range(15):
                order = np.lexsort((np.arange(40), hierarchy.depth, -P[row]))
                best = order[wanted[order]][:k]
                np.testing.assert_array_equal(labels[row], best)
                np.testing.assert_array_equal(proba[row], P[row, best])
            wide = searched.best(k, wanted, beam=40).first(k, hierarchy.depth, 15)
            np.testing.assert_array_equal(wide[0], labels)
            narrow = searched.best(k, wanted, beam=1).first(k, hierarchy.depth, 15)
            assert (narrow[1] <= proba).all()
            np.testing.assert_array_equal(
                narrow[1], np.take_along_axis(P, narrow[0], axis=1)
            )
    least = rng.random(15).astype(np.float32)
    for strict, reach in ((False, np.greater_equal), (True, np.greater)):
        found = searched.above(least, strict=strict).indicators(P.shape)
        np.testing.assert_array_equal(found.toarray(), reach(P, least[:, None]))


def test_kth_highest():
    rows = np.array([2, 0, 2, 2, 0])
    proba = np.array([0.5, 0.1, 1.0, 0.0, 0.1], np.float32)
    for k, expected in ((1, [0.1, 0, 1]), (2, [0.1, 0, 0.5]), (3, [0, 0, 0])):
        found = kth_highest(rows, proba, k, 3)
        np.testing.assert_array_equal(found, np.float32(expected))


@pytest.mark.parametrize(
    "max_children, negatives", [(3, "siblings"), (100, "siblings"), (3, "all")]
)
def test_predictions_of_a_search_are_those_of_all_probabilities(
    max_children, negatives, monkeypatch
):
    monkeypatch.setattr(label_tree, "WORTH_SEARCHING", 0)
    monkeypatch.setattr(label_tree, "ROWS_PER_SEARCH", 25)
    monkeypatch.setattr(chunks, "ENTRIES_AT_A_TIME", 300)
    hierarchy, X, Y = problem(30, max_parents=3, seed=1)
    clf = LabelTreeClassifier(
        hierarchy, negatives=negatives, max_children=max_children, **GIVEN
    ).fit(X, Y)
    assert (clf.n_nodes_ > 30) == (max_children == 3)
    for among in ("all", "leaves", None):
        for k in (1, 4):
            found = clf.predict_top_k(X, k, among=among)
            expected = AnswersMixin.predict_top_k(clf, X, k, among=among)
            for one, other in zip(found, expected, strict=True):
                assert_same(one, other)
            names = clf.predict_top_k(X[:30], k, among=among, names=True)
            said = AnswersMixin.predict_top_k(clf, X[:30], k, among=among, names=True)
            assert names == said
    dense = clf.predict(X)
    for threshold in (None, 0.01, 0.2):
        clf.set_params(threshold=threshold, sparse_output=False)
        dense = clf.predict(X)
        sparse = clf.set_params(sparse_output=True).predict(X)
        assert sp.issparse(sparse) and sparse.dtype.kind == "i"
        np.testing.assert_array_equal(sparse.toarray(), dense)
    # without the product there is nothing to search
    clf.set_params(coherence=None)
    best, proba = clf.predict_top_k(X, 1)
    np.testing.assert_array_equal(proba[:, 0], clf.raw_predict_proba(X).max(axis=1))
    raw = clf.predict(X).toarray()
    np.testing.assert_array_equal(raw, clf.raw_predict_proba(X) > 0.2)


def test_messages_of_predict_top_k():
    hierarchy, X, Y = problem()
    clf = LabelTreeClassifier(hierarchy, **GIVEN).fit(X, Y)
    for beam in (0, 1.5, True):
        with pytest.raises(ValueError, match=f"Got beam={beam!r}, expected an integer"):
            clf.predict_top_k(X, 1, beam=beam)
    for beam in (None, 2):
        with pytest.raises(ValueError, match="Got among='twigs'"):
            clf.predict_top_k(X, 1, among="twigs", beam=beam)
        with pytest.raises(ValueError, match="Got k=13, expected .* 1 to 12"):
            clf.predict_top_k(X, 13, beam=beam)


# -- what is handed over ---------------------------------------------------------------


def test_forms_of_X_give_the_same_fit():
    hierarchy, X, Y = problem()
    expected = LabelTreeClassifier(hierarchy, **GIVEN).fit(X, Y)
    wide = X.copy()
    wide.indices, wide.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    halves = sp.csr_matrix(  # every entry twice, backwards, and a zero in front
        (
            np.concatenate(
                [np.r_[0.0, X[i].data[::-1], X[i].data] / 2 for i in range(60)]
            ),
            np.concatenate(
                [np.r_[0, X[i].indices[::-1], X[i].indices] for i in range(60)]
            ),
            np.concatenate([[0], np.cumsum(2 * np.diff(X.indptr) + 1)]),
        ),
        X.shape,
    )
    n_entries = halves.nnz
    for inputs in (wide, halves, sp.csr_array(X)):
        clf = LabelTreeClassifier(hierarchy, **GIVEN).fit(inputs, Y)
        np.testing.assert_allclose(
            clf.predict_proba(inputs), expected.predict_proba(X), rtol=1e-3
        )
    assert halves.nnz == n_entries  # the user's own stays what it is
    frame = pd.DataFrame(X.toarray(), columns=[f"word {k}" for k in range(30)])
    clf = LabelTreeClassifier(hierarchy, **GIVEN).fit(frame, Y)
    assert clf.feature_names_in_[3] == "word 3"


def test_one_row_has_the_bits_it_has_among_others():
    hierarchy, X, Y = problem()
    clf = LabelTreeClassifier(hierarchy, **GIVEN, sparse_output=True).fit(X, Y)
    proba, best = clf.predict_proba(X), clf.predict_top_k(X, 3, among="leaves")
    chosen = clf.predict(X).toarray()
    for kind in (sp.csr_matrix, sp.csr_array):
        for i in range(5):
            row = kind(X[i : i + 1])
            before = row.data.copy()
            assert_same(clf.predict_proba(row)[0], proba[i])
            found = clf.predict_top_k(row, 3, among="leaves")
            for one, all_rows in zip(found, best, strict=True):
                assert_same(one[0], all_rows[i])
            assert_same(clf.predict(row).toarray()[0], chosen[i])
            assert_same(row.data, before)  # the user's own


def test_a_csr_row_that_is_not_right_is_still_refused():
    hierarchy, X, Y = problem()
    clf = LabelTreeClassifier(hierarchy, **GIVEN).fit(X, Y)
    row = X[:1].copy()
    row.data[0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        clf.predict_proba(row)
    with pytest.raises(ValueError, match="29 features, but .* is expecting 30"):
        clf.predict_proba(X[:1, :29])
    with pytest.raises(ValueError, match="0 sample"):
        clf.predict_proba(X[:0])
    with pytest.raises(InvalidParameterError, match="threshold.*Got 2 instead"):
        clf.set_params(threshold=2).predict(X[:1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lengths_are_those_of_scikit_learn(dtype):
    X = sp.random(50, 30, 0.2, format="csr", random_state=0, dtype=dtype)
    expected = normalize(X)
    assert_same(of_length_1(X).data, expected.data)
    X.data[::7] = 0  # is stored
    expected = normalize(X)
    assert_same(of_length_1(X).data, expected.data)


def test_rows_of_zeros_and_of_great_numbers():
    hierarchy, X, Y = problem()
    X = X.toarray()
    X[0] = 0
    clf = LabelTreeClassifier(hierarchy, **GIVEN).fit(X, Y)
    zero = expit(clf.slope_ * clf.intercept_)
    np.testing.assert_allclose(clf.raw_predict_proba(X[:1])[0], zero, rtol=1e-5)
    for scale in (1e-200, 1e200):  # the length does not matter
        other = clone(clf).fit(scale * X, Y)
        np.testing.assert_allclose(
            other.predict_proba(scale * X), clf.predict_proba(X), rtol=1e-3
        )
    raw = clone(clf).set_params(normalize=False).fit(X, Y)
    for call in (raw.predict, lambda X: raw.fit(X, Y)):
        with pytest.raises(ValueError, match="Got values up to 1e\\+200 in X"):
            call(1e200 / X.max() * X)


def test_jobs_threads_and_pickles_change_nothing(monkeypatch):
    monkeypatch.setattr(label_tree, "WORTH_SEARCHING", 0)
    hierarchy, X, Y = problem(30, seed=1)
    clf = LabelTreeClassifier(hierarchy, random_state=0).fit(X, Y)
    with parallel_backend("threading"):
        other = clone(clf).set_params(n_jobs=2).fit(X, Y)
    assert_same_fit(clf, other, X)
    fresh = pickle.loads(pickle.dumps(clf))
    best = clf.predict_top_k(X, 3)[0]
    assert len(pickle.dumps(clf)) == len(pickle.dumps(fresh))  # nothing of the search
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fresh.predict_top_k(X, 3)[0], range(8)))
    for labels in found:
        assert_same(labels, best)


@pytest.mark.slow
def test_processes_change_nothing():
    hierarchy, X, Y = problem(30, seed=1)
    one, two = (
        LabelTreeClassifier(hierarchy, random_state=0, n_jobs=n).fit(X, Y)
        for n in (1, 2)
    )
    assert_same_fit(one, two, X)


def test_solvers_that_do_not_finish_say_so():
    hierarchy, X, Y = problem()
    clf = LabelTreeClassifier(hierarchy, **GIVEN, tol=1e-9, max_iter=2)
    with pytest.warns(
        ConvergenceWarning, match="of 12 classifiers were not .*tol=1e-09"
    ):
        clf.fit(X, Y)
    assert clf.n_iter_ == 2


def test_weights_that_are_all_zero():
    hierarchy, X, Y = problem()
    with pytest.raises(ValueError, match="some positive sample weight"):
        LabelTreeClassifier(hierarchy).fit(X, Y, sample_weight=np.zeros(len(Y)))


# -- memory ----------------------------------------------------------------------------


def test_memory_is_told_and_looked_at_before_it_is_taken(monkeypatch, capsys):
    hierarchy, X, Y = problem()
    clf = LabelTreeClassifier(hierarchy, **GIVEN, verbose=1).fit(X, Y)
    said = capsys.readouterr().out.splitlines()
    assert "fit takes about" in said[0] and "of memory beside X and y" in said[0]
    assert "100% of the classifiers' work is done" in said[-1]
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(InvalidParameterError, match="of 12 labels .* 1 kB of memory"):
        clf.fit(X, Y)
    assert not hasattr(clf, "classes_")
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    clf.fit(X, Y)


def test_planned_weights_are_a_bound_or_near_those_that_are_kept(monkeypatch):
    hierarchy, X, Y = problem(40, n_samples=300, n_features=200)
    clf = LabelTreeClassifier(hierarchy, **GIVEN).fit(X, Y)
    positive, _ = label_tree._indicators_of(Y)
    problems = Problems(of_length_1(X), positive)
    groups = group_siblings(hierarchy)
    fit = siblings.partial(
        fit_binary, loss="squared_hinge", tol=0.1, max_iter=100, seed=0, C=1.0
    )
    kept = 2 * memory.WEIGHT * clf._weights.nnz
    monkeypatch.setattr(memory, "ENTRY", 0)
    monkeypatch.setattr(memory, "LABEL", 0)
    args = problems, groups, fit, 0.05, True, None
    bound = memory.plan_memory(*args, np.random.RandomState(0)).more
    monkeypatch.setattr(memory, "WORTH_TRIALS", 0)
    near = [memory.plan_memory(*args, np.random.RandomState(k)).more for k in range(5)]
    assert kept <= bound and 0.9 * kept < min(near) and max(near) < 1.1 * kept
    taken = memory.plan_memory(*args, np.random.RandomState(0), Y).taken
    assert taken - memory.plan_memory(*args, np.random.RandomState(0)).taken == Y.nbytes


def flat_problem(n_samples=400, n_features=500, n_labels=60):
    X = sp.random(n_samples, n_features, 0.05, format="csr", random_state=0)
    Y = sp.random(n_samples, n_labels, 0.05, format="csr", random_state=1)
    Y.data[:] = 1
    return X, Y


def test_planned_centroids_are_a_bound_or_near_what_they_are(monkeypatch):
    X, Y = flat_problem()
    positive, _ = label_tree._indicators_of(Y)
    groups = group_siblings(Hierarchy.flat(range(60)))
    centroids = clusters._centroids(X, positive)
    n_bytes = (8 + 4) * centroids.nnz
    args = X, positive, groups
    rng = np.random.RandomState(0)
    rest = memory._n_bytes(X) + 3 * memory._n_bytes(positive)

    def planned():
        return (memory.plan_centroids(*args, rng) - rest) / memory.HALVES

    assert planned() >= n_bytes
    monkeypatch.setattr(memory, "WORTH_TRIALS", 0)
    assert 0.95 * n_bytes < planned() < 1.05 * n_bytes
    assert memory.plan_centroids(X, positive, [], rng) == 0


def test_memory_of_learnt_nodes_is_said_and_looked_at(monkeypatch, capsys):
    X, Y = flat_problem()
    clf = LabelTreeClassifier(**GIVEN, max_children=10, verbose=1)
    monkeypatch.setattr(memory, "HALVES", 1e3)
    clf.fit(X, Y)
    said = capsys.readouterr().out  # about X, which scipy's versions draw differently
    assert re.search(r"32\d MB of memory beside X and y", said)
    monkeypatch.setattr(memory, "free_memory", lambda: 10**8)
    with pytest.raises(InvalidParameterError, match="learnt among 60 labels .* 100 MB"):
        clf.fit(X, Y)


@pytest.mark.slow
def test_learning_nodes_takes_as_much_memory_as_is_planned():
    X, Y = flat_problem(4000, 4000, 800)
    positive, _ = label_tree._indicators_of(Y)
    groups = group_siblings(Hierarchy.flat(range(800)))
    rng = np.random.RandomState(0)
    planned = memory.plan_centroids(X, positive, groups, rng)
    tracemalloc.start()
    add_nodes(Hierarchy.flat(range(800)), X, positive, 100, rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert planned / 1.5 < peak < 1.2 * planned


def test_more_numbers_than_the_solver_counts_are_an_error(monkeypatch):
    hierarchy, X, Y = problem()
    clf = LabelTreeClassifier(hierarchy, random_state=0)
    monkeypatch.setattr(label_tree, "MOST_STORED", X.nnz)
    clf.fit(X, Y)
    monkeypatch.setattr(label_tree, "MOST_STORED", X.nnz - 1)
    with pytest.raises(ValueError, match=f"stores {X.nnz:,} numbers.*max_features="):
        clf.fit(X, Y)
    clf.fit(X.toarray(), Y)

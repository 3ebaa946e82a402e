"""KernelHMC: the regression, its left-out scores, the probabilities, the messages."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import average_precision_score, log_loss
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import KernelHMC
from skhmc._kernels import choice, kernel_hmc, ridge
from skhmc._kernels.calibration import fit_sigmoids, score_odds
from skhmc._kernels.kernels import Kernel, total_variance
from skhmc._kernels.ridge import DualSystem, PrimalSystem, solve_labels
from skhmc._kernels.rows import merge_rows
from skhmc.coherence import close_upward, score_violations
from tests.contract import assert_same, task
from tests.hierarchies import random_hierarchy
from tests.test_file_rows import on_disk

GIVEN = {"gamma": 0.2, "ridge": 0.01}


def scores(clf, X):
    """Return scores of labels before they are probabilities."""
    return np.vstack(list(clf._model.scores(X)))


def kernel_problem(n_samples=30, n_labels=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 3))
    K = Kernel("rbf", 0.3)(X, X)
    Y = (rng.random((n_samples, n_labels)) < 0.4).astype(float)
    Y[0], Y[1] = 0, 1
    weight = rng.uniform(0.2, 2, (n_samples, 1))
    return K, Y, weight / weight.mean()


def solved(K, Y, weight, penalty):
    """Return coefficients and constants by one general system of equations."""
    n = len(K)
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = weight * K + penalty * np.eye(n)
    system[:n, n] = weight[:, 0]
    system[n, :n] = 1  # the constant's equation: coefficients add up to 0
    found = np.linalg.solve(system, np.vstack([weight * Y, np.zeros(Y.shape[1])]))
    return found[:n], found[n]


# -- the regression --------------------------------------------------------------------


def test_coefficients_solve_the_equations_of_weighted_least_squares():
    K, Y, weight = kernel_problem()
    found = solve_labels(DualSystem(K), Y, weight, 0.01)
    coef, intercept = solved(K, Y, weight, 0.01 * len(K))
    np.testing.assert_allclose(found.coef, coef, atol=1e-10)
    np.testing.assert_allclose(found.intercept, intercept, atol=1e-10)


def test_left_out_scores_are_those_of_as_many_fits():
    K, Y, weight = kernel_problem()
    left_out = solve_labels(DualSystem(K), Y, weight, 0.01).left_out
    for row in range(len(K)):
        rest = np.delete(np.arange(len(K)), row)
        part = K[np.ix_(rest, rest)], Y[rest], weight[rest]
        coef, intercept = solved(*part, 0.01 * len(K))
        expected = K[row, rest] @ coef + intercept
        np.testing.assert_allclose(left_out[row], expected, atol=1e-8)


def test_features_of_the_same_kernel_say_the_same():
    K, Y, weight = kernel_problem()
    weight[3] = 0  # a row that is only predicted
    values, vectors = np.linalg.eigh(K)
    features = vectors * np.sqrt(np.maximum(values, 0))
    dual = solve_labels(DualSystem(K), Y, weight, 0.01)
    primal = solve_labels(PrimalSystem(features), Y, weight, 0.01)
    np.testing.assert_allclose(primal.left_out, dual.left_out, atol=1e-9)
    fitted = features @ primal.coef + primal.intercept
    np.testing.assert_allclose(fitted, K @ dual.coef + dual.intercept, atol=1e-9)
    np.testing.assert_allclose(dual.left_out[3], fitted[3], atol=1e-9)


@pytest.mark.parametrize("kind", [DualSystem, PrimalSystem])
def test_conjugate_gradients_find_the_same_fit(kind, monkeypatch):
    K, Y, _ = kernel_problem(40, 8)
    rng = np.random.default_rng(1)
    weight = (rng.random(Y.shape) < 0.8) * rng.uniform(0.5, 2, Y.shape)
    weight[:, 4:6] = weight[:, :1]  # three labels share a pattern
    weight *= (weight > 0).sum(axis=0) / weight.sum(axis=0)
    system = (
        DualSystem(K)
        if kind is DualSystem
        else PrimalSystem(np.linalg.cholesky(K + 1e-9 * np.eye(40)))
    )
    exact = solve_labels(system, Y, weight, 0.05)
    monkeypatch.setattr(ridge, "MAX_PATTERNS", 3)
    near = solve_labels(system, Y, weight, 0.05)
    np.testing.assert_array_equal(near.coef[:, [0, 4, 5]], exact.coef[:, [0, 4, 5]])
    np.testing.assert_allclose(near.coef, exact.coef, atol=1e-6)
    np.testing.assert_allclose(near.intercept, exact.intercept, atol=1e-6)
    error = np.abs(near.left_out - exact.left_out)[:, [1, 2, 3, 6, 7]]
    assert 0 < error.mean() < 0.02
    unknown = weight == 0  # no row is left out there
    np.testing.assert_allclose(
        near.left_out[unknown], exact.left_out[unknown], atol=1e-6
    )


def test_leverages_of_many_patterns_are_exact_where_all_rows_weigh_alike(monkeypatch):
    K, Y, _ = kernel_problem()
    weight = np.ones(Y.shape)
    exact = solve_labels(DualSystem(K), Y, weight[:, :1], 0.02)
    monkeypatch.setattr(ridge, "MAX_PATTERNS", -1)
    weight[:, 1] += 1e-15 * np.arange(len(Y))  # nearly: every label by itself
    monkeypatch.setattr(
        ridge, "_patterns", lambda weight: ([], np.arange(weight.shape[1]))
    )
    near = solve_labels(DualSystem(K), Y, weight, 0.02)
    np.testing.assert_allclose(near.left_out, exact.left_out, atol=1e-6)


def test_the_scores_are_those_of_scikit_learn():
    """Which has no constant: of centred labels and a kernel without one, it is 0."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    X = np.vstack([X, -X])  # odd labels of even rows: the constant is 1 / 2
    Y = np.tile([[1.0], [0.0]], (1, 40)).reshape(-1, 1)
    clf = KernelHMC(kernel="linear", ridge=0.02).fit(X, Y)
    plain = KernelRidge(kernel="linear", alpha=0.02 * 80).fit(X, Y - 0.5)
    np.testing.assert_allclose(scores(clf, X), plain.predict(X) + 0.5, atol=1e-10)


def test_unknown_labels_are_fitted_to_the_rows_in_which_they_are_known():
    hierarchy, X, Y = task("many")
    Y = Y.astype(float)
    column = hierarchy.position("cow")
    rows = np.flatnonzero(Y[:, hierarchy.position("mammal")] == 1)[::3]
    Y[rows, column] = np.nan
    clf = KernelHMC(hierarchy, **GIVEN).fit(X, Y)
    known = ~np.isnan(Y[:, column])
    alone = KernelHMC(**GIVEN).fit(X[known], Y[known][:, [column]])
    np.testing.assert_allclose(scores(clf, X)[:, [column]], scores(alone, X), atol=1e-9)


# -- rows ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_equal_rows_are_one(form):
    X = np.array([[0.0, 2], [1, 0], [-0.0, 2], [1, 1], [1, 0]])
    Y = np.array([[1.0, 0], [0, 1], [0, np.nan], [0, np.nan], [1, 1]])
    weight = np.array([[1.0], [2], [3], [1], [0]])
    found = merge_rows(form(X), Y, weight)
    rows = found.X.toarray() if sp.issparse(found.X) else found.X
    np.testing.assert_array_equal(rows[found.place[[0, 1, 2, 3]]], X[[0, 1, 2, 3]])
    assert found.place[0] == found.place[2] and found.place[4] == -1
    order = found.place[[0, 1, 3]]
    np.testing.assert_allclose(found.target[order], [[1 / 4, 0], [0, 1], [0, 0]])
    np.testing.assert_allclose(
        found.weight[order], [[12 / 7, 2 / 3], [6 / 7, 4 / 3], [3 / 7, 0]]
    )
    np.testing.assert_allclose(found.rows[order], [[4, 1], [2, 2], [1, 0]])


def test_sparse_rows_give_the_fit_of_dense_ones():
    hierarchy, X, Y = task("many")
    X = np.where(np.abs(X) > 0.7, X, 0)
    for kernel in ("cosine", "linear", "rbf"):
        clf = KernelHMC(hierarchy, kernel=kernel, ridge=0.01)
        dense, sparse = (clone(clf).fit(x, Y) for x in (X, sp.csr_matrix(X)))
        assert dense.gamma_ == pytest.approx(sparse.gamma_)
        expected = dense.decision_function(X)
        found = sparse.decision_function(sp.csr_matrix(X))
        np.testing.assert_allclose(found, expected, atol=1e-7)
        np.testing.assert_allclose(sparse.decision_function(X), expected, atol=1e-7)


def test_a_sparse_X_is_never_made_dense(monkeypatch):
    def refuse(self, *args, **kwargs):
        assert self.shape[1] < 1000, "a sparse X was made dense"
        return original(self, *args, **kwargs)

    original = sp.csr_matrix.toarray
    hierarchy, X, Y = task("many")
    wide = sp.hstack([sp.csr_matrix(X), sp.csr_matrix((len(X), 10**6))], "csr")
    monkeypatch.setattr(sp.csr_matrix, "toarray", refuse)
    for kernel in ("cosine", "linear", "rbf"):
        clf = KernelHMC(hierarchy, kernel=kernel, **GIVEN).fit(wide, Y)
        assert clf.predict_proba(wide).shape == Y.shape


# -- left out --------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_leave_one_out_proba_is_that_of_a_refit_per_row(weighted):
    hierarchy, X, Y = task("many", n_samples=40)
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 2, 40) if weighted else np.ones(40)
    clf = KernelHMC(hierarchy, **GIVEN, coherence=None)
    found = clf.leave_one_out_proba(X, Y, sample_weight=weight)
    assert found.shape == Y.shape
    for row in range(0, 40, 7):
        rest = np.delete(np.arange(40), row)
        share = weight[rest].sum() / weight.sum()  # of all weights: the same n lambda
        other = clone(clf).set_params(ridge=0.01 / share)
        other.fit(X[rest], Y[rest], sample_weight=weight[rest])
        raw = scores(other, X[[row]])
        expected = clf._model.proba(raw)  # by the maps of all rows
        np.testing.assert_allclose(found[[row]], expected, atol=1e-8)


def test_leave_one_out_proba_fits_and_is_coherent_in_the_order_of_Y():
    hierarchy, X, Y = task("many")
    order = [4, 0, 5, 2, 1, 3]
    frame = pd.DataFrame(Y, columns=hierarchy.labels).iloc[:, order]
    clf, plain = KernelHMC(hierarchy, **GIVEN), KernelHMC(hierarchy, **GIVEN)
    found, expected = (
        c.leave_one_out_proba(X, y) for c, y in ((clf, frame), (plain, Y))
    )
    np.testing.assert_allclose(found, expected[:, order], atol=1e-12)
    assert score_violations(found, clf.hierarchy_).nnz == 0
    np.testing.assert_allclose(
        clf.predict_proba(X)[:, np.argsort(order)], plain.fit(X, Y).predict_proba(X)
    )
    assert (
        np.abs(clf.predict_proba(X) - Y[:, order]).mean()
        < np.abs(found - Y[:, order]).mean()
    )


def test_rows_without_a_known_label_get_what_is_predicted():
    hierarchy, X, Y = task("many")
    Y = Y.astype(float)
    Y[3] = np.nan
    clf = KernelHMC(hierarchy, **GIVEN)
    found = clf.leave_one_out_proba(X, Y)
    np.testing.assert_allclose(found[3], clf.predict_proba(X[[3]])[0])
    listed = clf.set_params(proba_format="list").leave_one_out_proba(X, Y)
    np.testing.assert_array_equal(np.stack(listed, 1)[:, :, 1], found)


def test_leave_one_out_proba_of_classes_are_distributions():
    X = task("many")[1]
    y = np.where(X[:, 0] > 0, "a", np.where(X[:, 1] > 0, "b", "c"))
    clf = KernelHMC(**GIVEN)
    found = clf.leave_one_out_proba(X, y)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    right = (clf.classes_[found.argmax(axis=1)] == y).mean()
    assert 0.7 < right < clf.score(X, y)


# -- probabilities ---------------------------------------------------------------------


def test_score_odds_rise_and_leave_shares_inside_as_they_are():
    x = np.sort(np.concatenate([[-1e300, -1e6, 1e6], np.linspace(-3, 4, 401)]))
    odds = score_odds(x)
    assert np.isfinite(odds).all() and (np.diff(odds) > 0).all()
    np.testing.assert_allclose(score_odds(1 - x[1:-1]), -odds[1:-1], atol=1e-6)
    assert expit(score_odds(np.array([0.5])))[0] == 0.5
    np.testing.assert_allclose(
        expit(score_odds(x[150:250])).mean(), x[150:250].mean(), atol=0.3
    )


def platt(odds, target, weight):
    """Return slope and intercept by a general method of optimisation."""
    n_positive, n = (weight * target).sum(), weight.sum()
    high, low = (n_positive + 1) / (n_positive + 2), 1 / (n - n_positive + 2)
    goal = low + (high - low) * target

    def loss(line):
        z = line[0] * odds + line[1]
        return (weight * (np.logaddexp(0, z) - goal * z)).sum()

    start = [0.0, float(logit(target.mean()))]
    bounds = [(0, None), (None, None)]
    return minimize(loss, start, bounds=bounds, options={"ftol": 1e-15}).x


def test_maps_are_platts_and_shrunk_to_those_of_levels():
    rng = np.random.default_rng(0)
    odds = rng.normal(size=(80, 6)) * 2
    target = (rng.random(odds.shape) < expit(0.8 * odds - 1)).astype(float)
    target[:, 1] = 1 - target[:, 1]  # falls: the line is level
    target[:, 2] = odds[:, 2] > 0  # separable
    target[:, 3] = 0
    target[:3, 3] = 1  # too few for a map of its own
    weight = rng.uniform(0.5, 2, (80, 1))
    levels = np.array([0, 0, 0, 1, 1, 1])
    maps = fit_sigmoids(odds, target, weight, levels)
    for label in (0, 1, 2, 4, 5):
        expected = platt(odds[:, label], target[:, label], weight[:, 0])
        np.testing.assert_allclose(maps.own[:, label], expected, rtol=1e-3, atol=1e-4)
    assert maps.own[0, 1] == 0
    each = np.broadcast_to(weight, odds.shape)[:, 3:].ravel()
    expected = platt(odds[:, 3:].ravel(), target[:, 3:].ravel(), each)
    np.testing.assert_allclose(maps.level[:, 4], expected, rtol=1e-3, atol=1e-4)
    n = (weight * target).sum(axis=0)
    np.testing.assert_allclose(maps.share[[0, 4]], n[[0, 4]] / (n[[0, 4]] + 10))
    proba = maps(odds)
    assert (np.diff(proba[np.argsort(odds[:, 0]), 0]) > 0).all()
    line = maps.level[0, 3] * odds[:, 3] + maps.level[1, 3]
    np.testing.assert_allclose(proba[:, 3], expit(line))


@pytest.mark.parametrize("seed", range(2))
def test_probabilities_of_random_dags_are_coherent_and_keep_the_order(seed):
    rng = np.random.default_rng(seed)
    hierarchy = random_hierarchy(12, seed, max_parents=3)
    X = rng.normal(size=(50, 4))
    raw = X @ rng.normal(size=(4, hierarchy.n_labels)) > 0.8
    Y = close_upward(raw.astype(int), hierarchy)
    Y[0], Y[1] = 0, 1
    clf = KernelHMC(hierarchy).fit(X, Y)
    proba = clf.predict_proba(X)
    assert score_violations(proba, hierarchy).nnz == 0
    assert ((proba > 0) & (proba < 1)).all()
    raw, given = clf.raw_predict_proba(X), scores(clf, X)
    for label in range(hierarchy.n_labels):
        order = np.argsort(given[:, label])
        assert (np.diff(raw[order, label]) >= 0).all()


def test_constant_labels_have_their_prior():
    hierarchy, X, Y = task("many")
    Y = Y.copy()
    Y[:, hierarchy.position("cow")] = 0
    clf = KernelHMC(hierarchy, **GIVEN, coherence=None)
    with pytest.warns(UserWarning, match=r"1 with no positive row \('cow'\).* prior"):
        clf.fit(X, Y)
    assert (clf.predict_proba(X)[:, hierarchy.position("cow")] < 1e-3).all()
    with pytest.warns(UserWarning, match="Of 6 labels, 6 with no positive row"):
        clf.fit(X, np.zeros(Y.shape))
    assert clf.ridge_ is None and clf.choice_ == []
    assert not clf.predict(X).any()
    with pytest.warns(UserWarning, match="Of 6 labels"):
        assert clf.leave_one_out_proba(X, np.zeros(Y.shape)).max() < 1e-3


# -- what is chosen --------------------------------------------------------------------


def test_the_best_rank_of_left_out_rows_is_chosen():
    hierarchy, X, Y = task("many")
    clf = KernelHMC(hierarchy).fit(X, Y)
    tried = pd.DataFrame(clf.choice_)
    tried = tried.sort_values("log_loss")
    best = tried.loc[tried.au_prc.idxmax()]
    assert (clf.gamma_, clf.ridge_) == (best.gamma, best.ridge)
    assert len(tried) == len(choice.BANDWIDTHS) * len(choice.RIDGES)
    np.testing.assert_allclose(
        np.sort(tried.gamma.unique()) * X.var(axis=0).sum(), choice.BANDWIDTHS
    )
    given = KernelHMC(hierarchy, gamma=clf.gamma_, ridge=clf.ridge_).fit(X, Y)
    assert given.choice_ == []
    np.testing.assert_array_equal(given.predict_proba(X), clf.predict_proba(X))


def test_ranks_and_losses_are_those_of_scikit_learn_where_targets_are_0_and_1():
    rng = np.random.default_rng(0)
    proba = rng.random((30, 3)).round(1)  # with ties
    target = (rng.random((30, 3)) < proba).astype(float)
    weight = rng.uniform(0.5, 2, (30, 3))
    flat = target.ravel(), proba.ravel(), weight.ravel()
    expected = average_precision_score(*flat[:2], sample_weight=flat[2])
    assert choice.au_prc(proba, target, weight) == pytest.approx(expected)
    proba = proba.clip(0.1, 0.9)
    expected = log_loss(target.ravel(), proba.ravel(), sample_weight=flat[2])
    assert choice.log_loss(proba, target, weight) == pytest.approx(expected)
    # a share is as many rows of either value
    twice = np.repeat(proba, 2, axis=0)
    both = np.tile([[0.0], [1.0]], (30, 3))
    shares = choice.au_prc(proba, np.full((30, 3), 0.5), np.full((30, 1), 2.0))
    assert shares == pytest.approx(choice.au_prc(twice, both, np.ones((60, 1))))


def test_scores_that_are_compared_are_those_of_the_fit():
    K, Y, weight = kernel_problem()
    spread = choice._Spread(Y, weight)
    spread.decompose(K)
    for value in (1e-3, 0.1):
        expected = solve_labels(DualSystem(K), Y, weight, value).left_out
        np.testing.assert_allclose(spread.left_out(value), expected, atol=1e-9)


def test_few_rows_and_labels_are_looked_at(monkeypatch):
    hierarchy, X, Y = task("many")
    monkeypatch.setattr(choice, "MAX_ROWS", 30)
    monkeypatch.setattr(choice, "MAX_LABELS", 2)
    seen = []
    original = choice._Spread.__init__
    monkeypatch.setattr(
        choice._Spread,
        "__init__",
        lambda self, target, weight: (
            seen.append(target.shape),
            original(self, target, weight),
        )[1],
    )
    assert KernelHMC(hierarchy).fit(X, Y).score(X, Y) > 0.3
    assert seen == [(30, 2)]


# -- kernels ---------------------------------------------------------------------------


def test_a_callable_kernel_gets_matrices():
    hierarchy, X, Y = task("many")
    own = KernelHMC(hierarchy, kernel=lambda A, B: A @ B.T + 1.0, ridge=0.01).fit(X, Y)
    linear = KernelHMC(hierarchy, kernel="linear", ridge=0.01).fit(X, Y)
    # what is constant in a kernel is the constant's
    expected = linear.decision_function(X)
    np.testing.assert_allclose(own.decision_function(X), expected, atol=1e-7)
    assert own.gamma_ is None


@pytest.mark.parametrize(
    "kernel, message",
    [
        (lambda A, B: A[:, 0], r"shape \(60,\) for 60 and 60 rows"),
        (lambda A, B: np.full((len(A), len(B)), np.nan), "returned NaN"),
        (lambda A, B: -(A @ B.T), "not positive definite"),
    ],
)
def test_what_is_no_kernel_is_refused(kernel, message):
    hierarchy, X, Y = task("many")
    with pytest.raises(ValueError, match=message):
        KernelHMC(hierarchy, kernel=kernel, ridge=1e-3).fit(X, Y)


def test_nystroem_of_all_directions_is_exact_and_repeatable():
    hierarchy, X, Y = task("many")
    exact = KernelHMC(hierarchy, kernel="linear", ridge=0.01).fit(X, Y)
    clf = clone(exact).set_params(n_components=12, random_state=0).fit(X, Y)
    assert clf.n_components_ == 12 and exact.n_components_ is None
    expected = exact.decision_function(X)
    np.testing.assert_allclose(clf.decision_function(X), expected, atol=1e-7)
    near = KernelHMC(hierarchy, n_components=25, **GIVEN, random_state=0)
    assert_same(near.fit(X, Y).predict_proba(X), clone(near).fit(X, Y).predict_proba(X))
    all_rows = KernelHMC(hierarchy, n_components=60, **GIVEN).fit(X, Y)
    assert all_rows.n_components_ is None


@pytest.mark.parametrize("kernel", ["linear", "cosine"])
def test_short_rows_need_no_matrix_of_all_pairs(kernel):
    hierarchy, X, Y = task("many")
    found = KernelHMC(hierarchy, kernel=kernel, ridge=0.01).fit(X, Y)
    assert found._model.coef.shape == (5, 6)
    pairs = Kernel(kernel)  # as a callable, which is solved by all pairs
    plain = KernelHMC(hierarchy, kernel=pairs, ridge=0.01).fit(X, Y)
    assert plain._model.coef.shape == (60, 6)
    expected = plain.decision_function(X)
    np.testing.assert_allclose(found.decision_function(X), expected, atol=1e-7)


def test_scores_beyond_what_a_float_can_hold_are_refused():
    hierarchy, X, Y = task("many")
    clf = KernelHMC(hierarchy, kernel="linear").fit(X * 1e-6, Y)
    with pytest.raises(ValueError, match=r"greatest value of X is 1e\+307. Scale"):
        clf.predict_proba(np.full((1, 5), 1e307))


def test_many_rows_are_approximated(monkeypatch):
    hierarchy, X, Y = task("many")
    monkeypatch.setattr(kernel_hmc, "MOST_EXACT", 59)
    monkeypatch.setattr(kernel_hmc, "N_LANDMARKS", 20)
    linear = KernelHMC(hierarchy, kernel="linear", ridge=0.01).fit(X, Y)
    assert linear.n_components_ is None  # its rows are short
    assert KernelHMC(hierarchy, **GIVEN).fit(X, Y).n_components_ == 20
    assert (
        KernelHMC(hierarchy, **GIVEN, n_components=None).fit(X, Y).n_components_ is None
    )


def test_rows_that_are_repeated_count():
    """As evidence for probabilities, but for nothing else."""
    hierarchy, X, Y = task("many")
    clf = KernelHMC(hierarchy, **GIVEN).fit(X, Y)
    whole = KernelHMC(hierarchy, **GIVEN).fit(X, Y, sample_weight=np.full(60, 100))
    share = KernelHMC(hierarchy, **GIVEN).fit(X, Y, sample_weight=np.full(60, 0.01))
    np.testing.assert_allclose(share.predict_proba(X), clf.predict_proba(X))
    np.testing.assert_allclose(scores(whole, X), scores(clf, X), atol=1e-12)
    assert (whole._model.maps.share > clf._model.maps.share).all()


def test_rows_are_distinct_where_their_number_matters():
    hierarchy, X, Y = task("many")
    clf = KernelHMC(hierarchy, **GIVEN).fit(
        np.repeat(X, 3, axis=0), np.repeat(Y, 3, axis=0)
    )
    assert len(clf._model.features.basis) == 60


def test_memory_is_looked_at_before_it_is_taken(monkeypatch):
    hierarchy, X, Y = task("many")
    monkeypatch.setattr(kernel_hmc, "free_memory", lambda: 50_000)
    with pytest.raises(InvalidParameterError, match="60 distinct rows.*74.9 kB.*50 kB"):
        KernelHMC(hierarchy, **GIVEN).fit(X, Y)
    with pytest.raises(InvalidParameterError, match="30 features of 60 .*smaller"):
        KernelHMC(hierarchy, n_components=30).fit(X, Y)
    monkeypatch.setattr(kernel_hmc, "free_memory", lambda: None)
    KernelHMC(hierarchy, **GIVEN).fit(X, Y)


# -- odd inputs ------------------------------------------------------------------------


def test_constant_features_predict_the_shares():
    Y = (np.arange(40)[:, None] % [2, 4] == 0).astype(int)
    clf = KernelHMC().fit(np.ones((40, 3)), Y)
    np.testing.assert_allclose(
        clf.predict_proba(np.ones((1, 3))), [[0.5, 0.25]], atol=0.05
    )


def test_features_beyond_what_a_float_can_square_are_refused():
    hierarchy, X, Y = task("many")
    with pytest.raises(ValueError, match="greatest value.*StandardScaler"):
        KernelHMC(hierarchy).fit(X * 1e200, Y)
    assert total_variance(sp.csr_matrix(X)) == pytest.approx(total_variance(X))


def test_a_large_mean_of_features_costs_no_precision():
    hierarchy, X, Y = task("many")
    moved = KernelHMC(hierarchy, **GIVEN).fit(X + 1e6, Y).decision_function(X + 1e6)
    plain = KernelHMC(hierarchy, **GIVEN).fit(X, Y).decision_function(X)
    np.testing.assert_allclose(moved, plain, atol=1e-6)


def test_isotonic_needs_a_tree_and_a_fit_that_failed_leaves_nothing():
    hierarchy, X, Y = task("many")
    clf = KernelHMC(hierarchy, **GIVEN).fit(X, Y)
    clf.set_params(coherence="isotonic")
    with pytest.raises(ValueError, match="parents"):
        clf.fit(X, Y)
    assert not hasattr(clf, "classes_")


def test_X_may_lie_in_a_file_but_has_two_dimensions(tmp_path):
    hierarchy, X, Y = task("many")
    clf = KernelHMC(hierarchy, **GIVEN)
    plain = clone(clf).fit(X, Y).predict_proba(X)
    in_file = on_disk(tmp_path, X)
    assert_same(clone(clf).fit(in_file, Y).predict_proba(in_file), plain)
    with pytest.raises(ValueError, match=r"X.reshape\(len\(X\), -1\)"):
        clf.fit(X[:, :, None], Y)


def test_a_kernel_that_is_0_says_the_shares():
    X = np.array([[0.0], [1e-301]] * 15)
    Y = (np.arange(30)[:, None] % 3 == 0).astype(int)
    clf = KernelHMC(kernel="linear", n_components=1, random_state=0, ridge=0.1)
    proba = clf.fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(proba, 1 / 3, atol=0.1)


def test_pickles_say_the_same():
    hierarchy, X, Y = task("many")
    clf = KernelHMC(hierarchy, **GIVEN).fit(X, Y)
    again = pickle.loads(pickle.dumps(clf))
    assert_same(again.predict_proba(X), clf.predict_proba(X))


def test_blocks_of_rows_say_the_same(monkeypatch):
    hierarchy, X, Y = task("many")
    clf = KernelHMC(hierarchy, **GIVEN).fit(X, Y)
    whole = clf.predict_proba(X), clf.predict(X), clf.decision_function(X)
    monkeypatch.setattr("skhmc._kernels.model.CELLS", 60 * 7)
    for method, expected in zip(
        ("predict_proba", "predict", "decision_function"), whole, strict=True
    ):
        np.testing.assert_allclose(getattr(clf, method)(X), expected, atol=1e-9)
    assert clf.predict_table(X[:9], k=2)["sample"].nunique() == 9


def test_conjugate_gradients_leave_a_constant_label_alone():
    K, Y, _ = kernel_problem()
    Y[:, 0] = 1
    found = ridge._conjugate_gradients(DualSystem(K), Y, np.ones(Y.shape), 0.3)
    np.testing.assert_allclose(found[0][:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(found[1][0], 1)

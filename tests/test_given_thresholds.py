"""Tests of thresholds that are given, of few labels, and of what is promised."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit

from skhmc import HierarchicalThresholdClassifier, Hierarchy
from skhmc._meta import promises
from skhmc._meta.promises import Promise, hoeffding_bentkus, promised_thresholds
from skhmc.coherence import close_upward, max_constraint
from skhmc.metrics import hierarchical_f1_scorer, hierarchical_violation_rate
from tests.contract import DAG, every_estimator, task
from tests.hierarchies import hierarchies
from tests.test_threshold import Says, forest, said

NAMES = list(DAG.labels)


def prefit(hierarchy=DAG, **options):
    return HierarchicalThresholdClassifier(Says(), hierarchy, cv="prefit", **options)


def coherent(n_samples=50, seed=0, hierarchy=DAG):
    """Return coherent probabilities and closed labels."""
    p, Y = said(n_samples, hierarchy.n_labels, seed)
    return max_constraint(p, hierarchy), close_upward(Y, hierarchy)


# -- given -----------------------------------------------------------------------------


def test_a_number_is_the_threshold_of_all_labels():
    p, Y = coherent()
    for value in (0.4, np.float32(0.4), np.array(0.4)):
        clf = prefit(thresholds=value).fit(p, Y)
        np.testing.assert_array_equal(clf.predict(p), p > float(value))
        assert clf.thresholds_.tolist() == [float(value)] * 6
    assert clf.best_score_ is None and clf.thresholds_per_fold_ is None
    assert clf.closing_ == "up"


@pytest.mark.parametrize("kind", [dict, pd.Series])
def test_by_name(kind):
    p, Y = coherent()
    clf = prefit(thresholds=kind({"cat": 0.9, "bird": 0.1})).fit(p, Y)
    expected = dict.fromkeys(NAMES, 0.5) | {"cat": 0.9, "bird": 0.1}
    np.testing.assert_array_equal(clf.thresholds_, [expected[name] for name in NAMES])
    above = close_upward((p > clf.thresholds_).astype(int), DAG)
    np.testing.assert_array_equal(clf.predict(p), above)


def test_an_array_or_one_per_level():
    p, Y = coherent()
    each = np.linspace(0.2, 0.7, 6)
    for values in (each, each.tolist(), tuple(each), sp.csr_matrix(each).toarray()[0]):
        clf = prefit(thresholds=values).fit(p, Y)
        np.testing.assert_array_equal(clf.thresholds_, each)
    clf = prefit(thresholds=[0.3, 0.8], strategy="level").fit(p, Y)
    np.testing.assert_array_equal(clf.thresholds_, np.array([0.3, 0.8])[DAG.depth])


def test_an_array_is_in_the_order_of_the_columns():
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=NAMES)
    turned = frame[NAMES[::-1]]
    each = np.linspace(0.2, 0.7, 6)
    by_name = pd.Series(each, NAMES[::-1])
    for cv in (5, "prefit"):
        inner = forest().fit(X, Y) if cv == "prefit" else forest()
        clf = HierarchicalThresholdClassifier(inner, hierarchy, cv=cv)
        one, two = (
            clone(clf).set_params(thresholds=values, estimator=inner).fit(X, turned)
            for values in (each, by_name)
        )
        np.testing.assert_array_equal(one.thresholds_, two.thresholds_)
        assert (
            dict(zip(one.label_names_, one.thresholds_, strict=True))["cat"]
            == (by_name["cat"])
        )


def test_nothing_is_split_where_thresholds_are_given():
    hierarchy, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(
        forest(), hierarchy, thresholds=0.3, cv=KFold(1000), refit=False
    ).fit(X, Y)
    expected = forest().fit(X, Y).predict_proba(X)
    p = np.transpose([pair[:, 1] for pair in expected])
    np.testing.assert_array_equal(clf.predict(X), p > 0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thresholds": {"cat": 0.5, "unicorn": 0.5}}, "names 'unicorn', which .* 'bi"),
        (
            {"thresholds": {"cat": 1.5}},
            "threshold of label 'cat' to be .*, got 1.5",
        ),
        ({"thresholds": {"cat": None}}, "threshold of label 'cat' to be .*, got None"),
        (
            {"thresholds": pd.Series([0.1, 0.9, 0.5], index=["cat", "cat", "bird"])},
            "got several of 'cat' in the index",
        ),
        ({"thresholds": True}, "thresholds to be a probability .*, got True"),
        ({"thresholds": -0.1}, "thresholds to be a probability .*, got -0.1"),
        (
            {"thresholds": [0.5, np.nan] * 3},
            "thresholds to be a .* got nan",
        ),
        ({"thresholds": [0.5] * 5}, r"one per label, 6 \(in the order of Y's .* got 5"),
        ({"thresholds": [0.5] * 2}, "for one per level set strategy='level'"),
        (
            {"thresholds": [0.5] * 6, "strategy": "level"},
            r"one per level, 2 \(the roots' first\), got 6",
        ),
        ({"thresholds": "best"}, "'thresholds' parameter"),
        ({"max_labels": 0}, "'max_labels' parameter"),
        ({"min_precision": 1.0}, "'min_precision' parameter"),
        ({"min_recall": 0}, "'min_recall' parameter"),
        ({"confidence": 1}, "'confidence' parameter"),
        ({"min_precision": 0.9, "min_recall": 0.9}, "can keep one promise"),
        (
            {"min_precision": 0.9, "thresholds": 0.5},
            "=0.9 finds .*=0.5 gives",
        ),
        ({"min_recall": 0.9, "max_labels": 2}, "max_labels=2 cuts them"),
        (
            {"min_precision": 0.9, "max_labels": 2, "strategy": "level"},
            "one threshold of all labels, got strategy='level'",
        ),
    ],
)
def test_wrong_parameters(options, message):
    p, Y = coherent()
    clf = prefit(**options)
    with pytest.raises(ValueError, match=message):
        clf.fit(p, Y)
    with pytest.raises(NotFittedError):
        clf.predict(p)


@pytest.mark.parametrize(
    "options",
    [
        {"thresholds": 0.3},
        {"max_labels": 2},
        {"min_recall": 0.5},
        {"min_precision": 0.5},
    ],
)
def test_one_class_per_sample_refuses_what_would_be_ignored(options):
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 3
    clf = HierarchicalThresholdClassifier(forest(), **options)
    name = next(iter(options))
    with pytest.raises(ValueError, match=f"{name}=.* but y has one class per sample"):
        clf.fit(X, y)
    fitted = HierarchicalThresholdClassifier(forest()).fit(X, y)
    with pytest.raises(ValueError, match=f"{name}=.* but y has one class per sample"):
        fitted.set_params(**options).predict(X)


# -- at most so many labels ------------------------------------------------------------


@settings(max_examples=50)
@given(hierarchies(max_labels=7), st.integers(1, 5), st.integers(0, 1000))
def test_no_other_coherent_set_of_so_few_labels_is_more_probable(hierarchy, k, seed):
    rng = np.random.default_rng(seed)
    p = np.round(rng.random((8, hierarchy.n_labels)), 1)  # with ties
    thresholds = rng.random(hierarchy.n_labels)
    Y = close_upward((p > 0.5).astype(int), hierarchy)
    clf = prefit(hierarchy, thresholds=thresholds).fit(p, Y)
    whole = clf.predict(p)
    few = clf.set_params(max_labels=k).predict(p)
    assert hierarchical_violation_rate(few, hierarchy) == 0
    assert (few <= whole).all()
    raised = max_constraint(p, hierarchy)
    for row in range(8):
        labels = np.flatnonzero(whole[row])
        best = 0.0
        for size in range(k + 1):
            for chosen in combinations(labels, size):
                one = np.zeros((1, hierarchy.n_labels), int)
                one[0, list(chosen)] = 1
                if (close_upward(one, hierarchy) == one).all():
                    best = max(best, raised[row][list(chosen)].sum())
        assert few[row].sum() == min(k, len(labels))
        assert (few[row] * raised[row]).sum() == pytest.approx(best)


def test_few_labels_of_all():
    p, Y = coherent()
    clf = prefit(thresholds=0.0, max_labels=2).fit(p, Y)
    assert (clf.predict(p).sum(axis=1) == np.minimum(2, (p > 0).sum(axis=1))).all()
    clf.set_params(max_labels=100)
    np.testing.assert_array_equal(clf.predict(p), p > 0)
    with pytest.raises(ValueError, match="'max_labels' parameter"):
        clf.set_params(max_labels=0).predict(p)


def test_the_score_is_that_of_few_labels():
    p, Y = coherent(200)
    for metric in ("hierarchical_f1", "f1_macro"):
        clf = prefit(max_labels=2, metric=metric).fit(p, Y)
        same = prefit(thresholds=clf.thresholds_, max_labels=2).fit(p, Y)
        expected = hierarchical_f1_scorer(same, p, Y)
        if metric == "hierarchical_f1":
            assert clf.best_score_ == pytest.approx(expected)
        assert clf.best_score_ < prefit(metric=metric).fit(p, Y).best_score_


@every_estimator
def test_with_networks(estimator):
    hierarchy, X, Y = task("many")
    inner = clone(estimator).set_params(hierarchy=hierarchy).fit(X, Y)
    few = HierarchicalThresholdClassifier(
        inner, thresholds={"cat": 0.1}, max_labels=2, cv="prefit"
    ).fit(X, pd.DataFrame(Y, columns=NAMES))
    assert few.predict(X).sum(axis=1).max() <= 2
    assert hierarchical_violation_rate(few.predict(X), hierarchy) == 0


def test_in_searches():
    hierarchy, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(forest(), hierarchy, cv=2)
    grid = [{"thresholds": [0.2, {"cat": 0.9}]}, {"max_labels": [1, 3]}]
    scoring = hierarchical_f1_scorer
    search = GridSearchCV(clf, grid, cv=KFold(2), scoring=scoring).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# -- folds -----------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["global", "level", "label"])
@pytest.mark.parametrize("metric", ["hierarchical_f1", "f1_macro"])
def test_thresholds_of_every_fold(strategy, metric):
    hierarchy, X, Y = task("many")
    options = {"strategy": strategy, "metric": metric}
    cv = KFold(3)
    clf = HierarchicalThresholdClassifier(forest(), hierarchy, cv=cv, **options)
    clf.fit(X, Y)
    assert clf.thresholds_per_fold_.shape == (3, 6)
    for fold, (train, test) in enumerate(cv.split(X)):
        proba = forest().fit(X[train], Y[train]).predict_proba(X[test])
        p = np.transpose([pair[:, 1] for pair in proba])
        alone = prefit(**options).fit(p, Y[test])
        if alone.closing_ == clf.closing_:
            found = clf.thresholds_per_fold_[fold]
            np.testing.assert_array_equal(found, alone.thresholds_)
    whole = prefit(**options).fit(*coherent())
    np.testing.assert_array_equal(whole.thresholds_per_fold_, [whole.thresholds_])


def test_folds_in_which_a_metric_has_no_value():
    def metric(Y_true, Y_pred):
        if len(Y_true) < 60:
            raise ValueError("too few samples")
        return float((Y_true == Y_pred).mean())

    hierarchy, X, Y = task("many")
    clf = HierarchicalThresholdClassifier(forest(), hierarchy, metric=metric, cv=3)
    assert np.isnan(clf.fit(X, Y).thresholds_per_fold_).all()


# -- promises --------------------------------------------------------------------------


def test_p_values_bound_the_chance_of_so_low_a_mean():
    rng = np.random.default_rng(0)
    alpha = 0.2
    for n in (10, 100):
        draws = rng.beta(0.4, 1.6, size=(4000, n))  # of mean 0.2
        coins = rng.random((4000, n)) < alpha
        for losses in (draws, coins):
            p = hoeffding_bentkus(losses.mean(axis=1), np.full(4000, n), alpha)
            for risk in (0.05, 0.2):
                assert (p <= risk).mean() < risk + 0.02
    low = hoeffding_bentkus(np.zeros(3), np.array([0, 10, 100]), alpha)
    assert low[0] == 1 and low[2] < low[1] == pytest.approx(0.8**10)
    higher = hoeffding_bentkus(np.array([0.05, 0.1, 0.3]), np.full(3, 100), alpha)
    assert higher[0] < higher[1] < higher[2] == 1


CHAIN = Hierarchy.from_edges([(0, 1), (1, 2)])
GRID = np.arange(40) / 40  # coarser, to be fast


def drawn(n, rng):
    """Return probabilities of a path of three labels, and the labels."""
    sure = rng.random((n, 1)) * [1.0, 0.9, 0.8]
    p = np.clip(sure + 0.1 * rng.normal(size=(n, 1)), 0.01, 0.99)
    Y = (rng.random((n, 1)) < sure**0.8).astype(int)
    return p, Y


def risks(p, Y, goal, codes):
    """Return the risk of every group of labels at every threshold, by a loop."""
    found = np.full((codes.max() + 1, len(GRID)), 0.0)
    for k, threshold in enumerate(GRID):
        for group in range(codes.max() + 1):
            above, true = (p > threshold)[:, codes == group], Y[:, codes == group] == 1
            counted = above if goal == "precision" else true
            wrong = (above & ~true) if goal == "precision" else (true & ~above)
            rows = counted.any(axis=1)
            if rows.any():
                share = wrong[rows].sum(axis=1) / counted[rows].sum(axis=1)
                found[group, k] = share.mean()
    return found


def broken(goal, strategy, n_draws, confidence):
    """Return how often a promise is broken, and how often one is made."""
    codes = {"global": np.zeros(3, int), "label": np.arange(3)}[strategy]
    rng = np.random.default_rng(0)
    true_risk = risks(*drawn(20_000, rng), goal, codes)
    # a risk that one of the thresholds misses narrowly
    alpha = true_risk[0, np.abs(true_risk[0] - 0.3).argmin()] - 0.01
    promise = Promise(goal, 1 - alpha, confidence)
    n_broken, n_made = 0, 0
    for _ in range(n_draws):
        p, Y = drawn(300, rng)
        given = Y, codes, CHAIN, promise, np.arange(300)
        thresholds, kept = promised_thresholds(lambda t, p=p: p > t, *given)
        at = [np.abs(GRID - threshold).argmin() for threshold in thresholds[kept]]
        risk = true_risk[np.flatnonzero(kept), at]
        n_broken += (risk > alpha + 0.005).any()  # but for the rounding of true_risk
        n_made += kept.any()
    return n_broken / n_draws, n_made / n_draws


@pytest.mark.parametrize("strategy", ["global", "label"])
@pytest.mark.parametrize("goal", ["precision", "recall"])
def test_promises_are_kept_as_often_as_was_said(goal, strategy, monkeypatch):
    monkeypatch.setattr(promises, "GRID", GRID)
    share, made = broken(goal, strategy, 50, confidence=0.9)
    assert share <= 0.1 and made > 0.5

    def as_it_is(mean, n, alpha):
        return np.where((mean <= alpha) & (n > 0), 0.0, 1.0)

    monkeypatch.setattr(promises, "hoeffding_bentkus", as_it_is)
    share, _ = broken(goal, strategy, 50, confidence=0.9)
    assert share > 0.25  # so the bound is what keeps them


@pytest.mark.parametrize("sequence", ["_holds_downward", "_holds_upward"])
def test_so_many_thresholds_are_tested_at_one_risk(sequence):
    p = np.random.default_rng(0).random((5000, len(promises.GRID)))  # all break it
    found = getattr(promises, sequence)(p, 0.1)
    assert 0.08 < found.any(axis=1).mean() < 0.11
    sure = getattr(promises, sequence)(np.zeros_like(p[:1]), 0.1)
    assert sure[0, : np.abs(promises.GRID - 0.98).argmin() + 1].all()


@pytest.mark.parametrize("goal", ["precision", "recall"])
def test_all_labels_share_the_risk(goal, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(promises, "GRID", np.array([0.1, 0.5]))
    monkeypatch.setattr(promises, "STARTS", (0.5,))
    by_chance = lambda mean, n, alpha: rng.random(mean.shape)  # noqa: E731
    monkeypatch.setattr(promises, "hoeffding_bentkus", by_chance)
    p, Y = coherent(3)
    given = lambda t: p > t, Y, np.arange(6), Hierarchy.flat(6), Promise(goal, 0.9, 0.8)
    kept = [promised_thresholds(*given, np.arange(3))[1].any() for _ in range(1000)]
    assert 0.15 < np.mean(kept) < 0.22


def test_thresholds_below_are_those_above_or_higher():
    down = [(0, np.array([], int)), (1, np.array([0])), (2, np.array([1]))]
    holds = np.zeros((3, len(promises.GRID)), dtype=bool)
    holds[0, 50:60], holds[1, 40:], holds[2, :45] = True, True, True
    thresholds, kept = promises._lowest(holds, down)
    np.testing.assert_array_equal(thresholds, promises.GRID[[50, 50, 0]] + [0, 0, 1])
    assert kept.tolist() == [True, True, False]
    thresholds, kept = promises._highest(np.roll(holds[::-1], -3, axis=1), down)
    assert (np.diff(thresholds) >= 0).all() and kept.all()


def test_samples_of_a_group_count_once(monkeypatch):
    seen = []

    def spy(mean, n, alpha):
        seen.append((mean, n))
        return np.ones(mean.shape)

    p, Y = coherent(40)
    monkeypatch.setattr(promises, "hoeffding_bentkus", spy)
    with pytest.warns(UserWarning, match="No threshold has a recall of 0.9"):
        prefit(min_recall=0.9).fit(p, Y)
    once = seen.copy()
    seen.clear()
    with pytest.warns(UserWarning, match="No threshold has a recall of 0.9"):
        prefit(min_recall=0.9).fit(
            np.repeat(p, 3, axis=0), np.repeat(Y, 3, axis=0), groups=np.arange(120) // 3
        )
    for (mean, n), (other, n_other) in zip(once, seen, strict=True):
        np.testing.assert_allclose(mean, other)
        np.testing.assert_array_equal(n, n_other)


@pytest.mark.parametrize("strategy", ["global", "level", "label"])
@pytest.mark.parametrize("goal", ["min_precision", "min_recall"])
@pytest.mark.filterwarnings("ignore:No threshold has")
def test_predictions_are_coherent_and_thresholds_rise_with_depth(goal, strategy):
    p, Y = said(400, 6, 0)  # probabilities that are not coherent
    Y = close_upward(Y, DAG)
    clf = prefit(strategy=strategy, **{goal: 0.6}).fit(p, Y)
    t = clf.thresholds_
    assert all(t[parent] <= t[child] for parent, child in DAG.edges)
    if goal == "min_precision":
        assert len(set(t)) > 1 or strategy == "global"
    predicted = clf.predict(p)
    assert hierarchical_violation_rate(predicted, DAG) == 0
    np.testing.assert_array_equal(predicted, max_constraint(p, DAG) > t)
    assert clf.thresholds_per_fold_ is None and 0 < clf.best_score_ < 1
    harder = prefit(strategy=strategy, **{goal: 0.8}).fit(p, Y).thresholds_
    sign = 1 if goal == "min_precision" else -1
    assert (sign * harder >= sign * t).all() and (harder != t).any()


def test_what_cannot_be_promised():
    p, Y = coherent(20)
    with pytest.warns(UserWarning, match=r"precision of 0.99 .* 6 of 6 labels .*never"):
        clf = prefit(min_precision=0.99).fit(p, Y)
    assert not clf.predict(p).any()
    with pytest.warns(UserWarning, match=r"recall of 0.99 .* 6 of 6 .* always predict"):
        clf = prefit(min_recall=0.99).fit(np.zeros_like(p), Y)
    assert clf.predict(np.zeros_like(p)).all()


@pytest.mark.parametrize("strategy", ["label", "level"])
def test_labels_that_are_always_predicted_for_those_below_are_named(strategy):
    chain = Hierarchy.from_paths(["a/b/c"])
    p = np.ones((300, 3)) * [0.9, 0.8, 0.1]
    Y = np.ones((300, 3), int)
    Y[3:, 2] = 0
    clf = prefit(chain, min_recall=0.6, strategy=strategy)
    message = r"1 of 3 labels \('a/b/c'\): .* for their sake so are 'a', 'a/b'\."
    with pytest.warns(UserWarning, match=message):
        clf.fit(p, Y)
    assert clf.predict(np.zeros((1, 3))).all()


def test_labels_with_one_value_and_one_label():
    p, Y = coherent(300)
    flat = Hierarchy.flat(["always", "never"])
    Y = np.c_[np.ones(300, int), np.zeros(300, int)]
    with pytest.warns(
        UserWarning, match=r"1 of 2 labels \('never'\): .* never predicted"
    ):
        clf = prefit(flat, min_precision=0.9, strategy="label").fit(p[:, :2], Y)
    assert clf.thresholds_[0] == 0 and clf.thresholds_[1] == 1
    one = prefit(None, min_recall=0.5).fit(p[:, :1], Y[:, :1])
    assert one.predict(p[:, :1]).shape == (300, 1)


def test_sparse_unknown_and_weightless_labels():
    p, Y = coherent(300)
    plain = prefit(min_precision=0.6).fit(p, Y)
    sparse = prefit(min_precision=0.6).fit(p, sp.csr_matrix(Y))
    np.testing.assert_array_equal(plain.thresholds_, sparse.thresholds_)
    more = np.r_[p, p[::-1]], np.r_[Y, 1 - Y]
    unknown = more[1].astype(float)
    unknown[300:] = np.nan
    one = prefit(min_precision=0.6).fit(more[0], unknown)
    np.testing.assert_array_equal(plain.thresholds_, one.thresholds_)
    weight = np.r_[np.full(300, 2.0), np.zeros(300)]

    class Weighs(Says):
        def fit(self, X, y, sample_weight=None):
            return self

    clf = HierarchicalThresholdClassifier(Weighs(), DAG, cv="prefit", min_precision=0.6)
    closed = more[0], np.r_[Y, np.zeros_like(Y)]
    two = clf.fit(*closed, sample_weight=weight)
    np.testing.assert_array_equal(plain.thresholds_, two.thresholds_)


def test_promises_out_of_fold():
    hierarchy, X, Y = task("many", n_samples=200)
    clf = HierarchicalThresholdClassifier(forest(), hierarchy, min_precision=0.7)
    clf.fit(X, Y)
    assert 0 < clf.thresholds_[0] < 1
    split = ShuffleSplit(1, test_size=0.5, random_state=0)
    kept = clone(clf).set_params(cv=split, refit=False).fit(X, Y)
    train, test = next(split.split(X))
    inner = forest().fit(X[train], Y[train])
    p = np.transpose([pair[:, 1] for pair in inner.predict_proba(X[test])])
    np.testing.assert_array_equal(
        kept.thresholds_, prefit(min_precision=0.7).fit(p, Y[test]).thresholds_
    )


def test_a_promise_for_few_labels():
    p, Y = coherent(600)
    few = prefit(min_precision=0.6, max_labels=2).fit(p, Y)
    assert few.predict(p).sum(axis=1).max() == 2
    assert few.thresholds_[0] <= prefit(min_precision=0.6).fit(p, Y).thresholds_[0]

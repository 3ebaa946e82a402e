"""Thresholds: applied coherently, and the best ones against trying all."""

from functools import reduce
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from skhmc import Hierarchy
from skhmc._meta.f1_thresholds import (
    apply_thresholds,
    constrain,
    f1_thresholds,
    group_labels,
    search_thresholds,
)
from skhmc.coherence import score_violations, violations
from tests.hierarchies import hierarchies

TREE = Hierarchy.from_parents({"a1": "a", "a2": "a", "b": None})


def _scores(hierarchy, seed, n_samples=6):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 5, (n_samples, hierarchy.n_labels)) / 4


@given(hierarchies(), st.integers(0, 1000))
def test_scores_are_raised_or_lowered_no_more_than_needed(hierarchy, seed):
    scores = _scores(hierarchy, seed)
    up, down = (constrain(scores, hierarchy, way) for way in ("up", "down"))
    for k in range(hierarchy.n_labels):
        below = np.append(hierarchy.descendants[[k]].indices, k)
        above = np.append(hierarchy.ancestors[[k]].indices, k)
        np.testing.assert_array_equal(up[:, k], scores[:, below].max(axis=1))
        np.testing.assert_array_equal(down[:, k], scores[:, above].min(axis=1))
    assert not score_violations(down, hierarchy).nnz


@given(hierarchies(), st.integers(0, 1000))
def test_label_sets_are_coherent_and_no_larger_or_smaller_than_needed(hierarchy, seed):
    scores = _scores(hierarchy, seed)
    thresholds = np.random.default_rng(seed).random(hierarchy.n_labels)
    above = scores > thresholds
    up = apply_thresholds(scores, thresholds, hierarchy, "up")
    down = apply_thresholds(scores, thresholds, hierarchy, "down")
    assert not violations(up, hierarchy).nnz and not violations(down, hierarchy).nnz
    for k in range(hierarchy.n_labels):
        below = np.append(hierarchy.descendants[[k]].indices, k)
        over = np.append(hierarchy.ancestors[[k]].indices, k)
        np.testing.assert_array_equal(up[:, k], above[:, below].any(axis=1))
        np.testing.assert_array_equal(down[:, k], above[:, over].all(axis=1))


def test_groups_of_labels():
    assert group_labels(TREE, "global").tolist() == [0, 0, 0, 0]
    assert group_labels(TREE, "level").tolist() == TREE.depth.tolist()
    assert group_labels(TREE, "label").tolist() == [0, 1, 2, 3]


# -- against all thresholds ------------------------------------------------------------


def _f1(Y, predicted, average, weight):
    """F1 by its definition, of known cells."""
    w = np.ones(len(Y)) if weight is None else weight
    known = ~np.isnan(Y)
    both = w @ (known & (Y == 1) & predicted)
    whole = w @ (known & (Y == 1)) + w @ (known & predicted)
    if average == "micro":
        both, whole = both.sum(), whole.sum()
    return np.mean(2 * both / np.where(whole > 0, whole, 1))


def _best_of_all(scores, Y, groups, average, weight):
    """Try every combination of thresholds that there is."""
    ways = []
    for group in np.unique(groups):
        values = np.unique(scores[:, groups == group])
        ways.append(np.append(values[values > 0] - 1e-3, 1.0))
    return max(
        _f1(Y, scores > np.array(way)[groups], average, weight)
        for way in product(*ways)
    )


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["global", "level", "label"]),
    st.sampled_from(["micro", "macro"]),
    st.booleans(),
    st.booleans(),
)
def test_no_other_thresholds_are_better(seed, strategy, average, unknown, weighted):
    rng = np.random.default_rng(seed)
    Y = (rng.random((7, 4)) < rng.random(4)).astype(float)
    scores = np.clip(Y * 0.3 + rng.integers(0, 5, Y.shape) / 5, 0, 1)  # with ties
    scores = scores.astype(rng.choice([np.float32, np.float64]))
    if unknown:
        Y[rng.random(Y.shape) < 0.3] = np.nan
    Y[range(4), range(4)] = 1  # without a positive a label has its level's threshold
    weight = rng.integers(0, 3, len(Y)).astype(float) if weighted else None
    if weighted:
        weight[:4] += 1  # of those positives
    options = {"strategy": strategy, "average": average, "weight": weight}
    found = f1_thresholds(scores, Y, TREE, **options, shrinkage=0)
    groups = group_labels(TREE, strategy)
    for group in np.unique(groups):
        assert np.ptp(found[groups == group]) == 0
    reached = _f1(Y, scores > found, average, weight)
    best = _best_of_all(scores, Y, groups, average, weight)
    np.testing.assert_allclose(reached, best, atol=1e-9)


def test_many_labels_are_as_good_as_by_scikit_learn():
    rng = np.random.default_rng(0)
    Y = (rng.random((300, 40)) < 0.1).astype(int)
    scores = np.clip(0.1 + 0.2 * Y + 0.1 * rng.normal(size=Y.shape), 0, 1)
    flat, options = Hierarchy.flat(40), {"strategy": "global", "shrinkage": 0}
    for average in ("micro", "macro"):
        found = f1_thresholds(scores, Y, flat, average=average, **options)
        grid = [
            f1_score(Y, scores > t, average=average, zero_division=0)
            for t in np.linspace(0, 1, 300)
        ]
        reached = f1_score(Y, scores > found, average=average, zero_division=0)
        assert 0 < reached - max(grid) + 1e-9 < 0.02


def test_of_equally_good_thresholds_the_one_nearest_to_half():
    Y = np.array([[1], [1], [0], [0]])
    flat, options = Hierarchy.flat(1), {"strategy": "global", "shrinkage": 0}
    for average in ("micro", "macro"):
        for scores, expected in [
            ([0.9, 0.7, 0.2, 0.1], 0.45),  # in the middle of the gap
            ([0.0, 0.0, 0.8, 0.7], 0.35),  # nothing can be won
            ([0.0, 0.0, 0.0, 0.0], 0.5),  # nothing is known
        ]:
            scores = np.array(scores)[:, None]
            found = f1_thresholds(scores, Y, flat, average=average, **options)
            np.testing.assert_allclose(found, [expected])


def test_labels_without_a_positive_have_the_threshold_of_their_level():
    Y = np.array([[1, 0, 0, 1]] * 3 + [[0, 0, 0, 0]] * 3)
    scores = np.array([[0.3, 0.2, 0.2, 0.3]] * 3 + [[0.1, 0.1, 0.2, 0.1]] * 3)
    names = ["a", "a1", "a2", "b"]
    tree = Hierarchy.build(TREE, labels=names)
    found = f1_thresholds(
        scores, Y, tree, strategy="label", average="micro", shrinkage=0
    )
    np.testing.assert_allclose(found[[0, 3]], 0.2)
    level = f1_thresholds(
        scores, Y, tree, strategy="level", average="micro", shrinkage=0
    )
    np.testing.assert_allclose(found[1:3], level[1:3])


def test_shrinkage_is_the_documented_formula():
    rng = np.random.default_rng(0)
    Y = (rng.random((50, 4)) < [0.5, 0.1, 0.3, 0.4]).astype(int)
    scores = rng.random(Y.shape)
    options = {"average": "micro", "shrinkage": 0}
    common, level, label = (
        f1_thresholds(scores, Y, TREE, strategy=strategy, **options)
        for strategy in ("global", "level", "label")
    )
    positive, depth = Y.sum(axis=0), TREE.depth
    n_level = np.array([positive[depth == d].sum() for d in depth])
    expected = (n_level * level + 7 * common) / (n_level + 7)
    options["shrinkage"] = 7
    found = f1_thresholds(scores, Y, TREE, strategy="level", **options)
    np.testing.assert_allclose(found, expected)
    expected = (positive * label + 7 * expected) / (positive + 7)
    found = f1_thresholds(scores, Y, TREE, strategy="label", **options)
    np.testing.assert_allclose(found, expected)


# -- any metric ------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["global", "level", "label"])
def test_searching_ends_near_the_best(strategy):
    rng = np.random.default_rng(0)
    Y = (rng.random((200, 4)) < [0.5, 0.1, 0.3, 0.4]).astype(int)
    scores = np.clip([0.2, 0.05, 0.1, 0.3] + 0.2 * Y + 0.1 * rng.random(Y.shape), 0, 1)
    tried = []

    def score(thresholds):
        tried.append(f1_score(Y, scores > thresholds, average="micro"))
        return tried[-1]

    options = {"strategy": strategy, "shrinkage": 0}
    found = search_thresholds(score, scores, Y, TREE, **options)
    assert len(tried) <= reduce(lambda n, k: n + 1 + 20 * k, [1, 2, 4], 0)
    exact = f1_thresholds(scores, Y, TREE, average="micro", **options)
    best = f1_score(Y, scores > exact, average="micro")
    assert score(found) == max(tried) > best - 0.05
    assert tried[0] < best - 0.2  # at 0.5


def test_a_metric_that_nothing_improves_leaves_the_threshold_at_half():
    scores, Y = np.full((3, 4), 0.2), np.zeros((3, 4))
    options = {"strategy": "label", "shrinkage": 10}
    found = search_thresholds(lambda t: 1.0, scores, Y, TREE, **options)
    assert found.tolist() == [0.5] * 4
    found = search_thresholds(lambda t: 1.0, 0 * scores, Y, TREE, **options)
    assert found.tolist() == [0.5] * 4

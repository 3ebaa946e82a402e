"""expected_calibration_error: against a loop, scikit-learn's curve and by hand."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression

from skhmc import Hierarchy
from skhmc.coherence import close_upward
from skhmc.metrics import (
    HierarchicalScorer,
    expected_calibration_error,
    get_scorer,
    reliability_bins,
)
from tests.contract import DAG, TREE, task
from tests.fake_estimators import FakeHMC
from tests.hierarchies import hierarchies

ANIMALS = Hierarchy(["mammal", "cat", "dog"], [("mammal", "cat"), ("mammal", "dog")])


def example(hierarchy, seed, n_samples=40):
    """Return closed labels, a few of them unknown, and probabilities with ties."""
    rng = np.random.default_rng(seed)
    proba = rng.integers(0, 21, (n_samples, hierarchy.n_labels)) / 20
    Y = (rng.random(proba.shape) < proba).astype(float)
    Y = close_upward(Y, hierarchy)
    Y[rng.random(Y.shape) < 0.1] = np.nan
    return close_upward(Y, hierarchy), proba


def naive_error(Y, proba, columns, n_bins, weight):
    """Return the error over bins of one width, cell by cell."""
    bins = {}
    for i in range(len(Y)):
        for k in columns:
            if np.isnan(Y[i, k]) or not weight[i]:
                continue
            b = next(b for b in range(n_bins) if proba[i, k] <= (b + 1) / n_bins)
            bins.setdefault(b, []).append((proba[i, k], Y[i, k], weight[i]))
    total = sum(w for cells in bins.values() for _, _, w in cells)
    gaps = [abs(sum(w * (y - p) for p, y, w in cells)) for cells in bins.values()]
    return sum(gaps) / total


@settings(max_examples=25)
@given(hierarchies(max_labels=8), st.integers(0, 1000), st.sampled_from([1, 4, 16]))
def test_against_a_loop(hierarchy, seed, n_bins):
    Y, proba = example(hierarchy, seed)
    weight = np.random.default_rng(seed).integers(0, 4, len(Y)).astype(float) + (
        np.arange(len(Y)) < 20
    )
    depth = np.asarray(hierarchy.depth)
    levels = [np.flatnonzero(depth == d) for d in range(depth.max() + 1)]
    options = {"hierarchy": hierarchy, "n_bins": n_bins, "sample_weight": weight}

    def naive(groups):
        return [naive_error(Y, proba, group, n_bins, weight) for group in groups]

    found = expected_calibration_error(Y, proba, average=None, **options)
    np.testing.assert_allclose(found, naive(levels), atol=1e-12)
    found = expected_calibration_error(Y, proba, **options)
    assert found == pytest.approx(np.mean(naive(levels)))
    found = expected_calibration_error(Y, proba, average="micro", **options)
    assert found == pytest.approx(naive([range(hierarchy.n_labels)])[0])
    each = [[k] for k in range(hierarchy.n_labels)]
    found = expected_calibration_error(Y, proba, average="macro", **options)
    assert found == pytest.approx(np.mean(naive(each)))


def test_a_worked_example():
    Y = [[1, 1, 0], [1, 0, 1], [1, 0, 1], [0, 0, 0]]
    proba = [[0.75, 0.5, 0.5]] * 4
    error = expected_calibration_error(Y, proba, hierarchy=ANIMALS, average=None)
    np.testing.assert_allclose(error, [0, 0.125])
    by_label = expected_calibration_error(Y, proba, hierarchy=ANIMALS, average="macro")
    assert by_label == pytest.approx((0 + 0.25 + 0) / 3)
    deep = expected_calibration_error(Y, proba, hierarchy=ANIMALS, exclude="roots")
    assert deep == pytest.approx(0.125)
    assert expected_calibration_error(Y, np.array(Y, float), hierarchy=ANIMALS) == 0


def bins_of(proba, y, **options):
    defaults = {"n_bins": 5, "strategy": "uniform", "sample_weight": None}
    groups = [np.array([0])]
    return reliability_bins(
        y[:, None], proba[:, None], Hierarchy.flat(1), groups, close=True,
        **(defaults | options),
    )[0]  # fmt: skip


def test_bins_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    proba = np.append(rng.random(200), [0, 0.2, 0.4, 0.6, 0.8, 1.0])
    y = (rng.random(206) < proba**2).astype(int)
    true, predicted = calibration_curve(y, proba, n_bins=5)
    found = bins_of(proba, y)
    np.testing.assert_allclose(found.positive, true)
    np.testing.assert_allclose(found.proba, predicted)
    assert found.weight.sum() == 206


def test_bins_of_one_mass():
    rng = np.random.default_rng(0)
    proba, y = rng.random(100) ** 3, rng.integers(0, 2, 100)
    found = bins_of(proba, y, strategy="quantile")
    assert found.weight.tolist() == [20] * 5
    order = np.argsort(proba)
    np.testing.assert_allclose(found.proba, proba[order].reshape(5, 20).mean(axis=1))
    np.testing.assert_allclose(found.positive, y[order].reshape(5, 20).mean(axis=1))
    same = bins_of(np.full(100, 0.3), y, strategy="quantile")
    assert same.weight.tolist() == [100]
    few = bins_of(np.repeat([0.1, 0.9], [90, 10]), y, strategy="quantile")
    np.testing.assert_allclose(few.proba, [0.1, 0.9])  # equals are not parted


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("average", ["level", "micro", "macro"])
def test_weights_are_repeated_rows(strategy, average):
    Y, proba = example(DAG, 0)
    weight = np.random.default_rng(0).integers(0, 3, len(Y))
    options = {"hierarchy": DAG, "strategy": strategy, "average": average}
    one = expected_calibration_error(Y, proba, sample_weight=weight, **options)
    rows = np.repeat(np.arange(len(Y)), weight)
    assert one == pytest.approx(
        expected_calibration_error(Y[rows], proba[rows], **options)
    )
    scaled = expected_calibration_error(Y, proba, sample_weight=7 * weight, **options)
    assert one == pytest.approx(scaled)
    assert one != expected_calibration_error(Y, proba, **options)


def test_forms_of_labels():
    Y, proba = example(DAG, 0)
    Y = np.nan_to_num(Y).astype(int)
    Y = close_upward(Y, DAG)
    expected = expected_calibration_error(Y, proba, hierarchy=DAG)
    names = list(DAG.labels)
    frame = pd.DataFrame(Y, columns=names)[names[::-1]]
    sets = [[names[k] for k in np.flatnonzero(row)] for row in Y]
    scores = pd.DataFrame(proba, columns=names)
    for y_true in (sp.csr_matrix(Y), sets, frame):
        found = expected_calibration_error(y_true, scores, hierarchy=DAG)
        assert found == pytest.approx(expected)
    leaves = Y.copy()
    leaves[:, [names.index(name) for name in ("mammal", "pet", "bird")]] = 0
    open_ = expected_calibration_error(leaves, proba, hierarchy=DAG, close=False)
    assert open_ != expected_calibration_error(leaves, proba, hierarchy=DAG)


def test_scorer():
    hierarchy, X, Y = task("many")
    clf = FakeHMC(hierarchy).fit(X, Y)
    scorer = get_scorer("ece")
    error = expected_calibration_error(Y, clf.predict_proba(X), hierarchy=hierarchy)
    assert scorer(clf, X, Y) == pytest.approx(-error) and error > 0
    assert scorer.__name__ == "neg_expected_calibration_error"
    weight = np.arange(60) % 3
    weighted = expected_calibration_error(
        Y, clf.predict_proba(X), hierarchy=hierarchy, sample_weight=weight
    )
    assert scorer(clf, X, Y, sample_weight=weight) == pytest.approx(-weighted)
    mass = HierarchicalScorer(
        expected_calibration_error, strategy="quantile", greater_is_better=False
    )
    assert mass(clf, X, Y) < 0


def test_levels_of_which_nothing_is_known():
    Y, proba = example(TREE, 0)
    Y[:, np.asarray(TREE.depth) == 1] = np.nan
    options = {"hierarchy": TREE, "close": False}
    found = expected_calibration_error(Y, proba, average=None, **options)
    assert found[0] > 0 and np.isnan(found[1])
    assert expected_calibration_error(Y, proba, **options) == found[0]
    Y[:] = np.nan
    with pytest.warns(UserWarning, match="No cell of y_true is known"):
        assert np.isnan(expected_calibration_error(Y, proba, **options))
    with pytest.warns(UndefinedMetricWarning, match="No cell of y_true is known"):
        none = expected_calibration_error(Y, proba, average=None, **options)
    assert np.isnan(none).all() and none.shape == (2,)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"average": "samples"}, "average must be one of .*'level', .* got 'samples'"),
        ({"n_bins": 0}, "n_bins must be an integer of at least 1, got 0"),
        ({"n_bins": 2.5}, "n_bins must be an integer"),
        ({"strategy": "width"}, "strategy must be one of .*'uniform'.* got 'width'"),
    ],
)
def test_wrong_options(options, message):
    Y, proba = example(ANIMALS, 0)
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(Y, proba, hierarchy=ANIMALS, **options)


def test_scores_that_are_no_probabilities():
    Y, proba = example(ANIMALS, 0)
    proba[3, 1] = 2.5
    with pytest.raises(ValueError, match="got 2.5 of label 'cat'. Pass what predict_p"):
        expected_calibration_error(Y, proba, hierarchy=ANIMALS)
    _, X, Y = task("many")
    model = LinearRegression().fit(X, Y)
    with pytest.raises(ValueError, match="neither predict_proba nor decision_function"):
        get_scorer("ece")(model, X, Y)

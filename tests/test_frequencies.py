"""Counts, rates and class weights."""

import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import compute_class_weight

from skhmc._data.weights import (
    balanced_weights,
    label_counts,
    smoothed_rates,
    warn_constant,
)

counts = st.lists(st.integers(0, 1000), min_size=2, max_size=6).map(np.array)


def test_counts_of_weighted_and_unknown_labels():
    Y = np.array([[1, 0, np.nan], [1, np.nan, 0], [0, 1, 0]])
    weight = np.array([[1.0], [2.0], [4.0]])
    positive, known = label_counts(Y, weight)
    assert positive.tolist() == [3, 4, 0] and known.tolist() == [7, 5, 6]
    found = label_counts(sp.csr_matrix(Y), weight)
    np.testing.assert_array_equal(found, (positive, known))


@pytest.mark.parametrize("width", [1, 7])
@pytest.mark.parametrize("unknown", [False, True])
def test_counts_have_the_same_bits_however_arrays_are_laid_out(width, unknown):
    rng = np.random.default_rng(0)
    Y = (rng.random((1500, 7)) < 0.4).astype(np.float32)
    if unknown:
        Y[rng.random(Y.shape) < 0.2] = np.nan
    weight = rng.random((1500, width)).astype(np.float32)
    expected = label_counts(Y, weight)
    for other in (np.asfortranarray(Y), sp.csr_matrix(Y)):
        for w in (weight, np.asfortranarray(weight)):
            np.testing.assert_array_equal(label_counts(other, w), expected)


def test_counting_many_sparse_labels_makes_few_rows_dense():
    Y = sp.random(600, 50_000, 1e-4, format="csr", dtype=np.float32, random_state=0)
    Y.data[:] = 1
    weight = np.linspace(0.5, 2, 600, dtype=np.float32)[:, None]
    tracemalloc.start()
    positive, known = label_counts(Y, weight)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < Y.shape[0] * Y.shape[1] * 4  # the dense Y alone
    np.testing.assert_allclose(positive, Y.T @ weight[:, 0], rtol=1e-5)
    np.testing.assert_allclose(known, weight.sum(), rtol=1e-5)


def test_rates_are_kept_off_the_ends_and_do_not_depend_on_scale():
    positive, known = np.array([0.0, 2, 4, 0]), np.array([4.0, 4, 4, 0])
    found = smoothed_rates(positive, known)
    np.testing.assert_allclose(found, smoothed_rates(10 * positive, 10 * known))
    assert found[0] == pytest.approx(1e-4, rel=1e-3) == 1 - found[2]
    assert found[1] == 0.5 and found[3] == found[0]  # unknown: as rare as can be


@given(counts)
def test_balanced_weights_without_a_cap_are_those_of_scikit_learn(counts):
    there = counts > 0
    y = np.repeat(np.arange(len(counts)), counts)
    if len(y):
        expected = compute_class_weight("balanced", classes=np.unique(y), y=y)
        found = balanced_weights(counts, np.inf)
        np.testing.assert_allclose(found[there], expected)
        assert (found[~there] == 1).all()


@given(counts, st.floats(1, 50))
def test_the_cap_bounds_the_ratio_and_the_total_stays(counts, cap):
    weights, there = balanced_weights(counts, cap), counts > 0
    assert (weights * counts).sum() == pytest.approx(counts.sum())
    if there.any():
        assert weights[there].max() <= cap * weights[there].min() * (1 + 1e-9)
        order = np.argsort(counts[there])
        assert (np.diff(weights[there][order]) <= 1e-12).all()  # the rarer the heavier


def test_a_cap_of_one_is_no_weight():
    assert balanced_weights(np.array([5, 90, 3]), 1.0) == pytest.approx(1)


@pytest.mark.parametrize("priors", [False, True])
def test_the_warning_says_what_becomes_of_labels_that_say_nothing(priors):
    positive, known = np.array([0.0, 4, 2, 0]), np.array([4.0, 4, 4, 0])
    none, names = np.zeros(4, bool), ["never", "always", "both"]
    fate = "at their prior" if priors else "as hardly ever and always there"
    with pytest.warns(UserWarning, match=f"'never'.*'always'.*{fate}"):
        warn_constant(positive[:3], known[:3], ~none[:3], names, priors)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_constant(positive[2:3], known[2:3], ~none[2:3], ["both"], priors)
        warn_constant(positive[:3], known[:3], none[:3], names, priors)  # not these

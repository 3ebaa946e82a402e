"""Tests of benchmarks.hyperbolic: what it measures is what the documentation shows."""

import numpy as np
import pytest

from benchmarks import hyperbolic as bench
from skhmc.datasets import make_hidden_hierarchy


def test_the_documentation_has_the_tables_of_the_results():
    assert bench.PAGE.read_text() == bench.page()


def test_every_run_that_the_tables_need_is_there():
    found = bench.gather("synthetic")
    for drop in bench.DROPS:
        for variant in bench.VARIANTS:
            runs = found[f"p={drop}", f"default {variant}"]
            assert len(runs["micro_f1"]) >= 5
        for variant in bench.PUBLISHED:
            assert len(found[f"p={drop}", f"paper {variant}"]["micro_f1"]) >= 5
    found = bench.gather("real")
    for name in bench.DATA_SETS:
        for variant in ("joint", "cascade", "flat", "euclidean"):
            assert len(found[name, variant]["au_prc"]) >= 3


def test_columns_are_shuffled_with_their_names():
    X, Y, X_test, Y_test, hierarchy = bench.synthetic(0.4, seed=0)
    data = make_hidden_hierarchy(drop_probability=0.4, random_state=0)
    assert list(Y.columns) == list(Y_test.columns) != data.label_names
    assert sorted(Y.columns) == sorted(data.label_names)
    np.testing.assert_array_equal(Y[data.label_names], data.target[data.train])
    np.testing.assert_array_equal(X_test, data.data[data.test])
    assert len(X) == len(Y) and hierarchy == data.hierarchy


@pytest.mark.parametrize(
    ("n_samples", "expected"), [(64, 60), (64 * 100, 30), (10**6, 5)]
)
def test_epochs_make_about_the_same_number_of_steps(n_samples, expected):
    assert bench.n_epochs(n_samples) == expected


def test_a_cell_has_mean_and_deviation():
    figures = {"au_prc": [0.5, 0.7], "seconds": [10.2, 11.6], "x": [0.25]}
    assert bench.cell(figures, "au_prc") == "0.600 ± 0.141"
    assert bench.cell(figures, "seconds") == "11"
    assert bench.cell(figures, "x") == "0.250"
    assert bench.cell({}, "au_prc") == ""

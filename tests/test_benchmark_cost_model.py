"""Tests of benchmarks.cost_model: its formulas by hand, and what the page shows."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import skhmc
from benchmarks import cost_model
from benchmarks.command import read_results
from benchmarks.cost_parts.formulas import (
    Cost,
    Fit,
    Predictions,
    Tree,
    bytes_of_csr,
    distinct,
)
from benchmarks.cost_parts.kinds import COSTS, KINDS
from benchmarks.cost_parts.runs import rows_of_labels

FIT = Fit(
    n_rows=1000,
    n_features=3,
    n_labels=100,
    labels_per_row=4,
    n_positive=20,
    width=10,
    embedding=5,
    batch_size=64,
    n_sampled=30,
    n_epochs=2,
)


def test_positions_have_64_bits_where_32_are_too_few():
    assert bytes_of_csr(10, 40, 1) == 40 * 5 + 11 * 4
    most = 2**31 - 1
    assert bytes_of_csr(10, most, 1) == most * 5 + 11 * 4
    assert bytes_of_csr(10, most + 1, 1) == (most + 1) * 9 + 11 * 8
    matrix = sp.random(10, 20, 0.2, "csr", dtype=np.float32, random_state=0)
    parts = matrix.data, matrix.indices, matrix.indptr
    assert bytes_of_csr(10, matrix.nnz, 4) == sum(part.nbytes for part in parts)


def test_labels_of_some_rows_together():
    # of a label that 1 row of 4 has, 2 rows with replacement have it with 7/16
    assert distinct(np.array([1, 4, 0]), (2, 4)) == pytest.approx(7 / 16 + 1)
    rng = np.random.default_rng(0)
    Y = rng.random((1000, 50)) < np.linspace(0.001, 0.1, 50)
    drawn = [Y[rng.integers(1000, size=30)].any(axis=0).sum() for _ in range(300)]
    found = distinct(Y.sum(axis=0), (30, 1000))
    assert found == pytest.approx(np.mean(drawn), rel=0.05)


def test_steps_and_labels_of_a_fit():
    assert FIT.n_steps == 2 * 16  # 15 of 64 rows and one of 40
    assert FIT.labels_of_step == 50
    assert replace(FIT, n_sampled=5000).labels_of_step == 100
    assert replace(FIT, n_processes=4).rows_of_step == 16
    # 3 -> 10 -> 10 -> 5, with biases
    assert FIT.encoder_weights == 40 + 110 + 55
    assert FIT.weights == 205 + 100 * 6


def test_bytes_of_a_fit():
    assert FIT.bytes_of_X == 12_000
    assert FIT.bytes_of_Y == 4000 * 5 + 1001 * 4
    assert FIT.bytes_of_order == 8000
    assert FIT.bytes_of_step == 4 * (205 + 50 * 6)
    # weights and two means of gradients; 3 clocks per row of prototypes and of biases
    assert FIT.bytes_of_checkpoint == 4 * (3 * 805 + 6 * 100)


def test_weights_are_those_of_the_network():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    Y = rng.integers(0, 2, (30, 8))
    clf = skhmc.HCALClassifier(
        skhmc.Hierarchy.flat(range(8)),
        hidden_layer_sizes=(10, 10),
        embedding_dim=5,
        linear_head=False,
        n_sampled_labels=2,
        max_iter=1,
        device="cpu",
    ).fit(X, Y)
    n_weights = sum(w.numel() for w in clf.net_.module_.parameters())
    assert n_weights == replace(FIT, n_labels=8).weights


def test_counts_of_the_other_kinds():
    tree = Tree(100, 50, 20, features_per_row=5, rows_of_labels=3)
    assert (tree.stored, tree.entries) == (500, 1500)
    assert (
        Predictions(10, 3, 20, width=10, embedding=5).encoder_weights == 30 + 100 + 50
    )


def test_rows_of_the_classifiers_of_a_tree():
    hierarchy = skhmc.Hierarchy.from_edges([("a", "b"), ("a", "c")], labels="abcd")
    Y = sp.csr_matrix([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    # all rows for a and d, the two that have a for b and for c
    assert rows_of_labels(Y, hierarchy) == (4 + 4 + 2 + 2) / 4


def test_constants_are_found_again():
    cost = Cost(
        "s", {"call": lambda c: 1, "row": lambda c: c, "square": lambda c: c**2}
    )
    true = {"call": 2.0, "row": 1e-3, "square": 0.0}
    cases = [1, 10, 1000, 5000]
    measured = [cost.of(case, true) for case in cases]
    assert measured[1] == pytest.approx(2.01)
    found = cost.constants(cases, measured)
    assert found == pytest.approx(true, abs=1e-9)
    never = Cost("s", cost.terms | {"never": lambda c: 0})
    assert never.constants(cases, measured)["never"] == 0


# -- what is stored --------------------------------------------------------------------

MADE = read_results(cost_model.PATH)


def test_the_page_has_the_tables_of_the_results():
    assert cost_model.PAGE.read_text() == cost_model.page(MADE)
    text = cost_model.PAGE.with_name("beyond_these_machines.rst").read_text()
    for name in ("plans", "checks", "constants"):
        assert f"begin {name}\n" in text


def test_all_cases_are_run_and_three_sizes_of_each_kind_are_checked():
    for name, kind in KINDS.items():
        runs = [run for run in MADE["runs"].values() if run["kind"] == name]
        n_checked = sum(run["what"] == "checked" for run in runs)
        assert len(runs) == len(kind.cases) + len(kind.checks)
        assert n_checked == 3
    for run in MADE["runs"].values():
        if run["what"] == "checked":  # larger than those that the constants are of
            assert size_of(run) > max(
                size_of(other)
                for other in MADE["runs"].values()
                if other["kind"] == run["kind"] and other["what"] == "measured"
            )


def size_of(run):
    return run["case"]["n_labels"], run["case"]["n_rows"]


def test_predictions_are_within_a_quarter():
    for _, _, name, found, predicted in cost_model.checks(MADE):
        assert abs(predicted / found - 1) < cost_model.ALLOWED
        if name in ("checkpoint", "bytes"):
            assert predicted == pytest.approx(found, rel=0.02)


def test_every_cost_has_constants():
    found = cost_model.constants(MADE)
    assert found.keys() == COSTS.keys()
    assert all(any(each.values()) for each in found.values())

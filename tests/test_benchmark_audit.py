"""Tests of benchmarks.audit: what is changed, what is counted, and what is shown."""

import numpy as np
import pytest
from sklearn.utils import Bunch

from benchmarks import audit
from benchmarks.command import read_results
from skhmc import Hierarchy
from skhmc.coherence import close_upward, most_specific

TREE = Hierarchy.from_paths(["a/b/c", "a/d", "e/f"])
RUNS = read_results(audit.STORED)["runs"]


def drawn(n_samples=60, seed=0):
    rng = np.random.default_rng(seed)
    return close_upward((rng.random((n_samples, 6)) < 0.3) * 1, TREE)


def test_the_guide_has_the_tables_of_the_results():
    assert audit.PAGE.read_text() == audit.page(read_results(audit.STORED))
    text = audit.PAGE.with_name("audit.rst").read_text()
    assert f".. include:: {audit.PAGE.name}" in text


def test_every_condition_is_measured_on_every_set_by_all_methods():
    found = {(run["set"], run["condition"]) for run in RUNS}
    assert found == {
        (name, condition) for name in audit.SETS for condition in audit.TITLES
    }
    assert {tuple(run["precision"]) for run in RUNS} == {audit.METHODS}


@pytest.mark.parametrize("name", audit.SETS)
@pytest.mark.parametrize("condition", audit.HIDDEN)
def test_what_is_hidden_is_found_as_promised(name, condition):
    ours = audit.values(RUNS, name, condition, audit.OURS)
    frequent = audit.values(RUNS, name, condition, "label frequency")
    assert ours.mean() >= 3 * frequent.mean()
    for method in ("probability", *audit.PEERS):
        assert audit.differs(ours, audit.values(RUNS, name, condition, method)) >= 0


def test_a_sample_keeps_what_is_above_a_hidden_label():
    Y = drawn()
    less, hidden = audit.hide(Y, TREE, 0.5, np.random.RandomState(0))
    ends = most_specific(Y, TREE)
    assert hidden.sum() == round(0.5 * ends.sum()) and (ends[hidden] == 1).all()
    np.testing.assert_array_equal(less, np.where(hidden, 0, Y))
    np.testing.assert_array_equal(close_upward(less, TREE), less)


def test_a_path_is_hidden_but_for_what_others_need():
    Y = drawn()
    less, hidden = audit.hide_paths(Y, TREE, 0.5, np.random.RandomState(0))
    _, ends = audit.hide(Y, TREE, 0.5, np.random.RandomState(0))
    np.testing.assert_array_equal(less, np.where(hidden, 0, Y))
    np.testing.assert_array_equal(close_upward(less, TREE), less)
    left = most_specific(Y, TREE) * ~ends
    assert hidden[ends].all()
    np.testing.assert_array_equal(less, close_upward(left, TREE))


def test_wrong_ones_have_what_is_above_them():
    Y = drawn()
    more, wrong = audit.make_wrong(Y, TREE, 0.5, np.random.RandomState(0))
    assert wrong.any() and not Y[wrong].any()
    np.testing.assert_array_equal(more, np.where(wrong, 1, Y))
    np.testing.assert_array_equal(close_upward(more, TREE), more)


def test_precision_at_the_number_that_was_changed():
    changed = np.array([[True, False, True, False]])
    candidates = np.array([[True, True, True, False]])
    badness = np.array([[0.9, 0.8, 0.1, 2.0]])
    assert audit.precision(badness, candidates, changed) == 0.5
    assert audit.precision(-badness, candidates, changed) == 0.5
    assert audit.precision(changed * 1.0, candidates, changed) == 1.0


def test_probabilities_if_the_parents_are_there():
    proba = np.array([[0.8, 0.4, 0.2, 0.4, 0.5, 0.1]])
    Y = np.array([[1, 0, 0, 0, 0, 0]])
    names = ["a", "a/b", "a/b/c", "a/d", "e", "e/f"]
    found = audit.given_parents(proba, Y, Hierarchy.build(TREE, labels=names))
    np.testing.assert_allclose(found, [[0.8, 0.5, 0, 0.5, 0.5, 0]])


def test_a_difference_is_one_that_chance_does_not_make():
    assert audit.differs(np.array([0.5, 0.6, 0.55]), np.array([0.1, 0.2, 0.16])) == 1
    assert audit.differs(np.array([0.1, 0.2, 0.16]), np.array([0.5, 0.6, 0.55])) == -1
    assert audit.differs(np.array([0.5, 0.1, 0.3]), np.array([0.4, 0.2, 0.3])) == 0
    assert audit.differs(np.array([0.5]), np.array([0.1])) == 0


def test_all_methods_judge_the_same_cells(monkeypatch):
    X = np.random.default_rng(0).normal(size=(60, 4)) + drawn()[:, :4] * 2
    data = Bunch(X=X, Y=drawn(), hierarchy=TREE)
    monkeypatch.setattr(audit, "load", lambda name, seed: data)
    monkeypatch.setattr(audit, "WRONG", 0.3)
    for condition in ("paths", "wrong"):
        found = audit.run("made", 0, condition, None)
        assert list(found["precision"]) == [*audit.METHODS[: -len(audit.PEERS)]]
        assert 0 < found["n_changed"] < found["n_candidates"]
        assert all(0 <= value <= 1 for value in found["precision"].values())

"""Tests of benchmarks.hierarchy_value: what fits are given, what is said of them."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.utils import Bunch

from benchmarks import hierarchy_value
from benchmarks.command import read_results
from benchmarks.value_parts import ideas, jobs, tables
from benchmarks.value_parts.conditions import CONDITIONS, hide, move
from benchmarks.value_parts.jobs import Job
from skhmc import HCALClassifier, Hierarchy
from skhmc.coherence import violations
from skhmc.metrics import au_prc_score
from tests.hierarchies import random_hierarchy

DIAMOND = Hierarchy(list("abcd"), [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])


# -- what the documentation has --------------------------------------------------------


def test_the_documentation_has_the_tables_of_the_results():
    written = hierarchy_value.PAGE.read_text()
    assert written == hierarchy_value.page()
    text = hierarchy_value.PAGE.with_name("hierarchy_value.rst").read_text()
    begun = [line for line in written.splitlines() if line.startswith(".. begin")]
    assert all(f":start-after: {line}\n" in text for line in begun)


def test_the_choice_is_that_of_the_results():
    choice = read_results(hierarchy_value.CHOICES)["rare_labels"]
    assert choice == tables.choice(hierarchy_value.known_runs())
    gains = choice["gains"][choice["candidate"]]
    kept = [gains[name][mean] for name in gains for mean in ("micro", "macro")]
    assert min(kept) >= 0
    assert "parents" in choice["candidate"]


def test_all_planned_fits_are_of_rows_and_sets_that_there_are():
    planned = jobs.jobs_of()
    assert len(set(planned)) == len(planned)
    defined = jobs.definitions(planned)
    names = {name for _, name in defined.values()}
    rows = {(job.row, jobs.KINDS[job.data_set]) for job in planned}
    assert len(names) >= len({row for row, _ in rows})
    json.dumps([details for details, _ in defined.values()])
    first = planned[: 2 * 4 * len(jobs.ROWS)]
    assert {job.data_set for job in first} <= set(jobs.SMALL)


def test_fits_are_not_repeated(tmp_path, capsys):
    path, made = tmp_path / "fits.json", []

    def fit(job):
        made.append(job)
        scores = dict.fromkeys(jobs.MEASURES, 0.5)
        return {"scores": {"closed": scores}, "cpu_seconds": 1.0}

    planned = jobs.jobs_of(["enron"], list(jobs.ROWS), ["few"], 1)
    hierarchy_value.work(planned[:2], path, fit)
    hierarchy_value.work(planned, path, fit)
    assert made == planned and len(planned) == len(jobs.ROWS)
    assert capsys.readouterr().out.splitlines()[3] == "2 of 4 fits are done already."
    assert len(hierarchy_value.known_runs(path)) == 4


# -- conditions ------------------------------------------------------------------------


def closed_rows(hierarchy, random, n_samples=400):
    own = (random.random_sample((n_samples, hierarchy.n_labels)) < 0.3).astype(int)
    return np.minimum(own + own @ hierarchy.ancestors.toarray(), 1)


@pytest.mark.parametrize("seed", range(3))
def test_hidden_positives_are_a_share_and_labels_stay_closed(seed):
    random = np.random.RandomState(seed)
    hierarchy = random_hierarchy(12, seed, max_parents=3)
    Y = closed_rows(hierarchy, random)
    hidden = hide(Y, hierarchy, 0.2, random)
    assert violations(hidden, hierarchy).nnz == 0
    assert ((hidden == Y) | ((hidden == 0) & (Y == 1))).all()
    assert_allclose(hidden.sum() / Y.sum(), 0.8, atol=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_moved_labels_have_other_parents_of_the_same_depth(seed):
    random = np.random.RandomState(seed)
    hierarchy = random_hierarchy(30, seed, max_parents=3)
    wrong = move(hierarchy, 0.5, random)
    assert wrong.labels == hierarchy.labels
    assert (wrong.depth == hierarchy.depth).all()
    same = [
        label
        for label in range(30)
        if set(wrong.parents[label].indices) == set(hierarchy.parents[label].indices)
    ]
    below = int((np.asarray(hierarchy.depth) > 0).sum())
    assert 30 - len(same) <= round(0.5 * below)
    assert len(same) < 30
    assert move(hierarchy, 0.0, random) == hierarchy


def test_conditions_give_the_same_to_all_rows_and_leave_the_data():
    random = np.random.RandomState(0)
    Y = closed_rows(DIAMOND, random, 40)
    data = Bunch(Y=Y.copy(), fit=np.arange(30), hierarchy=DIAMOND)
    for condition in CONDITIONS.values():
        one, other = (condition.give(data, np.random.RandomState(1)) for _ in "ab")
        assert (one.rows == other.rows).all() and (one.Y == other.Y).all()
        assert one.hierarchy == other.hierarchy
        assert len(one.Y) == len(one.rows) and set(one.rows) <= set(range(30))
    assert (data.Y == Y).all()


# -- figures ---------------------------------------------------------------------------


def test_figures_are_those_of_labels_by_their_training_positives(monkeypatch):
    random = np.random.RandomState(0)
    names = [f"l{k}" for k in range(5)]
    Y = np.zeros((200, 5), int)
    for label, n_positive in enumerate((60, 20, 5, 0, 30)):
        Y[:n_positive, label] = 1
        Y[150 : 150 + 10 * (label + 1), label] = 1
    data = Bunch(
        Y=Y,
        fit=np.arange(150),
        held_out=np.arange(150, 200),
        hierarchy=Hierarchy.flat(names),
        scored=np.array([True, True, True, True, False]),
    )
    monkeypatch.setattr(jobs, "load", lambda name: data)
    job = Job.of("enron", "flat MLP + closing", "all", 0)
    proba = random.random_sample((50, 5))
    found = jobs.figures_of(job, {"closed": proba}, {"cpu_seconds": 1.0})
    assert found["n_labels"] == {"1-10": 1, "11-50": 1, "> 50": 1}
    closed = found["scores"]["closed"]
    true = Y[150:]
    alone = [au_prc_score(true[:, [k]], proba[:, [k]]) for k in range(3)]
    found_alone = [closed["> 50"], closed["11-50"], closed["1-10"]]
    assert_allclose(found_alone, alone, atol=1e-5)
    assert_allclose(closed["macro"], np.mean(alone), atol=1e-5)
    assert_allclose(closed["micro"], au_prc_score(true[:, :4], proba[:, :4]), atol=1e-5)


def run_of(row, condition, seed, micro, said="closed"):
    scores = dict.fromkeys(jobs.MEASURES, micro) | {"> 50": None}
    job = Job.of("enron", row, condition, seed)
    return {**job._asdict(), "scores": {said: scores}}


def test_differences_are_of_the_seeds_that_both_rows_have():
    runs = [
        run_of("HCALClassifier", "all", 0, 0.7),
        run_of("HCALClassifier", "all", 1, 0.9),
        run_of("MaxConstraintClassifier", "all", 0, 0.6),
    ]
    cells = tables.gather(runs)
    one, other = (
        tables.of_row(cells, row, "all")
        for row in ("HCALClassifier", "MaxConstraintClassifier")
    )
    assert_allclose(tables.gains_of(one, other, "micro")["enron"], 0.1)
    assert tables.gains_of(one, other, "> 50") == {}
    assert tables.gains_said(one, other)[0] == "+0.1000 (1 of 1)"


def test_sets_that_confirm_are_in_no_choice_and_groups_have_their_sets():
    def run(data_set, row, micro):
        return run_of(row, "all", 0, micro) | {"data_set": data_set}

    runs = [
        run("diatoms", "HCALClassifier", 0.9),  # single paths, only to confirm
        run("diatoms", "MaxConstraintClassifier", 0.5),
        run("enron", "HCALClassifier", 0.6),
        run("enron", "MaxConstraintClassifier", 0.7),
    ]
    assert tables.choice(runs)["sets"]["all"] == ["enron"]
    single, means = tables.confirm_tables(runs)
    assert "* - diatoms" in single and "* - enron" not in single
    assert "- +0.4000\n" in single
    # three groups, of which each has four measures: "> 50" was not measured
    said = [line.strip() for line in means.splitlines() if " of " in line]
    micro = [line for line in said if line.endswith(")")][::4]
    assert micro == ["- +0.4000 (1 of 1)", "- +0.1500 (1 of 2)", "- -0.1000 (0 of 1)"]


# -- ideas -----------------------------------------------------------------------------


def test_shrinking_is_the_formula_and_stays_coherent():
    chain = Hierarchy(list("abc"), [("a", "b"), ("b", "c")])
    proba = np.array([[0.9, 0.8, 0.7], [0.5, 0.1, 0.0]])
    n_positive = np.array([50, 10, 2])
    found = ideas.shrink(proba, chain, n_positive, 100, 3)
    b = proba[:, 1] ** (10 / 13) * (0.2 * proba[:, 0]) ** (3 / 13)
    c = np.maximum(proba[:, 2], 1e-12) ** (2 / 5) * (0.2 * b) ** (3 / 5)
    assert_allclose(found, np.column_stack([proba[:, 0], b, c]))
    assert (np.diff(found) <= 0).all()
    assert_allclose(ideas.shrink(proba, chain, n_positive, 100, 0), proba, atol=1e-11)


def test_shrinking_to_the_prior_ranks_as_before():
    flat = Hierarchy.flat(["a", "b"])
    proba = np.random.RandomState(0).random_sample((20, 2))
    found = ideas.to_prior(proba, flat, np.array([10, 2]), 100, 3)
    assert (found.argsort(axis=0) == proba.argsort(axis=0)).all()
    assert_allclose(found[:, 1], proba[:, 1] ** 0.4 * 0.02**0.6)


def test_sums_over_paths_weigh_several_parents_alike():
    expected = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0.5, 0.5, 1]]
    assert_allclose(ideas.shares_of(DIAMOND).toarray(), expected)


def test_ideas_of_training_are_fitted():
    random = np.random.RandomState(0)
    Y = closed_rows(DIAMOND, random, 30)
    X = Y + random.normal(size=Y.shape)
    options = {"max_iter": 1, "hidden_layer_sizes": (4,), "random_state": 0}
    kinds = (HCALClassifier, ideas.OnPaths, ideas.StartAtParents)
    said = [kind(DIAMOND, **options).fit(X, Y).predict_proba(X) for kind in kinds]
    assert np.isfinite(said).all()
    assert not np.allclose(said[0], said[1]) and not np.allclose(said[0], said[2])

"""Tests of benchmarks.exact_match: what it chooses on is not what it shows."""

import numpy as np
import pytest
from sklearn.utils import Bunch

from benchmarks import exact_match
from benchmarks.command import read_results
from skhmc import HierarchicalThresholdClassifier, Hierarchy
from skhmc.coherence import close_upward

TREE = Hierarchy.from_edges([(0, 1), (0, 2)])
RESULTS = read_results(exact_match.STORED)


def made(name, way, value, part="valid", seed=0):
    """Return a run as the file has it."""
    names = {"set": name, "part": part, "seed": seed, "way": way}
    return names | {"exact_match": value, "hierarchical_f1": value, "share_seen": 0.5}


def test_the_guide_has_the_tables_of_the_results():
    text = exact_match.PAGE.read_text()
    assert text == exact_match.page(RESULTS)
    for page, names in {
        "thresholds.rst": ("choice", "test", "f1"),
        "accuracy.rst": ("accuracy", "rows"),
    }.items():
        shown = exact_match.PAGE.with_name(page).read_text()
        for name in names:
            begins = f".. include:: {exact_match.PAGE.name}\n   :start-after: .. begin"
            assert f"{begins} {name}\n" in shown and f".. begin {name}\n" in text


def test_the_choice_is_the_best_of_the_validation_rows():
    choice = read_results(exact_match.CHOICES)["exact_match"]
    assert choice["chosen"] in exact_match.CANDIDATES
    means = choice["mean_exact_match_in_percent"]
    assert means[choice["chosen"]] == max(means.values())
    assert set(means) == set(exact_match.CANDIDATES)
    runs = [r for r in RESULTS["runs"] if r["set"] in choice["sets"]]
    runs = [r for r in runs if r["seed"] in choice["seeds"]]  # more may come later
    assert exact_match.choose(runs) == choice
    default = HierarchicalThresholdClassifier(None).dependence
    assert choice["chosen"] == f"sets, dependence {default:g}"


def test_test_rows_choose_nothing():
    runs = [
        made(name, way, value + 0.1 * (name == "enron"))
        for name in ("enron", "eisen_FUN")
        for way, value in zip(exact_match.CANDIDATES, np.arange(9) / 100, strict=True)
    ]
    last = list(exact_match.CANDIDATES)[-1]
    found = exact_match.choose(runs)
    assert found["chosen"] == last and found["sets"] == ["eisen_FUN", "enron"]
    assert found["mean_exact_match_in_percent"][last] == 13
    first = next(iter(exact_match.CANDIDATES))
    others = [made("enron", first, 1.0, part="test"), made("diatoms", first, 1.0)]
    assert exact_match.choose(runs + others) == found


@pytest.mark.parametrize("tuned_on", ["halves", "other rows"])
def test_every_way_answers_coherent_sets_by_rows_that_it_may_know(tuned_on):
    rng = np.random.default_rng(0)
    Y = close_upward((rng.random((60, 3)) < 0.4).astype(int), TREE)
    proba = np.clip(0.4 * Y + 0.5 * rng.random(Y.shape), 0, 1)
    fit, held_out = np.arange(40), np.arange(40, 60)
    data = Bunch(hierarchy=TREE, Y=Y, fit=fit, held_out=held_out)
    said = proba[held_out], (proba[held_out] > 0.5).astype(int)
    other = None if tuned_on == "halves" else (proba[:40], Y[:40])
    ways = exact_match.WAYS | exact_match.CANDIDATES
    found = dict(exact_match.answers(data, said, other, ways))
    assert list(found) == list(ways)
    seen = {tuple(row) for row in Y[fit]}
    for way, answer in found.items():
        assert answer.shape == (20, 3)
        if way != "predict":
            assert (close_upward(answer, TREE) == answer).all()
        if way in exact_match.CANDIDATES:
            assert {tuple(row) for row in answer} <= seen
    np.testing.assert_array_equal(found["predict"], said[1])


def test_exact_match_of_other_rows_is_read_from_their_fits():
    runs = [
        {"row": "a", "data_set": "enron", "exact_match": 0.25},
        {"row": "a", "data_set": "enron", "exact_match": 0.75},
        {"row": "a", "data_set": "diatoms", "path": 0.5},
        {"row": "b", "data_set": "diatoms", "path": None},
        {"row": "b", "data_set": "seq_GO"},
    ]
    text = exact_match.rows_table(runs)
    assert "- a\n     - 50.00\n     - 50.00 ± 35.36\n" in text
    assert "seq_GO" not in text and "- b\n" not in text


def test_halves_judge_every_row_once():
    (tune, judge), (other, rest) = exact_match.halves(5)
    assert sorted([*judge, *rest]) == [0, 1, 2, 3, 4]
    assert not set(tune) & set(judge) and not set(other) & set(rest)


def test_counts_make_a_frequent_set_more_probable():
    Y = np.array([[1, 1, 0]] * 5 + [[1, 0, 1]])
    proba = np.array([[1, 0.4, 0.5]])
    found = exact_match.counted(proba, Y, TREE)
    np.testing.assert_array_equal(found, [[1, 1, 0]])
    nearly_equal = exact_match.counted(proba, Y, TREE, more=1000)
    np.testing.assert_array_equal(nearly_equal, [[1, 0, 1]])


def test_how_many_sets_were_seen():
    Y = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]])
    assert exact_match.share_seen(Y[:2], Y) == 3 / 4


def test_a_fit_that_is_kept_is_not_repeated(tmp_path, monkeypatch):
    calls = []

    def fit(data, kind, seed):
        calls.append((data, kind, seed))
        packed = np.packbits(np.eye(3, dtype=bool), axis=1)
        return {"proba": np.eye(3), "predicted": packed, "cpu_seconds": 2.0}

    monkeypatch.setattr(exact_match, "_fit", fit)
    monkeypatch.setattr(exact_match, "load", lambda *names: names)
    for _ in range(2):
        found = exact_match.probabilities("enron", "valid", 1, tmp_path / "new")
        proba, predicted, cpu = found
        np.testing.assert_array_equal(proba, predicted)
        assert cpu == 2.0
    assert calls == [(("enron", "valid"), "wide table", 1)]

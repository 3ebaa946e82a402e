"""Tests of benchmarks.accuracy: nothing is fitted twice, tables are the results."""

import json
import multiprocessing
import re
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import skhmc
from benchmarks import accuracy, peers
from benchmarks.accuracy_parts import (
    blend,
    figure,
    jobs,
    margins,
    results,
    rows,
    series,
    sets,
    tables,
)
from benchmarks.accuracy_parts.jobs import Job
from benchmarks.accuracy_parts.processes import side_by_side
from skhmc import HCALClassifier, Hierarchy, MaxConstraintClassifier
from skhmc.coherence import max_constraint
from tests.contract import task
from tests.real_data import real_data_home

OURS, FLAT = rows.OURS, "flat MLP + closing"


def made(data_set, row, seed, au_prc, **more):
    """Return a run as the file has it."""
    figures = {"hvr_raw": 0.25, "hvr": 0.0, "seconds": 9.0, "cpu_seconds": 8.0}
    figures |= {"au_prc": au_prc, "peak_gb": 0.5, "job_seconds": 3600.0}
    if data_set in sets.SINGLE_PATH:
        paths = {"levels": [0.9, 0.8, au_prc], "leaf": au_prc, "path": au_prc}
        figures |= paths | {f"{name}_raw": value for name, value in paths.items()}
    names = {"data_set": data_set, "row": row, "seed": seed}
    return names | {"fingerprint": "f", "environment": 0} | figures | more


def lines_of(table):
    """Return the cells of a list-table by their row's first cell."""
    found = table.split("   * - ")[1:]
    cells = [[x.strip() for x in row.split("\n     - ")] for row in found]
    return {row[0]: row[1:] for row in cells}


# -- resuming --------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """Run jobs here, by a fit that is none; return the list of those that were run."""
    done = []

    def one_by_one(fit, jobs, n_processes):
        for job in jobs:
            done.append(job)
            yield job, {**fit(job)}, None

    monkeypatch.setattr(series, "side_by_side", one_by_one)
    return done


def no_fit(job):
    return {"au_prc": 0.5, "hvr_raw": 0.1, "hvr": 0.0, "seconds": 1, "peak_gb": 0.5}


JOBS = [Job("enron", OURS, 0), Job("enron", OURS, 1), Job("enron", FLAT, 0)]


def test_what_is_done_is_not_run_again(calls, tmp_path):
    path = tmp_path / "results.json"
    assert accuracy.FITS.run(JOBS[:1], path, fit=no_fit) == []
    left = accuracy.FITS.pending(JOBS, path)
    assert sorted(left) == sorted(JOBS[1:])
    accuracy.FITS.run(left, path, fit=no_fit)
    assert accuracy.FITS.pending(JOBS, path) == [] and sorted(calls) == sorted(JOBS)
    found = results.read(path)
    assert len(found["runs"]) == 3 and len(found["definitions"]) == 2
    assert found["environments"][0]["versions"]["skhmc"] == skhmc.__version__


def test_a_changed_parameter_runs_a_row_again(calls, tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    accuracy.FITS.run(JOBS, path, fit=no_fit)
    before = {run["fingerprint"] for run in results.read(path)["runs"]}
    narrow = rows.Row(rows.network(HCALClassifier, hidden_layer_sizes=(7,)))
    monkeypatch.setitem(rows.ROWS, OURS, narrow)
    left = accuracy.FITS.pending(JOBS, path)
    assert sorted(left) == JOBS[:2]
    accuracy.FITS.run(
        left[:1], path, fit=no_fit
    )  # the other seed of the old row goes, too
    found = results.read(path)
    assert [run["row"] for run in found["runs"]] == [OURS, FLAT]
    assert len({run["fingerprint"] for run in found["runs"]} - before) == 1
    assert set(found["definitions"]) == {run["fingerprint"] for run in found["runs"]}
    assert accuracy.FITS.pending(JOBS, path) == left[1:]


def test_a_run_that_failed_is_not_written(tmp_path, monkeypatch, capsys):
    path = tmp_path / "results.json"
    answers = [(JOBS[0], None, "ValueError: no"), (JOBS[2], no_fit(JOBS[2]), None)]
    monkeypatch.setattr(series, "side_by_side", lambda *args: (x for x in answers))
    assert accuracy.FITS.run(JOBS, path) == JOBS[:1]
    assert [run["row"] for run in results.read(path)["runs"]] == [FLAT]
    assert "ValueError: no" in capsys.readouterr().out


def test_without_a_path_nothing_is_written(calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(results, "add", None)  # would raise a TypeError
    accuracy.FITS.run(JOBS, None, fit=no_fit)
    assert calls == JOBS and not [*tmp_path.iterdir()]


def test_a_file_is_the_old_one_or_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    first = {"environments": [{"cpu": "c"}], "definitions": {"f": {"a": [1]}}}
    first["runs"] = [made("enron", OURS, 0, 0.5), made("enron", OURS, 1, None)]
    results.write(path, first)
    assert results.read(path) == first
    assert len(path.read_text().splitlines()) == 12  # a line per run
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            results.write(path, first | {"runs": []})
    assert results.read(path) == first
    results.write(path, first | {"runs": []})
    assert results.read(path)["runs"] == []
    assert results.read(tmp_path / "none.json")["runs"] == []


# -- what defines a row ----------------------------------------------------------------


@pytest.mark.parametrize("row", [r for r in rows.ROWS if rows.ROWS[r].available])
def test_every_row_is_built_and_defined(row):
    for kind in ("table", "wide table", "sparse", "images"):
        details, name = rows.definition(row, kind)
        assert (details, name) == rows.definition(row, kind)
        assert " object at 0x" not in json.dumps(details)
        assert not any(key.endswith("random_state") for key in details)
        assert not re.search(r"(skhmc|benchmarks|numpy)\b", json.dumps(details))
    tree = Hierarchy.from_edges([("a", "b")])
    models = [rows.model_of(row, "table", tree, seed=seed) for seed in (3, 4)]
    texts = [repr(model.get_params()) for model in models]
    assert (texts[0] != texts[1]) == rows.ROWS[row].random


@pytest.mark.parametrize("name", rows.CONSTANTS)
def test_constants_are_part_of_the_definition_of_rows_that_have_them(name, monkeypatch):
    def fingerprints():
        return {row: rows.definition(row, data)[1] for row in having | others}

    data = "sparse" if name in rows.OF_TEXTS else "wide table"

    kinds = {row: row for row in (OURS, "HyperbolicHMC", "MaxConstraintClassifier")}
    kinds[rows.BLEND] = "HierarchicalVotingClassifier"
    networks = set(kinds)
    others = {"logistic regression", "random forest"}
    having = {
        row
        for row, kind in kinds.items()
        if name in rows.DEPENDS_ON[getattr(skhmc, kind)] + rows.OF_TEXTS
    }
    if name in rows.BECAME_AUTO.values():  # HyperbolicHMC has widths of its own
        having = networks - ({"HyperbolicHMC"} if name == "WIDTHS" else set())
    assert having
    others |= networks - having
    before = fingerprints()
    value = {"network": 5} if name in rows.OF_MEMBERS[:2] else 0.75
    monkeypatch.setattr(rows.CONSTANTS[name], value)
    after = fingerprints()
    assert {row for row, own in after.items() if own != before[row]} == having


@pytest.mark.parametrize("row", [OURS, FLAT])
def test_the_rule_for_wide_tables_is_part_of_their_definition_alone(row, monkeypatch):
    kinds = ("table", "wide table")
    before = [rows.definition(row, kind)[1] for kind in kinds]
    monkeypatch.setattr(rows.CONSTANTS["WIDE_DROPOUT"], 0.9)
    after = [rows.definition(row, kind)[1] for kind in kinds]
    assert before[0] == after[0] and before[1] != after[1]


def test_the_flat_networks_have_the_budget_of_those_beside_them():
    peer = MaxConstraintClassifier()
    clf = rows.ROWS[FLAT].build(None, 0, "table")
    for name in ("batch_size", "learning_rate_init"):
        assert getattr(clf, name) == getattr(peer, name)
    assert (peer.hidden_layer_sizes, peer.max_iter) == ("auto", "auto")
    assert (clf.hidden_layer_sizes, clf.max_iter) == ((1000, 1000), 60)
    assert clf.input_norm is None
    texts = rows.ROWS[FLAT].build(None, 0, "sparse")
    assert (texts.hidden_layer_sizes, texts.max_iter) == ((1000,), "auto")
    assert texts.input_norm == rows.constant("INPUT_NORM")
    assert (clf.input_dropout, clf.dropout) == rows.constant("DROPOUT")["many"][:2]
    assert clf.weight_decay == rows.constant("WEIGHT_DECAY")

    class Other(MaxConstraintClassifier):
        def __init__(self, *, optimizer="sgd", schedule="onecycle"):
            super().__init__(optimizer=optimizer, schedule=schedule)

    with pytest.raises(ValueError, match="Other now has 'sgd'"):
        rows.flat(Other, "sigmoid", "many", None, 0, "table")


def test_the_default_network_closed_after_training_is_the_default_network():
    hierarchy, X, Y = task("many")
    small = {"hidden_layer_sizes": (20,), "max_iter": 30, "random_state": 0}
    small["learning_rate_init"] = 0.05
    told = MaxConstraintClassifier(hierarchy, **small).fit(X, Y)
    raw = MaxConstraintClassifier(**small).fit(X, Y).predict_proba(X)
    closed = max_constraint(raw, hierarchy)
    assert (closed - raw).max() > 0.01
    np.testing.assert_allclose(closed, told.predict_proba(X), atol=1e-4)
    trained = MaxConstraintClassifier(hierarchy, label_loss="mcloss", **small)
    assert abs(closed - trained.fit(X, Y).predict_proba(X)).max() > 0.01


# -- jobs ------------------------------------------------------------------------------


def test_every_job_is_there_once():
    planned = jobs.jobs_of(rows.PARTS)
    assert len(planned) == len(set(planned))
    seeds = [job.seed for job in planned if job[:2] == ("imclef07a", OURS)]
    assert seeds == list(range(10))  # of both parts
    assert sum(job.data_set == "anuran" and job.row == OURS for job in planned) == 3
    assert jobs.jobs_of(["clus"], ["anuran"]) == []
    few = jobs.jobs_of(["clus"], ["enron"], [OURS, "logistic regression"], seeds=2)
    assert few == [*JOBS[:2], Job("enron", "logistic regression", 0)]


def test_published_sets_and_the_first_seeds_come_first():
    found = jobs.in_order(jobs.jobs_of(rows.PARTS), [])
    n_published = len(tables.SCORED) * len(tables.CLUS_ROWS)
    assert {job.seed for job in found[:n_published]} == {0}
    assert {job.data_set for job in found[:n_published]} == set(tables.SCORED)
    last = [job for job in jobs.jobs_of(["single_path"]) if job.row != OURS]
    last += jobs.jobs_of(
        ["single_path"], set(sets.SINGLE_PATH) - set(sets.CLUS), [OURS]
    )
    assert set(found[-len(last) :]) == set(last)
    runs = [made("enron", OURS, 0, 0.5, seconds=1e6)]
    assert jobs.in_order(found, runs)[0] == JOBS[0]  # what takes longest


def test_levels_leaves_and_paths_by_hand():
    tree = Hierarchy.from_edges([("a", "b"), ("a", "c"), ("d", "e")])
    assert tree.labels == ("a", "b", "c", "d", "e")
    Y = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 1, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 1]])
    said = np.array(
        [
            [1, 1, 0, 0, 0],  # right
            [0, 0, 0, 1, 1],  # goes on below
            [1, 1, 0, 0, 0],  # the wrong leaf
            [1, 0, 0, 0, 1],  # the leaf, but not its parent
        ]
    )
    found = jobs.path_figures(Y, said, tree)
    assert found == {"levels": [0.75, 0.5], "leaf": 0.5, "path": 0.25}


def test_processes_answer_raise_and_die_each_for_itself():
    texts = ["1 + 1", "1 / 0", "__import__('os')._exit(3)", "__import__('os').getpid()"]
    found = {x: (value, error) for x, value, error in side_by_side(eval, texts, 2)}
    assert found[texts[0]] == (2, None)
    assert "ZeroDivisionError" in found[texts[1]][1]
    assert found[texts[2]] == (None, "It died with exit code 3.")
    assert found[texts[3]][0] != multiprocessing.current_process().pid


def test_every_call_has_a_fresh_process():
    text = "__import__('os').getpid()"
    pids = [value for _, value, _ in side_by_side(eval, [text, text + " "], 1)]
    assert len(set(pids)) == 2


def test_processes_end_with_the_loop():
    start, calls = time.monotonic(), ["__import__('time').sleep(60)", "'first'"]
    for _, value, _ in side_by_side(eval, calls, 2):
        assert value == "first"
        break
    assert not multiprocessing.active_children()
    assert time.monotonic() - start < 40


# -- tables ----------------------------------------------------------------------------

RUNS = [
    made("enron", OURS, 0, 0.81, hvr_raw=0.5),
    made("enron", OURS, 1, 0.79, hvr_raw=0.0),
    made("enron", FLAT, 0, 0.70),
    made("enron", FLAT, 1, 0.70),
    made("enron", FLAT, 2, 0.70),
    made("diatoms", OURS, 0, 0.7),
    made("seq_GO", "random forest", 0, 0.4),
]


def test_scores_have_means_deviations_and_what_is_missing():
    made_tables = tables.au_prc_tables(tables.gather(RUNS))
    assert len(made_tables) == len(sets.GROUPS)
    others = lines_of(made_tables[2])
    assert others[""] == ["diatoms", "enron", "imclef07a"]
    assert others[OURS] == ["0.700 (1 of 10)", "**0.800** ± 0.014 (2 of 10)", "–"]
    assert others[FLAT] == ["–", "0.700 ± 0.000", "–"]
    best = others["C-HMCNN(h), published"]
    assert best == ["**0.758**", "0.756", "**0.956**"]
    ontology = lines_of(made_tables[1])
    assert ontology["random forest"][3] == "0.400 (1 seed)"  # as many as planned


def test_equal_scores_as_printed_are_both_best():
    assert tables.best_of([[0.5], [0.50001], [], [0.4]]) == {0, 1}
    assert tables.best_of([[], []]) == set()


def test_means_over_sets_say_how_many_they_have():
    found = lines_of(tables.mean_table(tables.gather(RUNS)))
    dashes = ["–", "–"]
    means = ["0.750 (2 of 3)", "0.750 (2 of 11)"]
    assert found[OURS] == ["1 to 2", *dashes, *means, "0.250 (2 of 14)", "0 (2 of 14)"]
    assert found[FLAT][0] == "3" and found["HyperbolicHMC"][0] == "–"
    published = np.mean(list(sets.PUBLISHED["C-HMCNN(h)"].values()))
    assert found["C-HMCNN(h), published"][0] == "10"
    assert found["C-HMCNN(h), published"][4:] == [f"{published:.3f}", *dashes]


def test_violations_and_costs():
    runs = [*RUNS, made("cellcycle_GO", "logistic regression", 0, 0.1, hvr=0.4)]
    cells = tables.gather(runs)
    found = lines_of(tables.hvr_table(cells))
    dashes = ["–", "–"]
    assert found[OURS] == [*dashes, *dashes, "0.250 (2 of 3)", "0 (2 of 3)", "0"]
    assert found["logistic regression"][-1] == "0.400"
    costs = lines_of(tables.seconds_table(cells))
    assert costs[OURS][6:] == ["8 (2 of 3)", "9 (2 of 3)", "0.50 (2 of 3)"]
    assert costs["HyperbolicHMC"] == ["–"] * 9


def test_costs_are_of_processors_with_two_cores_alone():
    places = [{"cores": 2}, {"cores": 16}]
    kinds = [{}, {"device": "cpu"}, {"device": "cuda"}, {"environment": 1}]
    runs = [made("enron", OURS, k, 0.5, **kind) for k, kind in enumerate(kinds)]
    found = results.timed({"environments": places, "runs": runs})
    assert [run["cpu_seconds"] for run in found] == [8.0, 8.0, None, None]
    assert [run["au_prc"] for run in found] == [0.5] * 4
    cells = tables.gather(found)
    assert tables.over_seeds(cells, OURS, "peak_gb") == {"enron": 0.5}
    assert tables.over_seeds(tables.gather(found[2:]), OURS, "peak_gb") == {}


def test_the_hours_of_all_planned_fits_are_those_of_two_cores():
    runs = [made("enron", OURS, k, 0.5) | {"job_seconds": 1800.0 * k} for k in (1, 3)]
    runs.append(made("enron", OURS, 2, 0.5, device="cuda") | {"job_seconds": 9.0})
    found = {"environments": [{"cores": 2}], "runs": runs}
    planned = [Job("enron", OURS, seed) for seed in range(4)]
    said = series.said_of_two_cores(found, [*planned, Job("enron", FLAT, 0)])
    # a mean of one hour each, two at a time
    assert said.startswith("4 of 5 planned fits take 2.0 hours on 2 cores")
    assert "Of the others, none" in said
    said = series.said_of_two_cores(found, planned)
    assert said.startswith("All fits take 2.0 hours") and "others" not in said
    assert series.said_of_two_cores(found, planned[:0]) == ""


def test_where_a_row_is_fitted_does_not_define_it():
    there = rows.model_of(OURS, "table", device="cuda")
    assert (
        there[-1].device == "cuda" and rows.model_of(OURS, "table")[-1].device == "cpu"
    )
    assert not [name for name in rows.definition(OURS, "table")[0] if "device" in name]
    rows.model_of(FLAT, "table", device="cuda")  # which has no such parameter


def single(row, seed, path, raw=None):
    """Return a run of anuran, by a network if there is a raw figure."""
    run = made("anuran", row, seed, path)
    more = {"path_raw": raw, "hvr_raw": 0.2} if raw else {"au_prc": None, "hvr_raw": 0}
    return run | more


def test_single_paths_have_a_line_before_coherence():
    slow = "HiClass per node, random forest"
    runs = [single(OURS, k, 0.7, raw=0.6) for k in range(3)] + [single(slow, 0, 0.75)]
    made_tables = tables.path_tables(tables.gather(runs))
    assert [x.splitlines()[0].split()[-1] for x in made_tables] == [*sets.SINGLE_PATH]
    found = lines_of(made_tables[2])
    heads = ["seeds", "level 1", "level 2", "level 3", "leaf", "path", "AU(PRC)"]
    assert found[""] == [*heads, "HVR", "CPU s"]
    assert found[OURS][0] == "3"
    assert found[OURS][5:] == ["0.700 ± 0.000", "**0.700** ± 0.000", "0", "8"]
    assert found[f"{OURS}, raw"][5:] == ["0.600 ± 0.000", "", "0.200", ""]
    assert found[slow][:2] == ["1 of 3", "**0.900**"]
    assert found[slow][5:] == ["**0.750**", "–", "0", "8"]
    assert f"{slow}, raw" not in found
    assert found["flat softmax"] == ["0 of 3", *["–"] * 8]


# -- margins ---------------------------------------------------------------------------


def test_margins_by_hand():
    peer = dict.fromkeys("abcde", 0.5)
    ours = {name: 0.5 + 0.01 * (k + 1) for k, name in enumerate("abcde")}
    found = margins.compare(ours | {"other": 1.0}, peer)
    assert (found["n"], found["wins"]) == (5, 5)
    assert found["mean"] == pytest.approx(0.03)
    assert found["p"] == pytest.approx(1 / 2**5)  # one of all signs is as extreme
    assert found["median"] == pytest.approx(0.03)
    assert found["many"] == found["mean"] and found["single"] is None
    back = margins.compare(peer, ours)
    assert (back["wins"], back["p"]) == (0, 1.0)
    one_less = margins.compare(ours | {"a": 0.5 - 0.01}, peer)
    assert one_less["p"] == pytest.approx(2 / 2**5)  # the lowest rank is negative


def test_margins_of_many_paths_and_of_single_paths_stand_apart():
    ours = {"enron": 0.5, "seq_GO": 0.3, "diatoms": 0.9}
    found = margins.compare(ours, {"enron": 0.4, "seq_GO": 0.4, "diatoms": 0.5})
    assert found["many"] == pytest.approx(0.0) and found["single"] == pytest.approx(0.4)
    assert found["median"] == pytest.approx(0.1)
    alone = margins.compare({"diatoms": 0.9}, {"diatoms": 0.5})
    assert (alone["many"], alone["single"]) == (None, alone["mean"])


def test_equal_scores_are_no_wins_and_left_out():
    found = margins.compare({"a": 0.5, "b": 0.7}, {"a": 0.5, "b": 0.6})
    assert (found["n"], found["wins"], found["p"]) == (2, 1, 0.5)
    assert margins.compare({"a": 0.5}, {"a": 0.5})["p"] == 1.0
    assert margins.compare({"a": 0.5}, {"b": 0.5}) is None


def test_the_table_of_margins_starts_with_what_is_published():
    cells = tables.gather(RUNS)
    found = lines_of(margins.margin_table(cells))
    assert [*found][1] == "C-HMCNN(h), published"
    many, single = 0.8 - 0.756, 0.7 - 0.758
    both = [f"{(many + single) / 2:+.4f}"] * 2
    apart = [f"{many:+.4f}", f"{single:+.4f}"]
    said = ["2", *both, *apart, "1 of 2", "0.750"]
    assert found["C-HMCNN(h), published"] == said
    assert found[FLAT] == ["1", *["+0.1000"] * 3, "–", "1 of 1", "0.500"]
    assert found["HyperbolicHMC"] == ["–"] * 7
    text = margins.summary(cells)
    said = "+0.100 on average (many paths +0.100); higher on 1 of 1"
    assert f"over that of {FLAT}: {said}" in text
    assert "0.250 to 0.250 before the coherence step, 0 after it" in text
    assert margins.summary({}) == "Nothing is measured yet.\n"


def test_the_blend_beside_the_best_other_row_by_hand():
    runs = [
        *(made("enron", rows.BLEND, k, 0.80 + 0.01 * k) for k in range(3)),
        *(made("enron", OURS, k, 0.70 + 0.01 * k) for k in range(3)),
        *(made("enron", FLAT, k, 0.60) for k in range(3)),
        *(made("diatoms", rows.BLEND, k, (0.70, 0.71, 0.75)[k]) for k in range(3)),
        *(made("diatoms", OURS, k, 0.74) for k in range(4)),
        made("seq_GO", rows.BLEND, 0, 0.4),
        made("seq_GO", OURS, 0, 0.5),
        made("seq_FUN", rows.BLEND, 0, 0.1),
        *(made("eisen_FUN", rows.BLEND, k, 0.3 + 0.001 * k) for k in range(2)),
        *(made("eisen_FUN", OURS, k, 0.5) for k in range(2)),
    ]
    cells = tables.gather(runs)
    found = lines_of(blend.blend_table(cells))
    assert found["enron"] == ["0.8100", OURS, "0.7100", "+0.1000", "3", "first"]
    assert found["diatoms"] == ["0.7200", OURS, "0.7400", "-0.0200", "3", "not worse"]
    assert found["seq_GO"][-1] == "behind, too few seeds for a test"
    assert found["eisen_FUN"][-1] == "behind"
    assert found["seq_FUN"] == ["–"] * 6
    said = blend.blend_said(cells)
    assert "First of all rows on 1 of the 4 data sets" in said
    assert "not worse by a paired t-test on 1 more" in said
    assert blend.blend_said({}) == "Nothing is measured yet.\n"
    said = margins.summary(cells)
    assert f"recommended blend (1 to 3 seeds) over that of {OURS}: -0.055" in said


def test_the_summary_has_whole_paths_beside_the_best_of_hiclass():
    names = [f"HiClass per {x}, random forest" for x in ("node", "parent")]
    runs = [single(names[0], 0, 0.75), single(names[1], 0, 0.7)]
    assert margins.summary(tables.gather(runs)) == "Nothing is measured yet.\n"
    text = margins.summary(tables.gather([*runs, single(OURS, 0, 0.8, raw=0.7)]))
    said = f"- Whole paths right, anuran: {OURS} 0.800, the best of HiClass 0.750."
    assert text.splitlines()[-1] == said
    runs = [run | {"data_set": "grocery32"} for run in [*runs, single(OURS, 0, 0.8)]]
    runs.append(runs[-1] | {"seed": 1, "path": 0.7})
    said = margins.summary(tables.gather(runs)).splitlines()[-1]
    assert f"grocery32: {OURS} 0.750 ± 0.071, the best of HiClass (rows of" in said


# -- the documentation -----------------------------------------------------------------


def test_the_documentation_has_the_tables_of_the_results():
    text = accuracy.PAGE.read_text()
    assert text == accuracy.page()
    page = accuracy.PAGE.with_name("accuracy.rst").read_text()
    names = [x.split()[-1] for x in text.splitlines() if x.startswith(".. begin ")]
    assert len(names) == 10
    for name in names:
        begin, end = f".. begin {name}", f".. end {name}"
        include = f".. include:: {accuracy.PAGE.name}\n"
        assert f"{include}   :start-after: {begin}\n   :end-before: {end}\n" in page
    assert figure.FIGURE.exists() == (f".. image:: {figure.FIGURE.name}" in text)


def definition_of(run):
    return rows.definition(run["row"], sets.KINDS[run["data_set"]])[1]


def test_a_page_of_some_results_says_what_it_lacks(tmp_path):
    path = tmp_path / "results.json"
    assert "Nothing is measured yet." in accuracy.page(path)
    versions = {"skhmc": "0"}
    places = [{"cpu": "c", "cores": 2, "versions": versions}, {"cpu": "unused"}]
    found = {"environments": places, "definitions": {}}
    gone = made("enron", "a row that is gone", 0, 0.5)
    paths = single(OURS, 0, 0.7, raw=0.6)
    current = [run | {"fingerprint": definition_of(run)} for run in [*RUNS, paths]]
    other = made("diatoms", OURS, 1, 0.7, fingerprint="g")
    kept = single("HiClass per node, random forest", 0, 0.7)  # which nobody can build
    found["runs"] = [*current, gone, other, kept]
    results.write(path, found)
    text = accuracy.page(path)
    planned = len(jobs.jobs_of(rows.PARTS))
    assert f"9 fits are in these tables; {planned} are planned" in text
    assert "ran for 9.0 hours together" in text
    assert "Left out, as fitted with other parameters: 2." in text
    assert "9 were made on c, 2 cores, skhmc 0." in text and "unused" not in text
    assert ".. image:: accuracy.svg" in text


def test_rows_that_were_changed_in_between_are_named():
    runs = [made("diatoms", OURS, 1, 0.7), made("seq_GO", OURS, 1, 0.4)]
    assert series.changed_rows(runs) == []
    runs[1]["fingerprint"] = "g"
    assert series.changed_rows(runs) == [OURS]


def test_the_figure_is_the_same_each_time(tmp_path):
    cells = tables.gather(RUNS)
    names, drawn = figure.drawn(cells)
    assert names == ["seq_GO", "diatoms", "enron"]
    assert list(drawn) == [OURS, FLAT, "random forest"]
    for name in "ab":
        figure.draw(cells, tmp_path / f"{name}.svg")
    texts = [(tmp_path / f"{name}.svg").read_text() for name in "ab"]
    assert texts[0] == texts[1] and "seq_GO" in texts[0]
    assert f"← {0.4 - 0.447:.2f}" not in texts[0]
    runs = [made("seq_GO", "random forest", 0, 0.3)]
    figure.draw(tables.gather(runs), tmp_path / "c.svg")
    assert f"← {0.3 - 0.447:.2f}" in (tmp_path / "c.svg").read_text()
    assert figure.drawn({})[0] == []


# -- the command -----------------------------------------------------------------------


def test_options(capsys):
    options = accuracy.parse(["--data-set", "enron", "--row", OURS, "--seeds", "2"])
    assert options.planned == JOBS[:2] and options.jobs == 2
    quick = accuracy.parse(["--quick"]).planned
    assert {job.data_set for job in quick} == set(accuracy.QUICK)
    assert {job.row for job in quick} == set(rows.ROWS)
    with pytest.raises(SystemExit):
        accuracy.parse(["--data-set", "enron", "--row", "flat softmax"])
    assert "No part has such a row" in capsys.readouterr().err


def test_a_quick_run_writes_nothing_and_failures_are_named(monkeypatch):
    asked = []

    def fake(jobs, path, n_processes, fit):
        asked.append((jobs, path, n_processes, fit.keywords))
        return jobs

    monkeypatch.setattr(accuracy.FITS, "run", fake)
    monkeypatch.setattr(accuracy.FITS, "document", lambda: 1 / 0)
    monkeypatch.setattr(series.signal, "signal", lambda *args: None)
    monkeypatch.setattr("sys.argv", ["", "--quick", "--row", FLAT, "--jobs", "3"])
    with pytest.raises(SystemExit, match="1 failed: enron, flat MLP . closing, seed 0"):
        accuracy.main()
    options = {"device": "cpu", "quick": True}
    assert asked == [([Job("enron", FLAT, 0)], None, 3, options)]


def test_a_page_is_written_without_a_fit(monkeypatch):
    done = []
    monkeypatch.setattr(accuracy.FITS, "run", lambda *args: 1 / 0)
    monkeypatch.setattr(accuracy.FITS, "document", lambda: done.append("page"))
    monkeypatch.setattr("sys.argv", ["", "--page"])
    accuracy.main()
    assert done == ["page"]


def test_a_run_that_is_stopped_says_so(monkeypatch):
    def stopped(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(accuracy.FITS, "run", stopped)
    monkeypatch.setattr(series.signal, "signal", lambda *args: None)
    monkeypatch.setattr("sys.argv", ["", "--quick"])
    with pytest.raises(SystemExit, match="Stopped; what is done stays."):
        accuracy.main()


# -- fits ------------------------------------------------------------------------------


def check(found, hvr=0.0):
    """Check the figures of a fit that was hardly one."""
    assert json.loads(json.dumps(found)) == found
    assert found["hvr"] == hvr <= found["hvr_raw"]
    assert found["seconds"] <= found["job_seconds"] and found["peak_gb"] > 0.1


@pytest.mark.parametrize("row", [OURS, FLAT, "random forest", "logistic regression"])
def test_a_quick_fit_of_many_paths(row, monkeypatch):
    real_data_home()
    monkeypatch.setitem(jobs.QUICK, "max_iter", 1)
    found = jobs.fit_and_score(Job("enron", row, 0), quick=True)
    check(found, found["hvr_raw"] if row == "logistic regression" else 0.0)
    assert 0.4 < found["au_prc"] < 0.8 and "levels" not in found


@pytest.mark.parametrize("row", rows.PARTS["single_path"][1])
def test_a_quick_fit_of_single_paths(row, monkeypatch):
    real_data_home("npz")
    if not rows.ROWS[row].available:
        pytest.skip("needs HiClass, which is no requirement")
    monkeypatch.setitem(jobs.QUICK, "max_iter", 1)
    found = jobs.fit_and_score(Job("anuran", row, 0), quick=True)
    check(found)
    assert found["leaf"] == found["path"] == found["levels"][2] > 0.5
    assert (found["au_prc"] is None) == row.startswith("HiClass")


def test_a_flat_softmax_takes_sparse_rows_and_paths_that_stop():
    hierarchy, X, Y = task("paths")
    options = {"hidden_layer_sizes": (50,), "max_iter": 100, "batch_size": 16}
    options["learning_rate_init"] = 0.01
    build = partial(peers.FlatNetwork, hierarchy, "softmax", **options)
    dense = build().fit(X, Y).predict_proba(X)
    sparse = build().fit(sp.csr_matrix(X), Y)
    np.testing.assert_allclose(sparse.predict_proba(sp.csr_matrix(X)), dense, atol=1e-4)
    proba, raw, final = rows.from_most_specific(sparse, sp.csr_matrix(X), hierarchy)
    assert (final == Y).all(axis=1).mean() > 0.9 and raw is final
    ends = len(np.unique(Y, axis=0))
    assert len(sparse.classes_) == ends > len(hierarchy.leaves)
    for parent, child in hierarchy.edges:
        assert (proba[:, child] <= proba[:, parent] + 1e-6).all()

"""Tests of benchmarks.tune: what is stored is what is printed and what docs show."""

import itertools
import json

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils import Bunch

from benchmarks import tune
from benchmarks.command import DOCS
from benchmarks.tuning import (
    coherent,
    coherent_defaults,
    comparison,
    kernel,
    networks,
    thresholds,
)
from benchmarks.tuning.comparison import Comparison
from skhmc import Hierarchy

ALL = list(tune.COMPARISONS.values())
STORED = [c for c in ALL if c.results.is_file()]
SHOWN = [c for c in ALL if c.page_name]
NETWORKS = (
    networks.ClassWeight,
    networks.LabelLoss,
    networks.PathWeight,
    networks.Preprocessing,
    networks.WideInput,
)


def parametrize(name, comparisons):
    """Parametrize a test by comparisons."""
    return pytest.mark.parametrize(name, comparisons, ids=lambda c: c.name)


def stored(name):
    """Return the stored results of a comparison."""
    return json.loads(tune.COMPARISONS[name].results.read_text())


# -- stored results --------------------------------------------------------------------


@parametrize("shown", SHOWN)
def test_the_documentation_has_the_tables_of_the_results(shown):
    results = json.loads(shown.results.read_text())
    assert shown.page.read_text() == shown.page_text(results)
    including = f".. include:: {shown.page_name}\n"
    assert any(including in page.read_text() for page in DOCS.glob("*.rst"))


@pytest.mark.parametrize(
    "name, page", [("class_weight", "training"), ("label_loss", "max_constraint")]
)
def test_a_guide_shows_what_was_printed(name, page, capsys):
    tune.main([name, "--stored"])
    text = (DOCS / f"{page}.rst").read_text()
    for line in capsys.readouterr().out.splitlines():
        assert f"    {line}\n" in text


@parametrize("asked", STORED)
def test_stored_results_are_printed_without_measuring(asked, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "DOCS", asked.results.parent / "nowhere")
    monkeypatch.setattr(type(asked), "page_name", None)
    monkeypatch.setattr(type(asked), "measure", None)
    before = asked.results.read_bytes()
    tune.main([asked.name, "--stored"])
    assert capsys.readouterr().out.strip()
    assert asked.results.read_bytes() == before


@pytest.mark.parametrize("name", ["class_weight", "label_loss", "path_weight"])
def test_every_variant_is_measured_on_every_set(name):
    asked = tune.COMPARISONS[name]
    lines = asked.lines(stored(name), None)
    assert len(lines) == 1 + len(asked.sets) * len(asked.variants)
    for line in lines:
        assert len(line) == len(lines[0])


def test_every_classifier_is_measured_on_every_set():
    found = {(r["part"], r["name"], r["estimator"]) for r in stored("coherent")["runs"]}
    sets = coherent.Coherent.data_sets
    expected = (coherent.TITLES, sets, coherent.ESTIMATORS)
    assert found == set(itertools.product(*expected))


def test_what_defaults_are_chosen_by_is_measured_on_every_set():
    asked = coherent_defaults.CoherentDefaults
    found = [(run["name"], run["strategy"]) for run in stored(asked.name)["runs"]]
    assert found == list(
        itertools.product(asked.data_sets, coherent_defaults.STRATEGIES)
    )


def test_what_kernels_are_chosen_by_is_measured_on_every_set():
    runs = stored("kernel")["runs"]
    assert [run["name"] for run in runs] == list(kernel.SETS)
    for run in runs:  # the page says so
        assert run["kernel"] > run["untuned"]
        assert list(run["by"]) == list(kernel.CRITERIA)
    better = [
        run["closed"]["max"]["au_prc"] > run["maps"]["none"]["au_prc"] for run in runs
    ]
    assert sum(better) == 7


def test_every_strategy_is_measured_on_every_set():
    runs = stored("thresholds")["runs"]
    assert list(runs) == list(thresholds.Thresholds.data_sets)
    for found in runs.values():
        assert len(found) == 8 and all(0 < r["score"] < 1 for r in found.values())


def test_the_guide_shows_dropout_of_wide_inputs():
    made = stored("wide_input")
    for row in made["rows"]:
        assert (row["set"], row["samples"]) in networks.WideInput.sets
        assert row["features"] > row["samples"] and len(row["au_prc"]) == made["seeds"]


def test_the_guide_shows_what_steps_before_the_classifier_are_worth():
    made, asked = stored("preprocessing"), networks.Preprocessing
    assert [row["recipe"] for row in made["rows"]] == list(asked.variants)
    for row in made["rows"]:
        assert list(row["au_prc"]) == list(asked.sets) == made["sets"]


# -- measuring -------------------------------------------------------------------------


def small_set(name):
    """Return a set of single paths, whatever its name."""
    hierarchy = Hierarchy.from_parents(
        {"cat": "animal", "dog": "animal", "oak": "tree"}
    )
    rng = np.random.default_rng(0)
    leaf = rng.integers(3, size=60)
    paths = [("animal", "cat"), ("animal", "dog"), ("tree", "oak")]
    Y = [[int(label in paths[k]) for label in hierarchy.labels] for k in leaf]
    X = np.eye(3)[leaf] + 0.1 * rng.normal(size=(60, 3))
    return Bunch(
        data=X,
        target=sp.csr_matrix(Y),
        hierarchy=hierarchy,
        train=np.arange(50),
        valid=np.arange(0),
        test=np.arange(50, 60),
    )


@parametrize("asked", NETWORKS)
def test_every_variant_of_a_network_can_be_fitted(asked, monkeypatch):
    network = clone(asked.estimator).set_params(hidden_layer_sizes=(8,), max_iter=2)
    monkeypatch.setattr(asked, "estimator", network)
    monkeypatch.setattr(asked, "sets", asked.sets[:1])
    monkeypatch.setattr(networks, "load", small_set)
    asked = asked()
    options = Bunch(seeds=1)
    printed = []
    for results in asked.measure(options):
        lines = asked.lines(results, options)
        assert lines[: len(printed)] == printed and len(lines) > len(printed)
        printed = lines
    # what JSON gives back is printed alike
    assert asked.lines(json.loads(json.dumps(results)), options) == printed


class Counting(Comparison):
    """Counts."""

    name = "counting"
    seeds = 3
    page_name = "counting.inc"
    data_sets = ("a", "b")

    def measure(self, options):
        runs = []
        for seed in range(options.seeds):
            runs.append(seed)
            yield {"runs": runs}

    def merge(self, stored, results):
        return results | {"before": stored.get("runs")}

    def lines(self, results, options):
        return ["head", *map(str, results["runs"])]

    def tables(self, results):
        return [f"table of {results['runs']}"]

    def failure(self, results):
        return "too many" if len(results["runs"]) > 3 else None


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the comparison "counting" is stored and shown."""
    monkeypatch.setitem(tune.COMPARISONS, "counting", Counting())
    monkeypatch.setattr(comparison, "RESULTS", tmp_path)
    monkeypatch.setattr(comparison, "DOCS", tmp_path)
    return tmp_path


def test_lines_are_printed_once_and_results_stored_and_shown(folder, capsys):
    tune.main(["counting"])
    first = capsys.readouterr().out
    files = [folder / "counting.json", folder / "counting.inc"]
    assert first.splitlines() == [
        "head",
        "0",
        "1",
        "2",
        f"Wrote {files[0]} and {files[1]}",
    ]
    results = json.loads(files[0].read_text())
    assert list(results) == ["versions", "runs", "before"]
    assert results["runs"] == [0, 1, 2] and results["before"] is None
    page = files[1].read_text()
    assert page.startswith(".. Printed by python -m benchmarks.tune counting; edit")
    assert "table of [0, 1, 2]\n" in page
    files[1].unlink()
    tune.main(["counting", "--stored"])
    assert capsys.readouterr().out.splitlines()[:-1] == ["head", "0", "1", "2"]
    assert files[1].read_text() == page
    tune.main(["counting", "--seeds", "1"])
    assert json.loads(files[0].read_text())["before"] == [0, 1, 2]


def test_what_was_not_reached_is_said_after_it_is_stored(folder):
    with pytest.raises(SystemExit, match="too many"):
        tune.main(["counting", "--seeds", "4"])
    assert json.loads((folder / "counting.json").read_text())["runs"] == [0, 1, 2, 3]


def test_there_may_be_nothing_stored(folder):
    with pytest.raises(SystemExit, match="No stored results of counting: expected"):
        tune.main(["counting", "--stored"])


def test_other_comparisons_and_data_sets_are_refused(folder, capsys):
    for arguments in (["unknown"], [], ["counting", "--data-set", "c"]):
        with pytest.raises(SystemExit) as refused:
            tune.parse(arguments)
        assert refused.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_runs_of_other_sets_and_parts_stay():
    prototypes = tune.COMPARISONS["prototypes"]
    old = {"versions": 1, "test": {"a": 1, "b": 2}, "valid": {"a": 3}}
    new = {"versions": 2, "test": {"b": 4}}
    merged = {"versions": 2, "test": {"a": 1, "b": 4}, "valid": {"a": 3}}
    assert prototypes.merge(old, new) == merged
    encoders = tune.COMPARISONS["encoders"]
    old = {"versions": 1, "runs": [{"set": "cei", "seed": 0}, {"set": "x", "seed": 1}]}
    new = {"versions": 1, "runs": [{"set": "cei", "seed": 2}]}
    assert encoders.merge(old, new)["runs"] == [old["runs"][1], new["runs"][0]]
    assert encoders.merge(old | {"versions": 0}, new) == new

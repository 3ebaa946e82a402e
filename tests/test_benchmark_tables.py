"""What the benchmarks of meta-estimators measured is what the documentation shows."""

import itertools
import json

import pytest

from benchmarks import (
    coherent,
    large,
    out_of_core,
    preprocessing,
    thresholds,
    wide_input,
)
from benchmarks.tables import include, table


@pytest.mark.parametrize("bench", [coherent, thresholds], ids=["coherent", "cuts"])
def test_the_documentation_has_the_tables_of_the_results(bench):
    assert bench.PAGE.read_text() == bench.page()
    page = bench.PAGE.with_name(f"{bench.RESULTS.stem}.rst").read_text()
    assert f".. include:: {bench.PAGE.name}\n" in page


def test_training_shows_what_very_many_labels_cost():
    assert large.PAGE.read_text() == large.page()
    page = large.PAGE.with_name("training.rst").read_text()
    assert f".. include:: {large.PAGE.name}\n" in page
    made = json.loads(large.RESULTS.read_text())
    assert [run["estimator"] for run in made["size"]] == list(large.ESTIMATORS)
    assert all(run["peak_mb"] < run["limit_mb"] for run in made["size"])
    assert [run["sampled"] for run in made["sampled"]] == list(large.SAMPLES)


def test_every_classifier_is_measured_on_every_set():
    runs = json.loads(coherent.RESULTS.read_text())["runs"]
    found = {(r["part"], r["name"], r["estimator"]) for r in runs}
    expected = (coherent.TITLES, coherent.NAMES, coherent.ESTIMATORS)
    assert found == set(itertools.product(*expected))


def test_every_strategy_is_measured_on_every_set():
    runs = json.loads(thresholds.RESULTS.read_text())["runs"]
    assert list(runs) == list(thresholds.NAMES)
    for found in runs.values():
        assert len(found) == 8 and all(0 < r["score"] < 1 for r in found.values())


def test_training_from_files_shows_the_table_of_its_results():
    page = out_of_core.PAGE
    assert page.read_text() == out_of_core.page()
    assert f".. include:: {page.name}\n" in page.with_name("training.rst").read_text()


def test_private_memory_does_not_grow_with_the_files():
    runs = json.loads(out_of_core.RESULTS.read_text())["runs"]
    assert max(r["gib"] for r in runs) > max(r["memory_gib"] for r in runs)
    for way in out_of_core.WAYS[:2]:
        found = {r["gib"]: r for r in runs if r["way"] == way}
        assert len(found) >= 4
        peaks = [run["peak_gib"] for run in found.values()]
        assert max(peaks) < min(peaks) + 0.25
        assert all(r["au_prc"] > 2 * r["au_prc_of_chance"] for r in found.values())
    small = {r["way"]: r["au_prc"] for r in runs if r["gib"] == 1}
    assert small["fit, memmap"] == small["fit, in memory"]


def test_a_table_says_who_printed_it():
    text = include("benchmarks.x", [table("T", ["a", "b"], [[1, ""]])], {"skhmc": "0"})
    assert text == (
        ".. Printed by python -m benchmarks.x; edit nothing here.\n\n"
        ".. list-table:: T\n   :header-rows: 1\n\n"
        "   * - a\n     - b\n   * - 1\n     - \n\nVersions: skhmc 0.\n"
    )


def test_the_guide_shows_dropout_of_wide_inputs():
    made = json.loads(wide_input.RESULTS.read_text())
    assert wide_input.PAGE.read_text() == wide_input.page(made)
    for row in made["rows"]:
        assert (row["set"], row["samples"]) in wide_input.SETS
        assert row["features"] > row["samples"] and len(row["au_prc"]) == made["seeds"]


def test_the_guide_shows_what_steps_before_the_classifier_are_worth():
    made = json.loads(preprocessing.RESULTS.read_text())
    assert preprocessing.PAGE.read_text() == preprocessing.page(made)
    assert [row["recipe"] for row in made["rows"]] == list(preprocessing.RECIPES)
    for row in made["rows"]:
        assert list(row["au_prc"]) == list(preprocessing.SETS) == made["sets"]

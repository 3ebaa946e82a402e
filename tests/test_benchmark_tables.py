"""What the benchmarks of meta-estimators measured is what the documentation shows."""

import itertools
import json

import pytest

from benchmarks import coherent, thresholds
from benchmarks.tables import include, table


@pytest.mark.parametrize("bench", [coherent, thresholds], ids=["coherent", "cuts"])
def test_the_documentation_has_the_tables_of_the_results(bench):
    assert bench.PAGE.read_text() == bench.page()
    page = bench.PAGE.with_name(f"{bench.RESULTS.stem}.rst").read_text()
    assert f".. include:: {bench.PAGE.name}\n" in page


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


def test_a_table_says_who_printed_it():
    text = include("benchmarks.x", [table("T", ["a", "b"], [[1, ""]])], {"skhmc": "0"})
    assert text == (
        ".. Printed by python -m benchmarks.x; edit nothing here.\n\n"
        ".. list-table:: T\n   :header-rows: 1\n\n"
        "   * - a\n     - b\n   * - 1\n     - \n\nVersions: skhmc 0.\n"
    )

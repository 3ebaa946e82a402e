"""What benchmarks measured is what the documentation shows."""

import json

from benchmarks import large, out_of_core
from benchmarks.tables import include, signed, table


def test_training_shows_what_very_many_labels_cost():
    assert large.PAGE.read_text() == large.page()
    page = large.PAGE.with_name("training.rst").read_text()
    assert f".. include:: {large.PAGE.name}\n" in page
    made = json.loads(large.RESULTS.read_text())
    assert [run["estimator"] for run in made["size"]] == list(large.ESTIMATORS)
    assert all(run["peak_mb"] < run["limit_mb"] for run in made["size"])
    assert [run["sampled"] for run in made["sampled"]] == list(large.SAMPLES)


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


def test_a_difference_that_is_rounded_to_zero_has_no_sign():
    assert [signed(x, 3) for x in (0.0184, -0.0004, 0.0, -0.02)] == [
        "+0.018",
        "0.000",
        "0.000",
        "-0.020",
    ]

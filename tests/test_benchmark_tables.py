"""What benchmarks measured is what the documentation shows."""

import json

from benchmarks import distributed, large, out_of_core, processes, soak_load, soak_scale
from benchmarks.command import DOCS, RESULTS, read_results
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


def test_several_processes_shows_the_table_of_its_results():
    made = read_results(RESULTS / "distributed.json")
    runs = made["runs"]
    tables = [distributed.as_table(runs), distributed.said_of_repeats(runs)]
    page = include("benchmarks.distributed", tables, made["versions"])
    assert (DOCS / "distributed_table.inc").read_text() == page
    times = {
        name: distributed.middle(runs[f"{name}, {batch_size}"])["passed"]
        for batch_size in distributed.BATCHES[1:]
        for name in distributed.RUNS
    }
    one, two_threads, two = (times[name] for name in distributed.RUNS)
    assert one / two >= 1.8 and two <= two_threads  # as the page says


def test_what_was_killed_lost_nothing():
    made = read_results(RESULTS / "soak_scale.json")
    assert made.keys() == soak_scale.KINDS.keys()
    for found in made.values():
        assert found["kills"] >= found["stops"] == 20
        for name in ("lost", "twice", "different", "hangs", "wrong"):
            assert not found[name]
    assert (DOCS / "soak_scale.inc").read_text() == soak_scale.page(made)


def test_load_leaves_memory_and_bits_as_they_are():
    made = read_results(RESULTS / "soak_load.json")
    assert (DOCS / "soak_load.inc").read_text() == soak_load.page(made)
    assert "soak_load.inc" in (DOCS / "processes.rst").read_text()
    assert made["predictions"]["calls"] == 10_000 and made["fits"]["calls"] == 1000
    assert soak_load.faults(made) == []


def test_threads_and_new_processes_predict_the_same_bits():
    made = read_results(RESULTS / "processes.json")
    assert (DOCS / "processes_table.inc").read_text() == processes.page(made)
    assert "processes_table.inc" in (DOCS / "processes.rst").read_text()
    outcomes = made["outcomes"]
    assert outcomes.popitem()[1] in (processes.NEVER, processes.SAME)
    assert len(outcomes) == 4 and set(outcomes.values()) == {processes.SAME}


def test_what_is_not_flat_is_a_fault():
    made = {
        "predictions": {
            "other bits": 0,
            "memory": [100, 100.9],
            "p50": [1, 1.4],
            "p99": [2, 1],
        },
        "fits": {"memory": [100, 99.1]},
    }
    assert soak_load.faults(made) == []
    made["fits"]["memory"] = [100, 101.1]
    made["predictions"] |= {"other bits": 1, "p99": [2, 3.1]}
    texts = soak_load.faults(made)
    assert [text.split()[0] for text in texts] == ["fits:", "1", "p99"]
    assert soak_load.flat([9, 9, 1, 2, 5, 5, 5, 5, 3, 4]) == (1.5, 3.5)


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

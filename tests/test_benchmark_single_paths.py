"""Tests of benchmarks.single_paths: the digits' labels, and what the page shows."""

import numpy as np

from benchmarks import accuracy, single_paths
from benchmarks.accuracy_parts import results, sets
from benchmarks.accuracy_parts.jobs import Job
from benchmarks.digit_shapes import load_digit_shapes
from skhmc.metrics import hierarchical_violation_rate
from skhmc.paths import is_single_path


def test_the_documentation_has_the_tables_of_the_results():
    written = single_paths.PAGE.read_text()
    assert written == single_paths.page()
    text = single_paths.PAGE.with_name("single_paths.rst").read_text()
    for name in ("run", "tables"):
        assert f":start-after: .. begin {name}\n" in text


def test_every_row_is_measured_on_every_set():
    found = {job[:2] for job in single_paths.known_runs()}
    assert found == {(s, r) for s in single_paths.SETS for r in single_paths.ROWS}


def test_runs_of_the_accuracy_page_are_taken_where_they_are_the_same(tmp_path):
    nothing = tmp_path / "nothing.json"
    taken = single_paths.known_runs(path=nothing)
    for job, run in taken.items():
        assert job.data_set == "grocery32"
        assert run in results.read(accuracy.RESULTS)["runs"]
    assert single_paths.known_runs(nothing, nothing) == {}


def test_digits_are_single_paths_of_three_labels():
    data = load_digit_shapes()
    Y = data.target.toarray()
    assert (Y.sum(axis=1) == 3).all()
    assert is_single_path(Y, data.hierarchy)
    assert not set(data.train) & set(data.test)
    eight = Y[8]  # the source begins with 0, 1, ..., 9
    names = {data.label_names[k] for k in np.flatnonzero(eight)}
    assert names == {"loop", "two loops", "8"}
    images = sets.load("digit_shapes").X
    assert images.shape == (1797, 1, 16, 16) and 0.9 < images.max() <= 1


def test_inconsistency_is_the_violation_rate_where_paths_are_equally_long():
    """TICE: labels of the levels, each on its own, that are not one path."""
    hierarchy = load_digit_shapes().hierarchy
    random = np.random.RandomState(0)
    rows = [[random.choice(level) for level in hierarchy.levels] for _ in range(60)]
    Y = np.zeros((60, hierarchy.n_labels), int)
    for row, labels in zip(Y, rows, strict=True):
        row[labels] = 1
    on_one_path = [
        all(
            a in hierarchy.parents[b].indices
            for a, b in zip(path, path[1:], strict=False)
        )
        for path in rows
    ]
    assert 0 < np.mean(on_one_path) < 1
    expected = 1 - np.mean(on_one_path)
    assert hierarchical_violation_rate(Y, hierarchy) == expected


def test_tables_show_a_row_before_its_last_step_where_that_changes_something():
    run = {"levels": [0.9, 0.8], "path": 0.7, "hvr": 0.0}
    run |= {f"{name}_raw": value for name, value in run.items()} | {"hvr_raw": 0.25}
    row = single_paths.ROWS[0]
    found = {Job("grocery32", row, seed): run for seed in (0, 1)}
    table = single_paths.table_of("grocery32", found)
    assert f"   * - {row}\n     - 2\n" in table and f"{row}, raw" in table
    assert "0.250" in table and "**0.900** ± 0.000" in table

"""Tests of benchmarks.how_deep: what it measures is what the guide shows."""

import numpy as np
import pytest

from benchmarks import how_deep
from benchmarks.command import read_results
from skhmc import Hierarchy

CHAIN = Hierarchy.from_edges([(0, 1), (1, 2)])


def test_the_guide_has_the_table_and_the_figure_of_the_results(tmp_path):
    results = read_results(how_deep.STORED)
    assert how_deep.PAGE.read_text() == how_deep.page(results)
    text = how_deep.PAGE.with_name("how_sure_how_deep.rst").read_text()
    for name in (how_deep.PAGE.name, how_deep.FIGURE.name):
        assert name in text
    drawn = tmp_path / "a.svg"
    how_deep.draw(results["runs"], drawn)
    figure = drawn.read_text()
    for name in (*how_deep.SETS, *how_deep.WAYS):
        assert name in figure and name in how_deep.FIGURE.read_text()


def test_every_way_is_measured_on_every_set():
    found = {(r["set"], r["way"]) for r in read_results(how_deep.STORED)["runs"]}
    assert found == {(name, way) for name in how_deep.SETS for way in how_deep.WAYS}


def test_how_deep_and_how_right_label_sets_are():
    Y = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]])
    predicted = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 0], [1, 0, 0]])
    found = how_deep.judge(Y, predicted, CHAIN)
    assert found["levels"] == (2 + 3 + 0 + 1) / 4
    assert found["precision"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found["answered"] == 3 / 4
    nothing = how_deep.judge(Y, np.zeros_like(Y), CHAIN)
    assert nothing == {"levels": 0.0, "precision": None, "answered": 0.0}


def test_a_level_is_the_last_one():
    options = how_deep.WAYS["level"][1](1, CHAIN)
    assert options["thresholds"].tolist() == [0.5, 0.5, 1.0]

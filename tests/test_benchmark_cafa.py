"""Tests of benchmarks.cafa: both judge alike, and the pages have what it measured."""

from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks import cafa
from benchmarks.command import read_results
from skhmc.coherence import close_upward, max_constraint


def test_the_guide_has_the_tables_of_the_results():
    text = cafa.PAGE.read_text()
    assert text == cafa.page(read_results(cafa.STORED))
    for page, name in {
        "metrics.rst": "table",
        "which_measure.rst": "baselines",
    }.items():
        shown = cafa.PAGE.with_name(page).read_text()
        assert (
            f".. include:: {cafa.PAGE.name}\n   :start-after: .. begin {name}" in shown
        )
        assert f".. begin {name}\n" in text


def test_the_figures_are_as_promised():
    rows = read_results(cafa.STORED)["rows"]
    took = {(weighted, who): seconds for weighted, who, seconds in rows}
    theirs = "cafaeval, compute_metrics"
    for weighted, least in {"labels": 10, "information": 20}.items():
        for name, options in cafa.OURS.items():
            if "thresholds" in options:  # on their grid
                assert took[weighted, theirs] >= least * took[weighted, name]


def test_what_is_judged_is_closed(monkeypatch):
    monkeypatch.setattr(cafa, "N_LABELS", 30)
    hierarchy, Y, scores = cafa.draw(20)
    assert Y.shape == scores.shape == (20, 30) and Y[:, 0].all()
    np.testing.assert_array_equal(close_upward(Y, hierarchy), Y)
    np.testing.assert_array_equal(max_constraint(scores, hierarchy), scores)


@pytest.mark.skipif(not find_spec("cafaeval"), reason="cafaeval is not installed")
def test_both_find_the_same_and_all_are_timed(monkeypatch):
    monkeypatch.setattr(cafa, "N_LABELS", 40)
    rows = cafa.measure(60)  # it compares precision and recall itself
    assert [row[:2] for row in rows] == [
        [weighted, who]
        for weighted in ("labels", "information")
        for who in ("cafaeval, compute_metrics", *cafa.OURS)
    ]
    assert all(took >= 0 for *_, took in rows)


def test_a_measure_that_differs_stops_the_command(monkeypatch):
    monkeypatch.setattr(cafa, "N_LABELS", 40)
    monkeypatch.setattr(cafa, "theirs", lambda *given: (1.0, np.zeros((2, 99))))
    with pytest.raises(AssertionError):
        cafa.measure(60)


def test_baselines_are_timed(monkeypatch):
    monkeypatch.setattr(cafa, "N_LABELS", 20)
    rows = cafa.measure_baselines(30)
    assert [name for name, *_ in rows] == list(cafa.BASELINES)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("cafaeval"), reason="cafaeval is not installed")
def test_the_ratios_are_there_still():
    """With fewer samples, so that half of what is promised is enough."""
    rows = cafa.measure(500)
    took = {(weighted, who): seconds for weighted, who, seconds in rows}
    ours = "cafa_curves, the same closed arrays"
    for weighted, least in {"labels": 5, "information": 10}.items():
        theirs = took[weighted, "cafaeval, compute_metrics"]
        assert theirs >= least * took[weighted, ours]

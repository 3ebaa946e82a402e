"""benchmarks.calibration: what it computes, and what it says of stored results."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss

from benchmarks import calibration
from skhmc import HierarchicalCalibratedClassifier
from skhmc.coherence import close_upward
from tests.contract import DAG


def example():
    rng = np.random.default_rng(0)
    proba = rng.random((80, 6))
    return proba, close_upward((rng.random(proba.shape) < proba**2).astype(int), DAG)


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
@pytest.mark.parametrize("k", [0, 3, 40])
def test_another_shrinkage_needs_no_other_fit(k, method):
    proba, Y = example()
    inner = FrozenEstimator(calibration.Replay())
    clf = HierarchicalCalibratedClassifier(inner, DAG, method=method)
    one, other = (
        clone(clf).set_params(shrinkage=shrinkage).fit(proba, Y) for shrinkage in (1, k)
    )
    for first, second in zip(one.maps_, other.maps_, strict=True):
        changed = calibration.with_shrinkage(first, k)
        np.testing.assert_allclose(changed(proba[:, 0]), second(proba[:, 0]))


def test_figures():
    proba, Y = example()
    found = calibration.rate(Y, proba, DAG)
    cells = log_loss(Y.ravel(), proba.ravel())
    assert found["log_loss"] == pytest.approx(cells)
    assert found["brier"] == pytest.approx(np.mean((Y - proba) ** 2))
    assert set(found) == set(calibration.FIGURES)


def run(name, seed, before, after):
    """Return a stored run in which sigmoid and temperature per label change AU(PRC)."""
    areas = {
        "before": before,
        "isotonic, label, 10, 30": before,
        "sigmoid, label, 10": after,
        "temperature, all, 10": before,
        "temperature, label, 10": 0.1,  # which nobody gets by default
    }
    same = {"log_loss": 0.5, "brier": 0.25, "ece": 0.125}
    figures = {key: same | {"au_prc": area} for key, area in areas.items()}
    return {"part": "test", "name": name, "model": "HCAL", "seed": seed} | {
        "figures": figures
    }


def test_a_fall_of_the_area_is_told():
    runs = [
        run("enron", 0, 0.8, 0.79),
        run("enron", 1, 0.8, 0.809),  # the mean falls by less than is allowed
        run("anuran", 0, 0.9, 0.89),
    ]
    results = {"runs": dict(enumerate(runs)), "versions": {}}
    assert calibration.lost(results, "sigmoid") == ["anuran, HCAL: 0.0100"]
    assert calibration.lost(results, "temperature") == []
    assert calibration.rows_of(results, "validation") == []
    rows = calibration.rows_of(results, "test")
    assert rows[0] == [
        "enron",
        "HCAL",
        "before",
        "0.5000",
        "0.2500",
        "0.1250",
        "0.8000",
    ]
    assert rows[2][2] == "sigmoid" and rows[2][-1] == "0.7995"
    methods = [row[2] for row in rows[3:5]]
    assert methods == ["temperature", "temperature (per label)"]
    assert all(calibration.is_complete(run, "test") for run in runs)
    del runs[1]["figures"]["temperature, all, 10"]  # the table does without
    results = {"runs": dict(enumerate(runs)), "versions": {}}
    assert not calibration.is_complete(runs[1], "test")
    shown = [row[2] for row in calibration.rows_of(results, "test")[:4]]
    assert shown == ["before", "isotonic", "sigmoid", "temperature (per label)"]

"""Tests of benchmarks.growing: what it measures is what the guide shows."""

import numpy as np

from benchmarks import growing
from benchmarks.command import read_results
from skhmc import Hierarchy
from skhmc._networks.growing import find_starts

TREE = Hierarchy.from_edges([(0, k) for k in range(1, 11)])


def test_the_guide_has_the_table_of_the_results():
    results = read_results(growing.STORED)
    assert growing.PAGE.read_text() == growing.page(results)
    text = growing.PAGE.with_name("growing.rst").read_text()
    assert growing.PAGE.name in text


def test_every_way_is_measured_on_every_set():
    found = {
        (run["set"], run["seed"], run["way"], run["epochs"])
        for run in read_results(growing.STORED)["runs"]
    }
    assert found == {
        (name, seed, way, epochs)
        for name in growing.SETS
        for seed in growing.SEEDS
        for way, (_, all_epochs) in growing.WAYS.items()
        for epochs in all_epochs
    }


def test_some_leaves_with_enough_rows_are_hidden():
    Y = np.ones((6, 11))
    Y[2:, [3, 4]] = 0  # too few rows
    found = [growing.hidden_leaves(Y, TREE, seed) for seed in range(20)]
    assert {len(leaves) for leaves in found} == {1}  # 15 % of 8
    assert set(np.concatenate(found)) <= {1, 2, 5, 6, 7, 8, 9, 10}
    assert len(set(np.concatenate(found))) > 4


def test_all_ways_are_walked_over_and_new_labels_start_at_random_in_one(monkeypatch):
    monkeypatch.setattr(growing, "HIDDEN", (4,))
    monkeypatch.setattr(growing, "EPOCHS", 1)
    small = {"warm": ("", (1,)), "scratch": ("", (0, 1)), "parent": ("", (0, 1))}
    monkeypatch.setattr(growing, "WAYS", growing.WAYS | small)
    monkeypatch.setattr(growing, "PARTS", (0, 1))
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    Y = (X[:, [0] * 11] > np.arange(11) / 9).astype(int)
    Y[:, 0] = 1
    Y[X[:, 0] < -1] = 0
    said = {}
    for way, epochs, clf in growing.fits(X, Y, TREE, np.arange(10), 0):
        said[way, epochs] = clf.raw_decision_function(X)
        assert clf.label_names_.tolist() == list(range(11))
    assert said.keys() == {
        (way, epochs)
        for way, epochs in [("parent", 0), ("parent", 1), ("random", 0), ("random", 1)]
        + [("warm", 1), ("scratch", 1), ("whole", 1)]
    }
    assert np.ptp(said["random", 0][:, 10]) == 0 < np.ptp(said["parent", 0][:, 10])
    assert np.array_equal(said["random", 0][:, :10], said["parent", 0][:, :10])
    assert growing.training.find_starts is growing.grow.find_starts is find_starts

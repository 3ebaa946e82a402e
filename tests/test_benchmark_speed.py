"""Tests of benchmarks.speed: peers do the same work, and the docs show the results."""

import itertools
import json
import math
import resource
import time

import numpy as np
import pytest
import torch
from sklearn.base import clone

from benchmarks import peers, speed
from benchmarks.speed_parts import (
    coherence,
    common,
    curves,
    data,
    inference,
    profile,
    time_to_score,
    whole_fit,
)
from benchmarks.speed_parts.bare import BareLoop
from skhmc import HCALClassifier, HyperbolicHMC, MaxConstraintClassifier
from skhmc.nn.coherence import MaxConstraint
from tests.contract import build, task
from tests.hierarchies import random_hierarchy

SMALL = {"hidden_layer_sizes": (20,), "batch_size": 16, "random_state": 3}
CASES = [
    pytest.param(HCALClassifier, "many", id="HCALClassifier, sigmoids"),
    pytest.param(HCALClassifier, "paths", id="HCALClassifier, softmax"),
    pytest.param(MaxConstraintClassifier, "many", id="MaxConstraintClassifier"),
    pytest.param(HyperbolicHMC, "many", id="HyperbolicHMC"),
]


# -- the peers do the same work --------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_bare_loop_has_the_losses_of_the_estimator(kind, name):
    hierarchy, X, Y = task(name)
    clf = build(kind(**SMALL, max_iter=3, device="cpu"), hierarchy)
    loop, expected = BareLoop(clf, X, Y), clone(clf).fit(X, Y).history_
    for epoch in expected:
        losses = []
        loop.epoch(losses)
        assert len(losses) == loop.n_steps == 4
        assert np.mean(losses) == pytest.approx(epoch["train_loss"], rel=1e-5)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_bare_loop_ends_with_the_weights_of_the_estimator(kind, name):
    hierarchy, X, Y = task(name)
    clf = build(kind(**SMALL, max_iter=2, device="cpu"), hierarchy)
    loop, net = BareLoop(clf, X, Y), clone(clf).fit(X, Y).net_
    loop.epoch(), loop.epoch()
    state = net.module_.state_dict()
    assert state.keys() == loop.module.state_dict().keys()
    for key, value in loop.module.state_dict().items():
        torch.testing.assert_close(value, state[key])


def test_the_forward_pass_has_the_batches_of_predict_proba():
    hierarchy, X, Y = task("many")
    clf = build(MaxConstraintClassifier(**SMALL, max_iter=1), hierarchy).fit(X, Y)
    batches = inference.batches_of(clf, X)
    np.testing.assert_array_equal(torch.cat(batches), X.astype(np.float32))
    assert not clf.net_.module_._forward_pre_hooks


def test_the_dense_formulation_is_the_max_constraint():
    hierarchy = random_hierarchy(40, seed=1, max_parents=3)
    scores = torch.rand(5, 40, generator=torch.Generator().manual_seed(0))
    results = []
    for function in (
        MaxConstraint(hierarchy),
        lambda s: coherence.dense(s, coherence.members_of(hierarchy)),
    ):
        x = scores.clone().requires_grad_()
        out = function(x)
        out.square().sum().backward()
        results.append((out.detach(), x.grad))
    assert (results[0][0] > scores).any()
    torch.testing.assert_close(*results)


def test_paths_come_back_from_the_form_of_hiclass():
    hierarchy, _, Y = task("paths")
    paths = peers.as_paths(Y, hierarchy)
    assert paths.shape == (len(Y), 2) and "" in paths  # some end above a leaf
    assert set(paths[:, 0]) == {hierarchy.labels[root] for root in hierarchy.roots}
    np.testing.assert_array_equal(peers.from_paths(paths, hierarchy), Y)


# -- the data --------------------------------------------------------------------------


@pytest.mark.parametrize("tree", [True, False])
@pytest.mark.parametrize("n_labels", [100, 4125])
def test_made_hierarchies_are_as_deep_as_the_gene_ontology(tree, n_labels):
    hierarchy = data.make_hierarchy(n_labels, tree)
    assert hierarchy.n_labels == n_labels and len(hierarchy.levels) == 14
    assert hierarchy.is_tree == tree
    assert hierarchy == data.make_hierarchy(n_labels, tree)


def test_label_sets_are_closed_and_of_like_size_for_any_number_of_labels():
    sizes = []
    for n_labels in (500, 5000):
        hierarchy = data.make_hierarchy(n_labels, tree=True)
        Y = data.draw_labels(hierarchy, 300)
        dense = Y.toarray()
        for parent, child in hierarchy.edges:
            assert (dense[:, child] <= dense[:, parent]).all()
        assert set(np.unique(dense)) == {0, 1}
        sizes.append(Y.nnz / 300)
    assert sizes[1] == pytest.approx(sizes[0], rel=0.15)


# -- the figures -----------------------------------------------------------------------


def test_ratios_are_of_pairs():
    figures = common.paired([2.0, 8.0, 3.0], [1.0, 4.0, 2.0])
    assert figures == {"ratio": 2.0, "low": 1.5, "high": 2.0}
    assert common.ratio_cell(figures) == "2.00 (1.50 to 2.00)"
    assert common.ratio_cell({"ratio": 120.3, "low": 99.7, "high": 130.0}) == (
        "120 (100 to 130)"
    )


def test_what_was_found_counts_the_cases():
    assert common.found([0.5, 1.2], 1) == "0.50 to 1.20; met in 1 of 2"
    assert common.found([100.0, 300.0], 150, at_least=True) == (
        "100 to 300; met in 1 of 2"
    )
    assert common.found([0.5, math.inf], 1) == "0.50 to never; met in 1 of 2"
    assert common.found([1.0], 1) == "1.00; met in 1 of 1"


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power(k):
    sizes = np.array([1e3, 1e4, 1e5])
    assert common.exponent(sizes, 7 * sizes**k) == pytest.approx(k)


def test_whole_fits_are_held_against_seconds():
    made = {"set": "cellcycle_FUN", "shape": [2476, 77, 499], "seconds": [61, 40.2, 59]}
    (_, _, cells), *_ = whole_fit.tables([made])
    assert cells == [["cellcycle_FUN (2,476 × 77 × 499)", "3", "59 (40 to 61)"]]
    ((*_, limit, reached),) = whole_fit.goals([made])
    assert (limit, reached) == ("≤ 60 s", "40 to 61; met in 2 of 3")


def test_functions_are_called_in_turn():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = common.interleave(functions, 3, least=0)
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}
    assert calls[:4] == ["a", "a", "b", "b"]  # unmeasured, and to count calls
    assert calls[4:] == ["a", "b"] * 3


def test_a_phase_inside_another_is_not_counted_twice(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 6.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    phases = profile.Phases()
    inner = phases.wrap("inner", lambda: None)
    phases.wrap("outer", inner)()
    assert phases.seconds == {"outer": 1.0 + 3.0, "inner": 2.0}


def test_every_phase_of_a_fit_and_of_the_bare_loop_takes_time():
    hierarchy, X, Y = task("many")
    clf = build(HCALClassifier(**SMALL, max_iter=1, device="cpu"), hierarchy)
    ours, bare = profile.compare(clf, X, Y)
    assert min(ours.values()) > 0
    assert all(bare[phase] > 0 for phase in bare if phase != "callbacks")
    assert bare["callbacks"] == 0
    forward = profile.PHASES["forward"][0]
    assert not hasattr(getattr(*forward), "__wrapped__")  # nothing stays watched


def test_time_to_score_is_that_of_the_first_epoch_above_the_peer():
    hierarchy, X, Y = task("many")
    few = type("Data", (), {"name": "", "X_train": X, "Y_train": Y, "X_test": X})
    clf = build(HCALClassifier(**SMALL, max_iter=5, device="cpu"), hierarchy)
    scores = iter([0.1, 0.3, 0.2, 0.6, 0.9])

    def score(proba):
        assert proba.shape == Y.shape
        return next(scores)

    found = time_to_score.until_passed(clf, few, {"a": 0.2, "b": 0.5}, score)
    assert 0 < found["a"] < found["b"] and found["best"] == 0.6
    assert next(scores) == 0.9, "training went on though all peers were passed"
    never = time_to_score.until_passed(clf, few, {"a": 2.0}, lambda proba: 1.0)
    assert never == {"a": None, "best": 1.0}


# -- the command -----------------------------------------------------------------------


def test_parts_and_devices():
    names, settings = speed.parse(["--part", "profile", "--threads", "1", "--quick"])
    assert names == ["profile"]
    assert settings == common.Settings("cpu", 1, True)
    assert list(speed.parse([])[0]) == list(speed.PARTS)
    assert speed.parse(["--page"])[0] == []


def test_a_gpu_that_is_not_there_is_said_plainly(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        speed.parse(["--device", "cuda"])
    assert "torch sees no CUDA device" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    names = speed.parse(["--device", "cuda"])[0]
    assert names == ["training", "inference", "coherence"]
    with pytest.raises(SystemExit):
        speed.parse(["--device", "cuda", "--part", "curves"])
    assert "curves: measured with --device cpu only" in capsys.readouterr().err


def test_parts_are_merged(monkeypatch):
    monkeypatch.setattr(time_to_score, "has_hiclass", lambda: False)
    old = [{"peer": f"{time_to_score.HICLASS}x"}, {"peer": "y"}]
    results = {"profile": {"rows": []}, "time_to_score": {"rows": old}}
    results = speed.merge(results, "time_to_score", [{"peer": "z"}], {"cpu": "c"})
    assert list(results) == ["time_to_score", "profile"]  # in the order of the parts
    assert results["time_to_score"]["rows"] == [{"peer": "z"}, old[0]]
    monkeypatch.setattr(time_to_score, "has_hiclass", lambda: True)
    results = speed.merge(results, "time_to_score", [{"peer": "z"}], {"cpu": "c"})
    assert results["time_to_score"]["rows"] == [{"peer": "z"}]


def test_a_quick_run_writes_nothing(monkeypatch, capsys):
    part = type("Part", (), {"measure": lambda settings: [1], "goals": lambda rows: []})
    part.tables = lambda rows: [("Title", ["a", "bc"], [[rows[0], "x"]])]
    monkeypatch.setitem(speed.PARTS, "profile", part)
    monkeypatch.setattr(speed, "RESULTS", {})  # would be a KeyError
    speed.run("profile", common.Settings(quick=True))
    assert "Title\na  bc\n1  x\n" in capsys.readouterr().out


def test_peak_memory_is_that_of_this_process():
    at_most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    assert 0.1 < common.peak_gb() <= 1.01 * at_most


# -- the documentation -----------------------------------------------------------------


def test_the_documentation_has_the_tables_of_the_results():
    text = speed.PAGE.read_text()
    assert text == speed.page()
    page = speed.PAGE.with_name("speed.rst").read_text()
    for name in ("goals", *speed.PARTS, "gpu", "large"):
        begin, end = f".. begin {name}", f".. end {name}"
        assert f"\n{begin}\n" in text and f"\n{end}\n" in text
        include = f".. include:: {speed.PAGE.name}\n"
        assert f"{include}   :start-after: {begin}\n   :end-before: {end}\n" in page
    assert f".. image:: {curves.FIGURE.name}\n" in page and curves.FIGURE.exists()


def test_every_part_was_measured_wholly():
    results = json.loads(speed.RESULTS["cpu"].read_text())
    assert set(results) == set(speed.PARTS)
    rows = {name: results[name]["rows"] for name in speed.PARTS}
    for name in ("training", "inference"):
        found = {(row["estimator"], row["set"]) for row in rows[name]}
        assert len(found) == len(rows[name]) == len(data.ESTIMATORS) * len(data.SETS)
    found = {(row["labels"], row["tree"]) for row in rows["coherence"]}
    assert found == {(n, t) for n in (499, 4125, 40_000) for t in (True, False)}
    assert {row["set"] for row in rows["whole_fit"]} == set(whole_fit.LIMITS)
    raced = {(row["set"], row["variant"]) for row in rows["time_to_score"]}
    sets, variants = time_to_score.REPETITIONS, time_to_score.VARIANTS
    assert raced == set(itertools.product(sets, variants))
    for row in rows["curves"]:
        assert row["labels_per_sample"] == pytest.approx(12.5, rel=0.1)
    points = len(curves.KINDS) * (len(curves.LABELS) + len(curves.SAMPLES))
    assert len(rows["curves"]) == points

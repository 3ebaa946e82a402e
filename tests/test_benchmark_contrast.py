"""Tests of benchmarks.contrast: what is fitted and compared, and what the page says."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from benchmarks import contrast
from benchmarks.command import read_results
from benchmarks.contrast import CHOICE_SEED, LOSSES, MORE, NONE, ROWS, WEIGHTS
from skhmc import HCALClassifier, Hierarchy

DIAMOND = Hierarchy(list("abcd"), [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 2, "random_state": 0}


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    Y = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]])
    Y = Y[random.integers(0, 4, 40)]
    return random.normal(size=(40, 5)), Y


# -- what the documentation has --------------------------------------------------------


def test_the_documentation_has_the_tables_of_the_results():
    written = contrast.PAGE.read_text()
    assert written == contrast.page(read_results(contrast.STORED))
    text = contrast.PAGE.with_name("contrast.rst").read_text()
    begun = [line for line in written.splitlines() if line.startswith(".. begin")]
    assert len(begun) == 3
    assert all(f":start-after: {line}\n" in text for line in begun)


def test_every_row_is_measured_on_every_set():
    runs = read_results(contrast.STORED)["runs"]
    runs = contrast.of_table(runs, contrast.EPOCHS, "small")
    for name in contrast.SETS:
        n_seeds = {len(contrast.gains(runs, name, row)) for row in ROWS[1:]}
        assert n_seeds == {contrast.SEEDS}


def test_networks_have_the_contrastive_loss_that_gains():
    runs = contrast.of_table(read_results(contrast.STORED)["runs"], 60, "default")
    gained = [name for name, sets in contrast.verdict(runs).items() if len(sets) >= 3]
    allowed = HCALClassifier._parameter_constraints["contrastive"][1].options
    assert set(gained) == allowed
    n_seeds = [len(contrast.gains(runs, n, "hmce")) for n in contrast.TEXTS[:3]]
    assert min(n_seeds) == contrast.SEEDS


# -- the networks ----------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_a_contrastive_loss_changes_the_network_by_its_weight(data, loss):
    rows = (NONE, None), (loss, 1e-30), (loss, 1.0)
    fitted = [contrast.model_of(DIAMOND, *row, **SMALL).fit(*data) for row in rows]
    proba = [clf.predict_proba(data[0]) for clf in fitted]
    assert (proba[0] == proba[1]).all()
    assert not np.allclose(proba[0], proba[2])


def test_gates_are_trained(data):
    clf = contrast.model_of(DIAMOND, "hilecon", 1.0, **SMALL).fit(*data)
    (gate,) = clf.net_.criterion_.contrast.parameters()
    assert gate.shape == (4, 256) and bool((gate != 0).any())


def test_the_loss_of_a_batch_is_the_sum():
    labels, pairs = torch.tensor(2.0), torch.tensor(3.0)
    criterion = contrast.ContrastiveCriterion(
        lambda output, Y, weight: labels, lambda features, Y: pairs, 0.1
    )
    output = SimpleNamespace(features=None)
    assert criterion(output, None, None).item() == pytest.approx(2.3)
    with pytest.raises(ValueError, match="got a sample"):
        criterion(output, None, None, sample=[0])


# -- what is measured, and said of it --------------------------------------------------


def fake_fit(made, au_prc=None):
    def fit(name, seed, row, weight, max_iter, network):
        made.append((name, seed, row, weight, max_iter))
        seconds = {NONE: 2.0, "hmce": 3.0, "hilecon": 5.0}.get(row, 4.9)
        score = (au_prc or {}).get((row, weight), 0.5)
        return {"au_prc": score, "cpu_seconds": seconds, "n_rows": 9}

    return fit


def options_of(**options):
    usual = {"set": ["cei"], "row": None, "seeds": 1, "first_seed": 0, "try_out": True}
    usual |= {"epochs": contrast.EPOCHS, "network": "small"}
    return SimpleNamespace(**(usual | options))


def test_the_choice_is_made_first_and_no_fit_is_repeated(capsys):
    made, results = [], {"runs": []}
    scores = {("hmce", WEIGHTS[1]): 0.6, ("hilecon", WEIGHTS[0]): 0.7}
    contrast.measure(options_of(), results, fake_fit(made, scores))
    of_choice = [run for run in made if run[1] == CHOICE_SEED]
    assert made[: len(of_choice)] == of_choice and len(of_choice) == 1 + 2 * 2
    epochs = contrast.EPOCHS
    assert made[len(of_choice) :] == [
        ("cei", 0, NONE, None, epochs),
        ("cei", 0, "hmce", WEIGHTS[1], epochs),
        ("cei", 0, "hilecon", WEIGHTS[0], epochs),
        ("cei", 0, MORE, None, round(epochs * 5 / 2)),
    ]
    before = len(made)
    contrast.measure(options_of(), results, fake_fit(made, scores))
    assert len(made) == before
    runs = results["runs"]
    assert_allclose(contrast.gains(runs, "cei", "hilecon"), [0.2])
    assert contrast.verdict(runs) == {"hmce": ["cei"], "hilecon": ["cei"]}
    page = contrast.page({"runs": runs, "versions": {"torch": "2"}})
    assert "hmce on 1 and hilecon on 1" in page and "**+0.2000**" in page


def test_a_loss_that_is_not_asked_for_is_a_dash(capsys):
    made, results = [], {"runs": []}
    options = options_of(row=[NONE, "hmce", MORE], network="default")
    contrast.measure(options, results, fake_fit(made))
    assert "hilecon" not in {run[2] for run in made}
    assert made[-1] == ("cei", 0, MORE, None, round(contrast.EPOCHS * 3 / 2))
    runs = results["runs"]
    assert contrast.tables_of(runs) == [(contrast.EPOCHS, "default")]
    page = contrast.page({"runs": runs, "versions": {"torch": "2"}})
    assert "25 epochs, layers: default; at most 3000 rows" in page
    cells = ["cei (1)", "0.5000", "0.0000", "–", "0.0000"]
    assert "   * - " + "\n     - ".join(cells) + "\n" in page
    assert "over none, hmce on 0;" in page


def test_texts_and_tables_have_weights_of_their_own():
    low, high = WEIGHTS
    cells = dict(zip(contrast.CHOICE_SETS, ((0.5, 0.6), (0.8, 0.4)), strict=True))
    runs = [
        {"set": name, "seed": CHOICE_SEED, "row": "hmce", "weight": w, "au_prc": score}
        for name, scores in cells.items()
        for w, score in zip(WEIGHTS, scores, strict=True)
    ]
    assert {contrast.chosen(runs, name, "hmce") for name in contrast.TEXTS} == {high}
    assert contrast.chosen(runs, "seq_FUN", "hmce") == low
    assert contrast.chosen(runs[1:], "cei", "hmce") is None


def test_more_epochs_need_the_other_rows():
    with pytest.raises(SystemExit, match="measure all rows"):
        contrast.measure(options_of(row=[MORE]), {"runs": []}, fake_fit([]))


def test_all_rows_are_given_the_same_and_no_more_than_said():
    rows = np.arange(5000, 9000)
    first, again = (contrast.drawn(rows, 0, 2000) for _ in range(2))
    assert (first == again).all() and len(set(first)) == 2000
    assert set(first) <= set(rows) and (first != contrast.drawn(rows, 1, 2000)).any()

"""benchmarks.sparse_defaults: the former defaults, the choice and its page."""

import pytest
import torch

from benchmarks import sparse_defaults as command
from benchmarks.command import read_results
from skhmc import HCALClassifier
from skhmc._networks import parameters
from skhmc.nn.rows import RowAdamW
from tests.test_sparse_input import TREE, wide

SEEDS = range(command.SEEDS)


def results(**rows):
    """Return results of rows, whose figures are the same for all sets and seeds."""
    return {
        command.key_of(row.replace("_", " "), name, seed, None): {
            "au_prc": score,
            "cpu_seconds": seconds,
            "versions": {"skhmc": "1"},
        }
        for row, (score, seconds) in rows.items()
        for name in command.TEXTS
        for seed in SEEDS
    }


def test_the_former_defaults_know_nothing_of_texts():
    X, Y = wide()
    options, context = command.former_defaults()
    assert options.pop("max_iter") == 60
    assert options.pop("hidden_layer_sizes") == (1000, 1000)
    with context:
        clf = HCALClassifier(TREE, max_iter=1, hidden_layer_sizes=2, **options)
        clf.fit(X, Y)
    assert clf.net_.module_.input_scale == 1
    assert type(clf.net_.optimizer_) is torch.optim.AdamW
    assert parameters.SPARSE == 0.03  # what was changed is as it was
    now = HCALClassifier(TREE, max_iter=1, hidden_layer_sizes=2).fit(X, Y)
    assert now.net_.module_.input_scale != 1
    assert isinstance(now.net_.optimizer_, RowAdamW)


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ({"defaults": (0.9, 1.0)}, None),  # nothing to compare with
        ({"before": (0.9, 9.0), "defaults": (0.9, 3.0)}, "defaults"),
        ({"before": (0.9, 9.0), "defaults": (0.9, 3.1)}, None),
        ({"before": (0.9, 9.0), "defaults": (0.8985, 1.0)}, None),
        (
            {"before": (0.9, 9.0), "defaults": (0.91, 1.0), "20_epochs": (0.92, 2.0)},
            "20 epochs",
        ),
    ],
)
def test_the_choice_is_the_best_that_is_fast_and_no_worse(rows, chosen):
    assert command.choose(command.summary(results(**rows)))[0] == chosen


def test_a_set_that_is_not_measured_is_no_ground_for_a_choice():
    found = results(before=(0.9, 9.0), defaults=(0.9, 1.0))
    found = {key: fit for key, fit in found.items() if "cei" not in key}
    assert command.choose(command.summary(found))[0] is None


def test_the_page_is_that_of_the_results():
    assert command.PAGE.read_text() == command.page(read_results(command.FILE))

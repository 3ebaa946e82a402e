"""The costs of every kind of run: their terms, and the cases that tell what these take.

The cases to check are larger than those that the constants come from.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.cost_parts.formulas import FLOAT, KEPT, Cost, Fit, Predictions, Tree
from benchmarks.cost_parts.runs import run_fit, run_predictions, run_tree
from benchmarks.cost_parts.shared import run_shared

__all__ = ["COSTS", "KINDS", "Kind"]


IN_CACHE = 50_000  # labels whose tables stay in the cache of a processor


class Kind(NamedTuple):
    """What is run, and what of that is compared with the formulas."""

    run: Callable
    costs: tuple[str, ...]  # of COSTS
    exact: dict[str, Callable]  # what has no constant, by what is measured
    cases: list
    checks: list


COSTS = {}
COSTS["step"] = Cost(
    "s",
    {
        "step": lambda c: 1,
        "row of a process, label": lambda c: c.rows_of_step * c.labels_of_step,
        "row of a process, label, number of a prototype": lambda c: (
            c.rows_of_step * c.labels_of_step * c.embedding
        ),
        "number of a prototype": lambda c: c.labels_of_step * c.embedding,
        "row of a process, weight of the encoder": lambda c: (
            c.rows_of_step * c.encoder_weights
        ),
        "weight of the encoder": lambda c: c.encoder_weights,
        "row of the batch, neuron": lambda c: (
            c.batch_size * (c.n_features + 2 * c.width)
        ),
        "byte that is added up": lambda c: c.bytes_of_step * (c.n_processes > 1),
    },
)
COSTS["begin"] = Cost(
    "s",
    {
        "fit": lambda c: 1,
        "number of X": lambda c: c.n_rows * c.n_features,
        "label of a row": lambda c: c.stored,
        "label of a row, doubling of labels above 50,000": lambda c: (
            c.stored * np.log2(max(c.n_labels / IN_CACHE, 1))
        ),
        "label": lambda c: c.n_labels,
        "weight": lambda c: c.weights,
    },
)
COSTS["memory"] = Cost(
    "bytes",
    {
        "fit": lambda c: 1,
        "byte of Y": lambda c: c.bytes_of_Y,
        "label": lambda c: c.n_labels,
        "byte of what is kept of weights": lambda c: (
            FLOAT * c.weights * (KEPT if c.n_epochs else 1)
        ),
        "byte of the prototypes of a step": lambda c: (
            FLOAT * c.labels_of_step * c.embedding * (c.n_epochs > 0)
        ),
        "byte of scores": lambda c: (
            FLOAT * c.rows_of_step * c.labels_of_step * (c.n_epochs > 0)
        ),
    },
)
COSTS["tree"] = Cost(
    "s",
    {
        "fit": lambda c: 1,
        "label": lambda c: c.n_labels,
        "row of a classifier": lambda c: c.n_rows * c.rows_of_labels,
        "number of X, classifier": lambda c: c.entries,
    },
)
COSTS["predictions"] = Cost(
    "s",
    {
        "call": lambda c: 1,
        "label": lambda c: c.n_labels,
        "row, label": lambda c: c.rows_predicted * c.n_labels,
        "row, label, number of a prototype": lambda c: (
            c.rows_predicted * c.n_labels * c.embedding
        ),
        "row, weight of the encoder": lambda c: c.rows_predicted * c.encoder_weights,
    },
)


def fit(n_rows, n_labels, batch_size, n_epochs=2, **sizes):
    """Return a Fit whose labels are still to be counted."""
    sizes = {"n_features": 300, "labels_per_row": 0.0, "n_positive": 0.0, **sizes}
    sizes |= {"batch_size": batch_size, "n_epochs": n_epochs}
    return Fit(n_rows, n_labels=n_labels, **sizes)


def tree(n_rows, n_labels, n_features, features_per_row):
    """Return a Tree whose rows are still to be counted."""
    return Tree(n_rows, n_features, n_labels, features_per_row, 0.0)


TWO = {"n_processes": 2}
KINDS = {
    "steps": Kind(
        run_fit,
        ("step", "memory"),
        {"checkpoint": lambda c: c.bytes_of_checkpoint},
        [
            fit(2048, 25_000, 128),
            fit(2048, 25_000, 256),
            fit(4096, 25_000, 512),
            fit(4096, 25_000, 1024),
            fit(2048, 40_000, 256, embedding=64),
            fit(2048, 40_000, 256, embedding=512),
            fit(2048, 25_000, 256, n_sampled=1000),
            fit(2048, 25_000, 256, n_sampled=15_000),
            fit(2048, 25_000, 256, width=300),
            fit(2048, 25_000, 256, width=2000),
            fit(2048, 25_000, 256, n_features=3000),
            fit(
                100_000,
                25_000,
                10_000,
                n_epochs=1,
                width=50,
                embedding=16,
                n_sampled=100,
                n_features=20,
            ),
        ],
        [
            fit(8192, 50_000, 256),
            fit(16_384, 100_000, 512),
            fit(32_768, 300_000, 1024, n_epochs=1),
        ],
    ),
    "before the steps": Kind(
        run_fit,
        ("begin", "memory"),
        {},
        [
            fit(2000, 25_000, 256, n_epochs=0),
            fit(100_000, 25_000, 256, n_epochs=0),
            fit(100_000, 25_000, 256, n_epochs=0, n_features=30),
            fit(2000, 100_000, 256, n_epochs=0),
            fit(2000, 100_000, 256, n_epochs=0, embedding=32),
            fit(150_000, 25_000, 256, n_epochs=0, n_features=1000),
            fit(2000, 200_000, 256, n_epochs=0),
            fit(100_000, 100_000, 256, n_epochs=0, n_features=30),
            fit(100_000, 100_000, 256, n_epochs=0, n_features=1000),
            fit(100_000, 150_000, 256, n_epochs=0),
            fit(200_000, 100_000, 256, n_epochs=0),
            fit(250_000, 150_000, 256, n_epochs=0),
        ],
        [
            fit(300_000, 200_000, 256, n_epochs=0),
            fit(600_000, 200_000, 256, n_epochs=0),
            fit(800_000, 300_000, 256, n_epochs=0),
        ],
    ),
    "steps of two processes": Kind(
        run_shared,
        ("step",),
        {"bytes": lambda c: c.bytes_of_step},
        [
            fit(2048, 25_000, 256, **TWO),
            fit(4096, 25_000, 1024, **TWO),
            fit(2048, 40_000, 256, embedding=512, **TWO),
        ],
        [
            fit(8192, 50_000, 256, **TWO),
            fit(16_384, 100_000, 512, **TWO),
            fit(32_768, 300_000, 1024, n_epochs=1, **TWO),
        ],
    ),
    "label trees": Kind(
        run_tree,
        ("tree",),
        {},
        [
            tree(2000, 2000, 10_000, 20),
            tree(2000, 10_000, 10_000, 20),
            tree(10_000, 2000, 10_000, 20),
            tree(10_000, 2000, 10_000, 100),
            tree(5000, 5000, 50_000, 50),
        ],
        [
            tree(20_000, 10_000, 20_000, 50),
            tree(30_000, 30_000, 50_000, 80),
            tree(50_000, 100_000, 100_000, 80),
        ],
    ),
    "predictions of files": Kind(
        run_predictions,
        ("predictions",),
        {},
        [
            # with so many labels, each label of a row takes longer than with few
            Predictions(128, 300, 150_000),
            Predictions(600, 300, 150_000),
            Predictions(400, 300, 200_000),
            Predictions(400, 300, 200_000, embedding=32),
            Predictions(400, 300, 150_000, width=3000),
        ],
        [
            Predictions(1200, 300, 250_000),
            Predictions(1000, 300, 300_000),
            Predictions(640, 300, 500_000),
        ],
    ),
}

"""Tests of TrainingHistoryDisplay: what a fit recorded, over its epochs."""

import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import HCALClassifier, Hierarchy, HyperbolicHMC, MaxConstraintClassifier
from skhmc.inspection import HVRDisplay, TrainingHistoryDisplay

matplotlib.use("Agg")
CHAIN = Hierarchy.from_edges([(0, 1), (1, 2)])
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
HISTORY = [
    {"epoch": 1, "train_loss": 1.0, "loss_depth_0": 0.9, "loss_depth_1": 1.1},
    {"epoch": 2, "train_loss": 0.5, "loss_depth_0": 0.4, "loss_depth_1": 0.6},
    {"epoch": 3, "train_loss": 0.4, "loss_depth_0": 0.2, "loss_depth_1": 0.6},
]
SCORES = [0.25, 0.75, 0.5]
WEIGHTS = [0.5, 0.375, 0.25]
FULL = [
    row | {"valid_score": score, "weight_depth_0": w, "weight_depth_1": 1 - w}
    for row, score, w in zip(HISTORY, SCORES, WEIGHTS, strict=True)
]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    return X, (X[:, :1] > [-1.0, 0.0, 1.0]).astype(int)


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


# -- what is drawn ---------------------------------------------------------------------


def test_every_number_of_the_history_is_drawn():
    display = TrainingHistoryDisplay(FULL)
    assert not hasattr(display, "axes_")
    assert display.plot() is display
    assert display.panels_ == ["loss", "weight", "score"]
    assert len(display.axes_) == 3
    assert {axes.figure for axes in display.axes_} == {display.figure_}
    for key, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(line.get_ydata(), [row[key] for row in FULL])
    assert set(display.lines_) == set(FULL[0]) - {"epoch"}
    loss, weight, score = display.axes_
    assert legend(loss) == ["depth 0", "depth 1", "training loss"]
    assert legend(weight) == ["depth 0", "depth 1"]
    assert legend(score) == ["validation score", "best: 0.750 in epoch 2"]
    labels = [axes.get_ylabel() for axes in display.axes_]
    assert labels == ["loss", "task weight", "validation score"]
    circle = score.get_lines()[-1]
    assert circle.get_xydata().tolist() == [[2, 0.75]]


def test_a_depth_has_one_colour_in_all_panels():
    lines = TrainingHistoryDisplay(FULL).plot().lines_
    for depth in (0, 1):
        colours = [
            lines[f"{kind}_depth_{depth}"].get_color() for kind in ("loss", "weight")
        ]
        np.testing.assert_array_equal(*colours)


def test_lines_are_as_wide_as_matplotlib_is_told():
    with plt.rc_context({"lines.linewidth": 3.0}):
        lines = TrainingHistoryDisplay(FULL).plot().lines_
        rate = HVRDisplay([0.2, 0.5], [0.1, 0.0]).plot().lines_[0]
    assert lines["loss_depth_0"].get_linewidth() == rate.get_linewidth() == 3
    assert lines["train_loss"].get_linewidth() == pytest.approx(4)  # stands out


def test_panels_without_data_are_left_out():
    display = TrainingHistoryDisplay(pd.DataFrame(HISTORY)).plot()
    assert display.panels_ == ["loss"] and len(display.axes_) == 1
    alone = TrainingHistoryDisplay([{"train_loss": 1.0}, {"train_loss": 0.5}]).plot()
    assert alone.lines_["train_loss"].get_xdata().tolist() == [1, 2]
    assert alone.axes_[0].get_legend() is None


def test_what_an_epoch_has_not_recorded_is_a_gap():
    rows = [FULL[0], HISTORY[1], FULL[2]]
    display = TrainingHistoryDisplay(rows).plot()
    values = display.lines_["valid_score"].get_ydata()
    np.testing.assert_array_equal(values, [0.25, np.nan, 0.5])
    assert "best: 0.500 in epoch 3" in legend(display.axes_[2])
    unknown = [row | {"valid_score": np.nan} for row in HISTORY]
    assert len(TrainingHistoryDisplay(unknown).plot().axes_[1].get_lines()) == 1


def test_panels_are_chosen_and_drawn_on_given_axes():
    figure, axes = plt.subplots(2, 1)
    display = TrainingHistoryDisplay(FULL).plot(ax=axes, panels=["score", "weight"])
    assert display.axes_.tolist() == axes.tolist() and display.figure_ is figure
    assert axes[0].get_ylabel() == "validation score"
    one = plt.figure().subfigures(1, 2)[0].subplots()
    display = TrainingHistoryDisplay(FULL).plot(ax=one, panels="loss", cmap="magma")
    assert display.axes_.tolist() == [one]
    assert display.figure_ is one.get_figure(root=True)


@pytest.mark.parametrize("n_epochs", [1, 3, 400])
def test_texts_stay_inside_the_figure(n_epochs):
    rows = [
        {"train_loss": 1 / k, "valid_score": 1 - 1 / k}
        | {f"loss_depth_{depth}": depth / k for depth in range(20)}
        for k in range(1, n_epochs + 1)
    ]
    display = TrainingHistoryDisplay(rows).plot()
    display.figure_.canvas.draw()
    frame = display.figure_.bbox
    for axes in display.axes_:
        for box in (axes.get_tightbbox(), axes.get_legend().get_window_extent()):
            assert frame.contains(*box.p0) and frame.contains(*box.p1)
        ticks = axes.get_xticks()
        np.testing.assert_array_equal(ticks, np.round(ticks))  # of whole epochs


# -- estimators ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clf", "panels"),
    [
        (HCALClassifier(CHAIN, early_stopping=True), ["loss", "weight", "score"]),
        (HyperbolicHMC(embedding_dim=2), ["loss"]),
        (MaxConstraintClassifier(CHAIN), ["loss"]),
    ],
)
def test_from_estimator(data, clf, panels):
    model = make_pipeline(StandardScaler(), clf.set_params(**SMALL)).fit(*data)
    display = TrainingHistoryDisplay.from_estimator(model)
    assert display.panels_ == panels and len(display.axes_) == len(panels)
    for key, line in display.lines_.items():
        expected = [epoch[key] for epoch in clf.history_]
        np.testing.assert_array_equal(line.get_ydata(), expected)
    display = TrainingHistoryDisplay.from_estimator(clf, panels="loss")
    assert "train_loss" in display.lines_ and len(display.axes_) == 1


@pytest.mark.parametrize("estimator", [HCALClassifier(), LogisticRegression()])
def test_estimators_without_history_are_explained(estimator):
    match = "has no history_, expected a fitted network of skhmc. Fit it, or pass"
    with pytest.raises(ValueError, match=match):
        TrainingHistoryDisplay.from_estimator(estimator)


# -- messages --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "match"),
    [
        ([], r"one dict per epoch, at least one, got \[\]. Pass the history_"),
        (5, "got 5. Pass the history_"),
        ([[1.0]], r"got \[\[1.0\]\]"),
        ([{"epoch": 1, "dur": 2}], "nothing to draw, expected .* got 'epoch', 'dur'"),
    ],
)
def test_wrong_histories_are_explained(history, match):
    with pytest.raises(ValueError, match=match):
        TrainingHistoryDisplay(history)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"panels": "losses"}, r"\['loss', 'weight', 'score'\], got 'losses'. A score"),
        ({"panels": []}, "got none. A score needs early_stopping=True"),
        ({"ax": [None]}, r"for each of the panels \['loss', .*, got 1. Choose panels"),
    ],
)
def test_wrong_options_are_explained(options, match):
    with pytest.raises(ValueError, match=match):
        TrainingHistoryDisplay(FULL).plot(**options)


def test_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    match = r'TrainingHistoryDisplay.plot needs the package matplotlib.*"skhmc\[plot\]"'
    with pytest.raises(ImportError, match=match):
        TrainingHistoryDisplay(FULL).plot()

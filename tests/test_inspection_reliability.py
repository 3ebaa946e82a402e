"""ReliabilityDisplay: a line per level, of the bins that metrics make."""

import matplotlib

matplotlib.use("Agg")  # no window

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibrationDisplay
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import CoherentClassifier
from skhmc.inspection import ReliabilityDisplay
from skhmc.metrics import expected_calibration_error
from tests.contract import task


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def fitted(kind="many"):
    hierarchy, X, Y = task(kind)
    return CoherentClassifier(GaussianNB(), hierarchy).fit(X, Y), X, Y


def test_a_line_per_level_with_its_error():
    clf, X, Y = fitted()
    display = ReliabilityDisplay.from_estimator(clf, X, Y, n_bins=15)
    proba = clf.predict_proba(X)
    errors = expected_calibration_error(
        Y, proba, hierarchy=clf.hierarchy_, average=None
    )
    texts = [
        f"CoherentClassifier, depth {k} (ECE {error:.3f})"
        for k, error in enumerate(errors)
    ]
    assert [line.get_label() for line in display.lines_] == texts
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["Perfectly calibrated", *texts]
    assert display.ax_.get_xlabel() == "Mean predicted probability"
    assert display.ax_.get_ylabel() == "Fraction of positives"
    assert display.figure_ is display.ax_.figure


def test_one_label_is_the_curve_of_scikit_learn():
    rng = np.random.default_rng(0)
    proba = rng.random(300)
    y = (rng.random(300) < proba**2).astype(int)
    ours = ReliabilityDisplay.from_predictions(y[:, None], proba[:, None], n_bins=5)
    theirs = CalibrationDisplay.from_predictions(y, proba, n_bins=5)
    np.testing.assert_allclose(ours.lines_[0].get_xydata(), theirs.line_.get_xydata())
    _, ax = plt.subplots()
    again = ours.plot(ax=ax, name="mine", ref_line=False, color="red")
    assert again is ours and ours.ax_ is ax and len(ax.lines) == 1
    assert ours.lines_[0].get_color() == "red"
    assert ours.lines_[0].get_label().startswith("mine, depth 0 (ECE ")
    ours.plot(ax=ax)
    ours.plot(ax=ax)  # the diagonal is drawn once
    assert len(ax.lines) == 4


def test_levels_and_weights():
    clf, X, Y = fitted()
    weight = np.arange(60) % 2
    display = ReliabilityDisplay.from_estimator(
        clf, X, Y, levels=[1], sample_weight=weight, strategy="quantile", name="bayes"
    )
    part = ReliabilityDisplay.from_estimator(
        clf, X[1::2], Y[1::2], levels=[1], strategy="quantile"
    )
    assert len(display.lines_) == 1 and display.names == ["depth 1"]
    np.testing.assert_allclose(display.prob_true[0], part.prob_true[0])
    for levels in ([2], [-1], []):
        with pytest.raises(ValueError, match=r"must be depths .* 0 to 1, got \["):
            ReliabilityDisplay.from_estimator(clf, X, Y, levels=levels)


def test_unknown_levels_are_left_out():
    clf, X, Y = fitted()
    Y = Y.astype(float)
    Y[:, np.asarray(clf.hierarchy_.depth) == 0] = np.nan
    proba = clf.predict_proba(X)
    options = {"hierarchy": clf.hierarchy_, "close": False}
    display = ReliabilityDisplay.from_predictions(Y, proba, **options)
    assert display.names == ["depth 1"]
    Y[:] = np.nan
    with pytest.raises(ValueError, match="No cell of y_true is known"):
        ReliabilityDisplay.from_predictions(Y, proba, **options)


def test_any_estimator_and_names_of_columns():
    hierarchy, X, Y = task("many")
    clf, _, _ = fitted()
    expected = ReliabilityDisplay.from_estimator(clf, X, Y)
    frame = pd.DataFrame(Y, columns=hierarchy.labels)[sorted(hierarchy.labels)]
    pipe = make_pipeline(StandardScaler(), clf).fit(X, Y)
    found = ReliabilityDisplay.from_estimator(pipe, X, frame)
    for one, other in zip(expected.prob_true, found.prob_true, strict=True):
        np.testing.assert_allclose(one, other)
    plain = MultiOutputClassifier(LogisticRegression()).fit(X, Y)
    flat = ReliabilityDisplay.from_estimator(plain, X, Y)
    assert len(flat.lines_) == 1
    deep = ReliabilityDisplay.from_estimator(plain, X, Y, hierarchy=hierarchy)
    assert len(deep.lines_) == 2
    with pytest.raises(ValueError, match="LinearRegression has no predict_proba"):
        ReliabilityDisplay.from_estimator(LinearRegression().fit(X, Y), X, Y)


def test_one_class_per_sample():
    hierarchy, X, Y = task("paths")
    y = np.array(hierarchy.labels, object)[
        [np.flatnonzero(row)[np.asarray(hierarchy.depth)[row == 1].argmax()]
         for row in Y]
    ].astype(str)  # fmt: skip
    clf = CoherentClassifier(GaussianNB(), hierarchy).fit(X, y)
    display = ReliabilityDisplay.from_estimator(clf, X, y)
    assert len(display.lines_) == 2
    true = ReliabilityDisplay.from_predictions(
        Y, clf.predict_label_proba(X), hierarchy=hierarchy
    )
    for one, other in zip(display.prob_true, true.prob_true, strict=True):
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"prob_pred": [[0.1]]}, "prob_pred must have one entry per line, 2"),
        ({"names": ["a"]}, "names must have one entry per line, 2, .* got 1"),
        (
            {"prob_weight": [[1, 1], [1]]},
            r"prob_weight\[0\] must have the shape of prob_true\[0\], \(1,\)",
        ),
    ],
)
def test_wrong_shapes(given, message):
    right = {"prob_true": [[0.1], [0.2]], "prob_pred": [[0.1], [0.2]]}
    with pytest.raises(ValueError, match=message):
        ReliabilityDisplay(**(right | given))


def test_lines_of_ones_own():
    display = ReliabilityDisplay([[0.1, 0.5]], [[0.2, 0.4]], estimator_name="x").plot()
    assert display.lines_[0].get_label() == "x, depth 0"

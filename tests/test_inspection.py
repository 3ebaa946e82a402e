"""Tests of skhmc.inspection: what is drawn, and where."""

import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import HCALClassifier, Hierarchy
from skhmc.datasets import load_digit_properties
from skhmc.inspection import HierarchyDisplay
from skhmc.inspection._drawing import KINDS
from skhmc.inspection._layout import layered_layout
from tests.hierarchies import hierarchies, random_hierarchy

matplotlib.use("Agg")
ANIMALS = Hierarchy.from_parents(
    {"cat": "mammal", "dog": "mammal", "siamese": "cat", "bird": None},
    labels=["mammal", "bird", "cat", "dog", "siamese"],
)
PROBA = np.array([0.9, 0.1, 0.7, 0.2, 0.4])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(display):
    return [text.get_text() for text in display.ax_.texts]


def boxes(ax):
    """Return the extents of all label boxes, legend boxes left out."""
    found = [p for p in ax.patches if isinstance(p, matplotlib.patches.FancyBboxPatch)]
    return [p.get_bbox() for p in found if p.get_width() > 0.4]


# -- the layout ----------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(hierarchies(max_labels=24))
def test_layout_keeps_order_and_distance(hierarchy):
    layout = layered_layout(hierarchy)
    n = hierarchy.n_labels
    np.testing.assert_array_equal(layout.column[:n], hierarchy.depth)
    assert layout.row.min() >= -0.5 - 1e-9
    for level in hierarchy.levels:
        rows = np.sort(layout.row[level])
        assert (np.diff(rows) >= 1 - 1e-9).all()
    for chain, (parent, child) in zip(layout.chains, hierarchy.edges, strict=True):
        assert (chain[0], chain[-1]) == (parent, child)
        assert (np.diff(layout.column[chain]) == 1).all()
        assert all(node >= n for node in chain[1:-1])


def test_layout_of_a_tree_has_no_crossing():
    rng = np.random.default_rng(0)
    parents = {i: int(rng.integers(0, i)) for i in range(1, 30)}
    labels = rng.permutation(30).tolist()
    layout = layered_layout(Hierarchy.from_parents(parents, labels=labels))
    links = np.array(layout.chains)
    left, right = layout.row[links].T
    for k in range(layout.column.max()):
        here = layout.column[links[:, 0]] == k
        a, b = left[here], right[here]
        assert not ((a[:, None] < a - 1e-6) & (b[:, None] > b + 1e-6)).any()


def test_passages_are_shared_by_the_edges_of_a_parent():
    chain = [(0, 1), (1, 2), (2, 3), (3, 4)]
    layout = layered_layout(Hierarchy.from_edges([*chain, (0, 3), (0, 4)]))
    assert len(layout.column) == 5 + 3
    assert len(layered_layout(Hierarchy.flat(0)).row) == 0


# -- what is drawn ---------------------------------------------------------------------


def test_plot_sets_axes_and_returns_itself():
    display = HierarchyDisplay(ANIMALS, PROBA)
    assert not hasattr(display, "ax_")
    assert display.plot() is display
    assert display.figure_ is display.ax_.figure
    shown = texts(display)
    assert set(ANIMALS.labels) <= set(shown)
    assert {"0.90", "0.10", "0.70", "0.20", "0.40"} <= set(shown)


def test_plot_uses_a_given_axes_also_in_a_subfigure():
    figure = plt.figure(figsize=(8, 3))
    ax = figure.subfigures(1, 2)[1].subplots()
    display = HierarchyDisplay(ANIMALS, PROBA).plot(ax=ax, colorbar=False)
    assert display.ax_ is ax and display.figure_ is figure
    assert len(figure.axes) == 1
    assert ax.texts[0].get_size() < 9  # scaled to fit


def test_outlines_say_what_is_predicted_and_true():
    display = HierarchyDisplay(
        ANIMALS, PROBA, y_pred=[1, 0, 1, 0, 1], y_true=[1, 0, 0, 1, np.nan]
    ).plot()
    shown = texts(display)
    for key in [(True, True), (True, False), (False, True), (True, None)]:
        assert KINDS[key][0] in shown
    assert KINDS[None, True][0] not in shown
    display = HierarchyDisplay(ANIMALS, PROBA, y_true=[1, 0, 0, 1, 0]).plot()
    assert "true" in texts(display) and "predicted" not in texts(display)


def test_broken_edges_are_named_only_when_there_are_any():
    broken = "child predicted without its parent"
    predicted = HierarchyDisplay(ANIMALS, PROBA, y_pred=[1, 0, 0, 0, 1])
    assert broken in texts(predicted.plot())
    predicted = HierarchyDisplay(ANIMALS, PROBA, y_pred=[1, 0, 1, 0, 1])
    assert broken not in texts(predicted.plot())


def test_names_are_written_as_they_are():
    names = ["$x_1$", "_", 5, "ä" * 60, "a\\b"]
    display = HierarchyDisplay(ANIMALS, PROBA, label_names=names).plot()
    display.figure_.canvas.draw()
    shown = texts(display)
    assert {"$x_1$", "_", "5", "a\\b"} <= set(shown)
    assert any("…" in text and len(text) <= 34 for text in shown)


def test_boxes_and_texts_of_digits_do_not_overlap():
    digits = load_digit_properties()
    proba = np.random.default_rng(0).random(22)
    display = HierarchyDisplay(digits.hierarchy, proba, y_true=digits.target[5]).plot()
    found = boxes(display.ax_)
    assert len(found) == 22
    for i, a in enumerate(found):
        assert not any(a.overlaps(b) for b in found[:i])
    renderer = display.figure_.canvas.get_renderer()
    extents = [text.get_window_extent(renderer) for text in display.ax_.texts]
    for i, a in enumerate(extents):
        others = (b for b in extents[:i] if b.width)
        assert not a.width or not any(a.overlaps(b) for b in others)
        assert display.figure_.bbox.fully_containsx(a.x0 + 1)


# -- large hierarchies -----------------------------------------------------------------


def test_large_hierarchies_show_what_matters():
    hierarchy = random_hierarchy(400, seed=0, max_parents=2)
    rng = np.random.default_rng(0)
    proba, y_true = rng.random(400), np.zeros(400)
    true = 357
    y_true[[true, *hierarchy.ancestors[[true]].indices]] = 1
    display = HierarchyDisplay(hierarchy, proba, y_true=y_true).plot(max_labels=25)
    shown = {int(text) for text in texts(display) if text.isdigit()}
    assert len(shown) == 25 == len(boxes(display.ax_))
    assert set(np.flatnonzero(y_true)) <= shown
    for label in shown:
        assert set(hierarchy.ancestors_of(label)) <= shown
    assert "375 of 400 labels are not shown." in texts(display)


def test_too_many_predicted_labels_are_counted():
    y_pred = np.ones(100)
    display = HierarchyDisplay(Hierarchy.flat(100), y_pred, y_pred=y_pred)
    note = "90 of 100 labels are not shown, 90 of them predicted or true."
    assert note in texts(display.plot(max_labels=10))


# -- where the predictions come from ---------------------------------------------------


def test_from_predictions_takes_a_row_and_a_threshold():
    proba = np.array([PROBA * 0.1, PROBA])
    y_true = sp.csr_matrix([[0, 0, 0, 0, 0], [1, 0, 1, 0, 0]])
    display = HierarchyDisplay.from_predictions(
        ANIMALS, proba, y_true=y_true, sample=-1, threshold=0.3, max_labels=4
    )
    np.testing.assert_array_equal(display.proba, PROBA)
    np.testing.assert_array_equal(display.y_pred, [1, 0, 1, 0, 1])
    np.testing.assert_array_equal(display.y_true, [1, 0, 1, 0, 0])
    assert "1 of 5 labels are not shown." in texts(display)


def test_from_predictions_matches_columns_by_name():
    order = [3, 1, 4, 0, 2]
    names = [ANIMALS.labels[i] for i in order]
    proba = pd.DataFrame([PROBA[order]], columns=names)
    y_pred = pd.DataFrame([[1, 0, 0, 0, 0]], columns=list(ANIMALS.labels))
    display = HierarchyDisplay.from_predictions(ANIMALS, proba, y_pred=y_pred)
    assert list(display.hierarchy.labels) == names
    np.testing.assert_array_equal(display.proba, PROBA[order])
    np.testing.assert_array_equal(display.y_pred, [0, 0, 0, 1, 0])


@pytest.fixture(scope="module")
def animals():
    rng = np.random.default_rng(0)
    sets = [[0, 2], [0, 3], [1], [0, 2, 4]]
    kind = rng.integers(0, 4, 60)
    X = rng.normal(size=(60, 4)) * 0.2 + np.eye(4)[kind]
    Y = np.array([np.isin(np.arange(5), sets[k]) for k in kind]).astype(int)
    return X, Y, kind


def network(**parameters):
    return HCALClassifier(
        ANIMALS, hidden_layer_sizes=8, embedding_dim=4, max_iter=3, random_state=0
    ).set_params(**parameters)


@pytest.mark.parametrize("form", ["array", "list"])
def test_from_estimator_shows_what_it_predicts(animals, form):
    X, Y, _ = animals
    model = make_pipeline(StandardScaler(), network(proba_format=form)).fit(X, Y)
    display = HierarchyDisplay.from_estimator(model, X, y_true=Y, sample=7)
    proba = model[-1].set_params(proba_format="array").net_ and model.predict_proba(X)
    np.testing.assert_allclose(display.proba, proba[7], rtol=1e-5)
    np.testing.assert_array_equal(display.y_pred, model.predict(X)[7])
    np.testing.assert_array_equal(display.y_true, Y[7])
    assert display.hierarchy == model[-1].hierarchy_


def test_from_estimator_takes_frames_and_sparse(animals):
    X, Y, _ = animals
    names = [ANIMALS.labels[i] for i in (4, 3, 2, 1, 0)]
    frame = pd.DataFrame(Y[:, ::-1], columns=names, index=np.arange(60) + 100)
    model = network().fit(sp.csr_matrix(X), frame)
    display = HierarchyDisplay.from_estimator(
        model, sp.csr_matrix(X), y_true=frame, sample=3
    )
    assert list(display.hierarchy.labels) == names
    np.testing.assert_array_equal(display.y_true, Y[3, ::-1])
    np.testing.assert_array_equal(display.y_pred, model.predict(X[[3]])[0])


def test_from_estimator_after_most_specific_labels(animals):
    X, _, kind = animals
    y = np.array(["cat", "dog", "bird", "siamese"])[kind]
    model = network().fit(X, y)
    display = HierarchyDisplay.from_estimator(model, X, y_true=y, sample=2)
    predicted = [ANIMALS.labels[i] for i in np.flatnonzero(display.y_pred)]
    answer = model.predict(X[[2]])[0]
    assert set(predicted) == {answer, *ANIMALS.ancestors_of(answer)}
    true = [ANIMALS.labels[i] for i in np.flatnonzero(display.y_true)]
    assert set(true) == {y[2], *ANIMALS.ancestors_of(y[2])}
    mammal, bird, cat, *_ = display.proba
    assert mammal + bird == pytest.approx(1, abs=1e-5) and mammal >= cat


def test_from_estimator_of_scikit_learn(animals):
    X, Y, _ = animals
    model = MultiOutputClassifier(LogisticRegression()).fit(X, Y)
    display = HierarchyDisplay.from_estimator(model, X, hierarchy=ANIMALS, sample=1)
    expected = [p[1, 1] for p in model.predict_proba(X)]
    np.testing.assert_allclose(display.proba, expected)
    assert display.y_true is None
    with pytest.raises(ValueError, match=r"no hierarchy_, expected .* Pass hierarchy="):
        HierarchyDisplay.from_estimator(model, X)
    ridge = RidgeClassifier().fit(X, Y)
    with pytest.raises(ValueError, match="RidgeClassifier has no predict_proba"):
        HierarchyDisplay.from_estimator(ridge, X, hierarchy=ANIMALS)


# -- messages --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, match",
    [
        ({"proba": PROBA[:3]}, r"proba must have shape \(5,\).*got shape \(3,\)"),
        ({"proba": PROBA[None]}, r"got shape \(1, 5\). Pass one sample"),
        ({"proba": PROBA * 3}, r"between 0 and 1, got 2.7.*Pass what predict_proba"),
        ({"proba": PROBA * np.nan}, "got nan. Pass what predict_proba returns"),
        ({"y_pred": PROBA}, r"y_pred must hold 0 and 1.*got 0.9. Pass indicators"),
        ({"y_true": [1, 0]}, r"y_true must have shape \(5,\)"),
        ({"label_names": ["a"]}, "must hold 5 names.*got 1. Leave it out"),
    ],
)
def test_wrong_input_is_explained(options, match):
    with pytest.raises(ValueError, match=match):
        HierarchyDisplay(ANIMALS, **{"proba": PROBA, **options})


@pytest.mark.parametrize("sample", [5, -6, 1.0, "a", True])
def test_wrong_sample_is_explained(sample):
    match = r"one of 5 rows, got .*Pass an integer from 0 to 4"
    with pytest.raises(ValueError, match=match):
        HierarchyDisplay.from_predictions(ANIMALS, np.eye(5), sample=sample)


@pytest.mark.parametrize("max_labels", [0, -1, 2.5, None])
def test_wrong_max_labels_is_explained(max_labels):
    display = HierarchyDisplay(ANIMALS, PROBA)
    with pytest.raises(ValueError, match="max_labels must be a positive integer, got"):
        display.plot(max_labels=max_labels)


def test_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    display = HierarchyDisplay(ANIMALS, PROBA)
    match = r'HierarchyDisplay.plot needs the package matplotlib.*"skhmc\[plot\]"'
    with pytest.raises(ImportError, match=match):
        display.plot()

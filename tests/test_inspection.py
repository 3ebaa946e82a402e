"""Tests of skhmc.inspection: what is drawn, and where."""

import re
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from matplotlib.patches import PathPatch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import CoherentClassifier, HCALClassifier, Hierarchy
from skhmc.datasets import load_digit_properties
from skhmc.inspection import HierarchyDisplay, LabelEmbeddingDisplay, PredictionsPage
from skhmc.inspection._drawing import KINDS
from skhmc.inspection._layout import layered_layout
from skhmc.inspection._names import short_names
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
    return [p.get_bbox() for p in found if p.get_facecolor()[:3] != (1, 1, 1)]


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


def test_a_tangle_leaves_no_room_above_it():
    edges = [(f"a{i}", f"b{j}") for i in range(6) for j in range(14) if i * j % 3 == 0]
    layout = layered_layout(Hierarchy.from_edges(edges))
    assert layout.row.min() == pytest.approx(0)


@pytest.mark.parametrize("seed", range(5))
def test_labels_that_are_joined_to_nothing_leave_no_gap(seed):
    h = random_hierarchy(25, seed=seed, max_parents=3)
    h = h.subset(i for i in range(25) if h.depth[i] <= 2)
    layout = layered_layout(h)
    roots = np.flatnonzero(layout.column == 0)
    roots = roots[np.argsort(layout.row[roots])]
    joined = np.isin(roots, [node for chain in layout.chains for node in chain])
    first, last = np.flatnonzero(joined)[[0, -1]]
    gaps = np.diff(layout.row[roots])
    assert not joined.all()
    np.testing.assert_allclose(gaps[:first], 1)
    np.testing.assert_allclose(gaps[last:], 1)


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
        ANIMALS, PROBA, y_pred=[1, 1, 1, 0, 1], y_true=[1, np.nan, 0, 1, 0]
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


@pytest.mark.parametrize("max_parents", [1, 2])
def test_what_is_hidden_is_counted_behind_the_boxes(max_parents):
    hierarchy = random_hierarchy(60, seed=1, max_parents=max_parents)
    proba = np.random.default_rng(0).random(60)
    display = HierarchyDisplay(hierarchy, proba).plot(max_labels=15)
    shown = {int(text) for text in texts(display) if text.isdigit()}
    expected = {}
    for label in shown:
        reached = set()
        ahead = [c for c in hierarchy.children_of(label) if c not in shown]
        while ahead:
            reached.add(ahead[-1])
            ahead += [c for c in hierarchy.children_of(ahead.pop()) if c not in reached]
        expected[label] = len(reached)
    said = more_of(display)
    assert said == {label: n for label, n in expected.items() if n}
    assert said
    if max_parents == 1:
        hidden_roots = {int(root) for root in hierarchy.roots} - shown
        below = sum(1 + len(hierarchy.descendants_of(root)) for root in hidden_roots)
        assert sum(said.values()) + below == 60 - len(shown)


def more_of(display):
    """Return the numbers of "… n more", by the label written before them."""
    said = {}
    label = None
    for text in texts(display):
        if text.isdigit():
            label = int(text)
        elif text.startswith("…"):
            said[label] = int(text.split()[1])
    return said


# -- parts -----------------------------------------------------------------------------

TREE = Hierarchy.from_paths(["a/b/c", "a/b/d", "a/e", "f/g"])
TREE_PROBA = [0.9, 0.6, 0.5, 0.1, 0.3, 0.2, 0.05]  # a, b, c, d, e, f, g


def names_of(display):
    """Return what is written in the boxes."""
    return [text for text in texts(display) if re.fullmatch("[a-z/]+", text)]


@pytest.mark.parametrize(
    ("options", "names", "hidden"),
    [
        ({}, "abcdefg", 0),
        ({"root": "a"}, ["a", "b", "c", "d", "e"], 2),
        ({"root": "a/b"}, ["a/b", "c", "d"], 4),
        ({"root": "f/g"}, ["f/g"], 6),
        ({"max_depth": 0}, "af", 5),
        ({"max_depth": 1}, "abefg", 2),
        ({"root": "a", "max_depth": 1}, "abe", 4),
        ({"min_proba": 0.5}, "abc", 4),
        ({"min_proba": 0.5, "max_depth": 1}, "ab", 5),
        ({"min_proba": 0.5, "max_labels": 2}, "ab", 5),
        ({"min_proba": 1}, "", 7),
        ({"root": "a", "full_names": True}, ["a", "a/b", "a/b/c", "a/b/d", "a/e"], 2),
    ],
)
def test_parts(options, names, hidden):
    display = HierarchyDisplay(TREE, TREE_PROBA).plot(**options)
    assert names_of(display) == list(names)
    note = f"{hidden} of 7 labels are not shown."
    assert (note in texts(display)) == bool(hidden)
    assert len([text for text in texts(display) if "not shown" in text]) == bool(hidden)


def test_improbable_labels_that_are_true_are_shown_with_what_is_above_them():
    y_true = [0, 0, 0, 0, 0, 0, 1]
    display = HierarchyDisplay(TREE, TREE_PROBA, y_true=y_true).plot(min_proba=0.85)
    assert names_of(display) == ["a", "f", "g", "true"]
    above = HierarchyDisplay(TREE, [0.1, 0.1, 0.1, 0.7, 0.1, 0.1, 0.1])
    assert names_of(above.plot(min_proba=0.5)) == ["a", "b", "d"]


def test_the_depth_below_a_root_is_that_of_the_part():
    # d is at depth 2 by way of c, and right below b
    h = Hierarchy.from_edges([("a", "c"), ("c", "d"), ("b", "d"), ("d", "e")])
    assert names_of(h.plot(root="b", max_depth=1)) == ["d", "b"]
    assert names_of(h.plot(max_depth=1)) == ["a", "c", "b"]


# -- hierarchies without predictions ---------------------------------------------------


def test_hierarchies_draw_themselves():
    display = TREE.plot()
    assert isinstance(display, HierarchyDisplay) and display.proba is None
    assert [text for text in texts(display) if text] == list("abcdefg")
    assert not display.ax_.child_axes  # no colour bar
    ax = plt.figure().subplots()
    assert TREE.plot(ax, root="a").ax_ is ax
    assert names_of(TREE.plot(label_names="tuvwxyz", root="f")) == ["y", "z"]
    assert TREE.plot(max_labels=3).ax_.texts[-1].get_text().startswith("4 of 7")
    assert names_of(TREE.plot(max_labels=4)) == list("abef")  # general ones first


# -- names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ([("01/01", "01/01/03"), ("01", "01/01")], ["01", "03", "01"]),
        ([("a", "a > b"), ("a > b", "a > b > c d")], ["a", "b", "c d"]),
        ([("a", "a::b"), ("a", "c")], ["a", "b", "c"]),
        ([("x", "x - y"), ("x", "x__z")], ["x", "y", "z"]),
        # what separates everywhere, though it is in no list
        ([("ab", "ab_c"), ("ab_c", "ab_c_d")], ["ab", "c", "d"]),
        ([("ab", "ab_c"), ("ab", "d")], ["ab", "ab_c", "d"]),
        # what only begins like its parent
        (
            [("car", "cargo"), ("C", "C++"), ("C", "C/")],
            ["car", "cargo", "C", "C++", "C/"],
        ),
        ([("digit", "digit 9")], ["digit", "digit 9"]),
        # several parents: each must begin the name
        ([("a", "a/b"), ("x", "a/b")], ["a", "a/b", "x"]),
        ([("a", "a/b"), ("a", "a/b/c"), ("a/b", "a/b/c")], ["a", "b", "c"]),
        ([(1, 11), (1, 12)], ["1", "11", "12"]),
    ],
)
def test_names_do_not_repeat_those_of_parents(edges, names):
    assert short_names(Hierarchy.from_edges(edges)) == names


def test_names_are_those_of_the_last_level():
    rows = [["food", "other", "tea"], ["toys", "other", None]]
    for sep in ("/", " > ", "_", "-", " § "):
        names = short_names(Hierarchy.from_levels(rows, sep=sep))
        assert names == ["food", "other", "tea", "toys", "other"]
    given = HierarchyDisplay(TREE, label_names=TREE.labels).plot()
    assert names_of(given) == list(TREE.labels)  # names that are given are kept


# -- geometry --------------------------------------------------------------------------

LONG = "a name that is far too long for a box of this kind, number {}"


def hierarchies_to_draw():
    """Yield hierarchies of 1, 20 and 400 labels: flat, trees, DAGs, long names."""
    yield "one", Hierarchy.flat(["single"]), {}
    yield "one, long", Hierarchy.flat([LONG * 3]), {}
    yield "wide letters", Hierarchy.from_edges([("W" * 34, "M" * 34)]), {}
    yield "flat", Hierarchy.flat(20), {}
    yield "chain", Hierarchy.from_edges([(i, i + 1) for i in range(19)]), {}
    for n_labels in (20, 400):
        for max_parents in (1, 3):
            h = random_hierarchy(n_labels, seed=2, max_parents=max_parents)
            yield f"{n_labels}, {max_parents}", h, {}
    renamed = [(LONG.format(a), LONG.format(b)) for a, b in h.to_networkx().edges]
    yield "long", Hierarchy.from_edges(renamed), {}
    yield "all", random_hierarchy(400, seed=2, max_parents=1), {"max_labels": 400}


DRAWN = [
    pytest.param(*row, with_proba, id=f"{name}{', proba' * with_proba}")
    for name, *row in hierarchies_to_draw()
    for with_proba in (True, False)
    if with_proba or name != "all"  # which takes a second
]


@pytest.mark.parametrize(("hierarchy", "options", "with_proba"), DRAWN)
def test_texts_do_not_touch_nor_leave_the_figure(hierarchy, options, with_proba):
    n_labels = hierarchy.n_labels
    rng = np.random.default_rng(0)
    display = HierarchyDisplay(hierarchy)
    if with_proba:
        proba = rng.random(n_labels)
        y_true = rng.random(n_labels) < 0.1
        display = HierarchyDisplay(hierarchy, proba, y_true=y_true, y_pred=proba > 0.9)
    check_geometry(display.plot(**options))


def height_of(display):
    return display.figure_.get_size_inches()[1]


def test_only_a_title_takes_room_above_the_labels():
    plain = TREE.plot()
    top = max(box.y1 for box in boxes(plain.ax_))
    assert plain.ax_.get_ylim()[1] - top < 0.2
    with_title = TREE.plot(title="All that there is,\nin two lines of $1.\n")
    check_geometry(with_title)
    assert texts(with_title)[-2:] == ["All that there is,", "in two lines of $1."]
    assert height_of(with_title) > height_of(plain)
    wide = Hierarchy.flat(["a"]).plot(title="wider than what is below it")
    check_geometry(wide)
    figure, ax = plt.subplots(figsize=(3, 2))
    check_geometry(TREE.plot(ax, title="given"))
    # what is hidden needs one line below, not two
    assert height_of(TREE.plot(max_depth=0)) < height_of(
        TREE.plot(max_depth=0, title="a")
    )
    with_bar = HierarchyDisplay(TREE, TREE_PROBA).plot(max_depth=0)
    assert height_of(TREE.plot(max_depth=0)) < height_of(with_bar) - 0.3


@pytest.mark.parametrize(("size", "dpi"), [((8, 5), 50), ((8, 5), 100), ((14, 9), 72)])
def test_texts_do_not_touch_on_axes_that_are_given(size, dpi):
    digits = load_digit_properties()
    figure, axes = plt.subplots(1, 2, figsize=(2 * size[0], size[1]), dpi=dpi)
    for ax, layout in zip(axes, ["none", "constrained"], strict=True):
        figure.set_layout_engine(layout)
        proba = np.linspace(0, 1, 22)
        display = HierarchyDisplay(digits.hierarchy, proba, y_true=digits.target[5])
        check_geometry(display.plot(ax=ax, max_labels=18))


def check_geometry(display):
    """Boxes and texts lie apart and inside, and every name inside a box."""
    display.figure_.canvas.draw()
    renderer = display.figure_.canvas.get_renderer()
    frame = display.ax_.get_window_extent()
    found = [text for text in display.ax_.texts if text.get_text()]
    extents = np.array([text.get_window_extent(renderer).extents for text in found])
    to_pixels = display.ax_.transData
    drawn = np.array([to_pixels.transform(box).ravel() for box in boxes(display.ax_)])
    assert len(drawn) and len(extents) >= len(drawn)
    for areas in (extents, drawn):
        assert (areas[:, :2] >= frame.p0 - 1e-6).all()
        assert (areas[:, 2:] <= frame.p1 + 1e-6).all()
        assert not overlaps(areas, areas)[~np.eye(len(areas), dtype=bool)].any()
    crossed = (extents[:, None, :2] < on_lines(display.ax_)) & (
        on_lines(display.ax_) < extents[:, None, 2:]
    )
    assert not crossed.all(axis=2).any()
    for text, extent in zip(found, extents, strict=True):
        met = drawn[overlaps(extent[None], drawn)[0]]
        if text.get_text().startswith("…") or len(met) == 0:
            assert len(met) == 0
        else:
            (box,) = met
            assert box[0] <= extent[0] and extent[2] <= box[2]


def on_lines(ax):
    """Return pixels along all lines between boxes; badges are no such lines."""
    paths = [p.get_path() for p in ax.patches if type(p) is PathPatch and p.zorder == 1]
    curves = [ax.transData.transform_path(path).interpolated(1) for path in paths]
    points = [curve.to_polygons(closed_only=False) for curve in curves]
    return np.vstack([np.zeros((0, 2)), *(dense(line) for (line,) in points)])


def dense(line):
    """Return points in steps of less than a pixel along a line of points."""
    length = np.linalg.norm(np.diff(line, axis=0), axis=1).cumsum()
    at = np.linspace(0, length[-1], 2 + int(length[-1]))
    return np.stack([np.interp(at, [0, *length], x) for x in line.T], axis=1)


def overlaps(a, b):
    """Tell of all pairs of areas (x0, y0, x1, y1) whether they overlap."""
    apart = (a[:, None, 2:] <= b[None, :, :2]) | (b[None, :, 2:] <= a[:, None, :2])
    return ~apart.any(axis=2)


@pytest.mark.parametrize(
    ("hierarchy", "options", "match"),
    [
        (Hierarchy.flat(501), {"max_labels": 501}, "draw 501 labels legibly.*most 500"),
        (
            Hierarchy.flat(490),
            {"max_labels": 490},
            "490 labels need .* 1 x 152 inches, .* 150. Lower",
        ),
        (
            Hierarchy.from_edges([(i, i + 1) for i in range(150)]),
            {"max_labels": 200},
            "151 labels need a picture of",
        ),
        (
            Hierarchy.from_edges([(i, j) for j in range(90) for i in range(j)]),
            {"max_labels": 90},
            "edges skip levels 3916 times, expected at most 3000",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(hierarchy, options, match):
    with pytest.raises(ValueError, match=match):
        hierarchy.plot(**options)


def test_axes_that_are_too_small_are_refused():
    ax = plt.figure(figsize=(2, 2)).subplots()
    match = r"40 labels need .* inches, the axes have 1.\d x 1.\d: text of .* points is"
    with pytest.raises(ValueError, match=match):
        Hierarchy.flat(40).plot(ax)
    TREE.plot(ax)


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


@pytest.mark.parametrize("indexed", ["X", "y_true"])
def test_a_sample_may_be_named_as_in_an_index(animals, indexed):
    X, Y, _ = animals
    index = [f"row {k}" for k in range(60)]
    given = {"X": X, "y_true": pd.DataFrame(Y, columns=list(ANIMALS.labels))}
    given[indexed] = pd.DataFrame(given[indexed]).set_axis(index)
    model = network().fit(X, Y)
    display = HierarchyDisplay.from_estimator(model, **given, sample="row 7")
    np.testing.assert_allclose(display.proba, model.predict_proba(X)[7], rtol=1e-5)
    np.testing.assert_array_equal(display.y_true, Y[7])


def test_integers_are_positions_in_every_index():
    proba = pd.DataFrame(np.eye(5)[::-1], index=[4, 3, 2, 1, 0])
    display = HierarchyDisplay.from_predictions(ANIMALS, proba, sample=np.int64(4))
    np.testing.assert_array_equal(display.proba, [1, 0, 0, 0, 0])
    days = proba.set_axis(pd.date_range("2026-11-26", periods=5))
    display = HierarchyDisplay.from_predictions(ANIMALS, days, sample="2026-11-30")
    np.testing.assert_array_equal(display.proba, [1, 0, 0, 0, 0])


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


@pytest.mark.parametrize(
    "draw",
    [
        lambda source: HierarchyDisplay(source, PROBA),
        lambda source: HierarchyDisplay(source, y_pred=[1, 0, 0, 0, 0]),
        lambda source: HierarchyDisplay(source, label_names="abcde"),
        lambda source: PredictionsPage(source, PROBA[None]),
        lambda source: LabelEmbeddingDisplay(np.zeros((5, 2)), source),
    ],
)
def test_values_without_names_need_labels_that_have_an_order(draw):
    parents = {name: ANIMALS.parents_of(name) for name in ANIMALS.labels}
    match = r"order is unknown.*Hierarchy\.build\(source, labels="
    names = ANIMALS.labels
    edges = [(names[parent], names[child]) for parent, child in ANIMALS.edges]
    for source in (parents, edges):
        with pytest.raises(ValueError, match=match):
            draw(source)
    assert draw(Hierarchy.build(parents, ANIMALS.labels)).hierarchy == ANIMALS
    numbered = [(0, 2), (0, 3), (2, 4)]  # positions
    assert draw(numbered).hierarchy.labels == tuple(range(5))


@pytest.mark.parametrize("sample", [5, -6, 1.0, "a", True])
def test_wrong_sample_is_explained(sample):
    match = r"one of 5 rows, got .*Pass an integer from 0 to 4"
    with pytest.raises(ValueError, match=match):
        HierarchyDisplay.from_predictions(ANIMALS, np.eye(5), sample=sample)


@pytest.mark.parametrize("sample", [5, "c", ["b"], True, 1.0, "x"])
def test_names_that_no_single_row_has_are_explained(sample):
    proba = pd.DataFrame(np.eye(5), index=list("abxxy"))
    match = rf"got {re.escape(repr(sample))}. .* or a name that one row has"
    with pytest.raises(ValueError, match=match):
        HierarchyDisplay.from_predictions(ANIMALS, proba, sample=sample)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"max_depth": -1}, "max_depth must be an integer from 0, or None .* got -1"),
        ({"max_depth": 1.5}, "got 1.5. Pass 0 for roots alone"),
        ({"min_proba": 1.5}, "min_proba must be a probability .* got 1.5"),
        ({"root": "fish"}, "root must be a label .* got 'fish'. Pass one of 'mammal'"),
    ],
)
def test_wrong_parts_are_explained(options, match):
    with pytest.raises(ValueError, match=match):
        HierarchyDisplay(ANIMALS, PROBA).plot(**options)
    with pytest.raises(
        ValueError, match="min_proba needs probabilities, .*Leave it out"
    ):
        ANIMALS.plot(min_proba=0.5)


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


@pytest.mark.parametrize(
    "y_true", [[["a", "c"]], [["c"]], np.array([[1, 0, 1]]), np.array([[0, 0, 1]])]
)
def test_true_ancestors_are_drawn_as_true(y_true):
    """Whatever form the labels have: metrics close them, too."""
    tree = Hierarchy.from_edges([("a", "b"), ("a", "c")])
    proba = [[0.9, 0.1, 0.8]]
    display = HierarchyDisplay.from_predictions(tree, proba, y_true=y_true)
    assert display.y_true.tolist() == [1, 0, 1]
    page = PredictionsPage.from_predictions(tree, proba, y_true=y_true)
    assert page.y_true.tolist() == [[1, 0, 1]]
    clf = CoherentClassifier(DummyClassifier(strategy="prior"), tree)
    clf = clf.fit([[0.0], [1.0], [2.0]], [["c"], ["b"], []])
    for kind in (HierarchyDisplay, PredictionsPage):
        found = kind.from_estimator(clf, [[0.0]], y_true=y_true)
        assert np.ravel(found.y_true).tolist() == [1, 0, 1]

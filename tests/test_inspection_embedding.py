"""Tests of LabelEmbeddingDisplay: what the disk shows, and where."""

import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import HCALClassifier, Hierarchy, HyperbolicHMC
from skhmc.inspection import LabelEmbeddingDisplay
from skhmc.inspection._disk import geodesic, project
from skhmc.inspection._places import meet
from tests.hierarchies import random_hierarchy

matplotlib.use("Agg")
ANIMALS = Hierarchy.from_parents(
    {"cat": "mammal", "dog": "mammal", "siamese": "cat", "bird": None},
    labels=["siamese", "bird", "cat", "dog", "mammal"],
)
RADII = np.array([2.5, 1.0, 1.6, 1.4, 0.5])
SEEDS = st.integers(0, 10_000)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def ball(rng, n, d, radius=6.0):
    """Return points of the ball whose radii are uniform."""
    v = rng.normal(size=(n, d))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    return v * np.tanh(rng.uniform(0, radius, (n, 1)) / 2)


def distance(x, y):
    """Return hyperbolic distances in the ball, as textbooks have them."""
    gap = (1 - np.square(x).sum(-1)) * (1 - np.square(y).sum(-1))
    return np.arccosh(1 + 2 * np.square(x - y).sum(-1) / gap)


def chord(x, y):
    return np.linalg.norm(x - y, axis=-1)


def points_of_animals(d=2):
    v = np.random.default_rng(0).normal(size=(5, d))
    return v / np.linalg.norm(v, axis=1, keepdims=True) * np.tanh(RADII / 2)[:, None]


def names(display):
    return [text.get_text() for text in display.ax_.texts]


def lines(display):
    (found,) = (
        c
        for c in display.ax_.collections
        if isinstance(c, matplotlib.collections.LineCollection)
    )
    return found.get_segments()


def extents(display):
    """Return the rectangles of the names, without lines that lead to them."""
    texts = display.ax_.texts
    return [matplotlib.text.Text.get_window_extent(text) for text in texts]


# -- geodesics -----------------------------------------------------------------------


@given(SEEDS)
def test_arcs_are_geodesics(seed):
    a, b = ball(np.random.default_rng(seed), 2, 2)
    (arc,) = geodesic(a[None], b[None])
    np.testing.assert_array_equal(arc[[0, -1]], [a, b])
    assert (np.linalg.norm(arc, axis=1) < 1).all()
    # The points p of a circle orthogonal to the unit circle, or of a line through the
    # origin, satisfy k (1 + |p|^2) = 2 p c for one k and c.
    equations = np.column_stack([1 + np.square(arc).sum(1), 2 * arc])
    assert np.linalg.svd(equations)[1][2] < 1e-12
    steps = distance(arc[1:], arc[:-1])
    np.testing.assert_allclose(steps.sum(), distance(a, b), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(steps, steps.mean(), rtol=1e-3, atol=1e-7)


def test_arc_lies_on_the_circle_of_the_formula():
    (arc,) = geodesic(np.array([[0.5, 0.0]]), np.array([[0.0, 0.5]]))
    centre = np.array([1.25, 1.25])  # centre . end = (1 + |end|^2) / 2
    radius = np.linalg.norm(arc - centre, axis=1)
    np.testing.assert_allclose(radius, np.sqrt(centre @ centre - 1))


def test_arcs_of_collinear_far_and_equal_points():
    a = np.array([[-0.3, -0.6], [0.0, 0.0], [0.2, 0.1], [1 - 1e-16, 0.0]])
    b = np.array([[0.2, 0.4], [0.5, 0.0], [0.2, 0.1], [-1 + 1e-16, 0.0]])
    arcs = geodesic(a, b)
    np.testing.assert_allclose(arcs[0, :, 1], 2 * arcs[0, :, 0], atol=1e-15)
    np.testing.assert_array_equal(arcs[1, :, 1], 0)
    np.testing.assert_allclose(arcs[2], np.tile(a[2], (len(arcs[2]), 1)))
    assert np.isfinite(arcs).all()
    assert geodesic(a[:0], b[:0]).shape[0] == 0


# -- the projection ------------------------------------------------------------------


@given(SEEDS, st.integers(1, 8))
def test_radii_are_kept(seed, d):
    points = ball(np.random.default_rng(seed), 12, d)
    points[3] = 0
    shown, explained = project(points, "hyperbolic")
    assert shown.shape == (12, 2) and 0 < explained <= 1
    expected = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(np.linalg.norm(shown, axis=1), expected, atol=1e-15)
    if d <= 2:
        np.testing.assert_array_equal(shown[:, :d], points)
        assert explained == 1


@given(SEEDS, st.sampled_from(["hyperbolic", "euclidean"]), st.booleans())
def test_what_lies_in_a_plane_is_kept_whole(seed, geometry, in_line):
    rng = np.random.default_rng(seed)
    flat = ball(rng, 8, 2, 3.0)
    if in_line:  # tangent vectors on a line beside the origin
        t = np.column_stack([rng.uniform(-2, 2, 8), np.ones(8)])
        r = np.linalg.norm(t, axis=1, keepdims=True)
        flat = t / r * np.tanh(r / 2)
    axes = np.linalg.qr(rng.normal(size=(6, 2)))[0]
    shown, explained = project(flat @ axes.T, geometry)
    assert explained == pytest.approx(1)
    one, other = np.triu_indices(8, 1)
    measure = distance if geometry == "hyperbolic" else chord
    expected = measure(flat[one], flat[other])
    np.testing.assert_allclose(measure(shown[one], shown[other]), expected, rtol=1e-5)


def test_share_is_that_of_squared_tangent_lengths():
    r = np.array([3.0, 2.0, 1.0])  # along three axes, both ways
    tangent = np.vstack([np.diag(r), -np.diag(r)])
    points = np.sign(tangent) * np.tanh(abs(tangent) / 2)
    assert project(points, "hyperbolic")[1] == pytest.approx(13 / 14)
    assert project(tangent, "euclidean")[1] == pytest.approx(13 / 14)
    for n in (0, 1):
        assert project(np.zeros((n, 3)), "hyperbolic")[1] == 1


# -- what is drawn -------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 5])
def test_plot_draws_labels_edges_and_the_unit_circle(d):
    display = LabelEmbeddingDisplay(points_of_animals(d), ANIMALS)
    assert not hasattr(display, "ax_")
    assert display.plot() is display and display.figure_ is display.ax_.figure
    assert 1 in [p.radius for p in display.ax_.patches]
    segments = lines(display)
    assert len(segments) == 3
    for (parent, child), arc in zip(ANIMALS.edges, segments, strict=True):
        np.testing.assert_allclose(arc[0], display.positions_[parent])
        np.testing.assert_allclose(arc[-1], display.positions_[child])
    assert set(names(display)) <= set(ANIMALS.labels)
    kept = f"hold {display.explained_:.0%} of the squared tangent lengths"
    title = f"2 of 5 dimensions {kept}" if d > 2 else ""
    assert display.ax_.get_title() == title
    display.figure_.canvas.draw()


def test_euclidean_points_have_no_disk_and_straight_edges():
    points = 10 * np.random.default_rng(0).normal(size=(5, 4))
    display = LabelEmbeddingDisplay(points, ANIMALS, geometry="euclidean").plot()
    assert not display.ax_.patches
    assert {len(segment) for segment in lines(display)} == {2}
    assert "of the variance" in display.ax_.get_title()
    low, high = display.ax_.get_xlim()
    assert low < display.positions_[:, 0].min() < display.positions_[:, 0].max() < high


def test_given_axes_are_used_also_in_a_subfigure():
    figure = plt.figure()
    ax = figure.subfigures(1, 2)[1].subplots()
    display = LabelEmbeddingDisplay(points_of_animals(), ANIMALS).plot(ax=ax)
    assert display.ax_ is ax and display.figure_ is figure
    assert len(figure.axes) == 1


def test_zoom_shows_the_labels_alone():
    display = LabelEmbeddingDisplay(points_of_animals() / 10, ANIMALS)
    assert display.plot(zoom=False).ax_.get_xlim() == (-1.03, 1.03)
    low, high = display.plot(zoom=True).ax_.get_xlim()
    assert -0.2 < low < high < 0.2


def test_the_disk_fills_its_figure():
    far = LabelEmbeddingDisplay(points_of_animals(), ANIMALS).plot()
    farthest = np.linalg.norm(far.positions_, axis=1).max()
    assert farthest > 0.6 and far.ax_.get_xlim() == (-1.03, 1.03)
    near = LabelEmbeddingDisplay(points_of_animals() / 2, ANIMALS).plot()
    np.testing.assert_allclose(near.ax_.get_ylim()[1], 0.6 * farthest)
    for display in (near, far):
        display.figure_.canvas.draw()
        axes, figure = display.ax_.get_window_extent(), display.figure_.bbox
        assert min(axes.size / figure.size) > 0.97


def test_labels_in_the_middle_are_not_looked_at_too_closely():
    for point in ([0.0, 0.0], [0.0, 0.001]):
        display = LabelEmbeddingDisplay([point], Hierarchy.flat(["a"])).plot()
        assert display.ax_.get_xlim()[1] >= 0.06
        assert len(display.ax_.patches) > 2  # with circles that say where one is


def test_the_legend_of_many_depths_stays_short():
    chain = Hierarchy.from_edges([(i, i + 1) for i in range(20)])
    display = LabelEmbeddingDisplay(np.zeros((21, 2)), chain).plot()
    assert 3 <= len(display.ax_.get_legend().get_texts()) <= 8


@pytest.mark.parametrize("scale", [0.05, 0.3, 1])
def test_circles_have_the_radii_that_are_written(scale):
    display = LabelEmbeddingDisplay(points_of_animals() * scale, ANIMALS).plot()
    (written,) = [
        artist.txt.get_text()
        for artist in display.ax_.artists
        if isinstance(artist, matplotlib.offsetbox.AnchoredText)
    ]
    found = [
        float(part) for part in written.split("radius")[1].replace("…", ",").split(",")
    ]
    drawn = sorted(patch.radius for patch in display.ax_.patches if patch.radius < 1)
    hyperbolic = 2 * np.arctanh(drawn)
    assert len(drawn) >= 2
    assert set(found) == {float(r) for r in hyperbolic[[0, 1, -1]].round(9)}
    np.testing.assert_allclose(np.diff(hyperbolic), hyperbolic[0])


def dense(line):
    """Return points in steps of less than a pixel along a line of points."""
    length = np.linalg.norm(np.diff(line, axis=0), axis=1).cumsum()
    at = np.linspace(0, length[-1], 2 + int(length[-1]))
    return np.stack([np.interp(at, [0, *length], x) for x in line.T], axis=1)


def holds(box, points):
    return ((points > box.p0) & (points < box.p1)).all(axis=1).any()


@pytest.mark.parametrize(
    ("n_labels", "max_parents"), [(1, 1), (20, 1), (20, 3), (400, 2)]
)
def test_names_touch_nothing(n_labels, max_parents):
    rng = np.random.default_rng(n_labels)
    names_of = [f"label {i} {'with a long name ' * (i % 3)}" for i in range(n_labels)]
    hierarchy = random_hierarchy(n_labels, seed=0, max_parents=max_parents)
    display = LabelEmbeddingDisplay(
        ball(rng, n_labels, 2, 4.0), hierarchy, label_names=names_of
    ).plot()
    display.figure_.canvas.draw()
    inside = display.ax_.get_window_extent().padded(1e-6)  # for rounding
    found = extents(display)
    assert len(found) >= {1: 1, 20: 10, 400: 1}[n_labels]
    to_pixels = display.ax_.transData.transform
    turn = np.linspace(0, 2 * np.pi, 2000)
    rim = np.column_stack([np.cos(turn), np.sin(turn)])
    drawn = [to_pixels(display.positions_), to_pixels(rim)]
    drawn += [dense(to_pixels(edge)) for edge in lines(display)]
    drawn = np.vstack(drawn)
    others = [*display.ax_.artists, display.ax_.get_legend()]
    written = [other.get_window_extent() for other in others if other is not None]
    for i, box in enumerate(found):
        assert inside.contains(*box.p0) and inside.contains(*box.p1)
        assert not any(box.overlaps(other) for other in [*found[:i], *written])
        assert not holds(box, drawn)


def test_no_name_stands_nearer_to_another_point():
    h = random_hierarchy(40, seed=1, max_parents=2)
    points = ball(np.random.default_rng(1), 40, 2, 3.0)
    display = LabelEmbeddingDisplay(points, h).plot(max_names=40)
    display.figure_.canvas.draw()
    pixels = display.ax_.transData.transform(points)
    led = 0
    for text, box in zip(display.ax_.texts, extents(display), strict=True):
        gap = np.linalg.norm(pixels - pixels.clip(box.p0, box.p1), axis=1)
        own = h.position(int(text.get_text()))
        if text.arrow_patch is None:
            assert gap.argmin() == own
        else:  # a line leads to its point, and no other is near
            led += 1
            assert np.delete(gap, own).min() >= 12 * display.figure_.dpi / 72 - 1
            ends = text.arrow_patch.get_path().vertices[[0, -1]]
            near = np.linalg.norm(ends[:, None] - pixels, axis=2).min(axis=0)
            assert near.argmin() == own
    assert led


@settings(max_examples=20)
@given(SEEDS)
def test_rectangles_meet_lines(seed):
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(0, 10, (6, 2, 2)), axis=1)
    boxes = corners.reshape(6, 4)
    ends = rng.uniform(0, 10, (8, 2, 2))
    ends[0, 1] = ends[0, 0]  # a point
    found = meet(boxes, ends)
    for box, row in zip(boxes, found, strict=True):
        for line, said in zip(ends, row, strict=True):
            steps = np.linspace(0, 1, 2001)[:, None]
            at = line[0] + steps * (line[1] - line[0])
            margin = 0.01 if said else 0  # of what is sampled
            held = (at >= box[:2] - margin) & (at <= box[2:] + margin)
            assert said == held.all(axis=1).any()


def test_the_legend_covers_no_point():
    corner = np.array([[0.6, 0.6], [0.5, 0.55], [0.55, 0.45], [-0.3, 0.1], [0, 0]])
    display = LabelEmbeddingDisplay(corner, ANIMALS, geometry="euclidean").plot()
    legend = display.ax_.get_legend()
    before = legend.get_window_extent().extents
    display.figure_.canvas.draw()
    np.testing.assert_allclose(legend.get_window_extent().extents, before, atol=1)
    pixels = display.ax_.transData.transform(display.positions_)
    assert not holds(legend.get_window_extent(), pixels)
    named = extents(display)
    assert not any(legend.get_window_extent().overlaps(box) for box in named)


def test_general_names_come_first_and_none_overlap():
    display = LabelEmbeddingDisplay(points_of_animals(), ANIMALS).plot(max_names=2)
    assert names(display) == ["mammal", "bird"]
    assert names(display.plot(max_names=0)) == []
    crowd = LabelEmbeddingDisplay(np.zeros((30, 2)), Hierarchy.flat(30)).plot()
    assert 1 < len(extents(crowd)) < 30


def test_names_are_written_as_they_are():
    given_names = ["$x_1$", "_", 5, "ä" * 60, "a\\b"]
    display = LabelEmbeddingDisplay(
        points_of_animals(), ANIMALS, label_names=given_names
    ).plot()
    display.figure_.canvas.draw()
    assert {"$x_1$", "5", "a\\b"} <= set(names(display))
    assert all(len(name) <= 34 for name in names(display))


def test_colours_are_depths():
    display = LabelEmbeddingDisplay(points_of_animals(), ANIMALS).plot()
    shown = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert ["".join(filter(str.isdigit, name)) for name in shown] == ["0", "1", "2"]
    flat = LabelEmbeddingDisplay(points_of_animals(), Hierarchy.flat(5)).plot()
    assert flat.ax_.get_legend() is None and not lines(flat)


def test_hierarchies_without_labels_are_drawn():
    display = LabelEmbeddingDisplay(np.zeros((0, 3)), Hierarchy.flat(0)).plot()
    assert not names(display) and not lines(display)


# -- estimators ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    Y = (X[:, :3] > 0).astype(int)
    Y[:, 2] &= Y[:, 1]
    return X, Y


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
def test_from_estimator(data, geometry):
    clf = HyperbolicHMC(
        hidden_layer_sizes=(4,), embedding_dim=3, geometry=geometry, max_iter=2
    )
    model = make_pipeline(StandardScaler(), clf.set_params(random_state=0)).fit(*data)
    display = LabelEmbeddingDisplay.from_estimator(model, max_names=2)
    clf = model[-1]
    np.testing.assert_array_equal(display.embeddings, clf.label_embeddings_)
    assert display.hierarchy == clf.learned_hierarchy_
    assert display.geometry == geometry and len(display.ax_.texts) == 2
    other = {"hyperbolic": "euclidean", "euclidean": "hyperbolic"}[geometry]
    clf.set_params(geometry=other)  # says nothing of the points that there are
    assert LabelEmbeddingDisplay.from_estimator(clf).geometry == geometry
    given_one = Hierarchy.from_edges([(1, 2), (1, 0)])
    names_of = ["a", "b", "c"]
    display = LabelEmbeddingDisplay.from_estimator(
        clf, hierarchy=given_one, label_names=names_of
    )
    assert display.hierarchy.labels == (0, 1, 2) and len(lines(display)) == 2
    assert names(display)[0] == "b"
    with pytest.raises(ValueError, match="not among the 3 given labels: 'x'"):
        LabelEmbeddingDisplay.from_estimator(clf, hierarchy=[(0, 1), (0, "x")])


@pytest.mark.parametrize("estimator", [HyperbolicHMC(), HCALClassifier()])
def test_estimators_without_points_are_explained(estimator):
    match = r"has no label_embeddings_, expected a fitted HyperbolicHMC. Fit it, or"
    with pytest.raises(ValueError, match=match):
        LabelEmbeddingDisplay.from_estimator(estimator)


# -- messages ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, match",
    [
        ({"embeddings": np.zeros(5)}, r"shape \(n_labels, d\), got shape \(5,\). Pass"),
        ({"embeddings": np.zeros((5, 0))}, r"got shape \(5, 0\)"),
        ({"embeddings": np.ones((5, 2))}, r"unit ball, got the norm 1.41.*Pass points"),
        ({"embeddings": np.full((5, 2), np.nan)}, "got the norm nan"),
        (
            {"embeddings": np.full((5, 2), np.inf), "geometry": "euclidean"},
            "got the norm inf",
        ),
        ({"embeddings": np.zeros((4, 2))}, "one length, got 4, 5 and 5. Pass the"),
        ({"label_names": ["a"]}, "got 5, 5 and 1"),
        ({"geometry": "flat"}, r"geometry must be one of .*got 'flat'"),
    ],
)
def test_wrong_input_is_explained(options, match):
    with pytest.raises(ValueError, match=match):
        LabelEmbeddingDisplay(
            **{"embeddings": points_of_animals(), "hierarchy": ANIMALS, **options}
        )


@pytest.mark.parametrize("max_names", [-1, 2.5, None])
def test_wrong_max_names_is_explained(max_names):
    display = LabelEmbeddingDisplay(points_of_animals(), ANIMALS)
    with pytest.raises(ValueError, match="max_names must be an integer from 0, got"):
        display.plot(max_names=max_names)


def test_wrong_zoom_is_explained():
    display = LabelEmbeddingDisplay(points_of_animals(), ANIMALS)
    with pytest.raises(ValueError, match="zoom must be 'auto', True or False, got 2"):
        display.plot(zoom=2)


def test_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    display = LabelEmbeddingDisplay(points_of_animals(), ANIMALS)
    match = r'LabelEmbeddingDisplay.plot needs the package matplotlib.*"skhmc\[plot\]"'
    with pytest.raises(ImportError, match=match):
        display.plot()

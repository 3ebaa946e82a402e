"""Icicles of HierarchyDisplay and LevelReportDisplay, and what colours say."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from skhmc import CoherentClassifier, Hierarchy
from skhmc.datasets import load_digit_properties
from skhmc.inspection import HierarchyDisplay, LevelReportDisplay
from skhmc.inspection._drawing import KINDS
from skhmc.inspection._icicle import Icicle, Measure
from tests.hierarchies import random_hierarchy

matplotlib.use("Agg")
TREE = Hierarchy.from_paths(["a/b/c", "a/b/d", "a/e", "f/g"], sep="/")
PROBA = np.array([0.9, 0.6, 0.5, 0.7, 0.3, 0.2, 0.05])  # a, b, c, d, e, f, g


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def named(n_labels, max_parents=1, seed=0, n_words=5):
    """Return a random hierarchy whose labels have long names."""
    words = "growth of transport binding regulation response cell membrane".split()
    rng = np.random.default_rng(seed)
    names = [f"{' '.join(rng.choice(words, n_words))} {k}" for k in range(n_labels)]
    h = random_hierarchy(n_labels, seed=seed, max_parents=max_parents)
    edges = [(names[p], names[c]) for p, c in h.edges]
    return Hierarchy.from_edges(edges, labels=[names[k] for k in h.labels])


def sample_of(hierarchy, seed=0):
    rng = np.random.default_rng(seed)
    n = hierarchy.n_labels
    proba = rng.random(n) ** 4
    y_true = rng.random(n) < 5 / n
    return HierarchyDisplay(
        hierarchy, proba, y_true=y_true, y_pred=proba > 0.97, frequency=np.arange(n)
    )


def texts_in_boxes(ax):
    """Return the extents of names, and of the box that each is written in."""
    figure = ax.get_figure(root=True)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [
        ax.transData.transform(path.vertices[:4])
        for path in ax.collections[0].get_paths()
    ]
    low = np.array([box.min(axis=0) for box in boxes])
    high = np.array([box.max(axis=0) for box in boxes])
    for text in ax.texts:
        extent = text.get_window_extent(renderer)
        middle = np.array([extent.x0 + 1, (extent.y0 + extent.y1) / 2])
        inside = np.flatnonzero(((low <= middle) & (middle <= high)).all(axis=1))
        assert len(inside) == 1, text.get_text()
        yield text, extent, low[inside[0]], high[inside[0]]


LONG = "one name that is far longer than its box " * 4


@pytest.mark.parametrize(
    ("hierarchy", "size", "fewest"),
    [
        (Hierarchy.flat(["single"]), (6, 4), 1),
        (Hierarchy.flat([LONG]), None, 1),
        (TREE, (6, 4), 7),
        (named(30, max_parents=3), (6, 4), 5),
        pytest.param(named(30, max_parents=3), (12, 8), 20, marks=pytest.mark.slow),
        pytest.param(named(200, n_words=9), (12, 8), 20, marks=pytest.mark.slow),
    ],
)
def test_names_stay_inside_their_boxes(hierarchy, size, fewest):
    ax = None
    if size is not None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    display = sample_of(hierarchy).plot(ax=ax, layout="icicle")
    found = list(texts_in_boxes(display.ax_))
    assert len(found) >= fewest
    for text, extent, low, high in found:
        assert extent.x0 >= low[0] and extent.x1 <= high[0], text.get_text()
        # letters without descenders may stand a pixel out of a low box
        assert extent.y0 >= low[1] - 2 and extent.y1 <= high[1] + 2, text.get_text()
    extents = [extent for _, extent, _, _ in found]
    for k, extent in enumerate(extents):
        assert not any(extent.overlaps(other) for other in extents[:k])


def test_thousands_of_labels_are_drawn_and_the_marked_ones_named():
    parents = {k: None if k < 20 else (k - 20) // 15 for k in range(4000)}
    hierarchy = Hierarchy.from_parents(parents, labels=range(4000))
    y_true = np.zeros(4000)
    y_true[[3999, *hierarchy.ancestors[[3999]].indices]] = 1
    display = HierarchyDisplay(hierarchy, y_true=y_true, y_pred=y_true * 0)
    _, ax = plt.subplots(figsize=(12, 8), layout="constrained")
    display.plot(ax=ax, layout="icicle")
    assert len(ax.collections[0].get_paths()) == 4000
    written = {int(text.get_text()) for text in ax.texts}
    assert set(np.flatnonzero(y_true)) <= written
    stripes = ax.collections[1]
    assert len(stripes.get_paths()) == y_true.sum()
    missed, kind = KINDS[False, True]
    colour = matplotlib.colors.to_rgba(kind.colour)
    np.testing.assert_allclose(stripes.get_facecolor()[0], colour)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [missed]


@pytest.mark.parametrize(
    ("options", "n_labels", "hidden"),
    [
        ({}, 7, 0),
        ({"root": "a"}, 5, 2),
        ({"max_depth": 0}, 2, 5),
        ({"min_proba": 0.5}, 4, 3),
        ({"max_labels": 1}, 7, 0),
    ],
)
def test_parts_of_an_icicle(options, n_labels, hidden):
    display = HierarchyDisplay(TREE, PROBA).plot(layout="icicle", **options)
    assert len(display.ax_.collections[0].get_paths()) == n_labels
    note = f"{hidden} of 7 labels are not shown." if hidden else ""
    assert display.ax_.get_xlabel() == note


def test_a_part_of_a_report():
    true = np.eye(7, dtype=int)
    display = LevelReportDisplay.from_predictions(true, true, TREE, root="a")
    assert len(display.boxes_.get_paths()) == 5
    heads = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert heads == [
        "depth 0\n1 label",
        "depth 1\n2 labels",
        "depth 2\n2 labels\nF1 1.00",
    ]
    display.plot(max_depth=1)
    assert len(display.boxes_.get_paths()) == 5
    with pytest.raises(ValueError, match="root must be a label"):
        display.plot(root="x")


# -- what colours say ------------------------------------------------------------------


def numbers_of(display):
    """Return the number that is written in every box, by label."""
    texts = [text.get_text() for text in display.ax_.texts]
    return dict(zip(texts[::2], texts[1::2], strict=False))


def test_errors_are_distances_from_the_truth():
    y_true = np.array([1, 1, 0, 1, 0, 1, np.nan])
    display = HierarchyDisplay(TREE, PROBA, y_true=y_true)
    shown = numbers_of(display.plot(color_by="error", colorbar=False))
    assert [shown[x] for x in "abcdef"] == [
        "0.10",
        "0.40",
        "0.50",
        "0.30",
        "0.30",
        "0.80",
    ]
    assert shown["g"] == "true"  # nothing: what follows is the legend


def test_violations_are_the_excess_over_the_lowest_parent():
    shown = numbers_of(HierarchyDisplay(TREE, PROBA).plot(color_by="violation"))
    assert shown["d"] == "0.10" and shown["c"] == shown["a"] == "0.00"
    dag = Hierarchy.from_edges([("a", "c"), ("b", "c")], labels=["a", "b", "c"])
    display = HierarchyDisplay(dag, [0.9, 0.1, 0.5])
    assert numbers_of(display.plot(color_by="violation"))["c"] == "0.40"


@pytest.mark.parametrize("layout", ["tree", "icicle"])
def test_frequencies_are_counts_or_shares(layout):
    counts = [1000, 900, 0, 5, np.nan, 100, 1]
    display = TREE.plot(frequency=counts, layout=layout)
    written = " ".join(text.get_text() for text in display.ax_.texts)
    assert "1,000" in written and "900" in written and "nan" not in written
    display = TREE.plot(frequency=np.array(counts) / 1000, layout=layout)
    written = " ".join(text.get_text() for text in display.ax_.texts)
    assert "0.90" in written and "900" not in written


def test_estimators_know_frequencies_and_raw_probabilities():
    digits = load_digit_properties()
    X, Y = digits.data[:200, 10:30], digits.target[:200]
    clf = CoherentClassifier(GaussianNB(), digits.hierarchy).fit(X, Y)
    display = HierarchyDisplay.from_estimator(clf, X, sample=3, color_by="frequency")
    np.testing.assert_array_equal(display.frequency, Y.sum(axis=0))
    raw = HierarchyDisplay.from_estimator(clf, X, sample=3, raw=True)
    np.testing.assert_allclose(raw.proba, clf.raw_predict_proba(X[3:4])[0])
    np.testing.assert_array_equal(raw.y_pred, clf.predict_raw(X[3:4])[0])
    assert (raw.proba != display.proba).any()


@pytest.mark.parametrize(
    ("display", "options", "match"),
    [
        ({}, {"color_by": "depth"}, "color_by must be one of .* got 'depth'"),
        ({}, {"color_by": "proba"}, "needs proba, which this display"),
        ({"proba": PROBA}, {"color_by": "error"}, "needs y_true, .* Pass y_true="),
        ({"proba": PROBA}, {"color_by": "frequency"}, "needs frequency"),
        ({}, {"layout": "radial"}, "layout must be 'tree' or 'icicle', got 'radial'"),
        ({"frequency": -PROBA}, {}, "frequency must hold numbers or shares"),
    ],
)
def test_wrong_options_are_explained(display, options, match):
    with pytest.raises(ValueError, match=match):
        HierarchyDisplay(TREE, **display).plot(**options)


# -- the parts -------------------------------------------------------------------------


def test_texts_are_cut_and_broken_by_what_they_measure():
    measure = Measure("a test")
    width = measure.width("transport of iron")
    assert measure.cut("transport of iron", width) == "transport of iron"
    cut = measure.cut("transport of iron ions", width)
    assert cut.endswith("…") and measure.width(cut) <= width
    assert measure.cut("transport", measure.width("tr…")) == ""
    lines = measure.wrap("transport of iron ions in cells", width, 2)
    assert lines == ["transport of iron", "ions in cells"]
    lines = measure.wrap(
        "transport of iron-sulphur-containing-protein complexes", width, 5
    )
    assert (
        lines[0] == "transport of" and lines[1].startswith("iron-") and len(lines) == 2
    )
    lines = measure.wrap("transport of iron ions in cells of all kinds", width, 2)
    assert lines[0] == "transport of iron" and lines[1].endswith("…")
    assert measure.wrap("transport", width, 3) == ["transport"]


def test_heights_are_those_that_are_needed():
    icicle = Icicle(TREE, np.array([1, 1, 3, 1, 1, 1, 1]))  # a, b, c, d, e, f, g
    np.testing.assert_allclose(icicle.height * icicle.total, [5, 4, 3, 1, 1, 1, 1])
    np.testing.assert_allclose(icicle.top * icicle.total, [0, 0, 0, 3, 4, 5, 5])

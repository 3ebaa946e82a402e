"""PredictionsPage: what the file holds, and what it does in a browser."""

import html
import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import f1_score, precision_score
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline

from skhmc import CoherentClassifier, Hierarchy
from skhmc.coherence import close_upward, max_constraint
from skhmc.datasets import load_digit_properties
from skhmc.inspection import PredictionsPage
from tests.hierarchies import random_hierarchy

TREE = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})  # mammal first
EVIL = [
    '</script><img src=x onerror="window.ran=1">',
    "<svg onload=window.ran=1>",
    "<!--<script>window.ran=1",
    "a & b \u2028 'c' \"d\" ${7*7} \\u003c",
]


class Reader(HTMLParser):
    """Keeps the tags of a page, and what stands in its scripts."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.scripts = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)

    @property
    def data(self):
        return json.loads(self.scripts[0])


def read(page):
    return Reader(page.to_html()).data


# -- the file --------------------------------------------------------------------------


def test_the_page_holds_labels_and_samples():
    proba = [[0.9, 0.7, 0], [0.6, 0.1, 0.50004]]
    y_true = [[1, 1, 0], [1, 0, np.nan]]
    data = read(PredictionsPage(TREE, proba, y_true=y_true, threshold=0.25))
    assert data["names"] == ["mammal", "cat", "dog"]
    assert data["parents"] == [[], [0], [0]] and data["home"] == [-1, 0, 0]
    first, second = data["samples"]
    assert first == {
        "name": "0",
        "labels": [0, 1],
        "parts": [9000, 7000],
        "true": [0, 1],
        "unknown": [],
    }
    assert second["parts"] == [6000, 1000, 5000] and second["unknown"] == [2]
    assert (data["threshold"], data["hasTrue"], data["hasPred"]) == (0.25, True, False)


def test_names_are_short_and_searched_whole():
    paths = Hierarchy.from_paths(["a/b", "a/c"], sep="/")
    data = read(PredictionsPage(paths, [[1, 1, 0]]))
    assert data["names"] == ["a", "b", "c"] and data["full"] == [None, "a/b", "a/c"]
    data = read(PredictionsPage(paths, [[1, 1, 0]], label_names="xyz"))
    assert data["names"] == ["x", "y", "z"]


def test_labels_stand_below_the_deepest_of_their_parents():
    dag = Hierarchy.from_edges([(0, 1), (0, 2), (1, 2), (3, 2)], labels=[0, 1, 2, 3])
    data = read(PredictionsPage(dag, np.ones((1, 4))))
    assert sorted(data["parents"][2]) == [0, 1, 3] and data["home"][2] == 1


def test_names_do_not_leave_the_data():
    h = Hierarchy.from_edges([(EVIL[0], name) for name in EVIL[1:]], labels=EVIL)
    page = PredictionsPage(h, [[0.9] * 4], title=EVIL[0], sample_names=[EVIL[0]])
    plain = PredictionsPage(h, [[0.9] * 4], label_names="abcd")
    found, expected = Reader(page.to_html()), Reader(plain.to_html())
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in expected.tags]
    assert found.data["names"] == EVIL
    assert "<" not in found.scripts[0] and "&" not in found.scripts[0]
    frame = Reader(page._repr_html_())
    assert [tag for tag, _ in frame.tags] == ["iframe"]
    assert frame.tags[0][1]["sandbox"] == "allow-scripts"
    assert frame.tags[0][1]["srcdoc"] == page.to_html()


def test_the_page_asks_for_nothing():
    page = PredictionsPage(TREE, [[1, 1, 0]]).to_html()
    policy = re.search('Content-Security-Policy" content="(.*?)"', page)[1]
    assert html.unescape(policy).startswith("default-src 'none'; script-src 'sha256-")
    assert not re.findall(r"https?://|\b(?:src|href)=|@import|url\(", page)


def test_estimators_and_frames(tmp_path):
    digits = load_digit_properties()
    names = list(digits.hierarchy.labels)
    X = pd.DataFrame(digits.data[:200, 20:30], index=[f"image {k}" for k in range(200)])
    Y = pd.DataFrame(digits.target[:200], columns=names)
    X.columns = [f"pixel {k}" for k in range(10)]
    clf = CoherentClassifier(GaussianNB(), digits.hierarchy).fit(X, Y)
    page = PredictionsPage.from_estimator(clf, X[:3], y_true=Y[:3])
    assert page.title == "Predictions of CoherentClassifier"
    assert page.sample_names == ["image 0", "image 1", "image 2"]
    np.testing.assert_allclose(page.proba, clf.predict_proba(X[:3]))
    np.testing.assert_array_equal(page.y_pred, clf.predict(X[:3]))
    np.testing.assert_array_equal(page.y_true, Y[:3])
    raw = PredictionsPage.from_estimator(clf, X[:3], raw=True)
    np.testing.assert_allclose(raw.proba, clf.raw_predict_proba(X[:3]))
    shuffled = pd.DataFrame(page.proba, columns=names, index=list("abc"))[names[::-1]]
    again = PredictionsPage.from_predictions(
        digits.hierarchy, shuffled, y_true=Y[:3].set_index(shuffled.index)
    )
    assert again.sample_names == ["a", "b", "c"]
    by_name = pd.DataFrame(again.proba, columns=again.hierarchy.labels)[names]
    np.testing.assert_allclose(by_name, page.proba)
    path = page.save(tmp_path / "page.html")
    assert path.read_text(encoding="utf-8") == page.to_html()


def test_a_series_of_texts_names_the_samples():
    texts = pd.Series(["a cat", "a dog", "a cat"], index=["x", "y", "z"])
    model = make_pipeline(CountVectorizer(), MultinomialNB())
    model.fit(texts, ["cat", "dog", "cat"])
    page = PredictionsPage.from_estimator(model, texts, hierarchy=TREE)
    assert page.sample_names == ["x", "y", "z"]
    page = PredictionsPage.from_estimator(model, texts.to_list(), hierarchy=TREE)
    assert page.sample_names is None


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"proba": [0.1, 0.2, 0.3]}, r"shape \(n_samples, 3\).* got shape \(3,\)"),
        ({"proba": [[0.1, 0.2, 7]]}, "between 0 and 1, got 7.0"),
        ({"proba": np.zeros((1001, 3))}, "1 to 1000 samples, got 1001"),
        ({"y_true": [[1, 0]]}, r"y_true must have the shape of proba, \(1, 3\)"),
        ({"y_pred": [[0.5, 0, 0]]}, "y_pred must hold 0 and 1.* got 0.5"),
        ({"label_names": "ab"}, "label_names must hold 3 names, got 2"),
        ({"sample_names": "ab"}, "sample_names must hold 1 names, got 2"),
        ({"threshold": 2}, "threshold must be between 0 and 1, got 2"),
    ],
)
def test_wrong_options_are_explained(options, match):
    given = {"proba": [[0.1, 0.2, 0.3]], **options}
    with pytest.raises(ValueError, match=match):
        PredictionsPage(TREE, **given)


# -- in a browser ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def program():
    pytest.importorskip("websocket", reason="needs the extra docs")
    path = Path(__file__).parents[1] / "docs" / "check_pages.py"
    spec = importlib.util.spec_from_file_location("check_pages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.find_browser() is None:
        pytest.skip("needs Chromium")
    return module


def large():
    """Return a page of 4,000 labels with several parents."""
    hierarchy = random_hierarchy(4000, seed=1, max_parents=3)
    rng = np.random.default_rng(0)
    y_true = np.zeros((3, 4000), int)
    y_true[[0, 1, 2], [3999, 2000, 1000]] = 1
    y_true = close_upward(y_true, hierarchy)
    proba = max_constraint(rng.beta(0.05, 5, y_true.shape), hierarchy)
    return PredictionsPage(hierarchy, proba, y_true=y_true)


def small():
    paths = Hierarchy.from_paths(["a/b/c", "a/b/d", "a/e", "f/g"], sep="/")
    proba = np.array([[0.9, 0.6, 0.5, 0.1, 0.3, 0.2, 0.05], [0.8] * 3 + [0.3] * 4])
    y_true = np.array([[1, 1, 1, 0, 0, 1, 1], [1, 0, 0, 0, 1, 0, 0]])
    return PredictionsPage(paths, proba, y_true=y_true)


@pytest.fixture(scope="module")
def tab(program, tmp_path_factory):
    """Return a tab of a browser with ``visit(name)``, which loads a page."""
    folder = tmp_path_factory.mktemp("pages")
    small().save(folder / "small.html")
    large().save(folder / "large.html")
    evil = Hierarchy.from_edges([(EVIL[0], name) for name in EVIL[1:]], labels=EVIL)
    page = PredictionsPage(evil, [[0.9] * 4], title=EVIL[0], sample_names=[EVIL[0]])
    page.save(folder / "evil.html")
    (folder / "frame.html").write_text(page._repr_html_())
    in_page, program.IN_PAGE = program.IN_PAGE, "0"
    browser = program.find_browser()
    with program.serve(folder) as home, program.start_browser(browser) as tab:
        tab.in_page = in_page

        def visit(name):
            tab.open(f"{home}/{name}.html")
            events = [program.read_event(event, home) for event in tab.events]
            assert not list(filter(None, events))
            asked = [
                e for e in tab.events if e["method"] == "Network.requestWillBeSent"
            ]
            urls = {e["params"]["request"]["url"].split("/")[-1] for e in asked}
            assert urls <= {f"{name}.html", "favicon.ico", "about:srcdoc"}

        tab.visit = visit
        yield tab
    program.IN_PAGE = in_page


def rows(tab):
    """Return what the rows of the tree say."""
    items = "[...document.querySelectorAll('[role=treeitem]')]"
    return tab.evaluate(f"{items}.map((item) => item.getAttribute('aria-label'))")


def names(tab):
    return [row.split(",")[0] for row in rows(tab)]


def text(tab, name):
    return tab.evaluate(f"document.getElementById('{name}').textContent")


def set_value(tab, name, value, event="input"):
    tab.evaluate(
        f"(() => {{ const field = document.getElementById('{name}');"
        f"field.value = {value!r};"
        f"field.dispatchEvent(new Event('{event}', {{ bubbles: true }})); }})()"
    )


def press(tab, key):
    code = {"Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39}
    code |= {"ArrowDown": 40, "End": 35, "Home": 36, "Tab": 9, "Escape": 27}
    options = {"key": key, "code": key, "windowsVirtualKeyCode": code[key]}
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, **options)


def focused(tab):
    return tab.evaluate("document.activeElement.getAttribute('aria-label')")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["evil", "frame"])
def test_names_run_no_script(tab, name):
    tab.visit(name)
    assert tab.evaluate("window.ran === undefined && document.images.length === 0")
    if name == "evil":
        assert tab.evaluate("document.querySelectorAll('svg').length") == 0
        shown = "[...document.querySelectorAll('.name')].map((e) => e.textContent)"
        assert tab.evaluate(shown) == EVIL
        assert tab.evaluate("document.title") == EVIL[0]


@pytest.mark.slow
def test_signs_and_figures_follow_the_threshold(tab):
    page = small()
    tab.visit("small")
    assert rows(tab)[0] == "a, probability 0.90, predicted and true"
    assert names(tab) == ["a", "b", "c", "f", "g"]
    assert rows(tab)[-1] == "g, probability 0.05, true, not predicted"
    for threshold in ("0.15", "0.85", "0.55"):
        set_value(tab, "threshold", threshold)
        assert text(tab, "threshold-value") == threshold
        predicted = page.proba > float(threshold)
        f1 = f1_score(page.y_true, predicted, average="micro")
        precision = precision_score(page.y_true[0], predicted[0])
        said = text(tab, "summary")
        assert f"precision {precision:.2f}" in said and f"micro F1 {f1:.2f}" in said
    set_value(tab, "sample", "1", "change")
    assert text(tab, "summary").startswith("1 right, 1 missed, 2 false")
    set_value(tab, "view", "errors", "change")
    assert names(tab) == ["a", "b", "c", "e"]
    set_value(tab, "view", "all", "change")
    assert set(names(tab)) == set("abcefg") - {"g"} | {"d"}


@pytest.mark.slow
def test_labels_are_searched_with_what_is_above_them(tab):
    tab.visit("small")
    set_value(tab, "search", "A/B")
    assert names(tab) == ["a", "b", "c", "d"]
    assert text(tab, "note") == "3 labels found."
    set_value(tab, "search", "nothing")
    assert names(tab) == [] and text(tab, "note") == "0 labels found."
    tab.evaluate("document.getElementById('search').focus()")
    press(tab, "Escape")
    assert len(names(tab)) == 5


@pytest.mark.slow
def test_the_tree_is_walked_by_keys(tab):
    tab.visit("small")
    tab.evaluate("document.getElementById('fold').focus()")
    press(tab, "Tab")
    walk = [
        ("ArrowDown", "b"),
        ("ArrowLeft", "b"),  # folds
        ("ArrowDown", "f"),
        ("ArrowUp", "b"),
        ("ArrowRight", "b"),  # unfolds
        ("ArrowRight", "c"),
        ("ArrowLeft", "b"),
        ("ArrowLeft", "b"),
        ("ArrowLeft", "a"),
        ("End", "g"),
        ("Home", "a"),
        ("Enter", "a"),
    ]
    assert focused(tab).startswith("a,")
    for key, expected in walk:
        press(tab, key)
        assert focused(tab).startswith(f"{expected},"), key
    assert names(tab) == ["a", "f", "g"]
    below = "document.querySelector('.below').textContent"
    assert tab.evaluate(below) == "✓1 −1 "  # b is right, c is missed at 0.5
    tabs = "document.querySelectorAll('#tree [tabindex=\"0\"]').length"
    assert tab.evaluate(tabs) == 1


@pytest.mark.slow
def test_thousands_of_labels(tab):
    page = large()
    tab.visit("large")
    marked = {
        str(k) for k in np.flatnonzero((page.y_true[0] == 1) | (page.proba[0] > 0.5))
    }
    assert set(names(tab)) == marked
    set_value(tab, "view", "all", "change")
    tab.evaluate("document.getElementById('unfold').click()")
    assert len(rows(tab)) == 4000
    assert text(tab, "note") == "The first 4,000 rows are drawn."
    tab.evaluate("document.getElementById('fold').click()")
    assert len(rows(tab)) == len(page.hierarchy.roots)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["small", "large", "evil"])
def test_pages_are_read_in_both_themes_on_phones(tab, name, theme):
    wanted = [{"name": "prefers-color-scheme", "value": theme}]
    tab.call("Emulation.setEmulatedMedia", features=wanted)
    tab.visit(name)
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (theme == "light")
    tab.evaluate(tab.in_page)
    assert tab.evaluate("skhmcCheck.lowContrast()") == []
    for width in (320, 390, 1200):
        tab.resize(width)
        assert tab.evaluate("skhmcCheck.overflow()") == []

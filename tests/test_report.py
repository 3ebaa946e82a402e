"""hierarchical_classification_report, LevelReportDisplay and explain."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import average_precision_score, f1_score, precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalVotingClassifier,
    Hierarchy,
    KernelHMC,
    LabelTreeClassifier,
)
from skhmc.coherence import close_upward, violations
from skhmc.datasets import load_digit_properties
from skhmc.inspection import HierarchyDisplay, LevelReportDisplay, explain
from skhmc.metrics import hierarchical_classification_report
from tests.hierarchies import random_hierarchy, random_labels


def drawn(seed, n_samples=40, n_labels=9):
    random = np.random.RandomState(seed)
    hierarchy = random_hierarchy(n_labels, seed, max_parents=2)
    true = (random.random_sample((n_samples, n_labels)) < 0.2).astype(int)
    pred = (random.random_sample((n_samples, n_labels)) < 0.2).astype(int)
    return random, hierarchy, close_upward(true, hierarchy), pred


@random_labels
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("seed", range(2))
def test_figures_equal_those_of_sklearn(seed):
    random, hierarchy, true, pred = drawn(seed, n_labels=5)
    score = random.random_sample(true.shape).round(1)
    weight = random.randint(1, 4, size=len(true))
    given = {"y_score": score, "sample_weight": weight, "output": "dict"}
    report = hierarchical_classification_report(true, pred, hierarchy, **given)
    closed = close_upward(pred, hierarchy)
    broken = violations(pred, hierarchy).toarray()
    for k, label in enumerate(hierarchy.labels):
        row = report["label"][label]
        own = true[:, k], closed[:, k]
        f1 = f1_score(*own, sample_weight=weight, zero_division=np.nan)
        np.testing.assert_allclose(row["f1"], f1)
        assert row["support"] == weight @ true[:, k]
        into = hierarchy.edges[:, 1] == k
        assert row["violations"] == (weight @ broken)[into].sum()
        if true[:, k].any():
            area = average_precision_score(
                true[:, k], score[:, k], sample_weight=weight
            )
            np.testing.assert_allclose(row["au_prc"], area)
            scores = [
                f1_score(true[:, k], score[:, k] > t, sample_weight=weight)
                for t in np.arange(-0.05, 1.1, 0.1)
            ]
            at_best = score[:, k] > row["threshold"]
            best = f1_score(true[:, k], at_best, sample_weight=weight)
            np.testing.assert_allclose(best, max(scores))
    for depth, labels in enumerate(hierarchy.levels):
        cells = true[:, labels].ravel(), closed[:, labels].ravel()
        expected = precision_score(
            *cells, sample_weight=np.repeat(weight, len(labels)), zero_division=np.nan
        )
        np.testing.assert_allclose(report["level"][depth]["precision"], expected)
    for label, row in report["subtree"].items():
        names = [label, *hierarchy.descendants_of(label)]
        below = [hierarchy.position(name) for name in names]
        assert row["n_labels"] == len(below)
        assert row["support"] == (weight @ true[:, below]).sum()


@random_labels
@pytest.mark.parametrize("seed", range(3))
def test_confusions_equal_a_loop(seed):
    _, hierarchy, true, pred = drawn(seed)
    report = hierarchical_classification_report(true, pred, hierarchy, output="dict")
    pred = close_upward(pred, hierarchy)
    for k, label in enumerate(hierarchy.labels):
        parents = set(hierarchy.parents_of(label))
        times = {}
        for j, other in enumerate(hierarchy.labels):
            others = set(hierarchy.parents_of(other))
            if j != k and (parents & others or not (parents or others)):
                missed = (true[:, k] == 1) & (pred[:, k] == 0)
                wrong = (pred[:, j] == 1) & (true[:, j] == 0)
                times[other] = (missed & wrong).sum()
        most = max(times.values(), default=0)
        row = report["label"][label]
        assert row["n_confused"] == most
        if most:
            assert times[row["confused_with"]] == most
        else:
            assert row["confused_with"] is None


def test_unknown_cells_do_not_count():
    hierarchy = Hierarchy.from_parents({"b": "a", "c": "a"})
    true = np.array([[1.0, np.nan, 0.0], [1.0, 1.0, 0.0]])
    pred = np.array([[1, 1, 0], [1, 0, 1]])
    report = hierarchical_classification_report(true, pred, hierarchy, output="dict")
    assert report["label"]["b"]["predicted"] == 0
    assert report["label"]["b"]["support"] == 1
    assert report["label"]["b"]["confused_with"] == "c"
    assert np.isnan(report["label"]["b"]["precision"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("score", [1.0, 40.0, 1e13, -3.0, np.inf])
def test_scores_are_greater_than_the_best_threshold(score, dtype):
    """Also where the next score is the next float, or where there is none."""
    score = dtype(score)
    below = np.nextafter(score, dtype(-np.inf))
    for scores in ([score, score, below], [score, score, score]):
        true = np.array([[1], [1], [0]])
        scores = np.array(scores, dtype)[:, None]
        report = hierarchical_classification_report(
            true, true, Hierarchy.flat(1), y_score=scores, output="dict"
        )
        chosen = scores[:, 0] > report["label"][0]["threshold"]
        assert chosen.tolist() == (scores == score)[:, 0].tolist()


def test_text_has_the_labels_with_most_support():
    hierarchy = random_hierarchy(300, 0)
    true = np.zeros((5, 300), int)
    true[:, 7] = 1
    true = close_upward(true, hierarchy)
    given = (sp.csr_matrix(true), sp.csr_matrix(true), hierarchy)
    text = hierarchical_classification_report(*given, max_rows=5)
    assert "more, of less support" in text and len(text.splitlines()) < 40
    frame = hierarchical_classification_report(*given, output="frame")
    assert (frame["kind"] == "label").sum() == 300
    with pytest.raises(ValueError, match="output"):
        hierarchical_classification_report(*given, output="html")
    with pytest.raises(ValueError, match="max_rows"):
        hierarchical_classification_report(*given, max_rows=0)


@pytest.fixture
def ontology(tmp_path):
    stanzas = ["format-version: 1.4"]
    for k, name in enumerate(["growth", "growth of roots", "transport"]):
        above = "is_a: T:0\n" if k else ""
        stanzas.append(f"[Term]\nid: T:{k}\nname: {name}\n{above}")
    (tmp_path / "small.obo").write_text("\n\n".join(stanzas))
    return Hierarchy.from_obo(tmp_path / "small.obo")


def test_terms_of_an_ontology_have_their_names(ontology):
    given = [["T:1"], ["T:2"], ["T:1"]], [["T:1"], ["T:1"], ["T:2"]], ontology
    text = hierarchical_classification_report(*given)
    assert "\n    T:1 growth of roots " in text and text.endswith("T:1 (1)")
    display = LevelReportDisplay.from_predictions(*given)
    written = [text.get_text() for text in display.ax_.texts]
    assert written == ["growth  1.00", "growth of roots  0.50", "transport  0.00"]
    drawn = ontology.plot(full_names=False).ax_.texts
    assert "growth of roots" in [text.get_text() for text in drawn]
    drawn = ontology.plot(full_names=True).ax_.texts
    assert "T:1" in [text.get_text() for text in drawn]
    plt.close("all")


# -- the picture -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_boxes_of_children_lie_beside_their_parents(seed):
    hierarchy = random_hierarchy(30, seed, max_parents=2)
    true = np.eye(30, dtype=int)
    display = LevelReportDisplay.from_predictions(true, true, hierarchy)
    boxes = [path.vertices for path in display.boxes_.get_paths()]
    low = np.array([box[:, 1].min() for box in boxes])
    high = np.array([box[:, 1].max() for box in boxes])
    assert high.max() <= 1 + 1e-9
    for k, label in enumerate(hierarchy.labels):
        above = [hierarchy.position(name) for name in hierarchy.parents_of(label)]
        inside = [low[p] <= low[k] + 1e-9 and high[k] <= high[p] + 1e-9 for p in above]
        assert any(inside) or not above
    for labels in hierarchy.levels:  # no two of a level overlap
        order = labels[np.argsort(low[labels])]
        assert (high[order][:-1] <= low[order][1:] + 1e-9).all()
    plt.close("all")


def test_display_of_an_estimator():
    digits = load_digit_properties()
    X, Y = digits.data[:120] / 16, digits.target[:120]
    clf = KernelHMC(digits.hierarchy, gamma=0.3, ridge=0.01).fit(X, Y)
    display = LevelReportDisplay.from_estimator(clf, X, Y, value="au_prc")
    assert display.ax_.get_title() == "KernelHMC"
    assert len(display.ax_.texts) == digits.hierarchy.n_labels
    with pytest.raises(ValueError, match="value must be"):
        display.plot(value="accuracy")
    with pytest.raises(ValueError, match="output='dict'"):
        LevelReportDisplay({}, digits.hierarchy)
    with pytest.raises(ValueError, match=r"y_true must be .* got shape \(120,\)"):
        LevelReportDisplay.from_estimator(clf, X, np.zeros(120))
    plt.close("all")


PATHS = ["a > b > c", "a > b > d", "e", "a > b > d"] * 3


@pytest.mark.parametrize(
    ("fitted", "y"),
    [
        (PATHS, PATHS),
        (pd.Series(PATHS), pd.Series(PATHS)),
        (PATHS, [{path} for path in PATHS]),
        ([[path] for path in PATHS], np.array(PATHS)),
    ],
)
def test_displays_take_labels_as_fit_does(fitted, y):
    X = np.eye(4)[np.arange(12) % 4]
    hierarchy = Hierarchy.from_paths(PATHS)
    clf = CoherentClassifier(LogisticRegression(), hierarchy).fit(X, fitted)
    swapped = X[:, [1, 0, 2, 3]]  # predicted as the row beside them
    report = LevelReportDisplay.from_estimator(clf, swapped, y).report
    sets = [[path] for path in PATHS]
    predicted = [sets[k] for k in [1, 0, 2, 3] * 3]
    expected = hierarchical_classification_report(
        sets, predicted, hierarchy, output="dict"
    )
    found = [report["label"][name] for name in hierarchy.labels]
    for row, name in zip(found, hierarchy.labels, strict=True):
        assert row["f1"] == expected["label"][name]["f1"]
    assert 0 < found[-1]["au_prc"] <= 1
    plt.close("all")


def test_sets_beside_predictions_of_one_label_are_drawn_whole():
    X = np.eye(4)[np.arange(12) % 4]
    hierarchy = Hierarchy.from_paths(PATHS)
    clf = CoherentClassifier(LogisticRegression(), hierarchy).fit(X, PATHS)
    both = [["a > b > c", "e"]] * 12
    display = HierarchyDisplay.from_estimator(clf, X, y_true=both)
    assert display.y_true.tolist() == [1, 1, 1, 0, 1]
    plt.close("all")


# -- explanations ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    found = load_digit_properties()
    return found.data[:200] / 16, found.target[:200], found.hierarchy


def test_gradients_equal_finite_differences(digits):
    X, Y, hierarchy = digits
    clf = HCALClassifier(hierarchy, max_iter=2, random_state=0)
    clf = clf.fit(X, Y)
    found = explain(clf, X[:2], "digit 5", X_train=X, n_nearest=3)
    assert found.labels == ["odd", "prime", "odd prime", "digit 5"]
    places = [hierarchy.position(label) for label in found.labels]
    np.testing.assert_allclose(
        found.scores, clf.raw_decision_function(X[:2])[:, places], rtol=1e-4
    )
    feature = int(np.abs(found.contributions[0, -1]).argmax())
    step = np.zeros((1, X.shape[1]))
    step[0, feature] = 0.01
    more = clf.raw_decision_function(X[:1] + step)[0, places]
    less = clf.raw_decision_function(X[:1] - step)[0, places]
    slope = (more - less) / 0.02 * X[0, feature]
    np.testing.assert_allclose(found.contributions[0, :, feature], slope, rtol=0.05)
    assert found.samples[:, 0].tolist() == [0, 1]  # each is nearest to itself
    np.testing.assert_allclose(found.sample_similarities[:, 0], 1, rtol=1e-4)
    assert np.shape(found.prototypes) == (2, 3)


def test_coefficients_sum_to_the_score(digits):
    X, Y, hierarchy = digits
    clf = LabelTreeClassifier(hierarchy).fit(X, Y)
    found = explain(clf, X[:3], "digit 5")
    assert found.method == "coefficients"
    assert found.contributions.shape == (3, 4, X.shape[1])
    each = OneVsRestClassifier(LogisticRegression(max_iter=500))
    model = make_pipeline(StandardScaler(), each).fit(X, Y)
    label = hierarchy.position("digit 5")
    found = explain(model, X[:3], label)
    expected = model.decision_function(X[:3])[:, label]
    np.testing.assert_allclose(found.scores[:, 0], expected)


@pytest.fixture(scope="module")
def square():
    """As many features as labels, so that shapes do not say which is which."""
    rng = np.random.default_rng(0)
    hierarchy = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    X = rng.normal(size=(60, 3))
    Y = (X > 0).astype(int)
    return X, Y * Y[:, :1], hierarchy


def test_scores_of_a_label_tree_are_its_margins(square):
    X, Y, hierarchy = square
    clf = LabelTreeClassifier(hierarchy).fit(X, Y)  # normalize=True
    found = explain(clf, X, "dog")
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    margins = (unit @ clf.coef_ + clf.intercept_)[:, [0, 2]]
    np.testing.assert_allclose(found.scores, margins, rtol=1e-4, atol=1e-5)


def test_rows_of_coefficients_are_labels_in_scikit_learn(square):
    X, Y, _ = square
    clf = RidgeClassifier().fit(X, Y)
    scores = explain(clf, X, 2).scores[:, 0]
    np.testing.assert_allclose(scores, clf.decision_function(X)[:, 2])
    classes = np.array(["z", "a", "m"])[Y.sum(axis=1) % 3]
    clf = LogisticRegression().fit(X, classes)
    scores = explain(clf, X, "z").scores[:, 0]
    np.testing.assert_allclose(scores, clf.decision_function(X)[:, 2])


def test_labels_of_what_is_inside_are_found_in_their_order(square):
    X, Y, hierarchy = square
    Y = pd.DataFrame(Y, columns=hierarchy.labels)
    tree = LabelTreeClassifier(hierarchy).fit(X, Y[["dog", "mammal", "cat"]])
    clf = CoherentClassifier(FrozenEstimator(tree), hierarchy).fit(X, Y)
    for label in hierarchy.labels:
        expected = explain(tree, X, label)
        np.testing.assert_array_equal(explain(clf, X, label).scores, expected.scores)
    few = Y.assign(cat=0)
    with pytest.warns(UserWarning, match="cat"):
        clf = CoherentClassifier(LogisticRegression(), hierarchy).fit(X, few)
    own = LogisticRegression().fit(X, Y["dog"])
    found = explain(clf, X, "dog").scores[:, 1]
    np.testing.assert_allclose(found, own.decision_function(X), rtol=1e-6)
    with pytest.raises(TypeError, match="no classifier of 'cat'"):
        explain(clf, X, "cat")


def test_members_that_know_all_labels_are_no_labels(square):
    X, Y, hierarchy = square
    trees = [(name, LabelTreeClassifier(hierarchy)) for name in "abc"]
    three = HierarchicalVotingClassifier(trees).fit(X, Y)
    classes = (Y.sum(axis=1) % 3).tolist()
    one = CoherentClassifier(LogisticRegression(), Hierarchy.flat(3)).fit(X, classes)
    outputs = MultiOutputClassifier(LogisticRegression()).fit(X, Y + Y[:, ::-1])
    for clf, label in ((three, "dog"), (one, 2), (outputs, 0)):
        with pytest.raises(TypeError):
            explain(clf, X, label)


def test_features_in_another_order_are_refused(square):
    X, Y, hierarchy = square
    X = pd.DataFrame(X, columns=list("abc"))
    clf = LabelTreeClassifier(hierarchy).fit(X, Y)
    assert explain(clf, X, "cat").scores.shape == (60, 2)
    with pytest.raises(ValueError, match="features 'c', 'b', 'a'"):
        explain(clf, X[["c", "b", "a"]], "cat")


def test_what_cannot_be_explained_is_refused(digits):
    X, Y, hierarchy = digits
    clf = KernelHMC(hierarchy, gamma=0.3, ridge=0.01).fit(X, Y)
    with pytest.raises(TypeError, match="coef_"):
        explain(clf, X[:1], "digit 5")
    with pytest.raises(ValueError, match="label of the estimator"):
        explain(clf, X[:1], "digit 11")
    with pytest.raises(ValueError, match="n_nearest"):
        explain(clf, X[:1], "digit 5", n_nearest=0)
    with pytest.raises(ValueError, match="X_train"):
        explain(clf, X[:1], "digit 5", X_train=X)

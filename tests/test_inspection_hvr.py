"""HVRDisplay: the rate at every threshold, and what is beside it."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import CoherentClassifier, Hierarchy
from skhmc.datasets import load_digit_properties
from skhmc.inspection import HVRDisplay
from skhmc.metrics import hvr_scorer

matplotlib.use("Agg")
TREE = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})  # mammal first
DIGITS = load_digit_properties()
X = DIGITS.data[:150, 10:30] / 16
Y = DIGITS.target[:150]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def draw(y_true, y_score, **options):
    return HVRDisplay.from_predictions(y_true, y_score, TREE, **options)


@pytest.mark.parametrize("seed", range(3))
def test_rates_are_those_of_a_loop_over_samples(seed):
    rng = np.random.default_rng(seed)
    score = rng.random((20, 3)).round(1)
    Y = rng.integers(0, 2, (20, 3))
    thresholds = [0.7, 0.1, 0.3]
    found = {
        unit: draw(Y, score, thresholds=thresholds, unit=unit, beside="f1_macro")
        for unit in ("sample", "edge", "prediction")
    }
    for k, threshold in enumerate(sorted(thresholds)):
        on = score > threshold
        broken = on[:, 1:] & ~on[:, :1]  # cat or dog, but no mammal
        expected = {
            "sample": broken.any(axis=1).mean(),
            "edge": broken.mean(),
            "prediction": broken.sum() / on[:, 1:].sum(),
        }
        for unit, rate in expected.items():
            assert found[unit].rate[k] == pytest.approx(rate)
        true = Y.copy()
        true[:, 0] |= Y[:, 1:].max(axis=1)  # a cat or dog is a mammal
        f1 = f1_score(true, on, average="macro", zero_division=0)
        assert found["edge"].beside[k] == pytest.approx(f1)


def test_trivial_predictions_are_seen_beside_the_rate():
    Y = np.array([[1, 1, 0], [1, 0, 1]])
    nothing = draw(Y, np.zeros((2, 3)))
    assert not nothing.rate.any() and not nothing.beside.any()
    everything = draw(Y, np.ones((2, 3)), beside="n_labels")
    assert not everything.rate.any() and (everything.beside == 3).all()


def test_unknown_labels_count_in_the_rate_alone():
    Y = np.array([[np.nan, 0, np.nan], [1, 1, 0]])  # of the first, no cat is known
    display = draw(Y, [[0.2, 0.1, 0.8], [0.9, 0.9, 0.1]], thresholds=[0.5])
    assert (display.rate, display.beside) == (0.5, 1)


def test_raw_scores_break_what_coherent_ones_do_not():
    clf = CoherentClassifier(GaussianNB(), DIGITS.hierarchy).fit(X, Y)
    raw = HVRDisplay.from_estimator(clf, X, Y, raw=True, thresholds=[0.5])
    assert raw.estimator_name == "CoherentClassifier (raw)"
    clf.coherence = None
    assert raw.rate[0] == pytest.approx(-hvr_scorer(clf, X, Y))
    assert raw.rate[0] > 0
    clf.coherence = "average"
    both = HVRDisplay.from_estimator(clf, X, Y, ax=raw.axes_, thresholds=[0.5])
    assert not both.rate.any()
    assert [len(axes.get_lines()) for axes in raw.axes_] == [2, 2]
    names = [text.get_text() for text in raw.axes_[0].get_legend().get_texts()]
    assert names == ["CoherentClassifier (raw)", "CoherentClassifier"]
    rate, beside = both.lines_
    assert rate.get_color() == beside.get_color() != raw.lines_[0].get_color()


class Network:
    """What a fitted network has: raw scores are logits."""

    hierarchy_ = TREE
    label_names_ = np.array(TREE.labels, dtype=object)

    def raw_decision_function(self, X):
        return X[:, :3] - 1

    def predict_proba(self, X):
        return np.ones((len(X), 3))


@pytest.mark.parametrize("wrap", [False, True])
def test_raw_scores_of_networks_are_those_of_their_logits(wrap):
    X = np.random.default_rng(0).normal(size=(20, 3))
    Y = np.ones((20, 3))
    clf = make_pipeline(StandardScaler().fit(X), Network()) if wrap else Network()
    some = {"thresholds": [0.2, 0.3]}
    found = HVRDisplay.from_estimator(clf, X, Y, raw=True, **some)
    given = StandardScaler().fit_transform(X) if wrap else X
    expected = draw(Y, expit(given - 1), **some)
    np.testing.assert_array_equal(found.rate, expected.rate)
    assert found.rate.all()


def test_one_label_per_sample():
    y = np.array(["cat", "dog", "mammal"] * 10)
    X = np.random.default_rng(0).normal(size=(30, 2))
    clf = LogisticRegression().fit(X, y)
    display = HVRDisplay.from_estimator(clf, X, y, hierarchy=TREE)
    assert not display.rate.any()  # sums of classes are coherent
    assert display.beside[0] == pytest.approx(
        f1_score(
            [[1, c == "cat", c == "dog"] for c in y], np.ones((30, 3)), average="micro"
        )
    )


def test_names_lie_above_the_lines():
    figure, axes = plt.subplots(1, 2, figsize=(6, 4), layout="constrained")
    score = np.column_stack([np.zeros(9), np.ones((9, 2))])  # broken everywhere
    for name in ("first", "second", "third", "fourth"):
        draw(
            np.ones((9, 3)),
            score,
            thresholds=[0.1, 0.9],
            name=f"the {name} classifier",
            ax=axes,
        )
    figure.canvas.draw()
    legend = axes[0].get_legend().get_window_extent()
    line = axes[0].get_lines()[0].get_window_extent()
    assert legend.y0 > line.y1
    assert axes[0].bbox.x0 < legend.x0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"unit": "row"}, "unit must be one of .* got 'row'"),
        ({"beside": "f1"}, "beside must be one of .*'f1_micro'.* got 'f1'"),
        ({"thresholds": []}, r"list of finite numbers, got \[\]"),
        ({"thresholds": [np.nan]}, "list of finite numbers"),
        ({"y_true": None}, "needs the true labels, got y_true=None"),
        ({"y_score": [[0, np.inf, 0]]}, "y_score holds NaN or infinite"),
        ({"ax": [1]}, "ax must hold 2 axes.* got 1"),
    ],
)
def test_wrong_options_are_explained(options, match):
    given = {"y_true": [[1, 1, 0]], "y_score": [[1, 1, 0]], **options}
    with pytest.raises(ValueError, match=match):
        draw(**given)


def test_shapes_and_hierarchies_are_checked():
    with pytest.raises(ValueError, match="rate must have one number for each of the 2"):
        HVRDisplay([0.1, 0.2], [0])
    clf = GaussianNB().fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="GaussianNB has no hierarchy_"):
        HVRDisplay.from_estimator(clf, X, Y)


def test_the_rate_alone():
    display = draw(None, [[0.2, 0.8, 0.1]], beside=None)
    assert len(display.axes_) == len(display.lines_) == 1
    assert display.rate.max() == 1


@pytest.mark.parametrize("beside", ["f1_micro", "f1_macro"])
def test_labels_in_every_form_have_the_same_f1(beside):
    tree = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    score = [[0.9, 0.8, 0.1], [0.9, 0.2, 0.4]]
    forms = [
        [[1, 1, 0], [1, 0, 1]],
        [["mammal", "cat"], ["mammal", "dog"]],
        [["cat"], ["dog"]],  # the deepest labels, as fit takes them
    ]
    found = [
        HVRDisplay.from_predictions(y, score, tree, thresholds=[0.3], beside=beside)
        for y in forms
    ]
    assert [display.beside.tolist() for display in found] == [[1.0]] * 3
    names = [["cat"], ["dog"]] * 3
    clf = CoherentClassifier(GaussianNB(), tree, min_positives=1)
    with pytest.warns(UserWarning, match="'mammal'"):  # all are
        clf.fit(np.arange(6.0)[:, None], names)
    by_names, by_indicators = (
        HVRDisplay.from_estimator(clf, np.arange(2.0)[:, None], y, beside=beside).beside
        for y in (forms[2], forms[0])
    )
    np.testing.assert_array_equal(by_names, by_indicators)

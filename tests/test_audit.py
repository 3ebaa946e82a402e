"""skhmc.audit: missing annotations, improbable ones, and broken edges."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, KFold
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import Hierarchy, KernelHMC
from skhmc.audit import (
    MissingAnnotationDetector,
    SuggestionDisplay,
    closure_report,
    find_label_issues,
)
from skhmc.audit._given import FEATURES, _Cells, given_others, path_product
from skhmc.coherence import close_upward, most_specific
from skhmc.datasets import make_hidden_hierarchy
from tests.hierarchies import random_hierarchy, random_labels

ANIMALS = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal", "tabby": "cat"})


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose samples are the probabilities of their labels."""

    def __init__(self, seen=None):
        self.seen = seen

    def fit(self, X, y, sample_weight=None):
        if self.seen is not None:
            self.seen.append((np.array(X), np.shape(y), sample_weight))
        self.classes_ = np.tile([0, 1], (np.shape(y)[1], 1))
        return self

    def predict_proba(self, X):
        return np.asarray(X)


def table_of(found):
    return pd.DataFrame(found)


@pytest.fixture(scope="module")
def hidden():
    """Annotations without some of the most specific ones, and which."""
    data = make_hidden_hierarchy(300, cluster_std=0.6, random_state=0)
    names = [label for label in data.hierarchy.labels if label != "root"]
    kept = [data.hierarchy.position(label) for label in names]
    data.hierarchy = data.hierarchy.subset(names)
    Y = data.target[:, kept].astype(float)
    cells = np.argwhere(most_specific(Y, data.hierarchy) == 1)
    cells = cells[np.random.RandomState(0).permutation(len(cells))[:15]]
    Y[tuple(cells.T)] = 0
    clf = KernelHMC(data.hierarchy, gamma=0.1, ridge=0.003)
    return data, Y, {tuple(cell) for cell in cells.tolist()}, clf


# -- aggregates, by hand ---------------------------------------------------------------


@pytest.mark.parametrize(
    "aggregate, score", [("mean", 0.7), ("min", 0.4), ("product", 0.9 * 0.8 * 0.4)]
)
def test_aggregates_of_the_path(aggregate, score):
    proba = np.tile([0.9, 0.8, 0.1, 0.4], (4, 1))  # mammal, cat, dog, tabby
    Y = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 0, 0]])
    hierarchy = Hierarchy.build(ANIMALS, labels=["mammal", "cat", "dog", "tabby"])
    detector = MissingAnnotationDetector(
        Given(), hierarchy, cv=KFold(2), aggregate=aggregate
    ).fit(proba, Y)
    scores = detector.annotation_scores()
    np.testing.assert_allclose(scores[:, 3], score)
    table = table_of(detector.suggestions())
    row = table[(table["sample"] == 3) & (table["label"] == "tabby")].iloc[0]
    assert row["missing"] == ("mammal", "cat", "tabby")
    assert row["above"] == () and row["probability"] == 0.4
    row = table[(table["sample"] == 1) & (table["label"] == "tabby")].iloc[0]
    assert row["missing"] == ("cat", "tabby") and row["above"] == ("mammal",)
    row = table[(table["sample"] == 1) & (table["label"] == "cat")].iloc[0]
    assert row["beside"] == ("dog",)
    assert len(table) == (Y == 0).sum()


@pytest.mark.parametrize("seed", range(3))
def test_aggregates_equal_walks_over_paths(seed):
    random = np.random.RandomState(seed)
    hierarchy = random_hierarchy(12, seed, max_parents=3)
    proba = random.random_sample((6, hierarchy.n_labels))
    for parent, child in sorted(
        hierarchy.edges.tolist(), key=lambda edge: hierarchy.depth[edge[1]]
    ):
        proba[:, child] = np.minimum(proba[:, child], proba[:, parent])
    Y = close_upward((proba > 0.4).astype(int), hierarchy)
    for aggregate, walk in {"mean": np.mean, "min": np.min, "product": np.prod}.items():
        detector = MissingAnnotationDetector(
            Given(), hierarchy, cv=KFold(2), aggregate=aggregate
        ).fit(proba, Y)
        scores = detector.annotation_scores()
        for k, label in enumerate(hierarchy.labels):
            path = [hierarchy.position(name) for name in hierarchy.ancestors_of(label)]
            expected = walk(proba[:, [*path, k]], axis=1)
            np.testing.assert_allclose(scores[:, k], expected, rtol=1e-6)


# -- what is found ---------------------------------------------------------------------


def test_hidden_annotations_come_first(hidden):
    data, Y, gone, clf = hidden
    detector = MissingAnnotationDetector(clf).fit(data.data, Y)
    table = table_of(detector.suggestions(len(gone)))
    names = data.hierarchy
    found = zip(table["sample"], map(names.position, table["label"]), strict=True)
    hits = len(gone & set(found))
    n_candidates = (Y == 0).sum()
    assert hits / len(gone) > 20 * len(gone) / n_candidates
    assert (np.diff(table["score"]) <= 0).all()
    assert ((table["score"] >= 0) & (table["score"] <= 1)).all()


def test_sparse_and_named_labels_and_samples_mean_the_same(hidden):
    data, Y, _, clf = hidden
    dense = MissingAnnotationDetector(clf).fit(data.data, Y)
    sparse = MissingAnnotationDetector(clf).fit(data.data, sp.csr_matrix(Y))
    np.testing.assert_allclose(sparse.annotation_scores(), dense.annotation_scores())
    X = pd.DataFrame(data.data, index=[f"gene {k}" for k in range(len(Y))])
    X.columns = [f"x{k}" for k in range(X.shape[1])]
    frame = pd.DataFrame(Y, columns=list(data.hierarchy.labels))[::1]
    named = MissingAnnotationDetector(clf).fit(X, frame.set_index(X.index))
    first = table_of(dense.suggestions(3))
    other = table_of(named.suggestions(3))
    assert list(other["sample"]) == [f"gene {k}" for k in first["sample"]]
    assert list(other["label"]) == list(first["label"])


def test_scores_are_coherent_down_missing_paths(hidden):
    data, Y, _, clf = hidden
    scores = MissingAnnotationDetector(clf).fit(data.data, Y).annotation_scores()
    parent, child = data.hierarchy.edges.T
    missing = (Y[:, parent] == 0) & (Y[:, child] == 0)
    there = (Y[:, parent] == 1) & (Y[:, child] == 1)
    for both in (missing, there):
        assert (scores[:, child] <= scores[:, parent] + 1e-9)[both].all()


def test_a_path_that_nobody_has_noted_is_as_probable_as_its_end():
    """A label is missing, however probable it is that one below it is missing, too."""
    rng = np.random.default_rng(0)
    hierarchy = Hierarchy.from_paths(["a/b/c", "d/e/f"])
    true = close_upward(
        np.tile([[0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1], [0, 0, 1, 0, 0, 1]], (60, 1)),
        hierarchy,
    )
    proba = np.clip(np.abs(true - 0.03 - 0.05 * rng.random(true.shape)), 0, 1)
    Y = true.copy()
    Y[2:12:3, 3:] = 0  # nobody has looked at d, e and f
    detector = MissingAnnotationDetector(Given(), hierarchy, cv=KFold(2))
    scores = detector.fit(proba, Y).annotation_scores()
    np.testing.assert_allclose(scores[2:12:3, 3:5], scores[2:12:3, [5, 5]])
    table = detector.suggestions(4)  # each path once
    assert sorted(table["sample"]) == [2, 5, 8, 11]
    assert set(table["missing"]) == {("d", "d/e", "d/e/f")}
    assert table["score"].min() > 0.9


def test_paths_equal_a_walk():
    rng = np.random.default_rng(1)
    hierarchy = random_hierarchy(8, 1, max_parents=1)
    there = close_upward((rng.random((20, 8)) < 0.1) * 1, hierarchy) == 1
    last, inner = rng.random((2, *there.shape))
    found = path_product(last, inner, there, hierarchy)
    assert (found[there] == last[there]).all()
    parent = {child: parent for parent, child in hierarchy.edges.tolist()}
    for row, label in np.argwhere(~there):
        ends = hierarchy.descendants[[label]].indices
        paths = []
        for end in [label, *ends]:
            paths.append(last[row, end])
            above = parent.get(end)
            while above is not None and not there[row, above]:
                paths[-1] *= inner[row, above]
                above = parent.get(above)
        assert found[row, label] == pytest.approx(max(paths))


# -- unknown, weights, groups ----------------------------------------------------------


def test_unknown_and_weightless_cells_are_not_judged(hidden):
    data, Y, *_ = hidden
    proba = np.random.RandomState(0).random_sample(Y.shape)
    unknown = Y.copy()
    unknown[:20, data.hierarchy.leaves[0]] = np.nan
    detector = MissingAnnotationDetector(Given(), data.hierarchy, cv=KFold(2))
    scores = detector.fit(proba, unknown).annotation_scores()
    closed = close_upward(unknown, data.hierarchy)
    np.testing.assert_array_equal(np.isnan(scores), np.isnan(closed))
    weight = np.ones(len(Y))
    weight[:5] = 0
    detector.fit(proba, Y, sample_weight=weight)
    assert np.isnan(detector.annotation_scores()[:5]).all()
    table = table_of(detector.suggestions(1_000))
    assert not set(range(5)) & set(table["sample"])


def test_frequency_counts_weights():
    """As if samples were there as often as they weigh; 0 is not there."""
    y = np.array([[1, 0], [1, 1], [0, 1], [1, 1]])
    proba = np.full((4, 2), 0.3)
    weight = [3, 2, 1, 0]
    table = find_label_issues(y, proba, Hierarchy.flat(2), sample_weight=weight)
    score = {0: 0.3 / (0.3 + 5 / 6), 1: 0.3 / (0.3 + 3 / 6)}
    assert len(table) == 4  # of the last sample none
    expected = [score[label] for label in table["label"]]
    np.testing.assert_allclose(table["score"], expected)


def test_weights_of_labels_are_matched_by_name():
    y = pd.DataFrame([[1, 0], [1, 1], [0, 1]], columns=["cat", "dog"])
    weight = pd.DataFrame([[3.0, 1.0], [2.0, 1.0], [1.0, 0.0]], columns=["cat", "dog"])
    proba = pd.DataFrame(np.full((3, 2), 0.3), columns=["cat", "dog"])
    given = y, proba, Hierarchy.flat(["cat", "dog"])
    expected = find_label_issues(*given, sample_weight=weight)
    assert set(expected["score"].round(6)) == {
        round(0.3 / (0.3 + 5 / 6), 6),
        round(0.3 / (0.3 + 1 / 2), 6),
    }
    found = find_label_issues(*given, sample_weight=weight[["dog", "cat"]])
    pd.testing.assert_frame_equal(found, expected)
    with pytest.raises(ValueError, match="sample_weight has the columns"):
        find_label_issues(*given, sample_weight=weight.rename(columns={"cat": "cow"}))
    with pytest.raises(ValueError, match="between 0 and 1"):
        find_label_issues(y, proba * 5, given[2])


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("aggregate", ["given", "lift"])
def test_what_weighs_nothing_is_unknown(form, aggregate):
    rng = np.random.default_rng(0)
    hierarchy = random_hierarchy(6, 0)
    y = close_upward((rng.random((40, 6)) < 0.3) * 1.0, hierarchy)
    proba = rng.random((40, 6))
    weight = (rng.random((40, 6)) < 0.7) * 1.0
    weight[:5] = 0
    options = {"aggregate": aggregate, "n_issues": 1000}
    gone = np.where(weight == 0, np.nan, y)
    options["sample_weight"] = weight
    found = find_label_issues(form(y), proba, hierarchy, **options)
    expected = find_label_issues(form(gone), proba, hierarchy, **options)
    assert len(found) > 20
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5)


def test_unknown_cells_are_no_zeros_in_what_annotations_say():
    rng = np.random.default_rng(0)
    hierarchy = Hierarchy.flat(3)
    Y = (rng.random((400, 3)) < [0.8, 0.5, 0.5]) * 1.0
    Y[:, 0][rng.random(400) < 0.75] = np.nan
    folds = np.arange(400) % 2
    proba = np.full(Y.shape, 0.5)
    cells = _Cells(proba, Y, np.ones(400, bool), folds, hierarchy)
    features = dict(zip(FEATURES, cells.features(slice(0, 400))[0], strict=True))
    share = np.nanmean(Y[:, 0])
    assert features["what the other annotations say"][:, 0].mean() == pytest.approx(
        share, abs=0.05
    )
    others = Y[folds != folds[0], 0]  # the first sample's own fold says nothing of it
    odds = (np.sum(others == 1) + 0.5) / (np.sum(others == 0) + 0.5)
    found = features["logit of the label's share in samples with its parents"]
    assert found[0, 0] == pytest.approx(np.log(odds))


def test_weights_and_groups_reach_the_folds():
    seen = []
    proba = np.tile([0.9, 0.8, 0.1, 0.4], (6, 1))
    Y = np.tile([[1, 1, 0, 0], [1, 0, 1, 0]], (3, 1))
    groups = ["a", "a", "b", "b", "c", "c"]
    weight = np.arange(1.0, 7.0)
    hierarchy = Hierarchy.build(ANIMALS, labels=["mammal", "cat", "dog", "tabby"])
    detector = MissingAnnotationDetector(Given(seen), hierarchy, cv=GroupKFold(3))
    detector.fit(proba, Y, sample_weight=weight, groups=groups)
    assert detector.folds_[0::2].tolist() == detector.folds_[1::2].tolist()
    assert len(set(detector.folds_)) == 3
    detector.set_params(cv=3).fit(proba, Y, sample_weight=weight, groups=groups)
    assert detector.folds_[0::2].tolist() == detector.folds_[1::2].tolist()


def test_samples_without_a_fold_have_no_score():
    proba = np.tile([0.9, 0.8, 0.1, 0.4], (4, 1))
    Y = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0]])
    hierarchy = Hierarchy.build(ANIMALS, labels=["mammal", "cat", "dog", "tabby"])
    detector = MissingAnnotationDetector(Given(), hierarchy, cv=[([0, 1], [2, 3])])
    scores = detector.fit(proba, Y).annotation_scores()
    assert np.isnan(scores[:2]).all() and not np.isnan(scores[2:]).any()
    assert detector.folds_.tolist() == [-1, -1, 0, 0]


# -- wrong annotations -----------------------------------------------------------------


def test_improbable_annotations_come_first():
    random = np.random.RandomState(0)
    labels = ["mammal", "cat", "dog", "tabby"]
    hierarchy = Hierarchy.build(ANIMALS, labels=labels)
    is_cat = random.random_sample(200) < 0.5
    Y = np.column_stack([np.ones(200), is_cat, ~is_cat, is_cat]).astype(int)
    proba = np.clip(Y * 0.8 + 0.1, 0, 1)
    wrong = np.flatnonzero(~is_cat)[0]
    Y[wrong] = [1, 1, 1, 1]
    for aggregate in ("lift", "mean", "min", "product"):
        given = (Y, proba, hierarchy)
        table = table_of(find_label_issues(*given, aggregate=aggregate, n_issues=2))
        assert list(table["sample"]) == [wrong, wrong]
        assert set(table["label"]) == {"cat", "tabby"}
        cat = table[table["label"] == "cat"].iloc[0]
        assert cat["above"] == ("mammal",)
        assert cat["beside"] == ("dog",)
        assert cat["below"] == ("tabby",)


def test_table_is_bounded():
    hierarchy = Hierarchy.build(ANIMALS, labels=["mammal", "cat", "dog", "tabby"])
    Y = np.array([[1, 1, 0, 0], [1, 0, 1, 0]])
    proba = np.array([[0.9, 0.8, 0.1, 0.1], [0.9, 0.1, 0.3, 0.1]])
    given = (Y, proba, hierarchy)
    table = table_of(find_label_issues(*given, aggregate="min", max_score=0.5))
    assert table["label"].tolist() == ["dog"]
    groups = [1, 1]
    assert len(find_label_issues(*given, n_issues=3, groups=groups)["label"]) == 3


# -- broken edges ----------------------------------------------------------------------


@random_labels
@pytest.mark.parametrize("seed", range(3))
def test_broken_edges_equal_a_loop(seed):
    random = np.random.RandomState(seed)
    hierarchy = random_hierarchy(10, seed, max_parents=3)
    Y = random.choice([0.0, 1.0, np.nan], p=[0.5, 0.4, 0.1], size=(30, 10))
    expected = {}
    for parent, child in hierarchy.edges.tolist():
        rows = (Y[:, child] == 1) & (Y[:, parent] == 0)
        both = (Y[:, child] == 1) & (Y[:, parent] == 1)
        if rows.any():
            key = hierarchy.labels[parent], hierarchy.labels[child]
            share = rows.sum() / (rows.sum() + both.sum())
            expected[key] = rows.sum(), share, tuple(np.flatnonzero(rows)[:4].tolist())
    for given in (Y, sp.csr_matrix(Y)):
        table = table_of(closure_report(given, hierarchy, max_samples=4))
        columns = ("parent", "child", "n_broken", "share", "samples")
        found = {
            (p, c): (n, s, rows)
            for p, c, n, s, rows in zip(*(table[x] for x in columns), strict=True)
        }
        assert found == expected
        assert (np.diff(table["n_broken"]) <= 0).all()


def test_terms_of_an_ontology_have_their_names(tmp_path):
    text = "[Term]\nid: T:0\nname: growth\n\n[Term]\nid: T:1\nname: growth of roots\n"
    (tmp_path / "small.obo").write_text(f"{text}is_a: T:0\n")
    ontology = Hierarchy.from_obo(tmp_path / "small.obo")
    Y = np.array([[1, 1], [1, 0], [1, 1], [1, 0]])
    detector = MissingAnnotationDetector(Given(), ontology, cv=KFold(2))
    detector.fit(np.tile([0.9, 0.6], (4, 1)), Y)
    for table in (detector.suggestions(), detector.label_issues()):
        assert list(table)[:3] == ["sample", "label", "name"]
        assert table["name"].tolist() == table["label"].map(ontology.names).tolist()
    display = SuggestionDisplay.from_detector(detector)
    written = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert "1:  growth › [growth of roots]" in written
    display = SuggestionDisplay(detector.suggestions()).plot()
    assert "1:  T:0 › [T:1]" in [x.get_text() for x in display.ax_.get_yticklabels()]
    plt.close("all")


def test_long_paths_lose_their_first_labels_and_long_names_their_middles():
    suggestions = {
        "sample": ["s"] * 4,
        "score": [0.9, 0.8, 0.7, 0.6],
        "missing": [("c" * 20,), ("a" * 30, "b" * 30), ("c",), ("a" * 60,)],
        "above": [("first", "b" * 30, "x"), ("first",), ("first", "x"), ()],
    }
    display = SuggestionDisplay(suggestions).plot()
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == [
        f"s:  … › x › [{'c' * 20}]",
        f"s:  [… › {'b' * 30}]",
        "s:  first › x › [c]",
        f"s:  [{'a' * 25}…{'a' * 24}]",
    ]
    plt.close("all")


def test_samples_of_broken_edges_have_their_names():
    y = pd.DataFrame({"mammal": [0, 1], "cat": [1, 1]}, index=["x", "y"])
    table = closure_report(y, Hierarchy.from_parents({"cat": "mammal"}))
    assert table["samples"].tolist() == [("x",)]


# -- errors ----------------------------------------------------------------------------


def test_wrong_arguments_are_refused():
    hierarchy = Hierarchy.build(ANIMALS, labels=["mammal", "cat", "dog", "tabby"])
    Y = np.array([[1, 1, 0, 0], [1, 0, 1, 0]])
    proba = Y * 0.5
    with pytest.raises(InvalidParameterError, match="aggregate"):
        find_label_issues(Y, proba, hierarchy, aggregate="max")
    with pytest.raises(InvalidParameterError, match="n_issues"):
        find_label_issues(Y, proba, hierarchy, n_issues=0)
    with pytest.raises(InvalidParameterError, match="max_samples"):
        closure_report(Y, hierarchy, max_samples=True)
    with pytest.raises(ValueError, match="NaN"):
        find_label_issues(Y, proba * np.nan, hierarchy)
    with pytest.raises(ValueError, match="one class per sample"):
        MissingAnnotationDetector(Given()).fit(proba, ["cat", "dog"])
    with pytest.raises(ValueError, match="have not seen them"):
        frozen = FrozenEstimator(Given().fit(proba, Y))
        MissingAnnotationDetector(frozen).fit(proba, Y)
    with pytest.raises(ValueError, match="no group"):
        MissingAnnotationDetector(Given(), hierarchy, cv=2).fit(
            proba, Y, groups=["a", None]
        )


def test_no_annotation_speaks_for_itself():
    rng = np.random.default_rng(0)
    proba = rng.random((80, 6))
    hierarchy = Hierarchy.flat(list("abcdef"))
    Y = (rng.random((80, 6)) < 0.3).astype(float)
    folds = np.arange(80) % 4
    for row, label in [(0, 0), (13, 3), (50, 5)]:
        said = []
        for value in (0, 1):
            changed = Y.copy()
            changed[row, label] = value
            given = given_others(proba, changed, hierarchy, folds)
            said.append(given(slice(0, 80))[0])
        # what is left is that one more sample of 80 has the label
        assert abs(said[0][row, label] - said[1][row, label]) < 0.03

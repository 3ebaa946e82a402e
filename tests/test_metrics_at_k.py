"""Metrics of the k highest scores, against loops over samples and by hand."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import Hierarchy, MaxConstraintClassifier
from skhmc.coherence import close_upward
from skhmc.metrics import (
    HierarchicalScorer,
    _at_k,
    coverage_at_k_score,
    get_scorer,
    label_propensity,
    ndcg_at_k_score,
    precision_at_k_score,
    propensity_scored_precision_at_k_score,
    recall_at_k_score,
)
from tests.contract import task
from tests.fake_estimators import FakeHMC
from tests.hierarchies import hierarchies, random_labels

EDGES = [("root", "a"), ("root", "b"), ("a", "a1"), ("a", "a2")]
TREE = Hierarchy(["root", "a", "b", "a1", "a2"], EDGES)
# leaves are b, a1, a2
TRUE = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 1], [1, 1, 0, 0, 0]])
SCORES = np.array(
    [[1, 0.9, 0.8, 0.1, 0.7], [1, 0.9, 0.2, 0.8, 0.5], [1, 0.9, 0.6, 0.5, 0.4]]
)
PROPENSITY = {"root": 1.0, "a": 0.9, "b": 0.5, "a1": 0.25, "a2": 0.2}
METRICS = {
    "precision": precision_at_k_score,
    "recall": recall_at_k_score,
    "ndcg": ndcg_at_k_score,
    "coverage": coverage_at_k_score,
}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


def psp(y_true, y_score, propensity=PROPENSITY, **options):
    return propensity_scored_precision_at_k_score(
        y_true, y_score, propensity=propensity, **options
    )


def test_by_hand():
    at = partial(precision_at_k_score, TRUE, SCORES, hierarchy=TREE)
    # leaves, best first: b a2 a1 (true b a1); a1 a2 b (true a2); b a1 a2 (none true)
    assert at(k=1) == pytest.approx((1 + 0 + 0) / 3)
    assert at(k=2) == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert at(k=3) == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)
    assert at(k=9) == at(k=3)  # there are three leaves
    assert at(k=2, among="all") == 1
    options = {"hierarchy": TREE, "k": 2}
    # the third row has no leaf: skipped
    assert recall_at_k_score(TRUE, SCORES, **options) == pytest.approx((1 / 2 + 1) / 2)
    second = 1 / np.log2(3)
    expected = (1 / (1 + second) + second / 1) / 2
    assert ndcg_at_k_score(TRUE, SCORES, **options) == pytest.approx(expected)
    # b and a2 are found, a1 is not
    assert coverage_at_k_score(TRUE, SCORES, **options) == pytest.approx(2 / 3)
    # gained: b, then a2; at most: b and a1, then a2
    expected = (2 + 5) / (2 + 4 + 5)
    assert psp(TRUE, SCORES, **options) == pytest.approx(expected)
    assert psp(TRUE, SCORES, hierarchy=TREE, k=1) == pytest.approx(2 / (4 + 5))


def test_propensities_by_hand():
    found = label_propensity(TRUE, hierarchy=TREE)
    for label, count in zip(TREE.labels, (3, 3, 1, 1, 1), strict=True):
        C = (np.log(3) - 1) * 2.5**0.55
        expected = 1 / (1 + C * np.exp(-0.55 * np.log(count + 1.5)))
        assert found[label] == pytest.approx(expected)
    unknown = TRUE.astype(float)
    unknown[:, 2] = np.nan
    assert label_propensity(unknown, hierarchy=TREE)["b"] < found["b"]
    with pytest.raises(ValueError, match="3 training samples at least, got 2"):
        label_propensity(TRUE[:2])
    with pytest.raises(ValueError, match="B must be a number above 0, got 0"):
        label_propensity(TRUE, B=0)


def oracle(T, S, depth, counting, k, weights, inverse):
    """The metrics, sample by sample. S may hold None: not predicted."""
    rows = {name: [] for name in METRICS}
    gained = most = 0.0
    found, there = set(), set()
    for t, s, w in zip(T, S, weights, strict=True):
        known = [j for j in counting if not np.isnan(t[j])]
        best = sorted(
            (j for j in known if s[j] is not None), key=lambda j: (-s[j], depth[j], j)
        )
        places = min(k, len(known))
        top = best[:places]
        true = {j for j in known if t[j] == 1}
        hits = [j for j in top if j in true]
        if w == 0:
            continue
        if places:
            rows["precision"].append((len(hits) / places, w))
        if true:
            rows["recall"].append((len(hits) / len(true), w))
            gain = sum(1 / np.log2(i + 2) for i, j in enumerate(top) if j in true)
            ideal = sum(1 / np.log2(i + 2) for i in range(min(k, len(true))))
            rows["ndcg"].append((gain / ideal, w))
        found |= set(hits)
        there |= true
        gained += w * sum(inverse[j] for j in hits)
        most += w * sum(sorted((inverse[j] for j in true), reverse=True)[:k])
    values = dict.fromkeys(METRICS, np.nan)
    for name, pairs in rows.items():
        if pairs:
            ratios, its_weights = zip(*pairs, strict=True)
            values[name] = np.average(ratios, weights=its_weights)
    values["coverage"] = len(found) / len(there) if there else np.nan
    values["psp"] = gained / most if most else np.nan
    return values


@random_labels
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@settings(max_examples=40, deadline=None)
@given(
    hierarchies(),
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.sampled_from(["leaves", "all"]),
    st.booleans(),
    st.booleans(),
)
def test_against_loops(h, seed, k, among, unknown, weighted):
    rng = np.random.default_rng(seed)
    T = (rng.random((6, h.n_labels)) < 0.3).astype(float)
    S = rng.integers(-3, 4, T.shape) / 3
    S[rng.random(S.shape) < 0.1] = -np.inf
    if unknown:
        T[rng.random(T.shape) < 0.3] = np.nan
    weights = rng.integers(0, 3, 6) + np.eye(6)[0] if weighted else None
    w = np.ones(6) if weights is None else weights
    closed = close_upward(T, h)
    counting = h.leaves if among == "leaves" else range(h.n_labels)
    propensity = rng.uniform(0.1, 1, h.n_labels)
    every = {**METRICS, "psp": partial(psp, propensity=propensity)}
    options = {"hierarchy": h, "k": k, "among": among, "sample_weight": weights}
    depth = h.depth
    expected = oracle(closed, S, depth, counting, k, w, 1 / propensity)
    # a sparse matrix stores some cells; the others are not predicted
    stored = rng.random(S.shape) < 0.5
    part = np.where(stored & np.isfinite(S), S, None)
    rows, columns = np.nonzero(part != None)  # noqa: E711
    values = part[rows, columns].astype(float)
    sparse = sp.csr_matrix((values, (rows, columns)), S.shape)
    expected_part = oracle(closed, part, depth, counting, k, w, 1 / propensity)
    order = np.lexsort((np.arange(h.n_labels) * np.ones(S.shape), -S), axis=1)
    pair = order, np.take_along_axis(S, order, axis=1)
    for name, metric in every.items():
        for true in (T, sp.csr_matrix(T)):
            found = metric(true, S, **options)
            np.testing.assert_allclose(found, expected[name], err_msg=name)
            found = metric(true, sparse, **options)
            np.testing.assert_allclose(found, expected_part[name], err_msg=name)
        found = metric(T, pair, **options)
        np.testing.assert_allclose(found, expected[name], err_msg=name)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    T, S = rng.integers(0, 2, (20, 30)), rng.random((20, 30))
    whole = precision_at_k_score(T, S)
    monkeypatch.setattr(_at_k, "CELLS_PER_BLOCK", 50)
    assert precision_at_k_score(T, S) == whole


@every_metric
def test_pairs_follow_the_labels_by_name(metric):
    """Positions are those of the hierarchy that is given, names their own."""
    frame = pd.DataFrame(TRUE, columns=TREE.labels)[["a2", "b", "root", "a1", "a"]]
    leaves = np.array([[2, 4, 3], [3, 4, 2], [2, 3, 4]])
    pair = leaves, np.take_along_axis(SCORES, leaves, axis=1)
    names = [[TREE.labels[j] for j in row] for row in leaves.tolist()]
    options = {"hierarchy": TREE, "k": 2}
    expected = metric(TRUE, SCORES, **options)
    sets = [["b", "a1"], ["a2"], ["a"]]
    for true in (TRUE, frame, sets):
        for scores in (pair, (names, pair[1].tolist())):
            assert metric(true, scores, **options) == expected
    assert metric(frame, (names, pair[1]), hierarchy=EDGES, k=2) == expected
    with pytest.raises(ValueError, match=r"no order of the positions.*clf\.hierarchy_"):
        metric(frame, pair, hierarchy=EDGES, k=2)
    flat = frame[["a2", "b", "a1"]]
    pair = np.array([[1, 0], [2, 0], [1, 2]]), np.array([[0.8, 0.7]] * 3)
    assert metric(flat, pair, k=2) == expected  # positions in the columns


def test_pairs_have_to_hold_enough_known_labels():
    pair = np.array([[2, 4], [3, 4], [2, 3]]), np.array([[0.9, 0.8]] * 3)
    at = partial(precision_at_k_score, hierarchy=TREE)
    assert at(TRUE, pair, k=2) == at(TRUE, SCORES, k=2)
    with pytest.raises(ValueError, match="holds 2 known leaves.*row 0, expected 3"):
        at(TRUE, pair, k=3)
    with pytest.raises(ValueError, match="holds 1 known leaves that count in row 0"):
        at(TRUE, pair, k=2, exclude=["b"])
    unknown = TRUE.astype(float)
    unknown[1, 4] = np.nan
    assert at(unknown, pair, k=1) == at(unknown, SCORES, k=1)
    with pytest.raises(ValueError, match="row 1, expected 2. Pass predict_top_k"):
        at(unknown, pair, k=2)


def test_a_hundred_thousand_labels_are_never_dense():
    rng = np.random.default_rng(0)
    n_samples, n_labels = 20_000, 100_000  # dense: 2 * 10**9 cells
    columns = rng.integers(n_labels, size=(n_samples, 3))
    starts = np.arange(0, 3 * n_samples + 1, 3)
    Y = sp.csr_matrix(
        (np.ones(3 * n_samples), columns.ravel(), starts), (n_samples, n_labels)
    )
    Y.sum_duplicates()
    Y.data[:] = 1
    other = (columns[:, :1] + 1) % n_labels
    pair = np.hstack([columns[:, :1], other]), np.array([[0.9, 0.8]] * n_samples)
    assert precision_at_k_score(Y, pair, k=1) == 1
    assert psp(Y, pair, propensity=label_propensity(Y), k=1) > 0.5
    scores = sp.csr_matrix(Y, dtype=np.float32)
    assert recall_at_k_score(Y, scores, k=3) == 1


@every_metric
def test_nothing_that_counts_is_nan(metric):
    none = np.array([[1, 1, 0, 0, 0]])
    if metric is precision_at_k_score:
        assert metric(none, SCORES[:1], hierarchy=TREE) == 0
        none = np.full((1, 5), np.nan)
    with pytest.warns(UndefinedMetricWarning, match="No sample has labels that count"):
        assert np.isnan(metric(none, SCORES[:1], hierarchy=TREE))


@pytest.mark.parametrize(
    "scores, options, message",
    [
        (SCORES, {"k": 0}, "k must be an integer of at least 1, got 0"),
        (SCORES, {"k": True}, "got True"),
        (SCORES, {"k": 1.0}, "got 1.0"),
        (SCORES, {"among": "leafs"}, "among must be one of .* got 'leafs'"),
        (SCORES, {"exclude": ["b", "a1", "a2"]}, "none of the 3 leaves"),
        (np.full((3, 5), np.nan), {}, "y_score holds NaN"),
        (sp.csr_matrix(np.full((3, 5), np.nan)), {}, "NaN, .* every stored cell"),
        ((SCORES, SCORES), {}, "columns in y_score must be an array of int"),
        ((TRUE[:, :0] + 0, SCORES), {}, r"shapes \(3, 0\) and \(3, 5\)"),
        ((np.full((3, 1), 5), SCORES[:, :1]), {}, "number labels from 5 to 5"),
        ((np.full((3, 2), 3), SCORES[:, :2]), {}, "holds a label twice in row 0"),
        ((np.full((2, 1), 3), SCORES[:2, :1]), {}, "2 samples, but y_true has 3"),
        ((np.full((3, 1), 3), SCORES[:, :1] * np.nan), {}, "expected a score for eve"),
        (([["b"], ["c"], ["b"]], SCORES[:, :1]), {}, "does not have: 'c'"),
        (([["b"], [], ["b"]], SCORES[:, :1]), {}, "0 to 1 names.* CSR matrix"),
        ((TRUE, SCORES, SCORES), {}, "tuple of 3"),
        (([0.1, 0.2], [0.3, 0.4]), {}, "neither an array nor lists of label names"),
    ],
)
def test_messages(scores, options, message):
    with pytest.raises(ValueError, match=message):
        precision_at_k_score(TRUE, scores, hierarchy=TREE, **options)


@pytest.mark.parametrize(
    "propensity, message",
    [
        ({"a": 0.5}, "propensity lacks labels: 'root', 'b'"),
        ([0.5], r"one number for each of 5 labels, got shape \(1,\)"),
        ([1, 1, 0, 1, 1], "propensity of 'b' is 0, expected above 0"),
        ([1, 1, 1, 1, np.nan], "propensity of 'a2' is nan"),
        ([1, 1, 1, 1, 2.0], "propensity of 'a2' is 2.0"),
    ],
)
def test_messages_of_propensities(propensity, message):
    with pytest.raises(ValueError, match=message):
        psp(TRUE, SCORES, propensity, hierarchy=TREE)


# -- scorers ---------------------------------------------------------------------------


def fitted():
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(
        hierarchy, hidden_layer_sizes=(4,), max_iter=2, random_state=0
    )
    return clf.fit(X, Y), np.asarray(X), np.asarray(Y)


def no_scores(self, X):
    raise AssertionError("scores of all labels were asked for")


def test_scorers_ask_for_the_top_labels_alone(monkeypatch):
    clf, X, Y = fitted()
    h = clf.hierarchy_
    scores = clf.predict_proba(X)
    same = StandardScaler(with_mean=False, with_std=False).fit(X)
    pipeline = make_pipeline(same, clf)
    frame = pd.DataFrame(Y, columns=clf.label_names_).iloc[:, ::-1]
    unknown = Y.astype(float)
    unknown[::2, h.leaves[0]] = np.nan
    at = {
        "precision_at_1": partial(precision_at_k_score, k=1),
        "recall_at_5": recall_at_k_score,
        "ndcg_at_5": ndcg_at_k_score,
    }
    expected = {
        (name, known): metric(true, scores, hierarchy=h)
        for name, metric in at.items()
        for known, true in ((True, Y), (False, unknown))
    }
    everywhere = HierarchicalScorer(precision_at_k_score, k=2, among="all")
    dense = precision_at_k_score(Y, scores, k=2, hierarchy=h, among="all")
    monkeypatch.setattr(MaxConstraintClassifier, "predict_proba", no_scores)
    for name in at:
        scorer = get_scorer(name)
        for model in (clf, pipeline):
            for true in (Y, sp.csr_matrix(Y)):
                assert scorer(model, X, true) == pytest.approx(expected[name, True])
            found = scorer(model, X, unknown)
            assert found == pytest.approx(expected[name, False])
            found = scorer(model, X, sp.csr_matrix(unknown))
            assert found == pytest.approx(expected[name, False])
    assert everywhere(clf, X, Y) == pytest.approx(dense)
    with pytest.raises(AssertionError, match="scores of all labels"):
        get_scorer("au_prc")(clf, X, Y)
    monkeypatch.undo()
    # what has other columns, another hierarchy or excluded labels is scored by name
    for scorer, true in [
        (HierarchicalScorer(precision_at_k_score, k=1), frame),
        (HierarchicalScorer(precision_at_k_score, h, k=1), Y),
        (HierarchicalScorer(precision_at_k_score, k=1, exclude="roots"), Y),
    ]:
        found = scorer(clf, X, true)
        options = {"hierarchy": h, "k": 1, **scorer.kwargs}
        assert found == pytest.approx(precision_at_k_score(Y, scores, **options))


def test_scorers_in_searches_and_without_predict_top_k():
    X = np.random.default_rng(0).normal(size=(30, 4))
    Y = close_upward((X @ np.eye(4, 5) > 0.5).astype(int), TREE)
    search = GridSearchCV(
        FakeHMC(TREE),
        {"alpha": [0.1, 1.0]},
        scoring=get_scorer("precision_at_1"),
        cv=KFold(2),
        error_score="raise",
    ).fit(X, Y)
    expected = precision_at_k_score(Y, search.predict_proba(X), k=1, hierarchy=TREE)
    assert search.score(X, Y) == expected

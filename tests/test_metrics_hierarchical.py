import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as skm

from skhmc import Hierarchy
from skhmc.coherence import close_upward
from skhmc.metrics import (
    hierarchical_f1_score,
    hierarchical_fbeta_score,
    hierarchical_precision_score,
    hierarchical_recall_score,
)
from tests.hierarchies import hierarchies, random_labels

SEEDS = st.integers(0, 2**32 - 1)
AVERAGES = ["micro", "samples", "macro"]
NAMES = ["r", "a", "b", "a1", "a2", "b1"]
TREE = Hierarchy(NAMES, [("r", "a"), ("r", "b"), ("a", "a1"), ("a", "a2"), ("b", "b1")])


def one_hot(*names):
    return np.array([[int(label == name) for label in NAMES] for name in names])


PAIRS = [
    (hierarchical_precision_score, skm.precision_score, {}),
    (hierarchical_recall_score, skm.recall_score, {}),
    (hierarchical_f1_score, skm.f1_score, {}),
    (hierarchical_fbeta_score, skm.fbeta_score, {"beta": 0.5}),
    (hierarchical_fbeta_score, skm.fbeta_score, {"beta": 2.0}),
]


def test_by_hand():
    true = one_hot("a1", "b")  # closed: r a a1 and r b
    pred = one_hot("a2", "b1")  # closed: r a a2 and r b b1
    # |P & T| = 2 + 2, |P| = 3 + 3, |T| = 3 + 2
    assert hierarchical_precision_score(true, pred, TREE) == pytest.approx(4 / 6)
    assert hierarchical_recall_score(true, pred, TREE) == pytest.approx(4 / 5)
    assert hierarchical_f1_score(true, pred, TREE) == pytest.approx(8 / 11)
    # without the root: 1 + 1, 2 + 2, 2 + 1
    options = {"exclude": "roots"}
    assert hierarchical_precision_score(true, pred, TREE, **options) == 2 / 4
    assert hierarchical_recall_score(true, pred, TREE, **options) == 2 / 3
    assert hierarchical_f1_score(true, pred, TREE, exclude=["r"]) == pytest.approx(
        4 / 7
    )
    # samples: 2/3 and 2/3; 2/3 and 2/2
    options = {"average": "samples"}
    assert hierarchical_precision_score(true, pred, TREE, **options) == 2 / 3
    assert hierarchical_recall_score(true, pred, TREE, **options) == pytest.approx(
        5 / 6
    )
    # macro: r, a, b are right, a1, a2, b1 are not
    assert hierarchical_f1_score(true, pred, TREE, average="macro") == 3 / 6


def test_kiritchenko_prefers_the_near_miss():
    true = one_hot("a1")
    near, far = one_hot("a2"), one_hot("b1")
    assert hierarchical_f1_score(true, near, TREE) > hierarchical_f1_score(
        true, far, TREE
    )


@random_labels
@settings(max_examples=60, deadline=None)
@given(
    hierarchies(),
    SEEDS,
    st.sampled_from(PAIRS),
    st.sampled_from(AVERAGES),
    st.sampled_from([0.0, 1.0, np.nan]),
    st.booleans(),
)
def test_against_scikit_learn(h, seed, pair, average, zero_division, weighted):
    ours, theirs, options = pair
    rng = np.random.default_rng(seed)
    T, P = (rng.random((2, 7, h.n_labels)) < 0.25).astype(int)
    options = {**options, "average": average, "zero_division": zero_division}
    if weighted:
        options["sample_weight"] = rng.integers(0, 3, 7) + [1, 0, 0, 0, 0, 0, 0]
    got = ours(T, P, h, **options)
    expected = np.array([close_upward(T, h), close_upward(P, h)])
    if h.n_labels == 1:  # scikit-learn takes one column for a binary problem
        expected = np.concatenate([expected, expected * 0], axis=2)
        h = Hierarchy.flat(2)
        got = ours(*expected, h, **options)
    expected = theirs(*expected, **options)
    np.testing.assert_allclose(got, expected, atol=1e-12)


@random_labels
@settings(max_examples=40, deadline=None)
@given(hierarchies(), SEEDS, st.sampled_from(AVERAGES))
def test_properties(h, seed, average):
    rng = np.random.default_rng(seed)
    T, P = rng.integers(0, 2, (2, 6, h.n_labels))
    options = {"average": average}
    score = hierarchical_f1_score(T, P, h, **options)
    assert 0 <= score <= 1
    perfect = hierarchical_f1_score(T, T, h, zero_division=1, **options)
    assert perfect == pytest.approx(1)
    for kind in (sp.csr_matrix, sp.csc_array, lambda Y: Y.astype(bool).tolist()):
        assert hierarchical_f1_score(kind(T), kind(P), h, **options) == score
    assert hierarchical_f1_score(
        close_upward(T, h), close_upward(P, h), h, close=False, **options
    ) == pytest.approx(score)
    order = rng.permutation(h.n_labels)
    columns = [f"l{i}" for i in h.labels]
    edges = [(columns[p], columns[c]) for p, c in h.edges]
    true, pred = (pd.DataFrame(Y, columns=columns) for Y in (T, P))
    pred = pred.iloc[:, order]
    assert hierarchical_f1_score(true, pred, edges, **options) == pytest.approx(score)
    # an array stands in the order of the DataFrame beside it
    moved = true.iloc[:, order]
    mixed = hierarchical_f1_score(moved, P[:, order], edges, **options)
    assert mixed == pytest.approx(score)


@random_labels
@settings(max_examples=40, deadline=None)
@given(hierarchies(), SEEDS, st.sampled_from(AVERAGES))
def test_unknown_cells_do_not_count(h, seed, average):
    rng = np.random.default_rng(seed)
    T = rng.integers(0, 2, (6, h.n_labels)).astype(float)
    P = rng.integers(0, 2, T.shape)
    T[rng.random(T.shape) < 0.4] = np.nan
    T[0] = np.nan  # a sample of which nothing is known
    closed, pred = close_upward(T, h), close_upward(P, h)
    known = ~np.isnan(closed)
    both, P_, T_ = (pred == 1) & (closed == 1), (pred == 1) & known, closed == 1
    axis = {"micro": None, "samples": 1, "macro": 0}[average]
    num, den = 2 * both.sum(axis), P_.sum(axis) + T_.sum(axis)
    ratio = np.where(den > 0, num / np.maximum(den, 1), 0)
    any_known = known.any(axis) if axis is not None else np.array(True)
    expected = np.sum(ratio * any_known) / max(np.sum(any_known), 1)
    got = hierarchical_f1_score(T, P, h, average=average)
    assert got == pytest.approx(expected)
    sparse = hierarchical_f1_score(
        sp.csr_matrix(T), sp.csr_matrix(P), h, average=average
    )
    assert sparse == pytest.approx(got)


def test_unknown_by_hand():
    true = np.array([[1, 1, np.nan, 1, 0, np.nan]])  # b and b1 are unknown
    pred = np.array([[1, 1, 1, 0, 0, 1]])
    assert hierarchical_precision_score(true, pred, TREE) == 1.0  # r and a
    assert hierarchical_recall_score(true, pred, TREE) == 2 / 3  # of r, a and a1


def test_missing_values_of_pandas_are_unknown():
    true = pd.DataFrame([[1, None], [0, 1]], columns=["p", "c"], dtype="Int64")
    pred = pd.DataFrame([[1, 1], [1, 0]], columns=["p", "c"])
    # known: p and c of the second are 1; of the first p is 1, c unknown
    assert hierarchical_recall_score(true, pred, [("p", "c")]) == 2 / 3


def test_weights_are_repetitions_and_beta_limits():
    rng = np.random.default_rng(0)
    T, P = rng.integers(0, 2, (2, 8, 6))
    counts = rng.integers(0, 4, 8)
    for average in AVERAGES:
        options = {"average": average}
        weighted = hierarchical_f1_score(T, P, TREE, sample_weight=counts, **options)
        repeated = (np.repeat(Y, counts, axis=0) for Y in (T, P))
        assert weighted == pytest.approx(
            hierarchical_f1_score(*repeated, TREE, **options)
        )
        limits = [
            hierarchical_fbeta_score(T, P, TREE, beta=beta, **options)
            for beta in (0, float("inf"))
        ]
        assert limits == [
            hierarchical_precision_score(T, P, TREE, **options),
            hierarchical_recall_score(T, P, TREE, **options),
        ]
        none = hierarchical_f1_score(T[:0], P[:0], TREE, **options)
        assert none == 0


Z = np.zeros((2, 6))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((Z, Z, {"average": "weighted"}), "average must be one of .*got 'weighted'"),
        ((Z, Z, {"zero_division": 2}), "zero_division must be 0, 1 or NaN, got 2"),
        ((Z, Z[:1], {}), "y_pred has 1 samples, but y_true has 2"),
        ((Z + 2, Z, {}), "y_true must hold 0 and 1, or NaN for unknown, got .* 2.0"),
        ((Z, Z * np.nan, {}), "y_pred must hold 0 and 1, got the value nan"),
        ((Z, Z, {"sample_weight": [1]}), r"sample_weight of shape \(2,\).* got \(1,\)"),
        ((Z, Z, {"sample_weight": [1, -1]}), r"at least 0, got -1.0 at \(1,\)"),
        ((Z, Z, {"exclude": ["x"]}), "exclude names labels .* 'x'"),
    ],
)
def test_messages(arguments, message):
    y_true, y_pred, options = arguments
    with pytest.raises(ValueError, match=message):
        hierarchical_f1_score(y_true, y_pred, TREE, **options)


def test_messages_of_beta_and_columns():
    with pytest.raises(ValueError, match="beta must be a number .* got -1"):
        hierarchical_fbeta_score(Z, Z, TREE, beta=-1)
    true = pd.DataFrame(Z, columns=NAMES)
    with pytest.raises(ValueError, match="columns of y_pred .*in y_pred: 'x'.*: 'b1'"):
        pred = true.rename(columns={"b1": "x"})
        hierarchical_f1_score(true, pred, TREE)

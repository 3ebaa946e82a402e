import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score

from skhmc import Hierarchy
from skhmc.coherence import close_upward
from skhmc.metrics import _ranking, au_prc_score
from tests.hierarchies import hierarchies, random_labels

SEEDS = st.integers(0, 2**32 - 1)
AVERAGES = ["micro", "macro", "weighted"]


def quiet(*args, **kwargs):
    """AU(PRC) without the warning about skipped labels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return au_prc_score(*args, **kwargs)


def oracle(T, S, average, weights):
    """Scikit-learn's average precision, cell by cell, over the known cells."""
    weights = np.ones(len(T)) if weights is None else weights
    known = ~np.isnan(T)
    cell_weights = np.broadcast_to(weights[:, None], T.shape)
    if average == "micro":
        chosen = known
        if not (T[chosen] * cell_weights[chosen]).sum():
            return np.nan
        return average_precision_score(
            T[chosen], S[chosen], sample_weight=cell_weights[chosen]
        )
    areas, support = [], []
    for j in range(T.shape[1]):
        k = known[:, j]
        positives = (T[k, j] * weights[k]).sum()
        if positives:
            support.append(positives)
            areas.append(
                average_precision_score(T[k, j], S[k, j], sample_weight=weights[k])
            )
    if not areas:
        return np.nan
    return np.average(areas, weights=support if average == "weighted" else None)


def test_by_hand():
    chain = Hierarchy.from_edges([(0, 1)])
    true = [[0, 1], [1, 0], [0, 0]]  # closed: both; the first label; none
    score = [[0.9, 0.4], [0.6, 0.8], [0.5, 0.1]]
    # pooled, descending: .9+ .8- .6+ .5- .4+ .1-
    micro = (1 / 1 + 2 / 3 + 3 / 5) / 3
    assert au_prc_score(true, score, hierarchy=chain) == pytest.approx(micro)
    # label 0: .9+ .6+ .5-; label 1: .8- .4+ .1-
    macro = au_prc_score(true, score, hierarchy=chain, average="macro")
    assert macro == pytest.approx((1 + 1 / 2) / 2)
    weighted = au_prc_score(true, score, hierarchy=chain, average="weighted")
    assert weighted == pytest.approx((2 * 1 + 1 / 2) / 3)
    # without closing, .9 is negative: .8- .6+ .5- .4+
    flat = au_prc_score(true, score)
    assert flat == pytest.approx((1 / 3 + 2 / 5) / 2)
    assert au_prc_score(true, score, hierarchy=chain, close=False) == flat


def test_ties_are_one_step():
    # both cells score the same: one threshold, precision 1/2
    assert au_prc_score([[1, 0]], [[0.5, 0.5]]) == 0.5


@random_labels
@settings(max_examples=60, deadline=None)
@given(hierarchies(), SEEDS, st.sampled_from(AVERAGES), st.booleans(), st.booleans())
def test_against_scikit_learn(h, seed, average, unknown, weighted):
    rng = np.random.default_rng(seed)
    T = (rng.random((9, h.n_labels)) < 0.3).astype(float)
    S = rng.integers(-5, 6, T.shape) / 5
    if unknown:
        T[rng.random(T.shape) < 0.3] = np.nan
    weights = rng.integers(0, 3, 9) + np.eye(9)[0] if weighted else None
    expected = oracle(close_upward(T, h), S, average, weights)
    options = {"hierarchy": h, "average": average, "sample_weight": weights}
    got = quiet(T, S, **options)
    np.testing.assert_allclose(got, expected, atol=1e-12)
    np.testing.assert_equal(quiet(sp.csr_matrix(T), S, **options), got)
    np.testing.assert_equal(quiet(T, (S * 5).astype(int), **options), got)


@random_labels
@settings(max_examples=30, deadline=None)
@given(hierarchies(), SEEDS, st.sampled_from(AVERAGES))
def test_properties(h, seed, average):
    rng = np.random.default_rng(seed)
    T, S = rng.integers(0, 2, (6, h.n_labels)), rng.random((6, h.n_labels))
    T[0] = 1
    perfect = close_upward(T, h)
    options = {"average": average}
    assert quiet(T, perfect, hierarchy=h, **options) == pytest.approx(1)
    score = quiet(T, S, hierarchy=h, **options)
    assert 0 <= score <= 1
    logits = np.log(S / (1 - S)).astype(np.float64)
    assert quiet(T, logits, hierarchy=h, **options) == pytest.approx(score)
    order = rng.permutation(h.n_labels)
    columns = [f"l{i}" for i in h.labels]
    edges = [(columns[p], columns[c]) for p, c in h.edges]
    true, frame = (pd.DataFrame(Y, columns=columns) for Y in (T, S))
    frame = frame.iloc[:, order]
    assert quiet(true, frame, hierarchy=edges, **options) == pytest.approx(score)


def test_blocks_of_labels_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    T, S = rng.integers(0, 2, (20, 30)), rng.random((20, 30))
    whole = au_prc_score(T, S, average="macro")
    monkeypatch.setattr(_ranking, "CELLS_PER_BLOCK", 50)
    assert au_prc_score(T, S, average="macro") == whole


def test_a_sparse_truth_is_never_dense():
    Y = sp.random(400, 5000, 0.001, "csr", random_state=0)
    Y.data[:] = 1
    S = np.random.default_rng(0).random(Y.shape, dtype=np.float32)
    tracemalloc.start()
    found = au_prc_score(Y, S)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == au_prc_score(Y.toarray(), S)
    assert peak < 1.2 * S.nbytes  # the sorted scores


def test_exclude_by_name_and_by_position():
    rng = np.random.default_rng(0)
    T, S = rng.integers(0, 2, (20, 3)), rng.random((20, 3))
    h = Hierarchy(["root", "a", "b"], [("root", "a"), ("root", "b")])
    closed = close_upward(T, h)
    expected = average_precision_score(closed[:, 1:], S[:, 1:], average="micro")
    assert au_prc_score(T, S, hierarchy=h, exclude=["root"]) == pytest.approx(expected)
    assert au_prc_score(T, S, hierarchy=h, exclude="roots") == pytest.approx(expected)
    assert au_prc_score(closed, S, exclude=[0]) == pytest.approx(expected)


def test_labels_without_positives_are_skipped_and_counted():
    T = np.array([[1, 0, 0], [0, 0, np.nan], [1, 0, np.nan]])
    S = np.array([[0.9, 0.5, 0.5], [0.1, 0.5, 0.5], [0.8, 0.5, 0.5]])
    message = "2 of 3 labels have no positive .* skipped in the macro .*: 1, 2"
    with pytest.warns(UndefinedMetricWarning, match=message):
        assert au_prc_score(T, S, average="macro") == 1
    with pytest.warns(UndefinedMetricWarning, match="AU.PRC. is undefined: NaN"):
        assert np.isnan(au_prc_score(T[:, 1:], S[:, 1:]))


def test_minus_infinity_is_a_score():
    S = np.array([[0.5, -np.inf], [-np.inf, 1.0]])
    assert au_prc_score(np.eye(2), S) == 1 / 2 * (1 + 1)
    # +inf- first, then .5+, then both -inf (one +)
    S = np.array([[0.5, -np.inf], [-np.inf, np.inf]])
    expected = (1 / 2 + 2 / 4) / 2
    assert au_prc_score([[1, 0], [1, 0]], S) == pytest.approx(expected)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (([[1, 0]], [[1, 0]], {"average": "samples"}), ValueError, "average must be"),
        (([[1, 0]], [[1, np.nan]], {}), ValueError, "y_score holds NaN"),
        (([[1, 0]], sp.eye(2).tocsr()[:1], {}), TypeError, "must be a dense array"),
        (([[1, 0]], [[0.1, 0.2, 0.3]], {}), ValueError, "y_score has 3 columns, exp"),
        (([[1, 3]], [[0.1, 0.2]], {}), ValueError, "y_true must hold .* value 3"),
        (([[1, 0]], [[0.1, 0.2]], {"exclude": [2]}), ValueError, "does not have: 2"),
        (([1, 0], [0.1, 0.2], {}), ValueError, r"y_true must be .* got shape \(2,\)"),
    ],
)
def test_messages(arguments, error, message):
    y_true, y_score, options = arguments
    with pytest.raises(error, match=message):
        au_prc_score(y_true, y_score, **options)

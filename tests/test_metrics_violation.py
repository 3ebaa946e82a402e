import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc.coherence import close_upward, max_constraint
from skhmc.metrics import hierarchical_violation_rate
from tests.hierarchies import hierarchies

UNITS = ["sample", "edge", "prediction"]
SEEDS = st.integers(0, 2**32 - 1)

#   a   b
#   |\ /|
#   c d e      d has the parents a and b; f is below d
#     |
#     f
NAMES = list("abcdef")
EDGES = [("a", "c"), ("a", "d"), ("b", "d"), ("b", "e"), ("d", "f")]
DAG = Hierarchy(NAMES, EDGES)
Y = np.array(
    [
        [1, 0, 1, 0, 0, 0],  # coherent
        [1, 0, 0, 1, 0, 0],  # d without its second parent b
        [0, 0, 1, 1, 1, 1],  # c, d (twice) and e lack parents; f has its parent
        [0, 0, 0, 0, 0, 0],  # nothing predicted
    ]
)


def naive_rate(broken_pair, predicted, hierarchy, unit, keep):
    """Double loop over samples and edges, as the definition reads."""
    n = len(predicted)
    pairs = [(i, p, c) for i in range(n) for p, c in hierarchy.edges]
    pairs = [(i, p, c) for i, p, c in pairs if keep[p] and keep[c]]
    broken = [(i, p, c) for i, p, c in pairs if broken_pair(i, p, c)]
    if unit == "sample":
        return len({i for i, _, _ in broken}) / n
    if unit == "edge":
        return len(broken) / len(pairs) if pairs else 0.0
    whole = {(i, c) for i, _, c in pairs if predicted[i, c]}
    return len({(i, c) for i, _, c in broken}) / len(whole) if whole else 0.0


@pytest.mark.parametrize(
    "unit, rate",
    [
        ("sample", 2 / 4),  # the second and the third
        ("edge", 5 / 20),  # 1 + 4 of 4 samples x 5 edges
        ("prediction", 4 / 6),  # d; c, d, e of c; d; c, d, e, f
    ],
)
def test_by_hand(unit, rate):
    assert hierarchical_violation_rate(Y, DAG, unit=unit) == rate


def test_any_parent_counts_and_each_sample_once():
    diamond = Hierarchy.from_edges([(0, 2), (1, 2)])
    assert hierarchical_violation_rate([[1, 0, 1]], diamond) == 1.0
    assert hierarchical_violation_rate([[0, 0, 1]], diamond) == 1.0
    assert hierarchical_violation_rate([[1, 1, 1]], diamond) == 0.0


def test_scores_by_hand():
    chain = Hierarchy.from_edges([(0, 1), (1, 2)])
    scores = [[0.5, 0.6, 0.1], [0.9, 0.5, 0.5], [0.2, 0.3, 0.9]]
    rates = {
        unit: hierarchical_violation_rate(None, chain, y_score=scores, unit=unit)
        for unit in UNITS
    }
    # edges broken: 1, 0, 2 of 2; labels below a parent: 2 per sample
    assert rates == {"sample": 2 / 3, "edge": 3 / 6, "prediction": 3 / 6}
    # 0.6 - 0.5 and 0.3 - 0.2 are within the tolerance, 0.9 - 0.3 is not
    loose = hierarchical_violation_rate(
        None, chain, y_score=scores, unit="edge", tol=0.15
    )
    assert loose == 1 / 6


def test_one_label_per_level_is_one_minus_the_share_of_consistent_paths():
    rng = np.random.default_rng(0)
    tree = Hierarchy.from_edges([(0, 2), (0, 3), (1, 4), (1, 5)])
    top, low = rng.integers(0, 2, 50), rng.integers(2, 6, 50)
    paths = np.zeros((50, 6), int)
    paths[np.arange(50), top] = paths[np.arange(50), low] = 1
    consistent = np.mean((low >= 4) == top)
    rate = hierarchical_violation_rate(paths, tree)
    assert rate == pytest.approx(1 - consistent)


@settings(max_examples=60, deadline=None)
@given(hierarchies(), SEEDS, st.sampled_from(UNITS), st.booleans())
def test_against_a_double_loop(hierarchy, seed, unit, without_roots):
    rng = np.random.default_rng(seed)
    Y = rng.integers(0, 2, (7, hierarchy.n_labels))
    scores = rng.integers(0, 5, Y.shape) / 4
    keep = np.ones(hierarchy.n_labels, bool)
    exclude = None
    if without_roots and hierarchy.depth.max():
        exclude = "roots"
        keep[hierarchy.roots] = False

    def predicted(i, p, c):
        return Y[i, c] == 1 and Y[i, p] == 0

    def scored(i, p, c):
        return scores[i, c] > scores[i, p] + 0.25

    options = {"unit": unit, "exclude": exclude}
    got = hierarchical_violation_rate(Y, hierarchy, **options)
    assert got == pytest.approx(naive_rate(predicted, Y, hierarchy, unit, keep))
    sparse = hierarchical_violation_rate(sp.csr_matrix(Y), hierarchy, **options)
    assert sparse == got
    got = hierarchical_violation_rate(
        None, hierarchy, y_score=scores, tol=0.25, **options
    )
    every = np.ones_like(Y)
    assert got == pytest.approx(naive_rate(scored, every, hierarchy, unit, keep))


@settings(max_examples=30, deadline=None)
@given(hierarchies(), SEEDS, st.sampled_from(UNITS))
def test_coherent_is_zero_and_the_order_of_labels_does_not_matter(h, seed, unit):
    rng = np.random.default_rng(seed)
    Y, scores = rng.integers(0, 2, (6, h.n_labels)), rng.random((6, h.n_labels))
    assert hierarchical_violation_rate(close_upward(Y, h), h, unit=unit) == 0
    assert hierarchical_violation_rate(np.zeros_like(Y), h, unit=unit) == 0
    coherent = max_constraint(scores, h)
    assert hierarchical_violation_rate(None, h, y_score=coherent, unit=unit) == 0
    order = rng.permutation(h.n_labels)
    named = Hierarchy(
        [f"l{i}" for i in h.labels], [[f"l{i}" for i in e] for e in h_edges(h)]
    )
    moved = named.subset([named.labels[i] for i in order])
    before = hierarchical_violation_rate(Y, named, unit=unit)
    assert hierarchical_violation_rate(Y[:, order], moved, unit=unit) == before


def h_edges(hierarchy):
    return [(hierarchy.labels[p], hierarchy.labels[c]) for p, c in hierarchy.edges]


def test_columns_of_frames_are_matched_by_name():
    frame = pd.DataFrame(Y, columns=NAMES)[list("fdbeca")]
    for unit in UNITS:
        expected = hierarchical_violation_rate(Y, DAG, unit=unit)
        assert hierarchical_violation_rate(frame, DAG, unit=unit) == expected
        assert hierarchical_violation_rate(frame, EDGES, unit=unit) == expected
        scored = hierarchical_violation_rate(None, DAG, y_score=frame, unit=unit)
        assert scored == hierarchical_violation_rate(None, DAG, y_score=Y, unit=unit)


def test_integer_labels_number_the_columns():
    # 3 is in no edge; the hierarchy lists 2 before 0
    assert hierarchical_violation_rate([[0, 1, 1, 0]], [(2, 0), (0, 1)]) == 1.0
    assert hierarchical_violation_rate([[1, 1, 1, 1]], [(2, 0), (0, 1)]) == 0.0
    # but the columns stand in the order of a Hierarchy: here 2, 0, 1
    assert hierarchical_violation_rate([[0, 1, 1]], Hierarchy([2, 0, 1], [(2, 1)])) == 1


def test_exclude_names():
    rate = hierarchical_violation_rate(Y, DAG, unit="edge", exclude=["b", "c"])
    assert rate == 1 / 8  # of a -> d and d -> f only a -> d in the third sample


def test_nothing_to_violate():
    flat = Hierarchy.flat(3)
    for unit in UNITS:
        assert hierarchical_violation_rate(np.ones((2, 3)), flat, unit=unit) == 0
        assert hierarchical_violation_rate(np.ones((0, 6)), DAG, unit=unit) == 0
    assert hierarchical_violation_rate(Y[3:], DAG, unit="prediction") == 0


def test_inputs_are_left_alone():
    sparse = sp.csr_matrix(Y)
    sparse.data[0] = 0  # a stored zero
    data = sparse.data.copy()
    rate = hierarchical_violation_rate(sparse, DAG, unit="edge")
    assert rate == hierarchical_violation_rate(sparse.toarray(), DAG, unit="edge")
    np.testing.assert_array_equal(sparse.data, data)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((Y, DAG, {"unit": "row"}), "unit must be one of .*got 'row'"),
        ((Y, DAG, {"y_score": Y}), "one of y_pred .* got both"),
        ((None, DAG, {}), "one of y_pred .* got neither"),
        ((Y, DAG, {"tol": -1}), "tol must be a number .* got -1"),
        ((Y, DAG, {"tol": None}), "tol must be a number .* got None"),
        ((Y / 2, DAG, {}), "y_pred must hold 0 and 1, got the value 0.5. Apply a thr"),
        ((Y * np.nan, DAG, {}), "y_pred must hold 0 and 1, got the value nan"),
        ((None, DAG, {"y_score": Y * np.nan}), "y_score holds NaN"),
        ((Y[:, :4], DAG, {}), "y_pred has 4 columns, expected 6.*'a', 'b'"),
        ((Y[0], DAG, {}), r"y_pred must be .* got shape \(6,\)"),
        (([["a"], ["a", "z"]], DAG, {}), "y_pred holds labels .* does not have: 'z'"),
        (([[["a"]], [["a"]]], DAG, {}), "y_pred must be .*HierarchicalLabelBinarizer"),
        ((Y, EDGES, {}), "columns have no names, so their order is unknown"),
        ((Y, DAG, {"exclude": "a"}), r"exclude must be .* got 'a'.*pass \['a'\]"),
        ((Y, DAG, {"exclude": ["z"]}), "does not have: 'z'. It has 'a', 'b'"),
        ((Y, DAG, {"exclude": Y[0] > 2}), "does not have: False"),
        ((Y, DAG, {"exclude": NAMES}), "leaves none of the 6 labels"),
        (
            (pd.DataFrame(Y, columns=[*"uvwxyz"]), DAG, {}),
            "Only in Y: 'u', 'v', 'w'.*Only in the hierarchy: 'a'",
        ),
    ],
)
def test_messages(arguments, message):
    y_pred, hierarchy, options = arguments
    with pytest.raises(ValueError, match=message):
        hierarchical_violation_rate(y_pred, hierarchy, **options)


def test_sparse_scores_are_refused():
    with pytest.raises(TypeError, match="y_score must be a dense array"):
        hierarchical_violation_rate(None, DAG, y_score=sp.csr_matrix(Y))

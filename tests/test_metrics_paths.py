"""Measures of how far wrong labels are: by hand, and by naive loops."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc.coherence import close_upward
from skhmc.metrics import (
    au_prc_score,
    depth_weighted_hamming_loss,
    full_path_accuracy_score,
    h_loss,
    hierarchical_f1_score,
    lca_f1_score,
    lca_precision_score,
    lca_recall_score,
    tree_distance_loss,
    tree_inconsistency_error,
)
from tests.hierarchies import hierarchies, random_hierarchy, random_labels

SEEDS = st.integers(0, 2**32 - 1)
TREE = Hierarchy.from_paths(["a/b/c", "a/d", "e/f"])  # a a/b a/b/c a/d e e/f
LOSSES = [h_loss, tree_distance_loss, depth_weighted_hamming_loss]


def test_h_loss_by_hand():
    # a and e cost 1/2, a/b and a/d 1/4, a/b/c 1/4, e/f 1/2
    assert h_loss([["a/b/c"]], [["a/b"]], TREE) == 1 / 4
    assert h_loss([["a/b/c"]], [["a/d"]], TREE) == 1 / 2
    assert h_loss([["a/b/c"]], [["e/f"]], TREE) == 1  # nothing below a and e counts
    assert h_loss([["a/b/c"]], [["e/f"]], TREE, costs="uniform") == 2
    # the root is left out, so that its children are first
    assert h_loss([["a/b/c"]], [[]], TREE, exclude="roots") == 1 / 4
    weights = {"sample_weight": [3, 1]}
    pairs = [["a/b/c"], ["a"]], [["a/b/c"], ["e"]]
    assert h_loss(*pairs, TREE, **weights) == 1 / 4
    with pytest.raises(ValueError, match="costs must be one of .* got 'depth'"):
        h_loss([["a"]], [["e"]], TREE, costs="depth")


def test_distances_by_hand():
    for true, predicted, edges in [
        ("a/b/c", "a/b/c", 0),
        ("a/b/c", "a", 2),
        ("a/b/c", "a/d", 3),
        ("a/d", "e/f", 4),  # up to a, to the node above, to e, to e/f
    ]:
        assert tree_distance_loss([[true]], [[predicted]], TREE) == edges
    # weights by depth: 3 (a, e), 2 (a/b, a/d, e/f), 1 (a/b/c): 13 in all
    found = depth_weighted_hamming_loss([["a/b/c"]], [["a/d"]], TREE)
    assert found == pytest.approx((2 + 1 + 2) / 13)
    without = depth_weighted_hamming_loss([["a"]], [["e"]], TREE, exclude=["e"])
    assert without == pytest.approx(3 / 10)


@random_labels
@settings(max_examples=12, deadline=None)
@given(hierarchies(), SEEDS, st.booleans(), st.booleans())
def test_losses_like_naive_loops(h, seed, close, sparse):
    rng = np.random.default_rng(seed)
    T, P = (rng.random((2, 5, h.n_labels)) < 0.4).astype(int)
    closed = [close_upward(Y, h) if close else Y for Y in (T, P)]
    wrong = closed[0] != closed[1]
    cost = np.zeros(h.n_labels)
    for level in h.levels:
        for k in level:
            parents = h.parents[[k]].indices
            shares = [cost[p] / h.children[[p]].nnz for p in parents]
            cost[k] = sum(shares) if len(parents) else 1 / len(h.roots)
    first = wrong.copy()
    for i, k in zip(*np.nonzero(wrong), strict=True):
        first[i, k] = not wrong[i, h.ancestors[[k]].indices].any()
    given = [sp.csr_matrix(Y) if sparse else Y for Y in (T, P)]
    found = [loss(*given, h, close=close) for loss in LOSSES]
    weight = h.depth.max() - h.depth + 1
    expected = [
        (first @ cost).mean(),
        wrong.sum(axis=1).mean(),
        (wrong @ weight).mean() / weight.sum(),
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found[0] <= 1 + 1e-9 or not h.is_tree


def test_unknown_labels_are_no_mistakes():
    T, P = np.array([[1, 1, np.nan, 0, 0, 0]]), np.array([[1, 1, 1, 0, 0, 0]])
    for loss in LOSSES:
        assert loss(T, P, TREE) == 0
    assert full_path_accuracy_score(T, P, TREE) == 1


# -- up to the lowest common ancestor --------------------------------------------------


def test_lca_by_hand():
    deep = Hierarchy.from_paths(["r/m/cat/tabby", "r/m/dog", "r/b"])
    pair = [["r/m/cat/tabby"]], [["r/m/dog"]]
    assert lca_precision_score(*pair, deep) == 1 / 2  # dog, m
    assert lca_recall_score(*pair, deep) == 1 / 3  # tabby, cat, m
    assert lca_f1_score(*pair, deep) == pytest.approx(2 / 5)
    # what is common above counts in hierarchical F1, not here: r is not in it
    assert hierarchical_f1_score(*pair, deep) == pytest.approx(2 * 2 / (4 + 3))
    # two labels: tabby is met by itself, b and dog by r and m
    pair = [["r/m/cat/tabby", "r/b"]], [["r/m/cat/tabby", "r/m/dog"]]
    assert lca_precision_score(*pair, deep) == 3 / 4  # tabby, m, r; dog
    assert lca_recall_score(*pair, deep) == 3 / 4  # tabby, m, r; b
    assert lca_f1_score([["a"]], [["e"]], TREE) == 1 / 2  # met above the roots
    assert lca_f1_score([["a"]], [[]], TREE) == 0
    assert lca_f1_score([["a"]] * 2, [["a"], []], TREE, sample_weight=[3, 1]) == 0.75
    dag = Hierarchy.from_parents({"c": ["a", "b"]})
    with pytest.raises(ValueError, match="several parents: 'c'. Use hierarchical_f1"):
        lca_f1_score([["a"]], [["b"]], dag)


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 20), SEEDS)
def test_lca_of_one_label_is_the_length_of_the_way_up(n_labels, seed):
    h = random_hierarchy(n_labels, seed, root_rate=0.0)
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, n_labels, 2).tolist()
    above = [[*h.ancestors_of(x), x] for x in (true, predicted)]
    common = set(above[0]) & set(above[1])
    meeting = max(h.depth[h.position(x)] for x in common)
    up = [h.depth[h.position(x)] - meeting for x in (true, predicted)]
    pair = [[true]], [[predicted]]
    assert lca_recall_score(*pair, h) == pytest.approx(1 / (up[0] + 1))
    assert lca_precision_score(*pair, h) == pytest.approx(1 / (up[1] + 1))
    assert tree_distance_loss(*pair, h) == sum(up)


# -- one label per level, and label by label -------------------------------------------


def test_full_paths_and_inconsistency():
    true = [["a/b/c"], ["a/d"], ["e/f"], ["e"]]
    predicted = [["a", "a/b", "a/b/c"], ["e", "a/d"], ["e"], ["a", "e"]]
    assert full_path_accuracy_score(true, predicted, TREE) == 1 / 4
    # the second breaks an edge; the last has two labels of one level
    assert tree_inconsistency_error(predicted, TREE) == 1 / 2
    weights = {"sample_weight": [1, 1, 1, 3]}
    assert tree_inconsistency_error(predicted, TREE, **weights) == 4 / 6
    assert full_path_accuracy_score(true, predicted, TREE, **weights) == 1 / 6


def test_one_path_in_a_dag_is_consistent():
    dag = Hierarchy.from_edges([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
    predicted = [["a", "b", "d"], ["a", "b", "c", "d"], ["b", "d"], []]
    errors = [tree_inconsistency_error([row], dag) for row in predicted]
    assert errors == [0, 1, 1, 0]
    # c has depth 2, but is below a, too: x is on another path, of no depth twice
    dag = Hierarchy.from_edges([("a", "b"), ("a", "c"), ("b", "c"), ("a", "x")])
    assert tree_inconsistency_error([["a", "c"]], dag) == 0
    assert tree_inconsistency_error([["a", "x", "c"]], dag) == 1


def test_lca_passes_labels_whose_truth_is_unknown():
    deep = Hierarchy.from_paths(["r/a/c", "r/d"])  # r, r/a, r/a/c, r/d
    true, predicted = [[1, np.nan, 0, 1]], [[1, 1, 1, 1]]
    assert lca_precision_score(true, predicted, deep) == 2 / 3  # r, d; c is wrong
    assert lca_recall_score(true, predicted, deep) == 1


def test_au_prc_of_every_label():
    Y = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]])
    S = np.array([[0.9, 0.8, 0.5], [0.4, 0.6, 0.5], [0.5, 0.1, 0.5]])
    found = au_prc_score(Y, S, average=None)  # .9+ .5- .4+; .8- .6+; none
    np.testing.assert_allclose(found, [(1 + 2 / 3) / 2, 1 / 2, np.nan])
    part = au_prc_score(Y, S, average=None, exclude=[0])
    np.testing.assert_allclose(part, found[1:])

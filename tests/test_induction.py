import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc._data import cooccurrence as cooccurrence_module
from skhmc.coherence import close_upward
from skhmc.induction import (
    LabelRates,
    _reduction,
    _rules,
    cooccurrence,
    label_rates,
    learn_dag,
    learn_tree,
    rates_of_counts,
    subsumption_hierarchy,
    transitive_reduction,
)
from tests.hierarchies import hierarchies, random_hierarchy

SEEDS = st.integers(0, 2**32 - 1)
NAMES = ["animal", "mammal", "bird", "cat", "dog"]
#             animal mammal bird cat dog
Y = np.array([[1, 1, 0, 1, 0], [1, 1, 0, 0, 1], [1, 1, 0, 1, 1], [1, 0, 1, 0, 0]])
TREE = Hierarchy.from_parents(
    {"mammal": "animal", "bird": "animal", "cat": "mammal", "dog": "mammal"}, NAMES
)


def random_labels(seed, n_samples=30, n_labels=7, unknown=0.0, rate=0.4):
    rng = np.random.default_rng(seed)
    drawn = (rng.random((n_samples, n_labels)) < rate).astype(float)
    drawn[rng.random(drawn.shape) < unknown] = np.nan
    return drawn


def one_row_per_label(hierarchy):
    """Return label sets in which an ancestor has every row of its label, and more."""
    return close_upward(np.eye(hierarchy.n_labels), hierarchy)


def edges(hierarchy):
    return {tuple(edge) for edge in hierarchy.edges.tolist()}


@settings(max_examples=30)
@given(SEEDS, st.sampled_from([np.float32, np.float64]))
def test_weights_are_repeated_rows_where_labels_tie(seed, dtype):
    rng = np.random.default_rng(seed)
    drawn, weight = random_labels(seed, 12, 3, rate=0.6), rng.integers(0, 4, 12)
    weight[0] = 1
    scaled = (weight / weight.mean()).astype(dtype)
    for threshold in (0.5, 0.6, 0.75, 0.8):
        for learn in (learn_tree, learn_dag):
            one, other = (
                learn(rates_of_counts(counts), threshold=threshold)
                for counts in (
                    cooccurrence(drawn, scaled),
                    cooccurrence(np.repeat(drawn, weight, axis=0)),
                )
            )
            assert one == other


# -- counting ----------------------------------------------------------------------


def test_counts_by_hand():
    counts = cooccurrence(Y)
    assert sp.issparse(counts) and counts.dtype == np.int64
    assert counts.toarray().tolist() == [
        [4, 3, 1, 2, 2],
        [3, 3, 0, 2, 2],
        [1, 0, 1, 0, 0],
        [2, 2, 0, 2, 1],
        [2, 2, 0, 1, 2],
    ]
    given, frequency = label_rates(Y)
    assert frequency.tolist() == [1, 0.75, 0.25, 0.5, 0.5]
    assert given[[1]].toarray().tolist() == [[1, 0, 0, 2 / 3, 2 / 3]]
    assert given.nnz == counts.nnz - 5


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 0.3]), st.booleans(), st.booleans())
def test_rates_against_a_loop(seed, unknown, weighted, sparse):
    drawn = random_labels(seed, unknown=unknown)
    weight = np.random.default_rng(seed).random(len(drawn)) if weighted else None
    w = np.ones(len(drawn)) if weight is None else weight
    given, frequency = label_rates(sp.csr_matrix(drawn) if sparse else drawn, weight)
    given, counts = given.toarray(), cooccurrence(drawn, weight).toarray()
    for label in range(drawn.shape[1]):
        known = ~np.isnan(drawn[:, label])
        share = w[known] @ drawn[known, label] / w[known].sum()
        assert frequency[label] == pytest.approx(share)
        for other in set(range(drawn.shape[1])) - {label}:
            rows = (drawn[:, label] == 1) & ~np.isnan(drawn[:, other])
            both = w[rows] @ drawn[rows, other]
            assert counts[label, other] == pytest.approx(both)
            expected = both / w[rows].sum() if both else 0
            assert given[label, other] == pytest.approx(expected)


def test_small_blocks_change_nothing(monkeypatch):
    drawn = random_labels(0, unknown=0.2)
    dag = random_hierarchy(40, 3, max_parents=4)
    before, reduced = label_rates(drawn), transitive_reduction(dag)
    tree = learn_tree(before, distances=lambda i, j: i * 1.7 % 1 + j * 1.3 % 1)
    monkeypatch.setattr(cooccurrence_module, "CELLS_PER_BLOCK", 15)
    monkeypatch.setattr(_reduction, "CELLS_PER_BLOCK", 90)
    monkeypatch.setattr(_rules, "PAIRS_PER_BLOCK", 2)
    np.testing.assert_array_equal(
        label_rates(drawn).given.toarray(), before.given.toarray()
    )
    assert transitive_reduction(dag) == reduced
    assert tree == learn_tree(before, distances=lambda i, j: i * 1.7 % 1 + j * 1.3 % 1)


def test_counts_and_labels_give_the_same_rates():
    for rule in ("tree", "dag"):
        from_counts = subsumption_hierarchy(
            None, NAMES, counts=cooccurrence(Y), rule=rule
        )
        assert from_counts == subsumption_hierarchy(Y, NAMES, rule=rule)
    dense = rates_of_counts(cooccurrence(Y).toarray())
    assert (dense.given != label_rates(Y).given).nnz == 0


def test_weights_repeat_rows():
    drawn, times = random_labels(1), np.random.default_rng(1).integers(0, 4, 30)
    repeated = cooccurrence(np.repeat(drawn, times, axis=0))
    assert (cooccurrence(drawn, times) != repeated).nnz == 0
    assert subsumption_hierarchy(drawn, sample_weight=times) == subsumption_hierarchy(
        np.repeat(drawn, times, axis=0)
    )


def test_unknown_labels_count_where_they_are_known():
    # of the 4 rows of 1, label 0 is known in 2 and there in both of these
    drawn = [[1, 1], [1, 1], [np.nan, 1], [np.nan, 1], [1, 0], [0, 0]]
    rates = label_rates(drawn)
    assert rates.given[1, 0] == 1 and rates.frequency.tolist() == [0.75, 4 / 6]
    assert subsumption_hierarchy(drawn, threshold=1.0).edges.tolist() == [[0, 1]]
    filled = np.nan_to_num(drawn)
    assert subsumption_hierarchy(filled, threshold=1.0).edges.tolist() == []


# -- the rules by hand -------------------------------------------------------------


@pytest.mark.parametrize("form", [np.array, sp.csr_matrix, sp.coo_matrix, list])
@pytest.mark.parametrize("rule", ["tree", "dag"])
def test_subsumption_by_hand(form, rule):
    assert subsumption_hierarchy(form(Y), NAMES, rule=rule) == TREE


def test_names_of_a_frame():
    frame = pd.DataFrame(Y, columns=NAMES).astype("Int64")
    frame.iloc[0, 0] = pd.NA
    assert subsumption_hierarchy(frame) == TREE
    assert subsumption_hierarchy(frame, "abcde").labels == tuple("abcde")


def test_threshold():
    drawn = np.array([[1, 1], [1, 1], [0, 1], [1, 0], [1, 0]])  # P(0 | 1) = 2/3
    assert edges(subsumption_hierarchy(drawn, threshold=2 / 3)) == {(0, 1)}
    assert edges(subsumption_hierarchy(drawn, threshold=0.67)) == set()


def test_the_rarest_candidate_is_the_parent_not_the_most_probable():
    Y = [[1, 1, 1], [1, 1, 1], [1, 0, 1], [1, 1, 0], [1, 1, 0], [1, 0, 0]]
    tree = subsumption_hierarchy(Y, threshold=0.5)
    assert edges(tree) == {(0, 1), (1, 2)}  # P(1 | 2) = 2/3 < P(0 | 2) = 1


def test_labels_without_positives_and_lonely_labels_are_roots():
    drawn = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    for rule in ("tree", "dag"):
        learnt = subsumption_hierarchy(drawn, rule=rule)
        assert learnt.roots.tolist() == [0, 2, 3]
        assert edges(learnt) == {(0, 1)}
    assert subsumption_hierarchy(np.zeros((3, 4))) == Hierarchy.flat(4)
    assert subsumption_hierarchy(np.zeros((0, 4))) == Hierarchy.flat(4)
    assert subsumption_hierarchy([[np.nan, 1]]) == Hierarchy.flat(2)


def test_equivalent_labels_are_not_each_others_parents():
    #                  root  a  a' child
    drawn = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]])
    assert edges(subsumption_hierarchy(drawn)) == {(0, 1), (0, 2), (1, 3)}
    dag = subsumption_hierarchy(drawn, rule="dag")
    assert edges(dag) == {(0, 1), (0, 2), (1, 3), (2, 3)}


def test_radius_orders_equivalent_labels():
    drawn = np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]])
    rates, radius = label_rates(drawn), [0.1, 0.7, 0.4, 1.0]  # a' above a
    for learn in (learn_tree, learn_dag):
        assert edges(learn(rates, radius=radius)) == {(0, 2), (2, 1), (1, 3)}


def test_nearest_of_the_candidates():
    # cat: 0.9 from mammal, 0.5 from animal; nearest of all is dog, no candidate
    distance = np.ones((5, 5))
    distance[3] = [0.5, 0.9, 1.0, 0.0, 0.1]
    rates = label_rates(Y)
    tree = learn_tree(rates, NAMES, distances=distance)
    assert tree.parents_of("cat") == ["animal"]
    assert tree.parents_of("dog") == ["mammal"]  # equally near: the rarest
    asked = []

    def callable_(child, parent):
        asked.extend(zip(child.tolist(), parent.tolist(), strict=True))
        return distance[child, parent]

    assert learn_tree(rates, NAMES, distances=callable_) == tree
    assert sorted(asked) == [(1, 0), (2, 0), (3, 0), (3, 1), (4, 0), (4, 1)]
    rows, columns = zip(*asked, strict=True)
    stored = sp.csr_matrix((distance[rows, columns], (rows, columns)), (5, 5))
    assert learn_tree(rates, NAMES, distances=stored) == tree


def test_a_stored_distance_of_zero_is_a_distance():
    rates = label_rates(Y)
    pairs = ([1, 2, 3, 3, 4, 4], [0, 0, 0, 1, 0, 1])
    stored = sp.csr_matrix(([1, 1, 0, 2, 2, 1.0], pairs), (5, 5))
    assert learn_tree(rates, NAMES, distances=stored).parents_of("cat") == ["animal"]


# -- properties --------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(hierarchies(max_parents=1))
def test_tree_from_one_row_per_label(tree):
    drawn = one_row_per_label(tree)
    for rule in ("tree", "dag"):
        assert subsumption_hierarchy(drawn, threshold=1.0, rule=rule) == tree


@settings(max_examples=60, deadline=None)
@given(hierarchies(max_parents=4))
def test_dag_from_one_row_per_label(dag):
    drawn = sp.csr_matrix(one_row_per_label(dag))
    learnt = subsumption_hierarchy(drawn, threshold=1.0, rule="dag")
    assert learnt == transitive_reduction(dag)
    assert (learnt.ancestors != dag.ancestors).nnz == 0


@pytest.mark.parametrize("n_leaves, threshold", [(1, 0.5), (4, 0.9)])
@pytest.mark.parametrize("seed", range(3))
def test_tree_from_independent_leaves(n_leaves, threshold, seed):
    # three children each: a label and an only child would stand in the same rows
    parent = {k: (k - 1) // 3 for k in range(1, 40)}
    tree = Hierarchy.from_parents(parent, range(40))
    rng = np.random.default_rng(seed)
    drawn = np.zeros((4000, 40))
    for _ in range(n_leaves):
        drawn[np.arange(4000), rng.choice(tree.leaves, 4000)] = 1
    drawn = close_upward(drawn, tree)
    assert subsumption_hierarchy(drawn, threshold=threshold) == tree


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from([0.3, 0.5, 1.0]))
def test_tree_against_a_loop(seed, threshold):
    drawn = random_labels(seed, n_samples=12)
    learnt = subsumption_hierarchy(drawn, threshold=threshold)
    n = drawn.sum(axis=0)
    for label in range(drawn.shape[1]):
        found = [
            k
            for k in range(drawn.shape[1])
            if n[label] and n[k]
            if (both := drawn[:, k] @ drawn[:, label]) / n[label] >= threshold
            if both / n[label] > both / n[k]
        ]
        rank = [(n[k], -(drawn[:, k] @ drawn[:, label]), k) for k in found]
        assert learnt.parents_of(label) == [k for *_, k in sorted(rank)[:1]]


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 2), st.sampled_from([0.2, 0.5]))
def test_the_order_of_labels_changes_nothing(seed, n_unknown, threshold):
    rng = np.random.default_rng(seed)
    drawn = random_labels(seed, n_samples=40, unknown=n_unknown / 10)
    order, n_labels = rng.permutation(drawn.shape[1]), drawn.shape[1]
    distance, radius = rng.random((n_labels, n_labels)), rng.random(n_labels)
    rates, moved = label_rates(drawn), label_rates(drawn[:, order])
    options = {"threshold": threshold, "radius": radius}
    moved_options = {"threshold": threshold, "radius": radius[order]}
    dag = learn_dag(moved, order, **moved_options)
    assert Hierarchy.build(dag, range(n_labels)) == learn_dag(rates, **options)
    tree = learn_tree(
        moved, order, distances=distance[np.ix_(order, order)], **moved_options
    )
    expected = learn_tree(rates, distances=distance, **options)
    assert Hierarchy.build(tree, range(n_labels)) == expected
    rarest = learn_tree(moved, order, **moved_options)
    assert Hierarchy.build(rarest, range(n_labels)) == learn_tree(rates, **options)


@settings(max_examples=80, deadline=None)
@given(hierarchies(max_labels=30, max_parents=6))
def test_transitive_reduction_against_networkx(dag):
    expected = nx.transitive_reduction(dag.to_networkx())
    assert transitive_reduction(dag) == Hierarchy.from_networkx(expected, dag.labels)


def test_transitive_reduction_of_a_long_chain_with_all_short_cuts():
    n = 60
    dag = Hierarchy(range(n), [(i, j) for j in range(n) for i in range(j)])
    assert edges(transitive_reduction(dag)) == {(i, i + 1) for i in range(n - 1)}
    labels = tuple("abc")
    assert transitive_reduction(Hierarchy.flat(labels)) == Hierarchy.flat(labels)


def test_many_labels_stay_sparse():
    # one matrix of all pairs would take 3 GB; every inner label has three children
    n_labels = 19_999
    parent = (np.arange(1, n_labels) - 1) // 3
    tree = Hierarchy(range(n_labels), zip(parent, range(1, n_labels), strict=True))
    leaves = np.repeat(tree.leaves, 2)
    ones = (np.ones(len(leaves)), (np.arange(len(leaves)), leaves))
    rates = label_rates(
        close_upward(sp.csr_matrix(ones, (len(leaves), n_labels)), tree)
    )
    assert learn_tree(rates) == tree
    assert learn_dag(rates) == tree
    near = learn_tree(rates, distances=lambda i, j: tree.depth[i] - tree.depth[j])
    assert near == tree


# -- errors ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ([[[0, 2]]], {}, "Expected Y to hold 0, 1 or NaN .unknown., got 2 for label 1"),
        ([[0, 1]], {}, r"Expected Y to be indicators .* got shape \(2,\)"),
        ([np.array([["a"], ["b"]])], {}, "Expected Y to be indicators .* dtype <U1"),
        ([Y], {"threshold": 0}, "threshold must be a number above 0 .* got 0"),
        ([Y], {"threshold": "high"}, "threshold must be .* got 'high'"),
        ([Y], {"rule": "forest"}, "rule must be 'tree' or 'dag', got 'forest'"),
        ([Y], {"counts": Y}, "Expected one of Y and counts, got both"),
        ([None], {}, "Expected one of Y and counts, got neither"),
        ([Y, ["a", "b"]], {}, r"Expected rates of the 2 labels, got .*\(5, 5\)"),
        ([Y, list("abcda")], {}, "stand more than once: 'a'"),
        ([Y], {"sample_weight": [1, 2]}, r"of shape \(4,\).* got \(2,\)"),
        (
            [Y],
            {"sample_weight": [1, 2, -1, 1]},
            "of at least 0, got -1.0 at",
        ),
        ([None], {"counts": Y}, r"a square matrix, got shape \(4, 5\)"),
        ([None], {"counts": [[1, 2], [2, 1]]}, "none of their pairs exceeds"),
        ([None], {"counts": [[2, -1], [-1, 2]]}, "counts that are not negative"),
        (
            [None],
            {"counts": np.eye(2), "sample_weight": [1]},
            "sample_weight goes with Y",
        ),
    ],
)
def test_errors(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        subsumption_hierarchy(*arguments, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"radius": [1, 2]}, "one number per label, 5 of them"),
        ({"radius": [1, 2, 3, 4, np.nan]}, "none NaN"),
        ({"distances": np.ones((4, 5))}, r"must have shape \(5, 5\), .* got \(4, 5\)"),
        ({"distances": lambda i, j: 1.0}, "must return one number per pair"),
        (
            {"distances": lambda i, j: np.where(i == 3, np.nan, 1)},
            "no distance, or NaN, between 'cat', 'animal'",
        ),
        ({"distances": sp.csr_matrix((5, 5))}, "between 'mammal', 'animal'"),
    ],
)
def test_errors_of_rules(options, message):
    with pytest.raises(ValueError, match=message):
        learn_tree(label_rates(Y), NAMES, **options)


def test_rates_must_fit():
    with pytest.raises(ValueError, match=r"frequency of shape \(2,\)"):
        learn_dag(LabelRates(sp.csr_matrix((3, 3)), np.ones(2)))

import copy
import pickle

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc._utils import levels
from tests.hierarchies import hierarchies, random_hierarchy

SEEDS = st.integers(0, 2**32 - 1)
LABELS = ("animal", "pet", "cat", "dog", "stone")
EDGES = [("animal", "cat"), ("animal", "dog"), ("pet", "cat"), ("pet", "dog")]
PETS = Hierarchy(LABELS, EDGES)


def pairs(hierarchy):
    return [(hierarchy.labels[p], hierarchy.labels[c]) for p, c in hierarchy.edges]


def names(hierarchy, positions):
    return {hierarchy.labels[i] for i in positions}


# -- against networkx --------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(hierarchies())
def test_structure_against_networkx(h):
    graph = h.to_networkx()
    assert set(graph.edges) == set(pairs(h)) and tuple(graph) == h.labels
    depth = dict.fromkeys(graph, 0)
    for node in nx.topological_sort(graph):
        for child in graph.successors(node):
            depth[child] = max(depth[child], depth[node] + 1)
    assert h.depth.tolist() == [depth[label] for label in h.labels]
    assert h.depth.max() == nx.dag_longest_path_length(graph)
    assert names(h, h.roots) == {n for n in graph if graph.in_degree(n) == 0}
    assert names(h, h.leaves) == {n for n in graph if graph.out_degree(n) == 0}
    is_forest = all(graph.in_degree(n) <= 1 for n in graph)
    assert h.is_tree == is_forest
    assert np.concatenate(h.levels).size == h.n_labels == len(h)
    for k, level in enumerate(h.levels):
        assert (h.depth[level] == k).all() and (np.diff(level) > 0).all()
    for i, label in enumerate(h.labels):
        assert h.position(label) == i and label in h
        assert set(h.parents_of(label)) == set(graph.predecessors(label))
        assert set(h.children_of(label)) == set(graph.successors(label))
        assert set(h.ancestors_of(label)) == nx.ancestors(graph, label)
        assert set(h.descendants_of(label)) == nx.descendants(graph, label)
        assert names(h, h.ancestors[[i]].indices) == nx.ancestors(graph, label)
        assert names(h, h.descendants[[i]].indices) == nx.descendants(graph, label)
    for matrix in (h.parents, h.children, h.ancestors, h.descendants):
        assert sp.issparse(matrix) and matrix.dtype == bool and matrix.data.all()
        assert matrix.format == "csr" and matrix.shape == (h.n_labels, h.n_labels)


@settings(max_examples=60, deadline=None)
@given(hierarchies())
def test_edges_are_sorted_by_parent_then_child(h):
    assert h.edges.shape == (len(pairs(h)), 2)
    assert h.edges.tolist() == sorted(h.edges.tolist())


@settings(max_examples=60, deadline=None)
@given(hierarchies(), SEEDS)
def test_subset_against_paths_in_networkx(h, seed):
    rng = np.random.default_rng(seed)
    keep = rng.permutation(h.labels)[: rng.integers(1, h.n_labels + 1)].tolist()
    dropped = set(h.labels) - set(keep)
    graph, part = h.to_networkx(), h.subset(keep)
    expected = set()
    for u in keep:
        for v in set(keep) - {u}:
            between = graph.subgraph(dropped | {u, v})
            if nx.has_path(between, u, v):
                expected.add((u, v))
    assert part.labels == tuple(keep)
    assert set(pairs(part)) == expected
    kept = nx.transitive_closure(graph).subgraph(keep)
    assert {(a, b) for b in keep for a in part.ancestors_of(b)} == set(kept.edges)


def test_subset_bypasses_left_out_labels_and_keeps_the_order():
    chain = Hierarchy.from_edges([("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")])
    part = chain.subset(["d", "a"])
    assert part.labels == ("d", "a")
    assert pairs(part) == [("a", "d")]
    assert part.edges.tolist() == [[1, 0]]
    assert chain.subset(["c", "d", "a"]).edges.tolist() == [[0, 1], [2, 0], [2, 1]]
    assert chain.subset([]) == Hierarchy([])


# -- ways to build -----------------------------------------------------------------


def test_all_ways_to_build_agree():
    graph = nx.DiGraph()
    graph.add_nodes_from(LABELS)
    graph.add_edges_from(EDGES)
    matrix = nx.to_numpy_array(graph, dtype=int)
    above = {"cat": ["animal", "pet"], "dog": ("pet", "animal"), "stone": None}
    for built in (
        Hierarchy.from_edges(EDGES, LABELS),
        Hierarchy.from_edges(np.array(EDGES), np.array(LABELS)),
        Hierarchy.from_parents(above, LABELS),
        Hierarchy.from_networkx(graph),
        Hierarchy.from_networkx(graph, LABELS),
        Hierarchy.from_matrix(matrix, LABELS),
        Hierarchy.from_matrix(sp.csc_array(matrix), LABELS),
        Hierarchy.from_matrix(pd.DataFrame(matrix, columns=LABELS)),
        Hierarchy.build(PETS),
        Hierarchy.build(EDGES, LABELS),
        Hierarchy.build(iter(EDGES), iter(LABELS)),
        Hierarchy.build(above, LABELS),
        Hierarchy.build(graph),
        Hierarchy.build(matrix, LABELS),
        Hierarchy.build(sp.csr_matrix(matrix), LABELS),
        Hierarchy.build(pd.DataFrame(matrix, columns=LABELS)),
        Hierarchy.build(pd.DataFrame(matrix, columns=LABELS), LABELS),
        Hierarchy(list(LABELS), EDGES + EDGES[::-1]),  # repeated edges count once
    ):
        assert built == PETS


def test_default_labels():
    assert Hierarchy.from_edges([("b", "a"), ("b", "c")]).labels == ("b", "a", "c")
    assert Hierarchy.from_edges([(5, 2), (5, 9)]).labels == (2, 5, 9)
    assert Hierarchy.from_parents({"b": "a", "z": None}).labels == ("a", "b", "z")
    assert Hierarchy.from_matrix([[0, 1], [0, 0]]).labels == (0, 1)
    assert Hierarchy.flat(3).labels == (0, 1, 2)
    assert Hierarchy.flat("abc").labels == ("a", "b", "c")
    assert Hierarchy.build(None, ["x", "y"]) == Hierarchy(["x", "y"])


def test_numpy_labels_are_plain_values():
    h = Hierarchy.from_edges(np.array([[3, 1], [3, 2]]), labels=np.array([1, 2, 3]))
    assert [type(label) for label in h.labels] == [int] * 3
    assert h == Hierarchy([1, 2, 3], [(3, 1), (3, 2)])
    assert np.int64(3) in h and h.position(np.int32(3)) == 2


def test_paths():
    h = Hierarchy.from_paths(["a/b/c", "d/c", "a/e"])
    assert h.labels == ("a", "a/b", "a/b/c", "d", "d/c", "a/e")
    assert pairs(h) == [("a", "a/b"), ("a", "a/e"), ("a/b", "a/b/c"), ("d", "d/c")]
    assert h.is_tree and Hierarchy.build(["a/b/c", "d/c", "a/e"]) == h
    dotted = Hierarchy.from_paths(["1.2", "1.3"], sep=".")
    assert pairs(dotted) == [("1", "1.2"), ("1", "1.3")]
    ordered = Hierarchy.from_paths(["a/b"], labels=["a/b", "a"])
    assert ordered.labels == ("a/b", "a")


@settings(max_examples=40, deadline=None)
@given(hierarchies(), SEEDS)
def test_build_puts_a_hierarchy_in_the_order_of_labels(h, seed):
    order = np.random.default_rng(seed).permutation(h.labels).tolist()
    moved = Hierarchy.build(h, order)
    assert moved.labels == tuple(order) and set(pairs(moved)) == set(pairs(h))
    assert Hierarchy.build(h, h.labels) is h
    assert Hierarchy.build(moved, h.labels) == h


@settings(max_examples=30, deadline=None)
@given(hierarchies())
def test_round_trips(h):
    assert Hierarchy.from_networkx(h.to_networkx()) == h
    assert Hierarchy.from_matrix(h.children, h.labels) == h
    above = {label: h.parents_of(label) for label in h.labels}
    assert Hierarchy.from_parents(above, h.labels) == h
    assert h.subset(h.labels) == h


# -- identity ----------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(hierarchies())
def test_equality_hash_and_copies(h):
    h.ancestors  # noqa: B018  what is cached does not change identity
    again = Hierarchy(h.labels, pairs(h)[::-1])
    assert h == again and hash(h) == hash(again) and not h != again
    for twin in (pickle.loads(pickle.dumps(h)), copy.copy(h), copy.deepcopy(h)):
        assert twin == h and hash(twin) == hash(h)
        assert twin.depth.tolist() == h.depth.tolist()
        assert not twin.edges.flags.writeable
    assert {h: 1}[again] == 1


def test_inequality():
    assert Hierarchy("ab", [("a", "b")]) != Hierarchy("ab")
    assert Hierarchy("ab") != Hierarchy("ba")
    assert Hierarchy("ab") != ("a", "b")


def test_immutable():
    for change in (
        lambda: setattr(PETS, "labels", ()),
        lambda: setattr(PETS, "new", 1),
        lambda: delattr(PETS, "labels"),
    ):
        with pytest.raises(AttributeError, match="immutable: cannot change '.*Build"):
            change()
    for array in (PETS.edges, PETS.depth):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert isinstance(PETS.labels, tuple)


def test_repr_and_emptiness():
    assert repr(PETS) == "Hierarchy(5 labels, 4 edges, DAG of depth 1)"
    assert repr(Hierarchy.flat(2)) == "Hierarchy(2 labels, 0 edges, flat)"
    empty = Hierarchy([])
    assert len(empty) == 0 and empty.levels == () and empty.is_tree
    assert empty.ancestors.shape == (0, 0) and empty.upward_plan == ()
    assert pickle.loads(pickle.dumps(empty)) == empty


def test_a_hundred_thousand_labels():
    n = 100_000
    child = np.arange(1, n)
    edges = np.column_stack([(child - 1) // 5, child])
    h = Hierarchy._from_positions(tuple(range(n)), edges)
    assert h.depth.max() == 8 and len(h.roots) == 1
    assert h.ancestors.nnz == h.depth.sum() == h.descendants.nnz
    assert sum(len(targets) for targets, _ in h.upward_plan) == n - len(h.leaves)
    assert pickle.loads(pickle.dumps(h)) == h
    by_name = Hierarchy.from_edges(edges.tolist())
    assert by_name == h
    dag = random_hierarchy(20_000, seed=0, max_parents=3)
    assert not dag.is_tree and dag.ancestors.nnz == dag.descendants.nnz


def dense_dag(n_labels, n_edges, seed=0):
    rng = np.random.default_rng(seed)
    edges = np.sort(rng.integers(0, n_labels, (n_edges, 2)), axis=1)
    edges = rng.permutation(n_labels)[edges[edges[:, 0] < edges[:, 1]]]
    return Hierarchy(range(n_labels), edges.tolist())


@pytest.mark.parametrize("cells", [64, 5000, 2**26])
def test_ancestors_found_as_bits_are_those_of_networkx(cells, monkeypatch):
    monkeypatch.setattr(levels, "CELLS_OF_BITS", cells)
    monkeypatch.setattr(levels, "COST_OF_SORTING", np.inf)
    dag = dense_dag(150, 600)
    expected = nx.to_scipy_sparse_array(
        nx.transitive_closure(dag.to_networkx()), nodelist=range(150), dtype=bool
    ).T
    assert (dag.ancestors.toarray() == expected.toarray()).all()
    assert dag.ancestors.has_sorted_indices


def test_too_many_ancestors_are_refused_while_they_are_found(monkeypatch):
    """All have nearly 500,000 pairs, and the first block of 64 labels many."""
    monkeypatch.setattr(levels, "MAX_PAIRS", 20_000)
    monkeypatch.setattr(levels, "CELLS_OF_BITS", 1)
    dag = dense_dag(1000, 8000)
    with pytest.raises(
        ValueError, match=r"1000 labels have \d{5} pairs.*20000 at most"
    ):
        dag.ancestors  # noqa: B018


def test_deep_chain():
    chain = Hierarchy.from_edges([(i, i + 1) for i in range(300)])
    assert chain.depth.max() == 300 and chain.ancestors.nnz == 301 * 300 / 2
    assert len(chain.levels) == 301 and len(chain.downward_plan) == 300


# -- messages ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "build, error, message",
    [
        (lambda: Hierarchy("aab"), ValueError, "unique.*more than once: 'a'"),
        (lambda: Hierarchy("ab", [("a", "z")]), ValueError, "not among the 2.*: 'z'"),
        (lambda: Hierarchy("ab", [("a", "a")]), ValueError, "own parent: 'a'. Remove"),
        (lambda: Hierarchy("ab", ["ab"]), ValueError, r"pair .* got 'ab'.*from_paths"),
        (lambda: Hierarchy("ab", [(1, 2, 3)]), ValueError, r"pair .* got \(1, 2, 3\)"),
        (lambda: Hierarchy("ab", [3]), ValueError, "An edge must be a pair .* got 3"),
        (
            lambda: Hierarchy.from_paths(["a//b"]),
            ValueError,
            "'a//b' has an empty part",
        ),
        (lambda: Hierarchy.from_paths([3]), TypeError, "path must be a string, got 3"),
        (lambda: Hierarchy.from_networkx(nx.Graph()), TypeError, "undirected Graph"),
        (lambda: Hierarchy.build(nx.Graph()), TypeError, "undirected Graph"),
        (lambda: Hierarchy.from_matrix([[0, 1]]), ValueError, r"square.*\(1, 2\)"),
        (lambda: Hierarchy.from_matrix([[0, 2], [0, 0]]), ValueError, "zeros and ones"),
        (lambda: Hierarchy.from_matrix([[0]], "ab"), ValueError, "Got 2 labels for a"),
        (lambda: Hierarchy.build(None), ValueError, r"flat .* needs labels, got None"),
        (lambda: Hierarchy.build(3), TypeError, "Cannot build a hierarchy from 3"),
        (lambda: Hierarchy.build("a/b"), TypeError, "Cannot build .* from 'a/b'"),
        (lambda: Hierarchy.build("a.obo"), TypeError, r"from_obo\(.*\) reads"),
        (
            lambda: Hierarchy.build(PETS, ["cat", "cow"]),
            ValueError,
            "Only in Y: 'cow'. Only in the hierarchy: 'animal', 'pet', 'dog', 'stone'",
        ),
        (lambda: PETS.subset(["cat", "cow"]), ValueError, "does not have: 'cow'"),
        (lambda: PETS.subset(["cat", "cat"]), ValueError, "more than once: 'cat'"),
        (lambda: PETS.position("cow"), KeyError, "'cow' is not a label .*'animal'"),
        (lambda: PETS.children_of("cow"), KeyError, "'cow' is not a label"),
        (
            lambda: Hierarchy(range(3), [(9 + i, 0) for i in range(20)]),
            ValueError,
            r"9, 10, .*16, \.\.\. \(20 in all\)",
        ),
    ],
)
def test_messages(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_a_cycle_is_printed_with_names():
    edges = [("top", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "below")]
    turns = ["a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"]
    with pytest.raises(ValueError, match="has a cycle: .*Remove one") as caught:
        Hierarchy.from_edges(edges)
    assert any(f"cycle: {turn}. " in str(caught.value) for turn in turns)
    with pytest.raises(ValueError, match="cycle: (a -> b -> a|b -> a -> b)"):
        Hierarchy.from_parents({"a": "b", "b": "a"})


@settings(max_examples=40, deadline=None)
@given(hierarchies(max_labels=12), SEEDS)
def test_any_added_back_edge_is_reported_as_a_real_cycle(h, seed):
    rng = np.random.default_rng(seed)
    below = h.descendants.tocoo()
    if not below.nnz:
        return
    k = rng.integers(below.nnz)
    edges = [*pairs(h), (h.labels[below.col[k]], h.labels[below.row[k]])]
    with pytest.raises(ValueError, match="has a cycle") as caught:
        Hierarchy(h.labels, edges)
    text = str(caught.value).split("cycle: ")[1].split(".")[0]
    cycle = [int(label) for label in text.split(" -> ")]
    assert cycle[0] == cycle[-1] and len(cycle) > 2
    assert set(zip(cycle, cycle[1:], strict=False)) <= set(edges)


def test_a_frame_names_the_rows_of_its_matrix():
    labels = ["a", "b", "c"]
    frame = pd.DataFrame(0, index=["b", "c", "a"], columns=labels)
    frame.loc["a", "b"] = 1
    for build in (Hierarchy.from_matrix, Hierarchy.build):
        assert list(build(frame).to_networkx().edges) == [("a", "b")]
    counted = frame.loc[labels].reset_index(drop=True)
    assert Hierarchy.from_matrix(counted) == Hierarchy(labels, [("a", "b")])
    with pytest.raises(ValueError, match="rows of the matrix .* not named as its col"):
        Hierarchy.from_matrix(frame.rename(index={"a": "x"}))


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_parent_makes_a_root(missing):
    parents = {"a": missing, "b": "a"}
    assert Hierarchy.from_parents(parents) == Hierarchy(["a", "b"], [("a", "b")])


@pytest.mark.parametrize("bad", [["x"], float("nan"), pd.NA])
def test_labels_must_be_hashable_and_not_missing(bad):
    with pytest.raises(TypeError, match="Labels must be hashable and not NaN, got"):
        Hierarchy(["a", bad])


def test_two_edges_in_a_table_of_names_are_no_matrix():
    table = np.array([["a", "b"], ["b", "c"]])
    expected = Hierarchy(["a", "b", "c"], [("a", "b"), ("b", "c")])
    assert Hierarchy.build(table) == expected
    assert Hierarchy.build(pd.DataFrame(table, columns=["from", "to"])) == expected


def test_what_a_hierarchy_hands_out_is_read_only():
    hierarchy = Hierarchy.from_edges([(0, 1), (1, 2), (0, 3)])
    arrays = [hierarchy.edges, hierarchy.depth, hierarchy.roots, hierarchy.leaves]
    arrays += [
        *hierarchy.levels,
        *hierarchy.upward_plan[0],
        *hierarchy.downward_plan[0],
    ]
    for name in ("parents", "children", "ancestors", "descendants"):
        matrix = getattr(hierarchy, name)
        arrays += [matrix.data, matrix.indices, matrix.indptr]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0

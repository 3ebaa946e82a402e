import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from skhmc import Hierarchy
from skhmc.coherence import (
    _isotonic,
    _labels,
    _scores,
    average_constraint,
    close_upward,
    isotonic_constraint,
    max_constraint,
    min_constraint,
    most_specific,
    product_constraint,
    score_violations,
    violations,
)
from tests.hierarchies import hierarchies, random_hierarchy

SEEDS = st.integers(0, 2**32 - 1)
FORESTS = hierarchies(max_parents=1)
CHAIN = Hierarchy.from_edges([(0, 1), (1, 2)])


def kin(hierarchy):
    """Positions of every label's proper ancestors and descendants, by networkx."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(hierarchy.n_labels))
    graph.add_edges_from(hierarchy.edges.tolist())
    above = [nx.ancestors(graph, i) for i in graph]
    below = [nx.descendants(graph, i) for i in graph]
    return above, below


def naive_close(Y, hierarchy):
    above, below = kin(hierarchy)
    closed = np.array(Y, dtype=float)
    for i, row in enumerate(np.array(Y, dtype=float)):
        for label in range(hierarchy.n_labels):
            if any(row[b] == 1 for b in below[label]):
                closed[i, label] = 1
        for label in range(hierarchy.n_labels):
            if np.isnan(closed[i, label]) and any(
                closed[i, a] == 0 for a in above[label]
            ):
                closed[i, label] = 0
    return closed


# -- closing label sets --------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(hierarchies(), SEEDS, st.booleans())
def test_close_upward_against_loops(h, seed, unknown):
    rng = np.random.default_rng(seed)
    Y = (rng.random((6, h.n_labels)) < 0.25).astype(float)
    if unknown:
        Y[rng.random(Y.shape) < 0.4] = np.nan
    before = Y.copy()
    closed = close_upward(Y, h)
    np.testing.assert_array_equal(closed, naive_close(Y, h))
    np.testing.assert_array_equal(Y, before)
    np.testing.assert_array_equal(close_upward(closed, h), closed)
    for kind in (sp.csr_matrix, sp.csc_matrix, sp.csr_array):
        sparse = close_upward(kind(Y), h)
        assert sparse.format == "csr" and sparse.dtype == Y.dtype
        np.testing.assert_array_equal(sparse.toarray(), closed)


@pytest.mark.parametrize("kind", [sp.coo_matrix, sp.lil_matrix, sp.bsr_matrix])
@pytest.mark.parametrize("value", [1.0, np.nan])
def test_close_upward_takes_every_sparse_format(kind, value):
    Y = np.array([[0, 0, 1], [1, value, 0]])
    got = close_upward(kind(Y), CHAIN)
    np.testing.assert_array_equal(got.toarray(), close_upward(Y, CHAIN))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32, np.float64])
def test_close_upward_keeps_the_dtype(dtype):
    Y = np.array([[0, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=dtype)
    expected = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 0]], dtype=dtype)
    for closed in (close_upward(Y, CHAIN), close_upward(sp.csr_matrix(Y), CHAIN)):
        assert closed.dtype == dtype
        closed = closed.toarray() if sp.issparse(closed) else closed
        np.testing.assert_array_equal(closed, expected)


def test_close_upward_by_hand():
    nan = np.nan
    Y = [[nan, nan, 1], [nan, 0, nan], [0, nan, nan], [nan, nan, nan], [0, nan, 1]]
    closed = [[1, 1, 1], [nan, 0, 0], [0, 0, 0], [nan, nan, nan], [1, 1, 1]]
    np.testing.assert_array_equal(close_upward(np.array(Y), CHAIN), closed)


def test_sparse_blocks_of_rows(monkeypatch):
    for module in (_labels, _scores):
        monkeypatch.setattr(module, "ROWS_PER_BLOCK", 4)
    h = random_hierarchy(12, seed=1, max_parents=2)
    rng = np.random.default_rng(0)
    Y = (rng.random((11, 12)) < 0.3).astype(float)
    Y[rng.random(Y.shape) < 0.3] = np.nan
    expected = naive_close(Y, h)
    np.testing.assert_array_equal(close_upward(sp.csr_matrix(Y), h).toarray(), expected)
    scores = rng.random((11, 12))
    parent, child = h.edges.T
    marked = score_violations(scores, h).toarray()
    np.testing.assert_array_equal(marked, scores[:, child] > scores[:, parent])


def test_stored_zeros_are_no_labels():
    Y = sp.csr_matrix(np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    Y.data[0] = 0
    expected = [[0, 0, 0], [1, 1, 0]]
    np.testing.assert_array_equal(close_upward(Y, CHAIN).toarray(), expected)
    assert violations(Y, CHAIN).toarray().tolist() == [[False, False], [True, False]]


# -- the most specific labels --------------------------------------------------------


@settings(max_examples=80)
@given(hierarchies(), SEEDS, st.booleans(), st.booleans())
def test_most_specific_against_loops(h, seed, unknown, sparse):
    rng = np.random.default_rng(seed)
    Y = (rng.random((6, h.n_labels)) < 0.4).astype(float)
    if unknown:
        Y[rng.random(Y.shape) < 0.3] = np.nan
    expected, (_, below) = Y.copy(), kin(h)
    for i, label in zip(*np.nonzero(Y == 1), strict=True):
        expected[i, label] = not any(Y[i, b] == 1 for b in below[label])
    given = sp.csr_matrix(Y) if sparse else Y.copy()
    found = most_specific(given, h)
    assert sp.issparse(found) == sparse
    np.testing.assert_array_equal(found.toarray() if sparse else found, expected)
    np.testing.assert_array_equal(given.toarray() if sparse else given, Y)


@settings(max_examples=50)
@given(hierarchies(), SEEDS)
def test_most_specific_and_closure_undo_one_another(h, seed):
    Y = np.random.default_rng(seed).choice([0, 1, np.nan], (6, h.n_labels))
    closed, specific = close_upward(Y, h), most_specific(Y, h)
    np.testing.assert_array_equal(close_upward(most_specific(closed, h), h), closed)
    known = (most_specific(closed, h) == 1) == (specific == 1)
    assert known.all()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("make", [np.array, sp.csr_matrix, sp.coo_array])
def test_most_specific_keeps_the_dtype(dtype, make):
    Y = np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]], dtype)
    found = most_specific(make(Y), CHAIN)
    assert found.dtype == dtype
    found = found.toarray() if sp.issparse(found) else found
    np.testing.assert_array_equal(found, [[0, 1, 0], [0, 0, 1], [1, 0, 0]])


# -- the max constraint ----------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(hierarchies(), SEEDS, st.sampled_from([np.float32, np.float64, np.int64]))
def test_max_constraint_against_networkx(h, seed, dtype):
    scores = (np.random.default_rng(seed).normal(size=(5, h.n_labels)) * 9).astype(
        dtype
    )
    _, below = kin(h)
    expected = np.stack(
        [scores[:, [i, *below[i]]].max(axis=1) for i in range(h.n_labels)], axis=1
    )
    before = scores.copy()
    got = max_constraint(scores, h)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(scores, before)
    assert got.dtype == dtype and got.flags.c_contiguous
    assert score_violations(got, h).nnz == 0
    np.testing.assert_array_equal(max_constraint(got, h), got)


def test_max_constraint_takes_negative_infinity():
    scores = np.array([[-np.inf, -3.0, -np.inf]])
    assert max_constraint(scores, CHAIN).tolist() == [[-3.0, -3.0, -np.inf]]


@settings(max_examples=20, deadline=None)
@given(hierarchies(), SEEDS)
def test_max_constraint_is_closing_at_every_threshold(h, seed):
    scores = np.random.default_rng(seed).random((4, h.n_labels))
    for threshold in (0.25, 0.5, 0.75):
        closed = close_upward(scores > threshold, h)
        np.testing.assert_array_equal(max_constraint(scores, h) > threshold, closed)


# -- the min constraint, averages and products ---------------------------------------


@settings(max_examples=80, deadline=None)
@given(hierarchies(), SEEDS, st.sampled_from([np.float32, np.float64, np.int64]))
def test_min_constraint_against_networkx(h, seed, dtype):
    rng = np.random.default_rng(seed)
    scores = (rng.normal(size=(5, h.n_labels)) * 9).astype(dtype)
    above, _ = kin(h)
    expected = np.stack(
        [scores[:, [i, *above[i]]].min(axis=1) for i in range(h.n_labels)], axis=1
    )
    got = min_constraint(scores, h)
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == dtype and got.flags.c_contiguous


def test_min_constraint_takes_infinity():
    scores = np.array([[-3.0, -np.inf, np.inf]])
    assert min_constraint(scores, CHAIN).tolist() == [[-3.0, -np.inf, -np.inf]]


@settings(max_examples=40, deadline=None)
@given(hierarchies(), SEEDS)
def test_average_is_halfway(h, seed):
    scores = np.random.default_rng(seed).normal(size=(5, h.n_labels))
    high, low = max_constraint(scores, h), min_constraint(scores, h)
    got = average_constraint(scores, h)
    np.testing.assert_allclose(got - low, high - got, atol=1e-12)


def naive_product(scores, h):
    found = np.array(scores, dtype=float)
    for row, s in zip(found, np.array(scores, dtype=float), strict=True):
        for c in np.argsort(h.depth, kind="stable"):
            parents = h.edges[h.edges[:, 1] == c, 0]
            conditional = [min(1, s[c] / s[p]) if s[p] else 1 for p in parents]
            products = [row[p] * q for p, q in zip(parents, conditional, strict=True)]
            row[c] = min(products, default=s[c])
    return found


@settings(max_examples=80, deadline=None)
@given(hierarchies(), SEEDS, st.booleans())
def test_product_against_loops(h, seed, zeros):
    rng = np.random.default_rng(seed)
    scores = rng.random((5, h.n_labels))
    if zeros:
        scores[rng.random(scores.shape) < 0.4] = 0
    before = scores.copy()
    got = product_constraint(scores, h)
    np.testing.assert_allclose(got, naive_product(scores, h), rtol=1e-12)
    np.testing.assert_array_equal(scores, before)
    assert (got <= min_constraint(scores, h) * (1 + 1e-12)).all()
    np.testing.assert_array_equal(got[:, h.roots], scores[:, h.roots])


@settings(max_examples=40, deadline=None)
@given(FORESTS, SEEDS)
def test_product_keeps_the_conditional_probabilities_of_a_tree(h, seed):
    scores = np.random.default_rng(seed).random((4, h.n_labels)) + 0.01
    got, (parent, child) = product_constraint(scores, h), h.edges.T
    conditional = np.minimum(1, scores[:, child] / scores[:, parent])
    np.testing.assert_allclose(got[:, child] / got[:, parent], conditional)


def test_product_by_hand():
    got = product_constraint(np.array([[0.5, 0.8, 0.4], [0.5, 0.25, 0.2]]), CHAIN)
    np.testing.assert_allclose(got, [[0.5, 0.5, 0.25], [0.5, 0.25, 0.2]])
    dag = Hierarchy.from_edges([(0, 2), (1, 2)])  # a half of 0.5, a third of 0.75
    got = product_constraint(np.array([[0.5, 0.75, 0.25]]), dag)
    np.testing.assert_allclose(got, [[0.5, 0.75, 0.25]])
    assert product_constraint(np.array([[1, 0, 1]]), CHAIN).tolist() == [[1.0, 0, 0]]


def test_product_needs_probabilities():
    with pytest.raises(ValueError, match=r"needs probabilities, got the score -0\.5"):
        product_constraint(np.array([[0.2, -0.5, 0.1]]), CHAIN)


# -- what all constraints promise ------------------------------------------------------

CONSTRAINTS = [
    *(max_constraint, min_constraint, average_constraint),
    *(product_constraint, isotonic_constraint),
]
every_constraint = pytest.mark.parametrize("constraint", CONSTRAINTS)


def random_case(constraint, n_labels, seed, dtype=np.float64):
    """Return a random DAG (a forest for isotonic) and scores, some of them equal."""
    n_parents = 1 if constraint is isotonic_constraint else 3
    h = random_hierarchy(n_labels, seed, max_parents=n_parents)
    rng = np.random.default_rng(seed)
    scores = rng.random((4, n_labels)).astype(dtype)
    scores[rng.random(scores.shape) < 0.2] = rng.choice([0.0, 0.5, 1.0])
    return h, scores


@every_constraint
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 24), SEEDS, st.sampled_from([np.float32, np.float64]))
def test_scores_become_coherent_and_then_stay(constraint, n_labels, seed, dtype):
    h, scores = random_case(constraint, n_labels, seed, dtype)
    before = scores.copy()
    got = constraint(scores, h)
    np.testing.assert_array_equal(scores, before)
    assert got.dtype == dtype and got.flags.c_contiguous
    assert score_violations(got, h).nnz == 0
    assert ((got >= 0) & (got <= 1)).all()
    for coherent in (got, max_constraint(scores, h)):
        np.testing.assert_array_equal(constraint(coherent, h), coherent)


@every_constraint
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 24), SEEDS)
def test_the_order_of_labels_does_not_matter(constraint, n_labels, seed):
    h, scores = random_case(constraint, n_labels, seed)
    order = np.random.default_rng(seed + 1).permutation(n_labels)
    other = h.subset([h.labels[k] for k in order])
    got = constraint(scores[:, order], other)
    np.testing.assert_allclose(got, constraint(scores, h)[:, order], atol=1e-12)


@every_constraint
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 24), SEEDS)
def test_labels_of_another_tree_do_not_matter(constraint, n_labels, seed):
    h, scores = random_case(constraint, n_labels, seed)
    alone = Hierarchy(range(n_labels + 1), h.edges.tolist())
    wider = np.column_stack([scores, np.full(len(scores), 0.3)])
    got = constraint(wider, alone)
    np.testing.assert_allclose(got[:, :-1], constraint(scores, h), atol=1e-12)
    np.testing.assert_allclose(got[:, -1], 0.3)


# -- isotonic regression ---------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(hierarchies(max_labels=7, max_parents=1), SEEDS)
def test_isotonic_against_scipy(h, seed):
    scores = np.random.default_rng(seed).random((1, h.n_labels))
    parent, child = h.edges.T
    solved = minimize(
        lambda x: ((x - scores[0]) ** 2).sum(),
        max_constraint(scores, h)[0],
        jac=lambda x: 2 * (x - scores[0]),
        constraints={"type": "ineq", "fun": lambda x: x[parent] - x[child]},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    np.testing.assert_allclose(isotonic_constraint(scores, h)[0], solved.x, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(FORESTS, SEEDS)
def test_isotonic_is_optimal(h, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(4, h.n_labels)) * 5
    fitted = isotonic_constraint(scores, h)
    assert score_violations(fitted, h).nnz == 0
    np.testing.assert_allclose(isotonic_constraint(fitted, h), fitted, atol=1e-12)
    # projection on a convex cone: <s - x, x> = 0, and <s - x, z> <= 0 for z in it
    residual = scores - fitted
    np.testing.assert_allclose((residual * fitted).sum(axis=1), 0, atol=1e-9)
    for _ in range(10):
        other = max_constraint(rng.normal(size=scores.shape), h)
        assert ((residual * other).sum(axis=1) <= 1e-9).all()
    # hence never farther from the scores than other coherent scores
    distance = (residual**2).sum(axis=1)
    for constraint in (max_constraint, min_constraint, average_constraint):
        other = constraint(scores, h)
        assert (distance <= ((scores - other) ** 2).sum(axis=1) + 1e-9).all()


@settings(max_examples=30, deadline=None)
@given(FORESTS, SEEDS)
def test_isotonic_meets_the_kkt_conditions(h, seed):
    """Every pool of equal scores is the mean of its scores, and no lower set of it
    has a higher mean: multipliers, summed from the leaves, are not negative."""
    scores = np.random.default_rng(seed).normal(size=(3, h.n_labels))
    fitted = isotonic_constraint(scores, h)
    for s, x in zip(scores, fitted, strict=True):
        pull = s - x  # flow that the edge above a label must carry
        for p, c in sorted(h.edges.tolist(), key=lambda e: -h.depth[e[1]]):
            assert pull[c] >= -1e-9  # the multiplier of x[p] >= x[c]
            if pull[c] > 1e-9:
                assert abs(x[p] - x[c]) < 1e-9
            pull[p] += pull[c]
        np.testing.assert_allclose(pull[h.roots], 0, atol=1e-9)


def test_isotonic_by_hand():
    # a child above its parent: both get the mean; the other child stays
    h = Hierarchy.from_edges([(0, 1), (0, 2)])
    fitted = isotonic_constraint(np.array([[0.2, 0.6, 0.1]]), h)
    np.testing.assert_allclose(fitted, [[0.4, 0.4, 0.1]])
    # chain .1 .2 .9: all at 0.4
    fitted = isotonic_constraint(np.array([[0.1, 0.2, 0.9]]), CHAIN)
    np.testing.assert_allclose(fitted, [[0.4, 0.4, 0.4]])


@settings(max_examples=60, deadline=None)
@given(FORESTS, SEEDS)
def test_isotonic_keeps_coherent_scores_to_the_last_bit(h, seed):
    scores = np.round(np.random.default_rng(seed).random((6, h.n_labels)), 1)
    scores = min_constraint(scores, h)  # with many zeros and ties
    np.testing.assert_array_equal(isotonic_constraint(scores, h), scores)


def test_isotonic_dtypes_blocks_and_emptiness(monkeypatch):
    rng = np.random.default_rng(0)
    h = random_hierarchy(15, seed=3)
    scores = rng.normal(size=(11, 15))
    whole = isotonic_constraint(scores, h)
    monkeypatch.setattr(_isotonic, "ROWS_PER_BLOCK", 4)
    np.testing.assert_array_equal(isotonic_constraint(scores, h), whole)
    single = isotonic_constraint(scores.astype(np.float32), h)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, whole, atol=1e-6)
    integers = isotonic_constraint(np.array([[0, 1, 2]]), CHAIN)
    np.testing.assert_allclose(integers, [[1.0, 1.0, 1.0]])
    assert isotonic_constraint(scores[:0], h).shape == (0, 15)


def test_isotonic_refuses_a_dag():
    dag = Hierarchy.from_edges([("a", "c"), ("b", "c")])
    message = r"needs a tree, but label 'c' has the parents \['a', 'b'\]. Use the max"
    with pytest.raises(ValueError, match=message):
        isotonic_constraint(np.zeros((1, 3)), dag)


# -- violations ------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(hierarchies(), SEEDS)
def test_violations_against_loops(h, seed):
    rng = np.random.default_rng(seed)
    Y = rng.integers(0, 2, (5, h.n_labels))
    scores = rng.integers(0, 5, Y.shape) / 4
    marked = np.zeros((3, 5, len(h.edges)), bool)
    for i in range(5):
        for k, (p, c) in enumerate(h.edges):
            marked[0, i, k] = Y[i, c] == 1 and Y[i, p] == 0
            marked[1, i, k] = scores[i, c] > scores[i, p]
            marked[2, i, k] = scores[i, c] > scores[i, p] + 0.25
    found = [violations(Y, h), score_violations(scores, h)]
    found += [score_violations(scores, h, tol=0.25)]
    found += [violations(kind(Y), h) for kind in (sp.csr_matrix, sp.csc_array)]
    for got, expected in zip(found, [*marked, marked[0], marked[0]], strict=True):
        assert got.format == "csr" and got.dtype == bool and got.data.all()
        np.testing.assert_array_equal(got.toarray(), expected)
    assert violations(close_upward(Y, h), h).nnz == 0


@pytest.mark.parametrize(
    "function",
    [close_upward, *CONSTRAINTS, violations, score_violations],
)
def test_no_samples_no_edges_and_wrong_widths(function):
    flat = Hierarchy.flat(3)
    for shape in ((0, 3), (4, 3)):
        for h in (CHAIN, flat):
            result = function(np.zeros(shape), h)
            edges = function in (violations, score_violations)
            assert result.shape == (shape[0], len(h.edges) if edges else 3)
    for wrong in (np.zeros((2, 4)), np.zeros(3)):
        with pytest.raises(ValueError, match=r"\(n_samples, 3\), .*got shape"):
            function(wrong, CHAIN)


@settings(max_examples=20, deadline=None)
@given(hierarchies(), st.integers(0, 2**32 - 1))
def test_a_few_samples_are_gathered_as_many_are_swept(h, seed):
    scores = np.random.default_rng(seed).normal(size=(40, h.n_labels))
    for constraint in (max_constraint, min_constraint):
        for kind in (np.float32, np.int64, bool):
            many = constraint(scores.astype(kind), h)
            for n in (1, 4, 5):
                few = constraint(scores[:n].astype(kind), h)
                assert few.dtype == many.dtype
                np.testing.assert_array_equal(few, many[:n])


def test_many_labels_are_swept_and_not_gathered():
    chain = Hierarchy.from_edges([(k, k + 1) for k in range(200)])  # 20,100 pairs
    assert chain._short_sweeps is None and Hierarchy.flat(3)._short_sweeps is None
    assert (max_constraint(np.arange(201.0)[None], chain) == 200).all()
    assert CHAIN._short_sweeps is not None


# -- plans -----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(hierarchies())
def test_plans_carry_every_edge_once_and_in_order(h):
    parent, child = h.edges.T
    for plan, targets, sources in (
        (h.upward_plan, parent, child),
        (h.downward_plan, child, parent),
    ):
        expected = {t: set(sources[targets == t]) for t in targets}
        done = []
        for step in plan:
            fan = step.sources.shape[1]
            assert step.sources.shape == (len(step.targets), fan)
            assert fan & (fan - 1) == 0  # a power of two
            for target, row in zip(step.targets, step.sources, strict=True):
                assert set(row) == expected[target]  # padded by real sources only
                assert fan < 2 * len(expected[target])
            assert not set(step.targets) & set(step.sources.ravel())
            # what a step reads is final: no later step writes it
            done += step.targets.tolist()
            waiting = set(expected) - set(done) | set(step.targets)
            assert not waiting & set(step.sources.ravel())
        assert sorted(done) == sorted(expected)


@pytest.mark.parametrize("function", [close_upward, max_constraint, most_specific])
def test_what_is_no_hierarchy_is_refused(function):
    with pytest.raises(TypeError, match="Expected a Hierarchy .*, got dict. Build it"):
        function(np.zeros((1, 2)), {"cat": "mammal"})

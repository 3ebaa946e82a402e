"""Counts and similarities against naive loops and exact fractions."""

import math
import tracemalloc
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc._networks.label_similarity import SIMILARITIES, ancestry, similarity
from skhmc.coherence import close_upward
from skhmc.induction import cooccurrence
from tests.hierarchies import hierarchies

seeds = st.integers(0, 2**32 - 1)


def random_Y(seed, n_labels=None):
    """Return indicators (n, L) with unknown values, of labels more and less common."""
    rng = np.random.default_rng(seed)
    n_labels = n_labels or int(rng.integers(1, 7))
    rates = rng.random(n_labels)
    Y = (rng.random((int(rng.integers(1, 30)), n_labels)) < rates).astype(float)
    Y[rng.random(Y.shape) < rng.choice([0, 0.2])] = np.nan
    return Y


def counted(Y):
    """Return the counts by a loop."""
    n_labels = Y.shape[1]
    counts = np.zeros((n_labels, n_labels), int)
    for row, a, b in product(Y, range(n_labels), range(n_labels)):
        counts[a, b] += row[a] == 1 and row[b] == 1
    return counts


def exact(kind, c, a, b, n):
    """Return a fraction that is ordered as the similarity is."""
    if kind == "count":
        return Fraction(c)
    if kind == "cosine":
        return Fraction(c * c, a * b)  # its square
    if kind == "jaccard":
        return Fraction(c, a + b - c)
    return max(Fraction(n * c, a * b), Fraction(1))  # its exponential


NULL = {"count": 0, "cosine": 0, "jaccard": 0, "ppmi": 1}
VALUE = {
    "count": float,
    "cosine": math.sqrt,
    "jaccard": float,
    "ppmi": math.log,
}


def assert_canonical(matrix):
    assert sp.issparse(matrix) and matrix.format == "csr"
    assert (matrix.data > 0).all()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    assert (np.diff(rows * matrix.shape[1] + matrix.indices) > 0).all()
    assert (matrix != matrix.T).nnz == 0, "symmetric to the last bit"


@given(seeds)
def test_counts_are_those_of_a_loop(seed):
    Y = random_Y(seed)
    expected = counted(Y)
    stored = sp.csr_matrix(np.nan_to_num(Y, nan=7))
    stored.data[stored.data == 7] = np.nan
    whole = sp.csr_matrix(np.ones_like(Y))  # zeros and unknowns stored
    whole.data[:] = Y.ravel()
    for form in (Y, stored, whole, sp.csc_matrix(stored), stored.astype(np.float32)):
        counts = cooccurrence(form)
        assert_canonical(counts)
        np.testing.assert_array_equal(counts.toarray(), expected)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32])
def test_counts_do_not_overflow(dtype):
    Y = np.ones((300, 2), dtype)
    for form in (Y, sp.csr_matrix(Y)):
        assert cooccurrence(form).toarray().tolist() == [[300, 300], [300, 300]]


@given(seeds)
def test_weights_are_repetitions(seed):
    Y = random_Y(seed)
    times = np.random.default_rng(seed).integers(0, 4, len(Y))
    weighted, repeated = cooccurrence(Y, times), cooccurrence(np.repeat(Y, times, 0))
    assert_canonical(weighted)
    for kind in SIMILARITIES:
        found = similarity(weighted, kind, times.sum())
        expected = similarity(repeated, kind, times.sum())
        np.testing.assert_array_equal(found.toarray(), expected.toarray())


@pytest.mark.parametrize("kind", SIMILARITIES)
@given(seed=seeds)
def test_similarities_are_the_formulas_and_equal_ones_equal_in_the_last_bit(kind, seed):
    Y = random_Y(seed)
    counts, n = counted(Y), len(Y)
    S = similarity(cooccurrence(Y), kind, n)
    assert_canonical(S)
    value = S.toarray()
    fraction = np.full(value.shape, Fraction(NULL[kind]), object)
    for a, b in product(range(len(counts)), repeat=2):
        if a != b and counts[a, b]:
            known = int(counts[a, b]), int(counts[a, a]), int(counts[b, b])
            fraction[a, b] = exact(kind, *known, n)
    expected = np.vectorize(VALUE[kind], otypes=[float])(fraction)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-15)
    assert (np.diagonal(value) == 0).all()
    less = fraction[:, :, None] < fraction[:, None]
    np.testing.assert_array_equal(value[:, :, None] < value[:, None], less)


def test_equal_cosines_of_other_counts_are_equal():
    # 1 / sqrt(1 * 2), 3 / sqrt(3 * 6), 7 / sqrt(7 * 14)
    blocks = [sp.csr_matrix([[k, k], [k, 2 * k]]) for k in (1, 3, 7)]
    counts = sp.block_diag(blocks, format="csr")
    data = similarity(counts.astype(float), "cosine", 100).data
    assert len(data) == 6 and len(set(data)) == 1


@pytest.mark.parametrize("kind", SIMILARITIES)
@given(seed=seeds)
def test_labels_may_be_permuted(kind, seed):
    Y = random_Y(seed)
    p = np.random.default_rng(seed).permutation(Y.shape[1])
    S = similarity(cooccurrence(Y), kind, len(Y)).toarray()
    found = similarity(cooccurrence(Y[:, p]), kind, len(Y))
    np.testing.assert_array_equal(found.toarray(), S[np.ix_(p, p)])


@given(hierarchies(max_labels=12), seeds)
def test_closed_labels_are_no_less_like_their_parents_than_their_grandparents(h, seed):
    Y = close_upward((random_Y(seed, h.n_labels) == 1).astype(float), h)
    counts = cooccurrence(Y)
    of = {kind: similarity(counts, kind, len(Y)).toarray() for kind in SIMILARITIES}
    for parent, label in h.edges:
        for grandparent in h.ancestors[[parent]].indices:
            tie = of["count"][label, [parent, grandparent]]
            assert tie[0] == tie[1] == counts[label, label]
            for kind in ("cosine", "jaccard", "ppmi"):
                assert of[kind][label, parent] >= of[kind][label, grandparent]


def test_ppmi_knows_no_label_that_all_samples_have():
    Y = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1]])
    S = similarity(cooccurrence(Y), "ppmi", 3)
    assert S.nnz == 0  # 1 and 2 exclude one another, 0 says nothing
    assert similarity(cooccurrence(Y), "cosine", 3).nnz == 4


def test_nothing_occurs():
    for Y in (np.zeros((3, 2)), np.empty((0, 2)), np.full((3, 2), np.nan)):
        counts = cooccurrence(Y)
        assert counts.shape == (2, 2) and counts.nnz == 0
        for kind in SIMILARITIES:
            assert similarity(counts, kind, len(Y)).nnz == 0


def test_memory_does_not_grow_with_the_labels_squared():
    n_labels = 200_000  # squared, 40 GB of single bytes
    columns = np.arange(n_labels).reshape(-1, 2)
    Y = sp.csr_matrix(
        (np.ones(n_labels), columns.ravel(), np.arange(0, n_labels + 1, 2)),
        shape=(n_labels // 2, n_labels),
    )
    tracemalloc.start()
    S = similarity(cooccurrence(Y), "jaccard", Y.shape[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert S.nnz == n_labels and (S.data == 1).all()
    assert peak < 100e6


@given(hierarchies())
def test_ancestry_holds_ancestors_and_descendants(h):
    related, upward = ancestry(h)
    up = h.ancestors.toarray()
    np.testing.assert_array_equal(related.toarray(), up | up.T)
    assert_canonical(related)
    found = np.zeros_like(up)
    found[related.nonzero()] = upward
    np.testing.assert_array_equal(found, up)


def test_ancestry_of_a_flat_hierarchy_is_empty():
    related, upward = ancestry(Hierarchy.flat(3))
    assert related.shape == (3, 3) and related.nnz == len(upward) == 0

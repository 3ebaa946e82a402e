"""Ranked pairs: strictness by definition, and what is drawn how often."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from skhmc import Hierarchy
from skhmc._networks.label_similarity import ancestry
from skhmc.nn.pairs import RankedPairs

seeds = st.integers(0, 2**32 - 1)


def random_similarity(seed, n_labels=None):
    """Return a dense similarity with zeros and ties, rows of one label among them."""
    rng = np.random.default_rng(seed)
    n_labels = n_labels or int(rng.integers(1, 9))
    S = rng.choice([0, 0.25, 0.5, 1, 3], (n_labels, n_labels))
    S = np.triu(S, 1)
    return S + S.T


def ranked(S, drawn=None):
    """Return the pairs of a dense or sparse similarity."""
    S = sp.csr_matrix(S, dtype=float)
    drawn = None if drawn is None else torch.from_numpy(drawn)
    arrays = (torch.from_numpy(a) for a in (S.indptr, S.indices, S.data))
    return RankedPairs(*arrays, drawn)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@given(seeds)
def test_ranks_are_strict_similarity(seed):
    S = random_similarity(seed)
    labels = range(len(S))
    row, col = torch.tensor(list(product(labels, repeat=2))).T
    rank = ranked(S).rank(row, col).view(len(S), -1)
    for i, j in product(labels, repeat=2):
        if S[i, j]:
            assert rank[i, j] == sum(S[i, z] < S[i, j] for z in labels if z != i)
        else:
            assert rank[i, j] == -1
        for z in set(labels) - {i}:
            assert (rank[i, z] < rank[i, j]) == (S[i, z] < S[i, j])


@given(seeds)
def test_pairs_are_what_is_stored(seed):
    S = random_similarity(seed)
    pairs = ranked(S)
    row, col, n_strict = pairs.pairs()
    assert torch.equal(torch.stack([row, col]), torch.tensor(np.array(S.nonzero())))
    assert pairs.n_pairs == np.count_nonzero(S)
    assert torch.equal(n_strict, pairs.rank(row, col))


@given(seeds)
def test_labels_may_be_permuted(seed):
    S = random_similarity(seed)
    p = np.random.default_rng(seed).permutation(len(S))
    row, col, n_strict = ranked(S[np.ix_(p, p)]).pairs()
    p = torch.from_numpy(p)
    assert torch.equal(ranked(S).rank(p[row], p[col]), n_strict)


@given(seeds)
def test_negatives_come_first_in_the_order(seed):
    S = random_similarity(seed)
    pairs = ranked(S)
    order = pairs.order()
    assert torch.equal(order[:, -1], torch.arange(len(S)))
    for i, j, n_strict in zip(*(t.tolist() for t in pairs.pairs()), strict=True):
        negatives = {z for z in range(len(S)) if z != i and S[i, z] < S[i, j]}
        assert set(order[i, :n_strict].tolist()) == negatives


@given(seeds)
def test_what_is_drawn(seed):
    S = random_similarity(seed)
    draw = ranked(S).draw(50, 7, generator(seed))
    n_pairs = 50 if S.any() else 0
    assert draw.candidates.shape == draw.strict.shape == (n_pairs, 7)
    assert len(draw.anchor) == len(draw.positive) == len(draw.n_strict) == n_pairs
    i, j, z = (t.numpy() for t in (draw.anchor, draw.positive, draw.candidates))
    assert (S[i, j] > 0).all() and (i != j).all()
    assert (z != i[:, None]).all() and (z >= 0).all() and (z < len(S)).all()
    strict = S[i[:, None], z] < S[i, j][:, None]
    np.testing.assert_array_equal(draw.strict.numpy(), strict)


def test_pairs_and_candidates_are_drawn_uniformly():
    S = random_similarity(3, 6)
    draw = ranked(S).draw(20_000, 2, generator())
    seen = np.zeros_like(S)
    np.add.at(seen, (draw.anchor.numpy(), draw.positive.numpy()), 1)
    assert chisquare(seen[S > 0]).pvalue > 0.001
    seen[:] = 0
    np.add.at(seen, (draw.anchor.numpy()[:, None], draw.candidates.numpy()), 1)
    for label, row in enumerate(seen):
        assert row[label] == 0 and chisquare(np.delete(row, label)).pvalue > 0.001


def test_draws_are_those_of_the_generator():
    pairs = ranked(random_similarity(3, 6))
    before = torch.get_rng_state()
    first, same, other = (pairs.draw(8, 4, generator(seed)) for seed in (0, 0, 1))
    assert all(map(torch.equal, first, same))
    assert not torch.equal(first.candidates, other.candidates)
    assert torch.equal(torch.get_rng_state(), before)


@given(seeds)
def test_some_entries_are_only_no_negatives(seed):
    S = random_similarity(seed)
    drawn = np.random.default_rng(seed).random(np.count_nonzero(S)) < 0.5
    pairs, whole = ranked(S, drawn), ranked(S)
    assert pairs.n_pairs == drawn.sum()
    expected = [t[torch.from_numpy(drawn)] for t in whole.pairs()]
    assert all(map(torch.equal, pairs.pairs(), expected))
    seen = pairs.draw(50, 1, generator(seed))
    keys = set((expected[0] * len(S) + expected[1]).tolist())
    assert set((seen.anchor * len(S) + seen.positive).tolist()) <= keys


def test_pairs_of_a_hierarchy():
    h = Hierarchy.from_paths(["a/b", "a/c", "d"])
    pairs = ranked(*ancestry(h))
    names = np.array(h.labels)
    row, col, n_strict = pairs.pairs()
    found = zip(names[row], names[col], n_strict.tolist(), strict=True)
    assert set(found) == {("a/b", "a", 2), ("a/c", "a", 2)}
    a, b = h.position("a"), h.position("a/b")
    assert pairs.rank(torch.tensor(a), torch.tensor(b)) >= 0  # related, though no pair
    draw = pairs.draw(100, 5, generator())
    i, z = draw.anchor[:, None].expand_as(draw.candidates), draw.candidates
    related = torch.tensor((h.ancestors + h.descendants).toarray())
    assert torch.equal(draw.strict, ~related[i, z])


@pytest.mark.parametrize("n_labels", [1, 3])
def test_no_pairs(n_labels):
    pairs = ranked(np.zeros((n_labels, n_labels)))
    assert pairs.n_pairs == 0 and pairs.draw(5, 2, generator()).strict.shape == (0, 2)
    assert pairs.order()[:, -1].tolist() == list(range(n_labels))


def test_two_labels_have_no_negatives():
    draw = ranked([[0, 1], [1, 0]]).draw(9, 3, generator())
    assert not draw.strict.any() and (draw.n_strict == 0).all()
    assert torch.equal(draw.candidates, (1 - draw.anchor)[:, None].expand(9, 3))


def test_numbers_of_many_labels_do_not_overflow():
    n_labels = 3_000_000  # squared, more than 32 bits and than float64 counts to
    crow = torch.full((n_labels + 1,), 2, dtype=torch.int32)
    crow[0], crow[-2] = 0, 1
    crow[1:-2] = 1
    col = torch.tensor([n_labels - 1, 0], dtype=torch.int32)
    pairs = RankedPairs(crow, col, torch.tensor([0.5, 0.5]))
    row, col, n_strict = pairs.pairs()
    assert row.tolist() == [0, n_labels - 1] and col.tolist() == [n_labels - 1, 0]
    assert n_strict.tolist() == [n_labels - 2] * 2

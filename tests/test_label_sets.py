"""Tests of whole label sets: a distribution over closed sets, and its most probable."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc._meta import label_sets
from skhmc._meta.label_sets import (
    conditionals,
    log_probabilities,
    of_units,
    seen_sets,
)
from skhmc.coherence import close_upward, max_constraint
from tests.hierarchies import hierarchies

SMALL = hierarchies(max_labels=7)
SEEDS = st.integers(0, 2**32 - 1)


def coherent(hierarchy, seed, n_samples=3):
    """Return coherent probabilities, away from 0 and 1."""
    raw = np.random.default_rng(seed).uniform(
        0.05, 0.95, (n_samples, hierarchy.n_labels)
    )
    # no child has all of its parent's probability, which would be clipped
    return max_constraint(raw, hierarchy) * 0.9**hierarchy.depth


def closed_sets(hierarchy):
    """Return all label sets that hold their ancestors."""
    every = np.array(list(product([0, 1], repeat=hierarchy.n_labels)))
    return every[(close_upward(every, hierarchy) == every).all(axis=1)]


def probability(p, chosen, hierarchy):
    """Return the probability of a set by its definition, label by label."""
    found = 1.0
    for label in range(hierarchy.n_labels):
        parents = hierarchy.edges[hierarchy.edges[:, 1] == label, 0]
        if chosen[parents].all():
            q = p[label] / min(p[parents], default=1.0)
            found *= q if chosen[label] else 1 - q
    return found


# -- a distribution --------------------------------------------------------------------


@settings(max_examples=25)
@given(SMALL, SEEDS)
def test_closed_sets_have_the_probabilities_of_their_decisions(hierarchy, seed):
    p = coherent(hierarchy, seed)
    every = closed_sets(hierarchy)
    found = np.exp(log_probabilities(p, sp.csr_matrix(every), hierarchy))
    expected = [[probability(row, chosen, hierarchy) for chosen in every] for row in p]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1)  # of trees and of DAGs
    marginals = found @ every
    if hierarchy.is_tree:
        np.testing.assert_allclose(marginals, p)
    else:
        assert (marginals <= p + 1e-12).all()


def test_several_parents_make_a_label_less_probable_than_it_was():
    """Two parents with 1/2 each are both there in 1/4 of the cases."""
    diamond = Hierarchy.from_edges([(0, 2), (1, 2)])
    p = np.array([[0.5, 0.5, 0.4]])
    assert conditionals(p, diamond)[0, 2] == 0.8
    every = closed_sets(diamond)
    found = np.exp(log_probabilities(p, sp.csr_matrix(every), diamond))
    np.testing.assert_allclose(found @ every, [[0.5, 0.5, 0.25 * 0.8]])


def test_probabilities_of_0_and_1_are_no_errors():
    chain = Hierarchy.from_edges([(0, 1), (1, 2)])
    p = np.array([[0.0, 0, 0], [1, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(conditionals(p, chain)[0], 0)
    sets, _ = seen_sets(np.array([[0, 0, 0], [1, 0, 0], [1, 1, 1]]), chain)
    found = sets.indicators(sets.most_probable(p))
    np.testing.assert_array_equal(found, p == 1)


# -- the most probable -----------------------------------------------------------------


@settings(max_examples=25)
@given(SMALL, SEEDS, st.sampled_from([0.0, 0.5, 1.0]))
def test_the_best_set_is_that_of_brute_force(hierarchy, seed, dependence):
    """With the lift of a set: its frequency over that of independent decisions."""
    rng = np.random.default_rng(seed)
    every = closed_sets(hierarchy)
    Y = every[rng.integers(len(every), size=12)]
    p = coherent(hierarchy, seed, 5)
    sets, _ = seen_sets(Y, hierarchy)
    found = sets.indicators(sets.most_probable(p, dependence))
    chosen, counts = np.unique(Y, axis=0, return_counts=True)
    frequency = Y.mean(axis=0)
    alone = np.exp(log_probabilities(frequency[None], sp.csr_matrix(chosen), hierarchy))
    lift = counts / 12 / alone[0]
    for row, answer in zip(p, found, strict=True):
        value = [probability(row, x, hierarchy) for x in chosen] * lift**dependence
        at = (chosen == answer).all(axis=1)
        assert at.sum() == 1 and value[at] == pytest.approx(value.max())


def test_of_equal_sets_the_most_frequent_then_the_smaller_then_the_first_is_taken():
    flat = Hierarchy.flat(3)
    half = np.full((1, 3), 0.5)

    def best(Y):
        found = set()
        for order in (Y, Y[::-1]):
            sets, _ = seen_sets(np.array(order), flat)
            found.add(tuple(map(int, sets.indicators(sets.most_probable(half))[0])))
        return found

    assert best([[0, 0, 1], [1, 1, 1], [1, 1, 1]]) == {(1, 1, 1)}
    assert best([[1, 1, 0], [0, 0, 1]]) == {(0, 0, 1)}
    assert best([[0, 0, 1], [1, 0, 0], [0, 1, 0]]) == {(1, 0, 0)}
    assert best([[0, 0, 1], [0, 0, 0], [1, 0, 0]]) == {(0, 0, 0)}


def test_blocks_change_nothing(monkeypatch):
    dag = Hierarchy.from_edges([(0, 2), (1, 2), (0, 3)])
    Y = closed_sets(dag)
    p = coherent(dag, 0, 40)
    sets, _ = seen_sets(Y, dag)
    whole = sets.most_probable(p, 1.0)
    assert len(set(whole)) > 3
    monkeypatch.setattr(label_sets, "CELLS_PER_BLOCK", 50)
    np.testing.assert_array_equal(sets.most_probable(p, 1.0), whole)


def test_a_limit_of_labels_leaves_larger_sets_out():
    flat = Hierarchy.flat(3)
    sets, _ = seen_sets(np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1]]), flat)
    p = np.full((1, 3), 0.9)
    for limit, expected in [(3, [1, 1, 1]), (2, [1, 1, 0]), (1, [0, 0, 1])]:
        found = sets.indicators(sets.most_probable(p, max_labels=limit))
        np.testing.assert_array_equal(found, [expected])
    sets, _ = seen_sets(np.array([[1, 1, 1]]), flat)
    assert sets.most_probable(p, max_labels=2).tolist() == [-1]
    assert not sets.indicators(np.array([-1])).any()


def test_what_a_sample_added_is_left_out_of_its_own_choice():
    rng = np.random.default_rng(0)
    dag = Hierarchy.from_edges([(0, 2), (1, 2), (0, 3)])
    every = closed_sets(dag)
    Y = every[rng.integers(len(every), size=14)]
    weight = rng.integers(1, 4, 14).astype(float)
    units = np.arange(14) // 2
    p = coherent(dag, 1, 14)
    sets, members = seen_sets(Y, dag, weight)
    own = of_units(members, units)[units]
    found = sets.most_probable(p, 0.5, own=own)
    alone = np.log(sets.weight) - sets.log_lift  # that of all samples
    known = sets.sets.toarray()
    scores = log_probabilities(p, sets.sets, dag)
    for k, score in enumerate(scores):
        others = weight * (units != units[k])
        with np.errstate(divide="ignore"):
            left = np.log([others[(Y == x).all(axis=1)].sum() for x in known])
        assert found[k] == (score + 0.5 * (left - alone)).argmax()
    assert (found != sets.most_probable(p, 0.5)).any()


# -- what was seen ---------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix])
def test_rows_that_are_known_whole_and_count_are_seen(make):
    nan = np.nan
    Y = np.array([[1, 0, 1], [1, nan, 1], [0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]])
    flat = Hierarchy.flat(3)
    sets, members = seen_sets(make(Y), flat, np.array([1.0, 9, 2, 0.5, 0, 1]))
    np.testing.assert_array_equal(sets.sets.toarray(), [[0, 0, 0], [1, 0, 1]])
    assert sets.weight.tolist() == [3, 1.5]
    expected = [[0, 1], [0, 0], [2, 0], [0, 0.5], [0, 0], [1, 0]]
    np.testing.assert_array_equal(members.toarray(), expected)


def test_stored_zeros_are_no_labels():
    Y = sp.csr_matrix((np.array([1.0, 0.0]), ([0, 0], [1, 2])), shape=(1, 3))
    sets, _ = seen_sets(Y, Hierarchy.flat(3))
    np.testing.assert_array_equal(sets.sets.toarray(), [[0, 1, 0]])
    assert sets.sets.nnz == 1 and Y.nnz == 2


def test_nothing_seen_is_no_set():
    sets, members = seen_sets(np.full((2, 3), np.nan), Hierarchy.flat(3))
    assert len(sets.weight) == 0 and members.shape == (2, 0)

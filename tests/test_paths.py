"""Single paths: outcomes, stops, frontiers and the distribution over them."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc.coherence import close_upward, score_violations
from skhmc.paths import PathSpace, is_single_path, stopping_points
from tests.hierarchies import hierarchies, random_hierarchy

#     a       b
#    / \      |
#   a1  a2    b1      a1x under a1
H = Hierarchy.from_paths(["a/1/x", "a/2", "b/1"])
A, A1, A1X, A2, B, B1 = range(6)


def rows(*ends):
    """Return closed indicators of rows that end at these labels (None: no label)."""
    Y = np.zeros((len(ends), H.n_labels), int)
    for row, end in zip(Y, ends, strict=True):
        if end is not None:
            row[end] = 1
    return close_upward(Y, H)


def test_the_labels_are_where_the_test_thinks():
    assert H.labels == ("a", "a/1", "a/1/x", "a/2", "b", "b/1")


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_single_path_and_stopping_points(kind):
    Y = rows(A1X, A2, A1, B, None)
    assert is_single_path(kind(Y), H)
    stops, empty = stopping_points(kind(Y), H)
    assert stops.tolist() == [A1, B] and empty
    stops, empty = stopping_points(kind(rows(A1X, B1)), H)
    assert stops.tolist() == [] and not empty


def test_two_labels_at_one_depth_are_no_single_path():
    assert not is_single_path(rows(A1) | rows(A2), H)
    assert not is_single_path(rows(A) | rows(B), H)


def test_a_dag_and_unknown_labels_are_no_single_path():
    dag = Hierarchy.from_edges([(0, 2), (1, 2)])
    assert not is_single_path(np.zeros((1, 3)), dag)
    Y = rows(A1).astype(float)
    Y[0, B] = np.nan
    assert not is_single_path(Y, H)


def test_frontiers_hold_a_level_and_the_outcomes_above_it():
    space = PathSpace(H, stops=[A1], empty=True)
    stop_a1, nothing = 6, 7
    assert [f.tolist() for f in space.frontiers] == [
        [A, B, nothing],
        [A1, A2, B1, nothing],
        [A1X, A2, B1, stop_a1, nothing],
    ]
    ends = dict(zip(space.outcomes.tolist(), space.ends.tolist(), strict=True))
    assert ends == {A1X: A1X, A2: A2, B1: B1, stop_a1: A1, nothing: -1}


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix])
def test_every_row_has_one_label_in_every_frontier(kind):
    Y = rows(A1X, A1, A2, B1, None)
    space = PathSpace(H, *stopping_points(Y, H))
    extended = space.extend(kind(Y))
    assert sp.issparse(extended) == (kind is sp.csr_matrix)
    extended = extended.toarray() if sp.issparse(extended) else extended
    for frontier in space.frontiers:
        assert (extended[:, frontier].sum(axis=1) == 1).all()


def test_the_path_distribution_by_hand():
    # a -> (a1, a2), b leaf; logits chosen so that the softmaxes are simple fractions
    h = Hierarchy.from_edges([("a", "a1"), ("a", "a2")], labels=["a", "b", "a1", "a2"])
    logits = np.log([[3.0, 1.0, 2.0, 1.0]])
    space = PathSpace(h)
    # level 0 over {a, b}: 3/4, 1/4; level 1 over {a1, a2, b}: 2/4, 1/4, 1/4
    coarse = np.array([3 / 4, 3 / 4, 1 / 4]) ** 0.1  # a1, a2, b
    scores = coarse * np.array([2 / 4, 1 / 4, 1 / 4])
    expected = scores / scores.sum()
    got = np.exp(space.outcome_log_proba(logits))[0]
    order = [space.ends.tolist().index(i) for i in (2, 3, 1)]
    np.testing.assert_allclose(got[order], expected)
    level = np.exp(space.level_log_proba(logits))[0]
    np.testing.assert_allclose(level, [3 / 4, 1 / 4, 2 / 4, 1 / 4])


@given(st.integers(1, 20), st.integers(0, 2**32 - 1), st.booleans())
def test_probabilities_of_labels_add_up_along_the_tree(n_labels, seed, empty):
    h = random_hierarchy(n_labels, seed)
    rng = np.random.default_rng(seed)
    internal = np.setdiff1d(np.arange(n_labels), h.leaves)
    space = PathSpace(h, internal[rng.random(len(internal)) < 0.5], empty)
    logits = rng.normal(scale=4, size=(3, space.extended.n_labels))
    proba = np.exp(space.outcome_log_proba(logits))
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    labels = proba @ space.members
    assert score_violations(labels, space.extended, tol=1e-9).nnz == 0
    children = labels @ space.extended.parents  # the sum over every label's children
    inner = np.setdiff1d(np.arange(space.extended.n_labels), space.outcomes)
    np.testing.assert_allclose(labels[:, inner], children[:, inner])
    np.testing.assert_allclose(labels[:, space.extended.roots].sum(axis=1), 1)


@given(hierarchies(max_parents=1), st.integers(0, 2**32 - 1))
def test_extreme_logits_stay_finite(h, seed):
    space = PathSpace(h)
    logits = np.random.default_rng(seed).choice([-1e4, 0.0, 1e4], (4, h.n_labels))
    assert np.isfinite(space.outcome_log_proba(logits)).all()
    assert np.isfinite(space.level_log_proba(logits)).all()

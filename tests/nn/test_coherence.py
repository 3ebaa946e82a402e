"""The max constraint on tensors: value, exact gradient, extremes."""

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc.coherence import max_constraint
from skhmc.nn.coherence import MaxConstraint
from tests.hierarchies import hierarchies, random_hierarchy


def naive(scores, hierarchy):
    graph = hierarchy.to_networkx()
    out = scores.copy()
    for a, label in enumerate(hierarchy.labels):
        below = [hierarchy.position(d) for d in nx.descendants(graph, label)]
        out[:, a] = scores[:, [a, *below]].max(axis=1)
    return out


@given(hierarchies(), st.integers(0, 2**32 - 1))
def test_forward_is_the_maximum_over_descendants(hierarchy, seed):
    scores = np.random.default_rng(seed).normal(size=(5, hierarchy.n_labels))
    got = MaxConstraint(hierarchy)(torch.from_numpy(scores)).numpy()
    np.testing.assert_array_equal(got, naive(scores, hierarchy))
    np.testing.assert_array_equal(got, max_constraint(scores, hierarchy))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("max_parents", [1, 3])
def test_backward_agrees_with_finite_differences(seed, max_parents):
    hierarchy = random_hierarchy(12, seed, max_parents)
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(4, 12, generator=generator, dtype=torch.float64)
    scores.requires_grad_()
    assert torch.autograd.gradcheck(MaxConstraint(hierarchy), (scores,))


@given(hierarchies(), st.integers(0, 2**32 - 1))
def test_backward_sends_every_gradient_to_the_winning_label(hierarchy, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(3, hierarchy.n_labels))
    grad = rng.normal(size=scores.shape)
    x = torch.from_numpy(scores).requires_grad_()
    MaxConstraint(hierarchy)(x).backward(torch.from_numpy(grad))
    expected = np.zeros_like(grad)
    top = naive(scores, hierarchy)
    for i, a in np.ndindex(*scores.shape):
        expected[i, np.flatnonzero(scores[i] == top[i, a])[0]] += grad[i, a]
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-12)


def test_ties_keep_the_gradient_whole_and_at_the_label_itself():
    hierarchy = Hierarchy.from_edges([(0, 1), (0, 2)])
    x = torch.zeros(1, 3, requires_grad=True)
    MaxConstraint(hierarchy)(x).backward(torch.tensor([[1.0, 10.0, 100.0]]))
    assert x.grad.tolist() == [[1.0, 10.0, 100.0]]


def test_minus_infinity_loses_and_carries_no_nan():
    hierarchy = Hierarchy.from_edges([(0, 1), (1, 2)])
    x = torch.tensor([[-torch.inf, -3.0, -torch.inf]], requires_grad=True)
    out = MaxConstraint(hierarchy)(x)
    assert out.tolist() == [[-3.0, -3.0, -torch.inf]]
    out[0, :2].sum().backward()
    assert x.grad.tolist() == [[0.0, 2.0, 0.0]]


def test_a_flat_hierarchy_changes_nothing():
    x = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(MaxConstraint(Hierarchy.flat(4))(x), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_chain_with_a_wide_root_keeps_dtype_and_shape(dtype):
    edges = [(0, i) for i in range(1, 700)] + [(699, 700), (700, 701)]
    constraint = MaxConstraint(Hierarchy.from_edges(edges))
    x = torch.full((2, 702), -1.0, dtype=dtype)
    x[0, 701] = 5.0
    out = constraint(x)
    assert out.dtype == dtype and out.shape == (2, 702)
    assert out[0, [0, 699, 700, 701]].tolist() == [5.0] * 4
    assert out[1].eq(-1).all()

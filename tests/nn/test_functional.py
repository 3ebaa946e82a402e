"""The mechanisms of HCAL, each against its formula."""

import math

import pytest
import torch

from skhmc.nn.functional import (
    adaptive_weights,
    class_means,
    dwa_weights,
    perturb,
    products,
    prototype_logits,
    unit,
)


def rand(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 3.0])
def test_adaptive_weights_give_the_gradient_of_the_soft_maximum(gamma):
    theta = rand(6).requires_grad_()
    losses = torch.stack([theta.square().sum(), theta.cos().sum() + 6, theta.exp()[0]])
    weighted = (adaptive_weights(losses, gamma) * losses).sum()
    got = torch.autograd.grad(weighted, theta, retain_graph=True)[0]
    soft_maximum = gamma * torch.logsumexp(losses / gamma, 0)
    expected = torch.autograd.grad(soft_maximum, theta)[0]
    torch.testing.assert_close(got, expected)


def test_adaptive_weights_sum_to_one_and_favour_the_largest_loss():
    losses = torch.tensor([0.3, 2.0, 1.0])
    weights = adaptive_weights(losses, 0.5)
    assert weights.sum().item() == pytest.approx(1)
    assert weights.argmax() == 1 and not weights.requires_grad
    # by hand: exp(.6), exp(4), exp(2) over their sum
    total = math.exp(0.6) + math.exp(4) + math.exp(2)
    expected = [math.exp(0.6) / total, math.exp(4) / total, math.exp(2) / total]
    assert weights.tolist() == pytest.approx(expected)


def test_adaptive_weights_go_from_worst_task_only_to_equal():
    losses = torch.tensor([1.0, 1.5])
    assert adaptive_weights(losses, 1e-3).tolist() == pytest.approx([0, 1])
    assert adaptive_weights(losses, 1e6).tolist() == pytest.approx([0.5, 0.5])


def test_dwa_by_hand():
    # rates 1/2 and 2/2; lambda = 2 softmax([.25, .5])
    weights = dwa_weights(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 2.0]))
    high = 2 / (1 + math.exp(-0.25))
    assert weights.tolist() == pytest.approx([2 - high, high])


def test_class_means_of_a_multi_hot_example_by_hand():
    features = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 4.0]])
    member = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    means, classes = class_means(features, member, chunk=3)
    assert classes.tolist() == [0, 2]  # class 1 is absent
    assert means.tolist() == [[2.0, 1.0], [3.0, 2.0]]


def test_class_means_weigh_samples():
    features = torch.tensor([[1.0], [4.0]])
    member = torch.tensor([[2.0], [1.0]])  # indicators times sample weights
    means, _ = class_means(features, member, chunk=2)
    assert means.tolist() == [[2.0]]


def test_class_means_per_chunk_and_an_incomplete_last_chunk():
    features = torch.tensor([[1.0], [3.0], [10.0]])
    means, classes = class_means(features, torch.ones(3, 1), chunk=2)
    assert means.tolist() == [[2.0], [10.0]] and classes.tolist() == [0, 0]


def test_no_class_present_gives_no_mean():
    means, classes = class_means(rand(4, 3), torch.zeros(4, 2).double(), chunk=2)
    assert means.shape == (0, 3) and classes.shape == (0,)


def test_no_perturbation_leaves_the_prototypes():
    prototypes = unit(rand(5, 8))
    assert perturb(prototypes, 0.0, None) is prototypes


@pytest.mark.parametrize("epsilon", [0.01, 0.3])
def test_perturbed_prototypes_are_unit_fresh_and_within_reach(epsilon):
    prototypes = unit(rand(5, 8))
    generator = torch.Generator().manual_seed(3)
    first = perturb(prototypes, epsilon, generator)
    second = perturb(prototypes, epsilon, generator)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(5).double())
    assert not torch.equal(first, second)
    # |xi| <= epsilon sqrt(d), and normalising at most doubles the distance
    reach = 2 * epsilon * math.sqrt(8)
    assert ((first - prototypes).norm(dim=1) <= reach).all()


def test_logit_noise_has_the_published_size():
    # epsilon / (sqrt(3) tau) = .0577 for unit features, whatever d
    generator = torch.Generator().manual_seed(0)
    feature, prototypes = unit(rand(1, 256)), unit(rand(4000, 256, seed=1))
    noisy = perturb(prototypes, 0.01, generator)
    noise = prototype_logits(feature, noisy, 0.1)
    noise = noise - prototype_logits(feature, prototypes, 0.1)
    assert noise.std().item() == pytest.approx(0.01 / (math.sqrt(3) * 0.1), rel=0.1)


def test_unit_of_zero_is_zero_and_gradients_stay_finite():
    vectors = torch.zeros(2, 3, requires_grad=True)
    out = unit(vectors)
    out.sum().backward()
    assert out.eq(0).all() and vectors.grad.isfinite().all()


def test_logits_of_a_label_may_lie_side_by_side():
    features, prototypes = rand(3, 4), rand(5, 4, seed=1)
    logits = prototype_logits(features, prototypes, 0.5)
    by_label = prototype_logits(features, prototypes, 0.5, by_label=True)
    torch.testing.assert_close(logits, by_label)
    assert logits.is_contiguous() and by_label.t().is_contiguous()
    sparse = products(features.to_sparse(), prototypes, by_label=True)
    torch.testing.assert_close(sparse, products(features, prototypes))

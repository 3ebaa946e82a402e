"""Contrastive losses against naive loops over their formulas, and what has no pair."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.graph import saved_tensors_hooks

from skhmc import Hierarchy
from skhmc.coherence import close_upward
from skhmc.nn.contrast import HMCE, HiLeCon, label_contrast, level_contrast
from tests.hierarchies import hierarchies, random_hierarchy

seeds = st.integers(0, 2**32 - 1)
shares = st.sampled_from([0.0, 0.2, 0.7])
few = settings(max_examples=15)


def batch(hierarchy, seed, unknown=0.0, n_samples=6):
    """Return features and labels of a few samples, some of which have equal labels."""
    rng = np.random.default_rng(seed)
    kinds = rng.random((3, hierarchy.n_labels)) < 0.3
    Y = close_upward(kinds.astype(float), hierarchy)[rng.integers(0, 3, n_samples)]
    Y[rng.random(Y.shape) < unknown] = np.nan
    features = torch.from_numpy(rng.normal(size=(n_samples, 4)))
    return features.requires_grad_(), torch.from_numpy(Y)


def gates_of(hierarchy, seed):
    draws = np.random.default_rng(seed + 1).random((hierarchy.n_labels, 4))
    return torch.from_numpy(draws).requires_grad_()


def both_ways(losses, *leaves):
    """Return losses, and the gradients of a sum in which they count differently."""
    weights = torch.arange(1, losses.numel() + 1, dtype=losses.dtype)
    total = (losses.flatten() * weights).sum()
    return [losses.detach(), *torch.autograd.grad(total, leaves, allow_unused=True)]


def assert_same(got, expected):
    for mine, other in zip(got, expected, strict=True):
        mine, other = (torch.zeros(()) if x is None else x for x in (mine, other))
        other = other.expand_as(mine).to(mine)
        torch.testing.assert_close(mine, other, atol=1e-10, rtol=1e-8)


def level_order(hierarchy):
    return np.concatenate(hierarchy.levels), [len(x) for x in hierarchy.levels]


# -- level by level --------------------------------------------------------------------


def relation(y, z):
    """Tell label sets that are equal from those that differ, and say what is open."""
    known = ~(y.isnan() | z.isnan())
    if (y[known] != z[known]).any():
        return "differ"
    return "equal" if known.all() else "open"


def naive_levels(features, Y, level_sizes, temperature):
    """Return the losses of all levels by the formula, loop in loop in loop."""
    f = features / features.norm(dim=1, keepdim=True)
    samples, losses = range(len(Y)), []
    for k in range(len(level_sizes)):
        y = Y[:, : sum(level_sizes[: k + 1])]
        of_anchors = []
        for i in samples:
            found = {j: relation(y[i], y[j]) for j in samples if j != i}
            positive = [j for j in found if found[j] == "equal" and (y[i] == 1).any()]
            if positive:
                near = {j: f[i] @ f[j] / temperature for j in found}
                among = sum(near[j].exp() for j in found if found[j] != "open")
                pairs = [among.log() - near[j] for j in positive]
                of_anchors.append(sum(pairs) / len(pairs))
        zero = features.sum() * 0
        losses.append(sum(of_anchors) / len(of_anchors) if of_anchors else zero)
    return torch.stack(losses)


@few
@given(hierarchies(max_labels=10), seeds, shares)
def test_level_contrast_is_the_formula(hierarchy, seed, unknown):
    features, Y = batch(hierarchy, seed, unknown)
    order, sizes = level_order(hierarchy)
    got = level_contrast(features, Y[:, order], sizes, temperature=0.5)
    expected = naive_levels(features, Y[:, order], sizes, 0.5)
    assert_same(both_ways(got, features), both_ways(expected, features))


@few
@given(hierarchies(max_labels=10), seeds, shares)
def test_hmce_bounds_levels_from_the_deepest_and_weighs_them(hierarchy, seed, unknown):
    features, Y = batch(hierarchy, seed, unknown)
    order, sizes = level_order(hierarchy)
    losses = naive_levels(features, Y[:, order], sizes, 0.5).tolist()
    n_levels = len(sizes)
    total = sum(2 ** (1 / (n_levels - k)) * max(losses[k:]) for k in range(n_levels))
    got = HMCE(hierarchy, temperature=0.5).double()(features, Y)
    assert got.item() == pytest.approx(total / n_levels)


def test_hmce_by_hand():
    # a, b below it; two samples of b with the same embedding, one of a alone
    h = Hierarchy.from_edges([("a", "b")])
    features = torch.tensor([[2.0, 0.0], [3.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    Y = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    same, other = math.log(math.e + 1) - 1, math.log(2)
    # of a: the first two have one pair of cosine 1 and one of 0, the third two of 0
    coarse = (2 * (same + same + 1) / 2 + other) / 3
    assert level_contrast(features, Y, [1, 1], temperature=1.0).tolist() == (
        pytest.approx([coarse, same])
    )
    found = HMCE(h, temperature=1.0).double()(features, Y).item()
    assert found == pytest.approx((2**0.5 * coarse + 2 * same) / 2)


def test_a_pair_that_may_be_equal_is_left_out_and_one_that_differs_repels():
    features = torch.eye(4, dtype=torch.float64)[:, :3] + 0.1
    nan = math.nan
    Y = torch.tensor([[1.0, 1], [1, 1], [1, nan], [0, nan]], dtype=torch.float64)
    losses = level_contrast(features, Y, [1, 1], temperature=1.0)
    without = level_contrast(features[[0, 1, 3]], Y[[0, 1, 3]], [1, 1], temperature=1.0)
    assert losses[1] == without[1]  # the third may be a [1, 1]
    alone = level_contrast(features[:2], Y[:2], [1, 1], temperature=1.0)
    assert losses[1] > alone[1]  # the last differs in what is known
    three = level_contrast(features[:3], Y[:3, :1], [1], temperature=1.0)
    assert losses[0] > three[0] > 0  # on the level above, the third is a pair


# -- label by label --------------------------------------------------------------------


def distance(y, z, weights):
    """Return the weighted share of the labels known in both in which they differ."""
    known = ~(y.isnan() | z.isnan())
    return (weights * (y != z) * known).sum() / (weights * known).sum()


def naive_labels(features, gates, Y, weights, temperature):
    """Return the losses of all labels by the formula, loop in loop in loop."""
    total, samples, losses = weights.sum(), range(len(Y)), []
    for label in range(Y.shape[1]):
        z = features * gates[label]
        having = [i for i in samples if Y[i, label] == 1]
        lacking = [i for i in samples if Y[i, label] == 0]
        pairs = []
        for p in having if lacking else []:

            def near(j, p=p, z=z):
                cosine = torch.cosine_similarity(z[p], z[j], dim=0)
                return (cosine / temperature).exp()

            rho = {j: distance(Y[p], Y[j], weights) * total for j in samples if j != p}
            repelled = sum(rho[n] * near(n) for n in lacking)
            for other in having:
                if other != p:
                    own = (1 - rho[other] / total) * near(other)
                    whole = (len(lacking) + 1) * own
                    pairs.append(((repelled + own) / whole).log())
        zero = features.sum() * 0
        losses.append(sum(pairs) / len(pairs) if pairs else zero)
    return torch.stack(losses)


@few
@given(hierarchies(max_labels=10), seeds, shares)
def test_label_contrast_is_the_formula(hierarchy, seed, unknown):
    features, Y = batch(hierarchy, seed, unknown)
    gates = gates_of(hierarchy, seed)
    weights = torch.rand(hierarchy.n_labels, dtype=torch.float64) + 0.5
    got, present = label_contrast(features, gates, Y, weights, temperature=0.5)
    expected = naive_labels(features, gates, Y, weights, 0.5)
    leaves = features, gates
    assert_same(both_ways(got, *leaves), both_ways(expected, *leaves))
    assert (expected[~present] == 0).all()


@pytest.mark.parametrize("max_parents", [1, 3])
def test_hilecon_weighs_labels_by_depth_and_has_the_mean_over_labels(max_parents):
    hierarchy = random_hierarchy(9, 3, max_parents)
    features, Y = batch(hierarchy, 0)
    loss = HiLeCon(hierarchy, n_features=4).double()
    with torch.no_grad():
        loss.gate.copy_(gates_of(hierarchy, 0))
    weights = torch.from_numpy(hierarchy.depth.max() - hierarchy.depth + 1.0)
    gates = torch.sigmoid(loss.gate)
    having, lacking = (Y == 1).sum(0), (Y == 0).sum(0)
    losses = naive_labels(features, gates, Y, weights, 1.0)
    expected = losses.sum() / ((having > 1) & (lacking > 0)).sum()
    torch.testing.assert_close(loss(features, Y), expected)


def test_hilecon_by_hand():
    # root r with a and b: weights 2, 1, 1; two samples of a, orthogonal, and one of b
    h = Hierarchy.from_parents({"a": "r", "b": "r"})
    order = [h.position(label) for label in "rab"]
    Y = torch.zeros(3, 3)
    Y[:, order] = torch.tensor([[1.0, 1, 0], [1, 1, 0], [1, 0, 1]])
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    # rho of a and b is 2; the third lies on the first, and b has one sample alone
    expected = (math.log((2 * math.e + 1) / 2) + math.log((2 + 1) / 2)) / 2
    found = HiLeCon(h, n_features=2)(features, Y).item()
    assert found == pytest.approx(expected, rel=1e-6)


def test_what_is_known_of_nobody_changes_nothing():
    hierarchy = random_hierarchy(8, 0, max_parents=2)
    features, Y = batch(hierarchy, 1)
    gates, weights = gates_of(hierarchy, 0), torch.ones(8, dtype=torch.float64)
    Y[:, 3] = math.nan
    losses, present = label_contrast(features, gates, Y, weights)
    rest = [k for k in range(8) if k != 3]
    args = features, gates[rest], Y[:, rest], weights[rest]
    expected, _ = label_contrast(*args)
    # distances have the scale of all labels: 8 of 8, and 7 of 7
    assert not present[3] and losses[3] == 0
    repel = math.log(8 / 7)
    assert (losses[rest] <= expected + repel + 1e-9).all()
    assert (losses[rest] >= expected - 1e-9).all()


# -- whatever a batch is like ----------------------------------------------------------

CHAIN = Hierarchy.from_edges([("a", "b"), ("b", "c")])
MODULES = [HMCE(CHAIN), HiLeCon(CHAIN, n_features=4)]
modules = pytest.mark.parametrize("loss", MODULES, ids=["hmce", "hilecon"])


@modules
@pytest.mark.parametrize(
    "Y",
    [
        torch.zeros(0, 3),
        torch.ones(1, 3),
        torch.zeros(4, 3),
        torch.full((4, 3), math.nan),
        torch.tensor([[1.0, 0, 0], [0, 0, 0], [math.nan, 0, 0]]),
    ],
    ids=["no sample", "one sample", "no label", "all unknown", "no pair"],
)
def test_without_a_positive_pair_the_loss_is_zero(loss, Y):
    features = torch.ones(len(Y), 4, requires_grad=True)
    value = loss(features, Y)
    value.backward()
    assert value.item() == 0
    assert (features.grad == 0).all()


@modules
@pytest.mark.parametrize("scale", [0.0, 1e-15, 1.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_and_gradients_are_finite(loss, scale, dtype):
    loss = type(loss)(CHAIN, *([4] if isinstance(loss, HiLeCon) else [])).to(dtype)
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(5, 4)) * scale).to(dtype)
    features[0] = features[1]  # cosine 1
    features[2] = -features[1]
    features[4] = 0
    features.requires_grad_()
    Y = torch.tensor([[1.0, 1, 1], [1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 0, math.nan]])
    value = loss(features, Y.to(dtype))
    value.backward()
    grads = [features.grad, *(p.grad for p in loss.parameters())]
    assert value.isfinite() and all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("kind", ["hmce", "hilecon"])
def test_blocks_give_the_same_and_keep_less(kind):
    hierarchy = random_hierarchy(30, 1, max_parents=2)
    features, Y = batch(hierarchy, 2, unknown=0.1, n_samples=40)
    found, kept = [], []
    for max_pairs in (2**22, 200):
        loss = HMCE(hierarchy) if kind == "hmce" else HiLeCon(hierarchy, 4)
        loss.double().max_pairs = max_pairs
        sizes = {}

        def pack(tensor, sizes=sizes):  # a tensor that is kept twice is there once
            sizes[tensor.data_ptr()] = tensor.numel()
            return tensor

        with saved_tensors_hooks(pack, lambda tensor: tensor):
            value = loss(features, Y)
        kept.append(sum(sizes.values()))
        leaves = [features, *loss.parameters()]
        found.append([value.detach(), *torch.autograd.grad(value, leaves)])
    assert_same(*found)
    assert kept[0] > 5 * kept[1]


@modules
def test_labels_of_another_shape_are_an_error(loss):
    with pytest.raises(ValueError, match=r"Expected Y of shape \(2, 3\), .* \(2, 2\)"):
        loss(torch.ones(2, 4), torch.ones(2, 2))

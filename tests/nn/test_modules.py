"""Networks: shapes, own randomness, prototypes."""

import copy
import pickle

import pytest
import torch

from skhmc.nn.modules import (
    Dropout,
    LabelNetwork,
    MLPEncoder,
    PrototypeNetwork,
    initialise,
)


def network(**options):
    options = {
        "embedding_dim": 4,
        "embedding_dropout": 0.0,
        "temperature": 0.1,
        "perturbation": 0.0,
        "normalize_features": True,
        "bias": None,
    } | options
    net = PrototypeNetwork(MLPEncoder(3, [5], 0.0), 5, [1, 2], **options)
    init = torch.Generator().manual_seed(0)
    initialise(net, init, torch.Generator().manual_seed(1), set())
    return net


def embedded(net):
    return net.embed(net.encoder(X))


X = torch.randn(6, 3, generator=torch.Generator().manual_seed(2))


def test_building_and_seeding_leave_the_global_random_state_alone():
    before = torch.get_rng_state()
    network(embedding_dropout=0.5, perturbation=0.1).train()(X)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_gives_logits_features_prototypes_and_evaluation_logits():
    net = network()
    out, logits = net.train()(X), net.eval()(X)
    assert out.logits.shape == (6, 3) and out.prototypes.shape == (3, 4)
    torch.testing.assert_close(out.logits, logits)


def test_features_are_unit_or_divided_by_the_root_of_d():
    torch.testing.assert_close(embedded(network()).norm(dim=1), torch.ones(6))
    free = network(normalize_features=False)
    expected = free.embedding(free.encoder(X)) / 2  # d = 4
    torch.testing.assert_close(embedded(free), expected)


def test_a_linear_head_starts_at_0_and_adds_to_the_similarities():
    plain, net = network(), network(linear_head=True)
    torch.testing.assert_close(net(X), plain(X))
    torch.nn.init.normal_(net.weight, generator=torch.Generator().manual_seed(3))
    expected = plain.eval()(X) + net.encoder(X) @ net.weight.t()
    torch.testing.assert_close(net.train()(X).logits, expected)
    torch.testing.assert_close(net.eval()(X), expected)
    some = torch.tensor([0, 2])
    torch.testing.assert_close(net(X, some), expected[:, some])
    torch.testing.assert_close(net.train()(X, some).logits, expected[:, some])


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 2])])
def test_in_evaluation_sparse_features_and_gradients_are_as_in_training(labels):
    net = LabelNetwork(
        torch.nn.Identity(),
        3,
        3,
        bias=torch.tensor([1.0, 2.0, 3.0]),
        fixed=torch.tensor([False, True, True]),
    )
    torch.nn.init.normal_(net.weight, generator=torch.Generator().manual_seed(3))
    expected = net.train()(X, labels)
    found = net.eval()(X, labels)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert net.weight.grad[0].abs().sum() > 0 and (net.weight.grad[1:] == 0).all()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = net(X, labels)
    torch.testing.assert_close(mixed.float(), expected, rtol=0.02, atol=0.05)


def test_noise_is_fresh_in_training_and_absent_at_inference():
    net = network(perturbation=0.2)
    first, second = net.train()(X), net(X)
    assert not torch.equal(first.prototypes, second.prototypes)
    ones = torch.ones(3)
    torch.testing.assert_close(first.prototypes.norm(dim=1), ones)
    assert torch.equal(net.eval()(X), net(X))
    clean = embedded(net) @ net.unit_prototypes().t() / 0.1
    torch.testing.assert_close(net(X), clean)


def test_prototypes_start_small_one_parameter_per_level():
    net = network(embedding_dim=400)
    assert [tuple(p.shape) for p in net.prototypes] == [(1, 400), (2, 400)]
    assert net.prototypes[1].std().item() == pytest.approx(0.01, rel=0.15)


def test_fixed_labels_score_their_bias_also_when_prototypes_are_shaken():
    bias, fixed = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([False, True, False])
    net = network(bias=bias, fixed=fixed, perturbation=0.2)
    assert net.train()(X).logits[:, 1].eq(-2).all()
    assert net.eval()(X)[:, 1].eq(-2).all() and net(X)[:, 0].ne(1).all()


def test_a_linear_layer_starts_at_the_biases_and_fixed_labels_stay_there():
    bias, fixed = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([False, True, False])
    net = LabelNetwork(MLPEncoder(3, [5], 0.0), 5, 3, bias=bias, fixed=fixed)
    initialise(net, torch.Generator().manual_seed(0), torch.Generator(), set())
    assert torch.equal(net(X), bias.expand(6, 3))
    net(X).square().sum().backward()
    assert net.weight.grad[[0, 2]].ne(0).any() and net.weight.grad[1].eq(0).all()
    with torch.no_grad():
        net.weight += 1
        expected = net.encoder(X).sum(1, keepdim=True) + bias
    assert net(X)[:, 1].eq(-2).all()
    torch.testing.assert_close(net(X)[:, [0, 2]], expected[:, [0, 2]])


def test_dropout_keeps_the_mean_and_only_drops_in_training():
    layer = Dropout(0.3)
    layer.generator = torch.Generator().manual_seed(0)
    ones = torch.ones(100_000)
    out = layer.train()(ones)
    assert out.mean().item() == pytest.approx(1, abs=0.01)
    assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(layer.eval()(ones), ones)


def test_copies_and_pickles_leave_the_generator_behind():
    net = network(perturbation=0.2, embedding_dropout=0.5)
    for again in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert again.generator is None and again.embedding_dropout.generator is None
        torch.testing.assert_close(again.eval()(X), net.eval()(X))


def test_a_users_modules_are_left_alone():
    encoder = torch.nn.Linear(3, 5)
    before = encoder.weight.clone()
    net = PrototypeNetwork(
        encoder,
        5,
        [3],
        embedding_dim=4,
        embedding_dropout=0.0,
        temperature=0.1,
        perturbation=0.0,
        normalize_features=True,
        bias=None,
    )
    generator = torch.Generator().manual_seed(0)
    initialise(net, generator, generator, set(encoder.modules()))
    assert torch.equal(encoder.weight, before)


@pytest.mark.parametrize("p", [1e-7, 0.2, 0.5, 0.7, 0.999, 1 - 1e-9])
@pytest.mark.parametrize("shape", [(1,), (3, 7), (500, 41)])
def test_dropout_drops_its_share_and_is_finite(p, shape):
    layer = Dropout(p)
    layer.generator = torch.Generator().manual_seed(0)
    x = torch.ones(shape, dtype=torch.float64)
    found = layer(x)
    assert found.shape == x.shape and torch.isfinite(found).all()
    if x.numel() > 1000:
        share, sd = (
            (found == 0).double().mean().item(),
            (p * (1 - p) / x.numel()) ** 0.5,
        )
        assert abs(share - p) < 5 * sd + 2**-16
        kept = found[found > 0]
        assert len(set(kept.tolist())) <= 1
        if p < 0.99:
            assert kept[0].item() == pytest.approx(1 / (1 - p), rel=1e-3)
            flat = found.flatten() > 0  # of a number's four parts each is by itself
            both = (flat[::4] & flat[1::4][: len(flat[::4])]).double().mean().item()
            assert both == pytest.approx((1 - p) ** 2, abs=0.03)

"""Initialisation: which numbers are drawn, in which order, and what is refused."""

import copy
import math
import re

import pytest
import torch
from torch import nn

from skhmc.nn.ensemble import Ensemble
from skhmc.nn.modules import (
    EmbeddingNetwork,
    LabelNetwork,
    MLPEncoder,
    PrototypeNetwork,
    Seeded,
    initialise,
)
from skhmc.nn.sparse import SparseLinear

BIAS = torch.tensor([1.0, -2.0, 3.0])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def encoder(takes_sparse=False):
    return MLPEncoder(7, [6, 5], 0.5, 0.1, takes_sparse)


def embedded(kind, *sizes, **options):
    options = {"embedding_dim": 4, "embedding_dropout": 0.2, "bias": BIAS} | options
    return kind(encoder(), 5, *sizes, **options)


def prototype_network(**options):
    prototypes = {"temperature": 0.1, "perturbation": 0.1, "normalize_features": True}
    return embedded(PrototypeNetwork, [1, 2], **prototypes, **options)


def embedding_network(table=None):
    return embedded(EmbeddingNetwork, 3, tangent=None, table=table)


NETWORKS = {
    "labels": lambda: LabelNetwork(encoder(), 5, 3, bias=BIAS),
    "sparse input": lambda: LabelNetwork(encoder(takes_sparse=True), 5, 3, bias=BIAS),
    "prototypes": prototype_network,
    "prototypes and head": lambda: prototype_network(linear_head=True, bias=None),
    "embeddings": embedding_network,
    "given embeddings": lambda: embedding_network(torch.ones(3, 4)),
    "ensemble": lambda: Ensemble([prototype_network(), prototype_network()]),
}


def draw_in_order(network, init):
    """Initialise a network by a naive walk: a module, then its children."""
    for part in network.modules():
        if isinstance(part, nn.Linear | SparseLinear):
            shape = part.weight.shape
            if isinstance(part, SparseLinear):
                shape = shape[::-1]
            drawn = torch.empty(shape)
            nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=init)
            if isinstance(part, SparseLinear):
                drawn = drawn.t()
            part.weight.data.copy_(drawn)
            bound = 1 / math.sqrt(part.in_features)
            nn.init.uniform_(part.bias, -bound, bound, generator=init)
        if isinstance(part, EmbeddingNetwork) and part.table.requires_grad:
            nn.init.normal_(part.table, std=0.1, generator=init)
        if isinstance(part, PrototypeNetwork):
            for level in part.prototypes:
                nn.init.normal_(level, std=0.01, generator=init)


@pytest.mark.parametrize("kind", NETWORKS)
def test_weights_are_those_of_a_walk_over_the_modules(kind):
    net = NETWORKS[kind]()
    expected = copy.deepcopy(net)
    init, walk = generator(), generator()
    initialise(net, init, generator(1))
    draw_in_order(expected, walk)
    for name, value in expected.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name
    assert torch.equal(init.get_state(), walk.get_state())


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_second_initialisation_is_like_the_first(kind):
    net = NETWORKS[kind]()
    initialise(net, generator(), generator())
    first = copy.deepcopy(net.state_dict())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(parameter.requires_grad)
    initialise(net, generator(), generator())
    for name, value in first.items():
        assert torch.equal(net.state_dict()[name], value), name


@pytest.mark.parametrize("kind", NETWORKS)
def test_without_a_generator_of_weights_only_stochastic_layers_get_theirs(kind):
    net = NETWORKS[kind]()
    initialise(net, generator(), generator())
    before = copy.deepcopy(net.state_dict())
    draws = generator(1)
    initialise(net, None, draws)
    for name, value in before.items():
        assert torch.equal(net.state_dict()[name], value), name
    seeded = [part for part in net.modules() if isinstance(part, Seeded)]
    assert seeded and all(part.generator is draws for part in seeded)


def test_a_linear_layer_without_bias():
    plain, with_bias = nn.Linear(4, 3, bias=False), nn.Linear(4, 3)
    for layer in (plain, with_bias):
        initialise(layer, generator(), generator())
    assert torch.equal(plain.weight, with_bias.weight)
    assert plain.bias is None


def test_a_users_modules_are_left_alone_whatever_they_are():
    layer = nn.BatchNorm1d(3)
    net = nn.Sequential(nn.Linear(4, 3), layer)
    before = copy.deepcopy(layer.state_dict())
    initialise(net, generator(), generator(), set(layer.modules()))
    assert all(torch.equal(layer.state_dict()[name], before[name]) for name in before)


class Scaled(nn.Linear):
    """A linear layer with a parameter more, and perhaps a way to draw it."""

    def __init__(self):
        super().__init__(3, 2)
        self.scale = nn.Parameter(torch.empty(2))


class Drawn(Scaled):
    def reset_parameters(self, generator=None):
        if generator is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, generator=generator)


class Heir(Drawn):
    """Has a parameter that the inherited method does not know."""

    def __init__(self):
        super().__init__()
        self.levels = nn.ParameterList([torch.empty(2)])

    def parameters(self, recurse=True):
        return [self.weight, self.bias, self.scale]


class Lists(nn.Module):
    def __init__(self):
        super().__init__()
        self.levels = nn.ParameterList([torch.empty(2)])


@pytest.mark.parametrize(
    "module, who, parameter",
    [
        (nn.BatchNorm1d(3), "BatchNorm1d", "weight"),
        (nn.Embedding(3, 2), "Embedding", "weight"),
        (Scaled(), "Scaled", "scale"),
        (Lists(), "Lists", "levels.0"),
        (Heir(), "Heir", "levels.0"),
    ],
)
def test_parameters_that_nothing_initialises_are_an_error(module, who, parameter):
    message = (
        f"'1', a {who}, has the parameter {parameter!r} and no method "
        f"reset_parameters(generator) that initialises it. Write one that draws all "
        f"parameters of {who} from the generator, or put the module into user_modules"
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        initialise(nn.Sequential(nn.Linear(3, 3), module), generator(), generator())
    with pytest.raises(TypeError, match=f"^The {who} has the parameter"):
        initialise(module, generator(), generator())
    initialise(module, None, generator())  # nothing is to be initialised


def test_a_module_that_initialises_itself():
    layer = Drawn()
    initialise(layer, generator(), generator())
    draws = generator()
    for parameter in layer.parameters():
        expected = torch.empty(parameter.shape).uniform_(generator=draws)
        assert torch.equal(parameter, expected)

"""Networks side by side: their mean, and that each is trained as it would be alone."""

from copy import deepcopy

import pytest
import torch

from skhmc.nn.criteria import LabelCriterion, LabelTasks
from skhmc.nn.ensemble import Ensemble, EnsembleCriterion
from skhmc.nn.losses import bce
from skhmc.nn.modules import LabelNetwork, MLPEncoder, initialise

draws = torch.Generator().manual_seed(0)
X = torch.randn(6, 3, generator=draws, dtype=torch.float64)
Y = (torch.rand(6, 4, generator=draws) < 0.5).double()


def ensemble(n_members=3, **options):
    nets = [
        LabelNetwork(MLPEncoder(3, [5], 0.0), 5, 4, bias=torch.arange(4.0), **options)
        for _ in range(n_members)
    ]
    net = Ensemble(nets).double()
    init = torch.Generator().manual_seed(1)
    initialise(net, init, torch.Generator(), set())
    for member in net.members:  # else all say their bias alone
        torch.nn.init.normal_(member.weight, generator=init)
    return net


def criterion(n_members=3):
    tasks = LabelTasks(bce, [4], torch.ones(1, dtype=torch.float64))
    return EnsembleCriterion([LabelCriterion(tasks) for _ in range(n_members)]).double()


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 2])])
def test_logits_are_the_mean_of_the_members(labels):
    net = ensemble()
    each = [member.eval()(X, labels) for member in net.members]
    assert not torch.allclose(each[0], each[1])
    torch.testing.assert_close(net.eval()(X, labels), torch.stack(each).mean(0))
    said = net.train()(X, labels)
    for one, expected in zip(said, each, strict=True):
        torch.testing.assert_close(one, expected)


def test_every_member_is_trained_as_it_would_be_alone():
    net, loss = ensemble(), criterion()
    alone = [
        (deepcopy(member), deepcopy(part))
        for member, part in zip(net.members, loss.members, strict=True)
    ]
    for module, part in [(net, loss), *alone]:
        optimizer = torch.optim.SGD(module.train().parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            part(module(X), Y, None).backward()
            optimizer.step()
    for member, (single, _) in zip(net.members, alone, strict=True):
        torch.testing.assert_close(member.state_dict(), single.state_dict())
    records = [part.end_epoch()["train_loss"] for _, part in alone]
    assert len(set(records)) == 3
    assert loss.end_epoch()["train_loss"] == pytest.approx(sum(records) / 3)


def test_the_criterion_takes_what_is_predicted():
    net, loss = ensemble(), criterion()
    mean = net.eval()(X)
    expected = 3 * loss.members[0](mean, Y, None)
    torch.testing.assert_close(loss(mean, Y, None), expected)


def test_an_encoder_may_write_into_its_batch():
    class Careless(torch.nn.Module):
        def forward(self, X):
            return X.div_(10)

    nets = [LabelNetwork(Careless(), 3, 4, bias=torch.zeros(4)) for _ in range(3)]
    net = Ensemble(nets).double()
    for member in net.members:
        torch.nn.init.ones_(member.weight)
    expected = X.sum(1, keepdim=True).expand(-1, 4) / 10
    torch.testing.assert_close(net.eval()(X.clone()), expected)
    for said in net.train()(X.clone()):
        torch.testing.assert_close(said, expected)


def test_members_with_the_same_weights_are_told():
    net = ensemble()
    assert not net.all_alike
    for member in net.members:
        member.load_state_dict(net.members[0].state_dict())
    assert net.all_alike


def test_row_gradients_are_the_members():
    assert ensemble(row_gradients=True).row_gradients
    net = ensemble()
    assert not net.row_gradients
    with pytest.raises(AttributeError):
        net.row_gradients = True


def test_another_ensemble_starts_from_the_weights_of_a_former_one():
    former, net = ensemble(), ensemble()
    for weight in former.parameters():
        weight.data.add_(1)
    net.load_from(former)
    torch.testing.assert_close(net.state_dict(), former.state_dict())
    with pytest.raises(ValueError, match="shorter|longer"):
        ensemble(2).load_from(former)

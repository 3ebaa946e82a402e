"""Networks side by side: their mean, and that each is trained as it would be alone."""

from copy import deepcopy

import pytest
import torch

from skhmc.nn.committee import Committee, CommitteeCriterion
from skhmc.nn.criteria import LabelCriterion
from skhmc.nn.layers import MLPEncoder
from skhmc.nn.losses import bce
from skhmc.nn.modules import LabelNetwork, seed_module
from skhmc.nn.tasks import LabelTasks

draws = torch.Generator().manual_seed(0)
X = torch.randn(6, 3, generator=draws, dtype=torch.float64)
Y = (torch.rand(6, 4, generator=draws) < 0.5).double()


def committee(n_members=3):
    nets = [
        LabelNetwork(MLPEncoder(3, [5], 0.0), 5, 4, bias=torch.arange(4.0))
        for _ in range(n_members)
    ]
    net = Committee(nets).double()
    init = torch.Generator().manual_seed(1)
    seed_module(net, init, torch.Generator(), set())
    for member in net.members:  # else all say their bias alone
        torch.nn.init.normal_(member.weight, generator=init)
    return net


def criterion(n_members=3):
    tasks = LabelTasks(bce, [4], torch.ones(1, dtype=torch.float64))
    return CommitteeCriterion(
        [LabelCriterion(tasks) for _ in range(n_members)]
    ).double()


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 2])])
def test_logits_are_the_mean_of_the_members(labels):
    net = committee()
    each = [member.eval()(X, labels) for member in net.members]
    assert not torch.allclose(each[0], each[1])
    torch.testing.assert_close(net.eval()(X, labels), torch.stack(each).mean(0))
    said = net.train()(X, labels)
    for one, expected in zip(said, each, strict=True):
        torch.testing.assert_close(one, expected)


def test_every_member_is_trained_as_it_would_be_alone():
    net, loss = committee(), criterion()
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
    net, loss = committee(), criterion()
    mean = net.eval()(X)
    expected = 3 * loss.members[0](mean, Y, None)
    torch.testing.assert_close(loss(mean, Y, None), expected)


def test_an_encoder_may_write_into_its_batch():
    class Careless(torch.nn.Module):
        def forward(self, X):
            return X.div_(10)

    nets = [LabelNetwork(Careless(), 3, 4, bias=torch.zeros(4)) for _ in range(3)]
    net = Committee(nets).double()
    for member in net.members:
        torch.nn.init.ones_(member.weight)
    expected = X.sum(1, keepdim=True).expand(-1, 4) / 10
    torch.testing.assert_close(net.eval()(X.clone()), expected)
    for said in net.train()(X.clone()):
        torch.testing.assert_close(said, expected)


def test_members_with_the_same_weights_are_told():
    net = committee()
    assert not net.all_alike
    for member in net.members:
        member.load_state_dict(net.members[0].state_dict())
    assert net.all_alike


def test_all_members_are_told_of_row_gradients():
    net = committee()
    net.row_gradients = True
    assert net.row_gradients and all(m.row_gradients for m in net.members)


def test_another_committee_starts_from_the_weights_of_a_former_one():
    former, net = committee(), committee()
    for weight in former.parameters():
        weight.data.add_(1)
    net.take_over(former)
    torch.testing.assert_close(net.state_dict(), former.state_dict())
    with pytest.raises(ValueError, match="shorter|longer"):
        committee(2).take_over(former)

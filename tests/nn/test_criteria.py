"""The criterion: level losses, aggregation, task weights, sample weights."""

import math

import pytest
import torch

from skhmc import Hierarchy
from skhmc.nn.criteria import HCALCriterion, LabelCriterion, LabelTasks, SetTasks
from skhmc.nn.criteria import label_tasks as tasks_of
from skhmc.nn.functional import unit
from skhmc.nn.losses import bce, softmax_loss, zlpr
from skhmc.nn.modules import Output

SIZES = [2, 3]


def rand(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def label_tasks(entropies=(1.0, 1.0)):
    return LabelTasks(bce, SIZES, torch.tensor(entropies, dtype=torch.float64))


def path_tasks():
    classes = [torch.arange(0, 2), torch.arange(2, 5)]
    return SetTasks(softmax_loss, classes, torch.ones(len(classes))).double()


def criterion(tasks, **options):
    options = {
        "aggregation": 0.0,
        "chunk": 32,
        "weighting": "equal",
        "gamma": 0.5,
    } | options
    return HCALCriterion(tasks, **options).double()


def output(n=4, seed=0):
    features, prototypes = unit(rand(n, 6, seed=seed)), unit(rand(5, 6, seed=seed + 1))
    return Output(features @ prototypes.t() / 0.1, features, prototypes, 0.1)


def one_hot(*pairs):
    Y = torch.zeros(len(pairs), 5, dtype=torch.float64)
    for row, (coarse, fine) in zip(Y, pairs, strict=True):
        row[coarse] = row[2 + fine] = 1
    return Y


@pytest.mark.parametrize("gamma", [0.1, 0.5, 5.0])
def test_the_gradient_is_that_of_the_soft_maximum_of_the_level_losses(gamma):
    tasks, Y = path_tasks(), one_hot((0, 0), (1, 2), (0, 1))
    logits = rand(3, 5).requires_grad_()
    total = criterion(tasks, weighting="adaptive", gamma=gamma)(logits, Y, None)
    got = torch.autograd.grad(total, logits)[0]
    soft_maximum = gamma * torch.logsumexp(tasks(logits, Y, None) / gamma, 0)
    torch.testing.assert_close(got, torch.autograd.grad(soft_maximum, logits)[0])


@pytest.mark.parametrize("weighting", ["adaptive", "dwa", "equal"])
def test_task_weights_sum_to_one(weighting):
    loss = criterion(path_tasks(), weighting=weighting)
    loss.past = [torch.tensor([1.0, 3.0]), torch.tensor([0.5, 2.9])]
    weights = loss.task_weights(torch.tensor([0.4, 2.0]))
    assert weights.sum().item() == pytest.approx(1)
    assert weights[1] >= weights[0]  # the larger loss, and the slower one


def test_dwa_is_equal_until_two_epochs_have_passed():
    loss = criterion(path_tasks(), weighting="dwa")
    batch = output(), one_hot((0, 0), (0, 1), (1, 2), (1, 2)), None
    for _ in range(2):
        assert loss.task_weights(torch.tensor([1.0, 9.0])).tolist() == [0.5, 0.5]
        loss(*batch)
        loss.end_epoch()
    loss.past[1] = loss.past[1] * torch.tensor([0.5, 1.0])
    weights = loss.task_weights(torch.tensor([9.0, 1.0])).tolist()
    high = 1 / (1 + math.exp(-0.25))  # softmax([.5, 1] / 2)
    assert weights == pytest.approx([1 - high, high])


def test_equally_weighted_label_tasks_add_up_to_the_plain_loss():
    logits, Y = rand(4, 5), (rand(4, 5, seed=1) > 0).double()
    entropies = (0.7, 2.0)
    total = criterion(label_tasks(entropies))(logits, Y, None)
    plain = bce(logits, Y).sum() / 4 / sum(entropies)
    torch.testing.assert_close(total, plain)


def test_a_level_at_its_prior_has_loss_one():
    p = torch.tensor([0.25, 0.5, 0.1, 0.2, 0.25], dtype=torch.float64)
    h = -p * p.log() - (1 - p) * (1 - p).log()
    tasks = LabelTasks(bce, SIZES, torch.stack([h[:2].sum(), h[2:].sum()]))
    Y = torch.zeros(20, 5, dtype=torch.float64)
    for label, count in enumerate((p * 20).round().int().tolist()):
        Y[:count, label] = 1
    losses = tasks(torch.logit(p).expand(20, 5), Y, None)
    torch.testing.assert_close(losses, torch.ones(2, dtype=torch.float64))


def test_one_sample_per_class_aggregation_is_the_per_sample_loss():
    out, Y = output(2), one_hot((0, 2), (1, 0))  # each coarse class once
    batch = out, Y, None
    aggregated = criterion(path_tasks(), aggregation=1.0)(*batch)
    torch.testing.assert_close(aggregated, criterion(path_tasks())(*batch))


def test_aggregation_by_hand():
    out, Y = output(3), one_hot((0, 0), (0, 1), (1, 2))
    means = torch.stack([out.features[:2].mean(0), out.features[2]])
    scores = means @ out.prototypes[:2].t() / 0.1
    coarse = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1]))
    fine = softmax_loss(out.logits[:, 2:], Y[:, 2:]).mean()
    total = criterion(path_tasks(), aggregation=1.0)(out, Y, None)
    torch.testing.assert_close(total, (coarse + fine) / 2)


def test_the_deepest_level_and_a_flat_hierarchy_are_never_aggregated():
    classes = [torch.arange(5)]
    tasks = SetTasks(softmax_loss, classes, torch.ones(len(classes))).double()
    out = output(3)
    Y = torch.eye(5, dtype=torch.float64)[[0, 0, 3]]
    plain = torch.nn.functional.cross_entropy(out.logits, torch.tensor([0, 0, 3]))
    total = criterion(tasks, aggregation=1.0)(out, Y, None)
    torch.testing.assert_close(total, plain)


@pytest.mark.parametrize("tasks", [label_tasks, path_tasks])
def test_absent_classes_contribute_nothing_and_never_nan(tasks):
    out = output(3)
    out = Output(*(part.requires_grad_() for part in out[:3]), 0.1)
    Y = torch.zeros(3, 5, dtype=torch.float64)  # no class at all
    total = criterion(tasks(), aggregation=1.0, weighting="adaptive")(out, Y, None)
    total.backward()
    assert total.isfinite()
    assert all(part.grad is None or part.grad.isfinite().all() for part in out[:3])


def test_aggregation_stays_out_of_evaluation():
    out, Y = output(3), one_hot((0, 0), (0, 1), (1, 2))
    loss = criterion(path_tasks(), aggregation=1.0)
    plain = criterion(path_tasks())(out.logits, Y, None)
    torch.testing.assert_close(loss(out.logits, Y, None), plain)


TASKS = {
    "bce": label_tasks,
    "softmax": path_tasks,
    "zlpr": lambda: SetTasks(zlpr, [torch.arange(0, 2), torch.arange(2, 5)]).double(),
}


@pytest.mark.parametrize("aggregation", [0.0, 0.5])
@pytest.mark.parametrize("name", TASKS)
def test_weight_two_is_the_row_twice_and_weight_zero_the_row_left_out(
    name, aggregation
):
    out, Y = output(3), one_hot((0, 0), (1, 1), (1, 2))
    weight = torch.tensor([[1.0], [2.0], [0.0]], dtype=torch.float64)
    again = torch.tensor([0, 1, 1])
    rows = Output(out.logits[again], out.features[again], out.prototypes, 0.1)
    loss = criterion(TASKS[name](), aggregation=aggregation)
    weighted, repeated = loss(out, Y, weight), loss(rows, Y[again], None)
    torch.testing.assert_close(weighted, repeated)
    ones = torch.ones(3, 1, dtype=torch.float64)
    torch.testing.assert_close(loss(out, Y, ones), loss(out, Y, None))


@pytest.mark.parametrize("name", TASKS)
def test_weights_per_label_equal_weights_per_sample_when_constant_in_rows(name):
    out, Y = output(3), one_hot((0, 0), (1, 1), (1, 2))
    weight = torch.tensor([[1.0], [2.0], [0.5]], dtype=torch.float64)
    loss = criterion(TASKS[name](), aggregation=0.5)
    torch.testing.assert_close(
        loss(out, Y, weight), loss(out, Y, weight.expand(3, 5).contiguous())
    )


def test_a_label_of_weight_zero_has_no_gradient():
    logits, Y = rand(3, 5).requires_grad_(), one_hot((0, 0), (1, 1), (1, 2))
    weight = torch.ones(3, 5, dtype=torch.float64)
    weight[:, 4] = 0
    criterion(label_tasks())(logits, Y, weight).backward()
    assert logits.grad[:, 4].eq(0).all() and logits.grad[:, :4].ne(0).all()


@pytest.mark.parametrize("name", ["bce", "zlpr"])
def test_unknown_labels_have_no_gradient(name):
    logits, Y = rand(3, 5).requires_grad_(), one_hot((0, 0), (1, 1), (1, 2))
    Y[1, 3] = math.nan
    total = criterion(TASKS[name]())(logits, Y, None)
    total.backward()
    assert total.isfinite() and logits.grad[1, 3] == 0
    assert (logits.grad != 0).sum() == 14


def test_the_epoch_record_holds_the_means_of_all_losses_and_weights():
    loss = criterion(path_tasks(), weighting="adaptive")
    batches = [(output(2, seed), one_hot((0, 0), (1, 2)), None) for seed in range(3)]
    totals = [loss(*batch).item() for batch in batches]
    levels = torch.stack([loss.tasks(b[0].logits, *b[1:]) for b in batches]).mean(0)
    record = loss.end_epoch()
    assert record["train_loss"] == pytest.approx(sum(totals) / 3)
    assert record["loss_depth_0"] == pytest.approx(levels[0].item())
    assert record["loss_depth_1"] == pytest.approx(levels[1].item())
    assert record["weight_depth_0"] + record["weight_depth_1"] == pytest.approx(1)
    assert loss.end_epoch()["train_loss"] == 0  # a new epoch starts


def test_class_weights_are_weights_of_samples_and_labels():
    torch.manual_seed(0)
    logits, Y = torch.randn(8, 5), (torch.rand(8, 5) > 0.5).float()
    weight, zeros, ones = torch.rand(8, 1), torch.rand(5), torch.rand(5)
    options = {"aggregation": 0.0, "chunk": 32, "gamma": 0.5}
    options |= {"weighting": "adaptive"}
    for tasks in (
        LabelTasks(bce, [2, 3], torch.ones(2)),
        SetTasks(zlpr, [torch.arange(2), torch.arange(2, 5)]),
    ):
        expected = HCALCriterion(tasks, **options)(
            logits, Y, weight * torch.where(Y > 0, ones, zeros)
        )
        weighted = HCALCriterion(tasks, **options, class_weight=(zeros, ones))
        assert weighted(logits, Y, weight) == expected
        assert HCALCriterion(tasks, **options)(logits, Y, weight) != expected


def test_a_criterion_goes_on_from_the_epochs_of_another():
    tasks = LabelTasks(bce, [2, 3], torch.ones(2))
    options = {"aggregation": 0.0, "chunk": 32, "gamma": 0.5}
    former, other = (HCALCriterion(tasks, **options, weighting="dwa") for _ in "ab")
    logits, Y = torch.randn(8, 5), (torch.rand(8, 5) > 0.5).float()
    for scale in (1, 3):
        former(scale * logits, Y, None)
        former.end_epoch()
    losses = torch.ones(2)
    assert not torch.equal(former.task_weights(losses), other.task_weights(losses))
    other.load_from(former)
    assert torch.equal(former.task_weights(losses), other.task_weights(losses))


def test_the_sum_of_tasks_is_the_loss_and_is_recorded():
    Y, weight = one_hot((0, 0), (1, 2)), rand(2, 5, seed=3).abs()
    zeros, ones = rand(5, seed=4).abs(), rand(5, seed=5).abs()
    loss = LabelCriterion(label_tasks((1.0, 2.0)), class_weight=(zeros, ones)).double()
    totals = []
    for seed in range(2):
        logits = rand(2, 5, seed=seed)
        by_hand = bce(logits, Y) * weight * torch.where(Y > 0, ones, zeros)
        expected = by_hand[:, :2].sum() / 2 + by_hand[:, 2:].sum() / 4
        totals.append(loss(logits, Y, weight))
        torch.testing.assert_close(totals[-1], expected)
    loss.eval()(rand(2, 5), Y, None)  # not of the epoch
    assert loss.end_epoch() == {"train_loss": pytest.approx(sum(totals).item() / 2)}
    assert loss.end_epoch() == {"train_loss": 0}


@pytest.mark.parametrize("sizes", [[5], [2, 3]])
@pytest.mark.parametrize("loss", ["bce", "mcloss", "asl", "zlpr", bce])
def test_every_loss_has_one_task_per_number_of_labels(loss, sizes):
    tree = Hierarchy.from_edges([(0, 2), (0, 3), (1, 4)])
    p = torch.tensor([0.5, 0.4, 0.3, 0.2, 0.4], dtype=torch.float64)
    found = tasks_of(loss, tree, sizes, p).double()
    Y, logits = one_hot((0, 0), (1, 2)), rand(2, 5).requires_grad_()
    losses = found(logits, Y, None)
    assert losses.shape == (len(sizes),) and (losses > 0).all()
    losses[0].backward()
    assert logits.grad[:, : sizes[0]].ne(0).any(0).all()
    if loss in ("bce", bce):
        at_prior = found(torch.logit(p)[None], p[None], None)
        torch.testing.assert_close(at_prior, torch.ones_like(at_prior))


def test_a_loss_of_single_paths_has_no_tasks_of_any_labels():
    p = torch.full((5,), 0.5)
    with pytest.raises(ValueError, match="label_loss='softmax' is for samples that"):
        tasks_of("softmax", Hierarchy.flat(range(5)), [5], p)

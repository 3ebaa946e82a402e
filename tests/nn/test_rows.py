"""Rows of a table: sparse gradients, and the optimizer that takes them."""

import pickle
from copy import deepcopy

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from skhmc.nn.rows import RowAdamW, take_rows

OPTIONS = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-6, "weight_decay": 0.3}
every_shape = pytest.mark.parametrize("shape", [(6,), (6, 3)])


def rand(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def give(table, rows, values):
    """Let a table have a gradient in some rows alone."""
    table.grad = None
    (take_rows(table, torch.tensor(rows), sparse=True) * values).sum().backward()


@every_shape
def test_the_gradient_is_that_of_the_whole_table_in_the_rows(shape):
    table, rows = rand(*shape).requires_grad_(), torch.tensor([1, 4, 5])
    factor, grads = rand(3, *shape[1:], seed=1), []
    for sparse in (False, True):
        table.grad = None
        taken = take_rows(table, rows, sparse)
        assert torch.equal(taken, table[rows])
        (taken * factor).sum().backward()
        grads.append(table.grad)
    assert not grads[0].is_sparse and grads[1].is_sparse
    assert grads[1]._values().shape == factor.shape
    torch.testing.assert_close(grads[1].to_dense(), grads[0])


@every_shape
def test_rows_seen_in_every_step_are_those_of_adamw(shape):
    table, whole = (torch.nn.Parameter(rand(*shape)) for _ in range(2))
    other, same = (torch.nn.Parameter(rand(4, seed=2)) for _ in range(2))
    by_rows, adamw = (
        RowAdamW([table, other], **OPTIONS),
        torch.optim.AdamW([whole, same], **OPTIONS),
    )
    schedules = [
        OneCycleLR(o, 0.2, total_steps=8, cycle_momentum=False)
        for o in (by_rows, adamw)
    ]
    for step in range(7):
        grad = rand(*shape, seed=3 + step)
        give(table, list(range(6)), grad)
        whole.grad = grad
        other.grad, same.grad = rand(4, seed=20 + step), rand(4, seed=20 + step)
        for part in (by_rows, adamw, *schedules):
            part.step()
        torch.testing.assert_close(table, whole)
        torch.testing.assert_close(other, same)


@every_shape
def test_a_row_that_returns_by_hand(shape):
    table = torch.nn.Parameter(rand(*shape))
    start, optimizer = table.detach().clone(), RowAdamW([table], **OPTIONS)
    one, two = rand(2, *shape, seed=1)
    rates, group = [0.1, 0.2, 0.05, 0.1], optimizer.param_groups[0]
    steps = [([2, 3], one[:2]), ([3], one[2:3]), ([0], two[:1]), ([2], two[1:2])]
    for rate, (rows, grad) in zip(rates, steps, strict=True):
        group["lr"] = rate
        give(table, rows, grad)
        optimizer.step()
        assert table.grad is None
    kept = [1 - 0.3 * rate for rate in rates]
    # row 2: gradients in steps 1 and 4
    g, h, eps = one[0], two[1], 1e-6
    w = kept[0] * start[2] - 0.1 * g / (g.abs() + eps)
    weights = 0.8**3 * 0.2, 0.2
    m = (weights[0] * g + weights[1] * h) / sum(weights)
    weights = 0.9**3 * 0.1, 0.1
    v = (weights[0] * g**2 + weights[1] * h**2) / sum(weights)
    scale = v.sqrt() + eps
    w = kept[1] * kept[2] * kept[3] * w - 0.1 * m / scale
    torch.testing.assert_close(table[2], w)
    # row 0: its first gradient in step 3
    g = two[0]
    expected = kept[0] * kept[1] * kept[2] * start[0] - 0.05 * g / (g.abs() + eps)
    torch.testing.assert_close(table[0], expected)
    assert torch.equal(table[[1, 4, 5]], start[[1, 4, 5]])  # never seen


@pytest.mark.parametrize("gap", [10, 134, 1500])
def test_the_step_after_a_gap_is_bounded(gap):
    table = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = RowAdamW([table], lr=1.0, weight_decay=0.0)
    for row, grad in [(0, 1.0), *[(1, 1.0)] * gap, (0, -0.01)]:
        before = table[0].item()
        give(table, [row], torch.tensor([grad]).double())
        optimizer.step()
    assert abs(table[0].item() - before) <= 0.001**-0.5 * (1 + 1e-6)
    fades = 0.9 ** (gap + 1), 0.999 ** (gap + 1)
    expected = -(fades[0] - 0.01) / (fades[0] + 1)
    expected /= ((fades[1] + 1e-4) / (fades[1] + 1)) ** 0.5
    assert table[0].item() - before == pytest.approx(expected, rel=1e-4)


def test_a_row_that_a_gradient_has_twice_counts_twice():
    weights = [torch.nn.Parameter(rand(6, 2)) for _ in range(2)]
    kinds, rows = (RowAdamW, torch.optim.AdamW), torch.tensor([4, 1, 4])
    optimizers = [k([w], **OPTIONS) for k, w in zip(kinds, weights, strict=True)]
    factor = rand(3, 2, seed=1)
    for sparse, table in zip((True, False), weights, strict=True):
        taken = torch.nn.functional.embedding(rows, table, sparse=sparse)
        (taken * factor).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    torch.testing.assert_close(weights[0][[1, 4]], weights[1][[1, 4]])


def test_a_state_goes_into_another_optimizer_and_into_pickles():
    table, found = rand(6, 3), []
    for how in (lambda o: o.state_dict(), pickled, deepcopied):
        own = torch.nn.Parameter(table.clone())
        optimizer = RowAdamW([own], **OPTIONS)
        for step in range(4):
            give(own, [0, step + 1], rand(2, 3, seed=step))
            optimizer.step()
            if step == 1:
                state, optimizer = how(optimizer), RowAdamW([own], lr=1.0)
                optimizer.load_state_dict(state)
        found.append(own)
    whole = torch.nn.Parameter(table.clone())
    optimizer = RowAdamW([whole], **OPTIONS)
    for step in range(4):
        give(whole, [0, step + 1], rand(2, 3, seed=step))
        optimizer.step()
    for own in found:
        assert torch.equal(own, whole)


def pickled(optimizer):
    return pickle.loads(pickle.dumps(optimizer)).state_dict()


def deepcopied(optimizer):
    return deepcopy(optimizer).state_dict()


def test_dense_and_sparse_gradients_may_alternate():
    table, whole = (torch.nn.Parameter(rand(6, 3)) for _ in range(2))
    by_rows, adamw = (
        k([w], **OPTIONS) for k, w in [(RowAdamW, table), (torch.optim.AdamW, whole)]
    )
    for step in range(6):
        grad = rand(6, 3, seed=step)
        if step in (2, 3):
            give(table, list(range(6)), grad)
        else:
            table.grad = grad
        whole.grad = grad.clone()
        by_rows.step()
        adamw.step()
        if step == 3:  # AdamW writes no step of a row
            by_rows.state[table].pop("last")
        torch.testing.assert_close(table, whole)


def test_sparse_and_dense_gradients_of_a_table_add_up():
    table, rows = rand(6, 3).requires_grad_(), torch.tensor([1, 4])
    both = take_rows(table, rows, sparse=True).square().sum() + table.sum()
    both.backward()
    expected = torch.ones(6, 3).double()
    expected[rows] += 2 * table.detach()[rows]
    torch.testing.assert_close(table.grad, expected)


def test_a_closure_is_called_once_with_gradients_on():
    table, calls = torch.nn.Parameter(rand(6, 2)), []
    optimizer = RowAdamW([table], **OPTIONS)

    def closure():
        calls.append(torch.is_grad_enabled())
        give(table, [1], torch.ones(1, 2).double())
        return 3.0

    assert optimizer.step(closure) == 3.0 and calls == [True]
    assert optimizer.state[table]["last"].tolist() == [0, 1, 0, 0, 0, 0]


def test_a_row_goes_as_far_whenever_it_comes_first():
    table = torch.nn.Parameter(torch.zeros(30, dtype=torch.float64))
    optimizer = RowAdamW([table], lr=0.1, weight_decay=0.0)
    for row in range(30):
        give(table, [row], torch.tensor([2.0 + row]).double())
        optimizer.step()
    torch.testing.assert_close(table.detach(), torch.full((30,), -0.1).double())


def test_a_state_without_sums_of_squares_goes_on():
    table = torch.nn.Parameter(rand(6, 3))
    optimizer = RowAdamW([table], **OPTIONS)
    for step in range(4):
        give(table, [0, step + 1], rand(2, 3, seed=step))
        optimizer.step()
        if step == 2:
            optimizer.state[table].pop("total_sq")  # as in files of before
    # then all rows count as seen in each of the three steps, as they did before
    found = optimizer.state[table]["total_sq"]
    torch.testing.assert_close(found[5], torch.tensor(1 - 0.9**3).double())
    torch.testing.assert_close(found[0], torch.tensor(1 - 0.9**4).double())

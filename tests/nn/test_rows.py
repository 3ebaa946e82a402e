"""Rows of a table: sparse gradients, and the optimiser that takes them."""

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
    table, rows = rand(*shape).requires_grad_(), torch.tensor([4, 1, 5])
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
    schedules = [OneCycleLR(o, 0.2, total_steps=8) for o in (by_rows, adamw)]
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
    for rows, grad in [
        ([2, 3], one[:2]),
        ([3], one[2:3]),
        ([0], two[:1]),
        ([2], two[1:2]),
    ]:
        give(table, rows, grad)
        optimizer.step()
        assert table.grad is None
    # row 2: gradients in steps 1 and 4
    g, h = one[0], two[1]
    decay, eps = 1 - 0.1 * 0.3, 1e-6
    w = decay * start[2] - 0.1 * g / (g.abs() + eps)
    m, v = 0.8 * 0.2 * g + 0.2 * h, 0.9**3 * 0.1 * g**2 + 0.1 * h**2
    scale = (v / (1 - 0.9**4)).sqrt() + eps
    w = decay**3 * w - 0.1 * m / (1 - 0.8**2) / scale
    torch.testing.assert_close(table[2], w)
    # row 0: its first gradient in step 3
    g = two[0]
    scale = (0.1 * g**2 / (1 - 0.9**3)).sqrt() + eps
    torch.testing.assert_close(table[0], decay**3 * start[0] - 0.1 * g / scale)
    assert torch.equal(table[[1, 4, 5]], start[[1, 4, 5]])  # never seen


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
    assert optimizer.state[table]["seen"].tolist() == [0, 1, 0, 0, 0, 0]

"""Tables of which a step uses some rows alone: their gradients, and their optimiser."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["RowAdamW", "take_rows"]


def take_rows(table: Tensor, rows: Tensor, sparse: bool) -> Tensor:
    """Return some rows of a table; its gradient may be a sparse tensor of them.

    Parameters
    ----------
    table : Tensor (R, d) or (R,)
    rows : Tensor (C,)
        Each once where ``sparse``.
    sparse : bool
        Whether the gradient is sparse, which :class:`RowAdamW` takes: else it is as
        large as the table.

    Examples
    --------
    >>> table = torch.ones(4, 2, requires_grad=True)
    >>> take_rows(table, torch.tensor([1, 3]), sparse=True).sum().backward()
    >>> table.grad.coalesce().indices()
    tensor([[1, 3]])
    """
    if not sparse:
        return table.index_select(0, rows)
    if table.ndim == 1:
        return torch.gather(table, 0, rows, sparse_grad=True)
    return torch.nn.functional.embedding(rows, table, sparse=True)


class RowAdamW(torch.optim.AdamW):
    r"""AdamW that reads and writes only the rows of a table that have a gradient.

    Weights with a dense gradient are AdamW's. Of a sparse one, a row last seen n steps
    before has, with its own number k of gradients g so far,

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
        v \leftarrow \beta_2^n v + (1 - \beta_2) g^2, \\
        w &\leftarrow (1 - \eta \lambda)^n w
            - \eta \frac{m / (1 - \beta_1^k)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    in step t. So v and the decay are AdamW's, in which a row without a gradient has
    g = 0; m does not fade meanwhile, since AdamW would move the row by it. A row with
    a gradient in every step is AdamW's.
    """

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> float | None:
        """Take one step; sparse gradients have each row once, and are let go."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None and table.grad.is_sparse:
                    self._step_rows(table, group)
                    table.grad = None  # so that AdamW leaves it alone
        super().step()
        return loss

    def _step_rows(self, table: Tensor, group: dict) -> None:
        (rows,), grad = table.grad._indices(), table.grad._values()
        state, rate = self.state[table], group["lr"]
        beta1, beta2 = group["betas"]
        if not state:
            state["steps"] = 0
            state["exp_avg"] = torch.zeros_like(table)
            state["exp_avg_sq"] = torch.zeros_like(table)
            state["seen"] = table.new_zeros(len(table))  # gradients of every row
            state["last"] = table.new_zeros(len(table))  # and the step of its last
        state["steps"] = now = state["steps"] + 1
        seen = state["seen"].index_select(0, rows) + 1
        gone = now - state["last"].index_select(0, rows)
        state["seen"].index_copy_(0, rows, seen)
        state["last"].index_fill_(0, rows, now)
        seen, gone = (x.view(-1, *[1] * (grad.ndim - 1)) for x in (seen, gone))

        mean, square = (
            state[k].index_select(0, rows) for k in ("exp_avg", "exp_avg_sq")
        )
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2**gone).addcmul_(grad, grad, value=1 - beta2)
        state["exp_avg"].index_copy_(0, rows, mean)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        scale = square.div_(1 - beta2**now).sqrt_().add_(group["eps"])
        weights = table.index_select(0, rows)
        weights.mul_((1 - rate * group["weight_decay"]) ** gone)
        weights.sub_(mean.div_(scale).mul_(rate / (1 - beta1**seen)))
        table.index_copy_(0, rows, weights)

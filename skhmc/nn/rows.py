"""Tables of which a step uses some rows only: their gradients and their optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["RowAdamW", "take_rows"]

# the attribute of a table that says that its gradient is made by take_rows only
ONCE = "_has_rows_once"
BLOCK_ENTRIES = 2**17  # of a table, which are updated at a time on a CPU


class _Rows(torch.autograd.Function):
    """Rows of a table, with a sparse gradient of them."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.shape = table.shape
        return table.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        rows_of_grad = torch.sparse_coo_tensor(
            rows[None],
            grad,
            ctx.shape,
            is_coalesced=True,  # rows ascend
            check_invariants=False,
        )
        return rows_of_grad, None


def _unique(table: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows that a table's gradient has, each once, and their values."""
    if grad.device.type == "cpu":
        once = bool((grad._indices()[0].diff() > 0).all())
    else:  # to read the rows back would make the CPU wait for the GPU
        once = getattr(table, ONCE, False)
    if not once:  # torch forgets that a gradient is coalesced: only we know
        grad = grad.coalesce()
    return grad._indices()[0], grad._values()


def has_rows_once(table: Tensor) -> None:
    """Mark a table whose sparse gradient never has a row twice, and has them sorted.

    Only one function may give it a gradient, and once per step.
    """
    setattr(table, ONCE, True)


def take_rows(table: Tensor, rows: Tensor, sparse: bool) -> Tensor:
    """Return some rows of a table; its gradient may be a sparse tensor of them.

    Parameters
    ----------
    table : Tensor (R, ...)
        The table, whose rows are along the first dimension.
    rows : Tensor (C,)
        Positions of the rows; ascending, each once, where ``sparse``.
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
    has_rows_once(table)
    return _Rows.apply(table, rows)


class RowAdamW(torch.optim.AdamW):
    r"""AdamW that reads and writes only the rows of a table that have a gradient.

    Weights with a dense gradient are updated as by AdamW. Of a sparse one, a row last
    seen n steps before step t is updated by, with m = v = y = z = 0 before the first,

    .. math::
        m &\leftarrow \beta_1^n m + (1 - \beta_1) g, \qquad
        z \leftarrow \beta_1^n z + (1 - \beta_1), \\
        v &\leftarrow \beta_2^n v + (1 - \beta_2) g^2, \qquad
        y \leftarrow \beta_2^n y + (1 - \beta_2), \\
        w &\leftarrow w \prod_{s = t - n + 1}^{t} (1 - \eta_s \lambda)
            - \eta_t \frac{m / z}{\sqrt{v / y} + \epsilon}.

    These are AdamW's moments and decay for a row whose gradient is 0 in the steps
    between, but that m and v are divided by the sums z and y of the weights of the
    row's own gradients. AdamW divides by those of all steps, as if a row had had a
    gradient in each: it moves one that comes for the first time, late, up to thirty
    times as far as one that comes always. So rare words are learnt by heart. Here both
    go as far. A row with a gradient in every step is AdamW's, if :math:`\beta_1` and
    :math:`\beta_2` stay what they are. Rows that are not seen again keep their weights.

    Examples
    --------
    >>> table = torch.nn.Parameter(torch.ones(3, 2))
    >>> optimizer = RowAdamW([table], lr=0.5, weight_decay=0.0)
    >>> take_rows(table, torch.tensor([1]), sparse=True).sum().backward()
    >>> optimizer.step()
    >>> table.detach()
    tensor([[1.0000, 1.0000],
            [0.5000, 0.5000],
            [1.0000, 1.0000]])
    """

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> Any:
        """Take one step; sparse gradients are removed."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None and table.grad.is_sparse:
                    self._step_rows(table, table.grad, group)
                    table.grad = None  # so that AdamW skips the table
        super().step()
        return loss

    def _step_rows(self, table: Tensor, sparse_grad: Tensor, group: dict) -> None:
        rows, grad = _unique(table, sparse_grad)
        state = self._row_state(table, group)
        rate = float(group["lr"])
        state["step"] += 1
        # the decays of all steps so far, as a sum of logarithms: a row is due those
        # since it was last seen
        state["decay"] += math.log1p(-rate * group["weight_decay"])
        now = state["step"].item()  # both are on the CPU: nothing waits for a GPU
        decay = state["decay"].item()

        # What a row is updated by is its own: blocks of rows give the same numbers, and
        # stay in the processor's cache.
        size = len(rows)
        if grad.device.type == "cpu":
            size = max(BLOCK_ENTRIES * len(grad) // max(grad.numel(), 1), 1)
        pairs = zip(rows.split(size), grad.split(size), strict=True)
        for some, grad_of_some in pairs:
            self._step_block(table, some, grad_of_some, group, now, decay)
        state["last"].index_fill_(0, rows, now)
        state["decayed"].index_fill_(0, rows, decay)

    def _step_block(
        self,
        table: Tensor,
        rows: Tensor,
        grad: Tensor,
        group: dict,
        now: float,
        decay: float,
    ) -> None:
        state = self.state[table]
        beta1, beta2 = group["betas"]

        def of_rows(name: str) -> Tensor:  # as columns beside the gradient
            return state[name].index_select(0, rows).view(-1, *[1] * (grad.ndim - 1))

        n = now - of_rows("last")
        fade = torch.pow(beta1, n)
        total = fade.mul(of_rows("total")).add_(1 - beta1)  # z
        mean = state["exp_avg"].index_select(0, rows).mul_(fade)  # m
        mean.add_(grad, alpha=1 - beta1)
        square = state["exp_avg_sq"].index_select(0, rows)  # v
        fade = torch.pow(beta2, n)
        total_sq = fade.mul(of_rows("total_sq")).add_(1 - beta2)  # y
        square.mul_(fade).addcmul_(grad, grad, value=1 - beta2)
        weights = table.index_select(0, rows).mul_((decay - of_rows("decayed")).exp_())
        state["exp_avg"].index_copy_(0, rows, mean)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        state["total"].index_copy_(0, rows, total.flatten())
        state["total_sq"].index_copy_(0, rows, total_sq.flatten())
        scale = square.div_(total_sq).sqrt_().add_(group["eps"])
        weights.sub_(mean.div_(scale).mul_(float(group["lr"]) / total))
        table.index_copy_(0, rows, weights)

    def _row_state(self, table: Tensor, group: dict) -> dict:
        """Return a table's optimizer state; at first, that of AdamW and of its rows.

        Rows of a table that AdamW has updated so far were seen in every step.
        """
        state = self.state[table]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device="cpu")
            state["exp_avg"] = torch.zeros_like(table)
            state["exp_avg_sq"] = torch.zeros_like(table)
        if "last" not in state:
            now = state["step"].item()
            state["decay"] = torch.zeros((), dtype=torch.float64, device="cpu")
            state["decayed"] = table.new_zeros(len(table))
            state["last"] = table.new_full((len(table),), now)
            beta1, beta2 = group["betas"]
            state["total"] = table.new_full((len(table),), 1 - beta1**now)
            state["total_sq"] = table.new_full((len(table),), 1 - beta2**now)
        if "total_sq" not in state:  # kept before there was one
            now, beta2 = state["step"].item(), group["betas"][1]
            state["total_sq"] = table.new_full((len(table),), 1 - beta2**now)
        return state

"""Batches of sparse rows: torch's COO tensors, and the layers that multiply them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from skhmc.nn.functional import draw_linear
from skhmc.nn.rows import has_rows_once, take_rows

__all__ = ["LinearPath", "SparseLinear"]


def sparse_rows(
    starts: Tensor, columns: Tensor, values: Tensor, n_columns: int
) -> Tensor:
    """Return the rows of a CSR matrix as a COO tensor (B, n_columns).

    Parameters
    ----------
    starts : Tensor (B + 1,)
        Position among the values where every row starts, and where the last ends.
    columns, values : Tensor (n,)
    n_columns : int

    Examples
    --------
    >>> rows = torch.tensor([0, 2, 3]), torch.tensor([0, 2, 1]), torch.ones(3)
    >>> sparse_rows(*rows, n_columns=3).to_dense()
    tensor([[1., 0., 1.],
            [0., 1., 0.]])
    """
    n_rows = len(starts) - 1
    row = torch.repeat_interleave(torch.arange(n_rows), starts.diff())
    return _coo(torch.stack([row, columns]), values, (n_rows, n_columns))


def _coo(indices: Tensor, values: Tensor, shape: tuple) -> Tensor:
    # The tensor is called coalesced, so that torch neither sorts nor copies it. A row's
    # columns need not be sorted for what is computed here.
    return torch.sparse_coo_tensor(
        indices, values, shape, is_coalesced=True, check_invariants=False
    )


def map_values(x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a sparse tensor with a function of its stored values.

    Examples
    --------
    >>> map_values(torch.eye(2).to_sparse(), torch.neg).to_dense()
    tensor([[-1.,  0.],
            [ 0., -1.]])
    """
    return _coo(x.indices(), function(x.values()), tuple(x.shape))


def map_parts(x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a sparse tensor with a function of its indices and of its stored values.

    Examples
    --------
    >>> map_parts(torch.eye(2).to_sparse(), torch.clone).to_dense()
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _coo(function(x.indices()), function(x.values()), tuple(x.shape))


def _weighted_sums(
    table: Tensor, group: Tensor, row: Tensor, weight: Tensor, n_groups: int
) -> Tensor:
    """Return the weighted sum of a table's rows for every group (n_groups, width).

    Parameters
    ----------
    table : Tensor (R, width)
    group : Tensor (n,)
        Group of every summand; ascending.
    row : Tensor (n,)
        Row of the table that a summand is.
    weight : Tensor (n,)
        Number that it is multiplied by.
    n_groups : int

    Examples
    --------
    >>> group, row = torch.tensor([0, 0, 2]), torch.tensor([1, 2, 1])
    >>> _weighted_sums(torch.eye(3), group, row, torch.tensor([1.0, 2.0, 3.0]), 3)
    tensor([[0., 1., 2.],
            [0., 0., 0.],
            [0., 3., 0.]])
    """
    bounds = torch.arange(n_groups + 1, device=group.device)
    return nn.functional.embedding_bag(
        row,
        table,
        torch.searchsorted(group, bounds),
        mode="sum",
        per_sample_weights=weight,
        include_last_offset=True,
    )


class _RowProduct(torch.autograd.Function):
    """The product of a sparse batch and a table, with a sparse gradient of its rows.

    The gradient of the table is that of the batch's columns alone, each once: a step
    costs what a batch stores, not what the table is.
    """

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, row: Tensor, column: Tensor, value: Tensor, n_rows: int
    ) -> Tensor:
        ctx.save_for_backward(row, column, value)
        ctx.shape = table.shape
        return _weighted_sums(table, row, column, value, n_rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        row, column, value = ctx.saved_tensors
        column, order = column.sort(stable=True)
        columns, group = column.unique_consecutive(return_inverse=True)
        sums = _weighted_sums(
            grad.contiguous(), group, row[order], value[order], len(columns)
        )
        rows_of_grad = torch.sparse_coo_tensor(
            columns[None],
            sums,
            ctx.shape,
            is_coalesced=True,
            check_invariants=False,
        )
        return rows_of_grad, None, None, None, None


class SparseLinear(nn.Module):
    r"""A linear layer :math:`x W^T + b` that multiplies only what x stores.

    Rows of x are weighted sums of the rows of :math:`W^T`, which is how the weights lie
    in memory: (n_features, width). In a state dict they are (width, n_features) as
    ``nn.Linear`` has them, so that either layer can load the weights of the other.

    Parameters
    ----------
    in_features : int
        Number of columns of x.
    out_features : int
        Number of columns of the result.
    bias : bool, default=True
        Whether there is a bias b.
    row_gradients : bool, default=False
        Whether the weights have a sparse gradient in training, of the features that x
        has, which :class:`~skhmc.nn.RowAdamW` takes.

    Examples
    --------
    >>> layer = SparseLinear(3, 2)
    >>> _ = nn.init.ones_(layer.weight), nn.init.zeros_(layer.bias)
    >>> layer(torch.eye(3).to_sparse())
    tensor([[1., 1.],
            [1., 1.],
            [1., 1.]], grad_fn=<AddBackward0>)
    """

    bias: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        row_gradients: bool = False,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.row_gradients = row_gradients

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the weights; they are those that ``nn.Linear`` would have."""
        drawn = self.weight.new_empty(self.weight.t().shape)
        draw_linear(drawn, self.bias, generator)
        self.weight.copy_(drawn.t())

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width) of a COO tensor (B, n_features), or of a dense one."""
        product = self._product(x)
        return product if self.bias is None else product + self.bias

    def _product(self, x: Tensor) -> Tensor:
        by_rows = self.row_gradients and self.training and self.weight.requires_grad
        if not x.is_sparse:
            if not by_rows:
                return x @ self.weight
            columns = x.any(0).nonzero().ravel()  # a sparse batch would store these
            return x[:, columns] @ take_rows(self.weight, columns, sparse=True)
        row, column = x.indices()
        if by_rows:
            has_rows_once(self.weight)
            given = row, column, x.values(), len(x)
            product: Tensor = _RowProduct.apply(self.weight, *given)
            return product
        return _weighted_sums(self.weight, row, column, x.values(), len(x))

    def _save_to_state_dict(
        self, destination: dict, prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}weight"] = destination[f"{prefix}weight"].t()

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        name = f"{prefix}weight"
        if name in state_dict:  # nn.Module made this dict for loading: the user's stays
            state_dict[name] = state_dict[name].t()
        super()._load_from_state_dict(state_dict, prefix, *args)


class LinearPath(SparseLinear):
    """The logits of labels that are linear in X, beside those of a network.

    The weights start at 0: what they add to the network begins as nothing.

    Parameters
    ----------
    n_features : int
        Number of columns of X.
    n_labels : int
        Number of labels.
    row_gradients : bool
        Whether the weights have a sparse gradient in training, of the features that x
        has, which :class:`~skhmc.nn.RowAdamW` takes.

    Examples
    --------
    >>> path = LinearPath(3, 2, row_gradients=True)
    >>> path.reset_parameters(torch.Generator())
    >>> path(torch.eye(3)).detach().any()
    tensor(False)
    """

    def __init__(self, n_features: int, n_labels: int, row_gradients: bool) -> None:
        super().__init__(n_features, n_labels, False, row_gradients)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Set the weights to 0, for which nothing is drawn."""
        self.weight.zero_()

"""Batches of sparse rows: torch's COO tensors, and the layer that multiplies them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from skhmc.nn.functional import draw_linear

__all__ = ["SparseLinear"]


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

    Examples
    --------
    >>> layer = SparseLinear(3, 2)
    >>> _ = nn.init.ones_(layer.weight), nn.init.zeros_(layer.bias)
    >>> layer(torch.eye(3).to_sparse())
    tensor([[1., 1.],
            [1., 1.],
            [1., 1.]], grad_fn=<AddBackward0>)
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.empty(out_features))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the weights; they are those that ``nn.Linear`` would have."""
        drawn = self.weight.new_empty(self.weight.t().shape)
        draw_linear(drawn, self.bias, generator)
        self.weight.copy_(drawn.t())

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, width) of a COO tensor (B, n_features), or of a dense one."""
        if not x.is_sparse:
            return x @ self.weight + self.bias
        row, column = x.indices()
        bounds = torch.arange(len(x) + 1, device=x.device)
        sums = nn.functional.embedding_bag(
            column,
            self.weight,
            torch.searchsorted(row, bounds),
            mode="sum",
            per_sample_weights=x.values(),
            include_last_offset=True,
        )
        return sums + self.bias

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

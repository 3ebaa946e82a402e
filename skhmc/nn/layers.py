"""Layers whose randomness is the network's own, and the perceptron made of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skhmc.nn.sparse import SparseLinear, map_values

__all__ = ["Dropout", "MLPEncoder", "Seeded", "linear"]


class Seeded(nn.Module):
    """A module that draws from a generator of its own, which is not pickled."""

    generator: torch.Generator | None = None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "generator": None}


def linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Make a linear layer without drawing from the global random state.

    Its weights are what was in memory, until ``seed_module`` fills them.

    Examples
    --------
    >>> linear(3, 2).weight.shape
    torch.Size([2, 3])
    """
    return nn.utils.skip_init(nn.Linear, n_inputs, n_outputs)


class Dropout(Seeded):
    """Dropout from the network's own generator (``nn.Dropout`` uses the global one).

    A drawn number decides on four entries; shares are multiples of 2^-16.

    Examples
    --------
    >>> Dropout(0.5).eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if x.is_sparse:  # zeros stay zeros, whatever is dropped
            return map_values(x, self)
        bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
        bits.random_(-(2**63), None, generator=self.generator)
        n_dropped = min(round(self.p * 2**16), 2**16 - 1)  # of 2^16 values
        parts = bits.view(torch.int16)[: x.numel()].view(x.shape)
        keep = (parts >= n_dropped - 2**15).to(x.dtype)
        return x * keep.mul_(2**16 / (2**16 - n_dropped))


class MLPEncoder(nn.Sequential):
    """Linear, ReLU and dropout, once per hidden layer.

    Parameters
    ----------
    n_features : int
    hidden_layer_sizes : sequence of int
    dropout, input_dropout : float
    takes_sparse : bool
        Whether batches of sparse X need not be made dense.
    """

    takes_sparse = False

    def __init__(
        self,
        n_features: int,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        input_dropout: float = 0.0,
        takes_sparse: bool = False,
    ) -> None:
        layers: list[nn.Module] = [Dropout(input_dropout)]
        kind = SparseLinear if takes_sparse else linear
        for width in hidden_layer_sizes:
            layers += [kind(n_features, width), nn.ReLU(), Dropout(dropout)]
            n_features, kind = width, linear
        super().__init__(*layers)
        self.n_outputs = n_features
        self.takes_sparse = takes_sparse

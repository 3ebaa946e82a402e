r"""Pairs of similar labels, ranked: which labels are less similar, looked up or drawn.

Time and memory grow with the stored pairs and with what is asked for, never with the
number of labels squared, but for :meth:`RankedPairs.order`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__: list[str] = []

ROUNDING = 2e-7  # relative, of sums of weights in float32: what differs less ties


class Draw(NamedTuple):
    """Sampled pairs of similar labels, each with candidates for negatives."""

    anchor: Tensor  # (P,): l
    positive: Tensor  # (P,): l'
    candidates: Tensor  # (P, N): z, not l
    strict: Tensor  # (P, N), bool: whether z is in N(l, l')
    n_strict: Tensor  # (P,): the size of N(l, l')


class RankedPairs(nn.Module):
    r"""Similar labels, and how many labels are strictly less similar than they.

    Of a similarity S, what is not stored being 0, only the rank of every entry in its
    row is kept, :math:`|N(l, l')| = |\{z \ne l : S_{lz} < S_{ll'}\}|`, beside the
    sorted numbers :math:`l L + l'`: 16 bytes per entry. Since ties share their rank, z
    is in N(l, l') if and only if its rank in the row is smaller, where labels that are
    not stored have the rank -1.

    Parameters
    ----------
    crow, col, values : Tensor (L + 1,), (nnz,), (nnz,)
        S in CSR form, with ascending columns in every row, no diagonal and values
        above 0.
    drawn : Tensor (nnz,), bool, or None
        Mask of the entries that are pairs (l, l') of the loss; the others are only no
        negatives of what is not more similar than they. None for all.

    Examples
    --------
    >>> crow, col = torch.tensor([0, 2, 3, 4]), torch.tensor([1, 2, 0, 0])
    >>> pairs = RankedPairs(crow, col, torch.tensor([0.5, 0.3, 0.5, 0.3]))
    >>> pairs.rank(torch.tensor([0, 0, 1, 1]), torch.tensor([1, 2, 0, 2]))
    tensor([ 1,  0,  1, -1])
    """

    keys: Tensor  # l L + l' of every pair, ascending, and an end
    below: Tensor  # how many labels are less similar than each
    drawn: Tensor | None  # positions of the pairs of the loss; None for all

    def __init__(
        self, crow: Tensor, col: Tensor, values: Tensor, drawn: Tensor | None = None
    ) -> None:
        super().__init__()
        self.n_labels = len(crow) - 1
        crow = crow.long()
        rows = torch.repeat_interleave(crow.diff(), output_size=len(col))
        end = torch.tensor([self.n_labels**2])  # greater than every key of a pair
        keys = torch.cat([rows * self.n_labels + col, end.to(rows)])
        below = _n_below(crow, rows, values)
        below = torch.cat([below, below.new_tensor([-1])])
        if drawn is not None:
            drawn = drawn.nonzero().squeeze(1)
        self.register_buffer("keys", keys, persistent=False)
        self.register_buffer("below", below, persistent=False)
        self.register_buffer("drawn", drawn, persistent=False)

    @property
    def n_pairs(self) -> int:
        """Number of pairs (l, l')."""
        return len(self.keys) - 1 if self.drawn is None else len(self.drawn)

    def rank(self, row: Tensor, col: Tensor) -> Tensor:
        """Return how many labels are less similar to ``row``; -1 if not similar."""
        key = row * self.n_labels + col
        at = torch.searchsorted(self.keys, key)
        return torch.where(self.keys[at] == key, self.below[at], -1)

    def pairs(
        self, which: Tensor | slice = slice(None)
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return l, l' and the size of N(l, l') of some pairs, or of all."""
        entries: Tensor | slice = which
        if self.drawn is not None:
            entries = self.drawn[which]
        elif isinstance(which, slice):
            entries = slice(0, self.n_pairs)
        keys = self.keys[entries]
        row = keys.div(self.n_labels, rounding_mode="floor")
        return row, keys - row * self.n_labels, self.below[entries]

    def draw(
        self, n_pairs: int, n_negatives: int, generator: torch.Generator | None
    ) -> Draw:
        """Sample pairs, and labels other than l, all uniformly and with replacement.

        Without any pair there is nothing to draw, and ``n_pairs`` is 0.
        """
        if not self.n_pairs:
            n_pairs = 0

        def draw(n: int, *shape: int) -> Tensor:
            device = self.keys.device
            return torch.randint(n, shape, generator=generator, device=device)

        which = draw(max(self.n_pairs, 1), n_pairs)
        anchor, positive, n_strict = self.pairs(which)
        n_others = max(self.n_labels - 1, 1)
        z = draw(n_others, n_pairs, n_negatives)
        z += z >= anchor[:, None]  # leaves l out
        strict = self.rank(anchor[:, None], z) < n_strict[:, None]
        return Draw(anchor, positive, z, strict, n_strict)

    def order(self) -> Tensor:
        """Return every row's labels (L, L), the least similar first, itself last.

        The first :math:`|N(l, l')|` labels of row l are N(l, l').
        """
        n_labels = self.n_labels
        ranks = self.below.new_full((n_labels, n_labels), -1)
        ranks.view(-1)[self.keys[:-1]] = self.below[:-1]
        ranks.fill_diagonal_(n_labels)
        return ranks.argsort(dim=1, stable=True)


def _n_below(crow: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    """Return how many labels, l apart, each entry of row l strictly exceeds."""
    order = torch.argsort(values, stable=True)
    order = order[torch.argsort(rows[order], stable=True)]  # rows, each ascending
    row = rows[order]
    value = values[order]
    position = torch.arange(len(order), device=order.device)
    tied = torch.zeros_like(order, dtype=torch.bool)
    equal = value[1:] - value[:-1] <= ROUNDING * value[1:]
    tied[1:] = (row[1:] == row[:-1]) & equal
    first = position.masked_fill(tied, 0).cummax(0).values  # of those that tie
    at_least = crow[row + 1] - first  # the entries of the row that are no smaller
    below = torch.empty_like(order)
    below[order] = len(crow) - 2 - at_least
    return below

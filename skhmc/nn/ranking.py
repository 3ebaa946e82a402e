r"""Ranking labels by distance as their similarity ranks them.

For two labels l, l' that are similar, the labels z that are *strictly* less similar to
l than l' is are the negatives N(l, l'), and

.. math::
    L(l, l') = -\log \frac{e^{-d(l, l') / T}}
        {e^{-d(l, l') / T} + \sum_{z \in N(l, l')} e^{-d(l, z) / T}}

of the distances d in an embedding of the labels. :class:`SampledRanking` estimates the
losses from sampled pairs and negatives, :class:`ExactRanking` computes all of them, for
small sets of labels. What the similarities say is in :mod:`skhmc.nn.pairs`.

References
----------
Chatterjee, Maheshwari, Ramakrishnan and Jagarlapudi, "Joint Learning of Hyperbolic
Label Embeddings for Hierarchical Multi-label Classification", EACL 2021, arXiv
2101.04997.

Nickel and Kiela, "Learning Continuous Hierarchies in the Lorentz Model of Hyperbolic
Geometry", ICML 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skhmc.nn.hyperbolic import distance, distance_matrix
from skhmc.nn.modules import Seeded, initialise
from skhmc.nn.pairs import RankedPairs

__all__: list[str] = []


class Geometry(NamedTuple):
    """How far apart points are, pair by pair and all with all."""

    distance: Callable[[Tensor, Tensor], Tensor]  # (..., d), (..., d) to (...)
    matrix: Callable[[Tensor, Tensor], Tensor]  # (n, d), (m, d) to (n, m)


def squared_distance(x: Tensor, y: Tensor) -> Tensor:
    r"""Return :math:`\|x - y\|^2`: (..., d) and (..., d) to (...).

    Examples
    --------
    >>> squared_distance(torch.tensor([3.0, 4.0]), torch.zeros(2))
    tensor(25.)
    """
    return (x - y).square().sum(-1)


def squared_distance_matrix(x: Tensor, y: Tensor) -> Tensor:
    r"""Return :math:`\|x - y\|^2` of all pairs: (n, d) and (m, d) to (n, m).

    Examples
    --------
    >>> squared_distance_matrix(torch.tensor([[3.0], [1.0]]), torch.zeros(1, 1))
    tensor([[9.],
            [1.]])
    """
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()


HYPERBOLIC = Geometry(distance, distance_matrix)
EUCLIDEAN = Geometry(squared_distance, squared_distance_matrix)


def ranking_loss(
    positive: Tensor,
    negative: Tensor,
    strict: Tensor,
    temperature: float,
    n_strict: Tensor | None = None,
) -> Tensor:
    r"""Return the losses of pairs with sampled negatives: (P,) and (P, N) to (P,).

    .. math::
        \log\left(1 + \frac{|N|}{K} \sum_{z} e^{(d(l, l') - d(l, z)) / T}\right)

    over the K of the sampled z that are in N(l, l'). The factor :math:`|N| / K` makes
    the sum an unbiased estimate of that over all of N(l, l'), given K > 0; the loss
    itself, a concave function of it, is underestimated, and exact in the limit of many
    samples. Without ``n_strict`` the factor is 1, as in Nickel and Kiela. Where K is 0,
    so are the loss and its gradient.

    Stable as a log-sum-exp with a zero appended.

    Parameters
    ----------
    positive, negative : Tensor (P,), (P, N)
        Distances d(l, l') and d(l, z).
    strict : Tensor (P, N), bool
        Whether z is in N(l, l').
    temperature : float
        T.
    n_strict : Tensor (P,) or None
        The size of N(l, l').

    Examples
    --------
    >>> positive, negative = torch.tensor([1.0, 1.0]), torch.tensor([[1.0], [5.0]])
    >>> ranking_loss(positive, negative, torch.tensor([[True], [False]]), 1.0)
    tensor([0.6931, 0.0000])
    """
    x = (positive[:, None] - negative) / temperature
    if n_strict is not None:
        n_found = strict.sum(1).clamp_min(1)
        factor = n_strict.clamp_min(1).to(x) / n_found.to(x)
        x = x + factor.log()[:, None]
    x = x.masked_fill(~strict, -torch.inf)
    return torch.logsumexp(torch.cat([x.new_zeros(len(x), 1), x], 1), 1)


def exact_ranking_loss(
    distances: Tensor, order: Tensor, pairs: tuple[Tensor, ...], temperature: float
) -> Tensor:
    r"""Return the losses of pairs with all their negatives: (L, L) to (P,).

    The sum over N(l, l') is a cumulative one along the labels of row l in ascending
    similarity, so that all pairs together cost no more than the sorted rows. Stable as
    a cumulative log-sum-exp; where N(l, l') is empty, the loss and its gradient are 0.

    Parameters
    ----------
    distances : Tensor (L, L)
        Row l holds d(l, z).
    order : Tensor (L, L)
        Result of :meth:`~skhmc.nn.pairs.RankedPairs.order`.
    pairs : tuple of Tensor (P,)
        Result of :meth:`~skhmc.nn.pairs.RankedPairs.pairs`: l, l' and the size of
        N(l, l').
    temperature : float
        T.

    Examples
    --------
    >>> distances = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 2.0], [1.0, 2.0, 0.0]])
    >>> order = torch.tensor([[2, 1, 0], [2, 0, 1], [0, 1, 2]])
    >>> pairs = torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([1, 1])
    >>> exact_ranking_loss(distances, order, pairs, 1.0)
    tensor([0.6931, 0.3133])
    """
    row, col, below = pairs
    x = -distances / temperature
    sums = torch.logcumsumexp(x.gather(1, order), dim=1)
    z = sums[row, below.clamp_min(1) - 1] - x[row, col]
    return torch.where(below > 0, -F.logsigmoid(-z), 0)


class SampledRanking(Seeded):
    """The losses of sampled pairs, with sampled negatives.

    Parameters
    ----------
    pairs : RankedPairs
        Similar labels and their ranks.
    geometry : Geometry
        Distances of the space that labels are embedded in.
    n_pairs, n_negatives : int
        Pairs per evaluation, and candidates for negatives of each.
    temperature : float
        T; smaller values punish wrong ranks more.
    corrected : bool
        Whether the sampled negatives stand for all, see :func:`ranking_loss`: then the
        losses estimate those of :class:`ExactRanking`. Else they are of the sampled
        negatives alone, as Nickel and Kiela's: the fewer, the nearer one must come to
        matter, but none weighs as much as many, and gradients vary less.

    Examples
    --------
    >>> from skhmc.nn.pairs import RankedPairs
    >>> crow, col = torch.tensor([0, 1, 2, 2]), torch.tensor([1, 0])
    >>> pairs = RankedPairs(crow, col, torch.ones(2))
    >>> options = {"n_pairs": 4, "n_negatives": 64, "corrected": True}
    >>> loss = SampledRanking(pairs, HYPERBOLIC, **options)
    >>> loss(torch.zeros(3, 2))
    tensor([0.6931, 0.6931, 0.6931, 0.6931])
    """

    def __init__(
        self,
        pairs: RankedPairs,
        geometry: Geometry,
        *,
        n_pairs: int,
        n_negatives: int,
        temperature: float = 1.0,
        corrected: bool = False,
    ) -> None:
        super().__init__()
        self.pairs = pairs
        self.geometry = geometry
        self.n_pairs = n_pairs
        self.n_negatives = n_negatives
        self.temperature = temperature
        self.corrected = corrected

    def forward(self, table: Tensor) -> Tensor:
        """Return losses (n_pairs,) of embeddings (L, d); (0,) if there are no pairs."""
        draw = self.pairs.draw(self.n_pairs, self.n_negatives, self.generator)
        labels = [draw.anchor[:, None], draw.positive[:, None], draw.candidates]
        points = F.embedding(torch.cat(labels, 1), table)  # one gradient of its size
        d = self.geometry.distance(points[:, :1], points[:, 1:])
        n_strict = draw.n_strict if self.corrected else None
        return ranking_loss(d[:, 0], d[:, 1:], draw.strict, self.temperature, n_strict)


class ExactRanking(nn.Module):
    """The losses of all pairs, each with all its negatives.

    Memory grows with the labels squared (8 bytes of each pair of labels for the order,
    and some matrices of distances), time with one log more: for some 1,000 labels.

    Parameters
    ----------
    pairs : RankedPairs
        Similar labels and their ranks.
    geometry : Geometry
        Distances of the space that labels are embedded in.
    temperature : float
        T; smaller values punish wrong ranks more.

    Examples
    --------
    >>> from skhmc.nn.pairs import RankedPairs
    >>> crow, col = torch.tensor([0, 1, 2, 2]), torch.tensor([1, 0])
    >>> pairs = RankedPairs(crow, col, torch.ones(2))
    >>> ExactRanking(pairs, EUCLIDEAN)(torch.tensor([[0.0], [1.0], [1.0]]))
    tensor([0.6931, 1.3133])
    """

    order: Tensor  # (L, L), every row's labels, the least similar first

    def __init__(
        self, pairs: RankedPairs, geometry: Geometry, *, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.pairs = pairs
        self.geometry = geometry
        self.temperature = temperature
        self.register_buffer("order", pairs.order(), persistent=False)

    def forward(self, table: Tensor) -> Tensor:
        """Return losses (n_pairs,) of embeddings (L, d); (0,) if there are no pairs."""
        d = self.geometry.matrix(table, table)
        return exact_ranking_loss(d, self.order, self.pairs.pairs(), self.temperature)


def train_table(
    loss: Callable[[Tensor], Tensor],
    module: nn.Module,
    shape: tuple[int, int],
    n_steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Return coordinates (L, d) that were trained by a loss alone, by Adam.

    Parameters
    ----------
    loss : callable
        Maps coordinates to a scalar.
    module : nn.Module
        Module with the parts of the loss; those that draw do so from ``generator``.
    shape : tuple of int
        (L, d).
    n_steps : int
        Number of steps, over which the learning rate rises to 0.05 and falls.
    generator : torch.Generator
        Source of the first coordinates and of what the loss draws, on the CPU.
    """
    initialise(module, None, generator)
    table = torch.empty(shape).normal_(std=0.1, generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([table])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, n_steps)
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss(table).backward()
        optimizer.step()
        schedule.step()
    return table.detach()

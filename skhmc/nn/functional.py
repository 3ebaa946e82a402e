r"""The mechanisms of HCAL as pure functions.

Jiang, Liu, Liu and Yu, "Hierarchy-Consistent Learning and Adaptive Loss Balancing for
Hierarchical Multi-Label Classification", CIKM 2025, arXiv 2508.13452. Symbols are the
paper's: features f, prototypes p, temperature tau, perturbation epsilon, task losses
L_k with weights lambda_k.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "adaptive_weights",
    "class_means",
    "dwa_weights",
    "perturb",
    "prototype_logits",
    "unit",
]

ABSENT = -100  # a class that torch's cross-entropy leaves out


def unit(vectors: Tensor) -> Tensor:
    r"""Scale vectors to length 1: :math:`\hat p = p / \|p\|`; zero stays zero.

    Examples
    --------
    >>> unit(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return torch.nn.functional.normalize(vectors, dim=-1, eps=1e-12)


def perturb(
    prototypes: Tensor, epsilon: float, generator: torch.Generator | None
) -> Tensor:
    r"""Add noise: :math:`\tilde p = (\hat p + \xi) / \|\hat p + \xi\|`.

    :math:`\xi` is uniform in :math:`[-\epsilon, \epsilon]^d`.

    Examples
    --------
    >>> prototypes = torch.tensor([[1.0, 0.0]])
    >>> perturb(prototypes, 0.1, torch.Generator().manual_seed(0)).norm().item()
    1.0
    """
    if epsilon == 0:
        return prototypes
    noise = torch.empty_like(prototypes).uniform_(
        -epsilon, epsilon, generator=generator
    )
    return unit(prototypes + noise)


def products(features: Tensor, vectors: Tensor, by_label: bool = False) -> Tensor:
    r"""Return all products :math:`f \cdot v`: (B, d) and (L, d) to (B, L).

    Parameters
    ----------
    features : Tensor (B, d)
        Dense, or sparse with ``by_label``.
    vectors : Tensor (L, d)
        One vector per label.
    by_label : bool, default=False
        Whether the products of a label lie side by side in memory, instead of those of
        a sample. The coherence step, which goes label by label, is faster then.

    Examples
    --------
    >>> products(torch.tensor([[0.0, 1.0]]), torch.eye(2))
    tensor([[0., 1.]])
    """
    if by_label and not features.is_sparse:
        return (vectors @ features.t()).t()
    return features @ vectors.t()


def prototype_logits(
    features: Tensor, prototypes: Tensor, tau: float, by_label: bool = False
) -> Tensor:
    r"""Return :math:`f \cdot p / \tau`: (B, d) and (L, d) to (B, L).

    ``by_label`` lets the logits of a label lie side by side in memory.

    Examples
    --------
    >>> prototype_logits(torch.tensor([[0.0, 1.0]]), torch.eye(2), tau=0.1)
    tensor([[ 0., 10.]])
    """
    return products(features / tau, prototypes, by_label)


def _chunked(features: Tensor, membership: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """Cut a batch into chunks: (B, d) and (B, C) to (n, chunk, d) and (n, chunk, C).

    Rows of zeros, which are members of no class, fill up the last chunk.
    """
    n_missing = -len(features) % chunk
    features = torch.nn.functional.pad(features, (0, 0, 0, n_missing))
    membership = torch.nn.functional.pad(membership, (0, 0, 0, n_missing))
    size = min(chunk, len(features))
    features = features.view(-1, size, features.shape[1])
    return features, membership.view(-1, size, membership.shape[1])


def _heaviest(total: Tensor, max_means: int | None) -> tuple[Tensor, Tensor]:
    """Return the greatest totals of every chunk, and their classes: (n, C) to (n, M).

    M is ``max_means``, or just as many as there are in the chunk that has most.
    """
    if max_means is None:
        max_means = int((total > 0).sum(1).max())
    return total.topk(min(max_means, total.shape[1]), sorted=False)


def class_means(
    features: Tensor, membership: Tensor, chunk: int, max_means: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Aggregate child features into the classes they belong to.

    :math:`\bar f_c = \sum_i m_{ic} f_i / \sum_i m_{ic}` over each chunk of the batch,
    because means over many samples make the classes trivially easy to tell apart.

    Parameters
    ----------
    features : Tensor (B, d)
        Features of the samples in a batch.
    membership : Tensor (B, C)
        Indicators of the samples' classes, or these times sample weights.
    chunk : int
        Number of samples per mean.
    max_means : int, default=None
        Upper bound of the number of classes present in a chunk, which gives the result
        its shape. None counts them, and to read a count back makes the CPU wait for a
        GPU.

    Returns
    -------
    means : Tensor (n_means, d)
        One for every class present in every chunk, and as many more as ``max_means``
        makes room for; not normalised again.
    classes : Tensor (n_means,)
        The class of each mean; -100 where there is none.

    Examples
    --------
    >>> features = torch.tensor([[1.0], [3.0]])
    >>> class_means(features, torch.ones(2, 1), chunk=2)
    (tensor([[2.]]), tensor([0]))
    """
    f, m = _chunked(features, membership, chunk)
    total, classes = _heaviest(m.sum(1), max_means)  # sum_i m_ic: (chunks, M)
    m = m.gather(2, classes[:, None].expand(-1, m.shape[1], -1))  # of these classes
    sums = m.transpose(1, 2) @ f  # sum_i m_ic f_i: (chunks, M, d)
    present = total > 0
    means = sums / torch.where(present, total, 1)[..., None]
    return means.flatten(0, 1), torch.where(present, classes, ABSENT).flatten()


def adaptive_weights(losses: Tensor, gamma: float) -> Tensor:
    r"""Weigh tasks by their current losses: :math:`\lambda = softmax(L / \gamma)`.

    The losses are detached, so the gradient of :math:`\sum_k \lambda_k L_k` is that of
    the soft maximum :math:`\gamma \log \sum_k \exp(L_k / \gamma)`.

    Examples
    --------
    >>> adaptive_weights(torch.tensor([1.0, 1.0]), gamma=0.5)
    tensor([0.5000, 0.5000])
    """
    return torch.softmax(losses.detach() / gamma, dim=0)


def dwa_weights(last: Tensor, before: Tensor, temperature: float = 2.0) -> Tensor:
    r"""Weigh tasks by how slowly they converge (dynamic weight average).

    :math:`\lambda = K softmax(w / T),\ w_k = L_k(t - 1) / L_k(t - 2)`.

    References
    ----------
    Liu, Johns and Davison, "End-to-End Multi-Task Learning with Attention", CVPR 2019.

    Examples
    --------
    >>> dwa_weights(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 2.0]))
    tensor([1., 1.])
    """
    rate = last / before.clamp_min(torch.finfo(before.dtype).tiny)
    return len(last) * torch.softmax(rate / temperature, dim=0)


def level_counts(labels: Tensor, level_sizes: Sequence[int]) -> list[int]:
    """Return how many of some sorted labels every level has, in level order.

    The labels are on the CPU.

    Examples
    --------
    >>> level_counts(torch.tensor([0, 3, 4]), [2, 1, 4])
    [1, 0, 2]
    """
    bounds = [0, *accumulate(level_sizes)]
    n_below = np.searchsorted(labels.numpy(), bounds)
    return np.diff(n_below).tolist()


def draw_linear(
    weight: Tensor, bias: Tensor | None, generator: torch.Generator
) -> None:
    """Initialise a linear layer as torch does, but from a generator: weight, then bias.

    Parameters
    ----------
    weight : Tensor (width, n_features)
    bias : Tensor (width,) or None
    generator : torch.Generator
        Source of the random numbers.

    Examples
    --------
    >>> weight, bias = torch.zeros(2, 4), torch.zeros(2)
    >>> draw_linear(weight, bias, torch.Generator().manual_seed(0))
    >>> bool((weight.abs() <= 0.5).all()), bool((weight != 0).all())
    (True, True)
    """
    torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    if bias is not None:
        bound = 1 / math.sqrt(max(weight.shape[1], 1))
        torch.nn.init.uniform_(bias, -bound, bound, generator=generator)

r"""The mechanisms of HCAL as pure functions.

Jiang, Liu, Liu and Yu, "Hierarchy-Consistent Learning and Adaptive Loss Balancing for
Hierarchical Multi-Label Classification", CIKM 2025, arXiv 2508.13452. Symbols are the
paper's: features f, prototypes p, temperature tau, perturbation epsilon, task losses
L_k with weights lambda_k.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "adaptive_weights",
    "class_means",
    "dwa_weights",
    "level_counts",
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
    r"""Shake unit prototypes: :math:`\tilde p = (\hat p + \xi) / \|\hat p + \xi\|`.

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


def prototype_logits(features: Tensor, prototypes: Tensor, tau: float) -> Tensor:
    r"""Return :math:`f \cdot p / \tau`: (B, d) and (L, d) to (B, L).

    Examples
    --------
    >>> prototype_logits(torch.tensor([[0.0, 1.0]]), torch.eye(2), tau=0.1)
    tensor([[ 0., 10.]])
    """
    return features / tau @ prototypes.t()


def class_means(
    features: Tensor, membership: Tensor, chunk: int, most: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Aggregate child features into the classes they belong to.

    :math:`\bar f_c = \sum_i m_{ic} f_i / \sum_i m_{ic}` over each chunk of the batch,
    because means over many samples make the classes trivially easy to tell apart.

    Parameters
    ----------
    features : Tensor (B, d)
    membership : Tensor (B, C)
        Indicators, or indicators times sample weights.
    chunk : int
        Samples per mean.
    most : int, default=None
        No chunk has more classes, so that the numbers of means need not be counted,
        for which a GPU would have to be waited. None counts.

    Returns
    -------
    means : Tensor (n_means, d)
        One for every class present in every chunk, and as many more as ``most`` makes
        room for; not normalised again.
    classes : Tensor (n_means,)
        The class of each mean; -100 where there is none.

    Examples
    --------
    >>> features = torch.tensor([[1.0], [3.0]])
    >>> class_means(features, torch.ones(2, 1), chunk=2)
    (tensor([[2.]]), tensor([0]))
    """
    spare = -len(features) % chunk
    features = torch.nn.functional.pad(features, (0, 0, 0, spare))
    membership = torch.nn.functional.pad(membership, (0, 0, 0, spare))
    features = features.view(-1, min(chunk, len(features)), features.shape[1])
    membership = membership.view(*features.shape[:2], membership.shape[1])
    total = membership.sum(1)  # (chunks, C)
    if most is None:
        most = int((total > 0).sum(1).max())
    total, classes = total.topk(min(most, total.shape[1]), sorted=False)
    places = classes[:, None].expand(-1, membership.shape[1], -1)
    sums = membership.gather(2, places).transpose(1, 2) @ features  # (chunks, most, d)
    there = total > 0
    means = sums / torch.where(there, total, 1)[..., None]
    return means.flatten(0, 1), torch.where(there, classes, ABSENT).flatten()


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
    return np.diff(np.searchsorted(labels.numpy(), bounds)).tolist()

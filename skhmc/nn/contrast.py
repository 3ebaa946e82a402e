r"""Contrast of the samples of a batch: level by level, and label by label.

Two losses of embeddings that stand beside a loss of labels. :class:`HMCE` draws samples
together whose labels are equal down to a level, :class:`HiLeCon` samples that have a
label in common, by how far the rest of their labels is apart. The functions
:func:`level_contrast` and :func:`label_contrast` are what they reduce.

Labels that are unknown, NaN in Y, decide nothing: pairs of samples that may be equal or
not are left out. Pairs are gone through in blocks, which the backward pass computes
anew, so that memory grows with the size of a batch and not with its square.

References
----------
Zhang, Xu, Xiong and Ramaiah, "Use All The Labels: A Hierarchical Multi-Label
Contrastive Learning Framework", CVPR 2022, arXiv 2204.13207.

Yu, He, Gutiérrez-Basulto and Pan, "Instances and Labels: Hierarchy-aware Joint
Supervised Contrastive Learning for Hierarchical Multi-Label Text Classification",
Findings of EMNLP 2023, arXiv 2310.05128.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from skhmc.hierarchy import Hierarchy
from skhmc.nn.functional import unit

__all__ = ["HMCE", "HiLeCon", "label_contrast", "level_contrast"]

MAX_PAIRS = 2**22  # in memory at once


class _Labels:
    """What is known of the labels of a batch, as numbers that products take.

    Parameters
    ----------
    Y : Tensor (B, L)
        Indicators, NaN where unknown.
    dtype : torch.dtype
        Of the products.
    """

    def __init__(self, Y: Tensor, dtype: torch.dtype) -> None:
        self.ones = (Y > 0).to(dtype)
        self.zeros = (Y <= 0).to(dtype)  # NaN is in neither

    def apart(
        self, rows: Tensor, columns: slice, weights: Tensor | None = None
    ) -> Tensor:
        """Return how many labels some samples have apart from all: (A, B).

        Labels that are known in both and differ; or the sum of their weights.
        """
        ones = self.ones[:, columns]
        zeros = self.zeros[:, columns]
        mine = ones[rows], zeros[rows]
        if weights is not None:
            mine = mine[0] * weights, mine[1] * weights
        return mine[0] @ zeros.t() + mine[1] @ ones.t()

    def shared(self, rows: Tensor, weights: Tensor) -> Tensor:
        """Return the weight of the labels known in some samples and in all: (A, B)."""
        known = self.ones + self.zeros
        return (known[rows] * weights) @ known.t()


def _sum_of_blocks(
    part: Callable[..., Tensor], rows: Tensor, size: int, *tensors: Tensor
) -> Tensor:
    """Add up what a function makes of blocks of rows.

    Several blocks are computed once more in the backward pass, and nothing of them is
    kept until then. Nothing is drawn, so there is no random state to restore.
    """
    blocks = rows.split(size)
    if len(blocks) == 1:
        return part(rows, *tensors)
    sums = [
        checkpoint(part, block, *tensors, use_reentrant=False, preserve_rng_state=False)
        for block in blocks
    ]
    return torch.stack(sums).sum(0)


def _check_sizes(features: Tensor, Y: Tensor, n_labels: int) -> None:
    if Y.shape != (len(features), n_labels):
        raise ValueError(
            f"Expected Y of shape {(len(features), n_labels)}, a row per row of the "
            f"features and a column per label, got {tuple(Y.shape)}."
        )


# -- level by level --------------------------------------------------------------------


def level_contrast(
    features: Tensor,
    Y: Tensor,
    level_sizes: Sequence[int],
    *,
    temperature: float = 0.1,
    max_pairs: int = MAX_PAIRS,
) -> Tensor:
    r"""Return the supervised contrastive loss of every level.

    .. math::
        L_k = \operatorname*{mean}_i \operatorname*{mean}_{p \in P_k(i)} -\log
            \frac{\exp(f_i \cdot f_p / \tau)}
            {\sum_{a \in A_k(i)} \exp(f_i \cdot f_a / \tau)}

    of features f of length 1. :math:`P_k(i)` are the other samples that have the same
    labels as i on the levels 0 to k, if there are any; these are the same prefix of a
    path in a tree, and the same set of labels where samples have several paths or
    labels several parents. :math:`A_k(i)` are all other samples. The mean is over the
    samples that have a positive pair; a level without one has the loss 0.

    A pair is in :math:`P_k(i)` only if all labels down to level k are known in both
    samples. It is in :math:`A_k(i)` then, or where labels known in both differ.

    Parameters
    ----------
    features : Tensor (B, d)
        Embeddings of the samples, of any length.
    Y : Tensor (B, L)
        Indicators, NaN where unknown, in level order (roots first), closed upward.
    level_sizes : sequence of int
        Number of labels of every level.
    temperature : float, default=0.1
        Temperature :math:`\tau`.
    max_pairs : int, default=2**22
        Pairs of samples that are in memory at once.

    Returns
    -------
    Tensor (K,)
        Losses of the levels, roots first.

    Examples
    --------
    >>> features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> Y = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    >>> level_contrast(features, Y, [1, 1], temperature=1.0)
    tensor([0.7732, 0.3133])

    All have the root; on the level below, the first and the third are a pair.
    """
    _check_sizes(features, Y, sum(level_sizes))
    labels = _Labels(Y, features.dtype)
    starts = np.cumsum([0, *level_sizes])
    # of every level: how many labels a sample has unknown, or has at all, down to it
    known = (labels.ones + labels.zeros).cumsum(1)
    levels = []
    for start, end in zip(starts[:-1], starts[1:], strict=True):
        complete = known[:, end - 1] == end
        has_labels = labels.ones[:, :end].any(1)
        levels.append((slice(start, end), complete, has_labels))

    def part(rows: Tensor, f: Tensor) -> Tensor:
        return _level_sums(rows, f, labels, levels, temperature)

    rows = torch.arange(len(features), device=features.device)
    size = max(max_pairs // max(len(rows), 1), 1)
    sums, counts = _sum_of_blocks(part, rows, size, unit(features)).unbind(0)
    return sums / counts.clamp_min(1)


def _level_sums(
    rows: Tensor,
    f: Tensor,
    labels: _Labels,
    levels: list[tuple[slice, Tensor, Tensor]],
    temperature: float,
) -> Tensor:
    """Return the sum of some samples' losses, and their number: (2, K)."""
    scores = f[rows] @ f.t() / temperature
    others = rows[:, None] != torch.arange(len(f), device=f.device)
    apart = torch.zeros_like(scores)
    sums, counts = [], []
    for columns, complete, has_labels in levels:
        apart = apart + labels.apart(rows, columns)
        decided = complete[rows][:, None] & complete
        positive = others & decided & (apart == 0) & has_labels
        n_positive = positive.sum(1)
        counted = n_positive > 0
        # samples that do not count keep all pairs: -inf everywhere would have no
        # gradient, 0 times which is NaN
        left_out = ~(others & (decided | (apart > 0))) & counted[:, None]
        total = torch.logsumexp(scores.masked_fill(left_out, -torch.inf), 1)
        mean = (scores * positive).sum(1) / n_positive.clamp_min(1)
        sums.append(((total - mean) * counted).sum())
        counts.append(counted.sum())
    return torch.stack([torch.stack(sums), torch.stack(counts).to(f.dtype)])


class HMCE(nn.Module):
    r"""Hierarchical multi-label contrastive loss, constrained to the hierarchy.

    .. math::
        \frac{1}{K} \sum_{k=0}^{K-1} 2^{1/l} \max_{j \ge k} L_j, \qquad l = K - k,

    with the losses :math:`L_k` of :func:`level_contrast`: the deepest level weighs
    most, and no level has a smaller loss than a deeper one.

    Parameters
    ----------
    hierarchy : Hierarchy
        Hierarchy of the labels, in the order of Y's columns.
    temperature : float, default=0.1
        Temperature of the similarities.
    max_pairs : int, default=2**22
        Pairs of samples that are in memory at once.

    Notes
    -----
    The weights are those of the authors' program, which counts levels from the deepest.
    There and in the paper, every pair's loss is at least the greatest of the deeper
    level; here it is the level's mean. The program leaves samples that are equal on a
    deeper level out of the levels above; here they stay. Both are defined for single
    paths. For samples with several, positives are those of HJCL (Yu et al., 2023):
    samples whose *sets* of labels are equal.

    References
    ----------
    Zhang, Xu, Xiong and Ramaiah, "Use All The Labels: A Hierarchical Multi-Label
    Contrastive Learning Framework", CVPR 2022.

    Examples
    --------
    >>> loss = HMCE(Hierarchy.from_edges([("a", "b")]), temperature=1.0)
    >>> features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> loss(features, torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]))
    tensor(0.8600)

    (2**(1/2) * 0.7732 + 2 * 0.3133) / 2: the levels of :func:`level_contrast`.
    """

    order: Tensor
    weights: Tensor

    def __init__(
        self,
        hierarchy: Hierarchy,
        temperature: float = 0.1,
        max_pairs: int = MAX_PAIRS,
    ) -> None:
        super().__init__()
        self.level_sizes = [len(level) for level in hierarchy.levels]
        self.temperature = temperature
        self.max_pairs = max_pairs
        order = torch.from_numpy(np.concatenate(hierarchy.levels).astype(np.int64))
        self.register_buffer("order", order, persistent=False)
        from_the_deepest = torch.arange(len(self.level_sizes), 0, -1)
        weights = 2 ** (1 / from_the_deepest)
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, features: Tensor, Y: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar; of features (B, d), labels (B, L)."""
        _check_sizes(features, Y, len(self.order))
        losses = level_contrast(
            features,
            Y[:, self.order],
            self.level_sizes,
            temperature=self.temperature,
            max_pairs=self.max_pairs,
        )
        bounded = losses.flip(0).cummax(0).values.flip(0)
        return (self.weights * bounded).mean()


# -- label by label --------------------------------------------------------------------


def label_contrast(
    features: Tensor,
    gates: Tensor,
    Y: Tensor,
    label_weights: Tensor,
    *,
    temperature: float = 1.0,
    max_pairs: int = MAX_PAIRS,
) -> tuple[Tensor, Tensor]:
    r"""Return the contrastive loss of every label, and which labels have one.

    Label l sees sample i as :math:`z_i = g_l \odot f_i`, the product of the features
    and the label's gate. Over all ordered pairs of samples p, p' that have the label,

    .. math::
        L_l = \operatorname*{mean}_{p \ne p'} \log
            \frac{\sum_n \gamma_{pn} e^{\cos(z_p, z_n) / \tau}
                  + \sigma_{pp'} e^{\cos(z_p, z_{p'}) / \tau}}
            {(N + 1) \, \sigma_{pp'} e^{\cos(z_p, z_{p'}) / \tau}}, \qquad
            \gamma = \rho, \quad \sigma = 1 - \rho / C,

    with the N samples n that do not have it. The distance :math:`\rho_{ij}` is the
    weight of the labels in which i and j differ, and C that of all labels. Samples with
    similar labels attract more, samples with very different ones repel more. A label
    has a loss if two samples have it and one does not.

    Samples in which the label is unknown are in no sum. Labels unknown in i or j do not
    count in :math:`\rho_{ij}`, which is then multiplied by C and divided by the weight
    of those known in both.

    Parameters
    ----------
    features : Tensor (B, d)
        Embeddings of the samples, of any length.
    gates : Tensor (L, d)
        Numbers that every label multiplies the embeddings with.
    Y : Tensor (B, L)
        Indicators, NaN where unknown.
    label_weights : Tensor (L,)
        Weights of the labels in :math:`\rho`, above 0.
    temperature : float, default=1.0
        Temperature :math:`\tau`.
    max_pairs : int, default=2**22
        Pairs of samples that are in memory at once.

    Returns
    -------
    Tensor (L,)
        Losses of the labels, 0 without one.
    Tensor (L,), bool
        Labels that have a loss.

    Examples
    --------
    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> Y = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> losses, present = label_contrast(features, torch.ones(2, 2), Y, torch.ones(2))
    >>> losses  # log((2 e^0 + 1 e^1) / (2 * 1 e^1)), and one sample alone
    tensor([-0.1417,  0.0000])
    """
    _check_sizes(features, Y, len(label_weights))
    labels = _Labels(Y, features.dtype)
    n_ones = labels.ones.sum(0)
    n_zeros = labels.zeros.sum(0)
    present = (n_ones > 1) & (n_zeros > 0)
    cells = (labels.ones * present).nonzero()  # sample by sample: (n_cells, 2)
    n_pairs = n_ones * (n_ones - 1)

    def part(block: Tensor, f: Tensor, gates: Tensor, inverse: Tensor) -> Tensor:
        vectors = f, gates, inverse
        sums = _cell_sums(block, vectors, labels, n_zeros, label_weights, temperature)
        mean = sums / n_pairs[block[:, 1]]
        return torch.zeros_like(n_ones).index_add(0, block[:, 1], mean)

    f = unit(features)
    squares = f.square() @ gates.square().t()  # of the lengths of z: (B, L)
    # a vector of length 0 has the cosine 0 with all others, and no gradient
    there = squares > torch.finfo(f.dtype).tiny
    inverse = torch.where(there, torch.where(there, squares, 1).rsqrt(), 0)
    size = max(max_pairs // max(len(features), 1), 1)
    return _sum_of_blocks(part, cells, size, f, gates, inverse), present


def _cell_sums(
    cells: Tensor,
    vectors: tuple[Tensor, Tensor, Tensor],
    labels: _Labels,
    n_zeros: Tensor,
    label_weights: Tensor,
    temperature: float,
) -> Tensor:
    """Return what samples p contribute to labels l, summed over p', of (p, l)."""
    f, gates, inverse = vectors
    sample, label = cells.unbind(1)
    gated = f[sample] * gates[label].square() * inverse[sample, label][:, None]
    scores = gated @ f.t() * inverse[:, label].t() / temperature  # (C, B)

    rows, row = sample.unique_consecutive(return_inverse=True)
    everything = slice(None)
    share = labels.apart(rows, everything, label_weights)
    # where nothing is known of both there is no pair, and nothing to divide
    share = share / labels.shared(rows, label_weights).clamp_min(1e-30)
    share = share[row]  # rho / C

    negative = labels.zeros[:, label].t() > 0
    others = sample[:, None] != torch.arange(len(f), device=f.device)
    positive = (labels.ones[:, label].t() > 0) & others
    rho = torch.where(negative, share * label_weights.sum(), 1)
    repel = (scores + rho.log()).masked_fill(~negative, -torch.inf)
    repelled = torch.logsumexp(repel, 1, keepdim=True)
    sigma = torch.where(positive, 1 - share, 1)
    attracted = scores + sigma.log()
    # log(e^repelled + e^attracted) - attracted: a log-sum-exp, whatever the weights
    losses = torch.logaddexp(repelled, attracted) - attracted
    losses = losses - (n_zeros[label] + 1).log()[:, None]
    return (losses * positive).sum(1)


class HiLeCon(nn.Module):
    r"""Hierarchy-aware contrast of labels, with a gate per label.

    The mean of the losses of :func:`label_contrast` over the labels that have one in
    the batch. A label of depth d weighs :math:`D - d + 1`, with the greatest depth D.
    The gate of a label is :math:`\sigma(a_l)` with a vector :math:`a_l` that is
    trained and starts at 0.

    Parameters
    ----------
    hierarchy : Hierarchy
        Hierarchy of the labels, in the order of Y's columns.
    n_features : int
        Width d of the features.
    temperature : float, default=1.0
        Temperature of the cosines.
    max_pairs : int, default=2**22
        Pairs of samples that are in memory at once.

    Notes
    -----
    In the paper, the vectors that a label sees come from its attention to the tokens of
    a text; of one feature vector per sample, the gate makes such vectors. A sample is
    no pair with itself here.

    References
    ----------
    Yu, He, Gutiérrez-Basulto and Pan, "Instances and Labels: Hierarchy-aware Joint
    Supervised Contrastive Learning for Hierarchical Multi-Label Text Classification",
    Findings of EMNLP 2023.

    Examples
    --------
    >>> loss = HiLeCon(Hierarchy.from_edges([("a", "b")]), n_features=2)
    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> Y = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    >>> loss(features, Y)  # of b: log((1 e^0 + e^1) / (2 e^1))
    tensor(-0.3799, grad_fn=<DivBackward0>)
    """

    label_weights: Tensor

    def __init__(
        self,
        hierarchy: Hierarchy,
        n_features: int,
        temperature: float = 1.0,
        max_pairs: int = MAX_PAIRS,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.max_pairs = max_pairs
        depth = torch.from_numpy(np.asarray(hierarchy.depth, np.float32))
        weights = depth.max() - depth + 1
        self.register_buffer("label_weights", weights, persistent=False)
        self.gate = nn.Parameter(torch.zeros(len(depth), n_features))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Set the gates to one half everywhere, for which nothing is drawn."""
        self.gate.zero_()

    def forward(self, features: Tensor, Y: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar; of features (B, d), labels (B, L)."""
        losses, present = label_contrast(
            features,
            torch.sigmoid(self.gate),
            Y,
            self.label_weights,
            temperature=self.temperature,
            max_pairs=self.max_pairs,
        )
        return losses.sum() / present.sum().clamp_min(1)

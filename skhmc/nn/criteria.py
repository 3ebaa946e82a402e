"""Criteria: losses of every level, reduced over samples and weighed.

:class:`LabelCriterion` adds the losses of the tasks (:mod:`skhmc.nn.tasks`).
:class:`HCALCriterion` mixes in the aggregated loss of class means and sums the tasks
with adaptive weights.

Sample weights have the mean 1 over the training samples, so that sums over a batch are
divided by its size: a batch of heavy samples counts more than one of light ones.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from skhmc.nn.functional import (
    adaptive_weights,
    class_means,
    dwa_weights,
    prototype_logits,
)
from skhmc.nn.modules import EmbeddedOutput, Output
from skhmc.nn.tasks import LabelSample, LabelTasks

__all__ = ["EmbeddingCriterion", "HCALCriterion", "LabelCriterion"]


class LabelCriterion(nn.Module):
    """The sum of the task losses.

    Parameters
    ----------
    tasks : LabelTasks or SetTasks
    class_weight : pair of Tensor (L,) or None
        Weights of every label's zeros and ones, beside those of the samples.
    n_recorded : int
        How many figures every batch records.
    """

    def __init__(
        self,
        tasks: nn.Module,
        *,
        class_weight: tuple[Tensor, Tensor] | None = None,
        n_recorded: int = 1,
    ) -> None:
        super().__init__()
        self.tasks = tasks
        zeros, ones = class_weight or (None, None)
        self.register_buffer("zeros_weight", zeros, persistent=False)
        self.register_buffer("ones_weight", ones, persistent=False)
        self.register_buffer("sums", torch.zeros(n_recorded + 1), persistent=False)

    def weigh(
        self, Y: Tensor, weight: Tensor | None, sample: LabelSample | None = None
    ) -> Tensor | None:
        """Return the weights of samples times those of classes."""
        if self.ones_weight is None:
            return weight
        columns = slice(None)
        if sample is not None:
            columns = sample.labels.to(self.ones_weight.device, non_blocking=True)
        ones, zeros = self.ones_weight[columns], self.zeros_weight[columns]
        by_class = torch.where(Y > 0, ones, zeros)
        return by_class if weight is None else weight * by_class

    def record(self, figures: Tensor) -> None:
        """Add figures of one batch to those of the epoch, in training."""
        if self.training:
            self.sums += torch.cat([figures, figures.new_ones(1)]).detach()

    def means(self) -> Tensor:
        """Return the mean figures of the epoch's batches, and start the next epoch."""
        means = self.sums[:-1] / self.sums[-1].clamp_min(1)
        self.sums = torch.zeros_like(self.sums)
        return means

    def forward(
        self, logits: Tensor, Y: Tensor, weight: Tensor | None, *sample: LabelSample
    ) -> Tensor:
        """Return the loss of one batch, a scalar; by a sample of labels, or all."""
        total = self.tasks(logits, Y, self.weigh(Y, weight, *sample), *sample).sum()
        self.record(total[None])
        return total

    def take_over(self, former: LabelCriterion) -> None:
        """Go on from a former criterion, which leaves nothing behind."""

    def end_epoch(self) -> dict[str, float]:
        """Return the epoch's mean loss, and start the next epoch."""
        return {"train_loss": self.means().item()}


class HCALCriterion(LabelCriterion):
    r"""The weighted sum of the task losses, :math:`\sum_k \lambda_k L_k`.

    Parameters
    ----------
    tasks : LabelTasks or SetTasks
        Losses of the single samples, one per level, roots first.
    aggregation : float
        Share of every level's loss, but the deepest's, that is computed on class means
        (the paper: 1).
    chunk : int
        Samples per class mean.
    temperature : float
        Of the prototype similarity.
    weighting : {"adaptive", "dwa", "equal"}
        How the tasks are weighed; all sum to 1.
    gamma : float
        Temperature of the adaptive weights.
    class_weight : pair of Tensor (L,) or None
        Weights of every label's zeros and ones, beside those of the samples.
    most : list of int or None
        No chunk has more classes of a level; None counts those of every chunk.
    """

    def __init__(
        self,
        tasks: nn.Module,
        *,
        aggregation: float,
        chunk: int,
        temperature: float,
        weighting: str,
        gamma: float,
        class_weight: tuple[Tensor, Tensor] | None = None,
        most: list[int] | None = None,
    ) -> None:
        n_recorded = 2 * len(tasks.scales) + 1
        super().__init__(tasks, class_weight=class_weight, n_recorded=n_recorded)
        self.aggregation = aggregation
        self.chunk = chunk
        self.temperature = temperature
        self.weighting = weighting
        self.gamma = gamma
        self.most = most
        self.past: list[Tensor] = []  # mean task losses of the last two epochs

    def task_weights(self, losses: Tensor) -> Tensor:
        """Return the weight of every task (K,), summing to 1, without gradient."""
        if self.weighting == "adaptive":
            return adaptive_weights(losses, self.gamma)
        if self.weighting == "dwa" and len(self.past) == 2:
            return dwa_weights(self.past[1], self.past[0]) / len(losses)
        return torch.full_like(losses, 1 / len(losses)).detach()

    def aggregated(self, output: Output, Y: Tensor, weight: Tensor | None) -> Tensor:
        """Return the losses of class means (K - 1,) for all levels but the deepest."""
        losses = []
        for classes, scale in zip(self.tasks.classes, self.tasks.scales, strict=True):
            member = torch.nan_to_num(Y[:, classes])
            if weight is not None:
                w = weight if weight.shape[1] == 1 else weight[:, classes]
                member = member * w
            most = None if self.most is None else self.most[len(losses)]
            means, label = class_means(output.features, member, self.chunk, most)
            scores = prototype_logits(
                means, output.prototypes[classes], self.temperature
            )
            # a sum over max(count, 1): no class present is a loss of 0, never NaN
            ones = None if self.ones_weight is None else self.ones_weight[classes]
            loss = nn.functional.cross_entropy(scores, label, ones, reduction="sum")
            losses.append(loss / (label >= 0).sum().clamp_min(1) / scale)
            if len(losses) == len(self.tasks.scales) - 1:
                break
        return torch.stack(losses)

    def forward(
        self,
        output: Output | Tensor,
        Y: Tensor,
        weight: Tensor | None,
        *sample: LabelSample,
    ) -> Tensor:
        """Return the loss of one batch, a scalar; by a sample of labels, or all.

        Class means are of all labels.
        """
        logits = output.logits if isinstance(output, Output) else output
        weight = self.weigh(Y, weight, *sample)
        losses = self.tasks(logits, Y, weight, *sample)
        if self.aggregation and isinstance(output, Output) and len(losses) > 1:
            means = self.aggregated(output, Y, weight)
            coarse = (1 - self.aggregation) * losses[:-1] + self.aggregation * means
            losses = torch.cat([coarse, losses[-1:]])
        weights = self.task_weights(losses)
        total = (weights * self.tasks.shares * losses).sum()
        self.record(torch.cat([losses, weights, total[None]]))
        return total

    def take_over(self, former: HCALCriterion) -> None:
        """Go on from the epochs of a former criterion."""
        self.past = list(former.past)

    def end_epoch(self) -> dict[str, float]:
        """Return the epoch's mean losses and weights, and start the next epoch."""
        means, n_tasks = self.means(), len(self.tasks.scales)
        self.past = [*self.past[-1:], means[:n_tasks]]
        values = means.tolist()
        record = {"train_loss": values[-1]}
        record |= {f"loss_depth_{k}": values[k] for k in range(n_tasks)}
        record |= {f"weight_depth_{k}": values[n_tasks + k] for k in range(n_tasks)}
        return record


class EmbeddingCriterion(LabelCriterion):
    r"""The loss of labels plus that of their embedding, :math:`L_1 + \lambda L_2`.

    :math:`L_1` is the loss of all labels as one task, :math:`L_2` the mean loss of
    pairs of labels, and that of the radii beyond the limit.

    Parameters
    ----------
    tasks : LabelTasks
        One level.
    ranking : nn.Module or None
        Maps the labels' coordinates (L, d) to losses of pairs; None for no
        :math:`L_2`.
    lam : float
        :math:`\lambda`.
    penalty : callable or None
        Maps coordinates (L, d) to (L,), the losses of radii.
    class_weight : pair of Tensor (L,) or None
        Weights of every label's zeros and ones, beside those of the samples.
    """

    def __init__(
        self,
        tasks: LabelTasks,
        ranking: nn.Module | None,
        *,
        lam: float,
        penalty: Callable[[Tensor], Tensor] | None = None,
        class_weight: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__(tasks, class_weight=class_weight, n_recorded=3)
        self.ranking = ranking
        self.lam = lam
        self.penalty = penalty

    def embedding_loss(self, points: Tensor) -> Tensor:
        """Return :math:`L_2` of coordinates (L, d), a scalar, in float64."""
        points = points.double()  # float32 is wrong far from the origin
        losses = self.ranking(points)
        loss = losses.sum() / max(len(losses), 1)
        return loss if self.penalty is None else loss + self.penalty(points).mean()

    def forward(
        self,
        output: EmbeddedOutput | Tensor,
        Y: Tensor,
        weight: Tensor | None,
        *sample: LabelSample,
    ) -> Tensor:
        """Return the loss of one batch, a scalar; by a sample of labels, or all."""
        logits = output.logits if isinstance(output, EmbeddedOutput) else output
        labels = self.tasks(logits, Y, self.weigh(Y, weight, *sample), *sample).sum()
        embedding = torch.zeros_like(labels)
        if self.ranking is not None and isinstance(output, EmbeddedOutput):
            embedding = self.embedding_loss(output.points).to(labels)
        total = labels + self.lam * embedding
        self.record(torch.stack([total, labels, embedding]))
        return total

    def end_epoch(self) -> dict[str, float]:
        """Return the epoch's mean losses, and start the next epoch."""
        names = ("train_loss", "loss_labels", "loss_embedding")
        return dict(zip(names, self.means().tolist(), strict=True))

    def __getstate__(self) -> dict:
        # what ranks the pairs grows with the labels squared, and is made anew
        modules = {k: v for k, v in self._modules.items() if k != "ranking"}
        return {**self.__dict__, "_modules": {**modules, "ranking": None}}

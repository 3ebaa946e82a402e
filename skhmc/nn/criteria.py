r"""Criteria: from a network's output and targets to the loss of a batch.

A *task* is one depth level, or all labels together. :class:`LabelTasks` (from losses of
single labels) and :class:`SetTasks` (from losses of label sets) give one loss per task.
:class:`LabelCriterion` adds them up. :class:`HCALCriterion` mixes in the aggregated
loss of class means and sums the tasks with adaptive weights.
:class:`EmbeddingCriterion` adds the loss of the labels' embedding.

Sample weights have the mean 1 over the training samples, so that sums over a batch are
divided by its size: a batch of heavy samples counts more than one of light ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skhmc.hierarchy import Hierarchy
from skhmc.nn.functional import (
    adaptive_weights,
    class_means,
    dwa_weights,
    level_counts,
    prototype_logits,
)
from skhmc.nn.losses import LabelLoss, find_loss
from skhmc.nn.modules import EmbeddedOutput, Output
from skhmc.nn.shards import add_processes, counted_once, n_rows, whole_batch

__all__ = ["HCALCriterion", "LabelCriterion", "LabelTasks", "SetTasks", "label_tasks"]


# -- tasks -----------------------------------------------------------------------------


class LabelSample(NamedTuple):
    r"""Labels C that stand for all: of a batch, logits and targets are (B, C) then.

    The sum of the labels' losses, times ``importance``, has to have the mean of the sum
    of all labels' losses. With the labels P that are positive in the batch and a
    uniform sample of S others, that is 1 for P and :math:`(L - |P|) / S` else.
    """

    labels: Tensor  # (C,), sorted positions, on the CPU
    importance: Tensor  # (C,)


def _columns(weight: Tensor, classes: Tensor | slice) -> Tensor:
    """Return the weights (B, C) of some classes; one per sample is for all classes."""
    return weight if weight.shape[1] == 1 else weight[:, classes]


class LabelTasks(nn.Module):
    r"""One loss per level from an elementwise loss (B, L).

    .. math::
        L_k = \frac{1}{H_k} \operatorname*{mean}_i \sum_{l \in k} \ell(s_{il}, y_{il})

    with the level's entropy :math:`H_k` (in nats, of the training frequencies): 1 says
    no more than the frequencies, whatever the level's size. ``shares``, which are
    :math:`K H_k / \sum_j H_j`, undo this for equally weighted tasks, so that these add
    up to the plain loss.

    Parameters
    ----------
    loss : callable
        Function of logits and targets (B, L) that returns losses (B, L).
    level_sizes : sequence of int
        Number of labels of every level.
    entropies : Tensor (K,)
        Entropies :math:`H_k` of the levels' labels.
    """

    entropies: Tensor
    shares: Tensor

    def __init__(
        self, loss: LabelLoss, level_sizes: Sequence[int], entropies: Tensor
    ) -> None:
        super().__init__()
        self.loss = loss
        self.level_sizes = list(level_sizes)
        ends = torch.tensor(self.level_sizes).cumsum(0).tolist()
        starts = [0, *ends[:-1]]
        self.classes = [slice(a, b) for a, b in zip(starts, ends, strict=True)]
        # what losses of class means are divided by, to be on the scale of the others
        self.scales = [math.log(max(size, 3)) for size in level_sizes]
        self.register_buffer("entropies", entropies, persistent=False)
        shares = len(level_sizes) * entropies / entropies.sum()
        self.register_buffer("shares", shares, persistent=False)

    def forward(
        self,
        logits: Tensor,
        Y: Tensor,
        weight: Tensor | None,
        sample: LabelSample | None = None,
    ) -> Tensor:
        """Return the level losses (K,); ``weight`` is (B, 1 or L).

        A label is unknown where Y is NaN or the weight 0. Of a sample of labels, the
        mean over samples drawn is what all labels give.
        """
        known = ~torch.isnan(Y)
        if weight is not None:  # of weight 0: the loss of other labels may read it, too
            known = known & (weight > 0)
        # where all is known, a CPU is spared the masks; to tell, it would have to wait
        # for a GPU
        masked = known.device.type != "cpu" or not bool(known.all())
        if masked:
            loss = self._each(logits, torch.where(known, Y, 0)) * known
        else:
            loss = self._each(logits, Y)
        if weight is not None:
            loss = loss * weight
        of_labels = loss.sum(0) / n_rows(Y)
        sizes = self.level_sizes
        if sample is not None:
            of_labels = of_labels * sample.importance
            sizes = level_counts(sample.labels, sizes)
        of_levels = [level.sum() for level in of_labels.split(sizes)]
        return add_processes(torch.stack(of_levels)) / self.entropies

    def _each(self, logits: Tensor, Y: Tensor) -> Tensor:
        """Return the losses (B, L), or raise if a user's loss is of another shape."""
        loss = self.loss(logits, Y)
        if loss.shape != Y.shape:
            raise ValueError(
                f"Expected label_loss to return a loss per sample and label, of shape "
                f"{tuple(Y.shape)} as the logits, got {tuple(loss.shape)}. Do not "
                f"reduce it, as with reduction='none'."
            )
        return loss


class SetTasks(nn.Module):
    """One loss per level from a loss (B,) of the level's labels taken together.

    Parameters
    ----------
    loss : callable
        Function of logits and targets (B, C) of one level that returns losses (B,);
        linear in the targets when there is a ``coverage``.
    classes : sequence of Tensor
        Positions of every level's labels.
    coverage : Tensor (K,) or None
        Share of the training samples that have a label in each level, where a sample
        has at most one; the level's mean is over these. None where samples may have
        several labels.
    """

    coverage: Tensor | None
    shares: Tensor

    def __init__(
        self,
        loss: LabelLoss,
        classes: Sequence[Tensor],
        coverage: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.loss = loss
        self.register_buffer("coverage", coverage, persistent=False)
        self.n_tasks = len(classes)
        for k, positions in enumerate(classes):
            self.register_buffer(f"classes_{k}", positions, persistent=False)
        # losses of sets do not grow with the level's size, or hardly
        self.scales = [1.0] * len(classes)
        self.register_buffer("shares", torch.ones(len(classes)), persistent=False)

    @property
    def classes(self) -> list[Tensor]:
        """Positions of every level's labels."""
        return [self.get_buffer(f"classes_{k}") for k in range(self.n_tasks)]

    def forward(
        self, logits: Tensor, Y: Tensor, weight: Tensor | None, sample: None = None
    ) -> Tensor:
        """Return the level losses (K,); ``weight`` is (B, 1 or L).

        There is no ``sample`` of labels: a set is made of all of them.
        """
        losses = []
        for positions in self.classes:
            w = None if weight is None else _columns(weight, positions)
            each = self._each(logits[:, positions], Y[:, positions], w)
            losses.append(each.sum() / n_rows(Y))
        of_levels = add_processes(torch.stack(losses))
        if self.coverage is None:
            return of_levels
        return of_levels / self.coverage

    def _each(self, scores: Tensor, y: Tensor, w: Tensor | None) -> Tensor:
        """Return the samples' losses (B,) of one level."""
        if w is None:
            return self.loss(scores, y)
        if self.coverage is not None:  # one label, whose weight is then the sample's
            return self.loss(scores, y * w)
        known = torch.where(w > 0, y, torch.nan)
        return self.loss(scores, known) * w.mean(1)


def label_tasks(
    loss: str | LabelLoss,
    hierarchy: Hierarchy,
    level_sizes: Sequence[int],
    frequencies: Tensor,
) -> LabelTasks | SetTasks:
    """Return the tasks of labels of which a sample may have any.

    Parameters
    ----------
    loss : str or callable
        A name in ``LOSSES``, of a loss that is not for single paths; or a function of
        logits and targets (B, L) that returns losses (B, L).
    hierarchy : Hierarchy
        Hierarchy of the labels, in their order.
    level_sizes : sequence of int
        Number of labels of every task; one number makes all labels one task.
    frequencies : Tensor (L,)
        Share of positives of every label in training, between 0 and 1.

    Returns
    -------
    LabelTasks or SetTasks
        Tasks of an elementwise loss, or of a loss of label sets.

    Raises
    ------
    ValueError
        When the loss is a class, or for single paths.
    """
    if isinstance(loss, type):
        raise ValueError(
            f"Expected label_loss to be a function or an instance, got the class "
            f"{loss.__name__}. Call it: {loss.__name__}(reduction='none')."
        )
    row = find_loss(loss)
    if row.single_paths:
        raise ValueError(
            f"label_loss={loss!r} is for samples that have one path of labels each, "
            f"got labels of which a sample may have any. Use SetTasks with the sets of "
            f"labels of which a sample has one, or another loss."
        )
    function = row.of(hierarchy)
    if not row.elementwise:
        positions = torch.arange(len(frequencies))
        return SetTasks(function, positions.split(list(level_sizes)))
    entropies = torch.special.entr(frequencies) + torch.special.entr(1 - frequencies)
    of_levels = [level.sum() for level in entropies.split(list(level_sizes))]
    return LabelTasks(function, level_sizes, torch.stack(of_levels))


# -- criteria --------------------------------------------------------------------------


class LabelCriterion(nn.Module):
    """The sum of the task losses.

    Parameters
    ----------
    tasks : LabelTasks or SetTasks
        One loss per task.
    class_weight : pair of Tensor (L,) or None
        Weights of every label's zeros and ones, beside those of the samples.
    n_recorded : int
        Number of figures that every batch records.
    """

    tasks: LabelTasks | SetTasks
    zeros_weight: Tensor | None
    ones_weight: Tensor | None
    sums: Tensor

    def __init__(
        self,
        tasks: LabelTasks | SetTasks,
        *,
        class_weight: tuple[Tensor, Tensor] | None = None,
        n_recorded: int = 1,
    ) -> None:
        super().__init__()
        self.tasks = tasks
        zeros, ones = class_weight or (None, None)
        self.register_buffer("zeros_weight", zeros, persistent=False)
        self.register_buffer("ones_weight", ones, persistent=False)
        # of the epoch so far: of every figure, and the number of batches. They stay on
        # the device, where no step has to wait for them.
        self.register_buffer("sums", torch.zeros(n_recorded + 1), persistent=False)

    def weigh(
        self, Y: Tensor, weight: Tensor | None, sample: LabelSample | None = None
    ) -> Tensor | None:
        """Return the weights of samples times those of classes."""
        if self.zeros_weight is None or self.ones_weight is None:
            return weight
        zeros = self.zeros_weight
        ones = self.ones_weight
        if sample is not None:
            labels = sample.labels.to(ones.device, non_blocking=True)
            zeros = zeros[labels]
            ones = ones[labels]
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
        self,
        logits: Tensor,
        Y: Tensor,
        weight: Tensor | None,
        sample: LabelSample | None = None,
    ) -> Tensor:
        """Return the loss of one batch, a scalar; by a sample of labels, or all."""
        weight = self.weigh(Y, weight, sample)
        total = self.tasks(logits, Y, weight, sample).sum()
        self.record(total[None])
        return total

    def load_from(self, former: Any) -> None:
        """Continue after the epochs of a former criterion: they leave nothing."""

    def end_epoch(self) -> dict[str, float]:
        """Return the epoch's mean loss, and start the next epoch."""
        return {"train_loss": self.means().item()}


class HCALCriterion(LabelCriterion):
    r"""The weighted sum of the task losses, :math:`\sum_k \lambda_k \, r_k L_k`.

    The :math:`r_k` are the ``shares`` of the tasks, which undo the division of
    :math:`L_k` by the level's entropy. Of every level k but the deepest,

    .. math::
        L_k \leftarrow (1 - a) L_k + a \bar L_k, \qquad
        \bar L_k = \operatorname*{mean}_{c \text{ present}}
            -\log \mathrm{softmax}_k(\bar f_c \cdot \tilde p / \tau)_c,

    where :math:`\bar L_k` is divided by the task's scale, see :class:`LabelTasks`.

    Parameters
    ----------
    tasks : LabelTasks or SetTasks
        Losses of the single samples, one per level, roots first.
    aggregation : float
        Share a of every level's loss, but the deepest's, that is computed on class
        means (the paper: 1).
    chunk : int
        Samples per class mean.
    weighting : {"adaptive", "dwa", "equal"}
        Rule of the task weights :math:`\lambda_k`, which sum to 1.
    gamma : float
        Temperature of the adaptive weights.
    class_weight : pair of Tensor (L,) or None
        Weights of every label's zeros and ones, beside those of the samples.
    max_means : list of int or None
        Upper bound, for every level, of the number of classes present in a chunk; None
        counts them in every chunk. See :func:`~skhmc.nn.class_means`.
    contrast : (nn.Module, float) or None
        A contrastive loss of features (B, d) and labels (B, L), and its weight. It is
        added to the sum.
    """

    def __init__(
        self,
        tasks: LabelTasks | SetTasks,
        *,
        aggregation: float,
        chunk: int,
        weighting: str,
        gamma: float,
        class_weight: tuple[Tensor, Tensor] | None = None,
        max_means: list[int] | None = None,
        contrast: tuple[nn.Module, float] | None = None,
    ) -> None:
        # a loss and a weight of every task, the contrastive loss, and the total
        n_recorded = 2 * len(tasks.scales) + 1 + (contrast is not None)
        super().__init__(tasks, class_weight=class_weight, n_recorded=n_recorded)
        self.aggregation = aggregation
        self.chunk = chunk
        self.weighting = weighting
        self.gamma = gamma
        self.max_means = max_means
        self.contrast = None if contrast is None else contrast[0]
        self.contrast_weight = 0.0 if contrast is None else contrast[1]
        self.past: list[Tensor] = []  # mean task losses of the last two epochs

    def task_weights(self, losses: Tensor) -> Tensor:
        """Return the weight of every task (K,), summing to 1, without gradient."""
        if self.weighting == "adaptive":
            return adaptive_weights(losses, self.gamma)
        if self.weighting == "dwa" and len(self.past) == 2:
            before, last = self.past
            return dwa_weights(last, before) / len(losses)
        return torch.full_like(losses, 1 / len(losses)).detach()

    def aggregated(self, output: Output, Y: Tensor, weight: Tensor | None) -> Tensor:
        """Return the losses of class means (K - 1,) for all levels but the deepest."""
        losses = []
        levels: Sequence[Tensor | slice] = self.tasks.classes
        # means of samples that several processes may have
        features, Y = whole_batch(output.features), whole_batch(Y)
        weight = None if weight is None else whole_batch(weight)
        all_prototypes = counted_once(output.prototypes)
        for k, classes in enumerate(levels[:-1]):
            membership = torch.nan_to_num(Y[:, classes])
            if weight is not None:
                membership = membership * _columns(weight, classes)
            bound = None if self.max_means is None else self.max_means[k]
            means, label = class_means(features, membership, self.chunk, bound)
            prototypes = all_prototypes[classes]
            scores = prototype_logits(means, prototypes, output.temperature)
            ones = None if self.ones_weight is None else self.ones_weight[classes]
            total = nn.functional.cross_entropy(scores, label, ones, reduction="sum")
            # a sum over max(count, 1): no class present is a loss of 0, never NaN
            n_present = (label >= 0).sum().clamp_min(1)
            losses.append(total / n_present / self.tasks.scales[k])
        return torch.stack(losses)

    def forward(
        self,
        output: Output | Tensor,
        Y: Tensor,
        weight: Tensor | None,
        sample: LabelSample | None = None,
    ) -> Tensor:
        """Return the loss of one batch, a scalar; by a sample of labels, or all.

        Class means are of all labels. Of logits alone, which is what there is when
        predicting, there are none.
        """
        logits = output.logits if isinstance(output, Output) else output
        weight = self.weigh(Y, weight, sample)
        losses = self.tasks(logits, Y, weight, sample)
        if self.aggregation and isinstance(output, Output) and len(losses) > 1:
            means = self.aggregated(output, Y, weight)
            coarse = (1 - self.aggregation) * losses[:-1] + self.aggregation * means
            losses = torch.cat([coarse, losses[-1:]])
        weights = self.task_weights(losses)
        total = (weights * self.tasks.shares * losses).sum()
        recorded = [losses, weights]
        if self.contrast is not None:
            contrast = total.new_zeros(())
            if isinstance(output, Output):
                contrast = self.contrasted(output.features, Y, weight)
            total = total + self.contrast_weight * contrast
            recorded.append(contrast[None])
        self.record(torch.cat([*recorded, total[None]]))
        return total

    def contrasted(self, features: Tensor, Y: Tensor, weight: Tensor | None) -> Tensor:
        """Return the contrastive loss of a batch, a scalar.

        A label of weight 0 is as good as unknown; other weights do not matter.
        """
        assert self.contrast is not None
        if weight is not None:
            Y = Y.masked_fill(weight == 0, torch.nan)
        # pairs of samples that several processes may have
        return self.contrast(whole_batch(features), whole_batch(Y))

    def load_from(self, former: Any) -> None:
        """Continue after the epochs of a former criterion.

        Levels that it had not count as if their losses were 1 so far: those of labels
        of which nothing is known but how often they occur.
        """
        n_new = len(self.tasks.scales) - len(former.tasks.scales)
        self.past = [nn.functional.pad(x, (0, n_new), value=1.0) for x in former.past]

    def get_extra_state(self) -> dict:
        """Return what ``state_dict`` has beside weights: the losses of past epochs."""
        return {"past": self.past}

    def set_extra_state(self, state: dict) -> None:
        """Continue after the epochs that another one's state tells of."""
        self.past = list(state["past"])

    def end_epoch(self) -> dict[str, float]:
        """Return the epoch's mean losses and weights, and start the next epoch."""
        n_tasks = len(self.tasks.scales)
        means = self.means()
        self.past = [*self.past[-1:], means[:n_tasks]]
        values = means.tolist()
        record = {"train_loss": values[-1]}
        record |= {f"loss_depth_{k}": values[k] for k in range(n_tasks)}
        record |= {f"weight_depth_{k}": values[n_tasks + k] for k in range(n_tasks)}
        if self.contrast is not None:
            record["loss_contrast"] = values[-2]
        return record


class EmbeddingCriterion(LabelCriterion):
    r"""The loss of labels plus that of their embedding, :math:`L_1 + \lambda L_2`.

    :math:`L_1` is the loss of all labels as one task, :math:`L_2` the mean loss of
    pairs of labels, and that of the radii beyond the limit.

    Parameters
    ----------
    tasks : LabelTasks
        All labels as one level.
    ranking : nn.Module or None
        Function of the labels' coordinates (L, d) that returns losses of pairs; None
        for no :math:`L_2`.
    embedding_weight : float
        Weight :math:`\lambda` of the losses of pairs.
    penalty : callable or None
        Function of coordinates (L, d) that returns the losses of radii (L,).
    class_weight : pair of Tensor (L,) or None
        Weights of every label's zeros and ones, beside those of the samples.
    """

    def __init__(
        self,
        tasks: LabelTasks,
        ranking: nn.Module | None,
        *,
        embedding_weight: float,
        penalty: Callable[[Tensor], Tensor] | None = None,
        class_weight: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__(tasks, class_weight=class_weight, n_recorded=3)
        self.ranking = ranking
        self.embedding_weight = embedding_weight
        self.penalty = penalty

    def embedding_loss(self, points: Tensor) -> Tensor:
        """Return :math:`L_2` of coordinates (L, d), a scalar, in float64."""
        points = points.double()  # float32 is wrong far from the origin
        losses = points.new_zeros(0)
        if self.ranking is not None:
            losses = self.ranking(points)
        loss = losses.sum() / max(len(losses), 1)
        if self.penalty is None:
            return loss
        return loss + self.penalty(points).mean()

    def forward(
        self,
        output: EmbeddedOutput | Tensor,
        Y: Tensor,
        weight: Tensor | None,
        sample: LabelSample | None = None,
    ) -> Tensor:
        """Return the loss of one batch, a scalar; by a sample of labels, or all."""
        logits = output.logits if isinstance(output, EmbeddedOutput) else output
        weight = self.weigh(Y, weight, sample)
        label_loss = self.tasks(logits, Y, weight, sample).sum()
        embedding_loss = torch.zeros_like(label_loss)
        if self.ranking is not None and isinstance(output, EmbeddedOutput):
            points = counted_once(output.points)
            embedding_loss = self.embedding_loss(points).to(label_loss)
        total = label_loss + self.embedding_weight * embedding_loss
        self.record(torch.stack([total, label_loss, embedding_loss]))
        return total

    def end_epoch(self) -> dict[str, float]:
        """Return the epoch's mean losses, and start the next epoch."""
        names = ("train_loss", "loss_labels", "loss_embedding")
        return dict(zip(names, self.means().tolist(), strict=True))

    def __getstate__(self) -> dict:
        # the ranked pairs grow with the labels squared, and are built anew in every fit
        modules = {k: v for k, v in self._modules.items() if k != "ranking"}
        return {**self.__dict__, "_modules": {**modules, "ranking": None}}

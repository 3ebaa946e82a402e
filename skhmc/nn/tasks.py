"""Tasks: what turns logits and targets of a batch into one loss per task.

A *task* is one depth level, or all levels together. :class:`LabelTasks` adds losses of
single labels, :class:`SetTasks` has losses of label sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from skhmc.hierarchy import Hierarchy
from skhmc.nn.coherence import MaxConstraint
from skhmc.nn.functional import level_counts
from skhmc.nn.losses import MCLoss, asl, bce, zlpr

__all__ = ["LabelSample", "LabelTasks", "SetTasks", "label_tasks"]

LabelLoss = Callable[[Tensor, Tensor], Tensor]


class LabelSample(NamedTuple):
    r"""Labels C that stand for all: of a batch, logits and targets are (B, C) then.

    The sum of the labels' losses, times ``importance``, has to have the mean of the sum
    of all labels' losses. With the labels P that are positive in the batch and a
    uniform sample of S others, that is 1 for P and :math:`(L - |P|) / S` else.
    """

    labels: Tensor  # (C,), sorted positions, on the CPU
    importance: Tensor  # (C,)


class LabelTasks(nn.Module):
    r"""One loss per level from an elementwise loss (B, L).

    A level's loss is the sum over its labels, averaged over samples and divided by the
    level's entropy :math:`H_k` (in nats, of the training frequencies): 1 says no more
    than the frequencies, whatever the level's size. ``shares`` :math:`\propto H_k`
    undo this for equally weighted tasks, so that these add up to the plain loss.
    """

    def __init__(
        self, loss: LabelLoss, level_sizes: Sequence[int], entropies: Tensor
    ) -> None:
        super().__init__()
        self.loss = loss
        self.level_sizes = list(level_sizes)
        ends = torch.tensor(self.level_sizes).cumsum(0).tolist()
        starts = [0, *ends[:-1]]
        self.classes = [slice(a, b) for a, b in zip(starts, ends, strict=True)]
        self.scales = [math.log(max(size, 3)) for size in level_sizes]  # class means
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
        if weight is not None:  # losses may look at other labels, too
            known = known & (weight > 0)
        # a GPU would have to be waited for to tell
        masked = known.device.type != "cpu" or not bool(known.all())
        loss = self.loss(logits, torch.where(known, Y, 0) if masked else Y)
        if loss.shape != Y.shape:
            raise ValueError(
                f"Expected label_loss to return a loss per sample and label, of shape "
                f"{tuple(Y.shape)} as the logits, got {tuple(loss.shape)}. Do not "
                f"reduce it, as with reduction='none'."
            )
        loss = loss * known if masked else loss
        loss = loss if weight is None else loss * weight
        losses, sizes = loss.sum(0) / len(Y), self.level_sizes
        if sample is not None:
            losses = losses * sample.importance
            sizes = level_counts(sample.labels, sizes)
        levels = losses.split(sizes)
        return torch.stack([level.sum() for level in levels]) / self.entropies


class SetTasks(nn.Module):
    """One loss per level from a loss (B,) of the level's labels taken together.

    Parameters
    ----------
    loss : callable
        Maps logits and targets of one level, (B, C), to (B,); linear in the targets
        when there is a ``coverage``.
    classes : sequence of Tensor
        Positions of every level's labels.
    coverage : Tensor (K,) or None
        Share of the training samples that have a label in each level, where a sample
        has at most one; the level's mean is over these. None where samples may have
        several labels.
    """

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
        self.scales = [1.0] * len(classes)
        self.register_buffer("shares", torch.ones(len(classes)), persistent=False)

    @property
    def classes(self) -> list[Tensor]:
        """Positions of every level's labels."""
        return [self.get_buffer(f"classes_{k}") for k in range(self.n_tasks)]

    def forward(self, logits: Tensor, Y: Tensor, weight: Tensor | None) -> Tensor:
        """Return the level losses (K,); ``weight`` is (B, 1 or L)."""
        losses = []
        for positions in self.classes:
            scores, y = logits[:, positions], Y[:, positions]
            if weight is None:
                loss = self.loss(scores, y)
            else:
                w = weight if weight.shape[1] == 1 else weight[:, positions]
                several = self.coverage is None
                y = torch.where(w > 0, y, torch.nan) if several else y * w
                loss = self.loss(scores, y)
                loss = loss * w.mean(1) if several else loss
            losses.append(loss.sum() / len(Y))
        losses = torch.stack(losses)
        return losses if self.coverage is None else losses / self.coverage


def label_tasks(
    loss: str | LabelLoss,
    hierarchy: Hierarchy,
    level_sizes: Sequence[int],
    frequencies: Tensor,
) -> LabelTasks | SetTasks:
    """Return the tasks of labels of which a sample may have any.

    Parameters
    ----------
    loss : {"bce", "mcloss", "asl", "zlpr"} or callable
    hierarchy : Hierarchy
        Of the labels, in their order.
    level_sizes : sequence of int
        Number of labels of every task; one number makes all labels one task.
    frequencies : Tensor (L,)
        Share of positives of every label in training, between 0 and 1.
    """
    if isinstance(loss, type):
        raise ValueError(
            f"Expected label_loss to be a function or an instance, got the class "
            f"{loss.__name__}. Call it: {loss.__name__}(reduction='none')."
        )
    if loss == "zlpr":
        return SetTasks(zlpr, torch.arange(len(frequencies)).split(list(level_sizes)))
    if loss == "mcloss":
        loss = MCLoss(MaxConstraint(hierarchy))
    loss = {"bce": bce, "asl": asl}.get(loss, loss)
    entropies = torch.special.entr(frequencies) + torch.special.entr(1 - frequencies)
    levels = [level.sum() for level in entropies.split(list(level_sizes))]
    return LabelTasks(loss, level_sizes, torch.stack(levels))

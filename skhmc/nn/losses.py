r"""Losses of label scores, in logits, unreduced.

Elementwise losses map logits and targets (B, L) to (B, L); set losses map the labels of
one level to (B,). Reduction and weights are left to the criterion. So are unknown
labels (NaN) of elementwise losses, which get 0 for them and whose result is left out;
set losses leave them out themselves.

``LOSSES`` has one row per loss that can be chosen by name, with what the loss needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skhmc.coherence import TableNames
from skhmc.hierarchy import Hierarchy
from skhmc.nn.coherence import MaxConstraint

__all__ = ["LOSSES", "Loss", "MCLoss", "asl", "bce", "softmax_loss", "zlpr"]

LabelLoss = Callable[[Tensor, Tensor], Tensor]


def bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy; stable through log-sigmoid, never sigmoid then log.

    Examples
    --------
    >>> bce(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    tensor([[0.6931, 0.6931]])
    """
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def asl(
    logits: Tensor,
    targets: Tensor,
    gamma_neg: float = 4.0,
    gamma_pos: float = 1.0,
    margin: float = 0.05,
) -> Tensor:
    r"""Asymmetric loss: easy negatives count less, very easy ones not at all.

    :math:`-y (1-p)^{\gamma_+} \log p - (1-y)\, p_m^{\gamma_-} \log(1 - p_m)` with
    :math:`p_m = \max(p - m, 0)`. The focusing weights carry no gradient. Stable: log p
    is a log-sigmoid, and :math:`1 - p_m \ge m` keeps the other logarithm finite.

    References
    ----------
    Ridnik et al., "Asymmetric Loss For Multi-Label Classification", ICCV 2021.

    Examples
    --------
    >>> asl(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    tensor([[0.3466, 0.0245]])
    """
    p = torch.sigmoid(logits)
    shifted = (p - margin).clamp_min(0)
    positive = (1 - p).detach() ** gamma_pos * F.logsigmoid(logits)
    negative = shifted.detach() ** gamma_neg * torch.log1p(-shifted)
    return -(targets * positive + (1 - targets) * negative)


class MCLoss(nn.Module):
    r"""Binary cross-entropy of max-constrained scores.

    A negative label is scored by the highest of all its descendants, a positive one by
    the highest of its *positive* descendants (itself included): the others are put to
    :math:`-\infty`, which is exact for logits of either sign.

    Parameters
    ----------
    constraint : MaxConstraint
        Max constraint of the hierarchy whose labels are the columns of the logits.

    References
    ----------
    Giunchiglia and Lukasiewicz, "Coherent Hierarchical Multi-Label Classification
    Networks", NeurIPS 2020.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.nn.coherence import MaxConstraint
    >>> loss = MCLoss(MaxConstraint(Hierarchy.from_edges([(0, 1)])))
    >>> loss(torch.tensor([[-1.0, 2.0]]), torch.zeros(1, 2))  # both scored 2
    tensor([[2.1269, 2.1269]])
    """

    def __init__(self, constraint: nn.Module) -> None:
        super().__init__()
        self.constraint = constraint

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the losses (B, L) of logits and targets (B, L)."""
        positive = targets > 0
        both = torch.cat([logits.masked_fill(~positive, -torch.inf), logits])
        among_positive, among_all = self.constraint(both).chunk(2)  # in one sweep
        scores = torch.where(positive, among_positive, among_all)
        return bce(scores, targets)


def zlpr(logits: Tensor, targets: Tensor) -> Tensor:
    r"""Zero-bounded log-sum-exp pairwise rank loss of one set of labels.

    :math:`\log(1 + \sum_{neg} e^{s}) + \log(1 + \sum_{pos} e^{-s})`; decides at 0.
    Stable as a log-sum-exp with a zero appended. NaN targets are in neither sum.

    References
    ----------
    Su et al., "ZLPR: A Novel Loss for Multi-label Classification", 2022.

    Examples
    --------
    >>> zlpr(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))  # 2 log 2
    tensor([1.3863])
    """
    zero = logits.new_zeros(len(logits), 1)
    negative = logits.masked_fill(targets != 0, -torch.inf)
    positive = (-logits).masked_fill(targets != 1, -torch.inf)
    of_negatives = torch.logsumexp(torch.cat([zero, negative], 1), 1)
    of_positives = torch.logsumexp(torch.cat([zero, positive], 1), 1)
    return of_negatives + of_positives


def softmax_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of one set of exclusive labels.

    Rows without a positive label count 0: their path ended above this level.

    Examples
    --------
    >>> softmax_loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    tensor([0.6931])
    """
    log_p = torch.log_softmax(logits, dim=1)
    return -(targets * log_p).sum(dim=1)


@dataclass(frozen=True)
class Loss:
    """A label loss and what it needs.

    Parameters
    ----------
    function : callable
        The loss of logits and targets; with ``needs_hierarchy`` a function of the
        Hierarchy that returns it.
    elementwise : bool, default=True
        Whether the loss is one per label, (B, L) to (B, L), which needs no thought of
        unknown labels. Else it is one of all labels of a level together, (B, C) to
        (B,), and has to leave targets that are NaN out itself.
    needs_all_labels : bool, default=True
        Whether a label's loss depends on other labels, or on which column it is: a
        loss that does cannot be computed from a sample of the labels.
    needs_hierarchy : bool, default=False
        Whether ``function`` has to be given the hierarchy first.
    single_paths : bool, default=False
        Whether every sample has to have one path of labels. The loss is one of a set
        then, and linear in the targets.

    Raises
    ------
    ValueError
        When a loss of sets is said to need no other labels, or one of single paths to
        be elementwise.

    Examples
    --------
    >>> LOSSES["zlpr"].elementwise, LOSSES["zlpr"].needs_all_labels
    (False, True)
    """

    function: Callable
    elementwise: bool = True
    needs_all_labels: bool = True
    needs_hierarchy: bool = False
    single_paths: bool = False

    def __post_init__(self) -> None:
        if not self.elementwise and not self.needs_all_labels:
            raise ValueError(
                "A loss of a set of labels needs all of them, got elementwise=False "
                "and needs_all_labels=False. Leave needs_all_labels=True."
            )
        if self.single_paths and self.elementwise:
            raise ValueError(
                "A loss of single paths is one of the set of a level's labels, got "
                "single_paths=True and elementwise=True. Use elementwise=False."
            )

    def of(self, hierarchy: Hierarchy) -> LabelLoss:
        """Return the loss as a function of logits and targets of a hierarchy."""
        return self.function(hierarchy) if self.needs_hierarchy else self.function


def _mcloss(hierarchy: Hierarchy) -> MCLoss:
    return MCLoss(MaxConstraint(hierarchy))


LOSSES = {
    "bce": Loss(bce, needs_all_labels=False),
    "mcloss": Loss(_mcloss, needs_hierarchy=True),
    "asl": Loss(asl, needs_all_labels=False),
    "zlpr": Loss(zlpr, elementwise=False),
    "softmax": Loss(softmax_loss, elementwise=False, single_paths=True),
}


def find_loss(loss: str | LabelLoss) -> Loss:
    """Return the row of a loss given by name; a callable is taken to need all labels.

    Examples
    --------
    >>> find_loss("asl").needs_all_labels, find_loss(asl).needs_all_labels
    (False, True)
    """
    if callable(loss):
        return Loss(loss)
    return LOSSES[loss]


class LossNames(TableNames):
    """Names of losses that the table has, whenever they are asked for.

    Parameters
    ----------
    *others : str
        Names that are allowed beside those of losses.
    paths : bool, default=False
        Whether losses count that need single paths.

    Examples
    --------
    >>> "softmax" in LossNames(), "softmax" in LossNames("auto", paths=True)
    (False, True)
    """

    def __init__(self, *others: str, paths: bool = False) -> None:
        def without(loss: Loss) -> bool:
            return loss.single_paths and not paths

        super().__init__(LOSSES, *others, without=without)

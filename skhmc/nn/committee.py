"""Networks that are trained side by side, and scored by their mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skhmc.nn.layers import MLPEncoder

__all__ = ["Committee", "CommitteeCriterion"]


class Committee(nn.Module):
    """Networks of one form, whose logits are averaged.

    In training, every member answers for itself.

    Parameters
    ----------
    members : sequence of nn.Module
        Networks of :mod:`skhmc.nn.modules`.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def n_labels(self) -> int:
        return self.members[0].n_labels

    @property
    def takes_sparse(self) -> bool:
        return self.members[0].takes_sparse

    @property
    def row_gradients(self) -> bool:
        return self.members[0].row_gradients

    @row_gradients.setter
    def row_gradients(self, value: bool) -> None:
        for member in self.members:
            member.row_gradients = value

    @property
    def all_alike(self) -> bool:
        """Whether all members have the same weights."""
        first, *others = (list(member.parameters()) for member in self.members)
        return all(all(map(torch.equal, first, weights)) for weights in others)

    def forward(self, X: Tensor, labels: Tensor | None = None) -> tuple | Tensor:
        """Return what every member returns, in training; else the mean logits (B, L).

        Or those of ``labels``, sorted positions on the CPU, alone.
        """
        if self.training:
            return tuple(member(self._own(X), labels) for member in self.members)
        total = self.members[0](self._own(X), labels)
        for member in self.members[1:]:
            total += member(self._own(X), labels)  # in place, as scores are
        return total.div_(len(self.members))

    def _own(self, X: Tensor) -> Tensor:
        """Return a batch that a member may write into; a perceptron never does."""
        return X if isinstance(self.members[0].encoder, MLPEncoder) else X.clone()

    def take_over(self, former: Committee) -> None:
        """Start from the weights of a former committee of as many members."""
        for member, before in zip(self.members, former.members, strict=True):
            member.take_over(before)


class CommitteeCriterion(nn.Module):
    """The sum of the members' losses, each by a criterion of its own.

    A sum, so that every member has the gradients that it would have alone.

    Parameters
    ----------
    members : sequence of nn.Module
        Criteria of :mod:`skhmc.nn.criteria`.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, outputs: tuple | Tensor, *targets: Tensor) -> Tensor:
        """Return the loss of one batch, a scalar; mean logits count as everyone's."""
        if isinstance(outputs, Tensor):
            outputs = (outputs,) * len(self.members)
        pairs = zip(self.members, outputs, strict=True)
        return torch.stack([member(output, *targets) for member, output in pairs]).sum()

    def take_over(self, former: CommitteeCriterion) -> None:
        """Go on from the epochs of a former criterion."""
        for member, before in zip(self.members, former.members, strict=True):
            member.take_over(before)

    def end_epoch(self) -> dict[str, float]:
        """Return the means of the members' figures, and start the next epoch."""
        records = [member.end_epoch() for member in self.members]
        return {
            name: sum(record[name] for record in records) / len(records)
            for name in records[0]
        }

"""Ensembles: networks that are trained side by side, and scored by their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skhmc.nn.growth import Growth
from skhmc.nn.modules import MLPEncoder

__all__: list[str] = []


class Ensemble(nn.Module):
    """Networks with the same parts, whose logits are averaged.

    In training every member returns its own output, for its own criterion.

    Parameters
    ----------
    members : sequence of nn.Module
        Networks of :mod:`skhmc.nn.modules`.
    """

    members: Any  # an nn.ModuleList, which does not say what it holds

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
    def has_path(self) -> bool:
        return self.members[0].has_path

    @property
    def input_scale(self) -> float:
        return self.members[0].input_scale

    @property
    def row_gradients(self) -> bool:
        return self.members[0].row_gradients

    @property
    def all_alike(self) -> bool:
        """Whether all members have the same weights."""
        first, *others = (list(member.parameters()) for member in self.members)
        return all(all(map(torch.equal, first, weights)) for weights in others)

    def forward(self, X: Tensor, labels: Tensor | None = None) -> tuple | Tensor:
        """Return all members' outputs in training, else the mean logits (B, L).

        Parameters
        ----------
        X : Tensor (B, ...)
        labels : Tensor (C,) or None
            Sorted positions, on the CPU, of the labels to score; None for all.
        """
        if self.training:
            return tuple(member(self._batch(X), labels) for member in self.members)
        total = self.members[0](self._batch(X), labels)
        for member in self.members[1:]:
            # in place, as a network's biases are added: a new tensor costs more
            total += member(self._batch(X), labels)
        return total.div_(len(self.members))

    def _batch(self, X: Tensor) -> Tensor:
        """Return a batch for one member: a copy, unless its encoder leaves X as it is.

        A user's encoder may write into its input.
        """
        if isinstance(self.members[0].encoder, MLPEncoder):
            return X
        return X.clone()

    def freeze(self) -> None:
        """Keep what predictions need of the weights for good."""
        for member in self.members:
            member.freeze()

    def label_tables(self) -> dict[str, list[str]]:
        """Return the weights that have a row per label: names of tables and parts."""
        return {
            f"members.{number}.{table}": [f"members.{number}.{part}" for part in parts]
            for number, member in enumerate(self.members)
            for table, parts in member.label_tables().items()
        }

    def label_columns(self) -> set[str]:
        """Return which of these have the labels along the columns."""
        return {
            f"members.{number}.{part}"
            for number, member in enumerate(self.members)
            for part in member.label_columns()
        }

    def load_from(self, former: Ensemble, growth: Growth | None = None) -> None:
        """Load the weights of a former ensemble of as many members."""
        for member, before in zip(self.members, former.members, strict=True):
            member.load_from(before, growth)


class EnsembleCriterion(nn.Module):
    """The sum of the members' losses, each by its own criterion.

    With a sum, every member has the gradients that it would have if trained alone.

    Parameters
    ----------
    members : sequence of nn.Module
        Criteria of :mod:`skhmc.nn.criteria`.
    """

    members: Any  # an nn.ModuleList, which does not say what it holds

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, outputs: tuple | Tensor, *targets: Tensor) -> Tensor:
        """Return the loss of one batch, a scalar.

        Parameters
        ----------
        outputs : tuple or Tensor (B, L)
            The members' outputs; or the ensemble's mean logits, which every criterion
            is then given.
        *targets : Tensor
            What the members' criteria take beside an output.
        """
        if isinstance(outputs, Tensor):
            outputs = (outputs,) * len(self.members)
        pairs = zip(self.members, outputs, strict=True)
        return torch.stack([member(output, *targets) for member, output in pairs]).sum()

    def load_from(self, former: EnsembleCriterion) -> None:
        """Continue after the epochs of a former criterion."""
        for member, before in zip(self.members, former.members, strict=True):
            member.load_from(before)

    def end_epoch(self) -> dict[str, float]:
        """Return the means of what the members recorded, and start the next epoch."""
        records = [member.end_epoch() for member in self.members]
        return {
            name: sum(record[name] for record in records) / len(records)
            for name in records[0]
        }

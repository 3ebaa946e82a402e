"""Rules that make scores coherent, as modules: for graphs, and for any device.

They compute what :mod:`skhmc.coherence` does with arrays, and work on values
(n_labels, B), as the functions of the table of rules there do. They write nothing in
place and read nothing back, so that they can be traced and exported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from skhmc._utils.levels import PlanStep
from skhmc.hierarchy import Hierarchy

__all__: list[str] = []

SMALL_STEP = 2**14  # positions in a step; steps of one level are joined up to there


def positions(array: ArrayLike) -> Tensor:
    """Return positions as a tensor that may index others: a copy, also of int32."""
    return torch.from_numpy(np.array(array, dtype=np.int64))


def joined(plan: Iterable[PlanStep], depth: np.ndarray) -> Iterator[PlanStep]:
    """Yield the steps of a plan, those of one level as one where that is small.

    Sources are padded as in every step. Graphs take as long to write as they have
    steps, and small steps take the same time whatever their width.
    """
    for _, level in groupby(plan, lambda step: depth[step.targets[0]]):
        steps = list(level)
        targets = np.concatenate([step.targets for step in steps])
        width = max(step.sources.shape[1] for step in steps)
        if len(targets) * width > SMALL_STEP:
            yield from steps
            continue
        padded = [
            np.pad(sources, [(0, 0), (0, width - sources.shape[1])], mode="edge")
            for _, sources in steps
        ]
        yield PlanStep(targets, np.concatenate(padded))


class _Plan(nn.Module):
    """Steps of labels that are updated together, and of what each is updated from."""

    def __init__(self, plan: Iterable[PlanStep], depth: np.ndarray) -> None:
        super().__init__()
        self.n_steps = 0
        for targets, sources in joined(plan, depth):
            for name, array in (("targets", targets), ("sources", sources)):
                name = f"{name}_{self.n_steps}"
                self.register_buffer(name, positions(array), persistent=False)
            self.n_steps += 1

    def steps(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the targets (n,) and the sources (n, fan) of every step."""
        for k in range(self.n_steps):
            yield self.get_buffer(f"targets_{k}"), self.get_buffer(f"sources_{k}")


class _Raise(_Plan):
    """Raise every label to its highest descendant."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        super().__init__(hierarchy.upward_plan, hierarchy.depth)

    def forward(self, values: Tensor) -> Tensor:
        for targets, sources in self.steps():
            best = values[sources].amax(1)
            raised = torch.maximum(values.index_select(0, targets), best)
            values = values.index_copy(0, targets, raised)
        return values


class _Lower(_Plan):
    """Lower every label to its lowest ancestor."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        super().__init__(hierarchy.downward_plan, hierarchy.depth)

    def forward(self, values: Tensor) -> Tensor:
        for targets, sources in self.steps():
            least = values[sources].amin(1)
            lowered = torch.minimum(values.index_select(0, targets), least)
            values = values.index_copy(0, targets, lowered)
        return values


class _Average(nn.Module):
    """Return the mean of what the two others return."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        super().__init__()
        self.higher = _Raise(hierarchy)
        self.lower = _Lower(hierarchy)

    def forward(self, values: Tensor) -> Tensor:
        return (self.higher(values) + self.lower(values)) / 2


class _Product(_Plan):
    """Multiply the conditional probabilities in the scores, from the roots down."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        super().__init__(hierarchy.downward_plan, hierarchy.depth)

    def forward(self, values: Tensor) -> Tensor:
        result = values
        for targets, sources in self.steps():
            child = values.index_select(0, targets)[:, None]
            parent = result[sources]
            most = torch.maximum(values[sources], child)
            positive = most > 0
            share = parent / torch.where(positive, most, torch.ones_like(most))
            share = torch.where(positive, share, torch.zeros_like(share))
            lowered = torch.minimum(share * child, parent).amin(1)
            result = result.index_copy(0, targets, lowered)
        return result


# by their names in skhmc.coherence.RULES; sums over paths break edges by rounding only
RULE_MODULES = {
    "max": _Raise,
    "min": _Lower,
    "average": _Average,
    "product": _Product,
    "path": _Raise,
}

"""The max constraint on tensors, with an exact backward, level by level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skhmc.hierarchy import Hierarchy

__all__ = ["MaxConstraint"]

MAX = 2  # how torch.embedding_bag calls the maximum
Bags = list[tuple[Tensor, Tensor, Tensor]]


def level_bags(hierarchy: Hierarchy) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield parents, bags and where each bag starts, of one depth after the other.

    The deepest parents come first. A bag holds a parent and its children.
    """
    parent, child = hierarchy.edges.T  # sorted by parent
    depth = hierarchy.depth[parent]
    for level in np.unique(depth)[::-1]:
        here = depth == level
        parents, first = np.unique(parent[here], return_index=True)
        bags = np.insert(child[here], first, parents)
        yield parents, bags, first + np.arange(len(parents))


class _RaiseParents(torch.autograd.Function):
    """Raise every row to the highest of its descendants' rows; (L, B) layout.

    Forward keeps, for every entry of a parent, the row of its bag that won; backward
    passes the entry's gradient to that row, from the roots down. Ties go to the label
    itself, then to the first child, so the gradient is one of the subgradients. Both
    take O(B (L + E)).
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, levels: Bags) -> Tensor:
        values = scores.clone(memory_format=torch.contiguous_format)
        winners = []
        for parents, bags, starts in levels:
            best, _, _, winner = torch.embedding_bag(values, bags, starts, mode=MAX)
            values.index_copy_(0, parents, best)
            winners.append(winner)
        ctx.levels = levels
        ctx.save_for_backward(*winners)
        return values

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        grad = grad.clone(memory_format=torch.contiguous_format)
        steps = zip(reversed(ctx.levels), reversed(ctx.saved_tensors), strict=True)
        for (parents, _, _), winner in steps:
            passed = grad.index_select(0, parents)
            grad.index_fill_(0, parents, 0).scatter_add_(0, winner, passed)
        return grad, None


class MaxConstraint(nn.Module):
    """Raise every label's score to the highest score among its descendants.

    Parameters
    ----------
    hierarchy : Hierarchy
        Hierarchy whose labels are the columns of the scores.

    References
    ----------
    Giunchiglia and Lukasiewicz, "Coherent Hierarchical Multi-Label Classification
    Networks", NeurIPS 2020.

    Examples
    --------
    >>> constraint = MaxConstraint(Hierarchy.from_edges([(0, 1)]))
    >>> constraint(torch.tensor([[-1.0, 2.0]]))
    tensor([[2., 2.]])
    """

    PARTS = ("parents", "bags", "starts")

    def __init__(self, hierarchy: Hierarchy) -> None:
        super().__init__()
        self.n_levels = 0
        for arrays in level_bags(hierarchy):
            for name, array in zip(self.PARTS, arrays, strict=True):
                index = torch.from_numpy(array.astype("int64"))
                self.register_buffer(f"{name}_{self.n_levels}", index, persistent=False)
            self.n_levels += 1

    def _levels(self) -> Bags:
        levels = []
        for k in range(self.n_levels):
            parents, bags, starts = (
                self.get_buffer(f"{name}_{k}") for name in self.PARTS
            )
            levels.append((parents, bags, starts))
        return levels

    def forward(self, scores: Tensor) -> Tensor:
        """Return coherent scores (B, L) from scores (B, L); -inf is allowed."""
        if not self.n_levels:
            return scores
        return _RaiseParents.apply(scores.t(), self._levels()).t()

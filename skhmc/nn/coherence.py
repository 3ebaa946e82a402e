"""The max constraint on tensors, with an exact backward, from the shared level plan."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from skhmc.hierarchy import Hierarchy

__all__ = ["MaxConstraint"]

Steps = list[tuple[Tensor, Tensor]]


class _Sweep(torch.autograd.Function):
    """Raise every row to the highest of its descendants' rows; (L, B) layout.

    Forward keeps, for every entry, the label that won; backward sends the entry's
    gradient to that label. Ties go to the label itself, then to the first source, so
    the gradient is one of the subgradients, and O(B (L + E)) both ways.
    """

    @staticmethod
    def forward(ctx, scores: Tensor, steps: Steps) -> Tensor:
        values = scores.clone(memory_format=torch.contiguous_format)
        labels = torch.arange(len(values), device=values.device)
        winner = labels[:, None].repeat(1, values.shape[1])
        for targets, sources in steps:
            best, slot = values[sources].max(dim=1)
            chosen = winner[sources].gather(1, slot[:, None]).squeeze(1)
            own = values[targets]
            raised = best > own
            values[targets] = torch.where(raised, best, own)
            winner[targets] = torch.where(raised, chosen, winner[targets])
        ctx.save_for_backward(winner)
        return values

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (winner,) = ctx.saved_tensors
        return torch.zeros_like(grad).scatter_add_(0, winner, grad), None


class MaxConstraint(nn.Module):
    """Raise every label's score to the highest score among its descendants.

    Parameters
    ----------
    hierarchy : Hierarchy
        Its labels are the columns of the scores.

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

    def __init__(self, hierarchy: Hierarchy) -> None:
        super().__init__()
        self.n_steps = len(hierarchy.upward_plan)
        for k, step in enumerate(hierarchy.upward_plan):
            for name, positions in zip(("targets", "sources"), step, strict=True):
                index = torch.from_numpy(positions.astype("int64"))
                self.register_buffer(f"{name}_{k}", index, persistent=False)

    def _steps(self) -> Steps:
        return [
            (self.get_buffer(f"targets_{k}"), self.get_buffer(f"sources_{k}"))
            for k in range(self.n_steps)
        ]

    def forward(self, scores: Tensor) -> Tensor:
        """Return coherent scores (B, L) from scores (B, L); -inf is allowed."""
        if not self.n_steps:
            return scores
        return _Sweep.apply(scores.t(), self._steps()).t()

"""Calibration maps of all labels as one module."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import InvalidParameterError
from torch import Tensor, nn

from skhmc._meta.calibration_maps import Identity, Mixture, Sigmoid, Temperature
from skhmc._scoring.outputs import ALMOST_1, TINY

__all__ = ["CalibratedProba"]


def _parts(one: Any, share: float = 1.0) -> list[tuple]:
    """Return what a map is a mixture of: share, slope, intercept and limits of each.

    ``Identity`` is a line, too, but for the limits.
    """
    if isinstance(one, Mixture):
        own = _parts(one.own, share * one.share)
        if one.share == 1:
            return own
        return own + _parts(one.coarser, share * (1 - one.share))
    if isinstance(one, Identity):
        return [(share, 1.0, 0.0, TINY, ALMOST_1)]
    if isinstance(one, Sigmoid):
        line = one.slope, one.intercept
    elif isinstance(one, Temperature):
        line = 1 / one.temperature, 0.0
    else:
        raise InvalidParameterError(
            "A calibration by step lines (method='isotonic') cannot be exported. Fit "
            "with method='sigmoid' or method='temperature'."
        )
    return [(share, *line, one.limits.lowest, one.limits.highest)]


class CalibratedProba(nn.Module):
    """Calibrated probabilities, float64 as those of the calibrated classifier.

    Parameters
    ----------
    maps : sequence of callable
        The map of every column.
    rule : nn.Module or None
        What makes values (n_labels, B) coherent.
    of_classes : bool
        Whether the columns are classes, whose probabilities add up to 1.
    """

    table: Tensor  # (5, n_parts, n_columns)

    def __init__(self, maps: Any, rule: nn.Module | None, of_classes: bool) -> None:
        super().__init__()
        parts = [_parts(one) for one in maps]
        n_parts = max(map(len, parts))
        none = (0.0, 0.0, 0.0, 0.25, 0.75)  # a part that has no share
        filled = [part + [none] * (n_parts - len(part)) for part in parts]
        table = torch.from_numpy(np.array(filled, dtype=np.float64)).permute(2, 1, 0)
        self.register_buffer("table", table.contiguous(), persistent=False)
        self.rule = rule
        self.of_classes = of_classes

    def forward(self, proba: Tensor) -> Tensor:
        proba = proba.double()
        calibrated = torch.zeros_like(proba)
        share, slope, intercept, lowest, highest = self.table
        for k in range(self.table.shape[1]):
            inside = torch.minimum(torch.maximum(proba, lowest[k]), highest[k])
            logit = torch.log(inside) - torch.log1p(-inside)
            line = torch.sigmoid(slope[k] * logit + intercept[k])
            calibrated = calibrated + share[k] * line
        if self.of_classes:
            total = calibrated.sum(1, keepdim=True)
            divisor = torch.where(total > 0, total, torch.ones_like(total))
            return torch.where(total > 0, calibrated / divisor, proba)
        if self.rule is None:
            return calibrated
        return self.rule(calibrated.t()).t().clamp(TINY, ALMOST_1)

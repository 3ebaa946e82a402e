"""From a network's logits to probabilities, as modules: for graphs, for any device.

What is computed is told where it is computed with arrays: by ``ManyPaths``,
``SinglePath`` and ``OneClass``, and by :class:`skhmc.paths.PathSpace`. Logits are
(B, n), in the network's order; probabilities are in the order of Y's columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skhmc.nn.rules import positions

__all__: list[str] = []


class SparseSums(nn.Module):
    """Add columns up: those that a sparse matrix of 0 and 1 has in each of its rows.

    Parameters
    ----------
    pairs : tuple of ndarray of int
        The column of the result, and the column that is added to it, of every 1.
    n_columns : int
        Number of columns of the result.
    """

    target: Tensor
    source: Tensor

    def __init__(self, pairs: tuple, n_columns: int) -> None:
        super().__init__()
        target, source = pairs
        self.n_columns = n_columns
        self.register_buffer("target", positions(target), persistent=False)
        self.register_buffer("source", positions(source), persistent=False)

    def forward(self, columns: Tensor) -> Tensor:
        sums = columns.new_zeros(columns.shape[0], self.n_columns)
        return sums.index_add(1, self.target, columns.index_select(1, self.source))


class _Ordered(nn.Module):
    """A module that puts a network's columns into the order of Y."""

    order: Tensor

    def __init__(self, order: Any) -> None:
        super().__init__()
        self.register_buffer("order", positions(order), persistent=False)

    def to_Y_order(self, logits: Tensor) -> Tensor:
        """Return logits (B, n) in the order of Y's columns."""
        return logits.index_select(1, self.order)


class LabelProba(_Ordered):
    """Probabilities of labels that are scored by sigmoids.

    Parameters
    ----------
    order : ndarray of shape (n_labels,), int
        The network's column of every label.
    rule : nn.Module or None
        What makes values (n_labels, B) coherent.
    """

    def __init__(self, order: Any, rule: nn.Module | None) -> None:
        super().__init__(order)
        self.rule = rule

    def forward(self, logits: Tensor) -> Tensor:
        proba = torch.sigmoid(self.to_Y_order(logits))
        return proba if self.rule is None else self.rule(proba.t()).t()


class OutcomeScores(_Ordered):
    """Log-probabilities of the outcomes of single paths, before they are normalised.

    Parameters
    ----------
    order : ndarray of int
        The network's column of every label of the extended hierarchy.
    frontiers : sequence of ndarray of int
        Every level's exclusive labels, the deepest level last.
    places : sequence of ndarray of int
        For every frontier, where in it each outcome has its label.
    coarse_weight : float
        How much a coarser level counts beside the deepest.
    """

    def __init__(
        self,
        order: Any,
        frontiers: Sequence[Any],
        places: Sequence[Any],
        coarse_weight: float,
    ) -> None:
        super().__init__(order)
        self.n_frontiers = len(frontiers)
        self.coarse_weight = coarse_weight
        for k, pair in enumerate(zip(frontiers, places, strict=True)):
            for name, array in zip(("frontier", "place"), pair, strict=True):
                buffer = positions(array)
                self.register_buffer(f"{name}_{k}", buffer, persistent=False)

    def of_level(self, ordered: Tensor, k: int) -> Tensor:
        """Return the log softmax (B, n) of one frontier, from ordered logits."""
        frontier = self.get_buffer(f"frontier_{k}")
        return torch.log_softmax(ordered.index_select(1, frontier), 1)

    def forward(self, logits: Tensor) -> Tensor:
        ordered = self.to_Y_order(logits)
        *coarser, deepest = (
            self.of_level(ordered, k).index_select(1, self.get_buffer(f"place_{k}"))
            for k in range(self.n_frontiers)
        )
        scores = deepest
        for level in coarser:
            scores = scores + self.coarse_weight * level
        return scores


class PathProba(nn.Module):
    """Probabilities of labels: sums over the paths that they are on.

    Parameters
    ----------
    scores : OutcomeScores
    members : SparseSums
        From outcomes to labels.
    rule : nn.Module
        What makes values (n_labels, B) coherent, which may be by rounding only.
    """

    def __init__(
        self, scores: OutcomeScores, members: SparseSums, rule: nn.Module
    ) -> None:
        super().__init__()
        self.scores = scores
        self.members = members
        self.rule = rule

    def forward(self, logits: Tensor) -> Tensor:
        outcomes = torch.softmax(self.scores(logits), 1)
        return self.rule(self.members(outcomes).clamp(max=1).t()).t()


class LevelProba(nn.Module):
    """Probabilities of labels, each by the softmax of its own level alone.

    Parameters
    ----------
    scores : OutcomeScores
    own : sequence of ndarray of int
        For every frontier, where in it the labels of its level are.
    order : ndarray of shape (n_labels,), int
        Where every label is among those of all levels, one level after the other.
    rule : nn.Module or None
        What makes values (n_labels, B) coherent.
    """

    order: Tensor

    def __init__(
        self,
        scores: OutcomeScores,
        own: Sequence[Any],
        order: Any,
        rule: nn.Module | None,
    ) -> None:
        super().__init__()
        self.scores = scores
        self.rule = rule
        self.register_buffer("order", positions(order), persistent=False)
        for k, array in enumerate(own):
            self.register_buffer(f"own_{k}", positions(array), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        ordered = self.scores.to_Y_order(logits)
        levels = [
            self.scores.of_level(ordered, k).index_select(
                1, self.get_buffer(f"own_{k}")
            )
            for k in range(self.scores.n_frontiers)
        ]
        proba = torch.cat(levels, 1).index_select(1, self.order).exp()
        return proba if self.rule is None else self.rule(proba.t()).t()


class LabelSetScores(_Ordered):
    """Scores of classes: the sums of the logits of the labels that a class has.

    Parameters
    ----------
    order : ndarray of shape (n_labels,), int
        The network's column of every label.
    members : SparseSums
        From labels to classes.
    """

    def __init__(self, order: Any, members: SparseSums) -> None:
        super().__init__(order)
        self.members = members

    def forward(self, logits: Tensor) -> Tensor:
        return self.members(self.to_Y_order(logits))


class ClassProba(nn.Module):
    """Probabilities of classes, of which one is true.

    Parameters
    ----------
    scores : nn.Module
        From logits to scores (B, n).
    columns : ndarray of shape (n_classes,), int
        Where the scores of the classes are.
    """

    columns: Tensor

    def __init__(self, scores: nn.Module, columns: Any) -> None:
        super().__init__()
        self.scores = scores
        self.register_buffer("columns", positions(columns), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        return torch.softmax(self.scores(logits).index_select(1, self.columns), 1)

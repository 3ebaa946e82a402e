"""Sums over samples of what is predicted at thresholds, for the measures of CAFA.

A label is predicted at the thresholds up to its score. The scores of a block of samples
are an array of shape (n_labels, n_samples). A block is counted in one of two ways:
thresholds that are given are few, so that the labels of every sample are counted per
threshold; the scores of the true labels are many, so that the labels of every sample
are sorted, and only changes are summed up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Block",
    "Sums",
    "count_at_scores",
    "count_at_thresholds",
    "threshold_finder",
]

CELLS = 1024  # a power of two: in which cell of [0, 1] a score is, is exact


class Block(NamedTuple):
    """Scores and true labels of some samples.

    Attributes
    ----------
    scores : ndarray of shape (n_labels, n_samples)
        In C order, of fewer than 2**31 cells. A score of 0 is never predicted;
        unknown labels have it.
    hits : tuple of two ndarray (n_hits,)
        Labels and samples of the known true cells.
    weight : ndarray of shape (n_samples,)
        Sample weights.
    value : ndarray of shape (n_labels,) or None
        What a label counts; None is 1.
    """

    scores: np.ndarray
    hits: tuple[np.ndarray, np.ndarray]
    weight: np.ndarray
    value: np.ndarray | None

    @property
    def true(self) -> np.ndarray:
        """What the true labels of every sample count."""
        labels, samples = self.hits
        value = None if self.value is None else self.value[labels]
        return np.bincount(samples, value, minlength=len(self.weight))


class Sums:
    """Weighted sums over samples, at thresholds in ascending order.

    Attributes
    ----------
    precision, recall : ndarray of shape (n_thresholds,)
        Sums of the precision and the recall of every sample.
    covered : ndarray of shape (n_thresholds,)
        Weight of the samples of which something is predicted.
    hit, predicted : ndarray of shape (n_thresholds,)
        What the predicted labels count that are true, and all of them.
    true, weight : float
        What the true labels count, and the weight of all samples.
    """

    def __init__(self, n_thresholds: int) -> None:
        self.precision = np.zeros(n_thresholds)
        self.recall = np.zeros(n_thresholds)
        self.covered = np.zeros(n_thresholds)
        self.hit = np.zeros(n_thresholds)
        self.predicted = np.zeros(n_thresholds)
        self.true = 0.0
        self.weight = 0.0

    def accumulate(self) -> None:
        """Turn what changes at a threshold into what holds there."""
        for name in ("precision", "recall", "covered", "hit", "predicted"):
            setattr(self, name, getattr(self, name)[::-1].cumsum()[::-1])


def threshold_finder(thresholds: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of scores in [0, 1]: how many thresholds are at most a score.

    Where no two thresholds share a cell of [0, 1], a look into a table and one
    comparison tell it. That takes a fifth of a binary search.
    """
    below = np.searchsorted(thresholds, np.arange(CELLS + 1) / CELLS, side="right")
    if np.diff(below).max() > 1 or thresholds[-1] > 1:
        return lambda scores: np.searchsorted(thresholds, scores, side="right")
    following = np.append(thresholds, np.inf)[below]

    def find(scores: np.ndarray) -> np.ndarray:
        cell = (scores * CELLS).astype(np.intp)
        return below[cell] + (scores >= following[cell])

    return find


def count_at_thresholds(
    sums: Sums,
    block: Block,
    find: Callable[[np.ndarray], np.ndarray],
    lowest: float,
) -> None:
    """Add a block to the sums at a few thresholds, the first of which is ``lowest``."""
    true = block.true
    shape = (len(true), len(sums.hit))
    labels, samples = block.hits
    hit_value = None if block.value is None else block.value[labels]
    hit = _counts(samples, find(block.scores[labels, samples]), hit_value, shape)
    # cells by one number, which is taken apart: faster than to find two of them
    cells = np.flatnonzero(block.scores >= lowest)
    label, sample = np.divmod(cells.astype(np.int32), np.int32(len(true)))
    value = None if block.value is None else block.value[label]
    found = find(block.scores.ravel()[cells])
    predicted = _counts(sample, found, value, shape)
    weight = block.weight
    sums.precision += weight @ _ratio(hit, predicted)
    sums.recall += weight @ _ratio(hit, true[:, None])
    sums.covered += weight @ (predicted > 0)
    sums.hit += weight @ hit
    sums.predicted += weight @ predicted
    sums.true += weight @ true
    sums.weight += weight.sum()


def _counts(
    sample: np.ndarray, found: np.ndarray, value: Any, shape: tuple[int, int]
) -> np.ndarray:
    """Return what the cells of every sample count that are at or above thresholds."""
    n_samples, n_thresholds = shape
    width = n_thresholds + 1
    counts = np.bincount(sample * width + found, value, minlength=n_samples * width)
    counts = counts.reshape(n_samples, width)[:, 1:]
    return counts[:, ::-1].cumsum(axis=1)[:, ::-1]


def count_at_scores(sums: Sums, block: Block, thresholds: np.ndarray) -> None:
    """Add what a block changes at many thresholds; :meth:`Sums.accumulate` is last."""
    labels, samples = block.hits
    scores = block.scores.T
    true = block.true
    is_hit = np.zeros(scores.shape, bool)
    is_hit[samples, labels] = True
    order = np.argsort(-scores, axis=1)
    scores = np.take_along_axis(scores, order, axis=1)
    value = np.ones(scores.shape) if block.value is None else block.value[order]
    value[scores <= 0] = 0
    hit = value * np.take_along_axis(is_hit, order, axis=1)
    predicted = value.cumsum(axis=1)
    weight = block.weight[:, None]
    found_so_far = hit.cumsum(axis=1)
    changes = {
        "precision": _steps(_ratio(found_so_far, predicted)),
        "recall": _ratio(hit, true[:, None]),
        "covered": _steps((predicted > 0).astype(np.float64)),
        "hit": hit,
        "predicted": value,
    }
    # a label changes what holds at the greatest threshold that its score reaches
    place = np.searchsorted(thresholds, scores.ravel(), side="right")
    for name, change in changes.items():
        summed = np.bincount(place, (change * weight).ravel(), len(thresholds) + 1)
        getattr(sums, name)[:] += summed[1:]
    sums.true += block.weight @ true
    sums.weight += block.weight.sum()


def _steps(values: np.ndarray) -> np.ndarray:
    return np.diff(values, axis=1, prepend=0.0)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, and 0 where the whole is 0."""
    shape = np.broadcast_shapes(np.shape(part), np.shape(whole))
    return np.divide(part, whole, out=np.zeros(shape), where=whole > 0)

"""The expected calibration error, and the bins that it and pictures are made of."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from skhmc._data.align import align
from skhmc.metrics._inputs import check_scores, kept_labels, metric_weights, truth

__all__ = ["ReliabilityBins", "expected_calibration_error", "reliability_bins"]

AVERAGES = ("level", "micro", "macro", None)
STRATEGIES = ("uniform", "quantile")
SLACK = 1e-5  # float32 sums of probabilities may exceed 1 by this


class ReliabilityBins(NamedTuple):
    """Predicted and true shares of the bins that hold something, from 0 up.

    All are arrays of shape (n_bins_filled,): the mean probability, the share of
    positives, and the weight of the cells.
    """

    proba: np.ndarray
    positive: np.ndarray
    weight: np.ndarray

    def error(self) -> float:
        """Return the expected calibration error; NaN without bins."""
        if not len(self.weight):
            return float("nan")
        gaps = np.abs(self.positive - self.proba)
        return float(np.average(gaps, weights=self.weight))


def expected_calibration_error(
    y_true: Any,
    y_score: Any,
    *,
    hierarchy: Any = None,
    average: str | None = "level",
    n_bins: int = 15,
    strategy: str = "uniform",
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    r"""Expected calibration error, ECE: how far probabilities are from true shares.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample. The columns of DataFrames are matched to the labels by
        name; other columns follow the DataFrame given beside them, else the hierarchy
        (integer labels number them).
    y_score : array-like or DataFrame of shape (n_samples, n_labels)
        Probabilities, from 0 to 1.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat: all labels are one level.
    average : {"level", "micro", "macro"} or None, default="level"
        Cells (pairs of a sample and a label) that are compared together: those of one
        depth ("level"), of all labels ("micro"), or of one label ("macro"). The result
        is the mean of these errors. None returns the errors of all levels as an array,
        roots first.
    n_bins : int, default=15
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width ("uniform"), or of equal mass: as many cells in each
        ("quantile").
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; without hierarchy and DataFrame, positions of
        columns. Leave out an artificial root that every sample holds.
    close : bool, default=True
        Whether to add the ancestors to the true sets first. Probabilities are taken as
        given.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    float or ndarray of shape (n_levels,)
        The error, between 0 (best) and 1. In an array of levels, NaN where all labels
        are excluded or nothing is known.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong: scores that are no
        probabilities, too.

    Warns
    -----
    UndefinedMetricWarning
        When no cell counts, so that the error is NaN.

    See Also
    --------
    skhmc.HierarchicalCalibratedClassifier : Makes the error small.
    skhmc.inspection.ReliabilityDisplay : Draws the bins.

    Notes
    -----
    With W the weight of all cells, :math:`W_b` that of the cells of bin b, and their
    mean probability and share of positives,

    .. math:: ECE = \sum_b \frac{W_b}{W} |\bar y_b - \bar p_b|.

    A bin of equal width includes its upper end, as in scikit-learn's
    ``calibration_curve``. Bins of equal mass never separate equal probabilities, so
    they may hold more or less.

    With more bins the error of few samples is greater, also of perfect probabilities.
    Most labels are rare, and their cells are in the lowest bin: bins of equal mass show
    more of them.

    References
    ----------
    Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using
    Bayesian Binning", AAAI 2015.

    Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML
    2017.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import expected_calibration_error
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true = [[1, 1, 0], [1, 0, 1], [1, 0, 1], [0, 0, 0]]
    >>> y_score = [[0.75, 0.5, 0.5]] * 4
    >>> error = expected_calibration_error(
    ...     y_true, y_score, hierarchy=animals, average=None
    ... )
    >>> error  # 3 in 4 are mammals; of cats and dogs 3 in 8, and not one half
    array([0.   , 0.125])
    """
    if average is not None and average not in AVERAGES:
        raise ValueError(
            f"average must be one of {(*AVERAGES, None)}, got {average!r}."
        )
    hierarchy, y_true, y_score = align(hierarchy, y_true=y_true, y_score=y_score)
    keep = kept_labels(hierarchy, exclude)
    level = np.asarray(hierarchy.depth)
    if average == "micro":
        groups = [np.flatnonzero(keep)]
    elif average == "macro":
        groups = [np.array([k]) for k in np.flatnonzero(keep)]
    else:
        groups = [np.flatnonzero(keep & (level == d)) for d in range(level.max() + 1)]
    bins = reliability_bins(
        y_true,
        y_score,
        hierarchy,
        groups,
        n_bins=n_bins,
        strategy=strategy,
        close=close,
        sample_weight=sample_weight,
    )
    errors = np.array([found.error() for found in bins])
    if np.isnan(errors).all():
        warnings.warn(
            "No cell of y_true is known and has a weight, so the expected calibration "
            "error is undefined: NaN.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
        return errors if average is None else float("nan")
    return errors if average is None else float(np.nanmean(errors))


def reliability_bins(
    y_true: Any,
    y_score: Any,
    hierarchy: Any,
    groups: Iterable[np.ndarray],
    *,
    n_bins: int,
    strategy: str,
    close: bool,
    sample_weight: ArrayLike | None,
) -> list[ReliabilityBins]:
    """Return the bins of the cells of every group of labels.

    Parameters
    ----------
    y_true : ndarray or csr_matrix of shape (n_samples, n_labels)
        Aligned indicators.
    y_score : ndarray of shape (n_samples, n_labels)
        Aligned probabilities.
    hierarchy : Hierarchy
        The labels of the columns.
    groups : iterable of ndarray of int
        Positions of labels.
    n_bins, strategy, close, sample_weight
        As in :func:`expected_calibration_error`.

    Returns
    -------
    list of ReliabilityBins
    """
    _check_options(n_bins, strategy)
    scores = _check_proba(check_scores(y_score), hierarchy)
    hits, unknown = (cells.tocsc() for cells in truth(y_true, hierarchy, close))
    weights = metric_weights(sample_weight, len(scores))
    found = []
    for columns in groups:
        counted = ~unknown[:, columns].toarray() & (weights > 0)[:, None]
        proba = scores[:, columns][counted].astype(np.float64)
        positive = hits[:, columns].toarray()[counted]
        weight = np.broadcast_to(weights[:, None], counted.shape)[counted]
        found.append(_bins(proba, positive, weight, n_bins, strategy))
    return found


def _check_options(n_bins: int, strategy: str) -> None:
    whole = isinstance(n_bins, Integral) and not isinstance(n_bins, bool)
    if not whole or n_bins < 1:
        raise ValueError(f"n_bins must be an integer of at least 1, got {n_bins!r}.")
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {STRATEGIES}, got {strategy!r}.")


def _check_proba(scores: np.ndarray, hierarchy: Any) -> np.ndarray:
    """Return probabilities cut to 0 ... 1, beyond which sums may be rounded."""
    wrong = (scores < -SLACK) | (scores > 1 + SLACK)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"y_score must hold probabilities between 0 and 1, got "
            f"{scores[row, column].item()!r} of label {hierarchy.labels[column]!r}. "
            f"Pass what predict_proba returns, not decision values."
        )
    return scores.clip(0, 1)


def _bins(
    proba: np.ndarray,
    positive: np.ndarray,
    weight: np.ndarray,
    n_bins: int,
    strategy: str,
) -> ReliabilityBins:
    """Return the bins of cells (n_cells,)."""
    if strategy == "uniform":
        edges = np.linspace(0, 1, n_bins + 1)[1:-1]
        place = np.searchsorted(edges, proba)
    else:
        place = _bins_of_one_mass(proba, weight, n_bins)
    mass = np.bincount(place, weight, n_bins)
    filled = mass > 0
    mass = mass[filled]
    return ReliabilityBins(
        np.bincount(place, weight * proba, n_bins)[filled] / mass,
        np.bincount(place, weight * positive, n_bins)[filled] / mass,
        mass,
    )


def _bins_of_one_mass(proba: np.ndarray, weight: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the bin of every cell, where the middle of its equals falls."""
    _, same = np.unique(proba, return_inverse=True)
    same = same.ravel()
    mass = np.bincount(same, weight)
    total = mass.sum()
    middle = np.cumsum(mass) - mass / 2
    place = (middle / total * n_bins).astype(np.intp) if len(mass) else mass
    return np.minimum(place, n_bins - 1).astype(np.intp)[same]

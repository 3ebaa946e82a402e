"""ReliabilityDisplay: predicted probabilities beside true shares, level by level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from skhmc._data.align import align
from skhmc._data.responses import find, positive_scores
from skhmc._utils.optional import import_optional
from skhmc.hierarchy import Hierarchy
from skhmc.inspection._answers import check_has_proba, match_scores
from skhmc.metrics import ReliabilityBins, reliability_bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ReliabilityDisplay"]

PERFECT = "Perfectly calibrated"


class ReliabilityDisplay:
    """Reliability diagram: a line per level of the hierarchy.

    Every point is a bin of probabilities: to the right is their mean, upward the share
    of positives. Below the diagonal probabilities are too high, above it too low. The
    legend has the expected calibration error of every level.

    Build it with :meth:`from_estimator` or :meth:`from_predictions`, which draw at
    once; :meth:`plot` draws again.

    Parameters
    ----------
    prob_true : sequence of array-like of shape (n_bins_filled,)
        Share of positives in each bin, for every line.
    prob_pred : sequence of array-like of shape (n_bins_filled,)
        Mean probability in each bin, for every line.
    prob_weight : sequence of array-like of shape (n_bins_filled,), default=None
        Weight of the cells in each bin, for every line; None writes no errors.
    names : sequence of str, default=None
        Names of the lines; by default "depth 0", "depth 1" and so on.
    estimator_name : str, default=None
        Name of the estimator, written before the names of lines. None writes no name.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The lines.
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    Raises
    ------
    ValueError
        When shapes are wrong.

    See Also
    --------
    skhmc.metrics.expected_calibration_error : The errors in the legend.
    skhmc.HierarchicalCalibratedClassifier : Makes them small.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")  # no window
    >>> from skhmc import Hierarchy
    >>> from skhmc.inspection import ReliabilityDisplay
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true = [[1, 1, 0], [1, 0, 1], [1, 0, 1], [0, 0, 0]]
    >>> y_proba = [[0.75, 0.5, 0.5]] * 4
    >>> display = ReliabilityDisplay.from_predictions(
    ...     y_true, y_proba, hierarchy=animals
    ... )
    >>> [line.get_label() for line in display.lines_]
    ['depth 0 (ECE 0.000)', 'depth 1 (ECE 0.125)']
    >>> display.figure_.savefig("reliability.png")  # doctest: +SKIP
    """

    lines_: list[Any]
    ax_: Axes
    figure_: Any

    def __init__(
        self,
        prob_true: Sequence[ArrayLike],
        prob_pred: Sequence[ArrayLike],
        *,
        prob_weight: Sequence[ArrayLike] | None = None,
        names: Sequence[str] | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.prob_true = [np.asarray(line) for line in prob_true]
        self.prob_pred = [np.asarray(line) for line in prob_pred]
        self.prob_weight = None
        if prob_weight is not None:
            self.prob_weight = [np.asarray(line) for line in prob_weight]
        n_lines = len(self.prob_true)
        self.names = [f"depth {k}" for k in range(n_lines)]
        if names is not None:
            self.names = list(names)
        self.estimator_name = estimator_name
        self._check_shapes()

    def _check_shapes(self) -> None:
        n_lines = len(self.prob_true)
        others = {"prob_pred": self.prob_pred}
        if self.prob_weight is not None:
            others["prob_weight"] = self.prob_weight
        counts = {name: len(lines) for name, lines in others.items()}
        for name, count in (counts | {"names": len(self.names)}).items():
            if count != n_lines:
                raise ValueError(
                    f"{name} must have one entry per line, {n_lines}, as prob_true "
                    f"has, got {count}. Pass lists, with one array or name per level."
                )
        for name, lines in others.items():
            for k, (line, true) in enumerate(zip(lines, self.prob_true, strict=True)):
                if line.ndim != 1 or line.shape != true.shape:
                    raise ValueError(
                        f"{name}[{k}] must have the shape of prob_true[{k}], "
                        f"{true.shape}, one number per bin, got {line.shape}."
                    )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_proba: Any,
        *,
        hierarchy: Any = None,
        n_bins: int = 10,
        strategy: str = "uniform",
        levels: Iterable[int] | None = None,
        close: bool = True,
        sample_weight: ArrayLike | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        ref_line: bool = True,
        **kwargs: Any,
    ) -> ReliabilityDisplay:
        """Draw probabilities against the true labels.

        Parameters
        ----------
        y_true : array-like, sparse matrix or DataFrame of shape \
                (n_samples, n_labels), or list of label sets
            True indicators; NaN is unknown and does not count.
        y_proba : array-like or DataFrame of shape (n_samples, n_labels)
            Probabilities. The columns of DataFrames are matched to the labels by name.
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
            The labels and edges. None is flat: one line for all labels.
        n_bins : int, default=10
            Number of bins; those without cells have no point.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of one width, or of one mass.
        levels : iterable of int, default=None
            Depths to draw, roots being 0. None draws all; leave out 0 where it is an
            artificial root that every sample holds.
        close : bool, default=True
            Whether to add the ancestors to the true sets first.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        name : str, default=None
            Name of the estimator to write.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.
        ref_line : bool, default=True
            Whether to draw the diagonal of perfect probabilities.
        **kwargs : dict
            Options of matplotlib's ``plot`` for every line.

        Returns
        -------
        ReliabilityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            When shapes, values, names or options are wrong, or nothing is left to
            draw.
        """
        hierarchy, y_true, y_score = align(hierarchy, y_true=y_true, y_score=y_proba)
        groups = _groups(hierarchy, levels)
        found = reliability_bins(
            y_true,
            y_score,
            hierarchy,
            groups.values(),
            n_bins=n_bins,
            strategy=strategy,
            close=close,
            sample_weight=sample_weight,
        )
        both = zip(groups, found, strict=True)
        drawn = {level: bins for level, bins in both if len(bins.weight)}
        if not drawn:
            raise ValueError(
                "No cell of y_true is known and has a weight, so there is nothing to "
                "draw. Pass samples whose labels are known."
            )
        display = cls(
            [bins.positive for bins in drawn.values()],
            [bins.proba for bins in drawn.values()],
            prob_weight=[bins.weight for bins in drawn.values()],
            names=[f"depth {level}" for level in drawn],
            estimator_name=name,
        )
        return display.plot(ax=ax, ref_line=ref_line, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        hierarchy: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> ReliabilityDisplay:
        """Draw the probabilities of a fitted classifier against the true labels.

        Parameters
        ----------
        estimator : fitted classifier
            Classifier with ``predict_proba``: one of skhmc, a Pipeline or search that
            ends in one or, with ``hierarchy``, any other that predicts several labels.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, which it should not have been fitted with.
        y : array-like of shape (n_samples, n_labels) or (n_samples,)
            True labels of X, in any form the estimator was fitted with.
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
            The labels and edges; None is the estimator's ``hierarchy_``, or flat.
        name : str, default=None
            Name of the estimator to write; None is that of its class.
        **options : dict
            Options of :meth:`from_predictions`: ``n_bins``, ``strategy``, ``levels``,
            ``close``, ``sample_weight``, ``ax``, ``ref_line``, and those of
            matplotlib's ``plot``.

        Returns
        -------
        ReliabilityDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            When the estimator has no probabilities.
        """
        own_name = type(estimator).__name__
        check_has_proba(estimator, "ReliabilityDisplay")
        if hierarchy is None:
            hierarchy = find(estimator, "hierarchy_")
        proba = positive_scores(estimator, X)
        hierarchy, y, proba = match_scores(estimator, hierarchy, y, proba)
        name = own_name if name is None else name
        return cls.from_predictions(y, proba, hierarchy=hierarchy, name=name, **options)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        name: str | None = None,
        ref_line: bool = True,
        **kwargs: Any,
    ) -> ReliabilityDisplay:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.
        name : str, default=None
            Name of the estimator to write; None is ``estimator_name``.
        ref_line : bool, default=True
            Whether to draw the diagonal of perfect probabilities.
        **kwargs : dict
            Options of matplotlib's ``plot`` for every line.

        Returns
        -------
        ReliabilityDisplay
            The display itself, with ``lines_``, ``ax_`` and ``figure_``.
        """
        if ax is None:
            plt = import_optional(
                "matplotlib.pyplot", "ReliabilityDisplay.plot", "plot"
            )
            _, ax = plt.subplots()
        known = ax.get_legend_handles_labels()[1]
        if ref_line and PERFECT not in known:
            ax.plot([0, 1], [0, 1], "k:", label=PERFECT)
        name = self.estimator_name if name is None else name
        self.lines_ = []
        for k, label in enumerate(self._labels(name)):
            style = {"marker": "s", "linestyle": "-", "label": label} | kwargs
            self.lines_ += ax.plot(self.prob_pred[k], self.prob_true[k], **style)
        ax.legend(loc="best", fontsize="small")
        ax.set(xlabel="Mean predicted probability", ylabel="Fraction of positives")
        self.ax_ = ax
        self.figure_ = ax.get_figure(root=True)
        return self

    def _labels(self, name: str | None) -> list[str]:
        """Return what the legend says of every line."""
        before = "" if name is None else f"{name}, "
        labels = [f"{before}{line}" for line in self.names]
        if self.prob_weight is None:
            return labels
        bins = zip(self.prob_pred, self.prob_true, self.prob_weight, strict=True)
        errors = [ReliabilityBins(*parts).error() for parts in bins]
        return [
            f"{label} (ECE {error:.3f})"
            for label, error in zip(labels, errors, strict=True)
        ]


def _groups(
    hierarchy: Hierarchy, levels: Iterable[int] | None
) -> dict[int, np.ndarray]:
    """Return the positions of the labels of every depth that is drawn."""
    depth = np.asarray(hierarchy.depth)
    there = list(range(int(depth.max()) + 1))
    wanted = there if levels is None else list(levels)
    wrong = [level for level in wanted if level not in there]
    if wrong or not wanted:
        raise ValueError(
            f"levels must be depths of the hierarchy, from 0 to {there[-1]}, got "
            f"{wanted!r}. Leave it out to draw all."
        )
    return {int(k): np.flatnonzero(depth == k) for k in wanted}

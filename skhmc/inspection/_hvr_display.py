"""HVRDisplay: how often predictions break the hierarchy, at every threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._data.align import align
from skhmc._data.responses import positive_scores, raw_proba
from skhmc._utils.optional import import_optional
from skhmc._utils.warnings import read_before
from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy
from skhmc.inspection._answers import check_has_proba, hierarchy_of, match_scores
from skhmc.metrics import hierarchical_f1_score, hierarchical_violation_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HVRDisplay"]

N_THRESHOLDS = 49  # that are tried: 0.02, 0.04, ... 0.98
UNITS = {
    "sample": "samples with a broken edge",
    "edge": "broken edges",
    "prediction": "predicted labels without a parent",
}
WIDTH, HEIGHT = 9.0, 3.8  # inches of a figure of two panels
ROW_OF_LEGEND = 0.07  # height of a name in the legend, in that of small axes


def _f1(average: str) -> Callable[[Any, Any, Hierarchy], float]:
    def measure(y_true: Any, y_pred: Any, hierarchy: Hierarchy) -> float:
        # as predicted: to close the predicted sets would hide what is broken
        return hierarchical_f1_score(
            y_true, y_pred, hierarchy, average=average, close=False
        )

    return measure


def _n_labels(y_true: Any, y_pred: Any, hierarchy: Hierarchy) -> float:
    return y_pred.nnz / max(y_pred.shape[0], 1)


# what is drawn beside the rate, and what the axis says
BESIDE: dict[str, tuple[Callable[[Any, Any, Hierarchy], float], str]] = {
    "f1_micro": (_f1("micro"), "micro F1"),
    "f1_macro": (_f1("macro"), "macro F1"),
    "n_labels": (_n_labels, "predicted labels per sample"),
}


class HVRDisplay:
    """Hierarchical violation rate by threshold, beside what the predictions are worth.

    On the left is how often the labels above a threshold break the hierarchy: a child
    is predicted and its parent is not. An empty prediction breaks nothing, and neither
    does one of all labels. So on the right is the F1 of the same predictions, or their
    number of labels: a low rate is good where F1 is high.

    Build it with :meth:`from_estimator` or :meth:`from_predictions`, which draw at
    once; :meth:`plot` draws again. Several classifiers are drawn together with
    ``ax=display.axes_`` of the first display.

    Parameters
    ----------
    thresholds : array-like of shape (n_thresholds,)
        Thresholds in ascending order; labels with a greater score are predicted.
    rate : array-like of shape (n_thresholds,)
        Violation rate at every threshold.
    beside : array-like of shape (n_thresholds,), default=None
        Values at the thresholds, drawn on the right. None draws the rate alone.
    beside_name : str, default="micro F1"
        Label of the axis on the right.
    unit_name : str, default="samples with a broken edge"
        Label of the axis on the left: the things of which the rate is a share.
    estimator_name : str, default=None
        Name of the line. None names none.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The line of the rate, and the one beside it.
    axes_ : ndarray of matplotlib Axes
        The axes drawn on: the rate, and what is beside it.
    figure_ : matplotlib Figure
        The figure that holds them.

    Raises
    ------
    ValueError
        When shapes are wrong.

    See Also
    --------
    skhmc.metrics.hierarchical_violation_rate : The rate at one threshold.
    skhmc.metrics.HierarchicalViolationRate : The scorer of ``predict``, in searches.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")  # no window
    >>> from skhmc import Hierarchy
    >>> from skhmc.inspection import HVRDisplay
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true = [[1, 1, 0], [1, 0, 1], [1, 0, 1], [0, 0, 0]]
    >>> y_score = [[0.5, 0.7, 0.2], [0.9, 0.1, 0.8], [0.6, 0.3, 0.5], [0.1, 0.0, 0.1]]
    >>> display = HVRDisplay.from_predictions(
    ...     y_true, y_score, animals, thresholds=[0.4, 0.6], name="some scores"
    ... )
    >>> display.rate.tolist()  # above 0.6, a cat is no mammal
    [0.0, 0.25]
    >>> display.beside.round(2).tolist()
    [1.0, 0.67]
    >>> display.figure_.savefig("hvr.png")  # doctest: +SKIP
    """

    lines_: list[Any]
    axes_: np.ndarray
    figure_: Any

    def __init__(
        self,
        thresholds: ArrayLike,
        rate: ArrayLike,
        beside: ArrayLike | None = None,
        *,
        beside_name: str = BESIDE["f1_micro"][1],
        unit_name: str = UNITS["sample"],
        estimator_name: str | None = None,
    ) -> None:
        self.thresholds = np.asarray(thresholds, dtype=float)
        self.rate = np.asarray(rate, dtype=float)
        self.beside = None if beside is None else np.asarray(beside, dtype=float)
        self.beside_name = beside_name
        self.unit_name = unit_name
        self.estimator_name = estimator_name
        for name, line in (("rate", self.rate), ("beside", self.beside)):
            if line is not None and line.shape != self.thresholds.shape:
                raise ValueError(
                    f"{name} must have one number for each of the "
                    f"{self.thresholds.size} thresholds, got shape {line.shape}."
                )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_score: Any,
        hierarchy: Any,
        *,
        thresholds: ArrayLike | None = None,
        unit: str = "sample",
        beside: str | None = "f1_micro",
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> HVRDisplay:
        """Draw the rate of scores, at many thresholds.

        Parameters
        ----------
        y_true : array-like, sparse matrix or DataFrame of shape \
                (n_samples, n_labels), or list of label sets
            True indicators; NaN is unknown and does not count. Ancestors are added.
            None is possible with ``beside="n_labels"`` or None, as the rate does not
            need them.
        y_score : array-like or DataFrame of shape (n_samples, n_labels)
            Probabilities, or other scores, before or after they are made coherent.
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes
            The labels and edges.
        thresholds : array-like of shape (n_thresholds,), default=None
            Thresholds to try. None is 0.02, 0.04 and so on to 0.98.
        unit : {"sample", "edge", "prediction"}, default="sample"
            Unit of the rate, as in :func:`skhmc.metrics.hierarchical_violation_rate`.
        beside : {"f1_micro", "f1_macro", "n_labels"} or None, default="f1_micro"
            Measure on the right: F1 of the labels as predicted, or their number in the
            mean sample. None draws the rate alone.
        name : str, default=None
            Name of the line.
        ax : matplotlib Axes or array-like of two, default=None
            Axes to draw on, such as ``axes_`` of another display. None makes a figure.
        **kwargs : dict
            Options of matplotlib's ``plot`` for the lines.

        Returns
        -------
        HVRDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            When shapes, values, names or options are wrong.
        """
        _check_options(unit, beside, y_true)
        arrays = {} if y_true is None else {"y_true": y_true}
        hierarchy, *read = align(hierarchy, **arrays, y_score=y_score)
        scores = np.asarray(read[-1])
        if not np.isfinite(scores).all():
            raise ValueError(
                "y_score holds NaN or infinite values, expected finite scores. Leave "
                "out the samples that have none."
            )
        if y_true is not None:  # lists of names may have the deepest labels alone
            read[0] = close_upward(read[0], hierarchy)
        thresholds = _read_thresholds(thresholds)
        rate = np.zeros(len(thresholds))
        second = np.zeros(len(thresholds))
        with read_before():  # align has warned of what was handed over
            for k, threshold in enumerate(thresholds):
                y_pred = sp.csr_matrix(scores > threshold, dtype=np.int8)
                rate[k] = hierarchical_violation_rate(y_pred, hierarchy, unit=unit)
                if beside is not None:
                    second[k] = BESIDE[beside][0](read[0], y_pred, hierarchy)
        display = cls(
            thresholds,
            rate,
            None if beside is None else second,
            beside_name="" if beside is None else BESIDE[beside][1],
            unit_name=UNITS[unit],
            estimator_name=name,
        )
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        hierarchy: Any = None,
        raw: bool = False,
        name: str | None = None,
        **options: Any,
    ) -> HVRDisplay:
        """Draw the rate of a fitted classifier's probabilities.

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
            The labels and edges; None is the estimator's ``hierarchy_``.
        raw : bool, default=False
            Whether to draw the probabilities before the coherence step. Those after it
            break nothing at any threshold.
        name : str, default=None
            Name of the line; None is that of the estimator's class, with "(raw)".
        **options : dict
            Options of :meth:`from_predictions`: ``thresholds``, ``unit``, ``beside``,
            ``ax``, and those of matplotlib's ``plot``.

        Returns
        -------
        HVRDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            When the estimator has no probabilities, or nobody has a hierarchy.
        """
        own_name = type(estimator).__name__
        hierarchy = hierarchy_of(estimator, hierarchy)
        check_has_proba(estimator, "HVRDisplay")
        proba = raw_proba(estimator, X) if raw else positive_scores(estimator, X)
        hierarchy, y, proba = match_scores(estimator, hierarchy, y, proba)
        if name is None:
            name = f"{own_name} (raw)" if raw else own_name
        return cls.from_predictions(y, proba, hierarchy, name=name, **options)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> HVRDisplay:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two, default=None
            Axes to draw on: two, or one where nothing is beside the rate. ``axes_`` of
            another display draws several classifiers together. None makes a figure.
        **kwargs : dict
            Options of matplotlib's ``plot`` for the lines.

        Returns
        -------
        HVRDisplay
            The display itself, with ``lines_``, ``axes_`` and ``figure_``.

        Raises
        ------
        ValueError
            When the number of axes is wrong.
        """
        panels = [(self.rate, self.unit_name)]
        if self.beside is not None:
            panels.append((self.beside, self.beside_name))
        self.axes_ = _make_axes(ax, len(panels))
        self.figure_ = self.axes_[0].get_figure(root=True)
        self.lines_ = []
        style = {"label": self.estimator_name} | kwargs
        for axes, (values, label) in zip(self.axes_, panels, strict=True):
            self.lines_ += axes.plot(self.thresholds, values, **style)
            style.setdefault("color", self.lines_[0].get_color())  # one per classifier
            axes.set(xlabel="threshold", ylabel=label)
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
        self._set_room(self.axes_[0])
        self.axes_[0].set_title("how often the hierarchy is broken", fontsize="medium")
        if len(panels) > 1:
            self.axes_[1].set_title("by the same predictions", fontsize="medium")
        return self

    def _set_room(self, axes: Axes) -> None:
        """Leave room for lines that are 0 everywhere, and for the legend above all."""
        top = max(0.05, *(np.max(line.get_ydata()) for line in axes.get_lines()))
        n_names = len(axes.get_legend_handles_labels()[1])
        if n_names:
            axes.legend(fontsize="small", loc="upper right", frameon=False)
        share = max(0.93 - ROW_OF_LEGEND * n_names, 0.4)  # of the height, for lines
        axes.set_ylim(-0.03 * top, top / share)


def _check_options(unit: str, beside: str | None, y_true: Any) -> None:
    if unit not in UNITS:
        raise ValueError(f"unit must be one of {tuple(UNITS)}, got {unit!r}.")
    if beside is not None and beside not in BESIDE:
        raise ValueError(
            f"beside must be one of {tuple(BESIDE)}, or None to draw the rate alone, "
            f"got {beside!r}."
        )
    if y_true is None and beside not in (None, "n_labels"):
        raise ValueError(
            f"beside={beside!r} needs the true labels, got y_true=None. Pass them, or "
            f"set beside='n_labels'."
        )


def _read_thresholds(thresholds: ArrayLike | None) -> np.ndarray:
    if thresholds is None:
        return np.arange(1, N_THRESHOLDS + 1) / (N_THRESHOLDS + 1)
    read = np.asarray(thresholds, dtype=float)
    if read.ndim != 1 or not len(read) or not np.isfinite(read).all():
        raise ValueError(
            f"thresholds must be a list of finite numbers, got {thresholds!r:.100}. "
            f"Leave it out for 0.02, 0.04 and so on to 0.98."
        )
    return np.sort(read)


def _make_axes(ax: Axes | Sequence[Axes] | None, n_panels: int) -> np.ndarray:
    """Return one axes per panel, in an array."""
    if ax is None:
        plt = import_optional("matplotlib.pyplot", "HVRDisplay.plot", "plot")
        size = (WIDTH * n_panels / 2, HEIGHT)
        figure = plt.figure(figsize=size, layout="constrained")
        return figure.subplots(1, n_panels, squeeze=False)[0]
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != n_panels:
        raise ValueError(
            f"ax must hold {n_panels} axes, one for the rate and one for what is "
            f"beside it, got {len(axes)}. Pass axes_ of another display, or leave it "
            f"out; beside=None draws the rate alone."
        )
    return axes

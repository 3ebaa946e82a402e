"""LevelReportDisplay: how well labels are predicted, as an icicle of the hierarchy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhmc._data.align import align
from skhmc._data.responses import positive_scores
from skhmc._utils.optional import import_optional
from skhmc.hierarchy import Hierarchy
from skhmc.inspection._answers import hierarchy_of, in_one_order
from skhmc.inspection._icicle import UNDEFINED, Icicle
from skhmc.inspection._names import short_names
from skhmc.inspection._part import check_part, choose
from skhmc.metrics import hierarchical_classification_report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LevelReportDisplay"]

VALUES = ("f1", "precision", "recall", "au_prc")
TITLES = {"f1": "F1", "precision": "precision", "recall": "recall", "au_prc": "AU(PRC)"}
CALLER = "LevelReportDisplay.plot"


class LevelReportDisplay:
    """Icicle of the hierarchy, coloured by how well labels are predicted.

    Every column is a level of the hierarchy, and every box a label, to the right of its
    parent. Boxes of labels with more positives are higher. The colour is F1, or another
    figure; grey is not defined. Above every column is the figure of the level. Names
    are written where there is room: with 20 labels all, with 4,000 those of labels with
    many below them; the colours of the others still show which part of the hierarchy is
    predicted well, and ``root`` shows it alone. ``report`` has all figures.

    Build it with :meth:`from_estimator` or :meth:`from_predictions`, which draw at
    once; :meth:`plot` draws again.

    Parameters
    ----------
    report : dict
        Report of :func:`skhmc.metrics.hierarchical_classification_report`, made with
        ``output="dict"``.
    hierarchy : Hierarchy
        The labels and edges. A label with several parents is drawn at the first of
        the deepest ones.
    estimator_name : str, default=None
        Name of the estimator, written as a title. None writes no name.

    Attributes
    ----------
    boxes_ : matplotlib PolyCollection
        The boxes, in the order of those labels of ``hierarchy`` that are drawn.
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    skhmc.metrics.hierarchical_classification_report : The figures as a text or table.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")  # no window
    >>> from skhmc import Hierarchy
    >>> from skhmc.inspection import LevelReportDisplay
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true = [["cat"], ["cat"], ["dog"], ["mammal"]]
    >>> y_pred = [["cat"], ["dog"], ["dog"], ["dog"]]
    >>> display = LevelReportDisplay.from_predictions(y_true, y_pred, animals)
    >>> [text.get_text() for text in display.ax_.texts][:3]
    ['mammal  1.00', 'cat  0.67', 'dog  0.50']
    >>> display.figure_.savefig("report.png")  # doctest: +SKIP
    """

    boxes_: Any
    ax_: Axes
    figure_: Any

    def __init__(
        self, report: dict, hierarchy: Any, *, estimator_name: str | None = None
    ) -> None:
        self.report = report
        self.hierarchy = Hierarchy.build(hierarchy)
        self.estimator_name = estimator_name
        labels = report.get("label", {}) if isinstance(report, dict) else {}
        unknown = [name for name in labels if name not in self.hierarchy]
        if not labels or unknown:
            raise ValueError(
                "Expected the dict that hierarchical_classification_report returns "
                "with output='dict', of labels of the hierarchy. Use "
                "LevelReportDisplay.from_predictions, which makes it."
            )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        hierarchy: Any,
        *,
        y_score: Any = None,
        close: bool = True,
        sample_weight: Any = None,
        name: str | None = None,
        value: str = "f1",
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> LevelReportDisplay:
        """Draw predicted labels against the true ones.

        Parameters
        ----------
        y_true : array-like, sparse matrix or DataFrame of shape \
                (n_samples, n_labels), or list of label sets
            True indicators; NaN is unknown and does not count.
        y_pred : array-like, sparse matrix or DataFrame of shape \
                (n_samples, n_labels), or list of label sets
            Predicted indicators.
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes
            The labels and edges.
        y_score : array-like or DataFrame of shape (n_samples, n_labels), default=None
            Scores, needed for ``value="au_prc"``.
        close : bool, default=True
            Whether to add the ancestors to true and predicted sets first.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        name : str, default=None
            Name of the estimator to write.
        value : {"f1", "precision", "recall", "au_prc"}, default="f1"
            Figure that the colours show.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure of the size that the labels need.
        **plot_options : dict
            Other options of :meth:`plot`, such as ``root`` and ``max_depth``.

        Returns
        -------
        LevelReportDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            When shapes, values, names or options are wrong.
        """
        arrays = {"y_true": y_true, "y_pred": y_pred}
        if y_score is not None:
            arrays["y_score"] = y_score
        built, *_ = align(hierarchy, **arrays)
        report = hierarchical_classification_report(
            y_true,
            y_pred,
            hierarchy,
            y_score=y_score,
            output="dict",
            close=close,
            sample_weight=sample_weight,
        )
        display = cls(report, built, estimator_name=name)
        return display.plot(value=value, ax=ax, **plot_options)

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
    ) -> LevelReportDisplay:
        """Draw the predictions of a fitted classifier against the true labels.

        Parameters
        ----------
        estimator : fitted classifier
            Classifier of several labels: one of skhmc, a Pipeline or search that ends
            in one or, with ``hierarchy``, any other.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, which it should not have been fitted with.
        y : array-like of shape (n_samples, n_labels) or (n_samples,), or list of \
                label sets
            True labels of X, in any form the estimator was fitted with.
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
            The labels and edges; None is the estimator's ``hierarchy_``.
        name : str, default=None
            Name of the estimator to write; None is that of its class.
        **options : dict
            Options of :meth:`from_predictions`: ``value``, ``close``,
            ``sample_weight``, ``ax``, and those of :meth:`plot`.

        Returns
        -------
        LevelReportDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            When y has another form than in ``fit``, or nobody has a hierarchy.
        """
        own_name = type(estimator).__name__
        hierarchy = hierarchy_of(estimator, hierarchy)
        proba = None
        if "y_score" not in options and hasattr(estimator, "predict_proba"):
            proba = positive_scores(estimator, X)
        y_pred = estimator.predict(X)
        built, y_true, y_pred, proba = in_one_order(
            estimator, hierarchy, y, y_pred, proba
        )
        options.setdefault("y_score", proba)
        name = own_name if name is None else name
        return cls.from_predictions(y_true, y_pred, built, name=name, **options)

    def plot(
        self,
        *,
        value: str = "f1",
        ax: Axes | None = None,
        root: Any = None,
        max_depth: int | None = None,
        cmap: Any = "viridis",
        colorbar: bool = True,
    ) -> LevelReportDisplay:
        """Draw the boxes.

        Parameters
        ----------
        value : {"f1", "precision", "recall", "au_prc"}, default="f1"
            Figure that the colours show.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure of the size that the labels need.
        root : label, default=None
            Draw this label and what is below it: of thousands of labels, a part in
            which all names can be read. None draws from all roots.
        max_depth : int, default=None
            Depth of the last labels to draw, counted from ``root`` or from the roots.
            None is no limit.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours from 0 to 1.
        colorbar : bool, default=True
            Whether to draw the scale of colours.

        Returns
        -------
        LevelReportDisplay
            The display itself, with ``boxes_``, ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            When matplotlib is not installed.
        ValueError
            When the report lacks the figure, or ``root`` or ``max_depth`` are wrong.
        """
        rows = self.report["label"]
        if value not in VALUES or value not in next(iter(rows.values())):
            raise ValueError(
                f"value must be one of {VALUES}, got {value!r}; 'au_prc' needs a "
                f"report with y_score."
            )
        plt = import_optional("matplotlib.pyplot", CALLER, "plot")
        part = self._part(root, max_depth)
        icicle = Icicle(part, self._need(part))
        if ax is None:
            size = icicle.figure_size()
            _, ax = plt.subplots(figsize=size, layout="constrained")
        found = np.array([rows.get(x, {}).get(value, np.nan) for x in part.labels])
        shown = np.ma.masked_invalid(found.astype(float))
        colours = plt.get_cmap(cmap).with_extremes(bad=UNDEFINED)
        self.boxes_ = icicle.draw(ax, CALLER, array=shown, cmap=colours, clim=(0, 1))
        icicle.write_heads(ax, self._heads(part, value))
        self.ax_ = ax
        self.figure_ = ax.get_figure(root=True)
        if colorbar:
            self.figure_.colorbar(self.boxes_, ax=ax, label=TITLES[value], aspect=40)
        if self.estimator_name is not None:
            ax.set_title(self.estimator_name)
        numbers = ["" if np.isnan(x) else f"{x:.2f}" for x in found.astype(float)]
        given = short_names(part), numbers, colours(shown)
        icicle.write(ax, CALLER, *given)
        return self

    def _part(self, root: Any, max_depth: int | None) -> Hierarchy:
        """Return the labels that are drawn."""
        n_labels = self.hierarchy.n_labels
        check_part(self.hierarchy, False, n_labels, max_depth, None, root)
        kept = choose(
            self.hierarchy,
            np.zeros(n_labels),
            np.zeros(n_labels, dtype=bool),
            max_labels=n_labels,
            max_depth=max_depth,
            min_proba=None,
            root=root,
        )
        return self.hierarchy.subset(self.hierarchy.labels[i] for i in kept)

    def _need(self, part: Hierarchy) -> np.ndarray:
        """Return the heights of boxes, by the positives of labels.

        A label needs room of its own beside: rare ones are seen.
        """
        rows = self.report["label"]
        support = [rows.get(name, {}).get("support", 0.0) for name in part.labels]
        root = np.sqrt(np.array(support, dtype=float))
        return root + 0.5 * max(1.0, root.mean())

    def _heads(self, part: Hierarchy, value: str) -> list[str]:
        """Return the figure of every level, "" where not all of it is drawn."""
        figures = np.full(len(part.levels), np.nan)
        for depth, labels in enumerate(part.levels):
            if len(labels) == len(self.hierarchy.levels[depth]):
                row = self.report["level"].get(depth, {})
                figures[depth] = row.get(value, np.nan)
        return ["" if np.isnan(x) else f"{TITLES[value]} {x:.2f}" for x in figures]

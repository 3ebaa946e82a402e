"""LevelReportDisplay: how well labels are predicted, as an icicle of the hierarchy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhmc._data.align import align
from skhmc._data.responses import find, match_labels, n_dimensions, positive_scores
from skhmc._utils.optional import import_optional
from skhmc.hierarchy import Hierarchy
from skhmc.inspection._names import short_names
from skhmc.metrics import hierarchical_classification_report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LevelReportDisplay"]

VALUES = ("f1", "precision", "recall", "au_prc")
TITLES = {"f1": "F1", "precision": "precision", "recall": "recall", "au_prc": "AU(PRC)"}
FONT = 8  # points
LEAST_FONT = 6.5
MOST_INCHES = 11.0  # of height, whatever the number of labels
LETTER = 0.66  # width of a letter, in its height
LINE = 1.3  # height of a line, in that of its letters
UNDEFINED = "#d9d9d9"


class LevelReportDisplay:
    """Icicle of the hierarchy, coloured by how well labels are predicted.

    Every column is a level of the hierarchy, and every box a label, to the right of its
    parent. Boxes of labels with more positives are higher. The colour is F1, or another
    figure; grey is not defined. Above every column is the figure of the level. Names
    are written where there is room: with 20 labels all, with 4,000 those of labels with
    many below them; the colours of the others still show which part of the hierarchy is
    predicted well. ``report`` has all figures.

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
        The boxes, in the order of the labels of ``hierarchy``.
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
        return display.plot(value=value, ax=ax)

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
        y : array-like of shape (n_samples, n_labels) or list of label sets
            True labels of X.
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
            The labels and edges; None is the estimator's ``hierarchy_``.
        name : str, default=None
            Name of the estimator to write; None is that of its class.
        **options : dict
            Options of :meth:`from_predictions`: ``value``, ``close``,
            ``sample_weight`` and ``ax``.

        Returns
        -------
        LevelReportDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            When y has one label per sample, or nobody has a hierarchy.
        """
        own_name = type(estimator).__name__
        hierarchy = find(estimator, "hierarchy_") if hierarchy is None else hierarchy
        if hierarchy is None:
            raise ValueError(
                f"{own_name} has no hierarchy_. Pass hierarchy=, the labels in the "
                f"order of y's columns."
            )
        if n_dimensions(y) == 1:
            raise ValueError(
                "y has one label per sample, expected indicators (n_samples, "
                "n_labels), or a list of lists of names. Pass [[label] for label in y] "
                "to LevelReportDisplay.from_predictions, and predictions in this form."
            )
        response = estimator.predict(X)
        built, y_true, y_pred = match_labels(estimator, hierarchy, y, response)
        if hasattr(estimator, "predict_proba") and "y_score" not in options:
            options["y_score"] = positive_scores(estimator, X)
        name = own_name if name is None else name
        return cls.from_predictions(y_true, y_pred, built, name=name, **options)

    def plot(
        self,
        *,
        value: str = "f1",
        ax: Axes | None = None,
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
            When the report lacks the figure.
        """
        rows = self.report["label"]
        if value not in VALUES or value not in next(iter(rows.values())):
            raise ValueError(
                f"value must be one of {VALUES}, got {value!r}; 'au_prc' needs a "
                f"report with y_score."
            )
        plt = import_optional("matplotlib.pyplot", "LevelReportDisplay.plot", "plot")
        collections = import_optional(
            "matplotlib.collections", "LevelReportDisplay.plot", "plot"
        )
        top, height = _layout(self.hierarchy, self._support())
        n_levels = len(self.hierarchy.levels)
        if ax is None:
            inches = min(MOST_INCHES, 1.2 + 0.24 * len(self.hierarchy.leaves))
            size = (min(18, 2.5 + 2.2 * n_levels), max(3.0, inches))
            _, ax = plt.subplots(figsize=size, layout="constrained")
        figures = [
            rows.get(name, {}).get(value, np.nan) for name in self.hierarchy.labels
        ]
        shown = np.ma.masked_invalid(np.array(figures, dtype=float))
        left = np.asarray(self.hierarchy.depth, dtype=float)
        corners = np.stack(
            [
                np.column_stack([left + dx, top + dy * height])
                for dx, dy in ((0, 0), (0.98, 0), (0.98, 1), (0, 1))
            ],
            axis=1,
        )
        colours = plt.get_cmap(cmap).with_extremes(bad=UNDEFINED)
        many = self.hierarchy.n_labels > 200
        self.boxes_ = collections.PolyCollection(
            corners,
            array=shown,
            cmap=colours,
            clim=(0, 1),
            edgecolors="white",
            linewidths=0.15 if many else 0.8,
        )
        ax.add_collection(self.boxes_)
        ax.set(xlim=(0, n_levels), ylim=(1, 0), yticks=[])
        self._write_heads(ax, value)
        self.ax_ = ax
        self.figure_ = ax.get_figure(root=True)
        if colorbar:
            self.figure_.colorbar(self.boxes_, ax=ax, label=TITLES[value], aspect=40)
        if self.estimator_name is not None:
            ax.set_title(self.estimator_name)
        self._write_names(ax, top, height, shown, colours)
        return self

    def _support(self) -> np.ndarray:
        rows = self.report["label"]
        names = self.hierarchy.labels
        return np.array([rows.get(name, {}).get("support", 0.0) for name in names])

    def _write_heads(self, ax: Any, value: str) -> None:
        """Write the number of labels and the figure of every level above its column."""
        levels = self.report["level"]
        heads = []
        for depth, labels in enumerate(self.hierarchy.levels):
            figure = levels.get(depth, {}).get(value, np.nan)
            said = "" if np.isnan(figure) else f"\n{TITLES[value]} {figure:.2f}"
            noun = "label" if len(labels) == 1 else "labels"
            heads.append(f"depth {depth}\n{len(labels)} {noun}{said}")
        ax.set_xticks(np.arange(len(heads)) + 0.49, heads, fontsize=FONT)
        ax.tick_params(axis="x", length=0, labeltop=True, labelbottom=False)
        for side in ax.spines.values():
            side.set_visible(False)

    def _write_names(
        self, ax: Any, top: Any, height: Any, shown: Any, colours: Any
    ) -> None:
        """Write names and figures into the boxes that have room for them."""
        self.figure_.canvas.draw()  # sizes are known only then
        box = ax.get_window_extent()
        points = 72 / self.figure_.dpi
        lines = height * box.height * points
        room = 0.92 * box.width * points / len(self.hierarchy.levels)
        names = short_names(self.hierarchy)
        for label in np.flatnonzero(lines >= LEAST_FONT * LINE):
            size = min(FONT, lines[label] / LINE)
            figure = shown[label]
            end = "" if np.ma.is_masked(figure) else f"  {figure:.2f}"
            name = names[label]
            fits = room / (LETTER * (len(name) + len(end)))  # size of letters
            size = min(size, max(fits, LEAST_FONT))
            most = int(room / (LETTER * size)) - len(end)
            if most < 3:
                continue
            if len(name) > most:
                name = f"{name[: most - 1]}…"
            dark = np.ma.is_masked(figure) or _is_light(colours(float(figure)))
            ax.text(
                self.hierarchy.depth[label] + 0.03,
                top[label] + height[label] / 2,
                name + end,
                fontsize=size,
                va="center",
                color="black" if dark else "white",
                clip_on=True,
            )


def _is_light(colour: tuple[float, ...]) -> bool:
    """Tell whether black is easier to read on a colour than white."""
    red, green, blue = colour[:3]
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5


def _layout(hierarchy: Hierarchy, support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the top and the height of every label's box, between 0 and 1.

    Boxes of a label's children stand inside its height, in the order of the labels.
    """
    n_labels = hierarchy.n_labels
    depth = np.asarray(hierarchy.depth)
    first = np.full(n_labels, -1)
    parent, child = hierarchy.edges[::-1].T  # so that the first parent comes last
    near = depth[child] == depth[parent] + 1
    first[child[near]] = parent[near]
    # a label needs room of its own, and as much as all below it: rare ones are seen
    need = np.sqrt(support) + 0.5 * max(1.0, np.sqrt(support).mean())
    below = np.zeros(n_labels)
    for level in hierarchy.levels[:0:-1]:
        need[level] = np.maximum(need[level], below[level])
        np.add.at(below, first[level], need[level])
    roots = hierarchy.levels[0]
    need[roots] = np.maximum(need[roots], below[roots])
    top = np.zeros(n_labels)
    before = np.zeros(n_labels)  # height of the siblings above, by parent
    start = 0.0
    for label in roots:
        top[label] = start
        start += need[label]
    for level in hierarchy.levels[1:]:
        for label in level:
            parent = first[label]
            top[label] = top[parent] + before[parent]
            before[parent] += need[label]
    return top / start, need / start

"""LabelEmbeddingDisplay: labels as points of the Poincaré disk."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from skhmc._data.responses import find
from skhmc._data.targets import match_columns
from skhmc._utils.optional import import_optional
from skhmc.hierarchy import Hierarchy
from skhmc.inspection._disk import geodesic, project
from skhmc.inspection._names import shorten
from skhmc.inspection._places import Drawn, find_place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["LabelEmbeddingDisplay"]

WHOLE = 1.03  # half of the side that shows the whole disk
NEAR = 0.6  # radius within which all labels must lie for the disk to be cut
AROUND = 1.2  # half of the side that shows a part, in radii of the farthest label
LEAST = 0.06  # half of the side that shows labels almost in the middle
MOST_DEPTHS = 6  # in the legend
# the line from a point to its name, where there is no room beside the point
LEADER = {"arrowstyle": "-", "color": "#333333", "lw": 0.9, "ls": ":"}
STEPS = (1.0, 0.5, 0.25, 0.1, 0.05)  # hyperbolic distances between circles
GEOMETRIES = ("hyperbolic", "euclidean")


def _load(module: str) -> ModuleType:
    return import_optional(module, "LabelEmbeddingDisplay.plot", "plot")


def _check_embeddings(given: ArrayLike, geometry: str) -> np.ndarray:
    if geometry not in GEOMETRIES:
        raise ValueError(f"geometry must be one of {GEOMETRIES}, got {geometry!r}.")
    embeddings = np.asarray(given, dtype=np.float64)
    if embeddings.ndim != 2 or not embeddings.shape[1]:
        raise ValueError(
            f"embeddings must have shape (n_labels, d), got shape {embeddings.shape}. "
            f"Pass one row per label, with at least one coordinate."
        )
    norm = np.linalg.norm(embeddings, axis=1)
    most = 1 if geometry == "hyperbolic" else np.inf
    wrong = ~(norm < most)  # so that NaN is wrong too
    if wrong.any():
        raise ValueError(
            f"embeddings must lie in the open unit ball, got the norm "
            f"{norm[wrong][0].item()!r}. Pass points of the Poincaré ball, or finite "
            f"ones with geometry='euclidean'."
        )
    return embeddings


class LabelEmbeddingDisplay:
    """Labels as points of the Poincaré disk, with the edges of a hierarchy.

    Each edge is the geodesic between its two labels: an arc of a circle that meets the
    unit circle at right angles, or a line through the origin. The hyperbolic radii of
    the thin circles are written below. With more than two dimensions radii are exact
    and angles are not. The angles are those of the tangent vectors at the origin,
    projected on their first two principal axes. The title says which share of the
    squared lengths is kept. Points of one dimension lie on a line, and so do their
    edges.

    :meth:`from_estimator` draws at once; :meth:`plot` draws again.

    Parameters
    ----------
    embeddings : array-like of shape (n_labels, d)
        Points in the open Poincaré ball.
    hierarchy : Hierarchy
        The labels of the rows, in their order, with the edges to draw.
    geometry : {"hyperbolic", "euclidean"}, default="hyperbolic"
        Space that the points lie in: "hyperbolic" is drawn as the Poincaré disk,
        "euclidean" as a plain scatter plot (beyond two dimensions, of two principal
        components) with straight edges.
    label_names : sequence of str, default=None
        Names to write, in the order of the rows; by default the labels.

    Attributes
    ----------
    positions_ : ndarray of shape (n_labels, 2)
        Points at which the labels are drawn.
    explained_ : float
        Share of the tangent vectors' squared lengths (Euclidean: of the variance) that
        lies in the plane drawn; 1 up to two dimensions.
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    Raises
    ------
    ValueError
        When shapes or values are wrong.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")  # no window
    >>> from skhmc import Hierarchy
    >>> from skhmc.inspection import LabelEmbeddingDisplay
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> points = [[0, 0, 0.1], [0.6, 0, 0.1], [0, 0.6, 0.1]]
    >>> display = LabelEmbeddingDisplay(points, animals)
    >>> round(display.explained_, 2)
    0.97
    >>> [text.get_text() for text in display.plot().ax_.texts]
    ['mammal', 'cat', 'dog']
    >>> display.figure_.savefig("labels.png")  # doctest: +SKIP
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self,
        embeddings: ArrayLike,
        hierarchy: Any,
        *,
        geometry: str = "hyperbolic",
        label_names: Sequence[Any] | None = None,
    ) -> None:
        self.embeddings = _check_embeddings(embeddings, geometry)
        self.geometry = geometry
        self.hierarchy = match_columns(hierarchy, None, len(self.embeddings))
        names = self.hierarchy.labels if label_names is None else label_names
        self.label_names = [str(name) for name in names]
        sizes = (len(self.embeddings), self.hierarchy.n_labels, len(self.label_names))
        if len(set(sizes)) > 1:
            raise ValueError(
                f"embeddings, hierarchy and label_names must have one length, got "
                f"{sizes[0]}, {sizes[1]} and {sizes[2]}. Pass the labels of the rows."
            )
        self.positions_, self.explained_ = project(self.embeddings, geometry)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        hierarchy: Any = None,
        label_names: Sequence[Any] | None = None,
        **plot_options: Any,
    ) -> LabelEmbeddingDisplay:
        """Draw the labels of a fitted :class:`skhmc.HyperbolicHMC`.

        Parameters
        ----------
        estimator : HyperbolicHMC
            Fitted estimator, alone, at the end of a Pipeline or in a search.
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
            Edges between the estimator's labels; None is its ``learned_hierarchy_``.
        label_names : sequence of str, default=None
            Names to write in place of the labels, in the order of Y's columns.
        **plot_options
            Options of :meth:`plot`: ``ax``, ``max_names``, ``cmap``, ``zoom``.

        Returns
        -------
        LabelEmbeddingDisplay
            The display, drawn.
        """
        embeddings = find(estimator, "label_embeddings_")
        if embeddings is None:
            raise ValueError(
                f"{type(estimator).__name__} has no label_embeddings_, expected a "
                f"fitted HyperbolicHMC. Fit it, or draw points by the constructor."
            )
        edges = find(estimator, "learned_hierarchy_")
        if hierarchy is not None:
            edges = Hierarchy.build(hierarchy, labels=edges.labels)
        # the geometry of the fit, from which the parameter may have been changed since
        geometry = find(estimator, "geometry_")
        display = cls(embeddings, edges, geometry=geometry, label_names=label_names)
        return display.plot(**plot_options)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        max_names: int = 30,
        cmap: str | Colormap = "viridis",
        zoom: bool | str = "auto",
    ) -> LabelEmbeddingDisplay:
        """Draw the labels.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        max_names : int, default=30
            Greatest number of names to write: of general labels first, by depth and
            then by number of descendants. No line crosses a name. One that finds no
            room beside its point stands apart, with a dotted line to it, or is left
            out.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the depths.
        zoom : {"auto"} or bool, default="auto"
            Whether to show only the part of the disk that has labels. "auto" shows the
            whole disk, or, where no label is farther from its middle than 0.6, the
            part around the middle that holds them all. Euclidean points are always
            shown alone.

        Returns
        -------
        LabelEmbeddingDisplay
            The display itself, with ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            When ``max_names`` is no integer from 0, or ``zoom`` neither "auto" nor a
            bool.
        """
        if not isinstance(zoom, bool) and zoom != "auto":
            raise ValueError(f"zoom must be 'auto', True or False, got {zoom!r}.")
        if not isinstance(max_names, Integral) or max_names < 0:
            raise ValueError(
                f"max_names must be an integer from 0, got {max_names!r}. Pass how "
                f"many names to write at most."
            )
        if ax is None:
            plt = _load("matplotlib.pyplot")
            ax = plt.subplots(figsize=(7, 7), layout="constrained")[1]
        self.ax_ = ax
        self.figure_ = ax.get_figure(root=True)
        self._draw_space(zoom)
        self._draw_edges()
        self._draw_points(cmap)
        self._write_names(max_names)
        return self

    def _draw_space(self, zoom: bool | str) -> None:
        """Draw the disk, set the limits and say what the plane keeps."""
        ax = self.ax_
        d = self.embeddings.shape[1]
        kept = "variance"
        ax.set_aspect("equal", adjustable="datalim" if zoom is True else "box")
        if self.geometry == "hyperbolic":
            kept = "squared tangent lengths"
            ax.set_axis_off()
            self._draw_circles(self._half_side(zoom), zoom is True)
        if d > 2:
            share = f"{self.explained_:.0%} of the {kept}"
            ax.set_title(f"2 of {d} dimensions hold {share}", size=10)

    def _half_side(self, zoom: bool | str) -> float:
        """Return how far to show the disk from its middle."""
        farthest = np.linalg.norm(self.positions_, axis=1).max(initial=0)
        if zoom is False or farthest == 0:
            return WHOLE
        if zoom is True:
            return min(farthest, WHOLE)
        return max(AROUND * farthest, LEAST) if farthest < NEAR else WHOLE

    def _draw_circles(self, half_side: float, labels_alone: bool) -> None:
        """Draw the unit circle, and circles around its middle that measure radii."""
        circle = _load("matplotlib.patches").Circle
        self.ax_.add_artist(circle((0, 0), 1, fc="none", ec="#333333", lw=1.2))
        farthest = 2 * np.arctanh(min(half_side, np.tanh(5.9 / 2)))
        # two circles at least, where labels are not closer to the middle than that
        step = next((s for s in STEPS if farthest >= 2 * s), STEPS[-1])
        radii = np.arange(1, int(farthest / step) + 1) * step
        for r in np.tanh(radii / 2):
            self.ax_.add_artist(circle((0, 0), r, fc="none", ec="#d9d9d9", lw=0.7))
        if not labels_alone:
            self.ax_.set(xlim=(-half_side, half_side), ylim=(-half_side, half_side))
        if len(radii):
            written = [f"{radius:g}" for radius in radii]
            if len(written) > 3:
                written = [", ".join(written[:2]) + " … " + written[-1]]
            text = f"circles: hyperbolic radius {', '.join(written)}"
            box = _load("matplotlib.offsetbox").AnchoredText(
                text,
                loc="lower left",
                pad=0.1,
                borderpad=0,
                prop={"size": 8, "color": "#555555"},
                zorder=1.5,  # its ground hides circles alone
            )
            box.patch.set(fc=self._ground(), ec="none")
            self.ax_.add_artist(box)

    def _draw_edges(self) -> None:
        style = {"colors": "#8a8a8a", "linewidths": 0.9, "zorder": 2}
        collection = _load("matplotlib.collections").LineCollection
        self.ax_.add_collection(collection(self._lines(), **style))

    def _lines(self) -> np.ndarray:
        """Return the points that every edge runs through: (n_edges, n_points, 2)."""
        parents, children = self.hierarchy.edges.T
        starts = self.positions_[parents]
        ends = self.positions_[children]
        if self.geometry == "hyperbolic":
            return geodesic(starts, ends)
        return np.stack([starts, ends], axis=1)

    def _draw_points(self, cmap: str | Colormap) -> None:
        """Draw the labels, general ones on top, and what the colours mean."""
        depth = self.hierarchy.depth
        order = np.argsort(-depth, kind="stable")
        x, y = self.positions_[order].T
        points = self.ax_.scatter(
            x,
            y,
            c=depth[order],
            cmap=cmap,
            vmin=0,
            vmax=max(1, depth.max(initial=0)),
            s=36,
            ec="white",
            lw=0.6,
            zorder=3,
        )
        if depth.any():
            locator = _load("matplotlib.ticker").MaxNLocator(MOST_DEPTHS, integer=True)
            handles, texts = points.legend_elements(
                num="auto" if depth.max() < MOST_DEPTHS else locator
            )
            self.ax_.legend(
                handles,
                texts,
                title="depth",
                # beside the disk, or where points leave room
                loc="upper right" if self.geometry == "hyperbolic" else "best",
                frameon=False,
                fontsize=9,
            )

    def _write_names(self, max_names: int) -> None:
        """Write names where they cover nothing, and no line crosses them."""
        n_below = np.diff(self.hierarchy.descendants.indptr)
        chosen = np.lexsort((-n_below, self.hierarchy.depth))[:max_names]
        style: dict[str, Any] = {
            "size": 9,
            "parse_math": False,
            "ha": "center",
            "va": "center",
            "zorder": 4,
            # what hides the circles that measure radii, the one thing behind a name
            "bbox": {"fc": self._ground(), "ec": "none", "pad": 1},
            "textcoords": "offset points",
        }
        self.figure_.draw_without_rendering()  # places the axes
        self._fix_legend()
        unit = self.figure_.dpi / 72
        drawn = self._look_around()
        for label in chosen.tolist():
            name = shorten(self.label_names[label])
            at = self.positions_[label]
            text = self.ax_.annotate(name, at, (0, 0), **style)
            size = np.array(text.get_window_extent().size)
            place = find_place(drawn.points[label], size, drawn, unit)
            text.remove()
            if place is None:
                continue
            if place.line is not None:
                style["arrowprops"] = LEADER
            self.ax_.annotate(name, at, place.offset / unit, **style)
            style.pop("arrowprops", None)
            drawn = drawn.add(place)

    def _ground(self) -> Any:
        """Return the colour that is behind all that is drawn."""
        return (self.ax_ if self.ax_.axison else self.figure_).get_facecolor()

    def _fix_legend(self) -> None:
        """Keep the legend where it has been placed, which names must not change."""
        legend = self.ax_.get_legend()
        if legend is not None:
            corner = self.ax_.transAxes.inverted().transform(
                legend.get_window_extent().p0
            )
            legend.set_loc(tuple(corner))

    def _look_around(self) -> Drawn:
        """Return what names must keep away from, in pixels."""
        lines = self._lines()
        if self.geometry == "hyperbolic":
            turn = np.linspace(0, 2 * np.pi, 361)
            circle = np.column_stack([np.cos(turn), np.sin(turn)])
            rim = np.stack([circle[:-1], circle[1:]], axis=1)
        else:
            rim = np.zeros((0, 2, 2))
        pieces = np.stack([lines[:, :-1], lines[:, 1:]], axis=2).reshape(-1, 2, 2)
        pieces = np.vstack([pieces, rim])
        to_pixels = self.ax_.transData.transform
        others = [*self.ax_.artists, self.ax_.get_legend()]
        written = [one.get_window_extent() for one in others if one is not None]
        return Drawn(
            np.array(self.ax_.get_window_extent().extents),
            to_pixels(self.positions_),
            to_pixels(pieces.reshape(-1, 2)).reshape(-1, 2, 2),
            np.array([box.extents for box in written]).reshape(-1, 4),
        )

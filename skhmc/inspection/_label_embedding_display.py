"""LabelEmbeddingDisplay: labels as points of the Poincaré disk."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from skhmc._data.responses import find
from skhmc._utils.optional import import_optional
from skhmc.hierarchy import Hierarchy
from skhmc.inspection._disk import geodesic, project
from skhmc.inspection._names import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.transforms import BboxBase

__all__ = ["LabelEmbeddingDisplay"]

RINGS = range(1, 6)  # hyperbolic radii that are drawn as circles
# Where a name is tried beside its point: right, left, then above and below.
PLACES = [(x, y) for x in (1, -1, 0) for y in (0, 1, -1) if x or y]
ALIGN: dict[int, tuple[Any, Any]]
ALIGN = {1: ("left", "bottom"), 0: ("center", "center"), -1: ("right", "top")}
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
    unit circle at right angles, or a line through the origin. The thin circles have
    hyperbolic radii 1 to 5. Of more than two dimensions radii remain exact and angles
    do not: they are those of the tangent vectors at the origin, projected on their
    first two principal axes, and the title says what share of the squared lengths is
    kept. Points of one dimension lie on a line, and so do their edges.

    :meth:`from_estimator` draws at once; :meth:`plot` draws again.

    Parameters
    ----------
    embeddings : array-like of shape (n_labels, d)
        Points in the open Poincaré ball.
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes
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
        self.hierarchy = Hierarchy.build(hierarchy)
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
        zoom: bool = False,
    ) -> LabelEmbeddingDisplay:
        """Draw the labels.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        max_names : int, default=30
            Greatest number of names to write: of general labels first, by depth and
            then by number of descendants. Those that find no free place are left out.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the depths.
        zoom : bool, default=False
            Whether to show only the part of the disk that has labels.

        Returns
        -------
        LabelEmbeddingDisplay
            The display itself, with ``ax_`` and ``figure_``.
        """
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

    def _draw_space(self, zoom: bool) -> None:
        """Draw the disk, set the limits and say what the plane keeps."""
        ax = self.ax_
        d = self.embeddings.shape[1]
        kept = "variance"
        ax.set_aspect("equal", adjustable="datalim" if zoom else "box")
        if self.geometry == "hyperbolic":
            kept = "squared tangent lengths"
            circle = _load("matplotlib.patches").Circle
            ax.add_artist(circle((0, 0), 1, fc="none", ec="#333333", lw=1.2))
            for r in np.tanh(np.array(RINGS) / 2):
                ax.add_artist(circle((0, 0), r, fc="none", ec="#dddddd", lw=0.7))
            ax.set_axis_off()
            if not zoom:
                ax.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08))
        if d > 2:
            share = f"{self.explained_:.0%} of the {kept}"
            ax.set_title(f"2 of {d} dimensions hold {share}", size=10)

    def _draw_edges(self) -> None:
        parents, children = self.hierarchy.edges.T
        starts = self.positions_[parents]
        ends = self.positions_[children]
        if self.geometry == "hyperbolic":
            lines = geodesic(starts, ends)
        else:
            lines = np.stack([starts, ends], axis=1)
        style = {"colors": "#8a8a8a", "linewidths": 0.9, "zorder": 2}
        collection = _load("matplotlib.collections").LineCollection
        self.ax_.add_collection(collection(lines, **style))

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
            handles, texts = points.legend_elements()
            self.ax_.legend(
                handles,
                texts,
                title="depth",
                loc="upper right",
                frameon=False,
                fontsize=9,
            )

    def _write_names(self, max_names: int) -> None:
        """Write names beside their points, where they cover no other name."""
        n_below = np.diff(self.hierarchy.descendants.indptr)
        chosen = np.lexsort((-n_below, self.hierarchy.depth))[:max_names]
        stroke = _load("matplotlib.patheffects").withStroke
        style: dict[str, Any] = {
            "size": 8,
            "parse_math": False,
            "zorder": 4,
            "path_effects": [stroke(linewidth=2, foreground="white")],
            "xytext": (0, 0),
            "textcoords": "offset points",
        }
        self.figure_.draw_without_rendering()  # places the axes
        taken: list[BboxBase] = []
        for label in chosen.tolist():
            name = shorten(self.label_names[label])
            text = self.ax_.annotate(name, self.positions_[label], **style)
            for x, y in PLACES:
                text.set(position=(5 * x, 5 * y), ha=ALIGN[x][0], va=ALIGN[y][1])
                extent = text.get_window_extent()
                if not any(extent.overlaps(other) for other in taken):
                    taken.append(extent)
                    break
            else:
                text.remove()

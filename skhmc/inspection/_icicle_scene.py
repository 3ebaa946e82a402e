"""An icicle of one sample: figures as colours, right and wrong labels at the left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhmc._utils.optional import import_optional
from skhmc.hierarchy import Hierarchy
from skhmc.inspection._drawing import KINDS, PLAIN
from skhmc.inspection._figures import Figures
from skhmc.inspection._icicle import FONT, Icicle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["IcicleScene"]

CALLER = "HierarchyDisplay.plot"
RIM = "#c5cad3"  # of boxes, which may be as pale as the paper
ROW = 0.17  # inches that a label needs for its name
STRIPE = 0.018  # at the left of a box: width in that of a column
SHARE = 0.75  # of the height, at most, for labels with room for their names
BELOW = 0.75  # inches for the legend and the note


class IcicleScene:
    """Labels of one sample as an icicle.

    Parameters
    ----------
    hierarchy : Hierarchy
        The labels that are drawn.
    is_large : ndarray of shape (n_labels,), bool
        Labels that get room for their names; the others share what is left.
    names : list of str
    figures : Figures or None
        What colours and numbers say; None: there are none.
    kinds : list of (bool or None, bool or None)
        Pairs that say of every label whether it is predicted, and whether it is true;
        None is not known.
    """

    def __init__(
        self,
        hierarchy: Hierarchy,
        is_large: np.ndarray,
        names: list[str],
        figures: Figures | None,
        kinds: list[tuple[bool | None, bool | None]],
    ) -> None:
        self.hierarchy = hierarchy
        self.is_large = is_large
        self.names = names
        self.figures = figures
        self.kinds = kinds

    def draw(
        self,
        ax: Axes | None,
        cmap: str | Colormap | None,
        colorbar: bool,
        title: str,
        note: str,
    ) -> Axes:
        """Draw everything, and return the axes."""
        if ax is None:
            plt = import_optional("matplotlib.pyplot", CALLER, "plot")
            size = Icicle(self.hierarchy, self.is_large + 1.0).figure_size()
            _, ax = plt.subplots(figsize=size, layout="constrained")
        figure: Any = ax.get_figure(root=True)  # the top one, not a subfigure
        height = ax.get_window_extent().height / figure.dpi - BELOW
        icicle = Icicle(self.hierarchy, self._need(max(height, 1.0)))
        fills = np.tile([*PLAIN, 1.0], (self.hierarchy.n_labels, 1))
        numbers = [""] * self.hierarchy.n_labels
        if self.figures is not None:
            mappable = self.figures.mappable(cmap)
            fills = mappable.to_rgba(self.figures.masked())
            numbers = self.figures.texts()
            if colorbar:
                bar = figure.colorbar(mappable, ax=ax, aspect=40, shrink=0.8)
                bar.set_ticks(self.figures.ticks(), labels=self.figures.tick_texts())
                bar.minorticks_off()
                bar.set_label(self.figures.name)
        icicle.draw(ax, CALLER, facecolors=fills, edgecolors=RIM)
        icicle.write_heads(ax)
        self._mark(ax, icicle)
        if title:
            ax.set_title(title)
        if note:
            ax.set_xlabel(note, fontsize=FONT, loc="left")
        icicle.write(ax, CALLER, self.names, numbers, fills)
        return ax

    def _need(self, inches: float) -> np.ndarray:
        """Return heights with which large labels have room for a line, if they can."""
        need = np.ones(self.hierarchy.n_labels)
        wanted = min(ROW / inches, SHARE / max(self._n_ends(), 1))
        for size in 2.0 ** np.arange(11):
            need[self.is_large] = size
            if size / Icicle(self.hierarchy, need).total >= wanted:
                break
        return need

    def _n_ends(self) -> int:
        """Return the number of large labels without large ones below them."""
        below = self.hierarchy.children[:, self.is_large].getnnz(axis=1) > 0
        return int((self.is_large & ~below).sum())

    def _mark(self, ax: Axes, icicle: Icicle) -> None:
        """Draw a stripe at the left of predicted and true labels, and the legend."""
        collections = import_optional("matplotlib.collections", CALLER, "plot")
        patches = import_optional("matplotlib.patches", CALLER, "plot")
        corners = icicle.corners()
        handles = []
        for key, (said, kind) in KINDS.items():
            labels = [k for k, found in enumerate(self.kinds) if found == key]
            if not labels:
                continue
            stripes = corners[labels]
            stripes[:, 1:3, 0] = stripes[:, [0], 0] + STRIPE
            ax.add_collection(
                collections.PolyCollection(
                    stripes, facecolors=kind.colour, edgecolors=kind.colour, lw=0.5
                )
            )
            handles.append(patches.Patch(color=kind.colour, label=said))
        if handles:
            ax.legend(
                handles=handles,
                loc="upper left",
                bbox_to_anchor=(0, -0.06),
                ncols=len(handles),
                fontsize=FONT,
                frameon=False,
                borderaxespad=0,
            )

"""Drawing of laid-out labels with matplotlib; lengths in inches at full size."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skhmc._utils.optional import import_optional
from skhmc.inspection._figures import Figures
from skhmc.inspection._layout import Layout
from skhmc.inspection._names import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.path import Path

__all__ = ["FEWER", "KINDS", "Scene"]

ROW = 0.31  # from one row to the next
BOX = 0.235  # height of a label's box
GAP = 0.75  # between columns
PAD = 0.09  # between the parts of a box
BADGE = 0.2  # width of the badge at the left of a box
FOOTER = 0.72  # height of the legend, the colour bar and the note, if there are any
NOTE = 0.32  # height of the note alone
BAR = 1.5  # length of the colour bar
MARGIN = 0.15  # around the whole
FONT_SIZE = 9.0  # points
TITLE = 1.4  # size of the title, in those of other text
TITLE_ROW = 0.28  # height of a line of it
SMALLEST = 4.0  # points: what is smaller cannot be read
LONGEST_SIDE = 150.0  # inches of a picture, 15,000 pixels at 100 in an inch


class Badge(NamedTuple):
    """A sign of straight strokes, in the square from -1 to 1."""

    points: tuple[tuple[float, float], ...]
    codes: tuple[int, ...]  # of matplotlib's Path: 1 moves there, 2 draws a line


class Kind(NamedTuple):
    """How the box of one kind of label is drawn."""

    colour: str
    style: Any  # of the outline, as matplotlib's linestyle
    width: float
    badge: Badge | None


CHECK = Badge(((-0.5, 0.0), (-0.12, -0.4), (0.55, 0.45)), (1, 2, 2))
CROSS = Badge(((-0.4, -0.4), (0.4, 0.4), (-0.4, 0.4), (0.4, -0.4)), (1, 2, 1, 2))
MINUS = Badge(((-0.45, 0.0), (0.45, 0.0)), (1, 2))
# By (predicted, true), where None is not known: colours differ in lightness too, and
# outlines and badges say the same without colours.
KINDS = {
    (True, True): ("predicted and true", Kind("#00875f", "-", 1.8, CHECK)),
    (True, False): ("predicted, not true", Kind("#d55e00", (0, (5, 1.5)), 1.8, CROSS)),
    (False, True): (
        "true, not predicted",
        Kind("#a02c8c", (0, (1.2, 1.2)), 1.8, MINUS),
    ),
    (True, None): ("predicted", Kind("#222222", "-", 1.6, CHECK)),
    (None, True): ("true", Kind("#00875f", "-", 1.8, CHECK)),
}
OTHER = Kind("#9a9a9a", "-", 0.7, None)
PLAIN = (0.949, 0.961, 0.98)  # the fill without probabilities
BROKEN = "child predicted without its parent"
EDGES: tuple[tuple[str, float, Any], ...] = (  # colour, width and dashes
    # plain, between marked labels, broken: later ones are drawn above earlier ones
    ("#d0d0d0", 0.8, "-"),
    ("#555555", 1.2, "-"),
    ("#c4161c", 1.6, (0, (3, 1.5))),
)


HINTING = 0.04  # share by which text on a screen may be wider than its outlines
FEWER = "Lower max_labels or max_depth, raise min_proba, or pass a root"


def _load(module: str) -> ModuleType:
    return import_optional(module, "HierarchyDisplay.plot", "plot")


class Scene:
    """What is drawn, and where: every length is known before there is an axes.

    Parameters
    ----------
    layout : Layout
        Columns and rows of the labels drawn.
    names : list of str
        Names of the labels.
    figures : Figures or None
        What colours and numbers say of the labels; None: there are none.
    kinds : list of (bool or None, bool or None)
        Pairs that say of every label whether it is predicted, and whether it is true;
        None is not known.
    n_more : list of int
        How many labels are hidden below every label.
    note : str
        Line below the picture.
    title : str
        Line or lines above it.

    Raises
    ------
    ValueError
        When the picture would be larger than what can be looked at.
    """

    def __init__(
        self,
        layout: Layout,
        names: list[str],
        figures: Figures | None,
        kinds: list[tuple[bool | None, bool | None]],
        n_more: list[int],
        note: str = "",
        title: str = "",
    ) -> None:
        self.layout = layout
        self.names = [shorten(str(name)) for name in names]
        self.figures = figures
        self.kinds = kinds
        self.more = [f"… {n} more" if n else "" for n in n_more]
        self.note = note
        self.title = title.splitlines()
        self.text = _load("matplotlib.textpath").text_to_path
        self.font = _load("matplotlib.font_manager").FontProperties(size=FONT_SIZE)
        self.broken = [
            kinds[chain[0]][0] is False and kinds[chain[-1]][0] is True
            for chain in layout.chains
        ]
        self._set_columns()
        self._set_size()

    def _measure(self, text: str) -> float:
        """Return the width of a text."""
        if not text:
            return 0.0
        size = self.text.get_text_width_height_descent(text, self.font, ismath=False)
        return size[0] / 72 * (1 + HINTING)  # points in an inch

    def _set_columns(self) -> None:
        """Set the widths of the boxes of every column, and of what follows a box."""
        column = self.layout.column
        names = np.zeros(column.max(initial=0) + 1)
        more = np.zeros_like(names)
        # not strict: the names are those of labels, behind which come passages
        for name, text, k in zip(self.names, self.more, column, strict=False):
            names[k] = max(names[k], self._measure(name))
            more[k] = max(more[k], self._measure(text))
        self.before = BADGE + PAD if self._legend() else PAD  # the name
        number = 0.0
        if self.figures is not None:
            number = (
                PAD + 0.12 + max(map(self._measure, self.figures.texts()), default=0.0)
            )
        self.box_width = self.before + names + number + PAD
        self.column_width = self.box_width + np.where(more > 0, more + PAD, 0)

    def _set_size(self) -> None:
        """Set the left end of every column, and the size of the whole."""
        starts = np.cumsum([0.0, *(self.column_width[:-1] + GAP)])
        content = starts[-1] + self.column_width[-1]
        legend = sum(self._legend_width(name) for name, _ in self._legend())
        below = self._measure(self.note)
        if any(self.broken):
            below += self._legend_width(BROKEN)
        footer = max(legend, below)
        if self.figures is not None:
            footer += GAP + BAR
        title = TITLE * max(map(self._measure, self.title), default=0.0)
        self.width = max(content, footer, title) + 2 * MARGIN
        self.left = starts + (self.width - content) / 2
        rows = self.layout.row.max(initial=0) + 1
        self.top = MARGIN + TITLE_ROW * len(self.title)
        self.height = self.top + rows * ROW + MARGIN
        if footer:
            self.height += (
                FOOTER if self._legend() or self.figures is not None else NOTE
            )
        if max(self.width, self.height) > LONGEST_SIDE:
            raise ValueError(
                f"{len(self.names)} labels need a picture of {self.width:.0f} x "
                f"{self.height:.0f} inches, expected at most {LONGEST_SIDE:.0f}. "
                f"{FEWER}."
            )

    def draw(self, ax: Axes, cmap: str | Colormap | None, colorbar: bool) -> None:
        """Draw everything on an axes, scaled to fit it."""
        self.ax = ax
        figure = ax.get_figure(root=True)  # the top one, not a subfigure
        assert figure is not None  # which only axes that were removed lack
        self.figure = figure
        self._set_scale()
        ax.set(xlim=(0, self.width), ylim=(0, self.height), aspect="equal")
        self.numbers = [""] * len(self.names)
        if self.figures is not None:
            self.mappable = self.figures.mappable(cmap)
            self.fills = self.mappable.to_rgba(self.figures.masked())
            self.numbers = self.figures.texts()
        self._draw_edges()
        for label, name in enumerate(self.names):
            self._draw_label(label, name)
        self._draw_title()
        self._draw_legend()
        if colorbar and self.figures is not None:
            self._draw_bar(self.figures)

    def _set_scale(self) -> None:
        """Set the scale of text and lines; refuse axes in which nobody could read."""
        self.ax.set_axis_off()  # first: ticks take space
        if self.figure.get_layout_engine() is not None:
            self.figure.draw_without_rendering()  # places the axes
        size = np.array(self.ax.get_window_extent().size) / self.figure.dpi
        self.scale = min(size / np.array([self.width, self.height]))
        if self.scale * FONT_SIZE < SMALLEST:
            width, height = size
            raise ValueError(
                f"{len(self.names)} labels need {self.width:.1f} x {self.height:.1f} "
                f"inches, the axes have {width:.1f} x {height:.1f}: text of "
                f"{self.scale * FONT_SIZE:.1f} points is too small to read. Leave out "
                f"ax, pass a larger one, or show fewer labels: {FEWER}."
            )

    def _ends(self, node: int) -> tuple[float, float, float]:
        """Return left end, right end and height of a node."""
        k = self.layout.column[node]
        y = self.height - self.top - (self.layout.row[node] + 0.5) * ROW
        return self.left[k], self.left[k] + self.box_width[k], y

    def _draw_edges(self) -> None:
        """Draw the links of all edges, plain ones first; shared ones once."""
        rank: dict[tuple[int, int], int] = {}  # of every link, its place in EDGES
        for chain, broken in zip(self.layout.chains, self.broken, strict=True):
            marked = all(True in self.kinds[end] for end in (chain[0], chain[-1]))
            now = 2 if broken else int(marked)
            for link in zip(chain, chain[1:], strict=False):
                # what several edges share shows the one that matters most
                rank[link] = max(rank.get(link, now), now)
        for link in sorted(rank, key=rank.__getitem__):
            self._stroke(self._curve(*link), *EDGES[rank[link]])

    def _stroke(self, path: Path, colour: str, width: float, dashes: Any) -> None:
        patch = _load("matplotlib.patches").PathPatch(
            path, ec=colour, fc="none", lw=width * self.scale, linestyle=dashes
        )
        self.ax.add_patch(patch)

    def _curve(self, left: int, right: int) -> Path:
        """Return the path of a link, and through its left node when a passage."""
        start, a, y = self._ends(left)
        b, _, z = self._ends(right)
        if left < len(self.names):  # else a passage, which has no box to begin behind
            start = a
            if self.more[left]:
                start += PAD + self._measure(self.more[left]) + PAD / 2
        k = self.layout.column[left]
        end = self.left[k] + self.column_width[k]
        middle = (end + b) / 2
        # straight on as far as its column goes, past what is written there
        points = [(start, y), (max(start, end), y), (middle, y), (middle, z), (b, z)]
        # codes of matplotlib's Path: 1 moves there, 2 draws a line, three 4 a curve
        return _load("matplotlib.path").Path(points, [1, 2, 4, 4, 4])

    def _draw_label(self, label: int, name: str) -> None:
        x, right, y = self._ends(label)
        fill: Any = PLAIN
        if self.figures is not None:
            fill = self.fills[label]
        kind = KINDS.get(self.kinds[label], ("", OTHER))[1]
        self._draw_box(x, y, right - x, fill, kind)
        # the share of light that the eye sees of red, green and blue
        is_dark = np.dot(fill[:3], (0.299, 0.587, 0.114)) < 0.55
        style = {"color": "white" if is_dark else "#1a1a1a", "va": "center_baseline"}
        self._write(x + self.before, y, name, **style)
        if self.numbers[label]:
            self._write(right - PAD, y, self.numbers[label], ha="right", **style)
        if self.more[label]:
            style["color"] = "#555555"
            self._write(right + PAD, y, self.more[label], **style)

    def _draw_box(
        self, x: float, y: float, width: float, fill: Any, kind: Kind
    ) -> None:
        patches = _load("matplotlib.patches")
        scale = self.scale
        box = patches.FancyBboxPatch(
            (x, y - BOX / 2),
            width,
            BOX,
            boxstyle=patches.BoxStyle("Round", pad=0, rounding_size=0.06),
            fc=fill,
            ec=kind.colour,
            lw=kind.width * scale,
            linestyle=kind.style,
            zorder=2,
        )
        self.ax.add_patch(box)
        if kind.badge is None:
            return
        centre = np.array([x + PAD / 2 + BADGE / 2, y])
        radius = 0.075
        disc = patches.Circle(centre, radius, fc="white", ec="none", zorder=3)
        self.ax.add_patch(disc)
        points = centre + np.array(kind.badge.points) * radius
        path = _load("matplotlib.path").Path(points, kind.badge.codes)
        style = {"ec": kind.colour, "fc": "none", "lw": 1.5 * scale, "zorder": 4}
        self.ax.add_patch(patches.PathPatch(path, capstyle="round", **style))

    def _draw_title(self) -> None:
        style: dict[str, Any] = {"ha": "center", "va": "center_baseline"}
        style |= {"color": "#1a1a1a", "size": TITLE * FONT_SIZE * self.scale}
        for k, line in enumerate(self.title):
            y = self.height - MARGIN - (k + 0.35) * TITLE_ROW
            self._write(self.width / 2, y, line, **style)

    def _write(self, x: float, y: float, text: str, **style: Any) -> None:
        style = {"size": FONT_SIZE * self.scale} | style
        self.ax.text(x, y, text, parse_math=False, zorder=5, **style)

    def _legend(self) -> list[tuple[str, Kind]]:
        """Return the kinds of label that are there, in the order of KINDS."""
        return [KINDS[key] for key in KINDS if key in self.kinds]

    def _legend_width(self, name: str) -> float:
        return BADGE + 4 * PAD + self._measure(name)

    def _draw_legend(self) -> None:
        """Write what outlines and broken edges mean, and below them the note."""
        x = MARGIN
        y = MARGIN + 0.4
        style = {"va": "center_baseline", "color": "#333333"}
        for name, kind in self._legend():
            self._draw_box(x, y, BADGE + PAD, "white", kind)
            self._write(x + BADGE + 2 * PAD, y, name, **style)
            x += self._legend_width(name)
        x = MARGIN
        y = MARGIN + 0.1
        if any(self.broken):
            path = _load("matplotlib.path").Path([(x, y), (x + BADGE + PAD, y)])
            self._stroke(path, *EDGES[2])
            self._write(x + BADGE + 2 * PAD, y, BROKEN, **style)
            x += self._legend_width(BROKEN)
        if self.note:
            self._write(x, y, self.note, **style)

    def _draw_bar(self, figures: Figures) -> None:
        """Draw the colour bar in the lower right corner."""
        corner = (self.width - MARGIN - BAR, MARGIN + 0.32)
        extent = (*corner, BAR, 0.1)
        bar = self.ax.inset_axes(extent, transform=self.ax.transData)
        self.figure.colorbar(self.mappable, cax=bar, orientation="horizontal")
        size = (FONT_SIZE - 1) * self.scale
        bar.set_xlabel(figures.name, size=size, labelpad=1)
        bar.set_xticks(figures.ticks(), figures.tick_texts(), size=size)
        bar.minorticks_off()
        bar.tick_params(length=2 * self.scale, pad=1.5 * self.scale)

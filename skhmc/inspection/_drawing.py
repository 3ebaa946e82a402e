"""Drawing of laid-out labels with matplotlib; lengths in inches at full size."""

from collections import namedtuple

import numpy as np

from skhmc._utils.optional import import_optional

__all__ = ["KINDS", "Scene", "shorten"]

ROW, BOX, GAP, PAD = 0.31, 0.235, 0.75, 0.09  # row and box height, between columns
BADGE, FOOTER, BAR, MARGIN = 0.2, 0.72, 1.5, 0.15
FONT_SIZE, LONGEST = 9.0, 34  # points, characters
CALLER, EXTRA = "HierarchyDisplay.plot", "plot"

Kind = namedtuple("Kind", "colour style width badge")
CHECK = ((-0.5, 0.0), (-0.12, -0.4), (0.55, 0.45)), (1, 2, 2)
CROSS = ((-0.4, -0.4), (0.4, 0.4), (-0.4, 0.4), (0.4, -0.4)), (1, 2, 1, 2)
MINUS = ((-0.45, 0.0), (0.45, 0.0)), (1, 2)
KINDS = {  # what a label is, by (predicted, true); None is not known
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
BROKEN = "child predicted without its parent"
EDGES = (  # colour, width and dashes: plain, between marked labels, broken
    ("#d0d0d0", 0.8, "-"),
    ("#555555", 1.2, "-"),
    ("#c4161c", 1.6, (0, (3, 1.5))),
)


def _load(module):
    return import_optional(module, CALLER, EXTRA)


def shorten(name):
    """Return a name of at most LONGEST characters: a long one loses its middle."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 + 1 :]}"


class Scene:
    """What is drawn, and where: every length is known before there is an axes.

    Parameters
    ----------
    layout : Layout
        Of the labels drawn.
    names : list of str
        Their names.
    proba : ndarray of shape (n_labels,)
        Their probabilities.
    kinds : list of (bool or None, bool or None)
        For every label whether it is predicted, and true; None is not known.
    note : str
        A line below the picture.
    """

    def __init__(self, layout, names, proba, kinds, note=""):
        self.layout, self.proba, self.kinds, self.note = layout, proba, kinds, note
        self.names = [shorten(str(name)) for name in names]
        self.text = _load("matplotlib.textpath").text_to_path
        font = _load("matplotlib.font_manager").FontProperties(size=FONT_SIZE)
        self.measure = lambda text: (
            self.text.get_text_width_height_descent(text, font, ismath=False)[0] / 72
        )
        self.broken = [
            kinds[chain[0]][0] is False and kinds[chain[-1]][0] is True
            for chain in layout.chains
        ]
        self._set_columns(note)

    def _set_columns(self, note):
        """Set every column's left end and width, and the size of the whole."""
        column, number = self.layout.column, self.measure("0.00")
        widths = np.zeros(column.max(initial=0) + 1)
        for name, k in zip(self.names, column, strict=False):
            widths[k] = max(widths[k], self.measure(name))
        self.box_width = BADGE + widths + 2 * PAD + number + 0.12
        starts = np.cumsum([0.0, *(self.box_width[:-1] + GAP)])
        content = starts[-1] + self.box_width[-1]
        legend = sum(self._legend_width(name) for name, _ in self._legend())
        below = self.measure(note) + any(self.broken) * self._legend_width(BROKEN)
        self.width = max(content, max(legend, below) + GAP + BAR) + 2 * MARGIN
        self.left = starts + (self.width - content) / 2
        rows = self.layout.row.max(initial=0) + 1
        self.height = rows * ROW + FOOTER + 2 * MARGIN

    def draw(self, ax, cmap, colorbar):
        """Draw everything on an axes, scaled to fit it."""
        size = ax.get_window_extent().size / ax.get_figure(root=True).dpi
        self.scale = min(size / (self.width, self.height))
        ax.set(xlim=(0, self.width), ylim=(0, self.height), aspect="equal")
        ax.set_axis_off()
        self.ax = ax
        self.mappable = _load("matplotlib.cm").ScalarMappable(
            _load("matplotlib.colors").Normalize(0, 1), cmap
        )
        self._draw_edges()
        for label, name in enumerate(self.names):
            self._draw_label(label, name)
        self._draw_legend()
        if colorbar:
            self._draw_bar()

    def _ends(self, node):
        """Return left end, right end and height of a node."""
        k = self.layout.column[node]
        y = self.height - MARGIN - (self.layout.row[node] + 0.5) * ROW
        return self.left[k], self.left[k] + self.box_width[k], y

    def _draw_edges(self):
        """Draw the links of all edges, plain ones first; shared ones once."""
        style = {}
        for chain, broken in zip(self.layout.chains, self.broken, strict=True):
            marked = all(True in self.kinds[end] for end in (chain[0], chain[-1]))
            for link in zip(chain, chain[1:], strict=False):
                now = EDGES[2 if broken else int(marked)]
                style[link] = max(style.get(link, now), now, key=EDGES.index)
        for link in sorted(style, key=lambda link: EDGES.index(style[link])):
            self._stroke(self._curve(*link), *style[link])

    def _stroke(self, path, colour, width, dashes):
        patch = _load("matplotlib.patches").PathPatch(
            path, ec=colour, fc="none", lw=width * self.scale, linestyle=dashes
        )
        self.ax.add_patch(patch)

    def _curve(self, left, right):
        """Return the path of a link, and through its left node when a passage."""
        start, a, y = self._ends(left)
        b, _, z = self._ends(right)
        middle = (a + b) / 2
        points, codes = [(a, y), (middle, y), (middle, z), (b, z)], [1, 4, 4, 4]
        if left >= len(self.names):
            points, codes = [(start, y), *points], [1, 2, 4, 4, 4]
        return _load("matplotlib.path").Path(points, codes)

    def _draw_label(self, label, name):
        x, right, y = self._ends(label)
        fill = self.mappable.to_rgba(self.proba[label])
        kind = KINDS.get(self.kinds[label], ("", OTHER))[1]
        self._draw_box(x, y, right - x, fill, kind)
        dark = np.dot(fill[:3], (0.299, 0.587, 0.114)) < 0.55
        style = {"color": "white" if dark else "#1a1a1a", "va": "center_baseline"}
        self._write(x + BADGE + PAD, y, name, **style)
        number = f"{self.proba[label]:.2f}"
        self._write(right - PAD, y, number, ha="right", **style)

    def _draw_box(self, x, y, width, fill, kind):
        patches, scale = _load("matplotlib.patches"), self.scale
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
        centre, radius = np.array([x + PAD / 2 + BADGE / 2, y]), 0.075
        disc = patches.Circle(centre, radius, fc="white", ec="none", zorder=3)
        self.ax.add_patch(disc)
        points, codes = np.array(kind.badge[0]), kind.badge[1]
        path = _load("matplotlib.path").Path(centre + points * radius, codes)
        style = {"ec": kind.colour, "fc": "none", "lw": 1.5 * scale, "zorder": 4}
        self.ax.add_patch(patches.PathPatch(path, capstyle="round", **style))

    def _write(self, x, y, text, size=FONT_SIZE, **style):
        size = size * self.scale
        self.ax.text(x, y, text, size=size, parse_math=False, zorder=5, **style)

    def _legend(self):
        return [KINDS[key] for key in KINDS if key in self.kinds]

    def _legend_width(self, name):
        return BADGE + 4 * PAD + self.measure(name)

    def _draw_legend(self):
        """Write what outlines and broken edges mean, and below them the note."""
        x, y = MARGIN, MARGIN + 0.4
        style = {"va": "center_baseline", "color": "#333333"}
        for name, kind in self._legend():
            self._draw_box(x, y, BADGE + PAD, "white", kind)
            self._write(x + BADGE + 2 * PAD, y, name, **style)
            x += self._legend_width(name)
        x, y = MARGIN, MARGIN + 0.1
        if any(self.broken):
            path = _load("matplotlib.path").Path([(x, y), (x + BADGE + PAD, y)])
            self._stroke(path, *EDGES[2])
            self._write(x + BADGE + 2 * PAD, y, BROKEN, **style)
            x += self._legend_width(BROKEN)
        self._write(x, y, self.note, **style)

    def _draw_bar(self):
        """Draw the colour bar in the lower right corner."""
        x, y = self.width - MARGIN - BAR, MARGIN + 0.32
        bar = self.ax.inset_axes([x, y, BAR, 0.1], transform=self.ax.transData)
        figure = self.ax.get_figure(root=True)
        figure.colorbar(self.mappable, cax=bar, orientation="horizontal")
        size = (FONT_SIZE - 1) * self.scale
        bar.set_xlabel("probability", size=size, labelpad=1)
        bar.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], size=size)
        bar.tick_params(length=2 * self.scale, pad=1.5 * self.scale)

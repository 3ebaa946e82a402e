"""Icicles: every label a box, to the right of its parent, as high as it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skhmc._utils.optional import import_optional
from skhmc.hierarchy import Hierarchy

__all__ = ["FONT", "UNDEFINED", "Icicle", "Measure", "is_light"]

FONT = 8.0  # points
LEAST_FONT = 6.5
LINE = 1.3  # height of a line, in that of its letters
PAD = 0.035  # left and right of a name, in the width of a column
BOX = 0.98  # width of a box, in that of its column
HINTING = 1.04  # how much wider text on a screen may be than its outlines
MANY = 200  # labels, beyond which the lines between boxes are thin
MOST_INCHES = 11.0  # of height, whatever the number of labels
FEWEST_LETTERS = 4  # of a name that is cut
UNDEFINED = "#d9d9d9"


class Measure:
    """Measures texts before they are drawn.

    Parameters
    ----------
    caller : str
        What needs matplotlib, for the message where it is not installed.
    """

    def __init__(self, caller: str) -> None:
        self.text = import_optional("matplotlib.textpath", caller, "plot").text_to_path
        manager = import_optional("matplotlib.font_manager", caller, "plot")
        self.font = manager.FontProperties(size=FONT)

    def width(self, text: str) -> float:
        """Return the width of a text, in the height of its letters."""
        size = self.text.get_text_width_height_descent(text, self.font, ismath=False)
        return float(size[0]) / FONT * HINTING

    def cut(self, text: str, width: float) -> str:
        """Return a text, or its beginning and "…"; "" where too little would be left.

        Parameters
        ----------
        text : str
        width : float
            The room, in the height of letters.
        """
        if self.width(text) <= width:
            return text
        low, high = 0, len(text)  # letters that fit, and that do not
        while high - low > 1:
            middle = (low + high) // 2
            fits = self.width(f"{text[:middle].rstrip()}…") <= width
            low, high = (middle, high) if fits else (low, middle)
        return f"{text[:low].rstrip()}…" if low >= FEWEST_LETTERS else ""

    def wrap(self, text: str, width: float, n_lines: int) -> list[str]:
        """Return a text in lines, of which the last is cut where more are needed.

        A word that is too long for a line is cut, and nothing follows it.
        """
        lines: list[str] = []
        words = text.split()
        while words and len(lines) < n_lines - 1:
            line = words.pop(0)
            if self.width(line) > width:
                words.insert(0, line)
                break
            while words and self.width(f"{line} {words[0]}") <= width:
                line = f"{line} {words.pop(0)}"
            lines.append(line)
        if words:
            lines.append(self.cut(" ".join(words), width))
        return [line for line in lines if line]


class Icicle:
    """Where the boxes of labels are, and what is written into them.

    A label with several parents is drawn once, at the first of the deepest ones.

    Parameters
    ----------
    hierarchy : Hierarchy
    need : ndarray of shape (n_labels,)
        Height that every label needs by itself, in any unit; it is at least as high as
        its children together.
    """

    def __init__(self, hierarchy: Hierarchy, need: np.ndarray) -> None:
        self.hierarchy = hierarchy
        self.n_levels = len(hierarchy.levels)
        self.left = np.asarray(hierarchy.depth, dtype=float)
        places = _places(hierarchy, np.array(need, dtype=float))
        self.top, self.height, self.total = places

    def figure_size(self) -> tuple[float, float]:
        """Return width and height, in inches, in which it can be read."""
        inches = min(MOST_INCHES, 1.2 + 0.24 * len(self.hierarchy.leaves))
        return min(18, 2.5 + 2.2 * self.n_levels), max(3.0, inches)

    def corners(self) -> np.ndarray:
        """Return the corners of all boxes (n_labels, 4, 2): columns, and 0 to 1."""
        pairs = ((0, 0), (BOX, 0), (BOX, 1), (0, 1))
        return np.stack(
            [
                np.column_stack([self.left + dx, self.top + dy * self.height])
                for dx, dy in pairs
            ],
            axis=1,
        )

    def draw(self, ax: Any, caller: str, **colours: Any) -> Any:
        """Draw the boxes, and return them as a collection.

        Parameters
        ----------
        ax : matplotlib Axes
        caller : str
            What needs matplotlib.
        **colours : dict
            Options of PolyCollection that say how boxes are filled.
        """
        collections = import_optional("matplotlib.collections", caller, "plot")
        boxes = collections.PolyCollection(
            self.corners(),
            linewidths=0.15 if self.hierarchy.n_labels > MANY else 0.8,
            **{"edgecolors": "white"} | colours,
        )
        ax.add_collection(boxes)
        ax.set(xlim=(0, self.n_levels), ylim=(1, 0), yticks=[])
        for side in ax.spines.values():
            side.set_visible(False)
        return boxes

    def write_heads(self, ax: Any, said: Sequence[str] | None = None) -> None:
        """Write depth and number of labels above every column, and what is said."""
        heads = []
        for depth, labels in enumerate(self.hierarchy.levels):
            noun = "label" if len(labels) == 1 else "labels"
            more = f"\n{said[depth]}" if said and said[depth] else ""
            heads.append(f"depth {depth}\n{len(labels):,} {noun}{more}")
        ax.set_xticks(np.arange(len(heads)) + BOX / 2, heads, fontsize=FONT)
        ax.tick_params(axis="x", length=0, labeltop=True, labelbottom=False)

    def write(
        self,
        ax: Any,
        caller: str,
        names: Sequence[str],
        numbers: Sequence[str],
        fills: np.ndarray,
    ) -> None:
        """Write names and numbers into the boxes that have room for them.

        A name that is too long for one line is broken into several where the box is
        high enough, written smaller, or cut.

        Parameters
        ----------
        ax : matplotlib Axes
            With the boxes drawn.
        caller : str
            What needs matplotlib.
        names, numbers : sequence of str
            What is written in every box: the number last.
        fills : ndarray of shape (n_labels, 4)
            Colours of the boxes.
        """
        measure = Measure(caller)
        figure = ax.get_figure(root=True)
        figure.draw_without_rendering()  # sizes are known only then
        extent = ax.get_window_extent()
        points = 72 / figure.dpi
        heights = self.height * extent.height * points
        room = (BOX - 2 * PAD) * extent.width * points / self.n_levels
        for label in np.flatnonzero(heights >= LEAST_FONT * LINE).tolist():
            given = names[label], numbers[label], room, heights[label]
            text, size = _fitted(measure, *given)
            if text:
                ax.text(
                    self.left[label] + PAD,
                    self.top[label] + self.height[label] / 2,
                    text,
                    fontsize=size,
                    va="center",
                    linespacing=1.1,
                    parse_math=False,
                    color="black" if is_light(fills[label]) else "white",
                    clip_on=True,
                )


def _fitted(
    measure: Measure, name: str, number: str, room: float, height: float
) -> tuple[str, float]:
    """Return what is written into a box, and the size of its letters."""
    whole = f"{name}  {number}" if number else name
    size = min(FONT, height / LINE)
    if measure.width(whole) * size <= room:
        return whole, size
    n_lines = int(height / (LINE * size))
    if n_lines >= 2:
        lines = measure.wrap(name, room / size, n_lines - bool(number))
        return "\n".join([*lines, number] if number else lines), size
    size = max(LEAST_FONT, min(size, room / measure.width(whole)))
    end = f"  {number}" if number else ""
    name = measure.cut(name, room / size - (measure.width(end) if end else 0))
    return (f"{name}{end}" if name else ""), size


def is_light(colour: Sequence[float]) -> bool:
    """Tell whether black is easier to read on a colour than white."""
    red, green, blue = colour[:3]
    return bool(0.299 * red + 0.587 * green + 0.114 * blue > 0.5)


def _places(
    hierarchy: Hierarchy, need: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the top and the height of every label's box, between 0 and 1.

    Last is the height of all, in the unit of ``need``.

    Boxes of a label's children stand inside its height, in the order of the labels.
    """
    n_labels = hierarchy.n_labels
    depth = np.asarray(hierarchy.depth)
    first = np.full(n_labels, -1)
    parent, child = hierarchy.edges[::-1].T  # so that the first parent comes last
    near = depth[child] == depth[parent] + 1
    first[child[near]] = parent[near]
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
            above = first[label]
            top[label] = top[above] + before[above]
            before[above] += need[label]
    return top / start, need / start, start

"""What the colours of labels say: probabilities, frequencies, errors, violations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skhmc._utils.optional import import_optional
from skhmc.hierarchy import Hierarchy

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

__all__ = ["COLOURS", "Figures", "find_figures"]

# what colours may say, and the colours: unlike those of the signs beside them
COLOURS = {
    "proba": "Blues",
    "frequency": "PuBu",
    "error": "Greys",
    "violation": "Reds",
}
UNKNOWN = "#e8e8e8"


class Figures(NamedTuple):
    """A number of every label, and how it is drawn.

    Parameters
    ----------
    values : ndarray of shape (n_labels,)
        NaN is not known.
    name : str
        What the numbers are.
    cmap : str
        Their colours.
    high : float
        Greatest value of the scale; the least is 0, or 1 on a logarithmic scale.
    is_count : bool
        Whether the numbers are counts, on a logarithmic scale.
    """

    values: np.ndarray
    name: str
    cmap: str
    high: float = 1.0
    is_count: bool = False

    def of(self, labels: np.ndarray) -> Figures:
        """Return the figures of some labels, on the same scale."""
        return self._replace(values=self.values[labels])

    def masked(self) -> np.ma.MaskedArray:
        """Return the values that have a colour."""
        hidden = np.isnan(self.values) | (self.is_count & (self.values < 1))
        return np.ma.masked_array(self.values, hidden)

    def texts(self) -> list[str]:
        """Return what is written into the boxes: "" where nothing is known."""
        return ["" if np.isnan(x) else self._text(x) for x in self.values]

    def _text(self, value: float) -> str:
        return f"{value:,.0f}" if self.is_count else f"{value:.2f}"

    def mappable(self, cmap: str | Colormap | None) -> Any:
        """Return what makes colours of values, for colour bars too."""
        caller = "HierarchyDisplay.plot"
        cm = import_optional("matplotlib.cm", caller, "plot")
        colors = import_optional("matplotlib.colors", caller, "plot")
        plt = import_optional("matplotlib.pyplot", caller, "plot")
        norm = colors.Normalize(0, self.high)
        if self.is_count:
            norm = colors.LogNorm(1, self.high)
        found = plt.get_cmap(self.cmap if cmap is None else cmap)
        return cm.ScalarMappable(norm, found.with_extremes(bad=UNKNOWN))

    def ticks(self) -> list[float]:
        """Return where a colour bar has ticks."""
        middle = np.sqrt(self.high) if self.is_count else self.high / 2
        return [1.0 if self.is_count else 0.0, float(middle), self.high]

    def tick_texts(self) -> list[str]:
        """Return what the ticks say."""
        if self.is_count:
            return [f"{x:,.0f}" for x in self.ticks()]
        return [f"{x:.2g}" for x in self.ticks()]


def find_figures(
    color_by: str | None,
    hierarchy: Hierarchy,
    proba: np.ndarray | None,
    y_true: np.ndarray | None,
    frequency: np.ndarray | None,
) -> Figures | None:
    """Return what the colours of a sample's labels say; None for no colours.

    Parameters
    ----------
    color_by : {"proba", "frequency", "error", "violation"} or None
        None: probabilities where there are some, else frequencies.
    hierarchy : Hierarchy
    proba, y_true, frequency : ndarray of shape (n_labels,) or None

    Raises
    ------
    ValueError
        When it is none of these, or needs something that is not there.
    """
    if color_by is None:
        if proba is None and frequency is None:
            return None
        color_by = "frequency" if proba is None else "proba"
    if color_by not in COLOURS:
        raise ValueError(
            f"color_by must be one of {tuple(COLOURS)}, or None to choose by what "
            f"there is, got {color_by!r}."
        )
    needs: dict[str, Any] = {"frequency": frequency}
    if color_by != "frequency":
        needs = {"proba": proba}
    if color_by == "error":
        needs["y_true"] = y_true
    missing = [name for name, values in needs.items() if values is None]
    if missing:
        raise ValueError(
            f"color_by={color_by!r} needs {' and '.join(missing)}, which this display "
            f"does not have. Pass {' and '.join(f'{name}=' for name in missing)}."
        )
    return _made(color_by, hierarchy, proba, y_true, frequency)


def _made(
    color_by: str, hierarchy: Hierarchy, proba: Any, y_true: Any, frequency: Any
) -> Figures:
    cmap = COLOURS[color_by]
    if color_by == "frequency":
        high = float(max(np.nanmax(frequency, initial=0), 2))
        if (frequency > 1).any():
            return Figures(frequency, "samples", cmap, high, True)
        return Figures(frequency, "share of samples", cmap)
    if color_by == "error":
        return Figures(np.abs(proba - y_true), "|probability - truth|", cmap)
    if color_by == "violation":
        parent, child = hierarchy.edges.T
        excess = np.zeros(hierarchy.n_labels)
        np.maximum.at(excess, child, proba[child] - proba[parent])
        high = float(excess.max(initial=0)) or 1.0
        return Figures(excess, "excess over parent", cmap, high)
    return Figures(proba, "probability", cmap)

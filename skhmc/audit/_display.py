"""SuggestionDisplay: missing paths, the most probable first."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from skhmc._utils.optional import import_optional
from skhmc.hierarchy import term_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SuggestionDisplay"]

JOIN = " › "
LONGEST = 50  # letters of a path
COLOUR = "#d55e00"


class SuggestionDisplay:
    """Bars of missing paths, the most probable first.

    Every bar is a sample with a path of labels: those in brackets are missing, the
    others are annotated.

    Parameters
    ----------
    suggestions : DataFrame or dict
        Table that :meth:`MissingAnnotationDetector.suggestions` returns.
    names : mapping, default=None
        Text that is drawn for a label, by label, such as ``names`` of an ontology.
        If None, the labels are drawn themselves.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        The bars, from the top.
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")  # no window
    >>> from skhmc.audit import SuggestionDisplay
    >>> suggestions = {
    ...     "sample": ["image 7"],
    ...     "score": [0.8],
    ...     "missing": [("cat", "tabby")],
    ...     "above": [("mammal",)],
    ... }
    >>> display = SuggestionDisplay(suggestions).plot()
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['image 7:  mammal › [cat › tabby]']
    """

    bars_: Any
    ax_: Axes
    figure_: Any

    def __init__(
        self, suggestions: Any, *, names: Mapping[Hashable, str] | None = None
    ) -> None:
        self.suggestions = suggestions
        self.names = names

    @classmethod
    def from_detector(
        cls, detector: Any, *, n_suggestions: int = 20, ax: Axes | None = None
    ) -> SuggestionDisplay:
        """Draw the suggestions of a fitted detector.

        Terms of an ontology are written by their names.

        Parameters
        ----------
        detector : MissingAnnotationDetector
            Detector that is fitted.
        n_suggestions : int, default=20
            Largest number of bars.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure.

        Returns
        -------
        SuggestionDisplay
            The display, drawn.
        """
        suggestions = detector.suggestions(n_suggestions)
        names = term_names(detector.hierarchy_)
        return cls(suggestions, names=names).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> SuggestionDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a figure of the size that the bars need.

        Returns
        -------
        SuggestionDisplay
            The display itself, with ``bars_``, ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            When matplotlib is not installed.
        """
        columns = ("sample", "score", "missing", "above")
        rows = list(zip(*(self.suggestions[name] for name in columns), strict=True))
        if ax is None:
            plt = import_optional("matplotlib.pyplot", "SuggestionDisplay.plot", "plot")
            size = (11, 1.0 + 0.3 * max(len(rows), 1))
            _, ax = plt.subplots(figsize=size, layout="constrained")
        names = [_path(row[0], *map(self._called, row[2:])) for row in rows]
        scores = [float(score) for _, score, *_ in rows]
        places = list(range(len(rows)))
        self.bars_ = ax.barh(places, scores, color=COLOUR, height=0.7)
        ax.bar_label(self.bars_, fmt="%.2f", padding=3)
        ax.set_yticks(places, names)
        ax.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, 1.15), xlabel="score")
        self.ax_ = ax
        self.figure_ = ax.get_figure(root=True)
        return self

    def _called(self, labels: tuple) -> list[str]:
        return [str((self.names or {}).get(label, label)) for label in labels]


def _path(sample: Any, missing: list[str], above: list[str]) -> str:
    """Return a sample and a path as text; a long one loses its first labels."""
    names = [_shortened(name) for name in [*above, *missing]]
    first = 0  # that is shown
    while first < len(names) - 1 and len(JOIN.join(names[first:])) > LONGEST:
        first += 1
    there, gone = names[first : len(above)], names[max(first, len(above)) :]
    if first:
        (there if first <= len(above) else gone).insert(0, "…")
    return f"{sample}:  {JOIN.join([*there, f'[{JOIN.join(gone)}]'])}"


def _shortened(name: str) -> str:
    """Return a name of at most LONGEST letters: a long one loses its middle."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2]}…{name[1 - LONGEST // 2 :]}"

"""TrainingHistoryDisplay: what a fit recorded, over its epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skhmc._data.responses import find
from skhmc._utils.messages import name_list
from skhmc._utils.optional import import_optional

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["TrainingHistoryDisplay"]

# panel: (what its y-axis says, how the keys of its lines begin, key of the main line)
PANELS = {
    "loss": ("loss", "loss_", "train_loss"),
    "weight": ("task weight", "weight_", None),
    "score": ("validation score", "valid_score", "valid_score"),
}
NAMES = {"train_loss": "training loss", "valid_score": "validation score"}
MAIN = "#222222"  # colour of the main line of a panel
WIDER = 4 / 3  # width of the main line, in that of the others
WIDTH = 4.4  # inches of a panel in a figure of our own
HEIGHT = 3.6
MOST_ROWS = 8  # of a legend
FEW = 25  # epochs up to which every one has a mark


def _read(history: Any) -> list[dict[str, Any]]:
    """Return one dict per epoch of a list of them or a DataFrame."""
    if hasattr(history, "to_dict"):
        history = history.to_dict("records")
    rows = list(history) if isinstance(history, Iterable) else None
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(
            f"history must hold one dict per epoch, at least one, got {history!r}. "
            f"Pass the history_ of a fitted estimator."
        )
    return rows


def _name(key: str) -> str:
    """Return what the legend says of a key: "depth 0" of "loss_depth_0"."""
    return NAMES.get(key) or key.partition("_")[2].replace("_", " ")


class TrainingHistoryDisplay:
    """What a fit recorded, drawn over its epochs.

    Up to three panels: the training loss and its parts, the weights of the tasks, and
    the validation score of ``early_stopping=True``, with a circle at its best epoch.
    Values that were not recorded have no panel. Of skhmc's networks only
    :class:`skhmc.HCALClassifier` has task weights.

    :meth:`from_estimator` draws at once; :meth:`plot` draws again.

    Parameters
    ----------
    history : list of dict, or DataFrame
        One row per epoch, like ``history_`` of fitted networks. Drawn are
        ``train_loss``, all names that begin with ``loss_`` or ``weight_``, and
        ``valid_score``. ``epoch`` numbers the rows; without it they count from 1.

    Attributes
    ----------
    panels_ : list of {"loss", "weight", "score"}
        The panels that the history has data for, in the order drawn.
    axes_ : ndarray of shape (n_panels,) of matplotlib Axes
        The axes drawn on, one per panel.
    figure_ : matplotlib Figure
        The figure that holds them.
    lines_ : dict of str to matplotlib Line2D
        The lines, by the keys of ``history``.

    Raises
    ------
    ValueError
        When the history is empty, or has nothing to draw.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")  # no window
    >>> from skhmc import HCALClassifier
    >>> from skhmc.inspection import TrainingHistoryDisplay
    >>> X, Y = [[0.0], [1.0], [2.0]], [[0, 0], [1, 0], [1, 1]]
    >>> clf = HCALClassifier([(0, 1)], hidden_layer_sizes=(4,), max_iter=3)
    >>> display = TrainingHistoryDisplay.from_estimator(clf.fit(X, Y))
    >>> display.panels_
    ['loss', 'weight']
    >>> [text.get_text() for text in display.axes_[1].get_legend().get_texts()]
    ['depth 0', 'depth 1']
    >>> display.figure_.savefig("training.png")  # doctest: +SKIP
    """

    axes_: np.ndarray
    figure_: Any
    lines_: dict[str, Any]

    def __init__(self, history: Any) -> None:
        self.history = _read(history)
        self.panels_ = [name for name in PANELS if self._keys(name)]
        if not self.panels_:
            found = name_list(self.history[0])
            raise ValueError(
                f"history has nothing to draw, expected train_loss, valid_score or "
                f"what begins with loss_ or weight_, got {found}. Pass the history_ "
                f"of a fitted estimator."
            )

    @classmethod
    def from_estimator(
        cls, estimator: Any, **plot_options: Any
    ) -> TrainingHistoryDisplay:
        """Draw how a fitted network was trained.

        Parameters
        ----------
        estimator : fitted network
            A fitted :class:`skhmc.HCALClassifier`, :class:`skhmc.HyperbolicHMC` or
            :class:`skhmc.MaxConstraintClassifier`, alone, at the end of a Pipeline, in
            a search, or inside another classifier that has fitted it once.
        **plot_options
            Options of :meth:`plot`: ``ax``, ``panels``, ``cmap``.

        Returns
        -------
        TrainingHistoryDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            When the estimator has no ``history_``.
        """
        history = find(estimator, "history_")
        if history is None:
            raise ValueError(
                f"{type(estimator).__name__} has no history_, expected a fitted "
                f"network of skhmc. Fit it, or pass a list of dicts to the constructor."
            )
        return cls(history).plot(**plot_options)

    def plot(
        self,
        *,
        ax: Axes | Sequence[Axes] | np.ndarray | None = None,
        panels: str | Sequence[str] | None = None,
        cmap: str | Colormap = "viridis",
    ) -> TrainingHistoryDisplay:
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Axes to draw on, as many as there are panels. None makes a figure.
        panels : {"loss", "weight", "score"} or list of these, default=None
            Panels to draw, in this order. None draws those of ``panels_``.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the lines that a panel has several of, from the first depth to
            the last.

        Returns
        -------
        TrainingHistoryDisplay
            The display itself, with ``axes_``, ``figure_`` and ``lines_``.

        Raises
        ------
        ValueError
            When the history has no data for a panel, or the number of axes is wrong.
        """
        chosen = self._choose(panels)
        self.axes_ = self._make_axes(ax, chosen)
        self.figure_ = self.axes_[0].get_figure(root=True)
        self.lines_ = {}
        colours = import_optional(
            "matplotlib.pyplot", "TrainingHistoryDisplay.plot", "plot"
        ).get_cmap(cmap)
        for name, axes in zip(chosen, self.axes_, strict=True):
            self._draw_panel(name, axes, colours)
        return self

    def _keys(self, panel: str) -> list[str]:
        """Return the keys of a panel's lines, parts first."""
        _, prefix, main = PANELS[panel]
        found = dict.fromkeys(key for row in self.history for key in row)
        parts = [key for key in found if key.startswith(prefix) and key != main]
        return [*parts, main] if main in found else parts

    def _choose(self, panels: str | Sequence[str] | None) -> list[str]:
        """Return the panels to draw; one without data is an error."""
        if panels is None:
            return self.panels_
        chosen = [panels] if isinstance(panels, str) else list(panels)
        wrong = [name for name in chosen if name not in self.panels_]
        if wrong or not chosen:
            got = repr(wrong[0]) if wrong else "none"
            raise ValueError(
                f"panels must be some of those that the history has data for, "
                f"{self.panels_}, got {got}. A score needs early_stopping=True, "
                f"weights need HCALClassifier."
            )
        return chosen

    def _make_axes(self, ax: Any, chosen: list[str]) -> np.ndarray:
        """Return one axes per panel, in an array."""
        if ax is None:
            plt = import_optional(
                "matplotlib.pyplot", "TrainingHistoryDisplay.plot", "plot"
            )
            n_panels = len(chosen)
            size = (WIDTH * n_panels, HEIGHT)
            figure = plt.figure(figsize=size, layout="constrained")
            return figure.subplots(1, n_panels, squeeze=False)[0]
        axes = np.ravel(np.asarray(ax, dtype=object))
        if len(axes) != len(chosen):
            raise ValueError(
                f"ax must hold one axes for each of the panels {chosen}, got "
                f"{len(axes)}. Choose panels, or leave out ax."
            )
        return axes

    def _draw_panel(self, name: str, axes: Axes, colours: Colormap) -> None:
        """Draw the lines of a panel, and say what they are."""
        label, _, main = PANELS[name]
        keys = self._keys(name)
        epochs = [row.get("epoch", k) for k, row in enumerate(self.history, 1)]
        # of the parts alone, so that one depth has one colour in all panels
        n_parts = len(set(keys) - {main})
        shades = iter(colours(np.linspace(0, 0.85, max(n_parts, 2))))
        marker = "o" if len(epochs) <= FEW else ""
        for key in keys:
            # what an epoch has not recorded leaves a gap
            values = [row.get(key, np.nan) for row in self.history]
            (line,) = axes.plot(epochs, values, label=_name(key), marker=marker, ms=3.5)
            line.set_color(MAIN if key == main else next(shades))
            if key == main:  # in proportion to what rcParams say of lines
                line.set_linewidth(WIDER * line.get_linewidth())
            self.lines_[key] = line
        if name == "score":
            self._mark_best(axes, epochs)
        if name == "weight":  # shares: from 0, which leaves the legend a place
            axes.set_ylim(bottom=0)
        margin = max(0.5, 0.03 * (epochs[-1] - epochs[0]))
        axes.set_xlim(epochs[0] - margin, epochs[-1] + margin)
        axes.set(xlabel="epoch", ylabel=label)
        ticker = import_optional(
            "matplotlib.ticker", "TrainingHistoryDisplay.plot", "plot"
        )
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        if len(keys) > 1 or name == "score":
            axes.legend(ncols=-(-len(keys) // MOST_ROWS))  # rounded up

    def _mark_best(self, axes: Axes, epochs: list[int]) -> None:
        """Put a circle around the best score, whose weights early stopping keeps."""
        values = self.lines_["valid_score"].get_ydata()
        if np.isnan(values).all():
            return
        best = int(np.nanargmax(values))
        axes.plot(
            epochs[best],
            values[best],
            ls="",
            marker="o",
            ms=11,
            mfc="none",
            mec="#d55e00",
            mew=2,
            label=f"best: {values[best]:.3f} in epoch {epochs[best]}",
        )

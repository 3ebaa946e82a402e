"""HierarchyDisplay: one sample's predictions drawn on the hierarchy."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import _num_samples

from skhmc._data.align import align
from skhmc._data.containers import unwrap
from skhmc._data.responses import find
from skhmc._data.targets import match_columns
from skhmc._utils.optional import import_optional
from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy
from skhmc.inspection._answers import (
    check_known,
    check_probabilities,
    index_of,
    respond,
)
from skhmc.inspection._drawing import FEWER, Scene
from skhmc.inspection._figures import Figures, find_figures
from skhmc.inspection._icicle_scene import IcicleScene
from skhmc.inspection._layout import layered_layout
from skhmc.inspection._names import short_names
from skhmc.inspection._part import MOST_LABELS, check_part, choose, n_more

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["HierarchyDisplay"]

CALLER = "HierarchyDisplay.plot"


def _check_length(given: ArrayLike, name: str, n_labels: int) -> np.ndarray:
    values = np.asarray(given)
    if values.shape != (n_labels,):
        raise ValueError(
            f"{name} must have shape ({n_labels},), one value per label of the "
            f"hierarchy, got shape {values.shape}. Pass one sample, or all samples to "
            f"HierarchyDisplay.from_predictions."
        )
    return values


def _check_proba(given: ArrayLike | None, n_labels: int) -> np.ndarray | None:
    if given is None:
        return None
    proba = _check_length(given, "proba", n_labels).astype(np.float64)
    check_probabilities(proba)
    return proba.clip(0, 1)


def _check_indicator(
    given: ArrayLike | None, name: str, n_labels: int
) -> np.ndarray | None:
    if given is None:
        return None
    values = _check_length(given, name, n_labels).astype(np.float64)
    check_known(values, name)
    return values


def _check_frequency(given: ArrayLike | None, n_labels: int) -> np.ndarray | None:
    if given is None:
        return None
    values = _check_length(given, "frequency", n_labels).astype(np.float64)
    if (values < 0).any() or np.isinf(values).any():
        raise ValueError(
            "frequency must hold numbers or shares of samples, none of them negative "
            "or infinite. Pass Y.sum(axis=0), or Y.mean(axis=0)."
        )
    return values


def _find_sample(sample: Any, n_samples: int, *tables: Any) -> int:
    """Return the position of a row, from 0, by its position or its name in an index.

    The index is that of the first table that has one.
    """
    indexes = [index for index in map(index_of, tables) if index is not None][:1]
    if isinstance(sample, Integral) and not isinstance(sample, bool):
        if -n_samples <= int(sample) < n_samples:
            return int(sample) % n_samples
    elif indexes and isinstance(sample, Hashable) and not isinstance(sample, bool):
        found = indexes[0].get_indexer_for([sample])
        if len(found) == 1 and found[0] >= 0:
            return int(found[0])
    label = ", or a name that one row has in the index" if indexes else ""
    raise ValueError(
        f"sample must be the position of one of {n_samples} rows, got {sample!r}. "
        f"Pass an integer from 0 to {n_samples - 1}{label}."
    )


def _row(Y: Any, sample: int) -> Any:
    """Return a row of an array or sparse matrix as (n_labels,); None stays None."""
    if Y is None:
        return None
    return Y[[sample]].toarray()[0] if sp.issparse(Y) else Y[sample]


def _as_bools(Y: np.ndarray | None, n_labels: int) -> list[bool | None]:
    """Return indicators as bools, what is not known as None."""
    if Y is None:
        return [None] * n_labels
    return [{0.0: False, 1.0: True}.get(value) for value in Y.tolist()]


def _seen(estimator: Any, hierarchy: Hierarchy) -> np.ndarray | None:
    """Return how many training samples had each label, where the estimator says."""
    counts = find(estimator, "label_counts_")
    names = find(estimator, "label_names_")
    if counts is None or names is None:
        return None
    by_name = dict(zip(names, np.asarray(counts)[:, 0].tolist(), strict=True))
    found = [by_name.get(label, np.nan) for label in hierarchy.labels]
    return np.array(found, dtype=np.float64)


class HierarchyDisplay:
    """Predictions of one sample, drawn on the label hierarchy.

    Every label is a box, in the column of its depth, with its probability, or another
    figure, as number and colour. Its outline and badge say whether it is predicted and
    whether it is true. Edges run from left (parents) to right (children); those between
    labels that are predicted or true are dark. "… 12 more" behind a box counts the
    labels that are hidden below it. ``layout="icicle"`` draws thousands of labels, as
    boxes inside the height of their parents.

    Build it with :meth:`from_estimator` or :meth:`from_predictions`, which draw at
    once; :meth:`plot` draws again. :meth:`skhmc.Hierarchy.plot` draws a hierarchy
    without predictions.

    Parameters
    ----------
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes
        The labels and edges; a tree or a DAG. Beside values of labels it has to say in
        which order these stand: a Hierarchy does, a mapping does not.
    proba : array-like of shape (n_labels,), default=None
        Probabilities of the sample's labels, in the order of ``hierarchy.labels``.
        None: no numbers and no colours are shown.
    y_true : array-like of shape (n_labels,), default=None
        True indicators 0 and 1; NaN is unknown. Ancestors are added, as metrics do.
        None: nothing is known.
    y_pred : array-like of shape (n_labels,), default=None
        Predicted indicators 0 and 1. None: no prediction is shown.
    label_names : sequence of str, default=None
        Names to write, in the same order, as they are. By default the labels, without
        the names of their parents before them: ``"a/b"`` below ``"a"`` is written
        ``"b"``; of an ontology, the names of its terms. Names longer than 34 characters
        are shortened in the middle.
    frequency : array-like of shape (n_labels,), default=None
        Number or share of samples that hold each label, in the same order, for
        ``plot(color_by="frequency")``. None: nothing is known.

    Attributes
    ----------
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
    >>> from skhmc.inspection import HierarchyDisplay
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> display = HierarchyDisplay(
    ...     animals, [0.9, 0.7, 0.2], y_true=[1, 1, 0], y_pred=[1, 1, 0]
    ... )
    >>> [text.get_text() for text in display.plot().ax_.texts][:2]
    ['mammal', '0.90']
    >>> display.figure_.savefig("cat.png")  # doctest: +SKIP
    """

    ax_: Axes
    figure_: Any

    def __init__(
        self,
        hierarchy: Any,
        proba: ArrayLike | None = None,
        *,
        y_true: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
        label_names: Sequence[Any] | None = None,
        frequency: ArrayLike | None = None,
    ) -> None:
        self.label_names = None if label_names is None else list(label_names)
        values = (proba, y_true, y_pred, frequency, self.label_names)
        sizes = [np.size(given) for given in values if given is not None]
        if sizes:  # what labels these values are of has to be known
            self.hierarchy = match_columns(hierarchy, None, sizes[0])
        else:
            self.hierarchy = Hierarchy.build(hierarchy)
        n_labels = self.hierarchy.n_labels
        self.proba = _check_proba(proba, n_labels)
        self.y_true = _check_indicator(y_true, "y_true", n_labels)
        if self.y_true is not None:  # lists of names may have the deepest labels alone
            self.y_true = close_upward(self.y_true[None], self.hierarchy)[0]
        self.y_pred = _check_indicator(y_pred, "y_pred", n_labels)
        self.frequency = _check_frequency(frequency, n_labels)
        if self.label_names is not None and len(self.label_names) != n_labels:
            raise ValueError(
                f"label_names must hold {n_labels} names, one per label of the "
                f"hierarchy, got {len(self.label_names)}. Leave it out to write the "
                f"hierarchy's own."
            )

    @classmethod
    def from_predictions(
        cls,
        hierarchy: Any,
        proba: Any,
        *,
        y_true: Any = None,
        y_pred: Any = None,
        sample: Hashable = 0,
        threshold: float = 0.5,
        label_names: Sequence[Any] | None = None,
        **plot_options: Any,
    ) -> HierarchyDisplay:
        """Draw one row of the predictions of many samples.

        Parameters
        ----------
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes
            The labels and edges.
        proba : array-like or DataFrame of shape (n_samples, n_labels)
            Probabilities. The columns of DataFrames are matched to the labels by name;
            other columns follow the hierarchy, or are numbered by its integer labels.
        y_true : array-like, sparse matrix or DataFrame of shape \
                (n_samples, n_labels), default=None
            True indicators; NaN is unknown.
        y_pred : array-like, sparse matrix or DataFrame of shape \
                (n_samples, n_labels), default=None
            Predicted indicators. None: the labels more probable than ``threshold``.
        sample : int or name of a row, default=0
            Row to draw: an integer is its position, also where the index holds
            integers; anything else is its name in the index of the first DataFrame of
            ``proba``, ``y_true`` and ``y_pred``.
        threshold : float, default=0.5
            Probability above which a label counts as predicted; used without
            ``y_pred``.
        label_names : sequence of str, default=None
            Names to write in place of the labels, in the order of the columns.
        **plot_options
            Options of :meth:`plot`, such as ``ax``, ``max_labels``, ``min_proba``.

        Returns
        -------
        HierarchyDisplay
            The display, drawn.
        """
        given = {"proba": proba}
        if y_true is not None:
            given["y_true"] = y_true
        if y_pred is not None:
            given["y_pred"] = y_pred
        hierarchy, *read = align(hierarchy, **given)
        sample = _find_sample(sample, read[0].shape[0], *given.values())
        rows = {name: _row(Y, sample) for name, Y in zip(given, read, strict=True)}
        if y_pred is None:
            rows["y_pred"] = rows["proba"] > threshold
        display = cls(hierarchy, **rows, label_names=label_names)
        return display.plot(**plot_options)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        y_true: Any = None,
        sample: Hashable = 0,
        hierarchy: Any = None,
        raw: bool = False,
        label_names: Sequence[Any] | None = None,
        **plot_options: Any,
    ) -> HierarchyDisplay:
        """Draw what a fitted classifier predicts for one row of X.

        Parameters
        ----------
        estimator : fitted classifier
            Classifier with ``predict`` and ``predict_proba``: one of skhmc, a Pipeline
            or search that ends in one or, with ``hierarchy``, any other that predicts
            several labels.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples; only the row drawn is predicted.
        y_true : array-like of shape (n_samples, n_labels) or (n_samples,), default=None
            True labels of X, in any form the estimator was fitted with.
        sample : int or name of a row, default=0
            Row to draw: an integer is its position, also where the index holds
            integers; anything else is its name in the index of X, or of ``y_true``
            where X has none.
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
            The labels and edges; None is the estimator's ``hierarchy_``.
        raw : bool, default=False
            Whether to draw probabilities and predictions before the coherence step, if
            the estimator has one.
        label_names : sequence of str, default=None
            Names to write in place of the labels, in the order of Y's columns.
        **plot_options
            Options of :meth:`plot`, such as ``ax``, ``max_labels``, ``min_proba``.

        Returns
        -------
        HierarchyDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            When the estimator has no probabilities, no hierarchy is known, or no row is
            ``sample``.
        """
        sample = _find_sample(sample, _num_samples(X), X, y_true)
        if y_true is not None:
            y_true = unwrap(y_true)
            check_consistent_length(X, y_true)
            y_true = _safe_indexing(y_true, [sample])
        X = _safe_indexing(X, [sample])
        hierarchy, *rows = respond(
            estimator, X, y_true, hierarchy, raw=raw, caller="HierarchyDisplay"
        )
        y_true, y_pred, proba = (_row(Y, 0) for Y in rows)
        display = cls(
            hierarchy,
            proba,
            y_true=y_true,
            y_pred=y_pred,
            label_names=label_names,
            frequency=_seen(estimator, hierarchy),
        )
        return display.plot(**plot_options)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        max_labels: int = 40,
        max_depth: int | None = None,
        min_proba: float | None = None,
        root: Any = None,
        full_names: bool = False,
        layout: str = "tree",
        color_by: str | None = None,
        cmap: str | Colormap | None = None,
        colorbar: bool = True,
        title: str | None = None,
    ) -> HierarchyDisplay:
        """Draw the sample.

        Of a large hierarchy a part is drawn. What is hidden is counted behind each box
        that it belongs to, and a line below the picture counts all of it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; everything is scaled to fit. None makes a figure of the
            size that the labels need.
        max_labels : int, default=40
            Greatest number of labels to draw in a tree. Of more than that, those that
            are predicted or true are drawn first, then the most probable others
            (without probabilities: the most general ones), each with all its ancestors.
            An icicle draws all labels; these have room for their names.
        max_depth : int, default=None
            Depth of the last labels to draw, counted from ``root`` or from the roots:
            0 draws these alone. None is no limit.
        min_proba : float, default=None
            Labels that are less probable are not drawn, unless they are predicted or
            true, or above such a label. None is no limit.
        root : label, default=None
            Draw this label and what is below it; None draws from all roots.
        full_names : bool, default=False
            Whether to write labels as they are. Otherwise the names of their parents
            before them are left out, and terms of an ontology have their names in place
            of their ids. Used without ``label_names``.
        layout : {"tree", "icicle"}, default="tree"
            Form of the picture. "tree" has boxes joined by lines, for 500 labels at
            most. "icicle" has the boxes of children side by side in the height of their
            parent, for thousands of labels; a label with several parents stands at the
            first of the deepest ones.
        color_by : {"proba", "frequency", "error", "violation"}, default=None
            Meaning of colours and numbers: probability; number or share of samples with
            the label (of training samples, from :meth:`from_estimator`); distance of
            the probability from the truth; or how far the probability is above that of
            a parent. None: the probability, if there is one, else the frequency, if
            there is one.
        cmap : str or matplotlib Colormap, default=None
            Colours of the figures from the least to the greatest. None has its own for
            each of ``color_by``: blue for probabilities.
        colorbar : bool, default=True
            Whether to draw the colour bar.
        title : str, default=None
            Text above the labels. A figure that is made here has no room for a title
            that is set on its axes later.

        Returns
        -------
        HierarchyDisplay
            The display itself, with ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            When an option makes no sense, and when there are too many labels to read in
            a tree: more than 500, or more than fit on ``ax`` with text of 4 points.
        """
        figures = find_figures(
            color_by, self.hierarchy, self.proba, self.y_true, self.frequency
        )
        title = "" if title is None else str(title)
        chosen = self._choose(max_labels, max_depth, min_proba, root)
        if layout == "icicle":
            n_labels = self.hierarchy.n_labels
            shown = self._choose(n_labels, max_depth, min_proba, root)
            self.ax_ = self._draw_icicle(
                ax, shown, chosen, figures, full_names, title, cmap, colorbar
            )
        elif layout == "tree":
            self.ax_ = self._draw_tree(
                ax, chosen, figures, full_names, title, cmap, colorbar
            )
        else:
            raise ValueError(f"layout must be 'tree' or 'icicle', got {layout!r}.")
        self.figure_ = self.ax_.get_figure(root=True)
        return self

    def _choose(
        self, max_labels: int, max_depth: int | None, min_proba: float | None, root: Any
    ) -> np.ndarray:
        """Return the positions of the labels that the options of plot ask for."""
        has_proba = self.proba is not None
        check_part(self.hierarchy, has_proba, max_labels, max_depth, min_proba, root)
        return choose(
            self.hierarchy,
            -self.hierarchy.depth if self.proba is None else self.proba,
            self._marked(),
            max_labels=max_labels,
            max_depth=max_depth,
            min_proba=min_proba,
            root=root,
        )

    def _draw_tree(
        self,
        ax: Axes | None,
        kept: np.ndarray,
        figures: Figures | None,
        full_names: bool,
        title: str,
        cmap: str | Colormap | None,
        colorbar: bool,
    ) -> Axes:
        """Draw labels joined by lines, and return the axes."""
        if len(kept) > MOST_LABELS:
            raise ValueError(
                f"Cannot draw {len(kept)} labels legibly, expected at most "
                f"{MOST_LABELS}. {FEWER}, or set layout='icicle'."
            )
        scene = self._scene(kept, figures, full_names, title)
        if ax is None:
            plt = import_optional("matplotlib.pyplot", CALLER, "plot")
            figure = plt.figure(figsize=(scene.width, scene.height))
            ax = figure.add_axes((0, 0, 1, 1))
        scene.draw(ax, cmap, colorbar)
        return ax

    def _draw_icicle(
        self,
        ax: Axes | None,
        shown: np.ndarray,
        large: np.ndarray,
        figures: Figures | None,
        full_names: bool,
        title: str,
        cmap: str | Colormap | None,
        colorbar: bool,
    ) -> Axes:
        """Draw labels as boxes in the height of their parents, and return the axes."""
        part = self.hierarchy.subset(self.hierarchy.labels[i] for i in shown)
        kinds = self._kinds()
        drawing = IcicleScene(
            part,
            np.isin(shown, large),
            self._names(part, shown, full_names),
            None if figures is None else figures.of(shown),
            [kinds[i] for i in shown],
        )
        return drawing.draw(
            ax, cmap, colorbar, title, self._note(self._marked(), shown)
        )

    def _scene(
        self, kept: np.ndarray, figures: Figures | None, full_names: bool, title: str
    ) -> Scene:
        """Return what is to be drawn of some labels."""
        part = self.hierarchy.subset(self.hierarchy.labels[i] for i in kept)
        kinds = self._kinds()
        return Scene(
            layered_layout(part),
            self._names(part, kept, full_names),
            None if figures is None else figures.of(kept),
            [kinds[i] for i in kept],
            n_more(self.hierarchy, kept),
            self._note(self._marked(), kept),
            title,
        )

    def _names(self, part: Hierarchy, kept: np.ndarray, full_names: bool) -> list[str]:
        """Return what is written for the labels that are drawn."""
        if self.label_names is not None:
            return [str(self.label_names[i]) for i in kept]
        return list(map(str, part.labels)) if full_names else short_names(part)

    def _marked(self) -> np.ndarray:
        """Return which labels are predicted or true."""
        marked = np.zeros(self.hierarchy.n_labels, bool)
        for Y in (self.y_true, self.y_pred):
            if Y is not None:
                marked |= Y == 1
        return marked

    def _kinds(self) -> list[tuple[bool | None, bool | None]]:
        """Return for every label whether it is predicted, and true; None: unknown."""
        predicted = _as_bools(self.y_pred, self.hierarchy.n_labels)
        true = _as_bools(self.y_true, self.hierarchy.n_labels)
        return list(zip(predicted, true, strict=True))

    def _note(self, marked: np.ndarray, kept: np.ndarray) -> str:
        n_hidden = len(marked) - len(kept)
        if not n_hidden:
            return ""
        left_out = marked.sum() - marked[kept].sum()
        some = f", {left_out} of them predicted or true" if left_out else ""
        return f"{n_hidden} of {len(marked)} labels are not shown{some}."

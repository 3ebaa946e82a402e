"""PredictionsPage: predictions of samples as one HTML file that asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.utils.validation import _num_samples

from skhmc._data.align import align
from skhmc._data.targets import match_columns
from skhmc._utils.files import replacing
from skhmc.coherence import close_upward
from skhmc.inspection._answers import (
    check_known,
    check_probabilities,
    index_of,
    respond,
)
from skhmc.inspection._names import short_names

__all__ = ["PredictionsPage"]

PARTS = 10_000  # of 1, in which probabilities are kept
MOST_SAMPLES = 1000
FRAME_HEIGHT = 640  # pixels of a page in a notebook
# What HTML gives a meaning, as escapes of JSON: no name can end the data and begin a
# tag.
ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


class PredictionsPage:
    """Predictions of some samples as an interactive page, in one HTML file.

    Labels are a tree that is folded and unfolded, with a bar for each probability and
    with signs for labels that are predicted and true, missed, or predicted and false. A
    sample is chosen, labels are searched by name, and a slider moves the threshold,
    with precision and recall beside it. The page works with the keyboard alone, on
    phones, and in light and dark.

    The file holds all that it needs: it loads nothing, and forbids the browser to.
    Names of labels and samples are shown as the text they are, whatever they hold.

    Parameters
    ----------
    hierarchy : Hierarchy
        The labels and edges; a tree or a DAG. A label with several parents stands under
        each of them; what is below it is unfolded at the first of the deepest ones.
    proba : array-like of shape (n_samples, n_labels)
        Probabilities, in the order of ``hierarchy.labels``; at most 1000 samples.
    y_true : array-like of shape (n_samples, n_labels), default=None
        True indicators 0 and 1; NaN is unknown, and neither right nor false. Ancestors
        are added, as metrics do. None: nothing is known.
    y_pred : array-like of shape (n_samples, n_labels), default=None
        Predicted indicators 0 and 1, shown until the slider is moved. None: labels
        above ``threshold`` are predicted.
    label_names : sequence of str, default=None
        Names to show, in the same order. By default the labels, without the names of
        their parents before them; of an ontology, the names of its terms.
    sample_names : sequence of str, default=None
        Names of the samples. None numbers them from 0.
    threshold : float, default=0.5
        Where the slider stands at first.
    title : str, default="Predictions"
        Title of the page.

    Raises
    ------
    ValueError
        When shapes or values are wrong, or there are more than 1000 samples.

    See Also
    --------
    HierarchyDisplay : One sample as a picture.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.inspection import PredictionsPage
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> page = PredictionsPage(
    ...     animals, [[0.9, 0.7, 0.2], [0.6, 0.1, 0.5]], y_true=[[1, 1, 0], [1, 0, 1]]
    ... )
    >>> page.to_html()[:15]
    '<!doctype html>'
    >>> page.save("predictions.html")  # doctest: +SKIP
    """

    def __init__(
        self,
        hierarchy: Any,
        proba: ArrayLike,
        *,
        y_true: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
        label_names: Sequence[Any] | None = None,
        sample_names: Sequence[Any] | None = None,
        threshold: float = 0.5,
        title: str = "Predictions",
    ) -> None:
        self.hierarchy = match_columns(hierarchy, None, np.atleast_1d(proba).shape[-1])
        self.proba = _check_proba(proba, self.hierarchy.n_labels)
        self.y_true = _check_indicators(y_true, "y_true", self.proba.shape)
        if self.y_true is not None:  # lists of names may have the deepest labels alone
            self.y_true = close_upward(self.y_true, self.hierarchy)
        self.y_pred = _check_indicators(y_pred, "y_pred", self.proba.shape)
        n_samples, n_labels = self.proba.shape
        self.label_names = _check_names(label_names, "label_names", n_labels)
        self.sample_names = _check_names(sample_names, "sample_names", n_samples)
        self.threshold = float(threshold)
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be between 0 and 1, got {threshold!r}.")
        self.title = str(title)

    @classmethod
    def from_predictions(
        cls,
        hierarchy: Any,
        proba: Any,
        *,
        y_true: Any = None,
        y_pred: Any = None,
        **options: Any,
    ) -> PredictionsPage:
        """Return the page of predictions in any form.

        Parameters
        ----------
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes
            The labels and edges.
        proba : array-like or DataFrame of shape (n_samples, n_labels)
            Probabilities. The columns of DataFrames are matched to the labels by name,
            and their index names the samples.
        y_true : array-like, sparse matrix or DataFrame of shape \
                (n_samples, n_labels), or list of label sets, default=None
            True labels; NaN is unknown.
        y_pred : array-like, sparse matrix or DataFrame of shape \
                (n_samples, n_labels), or list of label sets, default=None
            Predicted labels. None: those above ``threshold``.
        **options : dict
            Options of the constructor: ``label_names``, ``sample_names``,
            ``threshold``, ``title``.

        Returns
        -------
        PredictionsPage
            The page.
        """
        given = {"proba": proba, "y_true": y_true, "y_pred": y_pred}
        given = {name: Y for name, Y in given.items() if Y is not None}
        built, *read = align(hierarchy, **given)
        arrays: dict[str, Any] = dict(zip(given, map(_dense, read), strict=True))
        if index_of(proba) is not None:
            options.setdefault("sample_names", list(proba.index))
        return cls(built, **arrays, **options)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        y_true: Any = None,
        hierarchy: Any = None,
        raw: bool = False,
        **options: Any,
    ) -> PredictionsPage:
        """Return the page of what a fitted classifier predicts.

        Parameters
        ----------
        estimator : fitted classifier
            Classifier with ``predict`` and ``predict_proba``: one of skhmc, a Pipeline
            or search that ends in one or, with ``hierarchy``, any other that predicts
            several labels.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, at most 1000. The index of a DataFrame or Series names them.
        y_true : array-like of shape (n_samples, n_labels) or (n_samples,), default=None
            True labels of X, in any form the estimator was fitted with.
        hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
            The labels and edges; None is the estimator's ``hierarchy_``.
        raw : bool, default=False
            Whether to show probabilities and predictions before the coherence step.
        **options : dict
            Options of the constructor: ``label_names``, ``sample_names``,
            ``threshold``, ``title``.

        Returns
        -------
        PredictionsPage
            The page.

        Raises
        ------
        ValueError
            When the estimator has no probabilities, or no hierarchy is known.
        """
        _check_n_samples(_num_samples(X))
        caller = "PredictionsPage"
        found = respond(estimator, X, y_true, hierarchy, raw=raw, caller=caller)
        built, y_true, y_pred, proba = found
        options.setdefault("title", f"Predictions of {type(estimator).__name__}")
        if index_of(X) is not None:
            options.setdefault("sample_names", list(X.index))
        return cls(
            built,
            _dense(proba),
            y_true=None if y_true is None else _dense(y_true),
            y_pred=_dense(y_pred),
            **options,
        )

    # -- the file ----------------------------------------------------------------------

    def to_html(self) -> str:
        """Return the page.

        Returns
        -------
        str
            A whole HTML document.
        """
        folder = files(__package__) / "_page"
        style = (folder / "page.css").read_text(encoding="utf-8")
        script = (folder / "page.js").read_text(encoding="utf-8")
        return Template((folder / "page.html").read_text(encoding="utf-8")).substitute(
            policy=_policy(style, script),
            title=html.escape(self.title),
            style=style,
            script=script,
            data=_as_json(self._data()),
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page into a file.

        Parameters
        ----------
        path : str or path-like
            The file, such as ``"predictions.html"``; one that is there is replaced,
            whole or not at all.

        Returns
        -------
        Path
            The file that was written.
        """
        path = Path(path)
        with replacing(path) as beside:
            beside.write_text(self.to_html(), encoding="utf-8")
        return path

    def _repr_html_(self) -> str:
        """Return the page in a frame, for notebooks; it cannot reach the notebook."""
        return (
            f'<iframe title="{html.escape(self.title)}" sandbox="allow-scripts" '
            f'style="width: 100%; height: {FRAME_HEIGHT}px; border: 0" '
            f'srcdoc="{html.escape(self.to_html())}"></iframe>'
        )

    def _data(self) -> dict[str, Any]:
        """Return what the page shows, as lists and texts."""
        labels = [str(label) for label in self.hierarchy.labels]
        names = self.label_names
        if names is None:
            names = short_names(self.hierarchy)
        pairs = zip(names, labels, strict=True)
        parents = self.hierarchy.parents
        cuts = zip(parents.indptr[:-1], parents.indptr[1:], strict=True)
        above = [parents.indices[a:b].tolist() for a, b in cuts]
        return {
            "names": names,
            "full": [None if name == label else label for name, label in pairs],
            "parents": above,
            "home": [self._home(label, near) for label, near in enumerate(above)],
            "whole": PARTS,
            "threshold": self.threshold,
            "hasTrue": self.y_true is not None,
            "hasPred": self.y_pred is not None,
            "samples": [self._sample(row) for row in range(len(self.proba))],
        }

    def _home(self, label: int, parents: list[int]) -> int:
        """Return the first of the deepest parents, or -1 for a root."""
        depth = self.hierarchy.depth
        near = [parent for parent in parents if depth[parent] == depth[label] - 1]
        return near[0] if near else -1

    def _sample(self, row: int) -> dict[str, Any]:
        """Return what the page shows of a sample; probabilities of 0 are left out."""
        parts = np.rint(self.proba[row] * PARTS).astype(int)
        labels = np.flatnonzero(parts)
        names = self.sample_names
        found: dict[str, Any] = {
            "name": str(row) if names is None else names[row],
            "labels": labels.tolist(),
            "parts": parts[labels].tolist(),
        }
        if self.y_pred is not None:
            found["predicted"] = np.flatnonzero(self.y_pred[row] == 1).tolist()
        if self.y_true is not None:
            found["true"] = np.flatnonzero(self.y_true[row] == 1).tolist()
            found["unknown"] = np.flatnonzero(np.isnan(self.y_true[row])).tolist()
        return found


def _policy(style: str, script: str) -> str:
    """Return what the browser may do: run this script, and nothing else.

    The hash is of our own script, so that no other one runs, wherever it came from.
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _as_json(data: dict[str, Any]) -> str:
    """Return data as JSON that may stand inside a script element."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for letter, escape in ESCAPES.items():
        text = text.replace(letter, escape)
    return text


def _dense(Y: Any) -> np.ndarray:
    return np.asarray(Y.toarray() if sp.issparse(Y) else Y)


def _check_n_samples(n_samples: int) -> None:
    if not 1 <= n_samples <= MOST_SAMPLES:
        raise ValueError(
            f"Expected 1 to {MOST_SAMPLES} samples, got {n_samples}. Pass some rows: a "
            f"page is for looking at samples one by one."
        )


def _check_proba(given: ArrayLike, n_labels: int) -> np.ndarray:
    proba = np.asarray(given, dtype=np.float64)
    if proba.ndim != 2 or proba.shape[1] != n_labels:
        raise ValueError(
            f"proba must have shape (n_samples, {n_labels}), one column per label of "
            f"the hierarchy, got shape {proba.shape}."
        )
    _check_n_samples(len(proba))
    check_probabilities(proba)
    return proba.clip(0, 1)


def _check_indicators(
    given: ArrayLike | None, name: str, shape: tuple[int, ...]
) -> np.ndarray | None:
    if given is None:
        return None
    Y = np.asarray(given, dtype=np.float64)
    if Y.shape != shape:
        raise ValueError(
            f"{name} must have the shape of proba, {shape}, got {Y.shape}."
        )
    check_known(Y, name)
    return Y


def _check_names(
    given: Sequence[Any] | None, name: str, n_expected: int
) -> list[str] | None:
    if given is None:
        return None
    names = [str(one) for one in given]
    if len(names) != n_expected:
        raise ValueError(f"{name} must hold {n_expected} names, got {len(names)}.")
    return names

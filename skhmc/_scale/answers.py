"""What an estimator says of rows, and which rows it does not take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skhmc._data.responses import find, positive_scores
from skhmc._utils.messages import name_list
from skhmc._utils.top_k import top_k

__all__ = ["Asked", "Cells", "Judge", "label_names"]

# errors by which estimators say that a value is none of theirs
REFUSALS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
LONGEST = 300  # characters of a reason


@dataclass
class Cells:
    """Labels of rows: ``starts`` (n_rows + 1,), and columns and probabilities."""

    starts: np.ndarray
    columns: np.ndarray
    proba: np.ndarray

    def of_rows(self, rows: np.ndarray) -> Cells:
        """Return those of some rows, in their order."""
        counts = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(counts)])
        at = np.repeat(self.starts[rows] - starts[:-1], counts) + np.arange(starts[-1])
        return Cells(starts, self.columns[at], self.proba[at])


def _final(estimator):
    """Return the estimator that answers, in Pipelines and searches, and those before.

    None where it is not one of this package.
    """
    before = []
    while not hasattr(estimator, "predict_top_k"):
        if isinstance(estimator, Pipeline):
            before.append(estimator[:-1])
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return None, []
    return estimator, before


def label_names(estimator: Any) -> list:
    """Return the names of the columns that labels are counted by.

    Raises
    ------
    ValueError
        Where there are none.
    """
    names = find(estimator, "label_names_")
    if names is None and hasattr(estimator, "classes_"):
        names = estimator.classes_
        if isinstance(names, list) or np.ndim(names) == 2:  # of several labels
            names = range(len(names))
    if names is None:
        raise ValueError(
            f"Expected a fitted classifier, got {type(estimator).__name__} without "
            f"label_names_ and classes_. Fit it first."
        )
    return names.tolist() if isinstance(names, np.ndarray) else list(names)


class Asked:
    """An estimator with the question that is put to it.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier, or a Pipeline or search with one.
    k : int or None
        Number of labels.
    min_proba : float or None
        Least probability of a label. Without both, labels are those of ``predict``.
    among : {"all", "leaves"}
        Which labels.
    """

    def __init__(self, estimator, k, min_proba, among):
        self.estimator = estimator
        self.k = k
        self.min_proba = min_proba
        self.among = among
        self.names = label_names(estimator)
        self.allowed = np.ones(len(self.names), bool)
        self.final, self.before = _final(estimator)
        if not hasattr(estimator, "predict_proba"):
            raise ValueError(
                f"Expected a classifier with predict_proba, got "
                f"{type(estimator).__name__} without. Calibrate it: "
                f"CalibratedClassifierCV({type(estimator).__name__}(...))."
            )
        if self.final is None:
            check_is_fitted(estimator)
            if among == "leaves":
                raise ValueError(
                    f"Got among='leaves', but {type(estimator).__name__} has no "
                    f"hierarchy. Use among='all', or an estimator of skhmc."
                )
            return
        check_is_fitted(self.final)
        if among == "leaves":
            self.allowed[:] = False
            self.allowed[self.final.hierarchy_.leaves] = True
        if k is not None and k > self.allowed.sum():
            raise ValueError(
                f"Got k={k!r}, but there are {self.allowed.sum()} labels among which "
                f"to choose. Ask for fewer."
            )

    def __call__(self, X: Any) -> Cells:
        """Return the labels of rows, the most probable ones first."""
        if self.final is None:
            return self._of_others(X)
        for step in self.before:
            X = step.transform(X)
        if self.k is not None:
            columns, proba = self.final.predict_top_k(X, self.k, among=self.among)
            rows = np.repeat(np.arange(len(columns)), self.k)
            return self._cells(len(columns), rows, columns.ravel(), proba.ravel())
        parts = list(
            self.final._cells(X, self.min_proba, None, self.final.hierarchy_.depth)
        )
        found = [np.concatenate(part) for part in zip(*parts, strict=True)]
        return self._cells(_n_rows(X), *found)

    def _cells(self, n_rows, rows, columns, proba):
        wanted = self.allowed[columns]
        if self.min_proba is not None:
            wanted &= proba >= self.min_proba
        rows = rows[wanted]
        starts = np.searchsorted(rows, np.arange(n_rows + 1))
        return Cells(starts, columns[wanted], proba[wanted])

    def _of_others(self, X):
        """Return the same of an estimator that is none of this package's."""
        proba = np.asarray(positive_scores(self.estimator, X))
        n_rows, n_labels = proba.shape
        if n_labels != len(self.names):
            raise RuntimeError(
                f"{type(self.estimator).__name__} predicts {n_labels} columns, "
                f"expected {len(self.names)}, for {name_list(self.names)}."
            )
        if not np.isfinite(proba).all():
            raise ValueError("its probabilities are not finite")
        chosen = np.ones(proba.shape, bool)
        if self.k is None and self.min_proba is None:
            chosen = self._predicted(X, proba)
        k = min(self.k or n_labels, n_labels)
        columns, best = top_k(proba, k, np.zeros(n_labels, int))
        rows = np.repeat(np.arange(n_rows), k)
        kept = chosen[rows, columns.ravel()]
        columns, best = columns.ravel()[kept], best.ravel()[kept]
        return self._cells(n_rows, rows[kept], columns, best)

    def _predicted(self, X, proba):
        predicted = self.estimator.predict(X)
        if np.ndim(predicted) == 1:
            return predicted[:, None] == np.asarray(self.estimator.classes_)[None]
        return np.asarray(predicted) > 0


def _n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


class Judge:
    """Finds the rows that an estimator does not take, and asks about the others.

    An estimator that refuses a block does not say which row it refuses, so blocks are
    halved until it is alone. Rows that lack values come first: whether they are taken
    depends on which values they lack, which is asked once, about a row that is taken
    when it is whole.

    Parameters
    ----------
    asked : Asked
    columns : list of str
        Names of the columns of X, for reasons; empty where they have none.
    """

    def __init__(self, asked, columns):
        self.asked = asked
        self.columns = columns
        self.whole = None  # a row without missing values that was taken
        self.taken: set[bytes] = set()
        self.refused: dict[bytes, str] = {}

    def __call__(self, X: Any, missing: np.ndarray | None) -> tuple[Cells, dict]:
        """Return the cells of rows that are taken, and reasons of the others by row."""
        reasons: dict[int, str] = {}
        rows = np.arange(_n_rows(X))
        if missing is None:
            return _in_order([*self._ask(X, rows, reasons)]), reasons
        lacking = np.asarray(missing.any(axis=1))
        found = [*self._ask(X, rows[~lacking], reasons)]
        if self.whole is None and found:
            self.whole = _take(X, found[0][0][:1])
        others = self._not_refused(X, missing, rows[lacking], reasons)
        found += self._ask(X, others, reasons)
        for row in reasons:
            if lacking[row]:
                reasons[row] = f"{self._lacks(missing[row])}: {reasons[row]}"
        return _in_order(found), reasons

    def _ask(self, X, rows, reasons):
        """Yield rows that are taken with their cells; write down reasons of others."""
        if not len(rows):
            return
        try:
            cells = self.asked(_take(X, rows))
        except REFUSALS as error:
            if len(rows) == 1:
                reasons[int(rows[0])] = _reason(error)
                return
        else:
            yield rows, cells
            return
        half = len(rows) // 2
        yield from self._ask(X, rows[:half], reasons)
        yield from self._ask(X, rows[half:], reasons)

    def _not_refused(self, X, missing, rows, reasons):
        """Return the rows but for those that lack what must not be lacking."""
        if self.whole is None:
            return rows
        packed = np.packbits(missing[rows], axis=1)
        kept = []
        for row, pattern in zip(rows, map(bytes, packed), strict=True):
            if pattern not in self.taken and pattern not in self.refused:
                self._ask_without(X, missing, row, pattern)
            if pattern in self.refused:
                reasons[int(row)] = self.refused[pattern]
            else:
                kept.append(row)
        return np.array(kept, int)

    def _ask_without(self, X, missing, row, pattern):
        """Ask about the whole row, without what another row lacks."""
        for known, reason in self.refused.items():
            if all(a & b == a for a, b in zip(known, pattern, strict=True)):
                self.refused[pattern] = reason  # it lacks all that, and more
                return
        try:
            self.asked(_without(self.whole, missing[row], _take(X, [row])))
            self.taken.add(pattern)
        except REFUSALS as error:
            self.refused[pattern] = _reason(error)

    def _lacks(self, missing):
        at = np.flatnonzero(missing)
        names = [self.columns[k] for k in at] if self.columns else at.tolist()
        return f"missing value in {name_list(names)}"


def _in_order(found):
    """Return the cells of rows that were found in groups."""
    if not found:
        return Cells(np.zeros(1, int), np.zeros(0, int), np.zeros(0))
    rows = np.concatenate([group for group, _ in found])
    counts = np.concatenate([np.diff(cells.starts) for _, cells in found])
    whole = Cells(
        np.concatenate([[0], np.cumsum(counts)]),
        np.concatenate([cells.columns for _, cells in found]),
        np.concatenate([cells.proba for _, cells in found]),
    )
    return whole.of_rows(np.argsort(rows, kind="stable"))


def _take(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _without(whole, missing, row):
    """Return the whole row, with the values of another row where that lacks some."""
    if isinstance(row, np.ndarray):
        return np.where(missing, row, whole)
    given = row.copy()
    for k in np.flatnonzero(~missing):
        given[given.columns[k]] = whole.iloc[:, k].to_numpy()
    return given


def _reason(error):
    text = " ".join(str(error).split())
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return f"{type(error).__name__}: {text}"

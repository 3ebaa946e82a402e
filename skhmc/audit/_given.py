"""Probabilities of labels given all other annotations of a sample.

The probabilities of a classifier know nothing of what is annotated. A sample with a
parent and none of its children is more likely to lack an annotation than one that has
some, and an annotation that fits the others is more likely right. A logistic regression
over all cells of Y learns how much each of this counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from skhmc._utils.levels import CELLS_PER_BLOCK, over_sources
from skhmc.coherence import max_constraint
from skhmc.hierarchy import Hierarchy

__all__ = ["FEATURES", "given_others", "path_aggregate", "row_blocks"]

FEATURES = (
    "logit of the probability given the parents",
    "logit of the probability",
    "logit of the label's share in samples with its parents",
    "logarithm of the label's number of positives",
    "no sibling is annotated",
    "one sibling is annotated",
    "number of annotated siblings, at most 4",
    "logarithm of the number of other annotations",
    "logarithm of the probability that no child is there",
    "what the other annotations say",
    "logarithm of what the other annotations say",
)
NO_CHILD = FEATURES.index("logarithm of the probability that no child is there")
SMALL = 1e-6  # probabilities stay as far from 0 and 1
MOST_CELLS = 500_000  # that the regression is fitted to
MOST_LABELS = 500  # the most frequent, from which others are predicted
RIDGE = 30.0  # as many samples as say nothing
MOST_SIBLINGS = 4


def row_blocks(n_samples: int, n_labels: int) -> Iterator[slice]:
    """Yield rows whose cells of all labels fit into memory."""
    step = max(1, CELLS_PER_BLOCK // max(n_labels, 1))
    for start in range(0, n_samples, step):
        yield slice(start, min(start + step, n_samples))


def dense(Y):
    """Return rows of labels as a dense array."""
    return Y.toarray() if sp.issparse(Y) else np.asarray(Y)


def logit(p: np.ndarray) -> np.ndarray:
    """Return the log-odds of probabilities, none of them infinite."""
    p = np.clip(p, SMALL, 1 - SMALL)
    return np.log(p) - np.log1p(-p)


def of_parents(values: np.ndarray, hierarchy: Hierarchy, top: float) -> np.ndarray:
    """Return the least value of a label's parents, ``top`` for roots."""
    by_label = np.ascontiguousarray(values.T)
    found = np.full_like(by_label, top)
    for targets, sources in hierarchy.downward_plan:
        found[targets] = over_sources(by_label, sources, np.minimum)
    return found.T


def path_product(
    last: np.ndarray, inner: np.ndarray, there: np.ndarray, hierarchy: Hierarchy
) -> np.ndarray:
    """Multiply probabilities down paths of labels that are not there.

    Parameters
    ----------
    last : ndarray of shape (n_samples, n_labels)
        Probability of a label if its parents are there and nothing below it.
    inner : ndarray of shape (n_samples, n_labels)
        The same if something below it is there.
    there : ndarray of bool of shape (n_samples, n_labels)
        Labels that are there; whatever is below a missing one is missing.
    hierarchy : Hierarchy

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        The probability of the path that ends with a label, or of a more probable one
        that goes on below it.
    """
    above = np.ascontiguousarray(inner.T).copy()
    product = np.ascontiguousarray(last.T).copy()
    known = there.T
    for targets, sources in hierarchy.downward_plan:
        before = np.where(known[sources], 1.0, above[sources]).min(axis=1)
        above[targets] *= before
        product[targets] *= before
    missing = np.where(there, 0.0, product.T)
    return np.where(there, product.T, max_constraint(missing, hierarchy))


def path_aggregate(
    proba: np.ndarray, hierarchy: Hierarchy, aggregate: str
) -> np.ndarray:
    """Return the mean, least or product of probabilities from a root to a label.

    In a DAG all ancestors of a label are on its path.
    """
    if aggregate == "min":
        lowest = np.ascontiguousarray(proba.T).copy()
        for targets, sources in hierarchy.downward_plan:
            above = over_sources(lowest, sources, np.minimum)
            lowest[targets] = np.minimum(lowest[targets], above)
        return lowest.T
    path = sp.csr_matrix(hierarchy.ancestors, dtype=np.float64)
    path = (path + sp.identity(hierarchy.n_labels, format="csr")).T.tocsr()
    if aggregate == "mean":
        return (proba @ path) / np.asarray(path.sum(axis=0)).ravel()
    return np.exp(np.log(np.maximum(proba, SMALL)) @ path)


class Annotations:
    """What the annotations of other labels say about a label: ridge regressions.

    A label is predicted from the most frequent labels that are neither above nor below
    it, for samples of other folds.
    """

    def __init__(self, Y, known, folds, hierarchy):
        self.Y = Y
        self.folds = folds
        self.weights = {}
        self.means = {}
        counts = np.asarray((Y == 1).sum(axis=0)).ravel()
        often = np.argsort(-counts, kind="stable")[:MOST_LABELS]
        self.used = np.sort(often[counts[often] > 0])
        family = hierarchy.ancestors + hierarchy.descendants
        family = family + sp.identity(hierarchy.n_labels, bool, "csr")
        self.left_out = sp.csr_matrix(family)[:, self.used]
        for fold in np.unique(folds):
            self._fit(fold, known)

    def _fit(self, fold, known):
        rows = np.flatnonzero((self.folds != fold) & known)
        Y, mean = _filled(self.Y[rows])
        Z = Y[:, self.used]
        n = max(len(rows), 1)
        mean_used = mean[self.used]
        gram = (Z.T @ Z).toarray() - n * np.outer(mean_used, mean_used)
        inverse = np.linalg.inv(gram + RIDGE * np.eye(len(self.used)))
        cross = (Z.T @ Y).toarray() - n * np.outer(mean_used, mean)
        weights = inverse @ cross
        for label in range(Y.shape[1]):  # without its own family: a smaller system
            out = self.left_out[label].indices
            if len(out):
                own = inverse[np.ix_(out, out)]
                correction = np.linalg.solve(own, weights[out, label])
                weights[:, label] -= inverse[:, out] @ correction
        self.weights[fold] = weights
        self.means[fold] = mean

    def say(self, rows: slice) -> np.ndarray:
        """Return the predictions (n_rows, n_labels) for some rows."""
        Y = dense(self.Y[rows])
        folds = self.folds[rows]
        said = np.empty(Y.shape)
        for fold in np.unique(folds):
            here = folds == fold
            mean = self.means[fold]
            Z = Y[here][:, self.used] - mean[self.used]
            Z[np.isnan(Z)] = 0.0  # unknown says nothing
            said[here] = mean + Z @ self.weights[fold]
        return said


def _filled(Y):
    """Return Y as CSR with means in place of what is unknown, and the means."""
    Y = sp.csr_matrix(Y, dtype=np.float64, copy=True)
    n_samples, n_labels = Y.shape
    unknown = np.isnan(Y.data)
    n_known = n_samples - np.bincount(Y.indices[unknown], minlength=n_labels)
    n_there = np.bincount(Y.indices, Y.data == 1, minlength=n_labels)
    mean = n_there / np.maximum(n_known, 1)
    Y.data[unknown] = mean[Y.indices[unknown]]
    return Y, mean


class _Cells:
    """Features of the cells of Y, block by block."""

    def __init__(self, proba, Y, known, folds, hierarchy):
        self.proba = proba
        self.Y = Y
        self.hierarchy = hierarchy
        self.children = sp.csr_matrix(hierarchy.children, dtype=np.float64)
        self.above = sp.csr_matrix(hierarchy.ancestors, dtype=np.float64)
        self.n_parents = np.diff(hierarchy.parents.indptr)
        self.annotations = Annotations(Y, known, folds, hierarchy)
        self.folds = folds
        there, above = map(_of_others, self._counts())
        self.share = logit((there + 0.5) / (above + 1))
        self.log_count = np.log1p(there)

    def _counts(self):
        """Count by fold samples with a label, and with its parents, it known."""
        n_folds = self.folds.max() + 2
        there = np.zeros((n_folds, self.Y.shape[1]))
        above = np.zeros_like(there)
        for rows in row_blocks(*self.Y.shape):
            labels = dense(self.Y[rows])
            with_parents = of_parents((labels == 1) * 1, self.hierarchy, 1) == 1
            of_fold = sp.csr_matrix(
                (
                    np.ones(len(labels)),
                    (self.folds[rows] % n_folds, range(len(labels))),
                ),
                shape=(n_folds, len(labels)),
            )
            there += of_fold @ (labels == 1)
            above += of_fold @ (with_parents & ~np.isnan(labels))
        return there, above

    def features(self, rows: slice) -> tuple[np.ndarray, ...]:
        """Return features (n_features, n_rows, n_labels), Y, and two sorts of cells.

        The frontier are labels with all parents and without a child: what may be added
        or removed alone. The others, of which it is a part, are all with their parents.
        """
        Y = dense(self.Y[rows])
        there = Y == 1
        proba = np.asarray(self.proba[rows], dtype=np.float64)
        given = proba / np.maximum(of_parents(proba, self.hierarchy, 1.0), 1e-12)
        given = np.clip(given, SMALL, 1 - SMALL)
        n_children = there @ self.children.T
        siblings = (n_children @ self.children) / np.maximum(self.n_parents, 1)
        roots = self.hierarchy.roots
        siblings[:, roots] = there[:, roots].sum(axis=1, keepdims=True)
        siblings -= there
        n_below = there @ self.above
        others = there.sum(axis=1, keepdims=True) - there - n_below
        others -= there @ self.above.T  # nor what is above, which says nothing
        said = np.clip(self.annotations.say(rows), 1e-4, 1.0)
        found = np.stack(
            [
                logit(given),
                logit(proba),
                self.share[self.folds[rows]],
                self.log_count[self.folds[rows]],
                siblings < 0.5,
                np.abs(siblings - 1) < 0.5,
                np.minimum(siblings, MOST_SIBLINGS),
                np.log1p(np.maximum(others, 0)),
                np.log1p(-given) @ self.children.T,
                said,
                np.log(said),
            ]
        )
        of_above = of_parents(there.astype(np.int8), self.hierarchy, 1)
        with_parents = of_above == 1
        return found, Y, with_parents & (n_children == 0), with_parents


def _of_others(counts):
    """Return counts of all other folds, by fold; of all, of the last: no fold."""
    others = counts.sum(axis=0) - counts
    others[-1] = counts.sum(axis=0)
    return others


def given_others(
    proba: np.ndarray,
    Y: Any,
    hierarchy: Hierarchy,
    folds: np.ndarray,
    weight: np.ndarray | None = None,
) -> Callable:
    """Learn from all annotations how probable one is beside the others.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_labels)
        Coherent probabilities from a classifier that has not seen the samples.
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Annotations, closed upward; NaN is unknown.
    hierarchy : Hierarchy
    folds : ndarray of int of shape (n_samples,)
        Fold of every sample, -1 where ``proba`` has none.
    weight : ndarray of shape (n_samples, 1 or n_labels) or None

    Returns
    -------
    callable
        Of a slice of rows: the probabilities (n_rows, n_labels) of every label if its
        parents are there and its children are not, and those if its parents and a child
        are there.
    """
    n_samples, n_labels = Y.shape
    known = folds >= 0
    if weight is not None:
        known &= np.asarray(weight).max(axis=1) > 0
    cells = _Cells(proba, Y, known, folds, hierarchy)
    drawn = np.random.RandomState(0)
    share = min(1.0, MOST_CELLS / max(_n_frontier(Y, hierarchy), 1))
    ends, inner = _Sample(), _Sample()
    for rows in row_blocks(n_samples, n_labels):
        features, labels, frontier, with_parents = cells.features(rows)
        use = ~np.isnan(labels) & known[rows, None]
        if share < 1:
            use &= drawn.random_sample(use.shape) < share
        own = None if weight is None else weight[rows]
        ends.add(features, labels, folds[rows], own, use & frontier)
        features[NO_CHILD] = 0.0
        inner.add(features, labels, folds[rows], own, use & with_parents)
    n_folds = folds.max() + 2  # the last, -1, is that of rows without a fold
    end_models, inner_models = ends.models(n_folds), inner.models(n_folds)

    def probability(rows):
        features = cells.features(rows)[0]
        end = _said(features, end_models[folds[rows]])
        features[NO_CHILD] = 0.0
        return end, _said(features, inner_models[folds[rows]])

    return probability


class _Sample:
    """Cells, of which a regression is fitted for every fold."""

    def __init__(self):
        self.features = []
        self.values = []
        self.folds = []
        self.weights = []

    def add(self, features, labels, folds, weight, use):
        self.features.append(features[:, use].T)
        self.values.append(labels[use])
        self.folds.append(np.broadcast_to(folds[:, None], use.shape)[use])
        if weight is not None:
            self.weights.append(np.broadcast_to(weight, use.shape)[use])

    def models(self, n_folds):
        """Return coefficients by fold, learnt from all others.

        So no annotation speaks for itself.
        """
        features, values = np.concatenate(self.features), np.concatenate(self.values)
        folds = np.concatenate(self.folds)
        weights = np.concatenate(self.weights) if self.weights else None
        models = np.zeros((n_folds, features.shape[1] + 1))
        for fold in np.unique(folds):
            use = folds != fold
            own = None if weights is None else weights[use]
            models[fold] = _fit(features[use], values[use], own)
        return models


def _said(features, models):
    """Return the probabilities of cells by the model of every row."""
    said = np.einsum("frl,rf->rl", features, models[:, :-1]) + models[:, -1:]
    return expit(said)


def _fit(features, values, weights):
    """Return the coefficients of a logistic regression, the intercept last."""
    if len(np.unique(values)) < 2:  # nothing to be learnt: the classifier's word
        return np.eye(1, features.shape[1] + 1)[0]
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale == 0] = 1.0
    model = LogisticRegression(C=10.0, max_iter=300)
    model.fit((features - mean) / scale, values, sample_weight=weights)
    coef = model.coef_[0] / scale
    return np.append(coef, model.intercept_[0] - mean @ coef)


def _n_frontier(Y, hierarchy):
    """Return about how many cells the frontier has: children of what is annotated."""
    counts = np.asarray((Y == 1).sum(axis=0), dtype=np.float64).ravel()
    n_children = np.diff(hierarchy.children.indptr)
    return counts @ n_children + Y.shape[0] * len(hierarchy.roots)

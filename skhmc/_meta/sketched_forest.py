"""A forest of extremely randomised trees that costs little with many labels.

A tree of scikit-learn sums over all labels at every split that it tries: with 4,000
labels, 100 trees take minutes. Here every tree is grown to a sketch of the labels, a
few random sums of their columns. These keep the variances by which splits are chosen,
but for noise, and every tree has sums of its own, so that the noise goes in the mean.
The leaves then hold means of the labels themselves.
"""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.tree import ExtraTreeRegressor
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from skhmc._data.weights import label_counts, smoothed_rates

__all__ = ["SketchedForest"]

CELLS_PER_BLOCK = 2**22  # of an output, at a time
MAX_TRIED = 300  # features at a split: of very wide data a share would be many


class SketchedForest(ClassifierMixin, BaseEstimator):
    r"""Extremely randomised trees, each grown to random sums of the labels.

    Parameters
    ----------
    n_estimators : int, default=200
        Number of trees.
    min_samples_leaf : int, default=3
        Least number of rows in a leaf.
    max_features : float, default=0.3
        Share of the features that a split is chosen from, 300 at most.
    n_components : int, default=64
        Number of random sums. With as many labels or fewer, trees are grown to these.
    max_samples : int, default=20_000
        Greatest number of rows. Of more, as many are drawn.
    random_state : int, RandomState instance or None, default=None
        Seeds the trees, the sums and the draw of rows.

    Attributes
    ----------
    estimators_ : list of ExtraTreeRegressor
        The trees.
    classes_ : ndarray of shape (n_labels, 2) or (n_classes,)
        ``[0, 1]`` per label; the classes of a 1-D y.
    n_features_in_, feature_names_in_
        Number and names of the features.

    Notes
    -----
    The probability of label l is

    .. math::
        P_l(x) = \frac{\sum_i k(x, x_i) w_{il} y_{il}}{\sum_i k(x, x_i) w_{il}}, \quad
        k(x, x_i) = \frac{1}{T} \sum_t \frac{[x, x_i \text{ in one leaf of } t]}
        {\text{weight of the leaf}}

    over rows i that know l. Where no row of the leaves knows it, this is its share.

    References
    ----------
    Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning, 2006.

    Joly, Geurts and Wehenkel, "Random forests with random projections of the output
    space for high dimensional multi-label classification", ECML PKDD 2014.
    """

    _parameter_constraints: dict = {
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "min_samples_leaf": [Interval(Integral, 1, None, closed="left")],
        "max_features": [Interval(Real, 0, 1, closed="right")],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_estimators=200,
        min_samples_leaf=3,
        max_features=0.3,
        n_components=64,
        max_samples=20_000,
        random_state=None,
    ):
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.n_components = n_components
        self.max_samples = max_samples
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, Y, sample_weight=None):
        """Grow the trees.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        Y : array-like or csr_matrix of shape (n_samples, n_labels)
            Indicators 0, 1 or NaN (unknown); or classes (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights.

        Returns
        -------
        self
        """
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float32)
        Y = self._read(Y)
        n_samples, n_labels = Y.shape
        if sample_weight is None:
            sample_weight = np.ones(n_samples)
        weight = np.asarray(sample_weight, dtype=np.float64).reshape(n_samples, -1)
        positive, known = label_counts(Y, weight)
        self._priors = smoothed_rates(positive, known)
        random = check_random_state(self.random_state)
        rows = np.flatnonzero(weight.any(axis=1))  # those of no weight say nothing
        if len(rows) > self.max_samples:
            rows = np.sort(random.choice(rows, self.max_samples, replace=False))
        X, Y, weight = X[rows], Y[rows], weight[rows]
        row_weight = weight.mean(axis=1)
        self.estimators_ = self._grow(X, self._filled(Y), row_weight, random)
        self._set_leaves(self._leaves(X), row_weight)
        self._set_sums(Y, weight / row_weight[:, None], row_weight)
        return self

    def _read(self, Y):
        """Set the classes, and return Y as a csr_matrix of 0, 1 and NaN."""
        if not sp.issparse(Y) and np.ndim(Y) == 1:
            self.classes_, codes = np.unique(np.asarray(Y), return_inverse=True)
            places = codes, np.arange(len(codes) + 1)
            return sp.csr_matrix((np.ones(len(codes)), *places))
        self.classes_ = np.tile([0, 1], (Y.shape[1], 1))
        return sp.csr_matrix(Y, dtype=np.float64)

    def _filled(self, Y):
        """Return the labels with their share where they are unknown."""
        if np.isnan(Y.data).any():
            Y = Y.copy()
            missing = np.isnan(Y.data)
            Y.data[missing] = self._priors[Y.indices[missing]]
        return Y

    def _grow(self, X, Y, weight, random):
        n_features, n_labels = X.shape[1], Y.shape[1]
        tried = min(max(1, int(self.max_features * n_features)), MAX_TRIED)
        if sp.issparse(X):
            X = X.tocsc()
        targets = Y.toarray() if n_labels <= self.n_components else None
        trees = []
        for _ in range(self.n_estimators):
            if n_labels > self.n_components:
                signs = random.standard_normal((n_labels, self.n_components))
                targets = Y @ signs
            tree = ExtraTreeRegressor(
                min_samples_leaf=self.min_samples_leaf,
                max_features=tried,
                random_state=random.randint(np.iinfo(np.int32).max),
            )
            trees.append(tree.fit(X, targets, sample_weight=weight))
        return trees

    def _leaves(self, X):
        """Return the leaf of every row in every tree (n_samples, n_trees), by number.

        Numbers of one tree follow those of the tree before.
        """
        sizes = [tree.tree_.node_count for tree in self.estimators_]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        leaves = [tree.tree_.apply(X) for tree in self.estimators_]
        return np.stack(leaves, axis=1) + starts

    def _set_leaves(self, leaves, weight):
        """Keep which rows are in a leaf, by their shares of its weight."""
        n_samples, n_trees = leaves.shape
        rows = np.repeat(np.arange(n_samples), n_trees)
        n_nodes = sum(tree.tree_.node_count for tree in self.estimators_)
        total = np.bincount(leaves.ravel(), weight[rows], minlength=n_nodes)
        inside = weight[rows] / total[leaves.ravel()]
        shape = (n_nodes, n_samples)
        self._rows = sp.csr_matrix((inside, (leaves.ravel(), rows)), shape=shape)

    def _set_sums(self, Y, weight, row_weight):
        """Keep what is summed over rows: weighted positives, and weights that lack.

        A row's weights are divided by their mean, with which it counts in its leaves.
        """
        missing = Y.copy()
        missing.data = np.isnan(missing.data).astype(np.float64)
        missing.eliminate_zeros()
        positive = Y.copy()
        positive.data = np.nan_to_num(positive.data)
        self._lacking = None  # of the weight 1 of every label
        if weight.shape[1] > 1:
            known = weight * (1 - missing.toarray())
            positive = sp.csr_matrix(positive.multiply(weight))
            self._lacking = 1 - known
        elif missing.nnz:
            self._lacking = missing
        positive.eliminate_zeros()
        self._positive = positive

    def predict_proba(self, X):
        """Return probabilities (n_samples, n_labels), or those of classes."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float32, reset=False)
        n_samples, n_labels = X.shape[0], len(self.classes_)
        proba = np.empty((n_samples, n_labels))
        step = CELLS_PER_BLOCK // max(n_labels, self._rows.shape[1]) + 1
        for start in range(0, n_samples, step):
            block = slice(start, start + step)
            proba[block] = self._proba(X[block])
        return np.clip(proba, 0, 1)  # rounding

    def _proba(self, X):
        leaves = self._leaves(X)
        n_samples, n_trees = leaves.shape
        share = np.full(leaves.size, 1 / n_trees)
        starts = np.arange(n_samples + 1) * n_trees
        shape = (n_samples, self._rows.shape[0])
        kernel = sp.csr_matrix((share, leaves.ravel(), starts), shape) @ self._rows
        proba = (kernel @ self._positive).toarray()
        if self._lacking is None:
            return proba
        lacking = kernel @ self._lacking
        known = 1 - (lacking.toarray() if sp.issparse(lacking) else lacking)
        told = known > 1e-9
        return np.where(told, proba / np.where(told, known, 1), self._priors)

    def predict(self, X):
        """Return labels more probable than not (n_samples, n_labels), or classes."""
        if self.classes_.ndim == 1:
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        return (self.predict_proba(X) > 0.5).astype(np.int64)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags

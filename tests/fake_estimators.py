"""A small network-like classifier in numpy, for the tests of scorers."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from skhmc import Hierarchy
from skhmc._data.parent_counts import parent_counts
from skhmc.coherence import max_constraint


class FakeHMC(ClassifierMixin, BaseEstimator):
    """Ridge regression per label, then the max constraint, with our estimators' API."""

    def __init__(self, hierarchy=None, alpha=1.0):
        self.hierarchy = hierarchy
        self.alpha = alpha

    def fit(self, X, Y, sample_weight=None):
        names = list(Y.columns) if hasattr(Y, "columns") else None
        Y = np.asarray(Y, dtype=float)
        if names is None and self.hierarchy is None:
            names = range(Y.shape[1])
        self.hierarchy_ = Hierarchy.build(self.hierarchy, labels=names)
        self.label_names_ = list(self.hierarchy_.labels)
        self.label_counts_ = parent_counts(Y, self.hierarchy_)
        self.learned_hierarchy_ = Hierarchy.flat(self.label_names_)
        self.classes_ = np.tile([0, 1], (Y.shape[1], 1))
        A = np.column_stack([X, np.ones(len(X))])
        target = 2 * np.nan_to_num(Y, nan=0.5) - 1
        gram = A.T @ A + self.alpha * np.eye(A.shape[1])
        self.coef_ = np.linalg.solve(gram, A.T @ target)
        return self

    def raw_decision_function(self, X):
        return np.column_stack([X, np.ones(len(X))]) @ self.coef_

    def decision_function(self, X):
        return max_constraint(self.raw_decision_function(X), self.hierarchy_)

    def predict_proba(self, X):
        return 1 / (1 + np.exp(-self.decision_function(X)))

    def predict(self, X):
        return (self.decision_function(X) > 0).astype(int)

    def predict_raw(self, X):
        return (self.raw_decision_function(X) > 0).astype(int)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags

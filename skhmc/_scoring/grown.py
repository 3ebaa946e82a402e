"""How labels are scored of which some are new, and no network knows them yet."""

from copy import copy
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skhmc._scoring.outputs import DEFAULT_THRESHOLD, sigmoid
from skhmc.coherence import min_constraint

__all__ = ["Grown", "Starts"]

NEVER = -1000.0  # a log-probability whose exponential is 0


class Starts(NamedTuple):
    """What labels start from; arrays of shape (n_labels,).

    Positions are those of labels of a network, of this one and of a former one.
    """

    source: np.ndarray  # the label itself, or the one that it starts from; -1 for none
    own: np.ndarray  # bool: whether that is the label itself
    shift: np.ndarray  # of logits, at most 0: how much rarer it is than its source
    prior: np.ndarray  # logits of labels that have nothing to start from
    fixed: np.ndarray  # bool: labels that keep to their prior

    def take(self, order):
        """Return the starts of labels in another order."""
        return Starts(*(part[order] for part in self))


class Grown:
    """A form and new labels, which start from those that it scores.

    Old labels have the scores that they had, bit for bit. A new one has the logit of
    the label that it starts from, less how much rarer it is, and its prior where there
    is none. A rule makes it coherent in that it is lowered to its parents: it raises
    none, and no label is lowered for it. Where labels exclude each other, and one is
    chosen, that is never a new one.

    It has those methods of a form that predict.

    Parameters
    ----------
    form : ManyPaths or SinglePath
        How the network scores its labels.
    hierarchy : Hierarchy
        Of all labels, in the order of Y's columns.
    starts : Starts
        In that order; sources are columns of the form.
    """

    def __init__(self, form, hierarchy, starts):
        self.form = form
        self.hierarchy_of_Y = hierarchy
        self.starts = starts
        self.old = np.flatnonzero(starts.own)
        self.new = np.flatnonzero(~starts.own)
        self.has_paths = form.has_paths
        self.default_rule = form.default_rule

    def rule(self, coherence):
        """Return the rule that a value of ``coherence`` means here, None for none."""
        found = self.form.rule(coherence)
        if found is not None:
            found.check(self.hierarchy_of_Y)
        return found

    def with_hierarchy(self, hierarchy):
        """Return this form with scores that are coherent with another hierarchy.

        Parameters
        ----------
        hierarchy : Hierarchy
            Of the same labels, in the order of Y's columns.
        """
        known = self.form.hierarchy_of_Y.labels
        form = copy(self)
        form.hierarchy_of_Y = hierarchy
        form.form = self.form.with_hierarchy(hierarchy.subset(known))
        return form

    @property
    def rows(self):
        """Where the network has every label, or what it starts from; -1 for nothing."""
        source = self.starts.source
        return np.where(source < 0, -1, self.form.rows[source])

    def _join(self, old, new):
        """Return old columns, which stand as the form has them, beside new ones."""
        joined = np.empty((len(old), self.hierarchy_of_Y.n_labels), old.dtype)
        joined[:, self.old] = old[:, self.starts.source[self.old]]
        joined[:, self.new] = new
        return joined

    def _new_logits(self, logits, rule):
        """Return the logits of new labels (n_samples, n_new).

        Labels that sigmoids score have theirs before any rule, as networks do. Those of
        paths have a part of what their parent has by the rule.
        """
        starts = self.starts.take(self.new)
        scores = self.form.logits(logits, rule if self.has_paths else None)
        scores = scores[:, np.maximum(starts.source, 0)]
        apart = (starts.source < 0) | starts.fixed
        return np.where(apart, starts.prior, scores + starts.shift).astype(scores.dtype)

    def _lowered(self, scores):
        """Return scores whose new labels are nowhere above their parents."""
        lowered = min_constraint(scores, self.hierarchy_of_Y)
        lowered[:, self.old] = scores[:, self.old]
        return lowered

    def logits(self, logits, rule):
        """Return logits (n_samples, n_labels) under a rule, or without."""
        old = self.form.logits(logits, rule)
        scores = self._join(old, self._new_logits(logits, rule))
        return scores if rule is None else self._lowered(scores)

    def proba(self, logits, rule):
        """Return probabilities (n_samples, n_labels) under a rule, or without."""
        old = self.form.proba(logits, rule)
        scores = self._join(old, sigmoid(self._new_logits(logits, rule)))
        return scores if rule is None else self._lowered(scores)

    def predict(self, logits, rule, threshold, sparse=False):
        """Return indicators (n_samples, n_labels), bool, an array or csr_matrix."""
        old = self.form.predict(logits, rule, threshold, sparse)
        chosen = self.has_paths and (rule is None or rule.needs_paths)
        if threshold is None and chosen:  # the best of the old labels
            new = np.zeros((old.shape[0], len(self.new)), bool)
        else:
            if threshold is None:
                threshold = DEFAULT_THRESHOLD
            new = self.proba(logits, rule)[:, self.new] > threshold
        if not sparse:
            return self._join(old, new)
        both = sp.hstack([old, sp.csr_matrix(new)], format="csr")
        column = self.starts.source.copy()
        column[self.new] = old.shape[1] + np.arange(len(self.new))
        return both[:, column]

    def class_log_proba(self, positions):
        """Return a function of logits: log-probabilities of classes, by position.

        Classes exclude each other: as long as the old ones have what they had, there is
        nothing left for new ones.
        """
        positions = np.asarray(positions)
        known = self.starts.own[positions]
        log_proba = self.form.class_log_proba(self.starts.source[positions[known]])

        def of_all(logits):
            old = log_proba(logits)
            joined = np.full((len(old), len(positions)), NEVER, old.dtype)
            joined[:, known] = old
            return joined

        return of_all

"""How labels enter a network and how its logits become coherent scores.

Inside, labels stand in level order (roots first, then by name); outside, in the order
of Y's columns. :class:`ManyPaths` scores every label by a sigmoid, :class:`SinglePath`
every level by a softmax. Both have the same methods, so estimators need not ask.
"""

import numpy as np
import scipy.sparse as sp
from scipy.special import log_softmax

from skhmc._data.weights import balanced_weights, label_counts
from skhmc._scoring.outputs import above, sigmoid, to_csr
from skhmc._utils.levels import sweep, transposed
from skhmc._utils.messages import name_list
from skhmc.coherence import (
    check_tree,
    close_upward,
    isotonic_constraint,
    max_constraint,
)
from skhmc.paths import PathSpace, is_single_path, stopping_points

__all__ = ["ManyPaths", "OneClass", "SinglePath"]


class _LevelOrder:
    """Level order inside, Y's order outside."""

    def __init__(self, hierarchy, extended):
        self.outside = hierarchy
        names = [str(label) for label in extended.labels]
        kinds = [type(label).__name__ for label in extended.labels]  # 1 and "1"
        self.order = np.lexsort((kinds, names, extended.depth))
        self.hierarchy = extended.subset([extended.labels[i] for i in self.order])
        self.inverse = np.argsort(self.order)
        self.level_sizes = [len(level) for level in self.hierarchy.levels]

    def accepts(self, Y, leaf_prediction):
        """Raise when closed labels Y cannot be scored in this form."""

    def encode_class_weight(self, weight):
        """Return class weights (n_labels,) as (n_net_labels,)."""
        return weight[self.order]

    def count(self, Y, weight):
        """Return the weighted positives and known values of the network's labels."""
        if weight is not None and weight.shape[1] > 1:
            weight = self._extend_weight(weight)
        positive, known = label_counts(self._extend(Y), weight)
        return positive[self.order], known[self.order]

    def place(self, Y):
        """Return targets, and where their columns stand in the network (None: there).

        A sparse Y is not copied if no column is added.
        """
        Y = self._extend(Y)
        return (Y, self.inverse) if sp.issparse(Y) else (Y[:, self.order], None)

    def encode_weight(self, weight):
        """Return sample weights (n_samples, 1 or n_net_labels), or None."""
        if weight is None or weight.shape[1] == 1:
            return weight
        return self._extend_weight(weight)[:, self.order]

    def check(self, coherence):
        """Raise when scores of this form cannot have this kind of coherence."""
        if coherence is not None and coherence not in self.coherences:
            raise ValueError(
                f"Got coherence={coherence!r}, expected {self.needs}, 'auto' or None."
            )

    def outward(self, logits):
        """Return columns of the net in the order outside, in F order, a new array."""
        return transposed(logits).take(self.inverse, axis=0).T


class ManyPaths(_LevelOrder):
    """Any set of labels: a sigmoid per label."""

    auto = "max"  # what coherence="auto" means
    coherences = ("auto", "max", "isotonic")
    needs = "'max' or 'isotonic' ('path' needs single paths and a softmax)"

    def __init__(self, hierarchy):
        super().__init__(hierarchy, hierarchy)

    def check(self, coherence):
        """Raise when scores of this form cannot have this kind of coherence."""
        super().check(coherence)
        if coherence == "isotonic":
            check_tree(self.outside)

    def reordered(self, hierarchy):
        """Return this form for the same labels in the order of another hierarchy."""
        return type(self)(hierarchy)

    def balanced(self, positive, known, cap):
        """Return the weights of the zeros and the ones of every label.

        A label's ones and its zeros count alike, up to the cap.
        """
        counts = np.stack([known - positive, positive], axis=-1)
        return tuple(balanced_weights(counts, cap).T)

    def _extend(self, Y):
        return Y

    _extend_weight = _extend

    def logits(self, logits, coherence):
        """Return logits (n_samples, n_labels) under a kind of coherence."""
        self.check(coherence)
        if coherence is None:
            return logits.take(self.inverse, axis=1)
        logits = self.outward(logits)
        if coherence == "isotonic":
            return _logit(isotonic_constraint(sigmoid(logits), self.outside))
        sweep(logits.T, self.outside.upward_plan, np.maximum)  # the max constraint
        return logits

    def proba(self, logits, coherence):
        """Return probabilities (n_samples, n_labels) under a kind of coherence."""
        self.check(coherence)
        proba = sigmoid(logits.T).take(self.inverse, axis=0).T
        if coherence == "isotonic":
            return isotonic_constraint(proba, self.outside)
        if coherence is not None:  # the max constraint
            sweep(proba.T, self.outside.upward_plan, np.maximum)
        return proba

    def predict(self, logits, coherence, threshold, sparse=False):
        """Return indicators (n_samples, n_labels), bool, an array or csr_matrix."""
        threshold = 0.5 if threshold is None else threshold
        if coherence == "isotonic":
            return _as(self.proba(logits, coherence) > threshold, sparse)
        self.check(coherence)
        if sparse:
            chosen = above(logits, threshold)[:, self.inverse]
        else:
            chosen = (sigmoid(logits.T) > threshold).take(self.inverse, axis=0).T
        return chosen if coherence is None else close_upward(chosen, self.outside)

    def class_scores(self, positions):
        """Return a function of logits that scores classes, of which there is one.

        By the log-likelihood ratio of a class and its ancestors being the labels.
        """
        eye = sp.identity(self.outside.n_labels, bool, "csr")
        members = (self.outside.ancestors + eye)[positions]
        return lambda x: (members.astype(x.dtype) @ self.outward(x).T).T


class SinglePath(_LevelOrder):
    """One label per level: a softmax per level, and the paths they make up."""

    auto = "path"  # what coherence="auto" means
    coherences = ("auto", "path", "max", "isotonic")
    needs = "'path', 'max' or 'isotonic'"

    def __init__(self, hierarchy, stops=(), empty=False):
        self.space = PathSpace(hierarchy, stops, empty)
        super().__init__(hierarchy, self.space.extended)

    def reordered(self, hierarchy):
        """Return this form for the same labels in the order of another hierarchy."""
        stops = [self.outside.labels[k] for k in self.space.stops]
        stops = [hierarchy.position(label) for label in stops]
        return type(self)(hierarchy, stops, self.space.empty)

    def balanced(self, positive, known, cap):
        """Return the weights of the zeros and the ones of every label.

        The outcomes count alike, up to the cap, and so do the labels of every other
        level beside the outcomes above it.
        """
        ones = np.ones(len(positive))
        for frontier in self.frontiers:  # the deepest has all outcomes, and comes last
            ones[frontier] = balanced_weights(positive[frontier], cap)
        return np.ones(len(positive)), ones

    def encode_class_weight(self, weight):
        """Return class weights (n_labels,) as (n_net_labels,); no label weighs 1."""
        parts = [weight, weight[self.space.stops], np.ones(int(self.space.empty))]
        return np.concatenate(parts)[self.order]

    def accepts(self, Y, leaf_prediction):
        """Raise when closed labels Y cannot be scored in this form."""
        if not is_single_path(Y, self.outside):
            raise ValueError(
                "These labels form no single paths as the former ones did: some are "
                "unknown (NaN), or a sample has several of one depth. Train with "
                "label_loss='bce' from the start."
            )
        stops, empty = stopping_points(Y, self.outside)
        new = np.setdiff1d(stops, self.space.stops)
        if leaf_prediction != "mandatory" and (len(new) or empty > self.space.empty):
            where = name_list(self.outside.labels[k] for k in new) or "no label at all"
            raise ValueError(
                f"Samples stop at {where}, where none did before, and this could not "
                f"be predicted. Train with leaf_prediction='optional' from the start, "
                f"or leave such samples out."
            )

    def _extend(self, Y):
        return self.space.extend(Y)

    def _extend_weight(self, weight):
        # a stop weighs what the label weighs under which it is
        parts = [weight, weight[:, self.space.stops]]
        parts += [weight.mean(axis=1, keepdims=True)] * self.space.empty
        return np.hstack(parts)

    @property
    def frontiers(self):
        """Every level's exclusive labels, as positions in the network's order."""
        return [np.sort(self.inverse[f]) for f in self.space.frontiers]

    def proba(self, logits, coherence):
        """Return probabilities (n_samples, n_labels) under a kind of coherence."""
        self.check(coherence)
        logits = self.outward(logits)
        if coherence in ("auto", "path"):
            outcomes = np.exp(self.space.outcome_log_proba(logits))
            labels = self.space.members[:, : self.outside.n_labels]
            proba = np.minimum(outcomes @ labels.astype(logits.dtype), 1)
            return max_constraint(proba, self.outside)  # what rounding broke
        proba = np.exp(self.space.level_log_proba(logits))[:, : self.outside.n_labels]
        if coherence == "max":
            return max_constraint(proba, self.outside)
        if coherence == "isotonic":
            return isotonic_constraint(proba, self.outside)
        return np.ascontiguousarray(proba)

    def logits(self, logits, coherence):
        """Return log-odds (n_samples, n_labels) under a kind of coherence."""
        return _logit(self.proba(logits, coherence))

    def predict(self, logits, coherence, threshold, sparse=False):
        """Return indicators (n_samples, n_labels), bool, an array or csr_matrix.

        Without a threshold: the most probable path or, without coherence, the most
        probable label of every level.
        """
        self.check(coherence)
        if threshold is not None or coherence in ("max", "isotonic"):
            threshold = 0.5 if threshold is None else threshold
            return _as(self.proba(logits, coherence) > threshold, sparse)
        logits, space = self.outward(logits), self.space
        if coherence in ("auto", "path"):
            best = space.outcome_log_proba(logits).argmax(axis=1)
            chosen = space.members[best]
            chosen = chosen if sparse else chosen.toarray()
        else:
            chosen = np.zeros(logits.shape, bool)
            for k, frontier in enumerate(space.frontiers):
                best = frontier[logits[:, frontier].argmax(axis=1)]
                here = space.extended.depth[best] == k  # else the path ended above
                chosen[here, best[here]] = True
        return _as(chosen[:, : self.outside.n_labels], sparse)

    def class_scores(self, positions):
        """Return a function of logits that scores classes, of which there is one.

        By the log-probabilities of the outcomes that end there.
        """
        column = {end: k for k, end in enumerate(self.space.ends)}
        columns = [column[position] for position in positions]
        return lambda x: self.space.outcome_log_proba(self.outward(x))[:, columns]


class OneClass:
    """Exactly one class per sample, scored as a form scores the classes' labels.

    It has the methods of a form, but for what comes in; ``coherence`` and the like mean
    nothing, since classes exclude each other.

    Parameters
    ----------
    form : ManyPaths or SinglePath
    classes : ndarray of shape (n_classes,)
        Labels of the form.
    """

    def __init__(self, form, classes):
        positions = [form.outside.position(label) for label in classes]
        self.scores = form.class_scores(positions)

    def _log_proba(self, logits):
        return log_softmax(self.scores(logits), axis=1)

    def logits(self, logits, coherence=None):
        """Return log-probabilities (n_samples, n_classes), log-odds of two classes."""
        log_p = self._log_proba(logits)
        return log_p[:, 1] - log_p[:, 0] if log_p.shape[1] == 2 else log_p

    def proba(self, logits, coherence=None):
        """Return probabilities (n_samples, n_classes)."""
        return np.exp(self._log_proba(logits))

    def predict(self, logits, coherence=None, threshold=None, sparse=False):
        """Return the most probable classes (n_samples,), by number."""
        return self._log_proba(logits).argmax(axis=1)


def _as(chosen, sparse):
    return to_csr(chosen) if sparse and not sp.issparse(chosen) else chosen


def _logit(p):
    """Return log-odds, finite: p is kept half a rounding step away from 0 and 1."""
    info = np.finfo(p.dtype)
    p = np.clip(p, info.tiny, 1 - info.epsneg)
    return np.log(p) - np.log1p(-p)

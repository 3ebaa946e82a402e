"""How labels enter a network and how its logits become coherent scores.

A network has the labels in level order (roots first, then by name), and everybody else
in the order of Y's columns. :class:`ManyPaths` scores every label by a sigmoid,
:class:`SinglePath` every level by a softmax. Both have the same methods, so estimators
need not ask.
"""

from copy import copy

import numpy as np
import scipy.sparse as sp
from scipy.special import log_softmax

from skhmc._data.weights import balanced_weights, label_counts
from skhmc._scoring.outputs import DEFAULT_THRESHOLD, above, sigmoid, to_csr
from skhmc._utils.levels import transposed
from skhmc._utils.messages import name_list
from skhmc.coherence import (
    RULES,
    RuleNames,
    close_upward,
    is_single_path,
    max_constraint,
    stopping_points,
)
from skhmc.paths import PathSpace

__all__ = ["ManyPaths", "OneClass", "SinglePath"]


class _LevelOrder:
    """The order of a network's labels, and the rules that its scores can have.

    Parameters
    ----------
    hierarchy : Hierarchy
        Of Y's columns, in their order.
    extended : Hierarchy
        The same labels, then those that only the network has.
    """

    has_paths = False  # whether probabilities of whole paths can be had
    default_rule = "max"  # what coherence="auto" is

    def __init__(self, hierarchy, extended):
        self.hierarchy_of_Y = hierarchy
        names = [str(label) for label in extended.labels]
        # the type tells 1 from "1", so that they have one order
        kinds = [type(label).__name__ for label in extended.labels]
        # the column of every label of the network, and the network's of every column
        self.order = np.lexsort((kinds, names, extended.depth))
        self.inverse = np.argsort(self.order)
        self.hierarchy = extended._take(self.order)
        self.level_sizes = [len(level) for level in self.hierarchy.levels]

    def rule(self, coherence):
        """Return the rule that a value of ``coherence`` means here, None for none.

        Raises
        ------
        ValueError
            When scores of this form, or of this hierarchy, cannot follow it.
        """
        if coherence is None:
            return None
        if coherence == "auto":  # every hierarchy can have it
            return RULES[self.default_rule]
        name = coherence
        names = RuleNames(paths=self.has_paths)
        if name not in names:
            expected = ", ".join(map(repr, ["auto", *names]))
            known = RULES.get(name)
            only_paths = known is not None and known.needs_paths
            why = f"; {name!r} needs single paths and a softmax" if only_paths else ""
            raise ValueError(
                f"Got coherence={coherence!r}, expected {expected} or None{why}."
            )
        found = RULES[name]
        found.check(self.hierarchy_of_Y)
        return found

    def check_targets(self, Y, leaf_prediction):
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

    def to_net_order(self, Y):
        """Return targets, and where their columns stand in the network.

        That is None for an array, whose columns are put there. A sparse Y is left in
        its order, so that it is not copied if no column is added.
        """
        Y = self._extend(Y)
        if sp.issparse(Y):
            return Y, self.inverse
        return Y[:, self.order], None

    def encode_weight(self, weight):
        """Return sample weights (n_samples, 1 or n_net_labels), or None."""
        if weight is None or weight.shape[1] == 1:
            return weight
        return self._extend_weight(weight)[:, self.order]

    @property
    def rows(self):
        """Where the network has every column of Y, as positions in its order."""
        return self.inverse[: self.hierarchy_of_Y.n_labels]

    def class_log_proba(self, positions):
        """Return a function of logits: log-probabilities of classes, by position."""
        scores = self.class_scores(positions)
        return lambda logits: log_softmax(scores(logits), axis=1)

    def to_Y_order(self, logits):
        """Return columns of the net in Y's order: a new array, in F order."""
        return self._by_label(logits).T

    def _by_label(self, logits):
        """Return logits as (n_labels, n_samples) in Y's order, in C order."""
        return transposed(logits).take(self.inverse, axis=0)


class ManyPaths(_LevelOrder):
    """Any set of labels: a sigmoid per label."""

    def __init__(self, hierarchy):
        super().__init__(hierarchy, hierarchy)

    def with_hierarchy(self, hierarchy):
        """Return this form with scores that are coherent with another hierarchy.

        Parameters
        ----------
        hierarchy : Hierarchy
            Of the same labels, in the order of Y's columns. The order of the network's
            labels stays what it was.

        Returns
        -------
        ManyPaths
        """
        form = copy(self)
        form.hierarchy_of_Y = hierarchy
        return form

    def reordered(self, hierarchy, stops=()):
        """Return this form for the labels of another hierarchy, which may be more."""
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

    def logits(self, logits, rule):
        """Return logits (n_samples, n_labels) under a rule, or without."""
        if rule is None:
            return logits.take(self.inverse, axis=1)
        values = self._by_label(logits)
        if rule.takes_logits:
            return rule.constrain(values, self.hierarchy_of_Y).T
        proba = rule.constrain(sigmoid(values), self.hierarchy_of_Y).T
        return _coherent_log_odds(proba, self.hierarchy_of_Y)

    def proba(self, logits, rule):
        """Return probabilities (n_samples, n_labels) under a rule, or without."""
        values = sigmoid(logits.T).take(self.inverse, axis=0)
        if rule is not None:
            values = rule.constrain(values, self.hierarchy_of_Y)
        return values.T

    def predict(self, logits, rule, threshold, sparse=False):
        """Return indicators (n_samples, n_labels), bool, an array or csr_matrix."""
        if threshold is None:
            threshold = DEFAULT_THRESHOLD
        if rule is not None and not rule.closes_predictions:
            return _as(self.proba(logits, rule) > threshold, sparse)
        if sparse:
            chosen = above(logits, threshold)[:, self.inverse]
        else:
            chosen = (sigmoid(logits.T) > threshold).take(self.inverse, axis=0).T
        return chosen if rule is None else close_upward(chosen, self.hierarchy_of_Y)

    def class_scores(self, positions):
        """Return a function of logits that scores classes, of which there is one.

        By the log-likelihood ratio of a class and its ancestors being the labels.
        """
        eye = sp.identity(self.hierarchy_of_Y.n_labels, bool, "csr")
        members = (self.hierarchy_of_Y.ancestors + eye)[positions]

        def scores(logits):
            return (members.astype(logits.dtype) @ self._by_label(logits)).T

        return scores


class SinglePath(_LevelOrder):
    """One label per level: a softmax per level, and the paths they make up."""

    has_paths = True
    default_rule = "path"

    def __init__(self, hierarchy, stops=(), empty=False):
        self.space = PathSpace(hierarchy, stops, empty)
        super().__init__(hierarchy, self.space.extended)

    def reordered(self, hierarchy, stops=()):
        """Return this form for the labels of another hierarchy, which may be more.

        Parameters
        ----------
        hierarchy : Hierarchy
        stops : iterable of int
            Positions of labels under which paths may stop, beside those so far.
        """
        labels = self.hierarchy_of_Y.labels
        before = [hierarchy.position(labels[k]) for k in self.space.stops]
        more = [k for k in stops if k not in set(before)]
        return type(self)(hierarchy, before + more, self.space.empty)

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

    def check_targets(self, Y, leaf_prediction):
        """Raise when closed labels Y cannot be scored in this form."""
        if not is_single_path(Y, self.hierarchy_of_Y):
            raise ValueError(
                "These labels form no single paths as the former ones did: some are "
                "unknown (NaN), or a sample has several of one depth. Train with "
                "label_loss='bce' from the start."
            )
        stops, empty = stopping_points(Y, self.hierarchy_of_Y)
        new = np.setdiff1d(stops, self.space.stops)
        if leaf_prediction != "mandatory" and (len(new) or empty > self.space.empty):
            labels = self.hierarchy_of_Y.labels
            where = name_list(labels[k] for k in new) or "no label at all"
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
        if self.space.empty:
            parts.append(weight.mean(axis=1, keepdims=True))
        return np.hstack(parts)

    @property
    def frontiers(self):
        """Every level's exclusive labels, as positions in the network's order."""
        return [np.sort(self.inverse[f]) for f in self.space.frontiers]

    def proba(self, logits, rule):
        """Return probabilities (n_samples, n_labels) under a rule, or without."""
        logits = self.to_Y_order(logits)
        if rule is not None and rule.needs_paths:
            proba = self._sums_over_paths(logits)
        else:
            proba = np.exp(self.space.level_log_proba(logits))
            proba = proba[:, : self.hierarchy_of_Y.n_labels]
        if rule is None:
            return np.ascontiguousarray(proba)
        return rule.apply(proba, self.hierarchy_of_Y)

    def _sums_over_paths(self, logits):
        """Return for every label the probability of the paths that it is on."""
        outcomes = np.exp(self.space.outcome_log_proba(logits))
        labels = self.space.members[:, : self.hierarchy_of_Y.n_labels]
        return np.minimum(outcomes @ labels.astype(logits.dtype), 1)

    def logits(self, logits, rule):
        """Return log-odds (n_samples, n_labels) under a rule, or without."""
        proba = self.proba(logits, rule)
        if rule is None:
            return _logit(proba)
        return _coherent_log_odds(proba, self.hierarchy_of_Y)

    def predict(self, logits, rule, threshold, sparse=False):
        """Return indicators (n_samples, n_labels), bool, an array or csr_matrix.

        Without a threshold: the most probable path or, without coherence, the most
        probable label of every level. Other rules have no such choice, and 0.5.
        """
        if threshold is None and rule is None:
            chosen = self._best_of_levels(self.to_Y_order(logits))
        elif threshold is None and rule.needs_paths:
            best = self.space.outcome_log_proba(self.to_Y_order(logits)).argmax(axis=1)
            chosen = self.space.members[best]
            chosen = chosen if sparse else chosen.toarray()
        else:
            if threshold is None:
                threshold = DEFAULT_THRESHOLD
            return _as(self.proba(logits, rule) > threshold, sparse)
        return _as(chosen[:, : self.hierarchy_of_Y.n_labels], sparse)

    def _best_of_levels(self, logits):
        chosen = np.zeros(logits.shape, bool)
        for k, frontier in enumerate(self.space.frontiers):
            best = frontier[logits[:, frontier].argmax(axis=1)]
            here = self.space.extended.depth[best] == k  # else the path ended above
            chosen[here, best[here]] = True
        return chosen

    def class_scores(self, positions):
        """Return a function of logits that scores classes, of which there is one.

        By the log-probabilities of the outcomes that end there.
        """
        column = {end: k for k, end in enumerate(self.space.ends)}
        columns = [column[position] for position in positions]

        def scores(logits):
            return self.space.outcome_log_proba(self.to_Y_order(logits))[:, columns]

        return scores


class OneClass:
    """Exactly one class per sample, scored as a form scores the classes' labels.

    It has the methods of a form, but for what comes in. Classes exclude each other, so
    that rules, thresholds and sparse outputs mean nothing.

    Parameters
    ----------
    form : ManyPaths or SinglePath
        How the labels are scored.
    classes : ndarray of shape (n_classes,)
        Labels of the form.
    """

    def __init__(self, form, classes):
        positions = [form.hierarchy_of_Y.position(label) for label in classes]
        self._log_proba = form.class_log_proba(positions)

    def logits(self, logits, rule=None):
        """Return log-probabilities (n_samples, n_classes), log-odds of two classes."""
        log_p = self._log_proba(logits)
        if log_p.shape[1] == 2:
            return log_p[:, 1] - log_p[:, 0]
        return log_p

    def proba(self, logits, rule=None):
        """Return probabilities (n_samples, n_classes)."""
        return np.exp(self._log_proba(logits))

    def predict(self, logits, rule=None, threshold=None, sparse=False):
        """Return the most probable classes (n_samples,), by number."""
        return self._log_proba(logits).argmax(axis=1)


def _as(chosen, sparse):
    """Return indicators as a csr_matrix where one is asked for."""
    if sparse and not sp.issparse(chosen):
        return to_csr(chosen)
    return chosen


def _coherent_log_odds(proba, hierarchy):
    # a logarithm may fall by the last bit where its argument rises
    return max_constraint(_logit(proba), hierarchy)


def _logit(p):
    """Return log-odds, finite: p is kept half a rounding step away from 0 and 1."""
    info = np.finfo(p.dtype)
    p = np.clip(p, info.tiny, 1 - info.epsneg)
    return np.log(p) - np.log1p(-p)

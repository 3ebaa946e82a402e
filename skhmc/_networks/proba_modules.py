"""What a form computes with arrays as a module of torch: for graphs, for any device."""

import numpy as np
import scipy.sparse as sp

from skhmc._scoring.label_form import ManyPaths, SinglePath
from skhmc.coherence import RULES
from skhmc.nn.probabilities import (
    ClassProba,
    LabelProba,
    LabelSetScores,
    LevelProba,
    OutcomeScores,
    PathProba,
    SparseSums,
)
from skhmc.nn.rules import RULE_MODULES
from skhmc.paths import COARSE_WEIGHT

__all__ = ["has_module", "proba_module", "rule_module"]


def has_module(form, rule):
    """Tell whether a form and a rule (or None) can be had as a module."""
    known = rule is None or any(RULES[name] is rule for name in RULE_MODULES)
    return known and type(form) in (ManyPaths, SinglePath)


def rule_module(rule, hierarchy):
    """Return a Rule as a module of values (n_labels, B); None stays None.

    Raises
    ------
    ValueError
        When the rule is computed with arrays only.
    """
    if rule is None:
        return None
    name = next(key for key, value in RULES.items() if value is rule)
    if name not in RULE_MODULES:
        known = ", ".join(map(repr, RULE_MODULES))
        raise ValueError(
            f"coherence={name!r} is computed with arrays only, not by a graph. Set "
            f"coherence to one of {known}, or to None: that may change after fit."
        )
    return RULE_MODULES[name](hierarchy)


def proba_module(form, rule, classes=None):
    """Return a module from a network's logits (B, n) to probabilities.

    Parameters
    ----------
    form : ManyPaths or SinglePath
        How labels are scored.
    rule : Rule or None
        What makes the probabilities coherent.
    classes : ndarray of shape (n_classes,), default=None
        The classes of a 1-D y, whose probabilities are returned then.

    Returns
    -------
    nn.Module
        Its result is (B, n_labels), in the order of Y's columns, or (B, n_classes).
    """
    if type(form) not in (ManyPaths, SinglePath):
        raise ValueError(
            "Labels that grow() took in are not in the network yet. Train with them "
            "before you export, by partial_fit or by fit with warm_start=True."
        )
    if classes is not None:
        at = [form.hierarchy_of_Y.position(label) for label in classes]
        return _class_module(form, np.array(at, dtype=np.intp))
    made = rule_module(rule, form.hierarchy_of_Y)
    if not form.has_paths:
        return LabelProba(form.inverse, made)
    scores = _outcome_scores(form)
    if rule is not None and rule.needs_paths:
        n_labels = form.hierarchy_of_Y.n_labels
        outcome, label = form.space.members[:, :n_labels].nonzero()
        return PathProba(scores, SparseSums((label, outcome), n_labels), made)
    return _level_module(form, scores, made)


def _outcome_scores(form):
    space = form.space
    # every outcome has one label in every frontier, which stands there in its row
    places = [space.members[:, frontier].indices for frontier in space.frontiers]
    return OutcomeScores(form.inverse, space.frontiers, places, COARSE_WEIGHT)


def _level_module(form, scores, rule):
    levels = form.space.extended.levels
    pairs = zip(levels, form.space.frontiers, strict=True)
    own = [np.searchsorted(frontier, level) for level, frontier in pairs]
    order = np.argsort(np.concatenate(levels))[: form.hierarchy_of_Y.n_labels]
    return LevelProba(scores, own, order, rule)


def _class_module(form, positions):
    if form.has_paths:
        column = {end: k for k, end in enumerate(form.space.ends.tolist())}
        columns = [column[position] for position in positions.tolist()]
        return ClassProba(_outcome_scores(form), columns)
    hierarchy = form.hierarchy_of_Y
    eye = sp.identity(hierarchy.n_labels, bool, "csr")
    pairs = (hierarchy.ancestors + eye)[positions].nonzero()
    scores = LabelSetScores(form.inverse, SparseSums(pairs, len(positions)))
    return ClassProba(scores, np.arange(len(positions)))

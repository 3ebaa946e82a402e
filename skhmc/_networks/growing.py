"""Training that goes on with more labels: which are new, and what they start from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from scipy.special import logit

from skhmc._data.weights import smoothed_rates
from skhmc._scoring.grown import Starts
from skhmc._utils.messages import name_list
from skhmc.hierarchy import Hierarchy
from skhmc.nn.growth import Growth

__all__ = [
    "as_growth",
    "build_after",
    "changes",
    "find_starts",
    "match_labels",
    "new_labels",
    "refuse_changed_in_place",
    "same_source",
    "what_else_changed",
]


# -- hierarchies -----------------------------------------------------------------------


def new_labels(hierarchy, former):
    """Return the labels of a hierarchy that a former one does not have."""
    return [label for label in hierarchy.labels if label not in former]


def changes(hierarchy, former):
    """Tell whether a hierarchy is another one than a former, but for its order."""
    if hierarchy.n_labels != former.n_labels or new_labels(hierarchy, former):
        return True
    return former.subset(hierarchy.labels) != hierarchy


def what_else_changed(hierarchy, former):
    """Return as text what is different in a hierarchy beside labels that are new.

    That is empty where there is nothing: all labels are there, under the same parents.
    """
    gone = new_labels(former, hierarchy)
    said = f"; only the former has {name_list(gone)}" if gone else ""
    differing = _edges_into(hierarchy, former) ^ _edges_into(former, hierarchy)
    moved = {child for parent, child in differing if parent not in set(gone)}
    if moved:
        label, *others = sorted(moved, key=former.position)
        before, now = former.parents_of(label), hierarchy.parents_of(label)
        said += (
            f"; {label!r} was under {name_list(before) or 'no label'} and is under "
            f"{name_list(now) or 'no label'}"
        )
        said += f", and so have other parents {name_list(others)}" if others else ""
    return said


def _edges_into(hierarchy, other):
    """Return the edges (parent, child) to labels that another hierarchy has, too."""
    labels = hierarchy.labels
    edges = ((labels[p], labels[c]) for p, c in hierarchy.edges.tolist())
    return {(parent, child) for parent, child in edges if child in other}


def same_source(one, other):
    """Tell whether two values of the parameter ``hierarchy`` are the same."""
    kinds = (Hierarchy, dict, list, tuple)  # of which == is one answer
    return one is other or (isinstance(one, kinds) and one == other)


def refuse_changed_in_place(source, hierarchy):
    """Raise where a source has got labels since a hierarchy was built from it."""
    if source is None or isinstance(source, (Hierarchy, Iterator)):
        return
    added = new_labels(Hierarchy.build(source), hierarchy)
    if added:
        raise ValueError(
            f"The parameter hierarchy, a {type(source).__name__}, was changed in place "
            f"after the first call, and now has {name_list(added)}, too. Training does "
            f"not see such a change. Call grow with the hierarchy, or set the "
            f"parameter to another object, such as a changed copy."
        )


def build_after(source, former, former_source):
    """Return the Hierarchy of a source that follows another one.

    A Hierarchy keeps its order. Other sources have none: former labels come first. A
    former label that only a column of Y named, since the former source did not, is a
    root here, too.

    Parameters
    ----------
    source, former_source : hierarchy-like
        Of the parameter ``hierarchy``, now and before; None before is flat.
    former : Hierarchy
    """
    hierarchy = Hierarchy.build(source)
    if hierarchy is source:
        return hierarchy
    named = () if former_source is None else Hierarchy.build(former_source)
    kept = [x for x in former.labels if x in hierarchy or x not in named]
    edges = [[hierarchy.labels[k] for k in edge] for edge in hierarchy.edges.tolist()]
    return Hierarchy([*kept, *new_labels(hierarchy, former)], edges)


# -- labels of the network -------------------------------------------------------------


def match_labels(former, form, classes):
    """Return what a former call left, in the order of a form's labels, of all of them.

    Parameters
    ----------
    former : Former
    form : ManyPaths or SinglePath
        How labels are scored now. It has all labels of the former's form.
    classes : ndarray or None
        All classes of a 1-D y.

    Returns
    -------
    Former
        The same where there is nothing new. Else it has ``places``: the position in the
        former network of every label, -1 where that has learnt nothing of it; counts of
        new labels are 0.
    """
    before = former.form.hierarchy.labels
    now = form.hierarchy.labels
    if before == now and not former.waiting.any():
        return former
    index = {label: k for k, label in enumerate(before)}
    places = np.array([index.get(label, -1) for label in now])
    counted = np.array([_counted_as(label, index) for label in now])
    positive, known, n_samples = former.counts
    learnt = places >= 0
    learnt[learnt] = ~former.waiting[places[learnt]]
    class_counts = former.class_counts
    if classes is not None:
        at = {label: k for k, label in enumerate(former.classes.tolist())}
        at = np.array([at.get(label, -1) for label in classes.tolist()])
        class_counts = _take(class_counts, at, 0)
    return replace(
        former,
        counts=type(former.counts)(
            _take(positive, counted, 0), _take(known, counted, 0), n_samples
        ),
        class_counts=class_counts,
        fixed=_take(former.fixed, places, True),
        places=np.where(learnt, places, -1),
    )


def _counted_as(label, index):
    """Return where the samples of a label were counted so far, -1 for nowhere.

    Those of a new stop under a label that was a leaf are the leaf's.
    """
    if label in index:
        return index[label]
    is_stop = isinstance(label, tuple) and len(label) == 2 and label[0] == "stop"
    return index.get(label[1], -1) if is_stop else -1


def _take(values, places, missing):
    """Return the values at some places; elsewhere (-1) something else."""
    return np.where(places < 0, missing, values[places]).astype(values.dtype)


def find_starts(places, form, counts, class_weight=None):
    """Return what the labels of a form start from.

    A new label starts from its parent; of several, from the rarest one, which says most
    about it. If that is new, too, it starts from what that does.

    Parameters
    ----------
    places : ndarray of shape (n_net_labels,)
        Of :func:`match_labels`.
    form : ManyPaths or SinglePath
    counts : LabelCounts
        Of the data at hand.
    class_weight : tuple of ndarray, or None
        Weights of a label's zeros and ones.

    Returns
    -------
    Starts
        In the network's order.
    """
    positive, known, _ = counts
    if class_weight is not None:
        zeros, ones = class_weight
        known = positive * ones + (known - positive) * zeros
        positive = positive * ones
    prior = logit(smoothed_rates(positive, known))
    own = places >= 0
    source = places.copy()
    shift = np.zeros(len(places))
    anchor = np.arange(len(places))  # the label whose place the source is
    parents = form.hierarchy.parents
    for label in np.flatnonzero(~own):  # parents come before their children
        above = parents.indices[parents.indptr[label] : parents.indptr[label + 1]]
        if len(above):
            parent = above[prior[above].argmin()]
            source[label] = source[parent]
            anchor[label] = anchor[parent]
            shift[label] = min(prior[label] - prior[anchor[label]], 0)
    # without a positive nothing tells a label from others; without a negative it is
    # what its parent is, as far as anybody knows
    fixed = ~own & (positive == 0)
    return Starts(source, own, shift, prior, fixed)


def as_growth(starts):
    """Return starts as a network takes them."""
    drawn = starts.source < 0
    return Growth(
        source=torch.from_numpy(np.maximum(starts.source, 0)),
        own=torch.from_numpy(starts.own),
        drawn=torch.from_numpy(drawn),
        shift=torch.from_numpy(np.where(drawn, 0, starts.shift)),
    )

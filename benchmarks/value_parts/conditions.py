"""What is done to the training rows, their labels or the hierarchy before a fit.

Held-out rows and their labels stay as they are, whatever a fit is given.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skhmc import Hierarchy

__all__ = ["CONDITIONS", "Given", "Condition", "hide", "move"]

FEW = 0.15  # of the rows
HIDDEN = 0.2  # of the positives
MOVED = 0.2  # of the labels that have a parent


class Given(NamedTuple):
    """What a fit is given."""

    rows: np.ndarray
    Y: np.ndarray  # of these rows
    hierarchy: Hierarchy


def everything(data, random):
    """Give all training rows as they are."""
    return Given(data.fit, data.Y[data.fit], data.hierarchy)


def few_rows(data, random):
    """Give some of the training rows."""
    n_rows = round(FEW * len(data.fit))
    rows = random.permutation(data.fit)[:n_rows]
    return Given(rows, data.Y[rows], data.hierarchy)


def hidden_positives(data, random):
    """Give labels of which some positives are 0, as where nobody looked for them."""
    Y = hide(data.Y[data.fit], data.hierarchy, HIDDEN, random)
    return Given(data.fit, Y, data.hierarchy)


def moved_labels(data, random):
    """Give a hierarchy in which some labels are below other parents than they are.

    The labels are given as they are. An estimator that believes the hierarchy adds the
    wrong ancestors to them by itself.
    """
    wrong = move(data.hierarchy, MOVED, random)
    return Given(data.fit, data.Y[data.fit], wrong)


class Condition(NamedTuple):
    """What a fit is given of a data set, and how that is said."""

    said: str
    give: Callable  # of the data and a RandomState


CONDITIONS = {
    "all": Condition("all rows, the right hierarchy", everything),
    "few": Condition(f"{FEW:.0%} of the rows", few_rows),
    "hidden": Condition(f"{HIDDEN:.0%} of the positives hidden", hidden_positives),
    "moved": Condition(f"{MOVED:.0%} of the labels moved", moved_labels),
}


def hide(Y, hierarchy, share, random):
    """Return labels of which a share of the positives is 0; closed upward as before.

    Every label of every row draws a number. A label's least number is the smallest of
    its own and its ancestors'. The positives with the smallest least numbers are
    hidden: with a label goes what is below it. So deep labels are hidden more often.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_labels)
        Closed upward.
    hierarchy : Hierarchy
    share : float
    random : RandomState
    """
    least = random.random_sample(Y.shape)
    for level in hierarchy.levels[1:]:
        for label in level:
            parents = hierarchy.parents[label].indices
            of_parents = least[:, parents].min(axis=1)
            least[:, label] = np.minimum(least[:, label], of_parents)
    positive = Y == 1
    bound = np.quantile(least[positive], share)
    return np.where(positive & (least <= bound), 0, Y)


def move(hierarchy, share, random):
    """Return a hierarchy in which a share of the labels has other parents.

    Each of their parents becomes another label of the depth that it has. So no label
    changes its depth, and there is no cycle. Where a depth has one label alone, that
    stays the parent.

    Parameters
    ----------
    hierarchy : Hierarchy
    share : float
        Of the labels that have a parent.
    random : RandomState
    """
    depth = np.asarray(hierarchy.depth)
    below = np.flatnonzero(depth > 0)
    moved = random.permutation(below)[: round(share * len(below))]
    edges = [tuple(edge) for edge in hierarchy.edges if edge[1] not in set(moved)]
    for label in np.sort(moved):
        parents = hierarchy.parents[label].indices
        taken = set()
        for parent in parents:
            others = hierarchy.levels[depth[parent]]
            others = [x for x in others if x not in parents and x not in taken]
            taken.add(random.choice(others) if others else parent)
        edges += [(parent, label) for parent in sorted(taken)]
    names = hierarchy.labels
    return Hierarchy(names, [(names[a], names[b]) for a, b in edges])

"""Which labels of a hierarchy a picture shows, and how many each of them hides."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from skhmc._utils.messages import name_list
from skhmc.hierarchy import Hierarchy

__all__ = ["MOST_LABELS", "check_part", "choose", "n_more"]

MOST_LABELS = 500  # of a picture: more can be neither laid out nor read


def check_part(
    hierarchy: Hierarchy,
    has_proba: bool,
    max_labels: int,
    max_depth: int | None,
    min_proba: float | None,
    root: Any,
) -> None:
    """Raise when what says which part to show makes no sense."""
    _check_max_labels(max_labels)
    if max_depth is not None and not (_is_int(max_depth) and max_depth >= 0):
        raise ValueError(
            f"max_depth must be an integer from 0, or None for no limit, got "
            f"{max_depth!r}. Pass 0 for roots alone, 1 for their children too."
        )
    if min_proba is not None:
        _check_min_proba(min_proba, has_proba)
    if root is not None and root not in hierarchy:
        raise ValueError(
            f"root must be a label of the hierarchy, or None for all, got {root!r}. "
            f"Pass one of {name_list(hierarchy.labels)}."
        )


def _is_int(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check_max_labels(max_labels: int) -> None:
    if not _is_int(max_labels) or max_labels < 1:
        raise ValueError(
            f"max_labels must be a positive integer, got {max_labels!r}. Pass how "
            f"many labels to draw at most."
        )


def _check_min_proba(min_proba: float, has_proba: bool) -> None:
    if not isinstance(min_proba, Real) or not 0 <= min_proba <= 1:
        raise ValueError(
            f"min_proba must be a probability between 0 and 1, or None for no limit, "
            f"got {min_proba!r}."
        )
    if not has_proba:
        raise ValueError(
            f"min_proba needs probabilities, and this display has none, got "
            f"min_proba={min_proba!r}. Leave it out, or give proba."
        )


def choose(
    hierarchy: Hierarchy,
    importance: np.ndarray,
    always: np.ndarray,
    *,
    max_labels: int,
    max_depth: int | None,
    min_proba: float | None,
    root: Any,
) -> np.ndarray:
    """Return the positions of the labels to draw, in the hierarchy's order.

    A label is drawn with all its ancestors, from ``root`` on.

    Parameters
    ----------
    hierarchy : Hierarchy
    importance : ndarray of shape (n_labels,)
        What comes first: probabilities, or what stands for them.
    always : ndarray of shape (n_labels,), bool
        Labels that come first, whatever their probability.
    max_labels, max_depth, min_proba, root
        As in ``HierarchyDisplay.plot``.

    Returns
    -------
    ndarray of int
    """
    below, part = np.arange(hierarchy.n_labels), hierarchy
    if root is not None:
        top = hierarchy.position(root)
        below = np.sort(np.append(hierarchy.descendants[[top]].indices, top))
        part = hierarchy.subset(hierarchy.labels[i] for i in below)
    importance = importance[below]
    always = always[below]
    allowed = np.ones(len(below), bool)
    if max_depth is not None:
        allowed &= part.depth <= max_depth
    if min_proba is not None:
        wanted = allowed & ((importance >= min_proba) | always)
        allowed = wanted | (part.descendants[:, wanted].getnnz(axis=1) > 0)
    if allowed.sum() > max_labels:
        rank = np.lexsort((-importance, ~always))
        allowed = _first(part, rank[allowed[rank]].tolist(), max_labels)
    return below[allowed]


def _first(part: Hierarchy, ranked: list[int], max_labels: int) -> np.ndarray:
    """Mark the first labels that fit with all their ancestors."""
    kept: set[int] = set()
    for label in ranked:
        above = part.ancestors[[label]].indices.tolist()
        wanted = kept.union(above, [label])
        # one whose ancestors do not all fit is passed over, a later one may fit
        if len(wanted) <= max_labels:
            kept = wanted
        if len(kept) == max_labels:
            break
    return np.isin(np.arange(part.n_labels), list(kept))


def n_more(hierarchy: Hierarchy, kept: np.ndarray) -> list[int]:
    """Return of every label drawn how many are hidden right below it.

    Those are its hidden children and all that is below them. In a tree every hidden
    label counts once; with several parents it counts at each.
    """
    hidden = np.ones(hierarchy.n_labels, bool)
    hidden[kept] = False
    if not hidden.any():
        return [0] * len(kept)
    children = hierarchy.children[kept][:, hidden]
    below = children @ hierarchy.descendants[hidden][:, hidden]
    return np.diff(((children + below) > 0).indptr).tolist()

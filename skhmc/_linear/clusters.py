"""Learnt nodes between a label and too many children."""

import numpy as np
import scipy.sparse as sp

from skhmc._linear.lengths import of_length_1
from skhmc._linear.memory import check_memory_of_centroids, plan_centroids
from skhmc._linear.siblings import Problems, group_siblings
from skhmc.hierarchy import Hierarchy

__all__ = ["Nodes", "add_nodes", "balanced_parts"]

MAX_ROUNDS = 20  # of 2-means; most often a few are enough


class Nodes:
    """Labels, and learnt nodes between some of them and their children.

    Attributes
    ----------
    hierarchy : Hierarchy
        Of positions: those of the labels come first, then those of the nodes.
    members : csc_matrix of shape (n_labels, n_nodes), bool
        The labels right below every node and below its nodes, without their
        descendants.
    n_bytes : int
        Memory that was needed to learn the nodes.
    """

    def __init__(self, hierarchy, members, n_bytes=0):
        self.hierarchy = hierarchy
        self.members = members
        self.n_bytes = n_bytes

    def problems(self, X, positive, unknown, weight):
        """Return the Problems of labels and nodes.

        Parameters
        ----------
        X, positive, unknown, weight
            As :class:`Problems` has them, of the labels.
        """
        if not self.members.shape[1]:
            return Problems(X, positive, unknown, weight)
        positive = self.extend(positive)
        if unknown is not None:  # a node with a positive member is known
            unknown = self.extend(unknown)
            unknown = sp.csc_matrix(unknown > unknown.multiply(positive))
            unknown.sort_indices()
        if weight is not None:
            weight = self.extend_weight(weight)
        return Problems(X, positive, unknown, weight)

    def extend(self, indicators):
        """Return a csc_matrix of indicators with a column for every node behind.

        A node has an entry where one of its members has one.
        """
        if not self.members.shape[1]:
            return indicators
        any_member = indicators @ self.members
        extended = sp.hstack([indicators, any_member], format="csc", dtype=bool)
        extended.sort_indices()
        return extended

    def extend_weight(self, weight):
        """Return weights (n_samples, 1 or n_labels) with those of the nodes behind.

        A node weighs as much as its heaviest member.
        """
        n_nodes = self.members.shape[1]
        if weight.shape[1] == 1 or not n_nodes:
            return weight
        starts = self.members.indptr
        heaviest = [
            weight[:, self.members.indices[starts[k] : starts[k + 1]]].max(axis=1)
            for k in range(n_nodes)
        ]
        return np.column_stack([weight, *heaviest])


def add_nodes(hierarchy, X, positive, max_children, rng):
    """Return Nodes with which no label or node has more than ``max_children`` children.

    Labels with the same parents are put together by how alike the samples are that
    have them, in parts of equal size, which balanced 2-means of their centroids finds.

    Parameters
    ----------
    hierarchy : Hierarchy
        All labels.
    X : ndarray or csr_matrix of shape (n_samples, n_features)
        Samples.
    positive : csc_matrix of shape (n_samples, n_labels), bool
        Labels of the samples.
    max_children : int
        Most children of a label or node, at least 2.
    rng : RandomState
        Draws the labels from which 2-means begins.

    Returns
    -------
    Nodes

    Raises
    ------
    ValueError
        If the means of labels take more memory than is free.
    """
    n_labels = hierarchy.n_labels
    members: list[np.ndarray] = []
    edges = []
    groups = group_siblings(hierarchy)
    wide = [group for group in groups if len(group.children) > max_children]
    n_bytes = plan_centroids(X, positive, wide, rng)
    n_children = sum(len(group.children) for group in wide)
    check_memory_of_centroids(n_bytes, n_children, max_children)
    for group in groups:
        centroids = None
        waiting = [(group.parents, np.arange(len(group.children)))]
        while waiting:
            above, places = waiting.pop()
            if len(places) <= max_children:
                edges.append(_all_pairs(above, group.children[places]))
                continue
            if centroids is None:
                centroids = _centroids(X, positive[:, group.children])
            n_parts = min(max_children, -(-len(places) // max_children))
            points = _chosen(centroids, places)
            for part in balanced_parts(points, n_parts, rng):
                node = np.array([n_labels + len(members)])
                members.append(group.children[places[part]])
                edges.append(_all_pairs(above, node))
                waiting.append((node, places[part]))
    if not members:
        none = sp.csc_matrix((n_labels, 0), dtype=bool)
        return Nodes(_of_positions(n_labels, hierarchy.edges), none)
    n_nodes = len(members)
    extended = _of_positions(n_labels + n_nodes, np.concatenate(edges))
    columns = np.repeat(np.arange(n_nodes), [len(part) for part in members])
    rows = np.concatenate(members)
    ones = np.ones(len(rows), bool)
    members_of = sp.csc_matrix((ones, (rows, columns)), (n_labels, n_nodes))
    return Nodes(extended, members_of, n_bytes)


def _of_positions(n, edges):
    return Hierarchy._from_positions(tuple(range(n)), edges)


def _all_pairs(parents, children):
    """Return every parent with every child (n_pairs, 2)."""
    n_children = len(children)
    return np.column_stack(
        [np.repeat(parents, n_children), np.tile(children, len(parents))]
    )


def _centroids(X, positive):
    """Return the direction of the mean sample of every label (n_labels, n_features)."""
    sums = sp.csr_matrix(positive.T, dtype=np.float32) @ of_length_1(X)
    return of_length_1(sums, copy=False)


def _chosen(points, places):
    """Return points at different places, without a copy where these are all."""
    return points if len(places) == points.shape[0] else points[places]


def balanced_parts(points, n_parts, rng):
    """Cut points into parts of nearly equal size, by 2-means of the largest part.

    Parameters
    ----------
    points : ndarray or csr_matrix of shape (n_points, n_features)
        Points of length 1, or 0.
    n_parts : int
        Number of parts, at most ``n_points``.
    rng : RandomState
        Draws the points from which 2-means begins.

    Returns
    -------
    list of ndarray of int
        Positions of the points of every part.
    """
    parts = [np.arange(points.shape[0])]
    while len(parts) < n_parts:
        largest = max(range(len(parts)), key=lambda k: len(parts[k]))
        whole = parts.pop(largest)
        parts += [whole[half] for half in _halves(_chosen(points, whole), rng)]
    return parts


def _halves(points, rng):
    """Return the positions of the points of either half, whose sizes differ by 1."""
    n_points = points.shape[0]
    one, other = rng.choice(n_points, 2, replace=False)
    direction = _as_row(points[one]) - _as_row(points[other])
    first = None
    for _ in range(MAX_ROUNDS):
        # who is nearer to one centroid than to the other, by how much
        order = np.argsort(-(points @ direction), kind="stable")
        former = first
        first = np.sort(order[: n_points // 2])
        if former is not None and np.array_equal(first, former):
            break
        second = np.sort(order[n_points // 2 :])
        direction = _mean(points[first]) - _mean(points[second])
    return first, np.setdiff1d(np.arange(n_points), first, assume_unique=True)


def _as_row(point):
    return np.ravel(point.toarray() if sp.issparse(point) else point)


def _mean(points):
    """Return the direction of the mean point (n_features,)."""
    total = np.ravel(points.sum(axis=0))
    length = np.linalg.norm(total)
    return total / length if length else total

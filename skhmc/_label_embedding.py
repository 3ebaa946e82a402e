"""From how often labels occur together to their points in space, and back."""

from functools import partial

import numpy as np
import torch
from sklearn.utils import check_random_state

from skhmc._similarity import ancestry, similarity
from skhmc.nn.criteria import EmbeddingCriterion, label_tasks
from skhmc.nn.hyperbolic import radius, radius_penalty, to_ball
from skhmc.nn.pairs import RankedPairs
from skhmc.nn.ranking import (
    EUCLIDEAN,
    HYPERBOLIC,
    ExactRanking,
    SampledRanking,
    train_table,
)

__all__ = ["LabelPoints", "build_criterion", "build_ranking", "learn_table"]

EXACT_LABELS = 256  # up to here all pairs are ranked in every step, without sampling
STEPS_OF_CASCADE = 1000
GEOMETRIES = {"hyperbolic": HYPERBOLIC, "euclidean": EUCLIDEAN}


def build_ranking(estimator, hierarchy, counts, n_samples):
    """Return the module that maps points of labels to the losses of their pairs.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``geometry``, ``similarity``, ``temperature``, ``n_pairs`` and
        ``n_negatives``.
    hierarchy : Hierarchy
        In the order of the points. Without edges, labels are near to one another that
        occur together; else to their ancestors.
    counts : csr_matrix of shape (n_labels, n_labels)
        Samples that have both labels, in the same order.
    n_samples : int
    """
    drawn = None
    if len(hierarchy.edges):
        related, drawn = ancestry(hierarchy)
        drawn = torch.from_numpy(drawn)
    else:
        related = similarity(counts, estimator.similarity, n_samples)
    parts = (related.indptr, related.indices, related.data)
    pairs = RankedPairs(*map(torch.from_numpy, parts), drawn)
    space = GEOMETRIES[estimator.geometry]
    if pairs.n_labels <= EXACT_LABELS:
        return ExactRanking(pairs, space, temperature=estimator.temperature)
    return SampledRanking(
        pairs,
        space,
        n_pairs=estimator.n_pairs,
        n_negatives=estimator.n_negatives,
        temperature=estimator.temperature,
    )


def build_criterion(estimator, problem, counts):
    """Return the criterion of a network with points of labels.

    Parameters
    ----------
    estimator : BaseEstimator
        As for :func:`build_ranking`, with ``mode``, ``lam`` and ``max_radius``.
    problem : Problem
    counts : csr_matrix of shape (n_labels, n_labels)
        Samples that have both labels, in the order of Y.
    """
    ranking = penalty = None
    form, weights = problem.form, problem.class_weight
    frequencies = torch.from_numpy(problem.frequencies())
    if estimator.mode != "flat":
        counts = counts[form.order][:, form.order].tocsr()
        counts.sort_indices()
        held_out = problem.split[1]
        n_samples = problem.n_samples - (0 if held_out is None else len(held_out))
        ranking = build_ranking(estimator, form.hierarchy, counts, n_samples)
    if estimator.geometry == "hyperbolic" and estimator.max_radius is not None:
        penalty = partial(radius_penalty, limit=estimator.max_radius)
    return EmbeddingCriterion(
        label_tasks("bce", form.hierarchy, [len(frequencies)], frequencies),
        ranking,
        lam=estimator.lam,
        penalty=penalty,
        class_weight=weights and tuple(map(torch.from_numpy, weights)),
    )


def learn_table(estimator, criterion, former):
    """Return the coordinates (L, d) that a classifier is to leave where they are.

    Those of a former network, or new ones by the criterion's loss of points alone,
    which the criterion has no more then.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``embedding_dim`` and ``random_state``.
    criterion : EmbeddingCriterion
    former : Net or None
    """
    if former is not None:
        table = former.module_.table.detach().cpu()
    else:
        seed = int(check_random_state(estimator.random_state).randint(2**31 - 1))
        generator = torch.Generator().manual_seed(seed)
        shape = criterion.ranking.pairs.n_labels, estimator.embedding_dim
        loss = criterion.embedding_loss
        table = train_table(loss, criterion, shape, STEPS_OF_CASCADE, generator)
    criterion.ranking = None
    return table


class LabelPoints:
    """Points of labels, as a fitted estimator shows them; in float64.

    Parameters
    ----------
    table : Tensor (L, d)
        Coordinates, as they are trained.
    geometry : {"hyperbolic", "euclidean"}
    """

    def __init__(self, table, geometry):
        self.table = table.detach().cpu().double()
        self.geometry = geometry

    @property
    def positions(self):
        """In the Poincaré ball, or coordinates: (L, d)."""
        hyperbolic = self.geometry == "hyperbolic"
        return (to_ball(self.table) if hyperbolic else self.table).numpy()

    @property
    def radius(self):
        """Distances from the origin: (L,)."""
        hyperbolic = self.geometry == "hyperbolic"
        return (radius(self.table) if hyperbolic else self.table.norm(dim=1)).numpy()

    def between(self, one, other):
        """Return the distances of pairs of labels, given by position."""
        points = self.table[np.asarray(one)], self.table[np.asarray(other)]
        return self._lengths(GEOMETRIES[self.geometry].distance(*points))

    def apart(self, child, parent):
        """Return the distances of pairs, less the parent's radius.

        That is the child's radius less twice the Gromov product of both, the length
        that the ways to them from the origin share. On the way to a child, the farther
        out a parent is, the smaller this is.
        """
        return self.between(child, parent) - self.radius[np.asarray(parent)]

    def rows(self, rows=slice(None)):
        """Return the distances of some labels, or all, from all: (n, L)."""
        space = GEOMETRIES[self.geometry]
        return self._lengths(space.matrix(self.table[rows], self.table))

    def _lengths(self, d):
        return (d if self.geometry == "hyperbolic" else d.sqrt()).numpy()

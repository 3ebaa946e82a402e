"""From how often labels occur together to their points in space, and back."""

from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import check_random_state

from skhmc._networks.label_similarity import ancestry, similarity
from skhmc.induction import cooccurrence, rates_of_counts
from skhmc.induction._rates import unknown_beside
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

__all__ = [
    "LabelPoints",
    "PairCounts",
    "build_criterion",
    "build_ranking",
    "count_pairs",
    "learn_table",
]


EXACT_LABELS = 256  # up to here all pairs are ranked in every step, without sampling
STEPS_OF_CASCADE = 1000
GEOMETRIES = {"hyperbolic": HYPERBOLIC, "euclidean": EUCLIDEAN}


class PairCounts(NamedTuple):
    """What the training samples weigh: all of them, and those that have labels."""

    together: sp.csr_matrix  # (n_labels, n_labels): that have both labels
    unknown: sp.csr_matrix  # likewise: that have the one and do not know the other
    known: np.ndarray  # (n_labels,): that know a label
    n_samples: float

    def plus(self, more):
        """Return the counts of both parts of the samples."""
        return PairCounts(*(a + b for a, b in zip(self, more, strict=True)))

    @property
    def rates(self):
        """How often labels occur: LabelRates."""
        return rates_of_counts(self.together, self.unknown, self.known)


def count_pairs(problem):
    """Return the PairCounts of a problem's samples, without those held out.

    A label is unknown where Y is NaN or its weight 0; a sample weighs as its other
    labels do on average. What is unknown is counted beside the labels it occurs with
    or, where other parts of the data follow, beside all.

    Parameters
    ----------
    problem : Problem
    """
    (rows, held_out), weight = problem.split, problem.sample_weight
    Y = problem.Y if held_out is None else problem.Y[rows]
    n_samples = Y.shape[0]
    if weight is not None:
        weight = weight[rows]
        seen = weight > 0
        if weight.shape[1] > 1 and not seen.all():
            Y = np.where(seen, Y.toarray() if sp.issparse(Y) else Y, np.nan)
        weight = weight.sum(axis=1, dtype=np.float64) / np.maximum(seen.sum(axis=1), 1)
        n_samples = weight.sum()
    counts = cooccurrence(Y, weight)
    unknown = unknown_beside(Y, weight, None if problem.partial else counts)
    return PairCounts(counts, *unknown, n_samples)


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
    n_samples : float
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


def build_criterion(estimator, problem, pairs):
    """Return the criterion of a network with points of labels.

    Parameters
    ----------
    estimator : BaseEstimator
        As for :func:`build_ranking`, with ``mode``, ``lam`` and ``max_radius``.
    problem : Problem
    pairs : PairCounts
        Samples that have both labels, in the order of Y.
    """
    ranking = penalty = None
    form, weights = problem.form, problem.class_weight
    frequencies = torch.from_numpy(problem.frequencies())
    if estimator.mode != "flat":
        counts = pairs.together[form.order][:, form.order].tocsr()
        counts.sort_indices()
        ranking = build_ranking(estimator, form.hierarchy, counts, pairs.n_samples)
    if estimator.geometry == "hyperbolic" and estimator.max_radius is not None:
        penalty = partial(radius_penalty, limit=estimator.max_radius)
    return EmbeddingCriterion(
        label_tasks("bce", form.hierarchy, [len(frequencies)], frequencies),
        ranking,
        embedding_weight=estimator.lam,
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

    def rows(self, labels=None):
        """Return the distances of some labels, or all, from all: (n, L)."""
        rows = slice(None) if labels is None else np.asarray(labels)
        integers = labels is None or rows.dtype.kind in "iu" or not rows.size
        if labels is not None and not (integers and rows.ndim == 1):
            raise ValueError(
                f"Expected a list of positions of labels, integers from 0, got "
                f"{labels!r}. Look names up in label_names_."
            )
        chosen = self.table if labels is None else self.table[rows.astype(np.intp)]
        return self._lengths(GEOMETRIES[self.geometry].matrix(chosen, self.table))

    def _lengths(self, d):
        return (d if self.geometry == "hyperbolic" else d.sqrt()).numpy()

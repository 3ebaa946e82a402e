"""From how often labels occur together to their points in space, and back."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import check_random_state

from skhmc._data.cooccurrence import count_together, count_unknown_beside
from skhmc._networks.label_similarity import ancestry
from skhmc._networks.label_similarity import similarity as label_similarity
from skhmc.induction import rates_of_counts
from skhmc.nn.hyperbolic import radius, to_ball
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

    def grown(self, labels, more):
        """Return the counts of more labels, which no sample knew so far.

        Parameters
        ----------
        labels : sequence
            Those that were counted.
        more : sequence
            All labels, in their order.
        """
        index = {label: k for k, label in enumerate(labels)}
        places = np.array([index.get(label, -1) for label in more])
        old = np.flatnonzero(places >= 0)
        new = np.flatnonzero(places < 0)
        place = sp.csr_matrix(
            (np.ones(len(old), np.int64), (old, places[old])), (len(more), len(labels))
        )
        together = (place @ self.together @ place.T).tocsr()
        together.sort_indices()
        # a sample that has an old label does not know any new one
        having = together.diagonal()
        some = np.flatnonzero(having)
        block = np.repeat(some, len(new)), np.tile(new, len(some))
        beside = np.repeat(having[some], len(new)), block
        unknown = place @ self.unknown @ place.T
        unknown = unknown + sp.csr_matrix(beside, unknown.shape)
        known = np.where(places < 0, 0, self.known[places])
        return PairCounts(together, unknown.tocsr(), known, self.n_samples)

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
    rows, held_out = problem.split
    weight = problem.sample_weight
    Y = problem.Y if held_out is None else problem.Y[rows]
    n_samples = Y.shape[0]
    if weight is not None:
        weight = weight[rows]
        seen = weight > 0
        if weight.shape[1] > 1 and not seen.all():
            Y = np.where(seen, Y.toarray() if sp.issparse(Y) else Y, np.nan)
        weight = weight.sum(axis=1, dtype=np.float64) / np.maximum(seen.sum(axis=1), 1)
        n_samples = weight.sum()
    counts = count_together(Y, weight)
    pairs = None if problem.partial else counts
    unknown = count_unknown_beside(Y, weight, pairs)
    return PairCounts(counts, *unknown, n_samples)


def build_ranking(
    hierarchy,
    counts,
    n_samples,
    *,
    geometry,
    similarity,
    temperature,
    n_pairs,
    n_negatives,
):
    """Return the module that maps points of labels to the losses of their pairs.

    Parameters
    ----------
    hierarchy : Hierarchy
        In the order of the points. Without edges, labels are near to one another that
        occur together; else to their ancestors.
    counts : csr_matrix of shape (n_labels, n_labels)
        Samples that have both labels, in the same order.
    n_samples : float
        Weight of all samples.
    geometry, similarity, temperature
        Parameters of :class:`skhmc.HyperbolicHMC`.
    n_pairs, n_negatives : int
        Pairs drawn per step, and labels drawn per pair, where there are too many
        labels to rank all pairs.
    """
    drawn = None
    if len(hierarchy.edges):
        related, drawn = ancestry(hierarchy)
        drawn = torch.from_numpy(drawn)
    else:
        related = label_similarity(counts, similarity, n_samples)
    parts = (related.indptr, related.indices, related.data)
    pairs = RankedPairs(*map(torch.from_numpy, parts), drawn)
    space = GEOMETRIES[geometry]
    if pairs.n_labels <= EXACT_LABELS:
        return ExactRanking(pairs, space, temperature=temperature)
    return SampledRanking(
        pairs, space, n_pairs=n_pairs, n_negatives=n_negatives, temperature=temperature
    )


def learn_table(criterion, embedding_dim, random_state):
    """Return coordinates (L, d) that the criterion's loss of points alone leads to.

    Parameters
    ----------
    criterion : EmbeddingCriterion
    embedding_dim : int
        d.
    random_state : int, RandomState or None
    """
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    generator = torch.Generator().manual_seed(seed)
    shape = criterion.ranking.pairs.n_labels, embedding_dim
    loss = criterion.embedding_loss
    return train_table(loss, criterion, shape, STEPS_OF_CASCADE, generator)


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

    def distance_less_radius(self, child, parent):
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

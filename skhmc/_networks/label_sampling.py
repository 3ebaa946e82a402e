"""Which labels a training step looks at: all, or a sample that stands for them."""

import torch

from skhmc.nn.criteria import LabelSample
from skhmc.nn.losses import find_loss

__all__ = ["LabelSampler", "choose_n_sampled", "label_sampler"]


MOST_EXACT = 20_000  # up to so many labels "auto" looks at all of them
SAMPLED = 5_000  # so many of those that are not positive "auto" takes else


def choose_n_sampled(estimator, n_labels):
    """Return how many labels are sampled in every step; None where all are taken.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``n_sampled_labels`` and, where its loss is not fixed, ``label_loss``.
    n_labels : int
        Of the network.

    Raises
    ------
    ValueError
        When a sample is asked for and the loss needs all labels.
    """
    given = estimator.n_sampled_labels
    params = vars(estimator)
    loss = getattr(estimator, "label_loss_", params.get("label_loss", "bce"))
    whole = None
    if find_loss(loss).needs_all_labels:
        whole = "a callable label_loss" if callable(loss) else f"label_loss={loss!r}"
    if params.get("aggregation", 0) > 0:
        whole = f"aggregation={params['aggregation']!r}"
    if given == "auto":
        exact = whole or n_labels <= MOST_EXACT
        return None if exact else SAMPLED
    if given is not None and whole:
        raise ValueError(
            f"n_sampled_labels={given!r} takes a sample of the labels in every step, "
            f"but {whole} needs all of them. Use n_sampled_labels=None, or "
            f"label_loss='bce' and no aggregation."
        )
    return given


def label_sampler(estimator, n_labels, generator):
    """Return the LabelSampler an estimator asks for, or None; say so in it."""
    n_sampled = choose_n_sampled(estimator, n_labels)
    estimator.n_sampled_labels_ = n_sampled
    return None if n_sampled is None else LabelSampler(n_labels, n_sampled, generator)


class LabelSampler:
    """Draws labels that stand for all: the positive ones and a few of the others.

    A draw costs as much as the labels drawn.

    Parameters
    ----------
    n_labels : int
    n_sampled : int
        Labels drawn uniformly, without replacement, from those that are not positive.
    generator : torch.Generator
        On the CPU.
    """

    def __init__(self, n_labels, n_sampled, generator):
        self.n_labels, self.n_sampled = n_labels, n_sampled
        self.generator = generator

    def draw(self, positive, dtype):
        """Return a LabelSample that has all positive labels of a batch.

        Parameters
        ----------
        positive : Tensor of int
            Positions, ascending, each once.
        dtype : torch.dtype
            Of the importance.
        """
        n_others = self.n_labels - len(positive)
        n_sampled = min(self.n_sampled, n_others)
        rank = _distinct(n_others, n_sampled, self.generator)  # in what is not positive
        below = positive - torch.arange(len(positive))
        others = rank + torch.searchsorted(below, rank, right=True)
        labels, order = torch.cat([positive, others]).sort()
        importance = torch.ones(len(labels), dtype=dtype)
        importance[order >= len(positive)] = n_others / max(n_sampled, 1)
        return LabelSample(labels, importance)


def _distinct(n, k, generator):
    """Return k of the numbers below n, any k with the same probability, in O(k)."""
    if k == n:  # nothing is drawn
        return torch.arange(n)
    if 2 * k > n:
        return torch.randperm(n, generator=generator)[:k]
    found = torch.empty(0, dtype=torch.int64)
    while len(found) < k:  # 2k draws hold at least 1.26k numbers on average
        more = torch.randint(n, (2 * k,), generator=generator)
        found = torch.cat([found, more]).unique()
    return found[torch.randperm(len(found), generator=generator)[:k]]

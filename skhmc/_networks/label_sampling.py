"""Which labels a training step looks at: all, or a sample that stands for them."""

import torch

from skhmc.nn.criteria import LabelSample

__all__ = ["LabelSampler"]


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
        self.n_labels = n_labels
        self.n_sampled = n_sampled
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

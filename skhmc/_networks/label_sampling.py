"""Which labels a training step looks at: all, or a sample that stands for them."""

import numpy as np
import torch

from skhmc.nn.criteria import LabelSample

__all__ = ["LabelSampler", "Siblings"]


class LabelSampler:
    """Draws labels that stand for all: the positive ones and a few of the others.

    A draw costs as much as the labels drawn, and the siblings of positive ones where
    these are drawn from, too.

    Parameters
    ----------
    n_labels : int
    n_sampled : int
        Labels drawn without replacement from those that are not positive.
    generator : torch.Generator
        On the CPU.
    siblings : Siblings or None
        None draws uniformly. Else half of the labels are drawn from the siblings of
        positive ones, or these are all taken if there are fewer; the others are drawn
        from the rest. A label counts as often as there are labels of its kind for each
        one drawn, so that sums over labels have the same mean as if all were taken.
    """

    def __init__(self, n_labels, n_sampled, generator, siblings=None):
        self.n_labels = n_labels
        self.n_sampled = n_sampled
        self.generator = generator
        self.siblings = siblings

    def draw(self, positive, dtype):
        """Return a LabelSample that has all positive labels of a batch.

        Parameters
        ----------
        positive : Tensor of int
            Positions, ascending, each once.
        dtype : torch.dtype
            Of the importance.
        """
        near = self._near(positive)
        left_out = torch.cat([positive, near]).sort().values
        n_others = self.n_labels - len(left_out)
        # half of them, or more where there are too few others
        wanted = max(self.n_sampled // 2, self.n_sampled - n_others)
        n_near = min(wanted, len(near))
        n_far = min(self.n_sampled - n_near, n_others)
        chosen = near[_distinct(len(near), n_near, self.generator)]
        rank = _distinct(n_others, n_far, self.generator)  # in what is not left out
        below = left_out - torch.arange(len(left_out))
        far = rank + torch.searchsorted(below, rank, right=True)
        labels, order = torch.cat([positive, chosen, far]).sort()
        importance = torch.ones(len(labels), dtype=dtype)
        is_near = (order >= len(positive)) & (order < len(positive) + n_near)
        importance[is_near] = len(near) / max(n_near, 1)
        importance[order >= len(positive) + n_near] = n_others / max(n_far, 1)
        return LabelSample(labels, importance)

    def _near(self, positive):
        """Return the labels of which some are drawn for sure."""
        if self.siblings is None or self.n_sampled == 1:  # one can stand for all only
            return positive[:0]
        return self.siblings.of(positive)


class Siblings:
    """Finds the labels that have a parent in common with some, or are roots as these.

    Parameters
    ----------
    hierarchy : Hierarchy
    """

    def __init__(self, hierarchy):
        self.parents = hierarchy.parents
        self.children = hierarchy.children
        self.is_root = np.diff(self.parents.indptr) == 0
        self.roots = np.flatnonzero(self.is_root)

    def of(self, labels):
        """Return the siblings of some labels that are none of them, sorted.

        Parameters
        ----------
        labels : Tensor of int
            Positions, ascending, each once.

        Returns
        -------
        Tensor of int
        """
        given = labels.numpy()
        found = self.children[np.unique(self.parents[given].indices)].indices
        if self.is_root[given].any():
            found = np.concatenate([found, self.roots])
        return torch.from_numpy(np.setdiff1d(found, given).astype(np.int64))


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

"""Which labels a training step looks at: all, or a sample that stands for them."""

import torch

from skhmc.nn.tasks import LabelSample

__all__ = ["LabelSampler", "choose_n_sampled", "label_sampler"]

MOST_EXACT = 20_000  # up to so many labels "auto" looks at all of them
SAMPLED = 5_000  # so many of those that are not positive "auto" takes else
WHOLE = ("softmax", "mcloss", "zlpr")  # losses of a label that ask for the others


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
    whole = f"label_loss={loss!r}" if loss in WHOLE else None
    if callable(loss):  # it may know its columns
        whole = "a callable label_loss"
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
            Positions, each once.
        dtype : torch.dtype
            Of the importance.
        """
        rest = torch.ones(self.n_labels, dtype=torch.bool)
        rest[positive] = False
        others = rest.nonzero().ravel()
        n_sampled = min(self.n_sampled, len(others))
        if n_sampled < len(others):  # nothing is drawn where all are taken
            drawn = torch.randperm(len(others), generator=self.generator)
            rest[others[drawn[n_sampled:]]] = False
        each = torch.where(rest, len(others) / max(n_sampled, 1), 1.0)
        rest[positive] = True
        labels = rest.nonzero().ravel()
        return LabelSample(labels, each[labels].to(dtype))

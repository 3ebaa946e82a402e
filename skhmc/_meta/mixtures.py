"""Means of the probabilities of several classifiers, and the weights in them."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit, softmax

__all__ = ["AVERAGES", "Classes", "Labels", "simplex_weights"]

LEAST = 1e-5  # nearer to 0 or 1 one classifier would outvote all others by its logit
# samples whose scores weigh as much as the belief that all members are equally good
PRIOR_SAMPLES = 100
AVERAGES = ("proba", "logit")


class Labels:
    """Means for labels that do not exclude each other."""

    def __init__(self, average):
        self.average = average

    def scale(self, proba):
        """Return probabilities as what is averaged."""
        if self.average == "proba":
            return proba
        return logit(np.clip(proba, LEAST, 1 - LEAST))

    def proba(self, mean):
        """Return what was averaged as probabilities."""
        return mean if self.average == "proba" else expit(mean)

    def mean(self, probas, weights):
        """Return the weighted mean of arrays (n_samples, n_labels) of probabilities."""
        total = 0.0
        for proba, weight in zip(probas, weights, strict=True):
            total = total + weight * self.scale(proba)
        return self.proba(total)


class Classes(Labels):
    """Means for classes, of which a sample has one: they still sum to 1."""

    def scale(self, proba):
        if self.average == "proba":
            return proba
        return np.log(np.clip(proba, LEAST, 1))

    def proba(self, mean):
        return mean if self.average == "proba" else softmax(mean, axis=1)


def simplex_weights(probas, Y, average, weight=None):
    r"""Return weights of members by the log loss of labels that they have not seen.

    Parameters
    ----------
    probas : list of ndarray of shape (n_samples, n_labels)
        Probabilities that every member gives to samples it was not fitted to.
    Y : ndarray of shape (n_samples, n_labels)
        Labels: 0, 1 or NaN, which does not count.
    average : {"proba", "logit"}
        Of what the mean is taken.
    weight : ndarray of shape (n_samples, 1 or n_labels), default=None
        Weights of the samples.

    Returns
    -------
    ndarray of shape (n_members,)
        At least 0, with the sum 1.

    Notes
    -----
    With :math:`a` on the simplex, the log loss of :math:`\sum_m a_m p_m` is convex, as
    a sum of negative logarithms of linear functions; so is that of
    :math:`\sigma(\sum_m a_m \operatorname{logit} p_m)`, which is logistic regression.
    There is one lowest value, and a solver that goes down a gradient finds it. It has
    as many unknowns as there are members, a handful.

    The weights found on n samples count :math:`n / (n + 100)`, equal weights the rest:
    members that are equally good differ by chance.
    """
    known = ~np.isnan(Y)
    count = known.astype(np.float64)
    if weight is not None:
        count *= weight
    used = count.any(axis=1)
    n_members, n_used = len(probas), int(used.sum())
    equal = np.full(n_members, 1 / n_members)
    if not n_used or n_members == 1:
        return equal
    cells = known & (count > 0)
    positive = Y[cells] == 1
    count = count[cells] / count[cells].sum()
    scale = Labels(average).scale
    values = np.stack([scale(np.float64(p[cells])) for p in probas])
    loss = _LOSSES[average](values, positive, count)
    found = minimize(
        loss,
        equal,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * n_members,
        constraints={"type": "eq", "fun": lambda a: a.sum() - 1},
        options={"ftol": 1e-10},  # losses of rare labels differ by little
    ).x
    found = np.clip(found, 0, 1) / np.clip(found, 0, 1).sum()
    trust = n_used / (n_used + PRIOR_SAMPLES)
    return trust * found + (1 - trust) * equal


def _loss_of_probabilities(values, positive, count):
    """Return the mean log loss of mixtures of probabilities, and its gradient."""
    of_true = np.clip(np.where(positive, values, 1 - values), LEAST, 1)

    def loss(a):
        mixed = a @ of_true
        return -(count * np.log(mixed)).sum(), -of_true @ (count / mixed)

    return loss


def _loss_of_logits(values, positive, count):
    """Return the mean log loss of means of logits, and its gradient."""
    signed = np.where(positive, values, -values)

    def loss(a):
        mixed = a @ signed
        return (count * np.logaddexp(0, -mixed)).sum(), -signed @ (
            count * expit(-mixed)
        )

    return loss


_LOSSES = {"proba": _loss_of_probabilities, "logit": _loss_of_logits}

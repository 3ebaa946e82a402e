r"""Maps from predicted to calibrated probabilities: of a label, a level, all labels.

A map is fitted to the cells of a group of labels: the probability of each, whether it
is positive, and its weight. Few cells make a poor map, so that it is mixed with the map
of the next coarser group: of n cells of the rarer value, its share is
:math:`n / (n + k)`. A step line, which has many numbers to learn, is first mixed with
the line through the logits of the same cells. All maps rise, or stay level, and so do
their mixtures.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from skhmc._scoring.outputs import ALMOST_1, TINY

__all__ = [
    "METHODS",
    "PER",
    "Identity",
    "Isotonic",
    "Limits",
    "Mixture",
    "Sigmoid",
    "Temperature",
    "apply_maps",
    "chosen_per",
    "fit_isotonic",
    "fit_maps",
    "fit_sigmoid",
    "fit_temperature",
    "find_limits",
]

PER = ("label", "level", "all")
STEPS = 30  # times as many cells as a line does a step line need
WITHOUT_ANY = float(np.finfo(np.float32).eps)  # a limit, where nothing suggests one
LOG_TEMPERATURES = (-10.0, 10.0)


# -- logits ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """The probabilities beyond which logits are not followed: that of 0 is infinite.

    Attributes
    ----------
    lowest, highest : float
        Between 0 and 1.
    """

    lowest: float
    highest: float

    def logit(self, proba):
        """Return the logits of probabilities, which are cut at the limits first."""
        proba = np.asarray(proba, dtype=np.float64)
        return logit(np.clip(proba, self.lowest, self.highest))


def find_limits(proba):
    """Return the Limits that probabilities suggest.

    0 and 1 mean "less than ever said" and "more than ever said": they count as half way
    from there to the least and to the greatest probability between them.
    """
    inside = proba[(proba > TINY) & (proba < ALMOST_1)]
    if not len(inside):
        return Limits(WITHOUT_ANY, 1 - WITHOUT_ANY)
    return Limits(float(inside.min() / 2), float((1 + inside.max()) / 2))


# -- maps ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Identity:
    """Leaves probabilities as they are."""

    def __call__(self, proba):
        return np.asarray(proba, dtype=np.float64)


@dataclass(frozen=True)
class Isotonic:
    """A rising line through points; level beyond the first and the last.

    Attributes
    ----------
    given, calibrated : ndarray of shape (n_points,)
        Probabilities before and after, both rising.
    """

    given: np.ndarray
    calibrated: np.ndarray

    def __call__(self, proba):
        return np.interp(proba, self.given, self.calibrated)


@dataclass(frozen=True)
class Sigmoid:
    """A line through the logits.

    Attributes
    ----------
    slope, intercept : float
        Of the calibrated logit by the given one; the slope is not negative.
    limits : Limits
        Where logits end.
    """

    slope: float
    intercept: float
    limits: Limits

    def __call__(self, proba):
        return expit(self.slope * self.limits.logit(proba) + self.intercept)


@dataclass(frozen=True)
class Temperature:
    """Logits divided by a number.

    Attributes
    ----------
    temperature : float
        Above 1 probabilities come nearer to 0.5.
    limits : Limits
        Where logits end.
    """

    temperature: float
    limits: Limits

    def __call__(self, proba):
        return expit(self.limits.logit(proba) / self.temperature)


@dataclass(frozen=True)
class Mixture:
    """A map of few cells, drawn to one of more, or to a simpler one.

    Attributes
    ----------
    share : float
        Weight of ``own``, from 0 to 1; the rest is that of ``coarser``.
    own, coarser : callable
        The two maps.
    """

    share: float
    own: object
    coarser: object

    def __call__(self, proba):
        own = self.own(proba)
        if self.share == 1:
            return own
        return self.share * own + (1 - self.share) * self.coarser(proba)


# -- fits ------------------------------------------------------------------------------


def fit_isotonic(proba, positive, weight, limits):
    """Return the rising map of least squares; limits are of no use to it."""
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fitted.fit(proba, positive, sample_weight=weight)
    return Isotonic(fitted.X_thresholds_, fitted.y_thresholds_)


def fit_sigmoid(proba, positive, weight, limits):
    r"""Return the line through the logits of the least log loss, as Platt fits it.

    His targets are not 0 and 1: with :math:`N_+` positives and :math:`N_-` negatives
    they are :math:`1 / (N_- + 2)` and :math:`(N_+ + 1) / (N_+ + 2)`.
    """
    given = limits.logit(proba)
    scale = max(np.abs(given).max(), 1.0)  # steps are then of one size
    given = given / scale
    total = weight.sum()
    n_positive = weight @ positive
    n_negative = total - n_positive
    high = (n_positive + 1) / (n_positive + 2)
    target = np.where(positive > 0, high, 1 / (n_negative + 2))

    def loss(parameters):
        slope, intercept = parameters
        score = slope * given + intercept
        value = weight @ (np.logaddexp(0, score) - target * score)
        error = weight * (expit(score) - target)
        return value / total, np.array([error @ given, error.sum()]) / total

    start = np.array([0.0, np.log((n_positive + 1) / (n_negative + 1))])
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None), (None, None)],  # a falling line would turn the order round
        options={"gtol": 1e-9, "ftol": 64 * np.finfo(float).eps},
    )
    slope, intercept = found.x.tolist()
    return Sigmoid(slope / scale, intercept, limits)


def fit_temperature(proba, positive, weight, limits):
    """Return the temperature of the least log loss, from exp(-10) to exp(10).

    The loss is convex in 1 / temperature, so that one zero of its derivative, or an end
    of the range, is the least.
    """
    given = limits.logit(proba)

    def rise(log_temperature):
        """Return the derivative of the loss by 1 / temperature."""
        error = expit(given * np.exp(-log_temperature)) - positive
        return (weight * given) @ error

    cold, hot = LOG_TEMPERATURES
    if rise(hot) >= 0:
        best = hot
    elif rise(cold) <= 0:
        best = cold
    else:
        best = brentq(rise, cold, hot, xtol=1e-12)
    return Temperature(float(np.exp(best)), limits)


METHODS = {
    "isotonic": fit_isotonic,
    "sigmoid": fit_sigmoid,
    "temperature": fit_temperature,
}


def chosen_per(per, method):
    """Return which labels share a map, where that is left to the method.

    A temperature has no place for how rare a label is: it draws a label of useless
    scores to 0.5, above labels of which more is known. One for all changes no order.
    """
    if per != "auto":
        return per
    return "all" if method == "temperature" else "label"


# -- groups of labels ------------------------------------------------------------------


class _Cells:
    """Known cells of columns, with a weight: probability, value and weight of each."""

    def __init__(self, proba, Y, weight):
        self.proba = np.asarray(proba)
        self.Y = sp.csc_matrix(Y) if sp.issparse(Y) else np.asarray(Y)
        weight = np.ones((len(self.proba), 1)) if weight is None else weight
        self.weight = np.broadcast_to(weight, self.proba.shape)

    def of(self, columns):
        """Return three arrays of floats, one number per cell."""
        Y = self.Y[:, columns]
        Y = Y.toarray() if sp.issparse(Y) else Y
        weight = self.weight[:, columns]
        known = ~np.isnan(Y) & (weight > 0)
        parts = (self.proba[:, columns], Y, weight)
        return tuple(part[known].astype(np.float64) for part in parts)


class _Fits:
    """Fits maps of groups of columns, and mixes each with a coarser one."""

    def __init__(self, cells, method, shrinkage):
        self.cells = cells
        self.method = method
        self.shrinkage = shrinkage

    def _own(self, cells, n_rarer):
        """Return the map of cells by themselves."""
        own = METHODS[self.method](*cells, self.limits)
        if self.method != "isotonic" or not self.shrinkage:
            return own
        share = n_rarer / (n_rarer + STEPS * self.shrinkage)
        return Mixture(share, own, fit_sigmoid(*cells, self.limits))

    def all(self, n_labels):
        """Return the map of all labels, to which nothing is coarser."""
        cells = self.cells.of(np.arange(n_labels))
        self.limits = find_limits(cells[0])
        n_rarer = _n_rarer(cells)
        return self._own(cells, n_rarer) if n_rarer else Identity()

    def group(self, columns, coarser):
        """Return the map of some labels, drawn to that of more labels."""
        cells = self.cells.of(columns)
        n_rarer = _n_rarer(cells)
        if not n_rarer:
            return coarser
        share = n_rarer / (n_rarer + self.shrinkage)
        return Mixture(share, self._own(cells, n_rarer), coarser)


def _n_rarer(cells):
    """Return the weight of the cells of the rarer value: positives or negatives."""
    _, positive, weight = cells
    # a difference of sums would not be exactly 0 where there is one value only
    return float(min(weight @ positive, weight @ (1 - positive)))


def fit_maps(proba, Y, weight, levels, *, method, per, shrinkage):
    """Fit the map of every label.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_labels)
        Probabilities, of samples that the classifier has not seen.
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        The true labels: 0, 1 or NaN, which does not count.
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
        Weights; 2 is as the sample twice.
    levels : ndarray of shape (n_labels,), int
        The level of every label.
    method : {"isotonic", "sigmoid", "temperature"}
        Kind of map.
    per : {"label", "level", "all"}
        Labels that share a map.
    shrinkage : float
        Number of cells of the rarer value with which a map weighs as much as the next
        coarser one. 30 times as many make a step line weigh as much as a line.

    Returns
    -------
    list of callable
        A map per label, the same object for labels that share it: from probabilities
        before to probabilities after.
    """
    n_labels = len(levels)
    fits = _Fits(_Cells(proba, Y, weight), method, shrinkage)
    of_all = fits.all(n_labels)
    if per == "all":
        return [of_all] * n_labels
    of_level = {
        level: fits.group(np.flatnonzero(levels == level), of_all)
        for level in np.unique(levels).tolist()
    }
    of_levels = [of_level[level] for level in levels.tolist()]
    if per == "level":
        return of_levels
    return [fits.group(np.array([k]), of_levels[k]) for k in range(n_labels)]


def apply_maps(maps, proba):
    """Return calibrated probabilities (n_samples, n_labels), float64."""
    columns = {}
    for k, one in enumerate(maps):
        columns.setdefault(id(one), []).append(k)
    calibrated = np.empty(proba.shape, dtype=np.float64)
    for together in columns.values():
        calibrated[:, together] = maps[together[0]](proba[:, together])
    return calibrated

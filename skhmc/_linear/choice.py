"""How strongly to regularise, and how sure margins are: told by rows held out."""

import numpy as np
from scipy.optimize import minimize_scalar

__all__ = ["DEFAULT_SLOPE", "choose_C_and_slope"]

GRID = (0.1, 0.3, 1.0, 3.0, 10.0)  # values of C="auto"
DEFAULT_C = 1.0
# of the sigmoid, where nothing can be held out: about what texts have
DEFAULT_SLOPE = {"squared_hinge": 4.0, "log_loss": 1.0}
SLOPES = (0.1, 30.0)  # least and greatest
ENOUGH = 1.01  # times the least loss: with less, the smallest C fits faster
SHARE_HELD_OUT = 0.25
MIN_ROWS = 4  # held out of a value of a label
SHARE_OF_WORK = 0.05  # of all classifiers' rows, for every value of C
MIN_WORK = 50_000  # rows, of all labels that are tried


def choose_C_and_slope(problems, fit, C, slope, loss, total_work, rng):
    """Return the smallest C of about the least log loss, and the slope it needs.

    Some labels are fitted to three quarters of their rows. One slope serves all
    labels: a slope for every level was not better on texts.

    Parameters
    ----------
    problems : iterable of tuple
        ``(X, y, sample_weight)`` of labels, in the order in which they are tried.
    fit : callable
        Of X, y, sample weights and C, returns weights, bias and number of walks.
    C : float or "auto"
        What to try: one value, or all of ``GRID``.
    slope : float or "auto"
        The slope, where it is known.
    loss : str
        Loss of the classifiers.
    total_work : int
        Rows of all labels' classifiers together.
    rng : RandomState
        Draws which rows are held out.

    Returns
    -------
    C : float
    slope : float
    """
    if C != "auto" and slope != "auto":
        return C, slope
    grid = GRID if C == "auto" else (C,)
    bounds = SLOPES if slope == "auto" else (slope, slope)
    budget = max(SHARE_OF_WORK * total_work, MIN_WORK)
    margins = {value: [] for value in grid}
    truths = []
    weights = []
    for X, y, weight in problems:
        held_out = _held_out(y, rng)
        if held_out is None:
            continue
        rest = ~held_out
        truths.append(y[held_out])
        weights.append(weight[held_out])
        for value in grid:
            coef, bias, _ = fit(X[rest], y[rest], weight[rest], C=value)
            margins[value].append(X[held_out] @ coef + bias)
        budget -= len(y)
        if budget < 0:
            break
    if not truths:
        slope = DEFAULT_SLOPE[loss] if slope == "auto" else slope
        return DEFAULT_C if C == "auto" else C, slope
    truth = np.concatenate(truths)
    weight = np.concatenate(weights)
    found = [
        (*_best_slope(np.concatenate(margins[value]), truth, weight, bounds), value)
        for value in grid
    ]
    enough = ENOUGH * min(loss for loss, _, _ in found)
    _, slope, value = next(each for each in found if each[0] <= enough)
    return value, slope


def _held_out(y, rng):
    """Return which rows to hold out, as many of either value; None if too few."""
    held_out = np.zeros(len(y), bool)
    for value in (0, 1):
        rows = np.flatnonzero(y == value)
        n_held_out = int(SHARE_HELD_OUT * len(rows))
        if n_held_out < MIN_ROWS:
            return None
        held_out[rng.permutation(rows)[:n_held_out]] = True
    return held_out


def _best_slope(margins, truth, weight, bounds):
    """Return the least log loss of sigmoids of margins, and the slope that has it."""
    wrong = np.where(truth == 1, -margins, margins)

    def log_loss(slope):
        return weight @ np.logaddexp(0, slope * wrong)

    least, greatest = bounds
    if least == greatest:
        return log_loss(least), least
    best = minimize_scalar(log_loss, bounds=bounds, method="bounded")
    return best.fun, best.x

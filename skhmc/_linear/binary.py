"""One linear classifier of two classes, by scikit-learn's copy of LIBLINEAR.

A tree of labels needs one such classifier per label, most of them of a few rows.
``LinearSVC`` takes about a millisecond to check what it is given, which is longer than
it solves them. So this calls the solver behind it, which is not public. Where it cannot
be called as expected, the public estimators are used: they give the same weights.
"""

from threading import Lock

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

try:
    from sklearn.svm._liblinear import set_verbosity_wrap, train_wrap
except ImportError:  # pragma: no cover
    train_wrap = None

__all__ = ["LOSSES", "fit_binary"]

# LIBLINEAR's numbers of its solvers of the dual problem
LOSSES = {"squared_hinge": 1, "log_loss": 7}
BIAS = 1.0  # of one more feature, which all rows have
UNUSED = 0.1  # a parameter of regression
# the solver draws random numbers from one generator of the process, which it seeds: two
# threads at a time would take them from each other
ONE_AT_A_TIME = Lock()


def fit_binary(X, y, sample_weight, *, loss, C, tol, max_iter, seed):
    """Return weights and the bias of a linear classifier, and how long it took.

    Parameters
    ----------
    X : ndarray or csr_matrix of shape (n_samples, n_features), float64
        A CSR matrix has positions of 32 bits.
    y : ndarray of shape (n_samples,), float64
        0 and 1, both of them.
    sample_weight : ndarray of shape (n_samples,), float64
        Weights of the samples.
    loss : {"squared_hinge", "log_loss"}
        Loss of the margin.
    C : float
        Weight of the losses beside that of the squared weights.
    tol : float
        When to stop, as LinearSVC has it.
    max_iter : int
        How often to walk over the samples at most.
    seed : int
        Seed of the order of the samples.

    Returns
    -------
    weights : ndarray of shape (n_features,), float64
    bias : float
    n_iter : int
        How often the solver walked over the samples.
    """
    if train_wrap is None:  # pragma: no cover
        return fit_public(X, y, sample_weight, loss, C, tol, max_iter, seed)
    with ONE_AT_A_TIME:
        set_verbosity_wrap(0)  # of the process: others may have set it
        found = train_wrap(
            X,
            y,
            sp.issparse(X),
            LOSSES[loss],
            tol,
            BIAS,
            C,
            np.ones(2),
            max_iter,
            seed,
            UNUSED,
            sample_weight,
        )
    weights = np.ravel(found[0])
    return weights[:-1], weights[-1] * BIAS, int(np.max(found[1]))


def fit_public(X, y, sample_weight, loss, C, tol, max_iter, seed):
    """Return what ``fit_binary`` does, by public estimators."""
    options = {
        "C": C,
        "dual": True,
        "tol": tol,
        "max_iter": max_iter,
        "random_state": np.random.RandomState(seed),
        "intercept_scaling": BIAS,
    }
    if loss == "squared_hinge":
        model = LinearSVC(**options)
    else:
        model = LogisticRegression(solver="liblinear", **options)
    model.fit(X, y, sample_weight=sample_weight)
    return model.coef_.ravel(), model.intercept_[0], int(np.max(model.n_iter_))

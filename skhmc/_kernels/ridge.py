r"""Ridge regression on many labels, and what it would say of a row it had not seen.

With weights :math:`w_i` whose mean is 1 over the n rows where a label is known, a label
y is fitted by the function f of the kernel's space and the constant b that minimise

.. math:: \frac1n \sum_i w_i (y_i - f(x_i) - b)^2 + \lambda \lVert f \rVert^2.

The score of row i without row i, at the same :math:`n \lambda`, needs no other fit:
with :math:`h_i` the leverage (how much the fitted score of row i moves with
:math:`y_i`), it is :math:`y_i - (y_i - f(x_i) - b) / (1 - h_i)`.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

__all__ = ["DualSystem", "PrimalSystem", "Solution", "solve_labels"]

MAX_PATTERNS = 50  # of weights that get a factorisation of their own
TOLERANCE = 1e-8  # of conjugate gradients: the residual, relative to the right side
ROUNDING = 1e-14
MAX_STEPS = 500
NO_DOUBT = 1e-10  # a row with 1 - h below it decides its score alone


@dataclass
class Solution:
    """Fitted labels.

    Attributes
    ----------
    coef : ndarray of shape (n_basis, n_labels)
    intercept : ndarray of shape (n_labels,)
    left_out : ndarray of shape (n_samples, n_labels)
        Scores of every row without this row.
    """

    coef: np.ndarray
    intercept: np.ndarray
    left_out: np.ndarray


class DualSystem:
    """The kernel matrix of the rows, which are the basis.

    Parameters
    ----------
    K : ndarray of shape (n_samples, n_samples)
    """

    def __init__(self, K):
        self.K = K

    def multiply(self, V):
        """Return K V."""
        return self.K @ V

    def coef(self, dual):
        """Return coefficients of the basis from those of the rows."""
        return dual

    def solve(self, target, weight, penalty):
        """Return coefficients, intercepts, scores without the row, and 1 - leverage.

        Parameters
        ----------
        target : ndarray of shape (n_samples, n_labels)
        weight : ndarray of shape (n_samples,)
        penalty : float
            :math:`n \\lambda`.
        """
        some = np.flatnonzero(weight)
        rest = np.flatnonzero(weight == 0)
        root = np.sqrt(weight[some])
        A = np.multiply(self.K if not len(rest) else self.K[np.ix_(some, some)], root)
        A *= root[:, None]
        A.flat[:: len(A) + 1] += penalty
        inverse = _invert(A)
        y = target[some]
        u = scipy.linalg.blas.dsymv(1, inverse, root, lower=1)
        intercept = ((u * root) @ y) / (u @ root)
        beta = _multiply(inverse, root[:, None] * y) - u[:, None] * intercept
        dual = np.zeros(target.shape)
        dual[some] = root[:, None] * beta
        free = np.ones(len(weight))
        free[some] = penalty * (inverse.diagonal() - u**2 / (u @ root))
        left_out = np.empty(target.shape)
        residual = penalty * beta / root[:, None]
        left_out[some] = y - residual / np.maximum(free[some], NO_DOUBT)[:, None]
        left_out[rest] = self.K[rest] @ dual + intercept
        return dual, intercept, left_out, free


class PrimalSystem:
    """Features whose inner products are the kernel: the basis are the features.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_basis)
    """

    def __init__(self, features):
        self.features = features

    def multiply(self, V):
        """Return K V."""
        return self.features @ (self.features.T @ V)

    def coef(self, dual):
        """Return coefficients of the basis from those of the rows."""
        return self.features.T @ dual

    def solve(self, target, weight, penalty):
        """As that of :class:`DualSystem`."""
        total = weight.sum()
        center = weight @ self.features / total
        features = self.features - center
        weighted = features * weight[:, None]
        A = features.T @ weighted
        A.flat[:: len(A) + 1] += penalty
        inverse = _invert(A)
        mean = weight @ target / total
        coef = _multiply(inverse, weighted.T @ target)
        intercept = mean - center @ coef
        residual = target - features @ coef - mean
        moved = _multiply(inverse, features.T)
        spread = np.einsum("ij,ji->i", features, moved)
        free = 1 - weight * (1 / total + spread)
        left_out = target - residual / np.maximum(free, NO_DOUBT)[:, None]
        return coef, intercept, left_out, free


def _invert(A):
    """Return the lower half of the inverse of a positive definite A, in its place."""
    try:
        # as columns, which is how LAPACK has it: A is symmetric
        factor = scipy.linalg.cholesky(
            A.T, lower=True, overwrite_a=True, check_finite=False
        )
    except scipy.linalg.LinAlgError as error:
        raise ValueError(
            f"The kernel matrix with ridge on its diagonal is not positive definite "
            f"({error}). Expected a kernel that is symmetric and positive "
            f"semi-definite, and a ridge that is not tiny beside it: check the kernel, "
            f"or make ridge larger."
        ) from error
    inverse, _ = scipy.linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    return inverse


def _multiply(inverse, B):
    """Return a symmetric matrix, of which the lower half is given, times B."""
    return scipy.linalg.blas.dsymm(1, inverse, B, lower=1)


# -- all labels ------------------------------------------------------------------------


def solve_labels(system, target, weight, ridge):
    """Return the Solution of all labels.

    Labels of the same weights share a factorisation. Where there are more than 50 kinds
    of weights, those of single labels are solved by conjugate gradients, and their
    leverages follow from those of the mean weights.

    Parameters
    ----------
    system : DualSystem or PrimalSystem
    target : ndarray of shape (n_samples, n_labels)
    weight : ndarray of shape (n_samples, 1 or n_labels)
        Of a label with a mean of 1 over the rows of some weight.
    ridge : float
        :math:`\\lambda`.

    Returns
    -------
    Solution
    """
    if weight.shape[1] == 1:
        return _solve_alike(system, target, weight[:, 0], ridge)
    groups, alone = _patterns(weight)
    parts = [
        (labels, _solve_alike(system, target[:, labels], weight[:, labels[0]], ridge))
        for labels in groups
    ]
    if len(alone):
        found = _solve_alone(system, target[:, alone], weight[:, alone], ridge)
        parts.append((alone, found))
    n_labels = target.shape[1]
    whole = Solution(
        np.empty((len(parts[0][1].coef), n_labels)),
        np.empty(n_labels),
        np.empty(target.shape),
    )
    for labels, part in parts:
        whole.coef[:, labels] = part.coef
        whole.intercept[labels] = part.intercept
        whole.left_out[:, labels] = part.left_out
    return whole


def _patterns(weight):
    """Return the labels of every pattern that is factorised, and the others."""
    columns = np.ascontiguousarray(weight.T)
    as_bytes = columns.view(np.dtype((np.void, columns.itemsize * columns.shape[1])))
    _, pattern, size = np.unique(
        as_bytes.ravel(), return_inverse=True, return_counts=True
    )
    order = np.argsort(-size, kind="stable")
    if len(size) > MAX_PATTERNS:
        order = order[: min(MAX_PATTERNS, int((size > 1).sum()))]
    alone = np.flatnonzero(~np.isin(pattern, order))
    return [np.flatnonzero(pattern == k) for k in order], alone


def _solve_alike(system, target, weight, ridge):
    """Solve labels of the same weights, exactly."""
    penalty = ridge * np.count_nonzero(weight)
    coef, intercept, left_out, _ = system.solve(target, weight, penalty)
    return Solution(coef, intercept, left_out)


def _solve_alone(system, target, weight, ridge):
    """Solve labels that each have weights of their own.

    The fit is exact but for the tolerance of conjugate gradients. For its leverage,
    the other rows of a label weigh as they do in the mean of all labels, times the
    label's share: with h the leverage of the mean weights, and r the ratio of the row's
    weight to that, 1 - leverage is (1 - h) / (1 + (r - 1) h).
    """
    n_known = (weight > 0).sum(axis=0)
    dual, intercept = _conjugate_gradients(system, target, weight, ridge * n_known)
    fitted = system.multiply(dual) + intercept
    mean = weight.mean(axis=1)
    mean *= np.count_nonzero(mean) / mean.sum()
    penalty = ridge * np.count_nonzero(mean)
    *_, free = system.solve(np.zeros((len(mean), 0)), mean, penalty)
    share = n_known / np.count_nonzero(mean)
    ratio = weight / np.maximum(np.outer(mean, share), np.finfo(float).tiny)
    free = free[:, None] / (1 + (ratio - 1) * (1 - free)[:, None])
    left_out = target - (target - fitted) / np.maximum(free, NO_DOUBT)
    left_out = np.where(weight > 0, left_out, fitted)
    return Solution(system.coef(dual), intercept, left_out)


def _conjugate_gradients(system, target, weight, penalty):
    r"""Return coefficients of rows (n_samples, n_labels), and intercepts.

    With S the roots of a label's weights, and P the projection that takes out the
    direction of S, solves :math:`(P S K S P + n \lambda) \beta = P S y` of all labels
    at a time.
    """
    root = np.sqrt(weight)
    unit = root / np.linalg.norm(root, axis=0)

    def project(V):
        return V - unit * np.einsum("ij,ij->j", unit, V)

    def apply(V):
        return project(root * system.multiply(root * V)) + penalty * V

    residual = project(root * target)
    # what is left of a target that is all but constant is rounding, and nothing to fit
    rounding = ROUNDING**2 * (weight * target**2).sum(axis=0)
    least = np.maximum(TOLERANCE**2 * (residual**2).sum(axis=0), rounding)
    beta = np.zeros(target.shape)
    direction = residual
    size = (residual**2).sum(axis=0)
    for _ in range(MAX_STEPS):
        if (size <= least).all():
            break
        image = apply(direction)
        along = np.einsum("ij,ij->j", direction, image)
        step = np.divide(size, along, out=np.zeros(len(size)), where=size > least)
        beta += step * direction
        residual = residual - step * image
        before, size = size, (residual**2).sum(axis=0)
        turn = np.divide(size, before, out=np.zeros(len(size)), where=before > 0)
        direction = residual + turn * direction
    dual = root * beta
    fitted = system.multiply(dual)
    total = weight.sum(axis=0)
    intercept = np.einsum("ij,ij->j", weight, target - fitted) / total
    return dual, intercept

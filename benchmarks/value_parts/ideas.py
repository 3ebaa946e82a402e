"""Ideas for rare labels: what a label may take from its parents, in training or after.

None of them is part of skhmc. They are measured beside the defaults.
"""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch

from skhmc import HCALClassifier
from skhmc.coherence import max_constraint
from skhmc.nn.functional import unit
from skhmc.nn.modules import PrototypeNetwork

__all__ = ["OnPaths", "StartAtParents", "shares_of", "shrink", "to_prior"]


def shares_of(hierarchy):
    """Return the share (n_labels, n_labels) that labels have in the labels below them.

    Vectors that are sums over paths, :math:`v_l = d_l + \\operatorname{mean}_p v_p`
    over the parents p, are this matrix times the vectors d.
    """
    up = sp.csr_matrix(hierarchy.parents, dtype=np.float32)
    n_parents = np.maximum(up.sum(axis=1).A1, 1)
    up = sp.diags(1 / n_parents) @ up
    step = total = sp.identity(hierarchy.n_labels, np.float32, "csr")
    for _ in hierarchy.levels[1:]:
        step = up @ step
        total = total + step
    return total.tocsr()


# -- in training -----------------------------------------------------------------------


class PathNetwork(PrototypeNetwork):
    """A network whose prototypes and linear head are sums over the paths of labels."""

    @classmethod
    def of(cls, network, hierarchy):
        """Return this network with the weights of a PrototypeNetwork."""
        made = cls.__new__(cls)
        made.__dict__ = network.__dict__
        made.register_buffer("shares", _as_tensor(shares_of(hierarchy)), False)
        return made

    def unit_prototypes(self, labels=None):
        """Return the unit prototypes (L, d)."""
        return unit(self.shares @ torch.cat(list(self.prototypes)))

    def rows(self, table, labels):
        """Return a table of labels; that of the linear head is summed over paths."""
        return self.shares @ table if table is self.weight else table


class StartNetwork(PathNetwork):
    """A network whose prototypes start near their parents', and are free then."""

    OWN = 0.5  # of what a prototype has of its own at the start

    unit_prototypes = PrototypeNetwork.unit_prototypes
    rows = PrototypeNetwork.rows

    @torch.no_grad()
    def reset_parameters(self, generator):
        """Draw prototypes, and add those of their parents."""
        super().reset_parameters(generator)
        levels = list(self.prototypes)
        own = [levels[0], *(self.OWN * level for level in levels[1:])]
        summed = self.shares @ torch.cat(own)
        sizes = [len(level) for level in levels]
        for level, values in zip(levels, summed.split(sizes), strict=True):
            level.copy_(values)


class OnPaths(HCALClassifier):
    """HCALClassifier with prototypes and head that are sums over paths.

    What a label has of its own is its difference from its parent. So weight decay pulls
    labels towards their parents, which is recursive regularisation (Gopal and Yang,
    KDD 2013), and not towards 0.
    """

    network = PathNetwork

    def _build(self, problem, settings, encoder):
        parts = super()._build(problem, settings, encoder)
        made = self.network.of(parts.module, problem.form.hierarchy)
        return replace(parts, module=made)


class StartAtParents(OnPaths):
    """HCALClassifier with prototypes that start near their parents'."""

    network = StartNetwork


def _as_tensor(matrix):
    """Return a CSR matrix as a sparse tensor."""
    coo = matrix.tocoo()
    cells = torch.from_numpy(np.vstack([coo.row, coo.col]).astype(np.int64))
    values = torch.from_numpy(coo.data.astype(np.float32))
    made = torch.sparse_coo_tensor(cells, values, matrix.shape, check_invariants=True)
    return made.coalesce()


# -- after the fit ---------------------------------------------------------------------


def shrink(proba, hierarchy, n_positive, n_samples, strength):
    """Return probabilities that are the nearer to the parent's the rarer a label is.

    .. math:: p_l \\leftarrow p_l^{1 - w} \\, (r_l \\, p_p)^w, \\qquad
        w = m / (n_l + m)

    with the training positives :math:`n_l`, the ratio :math:`r_l = n_l / n_p` to those
    of the parent p, and the strength m: as if m further samples said that the label is
    a fixed share of its parent. Of several parents the mean of the logarithms is taken.
    From the roots down, with the parents' new probabilities. Coherent probabilities
    stay so in a tree.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_labels)
    hierarchy : Hierarchy
    n_positive : ndarray of shape (n_labels,)
    n_samples : int
    strength : float
    """
    logs = np.log(np.maximum(proba, 1e-12))
    n = np.maximum(np.asarray(n_positive, float), 0.5)  # the ratio of none is none's
    for level in hierarchy.levels[1:]:
        for label in level:
            parents = hierarchy.parents[label].indices
            given = logs[:, parents] + np.log(n[label] / n[parents])
            weight = strength / (n[label] + strength)
            logs[:, label] *= 1 - weight
            logs[:, label] += weight * given.mean(axis=1)
    return np.exp(logs)


def to_prior(proba, hierarchy, n_positive, n_samples, strength):
    """Return probabilities that are the nearer to the prior the rarer a label is.

    What :func:`shrink` would do if every label were below the root alone: the control
    that tells what the parents add. No label ranks samples otherwise than before, but
    where the result has to be made coherent.
    """
    n = np.maximum(np.asarray(n_positive, float), 0.5)
    weight = strength / (n + strength)
    shrunk = np.maximum(proba, 1e-12) ** (1 - weight) * (n / n_samples) ** weight
    return max_constraint(shrunk, hierarchy)

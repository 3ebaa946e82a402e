"""Which classifiers vote when the user names none, and how much each one counts."""

from inspect import signature
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils import check_random_state

from skhmc._meta.sketched_forest import SketchedForest
from skhmc._networks.hcal import HCALClassifier

__all__ = ["asking", "recommended"]

NETWORK, FOREST, KERNEL = "network", "forest", "kernel"
# beyond as many cells of Y only the network's batches are sure to fit into memory
MAX_CELLS = 2**28
MAX_WIDTH = 3000  # features up to which a forest takes no longer than a network


def recommended(X, Y, single_path, random_state):
    """Return names and classifiers, and the weight of each.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, ...)
        Samples.
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Labels.
    single_path : bool
        Whether every sample has one label per level.
    random_state : int or RandomState
        Seeds the classifiers.

    Returns
    -------
    list of (str, estimator), ndarray
    """
    if random_state is not None and not isinstance(random_state, Integral):
        random_state = check_random_state(random_state).randint(2**31 - 1)
    found = {NETWORK: (HCALClassifier(random_state=random_state), 2.0)}
    shape = np.shape(X)
    if len(shape) == 2 and Y.shape[0] * Y.shape[1] <= MAX_CELLS:
        sparse = sp.issparse(X)
        if not sparse and shape[1] <= MAX_WIDTH:
            found[FOREST] = SketchedForest(random_state=random_state), 1.0
    weights = np.array([weight for _, weight in found.values()])
    members = [(name, asking(member)) for name, (member, _) in found.items()]
    return members, weights / weights.sum()


def asking(member):
    """Return a member that asks for weights and groups, where this is said."""
    if get_config()["enable_metadata_routing"]:
        names = ("sample_weight", "groups")
        taken = [name for name in names if name in signature(member.fit).parameters]
        member.set_fit_request(**dict.fromkeys(taken, True))
    return member

"""Which classifiers vote when the user names none, and how much each one counts.

Members and parts were chosen on validation rows: by ``benchmarks.tune voting``, and
those for sparse X by hand, among mixtures on the texts of ``benchmarks.many_labels``,
which measures the vote as a whole beside its members.
"""

from inspect import signature
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils import check_random_state
from sklearn.utils.extmath import row_norms

from skhmc._kernels.kernel_hmc import MOST_EXACT as KERNEL_MOST_EXACT
from skhmc._kernels.kernel_hmc import KernelHMC
from skhmc._linear.label_tree import LabelTreeClassifier
from skhmc._meta.sketched_forest import SketchedForest
from skhmc._networks.hcal import HCALClassifier
from skhmc._utils.memory import bytes_as_text, free_memory
from skhmc._utils.warnings import warn_user

__all__ = ["asking", "recommended"]

NETWORK, FOREST, KERNEL, TREE = "network", "forest", "kernel", "label_tree"
NUMERIC = {NETWORK: 2, FOREST: 1, KERNEL: 1}
FEW_OR_NOMINAL = {NETWORK: 1, FOREST: 1, KERNEL: 2}
SPARSE = {NETWORK: 2, KERNEL: 1, TREE: 1}
WIDE = {NETWORK: 1, KERNEL: 1}
SINGLE_PATHS = {NETWORK: 1}
ROWS_PER_FEATURE = 2  # with fewer, rows are few
MAX_WIDTH = 3000  # dense features up to which the forest takes no longer than a network
# rows up to which the kernel is exact: it takes 1.6 GB, and less time than a network.
# With weights of its own, a vote has as many as KernelHMC takes, if there is the memory
MOST_EXACT = 10_000
N_COMPONENTS = 2000
PAIR = 20  # bytes for a pair of rows: two matrices, and what else there is
# cells of Y beyond which only a network, which learns by batches, is sure to have the
# memory
MAX_CELLS = 2**28
ROWS_LOOKED_AT = 1000


def recommended(X, Y, single_path, random_state, own_weights=False):
    """Return names and classifiers, and the weight of each.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, ...)
        Samples.
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Labels.
    single_path : bool
        Whether every sample has one label per level.
    random_state : int, RandomState or None
        Seeds the classifiers: an int is the seed of each.
    own_weights : bool, default=False
        Whether folds or the user say how much each one counts, and not the rule.

    Returns
    -------
    list of (str, estimator), ndarray
    """
    if random_state is not None and not isinstance(random_state, Integral):
        random_state = check_random_state(random_state).randint(2**31 - 1)
    parts = parts_for(X, Y, single_path, own_weights)
    exact = Y.shape[0] <= MOST_EXACT or (own_weights and can_be_exact(Y.shape[0]))
    known = {
        NETWORK: HCALClassifier(random_state=random_state),
        FOREST: SketchedForest(random_state=random_state),
        KERNEL: KernelHMC(
            kernel=kernel_for(X),
            n_components="auto" if exact else N_COMPONENTS,
            random_state=random_state,
        ),
        TREE: LabelTreeClassifier(random_state=random_state),
    }
    weights = np.array(list(parts.values()), dtype=np.float64)
    return [(name, asking(known[name])) for name in parts], weights / weights.sum()


def can_be_exact(n_samples):
    """Tell whether there is the memory for an exact kernel; warn if there is not."""
    free = free_memory()
    needed = PAIR * n_samples**2
    if n_samples > KERNEL_MOST_EXACT or free is None or needed <= free:
        return True  # or KernelHMC itself takes landmarks
    warn_user(
        f"A kernel of all pairs of {n_samples:,} samples needs about "
        f"{bytes_as_text(needed)}, but {bytes_as_text(free)} of memory are free. The "
        f"vote's kernel has {N_COMPONENTS} landmarks instead, which may be less exact."
    )
    return False


def parts_for(X, Y, single_path, own_weights=False):
    """Return the names of members, and how many parts of the mean each one is."""
    shape = np.shape(X)
    if single_path and not own_weights:
        return SINGLE_PATHS
    if len(shape) != 2 or Y.shape[0] * Y.shape[1] > MAX_CELLS:
        return {NETWORK: 1}
    if sp.issparse(X):
        return SPARSE
    if shape[1] > MAX_WIDTH:
        return WIDE
    if shape[0] < ROWS_PER_FEATURE * shape[1] or is_nominal(X):
        return FEW_OR_NOMINAL
    return NUMERIC


def kernel_for(X):
    """Return the kernel for X.

    Rows of texts differ in length. Where they are scaled to length 1, "rbf" is a
    function of the cosine, too, and its bandwidth is learnt.
    """
    if not sp.issparse(X):
        return "rbf"
    X = X.tocsr()
    if not X.has_canonical_format:
        X = X.copy()  # it may be the user's
        X.sum_duplicates()
    lengths = row_norms(X)
    return "rbf" if np.allclose(lengths[lengths > 0], 1, atol=1e-3) else "cosine"


def is_nominal(X):
    """Tell whether more than half of the features have two values at most.

    As indicators of nominal values and of words have. Of many rows some are looked at.
    """
    rows = np.linspace(0, np.shape(X)[0] - 1, ROWS_LOOKED_AT).astype(np.intp)
    X = np.sort(np.asarray(_rows_of(X, np.unique(rows))), axis=0)
    n_values = 1 + (X[1:] != X[:-1]).sum(axis=0)
    return bool((n_values <= 2).mean() > 0.5)


def _rows_of(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else np.asarray(X)[rows]


def asking(member):
    """Return a member that asks for weights and groups, where this is said."""
    if get_config()["enable_metadata_routing"]:
        names = ("sample_weight", "groups")
        taken = [name for name in names if name in signature(member.fit).parameters]
        member.set_fit_request(**dict.fromkeys(taken, True))
    return member

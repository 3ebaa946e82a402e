"""Real data sets, and label sets of any size in hierarchies like the Gene Ontology."""

import numpy as np
import scipy.sparse as sp
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from skhmc import HCALClassifier, Hierarchy, HyperbolicHMC, MaxConstraintClassifier
from skhmc.datasets import fetch_clus

__all__ = [
    "ESTIMATORS",
    "SETS",
    "draw_labels",
    "hierarchy_of",
    "load",
    "make_hierarchy",
]

SETS = ("cellcycle_FUN", "imclef07a", "cellcycle_GO")
ESTIMATORS = (HCALClassifier, MaxConstraintClassifier, HyperbolicHMC)
# share of the labels at every depth, and of labels with 1, 2, ... parents, as in
# the Gene Ontology labels of cellcycle_GO
LEVELS = np.array([3, 33, 155, 394, 597, 929, 779, 631, 335, 171, 63, 21, 9, 5]) / 4125
N_PARENTS = np.array([0.64, 0.31, 0.05])
SKEW = 0.6  # how unequally parents share the children


def load(name, train=("train",)):
    """Return a data set of the Clus collection, imputed and standardised.

    Parameters
    ----------
    name : str
    train : tuple of {"train", "valid"}
        The rows to fit to.

    Returns
    -------
    Bunch
        ``X``, float32, and ``Y`` of all rows, ``X_train`` and ``Y_train``, ``X_test``
        and ``Y_test``, ``hierarchy``, and ``not_scored``, label names or None.
    """
    data = fetch_clus(name, download_if_missing=False)
    rows, Y = np.concatenate([data[part] for part in train]), data.target.toarray()
    steps = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    X = steps.fit(data.data[rows]).transform(data.data).astype(np.float32)
    not_scored = np.array(data.label_names)[~data.eval_mask].tolist() or None
    return Bunch(
        name=name,
        X=X,
        Y=Y,
        X_train=X[rows],
        Y_train=Y[rows],
        X_test=X[data.test],
        Y_test=Y[data.test],
        hierarchy=data.hierarchy,
        not_scored=not_scored,
    )


def hierarchy_of(estimator, data):
    """Return what an estimator is told: HyperbolicHMC learns the hierarchy itself."""
    return None if estimator is HyperbolicHMC else data.hierarchy


def make_hierarchy(n_labels, tree, seed=0):
    """Return a random hierarchy of the Gene Ontology's depth and branching.

    Parameters
    ----------
    n_labels : int
    tree : bool
        Whether every label has one parent, else up to three.
    seed : int
    """
    rng = np.random.default_rng(seed)
    n_levels = len(LEVELS)
    sizes = 1 + np.floor(LEVELS * (n_labels - n_levels)).astype(int)
    sizes[sizes.argmax()] += n_labels - sizes.sum()
    ends = np.cumsum(sizes)
    edges = []
    for level in range(1, n_levels):
        children = np.arange(ends[level - 1], ends[level])
        first = ends[level - 1] - sizes[level - 1]
        edges.append((first + _skewed(rng, sizes[level - 1], len(children)), children))
        n_more = 0 if tree else rng.choice(3, len(children), p=N_PARENTS)
        again = np.repeat(children, n_more)
        edges.append((_skewed(rng, ends[level - 1], len(again)), again))
    parents, children = (np.concatenate(x) for x in zip(*edges, strict=True))
    pairs = np.unique(np.column_stack([parents, children]), axis=0)
    return Hierarchy.from_edges(pairs.tolist(), labels=range(n_labels))


def _skewed(rng, n, size):
    """Draw positions below n, some of them much more often than others."""
    weight = np.arange(1, n + 1) ** -SKEW
    return rng.choice(n, size, p=weight / weight.sum())


def draw_labels(hierarchy, n_samples, per_sample=2, seed=0):
    """Return label sets (n_samples, n_labels) as CSR: some labels and their ancestors.

    Where the depths of labels are alike, sets are of one size, whatever the number of
    labels is.
    """
    rng, n_labels = np.random.default_rng(seed), hierarchy.n_labels
    columns = rng.integers(n_labels, size=n_samples * per_sample)
    rows = np.repeat(np.arange(n_samples), per_sample)
    ones = np.ones(len(rows), np.float32)
    drawn = sp.csr_matrix((ones, (rows, columns)), (n_samples, n_labels))
    Y = drawn @ (hierarchy.ancestors + sp.identity(n_labels, np.float32, "csr"))
    Y.data[:] = 1
    return Y.tocsr()

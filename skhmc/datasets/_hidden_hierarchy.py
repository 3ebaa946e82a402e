"""Points in the plane whose labels form a hierarchy that is to be discovered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skhmc.hierarchy import Hierarchy

__all__ = ["make_hidden_hierarchy"]

DESCR = """\
Points in the plane and a hierarchy to be discovered
----------------------------------------------------

{n_samples} points, each drawn from one of {n_leaves} Gaussians around points of a unit
grid (standard deviation {std:g}) and labelled with its Gaussian, with the blocks of the
grid that hold it, and with the root: {n_labels} labels, a tree of {n_levels} levels.
With probability {drop:g} a training row lacks one of its {n_levels} labels, drawn
uniformly: {n_dropped} of {n_train} rows do. The {n_test} test rows are complete.

With the default parameters these are the synthetic data of Chatterjee, Maheshwari,
Ramakrishnan and Jagarlapudi, "Joint Learning of Hyperbolic Label Embeddings for
Hierarchical Multi-label Classification", EACL 2021.
"""


@validate_params(
    {
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "drop_probability": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
        "branching": ["array-like"],
        "cluster_std": [Interval(Real, 0, None, closed="left")],
        "test_size": [Interval(Real, 0, 1, closed="neither")],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_hidden_hierarchy(
    n_samples: int = 12000,
    drop_probability: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
    *,
    branching: Sequence[int] = (4, 4),
    cluster_std: float = 0.1,
    test_size: float = 0.2,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Make points in the plane whose labels form a hidden tree.

    A benchmark for methods that learn a hierarchy from labels that occur together: the
    tree is known here, so that what was learnt can be compared with it. By default 16
    Gaussians at {-2, -1, 0, 1} x {-2, -1, 0, 1}, with the labels leaf, quadrant and
    root, the data of Chatterjee et al. (2021).

    Parameters
    ----------
    n_samples : int, default=12000
        Number of points, training and test together.
    drop_probability : float, default=0.0
        Probability that a training row lacks one of its labels. Which one is drawn
        uniformly from all levels.
    random_state : int, RandomState instance or None, default=None
        Seed; an int makes the data repeatable. It makes the same points for every
        ``drop_probability``, and a row that lacks a label at one probability lacks the
        same label at every greater one.
    branching : sequence of int, default=(4, 4)
        Children of the root, of each of its children, and so on; each at least 2. There
        is one more level than entries.
    cluster_std : float, default=0.1
        Standard deviation of each Gaussian, in each direction. Neighbouring centres are
        1 apart, whatever the branching.
    test_size : float, default=0.2
        Share of the points in the test part.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` only.

    Returns
    -------
    Bunch or tuple (data, target)
        data : ndarray of shape (n_samples, 2), float64
            Points.
        target : ndarray of shape (n_samples, n_labels), int
            Indicators of the labels, less the dropped ones.
        complete_target : ndarray of shape (n_samples, n_labels), int
            Indicators before any was dropped; each row is one path of the tree.
        hierarchy : Hierarchy
            The true tree. Its labels are the columns of ``target``.
        label_names, target_names : list of str
            Names of the labels, level by level: ``"root"``, ``"root/0"``, ...,
            ``"root/3/3"``.
        feature_names : list of str
            ``"x"`` and ``"y"``.
        centers : ndarray of shape (n_leaves, 2), float64
            Mean of each Gaussian, in the order of the last labels.
        train, test : ndarray of int
            Row positions. The rows are independent, so the test rows are the last ones.
        eval_mask : ndarray of shape (n_labels,), bool
            All True: no label is left out of scores.
        DESCR : str
            A description.

    Raises
    ------
    ValueError
        When ``branching`` is empty or has an entry that is not an integer above 1: a
        label and its only child would occur in the same rows.

    Notes
    -----
    The children of a label divide its part of the grid into equal blocks, in rows and
    columns as alike in number as can be; long and short sides alternate from level to
    level. Where the children do not fill the last row, part of the grid is empty.

    What share of the points the publication tests on is not known to us; the authors'
    program draws a test part of two thirds of the size of the rest, which is
    ``test_size=0.4``.

    Dropping labels makes rows that contradict the hierarchy. An estimator that is given
    the hierarchy closes them upward, which restores every dropped label but the leaf.

    References
    ----------
    Chatterjee, Maheshwari, Ramakrishnan and Jagarlapudi, "Joint Learning of Hyperbolic
    Label Embeddings for Hierarchical Multi-label Classification", EACL 2021, arXiv
    2101.04997.

    Examples
    --------
    >>> from skhmc.datasets import make_hidden_hierarchy
    >>> points = make_hidden_hierarchy(drop_probability=0.4, random_state=0)
    >>> points.hierarchy
    Hierarchy(21 labels, 20 edges, tree of depth 2)
    >>> points.data[points.train].shape, points.target[points.test].shape
    ((9600, 2), (2400, 21))
    >>> points.target[points.test].sum(axis=1).min()
    np.int64(3)
    >>> make_hidden_hierarchy(branching=(2, 3, 2), random_state=0).hierarchy
    Hierarchy(21 labels, 20 edges, tree of depth 3)
    """
    branching = _check_branching(branching)
    hierarchy, paths = _tree(branching)
    centers = _centers(branching)
    n_test = min(max(round(test_size * n_samples), 1), n_samples - 1)
    n_train = n_samples - n_test

    rng = check_random_state(random_state)
    leaf = rng.randint(len(centers), size=n_samples)
    data = centers[leaf] + cluster_std * rng.standard_normal((n_samples, 2))
    dropped = np.flatnonzero(rng.uniform(size=n_train) < drop_probability)
    level = rng.randint(len(branching) + 1, size=n_train)

    complete = np.zeros((n_samples, hierarchy.n_labels), dtype=int)
    np.put_along_axis(complete, paths[leaf], 1, axis=1)
    target = complete.copy()
    target[dropped, paths[leaf[dropped], level[dropped]]] = 0
    if return_X_y:
        return data, target
    bunch = Bunch(
        data=data,
        target=target,
        complete_target=complete,
        hierarchy=hierarchy,
        label_names=list(hierarchy.labels),
        target_names=list(hierarchy.labels),
        feature_names=["x", "y"],
        centers=centers,
        train=np.arange(n_train),
        test=np.arange(n_train, n_samples),
        eval_mask=np.ones(hierarchy.n_labels, dtype=bool),
    )
    bunch.DESCR = _describe(bunch, cluster_std, drop_probability, len(dropped))
    return bunch


def _check_branching(branching: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of children as a tuple of ints."""
    numbers = tuple(branching)
    if not numbers or not all(isinstance(b, Integral) and b >= 2 for b in numbers):
        raise ValueError(
            f"Got branching={branching!r}, expected an integer above 1 for every level "
            f"but the last, the number of children of its labels, such as (4, 4)."
        )
    return tuple(int(b) for b in numbers)


def _tree(branching: tuple[int, ...]) -> tuple[Hierarchy, np.ndarray]:
    """Return the hierarchy, and for each leaf its labels from the root (n, levels)."""
    names = ["root"]
    above: Iterable[int] = [0]  # the last level so far
    paths = np.zeros((1, 1), dtype=int)
    for n_children in branching:
        n_above = len(names)
        names += [f"{names[a]}/{child}" for a in above for child in range(n_children)]
        above = range(n_above, len(names))
        paths = np.column_stack([np.repeat(paths, n_children, axis=0), above])
    return Hierarchy.from_paths(names, labels=names, sep="/"), paths


def _centers(branching: tuple[int, ...]) -> np.ndarray:
    """Place the leaves on a unit grid, the children of a label in one block of it."""
    # long sides alternate, so that the whole stays as square as it can
    shapes = [_block(b, wide=k % 2 == 0) for k, b in enumerate(branching)]
    cells = np.zeros((1, 2), dtype=int)
    for n_children, shape in zip(branching, shapes, strict=True):
        within = np.stack(np.divmod(np.arange(n_children), shape[1]), axis=1)
        cells = (cells[:, None] * shape + within).reshape(-1, 2)
    return (cells - np.prod(shapes, axis=0) // 2).astype(float)


def _block(n_children: int, wide: bool) -> tuple[int, int]:
    """Return the sides of the squarest grid that holds the children of one label."""
    long = int(np.ceil(np.sqrt(n_children)))
    short = -(-n_children // long)  # rounded up
    return (long, short) if wide else (short, long)


def _describe(
    bunch: Bunch, cluster_std: float, drop_probability: float, n_dropped: int
) -> str:
    return DESCR.format(
        n_samples=len(bunch.data),
        n_leaves=len(bunch.centers),
        std=cluster_std,
        n_labels=bunch.hierarchy.n_labels,
        n_levels=len(bunch.hierarchy.levels),
        drop=drop_probability,
        n_dropped=n_dropped,
        n_train=len(bunch.train),
        n_test=len(bunch.test),
    )

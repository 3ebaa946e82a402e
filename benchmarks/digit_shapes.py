"""Handwritten digits under a hierarchy of their shapes: small images of single paths.

The digits are those of scikit-learn. Their labels are made: whether a digit has a loop,
what its shape is, and which digit it is.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

from skhmc import Hierarchy

__all__ = ["load_digit_shapes"]

SHAPES = {
    "no loop": {"strokes": "147", "bows": "235"},
    "loop": {"one loop": "069", "two loops": "8"},
}
N_TRAIN = 300  # so that there is something left to learn


def load_digit_shapes():
    """Load the digits as images of 16 x 16 pixels, every pixel of the source doubled.

    Returns
    -------
    Bunch
        As of :func:`benchmarks.npz_sets.load_npz_set`. Every sample has one label on
        each of three levels. The rows stand in the order of the source, in which the
        digits of one writer are together: those of the test part write no training row,
        or hardly.
    """
    source = load_digits()
    hierarchy = Hierarchy.from_children(
        {
            group: {shape: list(digits) for shape, digits in shapes.items()}
            for group, shapes in SHAPES.items()
        }
    )
    leaves = [hierarchy.position(str(digit)) for digit in source.target]
    images = np.kron(source.images, np.ones((2, 2))) * (255 / 16)
    rows = np.arange(len(leaves))
    cells = (np.ones(len(rows), np.uint8), (rows, leaves))
    own = sp.csr_matrix(cells, shape=(len(rows), hierarchy.n_labels))
    target = sp.csr_matrix(own + own @ hierarchy.ancestors.astype(np.uint8))
    return Bunch(
        data=None,
        images=images.astype(np.uint8)[..., None],
        texts=None,
        target=target.astype(np.uint8),
        hierarchy=hierarchy,
        label_names=list(hierarchy.labels),
        train=rows[:N_TRAIN],
        valid=rows[:0],
        test=rows[N_TRAIN:],
        eval_mask=np.ones(hierarchy.n_labels, bool),
        meta={},
    )

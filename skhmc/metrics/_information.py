"""How much labels say, by the labels of training samples."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Real
from typing import Any

import numpy as np

from skhmc._data.align import align
from skhmc._data.parent_counts import parent_counts
from skhmc.coherence import close_upward
from skhmc.metrics._inputs import check_indicator

__all__ = ["bits_of_counts", "information_accretion"]


def information_accretion(
    y_train: Any,
    hierarchy: Any = None,
    *,
    pseudocount: float = 0.0,
    close: bool = True,
) -> dict[Hashable, float]:
    r"""Information accretion: the bits that a label adds to all its parents.

    Parameters
    ----------
    y_train : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Training labels: indicators 0 and 1, or lists of label names. A sample whose
        label is unknown (NaN) is not counted for it.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat.
    pseudocount : float, default=0.0
        Number added to the samples with a label and to those with its parents. With 0,
        a label that no sample has gets 0 bits, and so does not count: nothing is known
        of it. With 1, it counts more the more samples have its parents.
    close : bool, default=True
        Whether to add the ancestors to the label sets first.

    Returns
    -------
    dict
        The bits of every label, by its name.

    Raises
    ------
    ValueError
        When labels and hierarchy do not match, or ``pseudocount`` is negative.

    See Also
    --------
    weighted_f_max_score : Weighs labels by these bits.
    s_min_score : Counts wrong and missing labels in these bits.

    Notes
    -----
    With :math:`N_l` samples that have label l and :math:`N_{pa(l)}` that have all its
    parents (all samples, if it is a root), the bits are

    .. math::
        ia(l) = -\log_2 \frac{N_l}{N_{pa(l)}}.

    What the labels of a closed set say together is their sum. A child that all samples
    with its parents have says nothing.

    Count on training labels. Labels that only test samples have get 0 bits then, and
    so do not count.

    References
    ----------
    Clark and Radivojac, "Information-theoretic evaluation of predicted ontological
    annotations", Bioinformatics, 2013.

    Examples
    --------
    >>> from skhmc.metrics import information_accretion
    >>> animals = {"cat": "mammal", "dog": "mammal", "tabby": ["cat", "pet"]}
    >>> y_train = [["cat"], ["tabby"], ["dog"], ["dog", "pet"]]
    >>> information_accretion(y_train, animals)
    {'mammal': 0.0, 'cat': 1.0, 'dog': 1.0, 'pet': 1.0, 'tabby': 0.0}

    Two of four mammals are cats: one bit. One sample is a cat and a pet, and it is a
    tabby, which so adds nothing to both.
    """
    if isinstance(pseudocount, bool) or not isinstance(pseudocount, Real):
        raise ValueError(f"pseudocount must be a number, got {pseudocount!r}.")
    if not pseudocount >= 0:
        raise ValueError(f"pseudocount must not be negative, got {pseudocount!r}.")
    built, y_train = align(hierarchy, y_true=y_train)
    check_indicator(y_train, "y_train", allow_nan=True)
    if close:
        y_train = close_upward(y_train, built)
    bits = bits_of_counts(parent_counts(y_train, built), float(pseudocount))
    return dict(zip(built.labels, bits.tolist(), strict=True))


def bits_of_counts(counts: np.ndarray, pseudocount: float = 0.0) -> np.ndarray:
    """Return bits (n_labels,), from the samples with labels and with all parents."""
    with_label, with_parents = counts.T + pseudocount
    rate = np.ones(len(counts))
    some = (with_label > 0) & (with_parents > 0)
    np.divide(with_label, with_parents, out=rate, where=some)
    # of labels that are not closed, more samples may have a label than its parents
    return np.abs(np.log2(np.minimum(rate, 1)))

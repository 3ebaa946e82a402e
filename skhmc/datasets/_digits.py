"""Handwritten digits, labelled with the properties of the number they show."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from skhmc.coherence import close_upward
from skhmc.hierarchy import Hierarchy

__all__ = ["load_digit_properties"]

# Every property, general ones first, with the most specific properties it implies.
PROPERTIES: dict[str, list[str]] = {
    "even": [],
    "odd": [],
    "multiple of 3": [],
    "prime": [],
    "composite": [],
    "square": [],
    "cube": [],
    "power of two": [],
    "multiple of 4": ["even"],
    "multiple of 6": ["even", "multiple of 3"],
    "odd prime": ["odd", "prime"],
    "even square": ["multiple of 4", "square"],
}
# Every digit's most specific properties.
DIGITS = [
    ["multiple of 6", "even square", "cube"],
    ["odd", "square", "cube", "power of two"],
    ["even", "prime", "power of two"],
    ["multiple of 3", "odd prime"],
    ["composite", "even square", "power of two"],
    ["odd prime"],
    ["composite", "multiple of 6"],
    ["odd prime"],
    ["composite", "cube", "power of two", "multiple of 4"],
    ["odd", "multiple of 3", "composite", "square"],
]
DESCR = """\
Handwritten digits and the properties of their numbers
------------------------------------------------------

The 1797 images of handwritten digits that scikit-learn includes (8 x 8 pixels,
intensities 0 to 16; a part of the UCI set "Optical Recognition of Handwritten Digits"
by Alpaydin and Kaynak), each labelled with everything of the following that is true of
its number: {properties}; and the digit itself.

The labels form a directed acyclic graph: whatever is an odd prime is odd and prime. A
composite number is a positive one with a divisor beside 1 and itself, so that 0 is not
composite. 0 is a multiple of every number, a square and a cube; 1 is a power of two.
"""


def load_digit_properties(
    *, return_X_y: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load handwritten digits labelled with a DAG of number properties.

    Real, small and part of scikit-learn, so that nothing is downloaded.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` only.

    Returns
    -------
    Bunch or tuple (data, target)
        data : ndarray of shape (1797, 64), float64
            Intensities of the pixels, 0 to 16.
        target : ndarray of shape (1797, 22), int
            Indicators of all labels that hold for the sample's digit.
        hierarchy : Hierarchy
            Hierarchy whose labels are the columns of ``target``.
        label_names, target_names : list of str
            Names of the labels: properties, then ``"digit 0"`` to ``"digit 9"``.
        feature_names : list of str
            Names of the pixels.
        images : ndarray of shape (1797, 8, 8), float64
            The same pixels as images.
        train, test : ndarray of int
            Row positions of a fixed split, 70 % and 30 % of every digit.
        eval_mask : ndarray of shape (22,), bool
            All True: no label is left out of scores.
        DESCR : str
            A description.

    References
    ----------
    Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998.

    Examples
    --------
    >>> from skhmc.datasets import load_digit_properties
    >>> digits = load_digit_properties()
    >>> digits.data.shape, digits.target.shape
    ((1797, 64), (1797, 22))
    >>> digits.hierarchy
    Hierarchy(22 labels, 34 edges, DAG of depth 3)
    >>> digits.hierarchy.ancestors_of("digit 5")
    ['odd', 'prime', 'odd prime']
    """
    digits = load_digits()
    names = [f"digit {digit}" for digit in range(10)]
    parents = PROPERTIES | dict(zip(names, DIGITS, strict=True))
    hierarchy = Hierarchy.from_parents(parents, labels=parents)
    target = np.zeros((len(digits.target), hierarchy.n_labels), dtype=int)
    target[np.arange(len(target)), len(PROPERTIES) + digits.target] = 1
    target = close_upward(target, hierarchy)
    if return_X_y:
        return digits.data, target
    train, test = train_test_split(
        np.arange(len(target)), test_size=0.3, stratify=digits.target, random_state=0
    )
    return Bunch(
        data=digits.data,
        target=target,
        hierarchy=hierarchy,
        label_names=list(hierarchy.labels),
        target_names=list(hierarchy.labels),
        feature_names=list(digits.feature_names),
        images=digits.images,
        train=np.sort(train),
        test=np.sort(test),
        eval_mask=np.ones(hierarchy.n_labels, dtype=bool),
        DESCR=DESCR.format(properties=", ".join(PROPERTIES)),
    )

"""How costs grow with rows, labels, features and widths.

A cost is a sum of terms. How often a term occurs is counted by formulas from the sizes
of a case; what it takes each time is measured.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from skhmc._scale.predict_files import CELLS, MAX_ROWS, MIN_ROWS

__all__ = [
    "FLOAT",
    "KEPT",
    "MAX_INT32",
    "Cost",
    "Fit",
    "Predictions",
    "Tree",
    "bytes_of_csr",
    "distinct",
]

FLOAT = 4  # bytes
MAX_INT32 = 2**31 - 1
# numbers that a row of prototypes keeps: itself, and two means of its gradients
KEPT = 3


def bytes_of_csr(n_rows, n_stored, item):
    """Return the bytes of a CSR matrix; positions have 64 bits where 32 are too few."""
    position = 4 if n_stored <= MAX_INT32 else 8
    return n_stored * (item + position) + (n_rows + 1) * position


def distinct(counts, n_rows):
    """Return how many labels some rows have together, on average.

    Parameters
    ----------
    counts : ndarray of shape (n_labels,)
        How many of all rows have every label.
    n_rows : tuple of int
        Rows that are drawn, and all rows.
    """
    drawn, n = n_rows
    return float((1 - (1 - counts / n) ** drawn).sum())


@dataclass(frozen=True)
class Fit:
    """A fit of HCALClassifier to dense X and sparse Y, with labels sampled."""

    n_rows: int
    n_features: int
    n_labels: int
    labels_per_row: float
    n_positive: float  # labels that the rows of a batch have together
    width: int = 1000  # of both hidden layers
    embedding: int = 256
    batch_size: int = 64
    n_sampled: int = 5000
    n_epochs: int = 60
    n_processes: int = 1

    @property
    def n_steps(self):
        """Steps of all epochs."""
        return -(-self.n_rows // self.batch_size) * self.n_epochs

    @property
    def rows_of_step(self):
        """Rows of a batch that one process has."""
        return self.batch_size / self.n_processes

    @property
    def encoder_weights(self):
        """Weights and biases of two hidden layers and of the embedding."""
        widths = (self.n_features, self.width, self.width, self.embedding)
        return sum((a + 1) * b for a, b in zip(widths[:-1], widths[1:], strict=True))

    @property
    def labels_of_step(self):
        """Labels that a step scores."""
        return min(self.n_positive + self.n_sampled, self.n_labels)

    @property
    def weights(self):
        """Weights of the network: of the encoder, and of every label."""
        return self.encoder_weights + self.n_labels * (self.embedding + 1)

    @property
    def stored(self):
        """Labels of all rows."""
        return self.n_rows * self.labels_per_row

    @property
    def bytes_of_X(self):
        """Bytes of the file with X."""
        return self.n_rows * self.n_features * FLOAT

    @property
    def bytes_of_Y(self):
        """Bytes of Y, whose values have 8 bits."""
        return bytes_of_csr(self.n_rows, self.stored, 1)

    @property
    def bytes_of_order(self):
        """Bytes of the order in which an epoch takes the rows."""
        return 8 * self.n_rows

    @property
    def bytes_of_checkpoint(self):
        """Bytes of weights, of both means of their gradients, and of the rows' clocks.

        A row of prototypes keeps when it was last seen, how much of the decay it had,
        and the sum of its gradients' weights: in its bias, too.
        """
        clocks = 2 * 3 * self.n_labels
        return FLOAT * (KEPT * self.weights + clocks)

    @property
    def bytes_of_step(self):
        """Bytes of the gradients that processes add up in a step."""
        rows = self.labels_of_step * (self.embedding + 1)
        return FLOAT * (self.encoder_weights + rows)


@dataclass(frozen=True)
class Tree:
    """A fit of LabelTreeClassifier to sparse X."""

    n_rows: int
    n_features: int
    n_labels: int
    features_per_row: float
    rows_of_labels: float  # rows of all labels' classifiers, divided by n_rows

    @property
    def entries(self):
        """Stored numbers of X, once for every classifier that sees the row."""
        return self.n_rows * self.rows_of_labels * self.features_per_row

    @property
    def stored(self):
        """Stored numbers of X."""
        return self.n_rows * self.features_per_row


@dataclass(frozen=True)
class Predictions:
    """Predictions of files by HCALClassifier, the k most probable labels of a row."""

    n_rows: int
    n_features: int
    n_labels: int
    width: int = 1000
    embedding: int = 256

    @property
    def encoder_weights(self):
        """Weights of two hidden layers and of the embedding."""
        widths = (self.n_features, self.width, self.width, self.embedding)
        return sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))

    @property
    def rows_predicted(self):
        """Rows, and those of the first block, which is tried before."""
        widest = max(self.n_labels, self.n_features)
        block = max(MIN_ROWS, min(MAX_ROWS, CELLS // widest))
        return self.n_rows + min(self.n_rows, block)


Term = Callable[[object], float]


@dataclass(frozen=True)
class Cost:
    """A cost as a sum of terms.

    Parameters
    ----------
    unit : str
        In which it is measured.
    terms : dict of str to callable
        How often a case has every term.
    """

    unit: str
    terms: dict[str, Term]

    def counts(self, case):
        """Return how often a case has every term, (n_terms,)."""
        return np.array([float(count(case)) for count in self.terms.values()])

    def constants(self, cases, measured):
        """Return what every term takes: the least squares of relative errors, from 0.

        Parameters
        ----------
        cases : list
        measured : list of float
            What every case cost.

        Returns
        -------
        dict of str to float
        """
        A = (
            np.array([self.counts(case) for case in cases])
            / np.array(measured)[:, None]
        )
        scale = A.max(axis=0)
        scale[scale == 0] = 1  # no case has the term: it takes nothing
        found, _ = nnls(A / scale, np.ones(len(cases)))
        return dict(zip(self.terms, (found / scale).tolist(), strict=True))

    def of(self, case, constants):
        """Return what a case costs."""
        each = np.array([constants[name] for name in self.terms])
        return float(self.counts(case) @ each)

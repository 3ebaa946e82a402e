"""What probabilities of classes say of labels: of the classes and of all above them."""

import numpy as np
import scipy.sparse as sp

from skhmc.coherence import max_constraint

__all__ = ["ClassLabels"]


class ClassLabels:
    """Classes of a 1-D y as labels of a hierarchy.

    A sample of a class has the labels that are the class and its ancestors.

    Parameters
    ----------
    hierarchy : Hierarchy
        All labels.
    classes : ndarray of shape (n_classes,)
        Labels that y may hold.
    """

    def __init__(self, hierarchy, classes):
        self.hierarchy = hierarchy
        positions = [hierarchy.position(label) for label in classes]
        self.positions = np.array(positions, dtype=np.intp)
        eye = sp.identity(hierarchy.n_labels, bool, "csr")
        none = sp.csr_matrix((1, hierarchy.n_labels), dtype=bool)
        # the labels at and above every label, and last no label
        self._sets = sp.vstack([hierarchy.ancestors + eye, none], format="csr")
        # positions of the labels, the deepest first
        self._deepest_first = np.argsort(-hierarchy.depth, kind="stable")

    def proba(self, proba):
        """Return probabilities of all labels (n_samples, n_labels).

        A label's is the sum of those of the classes at and below it. It is never less
        than that of a label below: sums of more terms in the same order.
        """
        if proba.shape[1] != len(self.positions):
            raise ValueError(
                f"Got probabilities of {proba.shape[1]} classes, but y held "
                f"{len(self.positions)}. Fit with a y that holds all classes that the "
                f"estimator was fitted to before."
            )
        members = self.sets(self.positions).astype(proba.dtype)
        return np.minimum(proba @ members, 1)

    def sets(self, positions):
        """Return the labels at and above a label of every sample, as a csr_matrix.

        Parameters
        ----------
        positions : ndarray of shape (n_samples,), int
            Most specific labels; -1 is none, and a sample without labels.
        """
        n_labels = self.hierarchy.n_labels
        return self._sets[np.where(positions < 0, n_labels, positions)]

    def stops(self, proba, threshold):
        """Return where every sample stops when labels have to be sure enough.

        That is the deepest label whose probability is above the threshold, on the path
        of the most probable class that has such a label on its path.

        Parameters
        ----------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities of the classes.
        threshold : float
            What a label's probability has to be above.

        Returns
        -------
        ndarray of shape (n_samples, 2), int
            Position of the label, and whether its probability is above the threshold:
            where no label's is, the most probable root stands, and 0.
        """
        labels = self.proba(proba)
        # every label has the rank of the most probable class at or below it
        ranks = max_constraint(self._ranks(proba), self.hierarchy)
        ranks[~(labels > threshold)] = 0
        order = self._deepest_first
        ends = order[ranks[:, order].argmax(axis=1)]
        is_sure = ranks.any(axis=1)
        roots = self.hierarchy.roots
        highest = roots[labels[:, roots].argmax(axis=1)]
        return np.column_stack([np.where(is_sure, ends, highest), is_sure])

    def _ranks(self, proba):
        """Return ranks of classes (n_samples, n_labels), the most probable highest.

        Labels that are no classes have 0. Of equally probable classes the first has the
        highest rank, as ``argmax`` has it.
        """
        n_samples, n_classes = proba.shape
        order = np.argsort(-proba, axis=1, kind="stable")
        ranks = np.zeros((n_samples, self.hierarchy.n_labels), np.float32)
        rows = np.arange(n_samples)[:, None]
        ranks[rows, self.positions[order]] = np.arange(n_classes, 0, -1)
        return ranks

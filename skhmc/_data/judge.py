"""Whether labels contradict the direction of a hierarchy's edges.

A hierarchy that is read upside down passes every other check: its labels are those of
Y, and Y can be closed. But Y tells, as it was given. Where it holds the ancestors of
its labels, a child never stands without its parent, while parents stand without this or
that child; upside down it is the other way round. Where Y holds only the most specific
labels, hardly any of them is a root; upside down most are.
"""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from skhmc._utils.kinds import is_matrix
from skhmc._utils.warnings import HierarchyWarning, warn_of_input
from skhmc.hierarchy import Hierarchy

__all__ = ["DirectionJudge", "judge_hierarchy", "other_reading"]

# Closed labels. Upside down, the other direction is hardly ever violated (annotators
# err), the given one in a tenth of the cases at least: on 21 real data sets turned
# round, in half of them or more.
HARDLY = 0.05
OFTEN = 0.1
MIN_CASES = 5  # of each kind; fewer are chance, and so are those ...
MIN_ROWS = 3  # ... of fewer rows

# Most specific labels only, where nothing but the place of labels can tell.
ENOUGH_ROWS = 10  # where not every root occurs
MANY_ROWS = 30  # where there are as many leaves as roots
MANY_ROOTS = 10  # a large hierarchy with twice as many roots as leaves, whose ...
MANY_POSITIVES = 50  # ... positives are at roots: so many, and ...
TIMES_LEAVES = 5  # ... so many times those at leaves


class DirectionJudge:
    """Counts how labels stand to the edges, a part of the rows at a time.

    Labels in no edge tell nothing and do not count, nor do edges with an unknown (NaN)
    end.

    Parameters
    ----------
    hierarchy : Hierarchy
        In the order of the columns.
    source : hierarchy-like or None
        What the user gave, which decides what the message advises.
    """

    def __init__(self, hierarchy, source):
        self.hierarchy = hierarchy
        self.source = source
        n_labels = hierarchy.n_labels
        parent, child = hierarchy.edges.T
        self._n_children = np.bincount(parent, minlength=n_labels)
        self._n_parents = np.bincount(child, minlength=n_labels)
        self._to_parents = hierarchy.parents.astype(np.int32)
        self.is_root = (self._n_parents == 0) & (self._n_children > 0)
        self.is_leaf = (self._n_children == 0) & (self._n_parents > 0)
        self.n_both = 0  # edges of rows that have both ends,
        self.n_child_only = 0  # the child without its parent,
        self.n_parent_only = 0  # and the parent without this child
        self.n_linked_rows = 0  # that have a child with its parent,
        self.n_contrary_rows = 0  # that have one without
        self.n_rows = 0  # that have a label of any edge
        self.n_positives = np.zeros(n_labels, dtype=np.intp)
        self.example = None

    def read(self, Y, first_row=0):
        """Count the rows of Y, which begin at ``first_row`` of the whole.

        Parameters
        ----------
        Y : ndarray or csr_matrix of shape (n_samples, n_labels)
            Indicators as given, not closed: 0, 1 and NaN.
        first_row : int, default=0
        """
        if not len(self.hierarchy.edges):
            return
        on, unknown = _cells(Y)
        below = on @ self._to_parents  # of every label, how many children are there
        both = _row_sums(on.multiply(below))
        child_only = on @ self._n_parents - both
        parent_only = on @ self._n_children - both
        if unknown is not None:
            child_only -= _row_sums(unknown.multiply(below))
            parent_only -= _row_sums(on.multiply(unknown @ self._to_parents))
        self.n_both += int(both.sum())
        self.n_child_only += int(child_only.sum())
        self.n_parent_only += int(parent_only.sum())
        self.n_linked_rows += int((both > 0).sum())
        self.n_contrary_rows += int((child_only > 0).sum())
        self.n_rows += int((on @ (self._n_parents + self._n_children) > 0).sum())
        self.n_positives += np.bincount(on.indices, minlength=on.shape[1])
        if self.example is None and child_only.any():
            row = int(np.argmax(child_only))
            self.example = (*self._lone_child(Y[[row]]), first_row + row)

    def _lone_child(self, row):
        """Return the names of a child and its parent that a row does not have."""
        values = np.asarray(row.todense() if sp.issparse(row) else row).ravel()
        parent, child = self.hierarchy.edges.T
        lacks = (values[parent] != 1) & ~np.isnan(values[parent])
        at = np.flatnonzero((values[child] == 1) & lacks)[0]
        labels = self.hierarchy.labels
        return labels[child[at]], labels[parent[at]]

    def warn(self):
        """Warn where the rows that were read speak for the other direction."""
        if self.is_contradicted():
            self._warn_contradicted()
        elif self.is_at_roots():
            self._warn_at_roots()

    def is_contradicted(self):
        """Tell whether Y is closed against the edges, and not along them."""
        if not (self.is_violated() and self._is_linked()):
            return False
        return self.n_parent_only <= HARDLY * (self.n_parent_only + self.n_both)

    def is_violated(self):
        """Tell whether labels often stand without a parent."""
        few = self.n_child_only < MIN_CASES or self.n_contrary_rows < MIN_ROWS
        return not few and self.n_child_only >= OFTEN * (
            self.n_child_only + self.n_both
        )

    def is_obeyed(self):
        """Tell whether labels stand beside their parents, without an exception."""
        return self._is_linked() and not self.n_child_only

    def _is_linked(self):
        return self.n_both >= MIN_CASES and self.n_linked_rows >= MIN_ROWS

    def is_at_roots(self):
        """Tell whether labels without ancestors stand where the other end should be."""
        if self.n_both or self.n_rows < MIN_ROWS:
            return False
        n_roots, n_leaves = int(self.is_root.sum()), int(self.is_leaf.sum())
        at_roots = int(self.n_positives[self.is_root].sum())
        elsewhere = self._n_parents > 0
        if not self.n_positives[elsewhere].any():
            return self._are_roots_enough(n_roots, n_leaves)
        at_leaves = int(self.n_positives[self.is_leaf].sum())
        return (
            n_roots >= max(MANY_ROOTS, 2 * n_leaves)
            and at_roots >= max(MANY_POSITIVES, TIMES_LEAVES * at_leaves)
            and at_roots > self.n_positives[elsewhere].sum()
        )

    def _are_roots_enough(self, n_roots, n_leaves):
        """Tell whether it is no chance that all labels that occur are roots."""
        n_found = int((self.n_positives[self.is_root] > 0).sum())
        if self.n_rows >= MANY_ROWS:
            return n_found > 1 and n_roots >= n_leaves
        if self.n_rows >= ENOUGH_ROWS:
            return n_found > 1 and n_roots > n_leaves
        return n_found == n_roots > max(2, n_leaves)

    # -- what is said ------------------------------------------------------------------

    def _warn_contradicted(self):
        lower, upper, row = self.example
        n_child, n_parent = self.n_child_only, self.n_parent_only
        warn_of_input(
            f"Y contradicts the direction of the hierarchy, which is perhaps upside "
            f"down. As given, {upper!r} is a parent of {lower!r}, and in {n_child} of "
            f"{n_child + self.n_both} cases a label stands without a parent, such as "
            f"{lower!r} without {upper!r} in row {row}. With {lower!r} as a parent of "
            f"{upper!r}, and all edges turned like this, it would be {n_parent} of "
            f"{n_parent + self.n_both} cases. {other_reading(self.source)} If the "
            f"direction is right, close Y with skhmc.coherence.close_upward to silence "
            f"this.",
            HierarchyWarning,
        )

    def _warn_at_roots(self):
        n_positives = self.n_positives
        n_all = int(n_positives[self._n_parents + self._n_children > 0].sum())
        n_at_roots = int(n_positives[self.is_root].sum())
        n_at_leaves = int(n_positives[self.is_leaf].sum())
        n_found = int((n_positives[self.is_root] > 0).sum())
        names = self.hierarchy.labels
        most = int(np.argmax(n_positives * self.is_root))
        upper = names[most]
        lower = self.hierarchy.children_of(upper)[0]
        warn_of_input(
            f"The hierarchy is perhaps upside down: {n_at_roots} of {n_all} positive "
            f"labels in Y have no parent, {n_at_leaves} have no child. These are "
            f"{n_found} of its {int(self.is_root.sum())} roots, which stand above "
            f"{int(self.is_leaf.sum())} leaves. As given, {upper!r} is a parent of "
            f"{lower!r}; the other reading has {lower!r} as a parent of {upper!r}, and "
            f"then Y holds the most specific labels. {other_reading(self.source)} If "
            f"the direction is right, silence this with warnings.simplefilter("
            f"'ignore', skhmc.HierarchyWarning).",
            HierarchyWarning,
        )


def judge_hierarchy(Y, hierarchy, source):
    """Warn where labels speak for another reading of a hierarchy.

    That is the other direction of its edges or, where integers number the columns, the
    same numbers from 1.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Indicators as given, not closed: 0, 1 and NaN.
    hierarchy : Hierarchy
        In the order of the columns.
    source : hierarchy-like or None
        What the user gave, which decides what the message advises.
    """
    judge = DirectionJudge(hierarchy, source)
    judge.read(Y)
    if _may_count_from_1(hierarchy, source):
        one_lower = [(p - 1, c - 1) for p, c in hierarchy.edges.tolist()]
        other = DirectionJudge(Hierarchy(hierarchy.labels, one_lower), source)
        other.read(Y)
        if judge.is_violated() and other.is_obeyed():
            _warn_numbers(judge, other)
            return
    judge.warn()


def _may_count_from_1(hierarchy, source):
    """Tell whether integers that number the columns may begin at 1: 0 has no edge."""
    named = isinstance(source, Hierarchy) or is_matrix(source)
    if named or not len(hierarchy.edges) or hierarchy.edges.min() == 0:
        return False
    return hierarchy.labels == tuple(range(hierarchy.n_labels))


def _warn_numbers(judge, other):
    lower, upper, row = judge.example
    n_labels = judge.hierarchy.n_labels
    warn_of_input(
        f"The labels of the hierarchy are read as numbers of the columns from 0, and "
        f"are perhaps numbers from 1. As given, in {judge.n_child_only} of "
        f"{judge.n_child_only + judge.n_both} cases a label stands without a parent, "
        f"such as {lower!r} without {upper!r} in row {row}; counted from 1 it would be "
        f"0 of {other.n_both} cases. If they are, pass Hierarchy.build(hierarchy, "
        f"labels=range(1, {n_labels + 1})), else close Y with "
        f"skhmc.coherence.close_upward to silence this.",
        HierarchyWarning,
    )


def other_reading(source):
    """Say how the edges are turned, in the words of what the user gave."""
    if isinstance(source, Mapping):
        return (
            "A mapping is read as {child: parents}, as by Hierarchy.from_parents; one "
            "of {parent: children} is read by Hierarchy.from_children(mapping)."
        )
    if hasattr(source, "is_directed"):
        return (
            "Edges of a graph are read as parent -> child; if they run child -> "
            "parent, pass Hierarchy.from_networkx(graph, reverse=True)."
        )
    if is_matrix(source):
        return "Entry (i, j) = 1 makes i a parent of j; for the other, transpose it."
    if isinstance(source, Hierarchy):
        return (
            "For the other reading build it by Hierarchy.from_children(...) in place "
            "of Hierarchy.from_parents(...) or the reverse, or turn its edges."
        )
    return (
        "Pairs are read as (parent, child), and paths from the root downward; for "
        "the other reading turn them round."
    )


def _cells(Y):
    """Return the positive cells as a csr_matrix of 1, and the unknown ones or None."""
    values = Y.data if sp.issparse(Y) else Y
    unknown = np.isnan(values)
    return _chosen(Y, values == 1), _chosen(Y, unknown) if unknown.any() else None


def _chosen(Y, chosen):
    """Return chosen cells as a csr_matrix; of a sparse Y, of those that it stores."""
    if not sp.issparse(Y):
        return sp.csr_matrix(chosen, dtype=np.int32)
    parts = (chosen.astype(np.int32), Y.indices.copy(), Y.indptr.copy())
    cells = sp.csr_matrix(parts, Y.shape)
    cells.eliminate_zeros()
    return cells


def _row_sums(cells):
    return np.asarray(cells.sum(axis=1)).ravel()

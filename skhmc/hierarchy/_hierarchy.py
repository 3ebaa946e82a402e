"""Label hierarchies: trees and directed acyclic graphs of labels.

This is the one data structure that every other module shares. Edges always run
**parent -> child**; roots have depth 0. The level plans built here are what the
numpy (:mod:`skhmc.coherence`) and torch (``skhmc.nn.coherence``) sides walk.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import scipy.sparse as sp

from skhmc._utils.kinds import repeatable
from skhmc._utils.levels import (
    Gather,
    PlanStep,
    closure,
    depths,
    frozen,
    gathers,
    plan_steps,
)
from skhmc._utils.lines import MAX_BYTES
from skhmc._utils.messages import name_list, plain
from skhmc.hierarchy import _text
from skhmc.hierarchy._edges import (
    cycle_text,
    edge_positions,
    index_labels,
    read_edges,
    warn_of_numbers_as_text,
    warn_of_spaces,
)
from skhmc.hierarchy._graphs import read_networkx
from skhmc.hierarchy._levels import read_levels
from skhmc.hierarchy._parents import read_children, read_parents
from skhmc.hierarchy._paths import read_paths
from skhmc.hierarchy._sources import read_edge_table, read_matrix, read_source
from skhmc.hierarchy._tables import is_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from skhmc.hierarchy._ontology import Ontology
    from skhmc.inspection import HierarchyDisplay

__all__ = ["Hierarchy"]


class Hierarchy:
    """A label hierarchy: a tree, a forest or a directed acyclic graph (DAG).

    Immutable, hashable and comparable by content, picklable. Edges run
    **parent -> child**.

    Parameters
    ----------
    labels : iterable of hashable
        The labels, in the order of the columns of ``Y``. Unique.
    edges : iterable of (parent, child), default=()
        Pairs of labels. A label in no edge is a root of its own. Repeated edges
        count once.

    Attributes
    ----------
    labels : tuple
        The labels, in the order given.
    n_labels : int
        Number of labels.
    edges : ndarray of shape (n_edges, 2)
        Positions (parent, child) in ``labels``, sorted by parent, then child.
    roots, leaves : ndarray of int
        Positions of labels without parent, without child.
    depth : ndarray of shape (n_labels,)
        Longest path from a root, in edges; roots have depth 0.
    levels : tuple of ndarray
        Positions of the labels of every depth.
    is_tree : bool
        Whether no label has more than one parent (a forest counts).
    parents, children : csr_matrix of shape (n_labels, n_labels), bool
        Row i marks the direct parents (children) of label i.
    ancestors, descendants : csr_matrix of shape (n_labels, n_labels), bool
        Row i marks the proper ancestors (descendants) of label i, itself excluded. An
        error where there are more than 2**28 such pairs.
    upward_plan, downward_plan : tuple of PlanStep
        Steps that carry values child -> parent (deepest targets first) and
        parent -> child (shallowest targets first).

    Raises
    ------
    ValueError
        When labels repeat, an edge names an unknown label, a label is its own parent,
        or the edges have a cycle (which the message prints).

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> animals
    Hierarchy(3 labels, 2 edges, tree of depth 1)
    >>> animals.children_of("mammal")
    ['cat', 'dog']
    """

    labels: tuple[Hashable, ...]
    edges: np.ndarray
    depth: np.ndarray

    def __init__(
        self, labels: Iterable[Any], edges: Iterable[tuple[Any, Any]] = ()
    ) -> None:
        index = index_labels(labels)
        self._set(tuple(index), edge_positions(edges, index))

    def _set(self, labels: tuple, edges: np.ndarray) -> None:
        loops = np.unique(edges[edges[:, 0] == edges[:, 1], 0])
        if len(loops):
            raise ValueError(
                f"A label cannot be its own parent: "
                f"{name_list(labels[i] for i in loops)}. Remove these edges."
            )
        edges = np.unique(edges, axis=0).reshape(-1, 2)
        depth, cycle = depths(edges, len(labels))
        if cycle:
            raise ValueError(
                f"The hierarchy has a cycle: {cycle_text([labels[i] for i in cycle])}. "
                f"Remove one of these edges."
            )
        # not by assignment, which __setattr__ refuses
        self.__dict__.update(labels=labels, edges=frozen(edges), depth=frozen(depth))

    @classmethod
    def _from_positions(cls, labels: tuple, edges: np.ndarray) -> Hierarchy:
        """Build from labels that index_labels has read, and edges by position."""
        hierarchy = cls.__new__(cls)
        hierarchy._set(labels, edges)
        return hierarchy

    @classmethod
    def _from_read(
        cls, read: tuple[Iterable, list], labels: Iterable | None
    ) -> Hierarchy:
        names, edges = read
        if labels is None:
            names = list(names)
            warn_of_spaces(names)
            warn_of_numbers_as_text(names)
        return cls(names if labels is None else labels, edges)

    # -- ways to build -----------------------------------------------------------

    @classmethod
    def from_edges(
        cls, edges: Iterable[Any], labels: Iterable | None = None
    ) -> Hierarchy:
        """Build from pairs (parent, child).

        Parameters
        ----------
        edges : iterable of (parent, child), or DataFrame
            Pairs of labels. Parents are in the first of a DataFrame's two columns,
            unless their names say otherwise ("code", "parent").
        labels : iterable, default=None
            All labels, in the order of Y's columns. By default those of the edges:
            sorted when all are integers, else in order of appearance.

        Raises
        ------
        ValueError
            When the data of a DataFrame say that its second column holds the parents:
            they are missing there, or stand repeatedly above labels that do not.

        Examples
        --------
        >>> from skhmc import Hierarchy
        >>> Hierarchy.from_edges([("mammal", "cat"), ("mammal", "dog")]).labels
        ('mammal', 'cat', 'dog')
        """
        if is_table(edges):
            return cls._from_read(read_edge_table(edges, first="parent"), labels)
        return cls._from_read(read_edges(repeatable(edges)), labels)

    @classmethod
    def from_parents(
        cls,
        parents: Any,
        labels: Iterable | None = None,
        *,
        child: Hashable | None = None,
        parent: Hashable | None = None,
    ) -> Hierarchy:
        """Build from the parents of every label.

        Parameters
        ----------
        parents : mapping, Series or DataFrame
            A mapping ``{child: parent}`` or ``{child: [parents]}``; a Series of parents
            with the children in its index; or a table with a column of labels and one
            of their parents. Above a root the parent is missing: None, NaN, an empty
            string or list. A label of several parents has a list, or several rows.
        labels : iterable, default=None
            All labels, in the order of Y's columns. By default those of the mapping:
            sorted when all are integers, else in order of appearance.
        child, parent : hashable, default=None
            Names of the columns of a DataFrame (of pandas, polars or pyarrow). By
            default two columns are told apart by their names, or by missing parents
            above roots, or by parents in the second that stand repeatedly.

        Raises
        ------
        ValueError
            When nothing says which column holds the parents.

        Examples
        --------
        >>> from skhmc import Hierarchy
        >>> parents = {"mammal": None, "cat": "mammal", "tabby": ["cat", "pet"]}
        >>> Hierarchy.from_parents(parents).parents_of("tabby")
        ['cat', 'pet']
        """
        return cls._from_read(read_parents(parents, child, parent), labels)

    @classmethod
    def from_children(cls, children: Any, labels: Iterable | None = None) -> Hierarchy:
        """Build from the children of every label.

        Parameters
        ----------
        children : mapping or Series
            A mapping ``{parent: [children]}``; in place of a list it may hold another
            mapping of this kind, one child, or None or an empty list for a leaf. Or a
            Series of lists of children with the parents in its index.
        labels : iterable, default=None
            All labels, in the order of Y's columns. By default those of the mapping:
            sorted when all are integers, else in order of appearance.

        Examples
        --------
        >>> from skhmc import Hierarchy
        >>> animals = Hierarchy.from_children({"mammal": ["cat", "dog"]})
        >>> animals.labels
        ('mammal', 'cat', 'dog')
        >>> Hierarchy.from_children({"mammal": {"cat": {"tabby": []}, "dog": []}})
        Hierarchy(4 labels, 3 edges, tree of depth 2)
        """
        return cls._from_read(read_children(children), labels)

    @classmethod
    def from_levels(
        cls, levels: Any, labels: Iterable | None = None, sep: str = "/"
    ) -> Hierarchy:
        """Build from one column per level, the root's level first.

        A label's name is its whole path, joined by ``sep``, as in :meth:`from_paths`:
        the same name under two parents is two labels.

        Parameters
        ----------
        levels : array-like or DataFrame of shape (n_rows, n_levels)
            Names, or numbers, whose text is the name. A row that ends above the last
            level has missing values at its end: None, NaN, empty strings; rows of a
            list may be short. Rows may repeat.
        labels : iterable of str, default=None
            All labels, in the order of Y's columns; by default each path after its
            beginnings, in order of appearance.
        sep : str, default="/"
            Text between the parts of a label's name.

        Raises
        ------
        ValueError
            When a row has a gap, with names below a missing one; when missing values
            have become text, such as "nan"; when two paths get the same name.

        Examples
        --------
        >>> from skhmc import Hierarchy
        >>> rows = [["food", "other"], ["toys", "other"], ["books", None]]
        >>> Hierarchy.from_levels(rows).labels
        ('food', 'food/other', 'toys', 'toys/other', 'books')
        """
        return cls._from_read(read_levels(repeatable(levels), sep), labels)

    @classmethod
    def from_paths(
        cls,
        paths: Iterable[str],
        labels: Iterable | None = None,
        sep: str | None = "auto",
    ) -> Hierarchy:
        """Build a tree from paths such as ``"a/b/c"`` or ``"a > b > c"``.

        A label's name is its whole path (``"a"``, ``"a/b"``, ``"a/b/c"``), so the same
        last part may stand under two parents. Missing prefixes are added. Spaces around
        parts do not count: ``"a"`` and ``"a "`` are one label.

        Parameters
        ----------
        paths : iterable of str
            One path per label, or per leaf. Numbers before all of them, as in
            ``"12 - a > b"``, are left out, and so are a first line that begins with "#"
            and names a version, and empty lines.
        labels : iterable of str, default=None
            All labels, in the order of Y's columns; by default each path after its
            prefixes, in order of appearance.
        sep : str or None, default="auto"
            Text between the parts of a path. "auto" finds what the paths share: ``/``,
            ``>``, ``|``, ``::``, ``;``, a backslash, arrows; of full stops, double
            underscores, colons and hyphens in spaces only where several parts or the
            paths of parents show it. None: no string is a path. In names it has the
            spaces around it that most paths have.

        Raises
        ------
        ValueError
            When two separators fit, or when none does for certain: the message says
            what to pass; when a part is empty, or no path holds ``sep`` but all hold
            another.

        Examples
        --------
        >>> from skhmc import Hierarchy
        >>> Hierarchy.from_paths(["mammal > cat", "mammal > dog ", "bird"]).labels
        ('mammal', 'mammal > cat', 'mammal > dog', 'bird')
        """
        return cls._from_read(read_paths(repeatable(paths), sep), labels)

    @classmethod
    def from_networkx(
        cls,
        graph: nx.DiGraph,
        labels: Iterable | None = None,
        *,
        relations: str | Iterable[str] | None = None,
        reverse: bool | None = None,
    ) -> Hierarchy:
        """Build from a ``networkx.DiGraph``.

        Parameters
        ----------
        graph : networkx.DiGraph or networkx.MultiDiGraph
            Graph whose nodes are the labels.
        labels : iterable, default=None
            All labels, in the order of Y's columns; by default in the graph's order.
        relations : str or iterable of str, default=None
            Keys of the edges that join labels, such as ``["is_a", "part_of"]``, or
            values of their attribute "relation". Needed where the edges of a multigraph
            have keys, or the attribute has several values.
        reverse : bool, default=None
            Whether edges run child -> parent, as in graphs of ontology readers. None
            means parent -> child; where a relation is named such as "is_a" or
            "part_of", it must be said.

        Raises
        ------
        ValueError
            When ``relations`` or ``reverse`` must be chosen; the message counts the
            edges of every key.

        Examples
        --------
        >>> import networkx as nx
        >>> from skhmc import Hierarchy
        >>> terms = nx.MultiDiGraph()
        >>> terms.add_edges_from([("cat", "mammal", "is_a"), ("cat", "x", "eats")])
        ['is_a', 'eats']
        >>> animals = Hierarchy.from_networkx(terms, relations="is_a", reverse=True)
        >>> animals.children_of("mammal")
        ['cat']
        """
        return cls._from_read(read_networkx(graph, relations, reverse), labels)

    @classmethod
    def from_matrix(cls, matrix: Any, labels: Iterable | None = None) -> Hierarchy:
        """Build from a square 0/1 matrix; entry (i, j) = 1 makes i a parent of j.

        Parameters
        ----------
        matrix : array-like or sparse matrix of shape (n_labels, n_labels)
            The adjacency matrix.
        labels : iterable, default=None
            Names of rows and columns; by default 0 ... n_labels - 1 or, for a
            DataFrame, its column names.
        """
        return cls._from_read(read_matrix(matrix, labels), labels)

    @classmethod
    def from_obo(
        cls,
        path: str | os.PathLike[str],
        relations: str | Iterable[str] = ("is_a", "part_of"),
        namespace: str | Iterable[str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Ontology:
        """Build from an ontology in an OBO file, such as ``go-basic.obo``.

        Obsolete terms are no labels. The ``Ontology`` returned is a ``Hierarchy`` that
        also knows them, the names of the terms, and their alternative ids.

        Parameters
        ----------
        path : str or path-like
            The file, plain or gzipped (told by content).
        relations : str or iterable of str, default=("is_a", "part_of")
            Relations that make edges. The term that has the line is the child, the
            term that the line names the parent: ``is_a: GO:2`` in the stanza of GO:1
            makes GO:2 a parent of GO:1.
        namespace : str or iterable of str, default=None
            Keep the terms of this namespace (or these), and the edges among them. None
            keeps all.
        max_bytes : int, default=2**30
            Largest amount of text, unpacked, that is read, in bytes.

        Returns
        -------
        Ontology
            Its labels are the ids of the terms, in the order of the file.

        Raises
        ------
        ValueError
            When the file is malformed; the message has the line. When there is no such
            namespace or relation, when the relations relate no terms though others do,
            and when they make a cycle, which the message prints with its relations.

        Warns
        -----
        UserWarning
            When links lead to terms that are obsolete or not in the file, and so are
            left out.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from skhmc import Hierarchy
        >>> path = Path(mkdtemp(), "colours.obo")
        >>> text = "[Term]\\nid: C:1\\nname: colour\\nalt_id: C:7\\n\\n"
        >>> text += "[Term]\\nid: C:2\\nname: red\\nis_a: C:1 ! colour\\n"
        >>> _ = path.write_text(text)
        >>> colours = Hierarchy.from_obo(path)
        >>> colours
        Ontology(2 labels, 1 edges, tree of depth 1)
        >>> colours.names["C:2"], colours.alt_ids
        ('red', {'C:7': 'C:1'})
        """
        # an ontology is a hierarchy, so its module imports this one
        from skhmc.hierarchy._ontology import read_ontology

        return read_ontology(path, relations, namespace, max_bytes)

    @classmethod
    def flat(cls, labels: Iterable | int) -> Hierarchy:
        """Build a hierarchy without edges.

        ``labels`` are the labels, or how many (named 0, 1, ...).
        """
        if isinstance(labels, (int, np.integer)):
            labels = range(labels)
        return cls(labels)

    @classmethod
    def build(cls, source: Any, labels: Iterable | None = None) -> Hierarchy:
        """Build from any description of a hierarchy.

        Parameters
        ----------
        source : Hierarchy, networkx.DiGraph, mapping, square matrix, edges, paths, None
            Description of the hierarchy. A mapping is read as ``{child: parents}``, and
            a nested one as :meth:`from_children` reads it; a sparse matrix, or a square
            array or DataFrame of numbers, as an adjacency matrix; another DataFrame as
            a table of labels and their parents; an iterable of strings as paths, whose
            separator is found, of pairs as edges (parent, child). The values of a
            Series are paths, or parents of the labels in its index. None is flat and
            needs ``labels``.
        labels : iterable, default=None
            All labels in the order of Y's columns. A ``Hierarchy`` is returned in this
            order; it must have exactly these labels.

        Raises
        ------
        TypeError
            When ``source`` is none of these.
        ValueError
            When the labels differ; the message lists which. When nothing says how
            ``source`` is meant; the message names the calls that do.
        """
        if isinstance(source, cls):
            return source if labels is None else source._ordered(labels)
        if source is None:
            if labels is None:
                raise ValueError("A flat hierarchy (None) needs labels, got None.")
            return cls.flat(labels)
        labels = None if labels is None else list(labels)
        return cls._from_read(read_source(source, labels), labels)

    def _ordered(self, labels: Iterable) -> Hierarchy:
        index = index_labels(labels)
        unknown = [x for x in index if x not in self._index]
        missing = [x for x in self.labels if x not in index]
        if unknown or missing:
            raise ValueError(
                f"The labels of Y do not match the hierarchy's. Only in Y: "
                f"{name_list(unknown) or 'none'}. Only in the hierarchy: "
                f"{name_list(missing) or 'none'}. Correct the names, or use "
                f"hierarchy.subset(labels) to keep only some labels."
            )
        if tuple(index) == self.labels:
            return self
        return self._take([self._index[label] for label in index])

    # -- what it says ------------------------------------------------------------

    @property
    def n_labels(self) -> int:
        return len(self.labels)

    @cached_property
    def _index(self) -> dict[Hashable, int]:
        return {label: position for position, label in enumerate(self.labels)}

    @cached_property
    def children(self) -> sp.csr_matrix:
        ones = np.ones(len(self.edges), bool)
        shape = (self.n_labels, self.n_labels)
        return frozen(sp.csr_matrix((ones, self.edges.T), shape=shape))

    @cached_property
    def parents(self) -> sp.csr_matrix:
        return frozen(self.children.T.tocsr())

    @cached_property
    def levels(self) -> tuple[np.ndarray, ...]:
        if not self.n_labels:
            return ()
        order = np.argsort(self.depth, kind="stable")
        cuts = np.cumsum(np.bincount(self.depth))[:-1]
        return tuple(np.split(frozen(order), cuts))

    @cached_property
    def roots(self) -> np.ndarray:
        return frozen(np.flatnonzero(np.diff(self.parents.indptr) == 0))

    @cached_property
    def leaves(self) -> np.ndarray:
        return frozen(np.flatnonzero(np.diff(self.children.indptr) == 0))

    @cached_property
    def is_tree(self) -> bool:
        return bool((np.diff(self.parents.indptr) <= 1).all())

    @cached_property
    def ancestors(self) -> sp.csr_matrix:
        return frozen(closure(self.edges, self.depth))

    @cached_property
    def descendants(self) -> sp.csr_matrix:
        return frozen(self.ancestors.T.tocsr())

    @cached_property
    def upward_plan(self) -> tuple[PlanStep, ...]:
        return plan_steps(self.edges[:, 0], self.edges[:, 1], -self.depth)

    @cached_property
    def downward_plan(self) -> tuple[PlanStep, ...]:
        return plan_steps(self.edges[:, 1], self.edges[:, 0], self.depth)

    @cached_property
    def _short_sweeps(self) -> tuple[Gather, Gather] | None:
        """How few samples are swept upward and downward, None for many labels."""
        return gathers(self.edges, self.depth, self.n_labels)

    # -- by name -----------------------------------------------------------------

    def position(self, label: Any) -> int:
        """Return the position of a label, given by its name."""
        try:
            return self._index[plain(label)]
        except KeyError:
            known = name_list(self.labels)
            raise KeyError(f"{label!r} is not a label of {known}.") from None

    def _names(self, matrix: sp.csr_matrix, label: Any) -> list:
        return [self.labels[i] for i in matrix[[self.position(label)]].indices]

    def _reached(self, steps: sp.csr_matrix, label: Any) -> list:
        """Return the names of all labels that steps lead to, in the labels' order."""
        found: set[int] = set()
        waiting = [self.position(label)]
        while waiting:
            position = waiting.pop()
            row = slice(steps.indptr[position], steps.indptr[position + 1])
            new = set(steps.indices[row].tolist()) - found
            found |= new
            waiting += new
        return [self.labels[i] for i in sorted(found)]

    def parents_of(self, label: Any) -> list:
        """Return the names of a label's direct parents."""
        return self._names(self.parents, label)

    def children_of(self, label: Any) -> list:
        """Return the names of a label's direct children."""
        return self._names(self.children, label)

    def ancestors_of(self, label: Any) -> list:
        """Return the names of a label's proper ancestors."""
        return self._reached(self.parents, label)

    def descendants_of(self, label: Any) -> list:
        """Return the names of a label's proper descendants."""
        return self._reached(self.children, label)

    # -- other forms -------------------------------------------------------------

    def subset(self, labels: Iterable[Any]) -> Hierarchy:
        """Return the hierarchy of some labels, in the order given.

        Two kept labels are joined by an edge when they were, or when a path through
        left-out labels only joins them.

        Parameters
        ----------
        labels : iterable
            Names of the labels to keep.
        """
        index = index_labels(labels)
        unknown = [label for label in index if label not in self._index]
        if unknown:
            raise ValueError(f"The hierarchy does not have: {name_list(unknown)}.")
        return self._take([self._index[label] for label in index])

    def _take(self, positions: Sequence[int] | np.ndarray) -> Hierarchy:
        """Return the hierarchy of the labels at some positions, each named once."""
        keep = np.array(positions, dtype=np.intp)
        labels = tuple(self.labels[position] for position in keep)
        if len(keep) == self.n_labels:  # another order, and the same edges
            position = np.empty(self.n_labels, dtype=np.intp)
            position[keep] = np.arange(self.n_labels)
            return self._from_positions(labels, position[self.edges])
        drop = np.setdiff1d(np.arange(self.n_labels), keep)
        edges = self.children[keep][:, keep]
        step = self.children[keep][:, drop]
        while step.nnz:  # walk on through left-out labels until none is left
            edges = edges + step @ self.children[drop][:, keep]
            step = step @ self.children[drop][:, drop]
        positions = np.column_stack(edges.nonzero()).astype(np.intp)
        return self._from_positions(labels, positions)

    def to_networkx(self) -> nx.DiGraph:
        """Return a ``networkx.DiGraph`` of the labels, edges parent -> child."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self.labels)
        graph.add_edges_from((self.labels[p], self.labels[c]) for p, c in self.edges)
        return graph

    def to_text(
        self, *, max_rows: int | None = 100, max_depth: int | None = None
    ) -> str:
        """Return the hierarchy as an indented tree, to print.

        Roots, and the children of a label, stand in the order of ``labels``. A label
        with several parents stands under each, with the others named behind it, and
        what is below it stands there once. Behind an id of an ontology stands the name
        of its term.

        Parameters
        ----------
        max_rows : int or None, default=100
            Number of rows after which the text is cut, with a last line that says how
            many labels are left out. None is no limit.
        max_depth : int or None, default=None
            Depth below which nothing is shown but the number of children; 0 shows the
            roots. None is no limit.

        Returns
        -------
        str
            One label per line.

        Raises
        ------
        ValueError
            When a limit is no such integer.

        Examples
        --------
        >>> from skhmc import Hierarchy
        >>> animals = Hierarchy.from_parents(
        ...     {"cat": "mammal", "dog": "mammal", "tabby": ["cat", "pet"]}
        ... )
        >>> print(animals.to_text())
        mammal
        ├── cat
        │   └── tabby (also under pet)
        └── dog
        pet
        └── tabby (also under cat)
        >>> print(animals.to_text(max_rows=2, max_depth=1))
        mammal
        ├── cat (1 child below)
        … 3 more
        """
        return _text.to_text(self, max_rows, max_depth)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        label_names: Sequence[Any] | None = None,
        frequency: ArrayLike | None = None,
        **options: Any,
    ) -> HierarchyDisplay:
        """Draw the hierarchy: roots on the left, children to the right of parents.

        Needs matplotlib. Of more than 40 labels the most general ones are drawn;
        "… 12 more" behind a label says that 12 are hidden below it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; everything is scaled to fit. None makes a figure of the
            size that the labels need.
        label_names : sequence of str, default=None
            Names to write in place of the labels, in their order.
        frequency : array-like of shape (n_labels,), default=None
            Number or share of samples that hold each label, in the order of ``labels``,
            to be shown by colours: ``Y.sum(axis=0)``.
        **options
            Options of :meth:`skhmc.inspection.HierarchyDisplay.plot`: ``root`` and
            ``max_depth`` show a part, ``max_labels`` more or fewer labels than 40,
            ``full_names`` writes names of parents before those of their children,
            ``title`` is written above, and ``layout="icicle"`` draws thousands of
            labels.

        Returns
        -------
        HierarchyDisplay
            The display, drawn, with ``ax_`` and ``figure_``.

        Raises
        ------
        ImportError
            When matplotlib is not installed.
        ValueError
            When an option makes no sense, or there are too many labels to read.

        Examples
        --------
        >>> import matplotlib
        >>> matplotlib.use("Agg")  # no window
        >>> from skhmc import Hierarchy
        >>> animals = Hierarchy.from_paths(["mammal/cat/tabby", "mammal/dog", "bird"])
        >>> display = animals.plot(max_depth=1)
        >>> [text.get_text() for text in display.ax_.texts if text.get_text()]
        ['mammal', 'cat', '… 1 more', 'dog', 'bird', '1 of 5 labels are not shown.']
        >>> display.figure_.savefig("animals.png")  # doctest: +SKIP
        """
        # pictures stand in a higher layer: loaded when one is asked for
        inspection = import_module("skhmc.inspection")
        display = inspection.HierarchyDisplay(
            self, label_names=label_names, frequency=frequency
        )
        return display.plot(ax=ax, **options)

    def _repr_html_(self) -> str:
        return _text.to_html(self)

    # -- identity ----------------------------------------------------------------

    def __setattr__(self, name: str, value: Any = None) -> None:
        raise AttributeError(
            f"A Hierarchy is immutable: cannot change {name!r}. Build a new one."
        )

    __delattr__ = __setattr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hierarchy):
            return NotImplemented
        return self.labels == other.labels and np.array_equal(self.edges, other.edges)

    @cached_property
    def _hash(self) -> int:
        return hash((self.labels, self.edges.tobytes()))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple:
        # what is derived from labels and edges is not pickled but made again
        return type(self)._from_positions, (self.labels, np.array(self.edges))

    def __deepcopy__(self, memo: dict) -> Hierarchy:
        return self

    def __len__(self) -> int:
        return self.n_labels

    def __contains__(self, label: Any) -> bool:
        return plain(label) in self._index

    def __repr__(self) -> str:
        kind = "tree" if self.is_tree else "DAG"
        shape = f"{kind} of depth {self.depth.max()}" if len(self.edges) else "flat"
        return f"Hierarchy({self.n_labels} labels, {len(self.edges)} edges, {shape})"

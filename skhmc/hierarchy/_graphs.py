"""Graphs of networkx: which of their edges join labels, and which end is the parent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import networkx as nx
import numpy as np

from skhmc._utils.messages import name_list

__all__ = ["read_networkx"]

# Relations that say of the first label what the second is: child -> parent
UPWARD = {"isa", "partof", "subclassof", "instanceof", "childof", "typeof", "broader"}
# Attributes of edges that name their relation
ATTRIBUTES = ("relation", "relationship", "predicate", "rel")


def read_networkx(
    graph: nx.DiGraph,
    relations: str | Iterable[str] | None = None,
    reverse: bool | None = None,
) -> tuple[Iterable, list]:
    """Read a directed graph whose edges run parent -> child, unless ``reverse``."""
    if not isinstance(graph, nx.Graph):
        raise TypeError(
            f"Expected a networkx.DiGraph, got a {type(graph).__name__}. "
            f"Hierarchy.build reads other descriptions."
        )
    if not graph.is_directed():
        raise TypeError(
            f"Expected a networkx.DiGraph with edges parent -> child, got an "
            f"undirected {type(graph).__name__}."
        )
    if reverse is not None and not isinstance(reverse, (bool, np.bool_)):
        raise TypeError(
            f"Expected reverse to be True (edges run child -> parent), False or None, "
            f"got {reverse!r}."
        )
    blank = [node for node in graph if isinstance(node, str) and not node.strip()]
    if blank:
        raise ValueError(
            f"The graph has a node without a name, {blank[0]!r}, with "
            f"{graph.degree(blank[0])} edges. Remove it: "
            f"graph.remove_node({blank[0]!r})."
        )
    edges = _choose_edges(graph, relations, reverse)
    if reverse:
        edges = [(parent, child) for child, parent in edges]
    return graph.nodes, list(edges)


def _choose_edges(graph: nx.DiGraph, relations: Any, reverse: bool | None) -> Iterable:
    """Return the edges of the relations wanted, as the graph has them."""
    related = _related_edges(graph)
    counts = Counter(relation for _, _, relation in related)
    if relations is None:
        return _edges_of_one_relation(graph, counts, reverse)
    wanted = [relations] if isinstance(relations, str) else relations
    if not isinstance(wanted, Iterable):
        raise TypeError(f"Expected relations to be names of edges, got {relations!r}.")
    wanted = list(wanted)
    lost = [relation for relation in wanted if relation not in counts]
    if lost or not wanted:
        raise ValueError(
            f"relations= names {name_list(lost) or 'none'}, but the graph's edges have "
            f"the keys {_counted(counts) or 'none'}. Give some of these; a graph "
            f"without keys needs no relations."
        )
    _check_direction(wanted, reverse)
    chosen = set(wanted)
    return [(a, b) for a, b, relation in related if relation in chosen]


def _edges_of_one_relation(
    graph: nx.DiGraph, counts: Counter, reverse: bool | None
) -> Iterable:
    """Return all edges, of which at most one relation is named, in an attribute."""
    if counts and (graph.is_multigraph() or len(counts) > 1):
        raise ValueError(
            f"The edges of this {type(graph).__name__} have keys, each of which "
            f"may mean something else: {_counted(counts)}. Choose those that join "
            f"labels: Hierarchy.from_networkx(graph, relations=['is_a', ...], "
            f"reverse=True), where edges run child -> parent, as in graphs of "
            f"ontology readers, or reverse=False."
        )
    _check_direction(list(counts), reverse)
    return graph.edges()


def _check_direction(relations: list, reverse: bool | None) -> None:
    """Raise where a relation names a direction, and nobody says which edges have."""
    upward = [relation for relation in relations if _plain_word(relation) in UPWARD]
    if upward and reverse is None:
        raise ValueError(
            f"By its name the relation {upward[0]!r} runs child -> parent. Say whether "
            f"the graph's edges do: reverse=True where they do, as in graphs of "
            f"ontology readers, else reverse=False."
        )


def _related_edges(graph: nx.DiGraph) -> list[tuple[Any, Any, Any]]:
    """Return the edges with their relations: keys, or what an attribute says.

    The numbers that networkx gives as keys are none.
    """
    if graph.is_multigraph():
        keyed = list(graph.edges(keys=True))
        if not all(isinstance(key, int) for _, _, key in keyed):
            return keyed
    found = []
    for a, b, given in graph.edges(data=True):
        names = [given[word] for word in ATTRIBUTES if isinstance(given.get(word), str)]
        found += [(a, b, name) for name in names[:1]]
    return found


def _counted(counts: Counter) -> str:
    return ", ".join(f"{key!r}: {n}" for key, n in counts.most_common())


def _plain_word(relation: Any) -> str:
    return "".join(letter for letter in str(relation).lower() if letter.isalpha())

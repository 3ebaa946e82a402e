"""Graphs of networkx: which of their edges join labels, and which end is the parent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import networkx as nx

from skhmc._utils.messages import name_list

__all__ = ["read_networkx"]

# Relations that say of the first label what the second is: child -> parent
UPWARD = {"isa", "partof", "subclassof", "instanceof", "childof", "typeof", "broader"}


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
    edges = _choose_edges(graph, relations, reverse)
    if reverse:
        edges = [(parent, child) for child, parent in edges]
    return graph.nodes, list(edges)


def _choose_edges(graph: nx.DiGraph, relations: Any, reverse: bool | None) -> Iterable:
    """Return the edges of the relations wanted, as the graph has them."""
    counts = _relations(graph)
    if relations is None:
        if counts:
            raise ValueError(
                f"The edges of this {type(graph).__name__} have keys, each of which "
                f"may mean something else: {_counted(counts)}. Choose those that join "
                f"labels: Hierarchy.from_networkx(graph, relations=['is_a', ...], "
                f"reverse=True), where edges run child -> parent, as in graphs of "
                f"ontology readers, or reverse=False."
            )
        return graph.edges()
    wanted = [relations] if isinstance(relations, str) else list(relations)
    lost = [relation for relation in wanted if relation not in counts]
    if lost or not wanted:
        raise ValueError(
            f"relations= names {name_list(lost) or 'none'}, but the graph's edges have "
            f"the keys {_counted(counts) or 'none'}. Give some of these; a graph "
            f"without keys needs no relations."
        )
    upward = [relation for relation in wanted if _plain_word(relation) in UPWARD]
    if upward and reverse is None:
        raise ValueError(
            f"By its name the relation {upward[0]!r} runs child -> parent. Say whether "
            f"the graph's edges do: reverse=True where they do, as in graphs of "
            f"ontology readers, else reverse=False."
        )
    chosen = set(wanted)
    return [(a, b) for a, b, key in graph.edges(keys=True) if key in chosen]


def _relations(graph: nx.DiGraph) -> Counter:
    """Return how many edges have which key; the numbers of networkx are no keys."""
    if not graph.is_multigraph():
        return Counter()
    keys = Counter(key for _, _, key in graph.edges(keys=True))
    return Counter() if all(isinstance(key, int) for key in keys) else keys


def _counted(counts: Counter) -> str:
    return ", ".join(f"{key!r}: {n}" for key, n in counts.most_common())


def _plain_word(relation: Any) -> str:
    return "".join(letter for letter in str(relation).lower() if letter.isalpha())

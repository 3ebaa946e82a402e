"""Hierarchies that are upside down, and right ones, each with labels that tell."""

import numpy as np
import pandas as pd
from networkx import DiGraph
from sklearn.tree import DecisionTreeClassifier

from benchmarks.soak_parts.drawn import draw, draw_labels
from benchmarks.soak_parts.outcome import (
    FALSE_ALARM,
    REFUSED,
    RIGHT,
    WARNED,
    Case,
)
from skhmc import CoherentClassifier, Hierarchy
from skhmc.metrics import hierarchical_f1_score
from skhmc.preprocessing import AncestorClosure, HierarchicalLabelBinarizer

__all__ = ["TURNED"]

N_ROWS = 24
OFTEN = 0.2  # of the cases in which labels contradict a hierarchy that is upside down
CASES, ROWS = 8, 4


def _sources(drawn):
    """Return descriptions of a hierarchy, by name."""
    labels = list(drawn.labels)
    graph = DiGraph(drawn.edges)
    graph.add_nodes_from(labels)
    entries = np.zeros((len(labels), len(labels)), int)
    for parent, child in drawn.edges:
        entries[labels.index(parent), labels.index(child)] = 1
    return {
        "mapping": drawn.parents,
        "Hierarchy": Hierarchy(labels, drawn.edges),
        "from_parents": Hierarchy.from_parents(drawn.parents),
        "from_children": Hierarchy.from_children(drawn.children),
        "edges": drawn.edges,
        "graph": graph,
        "matrix": pd.DataFrame(entries, labels, labels),
    }


def _closure(source, rows, frame):
    return AncestorClosure(source).fit(frame)


def _f1_score(source, rows, frame):
    return hierarchical_f1_score(frame, frame, source)


def _binarizer(source, rows, frame):
    return HierarchicalLabelBinarizer(source).fit_transform(rows)


def _fit(source, rows, frame):
    tree = DecisionTreeClassifier(max_depth=1)
    return CoherentClassifier(tree, source).fit(np.zeros((len(rows), 1)), frame)


READ = [_closure, _f1_score, _binarizer]


def _tells(drawn, rows):
    """Tell whether labels with all ancestors are none with all descendants.

    Counted by hand: how often a label stands without one of its children, and how
    often with it.
    """
    sets = [set(row) for row in rows]
    lone = [sum(p in x and c not in x for p, c in drawn.edges) for x in sets]
    both = [sum(p in x and c in x for p, c in drawn.edges) for x in sets]
    many = all(sum(n) >= CASES and np.count_nonzero(n) >= ROWS for n in (lone, both))
    return many and sum(lone) >= OFTEN * (sum(lone) + sum(both))


def _draw(rng):
    """Return a hierarchy with edges, rows of labels, and the rows as indicators."""
    drawn = draw(rng, kind=rng.choice(["words", "odd"]))
    rows = draw_labels(rng, drawn, N_ROWS)
    frame = pd.DataFrame(
        [[int(label in row) for label in drawn.labels] for row in rows],
        columns=drawn.labels,
    )
    return drawn, rows, frame


def _pick(rng, drawn):
    sources = _sources(drawn)
    if {x for edge in drawn.edges for x in edge} < set(drawn.labels):
        del sources["edges"]  # which do not have all labels
    name = rng.choice(list(sources))
    return name, sources[name]


def _case(rng, drawn, source, rows, frame, read, allowed):
    shown = (drawn.edges, rows)
    return Case(lambda: read(source, rows, frame), lambda found: True, shown, allowed)


def upside_down(rng, folder):
    drawn, rows, frame = _draw(rng)
    name, source = _pick(rng, drawn.turned)
    read = _fit if rng.random() < 0.03 else rng.choice(READ)
    allowed = (WARNED, REFUSED) if _tells(drawn, rows) else (RIGHT, WARNED, REFUSED)
    return _case(rng, drawn, source, rows, frame, read, allowed)


def right_way_up(rng, folder):
    drawn, rows, frame = _draw(rng)
    name, source = _pick(rng, drawn)
    read = rng.choice(READ)
    return _case(rng, drawn, source, rows, frame, read, (RIGHT, FALSE_ALARM))


def leaves_only(rng, folder):
    """Rows hold the most specific labels only, and the hierarchy is right."""
    drawn, rows, frame = _draw(rng)
    inner = {parent for parent, _ in drawn.edges}
    kept = [[x for x in row if x not in inner] for row in rows]
    kept = [row or rows[k] for k, row in enumerate(kept)]
    name, source = _pick(rng, drawn)
    return _case(rng, drawn, source, kept, frame, _binarizer, (RIGHT, FALSE_ALARM))


TURNED = {
    "upside down, with Y": upside_down,
    "right way up, with Y": right_way_up,
    "right way up, leaves": leaves_only,
}

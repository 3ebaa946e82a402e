"""Every reader of hierarchies, with what it reads: shuffled, padded and renamed."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from networkx import DiGraph, MultiDiGraph

from benchmarks.soak_parts.drawn import draw, draw_labels, is_same
from benchmarks.soak_parts.outcome import REFUSED, RIGHT, WARNED, Case
from skhmc import Hierarchy
from skhmc.datasets import load_clus_arff, read_annotations

__all__ = ["READERS"]

BLANK = (None, float("nan"), "", "  ")


def _case(drawn, read, source, name=None):
    """Return the case of a reader that has to be right."""
    return Case(lambda: read(source), lambda found: is_same(found, drawn, name), source)


def _shuffled(rng, items):
    items = list(items)
    rng.shuffle(items)
    return items


def _repeated(rng, items):
    """Return items in another order, some of them twice."""
    return _shuffled(rng, [*items, *rng.sample(items, rng.randint(0, len(items)))])


# -- parents and children --------------------------------------------------------------


def _given_parents(rng, drawn):
    """Return a mapping of parents, in the forms that one, several or none may have."""
    given = {}
    for child, above in _shuffled(rng, drawn.parents.items()):
        form = rng.choice([list, tuple, set]) if len(above) != 1 else list
        one = len(above) == 1 and rng.random() < 0.5
        given[child] = above[0] if one else form(_repeated(rng, above))
        if not above:
            given[child] = rng.choice([*BLANK, []])
    return given


def parents(rng, folder):
    drawn = draw(rng, kind=rng.choice(["words", "odd", "numbers", "tuples"]))
    given = _given_parents(rng, drawn)
    return _case(drawn, rng.choice([Hierarchy.from_parents, Hierarchy.build]), given)


def parents_series(rng, folder):
    drawn = draw(rng)
    given = _given_parents(rng, drawn)
    column = pd.Series(list(given.values()), list(given), dtype=object)
    return _case(drawn, Hierarchy.from_parents, column)


def _parent_rows(rng, drawn):
    rows = [(child, parent) for parent, child in drawn.edges]
    roots = [label for label, above in drawn.parents.items() if not above]
    blank = rng.choice(BLANK)
    return _repeated(rng, [*rows, *((root, blank) for root in roots)])


def parents_table(rng, folder):
    drawn = draw(rng)
    table = pd.DataFrame(_parent_rows(rng, drawn), columns=["code", "above"])
    columns = {"child": "code", "parent": "above"}
    return _case(drawn, lambda x: Hierarchy.from_parents(x, **columns), table)


def parents_table_by_name(rng, folder):
    drawn = draw(rng)
    names = rng.choice([("child", "parent"), ("code", "parent_code"), ("id", "Parent")])
    table = pd.DataFrame(_parent_rows(rng, drawn), columns=names)
    table = table[_shuffled(rng, names)]
    read = rng.choice([Hierarchy.build, Hierarchy.from_parents, Hierarchy.from_edges])
    return _case(drawn, read, table)


def nameless_table(rng, folder):
    """Nothing but the data says which of two columns holds the parents."""
    drawn = draw(rng)
    table = pd.DataFrame(_parent_rows(rng, drawn), columns=["x", "y"])
    table = table[_shuffled(rng, ["x", "y"])]
    case = _case(drawn, Hierarchy.build, table)
    case.allowed = (RIGHT, REFUSED)
    return case


def padded_table(rng, folder):
    """Names have spaces at their ends in some rows, as in files."""
    drawn = draw(rng, kind="words")
    rows = [
        [name if name is None else name + " " * rng.randint(0, 1) for name in row]
        for row in ((child, above) for above, child in drawn.edges)
    ]
    rows += [(root, None) for root, above in drawn.parents.items() if not above]
    table = pd.DataFrame(rows, columns=["child", "parent"])
    case = _case(drawn, Hierarchy.from_parents, table)
    case.is_right = lambda found: (
        {x.strip() for x in found.labels} == set(drawn.labels)
        and found.n_labels == len(drawn.labels)
    )
    case.allowed = (RIGHT, WARNED)
    return case


def children(rng, folder):
    drawn = draw(rng, kind=rng.choice(["words", "odd", "numbers", "tuples"]))
    given = {}
    for parent, below in _shuffled(rng, drawn.children.items()):
        form = rng.choice([list, tuple, set]) if len(below) != 1 else list
        one = len(below) == 1 and rng.random() < 0.5
        given[parent] = below[0] if one else form(_repeated(rng, below))
        if not below:
            given[parent] = rng.choice([None, [], ()])
    read = Hierarchy.from_children
    if rng.random() < 0.2:
        given = pd.Series(list(given.values()), list(given), dtype=object)
    return _case(drawn, read, given)


def nested_children(rng, folder):
    drawn = draw(rng, tree=True)
    below = drawn.children

    def nest(label):
        return {child: nest(child) for child in _shuffled(rng, below[label])}

    roots = [label for label, above in drawn.parents.items() if not above]
    given = {root: nest(root) for root in _shuffled(rng, roots)}
    read = rng.choice([Hierarchy.from_children, Hierarchy.build])
    return _case(drawn, read, given)


# -- edges, matrices, graphs -----------------------------------------------------------


def edges(rng, folder):
    drawn = draw(rng, kind=rng.choice(["words", "odd", "numbers", "tuples"]))
    pairs = _repeated(rng, drawn.edges)
    form = rng.choice([list, tuple, iter, lambda x: [list(pair) for pair in x]])
    labels = _shuffled(rng, drawn.labels)
    read = rng.choice([Hierarchy.from_edges, Hierarchy.build])
    if not pairs:
        form = list
    source = form(pairs)
    return _case(drawn, lambda x: read(x, labels), source)


def edges_table(rng, folder):
    drawn = draw(rng)
    names = rng.choice([("parent", "child"), ("from", "to"), ("source", "target")])
    table = pd.DataFrame(_repeated(rng, drawn.edges), columns=names)
    table = table[_shuffled(rng, names)]
    read = rng.choice([Hierarchy.from_edges, Hierarchy.build])
    labels = _shuffled(rng, drawn.labels)
    return _case(drawn, lambda x: read(x, labels), table)


def matrix(rng, folder):
    drawn = draw(rng)
    place = {label: k for k, label in enumerate(drawn.labels)}
    n_labels = len(place)
    entries = np.zeros((n_labels, n_labels), rng.choice([int, float, bool]))
    for parent, child in drawn.edges:
        entries[place[parent], place[child]] = 1
    table = pd.DataFrame(entries, drawn.labels, drawn.labels)
    read = rng.choice([Hierarchy.from_matrix, Hierarchy.build])
    form = rng.choice(["array", "sparse", "table", "rows"])
    if form == "table":
        return _case(drawn, read, table)
    if form == "rows":  # in another order than the columns
        return _case(drawn, read, table.loc[_shuffled(rng, drawn.labels)])
    source = entries if form == "array" else sp.coo_matrix(entries)
    return _case(drawn, lambda x: read(x, drawn.labels), source)


def graph(rng, folder):
    drawn = draw(rng, kind=rng.choice(["words", "odd", "numbers", "tuples"]))
    reverse = rng.random() < 0.5
    found = DiGraph()
    found.add_nodes_from(_shuffled(rng, drawn.labels))
    found.add_edges_from(drawn.turned.edges if reverse else drawn.edges)
    if not reverse and rng.random() < 0.5:
        return _case(drawn, Hierarchy.build, found)
    return _case(drawn, lambda x: Hierarchy.from_networkx(x, reverse=reverse), found)


def ontology_graph(rng, folder):
    """Edges child -> parent with keys, and some of another relation."""
    drawn = draw(rng)
    found = MultiDiGraph()
    found.add_nodes_from(_shuffled(rng, drawn.labels))
    for parent, child in _shuffled(rng, drawn.edges):
        found.add_edge(child, parent, key=rng.choice(["is_a", "part_of"]))
    for _ in range(3):
        found.add_edge(*rng.choices(drawn.labels, k=2), key="has_part")
    held = [x for x in ("is_a", "part_of") if any(k == x for *_, k in found.edges)]
    if not held or rng.random() < 0.2:  # nothing says which relations are meant
        case = _case(drawn, Hierarchy.build, found)
        case.allowed = (REFUSED,)
        return case
    options = {"relations": held, "reverse": True}
    return _case(drawn, lambda x: Hierarchy.from_networkx(x, **options), found)


# -- levels ----------------------------------------------------------------------------


def levels(rng, folder):
    drawn = draw(rng, tree=True, kind=rng.choice(["words", "numbers"]))
    paths = drawn.paths()
    sep = rng.choice(["/", " > ", "::"])
    joined = {label: sep.join(map(str, path)) for label, path in paths.items()}
    inner = {parent for parent, _ in drawn.edges}
    rows = [list(path) for label, path in paths.items() if label not in inner]
    if rng.random() < 0.5:
        rows = [list(path) for path in paths.values()]
    rows = _repeated(rng, rows)
    width = max(map(len, rows))
    blank = rng.choice(BLANK)
    full = [row + [blank] * (width - len(row)) for row in rows]
    for row in full:  # spaces around names
        for k, x in enumerate(row):
            if isinstance(x, str) and x.strip() and rng.random() < 0.2:
                row[k] = f" {x} "
    forms = [rows, full, pd.DataFrame(full), np.array(full, dtype=object)]
    read = Hierarchy.from_levels
    return _case(drawn, lambda x: read(x, sep=sep), rng.choice(forms), joined.get)


# -- files -----------------------------------------------------------------------------


def obo(rng, folder):
    drawn = draw(rng, kind="words")
    texts = ["format-version: 1.4\n"]
    above = drawn.parents
    for label in _shuffled(rng, drawn.labels):
        lines = [f"[Term]\nid: T:{label}"]
        rest = [f"name: the {label}", f"alt_id: T:old-{label}"]
        for parent in above[label]:
            comment = rng.choice(["", f" ! the {parent}", ' {source="X:1"}'])
            word = rng.choice(["is_a:", "relationship: part_of"])
            rest.append(f"{word} T:{parent}{comment}")
        if rng.random() < 0.3:
            rest.append(f"relationship: has_part T:{rng.choice(drawn.labels)}")
        texts.append("\n".join([*lines, *_shuffled(rng, rest)]) + "\n")
    texts.append("[Term]\nid: T:gone\nis_obsolete: true\n")
    end = rng.choice(["\n", "\r\n"])
    text = "\n".join(texts).replace("\n", end)
    path = folder / "terms.obo"
    path.write_bytes(text.encode())
    case = _case(drawn, Hierarchy.from_obo, path, lambda label: f"T:{label}")
    case.shown = text
    if not drawn.edges:  # where has_part alone relates terms
        case.allowed = (RIGHT, REFUSED)
    return case


def annotations(rng, folder):
    drawn = draw(rng, kind=rng.choice(["words", "numbers"]))
    rows = draw_labels(rng, drawn, rng.randint(1, 6))
    lines = [(f"s{k}", label) for k, row in enumerate(rows) for label in row]
    # the order of the samples is that of the file
    lines = _repeated(rng, lines)
    pad = rng.choice(["", " "])
    text = "".join(f"{sample}\t{pad}{label}{pad}\n" for sample, label in lines)
    path = folder / "annotations.tsv"
    path.write_text(text)
    hierarchy = Hierarchy(drawn.labels, drawn.edges)
    meant = {f"s{k}": set(row) for k, row in enumerate(rows)}

    def is_right(found):
        pairs = zip(found.samples, map(set, found.labels), strict=True)
        return dict(pairs) == meant

    return Case(lambda: read_annotations(path, hierarchy=hierarchy), is_right, text)


def clus(rng, folder):
    drawn = draw(rng, tree=rng.random() < 0.5, kind="words")
    roots = [label for label, above in drawn.parents.items() if not above]
    is_tree = all(len(above) < 2 for above in drawn.parents.values())
    name = None
    if is_tree and rng.random() < 0.7:
        paths = {label: "/".join(path) for label, path in drawn.paths().items()}
        name = paths.get
        classes = list(paths.values())
    else:
        classes = [f"root/{root}" for root in roots]
        classes += [f"{parent}/{child}" for parent, child in drawn.edges]
    name = name or (lambda label: label)
    rows = draw_labels(rng, drawn, 3)
    data = ["1," + "@".join(name(x) for x in _shuffled(rng, row)) for row in rows]
    head = ["@RELATION x", "@ATTRIBUTE a numeric"]
    head.append(f"@ATTRIBUTE class hierarchical {','.join(_shuffled(rng, classes))}")
    text = "\n".join([*head, "@DATA", *data]) + "\n"
    path = folder / "x.arff"
    path.write_text(text)

    def is_right(found):
        names = np.array(found.label_names, dtype=object)
        sets = [{*names[row.indices]} for row in found.target]
        return is_same(found.hierarchy, drawn, name) and sets == [
            {name(label) for label in row} for row in rows
        ]

    return Case(lambda: load_clus_arff(path), is_right, text)


READERS = {
    "from_parents, mapping": parents,
    "from_parents, Series": parents_series,
    "from_parents, DataFrame": parents_table,
    "table, columns by name": parents_table_by_name,
    "table, columns without names": nameless_table,
    "table, padded names": padded_table,
    "from_children": children,
    "from_children, nested": nested_children,
    "from_edges": edges,
    "from_edges, DataFrame": edges_table,
    "from_matrix": matrix,
    "from_networkx": graph,
    "from_networkx, relations": ontology_graph,
    "from_levels": levels,
    "from_obo": obo,
    "read_annotations": annotations,
    "load_clus_arff": clus,
}

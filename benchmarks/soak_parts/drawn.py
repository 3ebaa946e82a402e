"""Random hierarchies, the names of their labels, and what is compared."""

from skhmc import Hierarchy

__all__ = ["Drawn", "draw", "draw_labels", "edges_of", "is_same"]

WORDS = (
    "animal cat dog bird fish mammal food fruit bread toy car book garden tool music "
    "rock jazz game home kitchen shoe bag phone laptop camera baby health beauty sport "
    "bike tent office paper pen art film drama comedy action tax"
).split()
# What is no separator in names that are names for certain
ODD = (
    "a/b {} > x;n-a {}",
    "N/A {}",
    "R&B, {}",
    "1.{}",
    "{}:{}",
    "{} - y",
    "new_{}",
    "\u00dc {}",
    "'{}'",
    "{}% ->",
)


class Drawn:
    """A hierarchy that is meant: names in order, and edges by name."""

    def __init__(self, labels, edges):
        self.labels = labels
        self.edges = edges

    @property
    def parents(self):
        """The parents of every label, in the order of the labels."""
        above = {label: [] for label in self.labels}
        for parent, child in self.edges:
            above[child].append(parent)
        return above

    @property
    def children(self):
        """The children of every label, in the order of the labels."""
        below = {label: [] for label in self.labels}
        for parent, child in self.edges:
            below[parent].append(child)
        return below

    @property
    def turned(self):
        """The same labels, with every edge turned round."""
        return Drawn(self.labels, [(child, parent) for parent, child in self.edges])

    def paths(self):
        """Return the path of every label of a tree, as tuples of names."""
        above = self.parents
        found = {}
        for label in self.labels:
            path = (label,)
            while above[path[0]]:
                path = (above[path[0]][0], *path)
            found[label] = path
        return found


def draw(rng, max_labels=14, tree=False, kind=None):
    """Return a random forest or DAG, its labels and edges in random order.

    Parameters
    ----------
    rng : random.Random
    max_labels : int, default=14
    tree : bool, default=False
        Whether no label has several parents.
    kind : str, default=None
        What names are: "words", "odd", "numbers" or "tuples"; by default drawn.
    """
    n_labels = rng.randint(1, max_labels)
    names = _names(rng, n_labels, kind or rng.choice(["words", "odd", "numbers"]))
    most = 1 if tree else rng.choice([1, 1, 3])
    p_root = rng.choice([0.05, 0.2, 0.5, 1.0])
    edges = []
    for k in range(1, n_labels):
        if rng.random() >= p_root:
            above = rng.sample(names[:k], min(k, rng.randint(1, most)))
            edges += [(parent, names[k]) for parent in above]
    rng.shuffle(edges)
    rng.shuffle(names)
    return Drawn(names, edges)


def _names(rng, n_labels, kind):
    if kind == "numbers":
        first = rng.choice([0, 0, 1, 100])
        return rng.sample(range(first, first + 2 * n_labels), n_labels)
    words = rng.sample(WORDS, n_labels)
    if kind == "tuples":
        return [(word, k) for k, word in enumerate(words)]
    if kind == "odd":
        return [rng.choice(ODD).replace("{}", word) for word in words]
    return words


def draw_labels(rng, drawn, n_rows):
    """Return random sets of labels, each with all ancestors, as lists."""
    above = drawn.parents
    rows = []
    for _ in range(n_rows):
        row = {}
        waiting = rng.sample(drawn.labels, min(len(drawn.labels), rng.randint(1, 2)))
        while waiting:
            label = waiting.pop()
            row[label] = None
            waiting += above[label]
        rows.append(list(row))
    return rows


def edges_of(hierarchy):
    """Return the edges of a hierarchy by name, as a set."""
    labels = hierarchy.labels
    return {(labels[a], labels[b]) for a, b in hierarchy.edges.tolist()}


def is_same(found, drawn, name=None):
    """Tell whether a hierarchy is the one that is meant.

    ``name`` says how a label is called that is called otherwise when it is read.
    """
    name = name or (lambda label: label)
    labels = [name(label) for label in drawn.labels]
    edges = {(name(a), name(b)) for a, b in drawn.edges}
    alike = sorted(map(repr, found.labels)) == sorted(map(repr, labels))
    return isinstance(found, Hierarchy) and alike and edges_of(found) == edges

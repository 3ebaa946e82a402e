"""Random calls of closures, transformers and splitters, and what has to hold."""

import numpy as np
import pandas as pd
import scipy.sparse as sp

from benchmarks.soak_parts.calls import Call, draw_problem, generator
from benchmarks.soak_parts.measures import ancestors_of, closed
from skhmc import coherence, model_selection
from skhmc.preprocessing import (
    AncestorClosure,
    HierarchicalLabelBinarizer,
    HierarchicalPrototypeTransformer,
    TaxonomyEncoder,
)

__all__ = ["PREPARATIONS"]


def sets_of(Y, labels):
    """Return the label sets of indicators."""
    Y = Y.toarray() if sp.issparse(Y) else np.asarray(Y)
    return [{x for x, v in zip(labels, row, strict=True) if v == 1} for row in Y]


def random_sets(rng, problem):
    """Return indicators that are not closed."""
    return (generator(rng).random(problem.Y.shape) < 0.3).astype(int)


def dense(found):
    return found.toarray() if sp.issparse(found) else np.asarray(found)


# -- closures of labels ----------------------------------------------------------------


def draw_closure(rng):
    problem = draw_problem(rng)
    Y, labels = random_sets(rng, problem), problem.labels
    above = ancestors_of(problem.drawn.parents)
    given = sp.csr_matrix(Y) if rng.random() < 0.5 else Y
    way = rng.choice(["close_upward", "AncestorClosure", "most_specific"])
    if way == "AncestorClosure":
        frame = pd.DataFrame(Y)
        frame.columns = list(labels)
        inputs = [frame, given][rng.random() < 0.5]
        closure = AncestorClosure(problem.hierarchy)

        def answer():
            return dense(closure.fit_transform(inputs))
    else:

        def answer():
            return dense(getattr(coherence, way)(given, problem.hierarchy))

    def fault(found):
        whole = [closed(row, above) for row in sets_of(Y, labels)]
        right = whole
        if way == "most_specific":
            rows = sets_of(Y, labels)
            right = [row - set().union(*(above[x] for x in row)) for row in rows]
        found = sets_of(found, labels)
        return "" if found == right else f"{found}, not {right}"

    shown = f"{way}, edges {problem.drawn.edges}, labels {labels}, Y {Y.tolist()}"
    return Call(answer, fault, shown)


# -- coherent scores -------------------------------------------------------------------


class Loops:
    """The rules of coherence for some scores, label by label."""

    def __init__(self, problem, scores):
        self.labels, self.parents = problem.labels, problem.drawn.parents
        self.above = ancestors_of(self.parents)
        self.column = dict(zip(self.labels, scores.T, strict=True))

    def _each(self, best, related):
        columns = [
            best([self.column[x] for x in related(label)], axis=0)
            for label in self.labels
        ]
        return np.column_stack(columns)

    def max(self):
        return self._each(
            np.max, lambda x: [x, *(y for y in self.labels if x in self.above[y])]
        )

    def min(self):
        return self._each(np.min, lambda x: [x, *self.above[x]])

    def average(self):
        return (self.max() + self.min()) / 2

    def product(self):
        found = {}

        def of(label):
            if label not in found:
                shares = [of(p) * self._given(label, p) for p in self.parents[label]]
                found[label] = np.min(shares, axis=0) if shares else self.column[label]
            return found[label]

        return np.column_stack([of(label) for label in self.labels])

    def _given(self, child, parent):
        """Return the probability of a child given its parent."""
        child, parent = self.column[child], self.column[parent]
        whole = np.maximum(child, parent)
        return np.divide(child, whole, out=np.zeros_like(child), where=whole > 0)


def draw_rule(rng):
    problem = draw_problem(rng)
    scores = generator(rng).integers(0, 9, problem.Y.shape) / 8
    name = rng.choice(["max", "min", "product", "average", "isotonic"])
    rule = getattr(coherence, f"{name}_constraint")

    def fault(found):
        if coherence.score_violations(found, problem.hierarchy).nnz:
            return "a label is above its parent"
        if np.abs(rule(found, problem.hierarchy) - found).max() > 1e-12:
            return "coherent scores do not stay as they are"
        loops = Loops(problem, scores)
        if name != "isotonic":
            apart = np.abs(found - getattr(loops, name)()).max()
            return f"{apart} from the loop" if apart > 1e-12 else ""
        near = ((found - scores) ** 2).sum(axis=1)
        for other in (loops.max(), loops.min()):
            if (near > ((other - scores) ** 2).sum(axis=1) + 1e-9).any():
                return "farther away than by the greatest or least score"
        return ""

    shown = f"{name}_constraint, edges {problem.drawn.edges}, labels {problem.labels}"
    return Call(
        lambda: rule(scores, problem.hierarchy),
        fault,
        f"{shown}, scores {scores.tolist()}",
    )


# -- transformers ----------------------------------------------------------------------


def draw_binarizer(rng):
    problem = draw_problem(rng)
    labels, above = problem.labels, ancestors_of(problem.drawn.parents)
    rows = [rng.sample(labels, rng.randint(0, min(3, len(labels)))) for _ in range(9)]
    is_closed, is_sparse = rng.random() < 0.7, rng.random() < 0.5
    binarizer = HierarchicalLabelBinarizer(
        problem.hierarchy, closed=is_closed, sparse_output=is_sparse, sep=None
    )

    def answer():
        Y = binarizer.fit_transform(rows)
        return Y, binarizer.inverse_transform(Y)

    def fault(found):
        Y, back = found
        if sp.issparse(Y) != is_sparse or list(binarizer.classes_) != list(labels):
            return f"{type(Y)}, {binarizer.classes_}"
        right = [closed(row, above) if is_closed else set(row) for row in rows]
        if sets_of(Y, labels) != right:
            return f"{sets_of(Y, labels)}, not {right}"
        if [closed(row, above) for row in back] != [closed(row, above) for row in rows]:
            return f"back come {back}"
        return ""

    return Call(answer, fault, f"binarizer, edges {problem.drawn.edges}, rows {rows}")


def draw_encoder(rng):
    problem = draw_problem(rng)
    labels, above = problem.labels, ancestors_of(problem.drawn.parents)
    X = np.array([[rng.choice(labels)] for _ in range(8)], dtype=object)
    encoder = TaxonomyEncoder([problem.hierarchy], sparse_output=rng.random() < 0.5)

    def fault(found):
        found = dense(found)
        for row, values in zip(X, found, strict=True):
            if values.sum() != 1 + len(above[row[0]]):
                return f"{row[0]!r} became {values}"
        same = {
            str(row[0]): values.tolist() for row, values in zip(X, found, strict=True)
        }
        n_different = len({tuple(values) for values in same.values()})
        return "" if n_different == len(same) else f"two labels look alike: {same}"

    shown = f"TaxonomyEncoder, edges {problem.drawn.edges}, X {X.tolist()}"
    return Call(lambda: encoder.fit_transform(X), fault, shown)


def draw_prototypes(rng):
    problem = draw_problem(rng)
    options = {
        "level": rng.choice([None, 0, "leaves"]),
        "metric": rng.choice(["cosine", "euclidean", "rbf"]),
        "aggregation": rng.choice(["samples", "children"]),
        "shrinkage": rng.choice([1.0, 0.0]),
    }
    transformer = HierarchicalPrototypeTransformer(problem.hierarchy, **options)
    given = sp.csr_matrix(problem.X) if rng.random() < 0.3 else problem.X

    def answer():
        found = transformer.fit(given, problem.Y).transform(given)
        return (
            found,
            transformer.transform(given[:1]),
            transformer.get_feature_names_out(),
        )

    def fault(answers):
        found, single, names = answers
        if found.shape != (len(problem.X), len(names)):
            return f"shape {found.shape}, {len(names)} names"
        if not np.isfinite(found).all():
            return "not finite"
        return (
            "" if np.allclose(single, found[:1], atol=1e-9) else "a row alone differs"
        )

    shown = (
        f"prototypes {options}, edges {problem.drawn.edges}, X {problem.X.tolist()}, "
    )
    return Call(answer, fault, shown + f"Y {problem.Y.tolist()}")


# -- splitters -------------------------------------------------------------------------


def draw_folds(rng):
    problem = draw_problem(rng)
    n, numbers = len(problem.X), generator(rng)
    n_splits = rng.randint(2, 5)
    groups = numbers.integers(0, 8, n) if rng.random() < 0.5 else None
    shuffled = rng.random() < 0.5
    kind = "MultilabelStratified" + ("KFold" if groups is None else "GroupKFold")
    splitter = getattr(model_selection, kind)(
        n_splits, shuffle=shuffled, random_state=0 if shuffled else None
    )
    Y = problem.Y if rng.random() < 0.5 else sp.csr_matrix(np.nan_to_num(problem.Y))

    def fault(found):
        tests = np.concatenate([test for _, test in found])
        if len(found) != n_splits or sorted(tests.tolist()) != list(range(n)):
            return f"test rows {tests}"
        for train, test in found:
            if sorted([*train, *test]) != list(range(n)) or not len(train):
                return f"train rows {train}, test rows {test}"
            if groups is not None and set(groups[train]) & set(groups[test]):
                return "a group is on both sides"
        sizes = [len(test) for _, test in found]
        if groups is None and max(sizes) - min(sizes) > 1:
            return f"sizes {sizes}"
        return ""

    shown = f"{kind}({n_splits}, shuffle={shuffled}), groups {groups}"
    shown += f", Y {dense(Y).tolist()}"
    return Call(lambda: list(splitter.split(problem.X, Y, groups)), fault, shown)


def draw_shuffle_split(rng):
    problem = draw_problem(rng)
    n = len(problem.X)
    test_size = rng.choice([0.25, 0.5, 3, 0.1])
    splitter = model_selection.MultilabelStratifiedShuffleSplit(
        2, test_size=test_size, random_state=rng.randint(0, 9)
    )

    def fault(found):
        right = test_size if isinstance(test_size, int) else int(np.ceil(test_size * n))
        for train, test in found:
            if sorted([*train, *test]) != list(range(n)):
                return f"train rows {train}, test rows {test}"
            if len(test) != right:
                return f"{len(test)} test rows, not {right}"
        return ""

    shown = f"shuffle split, test_size {test_size}, Y {problem.Y.tolist()}"
    return Call(lambda: list(splitter.split(problem.X, problem.Y)), fault, shown)


PREPARATIONS = {
    "closures": draw_closure,
    "rules of coherence": draw_rule,
    "HierarchicalLabelBinarizer": draw_binarizer,
    "TaxonomyEncoder": draw_encoder,
    "HierarchicalPrototypeTransformer": draw_prototypes,
    "folds": draw_folds,
    "shuffle split": draw_shuffle_split,
}

"""Random calls of the metrics, beside loops over their formulas.

Labels are sets of names here, one per sample; nothing is fast. True and predicted
labels are handed over in random containers.
"""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.metrics import average_precision_score

from benchmarks.soak_parts.calls import Call, draw_problem, generator
from skhmc import metrics

__all__ = ["MEASURES"]

TOLERANCE = 1e-9


# -- plain programs --------------------------------------------------------------------


class Sample:
    """True and predicted labels of a sample, closed if they are to be, and a weight.

    ``known`` are the labels that count and whose truth is known.
    """

    def __init__(self, true, known, predicted, scores, weight):
        self.true = true
        self.known = known
        self.predicted = predicted
        self.scores = scores
        self.weight = weight

    @property
    def wrong(self):
        return (self.true ^ self.predicted) & self.known


def ancestors_of(parents):
    """Return all labels above every label."""

    def above(label):
        return set(parents[label]).union(*map(above, parents[label]))

    return {label: above(label) for label in parents}


def closed(labels, above):
    """Return labels with all that is above them."""
    return set(labels).union(*(above[label] for label in labels))


def ratio(part, whole, zero_division=0.0):
    return part / whole if whole else zero_division


def mean(values, weights):
    """Return a weighted mean; NaN of nothing."""
    return ratio(
        sum(v * w for v, w in zip(values, weights, strict=True)), sum(weights), np.nan
    )


def counts(sample, among):
    """Return numbers of hits, predicted and true labels, of some labels."""
    chosen = among & sample.known
    true, predicted = sample.true & chosen, sample.predicted & chosen
    return np.array([len(true & predicted), len(predicted), len(true)], float)


def f_of(beta, hits, predicted, true):
    """Return F-beta of counts; beta None is recall."""
    if beta is None:
        return ratio(hits, true)
    return ratio((1 + beta**2) * hits, beta**2 * true + predicted)


def f_beta(samples, labels, average, beta):
    """Return the hierarchical F-measure; beta None is recall."""
    if average == "micro":
        return f_of(beta, *sum(s.weight * counts(s, labels) for s in samples))
    if average == "samples":
        some = [s for s in samples if s.known]
        values = [f_of(beta, *counts(s, labels)) for s in some]
        return mean(values, [s.weight for s in some])
    values = []
    for label in labels:
        own = [s for s in samples if label in s.known]
        if own:
            whole = sum(s.weight * counts(s, {label}) for s in own)
            values.append(f_of(beta, *whole))
    return mean(values, [1] * len(values))


def violation_rate(samples, labels, parents, unit):
    n_wrong = n_edges = n_samples = n_below = n_predicted = 0
    for s in samples:
        bad = {
            (parent, child)
            for child in s.predicted & labels
            for parent in set(parents[child]) & labels
            if parent not in s.predicted
        }
        n_wrong += len(bad)
        n_samples += bool(bad)
        n_below += len({child for _, child in bad})
        n_edges += sum(len(set(parents[child]) & labels) for child in labels)
        n_predicted += sum(
            1 for child in s.predicted & labels if set(parents[child]) & labels
        )
    if unit == "edge":
        return ratio(n_wrong, n_edges)
    if unit == "prediction":
        return ratio(n_below, n_predicted)
    return ratio(n_samples, len(samples))


def h_loss(samples, parents, above, costs):
    children = {label: [c for c in parents if label in parents[c]] for label in parents}
    roots = [label for label in parents if not parents[label]]
    cost = {}

    def cost_of(label):
        if label not in cost:
            shares = [cost_of(p) / len(children[p]) for p in parents[label]]
            cost[label] = sum(shares) if shares else 1 / len(roots)
        return cost[label] if costs == "siblings" else 1.0

    values = [
        sum(cost_of(label) for label in s.wrong if not above[label] & s.wrong)
        for s in samples
    ]
    return mean(values, [s.weight for s in samples])


def depth_weighted(samples, labels, parents):
    def depth(label):
        return 1 + max(map(depth, parents[label])) if parents[label] else 0

    deepest = max(map(depth, parents))
    weight = {label: deepest - depth(label) + 1 for label in parents}
    whole = sum(weight[label] for label in labels)
    values = [ratio(sum(weight[label] for label in s.wrong), whole) for s in samples]
    return mean(values, [s.weight for s in samples])


def at_k(samples, candidates, k, of_true):
    """Return precision at k, or recall at k."""
    values, weights = [], []
    for s in samples:
        best = sorted(candidates, key=lambda label: -s.scores[label])[:k]
        hits = len(s.true & set(best))
        true = len(s.true & candidates)
        if of_true and not true:
            continue
        values.append(ratio(hits, true if of_true else min(k, len(candidates))))
        weights.append(s.weight)
    return mean(values, weights)


def au_prc(samples, labels, average):
    def area(own, among):
        cells = [
            (label in s.true, s.scores[label], s.weight)
            for s in own
            for label in among & s.known
        ]
        if not any(true for true, *_ in cells):
            return np.nan
        true, scores, weights = zip(*cells, strict=True)
        return average_precision_score(true, scores, sample_weight=weights)

    if average == "micro":
        return area(samples, labels)
    areas = np.array([area(samples, {label}) for label in labels])
    some = ~np.isnan(areas)
    return areas[some].mean() if some.any() else np.nan


def f_max(samples, labels, below):
    """Return the best F over thresholds, means over samples; those of CAFA.

    ``below`` has what passes its score up to a label. A score of 0 predicts nothing.
    As in CAFA's evaluator a sample with excluded labels alone counts: nothing of it can
    be found.
    """
    best = 0.0
    samples = [s for s in samples if s.true]
    scores = [
        {x: max(s.scores[y] for y in {x, *below.get(x, ())}) for x in labels}
        for s in samples
    ]
    for threshold in {v for row in scores for v in row.values()} - {0.0}:
        chosen = [{x for x in labels if row[x] >= threshold} for row in scores]
        pairs = list(zip(chosen, samples, strict=True))
        some = [(len(c & s.true) / len(c), s.weight) for c, s in pairs if c]
        found = [
            (ratio(len(c & s.true), len(s.true & labels)), s.weight) for c, s in pairs
        ]
        precision = mean(*zip(*some, strict=True)) if some else 0.0
        recall = mean(*zip(*found, strict=True))
        best = max(best, ratio(2 * precision * recall, precision + recall))
    return best if any(s.true & labels for s in samples) else np.nan


# -- random calls ----------------------------------------------------------------------


class Judged:
    """True and predicted labels of one call, as arrays and as samples."""

    def __init__(self, rng, unknown, tree=False):
        self.problem = draw_problem(
            rng, rng.randint(1, 12), tree, p_unknown=0.3 if unknown else 0
        )
        self.rng = rng
        drawn = self.problem.drawn
        self.labels, self.parents = drawn.labels, drawn.parents
        self.above = ancestors_of(self.parents)
        numbers = generator(rng)
        self.Y = self.problem.Y
        flipped = numbers.random(self.Y.shape) < 0.3
        self.predicted = np.where(flipped, 1, np.nan_to_num(self.Y) == 1).astype(int)
        self.predicted[numbers.random(self.Y.shape) < 0.2] = 0
        # no two scores are equal: which of them comes first is no question
        n_cells = self.Y.size
        scores = (1 + numbers.permutation(n_cells)).reshape(self.Y.shape) / (
            1 + n_cells
        )
        self.scores = scores
        self.weights = None
        if rng.random() < 0.4:
            self.weights = numbers.integers(1, 5, len(self.Y)).astype(float)
        self.close = rng.random() < 0.7
        roots = {label for label in self.labels if not self.parents[label]}
        some = set(rng.sample(self.labels, len(self.labels) // 3))
        self.exclude = rng.choice([None, "roots", sorted(some, key=str)])
        left_out = roots if self.exclude == "roots" else set(self.exclude or ())
        self.counting = set(self.labels) - left_out

    def samples(self, close=None, close_predicted=None):
        """Return the samples that the loops read."""
        close = self.close if close is None else close
        close_predicted = close if close_predicted is None else close_predicted
        weights = np.ones(len(self.Y)) if self.weights is None else self.weights
        found = []
        for y, p, s, w in zip(
            self.Y, self.predicted, self.scores, weights, strict=True
        ):
            true = {x for x, v in zip(self.labels, y, strict=True) if v == 1}
            false = {x for x, v in zip(self.labels, y, strict=True) if v == 0}
            predicted = {x for x, v in zip(self.labels, p, strict=True) if v}
            if close:
                true = closed(true, self.above)
                below = {x for x in self.labels if self.above[x] & (false - true)}
                false = (false | below) - true
            if close_predicted:
                predicted = closed(predicted, self.above)
            known = (true | false) & self.counting
            scores = dict(zip(self.labels, s, strict=True))
            found.append(Sample(true, known, predicted, scores, w))
        return found

    def options(self, *names):
        """Return those of the common options that a metric has."""
        every = {"exclude": self.exclude, "close": self.close}
        every["sample_weight"] = self.weights
        return {name: every[name] for name in names}

    def held(self, *several):
        """Return indicators or scores in random containers, and the containers' names.

        Beside a DataFrame with columns in another order, arrays have its order.
        """
        names = [self.rng.choice(self._forms(values)) for values in several]
        order = list(range(len(self.labels)))
        if "frame" in names:
            self.rng.shuffle(order)
        pairs = zip(names, several, strict=True)
        return names, [self._in(name, values, order) for name, values in pairs]

    def _forms(self, values):
        forms = ["array", "frame"]
        if np.isin(values, (0, 1)).all():
            forms.append("csr")
            is_square = len(set(values.sum(axis=1))) == 1
            if not (is_square and isinstance(self.labels[0], int)):
                forms.append("names")  # else numbers of labels look like indicators
        return forms

    def _in(self, name, values, order):
        labels, values = [self.labels[k] for k in order], values[:, order]
        if name == "csr":
            return sp.csr_matrix(values)
        if name == "names":
            rows = values.astype(bool)
            return [[x for x, v in zip(labels, row, strict=True) if v] for row in rows]
        if name == "array":
            return values
        frame = pd.DataFrame(values)
        frame.columns = labels
        return frame


EVERY = ("exclude", "close", "sample_weight")


def compare(judged, metric, arguments, options, expected, containers):
    """Return the call."""
    shown = f"{metric.__name__}({options}), {containers}, edges "
    shown += f"{judged.problem.drawn.edges}, labels {judged.labels}, true "
    shown += f"{judged.Y.tolist()}, predicted {judged.predicted.tolist()}, scores "
    shown += f"{judged.scores.tolist()}"

    def fault(found):
        right = expected()
        if np.isclose(found, right, rtol=0, atol=TOLERANCE, equal_nan=True):
            return ""
        return f"{found}, by loops {right}"

    return Call(lambda: metric(*arguments, **options), fault, shown)


def of_predictions(rng, metric, options, expected, unknown=False, tree=False):
    """Draw a call of a metric of true and predicted labels.

    ``expected`` is called with the samples and with what was drawn.
    """
    judged = Judged(rng, unknown, tree)
    forms, pair = judged.held(judged.Y, judged.predicted)
    options |= judged.options(*EVERY)
    return compare(
        judged,
        metric,
        (*pair, judged.problem.hierarchy),
        options,
        lambda: expected(judged.samples(), judged),
        f"true and predicted in {forms}",
    )


def of_scores(rng, metric, options, expected, unknown=False):
    """Draw a call of a metric of true labels and scores."""
    judged = Judged(rng, unknown)
    forms, pair = judged.held(judged.Y, judged.scores)
    options |= judged.options(*EVERY) | {"hierarchy": judged.problem.hierarchy}
    return compare(
        judged,
        metric,
        pair,
        options,
        lambda: expected(judged.samples(), judged),
        f"true labels and scores in {forms}",
    )


def draw_f_beta(rng):
    average = rng.choice(["micro", "samples", "macro"])
    name, beta = rng.choice(
        [("precision", 0), ("recall", None), ("f1", 1), ("fbeta", 2)]
    )
    options = {"average": average} | ({"beta": beta} if name == "fbeta" else {})
    return of_predictions(
        rng,
        getattr(metrics, f"hierarchical_{name}_score"),
        options,
        lambda samples, judged: f_beta(samples, judged.counting, average, beta),
        unknown=True,
    )


def draw_violation_rate(rng):
    judged = Judged(rng, unknown=False)
    unit = rng.choice(["sample", "edge", "prediction"])
    (form,), (y_pred,) = judged.held(judged.predicted)
    return compare(
        judged,
        metrics.hierarchical_violation_rate,
        (y_pred, judged.problem.hierarchy),
        {"unit": unit, "exclude": judged.exclude},
        lambda: violation_rate(
            judged.samples(close_predicted=False),
            judged.counting,
            judged.parents,
            unit,
        ),
        f"predicted {form}",
    )


def draw_exact_match(rng):
    def expected(samples, judged):
        some = [s for s in samples if s.known]
        return mean([not s.wrong for s in some], [s.weight for s in some])

    return of_predictions(rng, metrics.exact_match_score, {}, expected)


def draw_h_loss(rng):
    costs = rng.choice(["siblings", "uniform"])

    def expected(samples, judged):
        return h_loss(samples, judged.parents, judged.above, costs)

    return of_predictions(rng, metrics.h_loss, {"costs": costs}, expected)


def draw_tree_distance(rng):
    def expected(samples, judged):
        return mean([len(s.wrong) for s in samples], [s.weight for s in samples])

    return of_predictions(rng, metrics.tree_distance_loss, {}, expected)


def draw_depth_weighted(rng):
    def expected(samples, judged):
        return depth_weighted(samples, judged.counting, judged.parents)

    return of_predictions(rng, metrics.depth_weighted_hamming_loss, {}, expected)


def draw_at_k(rng):
    k, among = rng.choice([1, 2, 3]), rng.choice(["leaves", "all"])
    name = rng.choice(["precision", "recall"])

    def expected(samples, judged):
        above_another = set().union(*judged.above.values())
        leaves = set(judged.labels) - above_another
        candidates = (
            leaves if among == "leaves" else set(judged.labels)
        ) & judged.counting
        return at_k(samples, candidates, k, name == "recall")

    metric = getattr(metrics, f"{name}_at_k_score")
    return of_scores(rng, metric, {"k": k, "among": among}, expected)


def draw_au_prc(rng):
    average = rng.choice(["micro", "macro"])

    def expected(samples, judged):
        return au_prc(samples, judged.counting, average)

    return of_scores(rng, metrics.au_prc_score, {"average": average}, expected, True)


def draw_f_max(rng):
    def expected(samples, judged):
        below = {
            label: {x for x in judged.labels if label in judged.above[x]}
            for label in judged.labels
        }
        return f_max(samples, judged.counting, below if judged.close else {})

    return of_scores(rng, metrics.f_max_score, {"namespaces": None}, expected)


MEASURES = {
    "hierarchical F, precision, recall": draw_f_beta,
    "hierarchical violation rate": draw_violation_rate,
    "exact match": draw_exact_match,
    "H-loss": draw_h_loss,
    "tree distance": draw_tree_distance,
    "depth-weighted Hamming": draw_depth_weighted,
    "precision and recall at k": draw_at_k,
    "AU(PRC)": draw_au_prc,
    "Fmax": draw_f_max,
}

"""Comparisons whose variants are parameters of a network, or steps before it.

Networks are fitted with their defaults but for the variant, to training rows of real
data, and scored on validation rows: the set's own, or 20 % of the training part.
"""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from benchmarks.figures import leaf_accuracy
from benchmarks.recipe import TEXTS, cut, load, split
from benchmarks.tables import table
from benchmarks.tuning.comparison import Comparison
from skhmc import HCALClassifier, MaxConstraintClassifier, paths
from skhmc.metrics import au_prc_score

__all__ = ["ClassWeight", "LabelLoss", "PathWeight", "Preprocessing", "WideInput"]

IMPUTE = SimpleImputer(keep_empty_features=True)  # mean values
USUAL = [IMPUTE, StandardScaler()]


def fit(name, network, seed, steps=USUAL, n_samples=None, expected="Of .* labels"):
    """Fit a network to training rows of a data set.

    ``n_samples`` is how many rows are drawn, by default all. ``expected`` is how
    warnings begin that are not shown: that labels have no row here.

    Returns
    -------
    Pipeline, data, rows to score
    """
    data = load(name)
    rows, held_out = split(data, "validation")
    if n_samples is not None:
        rows = np.random.RandomState(seed).permutation(rows)[:n_samples]
    network = clone(network).set_params(hierarchy=data.hierarchy, random_state=seed)
    model = make_pipeline(*map(clone, steps), network)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", expected, UserWarning)
        model.fit(data.data[rows], data.target.toarray()[rows])
    return model, data, held_out


def score(model, data, rows, names=("au_prc",)):
    """Return figures of rows that a Pipeline has not seen, by name."""
    X, Y = data.data[rows], data.target.toarray()[rows]
    predicted = model.predict(X)
    there = Y.any(axis=0)
    found = {
        "au_prc": au_prc_score(Y, model.predict_proba(X)),
        "micro_f1": f1_score(Y, predicted, average="micro"),
        "macro_f1": f1_score(
            Y[:, there], predicted[:, there], average="macro", zero_division=0
        ),
        "leaf_accuracy": leaf_accuracy(Y, predicted, data.hierarchy),
    }
    if "au_prc_raw" in names:  # before the max constraint, without fitting again
        model[-1].coherence = None
        found["au_prc_raw"] = au_prc_score(Y, model.predict_proba(X))
    return {name: found[name] for name in names}


# -- several figures, printed and stored set by set ------------------------------------


class OfParameters(Comparison):
    """Variants of a network's parameters.

    A line of the table is ``row``, formatted with set, variant and the means of the
    figures; ``key`` is the name under which runs of a set and variant are stored.
    """

    estimator = HCALClassifier()
    key = "{}, {}"

    def fit_and_score(self, name, variant, seed):
        """Return the figures of one fit."""
        network = clone(self.estimator).set_params(**self.variants[variant])
        return score(*fit(name, network, seed), self.figures)

    def measure(self, options):
        results = {"runs": {}}
        for name in self.sets:
            for variant in self.variants:
                seeds = range(options.seeds)
                runs = [self.fit_and_score(name, variant, seed) for seed in seeds]
                self.store(results["runs"], name, variant, runs)
                yield results

    def store(self, stored, name, variant, runs):
        """Put the runs of a set and variant, one per seed, where they belong."""
        stored[self.key.format(name, variant)] = runs

    def find(self, stored, name, variant):
        """Return the runs of a set and variant, none if they are not there yet."""
        return stored.get(self.key.format(name, variant), [])

    def lines(self, results, options):
        lines = [self.head]
        for name in self.sets:
            for variant in self.variants:
                runs = self.find(results["runs"], name, variant)
                if runs:
                    means = {x: np.mean([run[x] for run in runs]) for x in self.figures}
                    said = "none" if variant is None else variant
                    lines.append(self.row.format(name, said, **means))
        return lines


class ClassWeight(OfParameters):
    """What class_weight="balanced" wins and loses, and under which cap.

    HCALClassifier with its defaults, on validation rows of Clus sets: micro AU(PRC),
    micro F1, and macro F1 over the labels that have a positive there. A cap of None is
    without class weights.
    """

    name = "class_weight"
    sets = ("cellcycle_FUN", "enron", "diatoms")
    variants = {
        None: {},
        3: {"class_weight": ("balanced", 3)},
        10: {"class_weight": ("balanced", 10)},
        100: {"class_weight": ("balanced", 100)},
    }
    seeds = 1
    figures = ("au_prc", "micro_f1", "macro_f1")
    head = "data set        cap  AU(PRC)  micro F1  macro F1"
    row = "{:<14} {:>4} {au_prc:>8.4f} {micro_f1:>9.4f} {macro_f1:>9.4f}"
    key = "{}, cap {}"


class LabelLoss(OfParameters):
    """Which loss should train the scores that the max constraint closes.

    MaxConstraintClassifier with its defaults, but for label_loss, on validation rows of
    Clus sets: micro AU(PRC) before and after the max constraint, and micro F1 after it.
    """

    name = "label_loss"
    estimator = MaxConstraintClassifier()
    sets = ("cellcycle_FUN", "enron")
    variants = {loss: {"label_loss": loss} for loss in ("bce", "mcloss", "asl", "zlpr")}
    seeds = 2
    figures = ("au_prc", "micro_f1", "au_prc_raw")
    head = "data set       loss    AU(PRC) raw  AU(PRC)  micro F1"
    row = "{:<14} {:<7} {au_prc_raw:>11.4f} {au_prc:>8.4f} {micro_f1:>9.4f}"


class PathWeight(OfParameters):
    """How much coarser levels should count in the score of a single path.

    HCALClassifier with its defaults, on 20 % of the training part of the single-path
    Clus sets. One fit is scored with several weights of the coarser levels
    (skhmc.paths.COARSE_WEIGHT), which change nothing but what is predicted.
    """

    name = "path_weight"
    sets = ("diatoms", "imclef07a")
    variants = (0.0, 0.1, 0.25, 0.5, 1.0)
    seeds = 3
    figures = ("au_prc", "leaf_accuracy")
    head = "data set    weight  AU(PRC)  leaf accuracy"
    row = "{:<11} {:>6} {au_prc:>8.4f} {leaf_accuracy:>14.4f}"

    def __init__(self):
        self.fitted = {}  # by data set and seed, since all weights share a fit

    def fit_and_score(self, name, weight, seed):
        if (name, seed) not in self.fitted:
            self.fitted[name, seed] = fit(name, self.estimator, seed)
        kept = paths.COARSE_WEIGHT
        paths.COARSE_WEIGHT = weight
        try:
            return score(*self.fitted[name, seed], self.figures)
        finally:
            paths.COARSE_WEIGHT = kept

    def store(self, stored, name, weight, runs):
        by_seed = stored.setdefault(name, [{} for _ in runs])
        for by_weight, run in zip(by_seed, runs, strict=True):
            by_weight[str(weight)] = run

    def find(self, stored, name, weight):
        return [run[str(weight)] for run in stored.get(name, ()) if str(weight) in run]


# -- AU(PRC) alone, shown by the documentation -----------------------------------------


class Shown(Comparison):
    """AU(PRC), as a table of the documentation whose best figures are bold."""

    estimator = HCALClassifier()
    seeds = 2

    def lines(self, results, options):
        return [str(row) for row in results["rows"]]

    def cells(self, values, best):
        """Return figures as text, in bold type where they are the best."""
        pairs = zip(values, np.broadcast_to(best, len(values)), strict=True)
        return [f"**{x:.3f}**" if x == top else f"{x:.3f}" for x, top in pairs]


class Preprocessing(Shown):
    """What is done to tables before HCALClassifier: missing values, scales, tails.

    HCALClassifier with its defaults, on validation rows of Clus sets: micro AU(PRC).
    """

    name = "preprocessing"
    page_name = "preprocessing_table.inc"
    sets = ("cellcycle_FUN", "eisen_FUN", "gasch1_FUN", "seq_FUN", "enron", "diatoms")
    variants = {
        "StandardScaler": USUAL,
        "not scaled": [IMPUTE],
        "RobustScaler": [IMPUTE, RobustScaler()],
        "StandardScaler, cut at ±3": [*USUAL, cut(3)],
        "StandardScaler, cut at ±2": [*USUAL, cut(2)],
        "QuantileTransformer to a normal": [
            IMPUTE,
            QuantileTransformer(output_distribution="normal", random_state=0),
            StandardScaler(),
        ],
        "indicators of missing values, StandardScaler": [
            SimpleImputer(keep_empty_features=True, add_indicator=True),
            StandardScaler(),
        ],
    }

    def fit_and_score(self, name, variant, seed):
        """Return AU(PRC) of one fit."""
        steps = self.variants[variant]
        every = ""  # warning is expected: of quantiles that are alike, too
        return score(*fit(name, self.estimator, seed, steps, expected=every))["au_prc"]

    def measure(self, options):
        results = {"seeds": options.seeds, "sets": list(self.sets), "rows": []}
        seeds = range(options.seeds)
        for variant in self.variants:
            scores = {
                name: [self.fit_and_score(name, variant, seed) for seed in seeds]
                for name in self.sets
            }
            results["rows"].append({"recipe": variant, "au_prc": scores})
            yield results

    def tables(self, results):
        names = results["sets"]
        means = [
            [np.mean(x["au_prc"][name]) for name in names] for x in results["rows"]
        ]
        best = np.max(means, axis=0)
        cells = [
            [row["recipe"], *self.cells(values, best)]
            for row, values in zip(results["rows"], means, strict=True)
        ]
        seeds = results["seeds"]
        title = f"After imputing: AU(PRC) of validation rows, mean of {seeds} seeds"
        return [table(title, ["steps", *names], cells)]


class WideInput(Shown):
    """What dropout of the input does where features are more than samples.

    HCALClassifier with its defaults, but for the dropout of the input, fitted to some
    hundred training rows, drawn anew for every seed, on validation rows: micro AU(PRC).
    """

    name = "wide_input"
    page_name = "wide_input_table.inc"
    sets = (  # and how many training rows
        ("seq_FUN", 500),
        ("seq_FUN", 250),
        ("gasch1_FUN", 160),
        ("enron", 700),
        ("cei", 600),
        ("rcv1_subset1", 600),
        ("goemotions", 1000),
        ("diatoms", 350),
    )
    variants = {x: {"dropout": (x, "auto", "auto")} for x in (0.2, 0.4, 0.5, 0.6, 0.7)}

    def fit_and_score(self, name, n_samples, variant, seed):
        """Return AU(PRC) of one fit."""
        network = clone(self.estimator).set_params(**self.variants[variant])
        steps = [] if name in TEXTS else USUAL
        return score(*fit(name, network, seed, steps, n_samples))["au_prc"]

    def measure(self, options):
        results = {"seeds": options.seeds, "rows": []}
        for name, n_samples in self.sets:
            scores = [
                [self.fit_and_score(name, n_samples, x, seed) for x in self.variants]
                for seed in range(options.seeds)
            ]
            row = {"set": name, "samples": n_samples}
            row |= {"features": load(name).data.shape[1], "au_prc": scores}
            results["rows"].append(row)
            yield results

    def tables(self, results):
        heads = ["data set", "samples", "features"]
        heads += [f"input_dropout={share}" for share in self.variants]
        cells = []
        for row in results["rows"]:
            means = np.mean(row["au_prc"], axis=0)
            sizes = [row["samples"], f"{row['features']:,}"]
            cells.append([row["set"], *sizes, *self.cells(means, max(means))])
        seeds = results["seeds"]
        title = f"Fewer samples than features: AU(PRC), mean of {seeds} seeds"
        return [table(title, heads, cells)]

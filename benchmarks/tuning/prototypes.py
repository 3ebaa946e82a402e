"""Whether similarities to label prototypes help beside X."""

import numpy as np
from scipy import sparse as sp
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.recipe import load, split
from benchmarks.tuning.comparison import Comparison
from skhmc.metrics import au_prc_score
from skhmc.preprocessing import HierarchicalPrototypeTransformer

__all__ = ["Prototypes"]

PENALTIES = (1, 10, 100, 1000)
FACTORS = (0.1, 1)  # of the similarities, beside features of another scale
TESTED = {"X alone": None, "X + prototypes": {}, "... cv=5": {"cv": 5}}
VARIANTS = TESTED | {
    "... metric='rbf'": {"metric": "rbf"},
    "... metric='euclidean'": {"metric": "euclidean"},
    "... center=False": {"center": False},
    "... aggregation='children'": {"aggregation": "children"},
    "... shrinkage=0": {"shrinkage": 0},
    "... shrinkage=10": {"shrinkage": 10},
}


class Prototypes(Comparison):
    """Whether similarities to label prototypes help beside X: ridge and forests.

    A ridge regression and a random forest are fitted to the labels' indicators, on X
    alone and on X beside the similarities of HierarchicalPrototypeTransformer. The
    penalty of ridge, and the factor by which it takes the standardised similarities,
    are chosen on validation rows (the set's own, or 20 % of the training part).
    ``--part valid`` scores variants of the transformer on these rows; by default the
    models are fitted to training and validation rows together and scored on the test
    rows. Micro AU(PRC); forests are a mean over seeds. Other parts and sets that are
    stored stay as they are.
    """

    name = "prototypes"
    data_sets = ("cellcycle_FUN", "enron", "cei")
    seeds = 2

    def add_options(self, parser):
        parser.add_argument("--part", choices=("valid", "test"), default="test")

    def measure(self, options):
        results = {options.part: {}}
        for name in options.data_set or self.data_sets:
            data = load_rows(name)
            for variant in variants(options):
                chosen = VARIANTS[variant]
                linear = ridge(data, chosen, options.part)
                seeds = range(options.seeds)
                trees = [forest(data, chosen, options.part, seed) for seed in seeds]
                run = {"ridge": linear, "forest": trees}
                results[options.part][f"{name}, {variant}"] = run
                yield results

    def merge(self, stored, results):
        merged = stored | results
        for part in {"valid", "test"} & set(results):
            merged[part] = stored.get(part, {}) | results[part]
        return merged

    def lines(self, results, options):
        lines = [f"{options.part} rows                                  ridge  forest"]
        for name in options.data_set or self.data_sets:
            for variant in variants(options):
                run = results[options.part].get(f"{name}, {variant}")
                if run:
                    mean = np.mean(run["forest"])
                    scores = f"{run['ridge']:>6.4f}  {mean:.4f}"
                    lines.append(f"{name:<14} {variant:<27} {scores}")
        return lines


def variants(options):
    """Return the names of the variants of a part."""
    return VARIANTS if options.part == "valid" else TESTED


def load_rows(name):
    """Return X, Y, the hierarchy, and the rows to fit, to choose on and to test on."""
    data = load(name)
    fit, valid = split(data, "validation")
    Y = data.target.toarray().astype(np.float64)
    return data.data, Y, data.hierarchy, (fit, valid, data.test)


def features(X, hierarchy, options, factor):
    """Return a transformer that makes the features of a variant."""
    before = [SimpleImputer(keep_empty_features=True), StandardScaler()]
    if sp.issparse(X):
        before = []
    if options is None:
        return make_pipeline(*before, "passthrough")
    near = make_pipeline(
        HierarchicalPrototypeTransformer(hierarchy, **options),
        StandardScaler(),
    )
    parts = [("x", "passthrough"), ("near", near)]
    union = FeatureUnion(parts, transformer_weights={"near": factor})
    return make_pipeline(*before, union)


def score(data, model, options, rows, held_out, factor=1):
    """Return the score of one fit."""
    X, Y, hierarchy, _ = data
    model = make_pipeline(features(X, hierarchy, options, factor), model)
    model.fit(X[rows], Y[rows])
    return au_prc_score(Y[held_out], model.predict(X[held_out]))


def ridge(data, options, part):
    """Return the score of ridge, with what was best on validation rows."""
    fit, valid, test = data[-1]
    factors = FACTORS if options is not None else FACTORS[:1]
    scores = {
        (penalty, factor): score(data, Ridge(penalty), options, fit, valid, factor)
        for penalty in PENALTIES
        for factor in factors
    }
    penalty, factor = max(scores, key=scores.get)
    if part == "valid":
        return scores[penalty, factor]
    rows = np.concatenate([fit, valid])
    return score(data, Ridge(penalty), options, rows, test, factor)


def forest(data, options, part, seed):
    """Return the score of a forest."""
    fit, valid, test = data[-1]
    model = RandomForestRegressor(
        50, min_samples_leaf=3, max_features="sqrt", random_state=seed
    )
    if part == "valid":
        return score(data, model, options, fit, valid)
    return score(data, model, options, np.concatenate([fit, valid]), test)

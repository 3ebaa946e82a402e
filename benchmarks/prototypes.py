"""Whether similarities to label prototypes help beside X: ridge regression and forests.

Run as ``python -m benchmarks.prototypes [--part valid] [--data-set NAME] [--seeds N]``.
A ridge regression and a random forest are fitted to the labels' indicators, on X alone
and on X beside the similarities of HierarchicalPrototypeTransformer. The penalty of
ridge, and the factor by which it takes the standardised similarities, are chosen on
validation rows (the set's own, or 20 % of the training part). ``--part valid`` scores
variants of the transformer on these rows; by default the models are fitted to training
and validation rows together and scored on the test rows. Micro AU(PRC); forests are a
mean over seeds. Updates ``benchmarks/results/prototypes.json``.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import sparse as sp
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.figures import versions
from benchmarks.npz_sets import load_npz_set
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_score
from skhmc.preprocessing import HierarchicalPrototypeTransformer

NAMES = ("cellcycle_FUN", "enron", "cei")
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
RESULTS = Path(__file__).parent / "results" / "prototypes.json"


def load(name):
    """Return X, Y, the hierarchy, and the rows to fit, to choose on and to test on."""
    if name == "cei":
        data = load_npz_set(name)
    else:
        data = fetch_clus(name, download_if_missing=False)
    fit, valid = data.train, data.valid
    if not len(valid):
        fit, valid = train_test_split(fit, test_size=0.2, random_state=0)
    Y = data.target.toarray().astype(np.float64)
    return data.data, Y, data.hierarchy, (fit, valid, data.test)


def features(X, hierarchy, options, factor):
    """Return a transformer that makes the features of a variant."""
    parts = [SimpleImputer(keep_empty_features=True), StandardScaler()]
    before = [] if sp.issparse(X) else parts
    if options is None:
        return make_pipeline(*before, "passthrough")
    near = make_pipeline(
        HierarchicalPrototypeTransformer(hierarchy, **options),
        StandardScaler(),
    )
    parts, weights = [("x", "passthrough"), ("near", near)], {"near": factor}
    return make_pipeline(*before, FeatureUnion(parts, transformer_weights=weights))


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


def main():
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("valid", "test"), default="test")
    parser.add_argument("--data-set", choices=NAMES, action="append")
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    variants = VARIANTS if args.part == "valid" else TESTED
    results = {}
    print(
        f"{args.part} rows                                  ridge  forest", flush=True
    )
    for name in args.data_set or NAMES:
        data = load(name)
        for variant, options in variants.items():
            with threadpool_limits(1):
                linear = ridge(data, options, args.part)
                seeds = range(args.seeds)
                trees = [forest(data, options, args.part, seed) for seed in seeds]
            results[f"{name}, {variant}"] = {"ridge": linear, "forest": trees}
            row = f"{name:<14} {variant:<27}"
            print(f"{row} {linear:>6.4f}  {np.mean(trees):.4f}", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    found["versions"] = versions()
    found[args.part] = found.get(args.part, {}) | results
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Wrote {RESULTS}")


if __name__ == "__main__":
    main()

"""What calibration does to probabilities: log loss, Brier score, ECE and AU(PRC).

Run as ``python -m benchmarks.calibration [--data-set NAME]``. Five sets, two networks
of skhmc, and a forest and naive Bayes in CoherentClassifier. Each is fitted to the rows
to fit, and three times to two thirds of them, whose out-of-fold probabilities the maps
of HierarchicalCalibratedClassifier are fitted to; the rows to score then have both,
before and after. On validation rows (the set's own, or a fifth of the training rows;
seed 0) all variants are compared, by which ``shrinkage`` and the default method were
chosen; on test rows (three seeds) the methods as they are by default, and temperatures
per label. What lowers AU(PRC) by more than 0.002 is printed, and if it is the default
method the command fails. For the time that it takes, 1,200 rows to fit are drawn where
there are more, networks are trained for 10 epochs, and forests have 20 trees. Runs that
stand in the results with all variants are not repeated. A table has the variants that
all of its runs have.
``--stored`` measures nothing, and prints and writes what is stored.

Log loss and Brier score are means over cells, pairs of a sample and a label; in the log
loss probabilities are cut at 1e-15. ECE has 15 bins of one width, and is the mean over
levels.
"""

import time
import warnings
from dataclasses import replace

import numpy as np
from scipy.special import xlogy
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from benchmarks.command import (
    DOCS,
    RESULTS,
    command_line,
    read_results,
    write_results,
)
from benchmarks.figures import versions
from benchmarks.npz_sets import load_npz_set
from benchmarks.recipe import load, split, table_steps
from benchmarks.tables import block, include, table, text_row
from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalCalibratedClassifier,
    MaxConstraintClassifier,
)
from skhmc._meta.calibration_maps import (
    METHODS,
    PER,
    STEPS,
    Isotonic,
    Mixture,
    apply_maps,
    chosen_per,
)
from skhmc._meta.out_of_fold import out_of_fold, split_rows
from skhmc.coherence import RULES
from skhmc.metrics import au_prc_score, expected_calibration_error

__all__ = ["main"]

DATA_SETS = ("cellcycle_FUN", "eisen_FUN", "enron", "imclef07a", "anuran")
NPZ = ("anuran",)
MODELS = ("HCAL", "max constraint", "forest", "naive Bayes")
SEEDS = {"validation": (0,), "test": (0, 1, 2)}
N_ROWS, FOLDS, EPOCHS, TREES = 1200, 3, 10, 20
SHRINKAGES = (0, 1, 3, 10, 30, 100)
OTHER_STEPS = (0, 3, 10, 100)  # times the shrinkage, beside the default's
DEFAULT = HierarchicalCalibratedClassifier(None).get_params(deep=False)
FIGURES = ("log_loss", "brier", "ece", "au_prc")
MOST_LOST = 0.002  # of AU(PRC), by a method as it is by default
PATH = RESULTS / "calibration.json"
PAGE = DOCS / "calibration_tables.inc"


# -- measuring -------------------------------------------------------------------------


class Replay(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probabilities are X, so that others are fitted once."""

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return X


def model_of(name, hierarchy, seed):
    """Return a classifier with the steps before it."""
    network = {"max_iter": EPOCHS, "random_state": seed}
    forest = RandomForestClassifier(TREES, random_state=seed)
    models = {
        "HCAL": HCALClassifier(hierarchy, **network),
        "max constraint": MaxConstraintClassifier(hierarchy, **network),
        "forest": CoherentClassifier(forest, hierarchy),
        "naive Bayes": CoherentClassifier(GaussianNB(), hierarchy),
    }
    return make_pipeline(*table_steps(), models[name])


def probabilities(part, name, kind, seed):
    """Return out-of-fold probabilities of the rows to fit, and those of rows to score.

    Each with the labels of these rows; and the hierarchy.
    """
    data = load_npz_set(name) if name in NPZ else load(name)
    train, held_out = split(data, part)
    train = np.random.RandomState(seed).permutation(train)[:N_ROWS]
    X, Y = data.data, data.target.toarray().astype(int)
    model = model_of(kind, data.hierarchy, seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        splits = split_rows(FOLDS, X[train], Y[train], {})
        rows, inside = out_of_fold(
            model, X[train], Y[train], Y[train], splits, params={}
        )
        outside = model.fit(X[train], Y[train]).predict_proba(X[held_out])
    return inside, Y[train][rows], outside, Y[held_out], data.hierarchy


def with_shrinkage(one, k, steps=STEPS):
    """Return a map that was fitted with a shrinkage of 1, with another.

    Step lines need ``steps`` times as many samples.
    """
    if not isinstance(one, Mixture):
        return one
    n_rarer = one.share / (1 - one.share)
    parts = [with_shrinkage(part, k, steps) for part in (one.own, one.coarser)]
    if isinstance(one.own, Isotonic):
        k = k * steps / STEPS
    return replace(one, share=n_rarer / (n_rarer + k), own=parts[0], coarser=parts[1])


def by_default(method):
    """Return a method with what it is by default."""
    variant = method, chosen_per(DEFAULT["per"], method), DEFAULT["shrinkage"]
    return (*variant, STEPS) if method == "isotonic" else variant


def variants(part):
    """Yield what is compared: method, per, shrinkage, and of isotonic the steps."""
    if part == "test":
        yield from map(by_default, METHODS)
        yield "temperature", "label", DEFAULT["shrinkage"]
        return
    for method in METHODS:
        for per in PER:
            for k in SHRINKAGES if per == "label" else (10,):
                yield (method, per, k, *([STEPS] if method == "isotonic" else []))
    for steps in OTHER_STEPS:
        yield "isotonic", "label", DEFAULT["shrinkage"], steps


def name_of(variant):
    """Return what the results call a variant."""
    return ", ".join(map(str, variant))


def measure(part, name, kind, seed):
    """Return the figures of a run: before, and after every variant."""
    inside, Y_inside, outside, Y, hierarchy = probabilities(part, name, kind, seed)
    figures = {"before": rate(Y, outside, hierarchy)}
    maps = {}
    for variant in variants(part):
        method, per, k, *steps = variant
        if (method, per) not in maps:
            clf = HierarchicalCalibratedClassifier(
                FrozenEstimator(Replay()),
                hierarchy,
                method=method,
                per=per,
                shrinkage=1,
            )
            maps[method, per] = clf.fit(inside, Y_inside).maps_
        shrunk = [with_shrinkage(one, k, *steps) for one in maps[method, per]]
        proba = RULES[DEFAULT["coherence"]].apply(
            apply_maps(shrunk, outside), hierarchy
        )
        figures[name_of(variant)] = rate(Y, proba, hierarchy)
    run = {"part": part, "name": name, "model": kind, "seed": seed}
    return run | {"figures": figures}


def rate(Y, proba, hierarchy):
    """Return the figures of probabilities."""
    proba = np.asarray(proba, dtype=np.float64)
    cut = np.clip(proba, 1e-15, 1 - 1e-15)
    return {
        "log_loss": float(-(xlogy(Y, cut) + xlogy(1 - Y, 1 - cut)).mean()),
        "brier": float(((Y - proba) ** 2).mean()),
        "ece": expected_calibration_error(Y, proba, hierarchy=hierarchy),
        "au_prc": au_prc_score(Y, proba, hierarchy=hierarchy),
    }


# -- tables ----------------------------------------------------------------------------

VALID_HEADS = [
    "method",
    "per",
    "shrinkage",
    "steps",
    "log loss",
    "Brier",
    "ECE",
    "AU(PRC)",
]
VALID_WIDTHS = (12, 6, -9, -6, -9, -8, -8, -9)
HEADS = ["data set", "classifier", "method", "log loss", "Brier", "ECE", "AU(PRC)"]
WIDTHS = (14, 15, 24, -9, -8, -8, -9)
TITLES = {
    "validation": "Validation rows: means over sets and classifiers",
    "test": "Test rows: means of three seeds, one map per label; one temperature",
}


def mean_of(runs, variant):
    """Return the means of a variant's figures over runs, in the order of FIGURES."""
    found = [[run["figures"][variant][f] for f in FIGURES] for run in runs]
    return np.mean(found, axis=0)


def measured(runs):
    """Return the variants that all runs have, in the order of the first."""
    known = [run["figures"] for run in runs]
    return [v for v in known[0] if all(v in one for one in known)] if known else []


def is_complete(run, part):
    """Tell whether a stored run has all variants, by their names of today."""
    return set(map(name_of, variants(part))) <= set(run["figures"])


def cells(values):
    return [f"{value:.4f}" for value in values]


def validation_rows(runs):
    """Return a row per variant."""
    rows = []
    for variant in measured(runs):
        names = [*variant.split(", "), "", "", ""][:4]
        rows.append([*names, *cells(mean_of(runs, variant))])
    return rows


def test_rows(runs):
    """Return a row per set, classifier and method."""
    rows = []
    for name in DATA_SETS:
        for kind in MODELS:
            same = [r for r in runs if (r["name"], r["model"]) == (name, kind)]
            for variant in measured(same):
                figures = cells(mean_of(same, variant))
                rows.append([name, kind, _shown(variant), *figures])
    return rows


def _shown(variant):
    """Return what the table of test rows calls a variant."""
    method = variant.split(", ")[0]
    if method in METHODS and variant != name_of(by_default(method)):
        return f"{method} (per label)"
    return method


def rows_of(results, part):
    runs = [run for run in results["runs"].values() if run["part"] == part]
    return validation_rows(runs) if part == "validation" else test_rows(runs)


def show(results):
    """Print the tables."""
    shapes = {"validation": (VALID_HEADS, VALID_WIDTHS), "test": (HEADS, WIDTHS)}
    for part, (heads, widths) in shapes.items():
        print(f"\n{TITLES[part]}", text_row(heads, widths), sep="\n")
        for row in rows_of(results, part):
            print(text_row(row, widths))


def write_page(results):
    """Write the file that the documentation includes."""
    tables = [
        block(part, [table(TITLES[part], heads, rows_of(results, part))])
        for part, heads in (("test", HEADS), ("validation", VALID_HEADS))
    ]
    PAGE.write_text(include("benchmarks.calibration", tables, results["versions"]))


def lost(results, method):
    """Return the runs' means of AU(PRC) that a method lowers by too much."""
    variant = name_of(by_default(method))
    runs = [run for run in results["runs"].values() if run["part"] == "test"]
    found = []
    for name, kind in {(run["name"], run["model"]): None for run in runs}:
        same = [r for r in runs if (r["name"], r["model"]) == (name, kind)]
        if variant not in measured(same):
            continue
        fall = mean_of(same, "before")[-1] - mean_of(same, variant)[-1]
        if fall > MOST_LOST:
            found.append(f"{name}, {kind}: {fall:.4f}")
    return found


def main(arguments=None):
    """Measure what is missing, print the tables and write the page."""
    parser = command_line(__doc__)
    parser.add_argument("--data-set", choices=DATA_SETS, action="append")
    parser.add_argument("--part", choices=SEEDS, action="append")
    parser.add_argument("--stored", action="store_true", help="measures nothing")
    options = parser.parse_args(arguments)
    results = read_results(PATH) or {"runs": {}}
    results["versions"] = versions()
    wanted = [
        (part, name, kind, seed)
        for part in options.part or SEEDS
        for name in options.data_set or DATA_SETS
        for kind in MODELS
        for seed in SEEDS[part]
    ]
    with threadpool_limits(1):
        for run in [] if options.stored else wanted:
            key = " ".join(map(str, run))
            known = results["runs"].get(key)
            if known is None or not is_complete(known, run[0]):
                start = time.process_time()
                results["runs"][key] = measure(*run)
                write_results(PATH, results)
                print(f"{key}: {time.process_time() - start:.0f} s", flush=True)
    show(results)
    write_page(results)
    print(f"\nWrote {PATH} and {PAGE}")
    for method in METHODS:
        falls = lost(results, method)
        if falls:
            print(f"{method}: AU(PRC) falls by more than {MOST_LOST}: {falls}")
    if lost(results, DEFAULT["method"]):
        raise SystemExit("AU(PRC) falls by too much with the default method.")


if __name__ == "__main__":
    main()

"""What each way to make classifiers of scikit-learn coherent wins and loses.

Run as ``python -m benchmarks.coherent [--data-set NAME]``. Fits CoherentClassifier
around four classifiers, first on the training rows to score validation rows (the set's
own, or 20 % of the training part), by which the default rule was chosen, then on both
to score the test rows: micro AU(PRC) before and after each rule, and the violation
rate of the labels more probable than one half. Writes
``benchmarks/results/coherent.json`` and the tables of ``docs/coherent.rst``.
"""

import argparse
import itertools
import json
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.figures import versions
from benchmarks.npz_sets import load_npz_set
from benchmarks.tables import include, table
from skhmc import CoherentClassifier, coherence
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_score, hierarchical_violation_rate

NAMES = ("cellcycle_FUN", "enron", "imclef07a", "cei")
RULES = ("max", "min", "isotonic", "product", "average")
ESTIMATORS = {
    "logistic": LogisticRegression(max_iter=200),
    "MLP": MLPClassifier((200,), max_iter=30, random_state=0),
    "boosting": HistGradientBoostingClassifier(
        max_iter=15, max_leaf_nodes=8, early_stopping=False, random_state=0
    ),
    "neighbours": KNeighborsClassifier(15),
}
RESULTS = Path(__file__).parent / "results" / "coherent.json"
PAGE = Path(__file__).parents[1] / "docs" / "coherent_tables.inc"
TITLES = {
    "validation": "Validation rows: AU(PRC), and what each rule adds",
    "test": "Test rows: AU(PRC), and what each rule adds",
}


def load(name):
    """Return a set of the Clus collection or, named "cei", of sparse tf-idf texts."""
    if name == "cei":
        return load_npz_set(name)
    return fetch_clus(name, download_if_missing=False)


def preprocessing(name, kind):
    """Return the steps before the classifier."""
    if name != "cei":
        return [SimpleImputer(keep_empty_features=True), StandardScaler()]
    sparse = kind != "boosting"
    return ["passthrough" if sparse else TruncatedSVD(100, random_state=0)]


def rows(data, part):
    """Return the rows to fit and the rows to score."""
    if part == "test":
        return np.concatenate([data.train, data.valid]), data.test
    if len(data.valid):
        return data.train, data.valid
    return train_test_split(data.train, test_size=0.2, random_state=0)


def figures(name, kind, part):
    """Fit one classifier once; return its scores before and after each rule."""
    data = load(name)
    (train, held_out), Y = rows(data, part), data.target.toarray()
    clf = CoherentClassifier(ESTIMATORS[kind], data.hierarchy)
    model = make_pipeline(*preprocessing(name, kind), clf)
    start = time.perf_counter()
    with warnings.catch_warnings():  # labels without a row; few iterations
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(data.data[train], Y[train])
    seconds = time.perf_counter() - start
    raw = clf.raw_predict_proba(model[:-1].transform(data.data[held_out]))
    scores = {"raw": rate(Y[held_out], raw, data.hierarchy)}
    for rule in RULES:
        proba = getattr(coherence, f"{rule}_constraint")(raw, data.hierarchy)
        scores[rule] = rate(Y[held_out], proba, data.hierarchy)
    figures = {"name": name, "estimator": kind, "part": part, "seconds": seconds}
    return figures | {"scores": scores}


def rate(Y, proba, hierarchy):
    """Return quality and violations of probabilities."""
    return {
        "au_prc": au_prc_score(Y, proba),
        "hvr": hierarchical_violation_rate(proba > 0.5, hierarchy),
    }


HEADS = ["data set", "estimator", "raw", *RULES, "HVR raw", "HVR after"]
WIDTHS = (14, 10, 8, *[9] * len(RULES), 8, 9)


def row(run):
    """Return a table row: AU(PRC) raw, what every rule adds, violations."""
    raw = run["scores"]["raw"]
    lifts = [run["scores"][m]["au_prc"] - raw["au_prc"] for m in RULES]
    after = max(run["scores"][m]["hvr"] for m in RULES)
    cells = [f"{raw['au_prc']:.4f}", *(f"{lift:+.4f}" for lift in lifts)]
    return [run["name"], run["estimator"], *cells, f"{raw['hvr']:.4f}", f"{after:.4f}"]


def line(cells):
    """Return a row as text."""
    pairs = zip(cells, WIDTHS, strict=True)
    return " ".join(f"{x:<{w}}" if w > 9 else f"{x:>{w}}" for x, w in pairs)


def page():
    """Return the part of the documentation that holds the tables."""
    made = json.loads(RESULTS.read_text())
    runs = {part: [r for r in made["runs"] if r["part"] == part] for part in TITLES}
    tables = [table(TITLES[p], HEADS, [row(r) for r in runs[p]]) for p in TITLES]
    return include("benchmarks.coherent", tables, made["versions"])


def main():
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-set", choices=NAMES, action="append")
    names = parser.parse_args().data_set or NAMES
    runs = []
    for part, title in TITLES.items():
        print(title, line(HEADS), sep="\n", flush=True)
        for name, kind in itertools.product(names, ESTIMATORS):
            with threadpool_limits(1):
                runs.append(figures(name, kind, part))
            print(line(row(runs[-1])), f"{runs[-1]['seconds']:6.1f} s", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"versions": versions(), "runs": runs}, indent=1)
    RESULTS.write_text(text + "\n")
    PAGE.write_text(page())
    print(f"Wrote {RESULTS} and {PAGE}")


if __name__ == "__main__":
    main()

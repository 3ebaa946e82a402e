"""What tuned thresholds win over the cut at 0.5, on the test part.

Run as ``python -m benchmarks.thresholds``. For every set a forest (whose probabilities
are coherent, as Y is closed) is fitted on the training and validation rows, and so are
the folds in which HierarchicalThresholdClassifier tunes: hierarchical F1 is shown for
thresholds tuned for it, macro F1 for thresholds tuned for that. Writes
``benchmarks/results/thresholds.json`` and the table of ``docs/thresholds.rst``.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from threadpoolctl import threadpool_limits

from benchmarks.figures import versions
from benchmarks.npz_sets import load_npz_set
from benchmarks.tables import include, table
from skhmc import HierarchicalThresholdClassifier
from skhmc._meta.out_of_fold import out_of_fold, positive_proba, read_cv
from skhmc.datasets import fetch_clus
from skhmc.metrics import hierarchical_f1_score, hierarchical_violation_rate

NAMES = ("cellcycle_FUN", "enron", "imclef07a", "cei")
STRATEGIES = ("global", "level", "label")
METRICS = {"hierarchical_f1": "micro", "f1_macro": "macro"}
RESULTS = Path(__file__).parent / "results" / "thresholds.json"
PAGE = Path(__file__).parents[1] / "docs" / "thresholds_table.inc"


class Replay(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probabilities are X, so that forests grow once."""

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return X


def load(name):
    """Return X, Y, the rows to fit on, the rows to test on, and the hierarchy."""
    if name == "cei":
        data = load_npz_set(name)
        X = data.data
    else:
        data = fetch_clus(name, download_if_missing=False)
        imputer = SimpleImputer(keep_empty_features=True).fit(data.data[data.train])
        X = imputer.transform(data.data)
    rows = np.concatenate([data.train, data.valid])
    return X, data.target.toarray().astype(int), rows, data.test, data.hierarchy


def probabilities(name, n_estimators):
    """Return rows, out-of-fold probabilities of them, and those of the test part."""
    X, Y, train, test, hierarchy = load(name)
    forest = RandomForestClassifier(n_estimators, min_samples_leaf=5, random_state=0)
    X_train, Y_train = X[train], Y[train]
    splits = list(read_cv(5).split(X_train, Y_train))
    rows, inside = out_of_fold(forest, X_train, Y_train, Y_train, splits, params={})
    outside = positive_proba(forest.fit(X_train, Y_train), X[test], Y.shape[1])
    return inside, Y_train[rows], outside, Y[test], hierarchy


def scores(data):
    """Return the figures of every strategy and metric."""
    inside, Y_inside, outside, Y, hierarchy = data
    half, results = (outside > 0.5).astype(int), {}
    for metric, average in METRICS.items():
        results[f"cut at 0.5, {metric}"] = {
            "score": hierarchical_f1_score(Y, half, hierarchy, average=average)
        }
        for strategy in STRATEGIES:
            clf = HierarchicalThresholdClassifier(
                Replay(),
                hierarchy=hierarchy,
                strategy=strategy,
                metric=metric,
                cv="prefit",
            )
            start = time.perf_counter()
            clf.fit(inside, Y_inside)
            seconds = time.perf_counter() - start
            predicted = clf.predict(outside)
            assert hierarchical_violation_rate(predicted, hierarchy) == 0
            score = hierarchical_f1_score(Y, predicted, hierarchy, average=average)
            results[f"{strategy}, {metric}"] = {
                "score": score,
                "score_in_folds": clf.best_score_,
                "closing": clf.closing_,
                "lowest": clf.thresholds_.min(),
                "highest": clf.thresholds_.max(),
                "seconds": seconds,
            }
    return results


HEADS = ["data set", "strategy", "hier. F1", "closing", "macro F1", "closing", "s"]
WIDTHS = (14, 11, 9, 8, 9, 8, 6)


def rows(name, found):
    """Return the rows of a data set: each metric where thresholds are tuned for it."""
    lines = []
    for strategy in ("cut at 0.5", *STRATEGIES):
        runs = [found[f"{strategy}, {metric}"] for metric in METRICS]
        cells = [x for r in runs for x in (f"{r['score']:.4f}", r.get("closing", ""))]
        seconds = sum(r.get("seconds", 0) for r in runs)
        lines.append([name, strategy, *cells, f"{seconds:.1f}" if seconds else ""])
    return lines


def line(cells):
    """Return a row as text."""
    return " ".join(f"{x:<{w}}" for x, w in zip(cells, WIDTHS, strict=True))


def page():
    """Return the part of the documentation that holds the table."""
    made = json.loads(RESULTS.read_text())
    body = [row for name, found in made["runs"].items() for row in rows(name, found)]
    title = f"A forest of {made['trees']} trees, test rows"
    return include(
        "benchmarks.thresholds", [table(title, HEADS, body)], made["versions"]
    )


def main():
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-set", choices=NAMES, action="append")
    parser.add_argument("--trees", type=int, default=50)
    options = parser.parse_args()
    names, results = options.data_set or NAMES, {}
    print(line(HEADS))
    for name in names:
        with threadpool_limits(1):
            results[name] = scores(probabilities(name, options.trees))
        print(*map(line, rows(name, results[name])), sep="\n", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    text = {"versions": versions(), "trees": options.trees, "runs": results}
    RESULTS.write_text(json.dumps(text, indent=1) + "\n")
    PAGE.write_text(page())
    print(f"Wrote {RESULTS} and {PAGE}")


if __name__ == "__main__":
    main()

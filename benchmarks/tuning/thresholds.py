"""What tuned thresholds win over the cut at 0.5, on the test part."""

import time

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer

from benchmarks.recipe import TEXTS, load, split
from benchmarks.tables import table, text_row
from benchmarks.tuning.comparison import Comparison
from skhmc import HierarchicalThresholdClassifier
from skhmc._meta.out_of_fold import out_of_fold, positive_proba, read_cv
from skhmc.metrics import hierarchical_f1_score, hierarchical_violation_rate

__all__ = ["Thresholds"]

STRATEGIES = ("global", "level", "label")
METRICS = {"hierarchical_f1": "micro", "f1_macro": "macro"}
HEADS = ["data set", "strategy", "hier. F1", "closing", "macro F1", "closing", "s"]
WIDTHS = (14, 11, 9, 8, 9, 8, 6)


class Thresholds(Comparison):
    """What tuned thresholds win over the cut at 0.5, on the test part.

    For every set a forest (whose probabilities are coherent, as Y is closed) is fitted
    to the training and validation rows, and so are the folds in which
    HierarchicalThresholdClassifier tunes: hierarchical F1 is shown for thresholds tuned
    for it, macro F1 for thresholds tuned for that.
    """

    name = "thresholds"
    data_sets = ("cellcycle_FUN", "enron", "imclef07a", "cei")
    page_name = "thresholds_table.inc"

    def add_options(self, parser):
        parser.add_argument("--trees", type=int, default=50)

    def measure(self, options):
        results = {"trees": options.trees, "runs": {}}
        for name in options.data_set or self.data_sets:
            results["runs"][name] = scores(probabilities(name, options.trees))
            yield results

    def lines(self, results, options):
        return [text_row(row, WIDTHS) for row in (HEADS, *self.rows(results))]

    def rows(self, results):
        """Return the rows of all data sets."""
        return [row for run in results["runs"].items() for row in rows(*run)]

    def tables(self, results):
        title = f"A forest of {results['trees']} trees, test rows"
        return [table(title, HEADS, self.rows(results))]


class Replay(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probabilities are X, so that forests grow once."""

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return X


def probabilities(name, n_estimators):
    """Return out-of-fold probabilities of the training rows, those of the test part."""
    data = load(name)
    train, test = split(data, "test")
    X, Y = data.data, data.target.toarray().astype(int)
    if name not in TEXTS:
        imputer = SimpleImputer(keep_empty_features=True).fit(X[data.train])
        X = imputer.transform(X)
    forest = RandomForestClassifier(n_estimators, min_samples_leaf=5, random_state=0)
    X_train, Y_train = X[train], Y[train]
    splits = list(read_cv(5).split(X_train, Y_train))
    rows, inside = out_of_fold(forest, X_train, Y_train, Y_train, splits, params={})
    outside = positive_proba(forest.fit(X_train, Y_train), X[test], Y.shape[1])
    return inside, Y_train[rows], outside, Y[test], data.hierarchy


def scores(data):
    """Return the figures of every strategy and metric."""
    inside, Y_inside, outside, Y, hierarchy = data
    half = (outside > 0.5).astype(int)
    results = {}
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


def rows(name, found):
    """Return the rows of a data set: each metric where thresholds are tuned for it."""
    lines = []
    for strategy in ("cut at 0.5", *STRATEGIES):
        runs = [found[f"{strategy}, {metric}"] for metric in METRICS]
        cells = [x for r in runs for x in (f"{r['score']:.4f}", r.get("closing", ""))]
        seconds = sum(r.get("seconds", 0) for r in runs)
        lines.append([name, strategy, *cells, f"{seconds:.1f}" if seconds else ""])
    return lines

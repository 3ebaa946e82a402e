"""What each way to make classifiers of scikit-learn coherent wins and loses."""

import itertools
import time
import warnings

from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.recipe import TEXTS, load, split
from benchmarks.tables import signed, table, text_row
from benchmarks.tuning.comparison import Comparison
from skhmc import CoherentClassifier, coherence
from skhmc.metrics import au_prc_score, hierarchical_violation_rate

__all__ = ["Coherent"]

RULES = ("max", "min", "isotonic", "product", "average")
ESTIMATORS = {
    "logistic": LogisticRegression(max_iter=200),
    "MLP": MLPClassifier((200,), max_iter=30, random_state=0),
    "boosting": HistGradientBoostingClassifier(
        max_iter=15, max_leaf_nodes=8, early_stopping=False, random_state=0
    ),
    "neighbours": KNeighborsClassifier(15),
}
TITLES = {
    "validation": "Validation rows: AU(PRC), and what each rule adds",
    "test": "Test rows: AU(PRC), and what each rule adds",
}
HEADS = ["data set", "estimator", "raw", *RULES, "HVR raw", "HVR after"]
WIDTHS = (14, 10, -8, *[-9] * len(RULES), -8, -9)


class Coherent(Comparison):
    """What each way to make classifiers of scikit-learn coherent wins and loses.

    CoherentClassifier around four classifiers, fitted first to the training rows to
    score validation rows (the set's own, or 20 % of the training part), by which the
    default method was chosen, then to both to score the test rows: micro AU(PRC) before
    and after each rule, and the violation rate of the labels more probable than one
    half.
    """

    name = "coherent"
    data_sets = ("cellcycle_FUN", "enron", "imclef07a", "cei")
    page_name = "coherent_tables.inc"

    def measure(self, options):
        results = {"runs": []}
        names = options.data_set or self.data_sets
        for run in itertools.product(TITLES, names, ESTIMATORS):
            results["runs"].append(fit_and_score(*run))
            yield results

    def lines(self, results, options):
        lines = []
        for part, title in TITLES.items():
            runs = [run for run in results["runs"] if run["part"] == part]
            if runs:
                lines += [title, text_row(HEADS, WIDTHS)]
            for run in runs:
                lines.append(f"{text_row(row(run), WIDTHS)} {run['seconds']:6.1f} s")
        return lines

    def tables(self, results):
        made = []
        for part, title in TITLES.items():
            rows = [row(run) for run in results["runs"] if run["part"] == part]
            made.append(table(title, HEADS, rows))
        return made


def preprocessing(name, kind):
    """Return the steps before the classifier."""
    if name not in TEXTS:
        return [SimpleImputer(keep_empty_features=True), StandardScaler()]
    return [TruncatedSVD(100, random_state=0) if kind == "boosting" else "passthrough"]


def fit_and_score(part, name, kind):
    """Fit one classifier once; return its scores before and after each rule."""
    data = load(name)
    train, held_out = split(data, part)
    Y = data.target.toarray()
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


def row(run):
    """Return a table row: AU(PRC) raw, what every method adds, violations."""
    raw = run["scores"]["raw"]
    lifts = [run["scores"][m]["au_prc"] - raw["au_prc"] for m in RULES]
    after = max(run["scores"][m]["hvr"] for m in RULES)
    cells = [f"{raw['au_prc']:.4f}", *(signed(lift, 4) for lift in lifts)]
    return [run["name"], run["estimator"], *cells, f"{raw['hvr']:.4f}", f"{after:.4f}"]

"""What CoherentClassifier should do by default around a forest."""

import itertools
import time
import warnings

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer

from benchmarks.recipe import load, split
from benchmarks.tables import table, text_row
from benchmarks.tuning.comparison import Comparison
from skhmc import CoherentClassifier, coherence
from skhmc.metrics import au_prc_score, hierarchical_f1_score

__all__ = ["CoherentDefaults"]

RULES = ("average", "max", "min", "product")
STRATEGIES = ("auto", "per_label")
MEASURES = {"f1": "hierarchical F1", "au_prc": "AU(PRC)"}
# training rows that are fitted: of all of them one forest per label takes over 30 s
MOST_ROWS = {"diatoms": 500, "imclef07a": 3000, "cellcycle_FUN": 500}
HEADS = ["data set", "strategy", *RULES, "s"]
WIDTHS = (14, 10, *[-10] * 2 * len(RULES), -6)


class CoherentDefaults(Comparison):
    """What CoherentClassifier should do by default around a forest.

    RandomForestClassifier(50), one for all labels (strategy="auto") and one per label,
    with every coherence rule: hierarchical F1 of the labels more probable than one
    half, and micro AU(PRC), on validation rows, means over the seeds. Fitted are the
    training rows, of three sets a random sample of them, so that no fit takes long.
    """

    name = "coherent_defaults"
    data_sets = ("enron", "imclef07a", "diatoms", "cellcycle_FUN")
    seeds = 2
    page_name = "coherent_defaults_table.inc"

    def measure(self, options):
        results = {"rows": MOST_ROWS, "runs": []}
        seeds = range(options.seeds)
        names = options.data_set or self.data_sets
        for run in itertools.product(names, STRATEGIES):
            found = [fit_and_score(*run, seed) for seed in seeds]
            results["runs"].append(mean_of(*run, found))
            yield results

    def lines(self, results, options):
        heads = [*HEADS[:2], *(f"{m} {r}" for m in ("F1", "AU") for r in RULES), "s"]
        lines = [text_row(heads, WIDTHS)]
        for run in results["runs"]:
            cells = [*row(run, "f1")[:-1], *row(run, "au_prc")[2:]]
            lines.append(text_row(cells, WIDTHS))
        return lines

    def tables(self, results):
        return [
            table(
                f"Validation rows: {title}",
                HEADS,
                [row(run, measure) for run in results["runs"]],
            )
            for measure, title in MEASURES.items()
        ]


def fit_and_score(name, strategy, seed):
    """Fit one classifier; return its scores under every rule."""
    data = load(name)
    train, held_out = split(data, "validation")
    if name in MOST_ROWS:
        train = np.random.default_rng(seed).permutation(train)[: MOST_ROWS[name]]
    steps = SimpleImputer(keep_empty_features=True).fit(data.data[train])
    Y = data.target.toarray()
    trees = RandomForestClassifier(50, n_jobs=1, random_state=seed)
    clf = CoherentClassifier(trees, data.hierarchy, strategy=strategy)
    start = time.perf_counter()
    with warnings.catch_warnings():  # labels without a row
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        clf.fit(steps.transform(data.data[train]), Y[train])
    figures = {"seconds": time.perf_counter() - start}
    X = steps.transform(data.data[held_out])
    raw = clf.raw_predict_proba(X)
    for rule in RULES:
        proba = getattr(coherence, f"{rule}_constraint")(raw, data.hierarchy)
        predicted = (proba > 0.5).astype(int)
        f1 = hierarchical_f1_score(Y[held_out], predicted, data.hierarchy)
        figures[rule] = {"f1": f1, "au_prc": au_prc_score(Y[held_out], proba)}
    return figures


def mean_of(name, strategy, found):
    """Return the means over the seeds."""
    run = {"name": name, "strategy": strategy}
    run["seconds"] = float(np.mean([figures["seconds"] for figures in found]))
    for rule in RULES:
        run[rule] = {
            measure: float(np.mean([figures[rule][measure] for figures in found]))
            for measure in MEASURES
        }
    return run


def row(run, measure):
    """Return a table row."""
    cells = [f"{run[rule][measure]:.4f}" for rule in RULES]
    return [run["name"], run["strategy"], *cells, f"{run['seconds']:.1f}"]

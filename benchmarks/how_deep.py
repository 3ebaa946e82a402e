"""How right answers are, against how deep they go: four ways to stop early.

Run as ``python -m benchmarks.how_deep``. A forest is fitted to the training rows of
each set; on the validation rows HierarchicalThresholdClassifier finds what has to be
found there, and the test rows are judged. Prints the table, stores the figures in
``benchmarks/results/how_deep.json``, and writes the table and the figure of the guide.
``--stored`` measures nothing. Real data sets are read from SKHMC_DATA_HOME.
"""

import warnings
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from threadpoolctl import threadpool_limits

from benchmarks.command import DOCS, RESULTS, command_line, read_results, write_results
from benchmarks.figures import versions
from benchmarks.recipe import load, split
from benchmarks.tables import include, table, text_row
from skhmc import HierarchicalThresholdClassifier

__all__ = ["FIGURE", "PAGE", "STORED", "WAYS", "draw", "judge", "main", "page"]

STORED = RESULTS / "how_deep.json"
PAGE = DOCS / "how_deep_table.inc"
FIGURE = DOCS / "how_deep.svg"
SETS = ("imclef07a", "enron", "cellcycle_FUN")
N_TREES = 50
HEADS = ["data set", "way", "at", "levels", "precision", "answered"]
WIDTHS = (14, 14, 6, 7, 10, 9)
STYLES = {  # in colours of Okabe and Ito; by shape alone in grey
    "threshold": ("o", "#0072B2"),
    "min_precision": ("s", "#D55E00"),
    "max_labels": ("^", "#009E73"),
    "level": ("D", "#000000"),
}


def of_level(level, hierarchy):
    """Return the options that stop at a level: 0.5 down to there, 1 below it."""
    thresholds = np.where(np.arange(len(hierarchy.levels)) <= level, 0.5, 1.0)
    return {"thresholds": thresholds, "strategy": "level"}


WAYS = {  # values that are tried, and the options of HierarchicalThresholdClassifier
    "threshold": (
        lambda hierarchy: (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        lambda value, hierarchy: {"thresholds": value},
    ),
    "min_precision": (
        lambda hierarchy: (0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
        lambda value, hierarchy: {"min_precision": value},
    ),
    "max_labels": (
        lambda hierarchy: range(1, 2 * len(hierarchy.levels)),
        lambda value, hierarchy: {"thresholds": 0.0, "max_labels": value},
    ),
    "level": (
        lambda hierarchy: range(len(hierarchy.levels)),
        of_level,
    ),
}


# -- measuring -------------------------------------------------------------------------


def judge(Y, predicted, hierarchy):
    """Return how deep label sets go, and how right they are.

    Returns
    -------
    dict
        ``levels``: the number of levels down to the deepest label, on average;
        ``precision``: the share of right labels, on average over the samples that have
        any; ``answered``: the share of these samples.
    """
    depth = np.asarray(hierarchy.depth) + 1
    n_predicted = predicted.sum(axis=1)
    rows = n_predicted > 0
    right = (predicted * Y).sum(axis=1)[rows] / n_predicted[rows]
    return {
        "levels": float((predicted * depth).max(axis=1).mean()),
        "precision": float(right.mean()) if rows.any() else None,
        "answered": float(rows.mean()),
    }


def measure(name):
    """Yield the figures of every way and value on one set."""
    data = load(name)
    train, valid = split(data, "valid")
    X = SimpleImputer(keep_empty_features=True).fit(data.data[train])
    X = X.transform(data.data)
    Y = data.target.toarray().astype(int)
    forest = RandomForestClassifier(N_TREES, min_samples_leaf=5, random_state=0)
    forest = FrozenEstimator(forest.fit(X[train], Y[train]))
    hierarchy = data.hierarchy
    for way, (values, options) in WAYS.items():
        for value in values(hierarchy):
            clf = HierarchicalThresholdClassifier(
                forest, hierarchy, cv="prefit", **options(value, hierarchy)
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what cannot be promised
                clf.fit(X[valid], Y[valid])
            predicted = clf.predict(X[data.test])
            found = judge(Y[data.test], predicted, hierarchy)
            yield {"set": name, "way": way, "at": value} | found


# -- showing ---------------------------------------------------------------------------


def rows(runs):
    """Return the rows of the table."""
    return [
        [
            run["set"],
            run["way"],
            f"{run['at']:g}",
            f"{run['levels']:.2f}",
            "" if run["precision"] is None else f"{run['precision']:.3f}",
            f"{100 * run['answered']:.0f} %",
        ]
        for run in runs
    ]


def page(results):
    """Return the text of the file that the documentation includes."""
    kept = [run for run in results["runs"] if run["way"] == "min_precision"]
    title = f"What was promised, and kept: a forest of {N_TREES} trees, test rows"
    shown = [[row[0], *row[2:]] for row in rows(kept)]
    heads = ["data set", "min_precision", *HEADS[3:]]
    return include(
        "benchmarks.how_deep", [table(title, heads, shown)], results["versions"]
    )


def draw(runs, path=FIGURE):
    """Draw precision against levels, a panel per set."""
    import matplotlib
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(run["set"] for run in runs))
    figure = Figure(figsize=(3.2 * len(names), 3.6), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for ax, name in zip(axes, names, strict=True):
        for way, (marker, colour) in STYLES.items():
            here = [
                (run["levels"], run["precision"])
                for run in runs
                if (run["set"], run["way"]) == (name, way)
                and run["precision"] is not None
            ]
            style = {"marker": marker, "color": colour, "markersize": 5, "lw": 1}
            ax.plot(*zip(*here, strict=True), label=way, **style)
        ax.set_title(name)
        ax.set_xlabel("levels of the answer")
        ax.grid(color="0.9")
        ax.set_axisbelow(True)
    axes[0].set_ylabel("precision of the answer")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4
    )
    with matplotlib.rc_context({"svg.hashsalt": "skhmc", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})


def main(arguments=None):
    """Measure, or take what is stored, and write table and figure."""
    parser = command_line(__doc__)
    parser.add_argument("--stored", action="store_true", help="measures nothing")
    options = parser.parse_args(arguments)
    results = read_results(STORED)
    if not options.stored:
        results = {"versions": versions(), "runs": []}
        with threadpool_limits(1):
            for name in SETS:
                results["runs"] += measure(name)
        write_results(STORED, results)
    for row in (HEADS, *rows(results["runs"])):
        print(text_row(row, WIDTHS))
    PAGE.write_text(page(results))
    draw(results["runs"])
    print(f"Wrote {Path(STORED)}, {PAGE} and {FIGURE}")


if __name__ == "__main__":
    main()

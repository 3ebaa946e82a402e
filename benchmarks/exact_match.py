"""Exact match: label sets that are right as a whole, by several ways to answer.

Run as ``python -m benchmarks.exact_match --part valid``, then ``--choose``, then
``--part test``. HCALClassifier is fitted with its defaults, as in
``benchmarks.accuracy``; its probabilities are kept in ``--cache`` and fitted once. The
validation rows choose how much the dependence of labels counts (``--choose`` writes it
to ``benchmarks/choices.json``); the test rows are judged with that choice. Every figure
is stored in ``benchmarks/results/exact_match.json`` when it is there and not measured
again. ``--stored`` measures nothing. Real data sets are read from SKHMC_DATA_HOME.
"""

import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits

from benchmarks.accuracy_parts import results as fits
from benchmarks.accuracy_parts.rows import OURS, model_of
from benchmarks.accuracy_parts.sets import CLUS, GROUPS, KINDS, load
from benchmarks.command import DOCS, RESULTS, command_line, read_results, write_results
from benchmarks.figures import versions
from benchmarks.tables import block, include, table, text_row
from skhmc import HierarchicalThresholdClassifier
from skhmc._meta.label_sets import log_probabilities, seen_sets
from skhmc.coherence import max_constraint
from skhmc.metrics import exact_match_score, hierarchical_f1_score

__all__ = [
    "CANDIDATES",
    "CHOICES",
    "PAGE",
    "STORED",
    "WAYS",
    "chosen",
    "counted",
    "halves",
    "main",
    "page",
]

STORED = RESULTS / "exact_match.json"
CHOICES = RESULTS.parent / "choices.json"
PAGE = DOCS / "exact_match_table.inc"
CACHE = Path(tempfile.gettempdir()) / "skhmc_exact_match"
ACCURACY = RESULTS / "accuracy.json"
SINGLE = ("diatoms", "imclef07a")
MANY = tuple(name for name in CLUS if name not in SINGLE)

# in %, of SPL (Ahmed et al., NeurIPS 2022); second hand: the paper's table could not be
# read where this was written, so that the page says that they are not verified
SPL = {
    "cellcycle_FUN": 3.79,
    "eisen_FUN": 6.18,
    "gasch1_FUN": 4.65,
    "seq_FUN": 7.98,
    "enron": 8.18,
    "diatoms": 58.7,
    "imclef07a": 86.1,
}

HALF = {"thresholds": 0.5}
TUNED = {"metric": "exact_match"}
TOP_DOWN = {"strategy": "top_down", "metric": "exact_match"}
DEPENDENCES = (0.0, 0.25, 0.5, 0.75, 1.0)
SMOOTHING = (0, 1, 3, 10)  # samples more of every set


def sets(dependence):
    """Return the options that answer whole label sets."""
    return {"strategy": "set", "dependence": dependence}


WAYS = {  # options of HierarchicalThresholdClassifier; None is what there is without it
    "predict": None,
    "cut at 0.5": HALF,
    "tuned cut": TUNED,
    "cut tuned for F1": {"metric": "hierarchical_f1"},
    "top-down, 0.5": {"strategy": "top_down", **HALF},
    "top-down, tuned": TOP_DOWN,
}
# what one of is chosen: options, or what is added to the counts of sets
CANDIDATES = {f"sets, dependence {x:g}": sets(x) for x in DEPENDENCES}
CANDIDATES |= {f"sets, counts + {x}": x for x in SMOOTHING}
# what of them the test rows are judged by beside the choice
SHOWN = ("sets, dependence 0", "sets, counts + 0")


class Said(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probabilities are X."""

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.asarray(X)


# -- fits ------------------------------------------------------------------------------


def probabilities(name, part, seed, cache):
    """Return what a fit says of the rows held out: probabilities, labels, CPU s."""
    path = cache / f"{name}.{part}.{seed}.npz"
    if not path.is_file():
        cache.mkdir(exist_ok=True)
        found = _fit(load(name, part), KINDS[name], seed)
        partly = path.with_suffix(".part.npz")
        np.savez(partly, **found)
        partly.rename(path)  # there is none that is not whole
    with np.load(path) as found:
        n_labels = found["proba"].shape[1]
        predicted = np.unpackbits(found["predicted"], axis=1, count=n_labels)
        return found["proba"], predicted.astype(int), float(found["cpu_seconds"])


def _fit(data, kind, seed):
    model = model_of(OURS, kind, data.hierarchy, seed)
    start = time.process_time()
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(data.X[data.fit], data.Y[data.fit])
    X = data.X[data.held_out]
    packed = np.packbits(model.predict(X).astype(bool), axis=1)
    proba = model.predict_proba(X)
    cpu = time.process_time() - start
    return {"proba": proba, "predicted": packed, "cpu_seconds": cpu}


# -- ways to answer --------------------------------------------------------------------


def answer(options, hierarchy, proba, X, Y):
    """Return label sets by HierarchicalThresholdClassifier.

    It finds what has to be found on probabilities ``X`` and labels ``Y`` of other rows;
    of the strategy "set", Y are those of the training rows, and X is not asked for.
    """
    said = FrozenEstimator(Said())
    clf = HierarchicalThresholdClassifier(said, hierarchy, cv="prefit", **options)
    return clf.fit(X, Y).predict(proba)


def counted(proba, Y, hierarchy, more=0):
    """Return sets by their probabilities times their numbers of samples.

    This is what counts alone would do, which HierarchicalThresholdClassifier does not
    offer.
    """
    known, _ = seen_sets(Y, hierarchy)
    score = log_probabilities(max_constraint(proba, hierarchy), known.sets, hierarchy)
    best = (score + np.log(known.weight + more)).argmax(axis=1)
    return known.indicators(best).astype(int)


def halves(n):
    """Yield rows to tune on and rows to judge: every other one, then the reverse."""
    odd = np.arange(n) % 2 == 1
    yield np.flatnonzero(odd), np.flatnonzero(~odd)
    yield np.flatnonzero(~odd), np.flatnonzero(odd)


def answers(data, said, tuned_on, ways):
    """Yield the label sets of the rows held out by every way.

    Parameters
    ----------
    data : Bunch
        As ``load`` returns it.
    said : tuple
        Probabilities and predictions of the rows held out.
    tuned_on : tuple or None
        Probabilities and labels of other rows that no fit has seen. None tunes on one
        half of the rows held out and answers the other one, in turn.
    ways : dict
        What to do, by name.
    """
    hierarchy = data.hierarchy
    proba, predicted = said
    Y_fit, Y = data.Y[data.fit], data.Y[data.held_out]
    for way, options in ways.items():
        if options is None:
            yield way, predicted
        elif isinstance(options, int):
            yield way, counted(proba, Y_fit, hierarchy, options)
        elif options.get("strategy") == "set" or "thresholds" in options:
            X = np.zeros((len(Y_fit), Y.shape[1]))
            yield way, answer(options, hierarchy, proba, X, Y_fit)
        elif tuned_on is not None:
            yield way, answer(options, hierarchy, proba, *tuned_on)
        else:
            found = np.empty_like(Y)
            for tune, judge in halves(len(Y)):
                rows = proba[judge], proba[tune], Y[tune]
                found[judge] = answer(options, hierarchy, *rows)
            yield way, found


def share_seen(Y_fit, Y):
    """Return the share of rows whose label set a training row has."""
    known, rows = (np.packbits(y.astype(bool), axis=1) for y in (Y_fit, Y))
    known = {row.tobytes() for row in known}
    return float(np.mean([row.tobytes() in known for row in rows]))


def measure(name, part, seed, cache, ways):
    """Yield the figures of every way on one part of one set."""
    *said, cpu = probabilities(name, part, seed, cache)
    tuned_on = None
    if part == "test":  # thresholds are those of the validation rows
        other = load(name, "valid")
        known = probabilities(name, "valid", seed, cache)[0]
        tuned_on = known, other.Y[other.held_out]
    data = load(name, part)
    Y = data.Y[data.held_out]
    seen = share_seen(data.Y[data.fit], Y)
    for way, predicted in answers(data, said, tuned_on, ways):
        yield {
            "set": name,
            "part": part,
            "seed": seed,
            "way": way,
            "exact_match": exact_match_score(Y, predicted, data.hierarchy),
            "hierarchical_f1": hierarchical_f1_score(Y, predicted, data.hierarchy),
            "share_seen": seen,
            "fit_cpu_seconds": cpu,
        }


# -- choosing --------------------------------------------------------------------------


def means(runs, part, data_sets):
    """Return the mean exact match of every way over sets, in %: of all their seeds."""
    found = {}
    for way in dict.fromkeys(run["way"] for run in runs):
        of_sets = [figures(runs, part, name, way) for name in data_sets]
        if all(of_sets):
            found[way] = 100 * float(np.mean([np.mean(x) for x in of_sets]))
    return found


def figures(runs, part, name, way, key="exact_match"):
    """Return a figure of all seeds."""
    here = [(r["part"], r["set"], r["way"]) == (part, name, way) for r in runs]
    return [run[key] for run, is_here in zip(runs, here, strict=True) if is_here]


def measured_sets(runs, part):
    """Return the sets of many paths that have figures, in the order of the tables."""
    there = {run["set"] for run in runs if run["part"] == part}
    return [name for name in MANY if name in there]


def choose(runs):
    """Return the choice: the candidate with the highest mean, and what speaks for it.

    Over the sets of many paths whose validation rows are measured.
    """
    data_sets = measured_sets(runs, "valid")
    found = means(runs, "valid", data_sets)
    found = {way: found[way] for way in CANDIDATES if way in found}
    best = max(found, key=found.get)
    return {
        "chosen": best,
        "by": "the highest mean exact match over the validation rows of sets",
        "mean_exact_match_in_percent": {k: round(v, 3) for k, v in found.items()},
        "sets": data_sets,
        "seeds": sorted({r["seed"] for r in runs if r["part"] == "valid"}),
    }


def chosen():
    """Return the way that is chosen, or None."""
    return read_results(CHOICES).get("exact_match", {}).get("chosen")


# -- showing ---------------------------------------------------------------------------


def percent(values, bold=False):
    """Return the mean as text, with the standard deviation of a fit."""
    if not values:
        return "–"
    said = f"{100 * np.mean(values):.2f}"
    said = f"**{said}**" if bold else said
    return said + (f" ± {100 * np.std(values, ddof=1):.2f}" if len(values) > 1 else "")


def shown(part):
    """Return the ways of a table, in its order."""
    best = [chosen()] if chosen() else []
    if part == "valid":
        return [way for way in (*WAYS, *CANDIDATES) if way != "predict"]
    return list(dict.fromkeys([*WAYS, *SHOWN, *best]))


def lines(runs, part, data_sets, key="exact_match"):
    """Return a row per way, a column per set; the best of a set is bold."""
    columns = [_column(runs, part, name, key) for name in data_sets]
    rows = [[way, *(c[k] for c in columns)] for k, way in enumerate(shown(part))]
    if key == "exact_match":
        seen = [_seen(runs, part, name) for name in data_sets]
        rows.append(["rows with a set that was seen", *seen])
    return rows


def _seen(runs, part, name):
    here = [r["share_seen"] for r in runs if (r["part"], r["set"]) == (part, name)]
    return percent(here[:1])


def _column(runs, part, name, key):
    values = [figures(runs, part, name, way, key) for way in shown(part)]
    rounded = [round(100 * np.mean(x), 2) if x else 0 for x in values]
    pairs = zip(values, rounded, strict=True)
    return [percent(x, r == max(rounded) > 0) for x, r in pairs]


def with_means(rows, runs, part, data_sets):
    """Return rows with the mean over sets as their last cell."""
    found = means(runs, part, data_sets)
    return [[*row, f"{found[row[0]]:.2f}" if row[0] in found else "–"] for row in rows]


def groups(data_sets):
    """Yield the sets of every group that are among some sets."""
    for group, names in GROUPS.items():
        here = [name for name in names if name in data_sets]
        if here:
            yield group, here


def said_of(runs):
    """Return what the test figures say, in a sentence."""
    data_sets = measured_sets(runs, "test")
    best, half = chosen(), "cut at 0.5"
    if best is None or not data_sets:
        return "Nothing is measured yet.\n"
    pairs = [
        [np.mean(figures(runs, "test", name, way)) for way in (best, half)]
        for name in data_sets
    ]
    above = sum(a > b for a, b in pairs)
    gain = 100 * np.mean([a - b for a, b in pairs])
    left = [name for name in MANY if name not in data_sets]
    lacking = f" Not measured yet: {', '.join(left)}." if left else ""
    return (
        f"On the test rows, “{best}” is above the cut at 0.5 on {above} of "
        f"{len(data_sets)} sets of many paths, by {gain:+.2f} points of exact match on "
        f"average.{lacking}\n"
    )


def accuracy_table(runs):
    """Return exact match and hierarchical F1 of HCALClassifier, beside SPL."""
    heads = ["data set", "seeds", "exact match", "with sets", "SPL, not verified"]
    heads += ["hierarchical F1", "with sets"]
    rows = []
    for name in (*MANY, *SINGLE):
        seeds = figures(runs, "test", name, "predict")
        if not seeds:
            continue
        cells = [
            percent(figures(runs, "test", name, way, key)) if way else "–"
            for key in ("exact_match", "hierarchical_f1")
            for way in ("predict", chosen())
        ]
        spl = f"{SPL[name]:.2f}" if name in SPL else "–"
        rows.append([name, str(len(seeds)), *cells[:2], spl, *cells[2:]])
    return table(f"{OURS}, test rows, in %", heads, rows)


def rows_table(runs):
    """Return exact match of all rows of benchmarks.accuracy whose fits have it.

    Those of single paths have it as ``path``; others only if they were made since
    ``exact_match`` is measured.
    """
    found = {}
    for run in runs:
        value = run.get("exact_match", run.get("path"))
        if value is not None:
            found.setdefault((run["row"], run["data_set"]), []).append(value)
    rows = dict.fromkeys(row for row, _ in found)
    names = [name for name in KINDS if any(name == x for _, x in found)]
    cells = [[row, *(percent(found.get((row, x), [])) for x in names)] for row in rows]
    spl = [f"{SPL[name]:.2f}" if name in SPL else "–" for name in names]
    cells.append(["SPL, not verified", *spl])
    return table("Exact match in %, all estimators, test rows", ["", *names], cells)


def page(results):
    """Return the text of the file that the documentation includes."""
    runs = results["runs"]
    valid = measured_sets(runs, "valid")
    test = measured_sets(runs, "test")
    title = "Exact match in %, validation rows"
    rows = with_means(lines(runs, "valid", valid), runs, "valid", valid)
    choice = table(title, ["", *valid, "mean"], rows)
    tables = [said_of(runs)]
    for group, names in groups(test):
        title = f"Exact match in %, test rows: {group}"
        tables.append(table(title, ["", *names], lines(runs, "test", names)))
    f1 = lines(runs, "test", test, "hierarchical_f1")
    blocks = {
        "choice": [choice],
        "test": tables,
        "f1": [table("Hierarchical F1 in %, the same test rows", ["", *test], f1)],
        "accuracy": [accuracy_table(runs)],
        "rows": [rows_table(fits.read(ACCURACY)["runs"])],
    }
    texts = [block(*pair) for pair in blocks.items()]
    return include("benchmarks.exact_match", texts, results["versions"])


# -- the command -----------------------------------------------------------------------


def parse(arguments=None):
    """Return the options."""
    parser = command_line(__doc__)
    parser.add_argument("--part", choices=["valid", "test"])
    parser.add_argument("--data-set", choices=[*MANY, *SINGLE], action="append")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"default: {CACHE}")
    parser.add_argument("--cached", action="store_true", help="makes no new fit")
    parser.add_argument("--choose", action="store_true", help="by what is measured")
    parser.add_argument("--stored", action="store_true", help="measures nothing")
    return parser.parse_args(arguments)


def run(options, results):
    """Measure what is not there yet, and store it."""
    if options.part == "test" and chosen() is None:
        raise SystemExit("Choose first: --part valid, then --choose.")
    ways = {way: (WAYS | CANDIDATES)[way] for way in shown(options.part)}
    for seed in range(options.seeds):
        for name in options.data_set or (*MANY, *SINGLE):
            here = (name, options.part, seed)
            done = {(r["set"], r["part"], r["seed"], r["way"]) for r in results["runs"]}
            left = {way: o for way, o in ways.items() if (*here, way) not in done}
            parts = ("valid", "test")[: 1 + (options.part == "test")]
            files = [options.cache / f"{name}.{part}.{seed}.npz" for part in parts]
            if not left or (options.cached and not all(f.is_file() for f in files)):
                continue
            results["runs"] += measure(*here, options.cache, left)
            results["versions"] = versions()
            write_results(STORED, results)
            print(*here, flush=True)


def main(arguments=None):
    """Measure, or take what is stored, and write the tables."""
    options = parse(arguments)
    results = {"versions": versions(), "runs": []} | read_results(STORED)
    if options.part and not options.stored:
        torch.set_num_threads(1)
        with threadpool_limits(1):
            run(options, results)
    if options.choose:
        choices = read_results(CHOICES) | {"exact_match": choose(results["runs"])}
        write_results(CHOICES, choices)
    for part in ("valid", "test"):
        names = [*measured_sets(results["runs"], part), *SINGLE]
        widths = (30, *(-max(15, len(name)) for name in names))
        for row in ([part, *names], *lines(results["runs"], part, names)):
            print(text_row(row, widths))
    PAGE.write_text(page(results))
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()

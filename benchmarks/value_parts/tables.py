"""The tables of benchmarks.hierarchy_value; what is not measured yet is a dash."""

import numpy as np

from benchmarks.accuracy_parts.rows import OURS
from benchmarks.tables import table
from benchmarks.value_parts.conditions import CONDITIONS
from benchmarks.value_parts.jobs import MEASURES, ROWS, SETS

__all__ = ["differences", "gather", "mean_table", "of_condition", "pair_table"]

MISSING = "–"
HEADS = {
    "micro": "micro",
    "macro": "macro",
    "1-10": "1–10 positives",
    "11-50": "11–50",
    "> 50": "more",
}
PLAIN = "MaxConstraintClassifier"
PAIRS = (  # what the parts of a hierarchy-aware classifier add, one after the other
    (OURS, PLAIN),
    (PLAIN, "flat MLP + closing"),
    ("HyperbolicHMC", PLAIN),
)


def gather(runs, said="closed"):
    """Return {(estimator, condition, data set): {seed: scores}}."""
    found = {}
    for run in runs:
        estimator, condition = run["row"].split(" | ")
        cell = found.setdefault((estimator, condition, run["data_set"]), {})
        cell[run["seed"]] = run["scores"][said]
    return found


def of_condition(cells, condition):
    """Return the table of one condition: data sets, estimators and measures."""
    lines = []
    for data_set in SETS:
        made = {row: cells.get((row, condition, data_set), {}) for row in ROWS}
        values = {
            row: [mean_of(seeds, measure) for measure in MEASURES]
            for row, seeds in made.items()
        }
        best = [best_of([values[row][k] for row in ROWS]) for k in range(len(MEASURES))]
        for row in ROWS:
            if made[row]:
                said = [cell(x, top) for x, top in zip(values[row], best, strict=True)]
                lines.append([data_set, row, len(made[row]), *said])
    title = f"AU(PRC) of validation rows: {CONDITIONS[condition].said}"
    return table(title, ["data set", "", "seeds", *HEADS.values()], lines)


def mean_of(seeds, measure):
    """Return the mean of a measure over seeds, or None."""
    found = [
        scores[measure] for scores in seeds.values() if scores[measure] is not None
    ]
    return float(np.mean(found)) if found else None


def best_of(values):
    """Return the highest value as it is printed."""
    return max((round(x, 3) for x in values if x is not None), default=None)


def cell(value, best=None):
    """Return a score as text, in bold type where it is the best."""
    if value is None:
        return MISSING
    said = f"{value:.3f}"
    return f"**{said}**" if round(value, 3) == best else said


# -- over data sets --------------------------------------------------------------------


def mean_table(cells):
    """Return means over the data sets that all estimators have, by condition."""
    lines = []
    for condition, (said, _) in CONDITIONS.items():
        sets = complete(cells, condition, ROWS)
        values = {
            row: [
                mean_over_sets(cells, row, condition, sets, measure)
                for measure in MEASURES
            ]
            for row in ROWS
        }
        best = [best_of([values[row][k] for row in ROWS]) for k in range(len(MEASURES))]
        for row in ROWS:
            shown = [cell(x, top) for x, top in zip(values[row], best, strict=True)]
            lines.append([said, row, len(sets), *shown])
    heads = ["given", "", "data sets", *HEADS.values()]
    return table("AU(PRC) of validation rows, means over data sets", heads, lines)


def complete(cells, condition, rows):
    """Return the data sets of which there are all rows."""
    return [s for s in SETS if all((row, condition, s) in cells for row in rows)]


def mean_over_sets(cells, row, condition, sets, measure):
    """Return the mean over data sets of the means over seeds, or None."""
    found = [mean_of(cells[row, condition, name], measure) for name in sets]
    found = [value for value in found if value is not None]
    return float(np.mean(found)) if found else None


def differences(cells, condition, pair, measure):
    """Return the differences of two rows by data set, of the seeds that both have."""
    found = {}
    for data_set in SETS:
        one, other = (cells.get((row, condition, data_set), {}) for row in pair)
        pairs = [
            (one[seed][measure], other[seed][measure]) for seed in one if seed in other
        ]
        gains = [a - b for a, b in pairs if a is not None and b is not None]
        if gains:
            found[data_set] = float(np.mean(gains))
    return found


def pair_table(cells, pairs=PAIRS):
    """Return mean differences of pairs of rows, and on how many sets one is above."""
    lines = []
    for condition, (said, _) in CONDITIONS.items():
        for pair in pairs:
            line = [said, f"{pair[0]} over {pair[1]}"]
            for measure in MEASURES:
                gains = list(differences(cells, condition, pair, measure).values())
                line.append(gain_said(gains))
            lines.append(line)
    title = "Differences of AU(PRC): mean, and data sets above of all"
    return table(title, ["given", "", *HEADS.values()], lines)


def gain_said(gains):
    """Return a mean difference, and how many are above 0 of how many."""
    if not gains:
        return MISSING
    above = sum(gain > 0 for gain in gains)
    return f"{np.mean(gains):+.3f} ({above} of {len(gains)})"

"""The tables of benchmarks.hierarchy_value; what is not measured yet is a dash."""

from collections import Counter

import numpy as np

from benchmarks.accuracy_parts.rows import OURS
from benchmarks.accuracy_parts.sets import CLUS, SINGLE_PATH
from benchmarks.tables import table
from benchmarks.value_parts.conditions import CONDITIONS
from benchmarks.value_parts.jobs import (
    AFTER,
    ALL_SETS,
    IDEAS,
    MEASURES,
    REST,
    ROWS,
    SETS,
    SHRUNK,
    jobs_of,
)

__all__ = [
    "after_table",
    "against_table",
    "choice",
    "closing_table",
    "confirm_tables",
    "cost_table",
    "gather",
    "idea_table",
    "mean_table",
    "of_condition",
    "pair_table",
    "said_of_runs",
]

MISSING = "–"
HEADS = {
    "micro": "micro",
    "macro": "macro",
    "1-10": "1–10 positives",
    "11-50": "11–50",
    "> 50": "more",
}
PLAIN, FLAT = "MaxConstraintClassifier", "flat MLP + closing"
PAIRS = ((OURS, PLAIN), (PLAIN, FLAT), (OURS, FLAT), ("HyperbolicHMC", PLAIN))


def gather(runs, said="closed"):
    """Return {(row, condition, data set): {seed: scores}}.

    ``said`` is how probabilities were made coherent; runs without that are left out.
    """
    found = {}
    for run in runs:
        if said in run["scores"]:
            row, condition = run["row"].split(" | ")
            cell = found.setdefault((row, condition, run["data_set"]), {})
            cell[run["seed"]] = run["scores"][said]
    return found


# -- figures ---------------------------------------------------------------------------


def mean_or_none(values):
    """Return the mean of what there is."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None


def of_seeds(seeds, measure):
    """Return the mean of a measure over seeds, or None."""
    return mean_or_none(scores[measure] for scores in seeds.values())


def gains_of(one, other, measure):
    """Return the differences of two rows by data set, of the seeds that both have.

    ``one`` and ``other`` are {data set: {seed: scores}}.
    """
    found = {}
    for data_set in one:
        a, b = one.get(data_set, {}), other.get(data_set, {})
        pairs = [(a[seed][measure], b[seed][measure]) for seed in a if seed in b]
        gains = [x - y for x, y in pairs if x is not None and y is not None]
        if gains:
            found[data_set] = float(np.mean(gains))
    return found


def of_row(cells, row, condition, sets=SETS):
    """Return {data set: {seed: scores}} of one row under one condition."""
    return {
        name: cells[row, condition, name]
        for name in sets
        if (row, condition, name) in cells
    }


# -- cells -----------------------------------------------------------------------------


def best_of(values):
    """Return the highest value as it is printed."""
    return max((round(x, 3) for x in values if x is not None), default=None)


def score_said(value, best=None):
    """Return a score as text, in bold type where it is the best."""
    if value is None:
        return MISSING
    said = f"{value:.3f}"
    return f"**{said}**" if round(value, 3) == best else said


def with_best(values_of_rows):
    """Return scores as text, those of a row in a list; the best of a column is bold."""
    best = [best_of(column) for column in zip(*values_of_rows, strict=True)]
    return [
        [score_said(value, top) for value, top in zip(values, best, strict=True)]
        for values in values_of_rows
    ]


def gains_said(one, other):
    """Return mean differences, and on how many data sets they are above 0, as text."""
    said = []
    for measure in MEASURES:
        gains = list(gains_of(one, other, measure).values())
        above = sum(gain > 0 for gain in gains)
        mean = f"{np.mean(gains):+.4f} ({above} of {len(gains)})" if gains else MISSING
        said.append(mean)
    return said


# -- tables ----------------------------------------------------------------------------


def said_of_runs(runs, places):
    """Return how many fits there are, what they took, and where they were made."""
    hours = sum(run["cpu_seconds"] for run in runs) / 3600
    said = (
        f"{len(runs)} of {len(jobs_of())} planned fits are in these tables; they took "
        f"{hours:.1f} hours of processor time.\n"
    )
    for k, number in sorted(Counter(run["environment"] for run in runs).items()):
        parts = [places[k]["cpu"], f"{places[k]['cores']} cores"]
        parts += [f"{name} {x}" for name, x in places[k]["versions"].items()]
        said += f"{number} were made on {', '.join(parts)}.\n"
    return said


def mean_table(runs):
    """Return means over the data sets that all rows with a fit have, by condition."""
    cells, lines = gather(runs), []
    for condition, (said, _) in CONDITIONS.items():
        of_rows = [of_row(cells, row, condition) for row in ROWS]
        there = [found for found in of_rows if found]
        sets = [name for name in SETS if all(name in found for found in there)]
        means = [
            [
                mean_or_none(of_seeds(found.get(n, {}), measure) for n in sets)
                for measure in MEASURES
            ]
            for found in of_rows
        ]
        for row, shown in zip(ROWS, with_best(means), strict=True):
            lines.append([said, row, len(sets), *shown])
    heads = ["given", "", "data sets", *HEADS.values()]
    return table("AU(PRC) of validation rows, means over data sets", heads, lines)


def of_condition(runs, condition):
    """Return the table of one condition, data set by data set."""
    cells, lines = gather(runs), []
    for data_set in ALL_SETS:
        found = {row: cells.get((row, condition, data_set), {}) for row in ROWS}
        found = {row: seeds for row, seeds in found.items() if seeds}
        means = [[of_seeds(x, measure) for measure in MEASURES] for x in found.values()]
        for (row, seeds), shown in zip(found.items(), with_best(means), strict=True):
            lines.append([data_set, row, len(seeds), *shown])
    title = f"AU(PRC) of validation rows: {CONDITIONS[condition].said}"
    return table(title, ["data set", "", "seeds", *HEADS.values()], lines)


def pair_table(runs):
    """Return by how much one row is above another."""
    cells = gather(runs)
    lines = [
        [said, f"{one} over {other}"]
        + gains_said(of_row(cells, one, condition), of_row(cells, other, condition))
        for condition, (said, _) in CONDITIONS.items()
        for one, other in PAIRS
    ]
    title = "Differences: mean, and on how many data sets they are above 0"
    return table(title, ["given", "", *HEADS.values()], lines)


def cost_table(runs):
    """Return what hidden positives and a wrong hierarchy change."""
    cells = gather(runs)
    lines = [
        [CONDITIONS[condition].said, row]
        + gains_said(of_row(cells, row, condition), of_row(cells, row, "all"))
        for condition in ("hidden", "moved")
        for row in ROWS
    ]
    title = "Differences from fits to all rows with the right hierarchy"
    return table(title, ["given", "", *HEADS.values()], lines)


def closing_table(runs):
    """Return what it changes that probabilities are made coherent."""
    closed, raw = gather(runs), gather(runs, "raw")
    lines = [
        [said, row]
        + gains_said(of_row(closed, row, condition), of_row(raw, row, condition))
        for condition, (said, _) in CONDITIONS.items()
        for row in ROWS
    ]
    title = "Differences from the same fits before their probabilities are closed"
    return table(title, ["given", "", *HEADS.values()], lines)


def after_table(runs):
    """Return what steps after the fit change."""
    closed, lines = gather(runs), []
    for row in SHRUNK:
        for condition, (said, _) in CONDITIONS.items():
            for step in AFTER:
                after = of_row(gather(runs, step), row, condition)
                gains = gains_said(after, of_row(closed, row, condition))
                lines.append([row, said, step, *gains])
    title = "After the fit: differences from the same fits without the step"
    return table(title, ["", "given", "step", *HEADS.values()], lines)


def against_table(runs):
    """Return by how much our row, after a step, is above the plain one without."""
    closed, lines = gather(runs), []
    for condition, (said, _) in CONDITIONS.items():
        plain = of_row(closed, PLAIN, condition)
        for step in AFTER:
            after = of_row(gather(runs, step), OURS, condition)
            lines.append([said, step, *gains_said(after, plain)])
    title = f"{OURS} after a step: differences from {PLAIN} without one"
    return table(title, ["given", "step", *HEADS.values()], lines)


def idea_table(runs):
    """Return what ideas change that are part of the training."""
    cells = gather(runs)
    usual = of_row(cells, OURS, "all")
    lines = [
        [name, len(found := of_row(cells, name, "all")), *gains_said(found, usual)]
        for name in IDEAS
    ]
    title = f"In training: differences from {OURS} of the same seed"
    return table(title, ["", "data sets", *HEADS.values()], lines)


def confirm_tables(runs):
    """Return what the sets say that had no part in the choice of the step.

    The first table has the differences of single sets, with all rows and the right
    hierarchy; the second the means over several sets.
    """
    pairs = confirmed_pairs(runs)
    return [table_of_single_sets(pairs), table_of_groups(pairs)]


def confirmed_pairs(runs):
    """Return {what is compared: its two sides}, of the Clus sets with all rows.

    A side is {data set: {seed: scores}}.
    """
    closed = gather(runs)
    ours = of_row(closed, OURS, "all", CLUS)
    plain = of_row(closed, PLAIN, "all", CLUS)
    pairs = {f"{OURS} over {PLAIN}": (ours, plain)}
    step = choice(runs)["candidate"]
    if step is not None:
        shrunk = of_row(gather(runs, step), OURS, "all", CLUS)
        pairs[f"{OURS}, {step}, over {PLAIN}"] = shrunk, plain
        pairs[f"{OURS}, {step}, over {OURS}"] = shrunk, ours
    return pairs


def table_of_single_sets(pairs):
    """Return the differences on each set that was run only to confirm."""
    lines = []
    for data_set in REST:
        for compared, (one, other) in pairs.items():
            said = [difference_said(one, other, data_set, m) for m in MEASURES]
            lines.append([data_set, compared, *said])
    title = "Differences on sets that were run only to confirm"
    return table(title, ["data set", "", *HEADS.values()], lines)


def table_of_groups(pairs):
    """Return mean differences over groups of sets.

    In "no single paths" a sample may have any number of labels per level.
    """
    groups = {
        "only to confirm": REST,
        "all of Clus": CLUS,
        "no single paths": [name for name in CLUS if name not in SINGLE_PATH],
    }
    lines = []
    for group, names in groups.items():
        for compared, (one, other) in pairs.items():
            of_group = {name: one[name] for name in names if name in one}
            lines.append([group, compared, *gains_said(of_group, other)])
    title = "Their means, and those of all Clus sets"
    return table(title, ["data sets", "", *HEADS.values()], lines)


def difference_said(one, other, name, measure):
    """Return the mean difference over seeds on one data set as text."""
    found = gains_of({name: one.get(name, {})}, other, measure)
    return f"{found[name]:+.4f}" if found else MISSING


# -- the choice ------------------------------------------------------------------------


def choice(runs):
    """Return the step after the fit that is best for rare labels, and its figures.

    Of the steps towards the parents, the one with the highest mean macro AU(PRC) over
    data sets and the conditions with the right hierarchy and all labels, among those
    that lower the mean micro or macro AU(PRC) under neither condition.
    """
    conditions, figures = ("all", "few"), {}
    for step in AFTER:
        found = figures[step] = {}
        for condition in conditions:
            after = of_row(gather(runs, step), OURS, condition)
            usual = of_row(gather(runs), OURS, condition)
            found[condition] = {
                measure: mean_or_none(gains_of(after, usual, measure).values())
                for measure in MEASURES
            }
    steps = [
        step
        for step in figures
        if "parents" in step
        and all(
            (figures[step][c][measure] or 0) >= 0
            for c in conditions
            for measure in ("micro", "macro")
        )
    ]
    best = max(
        steps,
        key=lambda step: sum(figures[step][c]["macro"] or 0 for c in conditions),
        default=None,
    )
    done = {c: sorted(of_row(gather(runs), OURS, c)) for c in conditions}
    return {
        "candidate": best,
        "by": (
            "the highest mean gain of macro AU(PRC) on validation rows, of those "
            "that lower the mean micro or macro AU(PRC) under neither condition; no "
            "default yet"
        ),
        "gains": {
            step: {
                condition: {
                    k: x if x is None else round(x, 5) for k, x in gains.items()
                }
                for condition, gains in found.items()
            }
            for step, found in figures.items()
        },
        "sets": done,
        "seeds": sorted({run["seed"] for run in runs}),
    }

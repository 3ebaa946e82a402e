"""The tables of benchmarks.ablation; what is not measured yet is a dash."""

import numpy as np
from scipy.stats import t as student

from benchmarks.ablation_parts.differences import (
    deviations,
    differences,
    over_sets,
    paired,
)
from benchmarks.ablation_parts.variants import (
    CHANGES,
    DEFAULTS,
    GROUPS,
    ROWS,
    SEEDS,
    SETS,
    changes_nothing,
    said_changes,
    sets_of,
)
from benchmarks.accuracy_parts import tables as accuracy_tables
from benchmarks.accuracy_parts.sets import GROUPS as SET_GROUPS
from benchmarks.accuracy_parts.sets import SINGLE_PATH
from benchmarks.accuracy_parts.tables import MISSING, number, spread
from benchmarks.tables import table

__all__ = [
    "change_table",
    "defaults_table",
    "group_table",
    "leaf_table",
    "seconds_table",
    "summary",
]

SAME = "same"
PATHS = [name for name in SETS if name in SINGLE_PATH]
MEANS = {  # data sets of the columns of means
    "FunCat": [x for x in SET_GROUPS["FunCat"] if x in SETS],
    "GO": [x for x in SET_GROUPS["Gene Ontology"] if x in SETS],
    "many paths": [x for x in SETS if x not in PATHS],
    "single paths": PATHS,
}
COLUMNS = [*MEANS["FunCat"], *MEANS["GO"], *PATHS]
COLUMNS += [name for name in SETS if name not in COLUMNS]


# -- cells -----------------------------------------------------------------------------


def thousandths(value):
    """Return a difference in units of .001."""
    return f"{round(1000 * value, 1) + 0.0:+.1f}"  # there is no -0.0


def difference_cell(found, variant, data_set):
    """Return the mean difference on a data set, and of how few seeds."""
    if changes_nothing(variant, data_set):
        return SAME
    if data_set not in found:
        return MISSING
    few = len(found[data_set]) < SEEDS
    said = f" ({len(found[data_set])} of {SEEDS} seeds)" if few else ""
    return thousandths(found[data_set].mean()) + said


def spread_of(mean, error):
    """Return a mean difference and its standard error, where there is one."""
    if mean is None:
        return MISSING
    return thousandths(mean) + ("" if error is None else f" ± {1000 * error:.1f}")


def changed_sets(variant, names):
    """Return the data sets that a variant is fitted to and changes anything for."""
    return [
        x for x in names if x in sets_of(variant) and not changes_nothing(variant, x)
    ]


def mean_cell(found, variant, names):
    """Return the mean difference over data sets and its standard error."""
    said = spread_of(*over_sets(found, changed_sets(variant, names)))
    return over_known(found, variant, names, lambda _: said)


def over_known(found, variant, names, say):
    """Return the mean over data sets as text, and over how many where some lack.

    Data sets for which a variant changes nothing are left out.
    """
    changed = changed_sets(variant, names)
    if not changed and set(names) & set(sets_of(variant)):
        return SAME
    means = {name: np.mean(found[name]) for name in changed if name in found}
    return accuracy_tables.over_sets(means, names, say)


def wins(found, variant):
    """Return on how many data sets a variant is better as it is printed.

    Of those for which it changes anything.
    """
    means = [x.mean() for n, x in found.items() if not changes_nothing(variant, n)]
    better = [mean for mean in means if float(thousandths(mean)) > 0]
    return f"{len(better)} of {len(means)}" if means else MISSING


# -- tables of differences -------------------------------------------------------------


def group_table(cells, group):
    """Return the differences of AU(PRC) of a group of variants."""
    heads = [f"{name}, {len(sets)} sets" for name, sets in MEANS.items()]
    lines = _difference_lines(cells, "au_prc", GROUPS[group], COLUMNS, MEANS)
    title = f"{group}: AU(PRC) less that of the defaults, in units of .001"
    return table(title, ["", *COLUMNS, *heads, "better on"], lines)


def leaf_table(cells):
    """Return the differences of leaf accuracy of all variants."""
    names = [name for name in CHANGES if name != DEFAULTS]
    lines = _difference_lines(cells, "leaf", names, PATHS, {"mean": PATHS})
    title = "Leaf accuracy less that of the defaults, in units of .001"
    return table(title, ["", *PATHS, "mean", "better on"], lines)


def _difference_lines(cells, key, variants, columns, means):
    """Return a line per variant, below one of the deviations of the defaults."""
    sds = deviations(cells, key)
    line = ["standard deviation of the defaults"]
    line += [f"{1000 * sds[x]:.1f}" if x in sds else MISSING for x in columns]
    for names in means.values():
        parts = [sds[name] for name in names if name in sds]
        whole = len(parts) == len(names)
        said = 1000 * np.linalg.norm(parts) / len(names) if whole else None
        line.append(MISSING if said is None else f"{said:.1f}")
    lines = [[*line, ""]]
    for variant in variants:
        found = differences(cells, variant, key)
        found = {name: x for name, x in found.items() if name in columns}
        line = [variant, *(difference_cell(found, variant, x) for x in columns)]
        line += [mean_cell(found, variant, names) for names in means.values()]
        lines.append([*line, wins(found, variant)])
    return lines


# -- other tables ----------------------------------------------------------------------


def change_table():
    """Return what every variant changes."""
    lines = [
        [group, name, said_changes(name)] for group in GROUPS for name in GROUPS[group]
    ]
    return table("The variants", ["group", "variant", "parameters"], lines)


def defaults_table(cells):
    """Return the scores of the defaults."""
    lines = []
    for name in COLUMNS:
        runs = list(cells.get((DEFAULTS, name), {}).values())
        line = [name, f"{len(runs)} of {SEEDS}" if len(runs) < SEEDS else len(runs)]
        for key in ("au_prc", "leaf"):
            values = [run[key] for run in runs if run.get(key) is not None]
            line.append(spread(values))
        for key, say in (("hvr_raw", number), ("hvr", number), ("cpu_seconds", round)):
            values = [run[key] for run in runs if run[key] is not None]
            line.append(say(np.mean(values)) if values else MISSING)
        lines.append(line)
    heads = ["", "seeds", "AU(PRC)", "leaf", "HVR raw", "HVR final", "CPU s"]
    return table("The defaults on validation rows", heads, lines)


def seconds_table(cells):
    """Return how many times as long as the defaults a variant takes to fit."""
    lines = []
    for variant in ROWS:
        if variant != DEFAULTS:
            pairs = paired(cells, variant, "cpu_seconds")
            logs = {n: np.log(a.mean() / b.mean()) for n, (a, b) in pairs.items()}
            said = [
                over_known(logs, variant, names, lambda x: f"{np.exp(x):.2f}")
                for names in MEANS.values()
            ]
            lines.append([variant, *said])
    heads = [f"{name}, {len(sets)} sets" for name, sets in MEANS.items()]
    title = "Processor time of a fit, relative to the defaults: geometric means"
    return table(title, ["", *heads], lines)


# -- in words --------------------------------------------------------------------------

CONFIDENCE = 0.95  # two-sided


def summary(cells):
    """Return what variants gain and lose, on many paths and on single paths."""
    many, single = _of_many_paths(cells), _of_single_paths(cells)
    parts = ["On data sets of many paths, on average:\n", *many, ""]
    parts += [f"On {' / '.join(f'``{x}``' for x in PATHS)}, of single paths:\n", single]
    return "\n".join(parts) + "\n"


def _of_many_paths(cells):
    """Return which variants are better, worse or neither on average, as a list."""
    kinds = {"Worse than the defaults": [], "Better than the defaults": []}
    kinds |= {"Neither": [], "Not fitted to all data sets yet": []}
    for variant in CHANGES:
        names = changed_sets(variant, MEANS["many paths"])
        if variant != DEFAULTS and names:
            kind, mean, said = _verdict(cells, variant, names)
            kinds[kind].append((mean, said))
    return [
        f"- {kind}: {', '.join(said for _, said in sorted(found))}."
        for kind, found in kinds.items()
        if found
    ]


def _verdict(cells, variant, names):
    """Return the kind of a variant, its mean difference and both in words."""
    found = differences(cells, variant)
    mean, error = over_sets(found, names)
    if len(found.keys() & set(names)) < len(names):
        return "Not fitted to all data sets yet", 0, variant
    said = f"{variant} ({spread_of(mean, error)})"
    if abs(mean) <= error * student.ppf((1 + CONFIDENCE) / 2, len(names) - 1):
        return "Neither", mean, said
    return f"{'Better' if mean > 0 else 'Worse'} than the defaults", mean, said


def _of_single_paths(cells):
    """Return the differences on each data set, where a variant has both, as a line."""
    said = []
    for variant in CHANGES:
        found, names = differences(cells, variant), changed_sets(variant, PATHS)
        if variant != DEFAULTS and names and found.keys() >= set(names):
            means = [found[name].mean() if name in names else 0 for name in PATHS]
            said.append((-np.mean(means), variant, " / ".join(map(thousandths, means))))
    lines = [f"{variant} ({text})" for _, variant, text in sorted(said)]
    return f"- {', '.join(lines) or 'not fitted yet'}."

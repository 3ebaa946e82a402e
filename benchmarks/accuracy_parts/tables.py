"""The tables of benchmarks.accuracy; what is not measured yet is a dash."""

import numpy as np

from benchmarks.accuracy_parts.rows import PARTS, ROWS, SEEDS, n_seeds
from benchmarks.accuracy_parts.sets import CLUS, GROUPS, PUBLISHED, SINGLE_PATH
from benchmarks.tables import markdown, table

__all__ = [
    "au_prc_tables",
    "gather",
    "hvr_table",
    "mean_table",
    "over_seeds",
    "path_tables",
    "readme_table",
    "seconds_table",
]

MISSING = "–"
CLUS_ROWS = PARTS["clus"][1]
IN_README = (
    "HCALClassifier",
    "recommended blend",
    "MaxConstraintClassifier",
    "flat MLP + closing",
    "random forest",
    "C-HMCNN(h)",
)
SCORED = tuple(next(iter(PUBLISHED.values())))  # data sets with published figures


def gather(runs):
    """Return {(row, data set): runs}."""
    found = {}
    for run in runs:
        found.setdefault((run["row"], run["data_set"]), []).append(run)
    return found


def scores(cells, row, data_set, read=lambda run: run["au_prc"]):
    """Return what is read of the runs of a cell, where there is something."""
    found = [read(run) for run in cells.get((row, data_set), [])]
    return [value for value in found if value is not None]


def over_seeds(cells, row, key="au_prc"):
    """Return the mean over seeds of every data set that a row has figures of.

    ``row`` may also be a published method, of which there is AU(PRC) only.
    """
    means = dict(PUBLISHED.get(row, {})) if key == "au_prc" else {}
    for (name, data_set), runs in cells.items():
        values = [run[key] for run in runs if run.get(key) is not None]
        if name == row and values:
            means[data_set] = float(np.mean(values))
    return means


# -- cells -----------------------------------------------------------------------------


def number(value):
    """Return a score as text; 0 is said where it is exact."""
    return "0" if value == 0 else f"{value:.3f}"


def spread(values, bold=False):
    """Return the mean of scores and their standard deviation."""
    if not len(values):
        return MISSING
    mean = number(np.mean(values))
    mean = f"**{mean}**" if bold else mean
    return mean + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def seeds_said(row, data_set, n_runs):
    """Return how many seeds a cell has where they are not as many as the row's."""
    planned = n_seeds(row, data_set)
    if not n_runs or n_runs == planned == SEEDS[row]:
        return ""
    if n_runs < planned:
        return f" ({n_runs} of {planned})"
    return f" ({n_runs} seed{'s' if n_runs > 1 else ''})"


def best_of(columns):
    """Return the positions of the highest mean as it is printed; several on a tie."""
    means = [round(float(np.mean(c)), 3) if len(c) else -np.inf for c in columns]
    top = max(means, default=-np.inf)
    return {k for k, mean in enumerate(means) if mean == top > -np.inf}


def column(values):
    """Return the cells of several rows, of the scores of each; the best one bold."""
    best = best_of(values)
    return [spread(found, k in best) for k, found in enumerate(values)]


def over_sets(means, data_sets, say=number):
    """Return the mean over data sets as text, and over how many where some lack."""
    found = [means[name] for name in data_sets if name in means]
    if not found:
        return MISSING
    lacking = f" ({len(found)} of {len(data_sets)})"
    return say(np.mean(found)) + (lacking if len(found) < len(data_sets) else "")


# -- the Clus sets ---------------------------------------------------------------------


def au_prc_tables(cells):
    """Return a table per group of data sets, published figures below."""
    made = []
    for group, data_sets in GROUPS.items():
        columns = [_au_prc_column(cells, name) for name in data_sets]
        names = [*CLUS_ROWS, *(f"{name}, published" for name in PUBLISHED)]
        lines = list(zip(names, *columns, strict=True))
        made.append(table(f"AU(PRC): {group}", ["", *data_sets], lines))
    return made


def _au_prc_column(cells, data_set):
    values = [scores(cells, row, data_set) for row in CLUS_ROWS]
    values += [[x[data_set]] if data_set in x else [] for x in PUBLISHED.values()]
    said = column(values)
    for k, row in enumerate(CLUS_ROWS):
        said[k] += seeds_said(row, data_set, len(values[k]))
    return said


def mean_table(cells):
    """Return the means over data sets with published figures, and HVR beside them."""
    groups = {
        name: [x for x in names if x in SCORED] for name, names in GROUPS.items()
    } | {"all": SCORED}
    heads = ["", "seeds", *(f"{n}, {len(x)} sets" for n, x in groups.items())]
    lines = []
    for row in (*CLUS_ROWS, *PUBLISHED):
        means = over_seeds(cells, row)
        cut = [over_sets(means, names) for names in groups.values()]
        hvr = [over_sets(over_seeds(cells, row, k), CLUS) for k in ("hvr_raw", "hvr")]
        said = row if row in SEEDS else f"{row}, published"
        lines.append([said, _seeds_in_means(cells, row)])
        lines[-1] += [*cut, *hvr]
    title = "AU(PRC), mean over data sets with published figures; HVR, mean over all"
    return table(title, [*heads, "HVR raw", "HVR final"], lines)


def readme_table(cells):
    """Return the means by kind of data in Markdown, for README.md."""
    kinds = {
        f"genes, {name}": [x for x in GROUPS[name] if x in SCORED]
        for name in ("FunCat", "Gene Ontology")
    } | {"e-mails": ["enron"], "images": ["diatoms", "imclef07a"]}
    heads = [f"{name} ({len(sets)})" for name, sets in kinds.items()]
    lines = []
    for row in IN_README:
        means = over_seeds(cells, row)
        said = f"{row}, as published" if row in PUBLISHED else row
        lines.append([said, *(over_sets(means, sets) for sets in kinds.values())])
    return markdown(["AU(PRC), mean (number of data sets)", *heads], lines)


def _seeds_in_means(cells, row):
    """Return how many seeds the data sets have whose means are averaged."""
    if row in PUBLISHED:
        return 10 if row == "C-HMCNN(h)" else MISSING
    numbers = {len(cells[row, name]) for name in SCORED if (row, name) in cells}
    if not numbers:
        return MISSING
    return " to ".join(str(x) for x in sorted({min(numbers), max(numbers)}))


def hvr_table(cells):
    """Return violations before and after the coherence step, by group."""
    lines = []
    for row in CLUS_ROWS:
        raw, final = (over_seeds(cells, row, k) for k in ("hvr_raw", "hvr"))
        lines.append([row])
        for names in GROUPS.values():
            lines[-1] += [over_sets(raw, names), over_sets(final, names)]
        worst = max(final.values(), default=None)
        lines[-1].append(MISSING if worst is None else number(worst))
    heads = [f"{g}, {end}" for g in GROUPS for end in ("raw", "final")]
    title = "HVR, mean over data sets, and the highest final one of a data set"
    return table(title, ["", *heads, "highest final"], lines)


def seconds_table(cells):
    """Return what a fit costs, by group."""
    keys = {"CPU s": "cpu_seconds", "wall s": "seconds", "peak GB": "peak_gb"}
    lines = []
    for row in CLUS_ROWS:
        lines.append([row])
        for names in GROUPS.values():
            for what, key in keys.items():
                say = "{:.2f}".format if what == "peak GB" else "{:.0f}".format
                lines[-1].append(over_sets(over_seeds(cells, row, key), names, say))
    heads = [f"{group}, {what}" for group in GROUPS for what in keys]
    return table("A fit on one thread: means", ["", *heads], lines)


# -- single paths ----------------------------------------------------------------------


def path_tables(cells):
    """Return a table per data set of single paths."""
    return [_path_table(cells, name) for name in SINGLE_PATH]


def _path_table(cells, data_set):
    planned = [r for sets, rows in PARTS.values() if data_set in sets for r in rows]
    rows = [row for row in ROWS if row in planned]
    runs = [run for row in rows for run in cells.get((row, data_set), [])]
    n_levels = len(runs[0]["levels"]) if runs else 0
    reads = {f"level {k + 1}": _level(k) for k in range(n_levels)}
    reads |= {"leaf": _figure("leaf"), "path": _figure("path")}
    reads["AU(PRC)"] = _figure("au_prc")
    columns = [
        column([scores(cells, row, data_set, read) for row in rows])
        for read in reads.values()
    ]
    for key, say in (("hvr", number), ("cpu_seconds", "{:.0f}".format)):
        means = [over_seeds(cells, row, key) for row in rows]
        columns.append([over_sets(found, [data_set], say) for found in means])
    lines = []
    for row, *said in zip(rows, *columns, strict=True):
        runs = cells.get((row, data_set), [])
        lines.append([row, seeds_of(row, data_set, len(runs)), *said])
        lines += _before(runs, row)
    heads = ["", "seeds", *reads, "HVR", "CPU s"]
    return table(f"Accuracy: {data_set}", heads, lines)


def seeds_of(row, data_set, n_runs):
    """Return how many seeds there are, and are planned where these are more."""
    planned = n_seeds(row, data_set)
    return f"{n_runs} of {planned}" if n_runs < planned else f"{n_runs}"


def _level(k, end=""):
    return lambda run: run[f"levels{end}"][k]


def _figure(key):
    return lambda run: run[key]


def _before(runs, row):
    """Return the line of a row before its coherence step, if that changes anything."""
    names = ("levels", "leaf", "path", "hvr")
    if all(run[name] == run[f"{name}_raw"] for run in runs for name in names):
        return []
    reads = [_level(k, "_raw") for k in range(len(runs[0]["levels"]))]
    reads += [_figure("leaf_raw"), _figure("path_raw")]
    said = [spread([read(run) for run in runs]) for read in reads]
    hvr = number(np.mean([run["hvr_raw"] for run in runs]))
    return [[f"{row}, raw", "", *said, "", hvr, ""]]

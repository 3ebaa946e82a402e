"""Images of single paths: the published mechanisms of HCAL beside our defaults.

Run as ``python -m benchmarks.single_paths [--data-set NAME] [--row NAME] [--seeds N]
[--jobs N]``. Digits come with scikit-learn; grocery32 is read from SKHMC_DATA_HOME.
Every fit has a process of its own with one thread. It is made on the training and the
validation part, and scored on the test part, as the paper does; but the paper's program
keeps the epoch that is best on the test part, and here the last one is kept.

Every fit is written to ``benchmarks/results/single_paths.json`` when it is done, and
not repeated while the parameters of its row stay as they were. Fits that
``benchmarks.accuracy`` has made with the same parameters are taken from there. At the
end comes ``docs/single_paths_tables.inc``, which ``--page`` writes alone, from what is
there. ``--quick`` fits the digits, hardly, and writes nothing.
"""

import argparse

import numpy as np

from benchmarks import accuracy
from benchmarks.accuracy_parts import results, series
from benchmarks.accuracy_parts.jobs import Job, definitions, fit_and_score
from benchmarks.accuracy_parts.rows import OURS
from benchmarks.accuracy_parts.series import Series
from benchmarks.accuracy_parts.tables import column
from benchmarks.command import DOCS
from benchmarks.command import RESULTS as FOLDER
from benchmarks.tables import block, table

__all__ = ["FITS", "PAGE", "RESULTS", "ROWS", "SETS", "jobs_of", "page"]

RESULTS = FOLDER / "single_paths.json"
PAGE = DOCS / "single_paths_tables.inc"
SETS = ("digit_shapes", "grocery32")
ROWS = (OURS, "HCAL, published mechanisms", "flat softmax")
SEEDS = 10
MEASURES = {  # their names, and the figures of a run
    "full path (FPA)": "path",
    "inconsistent (TICE)": "hvr",
}


def jobs_of(data_sets=None, rows=None, seeds=None):
    """Return the jobs, one seed of everything after the other; None is all."""
    return [
        Job(data_set, row, seed)
        for seed in range(seeds or SEEDS)
        for data_set in SETS
        for row in ROWS
        if data_set in (data_sets or SETS) and row in (rows or ROWS)
    ]


def known_runs(path=RESULTS, others=accuracy.RESULTS):
    """Return the runs of planned jobs as their rows are now, of both files."""
    defined = {job: name for job, (_, name) in definitions(jobs_of()).items()}
    found = {}
    for file in (others, path):
        for run in results.read(file)["runs"]:
            job = Job(run["data_set"], run["row"], run["seed"])
            if defined.get(job) == run["fingerprint"]:
                found[job] = run
    return found


# -- the documentation -----------------------------------------------------------------


def page():
    """Return the part of the documentation that holds the tables."""
    found = known_runs()
    planned = len(jobs_of())
    hours = sum(run["cpu_seconds"] for run in found.values()) / 3600
    said = (
        f"{len(found)} of {planned} planned fits are in these tables; they took "
        f"{hours:.1f} hours of processor time.\n"
    )
    blocks = {"run": [said], "tables": [table_of(name, found) for name in SETS]}
    note = ".. Printed by python -m benchmarks.single_paths; edit nothing here.\n"
    return "\n".join([note, *(block(*pair) for pair in blocks.items())])


def table_of(data_set, found):
    """Return the table of a data set: its rows, before and after their last step."""
    lines = {}
    for row in ROWS:
        runs = [run for job, run in found.items() if job[:2] == (data_set, row)]
        lines[row] = runs, ""
        if any(run["hvr"] != run["hvr_raw"] for run in runs):
            lines[f"{row}, raw"] = runs, "_raw"
    n_levels = max(
        (len(runs[0]["levels"]) for runs, _ in lines.values() if runs), default=0
    )
    reads = {f"level {k + 1}": _level(k) for k in range(n_levels)}
    reads |= {name: _figure(key) for name, key in MEASURES.items()}
    columns = []
    for name, read in reads.items():
        values = [[read(run, end) for run in runs] for runs, end in lines.values()]
        worst = name.startswith("inconsistent")
        columns.append(plain(values) if worst else column(values))
    made = [
        [row, len(runs), *said]
        for (row, (runs, _)), said in zip(
            lines.items(), zip(*columns, strict=True), strict=True
        )
    ]
    return table(f"Accuracy: {data_set}", ["", "seeds", *reads], made)


def plain(values):
    """Return means, none of them marked as the best."""
    return [f"{np.mean(found):.3f}" if found else "–" for found in values]


def _level(k):
    return lambda run, end: run[f"levels{end}"][k]


def _figure(key):
    return lambda run, end: run[f"{key}{end}"]


def write_documentation():
    """Write the tables."""
    PAGE.write_text(page())
    print(f"Wrote {PAGE}")


# -- the command -----------------------------------------------------------------------

FITS = Series(RESULTS, fit_and_score, definitions, write_documentation)


def parse(arguments=None):
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-set", choices=SETS, action="append")
    parser.add_argument("--row", choices=ROWS, action="append")
    series.add_options(parser)
    options = parser.parse_args(arguments)
    if options.quick:
        options.data_set, options.seeds = options.data_set or ["digit_shapes"], 1
    options.planned = jobs_of(options.data_set, options.row, options.seeds)
    return options


def main():
    """Run what is not done yet, and write the documentation."""
    options = parse()
    known = known_runs()
    FITS.work(options, [job for job in options.planned if job not in known])


if __name__ == "__main__":
    main()

"""Accuracy and coherence of all estimators, beside peers and published figures.

Run as ``python -m benchmarks.accuracy [--part NAME] [--data-set NAME] [--row NAME]
[--seeds N] [--jobs N]``; needs the data sets in SKHMC_DATA_HOME. Parts: ``clus``, the
Clus collection by AU(PRC), and ``single_path``, data sets of single paths by accuracy,
beside HiClass where that is installed. Every fit has a process of its own with one
thread. It is made on the training and the validation part, with the same parameters for
all data sets, and scored on the test part.

Every fit is written to ``benchmarks/results/accuracy.json`` when it is done, and not
repeated while the parameters of its row stay as they were; after another change of the
code, delete the file. At the end come ``docs/accuracy_tables.inc`` and
``docs/accuracy.svg``, which ``--page`` writes alone, from what is there. ``--quick``
fits one small data set of each part, hardly, and writes nothing.
"""

import argparse
import signal
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.accuracy_parts import figure, margins, results, tables
from benchmarks.accuracy_parts.jobs import fit_and_score, in_order, jobs_of
from benchmarks.accuracy_parts.processes import side_by_side
from benchmarks.accuracy_parts.rows import PARTS, ROWS, definition
from benchmarks.accuracy_parts.sets import KINDS
from benchmarks.tables import block

__all__ = ["PAGE", "RESULTS", "page", "pending", "run"]

RESULTS = Path(__file__).parent / "results" / "accuracy.json"
PAGE = Path(__file__).parents[1] / "docs" / "accuracy_tables.inc"
QUICK = ["enron", "anuran"]


# -- fits ------------------------------------------------------------------------------


def definitions(jobs):
    """Return the definition of every job."""
    pairs = {(job.row, KINDS[job.data_set]) for job in jobs}
    found = {pair: definition(*pair) for pair in pairs}
    return {job: found[job.row, KINDS[job.data_set]] for job in jobs}


def pending(jobs, path):
    """Return the jobs that are not done, in the order to run them."""
    found, defined = results.read(path), definitions(jobs)
    left = [j for j in jobs if not results.is_done(found, j, defined[j][1])]
    return in_order(left, found["runs"])


def run(jobs, path=RESULTS, n_processes=2, fit=fit_and_score):
    """Run jobs side by side and write each when it is done; path None writes nothing.

    Returns
    -------
    list of Job
        Those that failed.
    """
    defined, where, failed = definitions(jobs), results.environment(), []
    start = time.perf_counter()
    with closing(side_by_side(fit, jobs, n_processes)) as done:
        for number, (job, figures, error) in enumerate(done, 1):
            if error is None and path is not None:
                results.add(path, job, figures, defined[job], where)
            minutes = (time.perf_counter() - start) / 60
            said = said_of(figures) if error is None else f"FAILED\n{error}"
            failed += [] if error is None else [job]
            print(
                f"[{number}/{len(jobs)}, {minutes:.0f} min] {job}: {said}", flush=True
            )
    return failed


def said_of(figures):
    """Return the figures of a fit in a line."""
    named = {"AU(PRC)": "au_prc", "path": "path"}
    scores = [
        f"{name} {figures[key]:.4f}"
        for name, key in named.items()
        if figures.get(key) is not None
    ]
    hvr = f"HVR {figures['hvr_raw']:.3f} to {figures['hvr']:.3f}"
    cost = f"{figures['seconds']:.1f} s, {figures['peak_gb']:.2f} GB"
    return ", ".join([*scores, hvr, cost])


# -- the documentation -----------------------------------------------------------------


def said_of_runs(found):
    """Return how many fits there are, what they cost and where they were made."""
    runs, n_planned = found["runs"], len(jobs_of(PARTS))
    fit, whole = (
        sum(run[key] for run in runs) / 3600 for key in ("cpu_seconds", "job_seconds")
    )
    lines = [
        f"{len(runs)} fits are in these tables; {n_planned} are planned. Fitting took "
        f"{fit:.1f} hours of processor time. With loading and scoring, the processes "
        f"ran for {whole:.1f} hours together.\n"
    ]
    several = changed_rows(runs)
    if several:
        lines.append(
            f"Fitted with other parameters to some data sets than to others, since "
            f"they were changed in between: {', '.join(several)}.\n"
        )
    used = sorted({run["environment"] for run in runs})
    for place in (found["environments"][k] for k in used):
        parts = [place["cpu"], f"{place['cores']} cores"]
        parts += [f"{name} {version}" for name, version in place["versions"].items()]
        lines.append(f"Measured on {', '.join(parts)}.\n")
    return lines


def changed_rows(runs):
    """Return the rows that have several definitions for one kind of data."""
    found = {}
    for one in runs:
        key = one["row"], KINDS[one["data_set"]]
        found.setdefault(key, set()).add(one["fingerprint"])
    return sorted({row for (row, _), names in found.items() if len(names) > 1})


def page(path=RESULTS):
    """Return the part of the documentation that holds the tables."""
    found = results.read(path)
    known = [r for r in found["runs"] if r["row"] in ROWS and r["data_set"] in KINDS]
    found["runs"], cells = known, tables.gather(known)
    image = ["Nothing to draw yet.\n"]
    if figure.drawn(cells)[0]:
        alt = "AU(PRC) less the best published one, per data set and row"
        image = [f".. image:: {figure.FIGURE.name}\n   :alt: {alt}\n"]
    blocks = {
        "summary": [margins.summary(cells)],
        "run": said_of_runs(found),
        "means": [tables.mean_table(cells)],
        "figure": image,
        "margins": [margins.margin_table(cells)],
        "au_prc": tables.au_prc_tables(cells),
        "hvr": [tables.hvr_table(cells)],
        "single_path": tables.path_tables(cells),
        "seconds": [tables.seconds_table(cells)],
    }
    note = ".. Printed by python -m benchmarks.accuracy; edit nothing here.\n"
    return "\n".join([note, *(block(*pair) for pair in blocks.items())])


def write_documentation():
    """Write the tables and the figure."""
    PAGE.write_text(page())
    cells = tables.gather(results.read(RESULTS)["runs"])
    if figure.drawn(cells)[0]:
        figure.draw(cells)
    print(f"Wrote {PAGE}")


# -- the command -----------------------------------------------------------------------


def parse(arguments=None):
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=list(PARTS), action="append")
    parser.add_argument("--data-set", choices=list(KINDS), action="append")
    parser.add_argument("--row", choices=list(ROWS), action="append")
    parser.add_argument("--seeds", type=int, help="for rows that seeds change")
    parser.add_argument("--jobs", type=int, default=2, help="fits at a time")
    parser.add_argument("--quick", action="store_true", help="writes nothing")
    parser.add_argument("--page", action="store_true", help="fits nothing")
    options = parser.parse_args(arguments)
    if options.quick:
        options.data_set, options.seeds = options.data_set or QUICK, 1
    chosen = options.data_set, options.row, options.seeds
    options.planned = jobs_of(options.part or PARTS, *chosen)
    if not options.planned:
        parser.error("No part has such a row of such a data set.")
    return options


def main():
    """Run what is not done yet, and write the documentation."""
    options = parse()
    # a kill, like Ctrl-C, ends the processes of the fits, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped; what is done stays."))
    if options.page:
        return write_documentation()
    jobs = [job for job in options.planned if ROWS[job.row].available]
    if len(jobs) < len(options.planned):
        print("Without HiClass (pip install hiclass) its rows stay as they were.")
    if options.quick:
        failed = run(jobs, None, options.jobs, partial(fit_and_score, quick=True))
    else:
        left = pending(jobs, RESULTS)
        print(f"{len(jobs) - len(left)} of {len(jobs)} fits are done already.")
        failed = run(left, RESULTS, options.jobs)
        write_documentation()
    if failed:
        sys.exit(f"{len(failed)} failed: {'; '.join(map(str, failed))}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Stopped; what is done stays.")

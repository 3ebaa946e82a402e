"""When a hierarchy helps: networks with and without one, where rows or labels are few.

Run as ``python -m benchmarks.hierarchy_value [--data-set NAME] [--row NAME]
[--condition NAME] [--seeds N]``; needs the data sets in SKHMC_DATA_HOME. Every fit is
made on the training rows, and scored on the validation rows (a fifth of the training
rows, where a set has none), which stay as they are. No test row is read. A condition
says what the fit is given: all rows, few of them, labels of which positives are hidden,
or a hierarchy in which labels are at the wrong place. Ideas for rare labels are
measured beside the defaults, on the small sets. The other sets of the Clus collection
are only there to confirm what was found: all rows, three of the networks.

Fits are made one after the other, on one thread. Each is written to
``benchmarks/results/hierarchy_value.json`` when it is done, and not repeated while the
parameters of its row and its condition stay as they were. At the end come
``docs/hierarchy_value_tables.inc`` and the choice in ``benchmarks/choices.json``, which
``--page`` writes alone, from what is there.
"""

import signal
import sys
import time

from benchmarks.accuracy_parts import results
from benchmarks.command import DOCS, command_line, read_results, write_results
from benchmarks.command import RESULTS as FOLDER
from benchmarks.tables import block
from benchmarks.value_parts import tables
from benchmarks.value_parts.conditions import CONDITIONS
from benchmarks.value_parts.jobs import (
    ALL_ROWS,
    ALL_SETS,
    Job,
    definitions,
    fit_and_score,
    jobs_of,
)

__all__ = ["CHOICES", "PAGE", "RESULTS", "known_runs", "main", "page", "work"]

RESULTS = FOLDER / "hierarchy_value.json"
PAGE = DOCS / "hierarchy_value_tables.inc"
CHOICES = FOLDER.parent / "choices.json"  # of several commands, a key each


# -- fits ------------------------------------------------------------------------------


def work(jobs, path=RESULTS, fit=fit_and_score):
    """Make the fits that a file does not have yet, and write each when it is done."""
    where, defined = results.environment(), definitions(jobs)
    found = results.read(path)
    left = [j for j in jobs if not results.is_done(found, j, defined[j][1])]
    print(f"{len(jobs) - len(left)} of {len(jobs)} fits are done already.", flush=True)
    start = time.perf_counter()
    for number, job in enumerate(left, 1):
        figures = fit(job)
        results.add(path, job, figures, defined[job], where)
        minutes = (time.perf_counter() - start) / 60
        closed = figures["scores"]["closed"]
        said = f"micro {closed['micro']:.4f}, macro {closed['macro']:.4f}"
        print(f"[{number}/{len(left)}, {minutes:.0f} min] {job}: {said}", flush=True)


def known_runs(path=RESULTS):
    """Return the runs of planned jobs as their rows and conditions are now."""
    defined = {job: name for job, (_, name) in definitions(jobs_of()).items()}
    return [
        run
        for run in results.read(path)["runs"]
        if defined.get(Job(run["data_set"], run["row"], run["seed"]))
        == run["fingerprint"]
    ]


# -- the documentation -----------------------------------------------------------------


def page(path=RESULTS):
    """Return the part of the documentation that holds the tables."""
    runs = known_runs(path)
    blocks = {
        "run": [tables.said_of_runs(runs, results.read(path)["environments"])],
        "means": [tables.mean_table(runs)],
        "pairs": [tables.pair_table(runs)],
        "costs": [tables.cost_table(runs)],
        "closing": [tables.closing_table(runs)],
        "after": [tables.after_table(runs), tables.against_table(runs)],
        "ideas": [tables.idea_table(runs)],
        "confirm": tables.confirm_tables(runs),
        "sets": [tables.of_condition(runs, name) for name in CONDITIONS],
    }
    note = ".. Printed by python -m benchmarks.hierarchy_value; edit nothing here.\n"
    return "\n".join([note, *(block(*pair) for pair in blocks.items())])


# -- the command -----------------------------------------------------------------------


def main(arguments=None):
    """Make the fits that are not done yet, and write the documentation."""
    parser = command_line(__doc__)
    parser.add_argument("--data-set", choices=ALL_SETS, action="append")
    parser.add_argument("--row", choices=list(ALL_ROWS), action="append")
    parser.add_argument("--condition", choices=list(CONDITIONS), action="append")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--page", action="store_true", help="fits nothing")
    options = parser.parse_args(arguments)
    chosen = options.data_set, options.row, options.condition, options.seeds
    if not options.page:
        signal.signal(
            signal.SIGTERM, lambda *_: sys.exit("Stopped; what is done stays.")
        )
        work(jobs_of(*chosen))
    PAGE.write_text(page())
    choices = read_results(CHOICES)
    write_results(CHOICES, choices | {"rare_labels": tables.choice(known_runs())})
    print(f"Wrote {PAGE} and {CHOICES}")


if __name__ == "__main__":
    main()

"""Which parts of HCALClassifier earn their place, on validation rows.

Run as ``python -m benchmarks.ablation [--data-set NAME] [--variant NAME] [--seeds N]
[--jobs N]``; needs the data sets of the Clus collection in SKHMC_DATA_HOME. Every
variant changes some parameters of the defaults. It is fitted to the training rows of
the data sets with published figures, and scored on their validation rows (a fifth of
the training rows, where a set has none), beside the defaults with the same seed. No
test row is read. Every fit has a process of its own with one thread.

Every fit is written to ``benchmarks/results/ablation.json`` when it is done, and not
repeated while the parameters of its variant, and so the defaults, stay as they were;
after another change of the code, delete the file. At the end comes
``docs/ablation_tables.inc``, which ``--page`` writes alone, from what is there.
``--quick`` fits one small data set, hardly, and writes nothing.
"""

import argparse
from functools import partial
from pathlib import Path

from benchmarks.ablation_parts import tables
from benchmarks.ablation_parts.differences import comparable, gather
from benchmarks.ablation_parts.variants import (
    CHANGES,
    DEFAULTS,
    GROUPS,
    ROWS,
    SETS,
    fit_and_score,
    jobs_of,
)
from benchmarks.accuracy_parts import results, series
from benchmarks.accuracy_parts.jobs import definitions
from benchmarks.accuracy_parts.series import Series
from benchmarks.tables import block

__all__ = ["FITS", "PAGE", "RESULTS", "page"]

RESULTS = Path(__file__).parent / "results" / "ablation.json"
PAGE = Path(__file__).parents[1] / "docs" / "ablation_tables.inc"
QUICK = ["enron"]


# -- the documentation -----------------------------------------------------------------


def block_of(group):
    """Return the name of the block of a group's table."""
    return group.lower().replace(" ", "_")


def page(path=RESULTS):
    """Return the part of the documentation that holds the tables."""
    found = results.read(path)
    runs = comparable(found)
    n_others, found["runs"] = len(found["runs"]) - len(runs), runs
    cells = gather(results.timed(found))
    said = series.said_of_runs(found, jobs_of())
    if n_others:
        said.append(f"{n_others} fits of other defaults or variants are left out.\n")
    blocks = {
        "summary": [tables.summary(cells)],
        "run": said,
        "variants": [tables.change_table()],
        "defaults": [tables.defaults_table(cells)],
        **{block_of(group): [tables.group_table(cells, group)] for group in GROUPS},
        "leaf": [tables.leaf_table(cells)],
        "seconds": [tables.seconds_table(cells)],
    }
    note = ".. Printed by python -m benchmarks.ablation; edit nothing here.\n"
    return "\n".join([note, *(block(*pair) for pair in blocks.items())])


def write_documentation():
    """Write the tables."""
    PAGE.write_text(page())
    print(f"Wrote {PAGE}")


# -- the command -----------------------------------------------------------------------

FITS = Series(
    RESULTS, fit_and_score, partial(definitions, rows=ROWS), write_documentation
)


def parse(arguments=None):
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [name for name in CHANGES if name != DEFAULTS]
    what = "the defaults always are, too"
    parser.add_argument("--variant", choices=names, action="append", help=what)
    parser.add_argument("--data-set", choices=SETS, action="append")
    series.add_options(parser)
    options = parser.parse_args(arguments)
    if options.quick:
        options.data_set, options.seeds = options.data_set or QUICK, 1
    options.planned = jobs_of(options.variant, options.data_set, options.seeds)
    return options


def main():
    """Run what is not done yet, and write the documentation."""
    options = parse()
    FITS.work(options, options.planned)


if __name__ == "__main__":
    main()

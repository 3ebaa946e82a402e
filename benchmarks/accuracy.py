"""Accuracy and coherence of all estimators, beside peers and published figures.

Run as ``python -m benchmarks.accuracy [--part NAME] [--data-set NAME] [--row NAME]
[--seeds N] [--jobs N]``; needs the data sets in SKHMC_DATA_HOME. Parts: ``clus``, the
Clus collection by AU(PRC), and ``single_path``, data sets of single paths by accuracy,
beside HiClass where that is installed. Every fit has a process of its own with one
thread. It is made on the training and the validation part, with the same parameters for
all data sets, and scored on the test part.

Every fit is written to ``benchmarks/results/accuracy.json`` when it is done, and not
repeated while the parameters of its row stay as they were; after another change of the
code, delete the file. At the end come ``docs/accuracy_tables.inc``,
``docs/accuracy.svg`` and a table in README.md, which ``--page`` writes alone, from what
is there. ``--quick`` fits one small data set of each part, hardly, and writes nothing.
"""

import argparse
from functools import cache
from pathlib import Path

from benchmarks.accuracy_parts import (
    blend,
    figure,
    margins,
    results,
    series,
    tables,
)
from benchmarks.accuracy_parts.jobs import definitions, fit_and_score, in_order, jobs_of
from benchmarks.accuracy_parts.rows import PARTS, ROWS, definition
from benchmarks.accuracy_parts.series import Series
from benchmarks.accuracy_parts.sets import KINDS
from benchmarks.tables import block, replace_in_readme

__all__ = ["FITS", "PAGE", "RESULTS", "page"]

RESULTS = Path(__file__).parent / "results" / "accuracy.json"
PAGE = Path(__file__).parents[1] / "docs" / "accuracy_tables.inc"
QUICK = ["enron", "anuran"]


# -- the documentation -----------------------------------------------------------------


def page(path=RESULTS):
    """Return the part of the documentation that holds the tables."""
    found = results.read(path)
    known = [run for run in found["runs"] if is_current(run)]
    n_others, found["runs"] = len(found["runs"]) - len(known), known
    cells = tables.gather(results.timed(found))
    said = series.said_of_runs(found, jobs_of(PARTS))
    if n_others:
        said.append(f"Left out, as fitted with other parameters: {n_others}.\n")
    image = ["Nothing to draw yet.\n"]
    if figure.drawn(cells)[0]:
        alt = "AU(PRC) less the best published one, per data set and row"
        image = [f".. image:: {figure.FIGURE.name}\n   :alt: {alt}\n"]
    blocks = {
        "summary": [margins.summary(cells)],
        "run": said,
        "means": [tables.mean_table(cells)],
        "figure": image,
        "margins": [margins.margin_table(cells)],
        "blend": [blend.blend_said(cells), blend.blend_table(cells)],
        "au_prc": tables.au_prc_tables(cells),
        "hvr": [tables.hvr_table(cells)],
        "single_path": tables.path_tables(cells),
        "seconds": [tables.seconds_table(cells)],
    }
    note = ".. Printed by python -m benchmarks.accuracy; edit nothing here.\n"
    return "\n".join([note, *(block(*pair) for pair in blocks.items())])


def is_current(run):
    """Tell whether a run is of a row as that is now.

    Rows of HiClass, which may not be installed, are taken for it.
    """
    row, kind = run["row"], KINDS.get(run["data_set"])
    if row not in ROWS or kind is None:
        return False
    return ROWS[row].needs_hiclass or run["fingerprint"] == definition_of(row, kind)


@cache
def definition_of(row, kind):
    """Return the short name of a row's definition."""
    return definition(row, kind)[1]


def write_documentation():
    """Write the tables and the figure, and the table in README.md."""
    PAGE.write_text(page())
    cells = tables.gather(filter(is_current, results.read(RESULTS)["runs"]))
    replace_in_readme("scores", tables.readme_table(cells))
    if figure.drawn(cells)[0]:
        figure.draw(cells)
    print(f"Wrote {PAGE}")


# -- the command -----------------------------------------------------------------------

FITS = Series(RESULTS, fit_and_score, definitions, write_documentation, in_order)


def parse(arguments=None):
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=list(PARTS), action="append")
    parser.add_argument("--data-set", choices=list(KINDS), action="append")
    parser.add_argument("--row", choices=list(ROWS), action="append")
    series.add_options(parser)
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
    jobs = [job for job in options.planned if ROWS[job.row].available]
    if len(jobs) < len(options.planned):
        print("Without HiClass (pip install hiclass) its rows stay as they were.")
    FITS.work(options, jobs)


if __name__ == "__main__":
    main()

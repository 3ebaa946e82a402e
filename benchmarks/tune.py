"""Compare variants: the figures on which defaults and advice of skhmc stand.

Run as ``python -m benchmarks.tune COMPARISON``; ``--help`` lists the comparisons, and
``COMPARISON --help`` says what one of them does and takes. It prints its table, stores
the figures in ``benchmarks/results/COMPARISON.json`` and writes the table that the
documentation includes, if there is one. ``--stored`` measures nothing: it prints and
writes what the stored figures say. Everything is measured on one thread; real data
sets are read from SKHMC_DATA_HOME.
"""

import argparse
import inspect

from threadpoolctl import threadpool_limits

from benchmarks.command import command_line, read_results, write_results
from benchmarks.figures import versions
from benchmarks.tuning import (
    coherent,
    coherent_defaults,
    encoders,
    group_splitters,
    kernel,
    networks,
    prototypes,
    ranking_scale,
    thresholds,
    timing,
)

__all__ = ["COMPARISONS", "main", "measure", "show"]

COMPARISONS = {
    comparison.name: comparison
    for comparison in (
        networks.ClassWeight(),
        coherent.Coherent(),
        coherent_defaults.CoherentDefaults(),
        encoders.Encoders(),
        group_splitters.GroupSplitters(),
        kernel.Kernel(),
        kernel.KernelPatterns(),
        networks.LabelLoss(),
        networks.PathWeight(),
        networks.Preprocessing(),
        prototypes.Prototypes(),
        ranking_scale.RankingScale(),
        ranking_scale.RankingScaleEstimator(),
        timing.SparseInput(),
        timing.Splitters(),
        thresholds.Thresholds(),
        networks.WideInput(),
    )
}


def parse(arguments=None):
    """Return the comparison that was asked for, and its options."""
    parser = command_line(__doc__)
    commands = parser.add_subparsers(
        dest="comparison", required=True, metavar="COMPARISON"
    )
    for comparison in COMPARISONS.values():
        doc = inspect.getdoc(comparison)
        command = commands.add_parser(
            comparison.name,
            help=doc.splitlines()[0],
            description=doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if comparison.data_sets:
            sets = comparison.data_sets
            command.add_argument("--data-set", choices=sets, action="append")
        if comparison.seeds is not None:
            command.add_argument("--seeds", type=int, default=comparison.seeds)
        comparison.add_options(command)
        command.add_argument("--stored", action="store_true", help="measures nothing")
    options = parser.parse_args(arguments)
    return COMPARISONS[options.comparison], options


def measure(comparison, options):
    """Measure, print every line as soon as it is known, and store the results."""
    made_with = {"versions": versions()}
    n_printed = 0
    with threadpool_limits(1):
        for found in comparison.measure(options):
            results = made_with | found
            lines = comparison.lines(results, options)
            for line in lines[n_printed:]:
                print(line, flush=True)
            n_printed = len(lines)
    stored = read_results(comparison.results)
    write_results(comparison.results, comparison.merge(stored, results))
    return results


def show(comparison, options):
    """Print the table of the stored results."""
    results = read_results(comparison.results)
    if not results:
        raise SystemExit(
            f"No stored results of {comparison.name}: expected the file "
            f"{comparison.results}. Leave out --stored to measure them."
        )
    print(*comparison.lines(results, options), sep="\n")
    return results


def main(arguments=None):
    """Run one comparison."""
    comparison, options = parse(arguments)
    if options.stored:
        results = show(comparison, options)
        written = []
    else:
        results = measure(comparison, options)
        written = [comparison.results]
    if comparison.legend:
        print(f"\n{comparison.legend}\n")
    if comparison.page:
        comparison.page.write_text(comparison.page_text(results))
        written.append(comparison.page)
    if written:
        print(f"Wrote {' and '.join(map(str, written))}")
    failure = comparison.failure(results)
    if failure:
        raise SystemExit(failure)


if __name__ == "__main__":
    main()

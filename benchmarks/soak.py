"""Random descriptions of hierarchies for every reader: right, warned, refused or WRONG.

Run as ``python -m benchmarks.soak [--cases 100000] [--seed 0] [--only NAME]``. Draws
trees and DAGs and writes each as a mapping, a table, a matrix, a graph, levels, paths,
OBO or ARFF, in another order, padded, repeated, renamed or upside down. What is read
has to be what was meant, or there is a HierarchyWarning or an error; where labels tell
that a hierarchy is upside down, there has to be one of them. A right hierarchy beside
its labels may raise a false alarm in one case of a thousand at most.

Case k of a kind is the same in every run with a seed. Prints what came of the cases of
every kind, writes ``benchmarks/results/soak.json``, and exits with 1 where anything was
wrong. ``tests/test_readers_property.py`` runs some cases of every kind.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.command import RESULTS, command_line
from benchmarks.soak_parts.counted import Counts
from benchmarks.soak_parts.outcome import (
    FALSE_ALARM,
    REFUSED,
    RIGHT,
    WARNED,
    WRONG,
    outcome,
)
from benchmarks.soak_parts.paths import PATHS
from benchmarks.soak_parts.readers import READERS
from benchmarks.soak_parts.turned import TURNED

KINDS = {**READERS, **PATHS, **TURNED}
OUTCOMES = (RIGHT, WARNED, REFUSED, FALSE_ALARM, WRONG)
MAX_ALARMS = 0.001  # of the cases of right hierarchies beside labels
MAX_SHOWN = 3  # wrong cases of a kind that are printed
WIDTH = 30  # of the names of kinds


def run_case(kind, number, seed, folder):
    """Return what comes of a case, and a text that says what was wrong."""
    rng = random.Random(f"{seed} {kind} {number}")
    return outcome(KINDS[kind](rng, folder))


def run_kind(kind, n_cases, seed, folder):
    """Count what comes of the cases of a kind; print the first that are wrong."""
    counts = Counter()
    for number in range(n_cases):
        found, text = run_case(kind, number, seed, folder)
        counts[found] += 1
        if found == WRONG and counts[WRONG] <= MAX_SHOWN:
            print(f"{kind}, case {number}: {text}", flush=True)
    return counts


def is_passed(counts):
    """Tell whether nothing was wrong, and hardly any alarm false."""
    alarms = [n for kind, n in counts.items() if kind in TURNED]
    n_alarms = sum(n[FALSE_ALARM] for n in alarms)
    n_right = sum(n[FALSE_ALARM] + n[RIGHT] for n in alarms)
    n_wrong = sum(n[WRONG] for n in counts.values())
    return not n_wrong and n_alarms <= MAX_ALARMS * n_right


def main():
    parser = command_line(__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(KINDS), help="one kind; nothing is kept")
    options = parser.parse_args()
    kinds = [options.only] if options.only else list(KINDS)
    counts = Counts(OUTCOMES, WIDTH, options)
    counts.begin()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for k, kind in enumerate(kinds):
            n_cases = len(range(k, options.cases, len(kinds)))
            counts.add(kind, run_kind(kind, n_cases, options.seed, Path(folder)))
    passed = is_passed(counts.of)
    path = None if options.only else RESULTS / "soak.json"
    counts.end(passed, time.perf_counter() - start, path)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())

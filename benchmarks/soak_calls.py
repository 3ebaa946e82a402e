"""Random calls of everything public: right, a clear error, or WRONG.

Run as ``python -m benchmarks.soak_calls [--cases 200000] [--seed 0] [--only NAME]
[--processes 1]``. Draws hierarchies, data, containers and parameters, and calls
classifiers, metrics, closures, transformers and splitters with them. An answer is right
where a plain program says the same: loops over the formula, or the same estimator with
plain arrays. An error is clear where skhmc or scikit-learn raised it on purpose. A call
with a wrong parameter must be an error.

Case k of a kind is the same in every run with a seed. Prints what came of the cases of
every kind, writes ``benchmarks/results/soak_calls.json``, and exits with 1 where
anything was wrong. ``tests/test_calls.py`` runs some cases of every kind.
"""

import os
import random
import sys
import time
from collections import Counter

from joblib import Parallel, delayed

from benchmarks.command import RESULTS, command_line
from benchmarks.soak_parts.calls import come_of
from benchmarks.soak_parts.classifiers import CLASSIFIERS
from benchmarks.soak_parts.counted import Counts
from benchmarks.soak_parts.measures import MEASURES
from benchmarks.soak_parts.outcome import REFUSED, RIGHT, WRONG
from benchmarks.soak_parts.preparations import PREPARATIONS

KINDS = {**CLASSIFIERS, **MEASURES, **PREPARATIONS}
OUTCOMES = (RIGHT, REFUSED, WRONG)
# A fit takes a hundred times as long as a metric: of ten cases one is a fit.
SHARE_OF_FITS = 0.1
MAX_SHOWN = 3  # wrong cases of a kind that are printed
WIDTH = 40  # of the names of kinds
N_PARTS = 8  # of a kind, which processes share


def run_case(kind, number, seed):
    """Return what comes of a case, and a text that says what was wrong."""
    rng = random.Random(f"{seed} {kind} {number}")
    return come_of(KINDS[kind](rng))


def run_kind(kind, numbers, seed):
    """Return what came of some cases of a kind, and the texts of wrong ones."""
    counts, texts = Counter(), []
    for number in numbers:
        found, text = run_case(kind, number, seed)
        counts[found] += 1
        if found == WRONG:
            texts.append(f"{kind}, case {number}: {text}")
    return counts, texts


def shares(n_cases, kinds):
    """Return how many cases each kind has."""
    fits = [kind for kind in kinds if kind in CLASSIFIERS]
    others = [kind for kind in kinds if kind not in CLASSIFIERS]
    n_fits = round(n_cases * SHARE_OF_FITS) if others else n_cases
    found = {}
    for group, n in ((fits, n_fits), (others, n_cases - n_fits)):
        found |= {kind: len(range(k, n, len(group))) for k, kind in enumerate(group)}
    return {kind: found[kind] for kind in kinds}


def main():
    parser = command_line(__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(KINDS), help="one kind; nothing is kept")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    kinds = [options.only] if options.only else list(KINDS)
    counts = Counts(OUTCOMES, WIDTH, options)
    counts.begin()
    start = time.perf_counter()
    with Parallel(options.processes) as parallel:
        for kind, n_cases in shares(options.cases, kinds).items():
            run = delayed(run_kind)
            parts = [range(k, n_cases, N_PARTS) for k in range(N_PARTS)]
            done = parallel(run(kind, part, options.seed) for part in parts)
            texts = [text for _, texts in done for text in texts]
            for text in texts[:MAX_SHOWN]:
                print(text, flush=True)
            counts.add(kind, sum((found for found, _ in done), Counter()))
    passed = not counts.total[WRONG]
    path = None if options.only else RESULTS / "soak_calls.json"
    counts.end(passed, time.perf_counter() - start, path)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())

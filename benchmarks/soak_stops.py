"""Fits that are killed or interrupted at random moments, in processes of their own.

Run as ``python -m benchmarks.soak_stops [--stops 100] [--seed 0]``. So many fits with a
checkpoint are killed by SIGKILL (kill -9), up to three times one after the other: the
file has to load, no more than one interval may be lost, and the fit that goes on has to
end with the weights, probabilities and history of one that nothing happened to, bit for
bit. All three networks take turns, with a dense X, a sparse one and one in a file, with
sampled labels, early stopping and two networks side by side.

As many calls are interrupted by SIGINT (Ctrl-C): ``fit``, ``partial_fit``,
``cross_val_score`` with one job and two, ``GridSearchCV`` and
``HierarchicalThresholdClassifier``. Every one has to raise KeyboardInterrupt: no scores
of half-trained networks, nothing fitted after 0 epochs.

Prints what was wrong and the counts, writes ``benchmarks/results/soak_stops.json``, and
exits with 1 where anything was wrong.
"""

import sys
import time
from collections import Counter

import numpy as np

from benchmarks.command import RESULTS, command_line, read_results, write_results
from benchmarks.figures import versions
from benchmarks.soak_parts.stopped import interrupt_one, kill_one, warm_up

FINE = ("interrupted", "late")


def kills(n_stops, seed):
    """Return counts of fits that were killed, and texts of what was wrong."""
    counts = Counter()
    wrong = []
    number = 0
    while counts["kills"] < n_stops and counts["fits"] < 2 * n_stops:
        rng = np.random.default_rng([seed, 0, number])
        n_kills, texts = kill_one(number, rng)
        counts += Counter(fits=1, kills=n_kills)
        wrong += texts
        number += 1
        print(f"{counts['kills']} kills of {number} fits, {len(wrong)} wrong")
    return counts, wrong


def interruptions(n_stops, seed):
    """Return counts of calls that were interrupted, and texts of what was wrong."""
    counts = Counter(dict.fromkeys(FINE, 0))
    wrong = []
    seconds = {}
    number = 0
    while counts["interrupted"] < n_stops and number < 2 * n_stops:
        rng = np.random.default_rng([seed, 1, number])
        outcome, text = interrupt_one(number, rng, seconds)
        counts[outcome] += 1
        wrong += [] if outcome in FINE else [text]
        number += 1
        print(f"{number}: {text}", flush=True)
    return counts, wrong


PARTS = {"kills": kills, "interruptions": interruptions}


def main():
    parser = command_line(__doc__)
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="nothing is kept")
    options = parser.parse_args()
    said = ", ".join(f"{name} {version}" for name, version in versions().items())
    print(
        f"{options.stops} stops of each kind, seed {options.seed}; {said}", flush=True
    )
    start = time.perf_counter()
    warm_up()
    wrong = []
    for part in [options.only] if options.only else PARTS:
        counts, texts = PARTS[part](options.stops, options.seed)
        found = {
            **counts,
            "wrong": len(texts),
            "seed": options.seed,
            "seconds": round(time.perf_counter() - start),
            "versions": versions(),
        }
        print("\n".join([*texts, f"{part}: {found}"]), flush=True)
        wrong += texts
        if not options.quick:
            path = RESULTS / "soak_stops.json"
            write_results(path, read_results(path) | {part: found})
    print("FAILED" if wrong else "passed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

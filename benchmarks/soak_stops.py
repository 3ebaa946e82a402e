"""Fits and files that are killed or interrupted at random moments, in own processes.

Run as ``python -m benchmarks.soak_stops [--stops 100] [--seed 0]``. There are three
parts, of so many stops each:

- ``saves``: :func:`skhmc.save` is killed by SIGKILL (kill -9) while it replaces a file.
  The old model has to load, or the new one, and saving has to work again.
- ``kills``: a fit with a checkpoint is killed, up to three times one after the other.
  The file has to load, no more than one interval may be lost, and the fit that goes on
  has to end with the weights, probabilities and history of one that nothing happened
  to, bit for bit. All three networks take turns, with a dense X, a sparse one and one
  in a file, with sampled labels, early stopping and two networks side by side.
- ``interruptions``: SIGINT (Ctrl-C) in ``fit``, ``partial_fit``, ``cross_val_score``
  with one job, two threads and two jobs, ``GridSearchCV`` and
  ``HierarchicalThresholdClassifier``. Every call has to raise KeyboardInterrupt: no
  scores of half-trained networks, nothing fitted after 0 epochs.

Prints what was wrong and the counts, writes ``benchmarks/results/soak_stops.json``
after every stop, and exits with 1 where anything was wrong. A run that was broken off
goes on where it was; one that was complete starts anew.
"""

import sys
import time
from collections import Counter

import numpy as np

from benchmarks.command import RESULTS, command_line, read_results, write_results
from benchmarks.figures import versions
from benchmarks.soak_parts.interrupted import CALLS, interrupt_one
from benchmarks.soak_parts.killed import kill_fit, kill_save
from benchmarks.soak_parts.processes import warm_up

PATH = RESULTS / "soak_stops.json"


def killing(kill):
    """Return a function that stops once: a kill of a fit, or of saving."""

    def stop(number, rng, counts, seconds):
        n_kills, texts = kill(number, rng)
        counts.update(runs=1, stops=n_kills)
        print(f"{counts['stops']} kills in {counts['runs']} runs", flush=True)
        return texts

    return stop


def interrupting(number, rng, counts, seconds):
    """Interrupt a call once."""
    name, outcome, text = interrupt_one(number, rng, seconds)
    is_stopped = outcome == "interrupted"
    counts.update({"runs": 1, "stops": is_stopped, name: is_stopped})
    counts["late"] += outcome == "late"
    print(f"{counts['runs']}: {text}", flush=True)
    return [] if outcome in ("interrupted", "late") else [text]


PARTS = {  # how one is stopped, and what is counted from 0 on
    "saves": (killing(kill_save), ["runs", "stops"]),
    "kills": (killing(kill_fit), ["runs", "stops"]),
    "interruptions": (interrupting, ["runs", "stops", "late", *CALLS]),
}


def run_part(part, options, found):
    """Stop as often as is asked for, beginning with what was found before.

    Returns
    -------
    dict
        Counts, the texts of what was wrong, and what they depend on.
    """
    same = {"seed": options.seed, "versions": versions()}
    stop, names = PARTS[part]
    goes_on = found.items() >= same.items() and found["stops"] < options.stops
    if not goes_on:
        found = dict.fromkeys(names, 0) | {"seconds": 0, "wrong": []} | same
    counts = Counter({name: found[name] for name in names})
    seconds = {}  # of calls that nobody stops
    while counts["stops"] < options.stops and counts["runs"] < 4 * options.stops:
        start = time.perf_counter()
        number = counts["runs"]
        rng = np.random.default_rng([options.seed, list(PARTS).index(part), number])
        wrong = found["wrong"] + stop(number, rng, counts, seconds)
        passed = found["seconds"] + time.perf_counter() - start
        found = dict(counts) | {"seconds": round(passed, 1), "wrong": wrong} | same
        if not options.quick:
            write_results(PATH, read_results(PATH) | {part: found})
    return found


def main():
    parser = command_line(__doc__)
    parser.add_argument("--stops", type=int, default=100, help="of every part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="nothing is kept")
    options = parser.parse_args()
    said = ", ".join(f"{name} {version}" for name, version in versions().items())
    print(
        f"{options.stops} stops of every part, seed {options.seed}; {said}", flush=True
    )
    warm_up()
    failed = False
    for part in [options.only] if options.only else PARTS:
        before = {} if options.quick else read_results(PATH).get(part, {})
        found = run_part(part, options, before)
        failed |= bool(found["wrong"]) or found["stops"] < options.stops
        print("\n".join([*found["wrong"], f"{part}: {found}"]), flush=True)
    print("FAILED" if failed else "passed")
    return failed


if __name__ == "__main__":
    sys.exit(main())

"""Workers and predictions that are killed at random moments; nothing may be lost.

Run as ``python -m benchmarks.soak_scale [--stops 20] [--seed 0]``. It starts a Dask
cluster of two workers on this machine. So many workers are killed by SIGKILL (kill -9)
while ``GridSearchCV``, ``cross_val_score``, a ``CoherentClassifier`` with a classifier
per label or a ``HierarchicalVotingClassifier`` fits on them, and as many while
``predict_files`` predicts on them. As many processes that call ``predict_files`` are
killed, up to three times one after the other. Every result is compared with that of one
process to which nothing happened, bit for bit; every row has to be there once; and no
call may take a minute longer than it takes without the kill and with a worker that
starts.

Prints what was wrong and the counts, writes ``benchmarks/results/soak_scale.json``
after every case, and goes on there when it is called again. In the end it writes
``docs/soak_scale.inc``. Exits with 1 where anything was wrong.
"""

import sys
import time

import dask
from distributed import Client, LocalCluster

from benchmarks.command import (
    DOCS,
    RESULTS,
    command_line,
    read_results,
    write_results,
)
from benchmarks.figures import versions
from benchmarks.soak_parts.killed_workers import KINDS, PATIENT, Killed

PATH = RESULTS / "soak_scale.json"


def start(kind, n_stops, seed):
    """Return counts of nothing."""
    return {
        **dict.fromkeys(("cases", "kills", "lost", "twice", "different", "hangs"), 0),
        **{"longest_s": 0.0, "stops": n_stops, "seed": seed, "wrong": []},
        "versions": versions(),
    }


def run_kind(kind, n_stops, seed, client, quick):
    """Kill so many of a kind, from where it was left; return the counts."""
    results = {} if quick else read_results(PATH)
    found = results.get(kind)
    if found is None or [found["stops"], found["seed"]] != [n_stops, seed]:
        found = start(kind, n_stops, seed)
    killed = Killed(client)
    while found["kills"] < n_stops and found["cases"] < 4 * n_stops:
        case = KINDS[kind](killed, seed, found["cases"])
        found["cases"] += 1
        found["kills"] += case.n_kills
        for name in ("lost", "twice", "different", "hangs"):
            found[name] += getattr(case, name)
        found["longest_s"] = round(max(found["longest_s"], case.seconds), 1)
        found["wrong"] += case.wrong
        print(f"{kind}, case {found['cases']}: {found['kills']} kills", flush=True)
        print("\n".join(case.wrong), end="\n" * bool(case.wrong), flush=True)
        if not quick:
            write_results(PATH, read_results(PATH) | {kind: found})
    return found


def page(results):
    """Return the table of the page "Beyond one machine"."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - killed",
        "     - kills",
        "     - results and rows lost",
        "     - rows twice",
        "     - other results",
        "     - calls a minute late",
        "     - longest call, s",
    ]
    for kind, found in results.items():
        names = ("kills", "lost", "twice", "different", "hangs", "longest_s")
        first, *others = [kind, *(found[name] for name in names)]
        lines += [f"   * - {first}", *(f"     - {cell}" for cell in others)]
    return "\n".join(lines) + "\n"


def main():
    parser = command_line(__doc__)
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(KINDS))
    parser.add_argument("--quick", action="store_true", help="nothing is kept")
    options = parser.parse_args()
    begin = time.perf_counter()
    wrong = []
    with (
        dask.config.set(PATIENT),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as made,
        Client(made) as client,
    ):
        for kind in [options.only] if options.only else KINDS:
            found = run_kind(kind, options.stops, options.seed, client, options.quick)
            counts = {k: v for k, v in found.items() if k != "versions"}
            print(f"{kind}: {counts}", flush=True)
            wrong += found["wrong"]
    if not options.quick:
        (DOCS / "soak_scale.inc").write_text(page(read_results(PATH)))
    print(f"{time.perf_counter() - begin:.0f} s; {'FAILED' if wrong else 'passed'}")
    return 1 if wrong else 0


if __name__ == "__main__":  # workers import this file
    sys.exit(main())

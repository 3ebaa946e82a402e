"""Defaults for sparse X: AU(PRC) on validation rows, and CPU seconds of a fit.

    python -m benchmarks.sparse_defaults [--row ROW] [--data-set SET] [--seeds 3]

fits HCALClassifier to the training rows of three sets of texts (tf-idf in CSR), by its
former defaults ("before"), by its defaults, and with other values. It scores the
validation rows: the set's own, or a fifth of the training rows. Test rows are never
looked at. Every fit runs in a process of its own on one thread; CPU seconds are those
of ``fit`` alone, by ``time.process_time``. Ratios of them mean something between fits
of one machine that does nothing else. ``--n-samples`` takes that many training rows
alone, to explore.

Fits that are stored in ``benchmarks/results/sparse_defaults.json`` are not repeated,
unless their row is defined in another way now. A candidate is chosen where every set
has at most a third of the CPU seconds of "before" and a mean AU(PRC) over the seeds
that is at most .001 lower; of several the one with the highest AU(PRC), as a mean of
the sets. ``benchmarks/choices.json`` then has the figures of all candidates, and which
one is chosen, or why none is.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
from skorch.callbacks import Callback
from threadpoolctl import threadpool_limits

from benchmarks.command import (
    DOCS,
    RESULTS,
    command_line,
    read_results,
    write_results,
)
from benchmarks.figures import versions
from benchmarks.npz_sets import load_npz_set
from benchmarks.recipe import TEXTS, split
from benchmarks.tables import include, table
from skhmc import HCALClassifier
from skhmc._networks import parameters
from skhmc.metrics import au_prc_score

REPOSITORY = Path(__file__).parents[1]
FILE = RESULTS / "sparse_defaults.json"
PAGE = DOCS / "sparse_defaults_table.inc"
CHOICES = Path(__file__).parent / "choices.json"
SEEDS = 3
SHARE, LOSS = 1 / 3, 0.001  # of CPU seconds at most, and of AU(PRC) at most
FORMER = "as before"  # the key of the row that is fitted by the former defaults
ROWS = {
    "before": {FORMER: True},
    "defaults": {},
    "20 epochs": {"max_iter": 20},
    "two layers, 20 epochs": {"max_iter": 20, "hidden_layer_sizes": [1000, 1000]},
    "linear path": {"linear_path": "auto"},
}


def former_defaults():
    """Return the parameters of fits as they were, and a context that makes the rest so.

    X kept its length, up to 1 % of it stored stayed sparse, and gradients were as large
    as the weights, which they are wherever there is a callback.
    """
    options = {"hidden_layer_sizes": (1000, 1000), "max_iter": 60}
    options["callbacks"] = [Callback()]
    scale = {"_input_scale": lambda *_: 1.0, "SPARSE": 0.01}
    return options, mock.patch.multiple(parameters, **scale)


def measure(name, seed, options, n_samples):
    """Return the score and the CPU seconds of one fit."""
    data = load_npz_set(name)
    fit, held_out = split(data, "valid")
    fit = fit[:n_samples]
    context = nullcontext()
    if options == ROWS["before"]:
        options, context = former_defaults()
    clf = HCALClassifier(data.hierarchy, random_state=seed, device="cpu", **options)
    with context, threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels without a positive
        start = time.process_time()
        clf.fit(data.data[fit], data.target[fit])
        seconds = time.process_time() - start
        proba = clf.predict_proba(data.data[held_out])
    truth = data.target[held_out].toarray().astype(np.int64)
    return {
        "au_prc": round(float(au_prc_score(truth, proba)), 5),
        "cpu_seconds": round(seconds, 2),
        "versions": versions(),
    }


def in_process(*job):
    """Return what :func:`measure` says in a process of its own, on one thread."""
    env = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--fit", json.dumps(job)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"The fit of {job} failed.")
    return json.loads(done.stdout.splitlines()[-1])


def key_of(row, name, seed, n_samples):
    """Return the name of a fit, which says everything that defines it."""
    parts = row, json.dumps(ROWS[row]), name, f"seed {seed}"
    return " | ".join([*parts, f"{n_samples} rows"] if n_samples else parts)


def summary(results, n_samples=None):
    """Return, for every row and set that has a fit, the means of score and seconds."""
    found = {}
    for row in ROWS:
        for name in TEXTS:
            keys = [key_of(row, name, seed, n_samples) for seed in range(SEEDS)]
            fits = [results[key] for key in keys if key in results]
            if fits:
                found.setdefault(row, {})[name] = {
                    "au_prc": round(float(np.mean([f["au_prc"] for f in fits])), 5),
                    "cpu_seconds": round(
                        float(np.mean([f["cpu_seconds"] for f in fits])), 2
                    ),
                    "seeds": len(fits),
                }
    return found


def choose(found):
    """Return the row that is chosen or None, and why."""
    complete = [
        row for row, sets in found.items() if all(name in sets for name in TEXTS)
    ]
    if "before" not in complete:
        return None, "'before' is not measured on all sets"
    before = found["before"]
    good = [
        row
        for row in complete
        if row != "before"
        and all(
            found[row][name]["cpu_seconds"] <= SHARE * before[name]["cpu_seconds"]
            and found[row][name]["au_prc"] >= before[name]["au_prc"] - LOSS
            for name in TEXTS
        )
    ]
    if not good:
        return None, "no complete candidate is fast enough and good enough on all sets"
    mean = {
        row: np.mean([found[row][name]["au_prc"] for name in TEXTS]) for row in good
    }
    return max(mean, key=mean.get), "the best of those that meet both limits"


def page(results):
    """Return the text of the file that the documentation includes."""
    heads = ["defaults"]
    for name in TEXTS:
        heads += [f"{name}: AU(PRC)", "CPU s", "seeds"]
    rows = []
    for row, sets in summary(results).items():
        cells = [row]
        for name in TEXTS:
            own = sets.get(name)
            cells += (
                [f"{own['au_prc']:.3f}", f"{own['cpu_seconds']:.0f}", own["seeds"]]
                if own
                else ["–"] * 3
            )
        rows.append(cells)
    measured = [found["versions"] for found in results.values()]
    tables = [table("", heads, rows)]
    return include("benchmarks.sparse_defaults", tables, measured[-1])


def show(results):
    """Print the figures, write them into the documentation, and write the choice."""
    PAGE.write_text(page(results))
    found = summary(results)
    for row, sets in found.items():
        for name, figures in sets.items():
            print(row, name, figures)
    chosen, why = choose(found)
    print(f"Chosen: {chosen} ({why}).")
    choices = read_results(CHOICES)
    choices["sparse_defaults"] = {
        "chosen": chosen,
        "by": why,
        "limits": "a third of the CPU seconds of 'before', AU(PRC) at most .001 lower",
        "command": "python -m benchmarks.sparse_defaults",
        "candidates": ROWS,
        "validation": found,
    }
    write_results(CHOICES, choices)


def parse(arguments=None):
    """Return the options."""
    parser = command_line(__doc__)
    parser.add_argument("--row", choices=ROWS, action="append")
    parser.add_argument("--data-set", choices=TEXTS, action="append")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--n-samples", type=int, help="of the training rows; all")
    parser.add_argument("--stored", action="store_true", help="measures nothing")
    parser.add_argument("--fit", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main():
    """Measure what is not stored, and show everything."""
    args = parse()
    if args.fit:
        name, seed, options, n_samples = args.fit
        if "hidden_layer_sizes" in options:
            options["hidden_layer_sizes"] = tuple(options["hidden_layer_sizes"])
        print(json.dumps(measure(name, seed, options, n_samples)))
        return
    if args.stored:
        show(read_results(FILE))
        return
    jobs = [
        (row, name, seed)
        for seed in range(args.seeds)
        for name in args.data_set or TEXTS
        for row in args.row or ROWS
    ]
    for row, name, seed in jobs:
        key = key_of(row, name, seed, args.n_samples)
        if key in read_results(FILE):
            continue
        fit = in_process(name, seed, ROWS[row], args.n_samples)
        write_results(FILE, read_results(FILE) | {key: fit})
        print(key, fit["au_prc"], fit["cpu_seconds"], flush=True)
    show(read_results(FILE))


if __name__ == "__main__":
    main()

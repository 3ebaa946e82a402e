"""Defaults for sparse X: AU(PRC) on validation rows, and CPU seconds of a fit.

    python -m benchmarks.sparse_defaults [--row ROW] [--data-set SET] [--seeds 3]

fits HCALClassifier to the training rows of three sets of texts (tf-idf in CSR), with
the defaults of an older commit ("before") and with candidates for new ones, and scores
the validation rows: the set's own, or a fifth of the training rows. Test rows are never
looked at. Every fit runs in a process of its own on one thread; CPU seconds are those
of ``fit`` alone, by ``time.process_time``.

Fits that are stored in ``benchmarks/results/sparse_defaults.json`` are not repeated. Of
what is complete, the table is printed, and the choice is written into
``benchmarks/choices.json``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.command import command_line, read_results, write_results
from benchmarks.npz_sets import load_npz_set
from benchmarks.recipe import TEXTS, split

BEFORE = "2a88d49"  # the last commit with one set of defaults for any X
REPOSITORY = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "sparse_defaults.json"
ROWS = {"before": {}}


def measure(name, seed, options):
    """Return the score and the CPU seconds of one fit."""
    from skhmc import HCALClassifier
    from skhmc.metrics import au_prc_score

    from benchmarks.figures import versions

    data = load_npz_set(name)
    fit, held_out = split(data, "valid")
    clf = HCALClassifier(data.hierarchy, random_state=seed, device="cpu", **options)
    with threadpool_limits(1), warnings.catch_warnings():
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


def in_package(package, *job):
    """Return what :func:`measure` says with the package in a folder."""
    path = os.pathsep.join(map(str, (package, REPOSITORY)))
    env = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--fit", json.dumps(job)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"The fit of {job} failed.")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = command_line(__doc__)
    parser.add_argument("--row", action="append", help="of the table; all by default")
    parser.add_argument("--data-set", choices=TEXTS, action="append")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--options", type=json.loads, default=None)
    parser.add_argument("--fit", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fit:
        name, seed, options = args.fit
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        print(json.dumps(measure(name, seed, options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        from benchmarks.same_bits import unpack

        unpack(BEFORE, folder)
        for seed in range(args.seeds):
            for row in args.row or ROWS:
                for name in args.data_set or TEXTS:
                    key = f"{row}|{name}|{seed}"
                    if key in read_results(RESULTS):
                        continue
                    package = folder if row == "before" else REPOSITORY
                    found = in_package(package, name, seed, ROWS.get(row) or args.options or {})
                    results = read_results(RESULTS)
                    results[key] = found
                    write_results(RESULTS, results)
                    print(key, found["au_prc"], found["cpu_seconds"], flush=True)


if __name__ == "__main__":
    main()

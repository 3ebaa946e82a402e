"""Many small predictions from threads, and many small fits: same bits, no leak.

Run as ``python -m benchmarks.soak_load [--predictions 10000] [--fits 1000]``. A network
predicts one row so many times, from eight threads at a time: every answer has to have
the bits of a prediction of the same row by one thread. Latencies are noted, and the
private memory of the process. Then classifiers of every kind are fitted in turn, each
to a few rows, and memory is read after every round of them.

Memory is flat where the median of the last fifth of the readings is within one per cent
of that of the second fifth: the first one is the warm-up. Latencies are flat where the
medians of the last fifth are at most half as long again. Prints and writes
``benchmarks/results/soak_load.json`` and ``docs/soak_load.inc``, and exits with 1 where
a bit differs or something is not flat.
"""

import gc
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

import skhmc
from benchmarks.command import (
    DOCS,
    RESULTS,
    command_line,
    in_own_process,
    write_results,
)
from benchmarks.figures import versions
from benchmarks.out_of_core import private_memory
from benchmarks.tables import include, table
from skhmc.datasets import load_digit_properties

N_THREADS = 8
N_READINGS = 100  # of memory
N_PARTS = 5  # fifths, of which the second and the last are compared
MEMORY, LATENCY = 0.01, 0.5  # greatest growth
NET = {"hidden_layer_sizes": (16,), "max_iter": 2, "device": "cpu", "random_state": 0}
MB = 2**20


def flat(readings):
    """Return the medians of the second and of the last fifth of some readings."""
    parts = np.array_split(np.asarray(readings, float), N_PARTS)
    return float(np.median(parts[1])), float(np.median(parts[-1]))


def memory():
    """Return the private memory of this process, when all garbage is collected."""
    gc.collect()
    return private_memory()


# -- predictions -----------------------------------------------------------------------


def predictions(n):
    """Return what came of so many predictions of one row, from threads."""
    torch.set_num_threads(1)
    digits = load_digit_properties()
    X, Y = (a[digits.train] for a in (digits.data / 16, digits.target))
    clf = skhmc.HCALClassifier(digits.hierarchy, **NET).fit(X, Y)
    rows = [X[k : k + 1] for k in range(len(X))]
    expected = [clf.predict_proba(row).tobytes() for row in rows]

    def predict(k):
        start = time.perf_counter()
        found = clf.predict_proba(rows[k % len(rows)])
        seconds = time.perf_counter() - start
        return found.tobytes() == expected[k % len(rows)], seconds

    same, seconds, readings = [], [], []
    with ThreadPoolExecutor(N_THREADS) as pool:
        for numbers in np.array_split(np.arange(n), min(N_READINGS, n)):
            for is_same, passed in pool.map(predict, numbers.tolist()):
                same.append(is_same)
                seconds.append(passed)
            readings.append(memory())
    parts = np.array_split(1000 * np.array(seconds), N_PARTS)
    return {
        "calls": n,
        "other bits": same.count(False),
        "memory": flat(readings),
        "p50": [float(np.quantile(parts[k], 0.5)) for k in (1, -1)],
        "p99": [float(np.quantile(parts[k], 0.99)) for k in (1, -1)],
    }


# -- fits ------------------------------------------------------------------------------


def classifiers(hierarchy):
    """Return small classifiers, one of every kind."""
    return [
        skhmc.HCALClassifier(hierarchy, embedding_dim=8, **NET),
        skhmc.MaxConstraintClassifier(hierarchy, early_stopping=True, **NET),
        skhmc.HyperbolicHMC(hierarchy, embedding_dim=8, **NET),
        skhmc.KernelHMC(hierarchy, ridge=0.1),
        skhmc.LabelTreeClassifier(hierarchy, random_state=0),
        skhmc.CoherentClassifier(LogisticRegression(), hierarchy),
    ]


def fits(n):
    """Return the private memory beside so many fits, one kind after the other."""
    torch.set_num_threads(1)
    hierarchy = skhmc.Hierarchy.from_paths(["a/b", "a/c", "d/e", "d/f"])
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 10))
    leaves = (X[:, :4] > 0.3).astype(int)
    a, d = (leaves[:, k : k + 2].any(axis=1) for k in (0, 2))
    Y = np.column_stack([a, leaves[:, :2], d, leaves[:, 2:]])
    warnings.simplefilter("ignore")
    kinds = classifiers(hierarchy)
    readings = []
    done = 0
    while done < n:
        for clf in kinds[: n - done]:
            clf.fit(X, Y).predict(X)
            done += 1
        readings.append(memory())
    return {"calls": done, "memory": flat(readings)}


# -- what came of them -----------------------------------------------------------------


def faults(made):
    """Return what is wrong, as texts."""
    found = []
    for name in ("predictions", "fits"):
        before, after = made[name]["memory"]
        if abs(after / before - 1) > MEMORY:
            found.append(f"{name}: memory went from {before:.0f} to {after:.0f} bytes")
    if made["predictions"]["other bits"]:
        found.append(f"{made['predictions']['other bits']} predictions differ")
    for name in ("p50", "p99"):
        before, after = made["predictions"][name]
        if after > (1 + LATENCY) * before:
            found.append(f"{name} went from {before:.2f} to {after:.2f} ms")
    return found


def page(made):
    """Return the table of the documentation."""
    calls, fitted = made["predictions"], made["fits"]
    rows = [
        ["predictions of one row from 8 threads", f"{calls['calls']:,}", "", ""],
        ["with other bits than one thread", f"{calls['other bits']}", "", ""],
        *(
            [f"latency, {name}, ms", "", *(f"{x:.2f}" for x in calls[name])]
            for name in ("p50", "p99")
        ),
        ["private memory, MB", "", *(f"{x / MB:.1f}" for x in calls["memory"])],
        ["fits of six kinds", f"{fitted['calls']:,}", "", ""],
        ["private memory, MB", "", *(f"{x / MB:.1f}" for x in fitted["memory"])],
    ]
    heads = ["what", "number", "second fifth", "last fifth"]
    tables = [table("Load, in one process each", heads, rows)]
    return include("benchmarks.soak_load", tables, made["versions"])


def main():
    parser = command_line(__doc__)
    parser.add_argument("--predictions", type=int, default=10_000)
    parser.add_argument("--fits", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="nothing is kept")
    options = parser.parse_args()
    made = {"versions": versions()}
    made["predictions"] = in_own_process(predictions, options.predictions)
    made["fits"] = in_own_process(fits, options.fits)
    wrong = faults(made)
    print(page(made))
    print("\n".join([*wrong, "FAILED" if wrong else "passed"]))
    if not options.quick:
        write_results(RESULTS / "soak_load.json", made)
        (DOCS / "soak_load.inc").write_text(page(made))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

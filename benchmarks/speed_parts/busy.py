"""Fits on a machine that has other things to do: processor time and seconds.

Each fit is made in a process of its own, on one thread, on the number of threads that
``--threads`` says, and on what the estimators choose below that number; on the machine
as it is, and beside two processes that count.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import numpy as np

from benchmarks.speed_parts.common import found, paired, quiet, ratio_cell

__all__ = ["CASES", "goals", "measure", "tables"]

CASES = {"digits": 8, "cellcycle_FUN": 8}  # epochs of the default HCALClassifier
WAYS = ("one thread", "all threads", "chosen")
N_BUSY = 2
SPARE = 0.05  # of the seconds on an idle machine, which differ by more from run to run


def measure(settings):
    """Fit each case in every way, in turn, idle and beside busy processes."""
    rows = []
    for name, epochs in CASES.items():
        for n_busy in (0, N_BUSY):
            row = {"set": name, "epochs": settings.pick(epochs, 1), "busy": n_busy}
            row |= {way: [] for way in WAYS}
            with busy(n_busy):
                for _ in range(settings.pick(3, 1)):
                    for way in WAYS:
                        fit = fit_apart(name, row["epochs"], way, settings)
                        row[way].append(fit)
            rows.append(row)
    return rows


@contextmanager
def busy(n):
    """Have some processes count meanwhile."""
    count = [sys.executable, "-c", "while True: pass"]
    with ExitStack() as stack:
        for _ in range(n):
            process = subprocess.Popen(count)
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def fit_apart(name, epochs, way, settings):
    """Return the seconds and the processor seconds of a fit in a new process."""
    threads = 1 if way == "one thread" else settings.threads
    environment = dict(os.environ)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        environment.pop(variable, None)
    if way != "chosen":  # a number that is fixed is kept
        environment["OMP_NUM_THREADS"] = str(threads)
    command = [sys.executable, "-m", "benchmarks.speed_parts.busy", name]
    command += [str(epochs), str(threads), str(settings.seed)]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def fit_here(name, epochs, threads, seed):
    """Fit once and print what it took."""
    import torch

    from skhmc import HCALClassifier

    X, Y, hierarchy = _data(name)
    torch.set_num_threads(threads)
    clf = HCALClassifier(hierarchy, max_iter=epochs, random_state=seed, device="cpu")
    start = time.perf_counter()
    processor_start = time.process_time()
    with quiet():
        clf.fit(X, Y)
    seconds = time.perf_counter() - start
    processor_seconds = time.process_time() - processor_start
    print(json.dumps({"seconds": seconds, "cpu": processor_seconds}))


def _data(name):
    if name == "digits":
        from skhmc.datasets import load_digit_properties

        digits = load_digit_properties()
        return digits.data[digits.train], digits.target[digits.train], digits.hierarchy
    from benchmarks.speed_parts.data import load

    data = load(name, ("train", "valid"))
    return data.X_train, data.Y_train, data.hierarchy


def _column(row, way, key):
    return [fit[key] for fit in row[way]]


def _ratio(row, way, key):
    return paired(_column(row, "chosen", key), _column(row, way, key))


def tables(rows):
    """Return the table of fits, beside others and beside nothing."""
    heads = ["data set, epochs", "busy processes"]
    heads += [f"{way}: CPU s / s" for way in WAYS]
    heads += ["CPU: chosen / one", "s: chosen / all"]
    cells = []
    for row in rows:
        line = [f"{row['set']}, {row['epochs']}", f"{row['busy']}"]
        for way in WAYS:
            cpu = np.median(_column(row, way, "cpu"))
            seconds = np.median(_column(row, way, "seconds"))
            line.append(f"{cpu:.1f} / {seconds:.1f}")
        line.append(ratio_cell(_ratio(row, "one thread", "cpu")))
        line.append(ratio_cell(_ratio(row, "all threads", "seconds")))
        cells.append(line)
    return [("A fit beside other processes", heads, cells)]


def goals(rows):
    """Return what was to be reached, and what was."""
    beside = [row for row in rows if row["busy"]]
    idle = [row for row in rows if not row["busy"]]
    cpu = [_ratio(row, "one thread", "cpu")["ratio"] for row in beside]
    seconds = [_ratio(row, "all threads", "seconds")["ratio"] for row in idle]
    limit = 1 + SPARE
    return [
        ["CPU time of a fit beside two busy processes", "one thread", "≤ 1.5"]
        + [found(cpu, 1.5)],
        ["a fit on an idle machine", "all threads", f"≤ {limit}"]
        + [found(seconds, limit)],
    ]


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    fit_here(name, *map(int, numbers))

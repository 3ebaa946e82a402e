"""Seconds of one whole default fit, on the rows that benchmarks.accuracy fits to.

What is filled in and scaled before, as docs/preprocessing.rst has it, is not counted.
"""

import time

import numpy as np

from benchmarks.speed_parts.common import found, quiet
from benchmarks.speed_parts.data import load
from skhmc import HCALClassifier

__all__ = ["goals", "measure", "tables"]

LIMITS = {"cellcycle_FUN": 60, "cellcycle_GO": 180}  # seconds, with two threads


def measure(settings):
    """Fit the defaults to every set, of a few seeds, after a short fit not counted."""
    rows = []
    for name in LIMITS:
        data = load(name, ("train", "valid"))
        shape = (*data.X_train.shape, data.Y.shape[1])
        fit_once(data, settings.seed, max_iter=1)
        options = settings.pick({}, {"max_iter": 1})
        seeds = range(settings.seed, settings.seed + settings.pick(3, 1))
        seconds = [fit_once(data, seed, **options) for seed in seeds]
        rows.append({"set": name, "shape": shape, "seconds": seconds})
    return rows


def fit_once(data, seed, **options):
    """Return the seconds that one fit takes."""
    clf = HCALClassifier(data.hierarchy, random_state=seed, device="cpu", **options)
    start = time.perf_counter()
    with quiet():
        clf.fit(data.X_train, data.Y_train)
    return time.perf_counter() - start


def tables(rows):
    """Return the table of fits."""
    heads = ["data set (samples × features × labels)", "fits", "s"]
    cells = []
    for row in rows:
        shape = " × ".join(f"{n:,}" for n in row["shape"])
        median, seconds = np.median(row["seconds"]), row["seconds"]
        spread = f"{median:.0f} ({min(seconds):.0f} to {max(seconds):.0f})"
        cells.append([f"{row['set']} ({shape})", f"{len(seconds)}", spread])
    return [("A default fit of HCALClassifier", heads, cells)]


def goals(rows):
    """Return what was to be reached, and what was."""
    return [
        [
            f"a default fit of HCALClassifier, {row['set']}",
            "a clock",
            f"≤ {LIMITS[row['set']]} s",
            found(row["seconds"], LIMITS[row["set"]]),
        ]
        for row in rows
    ]

"""Training from files larger than memory: private memory, seconds and score.

Run as ``python -m benchmarks.out_of_core [--gib 1 4 16]``. For every size, writes a
file of 4,096 random features per row, float32, whose labels (two of 64 leaves of a tree
of 84) depend on them, and a file of the labels, uint8. Then trains one epoch of a small
network, so that reading takes most of the time: from both files as ``numpy.memmap`` by
``fit``, chunk by chunk by ``partial_fit``, and from arrays in memory where the limit
allows. Each runs in a process of its own, on one thread, that may have no more private
memory than ``--limit`` (RLIMIT_DATA; maps of files do not count), and starts without
the files in the page cache. Notes the peak of private memory (RssAnon) and the AU(PRC)
of held-out rows. Writes ``benchmarks/results/out_of_core.json``, where it keeps the
runs of other sizes, and the table of ``docs/training.rst``. The files are deleted.
"""

import json
import os
import resource
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.command import (
    command_line,
    in_own_process,
    read_results,
    write_results,
)
from benchmarks.figures import versions
from benchmarks.tables import include, table
from skhmc import Hierarchy, MaxConstraintClassifier
from skhmc.metrics import au_prc_score

GIB = 2**30
N_FEATURES, ROW_BYTES = 4096, 4096 * 4
FANOUT, DEPTH, N_PATHS, SIGNAL = 4, 3, 2, 0.02
CHUNK, N_HELD_OUT = 8192, 8192  # rows
WAYS = ("fit, memmap", "partial_fit, chunks", "fit, in memory")
SETTINGS = {
    "hidden_layer_sizes": (64,),
    "input_dropout": 0.0,
    "dropout": 0.0,
    "batch_size": 256,
    "max_iter": 1,
    "device": "cpu",
    "random_state": 0,
}
RESULTS = Path(__file__).parent / "results" / "out_of_core.json"
PAGE = Path(__file__).parents[1] / "docs" / "out_of_core_table.inc"


def tree():
    """Return the labels, level by level: 4 roots, 16 labels, 64 leaves."""
    ends = np.indices((FANOUT,) * DEPTH).reshape(DEPTH, -1).T
    paths = {tuple(end[: k + 1].tolist()) for end in ends for k in range(DEPTH)}
    names = ["/".join(map(str, p)) for p in sorted(paths, key=lambda p: (len(p), p))]
    return Hierarchy.from_paths(names).subset(names)


def write(folder, name, n_samples, seed):
    """Write features and closed labels, chunk by chunk, and let them go from memory."""
    hierarchy, shape = tree(), (n_samples, N_FEATURES)
    leaves = np.asarray(hierarchy.leaves)
    closure = np.eye(hierarchy.n_labels, dtype=np.uint8)
    closure += hierarchy.ancestors.toarray().astype(np.uint8)
    signs = np.random.default_rng(0).choice([-SIGNAL, SIGNAL], (len(leaves), shape[1]))
    rng, signs = np.random.default_rng(seed), signs.astype(np.float32)
    signs -= np.float32(0.5 / N_PATHS)  # features have a mean of about 0
    make = np.lib.format.open_memmap
    X = make(folder / f"X_{name}.npy", "w+", np.float32, shape)
    Y = make(folder / f"Y_{name}.npy", "w+", np.uint8, (n_samples, hierarchy.n_labels))
    for start in range(0, n_samples, CHUNK):
        rows = slice(start, min(start + CHUNK, n_samples))
        drawn = rng.integers(len(leaves), size=(rows.stop - start, N_PATHS))
        block = rng.random((len(drawn), shape[1]), dtype=np.float32)
        for path in drawn.T:
            block += signs[path]
        X[rows] = block
        Y[rows] = closure[leaves[drawn]].max(axis=1)
    X.flush(), Y.flush()


def forget(folder):
    """Drop the files from the page cache."""
    for path in folder.iterdir():
        file = os.open(path, os.O_RDWR)
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


class PeakMemory(threading.Thread):
    """Watches the private memory of this process, every 10 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self.ended = private_memory(), threading.Event()

    def run(self):
        while not self.ended.wait(0.01):
            self.peak = max(self.peak, private_memory())


def private_memory():
    """Return the bytes that are no pages of files (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("The system does not say what is private: no RssAnon.")


def train(clf, way, X, Y):
    """Train one epoch in one of the three ways."""
    if way == "fit, in memory":
        return clf.fit(np.array(X), np.array(Y))
    if way == "fit, memmap":
        return clf.fit(X, Y)
    for start in range(0, len(X), CHUNK):
        rows = slice(start, start + CHUNK)
        clf.partial_fit(X[rows], Y[rows])
    return clf


def run(folder, way, limit):
    """Train in one way within a limit of private memory; return the figures."""
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    files = [np.load(folder / f"{x}_train.npy", mmap_mode="r") for x in "XY"]
    clf, start, memory = MaxConstraintClassifier(tree()), private_memory(), PeakMemory()
    clf.set_params(**SETTINGS)
    memory.start()
    clock, cpu = time.perf_counter(), time.process_time()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        try:
            train(clf, way, *files)
        except MemoryError:
            return {"way": way, "failed": "MemoryError"}
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        X, Y = (np.load(folder / f"{x}_test.npy", mmap_mode="r") for x in "XY")
        proba = clf.predict_proba(X)
    memory.ended.set()
    memory.join()
    return {
        "way": way,
        "seconds": clock,
        "cpu_seconds": cpu,
        "before_gib": start / GIB,
        "peak_gib": memory.peak / GIB,
        "au_prc": au_prc_score(Y, proba, hierarchy=tree()),
        "au_prc_of_chance": float(Y.mean()),
    }


def measure(gib, limit, parent):
    """Write files of one size and train from them in every way; yield the figures."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        folder, n_samples = Path(folder), int(gib * GIB) // ROW_BYTES
        start = time.perf_counter()
        write(folder, "train", n_samples, seed=1)
        write(folder, "test", N_HELD_OUT, seed=2)
        forget(folder)
        written = time.perf_counter() - start
        for way in WAYS:
            if way == "fit, in memory" and gib * GIB > limit:
                continue
            figures = in_own_process(run, folder, way, limit)
            forget(folder)
            yield {"gib": gib, "n_samples": n_samples, "write_seconds": written} | {
                "limit_gib": limit / GIB,
                "memory_gib": total_memory() / GIB,
                **figures,
            }


def total_memory():
    """Return the bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


HEADS = ["file, GiB", "rows", "trained by", "private GiB", "s", "CPU s", "AU(PRC)"]


def row(run):
    """Return a table row."""
    cells = [f"{run['gib']:g}", f"{run['n_samples']:,}", run["way"]]
    if "failed" in run:
        return [*cells, run["failed"], "", "", ""]
    figures = [run[k] for k in ("peak_gib", "seconds", "cpu_seconds", "au_prc")]
    formats = ("{:.2f}", "{:.0f}", "{:.0f}", "{:.4f}")
    return cells + [f.format(x) for f, x in zip(formats, figures, strict=True)]


def page():
    """Return the part of the documentation that holds the table."""
    made = json.loads(RESULTS.read_text())
    runs = made["runs"]
    names = ("limit_gib", "memory_gib")  # machines of one size differ by megabytes
    (limit,), (memory,) = ({round(r[k], 1) for r in runs} for k in names)
    title = f"One epoch; private memory of at most {limit:g} of {memory:.0f} GiB"
    tables = [table(title, HEADS, [row(run) for run in runs])]
    return include("benchmarks.out_of_core", tables, made["versions"])


def main():
    """Print the table and write the results."""
    parser = command_line(__doc__)
    parser.add_argument("--gib", type=float, nargs="+", default=[1, 4, 16])
    parser.add_argument("--limit", type=float, default=2, help="private memory, GiB")
    parser.add_argument("--folder", help="where the files are written")
    options = parser.parse_args()
    runs = read_results(RESULTS).get("runs", [])
    runs = [r for r in runs if r["gib"] not in options.gib]
    print("  ".join(HEADS))
    for gib in options.gib:
        for figures in measure(gib, int(options.limit * GIB), options.folder):
            runs.append(figures)
            print("  ".join(row(figures)), flush=True)
    runs.sort(key=lambda r: (r["gib"], WAYS.index(r["way"])))
    made = {"versions": versions(), "settings": SETTINGS, "runs": runs}
    write_results(RESULTS, made)
    PAGE.write_text(page())
    print(f"Wrote {RESULTS} and {PAGE}")


if __name__ == "__main__":
    main()

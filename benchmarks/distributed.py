"""One fit on two processes: speed beside one process, and what messages take.

Run as ``python -m benchmarks.distributed [--rows 8192] [--epochs 4] [--repeats 3]``.
Makes rows of 300 features and 100,000 labels (a random DAG, about 22 labels per row),
and trains HCALClassifier with defaults, which samples 5,000 labels in every step, with
batches of 256 and of 1,024 rows: in one process with one thread, in one with two
threads, and in two processes with one thread each that share the fit. All run one after
the other, three times; of the epochs of a run, but for the first, the fastest counts,
and of three runs the one in the middle.

"Processor time" is that of one process in an epoch: on a machine that is busy with
something else it says more than the seconds that passed. Writes
``benchmarks/results/distributed.json`` and ``docs/distributed_table.inc``.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

import skhmc
from benchmarks.command import DOCS, RESULTS, command_line, write_results
from benchmarks.figures import versions
from benchmarks.large import _csr, make_hierarchy
from benchmarks.tables import include, table
from skhmc._networks.skorch_net import Net
from skhmc.coherence import close_upward
from skhmc.nn.shards import Shards

N_LABELS, N_FEATURES, N_LEAVES = 100_000, 300, 3
BATCHES = (256, 1024)
RUNS = {  # processes and threads of each
    "one process, one thread": (1, 1),
    "one process, two threads": (1, 2),
    "two processes, one thread each": (2, 1),
}


def store(folder, n_rows):
    """Write the data into files, which processes map into their memory."""
    rng = np.random.default_rng(0)
    hierarchy = make_hierarchy(N_LABELS, rng)
    leaves = rng.permutation(hierarchy.leaves)
    rate = 1 / np.arange(1, len(leaves) + 1)
    drawn = rng.choice(leaves, (n_rows, N_LEAVES), p=rate / rate.sum())
    Y = close_upward(_csr(drawn, N_LABELS, np.uint8), hierarchy)
    directions = rng.normal(size=(N_LABELS, N_FEATURES)).astype(np.float32)
    X = Y @ directions + rng.normal(size=(n_rows, N_FEATURES))
    np.save(folder / "X.npy", X.astype(np.float32))
    sp.save_npz(folder / "Y.npz", Y, compressed=False)
    np.save(folder / "edges.npy", hierarchy.edges)


class Clock:
    """Seconds of every epoch: that passed, of the processor, and of messages."""

    def __init__(self):
        self.in_messages = 0.0
        self.sent = 0
        self.epochs = []

    def watch(self):
        """Be told of epochs and messages from now on."""
        epoch, answering, add = Net.run_single_epoch, Shards._answering, Shards.add

        def run_single_epoch(net, iterator, *args, **kwargs):
            if iterator is None:
                return
            self.in_messages, self.sent = 0.0, 0
            start, processor = time.perf_counter(), time.process_time()
            epoch(net, iterator, *args, **kwargs)
            passed = time.perf_counter() - start
            used = time.process_time() - processor
            found = passed, used, self.in_messages, self.sent / len(iterator)
            self.epochs.append(dict(zip(COLUMNS, found, strict=True)))

        @contextmanager
        def timed(shards):
            start = time.perf_counter()
            with answering(shards):
                yield
            self.in_messages += time.perf_counter() - start

        def counted(shards, x):
            self.sent += x.nbytes
            return add(shards, x)

        Net.run_single_epoch, Shards._answering = run_single_epoch, timed
        Shards.add = counted


COLUMNS = ("passed", "processor", "messages", "bytes")


def fit(folder, n_threads, batch_size, n_epochs, shared):
    """Fit in this process, and write the seconds of its epochs."""
    torch.set_num_threads(n_threads)
    folder = Path(folder)
    edges = np.load(folder / "edges.npy").tolist()
    clf = skhmc.HCALClassifier(
        skhmc.Hierarchy.from_edges(edges, labels=range(N_LABELS)),
        batch_size=batch_size,
        max_iter=n_epochs,
        device="cpu",
        random_state=0,
    )
    X, Y = np.load(folder / "X.npy", mmap_mode="r"), sp.load_npz(folder / "Y.npz")
    clock = Clock()
    clock.watch()
    with skhmc.distributed() if shared else nullcontext():
        clf.fit(X, sp.csr_matrix(Y))
    rank = os.environ.get("RANK", "0")
    (folder / f"epochs-{rank}.json").write_text(json.dumps(clock.epochs))


def measure(folder, name, batch_size, n_epochs):
    """Return the fastest epoch of a run; of two processes, that of the slower one."""
    n_processes, n_threads = RUNS[name]
    given = [folder, str(n_threads), str(batch_size), str(n_epochs)]
    command = [sys.executable, "-m"]
    if n_processes > 1:
        command += ["torch.distributed.run", "--standalone"]
        command += ["--nproc-per-node", str(n_processes), "-m"]
    command += ["benchmarks.distributed", "--fit", *given]
    env = os.environ | {"OMP_NUM_THREADS": str(n_threads), "PYTHONWARNINGS": "ignore"}
    subprocess.run(command, env=env, check=True)
    found = []
    for rank in range(n_processes):
        path = Path(folder) / f"epochs-{rank}.json"
        epochs = json.loads(path.read_text())[1:]
        found.append({k: min(epoch[k] for epoch in epochs) for k in COLUMNS})
        path.unlink()
    return max(found, key=lambda one: one["passed"])


def middle(runs):
    """Return the run in the middle by the seconds that passed."""
    return sorted(runs, key=lambda one: one["passed"])[len(runs) // 2]


def said_of_repeats(all_runs):
    """Return a sentence of how much faster two processes were, each time."""
    said = []
    for batch_size in BATCHES:
        alone, _, shared = (all_runs[f"{name}, {batch_size}"] for name in RUNS)
        pairs = zip(alone, shared, strict=True)
        times = ", ".join(f"{a['passed'] / b['passed']:.2f}" for a, b in pairs)
        said.append(f"{times} times as fast with batches of {batch_size:,} rows")
    return f"Run by run, two processes were {'; '.join(said)}.\n"


def as_table(all_runs):
    """Return the table of the documentation."""
    found = {name: middle(runs) for name, runs in all_runs.items()}
    rows = []
    for batch_size in BATCHES:
        runs = {name: found[f"{name}, {batch_size}"] for name in RUNS}
        alone = runs["one process, one thread"]
        for name, one in runs.items():
            in_messages = sent = "–"
            if one["bytes"]:
                in_messages = f"{100 * one['messages'] / one['passed']:.0f} %"
                sent = f"{one['bytes'] / 1e6:.1f} MB"
            rows.append(
                [batch_size, name, f"{one['passed']:.1f}"]
                + [f"{alone['passed'] / one['passed']:.2f}", f"{one['processor']:.1f}"]
                + [in_messages, sent]
            )
    heads = ["batch", "run", "seconds per epoch", "times as fast", "processor time"]
    heads += ["in messages", "sent per step"]
    return table("HCALClassifier, 100,000 labels, 5,000 of them sampled", heads, rows)


def main():
    parser = command_line(__doc__)
    parser.add_argument("--rows", type=int, default=8192)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="nothing is kept")
    parser.add_argument("--fit", nargs=4, help="what the processes are told")
    options = parser.parse_args()
    if options.fit:
        folder, *numbers = options.fit
        return fit(folder, *map(int, numbers), shared="RANK" in os.environ)
    with tempfile.TemporaryDirectory() as folder:
        store(Path(folder), options.rows)
        plan = [(name, batch_size) for batch_size in BATCHES for name in RUNS]
        all_runs = {f"{name}, {batch_size}": [] for name, batch_size in plan}
        for _ in range(options.repeats):
            for name, batch_size in plan:
                one = measure(folder, name, batch_size, options.epochs)
                all_runs[f"{name}, {batch_size}"].append(one)
                print(f"{name}, batches of {batch_size}: {one}", flush=True)
    texts = [as_table(all_runs), said_of_repeats(all_runs)]
    print(*texts, sep="\n")
    if not options.quick:
        kept = {"runs": all_runs, "rows": options.rows, "versions": versions()}
        write_results(RESULTS / "distributed.json", kept)
        page = include("benchmarks.distributed", texts, versions())
        (DOCS / "distributed_table.inc").write_text(page)


if __name__ == "__main__":
    main()

"""Fits on two processes, of which one is killed at random steps, again and again.

Run as ``python -m benchmarks.soak_ranks [--kills 20] [--seed 0]``. Two processes share
a fit with a checkpoint. One of them is killed by SIGKILL (kill -9), up to three times,
one after the other: the other has to end within a minute, with an error that says why,
and the fit that goes on has to end, in both, with the weights and the history of one
that nothing happened to, bit for bit. All three networks take turns, with early
stopping, sampled labels and none of both.

Prints what was wrong and the counts, writes ``benchmarks/results/soak_ranks.json``, and
exits with 1 where anything was wrong.
"""

import os
import signal
import sys
import tempfile
import time
import warnings
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from sklearn.base import clone

import skhmc
from benchmarks.command import RESULTS, command_line, write_results
from benchmarks.figures import versions
from benchmarks.soak_parts.processes import NETWORKS
from skhmc._networks.skorch_net import Net
from skhmc.nn.shards import LostProcess

N_PROCESSES = 2
N_EPOCHS, N_STEPS = 4, 5
LOST = 3  # exit status of who was told that another process is gone
MINUTE = 60
WAYS = [{}, {"early_stopping": True, "n_iter_no_change": 4}, {"n_sampled_labels": 2}]


def fit(folder, number):
    """Return the weights and the history of a fit, as one array of bytes."""
    rng = np.random.default_rng(number)
    X = rng.normal(size=(80, 5))
    ends = (X @ rng.normal(size=(5, 3)) > 0.5).astype(int)
    Y = np.column_stack([ends[:, :2].any(axis=1), ends])
    network = NETWORKS[number % len(NETWORKS)]
    options = WAYS[number // len(NETWORKS) % len(WAYS)]
    clf = clone(network).set_params(
        hierarchy=skhmc.Hierarchy.from_edges([("a", "b"), ("a", "c")], labels="abcd"),
        max_iter=N_EPOCHS,
        checkpoint=skhmc.Checkpoint(folder),
        **options,
    )
    with warnings.catch_warnings(), skhmc.distributed():
        warnings.simplefilter("ignore")
        clf.fit(X, Y)
    weights = [w.numpy().tobytes() for w in clf.net_.module_.state_dict().values()]
    history = [{k: v for k, v in e.items() if k != "dur"} for e in clf.history_]
    return b"".join(weights) + repr(history).encode()


def run(folder, number, rank, kill_at, meeting):
    """Fit in a process of a group, which is killed before a step, or never for None."""
    torch.set_num_threads(1)
    step = Net.train_step
    left = [kill_at]

    def train_step(net, batch, **given):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] = None if left[0] is None else left[0] - 1
        return step(net, batch, **given)

    Net.train_step = train_step
    dist.init_process_group(
        "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=N_PROCESSES,
        timeout=timedelta(seconds=MINUTE),
    )
    try:
        found = fit(folder / "checkpoints", number)
    except LostProcess:
        return LOST
    (folder / f"learnt-{rank}").write_bytes(found)
    return 0


def start(*given):
    """Return the number of a process that runs, a fork of this one."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        status = run(*given)
    finally:
        os._exit(status)


def together(folder, number, killed=None, kill_at=None):
    """Return how both processes ended, and the seconds between their ends."""
    with tempfile.TemporaryDirectory() as place:
        given = [kill_at if rank == killed else None for rank in range(N_PROCESSES)]
        processes = [
            start(folder, number, rank, at, Path(place) / "meeting")
            for rank, at in enumerate(given)
        ]
        ends = {}
        while len(ends) < N_PROCESSES:
            for process in set(processes) - set(ends):
                done, status = os.waitpid(process, os.WNOHANG)
                if done:
                    ends[process] = time.monotonic(), os.waitstatus_to_exitcode(status)
            first = min((end for end, _ in ends.values()), default=time.monotonic())
            if time.monotonic() - first > 2 * MINUTE:
                for process in set(processes) - set(ends):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.01)
    times = [end for end, _ in ends.values()]
    return [ends[process][1] for process in processes], max(times) - min(times)


def learnt(folder):
    """Return what the processes wrote."""
    return [(folder / f"learnt-{rank}").read_bytes() for rank in range(N_PROCESSES)]


def kill_one_fit(number, rng):
    """Return the seconds till a fit ended after every kill, and what was wrong."""
    seconds, wrong = [], []
    with tempfile.TemporaryDirectory() as folder:
        plain, stopped = Path(folder) / "plain", Path(folder) / "stopped"
        plain.mkdir()
        stopped.mkdir()
        together(plain, number)
        for _ in range(rng.integers(1, 4)):
            killed = int(rng.integers(N_PROCESSES))
            kill_at = int(rng.integers(N_EPOCHS * N_STEPS))
            statuses, passed = together(stopped, number, killed, kill_at)
            if statuses == [0] * N_PROCESSES:  # fewer steps were left
                break
            seconds.append(passed)
            if statuses[1 - killed] != LOST or passed > MINUTE:
                wrong.append(f"fit {number}: ends {statuses}, {passed:.1f} s apart")
        together(stopped, number)
        if learnt(stopped) != learnt(plain):
            wrong.append(f"fit {number}: other bits after {len(seconds)} kills")
    return seconds, wrong


def main():
    parser = command_line(__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="nothing is kept")
    options = parser.parse_args()
    seconds, wrong = [], []
    number = 0
    while len(seconds) < options.kills:
        more, texts = kill_one_fit(
            number, np.random.default_rng([options.seed, number])
        )
        seconds += more
        wrong += texts
        number += 1
        print(f"{len(seconds)} kills of {number} fits, {len(wrong)} wrong", flush=True)
    found = {
        "kills": len(seconds),
        "fits": number,
        "wrong": len(wrong),
        "most seconds till the other process ended": round(max(seconds), 1),
        "seed": options.seed,
        "versions": versions(),
    }
    print("\n".join([*wrong, str(found)]))
    if not options.quick:
        write_results(RESULTS / "soak_ranks.json", found)
    print("FAILED" if wrong else "passed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

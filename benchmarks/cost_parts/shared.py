"""A fit that two processes share: seconds of a step, and bytes that they add up."""

import multiprocessing
import tempfile
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist

import skhmc
from benchmarks.command import in_own_process
from benchmarks.cost_parts.data import store
from benchmarks.cost_parts.runs import fit_in, on_one_thread
from skhmc.nn.shards import Shards

__all__ = ["run_shared"]

N_PROCESSES = 2
WAIT = timedelta(seconds=300)


def run_shared(case):
    """Return what ``run_fit`` does, of a fit that two processes share.

    Parameters
    ----------
    case : Fit
        With ``n_processes=2``.

    Returns
    -------
    case : Fit
    measured : dict of str to float
        As of ``run_fit``, of the first process; and "bytes" that it adds up in a step.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_own_process(store, folder, case)
        context = multiprocessing.get_context("spawn")
        found = context.SimpleQueue()
        processes = [
            context.Process(target=_run, args=(folder, case, rank, found))
            for rank in range(N_PROCESSES)
        ]
        for process in processes:
            process.start()
        both = dict(found.get() for _ in processes)
        for process in processes:
            process.join()
    return both[0]


def _run(folder, case, rank, found):
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'meeting'}",
        rank=rank,
        world_size=N_PROCESSES,
        timeout=WAIT,
    )
    sent = []
    sums = Shards._sums

    def counted(shards, parts):
        sent.append(sum(part.nbytes for part in parts))
        return sums(shards, parts)

    Shards._sums = counted
    with skhmc.distributed():
        case, measured = on_one_thread(fit_in, folder, case)
    found.put((rank, (case, measured | {"bytes": sum(sent) / len(sent)})))
    dist.barrier()
    dist.destroy_process_group()

"""One fit on several processes: :func:`distributed`, and what they agree on.

What processes compute of a batch is in :mod:`skhmc.nn.shards`.
"""

from __future__ import annotations

import atexit
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import torch
import torch.distributed as dist
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm

from skhmc._networks.fingerprint import differences
from skhmc.nn.shards import LostProcess, Shards

__all__ = [
    "agreeing",
    "check_alike",
    "check_can_share",
    "current_shards",
    "distributed",
    "own_share",
]

# what a launcher such as torchrun tells every process
TOLD = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_SHARDS: ContextVar[Shards | None] = ContextVar("shards of a fit", default=None)


class Processes(NamedTuple):
    """What :func:`distributed` says of the processes that share a fit."""

    rank: int
    n_processes: int


class _Made:
    """Whether :func:`distributed` made the default group, of which there is one."""

    here = False
    patient: Any = None  # a group of the same processes that waits longer


@contextmanager
def distributed(
    *,
    group: Any = None,
    backend: str | None = None,
    timeout: float = 60.0,
    long_timeout: float = 1800.0,
) -> Iterator[Processes]:
    """Let several processes share every fit of a network inside.

    Each process runs the same program and gives ``fit`` the same data and parameters.
    Each then puts its part of every batch through the network, and all end with the
    same estimator: that which one process would have, up to rounding. Fits outside of
    this context, in other threads, or of estimators that are no networks run whole in
    every process.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup, default=None
        The processes that share a fit. None is all of the default group, which is made
        if there is none, as a launcher such as ``torchrun`` says.
    backend : str, default=None
        Name of what carries messages in a group that is made here: "gloo", "nccl" or
        another one of torch. None takes gloo for CPUs and nccl for GPUs.
    timeout : float, default=60.0
        Seconds that a process of a group that is made here waits for the others in a
        training step. One that was killed is noticed at once, unless its machine went
        away with it.
    long_timeout : float, default=1800.0
        Seconds that a process of a group that is made here waits for the others when it
        starts, and between steps: one of them may read data from a slow disk, score
        rows held out, write a checkpoint or run a callback.

    Yields
    ------
    Processes
        With the ``rank`` of this process, 0 for the first, and ``n_processes``.

    Raises
    ------
    RuntimeError
        When there is no group and no launcher to make one; and inside, when another
        process ends or does not answer.
    ValueError
        Inside, in all processes, when they give ``fit`` different data or parameters.

    See Also
    --------
    Checkpoint : Lets a fit go on after a process was killed.

    Notes
    -----
    A group that is made here is kept for the next use, until the program ends or an
    error leaves the context. Then it is closed, so that no other process waits for this
    one. Processes talk by torch.distributed [1]_.

    References
    ----------
    .. [1] Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel
       Training", VLDB 2020.

    Examples
    --------
    A file ``train.py``, run by ``torchrun --nproc-per-node 2 train.py``::

        with skhmc.distributed() as processes:
            clf.fit(X, Y)
        if processes.rank == 0:
            skhmc.save(clf, "model.skhmc")
    """
    _join(group, backend, timeout, long_timeout)
    shards = Shards(group, _Made.patient if group is None else None)
    token = _SHARDS.set(shards if shards.n_processes > 1 else None)
    try:
        yield Processes(shards.rank, shards.n_processes)
    except BaseException:
        _close()
        raise
    finally:
        _SHARDS.reset(token)


def _join(group: Any, backend: str | None, timeout: float, long_timeout: float) -> None:
    """Make the default group, if there is none."""
    if group is not None or dist.is_initialized():
        return
    missing = [name for name in TOLD if name not in os.environ]
    if missing:
        raise RuntimeError(
            f"skhmc.distributed() found no group of processes, and no launcher that "
            f"says how to make one ({', '.join(missing)} are not set). Start the "
            f"program by one, for instance torchrun --nproc-per-node 2 train.py; or "
            f"call torch.distributed.init_process_group first."
        )
    if torch.cuda.is_available():
        place = int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count()
        torch.cuda.set_device(place)
    limit, long_limit = (timedelta(seconds=s) for s in (timeout, long_timeout))
    store, rank, n = next(iter(dist.rendezvous("env://", timeout=long_limit)))
    store = dist.PrefixStore(_agreed_name(store, rank, n, long_timeout), store)
    given = {"rank": rank, "world_size": n, "timeout": limit}
    dist.init_process_group(backend, store=store, **given)
    _Made.here = True
    _Made.patient = dist.new_group(timeout=long_limit, backend="gloo")
    atexit.register(_close)


def _agreed_name(store: Any, rank: int, n: int, timeout: float) -> str:
    """Return a name that this start of all processes alone has.

    A launcher that starts processes again after one was killed may keep the store in
    which they find each other. What those before left there must not be taken for the
    addresses of these: so each asks the first process under a name of its own, and that
    answers whatever was asked until all have said that they were answered.
    """
    own = uuid4().hex
    if rank > 0:
        store.set(f"asking {rank}", own)
        store.wait([f"answer to {own}"], timedelta(seconds=timeout))
        name = store.get(f"answer to {own}").decode()
        store.set(f"{name} has {rank}", "")
        return name
    missing = set(range(1, n))
    end = time.monotonic() + timeout
    while missing:
        for other in sorted(missing):
            if store.check([f"asking {other}"]):
                asked = store.get(f"asking {other}").decode()
                store.set(f"answer to {asked}", own)
            if store.check([f"{own} has {other}"]):
                missing.remove(other)
        if time.monotonic() > end:
            raise LostProcess(
                f"Of {n} processes, {len(missing)} did not come within {timeout} s: "
                f"{sorted(missing)}. Look at what they say, or raise long_timeout."
            )
        time.sleep(0.02)
    return own


def _close() -> None:
    """Close the group that was made here, so that nobody waits for this process."""
    if not _Made.here:
        return
    _Made.here = False
    _Made.patient = None
    if dist.is_initialized():
        with suppress(RuntimeError):  # others may be gone
            dist.destroy_process_group()


def current_shards() -> Shards | None:
    """Return what the processes share a fit by, or None where there is but one."""
    return _SHARDS.get()


def own_share() -> tuple[int, int]:
    """Return which process this is, and of how many that share a fit."""
    shards = _SHARDS.get()
    return (0, 1) if shards is None else (shards.rank, shards.n_processes)


@contextmanager
def agreeing(shards: Shards | None) -> Iterator[None]:
    """Raise in all processes where one of them does, at the end of the block.

    Parameters
    ----------
    shards : Shards or None
        None where there is but one process.
    """
    if shards is None:
        yield
        return
    try:
        yield
    except LostProcess:
        raise
    except Exception as error:
        with suppress(LostProcess):  # what went wrong here comes first
            shards.say(f"{type(error).__name__}: {error}")
        raise
    said = shards.say("")
    for rank, text in enumerate(said):
        if text:
            raise RuntimeError(
                f"Process {shards.rank} stops, because process {rank} of this fit "
                f"raised {text}"
            )


def check_alike(shards: Shards | None, found: dict, checkpoint: Any) -> None:
    """Raise in all processes unless all have the same data and parameters.

    Parameters
    ----------
    shards : Shards or None
        None where there is but one process.
    found : dict
        What :func:`skhmc._networks.fingerprint.identity` returns.
    checkpoint : Checkpoint or None
        The parameter, which is no part of that.
    """
    if shards is None:
        return
    text = repr(checkpoint)
    found = found | {"checkpoint": [text, text]}
    first, *others = map(json.loads, shards.say(json.dumps(found)))
    for rank, other in enumerate(others, start=1):
        texts = differences(first, other)
        if texts:
            raise ValueError(
                f"The processes of a fit need the same data and parameters, but those "
                f"of process {rank} are not those of process 0, where "
                f"{'; '.join(texts)}. Give every process all of the data, in the same "
                f"order: they are shared out here."
            )


def check_can_share(
    shards: Shards | None, module: torch.nn.Module, own_encoder: bool, smallest: int
) -> None:
    """Raise where a network cannot be trained by several processes.

    Parameters
    ----------
    shards : Shards or None
        None where there is but one process.
    module : nn.Module
    own_encoder : bool
        Whether the user gave the encoder.
    smallest : int
        Rows of the smallest batch.
    """
    if shards is None or not own_encoder:
        return
    for name, part in module.named_modules():
        if isinstance(part, _BatchNorm) and not isinstance(part, SyncBatchNorm):
            raise ValueError(
                f"encoder has the layer {name!r}, a {type(part).__name__}, which would "
                f"normalise the rows of every process by themselves. In "
                f"skhmc.distributed() use LayerNorm or GroupNorm or, on GPUs, "
                f"torch.nn.SyncBatchNorm."
            )
    if smallest < shards.n_processes:
        raise ValueError(
            f"The smallest batch has {smallest} rows for {shards.n_processes} "
            f"processes, and an encoder of your own may not take a batch without "
            f"rows. Raise batch_size, or start fewer processes."
        )

"""Fits of scikit-learn's and of this package's loops, on the workers of a Dask cluster.

joblib has a backend for Dask. Two things are done otherwise here.

It puts large arguments, such as X and the rows of a fold, on one worker each, by
``Client.scatter``: when that worker is killed they are gone, and with them all fits
that wait for them. Here they are results of tasks instead, which the scheduler can have
made again.

Arrays that Dask sends begin anywhere in a message, also at addresses at which no
processor likes numbers to be. NumPy adds these up in another order, and the last bits
of what is learnt differ. Here everything travels as a pickle in one piece, out of which
arrays are made anew, where numbers belong.
"""

from __future__ import annotations

import os
import pickle
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import joblib
import numpy as np

from skhmc._utils.optional import import_optional

__all__ = [
    "Held",
    "current_client",
    "explained",
    "hold",
    "on_dask",
    "one_thread",
    "packed",
]

EXTRA = "scale"
NO_WARNING = "1 PB"  # that X is sent inside of a task is what is wanted


@contextmanager
def on_dask(client: Any = None, *, verbose: int = 0) -> Iterator[Any]:
    """Run the fits inside on the workers of a Dask cluster.

    What joblib runs in parallel becomes tasks of the cluster: the folds and candidates
    of scikit-learn's searches and of ``cross_val_score``, the members of a
    :class:`~skhmc.HierarchicalVotingClassifier`, the labels of a
    :class:`~skhmc.CoherentClassifier` with one classifier per label. The results are
    those of one process, bit for bit, if that one uses one thread, too.

    Parameters
    ----------
    client : distributed.Client, default=None
        Client of the cluster. None is the current one, the last that was made.
    verbose : int, default=0
        Level of what joblib prints of tasks that are done and of the time left: 0 is
        nothing, 1 some lines, more than 10 a line for every task. ``cross_val_score``
        and other functions with a ``verbose`` of their own go by that alone.

    Yields
    ------
    distributed.Client
        The client.

    Raises
    ------
    ImportError
        If Dask is not installed.
    ValueError
        If there is no client.
    RuntimeError
        Inside, if workers died with a task again and again.

    Notes
    -----
    The same as ``joblib.parallel_config("dask")``, but for four things:

    - Data travel as results of tasks. When a worker is killed, the scheduler, which
      keeps them, sends them again. With joblib alone they are lost with the worker
      that holds them, and the search ends with an error.
    - Arrays arrive as they were. With joblib alone they lie at other addresses, and the
      last bits of results differ.
    - Networks use one thread in every task, in workers without a nanny, too.
    - ``verbose`` is given here, as searches do not hand on theirs.

    X and Y travel once to the scheduler and once to each worker that needs them,
    however many fits there are. The scheduler has to have memory for them. A task
    whose worker was killed runs again, on another worker or on the one that is started
    in its place; a task that saw more than ``distributed.scheduler.allowed-failures``
    (3) workers die is an error, since it may be what kills them.

    Examples
    --------
    >>> import skhmc
    >>> with skhmc.on_dask():  # doctest: +SKIP
    ...     search.fit(X, Y)
    """
    client = current_client("on_dask") if client is None else client
    config = import_optional("dask.config", caller="on_dask", extra=EXTRA)
    quiet = {"distributed.admin.large-graph-warning-threshold": NO_WARNING}
    backend = _backend_class()(client=_KeepingClient(client))
    with config.set(quiet), joblib.parallel_config(backend, verbose=verbose):
        yield client


def current_client(caller: str) -> Any:
    """Return the client that Dask knows to be current.

    Parameters
    ----------
    caller : str
        Name of what needs it, for messages.

    Raises
    ------
    ValueError
        Where there is none.
    """
    distributed = import_optional("distributed", caller=caller, extra=EXTRA)
    try:
        return distributed.get_client()
    except ValueError as error:
        raise ValueError(
            f"{caller} found no client of a Dask cluster. Make one before: "
            f"client = distributed.Client() starts a cluster on this machine, "
            f"distributed.Client('tcp://HOST:8786') connects to a scheduler."
        ) from error


def packed(value: Any) -> bytes:
    """Return a value as a pickle in one piece; functions without a name, too."""
    return import_optional("distributed.protocol.pickle", "on_dask", EXTRA).dumps(value)


class Held:
    """A value that lies on workers, and goes from one to the other in one piece.

    Parameters
    ----------
    value : object
        An array cannot be written to: tasks share it.
    """

    def __init__(self, value: Any) -> None:
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False
        self.value = value

    def __reduce__(self) -> tuple:
        return hold, (packed(self.value),)

    def __sizeof__(self) -> int:
        sizeof = import_optional("dask.sizeof", "on_dask", EXTRA).sizeof
        return sizeof(self.value)


def hold(pickled: bytes) -> Held:
    """Return what is held of a pickle: the task that makes data."""
    return Held(pickle.loads(pickled))


class _Sent:
    """A result, which becomes itself again where it arrives.

    Parameters
    ----------
    value : object
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple:
        return pickle.loads, (packed(self.value),)


class _Place(NamedTuple):
    """Where an argument is put that lies on the workers."""

    number: int


class _KeepingClient:
    """A Dask client as joblib's backend uses it, whose data outlive their worker.

    Parameters
    ----------
    client : distributed.Client
    on_worker : bool, default=False
        Whether this is a worker, in a task that runs others. Then it keeps their data
        itself: should it die, the task and all of these begin again.
    """

    def __init__(self, client: Any, on_worker: bool = False) -> None:
        self._client = client
        self._on_worker = on_worker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def scatter(self, data: Any, **options: Any) -> Any:
        """Return the future of a task that holds some data, for all of joblib's."""
        if self._on_worker:
            return await self._client.scatter(Held(data), **options)
        key = f"skhmc-data-{uuid.uuid4().hex}"
        return self._task(lambda: (hold, packed(data)), key=key, pure=False)

    def submit(self, function: Any, *, tasks: Any = None, **options: Any) -> Any:
        """Return the future of a batch of joblib's tasks, (function, args, options)."""
        if tasks is None:
            return self._client.submit(function, **options)
        held: list[Any] = []

        def place(argument):
            if not hasattr(argument, "add_done_callback"):  # no future
                return argument
            held.append(argument)
            return _Place(len(held) - 1)

        def write():
            placed = _change_arguments(tasks, place)
            return _run, packed((function, placed)), held

        return self._task(write, **options)

    def _task(self, write: Any, **options: Any) -> Any:
        """Return the future of a task, or of one that says why it cannot be sent.

        joblib submits in the thread of the client's loop, where an error is printed,
        and the call that waits for the result waits forever.
        """
        try:
            return self._client.submit(*write(), **options)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            key = f"skhmc-failed-{uuid.uuid4().hex}"  # futures of one key are one
            return self._client.submit(_fail, text, key=key, pure=False)


def _change_arguments(tasks: Any, change: Any) -> list:
    """Return tasks (function, args, options) with changed arguments."""
    return [
        (
            function,
            [change(argument) for argument in args],
            {name: change(argument) for name, argument in options.items()},
        )
        for function, args, options in tasks
    ]


def _run(pickled: bytes, held: list) -> _Sent:
    """Run a batch on a worker, with its arguments that are there already."""
    one_thread()
    joblib.register_parallel_backend("dask", _backend_of_worker)
    function, tasks = pickle.loads(pickled)

    def fill(argument):
        return held[argument.number].value if type(argument) is _Place else argument

    return _Sent(function(tasks=_change_arguments(tasks, fill)))


class _Failed(NamedTuple):
    """What joblib is told in place of a result."""

    error: BaseException


def explained(error: BaseException) -> BaseException:
    """Return an error, or one that says what to do where workers died with a task.

    Parameters
    ----------
    error : BaseException
        What a task ended with.
    """
    killed = import_optional("distributed", "on_dask", EXTRA).KilledWorker
    if not isinstance(error, killed):
        return error
    said = RuntimeError(
        f"A task was given up, because the workers that had it died, one after the "
        f"other ({error}) Mostly a worker dies because its memory is full: give it "
        f"more (memory_limit=), or fewer tasks at a time (threads_per_worker=1), and "
        f"look at its log. If machines are taken away from you, set "
        f"distributed.scheduler.allowed-failures in Dask's configuration to more than "
        f"that many deaths before the scheduler starts."
    )
    said.__cause__ = error
    return said


@cache
def _backend_class() -> Any:
    """Return joblib's backend for Dask, with an end for tasks that Dask gives up.

    joblib waits for the result of every task, also where the scheduler says that there
    will be none, since workers died with it again and again.
    """
    base: Any = import_optional("joblib._dask", "on_dask", EXTRA).DaskDistributedBackend

    class Backend(base):
        def submit(self, func, callback=None):
            future = super().submit(func, callback)

            def tell(done):
                error = done.exception()
                if error is not None:
                    callback(_Failed(explained(error)))

            future.add_done_callback(tell)
            return future

        def retrieve_result_callback(self, out):
            if isinstance(out, _Failed):
                raise out.error
            return super().retrieve_result_callback(out)

        def get_nested_backend(self):
            return Backend(client=self.client), -1

        def __reduce__(self):
            return _backend_of_worker, ()

    return Backend


def _backend_of_worker(client: Any = None, **options: Any) -> Any:
    """Return joblib's backend for what a task itself runs in parallel."""
    client = current_client("on_dask") if client is None else client
    if not isinstance(client, _KeepingClient):
        client = _KeepingClient(client, on_worker=True)
    return _backend_class()(client=client, **options)


def _fail(text: str) -> None:
    raise TypeError(
        f"A task could not be sent to the workers ({text}). Estimators, X, y and "
        f"scorers have to be things that cloudpickle can write."
    )


def one_thread() -> None:
    """Have torch use one thread in this process, whether it is loaded yet or not.

    As workers of Dask do that have a nanny: there is a worker, or a thread of one, for
    every core.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)

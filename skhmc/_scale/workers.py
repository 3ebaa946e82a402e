"""Parts of a run, predicted one after the other, or on the workers of a cluster."""

from __future__ import annotations

import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from skhmc._scale.answers import Asked
from skhmc._scale.inputs import CALLER
from skhmc._scale.on_dask import explained, hold, one_thread, packed
from skhmc._scale.run import Run
from skhmc._utils.optional import import_optional

__all__ = ["find_client", "predict_here", "predict_on"]

TRIES = 3  # of a part whose workers die
PER_THREAD = 3  # parts that are with the scheduler, for every thread of the workers
STEP = 5.0  # seconds between two looks at the cluster


def find_client(client: Any) -> Any:
    """Return a client, the current one for None if there is one, and None for False."""
    if client is False or client is not None:
        return client or None
    distributed = sys.modules.get("distributed")  # who has none has not loaded it
    if distributed is None:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


def predict_here(
    run: Run, asked: Asked, numbers: list[int], tell: Callable[[int], Any]
) -> Iterator[tuple[int, Any]]:
    """Yield the counts of every part by number, or the error that it ended with."""
    for number in numbers:
        try:
            yield number, run.predict(asked, number, tell)
        except Exception as error:
            yield number, error


def predict_on(
    client: Any,
    run: Run,
    asked: Asked,
    numbers: list[int],
    tell: Callable[[int], Any],
    worker_timeout: float,
) -> Iterator[tuple[int, Any]]:
    """Do the same on the workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
    run, asked, numbers, tell
        As above.
    worker_timeout : float
        Seconds without any worker, or without the scheduler, after which it ends.

    Raises
    ------
    RuntimeError
        Where there are no workers for so long.
    """
    distributed = import_optional("distributed", caller=CALLER, extra="scale")
    watch = _Watch(client, worker_timeout)
    # the result of a task, which is made again when the workers that hold it die
    pickled = packed((run, asked))
    given = client.submit(hold, pickled, key=_key("given"), pure=False)
    waiting = deque(numbers)
    running: dict[Any, int] = {}
    tries: Counter = Counter()
    try:
        while waiting or running:
            width = PER_THREAD * max(sum(client.nthreads().values()), 1)
            while waiting and len(running) < width:
                number = waiting.popleft()
                key = _key(f"part-{number}")
                future = client.submit(_predict_part, given, number, key=key)
                running[future] = number
            for future in _ended(distributed, watch, running):
                number = running.pop(future)
                outcome = _outcome(future)
                tries[number] += 1
                lost = isinstance(outcome, distributed.KilledWorker) or outcome is None
                if lost and tries[number] < TRIES:
                    waiting.append(number)
                    if given.status in ("cancelled", "lost"):
                        key = _key("given")
                        given = client.submit(hold, pickled, key=key, pure=False)
                    continue
                if lost:
                    outcome = _given_up(outcome)
                if isinstance(outcome, dict):
                    tell(run.parts[number].n_rows)
                yield number, outcome
    finally:
        client.cancel([given, *running])


def _given_up(outcome):
    """Return the error of a part that is lost, which may have none of its own."""
    if outcome is None:
        return RuntimeError(
            f"the cluster lost it, {TRIES} times. Look at the log of its scheduler."
        )
    return explained(outcome)


def _key(name):
    return f"skhmc-{name}-{uuid.uuid4().hex}"


def _predict_part(given, number):
    run, asked = given.value
    one_thread()
    return run.predict(asked, number)


def _ended(distributed, watch, running):
    """Wait for some of the futures that run, and return those that have ended."""
    try:
        with watch.client.as_current():  # which wait asks, and not the futures
            distributed.wait(list(running), timeout=STEP, return_when="FIRST_COMPLETED")
    except (TimeoutError, distributed.TimeoutError):
        pass
    except Exception as error:  # of a cancelled future, which has a status of its own
        if "ancel" not in type(error).__name__:
            raise
    watch.look()
    return [future for future in running if future.status != "pending"]


def _outcome(future):
    """Return the counts, the error, or None where the scheduler has given it up."""
    if future.status == "finished":
        return future.result()
    if future.status == "error":
        return future.exception()
    return None


class _Watch:
    """Ends a run whose cluster has been without workers for too long.

    Parameters
    ----------
    client : distributed.Client
    patience : float
        Seconds.
    """

    def __init__(self, client, patience):
        self.client = client
        self.patience = patience
        self.seen = time.monotonic()

    def look(self):
        """Raise if nobody has been there for so long."""
        now = time.monotonic()
        if self.client.status == "running" and self.client.nthreads():
            self.seen = now
        elif now - self.seen > self.patience or self.client.status == "closed":
            raise RuntimeError(
                f"The Dask cluster has had no worker for {now - self.seen:.0f} s "
                f"(client: {self.client.status}). What is done stays: call "
                f"predict_files again with the same arguments when there are workers. "
                f"Where they take longer to start, give worker_timeout= in seconds."
            )

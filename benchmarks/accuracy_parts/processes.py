"""Calls of a function side by side, each in a fresh process."""

import multiprocessing
import signal
import traceback
from multiprocessing.connection import wait

__all__ = ["side_by_side"]


def _answer(connection, function, item):
    """Send what a function returns, or what it raises."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children itself
    try:
        answer = function(item), None
    except Exception:
        answer = None, traceback.format_exc()
    connection.send(answer)


def side_by_side(function, items, n_processes):
    """Call a function with every item in a process of its own, some at a time.

    A process that dies, as one that wants too much memory does, fails alone. Those that
    still run end when the generator does.

    Parameters
    ----------
    function : callable
        One that a new process can import.
    items : list
    n_processes : int

    Yields
    ------
    item, value, error : object, object, str or None
        As they are done: what the function returned, or the text of what it raised.
    """
    context = multiprocessing.get_context("spawn")
    waiting, running = list(items)[::-1], {}
    try:
        while waiting or running:
            while waiting and len(running) < n_processes:
                receive, send = context.Pipe(duplex=False)
                item = waiting.pop()
                args = send, function, item
                process = context.Process(target=_answer, args=args, daemon=True)
                process.start()
                send.close()  # so that the end of the process is the end of the pipe
                running[receive] = item, process
            for receive in wait(list(running)):
                item, process = running[receive]
                try:
                    value, error = receive.recv()
                except EOFError:
                    process.join()
                    value, error = None, f"It died with exit code {process.exitcode}."
                process.join()
                del running[receive]
                yield item, value, error
    finally:
        for _, process in running.values():
            process.terminate()
            process.join()

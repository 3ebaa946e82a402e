"""Processes that form a group and run functions of tests, all the same at a time."""

import multiprocessing
import traceback
from datetime import timedelta

import torch
import torch.distributed as dist


class Workers:
    """Processes that wait for work: a start takes longer than a small fit.

    Parameters
    ----------
    n_processes : int
    folder : Path
        Where they find each other.
    timeout : float
        Seconds that one waits for the others.
    """

    def __init__(self, n_processes, folder, timeout=60):
        context = multiprocessing.get_context("spawn")
        meeting = f"file://{folder / 'meeting'}"
        self.pipes = []
        self.processes = []
        for rank in range(n_processes):
            pipe, other = context.Pipe()
            given = other, meeting, rank, n_processes, timeout
            process = context.Process(target=serve, args=given, daemon=True)
            process.start()
            other.close()
            self.pipes.append(pipe)
            self.processes.append(process)
        for rank in range(n_processes):  # on a busy machine, imports take long
            assert self.result(rank, seconds=240) == "ready"

    def start(self, function, *args):
        """Have every process call a function that it can import."""
        for pipe in self.pipes:
            pipe.send((function, args))

    def result(self, rank, seconds=60):
        """Return what one process returned, or the exception that it raised."""
        pipe = self.pipes[rank]
        if not pipe.poll(seconds):
            self.stop()
            raise TimeoutError(f"process {rank} gave no answer in {seconds} s")
        result, text = pipe.recv()
        if text:
            result.add_note(text)
        return result

    def results(self):
        """Return what all processes returned or raised."""
        return [self.result(rank) for rank in range(len(self.pipes))]

    def run(self, function, *args):
        """Return what every process returns; raise what one of them raised."""
        self.start(function, *args)
        found = self.results()
        for result in found:
            if isinstance(result, Exception):
                raise result
        return found

    def errors(self, function, *args):
        """Return the exceptions that all processes raise."""
        self.start(function, *args)
        found = self.results()
        assert all(isinstance(result, Exception) for result in found), found
        return found

    def stop(self):
        """End all processes."""
        for pipe in self.pipes:
            pipe.close()  # which they take for the end
        for process in self.processes:
            process.join(20)
            process.kill()


def serve(pipe, meeting, rank, n_processes, timeout):
    """Call functions till the pipe is closed."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=meeting,
        rank=rank,
        world_size=n_processes,
        timeout=timedelta(seconds=timeout),
    )
    pipe.send(("ready", ""))
    while True:
        try:
            function, args = pipe.recv()
        except (EOFError, ConnectionResetError):
            break
        try:
            answer = function(*args), ""
        except Exception as error:
            answer = error, traceback.format_exc()
        pipe.send(answer)
    dist.destroy_process_group()

"""As many threads for a step of a network as the machine has cores free.

A step is thousands of short products, each shared among threads that wait for each
other. Where other programs keep the cores busy, a thread that has no core makes all
others wait, and they burn the time: two threads then take up to twenty times as long as
one. So time is watched: on an idle machine threads that wait spin, and a step of n
threads takes n times its length of processor time. Where it takes much less, threads
had no core; from then on half as many are used, and now and then twice as many are
tried.
"""

import os
import time
from collections import Counter
from contextlib import contextmanager
from threading import Lock, get_ident

import torch

__all__ = ["THREADS", "ThreadChoice"]

# What OpenMP and MKL read when they start. Who sets one gets what is said there, and
# fits that repeat bit for bit whatever else the machine does.
FIXED_BY = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
# Share of n threads' time that a step gets: .94 to 1 on an idle machine of two cores,
# .65 or less beside one busy program, .5 beside two (benchmarks.speed --part busy)
CROWDED = 0.8
WINDOW = 0.25  # seconds of steps, after which they are judged
TRIAL = 0.05  # the same, while more threads are tried
PATIENCE = 4, 64  # seconds until more threads are tried: at first, and at most


class ThreadChoice:
    """Runs steps on torch's number of threads, or on fewer where cores are busy.

    There is one for the process, as there is one set of cores.

    Parameters
    ----------
    clock, processor_time : callable
        Seconds that have passed, and seconds of all threads of this process.
    """

    def __init__(self, clock=time.perf_counter, processor_time=time.process_time):
        self.clock = clock
        self.processor_time = processor_time
        self.lock = Lock()
        self.callers = Counter()  # by thread of Python; steps of several are not judged
        self.allowed = 1  # torch's number, while there are callers
        self.halvings = 0  # of that number
        self.trying = False  # one halving less, for a moment
        self.patience = PATIENCE[0]
        self.retry_at = 0.0
        self._open_window()

    def _open_window(self):
        self.passed = 0.0
        self.worked = 0.0

    @contextmanager
    def steps(self):
        """Choose threads for the steps inside, and put back torch's number behind."""
        caller = get_ident()
        with self.lock:
            if not self.callers:
                self.allowed = torch.get_num_threads()
            self.callers[caller] += 1
        try:
            yield
        finally:
            with self.lock:
                self.callers[caller] -= 1
                self.callers += Counter()  # drops who has left
                if torch.get_num_threads() != self.allowed and not self.callers[caller]:
                    torch.set_num_threads(self.allowed)

    @contextmanager
    def step(self):
        """Run one step on the threads chosen, and judge by it what to choose next."""
        is_fixed = any(os.environ.get(name) for name in FIXED_BY)
        if self.allowed == 1 or is_fixed or len(self.callers) > 1:
            yield
            return
        chosen = self._choose()
        if torch.get_num_threads() != chosen:
            torch.set_num_threads(chosen)
        start = self.clock()
        processor_start = self.processor_time()
        yield
        passed = self.clock() - start
        self._judge(chosen, passed, self.processor_time() - processor_start)

    def _choose(self):
        """Return the number of threads for the next step."""
        if self.halvings and not self.trying and self.clock() >= self.retry_at:
            self.trying = True
            self.halvings -= 1
            self._open_window()
        return max(self.allowed >> self.halvings, 1)

    def _judge(self, chosen, passed, worked):
        """Count a step; when a window is full, choose fewer threads or not."""
        self.passed += passed
        self.worked += worked
        if self.passed < (TRIAL if self.trying else WINDOW):
            return
        crowded = self.worked < CROWDED * chosen * self.passed
        if crowded and self.trying:  # in vain: the next try is later
            self.patience = min(2 * self.patience, PATIENCE[1])
        elif chosen > 1:
            self.patience = max(self.patience / 2, PATIENCE[0])
        if crowded and chosen > 1:
            self.halvings += 1
        if crowded or self.trying:  # no room for more where one has too little
            self.retry_at = self.clock() + self.patience
        self.trying = False
        self._open_window()


THREADS = ThreadChoice()

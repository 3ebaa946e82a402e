"""Clocks, ratios of paired times and peak memory, as all parts take them."""

import os
import platform
import resource
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.figures import versions

__all__ = [
    "Settings",
    "exponent",
    "found",
    "interleave",
    "machine",
    "paired",
    "peak_gb",
    "quiet",
    "ratio_cell",
    "seconds_of",
]


@dataclass(frozen=True)
class Settings:
    """How to measure."""

    device: str = "cpu"
    threads: int = 1
    quick: bool = False
    seed: int = 0

    def pick(self, usual, quick):
        """Return the first, or the second where it has to be quick."""
        return quick if self.quick else usual


def machine(settings):
    """Return what figures depend on: machine and its load, versions, threads, seed."""
    name = platform.processor() or platform.machine()
    cpu = Path("/proc/cpuinfo")
    if cpu.is_file():
        lines = cpu.read_text().splitlines()
        name = next((x.split(": ")[1] for x in lines if "model name" in x), name)
    figures = {"cpu": name, "cores": os.cpu_count(), "threads": settings.threads}
    figures["load"] = os.getloadavg()[0]  # of what else the machine does
    if settings.device != "cpu":
        figures["gpu"] = torch.cuda.get_device_name(settings.device)
    return figures | {"seed": settings.seed, "versions": versions()}


def seconds_of(function, device="cpu"):
    """Return the seconds of one call, with what it left the GPU to do."""
    if device != "cpu":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    function()
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def interleave(functions, repetitions, device="cpu", least=0.01):
    """Return the seconds per call of several functions that are called in turn.

    Parameters
    ----------
    functions : dict of callable
    repetitions : int
        Turns, behind an unmeasured one.
    device : str
    least : float
        Seconds that a turn of a function takes at least, by calling it repeatedly.

    Returns
    -------
    dict of list
    """
    calls = {}
    for name, function in functions.items():
        function()
        once = max(seconds_of(function, device), 1e-7)
        calls[name] = max(int(np.ceil(least / once)), 1)
    seconds = {name: [] for name in functions}
    for _ in range(repetitions):
        for name, function in functions.items():
            n = calls[name]

            def several(function=function, n=n):
                for _ in range(n):
                    function()

            seconds[name].append(seconds_of(several, device) / n)
    return seconds


def paired(seconds, peer):
    """Return the median, the lowest and the highest ratio of times measured in pairs.

    Parameters
    ----------
    seconds, peer : sequence of float
        In the order in which they were measured, in turn.
    """
    ratios = np.asarray(seconds, float) / np.asarray(peer, float)
    figures = np.median(ratios), np.min(ratios), np.max(ratios)
    return dict(zip(("ratio", "low", "high"), map(float, figures), strict=True))


def ratio_cell(figures):
    """Return a ratio and its spread as text."""
    median, low, high = (_number(figures[k]) for k in ("ratio", "low", "high"))
    return f"{median} ({low} to {high})"


def _number(ratio):
    if np.isinf(ratio):
        return "never"
    return f"{ratio:.2f}" if ratio < 20 else f"{ratio:.0f}"


def found(ratios, limit, at_least=False):
    """Say which ratios were found, and in how many cases the limit is met."""
    met = sum(r >= limit if at_least else r <= limit for r in ratios)
    low, high = _number(min(ratios)), _number(max(ratios))
    what = low if low == high else f"{low} to {high}"
    return f"{what}; met in {met} of {len(ratios)}"


def exponent(sizes, costs):
    """Return the k of costs ~ sizes^k: the least-squares slope of their logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def peak_gb():
    """Return the most memory that this process has had.

    Linux hands the figure of getrusage on to child processes, but not that of /proc.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text().splitlines()
        peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
        return int(peak) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@contextmanager
def quiet():
    """Do not warn of labels without a row, which real data sets have."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        yield

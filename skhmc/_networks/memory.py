"""How much memory a network takes at least, looked at before any is taken."""

import re
from contextlib import suppress
from pathlib import Path

import torch
from sklearn.utils._param_validation import InvalidParameterError

__all__ = ["check_memory", "raise_if_out_of_memory"]

# What training keeps of every weight, at least. Gradients do not count: where labels
# are sampled they are those of a few rows.
KEPT = {"adamw": 3, "adam": 3, "sgd": 2}  # the weight, and means of its gradients
OBJECTS = 20_000  # bytes of Python's own for every network, even without a weight
# what limits a container to less memory than the machine has
CGROUP = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
MEMINFO = "/proc/meminfo"  # of Linux
FREE = re.compile(r"^(?:MemAvailable|SwapFree):\s*(\d+) kB$", re.MULTILINE)
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
# the parameters that say how large a network is
SIZES = ("hidden_layer_sizes", "embedding_dim", "n_estimators", "batch_size")


def check_memory(n, params, device):
    """Raise where networks need more memory than there is.

    Parameters
    ----------
    n : int
        Weights that each has at least.
    params : dict
        Parameters of the estimator by name.
    device : str
        Name of a device that is there.
    """
    n_networks = params["n_estimators"]
    each = 8 if params["precision"] == "float64" else 4
    optimizer = params["optimizer"]
    kept = KEPT[optimizer] if isinstance(optimizer, str) else 1
    needed = n_networks * (n * each * kept + OBJECTS)
    there = _memory_of(device)
    if there is None or needed <= there:
        return
    networks = "network has" if n_networks == 1 else f"{n_networks} networks have"
    raise InvalidParameterError(
        f"The {networks} {n * n_networks:,} weights, of which training needs at least "
        f"{_as_text(needed)}, but {_as_text(there)} of memory are free on {device!r}. "
        f"{_advice(params)}"
    )


def raise_if_out_of_memory(error, params):
    """Say which parameters take memory, where an error says that none is left."""
    if isinstance(error, MemoryError) or "t allocate memory" in str(error):
        raise MemoryError(f"Memory ran out in fit. {_advice(params)}") from error


def _advice(params):
    given = ", ".join(f"{name}={params[name]!r}" for name in SIZES if name in params)
    return f"Got {given}; make these smaller, or the data."


def _memory_of(device):
    """Return the bytes of memory that are free, or None where nobody knows."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    limits = []
    with suppress(OSError):
        free = FREE.findall(Path(MEMINFO).read_text())
        if free:
            limits.append(1024 * sum(map(int, free)))
    for name in CGROUP:
        with suppress(OSError, ValueError):  # "max" is no number
            limits.append(int(Path(name).read_text()))
    return min(limits, default=None)


def _as_text(n_bytes):
    """Return a number of bytes for people: 12.5 GB."""
    power = 0
    while n_bytes >= 1000 ** (power + 1) and power < len(UNITS) - 1:
        power += 1
    return f"{n_bytes / 1000**power:,.3g} {UNITS[power]}"

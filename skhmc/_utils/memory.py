"""How much memory is free, and numbers of bytes for people."""

import re
from contextlib import suppress
from pathlib import Path

__all__ = ["bytes_as_text", "free_memory"]

# what limits a container to less memory than the machine has
CGROUP = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
MEMINFO = "/proc/meminfo"  # of Linux
FREE = re.compile(r"^(?:MemAvailable|SwapFree):\s*(\d+) kB$", re.MULTILINE)
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def free_memory() -> int | None:
    """Return the bytes of memory that are free, or None where nobody knows."""
    limits = []
    with suppress(OSError):
        free = FREE.findall(Path(MEMINFO).read_text())
        if free:
            limits.append(1024 * sum(map(int, free)))
    for name in CGROUP:
        with suppress(OSError, ValueError):  # "max" is no number
            limits.append(int(Path(name).read_text()))
    return min(limits, default=None)


def bytes_as_text(n_bytes: float) -> str:
    """Return a number of bytes for people: 12.5 GB."""
    power = 0
    while n_bytes >= 1000 ** (power + 1) and power < len(UNITS) - 1:
        power += 1
    return f"{n_bytes / 1000**power:,.3g} {UNITS[power]}"

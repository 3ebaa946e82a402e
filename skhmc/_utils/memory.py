"""How much memory is free, and numbers of bytes for people."""

import re
from contextlib import suppress
from pathlib import Path

__all__ = ["bytes_as_text", "free_memory"]

# what limits a container to less memory than the machine has, and what it has taken:
# files of a limit, of the use, and of what can be taken back from it, by version
CGROUP = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
CGROUPS = Path("/sys/fs/cgroup")
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
    for limit, use, numbers, cached in CGROUP:
        with suppress(OSError, ValueError):  # "max" is no number
            left = int((CGROUPS / limit).read_text()) - int((CGROUPS / use).read_text())
            stat = (CGROUPS / numbers).read_text()
            again = re.search(rf"^{cached} (\d+)$", stat, re.MULTILINE)
            limits.append(max(0, left + (int(again[1]) if again else 0)))
    return min(limits, default=None)


def bytes_as_text(n_bytes: float) -> str:
    """Return a number of bytes for people: 12.5 GB."""
    power = 0
    while n_bytes >= 1000 ** (power + 1) and power < len(UNITS) - 1:
        power += 1
    return f"{n_bytes / 1000**power:,.3g} {UNITS[power]}"

"""What the system tells of processes and cores, where it does (Linux); elsewhere None."""

import os
from pathlib import Path

from msgspec import Struct


class Gauge(Struct, frozen=True):
    """Seconds of CPU since some beginning. A core's pair is (busy, all)."""

    process: float | None
    target_core: tuple[float, float] | None
    load_core: tuple[float, float] | None


def read_gauge(pid: int, target_core: int | None, load_core: int | None) -> Gauge:
    return Gauge(cpu_seconds(pid), core_seconds(target_core), core_seconds(load_core))


def busy_share(before: tuple[float, float] | None, after: tuple[float, float] | None) -> float | None:
    """The share of a core's time that somebody used it."""
    if before is None or after is None or after[1] <= before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1])


def cpu_seconds(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float | None:
    """Resident memory of one process, in megabytes."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def core_seconds(core: int | None) -> tuple[float, float] | None:
    if core is None:
        return None
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, *ticks = line.split()
        if name == f"cpu{core}":
            spent = [int(tick) / os.sysconf("SC_CLK_TCK") for tick in ticks[:8]]
            return sum(spent) - spent[3] - spent[4], sum(spent)
    return None

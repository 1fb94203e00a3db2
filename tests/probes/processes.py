"""What another process holds: descriptors, sockets, memory, and the time of the processor it has used.

Only Linux tells (by /proc); elsewhere nothing is held, and nothing is proven.
"""

import asyncio
import os
import time
from pathlib import Path

from msgspec import Struct

from tests.probes.leaks import open_sockets

SETTLE_SECONDS = 5.0
QUIET_SECONDS = 0.25
"""How long a process is watched to see whether it does anything."""

QUIET_SHARE = 0.2
"""Of a core: what timers may use that come round anyway. A loop that spins uses all of it."""


class Held(Struct, frozen=True):
    """`memory`: resident, in bytes. `cpu`: seconds since the process began."""

    descriptors: int
    sockets: int
    memory: int
    cpu: float


def held_by(pid: int) -> Held | None:
    """None where the system does not tell, and when the process is gone."""
    folder = Path(f"/proc/{pid}")
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        pages = int((folder / "statm").read_text().split()[1])
        descriptors = len(os.listdir(folder / "fd"))
    except OSError:
        return None
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return Held(descriptors, len(open_sockets(pid)), pages * os.sysconf("SC_PAGE_SIZE"), cpu)


class ProcessProbe:
    """Remembers what a process holds when it is made; later looks whether it holds more.

    `spare` bytes of memory more are no leak: what is loaded at first use, what the allocator keeps, ended turns that
    are kept for replay.
    """

    def __init__(self, pid: int, *, spare: int) -> None:
        self.before = held_by(pid)
        self._pid = pid
        self._spare = spare

    def left(self) -> list[str]:
        """What it holds now and did not before, in words."""
        before, now = self.before, held_by(self._pid)
        if before is None or now is None:
            return []
        more = []
        if now.descriptors > before.descriptors:
            more.append(f"{now.descriptors} descriptors, {before.descriptors} before ({now.sockets} are sockets)")
        if now.memory > before.memory + self._spare:
            more.append(f"{now.memory / 1e6:.1f} MB, {before.memory / 1e6:.1f} MB before")
        return more

    async def settled(self, within: float = SETTLE_SECONDS) -> None:
        """Wait until it holds no more than before; AssertionError with what it does, after `within` seconds."""
        deadline = time.monotonic() + within
        while (left := self.left()) and time.monotonic() < deadline:  # noqa: ASYNC110 - there is no event for it, nobody tells
            await asyncio.sleep(0.02)
        assert not left, f"process {self._pid} still holds {'; '.join(left)}"


async def quiet(pid: int, within: float = SETTLE_SECONDS, share: float = QUIET_SHARE) -> None:
    """Returns once the process does nothing; AssertionError with the core's share it uses, after `within` seconds."""
    deadline = time.monotonic() + within
    while (used := await used_share(pid)) > share and time.monotonic() < deadline:
        pass
    assert used <= share, f"process {pid} uses {used:.0%} of a core and has nothing to do"


async def used_share(pid: int, seconds: float = QUIET_SECONDS) -> float:
    """Of a core, over these seconds."""
    before, begun = held_by(pid), time.monotonic()
    await asyncio.sleep(seconds)
    after = held_by(pid)
    if before is None or after is None:
        return 0.0
    return (after.cpu - before.cpu) / (time.monotonic() - begun)

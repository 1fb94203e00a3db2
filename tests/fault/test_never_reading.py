"""Clients that never read, beside clients that do."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec import Struct

from tests.acceptance.server_process import ServerProcess, started
from tests.fault.crowd import Reader, deaf, now_told, percentile, readers
from tests.fault.ticking_upstream import TickingUpstream
from tests.probes.leaks import LeakProbe, resident

FLOOD = "x" * 262_144
"""More than all that lies between a host and a client that takes nothing can hold, so that its connection is stuck."""

PER_CLIENT = 2 << 20
"""Bytes that the server may hold for one that takes nothing: what it was told twice over, and the buffers."""


class Crowd(Struct, frozen=True):
    """How many of each kind, and for how long; each healthy one is told something twice a second.

    The first `warm` texts of each don't count: thousands that connect at once hold each other up.
    """

    clients: int
    seconds: int
    warm: int
    interval: float = 0.5

    def say(self, message: str, moment: int) -> str:
        if moment * self.interval >= self.seconds:
            return ""
        return FLOOD if message == "deaf" and not moment else now_told()


@pytest.mark.requirement("server:never_reading")
async def test_many_clients_that_never_read_hurt_nobody(tmp_path: Path, long_run: bool) -> None:
    crowd = Crowd(1_000, 70, warm=20) if long_run else Crowd(40, 2, warm=1)
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(TickingUpstream(crowd.interval, crowd.say))
        lab = {
            "OPENAI_API_KEY": "sk-lab",
            "OPENAI_API_BASE_URL": upstream.base_url,
            "DEFAULT_MODEL": "openai/scripted-model",
            "PARLANCE_LIMITS__TURNS": "5000",
            "LOG_LEVEL": "WARNING",
        }
        server = await stack.enter_async_context(started(tmp_path, lab))
        probe = LeakProbe(server.pid)
        alone = await listen(server, crowd)
        memory = resident(server.pid)
        stuck = [stack.enter_context(client) for client in await deaf(server.port, "deaf", crowd.clients)]
        beside = await listen(server, crowd)
        grown = resident(server.pid) - memory
        for client in stuck:
            client.close()
        assert grown < crowd.clients * PER_CLIENT, f"{grown / 2**20:.0f} MiB more"
        assert len(beside) == len(alone)
        report(alone, beside, grown)
        if long_run:
            assert percentile(beside, 0.99) <= 1.5 * percentile(alone, 0.99)
        await probe.settled(crowd.seconds + 10)


async def listen(server: ServerProcess, crowd: Crowd) -> list[float]:
    """The delays of what healthy clients are told, who all hear the end."""
    listening: list[Reader] = await readers(server.port, "healthy", crowd.clients)
    async with asyncio.timeout(crowd.seconds + 60):
        await asyncio.gather(*[reader.gone for reader in listening])
    cut = [reader.said_last for reader in listening if not reader.whole]
    assert not cut, f"{len(cut)} were not told the end, such as {cut[0]!r}"
    return [delay for reader in listening for delay in reader.delays[crowd.warm :]]


def report(alone: Sequence[float], beside: Sequence[float], grown: int) -> None:
    """For who runs this with `-s`."""
    for name, delays in (("alone", alone), ("beside", beside)):
        figures = ", ".join(
            f"p{share * 100:g} {percentile(delays, share) * 1e3:.2f} ms" for share in (0.5, 0.99, 0.999)
        )
        print(f"{name}: {len(delays)} texts, {figures}")
    print(f"memory: {grown / 2**20:.1f} MiB more")

"""What is read of what was kept: a long chat, a long turn from its middle, and that turn by many at once."""

import asyncio
import json
import time
from collections.abc import Awaitable, Sequence

from bench.jobs import MARK, percentile
from bench.processes import BenchFailed
from bench.stored.clients import ENDED, Clients, check, turn_of
from bench.stored.findings import Amount, Reads

MISSED = 5
"""Who comes back has missed at most one in so many of the turn's events: the last."""


async def ask_long(clients: Clients, events: int) -> bytes:
    """A turn of so many events, told to its end."""
    told = await clients.post("/chat", {"message": f"@flood:{events}", "chat_id": "new"})
    check(told, events)
    return told


async def measure_reading(clients: Clients, chat: str, long_turn: bytes, amount: Amount) -> Reads:
    """`long_turn` is what `ask_long` was told, by a server that has ended since."""
    shown = json.loads(await clients.read(f"/api/v1/chats/{chat}"))
    if len(shown["messages"]) != amount.messages:
        raise BenchFailed(f"the chat has {len(shown['messages'])} of {amount.messages} messages")
    back = await time_return(clients, long_turn, amount)
    # Behind such a crowd others may be sent away for a moment as well.
    await clients.read_patiently(f"/api/v1/chats/{chat}")
    reads = sorted([await _timed(clients.read(f"/api/v1/chats/{chat}")) for _ in range(amount.reads)])
    resumed = [f"/chat/{turn_of(long_turn)}?after={cursor}" for cursor in _cursors(long_turn, amount.reads)]
    resumes = sorted([await _timed(clients.first_of(path)) for path in resumed])
    chat_p50, resume_p99 = percentile(reads, 0.5) or 0.0, percentile(resumes, 0.99) or 0.0
    return Reads(1e3 * chat_p50, 1e3 * resume_p99, back, clients.refused)


async def time_return(clients: Clients, long_turn: bytes, amount: Amount) -> float:
    """The milliseconds until all who come back at once, each from another place, were told the rest of the turn."""
    late = _cursors(long_turn, amount.comers * MISSED)[-amount.comers :]
    return 1e3 * await _timed(_all_back(clients, turn_of(long_turn), late))


async def _all_back(clients: Clients, turn: str, cursors: Sequence[str]) -> None:
    paths = [f"/chat/{turn}?after={cursor}" for cursor in cursors]
    for told in await asyncio.gather(*map(clients.read_patiently, paths)):
        if ENDED not in told:
            raise BenchFailed(f"who came back was told {told[-300:]!r}")


def _cursors(long_turn: bytes, count: int) -> list[str]:
    """At most so many, evenly over the turn."""
    growth = [line for line in long_turn.splitlines() if MARK in line]
    return [json.loads(line)["cursor"] for line in growth[:: max(1, len(growth) // count)]]


async def _timed(doing: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await doing
    return time.perf_counter() - begun

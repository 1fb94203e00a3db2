"""Servers are killed amid many sends, again and again: nothing acknowledged is lost, nothing is doubled; and where
events are kept before they are shown, nothing that a client was shown is lost either.
"""

import asyncio
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from parlance.store.addresses import SqliteAddress, read_address
from tests.acceptance.server_process import SIGNS_OF_BUGS, ServerProcess
from tests.fault.sending import ENDED_WITHIN, SENDERS, Durability, Sent, check_kept, new_messages, text_of
from tests.fault.several import servers_on, settings_of
from tests.probes.polling import until

SEED = 20_261_121
AT_ONCE = 25
LONGEST, EARLY = 0.8, 0.1
"""Seconds between the sending, or the first answers, and a kill, and between two kills."""


class Killed:
    """As many servers as may share one database; they are started and killed over and over."""

    def __init__(self, folder: Path, url: str, durability: Durability) -> None:
        self._folder = folder
        self._count = servers_on(url)
        self._settings = {
            "LOG_LEVEL": "WARNING",
            "PARLANCE_CHATS__QUEUE_SIZE": str(SENDERS),
            "PARLANCE_JOURNAL__DURABILITY": durability,
            **settings_of(folder, url),
        }
        self._starts = 0

    async def start(self) -> list[ServerProcess]:
        servers = []
        for _ in range(self._count):
            self._starts += 1
            servers.append(ServerProcess(self._folder / str(self._starts), self._settings))
        return list(await asyncio.gather(*(asyncio.to_thread(server.__enter__) for server in servers)))


async def send_until_killed(servers: list[ServerProcess], number: int, dice: random.Random) -> list[Sent]:
    """To all of them in turn. They die one after the other, in any order."""
    try:
        sent = await new_messages(servers[0].port, str(number))
        posts = [asyncio.create_task(one.first(port_for(place, servers))) for place, one in enumerate(sent)]
        if number % 2 == 0:
            # Else they die while most messages are not acknowledged yet.
            await until(partial(some_shown, sent), within=ENDED_WITHIN)
        # The first time at once, so that answers surely break off.
        longest = (LONGEST if number % 2 == 0 else EARLY) if number else 0.0
        for server in dice.sample(servers, len(servers)):
            await asyncio.wait(posts, timeout=dice.uniform(0.0, longest))
            await asyncio.to_thread(server.kill)
        await asyncio.gather(*posts)
    finally:
        # Also those that a failure has spared.
        for server in servers:
            await asyncio.to_thread(server.stop)
    for server in servers:
        assert not [sign for sign in SIGNS_OF_BUGS if sign in server.log], server.log
    return sent


async def some_shown(sent: Sequence[Sent]) -> bool:
    return any(text_of(one.shown) for one in sent)


def port_for(place: int, servers: Sequence[ServerProcess]) -> int:
    return servers[place % len(servers)].port


async def send_again(servers: list[ServerProcess], sent: list[Sent], durability: Durability) -> None:
    for begin in range(0, len(sent), AT_ONCE):
        some = enumerate(sent[begin : begin + AT_ONCE])
        await asyncio.gather(*(one.again(port_for(place, servers), durability) for place, one in some))


async def check_kills(folder: Path, url: str, durability: Durability, kills: int) -> str:
    """What was seen, in words."""
    killed, sent, dice = Killed(folder, url, durability), list[Sent](), random.Random(SEED)
    while (number := len(sent) // SENDERS) * servers_on(url) < kills:
        sent += await send_until_killed(await killed.start(), number, dice)
    servers = await killed.start()
    try:
        await send_again(servers, sent, durability)
    finally:
        for server in servers:
            await asyncio.to_thread(server.__exit__)
    ended = await check_kept(read_address(url) if url else SqliteAddress(folder / "data" / "parlance.db"), sent)
    assert ended["incomplete"] > 0
    told = sum(bool(one.shown) for one in sent)
    cut = [one for one in sent if text_of(one.shown) and "status" in one.whole[-1]]
    # Or it was not seen what becomes of an answer that breaks off while it is shown.
    assert cut
    shorter = sum(len(text_of(one.whole)) < len(text_of(one.shown)) for one in cut)
    return (
        f"{durability}: {kills} kills, {len(sent)} messages sent, {told} of them acknowledged before a kill; "
        f"their turns: {dict(ended)}; {len(cut)} answers broke off while they were shown, "
        f"{shorter} of them kept shorter than shown"
    )


@pytest.mark.requirement("durability:killed_servers")
async def test_killing_servers_loses_nothing_acknowledged_and_doubles_nothing(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    print(await check_kills(tmp_path, database_url, "grouped", 300 if long_run else 4))


@pytest.mark.requirement("durability:strict")
async def test_what_is_kept_before_it_is_shown_is_there_after_a_kill(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    print(await check_kills(tmp_path, database_url, "strict", 300 if long_run else 2))

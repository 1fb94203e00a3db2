"""PostgreSQL is stopped as in a crash amid many sends to two servers, again and again: nothing acknowledged is lost,
nothing is doubled.
"""

import asyncio
import random
from functools import partial
from pathlib import Path

import pytest

from parlance.store.addresses import read_address
from tests.fault.sending import ENDED_WITHIN, SENDERS, Sent, check_kept, new_messages, text_of
from tests.fault.several import several
from tests.probes.polling import pause, until
from tests.probes.postgres import PostgresServer

SEED = 20_261_121
LONGEST, EARLY = 0.8, 0.1
"""Seconds between the first answers, or the sending, and a stop."""

AWAY = 0.3
"""Seconds between a refusal and the start, at most."""

SETTINGS = {"LOG_LEVEL": "ERROR", "PARLANCE_CHATS__QUEUE_SIZE": str(SENDERS)}


async def check_stops(postgres: PostgresServer, folder: Path, stops: int) -> str:
    """What was seen, in words. One message of each round is sent while nothing is there to keep it."""
    dice, sent, refused = random.Random(SEED), list[Sent](), 0
    async with several(folder, postgres.address(), more=SETTINGS) as processes:
        ports = [doors.server.port for doors in processes]
        for number in range(stops):
            some = await new_messages(ports[0], str(number))
            *soon, late = some
            posts = [asyncio.create_task(one.insist(ports[place % 2])) for place, one in enumerate(soon)]
            if number % 2 == 0:
                # Else it is stopped while most messages are not acknowledged yet.
                await until(partial(_shown, some), within=ENDED_WITHIN)
            await pause(dice.uniform(0.0, LONGEST if number % 2 == 0 else EARLY))
            await asyncio.to_thread(postgres.stop)
            await late.first(ports[number % 2])
            assert not late.shown, "a message was acknowledged while nothing could keep it"
            await pause(dice.uniform(0.0, AWAY))
            await asyncio.to_thread(postgres.start)
            refused += 1 + sum(await asyncio.gather(*posts, late.insist(ports[number % 2])))
            sent += some
        for begin in range(0, len(sent), SENDERS):
            again = enumerate(sent[begin : begin + SENDERS], 1)
            await asyncio.gather(*(one.again(ports[place % 2], "strict") for place, one in again))
        ended = await check_kept(read_address(postgres.address()), sent)
    # Nobody died: to whom an answer was told, it is told the same again, at the other server.
    assert [one.whole for one in sent] == [one.shown for one in sent]
    return f"{stops} stops, {len(sent)} messages, {refused} refusals; their turns: {dict(ended)}"


async def _shown(sent: list[Sent]) -> bool:
    return any(text_of(one.shown) for one in sent)


@pytest.mark.requirement("durability:stopped_postgresql")
async def test_stopping_postgresql_at_once_loses_nothing_acknowledged_and_doubles_nothing(
    own_postgres: PostgresServer, tmp_path: Path, long_run: bool
) -> None:
    print(await check_stops(own_postgres, tmp_path, 100 if long_run else 2))

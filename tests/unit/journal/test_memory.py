"""What is this journal's own: where exactly it cuts a follower, and that it keeps nothing of those who left."""

import asyncio
from collections.abc import Sequence

import pytest

from parlance.core.errors import SlowFollower
from parlance.core.events import Event, TextGrew, TurnEnded
from parlance.core.ids import TurnId
from parlance.journal.memory import (
    AT_ONCE,
    CHARACTERS_AT_ONCE,
    MAX_BEHIND,
    MAX_BEHIND_CHARACTERS,
    MemoryFollower,
    MemoryJournal,
    MemoryLog,
)

WORD = TextGrew(1, "word")


async def busy_follower() -> tuple[MemoryLog, MemoryFollower]:
    log = MemoryJournal().open(TurnId("turn"))
    log.append([WORD])
    follower = log.follow()
    await anext(follower)
    return log, follower


@pytest.mark.parametrize(
    ("event", "most"), [(WORD, MAX_BEHIND + 1), (TextGrew(1, "x" * (MAX_BEHIND_CHARACTERS // 4)), 5)]
)
async def test_a_busy_follower_is_cut_at_the_first_word_beyond_its_bound(event: Event, most: int) -> None:
    log, follower = await busy_follower()
    for _ in range(most):
        log.append([event])
    while follower.behind:
        await anext(follower)
    for _ in range(most + 1):
        log.append([event])
    with pytest.raises(SlowFollower):
        await anext(follower)


async def test_what_comes_before_a_reader_has_its_turn_is_nothing_that_it_fell_behind_by() -> None:
    log, _ = await busy_follower()
    follower = log.follow()
    follower.excuse()
    for _ in range(MAX_BEHIND * 2):
        log.append([WORD])
    await asyncio.sleep(0)
    assert len((await anext(follower)).events) == MAX_BEHIND * 2 + 1
    for _ in range(MAX_BEHIND + 2):
        log.append([WORD])
    with pytest.raises(SlowFollower):
        await anext(follower)


async def test_a_log_keeps_nothing_of_followers_that_left_were_cut_or_came_to_its_end() -> None:
    log, cut = await busy_follower()
    left, whole = log.follow(), log.follow()
    left.close()
    for _ in range(MAX_BEHIND + 2):
        log.append([WORD])
        await anext(whole)
    log.append([TurnEnded("completed")])
    assert [batch.events async for batch in whole] == [[TurnEnded("completed")]]
    with pytest.raises(SlowFollower):
        await anext(cut)
    assert not log._followers


async def test_what_a_follower_takes_at_once_is_bounded() -> None:
    """What is made of it waits in memory for a reader that may take nothing."""
    log, follower = await busy_follower()
    log.append([*([TextGrew(1, "x" * 10_000)] * 500), *([WORD] * 5_000), TurnEnded("completed")])
    taken = 1
    async for batch in follower:
        assert batch.first == taken + 1
        assert len(batch.events) <= AT_ONCE
        assert sum(len(event.text) for event in batch.events if isinstance(event, TextGrew)) <= CHARACTERS_AT_ONCE * 1.2
        taken += len(batch.events)
    assert taken == log.head


@pytest.mark.parametrize(("taken_each_time", "cut"), [(2, True), (10, False)])
async def test_a_follower_that_takes_less_than_comes_is_cut_and_one_that_keeps_pace_is_not(
    taken_each_time: int, cut: bool
) -> None:
    log, follower = await busy_follower()

    async def read() -> None:
        for _ in range(10):
            for _ in range(10):
                log.append([TextGrew(1, "x" * 50_000)])
            position = follower.position
            while follower.position < position + taken_each_time:
                await anext(follower)

    if cut:
        with pytest.raises(SlowFollower):
            await read()
    else:
        await read()


async def test_a_listener_that_fails_fails_its_own_reader_alone() -> None:
    def fail(number: int, events: Sequence[Event]) -> bool:
        raise ZeroDivisionError

    log = MemoryJournal().open(TurnId("t"))
    broken, sound = log.follow(), log.follow()
    broken.listen(fail)
    reading = [asyncio.ensure_future(anext(one)) for one in (broken, sound)]
    await asyncio.sleep(0)
    log.append([TextGrew(1, "one")])
    with pytest.raises(ZeroDivisionError):
        await reading[0]
    assert (await reading[1]).events == [TextGrew(1, "one")]
    # It may still read what it was not told.
    assert (await anext(broken)).events == [TextGrew(1, "one")]

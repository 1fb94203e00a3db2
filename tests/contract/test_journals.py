"""What every Journal promises, whichever it is. A new one is a line in `JOURNALS`."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlance.core.errors import CursorExpired, SlowFollower
from parlance.core.events import Event, TextGrew, TurnEnded, TurnStarted
from parlance.core.ids import Epoch, TurnId
from parlance.core.journal import Batch, Cursor, Follower, Journal, Log
from parlance.journal.memory import MemoryJournal
from parlance.testing.clock import settle
from tests.probes.leaks import LeakProbe

JOURNALS: dict[str, Callable[[], Journal]] = {"memory": MemoryJournal}
TURN = TurnId("turn")
STARTED = TurnStarted(TURN, "fast")
ENDED = TurnEnded("completed", "stop")
PATIENCE = 10.0
FLOOD = 400
"""More events than a busy follower may be behind, in any journal."""


@pytest.fixture(params=JOURNALS)
def journal(request: pytest.FixtureRequest) -> Journal:
    return JOURNALS[request.param]()


@pytest.fixture
def log(journal: Journal) -> Log:
    return journal.open(TURN)


def grew(number: int) -> Event:
    return TextGrew(1, f"word {number} ")


def told(count: int) -> list[Event]:
    """A whole turn's events, so many."""
    return [STARTED, *(grew(number) for number in range(count - 2)), ENDED]


async def take(follower: Follower) -> Batch:
    async with asyncio.timeout(PATIENCE):
        return await anext(follower)


async def take_some(follower: Follower, count: int) -> list[Event]:
    """So many events, in as many batches as they come in."""
    taken: list[Event] = []
    while len(taken) < count:
        taken += (await take(follower)).events
    return taken


async def rest_of(follower: Follower) -> list[tuple[int, Event]]:
    """All that a follower is still told, with its numbers."""
    seen: list[tuple[int, Event]] = []
    async with asyncio.timeout(PATIENCE):
        async for batch in follower:
            assert batch.events
            seen += enumerate(batch.events, batch.first)
    return seen


def numbered(events: Sequence[Event], after: int = 0) -> list[tuple[int, Event]]:
    return list(enumerate(events, 1))[after:]


# Numbers and logs.


def test_events_are_numbered_from_one(log: Log) -> None:
    assert log.head == 0
    log.append([STARTED])
    assert log.head == 1
    log.append([grew(1), grew(2)])
    assert log.head == 3
    assert list(log.read()) == [STARTED, grew(1), grew(2)]
    assert list(log.read(after=1)) == [grew(1), grew(2)]
    assert list(log.read(after=3)) == []


def test_a_log_knows_its_turn_and_has_an_epoch_of_its_own(journal: Journal) -> None:
    first, second = journal.open(TURN), journal.open(TurnId("other"))
    assert (first.turn, second.turn) == ("turn", "other")
    assert first.epoch != second.epoch


def test_appending_nothing_is_nothing(log: Log) -> None:
    log.append([])
    assert log.head == 0
    log.append([STARTED, ENDED])
    log.append([])
    assert log.head == 2


def test_the_end_is_the_end(log: Log) -> None:
    ended = [log.ended]
    for event in (STARTED, ENDED):
        log.append([event])
        ended.append(log.ended)
    assert ended == [False, False, True]
    with pytest.raises(RuntimeError, match="too late"):
        log.append([grew(1)])
    with pytest.raises(RuntimeError, match="too late"):
        log.append([ENDED])
    assert log.head == 2


def test_what_was_read_does_not_change_afterwards(log: Log) -> None:
    log.append([STARTED])
    read = log.read()
    log.append([grew(1)])
    assert list(read) == [STARTED]


def test_a_log_is_found_until_it_is_dropped(journal: Journal) -> None:
    assert journal.find(TURN) is None
    log = journal.open(TURN)
    assert journal.find(TURN) is log
    journal.drop(TURN)
    journal.drop(TURN)
    assert journal.find(TURN) is None


async def test_who_follows_a_log_that_is_dropped_reads_to_its_end(journal: Journal) -> None:
    log = journal.open(TURN)
    log.append([STARTED])
    follower = log.follow()
    journal.drop(TURN)
    log.append([ENDED])
    assert await rest_of(follower) == numbered([STARTED, ENDED])


def test_a_log_that_holds_more_is_larger(log: Log) -> None:
    sizes = [log.size]
    for events in ([STARTED], [grew(1)], [TextGrew(1, "x" * 10_000)]):
        log.append(events)
        sizes.append(log.size)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] >= 10_000


# Cursors.


def test_every_place_in_a_log_has_a_good_cursor(log: Log) -> None:
    log.append([STARTED, grew(1)])
    for number in range(3):
        assert log.check(Cursor(log.epoch, number)) == number


@pytest.mark.parametrize("number", [3, 4, 10**17])
def test_a_cursor_ahead_of_the_log_is_expired(log: Log, number: int) -> None:
    log.append([STARTED, grew(1)])
    with pytest.raises(CursorExpired):
        log.check(Cursor(log.epoch, number))


def test_a_cursor_of_another_numbering_is_expired(journal: Journal) -> None:
    log, other = journal.open(TURN), journal.open(TurnId("other"))
    for one in (log, other):
        one.append([STARTED, grew(1)])
    for epoch in (other.epoch, Epoch(""), Epoch(log.epoch.upper() + "x")):
        with pytest.raises(CursorExpired):
            log.check(Cursor(epoch, 1))


def test_a_turns_numbering_begun_anew_knows_none_of_its_old_cursors(journal: Journal) -> None:
    old = journal.open(TURN)
    old.append([STARTED])
    new = journal.open(TURN)
    new.append([STARTED])
    with pytest.raises(CursorExpired):
        new.check(Cursor(old.epoch, 1))


# Followers.


async def test_a_follower_is_told_everything_once_in_order(log: Log) -> None:
    follower = log.follow()
    reading = asyncio.create_task(rest_of(follower))
    for event in told(20):
        log.append([event])
        await asyncio.sleep(0)
    assert await reading == numbered(told(20))


async def test_a_latecomer_replays_then_follows(log: Log) -> None:
    events = told(10)
    log.append(events[:4])
    reading = asyncio.create_task(rest_of(log.follow()))
    await settle()
    log.append(events[4:])
    assert await reading == numbered(events)


@pytest.mark.parametrize("after", range(11))
async def test_an_ended_log_is_replayed_from_anywhere(log: Log, after: int) -> None:
    log.append(told(10))
    assert await rest_of(log.follow(after)) == numbered(told(10), after)


async def test_a_follower_stays_at_its_end(log: Log) -> None:
    log.append(told(3))
    follower = log.follow()
    await rest_of(follower)
    assert await rest_of(follower) == []


async def test_closing_wakes_a_follower_that_waits(log: Log, leak_probe: LeakProbe) -> None:
    follower = log.follow()
    reading = asyncio.create_task(rest_of(follower))
    await settle()
    assert not reading.done()
    follower.close()
    assert await reading == []
    follower.close()
    assert await rest_of(follower) == []


async def test_a_read_that_is_cancelled_loses_nothing(log: Log) -> None:
    follower = log.follow()
    for arrives in ([], [STARTED], [grew(1), grew(2)]):
        reading = asyncio.create_task(anext(follower))
        await asyncio.sleep(0)
        log.append(arrives)
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
        if arrives:
            assert list((await take(follower)).events) == arrives


async def test_many_followers_who_join_and_leave_at_any_time_see_the_same(log: Log, leak_probe: LeakProbe) -> None:
    events = told(60)
    readings: list[tuple[int, asyncio.Task[list[tuple[int, Event]]]]] = []
    for number, event in enumerate(events):
        leaving = log.follow()
        readings.append((number, asyncio.create_task(rest_of(log.follow(number)))))
        readings.append((0, asyncio.create_task(rest_of(log.follow()))))
        log.append([event])
        await asyncio.sleep(0)
        leaving.close()
    for after, reading in readings:
        assert await reading == numbered(events, after)


class Interleaving:
    """One writer and several readers of a log, who act in an order that a test chooses."""

    def __init__(self, log: Log, events: Sequence[Event]) -> None:
        self._log = log
        self._events = list(events)
        self._followers: list[tuple[int, Follower]] = []
        self._seen: list[list[tuple[int, Event]]] = []

    def append(self, count: int) -> None:
        head = self._log.head
        self._log.append(self._events[head : head + count])

    def join(self, after: int) -> None:
        after = min(after, self._log.head)
        self._followers.append((after, self._log.follow(after)))
        self._seen.append([])

    async def read(self, reader: int) -> None:
        """One batch, if there is one to be had."""
        if not self._followers:
            return
        reader %= len(self._followers)
        after, follower = self._followers[reader]
        if after + len(self._seen[reader]) < self._log.head:
            batch = await take(follower)
            self._seen[reader] += enumerate(batch.events, batch.first)

    async def finish(self) -> None:
        self.append(len(self._events))
        for reader, (after, follower) in enumerate(self._followers):
            self._seen[reader] += await rest_of(follower)
            assert self._seen[reader] == numbered(self._events, after)


ACTS = st.lists(
    st.tuples(st.sampled_from(["append", "join", "read", "yield"]), st.integers(0, 12)), min_size=5, max_size=60
)


@pytest.mark.parametrize("made", JOURNALS)
@settings(max_examples=150)
@given(acts=ACTS)
async def test_whatever_the_order_of_writing_joining_and_reading_nothing_is_lost_or_doubled(
    made: str, acts: list[tuple[str, int]]
) -> None:
    """Fewer events than anybody may be behind: nobody is cut here."""
    play = Interleaving(JOURNALS[made]().open(TURN), told(200))
    for act, number in acts:
        match act:
            case "append":
                play.append(min(number, 3))
            case "join":
                play.join(number)
            case "read":
                await play.read(number)
            case _:
                await asyncio.sleep(0)
    await play.finish()


# Slow followers.


async def test_a_follower_that_takes_nothing_is_cut_and_others_are_not(log: Log) -> None:
    log.append([STARTED])
    busy, quick = log.follow(), log.follow()
    first = await take(busy)
    reading = asyncio.create_task(rest_of(quick))
    await settle()
    for number in range(FLOOD):
        log.append([grew(number)])
        await asyncio.sleep(0)
    log.append([ENDED])
    with pytest.raises(SlowFollower, match="resume"):
        await take(busy)
    with pytest.raises(SlowFollower):
        await take(busy)
    events = [STARTED, *(grew(number) for number in range(FLOOD)), ENDED]
    assert await reading == numbered(events)
    assert await rest_of(log.follow(first.first)) == numbered(events, 1)


async def test_a_follower_that_takes_nothing_of_much_text_is_cut(log: Log) -> None:
    log.append([STARTED])
    busy = log.follow()
    await take(busy)
    for _ in range(20):
        log.append([TextGrew(1, "x" * 200_000)])
    with pytest.raises(SlowFollower):
        await take(busy)


async def test_one_burst_cuts_nobody(log: Log) -> None:
    log.append([STARTED])
    busy = log.follow()
    await take(busy)
    burst = [grew(number) for number in range(10 * FLOOD)]
    log.append(burst)
    log_end = [*burst, ENDED]
    assert await take_some(busy, len(burst)) == burst
    log.append([ENDED])
    assert await rest_of(busy) == [(len(log_end) + 1, ENDED)]


async def test_a_follower_that_waits_is_never_cut(log: Log) -> None:
    burst = [STARTED, *(grew(number) for number in range(10 * FLOOD))]
    waiting = asyncio.create_task(take_some(log.follow(), len(burst)))
    await settle()
    for event in burst:
        log.append([event])
    assert await waiting == burst


async def test_a_follower_that_keeps_up_is_never_cut(log: Log) -> None:
    follower = log.follow()
    log.append([STARTED])
    for number in range(3 * FLOOD):
        await take(follower)
        log.append([grew(number)])
    log.append([ENDED])
    assert [event for _, event in await rest_of(follower)] == [grew(3 * FLOOD - 1), ENDED]


async def test_a_latecomer_far_behind_is_not_cut_for_that(log: Log) -> None:
    log.append(told(10 * FLOOD)[:-1])
    follower = log.follow()
    assert len(await take_some(follower, 10 * FLOOD - 1)) == 10 * FLOOD - 1
    log.append([ENDED])
    assert len(await rest_of(follower)) == 1


async def test_closing_a_follower_that_was_cut_is_harmless(log: Log) -> None:
    busy = log.follow()
    for number in range(2 * FLOOD):
        log.append([grew(number)])
    busy.close()
    log.append([ENDED])
    with pytest.raises(SlowFollower):
        await take(busy)

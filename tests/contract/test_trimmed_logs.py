"""What every Journal promises of logs that have outgrown their window. A new one is a line in `JOURNALS`."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlance.core.deltas import Delta
from parlance.core.errors import CursorExpired, SlowFollower
from parlance.core.events import Event, Growth, PartClosed, PartOpened, TextGrew
from parlance.core.journal import Cursor, Journal, Log
from parlance.core.parts import Text
from parlance.core.snapshot import fold_snapshot
from parlance.core.transcript import fold_history
from parlance.journal.memory import MemoryJournal
from tests.contract.test_journals import ENDED, STARTED, TURN, Interleaving, numbered, rest_of, take, told
from tests.unit.engine.assembling import assemble
from tests.unit.engine.deltas import ANYTHING

JOURNALS: dict[str, Callable[[int], Journal]] = {"memory": MemoryJournal}
WINDOW = 4_096
WORDS = 500
"""More than fit into the window."""


@pytest.fixture(params=JOURNALS)
def log(request: pytest.FixtureRequest) -> Log:
    return JOURNALS[request.param](WINDOW).open(TURN)


def spoken(words: int, part: int = 1) -> list[Event]:
    """One part of text, opened, grown, and closed."""
    texts = [f"word {number} " for number in range(words)]
    growth = [TextGrew(part, text) for text in texts]
    return [PartOpened(part, Text("")), *growth, PartClosed(part, Text("".join(texts)))]


def first_good(log: Log) -> int:
    """The number from which on each cursor is good; that there is only one such place is checked."""
    good = []
    for number in range(log.head + 1):
        try:
            good.append(log.check(Cursor(log.epoch, number)) == number)
        except CursorExpired:
            good.append(False)
            with pytest.raises(CursorExpired):
                log.follow(number)
    assert good == sorted(good)
    assert good[-1]
    return good.index(True)


@pytest.mark.parametrize("made", JOURNALS)
@settings(max_examples=100)
@given(deltas=ANYTHING, window=st.integers(0, 3_000), size=st.integers(1, 5))
async def test_whatever_is_trimmed_what_was_shown_stays(made: str, deltas: list[Delta], window: int, size: int) -> None:
    log = JOURNALS[made](window).open(TURN)
    events = [STARTED, *assemble(deltas), ENDED]
    for place in range(0, len(events), size):
        log.append(events[place : place + size])
        said = events[: place + size]
        assert fold_snapshot(log.read()) == fold_snapshot(said)
        kept = {number: event for number, event in log.numbered() if not isinstance(event, PartOpened)}
        whole = dict(enumerate(said, 1))
        lasting = {number: event for number, event in whole.items() if not isinstance(event, PartOpened | Growth)}
        assert lasting.items() <= kept.items() <= whole.items()
    assert fold_history(log.read()) == fold_history(events)
    good = first_good(log)
    assert list(log.read(good)) == events[good:]
    assert await rest_of(log.follow(good)) == numbered(events, good)


@pytest.mark.parametrize("closed", [False, True])
async def test_an_endless_part_does_not_fill_the_memory(log: Log, closed: bool) -> None:
    log.append([STARTED])
    for event in spoken(20 * WORDS)[: None if closed else -1]:
        log.append([event])
    events = [event for _, event in log.numbered()]
    assert len(events) < WORDS
    (part,) = fold_snapshot(events).parts
    assert part == Text("".join(f"word {number} " for number in range(20 * WORDS)))


def test_a_cursor_from_before_what_was_dropped_is_expired_and_one_behind_it_is_good(log: Log) -> None:
    good = []
    for event in [STARTED, *spoken(100)[:-1]]:
        log.append([event])
        good.append(first_good(log))
    assert good == sorted(good)
    assert good[0] == 0
    assert 50 < good[-1] < log.head


def test_a_turn_that_says_little_is_kept_whole(log: Log) -> None:
    for event in told(20):
        log.append([event])
    assert first_good(log) == 0
    assert list(log.read()) == told(20)


async def test_what_a_follower_has_not_taken_is_kept_until_it_has(log: Log) -> None:
    events = [STARTED, *spoken(WORDS), ENDED]
    follower = log.follow()
    seen: list[tuple[int, Event]] = []
    for event in events:
        log.append([event])
        if log.head % 200 == 0:
            assert first_good(log) <= len(seen)
            batch = await take(follower)
            seen += enumerate(batch.events, batch.first)
    assert 200 < first_good(log) <= len(seen)
    assert seen + await rest_of(follower) == numbered(events)


async def test_one_that_is_cut_holds_up_nothing(log: Log) -> None:
    log.append([STARTED])
    slow = log.follow()
    for event in spoken(WORDS):
        log.append([event])
    assert first_good(log) > WORDS // 2
    with pytest.raises(SlowFollower):
        await take(slow)


class Trimming(Interleaving):
    """Readers join where they still may."""

    def join(self, after: int) -> None:
        super().join(first_good(self._log) + after)


ACTS = st.lists(st.tuples(st.sampled_from(["append", "join", "read"]), st.integers(0, 12)), min_size=5, max_size=60)


@pytest.mark.parametrize("made", JOURNALS)
@settings(max_examples=100)
@given(acts=ACTS, window=st.integers(0, 3_000))
async def test_whatever_the_order_of_writing_joining_and_reading_nobody_sees_a_hole(
    made: str, acts: list[tuple[str, int]], window: int
) -> None:
    play = Trimming(JOURNALS[made](window).open(TURN), [STARTED, *spoken(90), *spoken(90, 2), ENDED])
    for act, number in acts:
        match act:
            case "append":
                play.append(number)
            case "join":
                play.join(number)
            case _:
                await play.read(number)
    await play.finish()

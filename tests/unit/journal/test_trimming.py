"""When a log of this journal is trimmed, by how much, and what that costs."""

import pytest

from parlance.core.events import Event, PartClosed, PartOpened, TextGrew, TurnStarted
from parlance.core.ids import TurnId
from parlance.core.parts import Text
from parlance.journal import memory, trimming
from parlance.journal.memory import MemoryJournal, MemoryLog
from parlance.journal.sizes import EVENT_SIZE, carried
from parlance.journal.trimming import TrimmedEvents, oldest

WORD = TextGrew(1, "word")
OPENED = PartOpened(1, Text(""))
STARTED = TurnStarted(TurnId("turn"), "fast")
SIZE = EVENT_SIZE + len(WORD.text)


def grown(window: int, words: int) -> MemoryLog:
    log = MemoryJournal(window).open(TurnId("turn"))
    log.append([STARTED, OPENED])
    for _ in range(words):
        log.append([WORD])
    return log


def kept(log: MemoryLog) -> int:
    return len(list(log.numbered()))


def test_a_log_within_its_window_keeps_everything() -> None:
    log = grown(SIZE * 102, 100)
    assert kept(log) == log.head == 102


def test_one_that_outgrows_it_keeps_the_newer_half() -> None:
    log = grown(SIZE * 100, 100)
    assert log.head == 102
    # The start and the opening, which now holds the words that are gone, stand before the newer half.
    assert 50 <= kept(log) <= 54


def test_its_size_is_that_of_what_it_holds() -> None:
    for words in (10, 99, 100, 1_000, 10_000):
        log = grown(SIZE * 100, words)
        events = [event for _, event in log.numbered()]
        texts = "".join(
            event.what.text for event in events if isinstance(event, PartOpened) and isinstance(event.what, Text)
        )
        assert log.size == len(events) * EVENT_SIZE + carried(events) + len(texts)


def test_a_part_that_closes_is_held_once() -> None:
    log = grown(SIZE * 100, 10_000)
    log.append([PartClosed(1, Text("word" * 10_000))])
    for _ in range(200):
        log.append([TextGrew(2, "word")])
    assert log.size < SIZE * 110 + 10_000 * 4 + 1_000


@pytest.mark.parametrize("words", [1_000, 10_000])
def test_it_is_trimmed_once_in_half_a_window_however_long_it_is(monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    steps: list[int] = []

    def counted(events: list[Event], size: int, most: int) -> int:
        steps.append(oldest(events, size, most))
        return steps[-1]

    monkeypatch.setattr(memory, "oldest", counted)
    grown(SIZE * 100, words)
    assert len(steps) <= words / 50
    assert max(steps) <= 52


def test_while_a_follower_holds_it_up_it_is_not_looked_at_with_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def looked(events: list[Event], size: int, most: int) -> int:
        looks.append(most)
        return oldest(events, size, most)

    monkeypatch.setattr(memory, "oldest", looked)
    log = MemoryJournal(SIZE * 10).open(TurnId("turn"))
    log.follow()
    for _ in range(200):
        log.append([WORD])
    assert set(looks) == {0}
    assert len(looks) <= 200 / 5


def test_what_had_grown_of_an_open_part_is_held_in_few_pieces() -> None:
    events = TrimmedEvents()
    events.take([STARTED, OPENED])
    for _ in range(10):
        events.take([WORD] * 1_000)
    assert [len(one.growth) for one in events._open.values()] == [10]
    assert list(events.numbered()) == [(1, STARTED), (2, PartOpened(1, Text("word" * 10_000)))]
    assert (events.end, events.lost) == (10_002, 10_002)
    events.take([PartClosed(1, Text("word" * 10_000))])
    assert [number for number, _ in events.numbered()] == [1, 10_003]
    assert (events.end, events.lost) == (10_003, 10_002)


@pytest.mark.parametrize(
    ("size", "most", "count"), [(0, 5, 0), (1, 5, 1), (SIZE, 5, 1), (SIZE + 1, 5, 2), (SIZE * 9, 3, 3)]
)
def test_the_oldest_are_as_many_as_hold_so_much(size: int, most: int, count: int) -> None:
    assert trimming.oldest([WORD] * 5, size, most) == count


@pytest.mark.parametrize("leaves", [False, True])
async def test_what_a_follower_held_up_is_trimmed_when_it_has_moved_on(leaves: bool) -> None:
    log = MemoryJournal(SIZE * 100).open(TurnId("turn"))
    follower = log.follow()
    log.append([STARTED, OPENED, *[WORD] * 200])
    assert kept(log) == log.head
    if leaves:
        follower.close()
    else:
        assert len((await anext(follower)).events) == log.head
    assert kept(log) < log.head
    follower.close()

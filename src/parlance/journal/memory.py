"""Logs in this process's memory: what live turns are told from, and replayed from for a while after their end."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NoReturn, TypeVar

from parlance.core.errors import CursorExpired, SlowFollower
from parlance.core.events import GROWTH, Event, TextGrew, TurnEnded
from parlance.core.ids import Epoch, TurnId, new_epoch
from parlance.core.journal import Batch, Cursor, Readership
from parlance.journal.sizes import EVENT_SIZE, carried, characters
from parlance.journal.trimming import WINDOW, TrimmedEvents, oldest

MemoryLogT = TypeVar("MemoryLogT", bound="MemoryLog")

MAX_BEHIND = 256
"""Events that may be appended while a follower is busy with the last ones it took."""

MAX_BEHIND_CHARACTERS = 1 << 20
"""The same, counted in characters of growth."""

AT_ONCE = 1_024
"""Events that a follower takes at once, at most: what it makes of them is held in memory until its reader takes it."""

CHARACTERS_AT_ONCE = 1 << 16
"""The same, counted in characters of growth."""


class MemoryJournal:
    """Keeps logs until they are dropped. `window`: bytes of a log's newest events that are kept one by one."""

    def __init__(self, window: int = WINDOW) -> None:
        self._logs: dict[TurnId, MemoryLog] = {}
        self.window = window
        self.readers = Readers()

    def open(self, turn: TurnId) -> "MemoryLog":
        return self.add(MemoryLog(turn, new_epoch(), self.readers, self.window))

    def add(self, log: "MemoryLogT") -> "MemoryLogT":
        self._logs[log.turn] = log
        return log

    def find(self, turn: TurnId) -> "MemoryLog | None":
        return self._logs.get(turn)

    def drop(self, turn: TurnId) -> None:
        self._logs.pop(turn, None)

    def readership(self) -> Readership:
        behind = [follower.behind for follower in self.readers.followers]
        return Readership(len(behind), sum(behind), max(behind, default=0), self.readers.cut)


class Readers:
    """The followers of all logs, so that to count them is not to go through every log that is kept."""

    def __init__(self) -> None:
        self.followers: set[MemoryFollower] = set()
        self.cut = 0


class MemoryLog:
    """One turn's events. Followers read from the same list, so a follower costs a position and not a copy.

    When `_events` outgrow the window, the older half of it is trimmed, but for what a follower has yet to take. That
    is done in steps of half a window, so an event's cost does not depend on the log's length.
    """

    def __init__(self, turn: TurnId, epoch: Epoch, readers: Readers, window: int) -> None:
        self.turn = turn
        self.epoch = epoch
        self.ended = False
        self.head = 0
        self._window = window
        self._trim_at = window
        self._trimmed = TrimmedEvents()
        self._weight = 0
        self._events: list[Event] = []
        # Never changed but replaced, since one that is told may leave.
        self._followers: tuple[MemoryFollower, ...] = ()
        self._readers = readers
        self.held_up_by: MemoryFollower | None = None
        self._epochs: Sequence[tuple[int, Epoch]] = ()

    @property
    def size(self) -> int:
        return self._weight + self._trimmed.size

    def append(self, events: Sequence[Event]) -> None:
        if not events:
            return
        if self.ended:
            raise RuntimeError(f"Turn {self.turn} has ended: {type(events[0]).__name__} comes too late.")
        count, last = len(events), events[-1]
        self._events += events
        self.head += count
        # Nearly always it is one piece of text.
        text = len(last.text) if count == 1 and type(last) is TextGrew else carried(events)
        self._weight += count * EVENT_SIZE + text
        self.ended = type(last) is TurnEnded
        for follower in self._followers:
            follower.told(events)
        if self._weight > self._trim_at:
            self._trim()

    async def end(self, ended: TurnEnded) -> TurnEnded:
        self.append((ended,))
        return ended

    async def secured(self) -> None:
        """Nothing is kept."""

    def restore(self, events: Sequence[tuple[int, Event]], lost: int, epochs: Sequence[tuple[int, Epoch]]) -> None:
        """What is left of a log, into this one, which is empty; and up to which number it bore which epochs."""
        self._epochs = epochs
        if not lost:
            MemoryLog.append(self, [event for _, event in events])
        elif events:
            self._trimmed.restore(events, lost)
            self.head = events[-1][0]
            self.ended = type(events[-1][1]) is TurnEnded

    def renumber(self, epoch: Epoch, epochs: Sequence[tuple[int, Epoch]]) -> None:
        self.epoch = epoch
        self._epochs = epochs

    def read(self, after: int = 0) -> Sequence[Event]:
        if after >= self._trimmed.end:
            return self._events[after - self._trimmed.end :]
        return [event for number, event in self.numbered() if number > after]

    def numbered(self) -> Iterator[tuple[int, Event]]:
        return chain(self._trimmed.numbered(), enumerate(self._events, self._trimmed.end + 1))

    def follow(self, after: int = 0) -> "MemoryFollower":
        self.check(Cursor(self.epoch, after))
        follower = MemoryFollower(self, after)
        self._followers = (*self._followers, follower)
        self._readers.followers.add(follower)
        return follower

    def forget(self, follower: "MemoryFollower") -> None:
        self._followers = tuple(one for one in self._followers if one is not follower)
        self._readers.followers.discard(follower)
        self.moved_on(follower)

    def dismiss(self) -> None:
        for follower in self._followers:
            follower.close()

    def moved_on(self, follower: "MemoryFollower") -> None:
        """A follower has taken all, or left: trimming may have waited for it."""
        if self.held_up_by is follower:
            self._trim()

    def cut(self, follower: "MemoryFollower") -> None:
        self.forget(follower)
        self._readers.cut += 1

    def check(self, cursor: Cursor) -> int:
        if not self._bears(cursor) or cursor.number > self.head:
            raise CursorExpired(
                f"The cursor {cursor.encode()} is not of this numbering of turn {self.turn}. Go on from the snapshot."
            )
        if cursor.number < self._trimmed.lost:
            raise CursorExpired(
                f"What follows number {cursor.number} of turn {self.turn} is not kept piece by piece any more. "
                "Go on from the snapshot."
            )
        return cursor.number

    def _bears(self, cursor: Cursor) -> bool:
        if cursor.epoch == self.epoch:
            return True
        return any(epoch == cursor.epoch and cursor.number <= last for last, epoch in self._epochs)

    def _trim(self) -> None:
        slowest = min(self._followers, key=lambda follower: follower.position, default=None)
        taken = self.head if slowest is None else slowest.position
        # One that began in what is trimmed already may still stand there.
        count = oldest(self._events, self._weight - self._window // 2, max(0, taken - self._trimmed.end))
        events = self._events[:count]
        del self._events[:count]
        self._trimmed.take(events)
        self._weight -= len(events) * EVENT_SIZE + carried(events)
        # Where a follower holds it up, it is tried again when that one has moved on, or as much has come again.
        self.held_up_by = slowest if self._weight > self._window else None
        self._trim_at = max(self._window, self._weight + self._window // 2)


class MemoryFollower:
    """A position in a log.

    It waits, or it is busy with the batch it took last. Only a busy one can fall behind: in one thread, events that
    arrive while it is busy mean that its reader is blocked.
    """

    def __init__(self, log: MemoryLog, after: int) -> None:
        self._log = log
        self._position = after
        self._waiting: asyncio.Future[None] | None = None
        self._listener: Callable[[int, Sequence[Event]], bool] | None = None
        self._failure: Exception | None = None
        self._behind = 0
        self._behind_characters = 0
        self._excused = False
        self._cut = False
        self._closed = False

    @property
    def behind(self) -> int:
        """Events of the log that it has not taken yet."""
        return self._log.head - self._position

    @property
    def position(self) -> int:
        """The number of the last event that it has taken."""
        return self._position

    def __aiter__(self) -> "MemoryFollower":
        return self

    async def __anext__(self) -> Batch:
        log = self._log
        while self._position == log.head and not self._closed and not self._cut:
            if log.ended:
                self.close()
                break
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        if self._failure is not None:
            self._fail(self._failure)
        if self._cut:
            raise SlowFollower(
                f"Too much of turn {log.turn} was said while this connection took nothing. "
                "The turn goes on: resume from the last cursor."
            )
        if self._closed:
            raise StopAsyncIteration
        first = self._position + 1
        events = _at_once(log.read(self._position))
        self._position += len(events)
        if log.held_up_by is self:
            log.moved_on(self)
        if self._behind:
            self._caught_up(events)
        return Batch(first, events)

    def _caught_up(self, events: Sequence[Event]) -> None:
        """Of a large burst it takes a part at a time: who takes as much as is appended meanwhile is not blocked."""
        done = self._position == self._log.head
        self._behind = 0 if done else max(0, self._behind - len(events))
        self._behind_characters = 0 if done else max(0, self._behind_characters - characters(events))

    def excuse(self) -> None:
        self._excused = True
        asyncio.get_running_loop().call_soon(self._expect)

    def _expect(self) -> None:
        self._excused = False

    def listen(self, listener: Callable[[int, Sequence[Event]], bool]) -> None:
        self._listener = listener

    def _fail(self, failure: Exception) -> NoReturn:
        self._failure = self._listener = None
        try:
            raise failure
        finally:
            # With its traceback it would hold this frame, and itself by that.
            del failure

    def _heard(self, events: Sequence[Event]) -> bool:
        """A task that has to be woken for each word costs more than all else that is done with it here."""
        head = self._log.head
        if len(events) != 1 or type(events[0]) is not TextGrew or self._position + 1 != head or self._closed:
            return False
        if self._listener is None:
            return False
        try:
            heard = self._listener(head, events)
        except Exception as error:
            # It is this reader's own, and nobody else's who is told.
            self._failure = error
            return False
        if heard:
            self._position = head
        return heard

    def told(self, events: Sequence[Event]) -> None:
        """The log has grown. Called by the log alone."""
        if self._waiting is not None:
            if not self._waiting.done() and not self._heard(events):
                self._waiting.set_result(None)
            return
        if self._excused:
            return
        # Checked before adding, and no more is added than the bound: one burst, however large, is no blocked reader.
        if self._behind > MAX_BEHIND or self._behind_characters > MAX_BEHIND_CHARACTERS:
            self._cut = True
            self._log.cut(self)
            return
        self._behind += min(len(events), MAX_BEHIND)
        self._behind_characters += min(characters(events), MAX_BEHIND_CHARACTERS)

    def close(self) -> None:
        self._closed = True
        self._listener = None
        self._log.forget(self)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _at_once(events: Sequence[Event]) -> Sequence[Event]:
    """As many of the first of them as are taken at once."""
    if len(events) == 1:
        return events
    size = 0
    for count, event in enumerate(events[:AT_ONCE], 1):
        size += len(event.text) if isinstance(event, GROWTH) else 0
        if size >= CHARACTERS_AT_ONCE:
            return events[:count]
    return events[:AT_ONCE]

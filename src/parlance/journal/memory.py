"""Logs in this process's memory: what live turns are told from, and replayed from for a while after their end."""

import asyncio
from collections.abc import Sequence

from parlance.core.errors import CursorExpired, SlowFollower
from parlance.core.events import GROWTH, Event, PartClosed, ToolReturned, TurnEnded, TurnStarted
from parlance.core.ids import Epoch, TurnId, new_epoch
from parlance.core.journal import Batch, Cursor, Readership
from parlance.core.parts import part_size

MAX_BEHIND = 256
"""Events that may be appended while a follower is busy with the last ones it took."""

MAX_BEHIND_CHARACTERS = 1 << 20
"""The same, counted in characters of growth."""


EVENT_SIZE = 150
"""Bytes of an event without what it carries, about: the object, its string's head, and its place in the list."""


class MemoryJournal:
    """Keeps logs until they are dropped."""

    def __init__(self) -> None:
        self._logs: dict[TurnId, MemoryLog] = {}
        self._readers = _Readers()

    def open(self, turn: TurnId) -> "MemoryLog":
        log = self._logs[turn] = MemoryLog(turn, new_epoch(), self._readers)
        return log

    def find(self, turn: TurnId) -> "MemoryLog | None":
        return self._logs.get(turn)

    def drop(self, turn: TurnId) -> None:
        self._logs.pop(turn, None)

    def readership(self) -> Readership:
        behind = [follower.behind for follower in self._readers.followers]
        return Readership(len(behind), sum(behind), max(behind, default=0), self._readers.cut)


class _Readers:
    """The followers of all logs, so that to count them is not to go through every log that is kept."""

    def __init__(self) -> None:
        self.followers: set[MemoryFollower] = set()
        self.cut = 0


class MemoryLog:
    """One turn's events. Followers read from the same list, so a follower costs a position and not a copy."""

    def __init__(self, turn: TurnId, epoch: Epoch, readers: _Readers) -> None:
        self.turn = turn
        self.epoch = epoch
        self.ended = False
        self._carried = 0
        self._events: list[Event] = []
        self._followers: set[MemoryFollower] = set()
        self._readers = readers

    @property
    def head(self) -> int:
        return len(self._events)

    @property
    def size(self) -> int:
        return len(self._events) * EVENT_SIZE + self._carried

    def append(self, events: Sequence[Event]) -> None:
        if not events:
            return
        if self.ended:
            raise RuntimeError(f"Turn {self.turn} has ended: {type(events[0]).__name__} comes too late.")
        self._events.extend(events)
        self._carried += carried(events)
        self.ended = type(events[-1]) is TurnEnded
        # A copy, since one that is cut leaves; of nearly always one follower.
        for follower in [*self._followers]:
            follower.told(events)

    def read(self, after: int = 0) -> Sequence[Event]:
        return self._events[after:]

    def follow(self, after: int = 0) -> "MemoryFollower":
        follower = MemoryFollower(self, after)
        self._followers.add(follower)
        self._readers.followers.add(follower)
        return follower

    def forget(self, follower: "MemoryFollower") -> None:
        self._followers.discard(follower)
        self._readers.followers.discard(follower)

    def cut(self, follower: "MemoryFollower") -> None:
        self.forget(follower)
        self._readers.cut += 1

    def check(self, cursor: Cursor) -> int:
        if cursor.epoch != self.epoch or cursor.number > self.head:
            raise CursorExpired(
                f"The cursor {cursor.encode()} is not of this numbering of turn {self.turn}. Go on from the snapshot."
            )
        return cursor.number


class MemoryFollower:
    """A position in a log.

    It waits, or it is busy with the batch it took last. Only a busy one can fall behind: in one thread, events that
    arrive while it is busy mean that its reader is blocked.
    """

    def __init__(self, log: MemoryLog, after: int) -> None:
        self._log = log
        self._position = after
        self._waiting: asyncio.Future[None] | None = None
        self._behind = 0
        self._behind_characters = 0
        self._cut = False
        self._closed = False

    @property
    def behind(self) -> int:
        """Events of the log that it has not taken yet."""
        return self._log.head - self._position

    def __aiter__(self) -> "MemoryFollower":
        return self

    async def __anext__(self) -> Batch:
        log = self._log
        while not self._closed and not self._cut and self._position == log.head:
            if log.ended:
                self.close()
                break
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        if self._cut:
            raise SlowFollower(
                f"Too much of turn {log.turn} was said while this connection took nothing. "
                "The turn goes on: resume from the last cursor."
            )
        if self._closed:
            raise StopAsyncIteration
        events = log.read(self._position)
        first = self._position + 1
        self._position += len(events)
        self._behind = self._behind_characters = 0
        return Batch(first, events)

    def told(self, events: Sequence[Event]) -> None:
        """The log has grown. Called by the log alone."""
        if self._waiting is not None:
            if not self._waiting.done():
                self._waiting.set_result(None)
            return
        # Checked before adding: one burst, however large, is not yet a blocked reader.
        if self._behind > MAX_BEHIND or self._behind_characters > MAX_BEHIND_CHARACTERS:
            self._cut = True
            self._log.cut(self)
            return
        self._behind += len(events)
        self._behind_characters += characters(events)

    def close(self) -> None:
        self._closed = True
        self._log.forget(self)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def characters(events: Sequence[Event]) -> int:
    """The text that grows in these events, in characters."""
    return sum([len(event.text) for event in events if isinstance(event, GROWTH)])


def carried(events: Sequence[Event]) -> int:
    """What these events hold besides themselves: growth, the wholes it became, and what came from outside."""
    return sum([len(event.text) if isinstance(event, GROWTH) else _whole(event) for event in events])


def _whole(event: Event) -> int:
    match event:
        case TurnStarted(input=message) if message is not None:
            return sum(map(part_size, message.parts))
        case PartClosed(what=part) | ToolReturned(result=part):
            return part_size(part)
        case _:
            return 0

"""The log of a turn: it numbers events, keeps them, and tells them to any number of followers."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, Self

from msgspec import Struct

from parlance.core.errors import CursorExpired
from parlance.core.events import Event, TurnEnded
from parlance.core.ids import Epoch, TurnId
from parlance.core.stores.turns import KeptEvents, State


class Cursor(Struct, frozen=True):
    """How far a follower has come: it has seen event `number`, in the numbering named `epoch`.

    Opaque to clients: `<epoch>-<number>`.
    """

    epoch: Epoch
    number: int

    def encode(self) -> str:
        return f"{self.epoch}-{self.number}"

    @classmethod
    def decode(cls, text: str) -> Self:
        """Raises `CursorExpired` for what is no cursor of ours: to its holder it is as useless as an old one."""
        epoch, dash, number = text.rpartition("-")
        if not (dash and epoch and number.isascii() and number.isdigit() and len(number) <= 18):
            raise CursorExpired(f"The cursor {text[:80]!r} is none of this server's. Begin again from the snapshot.")
        return cls(Epoch(epoch), int(number))


class Batch(Struct, frozen=True):
    """Events in a row: the first bears the number `first`, the next one more, and so on. Never empty."""

    first: int
    events: Sequence[Event]


class Readership(Struct, frozen=True):
    """How a journal is being read: followers that are there, the events that they have not taken yet (of all together,
    and of the one furthest behind), and how many were cut since the start.
    """

    followers: int
    behind: int
    most_behind: int
    cut: int


class Follower(Protocol):
    """One reader of a log: each event behind its starting point once, in order, until `TurnEnded` or `close`.

    One that is busy elsewhere while too much is appended is cut: its next read raises `SlowFollower`. Others don't
    notice.
    """

    def __aiter__(self) -> "Follower": ...

    async def __anext__(self) -> Batch: ...

    def excuse(self) -> None:
        """Its reader begins at the loop's next turn: what is appended before that is not what it fell behind by."""
        ...

    def listen(self, listener: Callable[[int, Sequence[Event]], bool]) -> None:
        """Give one piece of growth that comes while a read waits to `listener`, at once, with its number. What it
        takes (True) is not read; what it raises is raised by the read. Everything else is read.
        """
        ...

    def close(self) -> None:
        """Leave. A read that waits ends at once. Closing twice is harmless."""
        ...


class Log(Protocol):
    """One turn's events, numbered from 1.

    It may trim its oldest ones: their openings and growth are dropped, and numbers keep holes. Whoever follows has
    each event nonetheless; who comes with a cursor from before a hole has to begin with a snapshot.
    """

    @property
    def turn(self) -> TurnId: ...

    @property
    def epoch(self) -> Epoch: ...

    @property
    def head(self) -> int:
        """The number of the newest event; 0 when there is none."""
        ...

    @property
    def ended(self) -> bool: ...

    @property
    def size(self) -> int:
        """The memory it holds, in bytes, about."""
        ...

    def append(self, events: Sequence[Event]) -> None:
        """Number the events and tell them. Never blocks. Appending behind `TurnEnded` is a bug, and raises."""
        ...

    async def end(self, ended: TurnEnded) -> TurnEnded:
        """Append the ending; a log that is kept tells it when it has been kept. Returns the ending that was told, which
        is another one where this could not be kept. Once; MUST NOT be cancelled.
        """
        ...

    async def secured(self) -> None:
        """Returns when all that was appended so far has been kept; at once where nothing is. `StorageUnavailable` where
        that failed for now.
        """
        ...

    def read(self, after: int = 0) -> Sequence[Event]:
        """The events behind number `after`, as `numbered` has them."""
        ...

    def numbered(self) -> Iterable[tuple[int, Event]]:
        """All events with their numbers, for folds. A part whose growth was trimmed before its end is one opening that
        holds what had grown of it.
        """
        ...

    def follow(self, after: int = 0) -> Follower:
        """From the event behind number `after` on, to the end. `CursorExpired`, as of `check`."""
        ...

    def renumber(self, epoch: Epoch, epochs: Sequence[tuple[int, Epoch]]) -> None:
        """Numbers go on, and bear another epoch from here on; `epochs`: up to which number they bore which before."""
        ...

    def dismiss(self) -> None:
        """All who follow it leave: nothing more will be said of it here."""
        ...

    def check(self, cursor: Cursor) -> int:
        """The number a good cursor stands for; `CursorExpired` for one of another numbering, ahead of the log, or from
        before what was trimmed.
        """
        ...


class Journal(Protocol):
    def open(self, turn: TurnId) -> Log:
        """A new, empty log."""
        ...

    def find(self, turn: TurnId) -> Log | None: ...

    def drop(self, turn: TurnId) -> None:
        """Forget an ended turn's log."""
        ...

    def readership(self) -> Readership: ...


class KeptJournal(Protocol):
    """Logs that are told from memory as others are, and kept in the stores besides."""

    def open(self, turn: TurnId, epoch: Epoch, begun: Sequence[Event]) -> Log:
        """A log whose first events have been kept already."""
        ...

    def drop(self, turn: TurnId) -> None:
        """Forget an ended turn's log, here; in the stores it stays."""
        ...

    def reopen(self, kept: KeptEvents, epoch: Epoch) -> Log:
        """A log that another process has left, to be gone on with under an epoch of its own."""
        ...

    def restore(self, kept: KeptEvents) -> Log:
        """What was kept of a log, to be read and followed. Nothing that is appended to it is kept again."""
        ...

    def tell_state(self, turn: TurnId, epoch: Epoch, state: State) -> None:
        """Keep it with what is kept next. Never blocks, and is lost where that can't be; so it is where the turn bears
        another epoch by now.
        """
        ...

    def when_lost(self, turn: TurnId, act: Callable[[], object]) -> None:
        """Call it once somebody else has ended this turn, whose log is open here, or goes on with it: what is appended
        from then on is neither told nor kept.
        """
        ...

    async def close(self) -> None:
        """When all that was appended has been kept, or can't be."""
        ...

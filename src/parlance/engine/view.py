"""A turn as doors see it, whoever runs it and wherever it is kept."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from parlance.core.events import TurnEnded
from parlance.core.ids import TurnId
from parlance.core.journal import Cursor, Follower, Log
from parlance.core.observers import TurnFacts
from parlance.core.tool import Answer

StopReason = Literal["cancelled", "abandoned", "interrupted", "superseded"]
"""Why a turn is being stopped: by its caller, because nobody followed it, because this server stops, or because its
caller said something new while it waited for them.
"""


class TurnView(Protocol):
    """Found by `Engine.find`; the one that `Engine.start` gives is another only where a request came again."""

    @property
    def id(self) -> TurnId: ...

    @property
    def facts(self) -> TurnFacts: ...

    @property
    def log(self) -> Log: ...

    @property
    def ended(self) -> bool: ...

    @property
    def ending(self) -> TurnEnded:
        """How it ended. Only of a turn that has."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether it waits for its caller to answer a call."""
        ...

    @property
    def stopped(self) -> bool:
        """Whether it has ended, or will soon, since it was told to."""
        ...

    def followed(self, after: int = 0) -> AbstractContextManager[Follower]:
        """Follow the log from the event behind number `after` on. `CursorExpired`."""
        ...

    async def reach(self, cursor: Cursor) -> None:
        """Returns when the log has come to this number, if it may: what another process runs is told there a moment
        before it is kept.
        """
        ...

    def stop(self, reason: StopReason) -> bool:
        """End the turn soon, and close what it holds. False when it has ended, or is ending already."""
        ...

    async def answer(self, answers: Sequence[Answer]) -> None:
        """Results of the caller's own tools.

        What returns is kept, where the turn is. `CallNotWaiting`, and nothing is taken, if one of them is not waited
        for. `StorageUnavailable` if they may be lost with the process that runs the turn.
        """
        ...

    async def finished(self, within: float | None = None) -> None:
        """Returns when it has ended, or after `within` seconds; never raises."""
        ...

    def then(self, act: Callable[[], None]) -> None:
        """Calls `act` when it has ended; soon, if it has already."""
        ...


def ending_of(log: Log) -> TurnEnded:
    """The last event of a log that has ended."""
    last = log.read(log.head - 1)[0]
    if not isinstance(last, TurnEnded):
        raise RuntimeError(f"Turn {log.turn} has not ended.")
    return last

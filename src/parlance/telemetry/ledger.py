"""The log of model calls: what was asked of whom, for whom, and what it cost. Written in batches, behind the answers;
no text of any message.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice

import structlog
from msgspec import Struct

from parlance.core.attempts import Attempt
from parlance.core.errors import StorageUnavailable
from parlance.core.events import Event, TurnEnded, TurnStarted
from parlance.core.ids import TurnId, uuid7
from parlance.core.observers import TurnFacts
from parlance.core.principal import DEFAULT_SUBTENANT
from parlance.core.stores.model_calls import ModelCall, ModelCalls

_log = structlog.stdlib.get_logger(__name__)

MOST_WAITING = 10_000
"""Calls that wait to be written. Of more, the newest are dropped."""

BATCH = 500
"""Calls of one transaction."""

GATHER = 0.25
"""Seconds from the first call that waits to the transaction that it is written in."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
"""Seconds between tries to write while the database is away."""

PATIENCE = 600.0
"""Seconds that a database may be away before calls are given up, a batch with each further try."""

RESISTANCE = 0.5
"""Seconds that a write which is given up at the stop may take to end."""

TOLD_EVERY = 60.0
"""Seconds between two warnings of what was dropped."""

LONGEST_TEXT = 255
"""Characters of names and ids that others choose."""

NO_DOOR = "server"
"""Where a call stands that no turn made."""


class Backlog(Struct, frozen=True):
    """Calls that wait to be written, and how many were dropped since the start."""

    waiting: int = 0
    dropped: int = 0


class Ledger:
    """A `TurnObserver`, for the sake of knowing whose turns they are, and an `AttemptObserver`.

    It holds the facts of turns that have not ended and at most `MOST_WAITING` calls; a database that is away costs the
    turns nothing. An attempt of no turn is the server's own, and counts for the default subtenant.
    """

    def __init__(
        self,
        calls: ModelCalls,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` counts seconds, `now` tells when a call had ended."""
        self._calls = calls
        self._clock = clock
        self._now = now
        self._turns: dict[TurnId, TurnFacts] = {}
        self._waiting: deque[ModelCall] = deque()
        self._arrived = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._down_since: float | None = None
        self._dropped = 0
        self._untold = 0
        self._told_at = float("-inf")

    def observe(self, facts: TurnFacts, event: Event) -> None:
        match event:
            case TurnStarted():
                self._turns[facts.turn] = facts
            case TurnEnded():
                self._turns.pop(facts.turn, None)
            case _:
                pass

    def observe_attempt(self, attempt: Attempt) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._drop(1)
            return
        facts = self._turns.get(attempt.turn) if attempt.turn is not None else None
        self._waiting.append(_call(attempt, facts, self._now()))
        self._arrived.set()

    def backlog(self) -> Backlog:
        return Backlog(len(self._waiting), self._dropped)

    def begin(self) -> None:
        """On the running loop, once."""
        self._task = asyncio.create_task(self._run(), name="ledger")

    async def close(self, within: float = 2.0) -> None:
        """Write what waits. What can't be written in so many seconds is dropped, and said to be."""
        self._stopping.set()
        self._arrived.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=within)
            if not self._task.done():
                self._task.cancel()
                await asyncio.wait((self._task,), timeout=RESISTANCE)
        if self._waiting:
            self._drop(len(self._waiting))
            self._waiting.clear()
        self._tell_dropped()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            await self._pause(GATHER)
            self._arrived.clear()
            await self._write_patiently()
            if self._stopping.is_set():
                return

    async def _write_patiently(self) -> None:
        """Until all is written, or a try fails after the stop."""
        pause = FIRST_PAUSE
        while not await self._write() and not self._stopping.is_set():
            await self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _write(self) -> bool:
        """All that waits by now, a batch after the other; whether the database took it. What comes meanwhile is
        gathered again: one by one it would keep the disk busy for good.
        """
        left = len(self._waiting)
        while left > 0:
            batch = tuple(islice(self._waiting, min(left, BATCH)))
            left -= len(batch)
            try:
                left_out = await self._calls.add(batch)
            except StorageUnavailable as error:
                self._fail(len(batch), error)
                return False
            except Exception as error:
                # A second try would fail as well, and hold up all the others.
                _log.error("model calls could not be written and are dropped", calls=len(batch), error=error)
                self._drop(len(batch))
            else:
                self._down_since = None
                # A key may go on asking when its subtenant is deleted: who pays for that must not miss it.
                self._drop(left_out)
            for _ in batch:
                self._waiting.popleft()
        return True

    def _fail(self, size: int, error: StorageUnavailable) -> None:
        if self._down_since is None:
            self._down_since = self._clock()
            _log.warning("model calls can't be written now and wait", waiting=len(self._waiting), error=error)
        elif self._clock() - self._down_since > PATIENCE:
            self._drop(size)
            for _ in range(size):
                self._waiting.popleft()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _drop(self, number: int) -> None:
        self._dropped += number
        self._untold += number
        if self._clock() - self._told_at >= TOLD_EVERY:
            self._tell_dropped()

    def _tell_dropped(self) -> None:
        if self._untold:
            _log.warning("model calls were dropped: they are missing in the log and in its sums", calls=self._untold)
            self._untold = 0
            self._told_at = self._clock()


def _call(attempt: Attempt, facts: TurnFacts | None, now: datetime) -> ModelCall:
    return ModelCall(
        id=str(uuid7()),
        subtenant_id=facts.home if facts is not None else DEFAULT_SUBTENANT,
        chat_id=facts.chat if facts is not None else None,
        turn_id=attempt.turn,
        request_id=_cut(attempt.request_id),
        door=facts.door if facts is not None else NO_DOOR,
        provider=attempt.provider,
        model=attempt.model[:LONGEST_TEXT],
        number=attempt.number,
        outcome=attempt.outcome,
        error=attempt.fault,
        upstream_id=_cut(attempt.upstream_id),
        usage=attempt.usage,
        cost=attempt.cost,
        first=attempt.first,
        duration=attempt.duration,
        created_at=now,
    )


def _cut(text: str | None) -> str | None:
    """A slice, as small as it looks: it does not keep the long text."""
    return None if text is None else text[:LONGEST_TEXT]

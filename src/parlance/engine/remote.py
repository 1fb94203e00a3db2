"""A stored turn that another process runs: told here from what is kept of it, and asked through the stores."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from parlance.core.errors import CallNotWaiting, StorageUnavailable, TurnNotFound
from parlance.core.events import ToolReturned, TurnEnded
from parlance.core.ids import TurnId
from parlance.core.journal import Cursor, Follower, Log
from parlance.core.stores.bells import Bells
from parlance.core.stores.turns import TurnRecord, Turns, Word
from parlance.core.tool import Answer
from parlance.core.transcript import open_calls
from parlance.engine.kept import facts_of
from parlance.engine.pending import check_waiting
from parlance.engine.view import StopReason, ending_of

logger = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between looks, where no bell rings."""

KEPT = 1.0
"""Seconds in which what a turn has told is kept, unless its process died."""

TAKEN = 2.0
"""Seconds in which the process that runs a turn takes an answer, unless it has died."""


class RemoteTurn:
    """Its log is fed while somebody follows it or waits for its end, by one task for all of them."""

    def __init__(self, record: TurnRecord, log: Log, turns: Turns, bells: Bells) -> None:
        self.facts = facts_of(record)
        self.log = log
        self._turns = turns
        self._bells = bells
        self._followers = 0
        self._stopped = False
        self._feeding: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[bool]] = set()
        self._waits: set[asyncio.Task[None]] = set()

    @property
    def id(self) -> TurnId:
        return self.facts.turn

    @property
    def ended(self) -> bool:
        return self.log.ended

    @property
    def ending(self) -> TurnEnded:
        return ending_of(self.log)

    @property
    def waiting(self) -> bool:
        return bool(open_calls(self.log.read()))

    @property
    def stopped(self) -> bool:
        return self.ended or self._stopped

    @contextmanager
    def followed(self, after: int = 0) -> Iterator[Follower]:
        follower = self.log.follow(after)
        self._came()
        try:
            yield follower
        finally:
            follower.close()
            self._left()

    async def reach(self, cursor: Cursor) -> None:
        if not self._may_reach(cursor):
            return
        with suppress(TimeoutError), self.followed(self.log.head) as follower:
            async with asyncio.timeout(KEPT):
                async for _ in follower:
                    if not self._may_reach(cursor):
                        return

    def stop(self, reason: StopReason) -> bool:
        if self.stopped or reason == "abandoned":
            return False
        self._stopped = True
        sending = asyncio.create_task(self._bells.send(Word(turn=self.id, stop=reason)), name=f"stopping {self.id}")
        self._sending.add(sending)
        sending.add_done_callback(self._sent)
        return True

    async def answer(self, answers: Sequence[Answer]) -> None:
        check_waiting(answers, {call.id for call in open_calls(self.log.read())})
        place = self.log.head
        if not await self._bells.send(Word(turn=self.id, answers=tuple(answers))):
            raise CallNotWaiting(f"The turn {self.id} has ended: none of its calls is waiting. Nothing was taken.")
        try:
            async with asyncio.timeout(TAKEN):
                await self._taken(answers, place)
        except TimeoutError:
            raise StorageUnavailable(
                f"No server runs the turn {self.id} at this moment. The results are kept for the one that takes it "
                "over. Send them again, until they are taken or refused.",
                retry_after=TAKEN,
                maybe_kept=True,
            ) from None

    async def _taken(self, answers: Sequence[Answer], place: int) -> None:
        """Returns when the log says so, behind that number. `CallNotWaiting` where other answers were taken."""
        left = {answer.call_id: answer for answer in answers}
        with self.followed(place) as follower:
            async for batch in follower:
                for event in batch.events:
                    if not isinstance(event, ToolReturned) or event.result.call_id not in left:
                        continue
                    given, took = left.pop(event.result.call_id), event.result
                    if (given.output, given.is_error) != (took.output, took.is_error):
                        raise CallNotWaiting(f"The call {given.call_id!r} was answered by somebody else before.")
                if not left:
                    return
        raise CallNotWaiting(f"The turn {self.id} ended before the answer was taken.")

    async def finished(self, within: float | None = None) -> None:
        if self.ended:
            return
        self._came()
        try:
            if self._feeding is not None:
                await asyncio.wait((self._feeding,), timeout=within)
        finally:
            self._left()

    def then(self, act: Callable[[], None]) -> None:
        async def wait() -> None:
            await self.finished()
            act()

        waiting = asyncio.create_task(wait(), name=f"waiting for {self.id}")
        self._waits.add(waiting)
        waiting.add_done_callback(self._waits.discard)

    async def catch_up(self) -> None:
        """Take up what was kept since."""
        try:
            kept = await self._turns.events(self.id, self.log.head)
        except StorageUnavailable:
            return
        except TurnNotFound:
            # Its chat was deleted: nobody will ever say how it ended.
            if not self.ended:
                self.log.append((TurnEnded("cancelled"),))
            return
        if kept.turn.epoch != self.log.epoch:
            # Another one goes on with it: what its owner showed, and did not keep, bore the same numbers before.
            self.log.renumber(kept.turn.epoch, kept.epochs)
        # While these were read, somebody else may have taken up some of them.
        self.log.append([event for number, event in kept.events if number > self.log.head])

    def _may_reach(self, cursor: Cursor) -> bool:
        return cursor.epoch == self.log.epoch and cursor.number > self.log.head and not self.ended

    def _came(self) -> None:
        self._followers += 1
        if self._feeding is None and not self.ended:
            self._feeding = asyncio.create_task(self._feed(), name=f"following turn {self.id}")

    def _left(self) -> None:
        self._followers -= 1
        if not self._followers and self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None

    async def _feed(self) -> None:
        rung = asyncio.Event()
        unsubscribe = self._bells.subscribe(self.id, rung.set)
        try:
            while not self.ended:
                rung.clear()
                await self.catch_up()
                if not self.ended:
                    await _rung(rung)
        finally:
            unsubscribe()

    def _sent(self, sending: "asyncio.Task[bool]") -> None:
        self._sending.discard(sending)
        if not sending.cancelled() and sending.exception() is not None:
            self._stopped = False
            logger.warning("The turn %s could not be told to stop", self.id)


async def _rung(rung: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK):
            await rung.wait()
    except TimeoutError:
        return

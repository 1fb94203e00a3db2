"""The one who writes turns in this process: what all of them ask for goes into one transaction after another."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from msgspec import structs

from parlance.core.errors import InternalError, ParlanceError, StorageUnavailable
from parlance.core.ids import TurnId
from parlance.core.stores.turns import IN_FLIGHT, Accepted, Ending, NewTurn, Piece, TurnRecord
from parlance.store.bells import SqlBells
from parlance.store.circuit import UNCHANGED, UNKNOWN
from parlance.store.database import Database
from parlance.store.group import Ask, Change, Disowned, Pieces, Told, write_group
from parlance.store.prepared import is_conflict

log = logging.getLogger(__name__)

MOST = 64
"""Asks in one transaction."""

GATHERING = 0.001
"""Seconds that a group waits for more, where the one before it had company: what comes alone never waits."""

TRIES = 3
"""For what another process did to the same rows at the same moment."""

AGAIN = 0.5
"""Seconds until what nobody waits for is tried again."""


class _Waiting:
    """An ask, and who waits for what comes of it. What was asked for is done whether or not they still wait, but for a
    turn that nobody has begun to accept.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()

    @property
    def given_up(self) -> bool:
        return self.told.cancelled() and isinstance(self.ask, NewTurn)

    @property
    def unheard(self) -> bool:
        """Whether it was told of a turn at the very moment when it left."""
        if not self.told.done() or self.told.cancelled():
            return False
        return _may_be_kept(self.told.exception() or self.told.result())

    def tell(self, outcome: Told | Exception) -> None:
        if self.told.done():
            return
        if isinstance(outcome, Exception):
            self.told.set_exception(outcome)
        else:
            self.told.set_result(outcome)


class Writer:
    """Asks are done in the order they came, those of one turn as of all. What is told has been committed.

    When the database can't be written, all who wait are told so at once: `StorageUnavailable`.
    """

    def __init__(self, database: Database, bells: SqlBells) -> None:
        self._database = database
        self._bells = bells
        self._queue: list[_Waiting] = []
        self._disowned: list[Disowned] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def accept(self, new: NewTurn) -> Accepted:
        told = await self._ask(new)
        if not isinstance(told, Accepted):
            raise InternalError
        return told

    async def keep(self, pieces: Sequence[Piece]) -> frozenset[TurnId]:
        told = await self._ask(Pieces(pieces))
        if not isinstance(told, frozenset):
            raise InternalError
        return told

    async def end(self, ending: Ending) -> TurnRecord:
        told = await self._ask(ending)
        if not isinstance(told, TurnRecord):
            raise InternalError
        return told

    async def change(self, change: Change) -> None:
        await self._ask(change)

    async def close(self) -> None:
        """When all that was asked for is done. Nothing may be asked for any more."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _ask(self, ask: Ask) -> Told:
        if self._closing:
            raise StorageUnavailable("The server is stopping, and keeps nothing any more.")
        waiting = _Waiting(ask)
        self._queue.append(waiting)
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="writing turns")
        try:
            return await waiting.told
        except asyncio.CancelledError:
            if waiting.unheard:
                self._disowned.append(Disowned(_turn_of(ask)))
                self._wake.set()
            raise

    async def _run(self) -> None:
        company = False
        while not (self._closing and not self._queue):
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN if self._disowned else None):
                    await self._wake.wait()
            if company and len(self._queue) < MOST and not self._closing:
                await asyncio.sleep(GATHERING)
            else:
                # Those whom the same event woke ask before the group is closed.
                await asyncio.sleep(0)
            group = [waiting for waiting in self._queue[:MOST] if not waiting.given_up]
            del self._queue[:MOST]
            if not self._queue:
                self._wake.clear()
            company = len(group) + len(self._queue) > 1
            if group or self._disowned:
                await self._write(group)
        if self._disowned:
            await self._write([])

    async def _write(self, group: Sequence[_Waiting]) -> None:
        disowned, self._disowned = self._disowned, []
        try:
            outcomes = await self._commit([*disowned, *(waiting.ask for waiting in group)])
        except StorageUnavailable as error:
            self._disowned += disowned
            waiting, self._queue = self._queue, []
            for one in waiting:
                one.tell(_untouched(error))
            outcomes = [error] * (len(disowned) + len(group))
        else:
            self._disowned += _still_missed(zip(disowned, outcomes, strict=False))
        for one, outcome in zip(group, outcomes[len(disowned) :], strict=True):
            if one.given_up and _may_be_kept(outcome):
                self._disowned.append(Disowned(_turn_of(one.ask)))
            one.tell(_again(outcome) if isinstance(outcome, StorageUnavailable) else outcome)

    async def _commit(self, asks: Sequence[Ask]) -> Sequence[Told | Exception]:
        """Together; one by one where one of them can't be done and takes the others with it."""
        try:
            return await self._transact(asks)
        except StorageUnavailable:
            raise
        except Exception:
            return await self._one_by_one(asks)

    async def _one_by_one(self, asks: Sequence[Ask]) -> Sequence[Told | Exception]:
        """What was committed is told so, though the database went away before the rest."""
        outcomes: list[Told | Exception] = []
        for ask in asks:
            try:
                outcomes.append(await self._alone(ask))
            except StorageUnavailable as error:
                return [*outcomes, error, *[_untouched(error)] * (len(asks) - len(outcomes) - 1)]
        return outcomes

    async def _alone(self, ask: Ask) -> Told | Exception:
        for _ in range(TRIES):
            try:
                return (await self._transact([ask], contested=True))[0]
            except StorageUnavailable:
                raise
            except Exception as error:
                if is_conflict(error):
                    # Another process was first: with the same key, in the same chat, or by deleting what this is of.
                    continue
                log.exception("A change of a turn failed by a bug")
                return error if isinstance(error, ParlanceError) else InternalError()
        log.error("A change of a turn contradicts what is stored, again and again")
        return InternalError()

    async def _transact(self, asks: Sequence[Ask], *, contested: bool = False) -> Sequence[Told | Exception]:
        async with self._database.writing() as connection:
            outcomes, rung = await write_group(connection, asks, contested=contested)
            await self._bells.announce(connection, rung)
        self._bells.announced(rung)
        return outcomes


def _again(error: StorageUnavailable) -> StorageUnavailable:
    """Each who is told gets one of their own: it will bear where it was raised."""
    return StorageUnavailable(error.message, retry_after=error.retry_after, maybe_kept=error.maybe_kept)


def _untouched(error: StorageUnavailable) -> StorageUnavailable:
    """The same for those whose turn it was not yet."""
    return StorageUnavailable(error.message.replace(UNKNOWN, UNCHANGED), retry_after=error.retry_after)


def _may_be_kept(outcome: Told | BaseException) -> bool:
    """Whether a turn is there that was not before, or may be."""
    match outcome:
        case Accepted(repeated=repeated):
            return not repeated
        case StorageUnavailable(maybe_kept=maybe_kept):
            return maybe_kept
        case _:
            return False


def _still_missed(looked: Iterable[tuple[Disowned, Told | Exception]]) -> list[Disowned]:
    """Those that were not there, and may yet be."""
    now = time.monotonic()
    missed: list[Disowned] = []
    for one, outcome in looked:
        if isinstance(outcome, StorageUnavailable):
            missed.append(one)
        elif outcome is None and now - (one.missed_since or now) < IN_FLIGHT:
            missed.append(structs.replace(one, missed_since=one.missed_since or now))
    return missed


def _turn_of(ask: Ask) -> NewTurn:
    if not isinstance(ask, NewTurn):
        raise InternalError
    return ask

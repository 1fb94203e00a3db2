"""What is done again and again beside the turns: this process says that it lives, ends the turns of those that died,
and forgets what grew old.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from msgspec import Struct

from parlance.config.settings import Settings
from parlance.core.errors import ParlanceError, StorageUnavailable, UpstreamError
from parlance.core.ids import OwnerId
from parlance.core.stores.answers import Answers
from parlance.core.stores.bells import Bells
from parlance.core.stores.model_calls import ModelCalls
from parlance.core.stores.turns import Leases, TurnRecord

_log = structlog.stdlib.get_logger(__name__)

LEASE = 15.0
"""Seconds for which a process counts as alive after it last said so."""

RENEWED = LEASE / 3
AGAIN = 1.0
"""Seconds until a renewal that failed is tried again: it must be there before others sweep."""

SWEPT = 10.0
"""Seconds between looks for turns of the dead. With the lease: they have ended within 30 s."""

TIDIED = 60.0

HELD_UP = 60.0
"""Seconds for which a turn waits for a host that is away, and whatever is said next in its chat waits behind it."""

GATHERED = 0.5
"""Seconds at most between hearing that a process stopped and looking for what it left."""

JITTER = 0.1
"""Of each pause, that it may be shorter: many processes do not come to their database all at once."""


class Ages(Struct, frozen=True):
    """Seconds for which is kept: the single pieces of ended turns, idempotency keys, calls of models."""

    deltas: float
    idempotency_keys: float
    model_calls: float


class Swept(Struct, frozen=True):
    """The stores whose old rows are of no use. `bells` ring when another process stops."""

    leases: Leases
    bells: Bells
    calls: ModelCalls
    answers: Answers


class Adopt(Protocol):
    async def __call__(self, turn: TurnRecord, /, *, last: bool) -> None:
        """Go on with a turn that a process which died has left waiting for its caller. `StorageUnavailable`, and
        `UpstreamError` unless it is the `last` time: it can't be gone on with for the moment.
        """
        ...


class _Left(Struct, frozen=True):
    """A turn that is to be gone on with, `since` when."""

    turn: TurnRecord
    since: float


class _Chore(Struct, frozen=True):
    name: str
    act: Callable[[], Awaitable[None]]


class Sweeper:
    """Nothing that fails here is fatal: it is told once, until it works again, and tried again in its time."""

    def __init__(
        self,
        owner: OwnerId,
        swept: Swept,
        ages: Ages,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._owner = owner
        self._leases = swept.leases
        self._calls = swept.calls
        self._answers = swept.answers
        self._ages = ages
        self._now = now
        self._chance = chance
        self._adopt: Adopt
        self._failing: set[str] = set()
        self._left: list[_Left] = []
        self._held_at: float | None = None
        self._sweeps_from = 0.0
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._departed = asyncio.Event()
        self._unsubscribe = swept.bells.await_departures(self._departed.set)

    async def begin(self, adopt: Adopt) -> None:
        """Before the first turn is accepted: when this returns, the lease is held, if the database lets it."""
        self._adopt = adopt
        lease = _Chore("renewing the lease of this process", self._renew)
        dead = _Chore("ending the turns of processes that died", self._end_turns_of_dead)
        old = (
            _Chore("trimming the logs of old turns", self._trim),
            _Chore("forgetting old idempotency keys", self._forget_keys),
            _Chore("forgetting old answers to requests", self._forget_answers),
            _Chore("forgetting old calls of models", self._forget_calls),
        )
        await self._do(lease)
        # Apart from each other: what takes long must not cost the lease.
        self._tasks = (
            asyncio.create_task(self._live(lease), name="lease"),
            asyncio.create_task(self._repeat((dead,), SWEPT, self._departed), name="sweeper of the dead"),
            asyncio.create_task(self._repeat(old, TIDIED, asyncio.Event()), name="sweeper of the old"),
        )

    async def close(self) -> None:
        """After the last turn has ended. What others would wait for is given back at once."""
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._do(_Chore("giving back the lease of this process", self._release))

    async def _live(self, lease: _Chore) -> None:
        while True:
            pause = AGAIN if lease.name in self._failing else RENEWED
            await asyncio.sleep(pause * (1 - JITTER * self._chance()))
            await self._do(lease)

    async def _repeat(self, chores: Sequence[_Chore], every: float, due: asyncio.Event) -> None:
        """Every so many seconds, and when they are `due`."""
        await self._do(*chores)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(every * (1 - JITTER * self._chance())):
                    await due.wait()
                    # Bells may ring for nothing, and many processes may stop at once.
                    await asyncio.sleep(GATHERED * (1 - self._chance()))
            due.clear()
            await self._do(*chores)

    async def _do(self, *chores: _Chore) -> None:
        for chore in chores:
            try:
                await chore.act()
            except Exception as error:
                if chore.name not in self._failing:
                    self._failing.add(chore.name)
                    _log.warning(f"{chore.name} failed; it is tried again", error=error)
            else:
                if chore.name in self._failing:
                    self._failing.remove(chore.name)
                    _log.info(f"{chore.name} works again")

    async def _renew(self) -> None:
        before, loop = self._held_at, asyncio.get_running_loop()
        await self._leases.hold(self._owner, LEASE)
        self._held_at = loop.time()
        if before is not None and self._held_at - before > LEASE:
            # The database was away, from others too: they live, and are given the time to say so.
            self._sweeps_from = self._held_at + RENEWED

    async def _release(self) -> None:
        await self._leases.release(self._owner)

    async def _end_turns_of_dead(self) -> None:
        # Whoever could not renew its own lease for so long would end its own turns.
        await self._renew()
        if asyncio.get_running_loop().time() < self._sweeps_from:
            return
        # What waits for its caller can go on here; what was being said is broken off.
        now = asyncio.get_running_loop().time()
        self._left += [_Left(turn, now) for turn in await self._leases.adopt(self._owner)]
        failed = await self._take_up()
        if ended := await self._leases.sweep():
            _log.warning("turns of a process that died were ended as incomplete", turns=len(ended))
        if failed is not None:
            raise failed

    async def _take_up(self) -> ParlanceError | None:
        """Those that can't be gone on with for now are kept for later: they are this process's already, and nobody else
        will go on with them.
        """
        failed, later, now = None, list[_Left](), asyncio.get_running_loop().time()
        try:
            while self._left:
                left = self._left.pop(0)
                try:
                    await self._adopt(left.turn, last=now - left.since > HELD_UP)
                except (StorageUnavailable, UpstreamError) as error:
                    failed = error
                    later.append(left)
        finally:
            self._left += later
        return failed

    async def _trim(self) -> None:
        await self._leases.trim(self._ago(self._ages.deltas))

    async def _forget_keys(self) -> None:
        await self._leases.forget_keys(self._ago(self._ages.idempotency_keys))

    async def _forget_answers(self) -> None:
        await self._answers.forget(self._ago(self._ages.idempotency_keys))

    async def _forget_calls(self) -> None:
        await self._calls.forget(self._ago(self._ages.model_calls))

    def _ago(self, seconds: float) -> datetime:
        return self._now() - timedelta(seconds=seconds)


def ages_of(settings: Settings) -> Ages:
    return Ages(
        deltas=settings.journal.keep_deltas,
        idempotency_keys=settings.retention.idempotency_keys,
        model_calls=settings.retention.model_calls,
    )

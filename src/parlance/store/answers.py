"""Kept answers in SQL."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import and_, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.errors import StorageUnavailable
from parlance.core.ids import uuid7
from parlance.core.stores.answers import Claim, KeptAnswer
from parlance.core.stores.request_keys import RequestKey
from parlance.net.clock import SYSTEM_CLOCK, Clock
from parlance.store.answer_rows import GIVEN, KEEP, SAME, Values, answer_values, names_of
from parlance.store.claims import GIVEN_UP, check_fingerprint, in_flight
from parlance.store.database import Database
from parlance.store.tables.answers import answers
from parlance.store.tables.schema import database_seconds
from parlance.store.tables.subtenants import subtenants

log = logging.getLogger(__name__)

AGAIN = 0.5
"""Seconds between two tries to keep what could not be kept."""

MOST_LATE = 1_000
"""Outcomes that wait for a database that is away. Of those beyond, the claim has to run out."""

FORGETTING = 5.0
"""Seconds for old ones, which may be many."""

TRIES = 3
"""For a key that others take or give back at the same moment."""


class _Outcome(Struct, frozen=True):
    """What became of a claim; without `answer`: nothing was done."""

    claim: Claim
    answer: KeptAnswer | None = None


class SqlAnswers:
    """`close` it before the database."""

    def __init__(self, database: Database, clock: Clock = SYSTEM_CLOCK) -> None:
        self._database = database
        self._clock = clock
        self._late: list[_Outcome] = []
        self._settling: asyncio.Task[None] | None = None

    @property
    def late(self) -> int:
        """How many outcomes wait for the database."""
        return len(self._late)

    async def find(self, key: RequestKey) -> KeptAnswer | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(_FIND, names_of(key))).first()
        if row is None:
            return None
        fingerprint, _, _, *answer = row
        check_fingerprint(key, fingerprint)
        return _read(*answer)

    async def claim(self, key: RequestKey) -> KeptAnswer | Claim:
        claim = Claim(key, str(uuid7()))
        try:
            for _ in range(TRIES):
                if (found := await self._claim(claim)) is not None:
                    return found
        except StorageUnavailable as error:
            if error.maybe_kept:
                # Nobody will carry it out: the same request must not wait until the claim has run out.
                self._settle_later(_Outcome(claim))
            raise
        raise in_flight(key)

    async def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        await self._settle(_Outcome(claim, answer))

    async def release(self, claim: Claim) -> None:
        await self._settle(_Outcome(claim))

    async def forget(self, before: datetime) -> int:
        old = delete(answers).where(answers.c.claimed_at < before.timestamp())
        async with self._database.writing(within=FORGETTING) as connection:
            return (await connection.execute(old)).rowcount

    async def close(self) -> None:
        """What could not be kept is tried once more."""
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.wait((self._settling,))
        try:
            await self._write(self._late)
        except StorageUnavailable:
            log.warning("What %d requests under idempotency keys were answered could not be kept", len(self._late))

    async def _claim(self, claim: Claim) -> KeptAnswer | Claim | None:
        """None where somebody else was first at this moment."""
        key = claim.key
        try:
            async with self._database.writing() as connection:
                row = (await connection.execute(_FIND, names_of(key))).first()
                if row is None:
                    await connection.execute(_TAKE, {**_mine(claim), "of_fingerprint": key.fingerprint})
                    return claim
                fingerprint, before, given_up, *answer = row
                check_fingerprint(key, fingerprint)
                if (kept := _read(*answer)) is not None:
                    return kept
                if not given_up:
                    raise in_flight(key)
                taken = await connection.execute(_TAKE_OVER, {**_mine(claim), "before": before})
                return claim if taken.rowcount else None
        except IntegrityError:
            return None

    async def _settle(self, outcome: _Outcome) -> None:
        try:
            await self._write([outcome])
        except StorageUnavailable:
            self._settle_later(outcome)

    def _settle_later(self, outcome: _Outcome) -> None:
        if len(self._late) >= MOST_LATE:
            return
        self._late.append(outcome)
        if self._settling is None:
            self._settling = asyncio.create_task(self._settle_late(), name="keeping answers late")

    async def _settle_late(self) -> None:
        while self._late:
            await self._clock.sleep(AGAIN)
            waiting = list(self._late)
            try:
                await self._write(waiting)
            except StorageUnavailable:
                continue
            del self._late[: len(waiting)]
        self._settling = None

    async def _write(self, outcomes: Sequence[_Outcome]) -> None:
        if not outcomes:
            return
        async with self._database.writing() as connection:
            for outcome in outcomes:
                answer, mine = outcome.answer, _mine(outcome.claim)
                if answer is not None and await _may_be_kept(connection, answer):
                    await connection.execute(_KEEP, {**mine, **answer_values(answer)})
                else:
                    await connection.execute(_RELEASE, mine)


async def _may_be_kept(connection: AsyncConnection, answer: KeptAnswer) -> bool:
    """Whether the subtenant that it tells of is there, and stays until the end of the transaction."""
    if answer.subtenant is None:
        return True
    return (await connection.execute(_STAYS, {"of_subtenant": answer.subtenant})).first() is not None


def _mine(claim: Claim) -> Values:
    return {**names_of(claim.key), "of_claim": claim.id}


def _read(status: int | None, body: bytes, subtenant: str | None) -> KeptAnswer | None:
    return None if status is None else KeptAnswer(status, body, subtenant)


_CLAIMED: Final = answers.c.claim == GIVEN["claim"]
_OWN: Final = and_(SAME, _CLAIMED)
_STAYS: Final = (
    select(subtenants.c.seq)
    .where(subtenants.c.id == bindparam("of_subtenant", type_=subtenants.c.id.type))
    .with_for_update(read=True, key_share=True)
)
_FIND: Final = select(
    answers.c.fingerprint,
    answers.c.claim,
    answers.c.claimed_at < database_seconds() - GIVEN_UP,
    answers.c.status,
    answers.c.body,
    answers.c.subtenant_id,
).where(SAME)
_TAKE: Final = insert(answers).values(GIVEN)
_TAKE_OVER: Final = (
    update(answers)
    # An answer that was kept after all changes no claim.
    .where(SAME, answers.c.claim == bindparam("before", type_=answers.c.claim.type), answers.c.status.is_(None))
    .values(claim=GIVEN["claim"], claimed_at=database_seconds())
)
_KEEP: Final = KEEP.where(_CLAIMED)
_RELEASE: Final = delete(answers).where(_OWN)

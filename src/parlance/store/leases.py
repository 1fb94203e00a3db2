"""Who is alive, in SQL; what becomes of the turns of the dead, and of logs and keys that have served their time."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from msgspec import structs
from sqlalchemy import bindparam, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import OwnerId, TurnId, new_epoch
from parlance.core.stores.turns import TurnRecord
from parlance.store.bells import SqlBells
from parlance.store.closing import interrupted_ending
from parlance.store.database import Database
from parlance.store.gains import Gains
from parlance.store.pieces import Numbered, renumbered, trimmed
from parlance.store.prepared import Values
from parlance.store.rows import among
from parlance.store.subscribers import DEPARTURES
from parlance.store.tables.leases import leases
from parlance.store.tables.pieces import pieces
from parlance.store.tables.request_keys import request_keys
from parlance.store.tables.schema import database_seconds
from parlance.store.tables.turns import turns
from parlance.store.tables.words import words
from parlance.store.turn_rows import COLUMNS, NUMBERING, decode_events, decode_turn, encode_numbered, encode_numbering

AT_ONCE = 20
"""Turns in one transaction: on SQLite nobody else writes meanwhile."""

PATIENCE = 5.0
"""Seconds for such a transaction, whose logs may be long."""

FORGOTTEN = 86_400
"""Seconds after which nobody asks for the lease of a dead process any more."""


class SqlLeases:
    """`alone`: no other process can use this database, so that whoever held a lease on it before is dead."""

    def __init__(self, database: Database, bells: SqlBells, *, alone: bool = False) -> None:
        self._database = database
        self._bells = bells
        self._alone = alone

    async def hold(self, owner: OwnerId, seconds: float) -> None:
        async with self._database.writing() as connection:
            renewed = await connection.execute(_RENEW, {"of": owner, "seconds": seconds})
            if not renewed.rowcount:
                if self._alone:
                    await connection.execute(delete(leases))
                await connection.execute(_BEGIN, {"of": owner, "seconds": seconds})

    async def release(self, owner: OwnerId) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(leases).where(leases.c.owner == owner))
            await self._bells.announce(connection, (DEPARTURES,))
        self._bells.announced((DEPARTURES,))

    async def adopt(self, owner: OwnerId) -> tuple[TurnRecord, ...]:
        async with self._database.reading() as connection:
            if (await connection.execute(_WAITING.limit(1))).first() is None:
                return ()
        async with self._database.writing(within=PATIENCE) as connection:
            found = await connection.execute(_WAITING.with_for_update(skip_locked=True, of=turns))
            adopted = [renumbered(structs.replace(decode_turn(row), owner=owner), new_epoch()) for row in found]
            if adopted:
                owned = [{"of": turn.id, "owner": turn.owner, **encode_numbering(turn)} for turn in adopted]
                await connection.execute(_OWN, owned)
                # What the dead were still to hear.
                await connection.execute(_REDIRECT, [{"of": turn.id, "owner": owner} for turn in adopted])
                await self._bells.announce(connection, (owner,))
        self._bells.announced((owner,))
        return tuple(adopted)

    async def sweep(self) -> tuple[TurnId, ...]:
        async with self._database.reading() as connection:
            if (await connection.execute(_BROKEN_OFF.limit(1))).first() is None:
                return ()
        swept: list[TurnId] = []
        while some := await self._sweep_some():
            swept += some
        return tuple(swept)

    async def trim(self, before: datetime) -> int:
        count = 0
        while some := await self._trim_some(before):
            count += some
        return count

    async def forget_keys(self, before: datetime) -> int:
        async with self._database.writing(within=PATIENCE) as connection:
            return (await connection.execute(delete(request_keys).where(request_keys.c.created_at < before))).rowcount

    async def _sweep_some(self) -> list[TurnId]:
        """Those that another process is sweeping at this moment are passed over."""
        gains = Gains()
        async with self._database.writing(within=PATIENCE) as connection:
            found = await connection.execute(_BROKEN_OFF.limit(AT_ONCE).with_for_update(skip_locked=True, of=turns))
            orphans = [decode_turn(row) for row in found]
            if not orphans:
                await connection.execute(_FORGET)
                return []
            logs = await _logs_of(connection, orphans)
            for turn in orphans:
                gains.end(turn, interrupted_ending(turn, [event for _, event in logs[turn.id]]))
            await gains.write(connection)
            await connection.execute(_UNHEARD, {"ids": [turn.id for turn in orphans]})
            await self._bells.announce(connection, gains.rung)
        self._bells.announced(gains.rung)
        return [turn.id for turn in orphans]

    async def _trim_some(self, before: datetime) -> int:
        async with self._database.writing(within=PATIENCE) as connection:
            old = _OLD.where(turns.c.ended_at < before).limit(AT_ONCE).with_for_update(skip_locked=True)
            ids = [row[0] for row in await connection.execute(old)]
            if not ids:
                return 0
            rows = (await connection.execute(_LOGS, {"ids": ids})).all()
            await connection.execute(_UNLOG, {"ids": ids})
            await connection.execute(insert(pieces), _merged(rows))
            await connection.execute(_TRIMMED, {"ids": ids, "now": datetime.now(UTC)})
            return len(ids)


async def _logs_of(connection: AsyncConnection, of: Sequence[TurnRecord]) -> dict[TurnId, list[Numbered]]:
    logs: dict[TurnId, list[Numbered]] = defaultdict(list)
    for turn, first, _, _, lost, events in await connection.execute(_LOGS, {"ids": [turn.id for turn in of]}):
        logs[turn] += decode_events(first, lost, events)
    return logs


def _merged(rows: Sequence[Sequence[Any]]) -> list[Values]:
    """Each turn's pieces as one for each epoch, trimmed, which still tells the numbers that bore it."""
    merged: list[Values] = []
    for (turn, epoch), own in groupby(rows, key=lambda row: (row[0], row[3])):
        held = tuple(own)
        left, lost = trimmed(item for _, first, _, _, lost, kept in held for item in decode_events(first, lost, kept))
        numbers = {"first": held[0][1], "last": held[-1][2], "lost": lost}
        merged.append({"turn_id": turn, "epoch": epoch, "events": encode_numbered(left), **numbers})
    return merged


_ALIVE: Final = exists().where(leases.c.owner == turns.c.owner, leases.c.expires > database_seconds())
# By a sum, since SQLite would go through all turns there ever were to have these few in the order of a column.
_ORPHANS: Final = select(*COLUMNS).where(turns.c.ended_at.is_(None), ~_ALIVE).order_by(turns.c.seq + 0)
_WAITING: Final = _ORPHANS.where(turns.c.state == "waiting")
# A process may stop between somebody's look for those that wait and their look for the others.
_BROKEN_OFF: Final = _ORPHANS.where(turns.c.state != "waiting")
_OLD: Final = select(turns.c.id).where(turns.c.trimmed_at.is_(None)).order_by(turns.c.ended_at)
_LOGS: Final = (
    select(pieces.c.turn_id, pieces.c.first, pieces.c.last, pieces.c.epoch, pieces.c.lost, pieces.c.events)
    .where(among(pieces.c.turn_id))
    .order_by(pieces.c.turn_id, pieces.c.first)
)
_UNLOG: Final = delete(pieces).where(among(pieces.c.turn_id))
_TRIMMED: Final = (
    update(turns).where(among(turns.c.id)).values(trimmed_at=bindparam("now", type_=turns.c.trimmed_at.type))
)
_OWN: Final = (
    update(turns)
    .where(turns.c.id == bindparam("of"))
    .values({name: bindparam(name, type_=turns.c[name].type) for name in ("owner", *NUMBERING)})
)
_REDIRECT: Final = update(words).where(words.c.turn_id == bindparam("of")).values(owner=bindparam("owner"))
_UNHEARD: Final = delete(words).where(among(words.c.turn_id))
_FORGET: Final = delete(leases).where(leases.c.expires < database_seconds() - FORGOTTEN)
_RENEW: Final = (
    update(leases)
    .where(leases.c.owner == bindparam("of"))
    .values(expires=database_seconds() + bindparam("seconds", type_=leases.c.expires.type))
)
_BEGIN: Final = insert(leases).values(
    owner=bindparam("of"), expires=database_seconds() + bindparam("seconds", type_=leases.c.expires.type)
)

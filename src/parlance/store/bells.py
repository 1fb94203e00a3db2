"""How processes hear of what others did in the same database, and what they have to say to each other."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import ChatId, OwnerId, TurnId
from parlance.core.stores.bells import Unsubscribe, Wake
from parlance.core.stores.turns import Word
from parlance.store.checks import is_uuid
from parlance.store.database import Database
from parlance.store.subscribers import DEPARTURES, Subscribers
from parlance.store.tables.schema import Moment
from parlance.store.tables.turns import turns
from parlance.store.tables.words import words

CHANNEL = "parlance_bells"

ROOM = 200
"""Ids in one notification: it holds less than 8,000 bytes."""

_decode: Final = msgspec.json.Decoder(Word).decode


class SqlBells:
    """`shared`: other processes use the same database, and the bell rings there, and here by way of it."""

    def __init__(self, database: Database, *, shared: bool) -> None:
        self.subscribers = Subscribers()
        self._database = database
        self._shared = shared

    def subscribe(self, to: TurnId | ChatId, wake: Wake) -> Unsubscribe:
        return self.subscribers.add(to, wake)

    def attend(self, owner: OwnerId, wake: Wake) -> Unsubscribe:
        return self.subscribers.add(owner, wake)

    def await_departures(self, wake: Wake) -> Unsubscribe:
        return self.subscribers.add(DEPARTURES, wake)

    async def send(self, word: Word) -> bool:
        if not is_uuid(word.turn):
            return False
        async with self._database.writing() as connection:
            said = {"turn": word.turn, "said": msgspec.json.encode(word), "now": datetime.now(UTC)}
            owner = (await connection.execute(_LEAVE, said)).scalar()
            rung = set() if owner is None else {owner}
            await self.announce(connection, rung)
        self.announced(rung)
        return owner is not None

    async def words_for(self, owner: OwnerId) -> tuple[Word, ...]:
        async with self._database.reading() as connection:
            if (await connection.execute(_LOOK, {"of": owner})).first() is None:
                return ()
        async with self._database.writing() as connection:
            rows = (await connection.execute(_TAKE, {"of": owner})).all()
        return tuple(_decode(said) for _, said in sorted(rows, key=lambda row: row[0]))

    async def announce(self, connection: AsyncConnection, ids: Iterable[str]) -> None:
        """Within the transaction that changed what these are the ids of: heard once that is committed."""
        if self._shared:
            for payload in _payloads(sorted(ids)):
                await connection.execute(_NOTIFY, {"payload": payload})

    def announced(self, ids: Iterable[str]) -> None:
        """Behind that transaction."""
        if not self._shared:
            self.subscribers.ring(ids)


def heard(payload: str) -> list[str]:
    """The ids in a notification."""
    return payload.split(",")


def _payloads(ids: list[str]) -> Iterator[str]:
    return (",".join(ids[begin : begin + ROOM]) for begin in range(0, len(ids), ROOM))


_NOTIFY: Final = select(func.pg_notify(CHANNEL, bindparam("payload")))
_LOOK: Final = select(words.c.seq).where(words.c.owner == bindparam("of")).limit(1)
_TAKE: Final = delete(words).where(words.c.owner == bindparam("of")).returning(words.c.seq, words.c.said)
_OPEN: Final = select(
    turns.c.id,
    turns.c.owner,
    bindparam("said", type_=words.c.said.type),
    bindparam("now", type_=Moment()),
).where(turns.c.id == bindparam("turn"), turns.c.ended_at.is_(None))
_LEAVE: Final = insert(words).from_select(["turn_id", "owner", "said", "created_at"], _OPEN).returning(words.c.owner)

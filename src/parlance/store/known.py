"""What a group of changes has to know of the database before it is decided, read and locked in one go."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import and_, bindparam, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import ChatId, TurnId
from parlance.core.stores.chats import Chat, NewChat
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.turns import NewTurn, TurnRecord
from parlance.store.acceptance import is_open
from parlance.store.checks import is_uuid, storable
from parlance.store.rows import among, columns_of, padded, read_row
from parlance.store.tables.assistants import assistants
from parlance.store.tables.chats import chats
from parlance.store.tables.request_keys import request_keys
from parlance.store.tables.subtenants import subtenants
from parlance.store.tables.turns import turns
from parlance.store.turn_rows import COLUMNS, decode_turn

KeyName = tuple[str, str, str, str]


class KnownChat(Struct):
    """`turns`: how many it ever had."""

    chat: Chat
    turns: int


class KnownKey(Struct, frozen=True):
    fingerprint: bytes
    turn: TurnRecord


class Known:
    """What is there, and what becomes of it while a group is decided. `contested`: see `read_for`."""

    def __init__(self, *, contested: bool) -> None:
        self.chats: dict[ChatId, KnownChat] = {}
        self.turns: dict[TurnId, TurnRecord] = {}
        self.keys: dict[KeyName, KnownKey] = {}
        self.assistants: dict[str, str | None] = {}
        self._subtenants: set[str] = set()
        self._contested = contested

    async def read_for(self, connection: AsyncConnection, accepts: Sequence[NewTurn]) -> None:
        """Lock the chats that turns are to be accepted in, and read what decides about them.

        Always in the order of their ids, so that no two processes wait for each other. Whoever had to wait for such a
        lock may have read the chat's turns as they were before. Then the next position is taken, and it must begin
        anew, `contested`: with the lock first, and a look at the turns behind it. Until then it is taken for granted
        of chats that are new that nobody else has their ids, and that their subtenants are there.
        """
        await self._read_keys(connection, [new.key for new in accepts if new.key is not None])
        asked = {new.chat for new in accepts if self._contested or new.new_chat is None}
        await self._read_chats(connection, asked | {known.turn.chat for known in self.keys.values()})
        await self._read_references(connection, [new.new_chat for new in accepts if new.new_chat is not None])

    def has_subtenant(self, id: str) -> bool:
        """Also where nobody has looked: then the database refuses what has none."""
        return not self._contested or id in self._subtenants

    async def _read_chats(self, connection: AsyncConnection, asked: set[ChatId]) -> None:
        if not asked:
            return
        if self._contested:
            await connection.execute(_LOCK, {"ids": _ids(asked)})
        for count, *row in await connection.execute(_CHATS, {"ids": _ids(asked)}):
            chat = read_row(Chat, row[:_OF_CHAT])
            self.chats[chat.id] = KnownChat(chat, count)
            if row[_OF_CHAT] is not None:
                turn = decode_turn(row[_OF_CHAT:])
                self.turns[turn.id] = turn

    async def _read_references(self, connection: AsyncConnection, made: Sequence[NewChat]) -> None:
        if made and self._contested:
            rows = await connection.execute(_SUBTENANTS, {"ids": padded(new.subtenant_id for new in made)})
            self._subtenants = {row[0] for row in rows}
        if chosen := [new.assistant_id for new in made if new.assistant_id is not None]:
            rows = await connection.execute(_ASSISTANTS, {"ids": _ids(chosen)})
            self.assistants = {row[0]: row[1] for row in rows}

    async def lock(self, connection: AsyncConnection, ids: Iterable[TurnId]) -> None:
        """Turns that are to be changed, ended ones too. Behind `read_for`, as everybody does."""
        rows = await connection.execute(_TURNS, {"ids": _ids(ids)})
        self.turns |= {turn.id: turn for turn in map(decode_turn, rows)}

    def open_in(self, chat: ChatId) -> tuple[TurnRecord, ...]:
        """The chat's turns that have not ended, oldest first. Only where `read_for` was asked about the chat."""
        found = [turn for turn in self.turns.values() if turn.chat == chat and is_open(turn.state)]
        return tuple(sorted(found, key=lambda turn: turn.position))

    async def _read_keys(self, connection: AsyncConnection, keys: Sequence[RequestKey]) -> None:
        if keys:
            self.keys |= await find_keys(connection, keys)


async def find_keys(connection: AsyncConnection, keys: Iterable[RequestKey]) -> dict[KeyName, KnownKey]:
    """Those that began a turn, whatever they were sent with."""
    rows = await connection.execute(_KEYS, {"names": padded(map(name_of, keys))})
    return {
        (home, key_id, operation, key): KnownKey(fingerprint, decode_turn(turn))
        for home, key_id, operation, key, fingerprint, *turn in rows
    }


def name_of(key: RequestKey) -> KeyName:
    """What must be unique of it, as a database can hold it."""
    return storable(key.home), storable(key.key_id), storable(key.operation), storable(key.key)


def _ids(ids: Iterable[str]) -> list[str]:
    """For an `IN`. What can't be an id is not asked for: on PostgreSQL that would be an error, for the whole group."""
    return padded(filter(is_uuid, ids))


_NAME: Final = (request_keys.c.home, request_keys.c.key_id, request_keys.c.operation, request_keys.c.key)
_OF_CHAT: Final = len(Chat.__struct_fields__)
_earlier: Final = turns.alias()
_COUNT: Final = (
    select(func.coalesce(func.max(_earlier.c.position), 0)).where(_earlier.c.chat_id == chats.c.id).scalar_subquery()
)
_CHATS: Final = (
    select(_COUNT, *columns_of(chats, Chat), *COLUMNS)
    .outerjoin(turns, and_(turns.c.chat_id == chats.c.id, turns.c.ended_at.is_(None)))
    .where(among(chats.c.id))
    .order_by(chats.c.id)
    .with_for_update(key_share=True, of=chats)
)
_LOCK: Final = select(chats.c.id).where(among(chats.c.id)).order_by(chats.c.id).with_for_update(key_share=True)
_TURNS: Final = select(*COLUMNS).where(among(turns.c.id)).order_by(turns.c.id).with_for_update(key_share=True)
_SUBTENANTS: Final = select(subtenants.c.id).where(among(subtenants.c.id))
_ASSISTANTS: Final = select(assistants.c.id, assistants.c.subtenant_id).where(among(assistants.c.id))
_KEYS: Final = (
    select(*_NAME, request_keys.c.fingerprint, *COLUMNS)
    .join(turns, turns.c.id == request_keys.c.turn_id)
    .where(tuple_(*_NAME).in_(bindparam("names", expanding=True)))
)

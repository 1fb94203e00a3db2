"""Messages in SQL, as they are read."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Select

from parlance.core.errors import MessageNotFound
from parlance.core.ids import ChatId, MessageId, TurnId
from parlance.core.stores import Page, Reach
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.turns import State
from parlance.store.chats import require_chat
from parlance.store.checks import is_uuid
from parlance.store.database import Database
from parlance.store.message_rows import COLUMNS, decode_message
from parlance.store.rows import within
from parlance.store.tables.chats import chats
from parlance.store.tables.messages import messages
from parlance.store.tables.turns import turns

_IN_ORDER = select(*COLUMNS).order_by(messages.c.position, messages.c.seq)
_WITH_STATE = (
    select(*COLUMNS, messages.c.chat_id, turns.c.state)
    .join_from(messages, chats, chats.c.id == messages.c.chat_id)
    .outerjoin(turns, turns.c.id == messages.c.turn_id)
)


class SqlMessages:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, chat: ChatId, page: Page, reach: Reach) -> tuple[StoredMessage, ...]:
        async with self._database.reading() as connection:
            await require_chat(connection, chat, reach)
            return await _read(connection, chat, _IN_ORDER.offset(page.skip).limit(page.limit))

    async def all(self, chat: ChatId, reach: Reach) -> tuple[StoredMessage, ...]:
        async with self._database.reading() as connection:
            await require_chat(connection, chat, reach)
            return await _read(connection, chat, _IN_ORDER)

    async def find(self, id: MessageId, reach: Reach) -> StoredMessage:
        if not is_uuid(id):
            raise _not_found(id)
        async with self._database.reading() as connection:
            wanted = _WITH_STATE.where(messages.c.id == id, *within(chats, reach))
            row = (await connection.execute(wanted)).first()
        if row is None:
            raise _not_found(id)
        *fields, chat, state = row
        return decode_message(chat, fields, {} if state is None else {row.turn_id: state})


async def _read(
    connection: AsyncConnection, chat: ChatId, wanted: Select[*tuple[object, ...]]
) -> tuple[StoredMessage, ...]:
    rows = (await connection.execute(wanted.where(messages.c.chat_id == chat))).all()
    # Nearly all turns are completed: to fetch the others is much quicker than to join a turn to each message.
    not_completed = select(turns.c.id, turns.c.state).where(turns.c.chat_id == chat, turns.c.state != "completed")
    found = await connection.execute(not_completed)
    states: dict[TurnId, State] = {row.id: row.state for row in found}
    return tuple(decode_message(chat, row, states) for row in rows)


def _not_found(id: MessageId) -> MessageNotFound:
    return MessageNotFound(f"There is no message {id[:80]!r}.")

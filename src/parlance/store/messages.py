"""Messages in SQL, as they are read."""

from sqlalchemy import bindparam, select

from parlance.core.errors import MessageNotFound
from parlance.core.ids import ChatId, MessageId
from parlance.core.stores import Page, Reach
from parlance.core.stores.messages import StoredMessage
from parlance.store.chats import require_chat
from parlance.store.checks import is_uuid
from parlance.store.database import Database
from parlance.store.message_rows import COLUMNS, decode_message
from parlance.store.rows import within
from parlance.store.slices import PLACED, Slices, decode_placed, read_states
from parlance.store.tables.chats import chats
from parlance.store.tables.messages import messages
from parlance.store.tables.turns import turns

_PAGE = PLACED.order_by(messages.c.position, messages.c.seq).offset(bindparam("skip")).limit(bindparam("limit"))
_WITH_STATE = (
    select(*COLUMNS, messages.c.chat_id, turns.c.state)
    .join_from(messages, chats, chats.c.id == messages.c.chat_id)
    .outerjoin(turns, turns.c.id == messages.c.turn_id)
)


class SqlMessages:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, chat: ChatId, page: Page, reach: Reach) -> tuple[StoredMessage, ...]:
        wanted = {"chat": chat, "skip": page.skip, "limit": page.limit}
        async with self._database.reading() as connection:
            await require_chat(connection, chat, reach)
            rows = (await connection.execute(_PAGE, wanted)).all()
            not_completed = await read_states(connection, chat, rows)
        return tuple(decode_placed(chat, row, not_completed) for row in rows)

    async def all(self, chat: ChatId, reach: Reach) -> tuple[StoredMessage, ...]:
        said = Slices(chat)
        while said.more:
            async with self._database.reading() as connection:
                await require_chat(connection, chat, reach)
                await said.fetch(connection)
            said.decode()
        return said.in_order()

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


def _not_found(id: MessageId) -> MessageNotFound:
    return MessageNotFound(f"There is no message {id[:80]!r}.")

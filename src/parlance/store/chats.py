"""Chats in SQL."""

from datetime import UTC, datetime

from msgspec import structs
from sqlalchemy import ColumnElement, Select, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.errors import AlreadyExists, AssistantNotFound, ChatNotFound
from parlance.core.ids import AssistantId, ChatId
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once
from parlance.core.stores.chats import Chat, ChatChange, NewChat
from parlance.store.answer_rows import begin_once, end_once
from parlance.store.changes import changed_fields
from parlance.store.checks import check_fields, check_uuid, is_uuid
from parlance.store.database import Database
from parlance.store.rows import Fields, columns_of, read_row, require_subtenant, within
from parlance.store.tables.assistants import assistants
from parlance.store.tables.chats import chats
from parlance.store.tables.turns import turns

DELETING = 30.0
"""Seconds that it may take to delete as much as a chat may hold."""

_COLUMNS = columns_of(chats, Chat)


class SqlChats:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewChat, reach: Reach, once: Once[Chat] | None = None) -> Chat:
        check_fields(new)
        check_uuid(new.id, "$.id")
        try:
            async with self._database.writing() as connection:
                await begin_once(connection, once)
                made = await insert_chat(connection, new, reach)
                await end_once(connection, once, made, made.subtenant_id)
                return made
        except IntegrityError:
            async with self._database.reading() as connection:
                await check_owners(connection, new, reach)
            raise AlreadyExists(f"There is a chat {new.id[:80]!r} already.") from None

    async def find(self, id: ChatId, reach: Reach) -> Chat:
        async with self._database.reading() as connection:
            return _read(id, (await connection.execute(select(*_COLUMNS).where(*_one(id, reach)))).first())

    async def list(self, subtenant: str, page: Page, reach: Reach) -> tuple[Chat, ...]:
        wanted = select(*_COLUMNS).where(chats.c.subtenant_id == subtenant).order_by(chats.c.seq)
        async with self._database.reading() as connection:
            await require_subtenant(connection, subtenant, reach)
            found = await connection.execute(wanted.offset(page.skip).limit(page.limit))
            return tuple(read_row(Chat, row) for row in found.all())

    async def change(self, id: ChatId, change: ChatChange, reach: Reach, once: Once[Chat] | None = None) -> Chat:
        check_fields(change)
        values = {**changed_fields(change), "updated_at": datetime.now(UTC)}
        changing = update(chats).where(*_one(id, reach)).values(values).returning(*_COLUMNS)
        async with self._database.writing() as connection:
            await begin_once(connection, once)
            changed = _read(id, (await connection.execute(changing)).first())
            await end_once(connection, once, changed, changed.subtenant_id)
        return changed

    async def delete(self, id: ChatId, reach: Reach, once: Once[Chat] | None = None) -> Chat:
        deleting = delete(chats).where(*_one(id, reach)).returning(*_COLUMNS)
        async with self._database.writing(within=DELETING) as connection:
            await begin_once(connection, once)
            await lock_writers(connection, select(chats.c.id).where(*_one(id, reach)))
            deleted = _read(id, (await connection.execute(deleting)).first())
            await end_once(connection, once, deleted, deleted.subtenant_id)
        return deleted


async def insert_chat(connection: AsyncConnection, new: NewChat, reach: Reach) -> Chat:
    """Within a transaction of whoever calls, and with texts that were checked.

    `SubtenantNotFound`, `AssistantNotFound`. `IntegrityError` where the id is taken, or where a subtenant or an
    assistant goes at this very moment: `check_owners`, in a new transaction, tells which.
    """
    await check_owners(connection, new, reach)
    now = datetime.now(UTC)
    made = Chat(**structs.asdict(new), created_at=now, updated_at=now)
    await connection.execute(insert(chats).values(structs.asdict(made)))
    return made


async def check_owners(connection: AsyncConnection, new: NewChat, reach: Reach) -> None:
    """`SubtenantNotFound`; `AssistantNotFound` also for one of another subtenant."""
    await require_subtenant(connection, new.subtenant_id, reach)
    if new.assistant_id is not None and not await _may_use(connection, new.assistant_id, new.subtenant_id):
        raise AssistantNotFound(f"There is no assistant {new.assistant_id[:80]!r}.")


def _read(id: ChatId, row: Fields | None) -> Chat:
    if row is None:
        raise chat_not_found(id)
    return read_row(Chat, row)


def chat_not_found(id: ChatId) -> ChatNotFound:
    return ChatNotFound(f"There is no chat {id[:80]!r}.")


async def lock_writers(connection: AsyncConnection, wanted: Select[tuple[str]]) -> None:
    """Before these chats are deleted: wait for those who write what their open turns say, and keep others out.

    Whoever writes locks a turn, and then its chat when a message goes into it; a deletion locks the chat, and then its
    turns. Each would wait for the other. So open turns are locked here while their chat may still be written to.
    """
    of_them = turns.c.chat_id.in_(wanted), turns.c.ended_at.is_(None)
    for rows in (select(chats.c.id).where(chats.c.id.in_(wanted)), select(turns.c.id).where(*of_them)):
        await connection.execute(rows.order_by(rows.selected_columns.id).with_for_update(key_share=True))


async def require_chat(connection: AsyncConnection, id: ChatId, reach: Reach) -> None:
    """`ChatNotFound` where it is not there or out of reach."""
    found = await connection.execute(select(chats.c.seq).where(*_one(id, reach)))
    if found.first() is None:
        raise chat_not_found(id)


async def _may_use(connection: AsyncConnection, assistant: AssistantId, subtenant: str) -> bool:
    if not is_uuid(assistant):
        return False
    seen = or_(assistants.c.subtenant_id.is_(None), assistants.c.subtenant_id == subtenant)
    return (
        await connection.execute(select(assistants.c.seq).where(assistants.c.id == assistant, seen))
    ).first() is not None


def _one(id: ChatId, reach: Reach) -> tuple[ColumnElement[bool], ...]:
    """An id that no database can hold is not asked for."""
    if not is_uuid(id):
        raise chat_not_found(id)
    return (chats.c.id == id, *within(chats, reach))

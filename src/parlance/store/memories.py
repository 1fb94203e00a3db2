"""Memories in SQL."""

from datetime import UTC, datetime

from msgspec import structs
from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from parlance.core.errors import AlreadyExists, MemoryNotFound
from parlance.core.ids import new_memory_id
from parlance.core.json import JsonValue
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once
from parlance.core.stores.memories import Memory
from parlance.store.answer_rows import begin_once, end_once
from parlance.store.checks import check_json, check_name, is_name
from parlance.store.database import Database
from parlance.store.rows import Fields, columns_of, read_row, require_subtenant
from parlance.store.tables.memories import memories

_COLUMNS = columns_of(memories, Memory)


class SqlMemories:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, subtenant: str, key: str, value: JsonValue, reach: Reach, once: Once[Memory] | None = None
    ) -> Memory:
        check_name(key, "$.key")
        check_json(value, "$.value")
        now = datetime.now(UTC)
        made = Memory(new_memory_id(), subtenant, key, value, now, now)
        try:
            async with self._database.writing() as connection:
                await begin_once(connection, once)
                await require_subtenant(connection, subtenant, reach)
                await connection.execute(insert(memories).values(structs.asdict(made)))
                await end_once(connection, once, made, subtenant)
        except IntegrityError:
            # The key is taken, unless the subtenant went at this very moment.
            async with self._database.reading() as connection:
                await require_subtenant(connection, subtenant, reach)
            raise AlreadyExists(f"There is a memory {key[:80]!r} already. Change it, or choose another key.") from None
        return made

    async def find(self, subtenant: str, key: str, reach: Reach) -> Memory:
        async with self._database.reading() as connection:
            await require_subtenant(connection, subtenant, reach)
            return _read(key, (await connection.execute(select(*_COLUMNS).where(*_one(subtenant, key)))).first())

    async def list(self, subtenant: str, page: Page, reach: Reach) -> tuple[Memory, ...]:
        wanted = select(*_COLUMNS).where(memories.c.subtenant_id == subtenant).order_by(memories.c.seq)
        async with self._database.reading() as connection:
            await require_subtenant(connection, subtenant, reach)
            found = await connection.execute(wanted.offset(page.skip).limit(page.limit))
            return tuple(read_row(Memory, row) for row in found.all())

    async def known(self, subtenant: str, most: int) -> tuple[Memory, ...]:
        wanted = select(*_COLUMNS).where(memories.c.subtenant_id == subtenant).order_by(memories.c.key).limit(most)
        async with self._database.reading() as connection:
            await require_subtenant(connection, subtenant, None)
            return tuple(read_row(Memory, row) for row in (await connection.execute(wanted)).all())

    async def change(
        self, subtenant: str, key: str, value: JsonValue, reach: Reach, once: Once[Memory] | None = None
    ) -> Memory:
        check_json(value, "$.value")
        values = {"value": value, "updated_at": datetime.now(UTC)}
        async with self._database.writing() as connection:
            await begin_once(connection, once)
            await require_subtenant(connection, subtenant, reach)
            changing = update(memories).where(*_one(subtenant, key)).values(values).returning(*_COLUMNS)
            changed = _read(key, (await connection.execute(changing)).first())
            await end_once(connection, once, changed, subtenant)
        return changed

    async def delete(self, subtenant: str, key: str, reach: Reach, once: Once[Memory] | None = None) -> Memory:
        async with self._database.writing() as connection:
            await begin_once(connection, once)
            await require_subtenant(connection, subtenant, reach)
            deleting = delete(memories).where(*_one(subtenant, key)).returning(*_COLUMNS)
            deleted = _read(key, (await connection.execute(deleting)).first())
            await end_once(connection, once, deleted, subtenant)
        return deleted


def _one(subtenant: str, key: str) -> tuple[ColumnElement[bool], ...]:
    """A key that no database can hold is not asked for."""
    if not is_name(key):
        raise _not_found(key)
    return (memories.c.subtenant_id == subtenant, memories.c.key == key)


def _read(key: str, row: Fields | None) -> Memory:
    if row is None:
        raise _not_found(key)
    return read_row(Memory, row)


def _not_found(key: str) -> MemoryNotFound:
    return MemoryNotFound(f"There is no memory {key[:80]!r}.")

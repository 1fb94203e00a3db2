"""Assistants in SQL."""

from datetime import UTC, datetime

from msgspec import structs
from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from parlance.core.errors import AssistantNotFound, SubtenantNotFound
from parlance.core.ids import AssistantId
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once
from parlance.core.stores.assistants import Assistant, AssistantChange
from parlance.store.answer_rows import begin_once, end_once
from parlance.store.changes import changed_fields, new_assistant
from parlance.store.checks import check_fields, is_uuid
from parlance.store.database import Database
from parlance.store.rows import Fields, columns_of, read_row, require_subtenant, subtenant_not_found, within
from parlance.store.tables.assistants import assistants

_COLUMNS = columns_of(assistants, Assistant)


class SqlAssistants:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, subtenant: str | None, new: AssistantChange, reach: Reach, once: Once[Assistant] | None = None
    ) -> Assistant:
        made = new_assistant(subtenant, new)
        if subtenant is None and reach is not None:
            raise SubtenantNotFound("An assistant of the whole service is not yours to make. Name your subtenant.")
        try:
            async with self._database.writing() as connection:
                await begin_once(connection, once)
                if subtenant is not None:
                    await require_subtenant(connection, subtenant, reach)
                await connection.execute(insert(assistants).values(structs.asdict(made)))
                await end_once(connection, once, made, subtenant)
        except IntegrityError:
            # Its id is new: the subtenant went at this very moment.
            raise subtenant_not_found(str(subtenant)) from None
        return made

    async def find(self, id: AssistantId, reach: Reach) -> Assistant:
        _require_id(id)
        async with self._database.reading() as connection:
            wanted = select(*_COLUMNS).where(assistants.c.id == id, *_seen(reach))
            return _read(id, (await connection.execute(wanted)).first())

    async def list(self, page: Page, reach: Reach) -> tuple[Assistant, ...]:
        wanted = select(*_COLUMNS).where(*_seen(reach)).order_by(assistants.c.seq)
        async with self._database.reading() as connection:
            found = await connection.execute(wanted.offset(page.skip).limit(page.limit))
            return tuple(read_row(Assistant, row) for row in found.all())

    async def count(self, reach: Reach) -> int:
        async with self._database.reading() as connection:
            counting = select(func.count()).select_from(assistants).where(*_seen(reach))
            return (await connection.execute(counting)).scalar_one()

    async def change(
        self, id: AssistantId, change: AssistantChange, reach: Reach, once: Once[Assistant] | None = None
    ) -> Assistant:
        check_fields(change)
        _require_id(id)
        values = {**changed_fields(change), "updated_at": datetime.now(UTC)}
        mine = (assistants.c.id == id, *within(assistants, reach))
        async with self._database.writing() as connection:
            await begin_once(connection, once)
            changing = update(assistants).where(*mine).values(values).returning(*_COLUMNS)
            changed = _read(id, (await connection.execute(changing)).first())
            await end_once(connection, once, changed, changed.subtenant_id)
        return changed

    async def delete(self, id: AssistantId, reach: Reach, once: Once[Assistant] | None = None) -> Assistant:
        _require_id(id)
        mine = (assistants.c.id == id, *within(assistants, reach))
        async with self._database.writing() as connection:
            await begin_once(connection, once)
            deleting = delete(assistants).where(*mine).returning(*_COLUMNS)
            deleted = _read(id, (await connection.execute(deleting)).first())
            await end_once(connection, once, deleted, deleted.subtenant_id)
        return deleted


def _seen(reach: Reach) -> tuple[ColumnElement[bool], ...]:
    """Those of the whole service are in everybody's reach, to be seen."""
    if reach is None:
        return ()
    return (or_(assistants.c.subtenant_id.is_(None), assistants.c.subtenant_id == reach),)


def _require_id(id: AssistantId) -> None:
    """An id that no database can hold is not asked for."""
    if not is_uuid(id):
        raise _not_found(id)


def _read(id: AssistantId, row: Fields | None) -> Assistant:
    if row is None:
        raise _not_found(id)
    return read_row(Assistant, row)


def _not_found(id: AssistantId) -> AssistantNotFound:
    return AssistantNotFound(f"There is no assistant {id[:80]!r}.")

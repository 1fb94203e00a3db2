"""Subtenants in SQL."""

from datetime import UTC, datetime

from msgspec import structs
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import ColumnElement

from parlance.core.errors import AlreadyExists
from parlance.core.ids import uuid7
from parlance.core.json import JsonObject
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once
from parlance.core.stores.subtenants import Subtenant, SubtenantChange
from parlance.net.clock import SYSTEM_CLOCK
from parlance.store.answer_rows import begin_once, delete_answers, end_once
from parlance.store.changes import changed_fields
from parlance.store.chats import DELETING, lock_writers
from parlance.store.checks import check_fields, check_name, is_name
from parlance.store.database import Database
from parlance.store.rows import Fields, columns_of, read_row, subtenant_not_found
from parlance.store.tables.chats import chats
from parlance.store.tables.model_calls import model_calls
from parlance.store.tables.subtenants import subtenants

FEW, MANY = 4, 5_000
"""Rows that are deleted at once, to begin with and at most."""

SHORT = 0.1
"""Seconds of a transaction that keeps nobody waiting."""

_COLUMNS = columns_of(subtenants, Subtenant)


class SqlSubtenants:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        *,
        id: str | None = None,
        name: str | None = None,
        metadata: JsonObject,
        once: Once[Subtenant] | None = None,
    ) -> Subtenant:
        check_fields(SubtenantChange(name, metadata))
        id = str(uuid7()) if id is None else id
        check_name(id, "$.id")
        now = datetime.now(UTC)
        made = Subtenant(id, name, metadata, now, now)
        try:
            async with self._database.writing() as connection:
                await begin_once(connection, once)
                await connection.execute(insert(subtenants).values(structs.asdict(made)))
                await end_once(connection, once, made, id)
        except IntegrityError:
            raise AlreadyExists(f"There is a subtenant {id[:80]!r} already.") from None
        return made

    async def ensure(self, ids: frozenset[str]) -> None:
        for id in ids:
            check_name(id, "$.id")
        async with self._database.reading() as connection:
            found = await connection.execute(select(subtenants.c.id).where(subtenants.c.id.in_(ids)))
            there = set(found.scalars())
        for id in sorted(ids - there):
            try:
                await self.create(id=id, metadata={})
            except AlreadyExists:
                # Another process, which starts beside this one, was quicker.
                continue

    async def find(self, id: str, reach: Reach) -> Subtenant:
        async with self._database.reading() as connection:
            return _read(id, (await connection.execute(select(*_COLUMNS).where(*_one(id, reach)))).first())

    async def list(self, page: Page, reach: Reach) -> tuple[Subtenant, ...]:
        mine = () if reach is None else (subtenants.c.id == reach,)
        wanted = select(*_COLUMNS).where(*mine).order_by(subtenants.c.seq).offset(page.skip).limit(page.limit)
        async with self._database.reading() as connection:
            return tuple(read_row(Subtenant, row) for row in (await connection.execute(wanted)).all())

    async def change(
        self, id: str, change: SubtenantChange, reach: Reach, once: Once[Subtenant] | None = None
    ) -> Subtenant:
        check_fields(change)
        values = {**changed_fields(change), "updated_at": datetime.now(UTC)}
        changing = update(subtenants).where(*_one(id, reach)).values(values).returning(*_COLUMNS)
        async with self._database.writing() as connection:
            await begin_once(connection, once)
            changed = _read(id, (await connection.execute(changing)).first())
            await end_once(connection, once, changed, id)
        return changed

    async def delete(self, id: str, reach: Reach, once: Once[Subtenant] | None = None) -> Subtenant:
        await self.find(id, reach)
        for table in (chats, model_calls):
            await self._delete_rows(table, id)
        deleting = delete(subtenants).where(*_one(id, reach)).returning(*_COLUMNS)
        async with self._database.writing(within=DELETING) as connection:
            await begin_once(connection, once)
            deleted = _read(id, (await connection.execute(deleting)).first())
            await delete_answers(connection, id)
            # The last word of it is nobody's: whoever did not hear it may ask for it again.
            await end_once(connection, once, deleted, None)
        return deleted

    async def _delete_rows(self, table: Table, id: str) -> None:
        """Many of them can't go in one transaction without keeping others from writing for long, nor one by one."""
        rows = select(table.c.seq).where(table.c.subtenant_id == id)
        gone = at_once = FEW
        while gone == at_once:
            begun = SYSTEM_CLOCK.monotonic()
            async with self._database.writing(within=DELETING) as connection:
                if table is chats:
                    await lock_writers(connection, select(chats.c.id).where(chats.c.seq.in_(rows.limit(at_once))))
                gone = (await connection.execute(delete(table).where(table.c.seq.in_(rows.limit(at_once))))).rowcount
            if gone == at_once and SYSTEM_CLOCK.monotonic() - begun < SHORT:
                gone = at_once = min(2 * at_once, MANY)


def _read(id: str, row: Fields | None) -> Subtenant:
    if row is None:
        raise subtenant_not_found(id)
    return read_row(Subtenant, row)


def _one(id: str, reach: Reach) -> tuple[ColumnElement[bool], ...]:
    """An id that no database can hold, or that is out of reach, is not asked for."""
    if not is_name(id) or reach not in (None, id):
        raise subtenant_not_found(id)
    return (subtenants.c.id == id,)

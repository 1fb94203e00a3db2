"""Transactions on both databases: what is committed, what is not, and what readers see."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from parlance.core.errors import ChatNotFound
from parlance.store.database import Database
from parlance.store.tables.leases import leases
from parlance.store.tables.schema import database_seconds
from parlance.store.tables.words import words

OWNER = "01932b1c-0000-7000-8000-000000000001"
OTHER = "01932b1c-0000-7000-8000-000000000002"


async def put(database: Database, owner: str = OWNER, expires: float = 1.0) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(leases).values(owner=owner, expires=expires))


async def say(database: Database, to: str) -> None:
    async with database.writing() as connection:
        now = datetime.now(UTC)
        await connection.execute(insert(words).values(turn_id=to, owner=OWNER, said=b"{}", created_at=now))


async def count(database: Database) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(leases))).scalar_one())


async def test_what_a_transaction_wrote_is_there_once_it_has_ended(sql_database: Database) -> None:
    await put(sql_database)
    assert await count(sql_database) == 1


async def test_an_error_inside_takes_all_of_it_back_and_comes_through(sql_database: Database) -> None:
    async def fail() -> None:
        async with sql_database.writing() as connection:
            await connection.execute(insert(leases).values(owner=OWNER, expires=1.0))
            raise ChatNotFound("There is none.")

    with pytest.raises(ChatNotFound):
        await fail()
    assert await count(sql_database) == 0


async def test_a_broken_rule_of_the_tables_comes_through_as_it_is(sql_database: Database) -> None:
    await put(sql_database)
    with pytest.raises(IntegrityError):
        await put(sql_database)
    with pytest.raises(IntegrityError):
        await say(sql_database, to=OTHER)
    await put(sql_database, OTHER)


async def test_a_reading_transaction_can_t_write(sql_database: Database) -> None:
    async def write() -> None:
        async with sql_database.reading() as connection:
            await connection.execute(insert(leases).values(owner=OWNER, expires=1.0))

    with pytest.raises(DBAPIError):
        await write()
    assert await count(sql_database) == 0


async def test_a_reading_transaction_sees_one_state_while_others_write(sql_database: Database) -> None:
    await put(sql_database)
    async with sql_database.reading() as connection:
        before = (await connection.execute(select(leases.c.expires))).scalar_one()
        async with sql_database.writing() as writing:
            await writing.execute(update(leases).values(expires=2.0))
        after = (await connection.execute(select(leases.c.expires))).scalar_one()
    assert (before, after) == (1.0, 1.0)


async def test_no_change_of_many_at_once_is_lost(sql_database: Database) -> None:
    await put(sql_database, expires=0)

    async def add_one() -> None:
        async with sql_database.writing() as connection:
            read = select(leases.c.expires).with_for_update()
            found = (await connection.execute(read)).scalar_one()
            await connection.execute(update(leases).values(expires=found + 1))

    await asyncio.gather(*(add_one() for _ in range(20)))
    async with sql_database.reading() as connection:
        assert (await connection.execute(select(leases.c.expires))).scalar_one() == 20


async def test_one_that_is_cancelled_leaves_nothing_and_holds_nobody_up(sql_database: Database) -> None:
    inside = asyncio.Event()

    async def hang() -> None:
        async with sql_database.writing() as connection:
            await connection.execute(insert(leases).values(owner=OTHER, expires=1.0))
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await put(sql_database)
    assert await count(sql_database) == 1


async def test_the_database_tells_its_own_time_in_seconds(sql_database: Database) -> None:
    async with sql_database.reading() as connection:
        first = (await connection.execute(select(database_seconds()))).scalar_one()
        second = (await connection.execute(select(database_seconds()))).scalar_one()
    assert 1.7e9 < first <= second

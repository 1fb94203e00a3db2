"""A database of each kind, with empty tables, for tests that must hold on both."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.store.addresses import Address, read_address
from parlance.store.database import Database, open_database
from parlance.store.tables.whole import metadata

KINDS = ("sqlite", "postgresql")

LONG = 60.0
"""Seconds for one transaction of a test to which it does not matter how long it takes."""


def open_unhurried(address: Address | Path, *, connections: int = 6) -> Database:
    """For tests that look at what is kept, on a machine that has much else to do."""
    return unhurried(open_database(address, connections=connections))


def unhurried(database: Database) -> Database:
    """The same, whose transactions may all take long."""
    reading, writing = database.reading, database.writing

    def read_long(*, within: float = LONG) -> AbstractAsyncContextManager[AsyncConnection]:
        return reading(within=max(within, LONG))

    def write_long(*, within: float = LONG) -> AbstractAsyncContextManager[AsyncConnection]:
        return writing(within=max(within, LONG))

    database.reading, database.writing = read_long, write_long  # type: ignore[method-assign]  # stores take it as it is
    return database


async def sqlite_with_tables(folder: Path) -> Database:
    database = open_database(folder / "parlance.db")
    async with database.writing(within=10) as connection:
        await connection.run_sync(metadata.create_all)
    return database


@pytest.fixture(params=KINDS)
def _database_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """A folder or an address. Servers can't be started by what runs on the event loop."""
    return tmp_path if request.param == "sqlite" else str(request.getfixturevalue("postgres_with_tables"))


@pytest.fixture
async def sql_database(_database_place: Path | str) -> AsyncIterator[Database]:
    """The same test, once on each kind."""
    match _database_place:
        case Path():
            database = await sqlite_with_tables(_database_place)
        case address:
            database = open_database(read_address(address), connections=4)
    yield unhurried(database)
    await database.close()

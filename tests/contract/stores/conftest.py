"""Every suite here runs over every implementation: in memory, on SQLite, on PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import assert_never

import pytest
from sqlalchemy import delete

from parlance.store.addresses import read_address
from parlance.store.database import Database
from parlance.store.in_memory.shelf import Shelf
from parlance.store.tables.whole import TABLES
from tests.contract.stores.implementations import in_memory, in_sql
from tests.contract.stores.world import Stores
from tests.probes.databases import open_unhurried, sqlite_with_tables, unhurried
from tests.probes.postgres import PostgresServer

KINDS = ("in_memory", "sqlite", "postgresql")
Backing = Shelf | Database


@pytest.fixture(scope="session")
def shared_postgres(postgres: PostgresServer, _postgres_template: str) -> str:
    """The address of a database that all suites of this process use, one test behind the other."""
    return postgres.address(postgres.new_database(_postgres_template))


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str | None:
    """A folder for SQLite, an address of PostgreSQL, or nothing at all. Servers can't be started within `backing`,
    which runs on the event loop.
    """
    match request.param:
        case "in_memory":
            return None
        case "sqlite":
            return tmp_path
        case _:
            return str(request.getfixturevalue("shared_postgres"))


@pytest.fixture
async def backing(place: Path | str | None) -> AsyncIterator[Backing]:
    """Where the stores of a test keep everything; empty at its beginning."""
    match place:
        case None:
            yield Shelf()
            return
        case Path():
            database = unhurried(await sqlite_with_tables(place))
        case str():
            database = await emptied(open_unhurried(read_address(place), connections=8))
        case _:
            assert_never(place)
    yield database
    await database.close()


@pytest.fixture
def stores(backing: Backing) -> Stores:
    return in_memory(backing) if isinstance(backing, Shelf) else in_sql(backing)


async def emptied(database: Database) -> Database:
    """To empty tables is much quicker than to make a database."""
    async with database.writing(within=10) as connection:
        for table in reversed(TABLES):
            await connection.execute(delete(table))
    return database

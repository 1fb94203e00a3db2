"""Databases that are locked, full, gone, hung: whoever needs them is told within a second, and they come back."""

import asyncio
import signal
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from parlance.core.errors import StorageUnavailable
from parlance.store.addresses import read_address
from parlance.store.circuit import Circuit
from parlance.store.database import Database, open_database
from parlance.store.faults import CROWDED, LOST
from parlance.store.migrating import bring_up_to_date
from parlance.store.tables.leases import leases
from parlance.testing.clock import FakeClock
from tests.probes.databases import sqlite_with_tables
from tests.probes.postgres import PostgresServer

OWNERS = [f"01932b1c-0000-7000-8000-{number:012}" for number in range(1, 200)]
PATIENCE = 10.0


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    database = await sqlite_with_tables(tmp_path)
    yield database
    await database.close()


@pytest.fixture
async def postgresql(own_postgres: PostgresServer) -> AsyncIterator[Database]:
    database = open_database(read_address(own_postgres.address()), connections=4)
    await bring_up_to_date(database)
    yield database
    await database.close()


async def put(database: Database, owner: str) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(leases).values(owner=owner, expires=1.0))


async def owners(database: Database) -> set[str]:
    async with database.reading() as connection:
        return set((await connection.execute(select(leases.c.owner))).scalars())


async def come_back(database: Database, owner: str) -> None:
    """Write until that is taken, for a while: a circuit that was opened lets somebody try again and again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await put(database, owner)
            except StorageUnavailable:
                await asyncio.sleep(0)


@pytest.mark.requirement("database:sqlite:locked")
async def test_a_sqlite_that_somebody_else_locks_is_read_and_not_written_and_comes_back(
    sqlite: Database, tmp_path: Path
) -> None:
    await put(sqlite, OWNERS[0])
    other = sqlite3.connect(tmp_path / "parlance.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match=r"parlance\.db is locked by another program; .*Nothing was changed"):
        await put(sqlite, OWNERS[1])
    assert await owners(sqlite) == {OWNERS[0]}
    other.execute("ROLLBACK")
    other.close()
    await come_back(sqlite, OWNERS[2])
    assert await owners(sqlite) == {OWNERS[0], OWNERS[2]}


async def test_all_who_wait_for_a_locked_sqlite_are_told_when_the_first_is(sqlite: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "parlance.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    told = await asyncio.gather(*(put(sqlite, owner) for owner in OWNERS[:50]), return_exceptions=True)
    assert {type(error) for error in told} == {StorageUnavailable}
    other.close()
    await come_back(sqlite, OWNERS[60])
    assert await owners(sqlite) == {OWNERS[60]}


@pytest.mark.requirement("database:sqlite:full")
async def test_a_full_sqlite_keeps_what_it_has_and_takes_more_once_there_is_room(sqlite: Database) -> None:
    await put(sqlite, OWNERS[0])
    async with sqlite.writing() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    await asyncio.gather(*(put(sqlite, owner) for owner in OWNERS[1:]), return_exceptions=True)
    with pytest.raises(StorageUnavailable, match="has no room left on its disk; make room"):
        await fill(sqlite)
    kept = await owners(sqlite)
    assert OWNERS[0] in kept
    await lift_limit(sqlite)
    await come_back(sqlite, "01932b1c-0000-7000-8000-ffffffffffff")
    assert await owners(sqlite) > kept


async def fill(database: Database) -> None:
    async with database.writing() as connection:
        rows = [{"owner": f"{number:036}", "expires": 1.0} for number in range(5_000)]
        await connection.execute(insert(leases), rows)


async def lift_limit(database: Database) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with database.writing() as connection:
                    await connection.execute(text("PRAGMA max_page_count = 1000000"))
                return
            except StorageUnavailable:
                await asyncio.sleep(0)


@pytest.mark.requirement("database:sqlite:removed")
async def test_a_sqlite_whose_file_is_gone_takes_nothing_that_would_be_lost_with_it(
    sqlite: Database, tmp_path: Path
) -> None:
    await put(sqlite, OWNERS[0])
    file = tmp_path / "parlance.db"
    away = file.rename(tmp_path / "elsewhere.db")
    with pytest.raises(StorageUnavailable, match="was deleted, moved or replaced; put the same file back"):
        await put(sqlite, OWNERS[1])
    file.write_bytes(b"")
    with pytest.raises(StorageUnavailable):
        await put(sqlite, OWNERS[1])
    away.rename(file)
    await come_back(sqlite, OWNERS[2])
    assert await owners(sqlite) == {OWNERS[0], OWNERS[2]}


async def test_a_file_that_is_no_database_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "parlance.db"
    file.write_bytes(b"not a database, whatever its name says" * 100)
    database = open_database(file)
    with pytest.raises(StorageUnavailable, match="is no database file"):
        await owners(database)
    await database.close()


def test_a_loop_that_ends_while_a_file_is_opened_leaves_no_thread_behind(tmp_path: Path) -> None:
    file = tmp_path / "parlance.db"
    file.write_bytes(b"not a database, whatever its name says" * 100)
    before = set(threading.enumerate())
    for _ in range(20):
        database = open_database(file)
        with pytest.raises(StorageUnavailable):
            asyncio.run(owners(database))
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.mark.requirement("database:postgresql:gone")
async def test_a_postgresql_that_is_gone_is_told_of_and_comes_back(
    postgresql: Database, own_postgres: PostgresServer
) -> None:
    await put(postgresql, OWNERS[0])
    await asyncio.to_thread(own_postgres.stop)
    for _ in range(3):
        with pytest.raises(StorageUnavailable, match=r"at 127\.0\.0\.1"):
            await put(postgresql, OWNERS[1])
    with pytest.raises(StorageUnavailable):
        await owners(postgresql)
    await asyncio.to_thread(own_postgres.start)
    await come_back(postgresql, OWNERS[2])
    assert await owners(postgresql) == {OWNERS[0], OWNERS[2]}


async def test_connections_that_a_restart_cut_are_not_given_to_anybody(
    postgresql: Database, own_postgres: PostgresServer
) -> None:
    await asyncio.gather(*(put(postgresql, owner) for owner in OWNERS[:4]))
    await asyncio.to_thread(own_postgres.stop, signal.SIGINT)
    await asyncio.to_thread(own_postgres.start)
    assert await owners(postgresql) == set(OWNERS[:4])
    await put(postgresql, OWNERS[5])


@pytest.mark.requirement("database:postgresql:hung")
async def test_a_postgresql_that_hangs_holds_nobody_up(postgresql: Database, own_postgres: PostgresServer) -> None:
    await put(postgresql, OWNERS[0])
    with own_postgres.frozen():
        told = await asyncio.gather(*(put(postgresql, owner) for owner in OWNERS[1:20]), return_exceptions=True)
        assert {type(error) for error in told} == {StorageUnavailable}
    await come_back(postgresql, OWNERS[30])


async def test_a_lock_that_is_not_given_up_fails_its_one_transaction_alone(postgresql: Database) -> None:
    await put(postgresql, OWNERS[0])
    held, done = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with postgresql.writing(within=5) as connection:
            await connection.execute(select(leases).where(leases.c.owner == OWNERS[0]).with_for_update())
            held.set()
            await done.wait()

    async def want() -> None:
        async with postgresql.writing() as connection:
            await connection.execute(select(leases).where(leases.c.owner == OWNERS[0]).with_for_update())

    holder = asyncio.create_task(hold())
    await held.wait()
    with pytest.raises(StorageUnavailable, match="took too long; look for what holds its locks"):
        await want()
    await put(postgresql, OWNERS[1])
    done.set()
    await holder
    await want()


async def test_a_wrong_password_and_a_database_that_is_not_there_are_told_of(own_postgres: PostgresServer) -> None:
    database = open_database(read_address(own_postgres.address("nowhere")), connections=2)
    with pytest.raises(StorageUnavailable, match=r"'nowhere' at 127\.0\.0\.1:[0-9]+ is not there; create it"):
        await owners(database)
    await database.close()


async def test_one_at_a_time_tries_a_database_that_is_down() -> None:
    clock = FakeClock()
    circuit = Circuit("The database", clock)
    assert circuit.blow(LOST).message == "The database lost the connection. Nothing was changed."
    with pytest.raises(StorageUnavailable):
        circuit.check()
    await clock.advance(0.3)
    circuit.check()
    with circuit.use():
        with pytest.raises(StorageUnavailable):
            circuit.check()
        circuit.heal()
    circuit.check()


async def test_one_who_tries_in_vain_or_gives_up_lets_the_next_one_try() -> None:
    clock = FakeClock()
    circuit = Circuit("The database", clock)
    circuit.blow(LOST)
    await clock.advance(0.3)
    with pytest.raises(asyncio.CancelledError), circuit.use():
        raise asyncio.CancelledError
    with circuit.use():
        circuit.blow(LOST)
    with pytest.raises(StorageUnavailable):
        circuit.check()
    await clock.advance(0.3)
    circuit.check()


async def test_a_crowd_does_not_count_as_down() -> None:
    circuit = Circuit("The database", FakeClock())
    assert "too many wait" in circuit.blow(CROWDED).message
    circuit.check()


def test_what_may_have_been_kept_is_said_to() -> None:
    error = Circuit("The database", FakeClock()).blow(LOST, kept=None)
    assert error.message.endswith("What was to be kept may have been kept, or not.")
    assert error.retry_after == 1.0


@pytest.mark.requirement("database:sqlite:read_only")
async def test_a_sqlite_that_can_t_be_written_any_more_is_read_and_comes_back(sqlite: Database) -> None:
    await put(sqlite, OWNERS[0])
    await only_read(sqlite, "ON")
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match=r"may not be written; give this .* Nothing was changed"):
            await put(sqlite, OWNERS[1])
        assert await owners(sqlite) == {OWNERS[0]}
    assert "may not be written" in str(sqlite.outage)
    await only_read(sqlite, "OFF")
    await come_back(sqlite, OWNERS[2])
    assert await owners(sqlite) == {OWNERS[0], OWNERS[2]}
    assert sqlite.outage is None


async def only_read(database: Database, state: str) -> None:
    """What the system's rights do not do to root, and not to files that are open, SQLite itself does."""
    async with database._engines[1].connect() as connection:
        writer: Any = (await connection.get_raw_connection()).driver_connection
        await writer.visit(lambda opened: opened.execute(f"PRAGMA query_only={state}").close())


@pytest.mark.requirement("database:postgresql:read_only")
async def test_a_postgresql_that_becomes_read_only_is_read_and_comes_back(
    postgresql: Database, own_postgres: PostgresServer
) -> None:
    await put(postgresql, OWNERS[0])
    await asyncio.to_thread(own_postgres.become_read_only, True)
    tried = iter(OWNERS[4:])
    async with asyncio.timeout(PATIENCE):
        while postgresql.outage is None:
            with suppress(StorageUnavailable):
                await put(postgresql, next(tried))
    with pytest.raises(StorageUnavailable, match="is read-only now; name the server that may be written"):
        await put(postgresql, OWNERS[2])
    kept = await owners(postgresql)
    assert postgresql.outage is not None
    await asyncio.to_thread(own_postgres.become_read_only, False)
    await come_back(postgresql, OWNERS[3])
    assert await owners(postgresql) == kept | {OWNERS[3]}

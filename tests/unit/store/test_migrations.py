"""Revisions: they lead to the tables that the program has, forwards and back; and who may not be served."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text, update
from sqlalchemy.schema import BLANK_SCHEMA

from parlance.store import migrating
from parlance.store.addresses import read_address
from parlance.store.database import Database, open_database
from parlance.store.migrating import bring_up_to_date, migrate, standing_of
from parlance.store.refusal import DatabaseRefused
from parlance.store.revisions import KNOWN, NEWEST, VERSIONS, Standing, read_standing, versions
from parlance.store.tables.schema import SCHEMA
from parlance.store.tables.whole import TABLES, metadata
from tests.probes.postgres import PostgresServer

Open = Callable[[], Database]


@pytest.fixture(params=("sqlite", "postgresql"))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return tmp_path / "parlance.db" if request.param == "sqlite" else str(request.getfixturevalue("empty_postgres"))


@pytest.fixture
async def empty(place: Path | str) -> AsyncIterator[Database]:
    """A database with nothing in it."""
    database = opened(place)
    yield database
    await database.close()


def opened(place: Path | str) -> Database:
    return open_database(place if isinstance(place, Path) else read_address(place), connections=4)


async def ask(database: Database, question: Callable[[Connection], Any]) -> Any:
    async with database.reading(within=5) as connection:
        return await connection.run_sync(question)


async def tell(database: Database, *statements: Any) -> None:
    async with database.writing(within=5) as connection:
        for statement in statements:
            await connection.execute(statement)


def differences(connection: Connection) -> list[Any]:
    """Between the tables that are there and those that the program has."""
    options: dict[str, Any] = {"version_table": VERSIONS, "compare_type": True}
    if connection.dialect.name == "postgresql":
        options |= {"include_schemas": True, "version_table_schema": SCHEMA, "include_name": _is_ours}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, _as_named_in(connection)))


def _is_ours(name: str | None, kind: str, parents: object) -> bool:
    return kind != "schema" or name == SCHEMA


def _as_named_in(connection: Connection) -> MetaData:
    if connection.dialect.name == "postgresql":
        return metadata
    bare = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        copy: Any = table.to_metadata  # its types know of no table without a schema
        copy(bare, schema=None, referred_schema_fn=lambda *_: BLANK_SCHEMA)
    return bare


def structure(connection: Connection) -> object:
    """All that there is, as the database itself tells it."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT type, name, tbl_name FROM sqlite_master ORDER BY 1, 2")).all()
        listed = [(table.name, connection.execute(text(f"PRAGMA table_info({table.name})")).all()) for table in TABLES]
        return list(map(tuple, rows)), listed
    columns_of = (
        "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default, collation_name"
    )
    columns = connection.execute(
        text(f"{columns_of} FROM information_schema.columns WHERE table_schema = 'parlance' ORDER BY 1, 3")
    )
    indexes = connection.execute(text("SELECT indexdef FROM pg_indexes WHERE schemaname = 'parlance' ORDER BY 1"))
    rules = connection.execute(
        text(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'parlance'::regnamespace ORDER BY 1, 2"
        )
    )
    return [list(map(tuple, found)) for found in (columns, indexes, rules)]


def tables_there(connection: Connection) -> set[str]:
    schema = SCHEMA if connection.dialect.name == "postgresql" else None
    return set(inspect(connection).get_table_names(schema=schema)) - {VERSIONS}


async def step_by_step(database: Database, to: str | None) -> None:
    async with database.writing(within=30) as connection:
        await connection.run_sync(migrating._make_schema)
        before = (await connection.run_sync(read_standing)).revision
        await connection.run_sync(migrating._step_through, before, to)


def test_the_program_knows_exactly_the_revisions_that_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrating.FOLDER))
    walked = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(walked)) == KNOWN


@pytest.mark.requirement("database:migrate:same")
async def test_all_revisions_in_a_row_lead_to_the_tables_that_the_program_has(empty: Database) -> None:
    await step_by_step(empty, NEWEST)
    assert await ask(empty, differences) == []
    assert await standing_of(empty) == Standing(NEWEST)


async def test_a_new_database_gets_at_once_what_all_revisions_would_have_made(empty: Database) -> None:
    await step_by_step(empty, NEWEST)
    walked = await ask(empty, structure)
    await step_by_step(empty, None)
    assert await ask(empty, tables_there) == set()
    await bring_up_to_date(empty)
    assert await ask(empty, structure) == walked


async def test_up_and_down_and_up_again(empty: Database) -> None:
    assert await migrate(empty, NEWEST) == (None, NEWEST)
    assert await migrate(empty, NEWEST) == (NEWEST, NEWEST)
    assert await migrate(empty, None, down=True) == (NEWEST, None)
    assert await ask(empty, tables_there) == set()
    await step_by_step(empty, NEWEST)
    assert await ask(empty, differences) == []


@pytest.mark.requirement("database:migrate:once")
async def test_many_processes_that_start_at_once_make_the_tables_once(postgres: PostgresServer) -> None:
    name = await asyncio.to_thread(postgres.new_database)
    databases = [opened(postgres.address(name)) for _ in range(5)]
    await asyncio.gather(*map(bring_up_to_date, databases))
    assert [await standing_of(database) for database in databases] == [Standing(NEWEST)] * 5
    for database in databases:
        await database.close()
    await asyncio.to_thread(postgres.drop_database, name)


@pytest.mark.requirement("database:migrate:newer")
async def test_a_database_that_is_newer_than_the_program_is_refused(empty: Database) -> None:
    await bring_up_to_date(empty)
    await tell(empty, update(versions).values(version_num="9999"))
    with pytest.raises(DatabaseRefused, match="revision 9999, which this program does not know: a newer version"):
        await bring_up_to_date(empty)
    with pytest.raises(DatabaseRefused, match="a newer version"):
        await migrate(empty, None)


async def test_tables_of_somebody_else_are_left_alone(empty: Database) -> None:
    await migrate(empty, NEWEST)
    await tell(empty, text("DROP TABLE " + ("parlance." if empty.kind == "postgresql" else "") + VERSIONS))
    with pytest.raises(DatabaseRefused, match=r"has tables that Parlance did not make: .*chats"):
        await bring_up_to_date(empty)


async def test_where_it_is_not_allowed_nothing_is_changed(empty: Database) -> None:
    with pytest.raises(DatabaseRefused, match=r"has no tables yet, .*Run `parlance migrate up`"):
        await bring_up_to_date(empty, allowed=False)
    assert await standing_of(empty) == Standing(None)
    await migrate(empty, NEWEST)
    await bring_up_to_date(empty, allowed=False)


async def test_a_revision_that_there_is_not_is_refused(empty: Database) -> None:
    with pytest.raises(DatabaseRefused, match="There is no revision 0815"):
        await migrate(empty, "0815")


@pytest.mark.requirement("database:migrate:others")
async def test_the_tables_of_another_service_in_the_same_database_stay_as_they_are(empty_postgres: str) -> None:
    database = opened(empty_postgres)
    await tell(
        database,
        text("CREATE TABLE public.chats (id int PRIMARY KEY, title text)"),
        text("CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY)"),
        text("INSERT INTO public.chats VALUES (1, 'theirs')"),
        text("INSERT INTO public.alembic_version VALUES ('abc')"),
    )
    await bring_up_to_date(database)
    await migrate(database, None, down=True)
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT id, title FROM public.chats"))).all() == [(1, "theirs")]
        assert (await connection.execute(text("SELECT version_num FROM public.alembic_version"))).scalar() == "abc"
    await database.close()


async def test_who_may_not_make_schemas_may_use_one_that_is_there(postgres: PostgresServer) -> None:
    name = await asyncio.to_thread(postgres.new_database)
    setting_up = f"CREATE ROLE {name}_user LOGIN; CREATE SCHEMA parlance AUTHORIZATION {name}_user"
    await asyncio.to_thread(postgres.sql, setting_up, name)
    database = opened(postgres.address(name).replace("postgres@", f"{name}_user@"))
    await bring_up_to_date(database)
    await database.close()
    await asyncio.to_thread(postgres.drop_database, name)

"""A user of PostgreSQL who may not do what is needed: told at once, with what to grant it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from sqlalchemy import text

from parlance.core.ids import new_chat_id
from parlance.core.stores.chats import NewChat
from parlance.store.addresses import SqliteAddress, read_address
from parlance.store.database import Database, open_database
from parlance.store.keeping import TurnStores
from parlance.store.migrating import bring_up_to_date, migrate, standing_of
from parlance.store.refusal import DatabaseRefused
from parlance.store.revisions import NEWEST, Standing
from parlance.store.subtenants import SqlSubtenants
from tests.contract.stores.turn_world import HOME, a_new_turn
from tests.probes.postgres import PostgresServer, tables_as_sql

Say = Callable[[str], str]


@pytest.fixture
def name(postgres: PostgresServer) -> Iterator[str]:
    """Of a database, in which a user of that name may do nothing yet."""
    name = postgres.new_database()
    postgres.sql(f"CREATE ROLE {name} LOGIN; CREATE ROLE {name}_owner LOGIN")
    yield name
    postgres.drop_database(name)
    postgres.sql(f"DROP ROLE {name}; DROP ROLE {name}_owner")


@pytest.fixture
def say(postgres: PostgresServer, name: str) -> Say:
    """SQL, by who may do everything."""
    return lambda command: postgres.sql(command, name)


@pytest.fixture
async def database(postgres: PostgresServer, name: str) -> AsyncIterator[Database]:
    opened = open_database(read_address(postgres.address(name).replace("postgres@", f"{name}@")), connections=2)
    yield opened
    await opened.close()


async def refusal(database: Database) -> str:
    with pytest.raises(DatabaseRefused) as looked:
        await standing_of(database)
    with pytest.raises(DatabaseRefused) as started:
        await bring_up_to_date(database)
    assert str(started.value) == str(looked.value)
    assert database.outage is None
    return str(started.value)


def advice(told: str) -> str:
    """The SQL that the message ends with."""
    return told.partition("say there: ")[2].rstrip(".") or told.partition("Say there: ")[2].rstrip(".")


@pytest.mark.requirement("database:postgresql:rights")
async def test_who_may_make_no_schema_is_told_how_to_be_given_one(database: Database, name: str, say: Say) -> None:
    told = await refusal(database)
    assert f"has no schema parlance, and its user {name} may not make one" in told
    await asyncio.to_thread(say, advice(told))
    await bring_up_to_date(database)


@pytest.mark.requirement("database:postgresql:rights")
async def test_a_schema_of_somebody_else_s_is_told_of(database: Database, name: str, say: Say) -> None:
    await asyncio.to_thread(say, f"CREATE SCHEMA parlance AUTHORIZATION {name}_owner")
    told = await refusal(database)
    assert f"has a schema parlance of {name}_owner, which its user {name} may not use" in told
    await asyncio.to_thread(say, f"GRANT USAGE ON SCHEMA parlance TO {name}")
    told = await refusal(database)
    assert f"in which its user {name} may make no tables" in told
    await asyncio.to_thread(say, advice(told).partition(", or")[0])
    await bring_up_to_date(database)


@pytest.mark.requirement("database:postgresql:rights")
async def test_tables_of_somebody_else_s_can_be_used_where_that_is_granted(
    database: Database, name: str, say: Say
) -> None:
    """One user changes tables, another one runs servers."""
    await asyncio.to_thread(say, tables_as_sql())
    revision = (
        f"CREATE TABLE parlance.revisions (version_num varchar(32)); INSERT INTO parlance.revisions VALUES ('{NEWEST}')"
    )
    await asyncio.to_thread(say, f"{revision}; GRANT USAGE ON SCHEMA parlance TO {name}")
    told = await refusal(database)
    assert f"does not let its user {name} read and change its tables answers, assistants, " in told
    await asyncio.to_thread(say, advice(told))
    await bring_up_to_date(database, allowed=False)
    await SqlSubtenants(database).ensure(frozenset({HOME}))
    stores, chat = TurnStores(database, SqliteAddress(None)), NewChat(id=new_chat_id(), subtenant_id=HOME)
    turn = (await stores.turns.accept(a_new_turn(chat.id, new_chat=chat))).turn
    assert (await stores.turns.events(turn.id)).turn == turn
    await stores.close()


@pytest.mark.requirement("database:postgresql:read_only")
async def test_a_database_that_can_only_be_read_is_told_of(database: Database, name: str, say: Say) -> None:
    await asyncio.to_thread(say, f"CREATE SCHEMA parlance AUTHORIZATION {name}")
    await asyncio.to_thread(say, f"ALTER ROLE {name} SET default_transaction_read_only = on")
    told = await refusal(database)
    assert "is read-only: its default_transaction_read_only is on. Turn that off" in told
    with pytest.raises(DatabaseRefused, match="is read-only"):
        await migrate(database, NEWEST)


@pytest.mark.requirement("database:postgresql:read_only")
async def test_a_standby_is_told_of_until_it_is_promoted(own_postgres: PostgresServer) -> None:
    await asyncio.to_thread(own_postgres.stop, signal.SIGINT)
    own_postgres.become_standby()
    await asyncio.to_thread(own_postgres.start)
    database = open_database(read_address(own_postgres.address()), connections=2)
    assert "is a standby, which can only be read. Name the primary" in await refusal(database)
    await asyncio.to_thread(own_postgres.sql, "SELECT pg_promote()")
    await bring_up_to_date(database)
    await database.close()


async def test_a_user_who_may_make_schemas_needs_nothing_else(database: Database, name: str, say: Say) -> None:
    await asyncio.to_thread(say, f"GRANT CREATE ON DATABASE {name} TO {name}")
    await bring_up_to_date(database)
    assert await standing_of(database) == Standing(NEWEST)
    async with database.reading() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM parlance.chats"))).scalar() == 0

"""A PostgreSQL behind a pooler that gives each transaction another connection."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from parlance.core.errors import StorageUnavailable
from parlance.core.ids import new_chat_id
from parlance.core.stores.chats import NewChat
from parlance.store import listening
from parlance.store.addresses import PostgresqlAddress, read_address
from parlance.store.database import Database, open_database
from parlance.store.keeping import TurnStores
from parlance.store.lanes import PATIENCE as PATIENT
from parlance.store.listening import hears
from parlance.store.migrating import bring_up_to_date
from parlance.store.subtenants import SqlSubtenants
from tests.contract.stores.turn_world import HOME, a_new_turn, a_piece, a_step
from tests.probes.databases import open_unhurried
from tests.probes.leaks import LeakProbe
from tests.probes.pooler import Pooler, pooled
from tests.probes.postgres import PostgresServer

PATIENCE = 10.0


def through(pooler: Pooler, address: str, query: str = "?prepared_statement_cache_size=0") -> PostgresqlAddress:
    parts = urlsplit(address)
    read = read_address(f"postgresql://postgres@127.0.0.1:{pooler.port}{parts.path}{query}")
    assert isinstance(read, PostgresqlAddress)
    return read


def direct(address: str) -> PostgresqlAddress:
    read = read_address(address)
    assert isinstance(read, PostgresqlAddress)
    return read


@asynccontextmanager
async def a_process(
    address: PostgresqlAddress, listens_at: PostgresqlAddress | None = None
) -> AsyncIterator[TurnStores]:
    database = open_unhurried(address, connections=4)
    await SqlSubtenants(database).ensure(frozenset({HOME}))
    stores = TurnStores(database, address, listens_at)
    stores.start()
    yield stores
    await stores.close()
    await database.close()


async def grow(stores: TurnStores, times: int) -> None:
    """Turns by all the statements that keep them."""
    for _ in range(times):
        chat = NewChat(id=new_chat_id(), subtenant_id=HOME)
        turn = (await stores.turns.accept(a_new_turn(chat.id, new_chat=chat))).turn
        await stores.turns.keep([a_piece(turn, a_step("one"))])
        assert (await stores.turns.events(turn.id)).turn.head == 6


@pytest.fixture
async def pooler(postgres: PostgresServer, leak_probe: LeakProbe) -> AsyncIterator[Pooler]:
    async with pooled(postgres.port) as pooler:
        yield pooler


@pytest.mark.requirement("database:pooler")
async def test_tables_are_made_and_turns_kept_while_connections_change(pooler: Pooler, empty_postgres: str) -> None:
    address = through(pooler, empty_postgres)
    database = open_unhurried(address, connections=4)
    await bring_up_to_date(database)
    await database.close()
    async with a_process(address) as one, a_process(address) as other:
        await asyncio.gather(grow(one, 5), grow(other, 5))
    assert pooler.used > 30


@pytest.mark.requirement("database:pooler")
async def test_the_limits_hold_for_each_transaction(pooler: Pooler, empty_postgres: str) -> None:
    database = open_database(through(pooler, empty_postgres), connections=4)
    for _ in range(4):
        assert await shown(database, "statement_timeout") == "600ms"
        assert await shown(database, "statement_timeout", within=5) == "5s"
        assert await shown(database, "idle_in_transaction_session_timeout") == "1min"
    await database.close()


async def shown(database: Database, name: str, within: float = PATIENT) -> str:
    async with database.writing(within=within) as connection:
        return str((await connection.execute(text(f"SHOW {name}"))).scalar())


@pytest.mark.requirement("database:pooler:told")
async def test_a_pooler_that_takes_no_settings_is_told_of(pooler: Pooler, empty_postgres: str) -> None:
    database = open_database(through(pooler, empty_postgres, ""), connections=2)
    with pytest.raises(
        StorageUnavailable, match=r"behind a pooler .* write prepared_statement_cache_size=0 behind its"
    ):
        await bring_up_to_date(database)
    assert database.lasting
    await database.close()


@pytest.mark.requirement("database:pooler:told")
async def test_a_pooler_that_mixes_up_statements_is_told_of(
    postgres: PostgresServer, postgres_with_tables: str
) -> None:
    async with pooled(postgres.port, lenient=True) as pooler:
        database = open_database(through(pooler, postgres_with_tables, ""), connections=2)
        with pytest.raises(StorageUnavailable, match=r"gives each transaction another connection; write prepared_"):
            await read_again_and_again(database)
        await database.close()


async def read_again_and_again(database: Database) -> None:
    for _ in range(10):
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1"))


@pytest.mark.requirement("database:pooler:listening")
async def test_who_hears_nothing_through_a_pooler_looks_every_second_and_says_so_once(
    pooler: Pooler, postgres_with_tables: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "LOOKED_AFTER", 0.02)
    monkeypatch.setattr(listening, "ANSWERED", 0.3)
    monkeypatch.setattr(listening, "DEAF", 2)
    address = through(pooler, postgres_with_tables)
    with caplog.at_level(logging.WARNING):
        async with a_process(address) as one:
            rung = asyncio.Event()
            one.bells.subscribe(new_chat_id(), rung.set)
            for _ in range(8):
                async with asyncio.timeout(PATIENCE):
                    await rung.wait()
                rung.clear()
    told = [record.message for record in caplog.records if "database.listen_url" in record.message]
    assert len(told) == 1, caplog.text
    assert not await hears(address)


@pytest.mark.requirement("database:pooler:listening")
async def test_an_address_without_the_pooler_is_listened_at(pooler: Pooler, postgres_with_tables: str) -> None:
    address, straight = through(pooler, postgres_with_tables), direct(postgres_with_tables)
    async with a_process(address, straight) as one, a_process(address, straight) as other:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(one.heard(), other.heard())
        chat, rung = NewChat(id=new_chat_id(), subtenant_id=HOME), asyncio.Event()
        await one.turns.accept(a_new_turn(chat.id, new_chat=chat))
        other.bells.subscribe(chat.id, rung.set)
        await one.turns.accept(a_new_turn(chat.id))
        async with asyncio.timeout(PATIENCE):
            await rung.wait()
    assert await hears(address, straight)


@pytest.mark.requirement("database:pooler:listening")
async def test_listening_in_another_database_is_found_out(empty_postgres: str, postgres_with_tables: str) -> None:
    assert not await hears(direct(postgres_with_tables), direct(empty_postgres))
    assert await hears(direct(postgres_with_tables))

"""Bells from one process to another, over one PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from parlance.core.ids import new_chat_id, new_owner_id
from parlance.core.stores.chats import NewChat
from parlance.core.stores.turns import Word
from parlance.store.addresses import read_address
from parlance.store.bells import _payloads, heard
from parlance.store.keeping import TurnStores
from parlance.store.subtenants import SqlSubtenants
from tests.contract.stores.turn_world import HOME, a_new_turn, a_piece, a_step
from tests.probes.databases import open_unhurried
from tests.probes.leaks import LeakProbe
from tests.probes.postgres import PostgresServer, tables_as_sql

PATIENCE = 10.0


@asynccontextmanager
async def a_process(address: str) -> AsyncIterator[TurnStores]:
    read = read_address(address)
    database = open_unhurried(read, connections=4)
    await SqlSubtenants(database).ensure(frozenset({HOME}))
    stores = TurnStores(database, read)
    stores.start()
    async with asyncio.timeout(PATIENCE):
        await stores.heard()
    yield stores
    await stores.close()
    await database.close()


def bell() -> tuple[asyncio.Event, Callable[[], None]]:
    rung = asyncio.Event()
    return rung, rung.set


async def rings(rung: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await rung.wait()
    rung.clear()


def a_chat() -> NewChat:
    return NewChat(id=new_chat_id(), subtenant_id=HOME)


@pytest.mark.requirement("stores:turns:bells:processes")
async def test_another_process_hears_of_a_turn_that_grows(postgres_with_tables: str, leak_probe: LeakProbe) -> None:
    async with a_process(postgres_with_tables) as one, a_process(postgres_with_tables) as other:
        chat = a_chat()
        rung, wake = bell()
        turn = (await one.turns.accept(a_new_turn(chat.id, new_chat=chat))).turn
        other.bells.subscribe(chat.id, wake)
        await one.turns.accept(a_new_turn(chat.id))
        await rings(rung)
        other.bells.subscribe(turn.id, wake)
        await one.turns.keep([a_piece(turn, a_step("one"))])
        await rings(rung)
        assert (await other.turns.events(turn.id)).turn.head == 6
        await other.leases.sweep()
        await rings(rung)


async def test_words_reach_another_process(postgres_with_tables: str, leak_probe: LeakProbe) -> None:
    async with a_process(postgres_with_tables) as one, a_process(postgres_with_tables) as other:
        chat, owner = a_chat(), new_owner_id()
        rung, wake = bell()
        one.bells.attend(owner, wake)
        turn = (await one.turns.accept(a_new_turn(chat.id, new_chat=chat, owner=owner))).turn
        word = Word(turn=turn.id, stop="cancelled")
        assert await other.bells.send(word)
        await rings(rung)
        assert await one.bells.words_for(owner) == (word,)


@pytest.mark.requirement("stores:turns:bells:outage")
async def test_a_bell_rings_while_nothing_is_heard_and_once_it_is_again(own_postgres: PostgresServer) -> None:
    await asyncio.to_thread(own_postgres.sql, tables_as_sql())
    async with a_process(own_postgres.address()) as one:
        rung, wake = bell()
        one.bells.subscribe(new_chat_id(), wake)
        await asyncio.to_thread(own_postgres.stop)
        for _ in range(3):
            await rings(rung)
        await asyncio.to_thread(own_postgres.start)
        async with asyncio.timeout(PATIENCE):
            await one.heard()
        await rings(rung)


@pytest.mark.requirement("stores:turns:bells:outage")
async def test_a_server_that_says_nothing_is_noticed(own_postgres: PostgresServer) -> None:
    await asyncio.to_thread(own_postgres.sql, tables_as_sql())
    async with a_process(own_postgres.address()) as one:
        rung, wake = bell()
        one.bells.subscribe(new_chat_id(), wake)
        with own_postgres.frozen():
            await rings(rung)
        async with asyncio.timeout(PATIENCE):
            await one.heard()


@pytest.mark.parametrize("count", [0, 1, 200, 201, 1000])
def test_what_is_told_fits_into_notifications(count: int) -> None:
    ids = [str(new_chat_id()) for _ in range(count)]
    payloads = list(_payloads(ids))
    assert [id for payload in payloads for id in heard(payload)] == ids
    assert all(len(payload) < 8000 for payload in payloads)

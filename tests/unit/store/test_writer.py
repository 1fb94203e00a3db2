"""The one who writes turns: groups that fail, waiters that leave, and several processes at once."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from msgspec import structs

from parlance.core.errors import InternalError, StorageUnavailable
from parlance.core.ids import ChatId, new_chat_id
from parlance.core.stores import Page
from parlance.core.stores.chats import NewChat
from parlance.core.stores.turns import Accepted
from parlance.store.addresses import read_address
from parlance.store.database import Database, open_database
from parlance.testing.clock import settle
from tests.contract.stores.turn_world import (
    HOME,
    Keepers,
    a_key,
    a_new_turn,
    a_piece,
    a_step,
    an_ending,
    ids,
    opened_keepers,
    texts,
)
from tests.probes.breaking import Breaking
from tests.probes.breaking import breaking as breaking
from tests.probes.databases import sqlite_with_tables
from tests.probes.postgres import PostgresServer, tables_as_sql

MANY = 100


@pytest.fixture
async def keepers(sql_database: Database) -> AsyncIterator[Keepers]:
    async with opened_keepers(sql_database) as made:
        yield made


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    database = await sqlite_with_tables(tmp_path)
    yield database
    await database.close()


async def outcomes(keepers: Keepers, count: int) -> list[object]:
    """What comes of so many turns in a new chat, asked for at once."""
    new = [a_new_turn(new_chat_id()) for _ in range(count)]
    made = [structs.replace(one, new_chat=NewChat(id=one.chat, subtenant_id=HOME)) for one in new]
    return list(await asyncio.gather(*map(keepers.turns.accept, made), return_exceptions=True))


async def test_one_that_contradicts_the_database_does_not_fail_those_beside_it(keepers: Keepers) -> None:
    chat = await keepers.chat()
    taken = (await keepers.accept(chat)).turn
    asked = [a_new_turn(chat) for _ in range(4)]
    asked[1] = structs.replace(asked[1], id=taken.id)
    told = await asyncio.gather(*map(keepers.turns.accept, asked), return_exceptions=True)
    assert [isinstance(one, InternalError) for one in told] == [False, True, False, False]
    assert len(await texts(keepers, chat)) == 4


async def test_who_leaves_before_their_turn_is_accepted_leaves_none(sqlite: Database) -> None:
    async with opened_keepers(sqlite) as keepers:
        chat = await keepers.chat()
        async with sqlite.writing():
            first = asyncio.create_task(keepers.accept(chat, "first"))
            await settle()
            waiting = asyncio.create_task(keepers.accept(chat, "second"))
            await settle()
            waiting.cancel()
            await settle()
        await first
        third = (await keepers.accept(chat, "third")).turn
        assert third.position == 2
        assert [text for _, text, _ in await texts(keepers, chat)] == ["first", "third"]


async def leave_while_accepted(database: Database, keepers: Keepers, chat: ChatId) -> None:
    async with database.writing():
        asking = asyncio.create_task(keepers.accept(chat, "first"))
        await settle()
        asking.cancel()
        await settle()


@pytest.mark.requirement("stores:turns:left")
async def test_a_turn_whose_asker_left_while_it_was_accepted_is_ended(sqlite: Database) -> None:
    """Nobody will ever run it: it must not be in the way of the chat's next one."""
    async with opened_keepers(sqlite) as keepers:
        chat = await keepers.chat()
        await leave_while_accepted(sqlite, keepers, chat)
        second = await keepers.accept(chat, "second")
        third = await keepers.accept(chat, "third")
        assert [turn.id for turn in third.ahead] == [second.turn.id]
        states = [turn.state for turn in await keepers.turns.list(chat, Page(), None)]
        assert states == ["incomplete", second.turn.state, "queued"]


@pytest.mark.requirement("stores:turns:left")
async def test_a_turn_whose_asker_left_is_ended_though_the_database_broke_off_as_it_was_kept(
    sqlite: Database, breaking: Breaking
) -> None:
    async with opened_keepers(sqlite) as keepers:
        chat = await keepers.chat()
        await leave_while_accepted(sqlite, keepers, chat)
        breaking.breaks(times=1)
        second = await accepted(keepers, chat)
        states = [turn.state for turn in await keepers.turns.list(chat, Page(), None)]
        assert (states, ids(second.ahead), breaking.broken) == (["incomplete", "running"], [], 1)


@pytest.mark.requirement("stores:turns:left")
async def test_a_turn_whose_asker_left_in_the_moment_when_it_was_told_is_ended(keepers: Keepers) -> None:
    chat = await keepers.chat()
    rung = asyncio.Event()
    keepers.bells.subscribe(chat, rung.set)
    asking = asyncio.create_task(keepers.accept(chat, "first"))
    async with asyncio.timeout(10):
        await rung.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await accepted(keepers, chat)
    states = [turn.state for turn in await keepers.turns.list(chat, Page(), None)]
    assert states == ["incomplete", "running"]


@pytest.mark.requirement("stores:turns:doubt")
async def test_of_a_group_that_is_written_one_by_one_those_are_told_that_were_kept(
    sqlite: Database, breaking: Breaking
) -> None:
    """The third breaks off, and the fourth is not begun: both are refused, each in its own words."""
    async with opened_keepers(sqlite) as keepers:
        chat = await keepers.chat()
        taken = (await keepers.accept(chat)).turn
        asked = [a_new_turn(await keepers.chat()) for _ in range(4)]
        asked[1] = structs.replace(asked[1], id=taken.id)
        first = asyncio.create_task(keepers.turns.accept(asked[0]))
        rest = [asyncio.create_task(keepers.turns.accept(one)) for one in asked[1:]]
        rung = asyncio.Event()
        keepers.bells.subscribe(asked[0].chat, rung.set)
        await rung.wait()
        breaking.breaks(times=1)
        told = await asyncio.gather(first, *rest, return_exceptions=True)
        assert [type(one) for one in told] == [Accepted, InternalError, StorageUnavailable, StorageUnavailable]
        assert [one.maybe_kept for one in told if isinstance(one, StorageUnavailable)] == [True, False]
        assert "Nothing was changed" in str(told[3])
        await accepted(keepers, chat)
        assert (await keepers.turns.find(asked[2].id, None)).state == "running"


async def accepted(keepers: Keepers, chat: ChatId) -> Accepted:
    """A turn that is taken once the database is there again."""
    async with asyncio.timeout(10):
        while True:
            with suppress(StorageUnavailable):
                return await keepers.accept(chat, "next")


@pytest.mark.requirement("stores:turns:outage")
async def test_while_the_database_is_locked_nothing_is_acknowledged(sqlite: Database, tmp_path: Path) -> None:
    async with opened_keepers(sqlite) as keepers:
        turn = (await keepers.accept()).turn
        step = a_step("one two three")
        other = sqlite3.connect(tmp_path / "parlance.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE").close()
        told = await asyncio.gather(
            outcomes(keepers, MANY),
            keepers.turns.keep([a_piece(turn, step[:3])]),
            keepers.turns.state(turn.id, turn.epoch, "waiting"),
            keepers.turns.end(an_ending(turn, step)),
            return_exceptions=True,
        )
        other.execute("ROLLBACK").close()
        other.close()
        refused = told[0]
        assert isinstance(refused, list)
        assert {type(one) for one in [*refused, *told[1:]]} == {StorageUnavailable}
        assert await recovered(keepers) is not None
        assert (await keepers.turns.find(turn.id, None)).state == "running"
        await keepers.turns.keep([a_piece(turn, step)])
        assert (await keepers.turns.end(an_ending(turn, step))).state == "completed"


@pytest.mark.requirement("stores:turns:outage")
async def test_a_server_that_is_gone_and_comes_back(own_postgres: PostgresServer) -> None:
    await asyncio.to_thread(own_postgres.sql, tables_as_sql())
    database = open_database(read_address(own_postgres.address()))
    async with opened_keepers(database) as keepers:
        turn = (await keepers.accept()).turn
        await asyncio.to_thread(own_postgres.stop)
        refused = await outcomes(keepers, MANY)
        assert {type(one) for one in refused} == {StorageUnavailable}
        with pytest.raises(StorageUnavailable):
            await keepers.turns.keep([a_piece(turn, a_step("one")[:3])])
        await asyncio.to_thread(own_postgres.start)
        await recovered(keepers)
        await keepers.turns.keep([a_piece(turn, a_step("one")[:3])])
        assert len(await keepers.turns.open_in(HOME)) == 2
    await database.close()


async def recovered(keepers: Keepers) -> object:
    """One turn that is accepted once the database is there again."""
    async with asyncio.timeout(10):
        while isinstance(found := (await outcomes(keepers, 1))[0], StorageUnavailable):
            pass
    assert not isinstance(found, BaseException)
    return found


@pytest.mark.requirement("stores:turns:keys:race")
async def test_processes_with_one_key_begin_one_turn(postgres_with_tables: str) -> None:
    async with AsyncExitStack() as open_ones:
        processes = [await a_process(postgres_with_tables, open_ones) for _ in range(2)]
        chats = [NewChat(id=new_chat_id(), subtenant_id=HOME) for _ in range(MANY)]
        accepted = await asyncio.gather(
            *(
                keepers.accept(chat.id, new_chat=chat, key=a_key())
                for index, chat in enumerate(chats)
                for keepers in [processes[index % 2]]
            )
        )
        assert len({one.turn.id for one in accepted}) == 1
        assert sum(not one.repeated for one in accepted) == 1
        assert len(await processes[0].chats.list(HOME, Page(), None)) == 1


async def test_processes_with_one_chat_stand_in_one_row(postgres_with_tables: str) -> None:
    async with AsyncExitStack() as open_ones:
        processes = [await a_process(postgres_with_tables, open_ones) for _ in range(2)]
        chat = await processes[0].chat()
        accepted = await asyncio.gather(*(processes[index % 2].accept(chat, queue=MANY) for index in range(MANY)))
        assert sorted(one.turn.position for one in accepted) == list(range(1, MANY + 1))
        for one in accepted:
            assert [turn.position for turn in one.ahead] == list(range(1, one.turn.position))


async def a_process(address: str, open_ones: AsyncExitStack) -> Keepers:
    database = open_database(read_address(address), connections=4)
    open_ones.push_async_callback(database.close)
    return await open_ones.enter_async_context(opened_keepers(database))


async def test_one_who_can_not_be_woken_fails_nobody(keepers: Keepers) -> None:
    chat = await keepers.chat()

    def fail() -> None:
        raise RuntimeError("a bug")

    keepers.bells.subscribe(chat, fail)
    turn = (await keepers.accept(chat)).turn
    assert (turn.position, len(await texts(keepers, chat))) == (1, 1)

"""Connections that are lost at the commit of an acceptance: nobody knows what was kept, until the database is asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import pytest

from parlance.core.errors import StorageUnavailable
from parlance.core.ids import ChatId
from parlance.core.stores import Page
from parlance.engine.idempotency import Idempotency
from parlance.engine.view import TurnView
from parlance.store.addresses import read_address
from parlance.store.assistants import SqlAssistants
from parlance.store.bells import SqlBells
from parlance.store.chats import SqlChats
from parlance.store.database import Database, open_database
from parlance.store.leases import SqlLeases
from parlance.store.memories import SqlMemories
from parlance.store.messages import SqlMessages
from parlance.store.subtenants import SqlSubtenants
from parlance.store.turns import SqlTurns
from parlance.store.writer import Writer
from parlance.testing.provider import ScriptedProvider, answering
from tests.probes.breaking import Breaking
from tests.probes.breaking import breaking as breaking
from tests.turns.chat_stage import ChatStage, Shelves, heard
from tests.turns.laws import broken_laws

T = TypeVar("T")

KEY = Idempotency.of("key", b"asked")
HURRY = 5.0
TOLD = [("user", "Hello", "completed"), ("assistant", "Hello there!", "completed")]


class Kept(Shelves):
    """The same in a database."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        bells = SqlBells(database, shared=False)
        self.writer = Writer(database, bells)
        self.bells = bells
        self.turns = SqlTurns(database, self.writer)
        self.leases = SqlLeases(database, bells)
        self.subtenants = SqlSubtenants(database)
        self.chats = SqlChats(database)
        self.messages = SqlMessages(database)
        self.memories = SqlMemories(database)
        self.assistants = SqlAssistants(database)


async def insisting(act: Callable[[], Awaitable[T]]) -> T:
    """As a client does it that is told to come again."""
    async with asyncio.timeout(HURRY):
        while True:
            with contextlib.suppress(StorageUnavailable):
                return await act()
            await asyncio.sleep(0)


class House:
    """An engine over a database, and a chat in it."""

    def __init__(self, kept: Kept, chat: ChatId) -> None:
        self.kept = kept
        self.chat = chat
        self.provider = ScriptedProvider(answering("Hello there!"))
        self.stage = ChatStage(kept, self.provider)

    async def send(self) -> TurnView:
        return await self.stage.send(self.chat, idempotency=KEY)

    async def insist(self) -> TurnView:
        return await insisting(self.send)

    async def once(self, turn: TurnView) -> None:
        """The message is there once, and answered by one call of the model."""
        async with asyncio.timeout(HURRY):
            assert broken_laws(await heard(turn)) == []
        stored = await insisting(lambda: self.kept.messages.all(self.chat, None))
        assert [(one.message.role, one.message.text, one.status) for one in stored] == TOLD
        assert len(self.provider.requests) == 1
        (record,) = await insisting(lambda: self.kept.turns.list(self.chat, Page(), None))
        assert (record.id, record.state) == (turn.id, "completed")


@asynccontextmanager
async def open_house(database: Database) -> AsyncIterator[House]:
    kept = Kept(database)
    await kept.opened()
    house = House(kept, await kept.chat())
    await kept.leases.hold(house.stage.owner, 3600)
    yield house
    await house.stage.engine.close()
    await kept.writer.close()


@pytest.fixture
async def house(sql_database: Database) -> AsyncIterator[House]:
    async with open_house(sql_database) as house:
        yield house


@pytest.mark.requirement("stores:turns:doubt")
@pytest.mark.parametrize("behind", [True, False], ids=["kept", "not kept"])
async def test_a_message_whose_commit_was_not_answered_is_there_once_and_answered(
    house: House, breaking: Breaking, behind: bool
) -> None:
    breaking.breaks(behind=behind, times=1)
    await house.once(await house.insist())
    assert breaking.broken == 1


@pytest.mark.requirement("stores:turns:doubt")
@pytest.mark.parametrize("behind", [True, False], ids=["kept", "not kept"])
async def test_one_whose_database_stays_away_is_refused_and_found_by_its_key_later(
    house: House, breaking: Breaking, behind: bool
) -> None:
    breaking.breaks(behind=behind)
    async with asyncio.timeout(HURRY):
        for _ in range(2):
            with pytest.raises(StorageUnavailable):
                await house.send()
    assert house.provider.requests == []
    breaking.heals()
    await house.once(await house.insist())


@pytest.mark.requirement("stores:turns:doubt")
async def test_a_message_that_nobody_sends_again_is_answered_all_the_same(house: House, breaking: Breaking) -> None:
    breaking.breaks()
    with pytest.raises(StorageUnavailable, match="may have been kept, or not"):
        await house.send()
    breaking.heals()
    async with asyncio.timeout(HURRY):
        await house.provider.arrival()
    (record,) = await insisting(lambda: house.kept.turns.list(house.chat, Page(), None))
    await house.once(await house.send())
    assert (await house.send()).id == record.id


@pytest.mark.requirement("stores:turns:doubt")
async def test_many_who_were_accepted_together_are_each_there_once(house: House, breaking: Breaking) -> None:
    chats = [await house.kept.chat() for _ in range(20)]
    breaking.breaks(times=1)
    turns = await asyncio.gather(
        *(insisting(partial(house.stage.send, chat, idempotency=KEY)) for chat in chats),
    )
    for chat, turn in zip(chats, turns, strict=True):
        await heard(turn)
        stored = await house.kept.messages.all(chat, None)
        assert [(one.message.role, one.message.text, one.status) for one in stored] == TOLD
        assert {one.turn_id for one in stored} == {turn.id}
    assert len(house.provider.requests) == len(chats)


class Wire:
    """The network before a PostgreSQL: it breaks when the answer to a commit comes along, once `armed`."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._tasks: list[asyncio.Task[None]] = []
        self.armed = False
        self.cut = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to)
        committing = asyncio.Event()
        self._tasks += [
            asyncio.create_task(self._there(reader, to_server, committing)),
            asyncio.create_task(self._back(from_server, writer, committing)),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if self.armed and b"COMMIT" in data:
                self.armed = False
                said.set()
            writer.write(data)
        writer.close()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if said.is_set() and b"COMMIT" in data:
                self.cut += 1
                break
            writer.write(data)
        writer.transport.abort()


@pytest.mark.requirement("stores:turns:doubt")
async def test_a_wire_that_breaks_behind_a_commit_of_postgresql(postgres_with_tables: str) -> None:
    port = int(postgres_with_tables.rpartition("/")[0].rpartition(":")[2])
    wire = Wire(port)
    listener = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    through = postgres_with_tables.replace(f":{port}/", f":{listener.sockets[0].getsockname()[1]}/")
    database = open_database(read_address(through), connections=4)
    async with listener, open_house(database) as house:
        wire.armed = True
        await house.once(await house.insist())
        assert wire.cut == 1
    await database.close()
    await wire.close()

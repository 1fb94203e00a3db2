"""What an older REST service has stored is brought in from its own tables, which stay as they are."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import select

from parlance.core.ids import CallId, ChatId
from parlance.core.messages import Origin
from parlance.core.parts import Text, ToolCall, ToolResult
from parlance.core.stores import Page
from parlance.core.usage import Usage
from parlance.store.addresses import read_address
from parlance.store.database import Database
from parlance.store.porting.refusal import PortingRefused
from parlance.store.porting.sessions import long_reading, long_writing
from parlance.store.porting.wrapper import Arrival, import_wrapper
from parlance.store.tables.chats import chats
from tests.contract.stores.implementations import in_sql
from tests.probes.databases import open_unhurried
from tests.probes.postgres import PostgresServer
from tests.unit.store.porting.older_service import ANNA, HELPER, OTHER_SHAPE, ROWS, TABLES, TRIP


@pytest.fixture
def old_address(postgres: PostgresServer, empty_postgres: str) -> str:
    return empty_postgres


@pytest.fixture
async def old(old_address: str) -> AsyncIterator[Database]:
    database = open_unhurried(read_address(old_address), connections=2)
    yield database
    await database.close()


async def brought(old: Database, new: Database) -> Arrival:
    async with long_reading(old) as reading, long_writing(new) as writing:
        return await import_wrapper(reading, writing)


async def put(server: PostgresServer, address: str, *statements: str) -> None:
    for statement in statements:
        await asyncio.to_thread(server.sql, statement, address.rpartition("/")[2])


async def dump(server: PostgresServer, address: str) -> str:
    tables = ("subtenants", "assistants", "chats", "messages", "memories", "request_logs", "alembic_version")
    asked = [f"SELECT ctid, xmin, * FROM {table}" for table in tables]
    return "\n".join([await asyncio.to_thread(server.sql, one, address.rpartition("/")[2]) for one in asked])


@pytest.mark.requirement("porting:wrapper")
async def test_everything_of_the_older_service_is_there_and_its_tables_are_as_they_were(
    postgres: PostgresServer, old_address: str, old: Database, sql_database: Database
) -> None:
    await put(postgres, old_address, TABLES, ROWS)
    before = await dump(postgres, old_address)
    arrival = await brought(old, sql_database)
    assert await dump(postgres, old_address) == before
    assert arrival.came == {"subtenants": 1, "assistants": 1, "memories": 1, "chats": 1, "messages": 4}
    assert arrival.left == {"messages of the role 'moderator', which there is not": 1}
    assert arrival.unknown == ("chats.colour", "request_logs")
    stores = in_sql(sql_database)
    chat = await stores.chats.find(ChatId(TRIP), ANNA)
    assert (chat.title, chat.system_message, chat.assistant_id) == ("Trip", "Answer in verse.", HELPER)
    assert (chat.enabled_functions, chat.enabled_mcp_tools) == (("calculator",), ())
    assert chat.created_at.isoformat() == "2025-03-01T11:00:00+00:00"
    said = [stored.message for stored in await stores.messages.all(chat.id, ANNA)]
    assert [message.parts for message in said] == [
        (Text("What is 15 * 23?"),),
        (ToolCall(CallId("call_1"), "calculator", '{"e": 1.0}'),),
        (ToolResult(CallId("call_1"), "calculator", "345"),),
        (Text("It is 345."),),
    ]
    assert [message.finish for message in said] == [None, "tool_calls", None, "stop"]
    assert (await stores.memories.find(ANNA, "likes/colour", None)).value == "12"
    (assistant,) = await stores.assistants.list(Page(), ANNA)
    assert (assistant.subtenant_id, assistant.system_prompt) == (None, "Be kind.")


@pytest.mark.requirement("porting:wrapper:again")
async def test_brought_in_again_nothing_is_doubled_and_what_is_new_is_added(
    postgres: PostgresServer, old_address: str, old: Database, sql_database: Database
) -> None:
    await put(postgres, old_address, TABLES, ROWS)
    first = await brought(old, sql_database)
    again = await brought(old, sql_database)
    assert (again.came.total(), again.there) == (0, first.came)
    new = "'aaaaaaaa-0000-4000-8000-000000000006'"
    await put(postgres, old_address, f"INSERT INTO messages VALUES ({new}, '{TRIP}', 'user', 'And then?')")
    assert (await brought(old, sql_database)).came == Counter(messages=1)
    said = await in_sql(sql_database).messages.all(ChatId(TRIP), ANNA)
    assert [stored.message.text for stored in said] == ["What is 15 * 23?", "", "", "It is 345.", "And then?"]


@pytest.mark.requirement("porting:wrapper:forms")
async def test_other_names_and_types_of_columns_are_understood(
    postgres: PostgresServer, old_address: str, old: Database, sql_database: Database
) -> None:
    await put(postgres, old_address, OTHER_SHAPE)
    arrival = await brought(old, sql_database)
    assert arrival.came == {"subtenants": 1, "chats": 2, "messages": 3, "memories": 3}
    assert arrival.left == {
        "chats of subtenants that are not there": 1,
        "messages of chats that are not there": 1,
        "memories under keys that are taken": 1,
    }
    stores = in_sql(sql_database)
    assert (await stores.subtenants.find("1", None)).metadata == {"a": [1.0, "x"]}
    values = {memory.key: memory.value for memory in await stores.memories.list("1", Page(), None)}
    assert values == {"n": 12, "t": "12"}
    assert (await stores.memories.find("default", "o", None)).value == {"a": None}
    (chat,) = await stores.chats.list("1", Page(), None)
    assert (UUID(chat.id).version, chat.title, chat.created_at.isoformat()) == (5, "Trip", "2025-03-01T09:00:00+00:00")
    asked, called, result = [stored.message for stored in await stores.messages.all(chat.id, "1")]
    assert (asked.text, called.origin, called.usage) == ("What is it?", Origin("openai", "gpt-4", ""), Usage(10, 3))
    (call,) = called.parts
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("now", '{"zone": "UTC"}')
    assert result.parts == (ToolResult(call.id, "now", "noon"),)
    assert (await brought(old, sql_database)).came.total() == 0


async def test_a_database_without_such_tables_is_refused(old: Database, sql_database: Database) -> None:
    with pytest.raises(PortingRefused, match="There are no tables of such a service"):
        await brought(old, sql_database)
    async with sql_database.reading() as connection:
        assert (await connection.execute(select(chats.c.seq))).first() is None

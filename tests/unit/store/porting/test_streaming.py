"""However much is stored, only a handful of rows is ever in memory, both ways."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct
from sqlalchemy import insert

from parlance.core.ids import ChatId, MessageId, uuid7
from parlance.core.messages import Message
from parlance.core.parts import Text
from parlance.core.stores.chats import NewChat
from parlance.core.stores.messages import StoredMessage
from parlance.store.database import Database
from parlance.store.message_rows import encode_message
from parlance.store.porting.exporting import Wanted, export_lines
from parlance.store.porting.importing import import_lines
from parlance.store.porting.lines import encode_line
from parlance.store.porting.reading import LineReader
from parlance.store.porting.sessions import long_reading, long_writing
from parlance.store.tables.messages import messages
from tests.contract.stores.implementations import in_sql
from tests.contract.stores.world import NOW
from tests.unit.store.porting.stored_world import empty

SHORT, LONG = (1_500, 8_000), (100_000, 1_000)
"""Messages, and letters in each."""

BOUND = 8 << 20
"""Bytes: less than even the short run's messages have."""


class Peak(Struct):
    size: int = 0


@contextmanager
def peak() -> Iterator[Peak]:
    found = Peak()
    tracemalloc.start()
    try:
        yield found
        found.size = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def fill(database: Database, count: int, letters: int) -> None:
    stores = in_sql(database)
    await stores.subtenants.ensure(frozenset({"default"}))
    chat = await stores.chats.create(NewChat(id=ChatId(str(uuid7())), subtenant_id="default"), None)
    for first in range(0, count, 500):
        said = [
            Message(MessageId(str(uuid7())), "user", (Text(f"{number} {'x' * letters}"),))
            for number in range(first, min(first + 500, count))
        ]
        rows = [encode_message(StoredMessage(chat.id, None, one, None, NOW), 0) for one in said]
        async with database.writing(within=10) as connection:
            await connection.execute(insert(messages), rows)


@pytest.mark.requirement("porting:memory")
async def test_a_long_chat_is_never_in_memory(sql_database: Database, tmp_path: Path, long_run: bool) -> None:
    count, letters = LONG if long_run else SHORT
    await fill(sql_database, count, letters)
    path = tmp_path / "export.jsonl"
    with path.open("wb") as file, peak() as exporting:
        async with long_reading(sql_database) as connection:
            async for line in export_lines(connection, Wanted(subtenant=None, model_calls=True, made_by="a test")):
                file.write(encode_line(line))
    assert path.stat().st_size > count * letters > BOUND
    await empty(sql_database)
    with path.open("rb") as file, peak() as importing:
        async with long_writing(sql_database) as connection:
            made = await import_lines(connection, LineReader(file), replace=False)
    assert made["messages"] == count
    assert exporting.size < BOUND
    assert importing.size < BOUND

"""What an older REST service has stored, into our tables. Its own are only read."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Column, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import ChatId
from parlance.core.principal import DEFAULT_SUBTENANT
from parlance.store.message_rows import encode_message
from parlance.store.porting.refusal import PortingRefused
from parlance.store.porting.wrapper_messages import Chapter
from parlance.store.porting.wrapper_rows import READ, Row
from parlance.store.porting.wrapper_tables import Source, rows_of, survey
from parlance.store.porting.wrapper_values import uuid_of
from parlance.store.tables.assistants import assistants
from parlance.store.tables.chats import chats
from parlance.store.tables.memories import memories
from parlance.store.tables.subtenants import subtenants
from parlance.store.tables.whole import TABLES

TARGETS: Final = {table.name: table for table in TABLES}


class Arrival(Struct, frozen=True):
    """How many rows came and how many were `there` already, by our tables; how many were `left` there, by table and
    reason; what of the old tables nobody knows.
    """

    came: Counter[str]
    there: Counter[str]
    left: Counter[str]
    unknown: tuple[str, ...]


async def import_wrapper(old: AsyncConnection, new: AsyncConnection) -> Arrival:
    """From a transaction that reads into one that writes. What is there already, by its id, stays as it is.
    `PortingRefused` where there are no such tables.
    """
    surveyed = await survey(old)
    if not surveyed.sources:
        raise PortingRefused(
            "There are no tables of such a service in that database: its schema `public` has no subtenants, chats, "
            "messages, memories or assistants. Nothing was imported."
        )
    arrival = Arrival(Counter(), Counter(), Counter(), surveyed.unknown)
    moving = _Moving(new, arrival)
    await moving.make_default()
    for name, source in surveyed.sources.items():
        rows = _read_messages(old, source, arrival) if name == "messages" else _read(old, name, source, arrival)
        async for some in rows:
            await moving.keep(name, some)
    return arrival


async def _read(old: AsyncConnection, name: str, source: Source, arrival: Arrival) -> AsyncIterator[list[Row]]:
    now = datetime.now(UTC)
    async for found in rows_of(old, source):
        read = [READ[name](row, now) for row in found]
        arrival.left.update(f"{name} {reason}" for reason in read if isinstance(reason, str))
        yield [row for row in read if not isinstance(row, str)]


async def _read_messages(old: AsyncConnection, source: Source, arrival: Arrival) -> AsyncIterator[list[Row]]:
    """They come chat by chat. They are of before their chat's first turn: the old service kept no turns."""
    now = datetime.now(UTC)
    chapter = Chapter(ChatId(""))
    async for found in rows_of(old, source):
        some: list[Row] = []
        for row in found:
            chat = ChatId(uuid_of("chats", row["chat_id"]))
            chapter = chapter if chapter.chat == chat else Chapter(chat)
            match chapter.read(row, now):
                case str(reason):
                    arrival.left[f"messages {reason}"] += 1
                case message:
                    some.append(encode_message(message, 0))
        yield some


class _Moving:
    def __init__(self, new: AsyncConnection, arrival: Arrival) -> None:
        self._new = new
        self._arrival = arrival

    async def make_default(self) -> None:
        """What belongs to no subtenant will be its."""
        if not await self._found(subtenants.c.id, [DEFAULT_SUBTENANT]):
            now = datetime.now(UTC)
            values: Row = {"id": DEFAULT_SUBTENANT, "name": None, "metadata": {}, "created_at": now, "updated_at": now}
            await self._new.execute(insert(subtenants).values(values))

    async def keep(self, name: str, rows: list[Row]) -> None:
        """Those of which there are none under their ids, and whose owners are there."""
        table = TARGETS[name]
        there = await self._found(table.c.id, [row["id"] for row in rows])
        new = [row for row in rows if row["id"] not in there]
        self._arrival.there[name] += len(rows) - len(new)
        for parent, column in _PARENTS.get(name, {}).items():
            new = await self._with_parent(name, new, parent, column)
        if table is chats:
            new = await self._with_assistants(new)
        if table is memories:
            new = await self._with_free_keys(new)
        if new:
            await self._new.execute(insert(table), new)
        self._arrival.came[name] += len(new)

    async def _with_parent(self, name: str, rows: list[Row], parent: str, column: Column[Any]) -> list[Row]:
        there = await self._found(column, [row[parent] for row in rows])
        kept = [row for row in rows if row[parent] is None or row[parent] in there]
        self._left(f"{name} of {column.table.name} that are not there", len(rows) - len(kept))
        return kept

    async def _with_assistants(self, rows: list[Row]) -> list[Row]:
        """A chat goes on without one that is not there."""
        there = await self._found(assistants.c.id, [row["assistant_id"] for row in rows if row["assistant_id"]])
        return [row if row["assistant_id"] in there else {**row, "assistant_id": None} for row in rows]

    async def _with_free_keys(self, rows: list[Row]) -> list[Row]:
        free: list[Row] = []
        for row in rows:
            mine = (memories.c.subtenant_id == row["subtenant_id"], memories.c.key == row["key"])
            taken = (await self._new.execute(select(memories.c.seq).where(*mine))).first() is not None
            twice = any((one["subtenant_id"], one["key"]) == (row["subtenant_id"], row["key"]) for one in free)
            free += () if taken or twice else (row,)
        self._left("memories under keys that are taken", len(rows) - len(free))
        return free

    def _left(self, reason: str, count: int) -> None:
        if count:
            self._arrival.left[reason] += count

    async def _found(self, column: Column[Any], wanted: Sequence[object]) -> set[object]:
        found = await self._new.execute(select(column).where(column.in_(set(wanted))))
        return set(found.scalars())


_PARENTS: Final[Mapping[str, Mapping[str, Column[str]]]] = {
    "assistants": {"subtenant_id": subtenants.c.id},
    "memories": {"subtenant_id": subtenants.c.id},
    "chats": {"subtenant_id": subtenants.c.id},
    "messages": {"chat_id": chats.c.id},
}

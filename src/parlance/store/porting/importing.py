"""Lines of a file into tables, in one transaction of whoever calls."""

from collections import Counter
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import new_owner_id
from parlance.store.porting.checking import fault_in
from parlance.store.porting.line_rows import TABLES, encode_row
from parlance.store.porting.lines import (
    AssistantLine,
    ChatLine,
    Head,
    Line,
    MemoryLine,
    MessageLine,
    PieceLine,
    RowLine,
    SubtenantLine,
    TurnLine,
)
from parlance.store.porting.order import Order
from parlance.store.porting.reading import LineReader
from parlance.store.porting.refusal import LineRefused
from parlance.store.porting.room import make_room
from parlance.store.tables.assistants import assistants
from parlance.store.tables.memories import memories

AT_ONCE: Final = 256
"""Rows that are written together."""

HEAVY: Final = 4 << 20
"""Bytes of long rows that are written together, at most one row more."""

Row = dict[str, object]


async def import_lines(connection: AsyncConnection, reader: LineReader, *, replace: bool) -> Counter[str]:
    """How many rows of each table were made. `LineRefused`: the transaction is to be rolled back."""
    loading = Loading(connection, reader.head, replace=replace)
    for number, line in reader.rest():
        await loading.take(number, line)
    await loading.write()
    return loading.made


class Loading:
    """What was read and is not written yet, never more than a handful of rows."""

    def __init__(self, connection: AsyncConnection, head: Head, *, replace: bool) -> None:
        self._connection = connection
        self._order = Order(model_calls=head.model_calls)
        self._replaced = ("model_calls",) if head.model_calls else ()
        self._replace = replace
        # No process bears this id: what had not ended is ended, or taken up, as after a crash.
        self._owner = new_owner_id()
        self._rows: dict[type[RowLine], list[tuple[int, Row]]] = {kind: [] for kind in TABLES}
        self._count = self._bytes = 0
        self.made: Counter[str] = Counter()

    async def take(self, number: int, line: Line) -> None:
        fault = self._order.take(line) or (fault_in(line) if isinstance(line, RowLine) else None)
        if fault is not None or not isinstance(line, RowLine):
            raise LineRefused(number, fault or "it is none of a table's")
        if isinstance(line, SubtenantLine):
            await self.write()
            await make_room(self._connection, number, line, replace=self._replace, also=self._replaced)
            self.made["subtenants"] += 1
            return
        row = encode_row(line) | self._placed(line)
        self._rows[type(line)].append((number, row))
        self._count += 1
        self._bytes += sum(len(value) for value in row.values() if isinstance(value, str | bytes))
        if self._count >= AT_ONCE or self._bytes >= HEAVY:
            await self.write()

    async def write(self) -> None:
        for kind, numbered in self._rows.items():
            if numbered:
                await self._write(kind, numbered)
                numbered.clear()
        self._count = self._bytes = 0

    def _placed(self, line: RowLine) -> Row:
        """What a row has from where its line stands."""
        subtenant, turn = self._order.subtenant, self._order.turn
        match line:
            case TurnLine():
                return {"subtenant_id": None if subtenant is None else subtenant.id, "owner": self._owner}
            case MessageLine():
                return {"position": 0 if turn is None else turn.position}
            case _:
                return {}

    async def _write(self, kind: type[RowLine], numbered: list[tuple[int, Row]]) -> None:
        if kind is not PieceLine:
            numbered = await self._unknown(kind, numbered)
        if kind is ChatLine:
            await self._check_assistants(numbered)
        rows = [row for _, row in numbered]
        if rows:
            await self._insert(kind, rows, numbered[0][0])
        self.made[TABLES[kind].name] += len(rows)

    async def _insert(self, kind: type[RowLine], rows: list[Row], number: int) -> None:
        try:
            await self._connection.execute(insert(TABLES[kind]), rows)
        except IntegrityError:
            raise LineRefused(
                number, "it, or one of the next, is there already, or was made at this very moment by somebody else"
            ) from None

    async def _unknown(self, kind: type[RowLine], numbered: list[tuple[int, Row]]) -> list[tuple[int, Row]]:
        """Those that are not there yet. Assistants of the whole service that are there stay as they are."""
        table = TABLES[kind]
        there = await self._found(table.c.id, [row["id"] for _, row in numbered])
        keys: set[object] = set()
        if kind is MemoryLine and self._order.subtenant is not None:
            mine = memories.c.subtenant_id == self._order.subtenant.id
            keys = await self._found(memories.c.key, [row["key"] for _, row in numbered], mine)
        new: list[tuple[int, Row]] = []
        for number, row in numbered:
            if row["id"] in there and kind is AssistantLine and row["subtenant_id"] is None:
                continue
            if row["id"] in there:
                raise LineRefused(number, f"$.id: {row['id']} is there already, in the database or above")
            if kind is MemoryLine and row["key"] in keys:
                raise LineRefused(number, "$.key: there is a memory under this key above")
            there.add(row["id"])
            keys.add(row.get("key"))
            new.append((number, row))
        return new

    async def _check_assistants(self, numbered: list[tuple[int, Row]]) -> None:
        named = [row["assistant_id"] for _, row in numbered if row["assistant_id"] is not None]
        mine = assistants.c.subtenant_id.is_(None) | (assistants.c.subtenant_id == numbered[0][1]["subtenant_id"])
        there = await self._found(assistants.c.id, named, mine)
        for number, row in numbered:
            if row["assistant_id"] is not None and row["assistant_id"] not in there:
                raise LineRefused(number, "$.assistant_id: there is no such assistant above, nor of the whole service")

    async def _found(self, column: Column[Any], wanted: list[Any], *conditions: ColumnElement[bool]) -> set[object]:
        found = await self._connection.execute(select(column).where(column.in_(wanted), *conditions))
        return set(found.scalars())

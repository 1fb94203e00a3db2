"""A database filled with copies of a turn that a server has kept there, so that its rows are as servers write them."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import ChatId, TurnId, new_chat_id, new_turn_id, uuid7
from parlance.store.database import Database
from parlance.store.tables.chats import chats
from parlance.store.tables.messages import messages
from parlance.store.tables.model_calls import model_calls
from parlance.store.tables.pieces import pieces
from parlance.store.tables.turns import turns

COPIED = (chats, turns, messages, pieces, model_calls)
"""Each behind those that it refers to."""

AT_ONCE = 2_000
"""Copies of a turn that are written in one statement for each table."""

FILLING = 300.0
"""Seconds that one transaction may take, on a machine that is slow."""

Row = Mapping[str, object]
Where = tuple[ChatId, TurnId, int]
"""Of a copy: its chat, its turn, and that one's position in the chat."""


async def fill(database: Database, turn: str, *, chats_of_one: int, turns_of_one_chat: int) -> ChatId:
    """So many chats of that one turn, and one more with many of it: its id is returned."""
    long_chat = new_chat_id()
    async with database.reading(within=FILLING) as connection:
        template = {table: await _rows_of(connection, table, turn) for table in COPIED}
    await _copy(database, template, [(new_chat_id(), new_turn_id(), 1) for _ in range(chats_of_one)])
    await _copy(database, template, [(long_chat, new_turn_id(), at + 1) for at in range(turns_of_one_chat)])
    return long_chat


async def _rows_of(connection: AsyncConnection, table: Table, turn: str) -> list[Row]:
    of_turn = turns.c.id == turn
    if table is chats:
        wanted = select(chats).join(turns, turns.c.chat_id == chats.c.id).where(of_turn)
    elif table is turns:
        wanted = select(turns).where(of_turn)
    else:
        wanted = select(table).where(table.c.turn_id == turn)
    return [dict(row) for row in (await connection.execute(wanted)).mappings()]


async def _copy(database: Database, template: Mapping[Table, list[Row]], wheres: list[Where]) -> None:
    for at in range(0, len(wheres), AT_ONCE):
        some = wheres[at : at + AT_ONCE]
        async with database.writing(within=FILLING) as connection:
            for table in COPIED:
                rows = [row for where in some for row in _copies(table, template[table], where)]
                if rows:
                    await connection.execute(insert(table), rows)


def _copies(table: Table, rows: list[Row], where: Where) -> Iterator[Row]:
    chat, turn, position = where
    if table is chats and position > 1:
        return
    for row in rows:
        copy = {name: value for name, value in row.items() if name != "seq"}
        if "chat_id" in copy:
            copy["chat_id"] = chat
        if "turn_id" in copy:
            copy["turn_id"] = turn
        if "position" in copy:
            copy["position"] = position
        if "id" in copy:
            copy["id"] = chat if table is chats else turn if table is turns else str(uuid7())
        yield copy

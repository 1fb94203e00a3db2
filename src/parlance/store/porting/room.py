"""Room for a subtenant that is brought in: what is there of it already stays, or goes, or forbids it."""

from sqlalchemy import Table, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.store.porting.line_rows import encode_row
from parlance.store.porting.lines import SubtenantLine
from parlance.store.porting.refusal import LineRefused
from parlance.store.tables.assistants import assistants
from parlance.store.tables.chats import chats
from parlance.store.tables.leases import leases
from parlance.store.tables.memories import memories
from parlance.store.tables.model_calls import model_calls
from parlance.store.tables.schema import database_seconds
from parlance.store.tables.subtenants import subtenants
from parlance.store.tables.turns import turns

OWNED = (chats, assistants, memories)
"""What goes when a subtenant is replaced. The log of model calls only where the file has one."""


async def make_room(
    connection: AsyncConnection, number: int, line: SubtenantLine, *, replace: bool, also: tuple[str, ...]
) -> None:
    """Afterwards the subtenant is there, as the file's line `number` says, and has nothing. One that has nothing yet,
    such as those that a server makes at its start, gives way by itself. `LineRefused`.
    """
    row = encode_row(line)
    known = select(subtenants.c.seq).where(subtenants.c.id == line.id).with_for_update()
    if (await connection.execute(known)).first() is None:
        await connection.execute(insert(subtenants).values(row))
        return
    if replace:
        await _clear(connection, number, line.id, also)
    elif (there := await _owned(connection, line.id)) is not None:
        raise LineRefused(
            number,
            f"the subtenant {line.id[:80]!r} is there already, and has {there}. With --replace, everything of it is "
            "deleted first",
        )
    await connection.execute(update(subtenants).where(subtenants.c.id == line.id).values(row))


async def _owned(connection: AsyncConnection, id: str) -> str | None:
    for table in OWNED:
        if await _has_rows(connection, table, id):
            return table.name
    return None


async def _has_rows(connection: AsyncConnection, table: Table, id: str) -> bool:
    return (
        await connection.execute(select(table.c.seq).where(table.c.subtenant_id == id).limit(1))
    ).first() is not None


async def _clear(connection: AsyncConnection, number: int, id: str, also: tuple[str, ...]) -> None:
    alive = exists().where(leases.c.owner == turns.c.owner, leases.c.expires > database_seconds())
    running = select(turns.c.id).where(turns.c.subtenant_id == id, turns.c.ended_at.is_(None), alive).limit(1)
    if (turn := (await connection.execute(running)).scalar()) is not None:
        raise LineRefused(
            number,
            f"a server answers in a chat of the subtenant {id[:80]!r} (turn {turn}). Cancel that, or stop the server",
        )
    for table in (*OWNED, *(table for table in (model_calls,) if table.name in also)):
        await connection.execute(delete(table).where(table.c.subtenant_id == id))

"""What is stored, as lines: a subtenant's or everybody's."""

import math
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.stores import Reach
from parlance.store.checks import is_name
from parlance.store.porting.line_rows import TABLES, columns_of, decode_row
from parlance.store.porting.lines import (
    FORMAT,
    VERSION,
    AssistantLine,
    ChatLine,
    End,
    Head,
    MemoryLine,
    MessageLine,
    ModelCallLine,
    PieceLine,
    RowLine,
    SubtenantLine,
    Told,
    TurnLine,
)
from parlance.store.porting.pages import Walk, read_pages
from parlance.store.porting.refusal import PortingRefused
from parlance.store.tables.assistants import assistants
from parlance.store.tables.chats import chats
from parlance.store.tables.messages import messages
from parlance.store.tables.pieces import pieces
from parlance.store.tables.subtenants import subtenants
from parlance.store.tables.turns import turns

T = TypeVar("T", bound=RowLine)


class Wanted(Struct, frozen=True, kw_only=True):
    """`subtenant` None: all of them, and all assistants of the whole service."""

    subtenant: Reach
    model_calls: bool
    made_by: str


async def export_lines(connection: AsyncConnection, wanted: Wanted) -> AsyncIterator[Told]:
    """Within one transaction for reading, so that all is of one moment. `PortingRefused` for a subtenant that there is
    not.
    """
    if wanted.subtenant is not None:
        await _require(connection, wanted.subtenant)
    count = 0
    async for line in _all_lines(connection, wanted):
        count += 1
        yield line
    yield End(lines=count)


async def _all_lines(connection: AsyncConnection, wanted: Wanted) -> AsyncIterator[Told]:
    yield Head(format=FORMAT, version=VERSION, made_by=wanted.made_by, model_calls=wanted.model_calls)
    async for assistant in _lines(connection, AssistantLine, *_of_whole_service(wanted.subtenant)):
        yield assistant
    mine = () if wanted.subtenant is None else (subtenants.c.id == wanted.subtenant,)
    async for subtenant in _lines(connection, SubtenantLine, *mine):
        yield subtenant
        async for line in _of_subtenant(connection, subtenant.id, model_calls=wanted.model_calls):
            yield line


async def _of_subtenant(connection: AsyncConnection, id: str, *, model_calls: bool) -> AsyncIterator[Told]:
    for kind in (AssistantLine, MemoryLine):
        async for line in _lines(connection, kind, TABLES[kind].c.subtenant_id == id):
            yield line
    async for chat in _lines(connection, ChatLine, chats.c.subtenant_id == id):
        yield chat
        async for said in _of_chat(connection, chat):
            yield said
    if model_calls:
        async for call in _lines(connection, ModelCallLine, TABLES[ModelCallLine].c.subtenant_id == id):
            yield call


async def _of_chat(connection: AsyncConnection, chat: ChatLine) -> AsyncIterator[Told]:
    """Each turn with its log and its messages: three walks side by side, none of which runs ahead."""
    of_messages = select(*columns_of(MessageLine)).where(messages.c.chat_id == chat.id)
    spoken = Walk(read_pages(connection, of_messages, (messages.c.position, messages.c.seq)))
    async for message in spoken.up_to(0):
        yield decode_row(MessageLine, message)
    of_pieces = select(*columns_of(PieceLine)).join(turns, turns.c.id == pieces.c.turn_id)
    logged = Walk(read_pages(connection, of_pieces.where(turns.c.chat_id == chat.id), _PIECES_IN_ORDER))
    of_turns = select(*columns_of(TurnLine)).where(turns.c.chat_id == chat.id)
    async for row in read_pages(connection, of_turns, (turns.c.position,)):
        turn = decode_row(TurnLine, row)
        yield turn
        async for piece in logged.up_to(turn.position):
            yield decode_row(PieceLine, piece)
        async for message in spoken.up_to(turn.position):
            yield decode_row(MessageLine, message)
    async for message in spoken.up_to(math.inf):
        yield decode_row(MessageLine, message)


async def _lines(connection: AsyncConnection, kind: type[T], *conditions: ColumnElement[bool]) -> AsyncIterator[T]:
    """Rows of a table that numbers them, in the order of their creation."""
    wanted: Select[*tuple[Any, ...]] = select(*columns_of(kind)).where(*conditions)
    async for row in read_pages(connection, wanted, (TABLES[kind].c.seq,)):
        yield decode_row(kind, row)


def _of_whole_service(subtenant: Reach) -> tuple[ColumnElement[bool], ...]:
    """All of them, or those that a subtenant's chats were made with."""
    everybody = assistants.c.subtenant_id.is_(None)
    if subtenant is None:
        return (everybody,)
    used = select(chats.c.assistant_id).where(chats.c.subtenant_id == subtenant, chats.c.assistant_id.is_not(None))
    return (everybody, assistants.c.id.in_(used))


async def _require(connection: AsyncConnection, id: str) -> None:
    if is_name(id):
        found = await connection.execute(select(subtenants.c.seq).where(subtenants.c.id == id))
        if found.first() is not None:
            return
    raise PortingRefused(f"There is no subtenant {id[:80]!r}.")


_PIECES_IN_ORDER: Final = (turns.c.position, pieces.c.first)

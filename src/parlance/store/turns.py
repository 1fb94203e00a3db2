"""Stored turns in SQL. What is written goes through the `Writer`; here they are read."""

from collections.abc import Sequence
from typing import Final, Literal

from sqlalchemy import bindparam, case, select

from parlance.core.errors import ChatNotFound
from parlance.core.ids import ChatId, Epoch, TurnId
from parlance.core.messages import Message
from parlance.core.stores import Page, Reach
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.turns import Accepted, Ending, KeptEvents, NewTurn, Piece, TurnRecord
from parlance.core.transcript import answer_open_calls
from parlance.store import turn_rows
from parlance.store.acceptance import check_repeated, check_turn, turn_not_found
from parlance.store.chats import require_chat
from parlance.store.checks import is_uuid, storable
from parlance.store.database import Database
from parlance.store.group import Change
from parlance.store.known import find_keys, name_of
from parlance.store.rows import within
from parlance.store.slices import Slices
from parlance.store.tables.pieces import pieces
from parlance.store.tables.turns import turns
from parlance.store.turn_rows import decode_events, decode_turn
from parlance.store.writer import Writer


class SqlTurns:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def accept(self, new: NewTurn) -> Accepted:
        check_turn(new)
        return await self._writer.accept(new)

    async def begun(self, key: RequestKey) -> TurnRecord | None:
        async with self._database.reading() as connection:
            known = (await find_keys(connection, (key,))).get(name_of(key))
        if known is None:
            return None
        check_repeated(key, known.fingerprint)
        return known.turn

    async def keep(self, pieces: Sequence[Piece]) -> frozenset[TurnId]:
        return await self._writer.keep(pieces)

    async def end(self, ending: Ending) -> TurnRecord:
        return await self._writer.end(ending)

    async def state(self, turn: TurnId, epoch: Epoch, state: Literal["running", "waiting"]) -> None:
        await self._writer.change(Change(turn, epoch, state))

    async def find(self, turn: TurnId, reach: Reach) -> TurnRecord:
        if not is_uuid(turn):
            raise turn_not_found(turn)
        async with self._database.reading() as connection:
            row = (await connection.execute(_TURNS.where(turns.c.id == turn, *within(turns, reach)))).first()
        if row is None:
            raise turn_not_found(turn)
        return decode_turn(row)

    async def asked(self, turn: TurnId) -> bytes:
        if is_uuid(turn):
            async with self._database.reading() as connection:
                row = (await connection.execute(select(turns.c.asked).where(turns.c.id == turn))).first()
            if row is not None:
                return bytes(row.asked)
        raise turn_not_found(turn)

    async def events(self, turn: TurnId, after: int = 0) -> KeptEvents:
        if not is_uuid(turn):
            raise turn_not_found(turn)
        async with self._database.reading() as connection:
            found = (await connection.execute(_TURNS.where(turns.c.id == turn))).first()
            rows = (await connection.execute(_PIECES, {"of": turn, "after": after})).all()
        if found is None:
            raise turn_not_found(turn)
        kept = (
            item for first, lost, events in rows if events is not None for item in decode_events(first, lost, events)
        )
        return KeptEvents(
            turn=decode_turn(found),
            events=tuple(item for item in kept if item[0] > after),
            lost=max((lost or 0 for _, lost, _ in rows), default=0),
        )

    async def list(self, chat: ChatId, page: Page, reach: Reach, *, open_only: bool = False) -> tuple[TurnRecord, ...]:
        wanted = _TURNS.where(turns.c.chat_id == chat).order_by(turns.c.position)
        if open_only:
            wanted = wanted.where(turns.c.ended_at.is_(None))
        async with self._database.reading() as connection:
            await require_chat(connection, chat, reach)
            found = await connection.execute(wanted.offset(page.skip).limit(page.limit))
            return tuple(map(decode_turn, found))

    async def newest(self, chat: ChatId, reach: Reach) -> TurnRecord | None:
        async with self._database.reading() as connection:
            await require_chat(connection, chat, reach)
            row = (await connection.execute(_NEWEST, {"chat": chat})).first()
        return None if row is None else decode_turn(row)

    async def bearing(self, chat: ChatId, epoch: Epoch, reach: Reach) -> TurnRecord | None:
        async with self._database.reading() as connection:
            await require_chat(connection, chat, reach)
            for wanted, given in ((_BEARING, {"epoch": storable(epoch)}), (_RENUMBERED, {"chat": chat})):
                for turn in map(decode_turn, await connection.execute(wanted, given)):
                    if turn.chat == chat and epoch in (turn.epoch, *(former for _, former in turn.former_epochs)):
                        return turn
        return None

    async def open_in(self, subtenant: str) -> tuple[TurnRecord, ...]:
        wanted = _TURNS.where(turns.c.subtenant_id == subtenant, turns.c.ended_at.is_(None)).order_by(turns.c.seq)
        async with self._database.reading() as connection:
            return tuple(map(decode_turn, await connection.execute(wanted)))

    async def ended_before(self, turn: TurnRecord) -> bool:
        async with self._database.reading() as connection:
            found = await connection.execute(_OPEN_BEFORE, {"chat": turn.chat, "position": turn.position})
            return found.first() is None

    async def history(self, turn: TurnRecord) -> tuple[Message, ...]:
        said = Slices(turn.chat, before=turn.position)
        try:
            while said.more:
                async with self._database.reading() as connection:
                    if said.begun:
                        await require_chat(connection, turn.chat, None)
                    await said.fetch(connection)
                said.decode()
        except ChatNotFound:
            return ()
        return answer_open_calls([one.message for one in said.in_order() if _counts(one)])


def _counts(stored: StoredMessage) -> bool:
    """Whether a message is history: of a turn that has not ended it is not."""
    if stored.status == "failed":
        return stored.message.role == "user"
    return stored.status is not None or stored.turn_id is None


_TURNS: Final = select(*turn_rows.COLUMNS)
_NEWEST: Final = _TURNS.where(turns.c.chat_id == bindparam("chat")).order_by(turns.c.position.desc()).limit(1)

# Of which chat is not asked: SQLite might look for the chat's turns, and through all of them for the epoch.
_BEARING: Final = _TURNS.where(turns.c.epoch == bindparam("epoch"))
_RENUMBERED: Final = _TURNS.where(turns.c.chat_id == bindparam("chat"), turns.c.former_epochs.is_not(None))

# What is not asked for is not read either: of a turn that is being followed that is nearly all.
_PIECES: Final = (
    select(
        pieces.c.first,
        pieces.c.lost,
        case((pieces.c.last > bindparam("after"), pieces.c.events)).label("events"),
    )
    .where(pieces.c.turn_id == bindparam("of"))
    .order_by(pieces.c.first)
)
_OPEN_BEFORE: Final = select(turns.c.seq).where(
    turns.c.chat_id == bindparam("chat"), turns.c.position < bindparam("position"), turns.c.ended_at.is_(None)
)

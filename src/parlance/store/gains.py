"""What a group of changes adds to the database: gathered first, then written with one statement for each kind."""

from datetime import UTC, datetime
from typing import Final

from msgspec import structs
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import TurnId
from parlance.core.messages import Message
from parlance.core.stores.chats import Chat
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.turns import Ending, NewTurn, Piece, TurnRecord
from parlance.store.known import name_of
from parlance.store.message_rows import encode_message
from parlance.store.pieces import behind, last_of, renumbered
from parlance.store.prepared import Insertion, Values, updating, write_rows
from parlance.store.tables.chats import chats
from parlance.store.tables.messages import messages
from parlance.store.tables.pieces import pieces
from parlance.store.tables.request_keys import request_keys
from parlance.store.tables.turns import turns
from parlance.store.turn_rows import (
    NUMBERING,
    PROGRESS,
    encode_numbering,
    encode_piece,
    encode_progress,
    encode_turn,
)


class Gains:
    """`rung`: the turns and chats of which others should hear."""

    def __init__(self) -> None:
        self.rung: set[str] = set()
        self._chats: list[Values] = []
        self._begun: dict[TurnId, TurnRecord] = {}
        self._asked: dict[TurnId, bytes] = {}
        self._changed: dict[TurnId, TurnRecord] = {}
        self._renumbered: set[TurnId] = set()
        self._messages: list[Values] = []
        self._pieces: list[Values] = []
        self._keys: list[Values] = []

    def add_chat(self, new: Chat) -> None:
        self._chats.append(structs.asdict(new))

    def begin(self, turn: TurnRecord, new: NewTurn) -> None:
        """A turn that is accepted, with its first event, the user's message and the request's key."""
        self._begun[turn.id] = turn
        self._asked[turn.id] = new.asked
        self._pieces.append(encode_piece(Piece(turn.id, turn.epoch, 1, (new.started,))))
        if new.started.input is not None:
            self._add_message(turn, new.started.input, new)
        if new.key is not None:
            self._keys.append(_encode_key(new.key, turn))
        if new.new_chat is None:
            # Nobody listens to a chat before it is there.
            self.rung.add(turn.chat)

    def keep(self, turn: TurnRecord, piece: Piece) -> TurnRecord:
        """The turn with what of the piece is new."""
        piece = behind(turn.head, piece)
        if not piece.events:
            return turn
        self._pieces.append(encode_piece(piece))
        return self.change(structs.replace(turn, head=last_of(piece)))

    def change(self, turn: TurnRecord) -> TurnRecord:
        kept = self._begun if turn.id in self._begun else self._changed
        kept[turn.id] = turn
        self.rung.add(turn.id)
        return turn

    def end(self, turn: TurnRecord, ending: Ending) -> TurnRecord:
        """The turn with its end. It bears the ending's epoch from now on."""
        ended = ending.ended
        if turn.epoch != ending.piece.epoch:
            self._renumbered.add(turn.id)
        turn = self.keep(renumbered(turn, ending.piece.epoch), ending.piece)
        for message in ending.messages:
            self._add_message(turn, message)
        self.rung.add(turn.chat)
        return self.change(
            structs.replace(
                turn,
                state=ended.status,
                ended_at=datetime.now(UTC),
                finish=ended.finish,
                usage=ended.usage,
                fault=ended.fault,
            )
        )

    async def write(self, connection: AsyncConnection) -> None:
        """Changes of turns behind a statement that reads them, in the same transaction."""
        changed = self._changed.values()
        progress: list[Values] = [{"of": turn.id, **encode_progress(turn)} for turn in changed]
        numbering: list[Values] = [
            {"of": turn.id, **encode_numbering(turn)} for turn in changed if turn.id in self._renumbered
        ]
        inserts = (
            (_CHATS, self._chats),
            (_TURNS, [encode_turn(turn, self._asked[turn.id]) for turn in self._begun.values()]),
            (_KEYS, self._keys),
            (_MESSAGES, self._messages),
            (_PIECES, self._pieces),
        )
        await write_rows(connection, inserts, ((_PROGRESS, progress), (_NUMBERING, numbering)))

    def _add_message(self, turn: TurnRecord, message: Message, of: NewTurn | None = None) -> None:
        functions = None if of is None else of.enabled_functions
        tools = None if of is None else of.enabled_mcp_tools
        stored = StoredMessage(turn.chat, turn.id, message, None, datetime.now(UTC), functions, tools)
        self._messages.append(encode_message(stored, turn.position))


def _encode_key(key: RequestKey, turn: TurnRecord) -> Values:
    home, key_id, operation, text = name_of(key)
    return {
        "home": home,
        "key_id": key_id,
        "operation": operation,
        "key": text,
        "fingerprint": key.fingerprint,
        "turn_id": turn.id,
        "created_at": turn.accepted_at,
    }


def _columns(table: Table) -> list[str]:
    """All but the number that the database gives to each row."""
    return [column.name for column in table.columns if column.name != "seq"]


_CHATS: Final = Insertion(chats, [*Chat.__struct_fields__])
_TURNS: Final = Insertion(turns, [name for name in _columns(turns) if name != "trimmed_at"])
_KEYS: Final = Insertion(request_keys, _columns(request_keys))
_MESSAGES: Final = Insertion(messages, _columns(messages))
_PIECES: Final = Insertion(pieces, _columns(pieces))
_PROGRESS: Final = updating(turns, PROGRESS)
_NUMBERING: Final = updating(turns, NUMBERING)

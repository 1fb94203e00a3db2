"""Stored turns on a shelf."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import structs

from parlance.core.ids import ChatId, Epoch, TurnId
from parlance.core.messages import Message
from parlance.core.stores import Page, Reach
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.turns import (
    Accepted,
    Ending,
    KeptEvents,
    NewTurn,
    Piece,
    TurnRecord,
)
from parlance.core.transcript import answer_open_calls
from parlance.store.acceptance import (
    begun_turn,
    belongs,
    check_policy,
    check_repeated,
    check_turn,
    is_open,
    turn_not_found,
)
from parlance.store.in_memory.chats import put_chat
from parlance.store.in_memory.shelf import KeptKey, KeyName, Shelf
from parlance.store.pieces import behind, last_of, renumbered


class InMemoryTurns:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def accept(self, new: NewTurn) -> Accepted:
        check_turn(new)
        turn = None if new.key is None else await self.begun(new.key)
        if turn is not None:
            return Accepted(turn, self._shelf.chats[turn.chat], repeated=True)
        if new.new_chat is None:
            chat = self._shelf.chat(new.chat, new.reach)
            before = [turn for turn in self._shelf.turns.values() if turn.chat == new.chat]
        else:
            chat, before = put_chat(self._shelf, new.new_chat, new.reach), []
        ahead = tuple(turn for turn in before if is_open(turn.state))
        check_policy(new, ahead)
        turn = begun_turn(new, chat.subtenant_id, len(before) + 1, waits=bool(ahead))
        self._shelf.turns[turn.id] = turn
        self._shelf.asked[turn.id] = new.asked
        self._shelf.pieces[turn.id] = [Piece(turn.id, turn.epoch, 1, (new.started,))]
        if new.key is not None:
            self._shelf.keys[_name(new.key)] = KeptKey(new.key.fingerprint, turn.id, turn.accepted_at)
        if new.started.input is not None:
            self._put_message(turn, new.started.input, new)
        self._shelf.subscribers.ring((turn.chat,))
        return Accepted(turn, chat, ahead)

    async def begun(self, key: RequestKey) -> TurnRecord | None:
        known = self._shelf.keys.get(_name(key))
        if known is None or known.turn is None:
            return None
        check_repeated(key, known.fingerprint)
        return self._shelf.turns[known.turn]

    async def keep(self, pieces: Sequence[Piece]) -> frozenset[TurnId]:
        passed_over: set[TurnId] = set()
        for piece in pieces:
            turn = self._shelf.turns.get(piece.turn)
            if turn is not None and belongs(turn, piece.epoch):
                self._put_piece(turn, behind(turn.head, piece))
            else:
                passed_over.add(piece.turn)
        return frozenset(passed_over)

    async def end(self, ending: Ending) -> TurnRecord:
        turn = self._find(ending.piece.turn)
        return self.put_ending(turn, ending) if belongs(turn, ending.piece.epoch) else turn

    async def state(self, turn: TurnId, epoch: Epoch, state: Literal["running", "waiting"]) -> None:
        found = self._shelf.turns.get(turn)
        if found is not None and belongs(found, epoch):
            self._shelf.turns[turn] = structs.replace(found, state=state)
            self._shelf.subscribers.ring((turn,))

    async def find(self, turn: TurnId, reach: Reach) -> TurnRecord:
        found = self._find(turn)
        if reach not in (None, found.subtenant):
            raise turn_not_found(turn)
        return found

    async def asked(self, turn: TurnId) -> bytes:
        return self._shelf.asked[self._find(turn).id]

    async def events(self, turn: TurnId, after: int = 0) -> KeptEvents:
        found = self._find(turn)
        pieces = self._shelf.pieces[turn]
        numbered = (item for piece in pieces for item in enumerate(piece.events, piece.first))
        return KeptEvents(
            turn=found,
            events=tuple(item for item in numbered if item[0] > after),
            lost=self._shelf.lost.get(turn, 0),
        )

    async def list(self, chat: ChatId, page: Page, reach: Reach, *, open_only: bool = False) -> tuple[TurnRecord, ...]:
        self._shelf.chat(chat, reach)
        wanted = tuple(turn for turn in self._of(chat) if not open_only or is_open(turn.state))
        return wanted[page.skip : page.skip + page.limit]

    async def newest(self, chat: ChatId, reach: Reach) -> TurnRecord | None:
        self._shelf.chat(chat, reach)
        return max(self._of(chat), key=lambda turn: turn.position, default=None)

    async def bearing(self, chat: ChatId, epoch: Epoch, reach: Reach) -> TurnRecord | None:
        self._shelf.chat(chat, reach)
        bearing = (one for one in self._of(chat) if epoch in (one.epoch, *(former for _, former in one.former_epochs)))
        return next(bearing, None)

    async def open_in(self, subtenant: str) -> tuple[TurnRecord, ...]:
        found = self._shelf.turns.values()
        return tuple(turn for turn in found if turn.subtenant == subtenant and is_open(turn.state))

    async def ended_before(self, turn: TurnRecord) -> bool:
        before = (one for one in self._shelf.turns.values() if one.chat == turn.chat and one.position < turn.position)
        return not any(is_open(one.state) for one in before)

    async def history(self, turn: TurnRecord) -> tuple[Message, ...]:
        before = [stored for stored in self._shelf.messages_of(turn.chat) if self._counts(stored, turn)]
        return answer_open_calls([stored.message for stored in before])

    def put_ending(self, turn: TurnRecord, ending: Ending) -> TurnRecord:
        """Of a turn that is open, whoever its owner is. It bears the ending's epoch from now on."""
        turn = self._put_piece(renumbered(turn, ending.piece.epoch), behind(turn.head, ending.piece))
        ended = ending.ended
        turn = self._shelf.turns[turn.id] = structs.replace(
            turn,
            state=ended.status,
            ended_at=datetime.now(UTC),
            finish=ended.finish,
            usage=ended.usage,
            fault=ended.fault,
        )
        for message in ending.messages:
            self._put_message(turn, message)
        self._shelf.subscribers.ring((turn.id, turn.chat))
        return turn

    def _of(self, chat: ChatId) -> Iterator[TurnRecord]:
        return (turn for turn in self._shelf.turns.values() if turn.chat == chat)

    def _find(self, turn: TurnId) -> TurnRecord:
        found = self._shelf.turns.get(turn)
        if found is None:
            raise turn_not_found(turn)
        return found

    def _put_piece(self, turn: TurnRecord, piece: Piece) -> TurnRecord:
        if piece.events:
            self._shelf.pieces[turn.id].append(piece)
            turn = self._shelf.turns[turn.id] = structs.replace(turn, head=last_of(piece))
            self._shelf.subscribers.ring((turn.id,))
        return turn

    def _put_message(self, turn: TurnRecord, message: Message, of: NewTurn | None = None) -> None:
        self._shelf.messages[message.id] = StoredMessage(
            chat_id=turn.chat,
            turn_id=turn.id,
            message=message,
            status=None,
            created_at=datetime.now(UTC),
            enabled_functions=None if of is None else of.enabled_functions,
            enabled_mcp_tools=None if of is None else of.enabled_mcp_tools,
        )

    def _counts(self, stored: StoredMessage, turn: TurnRecord) -> bool:
        maker = None if stored.turn_id is None else self._shelf.turns[stored.turn_id]
        if maker is None:
            return True
        earlier = maker.position < turn.position and not is_open(maker.state)
        return earlier and (maker.state != "failed" or stored.message.role == "user")


def _name(key: RequestKey) -> KeyName:
    return key.home, key.key_id, key.operation, key.key

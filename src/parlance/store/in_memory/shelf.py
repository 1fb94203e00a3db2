"""Where the doubles keep everything, so that deleting one thing takes with it what belongs to it."""

from datetime import datetime

from msgspec import Struct, structs

from parlance.core.errors import ChatNotFound, SubtenantNotFound
from parlance.core.ids import AssistantId, ChatId, MemoryId, MessageId, OwnerId, TurnId
from parlance.core.stores import Reach
from parlance.core.stores.answers import Claim, KeptAnswer
from parlance.core.stores.assistants import Assistant
from parlance.core.stores.chats import Chat
from parlance.core.stores.memories import Memory
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.model_calls import ModelCall
from parlance.core.stores.subtenants import Subtenant
from parlance.core.stores.turns import Piece, TurnRecord, Word
from parlance.store.subscribers import Subscribers

KeyName = tuple[str, str, str, str]
"""A request key without its fingerprint: home, key id, operation, key."""


class KeptKey(Struct, frozen=True):
    """What a request under an idempotency key began."""

    fingerprint: bytes
    turn: TurnId
    created_at: datetime


class HeldKey(Struct, frozen=True):
    """A claim, with what came of it. Without an answer: somebody carries the request out."""

    claim: Claim
    at: datetime
    answer: KeptAnswer | None = None

    def is_of(self, subtenant: str) -> bool:
        told = None if self.answer is None else self.answer.subtenant
        return subtenant in (self.claim.key.home, told)


class Shelf:
    """A dict's order is the order of creation: change values in place, and never put a key in again.

    A stored message's `status` is not kept here but read from its turn. `pieces` are in the order of their numbers;
    `lost` is the last number of a turn's log that was trimmed. `leases` end at a reading of the monotonic clock.
    """

    def __init__(self) -> None:
        self.subtenants: dict[str, Subtenant] = {}
        self.chats: dict[ChatId, Chat] = {}
        self.messages: dict[MessageId, StoredMessage] = {}
        self.memories: dict[MemoryId, Memory] = {}
        self.assistants: dict[AssistantId, Assistant] = {}
        self.model_calls: dict[str, ModelCall] = {}
        self.turns: dict[TurnId, TurnRecord] = {}
        self.pieces: dict[TurnId, list[Piece]] = {}
        self.asked: dict[TurnId, bytes] = {}
        self.lost: dict[TurnId, int] = {}
        self.keys: dict[KeyName, KeptKey] = {}
        self.answers: dict[KeyName, HeldKey] = {}
        self.words: list[Word] = []
        self.leases: dict[OwnerId, float] = {}
        self.subscribers = Subscribers()

    def subtenant(self, id: str, reach: Reach) -> Subtenant:
        found = self.subtenants.get(id)
        if found is None or reach not in (None, id):
            raise SubtenantNotFound(f"There is no subtenant {id[:80]!r}.")
        return found

    def chat(self, id: ChatId, reach: Reach) -> Chat:
        found = self.chats.get(id)
        if found is None or reach not in (None, found.subtenant_id):
            raise ChatNotFound(f"There is no chat {id[:80]!r}.")
        return found

    def messages_of(self, chat: ChatId) -> list[StoredMessage]:
        """In the order of the Protocol, each with the status of its turn."""
        found = [self.with_status(message) for message in self.messages.values() if message.chat_id == chat]
        return sorted(found, key=self._position)

    def with_status(self, message: StoredMessage) -> StoredMessage:
        turn = self.turns.get(message.turn_id) if message.turn_id is not None else None
        if turn is None or turn.state in ("queued", "running", "waiting"):
            return message
        return structs.replace(message, status=turn.state)

    def drop_subtenant(self, id: str) -> None:
        for chat in [chat.id for chat in self.chats.values() if chat.subtenant_id == id]:
            self.drop_chat(chat)
        self.memories = {key: value for key, value in self.memories.items() if value.subtenant_id != id}
        self.assistants = {key: value for key, value in self.assistants.items() if value.subtenant_id != id}
        self.model_calls = {key: value for key, value in self.model_calls.items() if value.subtenant_id != id}
        self.answers = {name: held for name, held in self.answers.items() if not held.is_of(id)}
        del self.subtenants[id]

    def drop_chat(self, id: ChatId) -> None:
        gone = {turn.id for turn in self.turns.values() if turn.chat == id}
        for turn in gone:
            del self.turns[turn]
            self.pieces.pop(turn, None)
            self.asked.pop(turn, None)
            self.lost.pop(turn, None)
        self.messages = {key: value for key, value in self.messages.items() if value.chat_id != id}
        self.keys = {name: kept for name, kept in self.keys.items() if kept.turn not in gone}
        self.words = [word for word in self.words if word.turn not in gone]
        del self.chats[id]

    def _position(self, message: StoredMessage) -> int:
        """Messages that no turn made were there before the first."""
        turn = self.turns.get(message.turn_id) if message.turn_id is not None else None
        return 0 if turn is None else turn.position

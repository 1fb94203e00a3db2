"""What the suites of the stores have in common: one of each store, and things to put into them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from parlance.core.events import Status
from parlance.core.ids import AssistantId, ChatId, Epoch, KeyId, MessageId, OwnerId, TurnId, new_chat_id, uuid7
from parlance.core.messages import Message
from parlance.core.parts import Text
from parlance.core.principal import Principal
from parlance.core.stores.assistants import AssistantChange, Assistants
from parlance.core.stores.chats import Chat, Chats, NewChat
from parlance.core.stores.memories import Memories
from parlance.core.stores.messages import Messages, StoredMessage
from parlance.core.stores.model_calls import ModelCall, ModelCalls
from parlance.core.stores.subtenants import Subtenants
from parlance.core.stores.turns import State, TurnRecord

ODD_IDS = (
    "01a1fcb2-075c-7355-ab35-b3086e33e69a",
    "01A1FCB2-075C-7355-AB35-B3086E33E69A",
    "{01a1fcb2-075c-7355-ab35-b3086e33e69a}",
    "01a1fcb2075c7355ab35b3086e33e69a",
    "01a1fcb2-075c-7355-ab35-b3086e33e69a\0",
    "",
    "1",
    "null\0",
    "\udfff",
    "x" * 10_000,
)
"""The first is a UUID that nothing bears; the others are none, or are not spelt as ours are."""

NOW = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)


class Kept(Struct, frozen=True):
    """A turn of a chat as its rows say, with the messages that it made."""

    turn: TurnRecord
    messages: tuple[StoredMessage, ...]


class Stores(Struct, frozen=True, kw_only=True):
    """One of each, over the same shelf or database. `keep` puts a turn and its messages there, as turns do."""

    subtenants: Subtenants
    chats: Chats
    messages: Messages
    memories: Memories
    assistants: Assistants
    model_calls: ModelCalls
    keep: Callable[[Kept], Awaitable[None]]


class Things(Struct, frozen=True):
    """Where to point at one of everything that a subtenant has."""

    subtenant: str
    chat: ChatId
    message: MessageId
    key: str
    assistant: AssistantId


def a_uuid() -> str:
    return str(uuid7())


async def new_subtenant(stores: Stores, id: str | None = None) -> str:
    return (await stores.subtenants.create(id=id, metadata={})).id


async def new_chat(stores: Stores, subtenant: str | None = None) -> Chat:
    subtenant = subtenant or await new_subtenant(stores)
    return await stores.chats.create(NewChat(id=new_chat_id(), subtenant_id=subtenant), None)


def a_turn(chat: Chat, position: int, state: State = "completed") -> TurnRecord:
    return TurnRecord(
        id=TurnId(a_uuid()),
        chat=chat.id,
        subtenant=chat.subtenant_id,
        position=position,
        owner=OwnerId(a_uuid()),
        epoch=Epoch("00"),
        head=0,
        principal=Principal("subtenant", KeyId("key"), chat.subtenant_id),
        door="test",
        request_id="request",
        model="fast",
        provider="demo",
        state=state,
        accepted_at=NOW,
        ended_at=NOW if state in ("completed", "failed", "cancelled", "incomplete") else None,
    )


def said(turn: TurnRecord, message: Message, status: Status | None = None) -> StoredMessage:
    return StoredMessage(turn.chat, turn.id, message, status, NOW)


def text(words: str) -> Message:
    return Message(MessageId(a_uuid()), "user", (Text(words),))


async def keep_texts(stores: Stores, turn: TurnRecord, words: Sequence[str]) -> list[MessageId]:
    messages = tuple(said(turn, text(word)) for word in words)
    await stores.keep(Kept(turn, messages))
    return [stored.message.id for stored in messages]


async def one_of_everything(stores: Stores) -> Things:
    """A new subtenant with a chat, in which something was said, a memory and an assistant, and a logged call."""
    chat = await new_chat(stores)
    subtenant = chat.subtenant_id
    (message,) = await keep_texts(stores, a_turn(chat, 1), ["hello"])
    await stores.memories.create(subtenant, "colour", "blue", None)
    assistant = await stores.assistants.create(subtenant, AssistantChange(name="Ada"), None)
    await stores.model_calls.add((a_call(subtenant),))
    return Things(subtenant, chat.id, message, "colour", assistant.id)


def a_call(subtenant: str, *, at: float = 0.0) -> ModelCall:
    """One that was answered, `at` seconds after `NOW`."""
    return ModelCall(
        id=a_uuid(),
        subtenant_id=subtenant,
        chat_id=None,
        turn_id=None,
        request_id=None,
        door="rest",
        provider="demo",
        model="fast",
        number=1,
        outcome="answered",
        error=None,
        upstream_id=None,
        usage=None,
        cost=None,
        first=None,
        duration=0.5,
        created_at=NOW + timedelta(seconds=at),
    )

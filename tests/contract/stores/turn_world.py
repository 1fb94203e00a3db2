"""What the suites of stored turns have in common: the stores that keep them, and turns to keep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from msgspec import Struct

from parlance.core.events import Event, PartClosed, PartOpened, StepEnded, StepStarted, TextGrew, TurnEnded, TurnStarted
from parlance.core.fault import Fault
from parlance.core.ids import (
    ChatId,
    KeyId,
    OwnerId,
    TurnId,
    new_chat_id,
    new_epoch,
    new_message_id,
    new_owner_id,
    new_turn_id,
)
from parlance.core.messages import Message, Origin, user_message
from parlance.core.parts import Text
from parlance.core.principal import Principal
from parlance.core.stores import Reach
from parlance.core.stores.bells import Bells
from parlance.core.stores.chats import Chats, NewChat
from parlance.core.stores.messages import Messages
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.subtenants import Subtenants
from parlance.core.stores.turns import Accepted, Ending, Leases, NewTurn, Piece, SendPolicy, TurnRecord, Turns
from parlance.core.transcript import fold_messages
from parlance.core.usage import Finish, Usage
from parlance.store.bells import SqlBells
from parlance.store.chats import SqlChats
from parlance.store.database import Database
from parlance.store.in_memory.bells import InMemoryBells
from parlance.store.in_memory.chats import InMemoryChats
from parlance.store.in_memory.leases import InMemoryLeases
from parlance.store.in_memory.messages import InMemoryMessages
from parlance.store.in_memory.shelf import Shelf
from parlance.store.in_memory.subtenants import InMemorySubtenants
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.store.leases import SqlLeases
from parlance.store.messages import SqlMessages
from parlance.store.subtenants import SqlSubtenants
from parlance.store.turns import SqlTurns
from parlance.store.writer import Writer

ORIGIN = Origin("host", "model-1", "openai_chat")
USAGE = Usage(input=3, output=2)
HOME = "home"


class Keepers(Struct, frozen=True, kw_only=True):
    """What keeps turns, and what they are kept with, over one shelf or database. `HOME` is a subtenant."""

    subtenants: Subtenants
    chats: Chats
    messages: Messages
    turns: Turns
    leases: Leases
    bells: Bells

    async def chat(self, subtenant: str = HOME) -> ChatId:
        return (await self.chats.create(NewChat(id=new_chat_id(), subtenant_id=subtenant), None)).id

    async def accept(self, chat: ChatId | None = None, text: str = "hello", **given: object) -> Accepted:
        chat = await self.chat() if chat is None else chat
        return await self.turns.accept(a_new_turn(chat, text, **given))  # type: ignore[arg-type]  # what a_new_turn and an_ending take

    async def answered(self, chat: ChatId, text: str, answer: str, **ending: object) -> TurnRecord:
        """A turn that is begun and ended."""
        accepted = await self.accept(chat, text)
        return await self.turns.end(an_ending(accepted.turn, a_step(answer), **ending))  # type: ignore[arg-type]  # what a_new_turn and an_ending take


def keepers_in_memory(shelf: Shelf) -> Keepers:
    return Keepers(
        subtenants=InMemorySubtenants(shelf),
        chats=InMemoryChats(shelf),
        messages=InMemoryMessages(shelf),
        turns=InMemoryTurns(shelf),
        leases=InMemoryLeases(shelf),
        bells=InMemoryBells(shelf),
    )


def keepers_in_sql(database: Database, writer: Writer, bells: SqlBells) -> Keepers:
    return Keepers(
        subtenants=SqlSubtenants(database),
        chats=SqlChats(database),
        messages=SqlMessages(database),
        turns=SqlTurns(database, writer),
        leases=SqlLeases(database, bells),
        bells=bells,
    )


@asynccontextmanager
async def opened_keepers(database: Database) -> AsyncIterator[Keepers]:
    """As one process has them that is alone with its database."""
    bells = SqlBells(database, shared=False)
    writer = Writer(database, bells)
    made = keepers_in_sql(database, writer, bells)
    await made.subtenants.ensure(frozenset({HOME}))
    yield made
    await writer.close()


@pytest.fixture
async def keepers(backing: Shelf | Database) -> AsyncIterator[Keepers]:
    if isinstance(backing, Shelf):
        made = keepers_in_memory(backing)
        await made.subtenants.ensure(frozenset({HOME}))
        yield made
        return
    async with opened_keepers(backing) as made:
        yield made


def a_new_turn(
    chat: ChatId,
    text: str = "hello",
    *,
    owner: OwnerId | None = None,
    policy: SendPolicy = "queue",
    queue: int = 16,
    key: RequestKey | None = None,
    reach: Reach = None,
    new_chat: NewChat | None = None,
    asked: bytes = b"",
) -> NewTurn:
    turn = new_turn_id()
    return NewTurn(
        id=turn,
        epoch=new_epoch(),
        owner=owner or new_owner_id(),
        chat=chat,
        reach=reach,
        principal=Principal("subtenant", KeyId("key"), HOME),
        door="test",
        request_id="request",
        model="fast",
        provider="host",
        started=TurnStarted(turn, "fast", user_message(text)),
        policy=policy,
        queue=queue,
        key=key,
        new_chat=new_chat,
        asked=asked,
    )


def a_key(key: str = "key", fingerprint: bytes = b"asked") -> RequestKey:
    return RequestKey(HOME, "key-1", "test", key, fingerprint)


def a_step(text: str, number: int = 1) -> list[Event]:
    """The events of a step that says this, a word at a time."""
    words = [word + " " for word in text.split()]
    return [
        StepStarted(number, ORIGIN),
        PartOpened(number, Text("")),
        *(TextGrew(number, word) for word in words),
        PartClosed(number, Text("".join(words))),
        StepEnded(number, "stop", new_message_id(), usage=USAGE),
    ]


def a_piece(turn: TurnRecord, events: list[Event], first: int = 2) -> Piece:
    return Piece(turn.id, turn.epoch, first, events)


def an_ending(
    turn: TurnRecord,
    events: list[Event],
    *,
    first: int = 2,
    before: tuple[Event, ...] = (),
    status: Literal["completed", "failed", "cancelled", "incomplete"] = "completed",
    finish: Finish | None = "stop",
    fault: Fault | None = None,
) -> Ending:
    """`before` are events that were kept already, for the messages."""
    ended = TurnEnded(status, finish, USAGE, fault)
    return Ending(a_piece(turn, [*events, ended], first), ended, fold_messages((*before, *events)))


async def texts(keepers: Keepers, chat: ChatId) -> list[tuple[str, str, str | None]]:
    """The chat's messages: role, text, and how their turn ended."""
    return [
        (stored.message.role, stored.message.text.strip(), stored.status)
        for stored in await keepers.messages.all(chat, None)
    ]


def ids(turns: tuple[TurnRecord, ...]) -> list[TurnId]:
    return [turn.id for turn in turns]


def said_by(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(message.role, message.text.strip()) for message in messages]

"""An engine that keeps chats, on shelves; and a second one beside it, as another process would be."""

import asyncio

from parlance.core.events import Event
from parlance.core.ids import ChatId, OwnerId, new_chat_id, new_owner_id
from parlance.core.messages import user_message
from parlance.core.principal import DEFAULT_SUBTENANT, LOCAL_ADMIN, Principal
from parlance.core.provider import Provider
from parlance.core.requests import Request, ToolSpec
from parlance.core.stores.assistants import Assistants
from parlance.core.stores.bells import Bells
from parlance.core.stores.chats import Chats, NewChat
from parlance.core.stores.memories import Memories
from parlance.core.stores.messages import Messages
from parlance.core.stores.subtenants import Subtenants
from parlance.core.stores.turns import Leases, SendPolicy, Turns
from parlance.core.tool import Tool
from parlance.engine.ask import Ask, ChatAsk, EngineOptions
from parlance.engine.chat_turns import ChatOptions, ChatStores
from parlance.engine.engine import Engine
from parlance.engine.idempotency import Idempotency
from parlance.engine.turn_state import EngineParts
from parlance.engine.view import TurnView
from parlance.journal.memory import MemoryJournal
from parlance.journal.stored import Keeping, StoredJournal
from parlance.store.in_memory.assistants import InMemoryAssistants
from parlance.store.in_memory.bells import InMemoryBells
from parlance.store.in_memory.chats import InMemoryChats
from parlance.store.in_memory.leases import InMemoryLeases
from parlance.store.in_memory.memories import InMemoryMemories
from parlance.store.in_memory.messages import InMemoryMessages
from parlance.store.in_memory.shelf import Shelf
from parlance.store.in_memory.subtenants import InMemorySubtenants
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.testing.models import FixedModels, FixedToolbox
from parlance.testing.provider import ScriptedProvider
from tests.turns.stage import PATIENCE, Watcher


class Shelves:
    """What several processes share."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.subtenants: Subtenants = InMemorySubtenants(self.shelf)
        self.chats: Chats = InMemoryChats(self.shelf)
        self.messages: Messages = InMemoryMessages(self.shelf)
        self.memories: Memories = InMemoryMemories(self.shelf)
        self.assistants: Assistants = InMemoryAssistants(self.shelf)
        self.turns: Turns = InMemoryTurns(self.shelf)
        self.leases: Leases = InMemoryLeases(self.shelf)
        self.bells: Bells = InMemoryBells(self.shelf)

    async def opened(self) -> "Shelves":
        await self.subtenants.ensure(frozenset({DEFAULT_SUBTENANT}))
        return self

    async def chat(self, **given: str) -> ChatId:
        new = NewChat(id=new_chat_id(), subtenant_id=DEFAULT_SUBTENANT, **given)  # type: ignore[arg-type]  # the fields given are texts
        return (await self.chats.create(new, None)).id


def stores_on(shelves: Shelves, keeping: Keeping | None = None, options: ChatOptions | None = None) -> ChatStores:
    """The shelves, for one process more."""
    return ChatStores(
        turns=shelves.turns,
        chats=shelves.chats,
        assistants=shelves.assistants,
        memories=shelves.memories,
        bells=shelves.bells,
        journal=StoredJournal(MemoryJournal(), shelves.turns, keeping or Keeping(delay=0.0)),
        owner=new_owner_id(),
        options=options or ChatOptions(),
    )


class ChatStage:
    """One process of those that share the shelves."""

    def __init__(
        self,
        shelves: Shelves,
        provider: Provider | None = None,
        *tools: Tool,
        keeping: Keeping | None = None,
        options: ChatOptions | None = None,
    ) -> None:
        self.shelves = shelves
        self.provider = provider or ScriptedProvider()
        self.watcher = Watcher()
        stores = stores_on(shelves, keeping, options)
        self.owner: OwnerId = stores.owner
        parts = EngineParts(observer=self.watcher, preparers=(), options=EngineOptions())
        models = FixedModels({"fast": self.provider})
        self.engine = Engine(models, FixedToolbox(*tools), MemoryJournal(), parts, stores)

    async def send(
        self,
        chat: ChatId,
        text: str = "Hello",
        *,
        principal: Principal = LOCAL_ADMIN,
        policy: SendPolicy | None = None,
        callers_tools: tuple[str, ...] = (),
        idempotency: Idempotency | None = None,
        asked: ChatAsk | None = None,
    ) -> TurnView:
        given = user_message(text)
        request = Request(model="fast", messages=(given,), tools=tuple(ToolSpec(name) for name in callers_tools))
        into = asked or ChatAsk(id=chat, policy=policy)
        return await self.engine.start(Ask(principal, "door", "request", request, given, idempotency, into))


async def heard(turn: TurnView) -> list[Event]:
    """All events of a turn, from its first to its end."""
    told: list[Event] = []
    async with asyncio.timeout(PATIENCE):
        with turn.followed() as follower:
            async for batch in follower:
                told += batch.events
    return told

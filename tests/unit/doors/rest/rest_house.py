"""The REST service over stores in memory, behind a real socket; its provider and tools are under the test's hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.routing import Router

from parlance.access.authenticate import AccessGate
from parlance.access.options import AccessOptions, ConfiguredKey
from parlance.core.ids import new_owner_id
from parlance.core.principal import DEFAULT_SUBTENANT
from parlance.core.provider import Provider
from parlance.core.tool import Tool
from parlance.doors import rest
from parlance.doors.entrance import Entrance, nowhere
from parlance.doors.limits import Limits
from parlance.doors.rest.door import operations_of
from parlance.doors.serving import DoorOptions, Serving
from parlance.engine.ask import EngineOptions
from parlance.engine.chat_turns import ChatStores
from parlance.engine.engine import Engine
from parlance.engine.turn_state import EngineParts
from parlance.journal.memory import MemoryJournal
from parlance.journal.stored import Keeping, StoredJournal
from parlance.store.in_memory.answers import InMemoryAnswers
from parlance.store.in_memory.assistants import InMemoryAssistants
from parlance.store.in_memory.bells import InMemoryBells
from parlance.store.in_memory.chats import InMemoryChats
from parlance.store.in_memory.memories import InMemoryMemories
from parlance.store.in_memory.messages import InMemoryMessages
from parlance.store.in_memory.model_calls import InMemoryModelCalls
from parlance.store.in_memory.shelf import Shelf
from parlance.store.in_memory.subtenants import InMemorySubtenants
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.telemetry.observers import ObserverList
from parlance.testing.models import FixedModels, FixedToolbox
from parlance.testing.provider import ScriptedProvider
from tests.probes.served import bind_loopback, served

API = "/api/v1"
PATIENCE = 10.0
ANN, BOB, ROOT, GONE = (f"key-of-{name}-0123456789" for name in ("ann", "bob", "root", "gone"))
KEYED = (
    ConfiguredKey("ann", ANN, "subtenant:ann"),
    ConfiguredKey("bob", BOB, "subtenant:bob"),
    ConfiguredKey("root", ROOT, "service"),
)

Json = Any


def stores_in_memory() -> rest.Stores:
    shelf = Shelf()
    return rest.Stores(
        subtenants=InMemorySubtenants(shelf),
        chats=InMemoryChats(shelf),
        messages=InMemoryMessages(shelf),
        memories=InMemoryMemories(shelf),
        assistants=InMemoryAssistants(shelf),
        calls=InMemoryModelCalls(shelf),
        turns=InMemoryTurns(shelf),
        answers=InMemoryAnswers(shelf),
        bells=InMemoryBells(shelf),
    )


class RestHouse:
    """One server. `client` speaks to it, by paths below the door's own."""

    def __init__(
        self,
        port: int,
        keys: Sequence[ConfiguredKey] = (),
        provider: Provider | None = None,
        tools: Sequence[Tool] = (),
        stores: rest.Stores | None = None,
    ) -> None:
        self.port = port
        self.provider = provider or ScriptedProvider()
        self.stores = stores or stores_in_memory()
        journal = StoredJournal(MemoryJournal(), self.stores.turns, Keeping(delay=0.0))
        chats = ChatStores(
            chats=self.stores.chats,
            turns=self.stores.turns,
            assistants=self.stores.assistants,
            memories=self.stores.memories,
            bells=self.stores.bells,
            journal=journal,
            owner=new_owner_id(),
        )
        models = FixedModels({"scripted/": self.provider, "fast": self.provider})
        parts = EngineParts(observer=ObserverList([]), preparers=(), options=EngineOptions())
        self.engine = Engine(models, FixedToolbox(*tools), MemoryJournal(), parts, chats)
        gate = AccessGate(AccessOptions(keys=tuple(keys), port=port))
        limits = Limits()
        self.serving = Serving(self.engine, models, gate, DoorOptions(), limits)
        router = Router(rest.routes(self.serving, self.stores, version="0"), redirect_slashes=False, default=nowhere)
        self.app = Entrance(router, gate, limits.refusals, start=_nothing, stop=_nothing)
        self.operations = operations_of(self.serving, self.stores)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def quiet(self) -> None:
        """Returns when no turn runs."""
        async with asyncio.timeout(PATIENCE):
            while self.engine.running:  # noqa: ASYNC110 - turns end by themselves, one by one
                await asyncio.sleep(0)

    def client(self, key: str | None = None, **headers: str) -> httpx.AsyncClient:
        given = {"authorization": f"Bearer {key}"} if key is not None else {}
        return httpx.AsyncClient(
            base_url=self.address + API, headers={**given, **headers}, timeout=PATIENCE, trust_env=False, verify=False
        )


@asynccontextmanager
async def open_rest(
    *tools: Tool, keys: Sequence[ConfiguredKey] = (), provider: Provider | None = None
) -> AsyncIterator[RestHouse]:
    listener, port = bind_loopback()
    house = RestHouse(port, keys, provider, tools)
    await house.stores.subtenants.ensure(frozenset({DEFAULT_SUBTENANT, "ann", "bob"}))
    async with served(house.app, listener):
        try:
            yield house
        finally:
            await house.engine.close()


async def _nothing() -> None:
    pass


def problem_of(answer: httpx.Response, status: int, code: str) -> Json:
    """The problem that an answer is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["status"]) == (code, status)
    assert isinstance(problem["detail"], str)
    return problem


def done(answer: httpx.Response, status: int = 200) -> Json:
    """What an answer says that went well."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


class Event(Mapping[str, Json]):
    """One server-sent event; its data decoded."""

    def __init__(self, text: str) -> None:
        fields = dict(line.split(": ", 1) for line in text.split("\n"))
        self.id: str | None = fields.get("id")
        self.name = fields.get("event", "")
        self.raw = fields["data"]
        self.data: Json = self.raw if self.raw == "[DONE]" else json.loads(self.raw)

    def __getitem__(self, key: str) -> Json:
        return self.data[key]

    def __iter__(self) -> Any:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


def events_of(body: str) -> list[Event]:
    """Those of a whole stream, without its heartbeats."""
    return [Event(text) for text in body.removesuffix("\n\n").split("\n\n") if text and text != ":"]


def text_of(events: Sequence[Event]) -> str:
    return "".join(event["content"] for event in events if not event.name and event.data != "[DONE]")

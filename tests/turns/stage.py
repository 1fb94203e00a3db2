"""An engine with scripted surroundings, and turns played on it to their end."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from parlance.core.events import Event, ToolCalled, TurnEnded
from parlance.core.ids import CallId
from parlance.core.messages import Message, user_message
from parlance.core.observers import TurnFacts, TurnObserver
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.core.provider import Models, Provider
from parlance.core.requests import Request, ToolChoice, ToolSpec
from parlance.core.tool import Tool
from parlance.engine.ask import Ask, EngineOptions
from parlance.engine.engine import Engine
from parlance.engine.idempotency import Idempotency
from parlance.engine.prepare.preparer import Preparer
from parlance.engine.turn_state import EngineParts, Turn
from parlance.engine.view import TurnView
from parlance.journal.memory import MemoryJournal
from parlance.testing.models import FixedModels, FixedToolbox
from parlance.testing.provider import ScriptedProvider
from tests.turns.laws import broken_laws

E = TypeVar("E")

PATIENCE = 10.0
"""Seconds after which a test that waits in vain fails instead of hanging."""


class Watcher:
    """An observer that keeps what it sees."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, facts: TurnFacts, event: Event) -> None:
        self.seen.append(event)


def here(turn: TurnView) -> Turn:
    """A turn that runs in this process."""
    assert isinstance(turn, Turn)
    return turn


class Stage:
    """An engine around one provider. `ask` begins a turn, `play` waits for its end."""

    def __init__(
        self,
        provider: Provider | None = None,
        *tools: Tool,
        options: EngineOptions | None = None,
        observer: TurnObserver | None = None,
        preparers: Sequence[Preparer] = (),
        models: Models | None = None,
    ) -> None:
        self.provider = provider or ScriptedProvider()
        self.watcher = Watcher()
        self.journal = MemoryJournal()
        self.options = options or EngineOptions()
        parts = EngineParts(observer=observer or self.watcher, preparers=preparers, options=self.options)
        models = models or FixedModels({"fast": self.provider})
        self.engine = Engine(models, FixedToolbox(*tools), self.journal, parts)

    async def start(
        self,
        text: str = "Hi",
        *,
        history: Sequence[Message] = (),
        callers_tools: Sequence[str] = (),
        tool_choice: ToolChoice = "auto",
        principal: Principal = LOCAL_ADMIN,
        request_id: str = "request",
        idempotency: Idempotency | None = None,
    ) -> Turn:
        given = user_message(text)
        tools = tuple(ToolSpec(name) for name in callers_tools)
        request = Request(model="fast", messages=(*history, given), tools=tools, tool_choice=tool_choice)
        return here(await self.engine.start(Ask(principal, "door", request_id, request, given, idempotency)))

    async def play(self, *, callers_tools: Sequence[str] = ()) -> list[Event]:
        """The events of a turn that nobody disturbs."""
        return await ended(await self.start(callers_tools=callers_tools))


async def ended(turn: Turn) -> list[Event]:
    """All events of a turn, once it has ended; the laws hold."""
    async with asyncio.timeout(PATIENCE):
        await turn.finished()
    events = list(turn.log.read())
    assert not broken_laws(events)
    return events


async def until(turn: Turn, here: Callable[[Event], bool]) -> Event:
    """The first event of the turn that is looked for, once it was told."""
    async with asyncio.timeout(PATIENCE):
        with turn.followed() as follower:
            async for batch in follower:
                for event in batch.events:
                    if here(event):
                        return event
    raise AssertionError("the turn ended without it")


async def called(turn: Turn, call: str) -> CallId:
    """The id of a call, once it was made."""
    event = await until(turn, lambda event: isinstance(event, ToolCalled) and event.call.id == call)
    assert isinstance(event, ToolCalled)
    return event.call.id


def of(events: Sequence[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def ending(events: Sequence[Event]) -> TurnEnded:
    last = events[-1]
    assert isinstance(last, TurnEnded)
    return last


def asked(provider: Provider, number: int) -> Request:
    """The request of that number that a scripted provider got, counted from 1."""
    assert isinstance(provider, ScriptedProvider)
    return provider.requests[number - 1]

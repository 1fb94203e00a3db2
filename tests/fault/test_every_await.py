"""A whole turn, tool rounds and a waiting call included, with a fault at every point where it can be suspended.

Wherever the fault strikes: one ending, the laws of events, every stream closed, and nothing left running.
"""

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from parlance.core.errors import HostFailed
from parlance.core.events import Event, ToolCalled, ToolReturned, TurnEnded
from parlance.core.ids import CallId, new_turn_id
from parlance.core.json import JsonObject
from parlance.core.messages import user_message
from parlance.core.observers import TurnFacts
from parlance.core.parts import ToolOutput
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.provider import Target
from parlance.core.requests import Request, ToolSpec
from parlance.core.tool import Answer
from parlance.core.usage import Usage
from parlance.engine.ask import EngineOptions
from parlance.engine.turn import run_turn
from parlance.engine.turn_state import EngineParts, Turn
from parlance.journal.memory import MemoryJournal
from parlance.testing.chaos import FaultAt
from parlance.testing.models import FunctionTool
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.fault.surroundings import Careful, Distant, Reach
from tests.probes.leaks import LeakProbe, other_tasks
from tests.turns.laws import broken_laws
from tests.turns.stage import PATIENCE, Stage, ending

FAULTS = [OSError("the wire broke"), ValueError("a bug"), HostFailed("no"), asyncio.CancelledError()]


async def reach() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


class Struck:
    """Counts the suspensions of the whole turn's surroundings, and raises at number `at` of them."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.count = 0
        self._at = at
        self._error = error

    @property
    def came(self) -> bool:
        return self.count >= self._at

    async def reach(self) -> None:
        for _ in range(3):
            self.count += 1
            if self.count == self._at:
                raise self._error
            await asyncio.sleep(0)


class Helpful:
    """Watches a turn, and answers the calls that wait for the caller."""

    def __init__(self) -> None:
        self.turn: Turn | None = None

    def observe(self, facts: TurnFacts, event: Event) -> None:
        if isinstance(event, ToolCalled) and event.runner == "client":
            asyncio.get_running_loop().call_soon(self._answer, event.call.id)

    def _answer(self, call: CallId) -> None:
        if self.turn is not None and self.turn.stopping is None and not self.turn.ended:
            self.turn.pending.answer([Answer(call, "two")])


def scripted() -> ScriptedProvider:
    usage = Usage(input=5, output=3)
    rounds = calling(("look", "{}"), ("pick", "{}"), ("look", "{}"), text="One moment", usage=usage)
    return ScriptedProvider(rounds, calling(("look", '{"again":true}')), answering("Here", " it", " is"))


def look(reach: Reach) -> FunctionTool:
    async def run(arguments: JsonObject) -> ToolOutput:
        await reach()
        return "seen"

    return FunctionTool("look", run)


def new_turn(provider: ScriptedProvider, helpful: Helpful) -> Turn:
    """A turn without an engine, so that its coroutine can be driven from outside."""
    facts = TurnFacts(new_turn_id(), LOCAL_ADMIN, "door", "fast", "scripted", "request", 0.0)
    request = Request("fast", (user_message("Hi"),), (ToolSpec("pick"),))
    parts = EngineParts(helpful, (Careful(reach),), EngineOptions())
    target = Target(Distant(provider, reach), "fast")
    helpful.turn = turn = Turn(facts, target, MemoryJournal().open(facts.turn), request, {"look": look(reach)}, parts)
    return turn


def told_results(events: Sequence[Event]) -> int:
    return sum(isinstance(event, ToolReturned) for event in events)


async def test_a_cancel_at_every_suspension_of_the_turn(leak_probe: LeakProbe) -> None:
    """By a stranger, who cancels the task without asking the turn."""
    endings: set[str] = set()
    before = other_tasks()
    for at in itertools.count(1):
        provider = scripted()
        turn = new_turn(provider, Helpful())
        fault = FaultAt(at, asyncio.CancelledError())
        async with asyncio.timeout(PATIENCE):
            await fault.run(run_turn(turn))
        events = turn.log.read()
        assert [type(event) for event in events].count(TurnEnded) == 1
        assert isinstance(events[-1], TurnEnded)
        endings.add(events[-1].status)
        assert provider.opened == provider.closed
        assert other_tasks() <= before
        assert len(turn.pending) == 0
        if not fault.struck:
            break
    assert at > 30
    assert endings == {"incomplete", "completed"}


@pytest.mark.parametrize("twice", [False, True])
async def test_a_stop_after_every_pass_of_the_loop(twice: bool, leak_probe: LeakProbe) -> None:
    """By its caller, before and after everything that the turn does by itself."""
    before = other_tasks()
    statuses: list[str] = []
    for passes in itertools.count():
        provider, helpful = scripted(), Helpful()
        stage = Stage(Distant(provider, reach), look(reach), observer=helpful, preparers=[Careful(reach)])
        helpful.turn = turn = await stage.start(callers_tools=["pick"])
        for _ in range(passes):
            await asyncio.sleep(0)
        stopped = turn.stop("cancelled")
        if twice:
            await asyncio.sleep(0)
            assert not turn.stop("cancelled")
        await turn.finished()
        events = turn.log.read()
        assert not broken_laws(events)
        statuses.append(ending(events).status)
        assert statuses[-1] == "cancelled" or not stopped
        assert provider.opened == provider.closed
        await stage.engine.close()
        assert other_tasks() <= before
        if not stopped:
            break
    assert len(statuses) > 30
    assert statuses[-1] == "completed"


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
async def test_an_error_at_every_suspension_of_what_a_turn_calls(error: BaseException, leak_probe: LeakProbe) -> None:
    """Providers, tools and preparers: each of them raises at each point where it waits for something."""
    before = other_tasks()
    statuses: set[str] = set()
    events: Sequence[Event] = ()
    for at in itertools.count(1):
        provider, helpful, struck = scripted(), Helpful(), Struck(at, error)
        stage = Stage(
            Distant(provider, struck.reach), look(struck.reach), observer=helpful, preparers=[Careful(struck.reach)]
        )
        helpful.turn = turn = await stage.start(callers_tools=["pick"])
        async with asyncio.timeout(PATIENCE):
            await turn.finished()
        events = turn.log.read()
        assert not broken_laws(events)
        statuses.add(ending(events).status)
        assert provider.opened == provider.closed
        await stage.engine.close()
        assert other_tasks() <= before
        if not struck.came:
            break
    assert at > 40
    assert told_results(events) == 4
    assert "completed" in statuses
    assert len(statuses) == 2

"""Cancel, abandonment and the server's stop: whenever they come, the turn ends once and lets go of everything."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from parlance.core.deltas import Began, Delta, TextDelta
from parlance.core.errors import HostFailed, Stopping
from parlance.core.events import (
    Event,
    PartClosed,
    StepEnded,
    StepStarted,
    TextGrew,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
)
from parlance.core.ids import CallId
from parlance.core.json import JsonObject
from parlance.core.observers import TurnFacts
from parlance.core.parts import Text, ToolOutput
from parlance.core.provider import Listener
from parlance.core.requests import Request
from parlance.core.tool import Answer
from parlance.core.transcript import fold_history
from parlance.core.usage import Usage
from parlance.engine.ask import EngineOptions
from parlance.engine.prepare.preparer import Prepared
from parlance.engine.turn_state import Turn
from parlance.testing.clock import settle
from parlance.testing.models import FunctionTool
from parlance.testing.provider import Act, ScriptedProvider, answering, calling
from tests.probes.leaks import LeakProbe
from tests.turns.stage import Stage, called, ended, ending, of, until

CANCELLED = TurnEnded("cancelled", None)
AT_ONCE = EngineOptions(live_grace=0)


def stalling(*before: Act) -> ScriptedProvider:
    """A provider that says this and then nothing more."""
    return ScriptedProvider([*before, asyncio.Event()])


class Hands:
    """A tool that never returns by itself, and remembers that it began and was stopped."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.stopped = 0
        self.tool = FunctionTool("forever", self._run)

    async def _run(self, arguments: JsonObject) -> ToolOutput:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped += 1
        return ""


async def test_a_cancel_before_the_turns_task_began(leak_probe: LeakProbe) -> None:
    provider = stalling()
    turn = await Stage(provider).start()
    assert turn.stop("cancelled")
    assert await ended(turn) == [TurnStarted(turn.id, "fast", of(turn.log.read(), TurnStarted)[0].input), CANCELLED]
    assert provider.opened == 0


async def test_a_cancel_before_the_first_token(leak_probe: LeakProbe) -> None:
    provider = stalling()
    turn = await Stage(provider).start()
    await provider.arrival()
    turn.stop("cancelled")
    events = await ended(turn)
    assert events[1:] == [CANCELLED]
    assert provider.closed == 1


async def test_a_cancel_between_tokens_keeps_what_was_shown_and_guesses_its_usage(leak_probe: LeakProbe) -> None:
    provider = stalling([Began(model="scripted-model"), TextDelta("t", "Hel")])
    turn = await Stage(provider).start()
    await until(turn, lambda event: isinstance(event, TextGrew))
    turn.stop("cancelled")
    events = await ended(turn)
    assert of(events, PartClosed) == [PartClosed(1, Text("Hel"))]
    assert of(events, StepEnded)[0].finish is None
    usage = ending(events).usage
    assert usage is not None
    assert usage.estimated
    assert provider.closed == 1
    assert [message.text for message in fold_history(events)] == ["Hi", "Hel"]


async def test_a_second_cancel_changes_nothing(leak_probe: LeakProbe) -> None:
    provider = stalling([TextDelta("t", "Hel")])
    turn = await Stage(provider).start()
    await until(turn, lambda event: isinstance(event, TextGrew))
    assert turn.stop("cancelled")
    assert not turn.stop("cancelled")
    assert not turn.stop("interrupted")
    events = await ended(turn)
    assert ending(events).status == "cancelled"
    assert not turn.stop("cancelled")


async def test_a_cancel_while_a_tool_runs_ends_its_task_and_no_step_follows(leak_probe: LeakProbe) -> None:
    hands = Hands()
    provider = ScriptedProvider(calling(("forever", "{}"), text="Let me see", usage=Usage(input=5, output=5)))
    turn = await Stage(provider, hands.tool).start()
    await hands.began.wait()
    turn.stop("cancelled")
    events = await ended(turn)
    assert hands.stopped == 1
    assert len(provider.requests) == 1
    assert ending(events) == TurnEnded("cancelled", None, Usage(input=5, output=5))
    assert not of(events, ToolReturned)
    assert [message.role for message in fold_history(events)] == ["user", "assistant", "tool"]


async def test_a_cancel_while_several_tools_run_ends_them_all(leak_probe: LeakProbe) -> None:
    hands = Hands()
    provider = ScriptedProvider(calling(*[("forever", "{}")] * 4, ("pick", "{}")))
    turn = await Stage(provider, hands.tool, options=EngineOptions(parallel_calls=3)).start(callers_tools=["pick"])
    await hands.began.wait()
    await called(turn, "call_4")
    turn.stop("cancelled")
    events = await ended(turn)
    assert hands.stopped == 3
    assert len(of(events, ToolCalled)) == 5
    assert ending(events).status == "cancelled"


async def test_a_cancel_while_a_call_waits_for_the_caller(leak_probe: LeakProbe) -> None:
    turn = await Stage(ScriptedProvider(calling(("pick", "{}")))).start(callers_tools=["pick"])
    await called(turn, "call_0")
    turn.stop("cancelled")
    assert ending(await ended(turn)).status == "cancelled"


async def test_a_cancel_while_a_request_is_prepared(leak_probe: LeakProbe) -> None:
    class Endless:
        async def prepare(self, request: Request, facts: TurnFacts) -> Prepared:
            began.set()
            await asyncio.Event().wait()
            return Prepared(request)

    began = asyncio.Event()
    turn = await Stage(preparers=[Endless()]).start()
    await began.wait()
    turn.stop("cancelled")
    assert (await ended(turn))[1:] == [CANCELLED]


class Impatient:
    """An observer that stops the turn at the first event of a kind: from inside its own task, while it is telling."""

    def __init__(self, at: type[Event]) -> None:
        self._at = at
        self.turn: Turn | None = None

    def observe(self, facts: TurnFacts, event: Event) -> None:
        if isinstance(event, self._at) and self.turn is not None:
            self.turn.stop("cancelled")


@pytest.mark.parametrize("at", [StepStarted, StepEnded, ToolCalled])
async def test_a_cancel_from_one_who_watches_ends_the_turn(at: type[Event], leak_probe: LeakProbe) -> None:
    watcher = Impatient(at)
    provider = ScriptedProvider(calling(("pick", "{}"), ("pick", "{}")))
    watcher.turn = await Stage(provider, observer=watcher).start(callers_tools=["pick"])
    assert ending(await ended(watcher.turn)).status == "cancelled"
    assert len(watcher.turn.pending) == 0


async def test_a_cancel_of_an_ended_turn_says_that_it_came_too_late() -> None:
    turn = await Stage().start()
    events = await ended(turn)
    assert not turn.stop("cancelled")
    assert list(turn.log.read()) == events


class Clumsy(ScriptedProvider):
    """A provider that breaks while its connection is being closed."""

    async def stream_to(self, request: Request, listener: Listener) -> AsyncGenerator[Sequence[Delta], None]:
        try:
            async for batch in super().stream_to(request, listener):
                yield batch
        finally:
            await asyncio.sleep(0)
            raise HostFailed("The connection would not close.")


async def test_what_breaks_while_a_turn_is_cancelled_is_not_told_as_a_failure() -> None:
    provider = Clumsy([[TextDelta("t", "Hel")], asyncio.Event()])
    turn = await Stage(provider).start()
    await until(turn, lambda event: isinstance(event, TextGrew))
    turn.stop("cancelled")
    assert ending(await ended(turn)).status == "cancelled"


# Abandonment.


async def test_a_turn_that_nobody_follows_is_given_up_after_its_grace(leak_probe: LeakProbe) -> None:
    provider = stalling([TextDelta("t", "Hel")])
    turn = await Stage(provider, options=EngineOptions(live_grace=0.01)).start()
    last = ending(await ended(turn))
    assert last.status == "cancelled"
    assert last.fault is not None
    assert last.fault.code == "abandoned"


async def test_a_turn_without_grace_is_given_up_before_it_began() -> None:
    assert ending(await ended(await Stage(stalling(), options=AT_ONCE).start())).status == "cancelled"


async def test_a_followed_turn_goes_on_until_the_last_follower_has_left(leak_probe: LeakProbe) -> None:
    turn = await Stage(stalling(), options=AT_ONCE).start()
    with turn.followed():
        with turn.followed(1):
            await settle()
        await settle()
        assert not turn.ended
        assert turn.stopping is None
    last = ending(await ended(turn))
    assert last.fault is not None
    assert last.fault.code == "abandoned"


async def test_the_grace_does_not_run_while_the_turn_waits_for_its_caller(leak_probe: LeakProbe) -> None:
    go = asyncio.Event()
    provider = ScriptedProvider(calling(("pick", "{}")), [go, *answering("x")])
    turn = await Stage(provider, options=AT_ONCE).start(callers_tools=["pick"])
    with turn.followed():
        await called(turn, "call_0")
    await settle()
    assert turn.stopping is None
    await turn.answer([Answer(CallId("call_0"), "two")])
    last = ending(await ended(turn))
    assert last.fault is not None
    assert last.fault.code == "abandoned"
    assert not go.is_set()


async def test_a_turn_that_ends_in_time_is_not_given_up() -> None:
    turn = await Stage(options=EngineOptions(live_grace=0.01)).start()
    events = await ended(turn)
    with turn.followed(turn.log.head):
        pass
    await settle()
    assert list(turn.log.read()) == events
    assert ending(events).status == "completed"


# The server's stop.


async def test_a_closing_engine_takes_no_turns() -> None:
    stage = Stage()
    await stage.engine.close()
    with pytest.raises(Stopping) as caught:
        await stage.start()
    assert caught.value.retry_after


async def test_a_closing_engine_ends_what_runs_and_waits_for_it(leak_probe: LeakProbe) -> None:
    stage = Stage(stalling([TextDelta("t", "Hel")]))
    turns = [await stage.start() for _ in range(3)]
    await until(turns[0], lambda event: isinstance(event, TextGrew))
    await stage.engine.close()
    for turn in turns:
        last = ending(list(turn.log.read()))
        assert last.status == "incomplete"
        assert last.fault is not None
        assert last.fault.code == "interrupted"
    assert stage.engine.running == 0


async def test_a_closing_engine_gives_turns_their_grace() -> None:
    go = asyncio.Event()
    stage = Stage(ScriptedProvider([go, *answering("x")]))
    turn = await stage.start()
    closing = asyncio.create_task(stage.engine.close(grace=60))
    await settle()
    assert not closing.done()
    go.set()
    await closing
    assert ending(list(turn.log.read())).status == "completed"


async def test_a_turn_that_outlasts_the_grace_is_ended() -> None:
    stage = Stage(stalling())
    turn = await stage.start()
    await stage.engine.close(grace=0.01)
    assert ending(list(turn.log.read())).status == "incomplete"


async def test_a_cancelled_turn_stays_cancelled_when_the_engine_closes() -> None:
    stage = Stage(stalling())
    turn = await stage.start()
    turn.stop("cancelled")
    await stage.engine.close()
    assert ending(list(turn.log.read())) == CANCELLED


async def test_closing_twice_is_harmless() -> None:
    stage = Stage()
    await stage.play()
    await stage.engine.close()
    await stage.engine.close()


async def test_a_turn_whose_task_is_cancelled_by_a_stranger_ends_as_interrupted() -> None:
    stage = Stage(stalling([TextDelta("t", "Hel")]))
    turn = await stage.start()
    await until(turn, lambda event: isinstance(event, TextGrew))
    for task in asyncio.all_tasks():
        if task.get_name() == f"turn {turn.id}":
            task.cancel()
    assert ending(await ended(turn)).status == "incomplete"

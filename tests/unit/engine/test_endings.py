"""Exactly one ending, on every path that a provider, a tool, a preparer or an observer can take."""

import asyncio
import logging
from collections.abc import Sequence
from typing import cast

import pytest

from parlance.core.deltas import Began, Delta, Finished, Opened, Restarted, TextDelta, UsageReported
from parlance.core.errors import (
    HostFailed,
    HostRateLimited,
    HostTimeout,
    ParlanceError,
    ToolFailed,
    TruncatedAnswer,
)
from parlance.core.events import Event, PartClosed, Status, StepEnded, ToolReturned, TurnEnded, TurnStarted, Warned
from parlance.core.ids import CallId
from parlance.core.json import JsonObject
from parlance.core.messages import user_message
from parlance.core.observers import TurnFacts
from parlance.core.parts import Text, ToolCall, ToolOutput
from parlance.core.provider import Notice
from parlance.core.requests import Request
from parlance.core.usage import Finish, Usage
from parlance.engine.ask import EngineOptions
from parlance.engine.prepare.preparer import Prepared
from parlance.testing.models import FunctionTool
from parlance.testing.provider import Act, ScriptedProvider, answering, calling
from tests.probes.leaks import LeakProbe
from tests.turns.stage import Stage, ended, ending, of

BEGUN: list[Act] = [[Began(model="scripted-model")], [TextDelta("t", "Hel")]]


def cut_by(error: BaseException, *, shown: bool) -> ScriptedProvider:
    return ScriptedProvider([*(BEGUN if shown else []), error])


async def test_a_whole_answer_completes() -> None:
    stage = Stage(ScriptedProvider(answering("Hello", " there", usage=Usage(input=3, output=2))))
    events = await stage.play()
    assert isinstance(events[0], TurnStarted)
    assert ending(events) == TurnEnded("completed", "stop", Usage(input=3, output=2))
    assert [event.what for event in of(events, PartClosed)] == [Text("Hello there")]


@pytest.mark.parametrize("shown", [False, True])
async def test_an_error_of_the_host_fails_the_turn(shown: bool) -> None:
    error = HostRateLimited("The host lab limits our rate.", host="lab", retry_after=3)
    events = await Stage(cut_by(error, shown=shown)).play()
    assert ending(events) == TurnEnded("failed", None, ending(events).usage, error.fault())
    assert [event.what for event in of(events, PartClosed)] == ([Text("Hel")] if shown else [])
    assert [event.finish for event in of(events, StepEnded)] == ([None] if shown else [])


@pytest.mark.parametrize(
    ("error", "shown", "status"),
    [
        (TruncatedAnswer("cut"), True, "incomplete"),
        (TruncatedAnswer("cut"), False, "incomplete"),
        (HostTimeout("idle"), True, "incomplete"),
        (HostTimeout("first"), False, "failed"),
        (HostFailed("500"), True, "failed"),
    ],
)
async def test_what_was_merely_cut_is_incomplete(error: ParlanceError, shown: bool, status: Status) -> None:
    last = ending(await Stage(cut_by(error, shown=shown)).play())
    assert (last.status, last.fault) == (status, error.fault())


async def test_a_stream_that_ends_without_finishing_is_cut() -> None:
    last = ending(await Stage(ScriptedProvider(BEGUN)).play())
    assert last.status == "incomplete"
    assert last.fault is not None
    assert last.fault.code == "upstream_truncated"


async def test_a_model_that_says_it_failed_fails_the_turn() -> None:
    last = ending(await Stage(ScriptedProvider(answering("Hm", finish="error"))).play())
    assert (last.status, last.finish) == ("failed", "error")


@pytest.mark.parametrize("finish", ["length", "filtered", "unknown"])
async def test_other_finishes_complete_the_turn(finish: Finish) -> None:
    last = ending(await Stage(ScriptedProvider(answering("Hm", finish=finish))).play())
    assert (last.status, last.finish) == ("completed", finish)


@pytest.mark.parametrize("shown", [False, True])
async def test_a_bug_in_a_provider_fails_the_turn_and_tells_no_details(
    shown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    events = await Stage(cut_by(ValueError("hunter2"), shown=shown)).play()
    assert ending(events).status == "failed"
    assert "hunter2" not in str(ending(events))
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_what_is_no_delta_is_a_bug_and_the_stream_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    provider = ScriptedProvider([*BEGUN, cast("list[Delta]", [user_message("not a delta")]), [Finished("stop")]])
    assert ending(await Stage(provider).play()).status == "failed"
    assert provider.closed == 1


async def test_a_bug_in_a_tool_is_a_result_and_the_turn_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(arguments: JsonObject) -> ToolOutput:
        raise ValueError("hunter2")

    provider = ScriptedProvider(calling(("broken", "{}")), answering("Sorry"))
    events = await Stage(provider, FunctionTool("broken", broken)).play()
    assert ending(events).status == "completed"
    (returned,) = of(events, ToolReturned)
    assert returned.result.is_error
    assert "hunter2" not in str(events)
    assert "broken" in caplog.text


class Preparing:
    """A preparer that does what it is told to."""

    def __init__(self, error: Exception | None = None, notice: Notice | None = None) -> None:
        self._error = error
        self._notices = (notice,) if notice else ()

    async def prepare(self, request: Request, facts: TurnFacts) -> Prepared:
        await asyncio.sleep(0)
        if self._error:
            raise self._error
        return Prepared(request, self._notices)


async def test_a_bug_in_a_preparer_fails_the_turn(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(preparers=[Preparing(ValueError("oops"))])
    assert ending(await stage.play()).status == "failed"
    assert "oops" in caplog.text


async def test_what_a_preparer_refuses_fails_the_turn_with_its_fault() -> None:
    refused = ToolFailed("too long")
    assert ending(await Stage(preparers=[Preparing(refused)]).play()).fault == refused.fault()


async def test_what_a_preparer_notes_is_warned_of() -> None:
    events = await Stage(preparers=[Preparing(notice=Notice("trimmed", "Cut."))]).play()
    assert Warned("trimmed", "Cut.") in events


async def test_what_a_preparer_notes_again_at_every_step_is_warned_of_once() -> None:
    provider = ScriptedProvider(answering("One", finish="continue"), answering("two"))
    events = await Stage(provider, preparers=[Preparing(notice=Notice("trimmed", "Cut."))]).play()
    assert of(events, Warned) == [Warned("trimmed", "Cut.")]


class Raising:
    """An observer that can't bear to look."""

    def observe(self, facts: TurnFacts, event: Event) -> None:
        raise ValueError("I can't look")


async def test_an_observer_that_raises_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(observer=Raising())
    assert ending(await stage.play()).status == "completed"
    assert "I can't look" in caplog.text


async def test_observers_see_every_event_but_growth_in_order() -> None:
    stage = Stage()
    events = await stage.play()
    kept = [event for event in events if not type(event).__name__.endswith("Grew")]
    assert stage.watcher.seen == kept


async def test_usage_is_the_sum_of_the_steps_and_a_cut_one_is_estimated() -> None:
    cut: Sequence[Act] = [*BEGUN, TruncatedAnswer("cut")]
    provider = ScriptedProvider(calling(("now", "{}"), usage=Usage(input=100, output=10)), cut)
    events = await Stage(provider, FunctionTool("now", noon)).play()
    steps = of(events, StepEnded)
    assert steps[0].usage == Usage(input=100, output=10)
    guessed = steps[1].usage
    assert guessed is not None
    assert guessed.estimated
    assert guessed.input
    assert guessed.output
    total = ending(events).usage
    assert total is not None
    assert total.estimated
    assert total.input == 100 + guessed.input


async def test_a_cut_step_keeps_what_its_host_had_counted_and_guesses_the_rest() -> None:
    provider = ScriptedProvider([*BEGUN, [UsageReported(Usage(input=7, output=1))], TruncatedAnswer("cut")])
    usage = ending(await Stage(provider).play()).usage
    assert usage is not None
    assert (usage.input, usage.estimated) == (7, True)


async def test_a_whole_answer_whose_usage_was_not_told_has_none() -> None:
    assert ending(await Stage().play()).usage is None


async def test_a_step_that_was_dropped_is_told_and_the_turn_goes_on() -> None:
    attempts: list[Act] = [*BEGUN, [Restarted("the host went away")], *BEGUN, [Finished("stop")]]
    events = await Stage(ScriptedProvider(attempts)).play()
    assert ending(events).status == "completed"
    assert [event.step for event in of(events, StepEnded)] == [2]


async def noon(arguments: JsonObject) -> ToolOutput:
    return "noon"


async def test_calls_that_were_cut_are_never_made() -> None:
    call = ToolCall(CallId("c"), "now", '{"zone":"U')
    for end in (TruncatedAnswer("cut"), [Finished("length")]):
        tool = FunctionTool("now", noon)
        events = await Stage(ScriptedProvider([[Opened(0, call)], end]), tool).play()
        assert not tool.calls
        assert not of(events, ToolReturned)


async def test_every_stream_is_closed_and_nothing_is_left(leak_probe: LeakProbe) -> None:
    for error in (HostFailed("x"), ValueError("x"), asyncio.CancelledError()):
        provider = cut_by(error, shown=True)
        turn = await Stage(provider, options=EngineOptions(live_retention=0)).start()
        await ended(turn)
        assert (provider.opened, provider.closed) == (1, 1)

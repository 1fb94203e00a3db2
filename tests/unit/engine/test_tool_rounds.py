"""Calls: who runs them, what becomes of them, and what the model is told."""

import asyncio

import pytest

from parlance.core.deltas import Delta, Done, Finished, Opened
from parlance.core.errors import ToolFailed
from parlance.core.events import PartClosed, PartOpened, StepEnded, ToolCalled, ToolReturned
from parlance.core.ids import CallId
from parlance.core.json import JsonObject
from parlance.core.messages import user_message
from parlance.core.parts import Text, ToolCall, ToolOutput, ToolResult
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.requests import AllowedTools, NamedTool, Request, ToolChoice, ToolSpec
from parlance.core.tool import Answer
from parlance.engine.ask import Ask, EngineOptions
from parlance.testing.clock import settle
from parlance.testing.models import FunctionTool
from parlance.testing.provider import Act, ScriptedProvider, answering, calling
from tests.probes.leaks import LeakProbe
from tests.turns.stage import Stage, asked, called, ended, ending, here, of


def tool(name: str, output: ToolOutput | Exception) -> FunctionTool:
    async def run(arguments: JsonObject) -> ToolOutput:
        if isinstance(output, Exception):
            raise output
        return output

    return FunctionTool(name, run)


def results(request: Request) -> list[tuple[str, ToolOutput, bool]]:
    """What a request tells the model of its calls."""
    return [
        (part.call_id, part.output, part.is_error)
        for message in request.messages
        for part in message.parts
        if isinstance(part, ToolResult)
    ]


async def test_a_tool_runs_and_the_model_is_told_its_result() -> None:
    now = tool("now", "noon")
    provider = ScriptedProvider(calling(("now", '{"zone":"UTC"}'), text="Looking"), answering("Noon."))
    events = await Stage(provider, now).play()
    assert now.calls == [{"zone": "UTC"}]
    assert [(event.call.id, event.runner) for event in of(events, ToolCalled)] == [("call_0", "server")]
    second = asked(provider, 2)
    assert [message.role for message in second.messages] == ["user", "assistant", "tool"]
    assert second.messages[1].parts == (
        Text("Looking"),
        ToolCall(CallId("call_0"), "now", '{"zone":"UTC"}'),
    )
    assert results(second) == [("call_0", "noon", False)]
    assert [spec.name for spec in second.tools] == ["now"]
    assert ending(events).status == "completed"


async def test_parts_and_steps_are_numbered_over_the_whole_turn() -> None:
    provider = ScriptedProvider(calling(("now", "{}"), text="One"), answering("Two"))
    events = await Stage(provider, tool("now", "noon")).play()
    assert [event.part for event in of(events, PartOpened)] == [1, 2, 3]
    assert [event.step for event in of(events, StepEnded)] == [1, 2]


async def test_calls_are_made_only_when_their_step_has_ended() -> None:
    events = await Stage(ScriptedProvider(calling(("now", "{}")), answering("x")), tool("now", "noon")).play()
    kinds = [type(event) for event in events]
    assert kinds.index(StepEnded) < kinds.index(ToolCalled) < kinds.index(ToolReturned)


async def test_results_are_told_in_the_order_of_the_calls_whichever_returns_first() -> None:
    first = asyncio.Event()

    async def slow(arguments: JsonObject) -> ToolOutput:
        await first.wait()
        return "slow"

    async def fast(arguments: JsonObject) -> ToolOutput:
        first.set()
        return "fast"

    provider = ScriptedProvider(calling(("slow", "{}"), ("fast", "{}")), answering("x"))
    events = await Stage(provider, FunctionTool("slow", slow), FunctionTool("fast", fast)).play()
    assert [event.result.output for event in of(events, ToolReturned)] == ["fast", "slow"]
    assert results(asked(provider, 2)) == [("call_0", "slow", False), ("call_1", "fast", False)]


async def test_no_more_calls_run_at_once_than_the_limit() -> None:
    running: list[int] = []
    most: list[int] = []

    async def busy(arguments: JsonObject) -> ToolOutput:
        running.append(1)
        most.append(len(running))
        await settle()
        running.pop()
        return "done"

    provider = ScriptedProvider(calling(*[("busy", "{}")] * 7), answering("x"))
    events = await Stage(provider, FunctionTool("busy", busy), options=EngineOptions(parallel_calls=3)).play()
    assert max(most) == 3
    assert len(of(events, ToolReturned)) == 7


async def test_what_a_tool_says_went_wrong_reaches_the_model() -> None:
    provider = ScriptedProvider(calling(("now", "{}")), answering("x"))
    await Stage(provider, tool("now", ToolFailed("There is no zone named Mars."))).play()
    assert results(asked(provider, 2)) == [("call_0", "There is no zone named Mars.", True)]


async def test_a_tool_that_takes_too_long_is_stopped_and_told(leak_probe: LeakProbe) -> None:
    stopped: list[bool] = []

    async def forever(arguments: JsonObject) -> ToolOutput:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)
        return ""

    provider = ScriptedProvider(calling(("forever", "{}")), answering("x"))
    stage = Stage(
        provider, FunctionTool("forever", forever), options=EngineOptions(tool_timeout=0.01, live_retention=0)
    )
    await stage.play()
    assert stopped
    assert results(asked(provider, 2)) == [("call_0", "The tool 'forever' did not return within 0.01 s.", True)]


async def test_a_timeout_inside_a_tool_is_not_taken_for_its_own() -> None:
    provider = ScriptedProvider(calling(("now", "{}")), answering("x"))
    await Stage(provider, tool("now", TimeoutError())).play()
    assert results(asked(provider, 2)) == [("call_0", "The tool 'now' failed inside. Go on without it.", True)]


async def test_a_cancel_inside_a_tool_is_its_failure_and_not_the_turns_end() -> None:
    async def confused(arguments: JsonObject) -> ToolOutput:
        inner = asyncio.create_task(asyncio.Event().wait())
        inner.cancel()
        await inner
        return ""

    provider = ScriptedProvider(calling(("confused", "{}")), answering("x"))
    events = await Stage(provider, FunctionTool("confused", confused)).play()
    assert ending(events).status == "completed"
    assert results(asked(provider, 2))[0][2]


async def test_an_unknown_tool_is_told_to_the_model_with_those_on_offer() -> None:
    provider = ScriptedProvider(calling(("nwo", "{}")), answering("x"))
    events = await ended(await Stage(provider, tool("now", "noon")).start(callers_tools=["pick"]))
    assert not of(events, ToolCalled)
    assert results(asked(provider, 2)) == [("call_0", "There is no tool named 'nwo'. On offer: now, pick.", True)]


@pytest.mark.parametrize("arguments", ["[]", '"text"', "7", "null", "{", '{"a":}', "{}{}", "   ", "[" * 100_000])
@pytest.mark.parametrize("callers", [False, True])
async def test_arguments_that_are_no_object_go_back_to_the_model_and_no_client_hears_of_them(
    arguments: str, callers: bool
) -> None:
    now = tool("now", "noon")
    provider = ScriptedProvider(calling(("now", arguments)), answering("x"))
    events = await ended(await Stage(provider, now).start(callers_tools=["now"] if callers else []))
    assert not of(events, ToolCalled)
    assert not now.calls
    ((_, told, is_error),) = results(asked(provider, 2))
    assert is_error
    assert "not a JSON object" in str(told)


async def test_no_arguments_at_all_are_an_empty_object() -> None:
    now = tool("now", "noon")
    events = await Stage(ScriptedProvider(calling(("now", "")), answering("x")), now).play()
    assert now.calls == [{}]
    assert [event.call.arguments for event in of(events, ToolCalled)] == ["{}"]


async def test_a_freeform_tool_of_the_callers_gets_its_text_as_it_is() -> None:
    call = ToolCall(CallId("c"), "shell", "ls -l", freeform=True)
    said: list[Delta] = [Opened(0, call), Done(0), Finished("stop")]
    turn = await Stage(ScriptedProvider([said], answering("x"))).start(callers_tools=["shell"])
    await turn.answer([Answer(await called(turn, "c"), "total 0")])
    events = await ended(turn)
    assert [event.call.arguments for event in of(events, ToolCalled)] == ["ls -l"]


async def test_text_from_a_tool_that_no_wire_takes_is_mended() -> None:
    provider = ScriptedProvider(calling(("now", "{}"), ("parts", "{}")), answering("x"))
    stage = Stage(provider, tool("now", "\0\ud83d"), tool("parts", (Text("\ud83d"),)))
    await stage.play()
    assert [output for _, output, _ in results(asked(provider, 2))] == ["\ufffd\ufffd", (Text("\ufffd"),)]


@pytest.mark.parametrize(
    ("asked_for", "afterwards"),
    [
        ("required", "auto"),
        (NamedTool("now"), "auto"),
        (AllowedTools("required", ("now",)), AllowedTools("auto", ("now",))),
        ("none", "none"),
        ("auto", "auto"),
    ],
)
async def test_a_call_that_was_asked_for_is_made_and_then_the_model_is_free_to_answer(
    asked_for: ToolChoice, afterwards: ToolChoice
) -> None:
    provider = ScriptedProvider(
        answering("One moment", finish="continue"), calling(("now", "{}")), calling(("now", "{}")), answering("x")
    )
    await ended(await Stage(provider, tool("now", "noon")).start(tool_choice=asked_for))
    assert [request.tool_choice for request in provider.requests] == [asked_for, asked_for, afterwards, afterwards]


async def test_rounds_are_bounded() -> None:
    provider = ScriptedProvider(calling(("now", "{}")))
    events = await Stage(provider, tool("now", "noon"), options=EngineOptions(rounds=3)).play()
    last = ending(events)
    assert last.status == "incomplete"
    assert last.fault is not None
    assert last.fault.code == "too_many_rounds"
    assert len(provider.requests) == 3
    assert sum(isinstance(event, ToolCalled) for event in events) == 2, "nobody would read what the last call returns"


async def test_calls_of_different_rounds_never_share_an_id() -> None:
    provider = ScriptedProvider(calling(("now", "{}")), calling(("now", "{}")), answering("x"))
    events = await Stage(provider, tool("now", "noon")).play()
    ids = [event.call.id for event in of(events, ToolCalled)]
    assert ids[0] == "call_0"
    assert len(set(ids)) == 2
    assert [call for call, _, _ in results(asked(provider, 3))] == ids


async def test_a_model_that_wants_to_go_on_gets_its_own_words_back() -> None:
    provider = ScriptedProvider(answering("One", finish="continue"), answering("Two"))
    events = await Stage(provider).play()
    assert [message.text for message in asked(provider, 2).messages] == ["Hi", "One"]
    assert ending(events).finish == "stop"


async def test_a_model_that_wants_to_go_on_without_a_word_is_sent_no_empty_message() -> None:
    provider = ScriptedProvider([[Finished("continue")]], answering("Two"))
    await Stage(provider).play()
    assert [message.role for message in asked(provider, 2).messages] == ["user"]


async def test_going_on_is_bounded_like_rounds() -> None:
    provider = ScriptedProvider(answering("more", finish="continue"))
    events = await Stage(provider, options=EngineOptions(rounds=4)).play()
    assert ending(events).status == "incomplete"
    assert len(provider.requests) == 4


# The caller's own tools.


async def test_the_caller_is_asked_and_its_answer_told_to_the_model() -> None:
    provider = ScriptedProvider(calling(("pick", '{"from":[1,2]}')), answering("Two."))
    turn = await Stage(provider).start(callers_tools=["pick"])
    await turn.answer([Answer(await called(turn, "call_0"), "2")])
    events = await ended(turn)
    (made,) = of(events, ToolCalled)
    assert made.runner == "client"
    assert made.expires_at is not None
    assert made.expires_at.endswith("Z")
    assert results(asked(provider, 2)) == [("call_0", "2", False)]
    assert [spec.name for spec in asked(provider, 1).tools] == ["pick"]


async def test_the_callers_error_is_told_as_one() -> None:
    provider = ScriptedProvider(calling(("pick", "{}")), answering("x"))
    turn = await Stage(provider).start(callers_tools=["pick"])
    await turn.answer([Answer(await called(turn, "call_0"), "no", is_error=True)])
    await ended(turn)
    assert results(asked(provider, 2)) == [("call_0", "no", True)]


async def test_the_callers_tool_hides_ours_of_the_same_name() -> None:
    ours = tool("now", "ours")
    provider = ScriptedProvider(calling(("now", "{}")), answering("x"))
    turn = await Stage(provider, ours).start(callers_tools=["now"])
    assert [spec.description for spec in (await provider.arrival()).tools] == [""]
    await turn.answer([Answer(await called(turn, "call_0"), "theirs")])
    await ended(turn)
    assert not ours.calls
    assert results(asked(provider, 2)) == [("call_0", "theirs", False)]


async def test_a_caller_that_gives_no_answer_in_time_is_told_of_to_the_model() -> None:
    provider = ScriptedProvider(calling(("pick", "{}")), answering("x"))
    turn = await Stage(provider, options=EngineOptions(answer_timeout=0.01)).start(callers_tools=["pick"])
    events = await ended(turn)
    assert ending(events).status == "completed"
    assert results(asked(provider, 2)) == [("call_0", "The caller gave no result in time.", True)]


async def test_calls_of_ours_and_of_the_callers_go_side_by_side() -> None:
    both: list[Act] = calling(("pick", "{}"), ("now", "{}"), ("pick", "{}"))
    provider = ScriptedProvider(both, answering("x"))
    turn = await Stage(provider, tool("now", "noon")).start(callers_tools=["pick"])
    last = await called(turn, "call_2")
    assert [event.runner for event in of(turn.log.read(), ToolCalled)] == ["client", "server", "client"]
    await turn.answer([Answer(last, "two")])
    await settle()
    assert [event.result.output for event in of(turn.log.read(), ToolReturned)] == ["two", "noon"]
    assert len(provider.requests) == 1
    await turn.answer([Answer(CallId("call_0"), "zero")])
    await ended(turn)
    assert results(asked(provider, 2)) == [
        ("call_0", "zero", False),
        ("call_1", "noon", False),
        ("call_2", "two", False),
    ]


async def test_no_part_of_a_call_is_told_twice() -> None:
    provider = ScriptedProvider(calling(("pick", "{}"), ("pick", "{}")), answering("x"))
    turn = await Stage(provider).start(callers_tools=["pick"])
    await called(turn, "call_1")
    await turn.answer([Answer(CallId("call_1"), "b"), Answer(CallId("call_0"), "a")])
    events = await ended(turn)
    assert len(of(events, PartClosed)) == 3
    assert results(asked(provider, 2)) == [("call_0", "a", False), ("call_1", "b", False)]


async def test_a_passing_turn_ends_with_the_calls_that_its_caller_has_to_make() -> None:
    provider = ScriptedProvider(calling(("pick", "{}"), ("now", "{}")))
    stage = Stage(provider, tool("now", "noon"))
    request = Request(model="fast", messages=(user_message("Hi"),), tools=(ToolSpec("pick"),))
    turn = here(await stage.engine.start(Ask(LOCAL_ADMIN, "door", "r", request, passing=True)))
    async with asyncio.timeout(10):
        await turn.finished()
    events = turn.log.read()
    assert [event.call.name for event in of(events, ToolCalled)] == ["pick"]
    assert not of(events, ToolReturned)
    assert (turn.ending.status, turn.ending.finish) == ("completed", "tool_calls")
    assert len(provider.requests) == 1

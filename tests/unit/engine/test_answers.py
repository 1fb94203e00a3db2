"""Answers to calls that wait: each is taken once, by the turn that waits for it."""

import asyncio

import pytest

from parlance.core.errors import CallNotWaiting
from parlance.core.events import ToolReturned
from parlance.core.ids import CallId
from parlance.core.parts import ToolCall, ToolResult
from parlance.core.tool import Answer
from parlance.engine.ask import EngineOptions
from parlance.engine.pending import PendingCalls
from parlance.engine.turn_state import Turn
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.turns.stage import Stage, called, ended, of, until

TWO = (("pick", "{}"), ("pick", "{}"))
FIRST, SECOND = CallId("call_0"), CallId("call_1")


async def waiting(*, answer_timeout: float = 600.0) -> Turn:
    """A turn that waits for two answers of its caller."""
    stage = Stage(ScriptedProvider(calling(*TWO), answering("x")), options=EngineOptions(answer_timeout=answer_timeout))
    turn = await stage.start(callers_tools=["pick"])
    await called(turn, SECOND)
    return turn


async def refused(turn: Turn, *answers: Answer) -> None:
    with pytest.raises(CallNotWaiting):
        await turn.answer(answers)


async def test_a_second_answer_is_refused() -> None:
    turn = await waiting()
    await turn.answer([Answer(FIRST, "a")])
    await refused(turn, Answer(FIRST, "b"))
    await until(turn, lambda event: isinstance(event, ToolReturned))
    await refused(turn, Answer(FIRST, "c"))
    await turn.answer([Answer(SECOND, "d")])
    assert [event.result.output for event in of(await ended(turn), ToolReturned)] == ["a", "d"]


async def test_an_answer_to_a_foreign_call_is_refused() -> None:
    turn = await waiting()
    await refused(turn, Answer(CallId("of another turn"), "a"))
    assert turn.stop("cancelled")
    await ended(turn)


async def test_of_answers_that_do_not_all_fit_none_is_taken() -> None:
    turn = await waiting()
    await refused(turn, Answer(FIRST, "a"), Answer(CallId("unknown"), "b"))
    await refused(turn, Answer(FIRST, "a"), Answer(FIRST, "b"))
    await turn.answer([Answer(FIRST, "c"), Answer(SECOND, "d")])
    assert [event.result.output for event in of(await ended(turn), ToolReturned)] == ["c", "d"]


async def test_a_late_answer_is_refused() -> None:
    turn = await waiting(answer_timeout=0.01)
    await ended(turn)
    await refused(turn, Answer(FIRST, "late"))


async def test_a_turn_that_is_being_stopped_takes_no_answer() -> None:
    turn = await waiting()
    turn.stop("cancelled")
    await refused(turn, Answer(FIRST, "a"))
    assert not of(await ended(turn), ToolReturned)
    await refused(turn, Answer(FIRST, "b"))


async def test_no_answers_are_no_error() -> None:
    turn = await waiting()
    await turn.answer([])
    turn.stop("cancelled")
    await ended(turn)


async def test_a_turn_that_never_waited_takes_no_answer() -> None:
    turn = await Stage().start()
    await refused(turn, Answer(FIRST, "a"))
    await ended(turn)


async def test_an_answer_that_was_taken_counts_though_the_time_ends_in_the_same_moment() -> None:
    returned: list[ToolResult] = []
    pending, call = PendingCalls(lambda: None, returned.append), ToolCall(FIRST, "pick", "{}")
    future = pending.ask(call)
    result = asyncio.create_task(pending.wait(call, future, 0.0))
    await asyncio.sleep(0)
    pending.answer([Answer(FIRST, "just in time")])
    assert (await result).output == "just in time"
    assert returned == [await result]

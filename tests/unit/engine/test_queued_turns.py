"""Turns that wait for their moment, and turns that give way to a newer message."""

import asyncio

from parlance.core.events import StepStarted, ToolCalled, ToolReturned, TurnEnded
from parlance.core.ids import CallId
from parlance.core.messages import user_message
from parlance.core.parts import ToolResult
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.requests import Request
from parlance.core.tool import Answer
from parlance.core.transcript import NOT_ANSWERED, fold_history
from parlance.engine.ask import Ask
from parlance.engine.turn_state import Beginning, Moment, Turn
from parlance.testing.clock import settle
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.probes.leaks import LeakProbe
from tests.turns.stage import Stage, ended, ending, here, of, until


async def queued(stage: Stage, moment: Moment) -> Turn:
    asked = user_message("asked")
    request = Request(model="fast", messages=(asked,))
    return here(await stage.engine.start(Ask(LOCAL_ADMIN, "door", "request", request, asked), moment))


async def test_a_queued_turn_begins_at_its_moment_with_the_messages_of_then(leak_probe: LeakProbe) -> None:
    go, then = asyncio.Event(), (user_message("before"), user_message("asked"))

    async def moment() -> Beginning:
        await go.wait()
        return Beginning(then)

    stage = Stage(ScriptedProvider(answering("Hi")))
    turn = await queued(stage, moment)
    await settle()
    assert not of(turn.log.read(), StepStarted)
    assert stage.engine.running == 1
    go.set()
    assert ending(await ended(turn)) == TurnEnded("completed", "stop", turn.usage)
    assert isinstance(stage.provider, ScriptedProvider)
    assert stage.provider.requests[0].messages == then


async def test_a_queued_turn_can_be_cancelled_and_asks_nobody(leak_probe: LeakProbe) -> None:
    async def never() -> Beginning:
        await asyncio.Event().wait()
        return Beginning(())

    stage = Stage()
    turn = await queued(stage, never)
    await settle()
    turn.stop("cancelled")
    assert ending(await ended(turn)) == TurnEnded("cancelled")
    assert isinstance(stage.provider, ScriptedProvider)
    assert stage.provider.opened == 0
    assert turn.moment is None


async def test_a_moment_that_fails_is_a_failed_turn(leak_probe: LeakProbe) -> None:
    async def broken() -> Beginning:
        raise ZeroDivisionError

    turn = await queued(Stage(), broken)
    failed = ending(await ended(turn))
    assert failed.status == "failed"
    assert failed.fault is not None
    assert failed.fault.code == "internal_error"


async def test_a_turn_that_gives_way_is_incomplete_and_its_calls_are_not_answered(leak_probe: LeakProbe) -> None:
    stage = Stage(ScriptedProvider(calling(("pick", "{}"), ("pick", "{}"))))
    turn = await stage.start(callers_tools=["pick"])
    waited = [turn.waiting]
    await until(turn, lambda event: isinstance(event, ToolCalled))
    waited.append(turn.waiting)
    first, second = (called.call.id for called in of(turn.log.read(), ToolCalled))
    await turn.answer([Answer(first, "red")])
    await until(turn, lambda event: isinstance(event, ToolReturned))
    waited.append(turn.waiting)
    assert turn.stop("superseded")
    last = ending(await ended(turn))
    assert last.status == "incomplete"
    assert last.fault is not None
    assert last.fault.code == "superseded"
    assert [*waited, turn.waiting] == [False, True, True, False]
    parts = [part for message in fold_history(turn.log.read()) for part in message.parts]
    results = {part.call_id: part.output for part in parts if isinstance(part, ToolResult)}
    assert results == {first: "red", second: NOT_ANSWERED}


async def test_a_turn_whose_calls_are_all_answered_waits_no_more_even_before_it_goes_on() -> None:
    turn = await Stage(ScriptedProvider(calling(("pick", "{}")), answering("Red."))).start(callers_tools=["pick"])
    await until(turn, lambda event: isinstance(event, ToolCalled))
    await turn.answer([Answer(CallId(of(turn.log.read(), ToolCalled)[0].call.id), "red")])
    assert not turn.waiting
    assert ending(await ended(turn)).status == "completed"


async def test_who_asks_to_be_told_is_told_once_the_turn_is_done_even_late() -> None:
    done: list[str] = []
    turn = await Stage().start()
    turn.then(lambda: done.append("early"))
    await ended(turn)
    turn.then(lambda: done.append("late"))
    await settle()
    assert done == ["early", "late"]

"""The doubles without a wire: provider, chaos, clock, names and tools."""

import asyncio
import itertools
from contextlib import aclosing

import pytest

from parlance.core.deltas import Began, Delta, Finished, TextDelta
from parlance.core.errors import HostFailed, ModelForbidden, ModelNotFound
from parlance.core.ids import CallId, KeyId, new_turn_id
from parlance.core.json import JsonObject
from parlance.core.messages import user_message
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.core.provider import ModelInfo
from parlance.core.requests import Request
from parlance.core.tool import Invocation
from parlance.testing.chaos import FaultAt, FaultyProvider
from parlance.testing.clock import FakeClock
from parlance.testing.models import FixedModels, FixedToolbox, FunctionTool
from parlance.testing.provider import ScriptedProvider, answering, calling

ASK = Request(model="scripted-model", messages=(user_message("Hi"),))


async def read(provider: ScriptedProvider | FaultyProvider) -> list[Delta]:
    async with aclosing(provider.stream(ASK)) as batches:
        return [delta async for batch in batches for delta in batch]


async def test_answers_are_played_in_turn_and_the_last_one_again() -> None:
    provider = ScriptedProvider(calling(("f", "{}")), answering("done"))
    finishes = [delta.reason for _ in range(3) for delta in await read(provider) if isinstance(delta, Finished)]
    assert finishes == ["tool_calls", "stop", "stop"]
    assert (len(provider.requests), provider.opened, provider.closed) == (3, 3, 3)


async def test_an_answer_waits_at_an_event_and_raises_what_it_is_told_to() -> None:
    gate = asyncio.Event()
    provider = ScriptedProvider([*answering("Hi")[:2], gate, HostFailed("gone", host="scripted")])
    reading = asyncio.create_task(read(provider))
    assert await provider.arrival() == ASK
    gate.set()
    with pytest.raises(HostFailed):
        await reading
    assert (provider.said, provider.closed) == (2, 1)


async def test_a_provider_that_fails_at_its_second_batch_says_the_first() -> None:
    inner = ScriptedProvider(answering("Hi"))
    faulty = FaultyProvider(inner, 2, HostFailed("chaos", host="scripted"))
    seen: list[Delta] = []
    async with aclosing(faulty.stream(ASK)) as batches:
        seen += await anext(batches)
        with pytest.raises(HostFailed, match="chaos"):
            await anext(batches)
    assert [type(delta) for delta in seen] == [Began]
    assert inner.closed == 1


async def test_a_fault_strikes_each_suspension_in_turn_and_then_none() -> None:
    async def work(steps: list[int]) -> str:
        for step in range(3):
            await asyncio.sleep(0)
            steps.append(step)
        return "done"

    for at in itertools.count(1):
        steps: list[int] = []
        fault = FaultAt(at, RuntimeError("chaos"))
        try:
            result = await fault.run(work(steps))
        except RuntimeError:
            assert fault.struck
            assert steps == list(range(at - 1))
            continue
        assert (result, fault.struck, fault.suspensions, at) == ("done", False, 3, 4)
        return


async def test_a_fault_that_is_caught_is_over_and_a_cancel_from_outside_goes_through() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except RuntimeError:
            await asyncio.sleep(0)
        return "survived"

    assert await FaultAt(1, RuntimeError("chaos")).run(stubborn()) == "survived"
    running = asyncio.create_task(FaultAt(9, RuntimeError("chaos")).run(stubborn()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_clock_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(start=0)
    rest = clock.sleep
    woken: list[tuple[str, float]] = []

    async def wait(name: str, *seconds: float) -> None:
        for pause in seconds:
            await rest(pause)
            woken.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(wait("a", 2.0, 2.0)), asyncio.create_task(wait("b", 1.0, 0.0, 5.0))]
    await clock.until_sleepers(2)
    await clock.advance(1.5)
    assert (woken, clock.monotonic(), clock.sleepers) == ([("b", 1.0), ("b", 1.0)], 1.5, 2)
    await clock.advance(100)
    await asyncio.gather(*tasks)
    assert woken[2:] == [("a", 2.0), ("a", 4.0), ("b", 6.0)]
    assert clock.monotonic() == 101.5


async def test_names_lead_to_providers_within_what_a_key_may_use() -> None:
    provider = ScriptedProvider()
    models = FixedModels({"fast": provider, "slow": provider})
    limited = Principal(scope="service", key_id=KeyId("k"), models=("slow",))
    assert (await models.resolve(None, LOCAL_ADMIN, door="x")).model == "fast"
    assert (await models.resolve("slow", limited, door="x")).provider is provider
    assert await models.offered(limited, door="x") == [ModelInfo("slow", "scripted")]
    with pytest.raises(ModelForbidden, match="fast"):
        await models.resolve("fast", limited, door="x")
    with pytest.raises(ModelNotFound, match="nothing"):
        await models.resolve("nothing", LOCAL_ADMIN, door="x")


async def test_a_scripted_tool_runs_and_remembers_its_calls() -> None:
    async def echo(arguments: JsonObject) -> str:
        return f"got {arguments['x']}"

    tool = FunctionTool("echo", echo)
    invocation = Invocation(new_turn_id(), CallId("c"), LOCAL_ADMIN)
    assert await FixedToolbox(tool).offered(LOCAL_ADMIN)["echo"].run({"x": 1}, invocation) == "got 1"
    assert tool.calls == [{"x": 1}]
    assert isinstance((await read(ScriptedProvider()))[1], TextDelta)

"""Door D: tools that the client runs."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from parlance.testing.script import saying
from tests.acceptance.conftest import LAB
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import Frame, RpcSession, calls_of, join, methods, open_session, text_of
from tests.acceptance.scripts import WEATHER, calling
from tests.acceptance.server_process import ServerProcess, started

CALL = ("get_weather", '{"city": "Oslo", "n": 1.0, "big": 12345678901234567890}')


async def until_calls(session: RpcSession, count: int) -> list[Frame]:
    notices: list[Frame] = []
    while len(calls_of(notices)) < count:
        notices.append(await session.notice())
    return notices


def given(upstream: PlannedUpstream, number: int = 1) -> dict[str, str]:
    """The results that a request to the model holds, by the ids of their calls."""
    messages = upstream.sent(number)["messages"]
    return {message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"}


@pytest.mark.requirement("json_rpc:function_call_request")
async def test_a_call_names_its_tool_and_brings_its_arguments_as_the_model_wrote_them(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(CALL))
    async with open_session(lab, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        text = ""
        while '"function_call_request"' not in text:
            text = str(await session.connection.recv())
        assert f'"parameters":{CALL[1]}' in text
        params = json.loads(text)["params"]
        assert params["task_id"] == task_id
        assert (params["request_id"], params["tool_name"]) == ("call_0", "get_weather")
        assert params["expires_at"].endswith("Z")
        await session.done("cancel")


RESULTS: dict[str, tuple[dict[str, object], str]] = {
    "text": ({"result": "rain"}, "rain"),
    "an object": ({"result": {"sky": "rain", "n": 1.5}}, '{"sky": "rain", "n": 1.5}'),
    "a list": ({"result": [1, 2]}, "[1, 2]"),
    "a number": ({"result": 7}, "7"),
    "false": ({"result": False}, "false"),
    "null": ({"result": None}, "null"),
    "nothing": ({}, "null"),
    "no error": ({"result": "rain", "is_error": False, "error_message": None}, "rain"),
    "an error": ({"is_error": True, "error_message": "API limit reached"}, "API limit reached"),
    "an error in the other spelling": ({"isError": True, "error_message": "API limit reached"}, "API limit reached"),
    "an error with the message as its result": ({"result": "down", "is_error": True}, "down"),
    "an error without a flag": ({"error_message": "down"}, "down"),
    "an error without a word": ({"is_error": True}, "did not say why."),
}


@pytest.mark.requirement("json_rpc:tool_result:any_json")
@pytest.mark.requirement("json_rpc:tool_result:error")
@pytest.mark.parametrize("name", RESULTS)
async def test_any_result_goes_to_the_model(lab: ServerProcess, upstream: PlannedUpstream, name: str) -> None:
    result, told = RESULTS[name]
    upstream.plan(calling(CALL), saying("Thanks."))
    async with open_session(lab, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        await until_calls(session, 1)
        assert await session.give(task_id, {"tool_call_id": "call_0", "tool_name": "get_weather", **result}) == {
            "status": "received"
        }
        assert text_of(await session.answer()) == "Thanks."
    assert given(upstream)["call_0"].endswith(told)


@pytest.mark.requirement("json_rpc:function_call_request:each")
@pytest.mark.requirement("json_rpc:tool_result:frames")
async def test_results_in_one_frame_in_another_order(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(CALL, CALL, CALL), saying("Thanks."))
    async with open_session(lab, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        calls = calls_of(await until_calls(session, 3))
        assert [call["request_id"] for call in calls] == ["call_0", "call_1", "call_2"]
        await session.give(task_id, *({"tool_call_id": f"call_{n}", "result": n} for n in (2, 0, 1)))
        assert text_of(await session.answer()) == "Thanks."
    assert given(upstream) == {"call_0": "0", "call_1": "1", "call_2": "2"}


@pytest.mark.requirement("json_rpc:function_call_request:all_answered")
@pytest.mark.requirement("json_rpc:tool_result:frames")
async def test_results_in_several_frames_and_generation_goes_on_with_the_last(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(CALL, CALL, CALL), saying("Thanks."))
    async with open_session(lab, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        await until_calls(session, 3)
        await session.give(task_id, {"tool_call_id": "call_1", "result": 1})
        await session.give(task_id, {"tool_call_id": "call_2", "result": 2})
        assert len(upstream.requests) == 1
        await session.give(task_id, {"tool_call_id": "call_0", "result": 0})
        assert methods(await session.answer()) == ["text_chunk", "end"]
    assert given(upstream) == {"call_0": "0", "call_1": "1", "call_2": "2"}


@pytest.mark.requirement("json_rpc:tool_result:twice")
@pytest.mark.requirement("json_rpc:tool_result:foreign")
@pytest.mark.requirement("json_rpc:tool_result:late")
async def test_doubled_foreign_and_late_results_are_refused_and_change_nothing(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(CALL, CALL), saying("Thanks."))
    async with open_session(lab, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        await until_calls(session, 2)
        zero, one = ({"tool_call_id": f"call_{n}", "result": n} for n in (0, 1))
        foreign = {"tool_call_id": "call_9", "result": 9}

        async def refused(*results: object, task: str = task_id) -> tuple[int, str]:
            error = await session.refusal("tool_result", task_id=task, results=list(results))
            return error["code"], error["data"]["code"]

        not_waiting = (-32002, "call_not_waiting")
        assert await refused(foreign) == not_waiting
        assert await refused(zero, foreign) == not_waiting
        assert await refused(zero, zero) == not_waiting
        assert await refused(zero, task="nobody") == (-32004, "turn_not_found")
        await session.give(task_id, zero)
        assert await refused({**zero, "result": "else"}) == not_waiting
        await session.give(task_id, one)
        assert text_of(await session.answer()) == "Thanks."
        assert await refused(one) == not_waiting
    assert given(upstream) == {"call_0": "0", "call_1": "1"}


@pytest.mark.requirement("json_rpc:tool_result:refused")
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"task_id": "t"},
        {"task_id": "t", "results": []},
        {"task_id": "t", "results": {}},
        {"task_id": "t", "results": ["x"]},
        {"task_id": "t", "results": [{"result": 1}]},
        {"task_id": 5, "results": [{"tool_call_id": "c"}]},
        {"results": [{"tool_call_id": "c"}]},
    ],
)
async def test_results_of_another_form_are_refused(demo: ServerProcess, params: dict[str, object]) -> None:
    async with open_session(demo) as session:
        assert (await session.refusal("tool_result", **params))["code"] == -32602


@pytest.mark.requirement("json_rpc:tool_result:rounds")
async def test_several_rounds_of_calls(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(CALL), calling(CALL), saying("Thanks."))
    async with open_session(lab, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        for _ in range(2):
            (call,) = calls_of(await until_calls(session, 1))
            await session.give(task_id, {"tool_call_id": call["request_id"], "result": "rain"})
        assert text_of(await session.answer()) == "Thanks."


@pytest.mark.requirement("json_rpc:function_call_request:server")
async def test_the_servers_own_tools_are_run_by_the_server_and_not_asked_of_the_client(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(("get_current_time", '{"format": "%Y"}')), saying("It is late."))
    async with open_session(lab) as session:
        assert methods(await session.ask("What time is it?")) == ["text_chunk", "end"]
    assert int(given(upstream)["call_0"]) > 2020


@pytest.mark.requirement("json_rpc:function_call_request:bad_call")
async def test_calls_that_can_not_be_run_are_results_and_not_asked_of_the_client(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(("get_weather", "{not json"), ("no_such_tool", "{}"), ("get_weather", "[1]")), saying("Oh."))
    async with open_session(lab, tools=[WEATHER]) as session:
        assert methods(await session.ask("Weather?")) == ["text_chunk", "end"]


@pytest.mark.requirement("json_rpc:tool_result:other_connection")
async def test_another_connection_of_the_session_is_told_too_and_may_answer(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(CALL), saying("Thanks."))
    async with open_session(lab, tools=[WEATHER]) as first, join(lab, first.session_id) as second:
        await second.refusal("cancel")
        task_id = await first.generate("Weather?")
        assert await until_calls(first, 1) == await until_calls(second, 1)
        await second.give(task_id, {"tool_call_id": "call_0", "result": "rain"})
        error = await first.refusal("tool_result", task_id=task_id, results=[{"tool_call_id": "call_0", "result": 1}])
        assert error["code"] == -32002
        assert await first.answer() == await second.answer()
    assert given(upstream) == {"call_0": "rain"}


@pytest_asyncio.fixture(loop_scope="session")
async def hasty(upstream: PlannedUpstream, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server that does not wait long for clients' tools."""
    settings = {**LAB, "OPENAI_API_BASE_URL": upstream.base_url, "PARLANCE_TOOLS__WAIT": "0.2"}
    async with started(tmp_path, settings) as server:
        yield server


@pytest.mark.requirement("json_rpc:tool_result:expiry")
async def test_a_call_that_nobody_answers_is_an_error_for_the_model(
    hasty: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(CALL, CALL), saying("I do not know."))
    async with open_session(hasty, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        await until_calls(session, 2)
        await session.give(task_id, {"tool_call_id": "call_0", "result": "rain"})
        assert text_of(await session.answer()) == "I do not know."
        error = await session.refusal("tool_result", task_id=task_id, results=[{"tool_call_id": "call_1", "result": 1}])
        assert error["code"] == -32002
    assert given(upstream)["call_0"] == "rain"
    assert "in time" in given(upstream)["call_1"]

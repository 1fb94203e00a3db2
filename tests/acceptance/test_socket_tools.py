"""Door A: tool rounds, with the server's own tool and with the client's."""

import json

import pytest

from parlance.testing.script import saying
from tests.acceptance.chat_socket import ChatSocket, Frame, chunks_of, open_chat, text_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import WEATHER, calling
from tests.acceptance.server_process import ServerProcess

CALL = ("get_weather", '{"city": "Oslo"}')


async def until_calls(chat: ChatSocket, request_id: str, count: int) -> list[Frame]:
    frames: list[Frame] = []
    while len(chunks_of(frames, "tool_call")) < count:
        frames.append(await chat.frame_of(request_id))
    return frames


@pytest.mark.requirement("ws_chat:tools:server")
async def test_the_server_runs_its_own_tool(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(("get_current_time", '{"format": "%Y"}')), saying("It is late."))
    frames = await lab_chat.ask("What time is it?")
    (call,), (result,) = chunks_of(frames, "tool_call"), chunks_of(frames, "tool_result")
    assert call == {
        "id": "call_0",
        "name": "get_current_time",
        "arguments": '{"format": "%Y"}',
        "runner": "server",
        "expires_at": None,
    }
    assert (result["tool_call_id"], result["error"]) == ("call_0", None)
    assert int(result["output"]) > 2020
    assert text_of(frames) == "It is late."
    sent = upstream.sent(1)["messages"][-1]
    assert sent == {"role": "tool", "tool_call_id": "call_0", "content": result["output"]}


@pytest.mark.requirement("ws_chat:tools:server")
async def test_the_demonstration_calls_the_servers_tool(chat: ChatSocket) -> None:
    frames = await chat.ask('/call get_current_time {"format": "%Y-%m-%d"}')
    (result,) = chunks_of(frames, "tool_result")
    assert result["output"] in text_of(frames)


@pytest.mark.requirement("ws_chat:tools:client:by_turn_id")
async def test_the_client_answers_its_own_tool_by_turn_id(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(CALL), saying("Rain."))
    request_id = await lab_chat.chat("Weather?", tools=[WEATHER])
    begun = await until_calls(lab_chat, request_id, 1)
    (call,) = chunks_of(begun, "tool_call")
    assert (call["name"], call["runner"]) == ("get_weather", "client")
    assert json.loads(call["arguments"]) == {"city": "Oslo"}
    assert call["expires_at"].endswith("Z")
    await lab_chat.give({"tool_call_id": call["id"], "output": {"sky": "rain", "n": 1.0}}, turn_id=begun[0]["turn_id"])
    frames = await lab_chat.answer(request_id)
    assert chunks_of(frames, "tool_result") == [
        {"tool_call_id": "call_0", "output": '{"sky": "rain", "n": 1.0}', "error": None}
    ]
    assert text_of(frames) == "Rain."
    offered = [tool["function"]["name"] for tool in upstream.sent(0)["tools"]]
    assert offered == ["get_weather", "get_current_time"]


@pytest.mark.requirement("ws_chat:tools:client:by_request_id")
@pytest.mark.requirement("ws_chat:tools:client:several_frames")
async def test_results_may_come_by_request_id_and_in_several_frames(
    lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(CALL, ("get_weather", '{"city": "Rome"}')), saying("Rain and sun."))
    request_id = await lab_chat.chat("Weather?", tools=[WEATHER])
    await until_calls(lab_chat, request_id, 2)
    await lab_chat.give({"tool_call_id": "call_1", "output": "sun"}, request_id=request_id)
    await lab_chat.frames_until(request_id, "tool_result")
    assert len(upstream.requests) == 1
    await lab_chat.give({"tool_call_id": "call_0", "output": "rain"}, request_id=request_id)
    assert text_of(await lab_chat.answer(request_id)) == "Rain and sun."
    results = upstream.sent(1)["messages"][-2:]
    assert [(result["tool_call_id"], result["content"]) for result in results] == [
        ("call_0", "rain"),
        ("call_1", "sun"),
    ]


@pytest.mark.requirement("ws_chat:tools:client:error")
async def test_an_error_of_the_clients_tool_goes_to_the_model(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(CALL), saying("Sorry."))
    request_id = await lab_chat.chat("Weather?", tools=[WEATHER])
    await until_calls(lab_chat, request_id, 1)
    await lab_chat.give({"tool_call_id": "call_0", "error": "no network there"}, request_id=request_id)
    frames = await lab_chat.answer(request_id)
    assert chunks_of(frames, "tool_result") == [{"tool_call_id": "call_0", "output": None, "error": "no network there"}]
    assert "no network there" in upstream.sent(1)["messages"][-1]["content"]


@pytest.mark.requirement("ws_chat:tools:client:twice")
@pytest.mark.requirement("ws_chat:tools:client:foreign")
@pytest.mark.requirement("ws_chat:tools:client:late")
async def test_doubled_foreign_and_late_results_are_refused_and_harm_nothing(
    lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(CALL, CALL), saying("Rain."))
    request_id = await lab_chat.chat("Weather?", tools=[WEATHER])
    await until_calls(lab_chat, request_id, 2)

    async def refused(*results: dict[str, object]) -> None:
        await lab_chat.give(*results, request_id=request_id)
        refusal = await lab_chat.frame_of(None)
        assert (refusal["status"], refusal["code"]) == ("error", "call_not_waiting")

    zero: dict[str, object] = {"tool_call_id": "call_0", "output": "rain"}
    await refused({"tool_call_id": "call_9", "output": "x"})
    await refused(zero, {"tool_call_id": "call_9", "output": "x"})
    await refused(zero, zero)
    await lab_chat.give(zero, request_id=request_id)
    await lab_chat.frames_until(request_id, "tool_result")
    await refused(zero)
    await lab_chat.give({"tool_call_id": "call_1", "output": "sun"}, request_id=request_id)
    turn_id = (await lab_chat.answer(request_id))[-1]["turn_id"]
    await lab_chat.give({"tool_call_id": "call_1", "output": "late"}, turn_id=turn_id)
    assert (await lab_chat.frame_of(None))["code"] == "call_not_waiting"


@pytest.mark.requirement("ws_chat:tools:client:other_connection")
async def test_another_connection_may_answer(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(CALL), saying("Rain."))
    async with open_chat(lab) as first, open_chat(lab) as second:
        request_id = await first.chat("Weather?", tools=[WEATHER], request_id="here")
        turn_id = (await until_calls(first, request_id, 1))[0]["turn_id"]
        await second.give({"tool_call_id": "call_0", "output": "rain"}, turn_id=turn_id)
        assert text_of(await first.answer(request_id)) == "Rain."


@pytest.mark.requirement("ws_chat:tools:resumed")
async def test_a_client_that_returns_is_told_the_waiting_call_again(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(CALL), saying("Rain."))
    async with open_chat(lab) as chat:
        request_id = await chat.chat("Weather?", tools=[WEATHER])
        begun = await until_calls(chat, request_id, 1)
    async with open_chat(lab) as chat:
        await chat.resume(turn_id=begun[0]["turn_id"], request_id="back")
        assert chunks_of(await until_calls(chat, "back", 1), "tool_call")[0]["id"] == "call_0"
        await chat.give({"tool_call_id": "call_0", "output": "rain"}, request_id="back")
        assert text_of(await chat.answer("back")) == "Rain."


@pytest.mark.requirement("ws_chat:tools:bad_call")
async def test_calls_that_can_not_be_run_become_results_and_nobody_is_asked(
    lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    upstream.plan(calling(("get_weather", "{not json"), ("no_such_tool", "{}"), ("get_weather", "[1]")), saying("Oh."))
    frames = await lab_chat.ask("Weather?", tools=[WEATHER])
    assert chunks_of(frames, "tool_call") == []
    assert [result["error"] is not None for result in chunks_of(frames, "tool_result")] == [True, True, True]
    assert text_of(frames) == "Oh."

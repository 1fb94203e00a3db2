"""Door A: several requests at once over one connection, which is a conversation."""

import json
from pathlib import Path

import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script, saying
from tests.acceptance.chat_socket import ChatSocket, open_chat, statuses, text_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.server_process import ServerProcess, started

GATED = Script(reply=Reply(text=("one", " two")), hold_after=2)


@pytest.mark.requirement("ws_chat:order")
async def test_an_answer_is_processing_then_chunks_in_order_then_complete_once(chat: ChatSocket) -> None:
    frames = await chat.ask("/words 30")
    assert statuses(frames) == ["processing", "chunk", "complete"]
    assert frames[0]["chunk"]["metadata"]["user_message"] == "/words 30"
    assert len(text_of(frames).split()) == 30
    assert len({frame["turn_id"] for frame in frames}) == 1
    numbers = [int(frame["cursor"].rpartition("-")[2]) for frame in frames]
    assert numbers == sorted(set(numbers))


@pytest.mark.requirement("ws_chat:parallel")
async def test_requests_at_once_are_told_apart(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(GATED, GATED, GATED)
    for name in "abc":
        await lab_chat.chat(name, request_id=name)
        await lab_chat.frames_until(name, "text")
    third, first, second = upstream.requests[2], upstream.requests[0], upstream.requests[1]
    for name, request in (("c", third), ("a", first), ("b", second)):
        request.go()
        frames = await lab_chat.answer(name)
        assert {frame["request_id"] for frame in frames} == {name}
        assert text_of(frames) == " two"


@pytest.mark.requirement("ws_chat:parallel")
async def test_fifty_requests_at_once_are_all_answered(chat: ChatSocket) -> None:
    ids = [await chat.chat(f"/words {number}", request_id=f"r{number}") for number in range(1, 51)]
    for number, request_id in enumerate(ids, 1):
        assert len(text_of(await chat.answer(request_id)).split()) == number


@pytest.mark.requirement("ws_chat:request_id:in_use")
async def test_a_request_id_that_runs_can_not_be_used_again(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(GATED)
    await lab_chat.chat("first", request_id="twin")
    await lab_chat.frames_until("twin", "text")
    await lab_chat.chat("second", request_id="twin")
    refusal = await lab_chat.frame_of(None)
    assert (refusal["status"], refusal["code"]) == ("error", "request_id_in_use")
    assert refusal["rejected_request_id"] == "twin"
    upstream.requests[0].go()
    assert (await lab_chat.answer("twin"))[-1]["status"] == "complete"
    assert len(upstream.requests) == 1


@pytest.mark.requirement("ws_chat:request_id:again_after_end")
async def test_a_request_id_is_free_again_once_its_answer_has_ended(chat: ChatSocket) -> None:
    first, second = [await chat.ask("Hello", request_id="again") for _ in range(2)]
    assert first[-1]["status"] == second[-1]["status"] == "complete"
    assert first[0]["turn_id"] != second[0]["turn_id"]


@pytest.mark.requirement("ws_chat:request_id:none")
async def test_a_request_without_an_id_gets_one(chat: ChatSocket) -> None:
    await chat.send({"action": "chat", "payload": {"text": "Hello"}})
    first = await chat.frame()
    assert isinstance(first["request_id"], str)
    assert (await chat.answer(first["request_id"]))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:history:connection")
async def test_a_connection_is_a_conversation(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(saying("Ann", "."), saying("Your name is Ann."))
    await lab_chat.ask("What is my name?")
    await lab_chat.ask("Say it again.")
    second = upstream.sent(1)["messages"]
    assert second == [
        {"role": "user", "content": "What is my name?"},
        {"role": "assistant", "content": "Ann."},
        {"role": "user", "content": "Say it again."},
    ]


@pytest.mark.requirement("ws_chat:history:parallel")
async def test_a_request_does_not_see_what_runs_beside_it(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(GATED, saying("two"), saying("three"))
    first = await lab_chat.chat("first")
    await lab_chat.frames_until(first, "text")
    await lab_chat.ask("second")
    upstream.requests[0].go()
    await lab_chat.answer(first)
    await lab_chat.ask("third")
    beside, behind = [upstream.sent(number)["messages"] for number in (1, 2)]
    assert beside == [{"role": "user", "content": "second"}]
    assert [message["content"] for message in behind] == ["first", "one two", "second", "two", "third"]


@pytest.mark.requirement("ws_chat:history:connection")
async def test_another_connection_is_another_conversation(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    for number in (1, 2):
        async with open_chat(lab) as chat:
            await chat.ask(f"question {number}")
    assert upstream.sent(1)["messages"] == [{"role": "user", "content": "question 2"}]


@pytest.mark.requirement("ws_chat:history:cancelled_and_failed")
async def test_what_was_shown_of_a_cancelled_answer_is_history_and_of_a_failed_one_the_question(
    lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    upstream.plan(GATED, Script(status=500, body=b"{}"), saying("ok"))
    request_id = await lab_chat.chat("cancelled")
    await lab_chat.frames_until(request_id, "text")
    await lab_chat.cancel(request_id)
    await lab_chat.answer(request_id)
    await lab_chat.ask("failed")
    await lab_chat.ask("last")
    messages = upstream.sent(-1)["messages"]
    said = [(message["role"], message["content"]) for message in messages]
    assert said[:2] == [("user", "cancelled"), ("assistant", "one")]
    assert "failed" in json.dumps(said[2:])
    assert "last" in json.dumps(said[-1])


@pytest.mark.requirement("ws_chat:history:none")
async def test_history_can_be_turned_off(upstream: PlannedUpstream, tmp_path: Path) -> None:
    settings = {
        "OPENAI_API_BASE_URL": upstream.base_url,
        "OPENAI_API_KEY": "sk-any-key",
        "DEFAULT_MODEL": "scripted-model",
        "PARLANCE_SERVER__WS__HISTORY": "none",
    }
    async with started(tmp_path, settings) as server, open_chat(server) as chat:
        await chat.ask("first")
        await chat.ask("second")
    assert upstream.sent(1)["messages"] == [{"role": "user", "content": "second"}]


@pytest.mark.requirement("ws_chat:reasoning")
async def test_reasoning_is_told_only_to_who_asks_for_it(chat: ChatSocket) -> None:
    plain = await chat.ask("/reason Hello")
    asked = await chat.ask("/reason Hello", params={"reasoning": True})
    assert {frame["chunk"]["type"] for frame in plain if frame["status"] == "chunk"} == {"text"}
    assert {frame["chunk"]["type"] for frame in asked if frame["status"] == "chunk"} == {"text", "reasoning"}
    assert text_of(plain) == text_of(asked)


@pytest.mark.requirement("ws_chat:model")
async def test_a_request_may_name_its_model(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    frames = await lab_chat.ask("Hello", model="openai/other-model")
    assert upstream.sent(0)["model"] == "other-model"
    assert frames[-1]["metadata"]["provider"] == "openai"


@pytest.mark.requirement("ws_chat:params")
async def test_parameters_reach_the_model(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    params = {"temperature": 0.25, "top_p": 0.5, "seed": 7, "stop": ["END"], "max_tokens": 99}
    await lab_chat.ask("Hello", params=params)
    sent = upstream.sent(0)
    assert {"temperature": 0.25, "top_p": 0.5, "seed": 7, "stop": ["END"]}.items() <= sent.items()
    assert 99 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


@pytest.mark.requirement("ws_chat:complete:usage")
async def test_the_last_frame_tells_usage_and_finish(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(Script(reply=Reply(text=("cut short",), finish="length", usage=(11, 22))))
    last = (await lab_chat.ask("Hello"))[-1]
    assert last["metadata"]["usage"] == {"input": 11, "output": 22}
    assert last["metadata"]["finish_reason"] == "length"
    assert last["metadata"]["status"] == "completed"


@pytest.mark.requirement("ws_chat:disconnect")
async def test_a_turn_goes_on_without_its_client(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(GATED)
    async with open_chat(lab) as chat:
        request_id = await chat.chat("Hello")
        turn_id = (await chat.frames_until(request_id, "text"))[0]["turn_id"]
    upstream.requests[0].go()
    await upstream.requests[0].answered.wait()
    async with open_chat(lab) as chat:
        await chat.resume(turn_id=turn_id, request_id="again")
        frames = await chat.answer("again")
    assert (text_of(frames), frames[-1]["status"]) == ("one two", "complete")

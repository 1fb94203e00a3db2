"""The same request sent twice, because its answer was lost on the way, is one turn at either door."""

import httpx
import pytest

from tests.acceptance.chat_lines import ask, begun, problem_of
from tests.acceptance.chat_socket import ChatSocket, open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess


@pytest.mark.requirement("ndjson_chat:idempotency")
async def test_the_same_key_and_body_are_one_turn(lab_client: httpx.AsyncClient, upstream: PlannedUpstream) -> None:
    lab_client.headers["idempotency-key"] = "once-1"
    first, second = await ask(lab_client, "Hello"), await ask(lab_client, "Hello")
    assert first.lines == second.lines
    assert len(upstream.requests) == 1


@pytest.mark.requirement("ndjson_chat:idempotency")
async def test_a_turn_that_still_runs_is_attached_to(lab_client: httpx.AsyncClient, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    lab_client.headers["idempotency-key"] = "once-2"
    async with begun(lab_client, "Hello") as first:
        await first.until("delta")
        async with begun(lab_client, "Hello") as second:
            await second.until("delta")
            upstream.requests[0].go()
            assert (await first.rest()).lines == (await second.rest()).lines
    assert len(upstream.requests) == 1


@pytest.mark.requirement("ndjson_chat:idempotency:reused")
async def test_another_body_under_the_same_key_is_refused(lab_client: httpx.AsyncClient) -> None:
    lab_client.headers["idempotency-key"] = "once-3"
    await ask(lab_client, "Hello")
    problem_of(await lab_client.post("/chat", json={"message": "Other"}), 422, "idempotency_key_reused")


@pytest.mark.requirement("ndjson_chat:idempotency:invalid")
@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_that_can_be_none_is_refused(client: httpx.AsyncClient, key: str) -> None:
    refusal = await client.post("/chat", json={"message": "Hello"}, headers={"idempotency-key": key})
    problem_of(refusal, 400, "idempotency_key_invalid")


@pytest.mark.requirement("ws_chat:idempotency")
async def test_a_request_repeated_at_another_connection_is_the_same_turn(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    async with open_chat(lab) as first, open_chat(lab) as second:
        await first.chat("Hello", request_id="a", idempotency_key="once-4")
        begun_there = await first.frames_until("a", "text")
        await second.chat("Hello", request_id="b", idempotency_key="once-4")
        begun_here = await second.frames_until("b", "text")
        upstream.requests[0].go()
        there, here = [*begun_there, *await first.answer("a")], [*begun_here, *await second.answer("b")]
    assert [{**frame, "request_id": "a"} for frame in here] == there
    assert len(upstream.requests) == 1


@pytest.mark.requirement("ws_chat:idempotency:reused")
async def test_another_message_under_the_same_key_is_an_error(chat: ChatSocket) -> None:
    await chat.ask("Hello", idempotency_key="once-5")
    assert (await chat.ask("Other", idempotency_key="once-5"))[-1]["code"] == "idempotency_key_reused"


@pytest.mark.requirement("ws_chat:idempotency:history")
async def test_a_repeated_request_is_in_the_conversation_once(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    for _ in range(2):
        await lab_chat.ask("Hello", idempotency_key="once-6")
    await lab_chat.ask("And now?")
    said = [message["content"] for message in upstream.sent(-1)["messages"]]
    assert said == ["Hello", "Hello there!", "And now?"]

"""Door A: cancel ends the turn and the host's work, once; disconnect does neither until its grace is over."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from parlance.testing.script import saying
from tests.acceptance.chat_lines import open_client, resume
from tests.acceptance.chat_socket import ChatSocket, open_chat, statuses, text_of
from tests.acceptance.conftest import LAB
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED, SILENT, WEATHER, calling
from tests.acceptance.server_process import ServerProcess, started


@pytest.mark.requirement("ws_chat:cancel:before_first_token")
async def test_cancel_before_the_first_token(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(SILENT)
    request_id = await lab_chat.chat("Hello")
    await upstream.arrival()
    await lab_chat.cancel(request_id)
    frames = await lab_chat.answer(request_id)
    assert statuses(frames) == ["processing", "complete"]
    assert frames[-1]["metadata"]["status"] == "cancelled"
    await upstream.hung_up()


@pytest.mark.requirement("ws_chat:cancel:mid_stream")
async def test_cancel_in_mid_stream_keeps_what_was_shown(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    request_id = await lab_chat.chat("Hello")
    shown = await lab_chat.frames_until(request_id, "text")
    await lab_chat.cancel(request_id)
    rest = await lab_chat.answer(request_id)
    assert [frame["status"] for frame in rest] == ["complete"]
    assert rest[0]["metadata"]["status"] == "cancelled"
    assert rest[0]["metadata"]["usage"]["estimated"] is True
    await upstream.hung_up()
    assert upstream.requests[0].sent_events == 2
    await lab_chat.resume(turn_id=shown[0]["turn_id"], request_id="again")
    assert text_of(await lab_chat.answer("again")) == "one"


@pytest.mark.requirement("ws_chat:cancel:waiting")
async def test_cancel_while_a_call_waits_for_the_client(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(("get_weather", "{}")))
    request_id = await lab_chat.chat("Hello", tools=[WEATHER])
    await lab_chat.frames_until(request_id, "tool_call")
    await lab_chat.cancel(request_id)
    frames = await lab_chat.answer(request_id)
    assert frames[-1]["metadata"]["status"] == "cancelled"
    await lab_chat.give({"tool_call_id": "call_0", "output": "late"}, turn_id=frames[-1]["turn_id"])
    refusal = await lab_chat.frame_of(None)
    assert (refusal["status"], refusal["code"]) == ("error", "call_not_waiting")
    assert len(upstream.requests) == 1


@pytest.mark.requirement("ws_chat:cancel:twice")
@pytest.mark.requirement("ws_chat:cancel:stale")
async def test_cancelling_twice_or_late_changes_nothing(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED, saying("whole"))
    request_id = await lab_chat.chat("Hello")
    await lab_chat.frames_until(request_id, "text")
    for _ in range(3):
        await lab_chat.cancel(request_id)
    assert [frame["status"] for frame in await lab_chat.answer(request_id)] == ["complete"]
    await lab_chat.cancel(request_id)
    frames = await lab_chat.ask("And now?")
    assert (text_of(frames), frames[-1]["metadata"]["status"]) == ("whole", "completed")


@pytest.mark.requirement("ws_chat:cancel:stale")
async def test_a_stale_cancel_by_turn_id_leaves_the_newer_turn_of_the_same_request_id_alone(
    lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    upstream.plan(saying("first"), PAUSED)
    old = (await lab_chat.ask("Hello", request_id="same"))[0]["turn_id"]
    await lab_chat.chat("Hello", request_id="same")
    await lab_chat.frames_until("same", "text")
    await lab_chat.send({"action": "cancel", "turn_id": old})
    await lab_chat.ask("/words 1", request_id="other")
    upstream.requests[1].go()
    assert (await lab_chat.answer("same"))[-1]["metadata"]["status"] == "completed"


@pytest.mark.requirement("ws_chat:cancel:stale")
async def test_a_stale_cancel_leaves_a_turn_of_the_same_request_id_at_another_connection_alone(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(saying("first"), PAUSED)
    async with open_chat(lab) as first, open_chat(lab) as second:
        await first.ask("Hello", request_id="1")
        await second.chat("Hello", request_id="1")
        await second.frames_until("1", "text")
        await first.cancel("1")
        await first.ask("Hello", request_id="2")
        upstream.requests[1].go()
        assert (await second.answer("1"))[-1]["metadata"]["status"] == "completed"


@pytest.mark.requirement("ws_chat:cancel:unknown")
async def test_cancelling_what_is_not_there_is_an_error(chat: ChatSocket) -> None:
    await chat.cancel("never-was")
    refusal = await chat.frame()
    assert (refusal["status"], refusal["code"], refusal["request_id"]) == ("error", "turn_not_found", "never-was")
    assert (await chat.ask("Hello"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:cancel:by_turn_id")
async def test_any_connection_of_the_same_principal_may_cancel(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    async with open_chat(lab) as first, open_chat(lab) as second:
        request_id = await first.chat("Hello")
        turn_id = (await first.frames_until(request_id, "text"))[0]["turn_id"]
        await second.send({"action": "cancel", "turn_id": turn_id})
        assert (await first.answer(request_id))[-1]["metadata"]["status"] == "cancelled"
    await upstream.hung_up()


@pytest_asyncio.fixture(loop_scope="session")
async def hasty(upstream: PlannedUpstream, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server that gives turns up as soon as nobody follows them, and does not wait long for clients' tools."""
    settings = {
        **LAB,
        "OPENAI_API_BASE_URL": upstream.base_url,
        "PARLANCE_JOURNAL__LIVE_GRACE": "0.05",
        "PARLANCE_TOOLS__WAIT": "0.3",
    }
    async with started(tmp_path, settings) as server:
        yield server


@pytest.mark.requirement("ws_chat:disconnect:abandoned")
@pytest.mark.requirement("ws_chat:tools:wait_outlives_grace")
@pytest.mark.requirement("ws_chat:tools:expiry")
async def test_a_turn_without_any_follower_is_given_up_but_not_while_it_waits_for_its_client(
    hasty: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    async with open_chat(hasty) as chat:
        abandoned = (await chat.frames_until(await chat.chat("Hello"), "text"))[0]["turn_id"]
    await upstream.hung_up()

    upstream.plan(calling(("get_weather", "{}")), saying("I do not know."))
    async with open_chat(hasty) as chat:
        request_id = await chat.chat("Hello", tools=[WEATHER])
        waiting = (await chat.frames_until(request_id, "tool_call"))[0]["turn_id"]
    await upstream.arrival(3)
    result = upstream.sent(2)["messages"][-1]
    assert result["role"] == "tool"
    assert "in time" in result["content"]

    async with open_client(hasty) as client:
        given_up, whole = await resume(client, abandoned), await resume(client, waiting)
    assert given_up.text == "one"
    assert given_up.lines[-1].items() >= {"done": True, "status": "cancelled"}.items()
    assert whole.lines[-1]["done"]

"""A host that takes its time to list its models holds up the one request that needs the list, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from parlance.testing.script import Script
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import Voice, Wanted
from tests.acceptance.chat_socket import open_chat, statuses, text_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import open_session
from tests.acceptance.rpc_session import text_of as told_text
from tests.acceptance.server_process import ServerProcess, started


class SlowToList(PlannedUpstream):
    """It lists its models when the request for them is let go."""

    def _script(self, request: UpstreamRequest, voice: Voice, wanted: Wanted) -> Script:
        if wanted == "models":
            return Script(body=voice.encode_models(["late"]), content_type="application/json", hold_head=True)
        return super()._script(request, voice, wanted)


@pytest_asyncio.fixture(loop_scope="session")
async def host() -> AsyncIterator[SlowToList]:
    async with SlowToList() as upstream:
        yield upstream


@pytest_asyncio.fixture(loop_scope="session")
async def server(host: SlowToList, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    (tmp_path / "parlance.yaml").write_text(
        f"providers: {{demo: {{host: demo}}, slow: {{host: openai_compatible, base_url: '{host.base_url}', "
        "api_key: some}}\nmodels: {default_provider: slow}\n"
    )
    async with started(tmp_path) as process:
        yield process


@pytest.mark.requirement("ws_chat:starting")
async def test_other_frames_of_a_socket_are_obeyed_while_a_turn_is_being_started(
    server: ServerProcess, host: SlowToList
) -> None:
    async with open_chat(server) as chat:
        await chat.chat("Hello", request_id="waits")
        listing = await host.arrival()
        assert text_of(await chat.ask("/words 2", model="demo/demo")) == "Parlance tells"
        await (await chat.connection.ping())
        await chat.chat("Again", request_id="waits")
        refusal = await chat.frame_of(None)
        assert (refusal["code"], refusal["rejected_request_id"]) == ("request_id_in_use", "waits")
        listing.go()
        answer = await chat.answer("waits")
        assert statuses(answer) == ["processing", "chunk", "complete"]
    assert [request.method for request in host.requests] == ["GET", "POST"]


@pytest.mark.requirement("ws_chat:cancel:starting")
async def test_a_turn_that_is_cancelled_while_it_is_being_started_asks_nobody(
    server: ServerProcess, host: SlowToList
) -> None:
    async with open_chat(server) as chat:
        await chat.chat("Hello", request_id="stopped")
        listing = await host.arrival()
        await chat.cancel("stopped")
        await chat.cancel("stopped")
        await chat.cancel("nobody's")
        assert (await chat.frame_of("nobody's"))["code"] == "turn_not_found"
        listing.go()
        answer = await chat.answer("stopped")
        assert statuses(answer) == ["processing", "complete"]
        assert answer[-1]["metadata"]["status"] == "cancelled"
    assert [request.method for request in host.requests] == ["GET"]


@pytest.mark.requirement("ws_chat:starting")
async def test_a_turn_that_is_being_started_begins_although_its_client_leaves(
    server: ServerProcess, host: SlowToList
) -> None:
    async with open_chat(server) as chat:
        await chat.chat("Hello", request_id="left")
        listing = await host.arrival()
    listing.go()
    await host.arrival(2)
    async with open_chat(server) as chat:
        await chat.resume(request_id="left")
        assert (await chat.answer("left"))[-1]["status"] == "complete"


@pytest.mark.requirement("json_rpc:starting")
async def test_other_calls_of_a_session_are_answered_while_a_task_is_being_started(
    server: ServerProcess, host: SlowToList
) -> None:
    async with open_session(server) as session:
        await session.send({"jsonrpc": "2.0", "id": "waits", "method": "generate", "params": {"message": "Hello"}})
        listing = await host.arrival()
        assert (await session.refusal("resume", task_id="nothing"))["code"] == -32004
        await session.send({"jsonrpc": "2.0", "id": "second", "method": "generate", "params": {"message": "Hello"}})
        listing.go()
        first, second = await session.response(), await session.response()
        assert (first["id"], first["result"]["status"]) == ("waits", "processing")
        assert (second["id"], second["error"]["data"]["code"]) == ("second", "turn_running")
        assert told_text(await session.answer())


@pytest.mark.requirement("json_rpc:cancel:starting")
async def test_a_task_that_is_cancelled_while_it_is_being_started_asks_nobody(
    server: ServerProcess, host: SlowToList
) -> None:
    async with open_session(server) as session:
        await session.send({"jsonrpc": "2.0", "id": "stopped", "method": "generate", "params": {"message": "Hello"}})
        listing = await host.arrival()
        assert (await session.done("cancel"))["status"] == "cancelled"
        assert (await session.refusal("cancel"))["code"] == -32003
        listing.go()
        assert (await session.response())["id"] == "stopped"
        assert (await session.answer())[-1]["params"]["status_message"] == "cancelled"
    assert [request.method for request in host.requests] == ["GET"]

"""Door D: sessions are made, outlive their connections, belong to their principal, and tell their turns again."""

import json
from pathlib import Path

import httpx
import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script, saying
from tests.acceptance.chat_lines import ask, open_client, problem_of
from tests.acceptance.chat_lines import resume as resume_lines
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.chat_socket import text_of as chat_text
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import (
    Frame,
    RpcSession,
    calls_of,
    create_session,
    is_lost,
    join,
    open_session,
    text_of,
)
from tests.acceptance.scripts import PAUSED, WEATHER, calling
from tests.acceptance.server_process import ServerProcess, started
from tests.probes.leaks import LeakProbe

JSON = {"content-type": "application/json"}

BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "no body": (b"", {}),
    "no body, but a type": (b"", JSON),
    "no body, and another type": (b"", {"content-type": "text/plain"}),
    "an empty object": (b"{}", JSON),
    "no tools": (b'{"tools":[]}', JSON),
    "tools of null": (b'{"tools":null,"queue":null}', JSON),
    "flat tools": (json.dumps({"tools": [WEATHER]}).encode(), JSON),
    "OpenAI's form": (json.dumps({"tools": [{"type": "function", "function": WEATHER}]}).encode(), JSON),
    "a charset": (b"{}", {"content-type": "application/json; charset=utf-8"}),
}


@pytest.mark.requirement("json_rpc:create_session:body")
@pytest.mark.requirement("json_rpc:create_session:id")
@pytest.mark.parametrize("name", BODIES)
async def test_a_session_is_made(client: httpx.AsyncClient, name: str) -> None:
    body, headers = BODIES[name]
    ids = set()
    for _ in range(2):
        answer = await client.post("/create_session", content=body, headers=headers)
        assert answer.status_code == 200
        ids.add(answer.json()["session_id"])
    assert len(ids) == 2
    assert all(len(bytes.fromhex(session_id)) == 16 for session_id in ids)


REFUSED: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "another type": (b"{}", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
    "no type": (b"{}", {}, 415, "unsupported_media_type"),
    "not JSON": (b"{", JSON, 400, "invalid_json"),
    "a list": (b"[]", JSON, 422, "invalid_request"),
    "tools that are no list": (b'{"tools":{}}', JSON, 422, "invalid_request"),
    "a tool without a name": (b'{"tools":[{"description":"x"}]}', JSON, 422, "invalid_request"),
    "a queue that is a number": (b'{"queue":16}', JSON, 422, "invalid_request"),
    "too much": (b" " * 5_000_000, JSON, 413, "body_too_large"),
}


@pytest.mark.requirement("json_rpc:create_session:refused")
@pytest.mark.parametrize("name", REFUSED)
async def test_what_makes_no_session_is_a_problem(client: httpx.AsyncClient, name: str) -> None:
    body, headers, status, code = REFUSED[name]
    problem_of(await client.post("/create_session", content=body, headers=headers), status, code)


@pytest.mark.requirement("json_rpc:create_session:refused")
async def test_another_method_makes_no_session(client: httpx.AsyncClient) -> None:
    problem_of(await client.get("/create_session"), 405, "method_not_allowed")


@pytest.mark.requirement("json_rpc:session:unknown")
@pytest.mark.parametrize("session_id", ["nope", "0" * 32, "chat2", "%2e"])
async def test_an_unknown_session_is_told_and_closed(demo: ServerProcess, session_id: str) -> None:
    async with join(demo, session_id) as session:
        notice = await session.notice()
        assert is_lost(notice, notice["params"]["session_id"])
        assert await session.closed() == 1008


@pytest.mark.requirement("json_rpc:session:chat_deleted")
async def test_a_session_whose_chat_was_deleted_is_told_so_and_closed(
    demo: ServerProcess, client: httpx.AsyncClient
) -> None:
    made = (await client.post("/create_session", json={"chat_id": "new"})).json()
    assert (await client.delete(f"/api/v1/chats/{made['chat_id']}")).status_code == 200
    async with join(demo, made["session_id"]) as session:
        notice = (await session.notice())["params"]
        assert (notice["task_id"], notice["error"]["data"]["code"]) == (None, "chat_not_found")
        assert await session.closed() == 1008


@pytest.mark.requirement("json_rpc:session:reconnect")
async def test_a_session_remembers_across_connections(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(saying("one"), saying("two"))
    async with open_session(lab, tools=[WEATHER]) as session:
        await session.ask("a")
    async with join(lab, session.session_id) as session:
        await session.ask("b")
    request = upstream.sent(1)
    assert [message["content"] for message in request["messages"]] == ["a", "one", "b"]
    assert request["tools"][0]["function"]["name"] == "get_weather"


@pytest.mark.requirement("json_rpc:session:announce")
async def test_calls_that_wait_are_announced_again(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(("get_weather", "{}"), ("get_weather", '{"city": "Oslo"}')), saying("Rain."))
    async with open_session(lab, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        told = [await session.notice(), await session.notice()]
        assert len(calls_of(told)) == 2
        session.connection.transport.abort()
    async with join(lab, session.session_id) as session:
        assert [await session.notice(), await session.notice()] == told
        await session.give(task_id, {"tool_call_id": "call_0", "result": "rain"})
    async with join(lab, session.session_id) as session:
        assert await session.notice() == told[1]
        await session.give(task_id, {"tool_call_id": "call_1", "result": "sun"})
        notices = await session.answer()
    assert (text_of(notices), notices[-1]["params"]["status_message"]) == ("Rain.", "completed")


@pytest.mark.requirement("json_rpc:session:goes_on")
async def test_who_comes_back_hears_what_is_said_from_now_on_and_the_whole_at_the_end(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    async with open_session(lab) as session:
        await session.generate("Hello")
        await session.notices_until("text_chunk")
    async with join(lab, session.session_id) as session:
        assert (await session.refusal("generate", message="Hi"))["code"] == -32001
        upstream.requests[0].go()
        notices = await session.answer()
    assert text_of(notices) == " two"
    assert notices[-1]["params"]["final_text"] == "one two"


@pytest.mark.requirement("json_rpc:session:ending")
async def test_who_comes_back_is_told_what_ended_meanwhile(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    async with open_session(lab) as session:
        task_id = await session.generate("Hello")
        await session.notices_until("text_chunk")
    upstream.requests[0].go()
    async with open_client(lab) as client:
        last = (await resume_lines(client, task_id)).lines[-1]
    async with join(lab, session.session_id) as session:
        end = (await session.notice())["params"]
        assert (end["status_message"], end["final_text"], end["cursor"]) == ("completed", "one two", last["cursor"])
        await session.ask("Hi")
    async with join(lab, session.session_id) as session:
        assert (await session.refusal("cancel"))["code"] == -32003


@pytest.mark.requirement("json_rpc:session:connections")
async def test_every_connection_of_a_session_is_told(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    async with open_session(lab) as first, join(lab, first.session_id) as second:
        await second.refusal("cancel")
        await first.generate("Hello")
        begun = await first.notices_until("text_chunk")
        assert await second.notices_until("text_chunk") == begun
        upstream.requests[0].go()
        assert await first.answer() == await second.answer()


async def resumed(session: RpcSession, task_id: str, **params: object) -> list[Frame]:
    assert await session.done("resume", task_id=task_id, **params) == {"status": "resumed", "task_id": task_id}
    return await session.answer()


@pytest.mark.requirement("json_rpc:resume:every_cursor")
@pytest.mark.requirement("json_rpc:resume:ended")
async def test_resuming_behind_every_notification_gives_exactly_the_rest(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        task_id = await session.generate("/reason /words 12", reasoning=True)
        notices = await session.answer()
        assert await resumed(session, task_id, reasoning=True) == notices
        for place, notice in enumerate(notices[:-1], 1):
            after = notice["params"]["cursor"]
            assert await resumed(session, task_id, after=after, reasoning=True) == notices[place:]
        assert await resumed(session, task_id, after=notices[-1]["params"]["cursor"]) == [notices[-1]]


@pytest.mark.requirement("json_rpc:resume:running")
async def test_a_turn_that_is_told_already_is_told_from_the_cursor_and_once(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    async with open_session(lab) as session:
        task_id = await session.generate("Hello")
        seen = await session.notices_until("text_chunk")
        session.connection.transport.abort()
    async with join(lab, session.session_id) as session:
        assert (await session.done("resume", task_id=task_id))["status"] == "resumed"
        assert await session.notices_until("text_chunk") == seen
        upstream.requests[0].go()
        assert text_of(await session.answer()) == " two"


@pytest.mark.requirement("json_rpc:resume:cursor_expired")
@pytest.mark.parametrize("cursor", ["nonsense", "0123456789ab-3", "-1", "ahead"])
async def test_a_cursor_that_can_not_be_served_gives_a_snapshot_and_then_the_tail(
    lab: ServerProcess, upstream: PlannedUpstream, cursor: str
) -> None:
    upstream.plan(PAUSED)
    async with open_session(lab) as session:
        task_id = await session.generate("Hello")
        seen = await session.notices_until("text_chunk")
        epoch = seen[0]["params"]["cursor"].partition("-")[0]
        after = f"{epoch}-5000" if cursor == "ahead" else cursor
        await session.done("resume", task_id=task_id, after=after)
        (snapshot,) = await session.notices_until("snapshot")
        assert snapshot["params"]["snapshot"] == {"parts": [{"kind": "text", "text": "one"}], "status": "running"}
        assert snapshot["params"]["cursor"].startswith(f"{epoch}-")
        upstream.requests[0].go()
        notices = await session.answer()
    assert text_of(notices) == " two"
    assert notices[-1]["params"]["final_text"] == "one two"


@pytest.mark.requirement("json_rpc:resume:unknown")
async def test_resuming_what_is_not_there_is_an_error(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        error = await session.refusal("resume", task_id="nobody")
        assert (error["code"], error["data"]["code"]) == (-32004, "turn_not_found")


@pytest.mark.requirement("json_rpc:resume:other_doors")
async def test_what_began_here_is_told_at_the_other_doors_and_theirs_here(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    words = tuple(f" {number}" for number in range(9))
    upstream.plan(Script(reply=Reply(text=words)), Script(reply=Reply(text=words)))
    async with open_session(lab) as session, open_chat(lab) as chat, open_client(lab) as client:
        notices = await session.ask("Hello")
        task_id, after = notices[3]["params"]["task_id"], notices[3]["params"]["cursor"]
        rest = "".join(words[4:])
        await chat.resume(turn_id=task_id, after=after, request_id="r")
        assert chat_text(await chat.answer("r")) == (await resume_lines(client, task_id, after=after)).text == rest
        frames = await chat.ask("Hello")
        theirs = await resumed(session, frames[0]["turn_id"], after=frames[4]["cursor"])
    assert text_of(theirs) == rest
    assert [notice["params"]["cursor"] for notice in theirs] == [frame["cursor"] for frame in frames[5:]]


DOTENV = """\
API_KEY_ENV_VAR="LAB_KEY"
LAB_KEY="sk-of-the-lab-0123456789"
LLM_BASE_URL="{address}"
LLM_MODEL_NAME="gpt-4o"
"""


@pytest.mark.requirement("json_rpc:model:default")
async def test_without_a_model_the_one_of_the_printed_settings_answers(
    upstream: PlannedUpstream, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(DOTENV.format(address=upstream.base_url))
    async with started(tmp_path, {"LLM__HOST": upstream.base_url, "LLM__MODEL": "others"}) as server:
        async with open_session(server) as session:
            await session.ask("Hello")
            await session.ask("Hello", model="session/another")
        async with open_client(server) as client:
            await ask(client, "Hello")
    assert [upstream.sent(number)["model"] for number in range(3)] == ["gpt-4o", "another", "others"]
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-of-the-lab-0123456789"
    assert "authorization" not in upstream.requests[2].headers


@pytest.mark.requirement("json_rpc:leaks")
async def test_clients_that_break_off_leave_nothing_at_the_server(demo: ServerProcess) -> None:
    session_id = await create_session(demo, body={"queue": True})
    async with join(demo, session_id) as session:
        await session.ask("/words 1")
    probe = LeakProbe(demo.pid)
    for _ in range(16):
        async with join(demo, session_id) as session:
            await session.generate("/words 3")
            session.connection.transport.abort()
    async with join(demo, session_id) as session:
        await session.ask("/words 1")
    await probe.settled()

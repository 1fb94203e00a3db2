"""What is too much is refused at once, in each door's own form, and what others hold is given back to the last bit."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from tests.acceptance.chat_lines import ask, begun, open_client, problem_of
from tests.acceptance.chat_socket import open_chat, statuses
from tests.acceptance.raw_client import figures, held, raw, refused, until_held
from tests.acceptance.rpc_session import create_session, join
from tests.acceptance.server_process import ServerProcess, started

WEB, ANN = "web-key-0123456789", "ann-key-0123456789"
AS_WEB, AS_ANN = {"Authorization": f"Bearer {WEB}"}, {"Authorization": f"Bearer {ANN}"}
KEYED = f"""
providers: {{demo: {{host: demo}}}}
access: {{keys: {{web: {{key: {WEB}}}, ann: {{key: {ANN}}}}}}}
limits:
  {{sockets: 3, turns: 3, bytes: 60000, body: 20000, message: 20000, patience: 30,
   per_key: {{sockets: 2, turns: 2, bytes: 40000}}}}
"""
FEW = "limits: {connections: 3}\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("limits")
    (folder / "parlance.yaml").write_text(KEYED)
    async with started(folder) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="session")
async def web(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(server, AS_WEB) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def ann(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(server, AS_ANN) as client:
        yield client


def problem_in(refusal: InvalidStatus, status: int, code: str) -> None:
    response = refusal.response
    headers = list(response.headers.raw_items())
    problem_of(httpx.Response(response.status_code, headers=headers, content=bytes(response.body)), status, code)
    assert response.headers["retry-after"] == "1"


@pytest.mark.requirement("server:limits:sockets")
async def test_sockets_too_many_are_refused_before_the_upgrade(server: ServerProcess, web: httpx.AsyncClient) -> None:
    session_id = await create_session(server, headers=AS_WEB)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_chat(server, headers=AS_WEB))
        await stack.enter_async_context(join(server, session_id, headers=AS_WEB))
        for opening in (open_chat(server, headers=AS_WEB), join(server, session_id, headers=AS_WEB)):
            with pytest.raises(InvalidStatus) as mine:
                await stack.enter_async_context(opening)
            problem_in(mine.value, 429, "too_many_at_once")
        chat = await stack.enter_async_context(open_chat(server, headers=AS_ANN))
        assert statuses(await chat.ask("Hello"))[-1] == "complete"
        for opening in (open_chat(server), join(server, session_id, headers=AS_ANN)):
            with pytest.raises(InvalidStatus) as everybodys:
                await stack.enter_async_context(opening)
            problem_in(everybodys.value, 503, "overloaded")
        assert await held(web, "sockets") == 3
    await until_held(web, sockets=0)
    async with open_chat(server, headers=AS_WEB) as chat:
        assert statuses(await chat.ask("Hello"))[-1] == "complete"


@pytest.mark.requirement("server:limits:sockets")
async def test_who_signs_in_where_there_are_too_many_is_turned_away(
    server: ServerProcess, web: httpx.AsyncClient
) -> None:
    session_id = await create_session(server, headers=AS_WEB)
    async with open_chat(server, headers=AS_WEB), open_chat(server, headers=AS_WEB):
        async with open_chat(server) as late:
            await late.send({"action": "auth", "payload": {"key": WEB}})
            assert (await late.frame())["code"] == "too_many_at_once"
            assert await late.closed() == 1013
        async with join(server, session_id) as late_too:
            error = await late_too.refusal("auth", key=WEB)
            assert (error["code"], error["data"]["code"]) == (-32006, "too_many_at_once")
            assert await late_too.closed() == 1013
    await until_held(web, sockets=0)
    async with open_chat(server) as chat:
        await chat.send({"action": "auth", "payload": {"key": WEB}})
        assert (await chat.frame())["status"] == "authenticated"


@pytest.mark.requirement("server:limits:turns")
async def test_turns_too_many_are_refused_in_each_doors_own_form(
    server: ServerProcess, web: httpx.AsyncClient, ann: httpx.AsyncClient
) -> None:
    async with (
        open_chat(server, headers=AS_WEB) as chat,
        join(server, await create_session(server, headers=AS_WEB), headers=AS_WEB) as session,
    ):
        async with begun(web, "/hang") as first, begun(web, "/hang") as second:
            await first.line()
            await second.line()
            problem = problem_of(await web.post("/chat", json={"message": "Hello"}), 429, "too_many_at_once")
            assert (problem["retryable"], problem["retry_after"]) == (True, 1)
            (frame,) = await chat.ask("Hello")
            assert (frame["status"], frame["code"], frame["retryable"], frame["retry_after"]) == (
                "error", "too_many_at_once", True, 1,
            )  # fmt: skip
            error = await session.refusal("generate", message="Hello")
            assert (error["code"], error["data"]) == (
                -32006, {"code": "too_many_at_once", "retryable": True, "retry_after": 1},
            )  # fmt: skip
            async with begun(ann, "/hang") as third:
                await third.line()
                answer = await ann.post("/chat", json={"message": "Hello"})
                problem_of(answer, 503, "overloaded")
                assert answer.headers["retry-after"] == "1"
                await ann.post(f"/chat/{third.turn_id}/cancel")
            for turn in (first, second):
                await web.post(f"/chat/{turn.turn_id}/cancel")
        assert statuses(await chat.ask("Hello"))[-1] == "complete"
        assert (await session.ask("Hello"))[-1]["method"] == "end"
    assert (await ask(web, "Hello")).whole


@pytest.mark.requirement("server:limits:bytes")
async def test_bodies_too_many_at_once_are_refused_before_they_are_whole(
    server: ServerProcess, web: httpx.AsyncClient
) -> None:
    async with raw(server.port) as one, raw(server.port) as two, raw(server.port) as three, raw(server.port) as four:
        for client in (one, two):
            client.begin("/chat", 20_000, AS_WEB)
            client.say(bytes(19_999))
        await until_held(web, bytes=39_998)
        three.begin("/chat", 20_000, AS_WEB)
        three.say(bytes(10_000))
        assert (await three.problem())["code"] == "too_many_at_once"
        three.say(bytes(10_000) + b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert "HTTP/1.1 200 " in await three.head(), "the connection serves on behind what was refused"
        four.begin("/create_session", 20_000, AS_ANN)
        four.say(bytes(10_000))
        await until_held(web, bytes=49_998)
        async with raw(server.port) as five:
            five.begin("/chat", 20_000, AS_ANN)
            five.say(bytes(19_000))
            assert (await five.problem())["code"] == "overloaded"
        for client in (one, two):
            client.say(b"x")
            assert (await client.problem())["code"] == "invalid_json"
    await until_held(web, bytes=0)
    assert (await ask(web, "Hello")).whole


@pytest.mark.requirement("server:limits:bytes")
async def test_messages_too_many_at_once_close_their_sockets(server: ServerProcess, web: httpx.AsyncClient) -> None:
    async with raw(server.port) as one, raw(server.port) as two, raw(server.port) as three:
        for client in (one, two):
            assert " 101 " in await client.shake_hands("/ws/chat", AS_WEB)
            client.frame(bytes(15_000), length=20_000)
        await until_held(web, bytes=30_000)
        # It has yet to sign in, so it is everybody's limit that it meets.
        assert " 101 " in await three.shake_hands("/ws/chat")
        three.frame(b"", last=False)
        for _ in range(1_000):
            three.frame(b"", opcode=0, last=False)
        assert await three.closed() == (1013, "overloaded")
        two.say(bytes(5_000))
        two.frame(bytes(20_000), length=20_000)
        two.frame(bytes(19_000), length=20_000)
        await until_held(web, sockets=2)
    await until_held(web, sockets=0, bytes=0)
    async with open_chat(server, headers=AS_WEB) as chat:
        assert statuses(await chat.ask("Hello"))[-1] == "complete"


@pytest.mark.requirement("server:limits:connections")
async def test_connections_too_many_are_told_so_over_http_and_at_sockets(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("few")
    (folder / "parlance.yaml").write_text(FEW)
    async with started(folder) as server, open_client(server) as client:
        async with raw(server.port) as idle, open_chat(server) as chat:
            assert await held(client, "connections") == 3
            async with raw(server.port) as one_more:
                one_more.say("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                problem = await one_more.problem()
                assert (problem["status"], problem["code"]) == (503, "overloaded")
                assert await one_more.rest() == b""
            with pytest.raises(InvalidStatus) as refusal:
                await open_chat(server).__aenter__()
            problem_in(refusal.value, 503, "overloaded")
            assert statuses(await chat.ask("Hello"))[-1] == "complete"
            before = len(server.log_lines)
            for _ in range(300):
                async with raw(server.port) as flood:
                    flood.say("GET / HTTP/1.1\r\n")
                    await flood.rest()
            assert await refused(client, "connections") == 302
            assert len(server.log_lines) - before <= 2, "a flood of connections is none of lines"
            idle.say("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert " 200 " in await idle.head()
        await until_held(client, connections=1, sockets=0)
        async with open_chat(server) as chat:
            assert statuses(await chat.ask("Hello"))[-1] == "complete"


@pytest.mark.requirement("server:limits:log")
async def test_a_flood_of_refusals_is_none_of_log_lines(server: ServerProcess, web: httpx.AsyncClient) -> None:
    before, counted = len(server.log_lines), await refused(web, "per_key.sockets")
    async with open_chat(server, headers=AS_WEB), open_chat(server, headers=AS_WEB):
        for _ in range(100):
            with pytest.raises(InvalidStatus):
                await open_chat(server, headers=AS_WEB).__aenter__()
    assert await refused(web, "per_key.sockets") == counted + 100
    lines = [line for line in server.log_lines[before:] if "Refused" in str(line["event"])]
    assert len(lines) <= 3
    assert len(server.log_lines) - before <= 20
    assert (await figures(web))['parlance_turns_open{door="ws_chat",state="running"}'] == 0

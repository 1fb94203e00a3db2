"""Clients that are slow, silent, gone or broken on purpose cost little, for a short time, and hurt nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
import pytest_asyncio

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.chat_lines import DEADLINE, ask, open_client, problem_of
from tests.acceptance.chat_socket import open_chat, statuses
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.raw_client import HANDSHAKE, figures, held, raw, refused, until_held
from tests.acceptance.relay import relayed
from tests.acceptance.rpc_session import create_session
from tests.acceptance.server_process import ServerProcess, started

HASTY = """
limits: {patience: 0.4, stall: 0.4}
server: {keep_alive: 1, ws: {ping_interval: 0.3, ping_timeout: 1}}
"""
KEYED = "access: {keys: {web: {key: web-key-0123456789}}}\nproviders: {demo: {host: demo}}\nlimits: {patience: 0.2}\n"
CROWD = 50
FLOOD = Script(reply=Reply(text=("x" * 8192,) * 1_500), keep_alive=False)
"""More than all the buffers between two processes hold."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    shared_upstream: PlannedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("hasty")
    (folder / "parlance.yaml").write_text(HASTY)
    settings = {
        "OPENAI_API_KEY": "some",
        "OPENAI_API_BASE_URL": shared_upstream.base_url,
        "DEFAULT_MODEL": "openai/scripted-model",
    }
    async with started(folder, settings) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: ServerProcess, upstream: PlannedUpstream) -> AsyncIterator[httpx.AsyncClient]:
    """One that is served as ever, whatever the others do."""
    async with open_client(server) as healthy:
        yield healthy
        assert (await ask(healthy, "Hello")).whole
        async with open_chat(server) as chat:
            assert statuses(await chat.ask("Hello"))[-1] == "complete"
        await until_held(healthy, connections=1, sockets=0, bytes=0)


@pytest.mark.requirement("server:hostile:slow_body")
@pytest.mark.parametrize("path", ["/chat", "/create_session", "/nowhere"])
async def test_a_body_that_drips_is_not_waited_for(server: ServerProcess, client: httpx.AsyncClient, path: str) -> None:
    async with raw(server.port) as slow:
        slow.begin(path, 10_000)
        slow.say(b"{")
        if path == "/nowhere":
            assert (await slow.problem())["code"] == "not_found"
        else:
            problem = await slow.problem()
            assert (problem["status"], problem["code"]) == (408, "body_timeout")
            assert problem["headers"]["connection"] == "close"
            assert "1024 bytes a second" in problem["detail"]
        assert not (await slow.rest()).startswith(b"HTTP/1.1 200")
    assert await held(client, "bytes") == 0


@pytest.mark.requirement("server:hostile:around_bodies")
@pytest.mark.parametrize("around", ["0\r\nX-Trailer: ", "2;name="], ids=["a trailer", "what extends a chunk"])
async def test_what_comes_around_a_body_is_bounded(
    server: ServerProcess, client: httpx.AsyncClient, around: str
) -> None:
    head = "POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    begun = f"{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n{around}"
    for said in ((begun, "x" * 70_000), (begun + "x" * 70_000,)):
        async with raw(server.port) as endless:
            for piece in said:
                endless.say(piece)
            problem = await endless.problem()
            assert (problem["status"], problem["code"]) == (431, "head_too_large")


@pytest.mark.requirement("server:hostile:silent")
@pytest.mark.parametrize("said", ["", "GET / HTTP/1.1\r\nHost: "], ids=["nothing", "half a head"])
async def test_connections_that_say_nothing_are_told_so_and_closed(
    server: ServerProcess, client: httpx.AsyncClient, said: str
) -> None:
    counted = await refused(client, "head_timeout")
    async with AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(raw(server.port)) for _ in range(CROWD)]
        for one in crowd:
            one.say(said)
        assert await held(client, "connections") == CROWD + 1
        for one in crowd:
            problem = await one.problem()
            assert (problem["status"], problem["code"]) == (408, "head_timeout")
            assert await one.rest() == b""
        await until_held(client, connections=1)
    assert await refused(client, "head_timeout") == counted + CROWD


@pytest.mark.requirement("server:hostile:idle")
async def test_a_connection_without_a_request_is_closed_in_time(
    server: ServerProcess, client: httpx.AsyncClient
) -> None:
    async with raw(server.port) as idle:
        idle.say("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await idle.rest()).startswith(b"HTTP/1.1 200")
    await until_held(client, connections=1)


@pytest.mark.requirement("server:hostile:no_sign_in")
async def test_sockets_that_do_not_sign_in_do_not_stay(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "parlance.yaml").write_text(KEYED)
    headers = {"authorization": "Bearer web-key-0123456789"}
    async with started(folder) as server, open_client(server, headers) as client, AsyncExitStack() as stack:
        session_id = await create_session(server, headers=headers)
        crowd = [await stack.enter_async_context(raw(server.port)) for _ in range(20)]
        for number, silent in enumerate(crowd):
            assert " 101 " in await silent.shake_hands("/ws/chat" if number % 2 else f"/ws/{session_id}")
        for silent in crowd:
            assert await silent.closed() == (1008, "key_missing")
        await until_held(client, sockets=0, connections=1)


@pytest.mark.requirement("server:hostile:half_open")
@pytest.mark.parametrize("door", ["ws_chat", "json_rpc"])
async def test_a_client_that_vanishes_without_a_word_is_noticed(
    server: ServerProcess, client: httpx.AsyncClient, door: str
) -> None:
    path = "/ws/chat" if door == "ws_chat" else f"/ws/{await create_session(server)}"
    async with relayed(server) as relay, raw(relay.port) as vanishing:
        assert " 101 " in await vanishing.shake_hands(path)
        for _ in range(2):
            vanishing.frame(await vanishing.ping(), opcode=10)
        assert await held(client, "sockets") == 1
        relay.cut()
        await relay.given_up()
        await until_held(client, sockets=0, connections=1)


@pytest.mark.requirement("server:hostile:handshake")
@pytest.mark.parametrize(
    ("said", "instead", "status", "code", "told"),
    [
        ("\r\n\r\n", "\r\n" + "x-more: x\r\n" * 200 + "\r\n", 431, "head_too_large", "128 headers"),
        ("\r\n\r\n", "\r\nx-long: " + "x" * 9_000 + "\r\n\r\n", 431, "head_too_large", "8192 bytes each"),
        ("/ws/chat", "/ws/" + "x" * 9_000, 414, "url_too_long", "8192"),
        ("/ws/chat", "/ws/" + "x" * 8_180, 414, "url_too_long", "8192"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "abc", 400, "bad_handshake", "Sec-WebSocket-Key"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "ä", 400, "bad_handshake", "handshake"),
        ("Sec-WebSocket-Key:", "x-key:", 400, "bad_handshake", "Sec-WebSocket-Key"),
        ("Version: 13", "Version: 8", 400, "bad_handshake", "not 13"),
        ("Sec-WebSocket-Version:", "x-version:", 400, "bad_handshake", "not 13"),
        ("\r\n\r\n", "\r\nOrigin: http://a\r\nOrigin: http://b\r\n\r\n", 400, "bad_handshake", "Origin"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: ,@\r\n\r\n", 400, "bad_handshake", "Sec-WebSocket-Protocol"),
        ("Upgrade: web", "Upgrade: some\r\nUpgrade: web", 400, "bad_handshake", "Upgrade"),
        ("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello", 400, "bad_handshake", "without a body"),
        ("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_handshake", "without a body"),
        ("GET", "POST", 405, "method_not_allowed", "GET"),
    ],
)
async def test_a_handshake_that_can_not_be_taken_is_told_so_and_closed(
    server: ServerProcess, client: httpx.AsyncClient, said: str, instead: str, status: int, code: str, told: str
) -> None:
    before, counted = len(server.log_lines), await refused(client, code)
    async with raw(server.port) as strange:
        strange.say(HANDSHAKE.format(path="/ws/chat", headers="").replace(said, instead))
        problem = await strange.problem()
        assert await strange.rest() == b""
    headers = problem["headers"]
    assert (problem["status"], problem["code"]) == (status, code)
    assert told in problem["detail"]
    assert (headers["connection"], headers["x-request-id"]) == ("close", problem["request_id"])
    assert headers.get("sec-websocket-version") == ("13" if told == "not 13" else None)
    assert headers.get("allow") == ("GET" if status == 405 else None)
    assert await held(client, "connections") == 1
    assert await refused(client, code) == counted + 1
    assert not [line for line in server.log_lines[before:] if '"uvicorn.error"' in line]


@pytest.mark.requirement("server:upgrade")
@pytest.mark.parametrize("path", ["/ws/chat", "/ws/5e55"])
async def test_a_sockets_path_tells_those_who_ask_for_a_page(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    problem = problem_of(answer, 426, "upgrade_required")
    assert path in problem["detail"]
    assert (answer.headers["upgrade"], answer.headers["connection"]) == ("websocket", "upgrade")
    other = await client.post(path)
    problem_of(other, 405, "method_not_allowed")
    assert "GET" in other.headers["allow"]


@pytest.mark.requirement("server:hostile:never_reads")
@pytest.mark.parametrize("door", ["ws_chat", "json_rpc", "ndjson_chat"])
async def test_who_never_reads_is_dropped_and_its_turn_goes_on(
    server: ServerProcess, client: httpx.AsyncClient, upstream: PlannedUpstream, door: str
) -> None:
    session_id = await create_session(server)
    upstream.plan(FLOOD)
    ended = f'parlance_turns_total{{door="{door}",model="scripted-model",provider="openai",status="completed"}}'
    before = (await figures(client)).get(ended, 0)
    async with raw(server.port) as deaf:
        if door == "ndjson_chat":
            deaf.begin("/chat", 19)
            deaf.say(b'{"message":"Hello"}')
        elif door == "ws_chat":
            assert " 101 " in await deaf.shake_hands("/ws/chat")
            deaf.frame(b'{"action":"chat","payload":{"text":"Hello"}}')
        else:
            assert " 101 " in await deaf.shake_hands(f"/ws/{session_id}")
            deaf.frame(b'{"jsonrpc":"2.0","id":1,"method":"generate","params":{"message":"Hello"}}')
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a socket's
        async with asyncio.timeout(DEADLINE):
            while (await figures(client)).get(ended, 0) == before:
                pass
        await until_held(client, sockets=0, connections=1)


@pytest.mark.requirement("ws_chat:bad_input:size")
async def test_who_sends_a_message_too_large_to_its_end_is_told_why_it_was_not_taken(
    server: ServerProcess, client: httpx.AsyncClient
) -> None:
    async with raw(server.port) as wordy:
        assert " 101 " in await wordy.shake_hands("/ws/chat")
        wordy.frame(b"x" * 8_000_000)
        async with asyncio.timeout(DEADLINE):
            await wordy.writer.drain()
        assert (await wordy.closed())[0] == 1009


@pytest.mark.requirement("ws_chat:bad_input:not_utf8")
async def test_what_is_no_text_costs_no_lines_of_an_error(server: ServerProcess, client: httpx.AsyncClient) -> None:
    before = len(server.log_lines)
    async with raw(server.port) as strange:
        assert " 101 " in await strange.shake_hands("/ws/chat")
        strange.frame(b"\xff\xfe")
        assert (await strange.closed())[0] == 1007
    assert not [line for line in server.log_lines[before:] if '"error"' in line]


@pytest.mark.requirement("server:hostile:no_http")
async def test_what_is_no_http_costs_no_lines(server: ServerProcess, client: httpx.AsyncClient) -> None:
    before, counted = len(server.log_lines), await refused(client, "bad_http")
    for _ in range(CROWD):
        async with raw(server.port) as strange:
            strange.say(b"\x16\x03\x01\r\n\r\n")
            assert (await strange.problem())["code"] == "bad_http"
    assert await refused(client, "bad_http") == counted + CROWD
    assert len(server.log_lines) - before <= 2

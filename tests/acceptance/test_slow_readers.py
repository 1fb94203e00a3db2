"""A client that takes nothing holds up neither its turn nor those who follow it too. It is told so when it reads again,
and leaves nothing behind.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.chat_lines import DEADLINE, open_client, problem_of
from tests.acceptance.chat_socket import open_chat, text_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import create_session
from tests.acceptance.server_process import ServerProcess, started
from tests.probes.leaks import LeakProbe

FLOOD = Script(reply=Reply(text=("x" * 8192,) * 1_500), hold_after=2, keep_alive=False)
"""More than all the buffers between two processes hold."""

BODY = json.dumps({"message": "Hello"}).encode()
HEAD = b"POST /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
FRAME = json.dumps({"action": "chat", "payload": {"text": "Hello"}, "request_id": "slow"}).encode()
CALL = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"message": "Hello"}}).encode()
HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# What the client says first, and what it says once it has had an answer to that. The frame is masked with zeros.
SAID = {
    "ndjson_chat": (b"", HEAD % len(BODY) + BODY),
    "ws_chat": (HANDSHAKE, bytes((0x81, 0x80 | len(FRAME))) + bytes(4) + FRAME),
    "json_rpc": (HANDSHAKE, bytes((0x81, 0x80 | len(CALL))) + bytes(4) + CALL),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    shared_upstream: PlannedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServerProcess]:
    """It gives its host the usual time: there is much to say, and it takes this process a while."""
    settings = {
        "OPENAI_API_KEY": "some",
        "OPENAI_API_BASE_URL": shared_upstream.base_url,
        "DEFAULT_MODEL": "openai/scripted-model",
        "LOG_LEVEL": "DEBUG",
    }
    async with started(tmp_path_factory.mktemp("usual"), settings) as process:
        yield process


@pytest.mark.requirement("json_rpc:slow_reader")
@pytest.mark.requirement("ws_chat:slow_reader")
@pytest.mark.requirement("ndjson_chat:slow_reader")
@pytest.mark.parametrize("door", SAID)
async def test_a_client_that_never_reads_hurts_nobody(
    server: ServerProcess, upstream: PlannedUpstream, door: str
) -> None:
    upstream.plan(FLOOD)
    probe = LeakProbe(server.pid)
    async with asyncio.timeout(DEADLINE):
        await stall(server, upstream, door)
    await probe.settled()


async def stall(lab: ServerProcess, upstream: PlannedUpstream, door: str) -> None:
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(stalled, ("127.0.0.1", lab.port))
        first, then = SAID[door]
        if first:
            path = "/ws/chat" if door == "ws_chat" else f"/ws/{await create_session(lab)}"
            await loop.sock_sendall(stalled, first % path.encode())
            assert b" 101 " in await loop.sock_recv(stalled, 1024)
        # The others are there before: the host is given little time to go on.
        async with open_chat(lab) as chat, open_client(lab) as client:
            await loop.sock_sendall(stalled, then)
            request = await upstream.arrival()
            begun = [line for line in lab.log_lines if line["event"] == "turn started"][-1]
            assert begun["door"] == door
            turn_id = str(begun["turn_id"])
            await chat.resume(turn_id=turn_id, request_id="healthy")
            request.go()
            frames = await chat.answer("healthy")
            assert (len(text_of(frames)), frames[-1]["status"]) == (8192 * 1_500, "complete")
            # It has outgrown what is kept piece by piece.
            late = problem_of(await client.get(f"/chat/{turn_id}"), 410, "cursor_expired")["snapshot"]
            assert ([len(part["text"]) for part in late["parts"]], late["status"]) == ([8192 * 1_500], "completed")
        await read_at_last(stalled, door)


async def read_at_last(stalled: socket.socket, door: str) -> None:
    """It is told that it was cut, and no more."""
    loop, heard = asyncio.get_running_loop(), b""
    closing = b"\x88\x0f" + (1013).to_bytes(2) + b"slow_follower"
    while not heard.endswith(closing) and (more := await loop.sock_recv(stalled, 1 << 20)):
        heard = (heard + more)[-2_000:]
    assert b'"code":"slow_follower"' in heard
    assert heard.endswith(closing) is (door != "ndjson_chat")
    assert b'"done"' not in heard

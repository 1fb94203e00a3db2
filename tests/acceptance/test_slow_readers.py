"""A client that takes nothing holds up neither its turn nor those who follow it too, and leaves nothing behind."""

import asyncio
import json
import socket

import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.chat_lines import DEADLINE, open_client, resume
from tests.acceptance.chat_socket import open_chat, text_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.server_process import ServerProcess
from tests.probes.leaks import LeakProbe

FLOOD = Script(reply=Reply(text=("x" * 8192,) * 1_500), hold_after=2, keep_alive=False)
"""More than all the buffers between two processes hold."""

BODY = json.dumps({"message": "Hello"}).encode()
HEAD = b"POST /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
FRAME = json.dumps({"action": "chat", "payload": {"text": "Hello"}, "request_id": "slow"}).encode()
HANDSHAKE = (
    b"GET /ws/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# What the client says first, and what it says once it has had an answer to that. The frame is masked with zeros.
SAID = {
    "ndjson_chat": (b"", HEAD % len(BODY) + BODY),
    "ws_chat": (HANDSHAKE, bytes((0x81, 0x80 | len(FRAME))) + bytes(4) + FRAME),
}


@pytest.mark.requirement("ws_chat:slow_reader")
@pytest.mark.requirement("ndjson_chat:slow_reader")
@pytest.mark.parametrize("door", SAID)
async def test_a_client_that_never_reads_hurts_nobody(lab: ServerProcess, upstream: PlannedUpstream, door: str) -> None:
    upstream.plan(FLOOD)
    probe = LeakProbe(lab.pid)
    async with asyncio.timeout(DEADLINE):
        await stall(lab, upstream, door)
    await probe.settled()


async def stall(lab: ServerProcess, upstream: PlannedUpstream, door: str) -> None:
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(stalled, ("127.0.0.1", lab.port))
        first, then = SAID[door]
        if first:
            await loop.sock_sendall(stalled, first)
            assert b" 101 " in await loop.sock_recv(stalled, 1024)
        await loop.sock_sendall(stalled, then)
        request = await upstream.arrival()
        begun = [line for line in lab.log_lines if line["event"] == "turn started"][-1]
        assert begun["door"] == door
        turn_id = str(begun["turn_id"])
        async with open_chat(lab) as chat, open_client(lab) as client:
            await chat.resume(turn_id=turn_id, request_id="healthy")
            request.go()
            frames = await chat.answer("healthy")
            assert (len(text_of(frames)), frames[-1]["status"]) == (8192 * 1_500, "complete")
            assert len((await resume(client, turn_id)).text) == 8192 * 1_500

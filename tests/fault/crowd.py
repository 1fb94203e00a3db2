"""Clients by the thousand, on bare sockets: some read all that they are told, some nothing at all."""

import asyncio
import json
import re
import socket
import time
from collections.abc import Sequence
from typing import Literal

CrowdDoor = Literal["ws_chat", "ndjson_chat"]
CROWD_DOORS: tuple[CrowdDoor, ...] = ("ws_chat", "ndjson_chat")

HEAD = b"POST /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
HANDSHAKE = (
    b"GET /ws/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TIMED = re.compile(rb"@(\d+)@")
PING = re.compile(rb"\x89\x04(.{4})", re.DOTALL)
PONG = bytes((0x8A, 0x84)) + bytes(4)
"""What the server's pings look like among frames of plain text, and the answer, masked with zeros."""

ENDED = {"ws_chat": b'"status":"complete"', "ndjson_chat": b'"done":true'}


def now_told() -> str:
    """A text that says when it was said, for `Reader`."""
    return f"@{time.perf_counter_ns()}@ "


class Reader(asyncio.Protocol):
    """Reads at once whatever comes. `delays`: seconds between the saying of a text and its reading, each; `whole`: the
    end came; `said_last`: the last that did, if it didn't.
    """

    def __init__(self, door: CrowdDoor, message: str) -> None:
        self.door = door
        self.message = message
        self.delays: list[float] = []
        self.whole = False
        self.said_last = b""
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked = False
        self._left = b""

    def itself(self) -> "Reader":
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.door == "ws_chat":
            transport.write(HANDSHAKE)
        else:
            transport.write(request_to(self.door, self.message))

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter_ns()
        if self.door == "ws_chat" and not self._asked:
            assert b" 101 " in data, data
            self._asked = True
            self._transport.write(request_to(self.door, self.message))
            return
        if (ping := PING.search(data)) is not None:
            self._transport.write(PONG + ping[1])
        data = self._left + data
        last = 0
        for match in TIMED.finditer(data):
            self.delays.append((now - int(match[1])) / 1e9)
            last = match.end()
        # A text may come in two pieces.
        self.said_last = data[last:][-200:]
        self._left = self.said_last[-64:]
        if ENDED[self.door] in data[last:]:
            self.whole = True
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)


async def readers(port: int, message: str, count: int) -> list[Reader]:
    """Connected, and asking, at each door in turn."""
    loop = asyncio.get_running_loop()
    crowd = [Reader(CROWD_DOORS[place % 2], message) for place in range(count)]
    for reader in crowd:
        await loop.create_connection(reader.itself, "127.0.0.1", port)
    return crowd


async def deaf(port: int, message: str, count: int) -> list[socket.socket]:
    """Clients that ask, at each door in turn, and then never read.

    Their system takes little for them, as one far away does: on loopback it would take megabytes.
    """
    return [await _deaf(port, message, CROWD_DOORS[place % 2]) for place in range(count)]


async def _deaf(port: int, message: str, door: CrowdDoor) -> socket.socket:
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    if door == "ws_chat":
        await loop.sock_sendall(client, HANDSHAKE)
        assert b" 101 " in await loop.sock_recv(client, 1024)
    await loop.sock_sendall(client, request_to(door, message))
    return client


def request_to(door: CrowdDoor, message: str) -> bytes:
    if door == "ndjson_chat":
        body = json.dumps({"message": message}).encode()
        return HEAD % (len(body), body)
    frame = json.dumps({"action": "chat", "payload": {"text": message}}).encode()
    assert len(frame) < 126
    # Masked with zeros.
    return bytes((0x81, 0x80 | len(frame))) + bytes(4) + frame


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]

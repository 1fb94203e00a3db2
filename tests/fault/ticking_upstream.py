"""A host that thousands of streams can hang on at once: each says something at its own regular moments.

It speaks only as much of chat completions as a server asks for. What the scripted host can do to one stream this can't;
what this does to thousands would be too much for that one.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Self

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
FINISH = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

Say = Callable[[str, int], str]
"""What a stream says: to the message that it was asked, at its n-th moment, counted from 0. Nothing: that was all."""


class TickingUpstream:
    def __init__(self, interval: float, say: Say) -> None:
        self.interval = interval
        self.say = say
        self.streams: set[_Stream] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Stream(self), "127.0.0.1", 0, backlog=4096)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for stream in tuple(self.streams):
                stream.abort()
            await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        if self._server is None:
            raise RuntimeError("The upstream is not open: use it in `async with`.")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"


class _Stream(asyncio.Protocol):
    def __init__(self, host: TickingUpstream) -> None:
        self._host = host
        self._received = b""
        self._message: str | None = None
        self._ticks = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host.streams.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._host.streams.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ends, body = self._received.partition(b"\r\n\r\n")
        if self._message is None and ends and len(body) >= _length(head):
            self._message = str(json.loads(body)["messages"][-1]["content"])
            self._transport.write(HEAD)
            self._due = asyncio.get_running_loop().time()
            self._tick(self._message)

    def _tick(self, message: str) -> None:
        text = self._host.say(message, self._ticks)
        if not text:
            self._transport.write(_chunk(FINISH) + _chunk(b""))
            self._transport.close()
            return
        event = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]}
        self._transport.write(_chunk(b"data: %b\n\n" % json.dumps(event).encode()))
        self._ticks += 1
        self._due += self._host.interval
        self._timer = asyncio.get_running_loop().call_at(self._due, self._tick, message)


def _length(head: bytes) -> int:
    lines = head.decode("latin-1").lower().split("\r\n")
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)

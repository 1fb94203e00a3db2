"""One connection to a scripted upstream: HTTP/1.1 by hand, so that it can be done wrong on purpose."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, MutableSet
from typing import cast

from parlance.core.json import JsonObject
from parlance.testing.script import Script

MAX_HEAD = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class UpstreamRequest:
    """A request as it arrived. `body` is exact; header names are in lower case.

    `sent_events` counts what was written of the answer. `gone` is set when the client went away before the answer was
    whole, `gone_at` is the loop's time of it; `answered` when it was whole; `held` when it waits at its gate.
    """

    def __init__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.sent_events = 0
        self.gone = asyncio.Event()
        self.gone_at: float | None = None
        self.answered = asyncio.Event()
        self.held = asyncio.Event()
        self._gate = asyncio.Event()

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    @property
    def json(self) -> JsonObject:
        """The body, decoded; empty for one that is no JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def go(self) -> None:
        """Open this request's gate: it goes on from where its script holds it."""
        self._gate.set()

    async def opened(self) -> None:
        self.held.set()
        await self._gate.wait()


class _BrokenOff(Exception):
    """The script says that the connection ends here."""


class Connection(asyncio.Protocol):
    """Answers requests one after the other, until either side closes. `answer` is called with each."""

    def __init__(
        self, answer: Callable[[UpstreamRequest, "Connection"], Awaitable[None]], siblings: MutableSet["Connection"]
    ) -> None:
        self._answer = answer
        self._siblings = siblings
        self._loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(limit=MAX_HEAD, loop=self._loop)
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = asyncio.Event()
        self._request: UpstreamRequest | None = None
        self._task: asyncio.Task[None] | None = None
        self._left: int | None = None  # bytes until the script's cut
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._siblings.add(self)
        self._task = self._loop.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._reader.feed_data(data)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        if self._request is not None:
            self._request.gone_at = self._loop.time()
            self._request.gone.set()
        self._siblings.discard(self)
        self._lost.set()
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        self._transport.abort()
        await self._lost.wait()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def write_raw(self, data: bytes) -> None:
        """These bytes, and then the connection's end."""
        self._transport.write(data)
        raise _BrokenOff

    async def send(
        self, request: UpstreamRequest, script: Script, body: list[bytes] | bytes, *, stream_type: str
    ) -> None:
        """The answer as the script has it; a list is a stream."""
        self._left = script.cut
        chunked = isinstance(body, list) and script.delimit == "chunks"
        kind = script.content_type or (stream_type if isinstance(body, list) else "application/json")
        self._transport.write(_head(script, body, kind=kind, chunked=chunked))
        for piece in body if isinstance(body, list) else [body]:
            await _gate(request, script)
            for part in _split(piece, script.drip):
                await asyncio.sleep(script.event_delay)
                await self._write(part, script, chunked=chunked)
            request.sent_events += 1
        await _gate(request, script)
        if script.cut is not None:
            self._break_off(script, chunked=chunked)
        if chunked:
            self._transport.write(b"0\r\n\r\n")
        if not script.keep_alive or (isinstance(body, list) and not chunked):
            raise _BrokenOff

    async def _write(self, data: bytes, script: Script, *, chunked: bool) -> None:
        """One part of the body, up to the script's cut."""
        part = data if self._left is None else data[: self._left]
        if self._left is not None:
            self._left -= len(part)
        if len(part) < len(data) and script.break_by == "chunk":
            self._transport.write(b"%x\r\n%b" % (len(data), part))
        elif part:
            self._transport.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        await self._writable.wait()
        if self._left == 0:
            self._break_off(script, chunked=chunked)

    def _break_off(self, script: Script, *, chunked: bool) -> None:
        if script.break_by == "end" and chunked:
            self._transport.write(b"0\r\n\r\n")
        if script.break_by == "reset":
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
        raise _BrokenOff

    async def _serve(self) -> None:
        try:
            while True:
                request = await self._read_request()
                self._request = request
                await self._answer(request, self)
                self._request = None
                request.answered.set()
        except (_BrokenOff, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            self._request = None
        finally:
            self._transport.close()

    async def _read_request(self) -> UpstreamRequest:
        begin = await self._reader.readexactly(1)
        if not begin.isalpha():
            self.write_raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")  # TLS, perhaps
        head = (begin + await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return UpstreamRequest(method, path, headers, body)


def _head(script: Script, body: list[bytes] | bytes, *, kind: str, chunked: bool) -> bytes:
    lines = [f"HTTP/1.1 {script.status} Scripted", f"Content-Type: {kind}"]
    if isinstance(body, bytes):
        lines.append(f"Content-Length: {len(body)}")
    elif chunked:
        lines.append("Transfer-Encoding: chunked")
    else:
        lines.append("Connection: close")
    lines += [f"{name}: {value}" for name, value in script.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _gate(request: UpstreamRequest, script: Script) -> None:
    if script.hold_after is not None and request.sent_events == script.hold_after:
        await request.opened()


def _split(piece: bytes, drip: int | None) -> list[bytes]:
    return [piece[at : at + drip] for at in range(0, len(piece), drip)] if drip else [piece]

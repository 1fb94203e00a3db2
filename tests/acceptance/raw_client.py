"""A client below HTTP: bytes on a connection, as no library would send them, and what the server holds meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.acceptance.chat_lines import DEADLINE

KEY = "client-key-0123456789"
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
)


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    def begin(self, path: str, length: int, headers: Mapping[str, str] | None = None) -> None:
        """The head of a request whose JSON has this length."""
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.say(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n{more}\r\n"
        )

    async def shake_hands(self, path: str, headers: Mapping[str, str] | None = None) -> str:
        """The head of the answer to a WebSocket's handshake."""
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.say(HANDSHAKE.format(path=path, headers=more))
        return await self.head()

    def frame(self, data: bytes, *, opcode: int = 1, last: bool = True, length: int | None = None) -> None:
        """One frame, masked with zeros; `length` is what it claims."""
        size = len(data) if length is None else length
        first = bytes((0x80 * last | opcode,))
        if size < 126:
            self.say(first + bytes((0x80 | size,)) + bytes(4) + data)
        else:
            self.say(first + b"\xff" + size.to_bytes(8) + bytes(4) + data)

    async def head(self) -> str:
        async with asyncio.timeout(DEADLINE):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def ping(self) -> bytes:
        """What the next frame holds, which is a ping."""
        async with asyncio.timeout(DEADLINE):
            kind, size = await self.reader.readexactly(2)
            assert kind == 0x89
            return await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """What comes until the server closes the connection."""
        async with asyncio.timeout(DEADLINE):
            return await self.reader.read()

    async def closed(self) -> tuple[int, str]:
        """The code and the reason of the close frame, which is the last there is."""
        last = await self.rest()
        size = last.rindex(b"\x88") + 2
        return int.from_bytes(last[size : size + 2]), last[size + 2 :].decode()

    async def problem(self) -> dict[str, Any]:
        """An answer that is one, read to its end; with its headers, by lower-case name."""
        status, *lines = (await self.head()).strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert headers["content-type"] == "application/problem+json"
        async with asyncio.timeout(DEADLINE):
            problem: dict[str, Any] = json.loads(await self.reader.readexactly(int(headers["content-length"])))
        assert int(status.split()[1]) == problem["status"]
        if problem["status"] in (429, 503):
            assert int(headers["retry-after"]) == problem["retry_after"] >= 1
        return {**problem, "headers": headers}


@asynccontextmanager
async def raw(port: int) -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.transport.abort()


async def figures(client: httpx.AsyncClient) -> dict[str, float]:
    """All figures, by name and labels as they are written."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def held(client: httpx.AsyncClient, limit: str) -> int:
    return int((await figures(client))[f'parlance_limits_held{{limit="{limit}"}}'])


async def until_held(client: httpx.AsyncClient, **wanted: int) -> None:
    """Returns once just so much is held of each."""
    async with asyncio.timeout(DEADLINE):
        while wanted != {limit: await held(client, limit) for limit in wanted}:
            pass


async def refused(client: httpx.AsyncClient, reason: str) -> int:
    return int((await figures(client)).get(f'parlance_refused_total{{reason="{reason}"}}', 0))

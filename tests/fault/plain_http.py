"""A client of HTTP that costs next to nothing, for tests in which hundreds of them ask at once.

One request, one answer, one connection.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager


class BrokenOff(Exception):
    """The connection ended before the answer did."""


class PlainAnswer:
    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.status = 0
        self._headers: dict[str, str] = {}

    async def begun(self) -> "PlainAnswer":
        head = (await _or_broken_off(self._reader.readuntil(b"\r\n\r\n"))).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        self.status = int(first.split()[1])
        self._headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return self

    async def body(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])

    async def lines(self) -> AsyncIterator[str]:
        """As they come; `BrokenOff` behind the last that came, where the answer has not ended."""
        rest = b""
        async for piece in self.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Of the body, as they come; `BrokenOff` as in `lines`."""
        if "content-length" in self._headers:
            yield await _or_broken_off(self._reader.readexactly(int(self._headers["content-length"])))
            return
        while size := int(await _or_broken_off(self._reader.readuntil(b"\r\n")), 16):
            yield (await _or_broken_off(self._reader.readexactly(size + 2)))[:-2]


@asynccontextmanager
async def posted(
    port: int, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> AsyncIterator[PlainAnswer]:
    """`BrokenOff`, also where nobody listens. Leaving the block disconnects."""
    data = json.dumps(body).encode()
    more = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    async with _answered(port, f"POST {path}", more, data) as answer:
        yield answer


@asynccontextmanager
async def got(port: int, path: str) -> AsyncIterator[PlainAnswer]:
    async with _answered(port, f"GET {path}", {}, b"") as answer:
        yield answer


@asynccontextmanager
async def _answered(port: int, asked: str, headers: Mapping[str, str], data: bytes) -> AsyncIterator[PlainAnswer]:
    lines = [f"{asked} HTTP/1.1", "host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        raise BrokenOff(str(error)) from None
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        yield await PlainAnswer(reader).begun()
    finally:
        writer.transport.abort()


async def _or_broken_off(reading: Coroutine[object, object, bytes]) -> bytes:
    try:
        return await reading
    except (OSError, asyncio.IncompleteReadError) as error:
        raise BrokenOff(str(error)) from None

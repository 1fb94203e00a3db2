"""Sessions of door D, made over HTTP before its sockets connect to them."""

import asyncio
import re

import msgspec
from msgspec import Struct

_ASK = b"POST /create_session HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Made(Struct, frozen=True):
    session_id: str


async def make_sessions(port: int, count: int) -> list[str]:
    """So many, one after the other over one connection. `ConnectionError` when the server refuses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return [await _make(reader, writer) for _ in range(count)]
    finally:
        writer.close()
        await writer.wait_closed()


async def _make(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(_ASK)
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if not head.startswith(b"HTTP/1.1 200") or length is None:
        raise ConnectionError(f"no session was made: {head[:300]!r}")
    return msgspec.json.decode(await reader.readexactly(int(length[1])), type=_Made).session_id

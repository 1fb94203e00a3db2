"""WebSockets that are closed are gone in time, whatever their clients take."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from parlance.app.http_protocol import BoundedHttpProtocol
from parlance.app.limited_config import LimitedConfig
from parlance.app.socket_protocol import MEDIUM, SHORT, BoundedSocketProtocol, frame_text
from parlance.doors.limits import LimitOptions, Limits

PATIENCE = 10.0
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
GOODBYE = b"\x88\x80\x00\x00\x00\x00"
MUCH = "x" * (32 << 20)
"""More than all the buffers between two sockets hold."""


class Roomy(BoundedSocketProtocol):
    """Never told that too much waits to be sent, as where little waits, and for ever."""

    made: ClassVar[list[weakref.ref[Any]]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.made.extend((weakref.ref(self), weakref.ref(self.conn)))
        self.transport.set_write_buffer_limits(high=1 << 30)


async def say_much_and_close(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": MUCH})
    await send({"type": "websocket.close", "code": 1013})


@asynccontextmanager
async def served(limits: Limits) -> AsyncIterator[int]:
    config = LimitedConfig(say_much_and_close, interface="asgi3", log_config=None, http=BoundedHttpProtocol, ws=Roomy)
    config.limits = limits
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_socket_that_was_closed_does_not_wait_for_who_takes_nothing() -> None:
    limits = Limits(LimitOptions(patience=0.05, stall=0.05))
    async with served(limits) as port, asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a socket's
        while limits.held()["connections"]:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
        writer.transport.abort()


@asynccontextmanager
async def without_collector() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, of which nothing may be left behind the block."""
    limits = Limits(LimitOptions(patience=PATIENCE))
    gc.collect()
    gc.disable()
    try:
        async with served(limits) as port, asyncio.timeout(PATIENCE):
            Roomy.made.clear()
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2 * len(MUCH))
            yield reader, writer
            writer.transport.abort()
            while any(one() is not None for one in Roomy.made):  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0)
            assert len(Roomy.made) == 2
    finally:
        gc.enable()


@pytest.mark.parametrize("leaves", ["at once", "with a word"])
async def test_a_socket_that_is_gone_leaves_nothing_to_the_collector(leaves: str) -> None:
    async with without_collector() as (reader, writer):
        writer.write(HANDSHAKE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        if leaves == "with a word":
            writer.write(GOODBYE)
            await reader.read()


@pytest.mark.parametrize(
    "more",
    [b"Sec-WebSocket-Protocol: ,@\r\n\r\n", b"x: x\r\n" * 200 + b"\r\n", b"Content-Length: 1\r\n\r\nx"],
    ids=["header", "many headers", "body"],
)
async def test_a_handshake_that_was_refused_leaves_nothing_to_the_collector(more: bytes) -> None:
    async with without_collector() as (reader, writer):
        writer.write(HANDSHAKE.removesuffix(b"\r\n") + more)
        assert (await reader.read()).startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("size", [0, 1, SHORT - 1, SHORT, MEDIUM - 1, MEDIUM, 1 << 20])
def test_a_message_is_framed_as_the_library_frames_it(size: int) -> None:
    text = ("ä" + "x" * size)[:size].encode()
    assert frame_text(text) == Frame(Opcode.TEXT, text).serialize(mask=False)

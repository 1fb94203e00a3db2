"""A pooler before a PostgreSQL, which gives each transaction another of its connections, and takes no settings."""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TLS_ASKED = 80_877_103
PROTOCOL = 196_608
TAKEN = frozenset({"user", "database", "application_name", "client_encoding"})
"""What a client may say of its connection; the rest is refused by name."""

IDLE = b"I"

Message = tuple[bytes, bytes]


class Backend:
    """A connection to the server. What comes while it is nobody's is lost, notifications with it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.greeting = b""
        self.client: asyncio.StreamWriter | None = None
        self.free = asyncio.Event()
        self._reader = reader
        self.writer = writer
        self._task: asyncio.Task[None]

    async def begin(self, user: str, database: str) -> None:
        said = b"".join(text.encode() + b"\0" for text in ("user", user, "database", database))
        self.writer.write(struct.pack("!ii", len(said) + 9, PROTOCOL) + said + b"\0")
        while True:
            kind, body = await read_message(self._reader)
            self.greeting += written(kind, body)
            if kind == b"Z":
                break
        self.free.set()
        self._task = asyncio.create_task(self._carry())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))
        self.writer.transport.abort()

    async def _carry(self) -> None:
        while True:
            kind, body = await read_message(self._reader)
            if self.client is not None:
                self.client.write(written(kind, body))
            if kind == b"Z" and body == IDLE:
                self.client = None
                self.free.set()


class Pooler:
    """`port` stands for the server's. `used` counts how often a client was given a connection. `lenient`: settings are
    not refused, and forgotten.
    """

    def __init__(self, port: int, size: int, *, lenient: bool) -> None:
        self.port = 0
        self._lenient = lenient
        self.used = 0
        self._to = port
        self._size = size
        self._backends: deque[Backend] = deque()
        self._clients: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._leave(writer)
            writer.transport.abort()

    async def close(self) -> None:
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        for backend in self._backends:
            await backend.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await _read_startup(reader, writer)
        if not self._lenient and (refused := sorted(said.keys() - TAKEN)):
            told = f"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: {refused[0]}\0\0"
            writer.write(written(b"E", told.encode()))
            await writer.drain()
            return
        await self._open(said["user"], said["database"])
        writer.write(self._backends[0].greeting)
        own: Backend | None = None
        while True:
            kind, body = await read_message(reader)
            if kind == b"X":
                return
            if own is None or own.client is not writer:
                own = await self._take(writer)
            own.writer.write(written(kind, body))

    async def _open(self, user: str, database: str) -> None:
        while len(self._backends) < self._size:
            backend = Backend(*await asyncio.open_connection("127.0.0.1", self._to))
            self._backends.append(backend)
            await backend.begin(user, database)

    async def _take(self, writer: asyncio.StreamWriter) -> Backend:
        """The free one that was used longest ago."""
        while True:
            for backend in tuple(self._backends):
                if backend.free.is_set():
                    backend.free.clear()
                    backend.client = writer
                    self._backends.remove(backend)
                    self._backends.append(backend)
                    self.used += 1
                    return backend
            await asyncio.wait(
                [asyncio.ensure_future(backend.free.wait()) for backend in self._backends],
                return_when=asyncio.FIRST_COMPLETED,
            )

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        """What a client has begun is rolled back."""
        for backend in self._backends:
            if backend.client is writer:
                backend.client = None
                backend.writer.write(written(b"Q", b"ROLLBACK\0"))


async def read_message(reader: asyncio.StreamReader) -> Message:
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    return kind, await reader.readexactly(length - 4)


def written(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


async def _read_startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, str]:
    while True:
        length, code = struct.unpack("!ii", await reader.readexactly(8))
        body = await reader.readexactly(length - 8)
        if code == PROTOCOL:
            words = body.decode().rstrip("\0").split("\0")
            return dict(zip(words[::2], words[1::2], strict=True))
        writer.write(b"N")


@asynccontextmanager
async def pooled(port: int, size: int = 3, *, lenient: bool = False) -> AsyncIterator[Pooler]:
    pooler = Pooler(port, size, lenient=lenient)
    listener = await asyncio.start_server(pooler.accept, "127.0.0.1", 0)
    pooler.port = listener.sockets[0].getsockname()[1]
    async with listener:
        try:
            yield pooler
        finally:
            await pooler.close()

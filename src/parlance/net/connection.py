"""One connection to a host: HTTP/1.1 on httptools, one exchange at a time."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Protocol, cast

import httptools
from msgspec import Struct

from parlance.net.wire import BrokenOff, NotHttp

READ_BUFFER: Final = 512 * 1024
"""Bytes that may wait unread before the host is held back."""

MAX_HEAD: Final = 64 * 1024
"""Bytes of an answer's head. Checked after each read, so one read more may come in."""

_SWITCHED: Final = 101
_BODILESS: Final = frozenset((204, 304))


class Target(Struct, frozen=True):
    """What a connection leads to; requests of the same target share connections. `tls` says who is trusted."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Owner(Protocol):
    """`released`: another exchange may follow. `lost`: it is no more."""

    def made(self, connection: "Connection") -> None: ...

    def released(self, connection: "Connection") -> None: ...

    def lost(self, connection: "Connection") -> None: ...


class HttpAnswer:
    """An `Answer` while it comes: the connection fills it, one reader empties it."""

    def __init__(self, connection: "Connection", loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.whole = False
        """Nothing more will come: the body has come to its end."""
        self._connection: Connection | None = connection
        self._create_future = loop.create_future
        self._reader: asyncio.Future[bytes] | None = None
        self._listener: Callable[[bytes], bool] | None = None
        self._parts: list[bytes] = []
        self._counted = 0
        self._unread = 0
        self._error: Exception | None = None

    def read(self) -> asyncio.Future[bytes]:
        reader = self._create_future()
        if self._parts:
            reader.set_result(self._take())
        elif self._error is not None:
            reader.set_exception(self._error)
        elif self.whole:
            reader.set_result(b"")
        else:
            self._reader = reader
        return reader

    def listen(self, listener: Callable[[bytes], bool]) -> None:
        self._listener = listener

    def give_up(self, error: Exception) -> None:
        self._parts.clear()
        self._error = error
        self._tell()
        self._leave()

    def close(self) -> None:
        self._leave()
        if self._error is not None:
            # Another one: with its traceback the first would hold whoever read it, and hold itself by that.
            self._error = BrokenOff()

    def _leave(self) -> None:
        self._listener = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave(self)

    async def head(self) -> None:
        """Returns when status and headers are there. `WireError`."""
        if not self.status and self._error is None:
            self._reader = self._create_future()
            await self._reader
        elif not self.status and self._error is not None:
            raise self._error

    def begin(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(b"")

    def put(self, body: bytes) -> None:
        """More has come. It is told when all that came with it is there."""
        self._parts.append(body)

    def tell(self) -> None:
        """To its reader, what came with the last read of the socket."""
        reader = self._reader
        if reader is None:
            if self._parts and self._connection is not None:
                self._hold_back(self._connection)
        elif self._parts and not reader.done():
            parts = self._parts
            data = parts.pop() if len(parts) == 1 else self._take()
            if self._listener is None or not self._listener(data):
                self._reader = None
                reader.set_result(data)

    def end(self) -> None:
        self.whole = True
        self._tell()

    def fail(self, error: Exception) -> None:
        if not self.whole and self._error is None:
            self._error = error
        self._tell()

    def _tell(self) -> None:
        """The last there is to tell."""
        self.tell()
        reader, self._reader = self._reader, None
        if reader is None or reader.done():
            return
        if self._error is not None:
            reader.set_exception(self._error)
        else:
            reader.set_result(b"")

    def _take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        self._counted = self._unread = 0
        if self._connection is not None:
            self._connection.let_come()
        return data

    def _hold_back(self, connection: "Connection") -> None:
        """Nobody reads just now."""
        self._unread += sum(map(len, self._parts[self._counted :]))
        self._counted = len(self._parts)
        if self._unread > READ_BUFFER:
            connection.hold_back()


class Connection(asyncio.Protocol):
    """It is cut where its state is not known for sure: an exchange that was left, words that nobody asked for."""

    def __init__(self, target: Target, owner: Owner) -> None:
        self.target = target
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: HttpAnswer | None = None
        self._headers: dict[str, str] = {}
        self._head = 0
        """Bytes of a head that is not whole yet; below zero where none is awaited."""
        self._held_back = False
        self._lasting = False
        self._idle: asyncio.TimerHandle | None = None
        self.used = False
        """Whether an answer has come over it already: the host may be closing it just now."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A stream's, always; but uvloop's own are not of this class.
        self._transport = cast(asyncio.Transport, transport)
        self._parser = parser = httptools.HttpResponseParser(self)
        # Hosts are read as leniently as anybody reads them: what they say is not passed on as it stands.
        parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._owner.made(self)

    def ask(self, head: bytes, body: bytes) -> HttpAnswer:
        """Send a request; the answer is empty until its `head`."""
        answer = self._answer = HttpAnswer(self, self._loop)
        self._head = 0
        if self._transport.is_closing():
            answer.fail(BrokenOff())
        else:
            self._transport.writelines((head, body))
        return answer

    def leave(self, answer: HttpAnswer) -> None:
        """Nobody reads this answer any more."""
        if self._answer is not answer:
            return
        self._answer = None
        if answer.whole and self._usable():
            self.let_come()
            self.used = True
            self._owner.released(self)
        else:
            self.abort()

    def rest(self, seconds: float) -> None:
        """Wait for the next request, and no longer than this."""
        self._idle = self._loop.call_later(seconds, self.abort)

    def wake(self) -> bool:
        """Whether it may be asked again."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        return not self._transport.is_closing()

    def abort(self) -> None:
        """Cut it now, without TLS's farewell, which a busy host may let us wait for."""
        self._transport.abort()

    def hold_back(self) -> None:
        if not self._held_back:
            self._held_back = True
            self._transport.pause_reading()

    def let_come(self) -> None:
        if self._held_back:
            self._held_back = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._misread(error)
            return
        answer = self._answer
        if answer is not None:
            if self._head >= 0:
                self._head += len(data)
                if self._head > MAX_HEAD:
                    self._misread(None)
            else:
                answer.tell()

    def connection_lost(self, exc: Exception | None) -> None:
        # It and what it calls hold each other.
        self._parser = None
        if self._idle is not None:
            self._idle.cancel()
        answer, self._answer = self._answer, None
        if answer is not None:
            if exc is None and answer.status and not _framed(answer):
                answer.end()
            else:
                error = BrokenOff()
                error.__cause__ = exc
                answer.fail(error)
        self._owner.lost(self)

    def on_message_begin(self) -> None:
        self._headers = {}
        if self._answer is None or self._answer.whole:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head < 0:
            # Trailers, of which there may be any number.
            return
        key, text = name.decode("latin-1").lower(), value.decode(errors="surrogateescape")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        if self._parser is None or self._answer is None:
            return
        status = self._parser.get_status_code()
        if status == _SWITCHED:
            raise NotHttp("Nobody asked for another protocol.")
        if status >= 200:
            self._head = -1
            self._answer.begin(status, self._headers)

    def on_body(self, body: bytes) -> None:
        if self._answer is not None:
            self._answer.put(body)

    def on_message_complete(self) -> None:
        if self._head < 0 and self._answer is not None and self._parser is not None:
            # The parser knows it only now, before it looks for the next answer.
            self._lasting = self._parser.should_keep_alive()
            self._answer.end()

    def _usable(self) -> bool:
        return (
            self._lasting
            and not self._transport.is_closing()
            # What was not sent by now is the rest of a request whose answer did not wait for it.
            and not self._transport.get_write_buffer_size()
        )

    def _misread(self, cause: Exception | None) -> None:
        if self._answer is not None:
            error = NotHttp()
            error.__cause__ = cause
            self._answer.fail(error)
        self.abort()


def _framed(answer: HttpAnswer) -> bool:
    """Whether the answer says itself where its body ends; any other lasts as long as the connection."""
    return "content-length" in answer.headers or "transfer-encoding" in answer.headers or answer.status in _BODILESS

"""Asks hosts over HTTP/1.1, on connections that are used again. Knows no proxy; what may be reached is its owner's."""

import asyncio
import ipaddress
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from yarl import URL

from parlance.net.connection import Connection, HttpAnswer, Target
from parlance.net.dialing import Names, Place, open_socket
from parlance.net.wire import BrokenOff, ConnectTimeout, NotConnected

KEEP_ALIVE: Final = 30.0
"""Seconds for which a connection waits for its next request."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Ask(Struct, frozen=True):
    """One request. `connect`: seconds for a connection, the TLS handshake included. `check` refuses an address that
    was resolved, by raising.
    """

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes
    connect: float
    check: Callable[[str], None] | None = None


FAREWELL = 1.0
"""Seconds that connections have to say that they are cut, at the end."""


class HttpClient:
    """Make it, use it and close it in one event loop. Redirects are answers like any other."""

    def __init__(self, names: Names | None = None) -> None:
        self._names = names or Names()
        self._idle: dict[Target, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._emptied: asyncio.Future[None] | None = None

    async def send(self, ask: Ask, tls: ssl.SSLContext | None) -> HttpAnswer:
        """The answer, from its head on. `WireError`, and what `ask.check` raises."""
        target = Target(ask.url.raw_host or "", ask.url.port or _DEFAULT_PORTS[ask.url.scheme], tls)
        head = encode_head(ask)
        while True:
            connection = self._take(target) or await self._connect(target, ask)
            answer = connection.ask(head, ask.body)
            try:
                await answer.head()
            except BrokenOff:
                answer.close()
                # The host had closed it before it saw the question, or so close to it that asking again does no harm.
                if not connection.used or ask.method != "GET":
                    raise
            except BaseException:
                answer.close()
                raise
            else:
                return answer

    async def close(self) -> None:
        """Cuts what is open, and returns when it is."""
        await self._names.close()
        # One that was given up while it was being made is made first, and closed then.
        await asyncio.sleep(0)
        if self._open:
            self._emptied = asyncio.get_running_loop().create_future()
            for connection in list(self._open):
                connection.abort()
            await asyncio.wait((self._emptied,), timeout=FAREWELL)

    def _take(self, target: Target) -> Connection | None:
        """The one that was used last; the others are the sooner too old."""
        idle = self._idle.get(target)
        while idle:
            connection = idle.pop()
            if connection.wake():
                return connection
        self._idle.pop(target, None)
        return None

    async def _connect(self, target: Target, ask: Ask) -> Connection:
        try:
            async with asyncio.timeout(ask.connect):
                places = await self._places(target, ask.check)
                opened = await open_socket(places)
                return await self._open_over(opened, target)
        except NotConnected:
            raise
        except TimeoutError as error:
            raise ConnectTimeout() from error
        except socket.gaierror as error:
            raise NotConnected("name") from error
        except ssl.CertificateError as error:
            raise NotConnected("certificate") from error
        except ssl.SSLError as error:
            raise NotConnected("tls") from error
        except OSError as error:
            raise NotConnected("network", _reason(error)) from error

    async def _places(self, target: Target, check: Callable[[str], None] | None) -> Sequence[Place]:
        """What passed the check is what is connected to. A name that ends in a number is none (URL standard 3.5), since
        resolvers take some for addresses in disguise.
        """
        if target.host.rpartition(".")[2].isdigit() and not _is_address(target.host):
            raise NotConnected("name")
        places = await self._names.resolve(target.host, target.port)
        if check is not None:
            for place in places:
                check(str(place.address[0]))
        return places

    async def _open_over(self, opened: socket.socket, target: Target) -> Connection:
        """The socket belongs to the connection from here on, also when none comes about."""
        connection = Connection(target, self)
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: connection,
                sock=opened,
                ssl=target.tls,
                server_hostname=target.host if target.tls else None,
            )
        except BaseException:
            # Given up while it was made, it may be closed without ever being told that it is lost.
            self.lost(connection)
            raise
        return connection

    def made(self, connection: Connection) -> None:
        self._open.add(connection)

    def released(self, connection: Connection) -> None:
        if self._emptied is not None:
            connection.abort()
            return
        connection.rest(KEEP_ALIVE)
        self._idle.setdefault(connection.target, []).append(connection)

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        idle = self._idle.get(connection.target, [])
        if connection in idle:
            idle.remove(connection)
            if not idle:
                del self._idle[connection.target]
        if not self._open and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)


def encode_head(ask: Ask) -> bytes:
    """`ValueError` for a header that would be read as more than one."""
    url = ask.url
    fields = {
        "host": url.host_port_subcomponent or "",
        "accept": "*/*",
        "user-agent": "parlance",
        **{name.lower(): value for name, value in ask.headers.items()},
    }
    if url.user is not None and "authorization" not in fields:
        word = f"{url.user}:{url.password or ''}"
        fields["authorization"] = f"Basic {b64encode(word.encode()).decode()}"
    if ask.method != "GET":
        fields["content-length"] = str(len(ask.body))
    text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    if text.count("\n") != len(fields) or text.count("\r") != len(fields) or "\0" in text:
        raise ValueError("A header of a request has a line break in it.")
    return f"{ask.method} {url.raw_path_qs} HTTP/1.1\r\n{text}\r\n".encode(errors="surrogateescape")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "it refuses connections"
    return (error.strerror or "no connection came about").lower()

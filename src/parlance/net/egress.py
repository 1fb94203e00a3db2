"""The one way out: every HTTP request this server makes goes through here. Knows no language and no provider."""

import io
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct
from yarl import URL

from parlance.core.errors import HostAnswerInvalid, HostUnreachable
from parlance.core.provider import HostAnswer
from parlance.net.addresses import Network, check_address

READ_BUFFER: Final = 512 * 1024
"""Bytes that may wait unread before the host is held back."""

MAX_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of an answer that is read whole."""

MAX_ERROR: Final = 64 * 1024
"""Bytes of an error that are looked at."""


class Way(Struct, frozen=True):
    """How one host is reached, as the operator configured it. `host` is the name that errors call it by; `connect` is
    in seconds, the TLS handshake included.

    `trusted`: the operator named the address; one that a caller named is checked once its name is resolved.
    """

    host: str
    connect: float = 5.0
    proxy: str | None = None
    ca_file: str | None = None
    trusted: bool = True


class Egress:
    """Owns the sockets of one server. Make it, use it and close it in one event loop.

    Redirects are not followed, so a key never reaches another host than its own; the environment's proxies and
    `.netrc` are not read.
    """

    def __init__(self, *, allow: Sequence[Network] = ()) -> None:
        self._allow = tuple(allow)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def post(self, url: URL, body: bytes, *, headers: Mapping[str, str], way: Way) -> aiohttp.ClientResponse:
        """Send one request and wait for the head of its answer; `aiohttp.ClientError` and `TimeoutError` as they come.

        The caller closes the response.
        """
        return await self._send("POST", url, body, headers=headers, way=way)

    async def get(self, url: URL, *, headers: Mapping[str, str], way: Way) -> HostAnswer:
        """A small answer, whole."""
        response = await self._send("GET", url, None, headers=headers, way=way)
        try:
            return await read_answer(response, host=way.host)
        finally:
            response.close()

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def _send(
        self, method: str, url: URL, body: bytes | None, *, headers: Mapping[str, str], way: Way
    ) -> aiohttp.ClientResponse:
        return await self._session(way.trusted).request(
            method,
            url,
            data=body if body is None or len(body) <= READ_BUFFER else io.BytesIO(body),
            headers=headers,
            allow_redirects=False,
            proxy=way.proxy,
            ssl=self._context(way) if way.ca_file else True,
            timeout=aiohttp.ClientTimeout(total=None, connect=way.connect, ceil_threshold=3600),
        )

    def _session(self, trusted: bool) -> aiohttp.ClientSession:
        session = self._sessions.get(trusted)
        if session is None:
            resolver = aiohttp.ThreadedResolver()
            session = self._sessions[trusted] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    keepalive_timeout=30,
                    resolver=resolver if trusted else CheckedResolver(resolver, allow=self._allow),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=READ_BUFFER,
                trust_env=False,
            )
        return session

    def _context(self, way: Way) -> ssl.SSLContext:
        file = way.ca_file or ""
        context = self._contexts.get(file)
        if context is None:
            try:
                context = self._contexts[file] = ssl.create_default_context(cafile=file)
            except OSError as error:
                raise HostUnreachable(
                    f"The host {way.host!r} can't be reached: its ca_file {file!r} can't be read as certificates. "
                    "Correct the path, or leave it out.",
                    host=way.host,
                ) from error
        return context


class CheckedResolver(AbstractResolver):
    """Resolves names and refuses those with any address that is not public. What passed is what is connected to."""

    def __init__(self, resolver: AbstractResolver, *, allow: Sequence[Network] = ()) -> None:
        self._resolver = resolver
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results = await self._resolver.resolve(host, port, family)
        for result in results:
            check_address(result["host"], allow=self._allow)
        return results

    async def close(self) -> None:
        await self._resolver.close()


async def read_answer(response: aiohttp.ClientResponse, *, host: str, limit: int = MAX_ANSWER) -> HostAnswer:
    """The whole answer. Beyond `limit` bytes an error is cut there; anything else is `HostAnswerInvalid`."""
    parts: list[bytes] = []
    size = 0
    while data := await response.content.readany():
        parts.append(data)
        size += len(data)
        if size > limit:
            if response.status < 400:
                raise HostAnswerInvalid(f"The host {host!r} answered more than {limit} bytes.", host=host)
            response.close()
            break
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HostAnswer(response.status, headers, b"".join(parts)[:limit])


def hang_up(response: aiohttp.ClientResponse) -> None:
    """Close the connection now, without TLS's farewell, which a busy host may let us wait for."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()

"""The one way out: every HTTP request this server makes goes through here. Knows no language and no provider."""

import ssl
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from yarl import URL

from parlance.core.errors import HostAnswerInvalid, HostUnreachable, InvalidRequest
from parlance.core.provider import HostAnswer
from parlance.net.addresses import Network, check_address
from parlance.net.content_coding import unpacked
from parlance.net.http_client import Ask, HttpClient
from parlance.net.wire import Answer

if TYPE_CHECKING:
    from parlance.net.proxied import ProxiedClient

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
        self._check = partial(check_address, allow=tuple(allow))
        self._client: HttpClient | None = None
        self._proxied: ProxiedClient | None = None
        self._contexts: dict[str | None, ssl.SSLContext] = {}

    async def post(self, url: URL, body: bytes, *, headers: Mapping[str, str], way: Way) -> Answer:
        """Send one request and wait for the head of its answer; `WireError` when none comes, `InvalidRequest` for an
        address that must not be reached.

        The caller closes the answer.
        """
        return await self._send("POST", url, body, headers=headers, way=way)

    async def get(self, url: URL, *, headers: Mapping[str, str], way: Way) -> HostAnswer:
        """A small answer, whole."""
        answer = await self._send("GET", url, b"", headers=headers, way=way)
        try:
            return await read_answer(answer, host=way.host)
        finally:
            answer.close()

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
        if self._proxied is not None:
            await self._proxied.close()
        self._client = self._proxied = None

    async def _send(self, method: str, url: URL, body: bytes, *, headers: Mapping[str, str], way: Way) -> Answer:
        if way.proxy is not None and not way.trusted:
            raise InvalidRequest("No proxy is used for what a caller named: nobody could check where it leads.")
        tls = self._context(way) if url.scheme == "https" or way.ca_file else None
        ask = Ask(method, url, headers, body, way.connect, None if way.trusted else self._check)
        if way.proxy is not None:
            answer = await self.prepare_proxied().send(ask, tls, way.proxy)
        else:
            self._client = self._client or HttpClient()
            answer = await self._client.send(ask, tls if url.scheme == "https" else None)
        try:
            return unpacked(answer)
        except BaseException:
            answer.close()
            raise

    def prepare_proxied(self) -> "ProxiedClient":
        """Load what goes through proxies, which takes a while; so do it before anything streams."""
        from parlance.net.proxied import ProxiedClient

        self._proxied = self._proxied or ProxiedClient()
        return self._proxied

    def _context(self, way: Way) -> ssl.SSLContext:
        context = self._contexts.get(way.ca_file)
        if context is None:
            try:
                context = self._contexts[way.ca_file] = ssl.create_default_context(cafile=way.ca_file)
            except OSError as error:
                raise HostUnreachable(
                    f"The host {way.host!r} can't be reached: its ca_file {way.ca_file!r} can't be read as "
                    "certificates. Correct the path, or leave it out.",
                    host=way.host,
                ) from error
        return context


async def read_answer(answer: Answer, *, host: str, limit: int = MAX_ANSWER) -> HostAnswer:
    """The whole answer. Beyond `limit` bytes an error is cut there; anything else is `HostAnswerInvalid`."""
    parts: list[bytes] = []
    size = 0
    while data := await answer.read():
        parts.append(data)
        size += len(data)
        if size > limit:
            if answer.status < 400:
                raise HostAnswerInvalid(f"The host {host!r} answered more than {limit} bytes.", host=host)
            answer.close()
            break
    return HostAnswer(answer.status, answer.headers, b"".join(parts)[:limit])

"""The way through a proxy, which aiohttp knows how to go: its answers and errors, told as ours."""

import io
import ssl
from collections.abc import Callable

import aiohttp

from parlance.net.connection import READ_BUFFER
from parlance.net.http_client import Ask
from parlance.net.wire import Answer, BrokenOff, ConnectTimeout, NotConnected, NotHttp, WireError


class ProxiedClient:
    """Make it, use it and close it in one event loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(self, ask: Ask, tls: ssl.SSLContext | None, proxy: str) -> Answer:
        """The answer, from its head on. `WireError`."""
        try:
            response = await self._opened().request(
                ask.method,
                ask.url,
                data=(ask.body if len(ask.body) <= READ_BUFFER else io.BytesIO(ask.body)) or None,
                headers=ask.headers,
                allow_redirects=False,
                proxy=proxy,
                ssl=tls or True,
                timeout=aiohttp.ClientTimeout(total=None, connect=ask.connect, ceil_threshold=3600),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _translated(error) from error
        return _Proxied(response)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, resolver=aiohttp.ThreadedResolver()),
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=READ_BUFFER,
                trust_env=False,
                auto_decompress=False,
            )
        return self._session


class _Proxied:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self._content = response.content
        self._given_up: Exception | None = None

    async def read(self) -> bytes:
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            if error is self._given_up:
                raise
            # What arrived just before the break is still to be told, but a reader with an exception withholds it.
            self._content.set_exception(None)  # type: ignore[arg-type] # the only public way to take an exception back
            rest = self._content.read_nowait()
            broken = BrokenOff()
            broken.__cause__ = error
            self._content.set_exception(broken)
            if rest:
                return rest
            raise broken from error

    def listen(self, listener: Callable[[bytes], bool]) -> None:
        """It is never offered anything."""

    def give_up(self, error: Exception) -> None:
        self._given_up = error
        self._content.set_exception(error)
        self._hang_up()

    def close(self) -> None:
        if self._content.is_eof() and self._content.exception() is None:
            self._response.release()
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        """Close the connection now, without TLS's farewell, which a busy host may let us wait for."""
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._response.close()


def _translated(error: Exception) -> WireError:
    match error:
        case aiohttp.ServerTimeoutError():
            return ConnectTimeout()
        case aiohttp.ClientConnectorDNSError():
            return NotConnected("name")
        case aiohttp.ClientConnectorCertificateError():
            return NotConnected("certificate")
        case aiohttp.ClientSSLError():
            return NotConnected("tls")
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return NotConnected("proxy")
        case aiohttp.ClientConnectorError():
            return NotConnected("network", (error.os_error.strerror or "no connection came about").lower())
        case aiohttp.ClientResponseError() | aiohttp.http_exceptions.HttpProcessingError():
            return NotHttp()
        case _:
            return BrokenOff()

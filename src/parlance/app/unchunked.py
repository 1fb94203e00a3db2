"""Answers to HTTP/1.0, which knows no chunks: one without a length ends with its connection (RFC 9112, 6.1 and 6.3)."""

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


def without_chunks(app: ASGI3Application, cycle: RequestResponseCycle) -> ASGI3Application:
    """The same application, for the one answer that `cycle` gives."""

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await app(scope, receive, _Unchunked(cycle, send))

    return answer


class _Unchunked:
    def __init__(self, cycle: RequestResponseCycle, send: ASGISendCallable) -> None:
        self._cycle = cycle
        self._send = send
        self._endless = False

    async def __call__(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            self._begin([name.lower() for name, _ in message.get("headers", ())])
        elif message["type"] == "http.response.body" and self._endless:
            await self._expect(len(message.get("body", b"")))
        await self._send(message)

    def _begin(self, names: list[bytes]) -> None:
        self._endless = b"content-length" not in names
        if self._endless:
            self._cycle.chunked_encoding = self._cycle.keep_alive = False

    async def _expect(self, size: int) -> None:
        """The server holds each piece against the length it knows. It must not wait for room once that is set: another
        piece may be said meanwhile.
        """
        while self._cycle.flow.write_paused and not self._cycle.disconnected:
            await self._cycle.flow.drain()
        self._cycle.expected_content_length = size

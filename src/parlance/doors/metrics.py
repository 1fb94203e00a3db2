"""`GET /metrics`: the figures of the whole server, for those who scrape it."""

from typing import Protocol

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from parlance.core.errors import PathNotFound
from parlance.doors.http import begin
from parlance.doors.serving import Serving
from parlance.doors.visit import visit_of


class Exposition(Protocol):
    async def __call__(self) -> tuple[str, bytes]:
        """Content type and body."""
        ...


def routes(serving: Serving, exposition: Exposition) -> list[Route]:
    return [Route("/metrics", _Metrics(serving, exposition), methods=["GET"])]


class _Metrics:
    def __init__(self, serving: Serving, exposition: Exposition) -> None:
        self._serving = serving
        self._exposition = exposition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._serving.principal(scope).scope == "subtenant":
            raise PathNotFound(
                "There is nothing at /metrics for a key of one subtenant: the figures are the whole server's. "
                "Ask with a key of the scope service or admin."
            )
        content_type, body = await self._exposition()
        headers = (
            (b"content-type", content_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        )
        await begin(send, visit_of(scope), 200, headers)
        await send({"type": "http.response.body", "body": body})

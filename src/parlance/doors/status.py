"""`GET /`, `/health` and `/ready`: who this is, that it lives, and whether it takes new turns. No key is needed."""

from collections.abc import Callable

import msgspec
from msgspec import Struct
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from parlance.doors.http import answer_json
from parlance.doors.serving import Serving
from parlance.doors.visit import visit_of


class About(Struct, frozen=True):
    """What `GET /` answers; `doors` are the paths that clients begin at."""

    name: str
    version: str
    status: str
    doors: dict[str, str]


class Health(Struct, frozen=True, omit_defaults=True):
    status: str
    version: str
    running_turns: int | None = None
    reason: str | None = None


def routes(serving: Serving, about: About, *, outage: Callable[[], str | None] = lambda: None) -> list[Route]:
    """`outage` says why nothing can be stored, and asks nobody: it is called for each look at `/ready`."""
    return [
        Route("/", _Page(msgspec.json.encode(about)), methods=["GET"]),
        Route("/health", _Page(msgspec.json.encode(Health("healthy", about.version))), methods=["GET"]),
        Route("/ready", _Ready(serving, about.version, outage), methods=["GET"]),
    ]


class _Page:
    """The same every time: liveness must not hang on anything."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer_json(send, visit_of(scope), self._body)


class _Ready:
    def __init__(self, serving: Serving, version: str, outage: Callable[[], str | None]) -> None:
        self._serving = serving
        self._version = version
        self._outage = outage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        engine, outage = self._serving.engine, self._outage()
        state = "stopping" if engine.closing else "ready" if outage is None else "storage_unavailable"
        health = Health(state, self._version, engine.running, outage)
        status = 200 if state == "ready" else 503
        await answer_json(send, visit_of(scope), msgspec.json.encode(health), status=status)

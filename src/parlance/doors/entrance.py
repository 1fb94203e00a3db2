"""Where every connection comes in: its id, Host and Origin, and the errors that no door has told itself."""

import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from parlance.core.errors import InternalError, MethodNotAllowed, ParlanceError, PathNotFound
from parlance.core.ids import uuid7
from parlance.core.principal import Caller, Gate
from parlance.core.trace import tracing
from parlance.doors.accepting import until_closed
from parlance.doors.http import answer_problem, begin, deny_socket
from parlance.doors.limits import Refusals
from parlance.doors.visit import Visit, put_visit, tell_served

log = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None]]

_CLIENT_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class Entrance:
    """The ASGI application: the doors behind `router`, and what happens at start and stop.

    `open` counts what has come in and not gone, by ASGI's word for its kind: `http` requests and `websocket`s.
    """

    def __init__(self, router: ASGIApp, gate: Gate, refusals: Refusals, *, start: Hook, stop: Hook) -> None:
        self._router = router
        self._gate = gate
        self._refusals = refusals
        self._start = start
        self._stop = stop
        self.open = Counter(http=0, websocket=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        caller = read_caller(scope)
        request_id = _request_id(caller)
        headers = ((b"x-request-id", request_id.encode()), *self._gate.cors_headers(caller))
        visit = Visit(caller, request_id, headers)
        put_visit(scope, visit)
        # Without an application of its own Starlette's router answers 404 and 405 as plain text, past us.
        scope["app"] = self
        self.open[scope["type"]] += 1
        try:
            with tracing(request=request_id):
                await self._admit(scope, receive, send, visit)
        finally:
            self.open[scope["type"]] -= 1
            tell_served(scope)

    async def _admit(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
        try:
            self._gate.check_site(visit.caller)
            if _is_preflight(visit.caller):
                await begin(send, visit, 204, ())
                await send({"type": "http.response.body", "body": b""})
            else:
                await self._router(scope, receive, until_closed(send) if scope["type"] == "websocket" else send)
        except ClientDisconnect:
            return
        except HTTPException as error:
            visit.headers += tuple((b"allow", value.encode()) for value in _allowed(error))
            await self._refuse(scope, send, visit, _of_router(error, visit.caller))
        except ParlanceError as error:
            await self._refuse(scope, send, visit, error)
        except Exception:
            log.exception("A request failed by a bug")
            await self._refuse(scope, send, visit, InternalError())

    async def _refuse(self, scope: Scope, send: Send, visit: Visit, error: ParlanceError) -> None:
        self._refusals.tell(error, f"{visit.caller.method} {visit.caller.path[:200]}")
        if visit.begun:
            # The answer has begun: breaking it off is all that is left, and tells the client that it is not whole.
            return
        if scope["type"] == "websocket":
            await deny_socket(scope, send, visit, error)
        else:
            await answer_problem(send, visit, error)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except Exception as error:
            log.exception("The server can't start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """What is at every path that no door has, over HTTP and for sockets."""
    raise HTTPException(404)


def read_caller(scope: Scope) -> Caller:
    """What a connection says about itself; doubled headers are joined, as RFC 9110 has it."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    client = scope.get("client")
    return Caller(
        headers=headers,
        peer=client[0] if client else None,
        method=scope.get("method", "GET"),
        path=scope["path"],
    )


def _request_id(caller: Caller) -> str:
    """The client's own, so that its logs and ours meet; one of ours where it has none, or one that no log should
    hold.
    """
    given = caller.headers.get("x-request-id", "")
    return given if _CLIENT_ID.fullmatch(given) else str(uuid7())


def _is_preflight(caller: Caller) -> bool:
    return caller.method == "OPTIONS" and "access-control-request-method" in caller.headers


def _of_router(error: HTTPException, caller: Caller) -> ParlanceError:
    if error.status_code == 405:
        allowed = " ".join(_allowed(error)) or "others"
        return MethodNotAllowed(f"{caller.path[:200]} is not for {caller.method}. It takes {allowed}.")
    return PathNotFound(f"There is nothing at {caller.path[:200]}. GET / names this server and its doors.")


def _allowed(error: HTTPException) -> list[str]:
    return [value for name, value in (error.headers or {}).items() if name.lower() == "allow"]

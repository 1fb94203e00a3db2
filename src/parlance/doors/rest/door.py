"""Door B: what is at `/api/v1`."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from parlance.core.errors import UpgradeRequired
from parlance.core.principal import Principal
from parlance.doors.rest.acting import acting
from parlance.doors.rest.assistants import Assistants
from parlance.doors.rest.calls import Calls
from parlance.doors.rest.chats import Chats
from parlance.doors.rest.completions import Completions
from parlance.doors.rest.live import Live
from parlance.doors.rest.live_socket import LiveSockets
from parlance.doors.rest.memories import Memories
from parlance.doors.rest.messages import Messages
from parlance.doors.rest.operation import Answer, Asked, Operation, Stream, say
from parlance.doors.rest.page import Pages
from parlance.doors.rest.paths import Found, Paths, raw_segments
from parlance.doors.rest.replays import carry_out_once
from parlance.doors.rest.stores import Stores
from parlance.doors.rest.subtenants import Subtenants
from parlance.doors.rest.turns import Turns
from parlance.doors.serving import Serving
from parlance.doors.visit import visit_of

ROOT = "/api/v1"


def routes(serving: Serving, stores: Stores, *, version: str) -> list[BaseRoute]:
    return [_Below(RestDoor(serving, stores, version=version))]


class _Below(BaseRoute):
    """All paths below the door's, whatever is in them: a `Mount` knows none with the end of a line."""

    def __init__(self, door: "RestDoor") -> None:
        self._door = door

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        root = scope.get("root_path", "") + ROOT
        return (Match.FULL, {"root_path": root}) if scope["path"].startswith(f"{root}/") else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._door(scope, receive, send)


class RestDoor:
    """Finds the operation that a path and a method mean, and who asks; carries it out, once for an idempotency key."""

    def __init__(self, serving: Serving, stores: Stores, *, version: str) -> None:
        self._serving = serving
        self._stores = stores
        self.operations = operations_of(serving, stores)
        self._paths = Paths(self.operations)
        self._sockets = LiveSockets(serving, stores)
        self._pages = Pages(self.operations, version)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
        elif not await self._pages.serve(scope, send):
            await self._obey(scope, receive, send)

    async def _obey(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(scope)
        found = self._find(scope, visit.caller.method)
        principal = await acting(visit.caller, self._serving.principal(scope), self._stores.subtenants)
        asked = await self._read(found, principal, scope, receive)
        answer = await self._carry_out(asked)
        if isinstance(answer, Answer):
            await say(send, visit, answer)
        else:
            await answer(scope, receive, send)

    def _find(self, scope: Scope, method: str) -> Found:
        try:
            return self._paths.find(scope, method)
        except HTTPException as error:
            segments = raw_segments(scope)
            if error.status_code == 404 and len(segments) == 3 and segments[::2] == [b"chats", b"live"]:
                raise UpgradeRequired(
                    "A chat's `live` speaks over a WebSocket alone. Over HTTP its `events` tell the same."
                ) from None
            raise

    async def _read(self, found: Found, principal: Principal, scope: Scope, receive: Receive) -> Asked:
        body = b""
        if found.operation.takes is not None:
            body = await self._serving.read_json(scope, receive, principal)
        return Asked(
            operation=found.operation,
            principal=principal,
            visit=visit_of(scope),
            names=found.names,
            query_string=scope["query_string"],
            raw=body,
            root=scope.get("root_path", ""),
        )

    async def _carry_out(self, asked: Asked) -> Answer | Stream:
        act = asked.operation.act
        if asked.operation.keyed in (None, "by the engine"):
            return await act(asked)
        return await carry_out_once(self._stores.answers, asked, act)


def operations_of(serving: Serving, stores: Stores) -> Sequence[Operation]:
    """All that the door does, in the order in which it is documented."""
    engine = serving.engine
    turns = Turns(stores, engine)
    return (
        *Subtenants(stores, engine).operations(),
        *Chats(stores, engine).operations(),
        *Messages(serving, stores, turns).operations(),
        *Live(stores, engine).operations(),
        *turns.operations(),
        *Memories(stores).operations(),
        *Assistants(stores).operations(),
        *Completions(serving, stores).operations(),
        *Calls(stores).operations(),
    )

"""Accepts a socket and finds out whose it is."""

from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from parlance.core.errors import KeyMissing
from parlance.core.principal import Principal
from parlance.doors.serving import Serving
from parlance.doors.visit import visit_of
from parlance.doors.ws_chat.socket import ChatSocket

SUBPROTOCOL = "parlance"


def routes(serving: Serving) -> list[WebSocketRoute]:
    return [WebSocketRoute("/ws/chat", ChatDoor(serving))]


class ChatDoor:
    """A socket with a wrong key is refused in its handshake; one without any may sign in with its first frame."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal | None = None
        try:
            principal = self._serving.principal(scope)
        except KeyMissing:
            # A page can set no headers, so this is not yet the end.
            principal = None
        await receive()
        visit_of(scope).begun = True
        offered = SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": offered})
        await ChatSocket(self._serving, receive, send).serve(principal)

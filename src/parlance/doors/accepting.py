"""How a socket is accepted, and whose it is as far as its handshake says."""

from starlette.types import Receive, Scope, Send

from parlance.core.errors import KeyMissing
from parlance.core.principal import Principal
from parlance.doors.serving import Serving
from parlance.doors.visit import visit_of

SUBPROTOCOL = "parlance"


async def accept_socket(serving: Serving, scope: Scope, receive: Receive, send: Send) -> Principal | None:
    """None: it has yet to sign in, with its first frame, since a page can set no headers. `KeyInvalid`, with nothing
    accepted, for a wrong key.
    """
    principal: Principal | None = None
    try:
        principal = serving.principal(scope)
    except KeyMissing:
        principal = None
    await receive()
    visit_of(scope).begun = True
    offered = SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": offered})
    return principal

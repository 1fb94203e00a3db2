"""How a socket is accepted, whose it is as far as its handshake says, and that nothing is sent behind its close."""

from starlette.types import Message, Receive, Scope, Send

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


def until_closed(send: Send) -> Send:
    """What is sent on a socket that we have closed is refused as if its client had left: with an `OSError`.

    Several turns are told at once; the one whose reader is cut must not turn the others into bugs.
    """
    closed = False

    async def send_open(message: Message) -> None:
        nonlocal closed
        if closed:
            raise OSError("The socket is closed.")
        closes = message["type"] == "websocket.close"
        closed = closes
        try:
            await send(message)
        except RuntimeError as error:
            if closes or not closed:
                raise
            # It was closed while this message waited for room.
            raise OSError("The socket is closed.") from error

    return send_open

"""How a socket is accepted, whose it is as far as its handshake says, and that nothing is sent behind its close."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Message, Receive, Scope, Send

from parlance.core.errors import KeyMissing, LimitReached, ParlanceError, UpgradeRequired
from parlance.core.principal import Principal
from parlance.doors.limits import Held
from parlance.doors.serving import Serving
from parlance.doors.visit import intake_of, visit_of

SUBPROTOCOL = "parlance"

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013


class Seat:
    """The place of one socket: among all, and among those of its principal once it is known."""

    def __init__(self, place: Held, intake: Held | None, principal: Principal | None) -> None:
        """`intake`: what the server holds of this socket's messages that are not whole yet."""
        self.principal = principal
        self._place = place
        self._intake = intake
        if principal is not None and intake is not None:
            intake.belong(principal)

    def belong(self, principal: Principal) -> None:
        """`TooManyAtOnce`: then it is whose it was."""
        self._place.belong(principal)
        try:
            if self._intake is not None:
                self._intake.belong(principal)
        except LimitReached:
            self._place.belong(self.principal)
            raise
        self.principal = principal


@asynccontextmanager
async def accepted(serving: Serving, scope: Scope, receive: Receive, send: Send) -> AsyncIterator[Seat]:
    """While the socket is open. A seat of nobody's: its client has yet to sign in, with its first frame, since a page
    can set no headers. With nothing accepted: `KeyInvalid`, `Overloaded`, `TooManyAtOnce`.
    """
    principal: Principal | None = None
    try:
        principal = serving.principal(scope)
    except KeyMissing:
        principal = None
    with serving.limits.sockets.hold(principal) as place:
        seat = Seat(place, intake_of(scope), principal)
        await receive()
        visit_of(scope).begun = True
        offered = SUBPROTOCOL if SUBPROTOCOL in scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": offered})
        yield seat


def close_code(error: ParlanceError) -> int:
    """The code of a socket that is closed since this happened before it was anybody's."""
    return TRY_AGAIN_LATER if error.retryable else POLICY_VIOLATION


class OnlySockets:
    """What is at a socket's path for those who ask for it as for a page."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = visit_of(scope).caller.path[:200]
        raise UpgradeRequired(f"{path} speaks over a WebSocket alone. Open one there, with a client that can.")


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

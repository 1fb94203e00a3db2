"""Accepts a socket and finds out whose it is."""

from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from parlance.doors.accepting import OnlySockets, accepted
from parlance.doors.serving import Serving
from parlance.doors.visit import sayer_of
from parlance.doors.ws_chat.socket import ChatSocket


def routes(serving: Serving) -> list[BaseRoute]:
    return [WebSocketRoute("/ws/chat", ChatDoor(serving)), Route("/ws/chat", OnlySockets(), methods=["GET"])]


class ChatDoor:
    """A socket with a wrong key is refused in its handshake; one without any may sign in with its first frame."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with accepted(self._serving, scope, receive, send) as seat:
            await ChatSocket(self._serving, receive, send, sayer_of(scope)).serve(seat)

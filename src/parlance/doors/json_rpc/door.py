"""Makes sessions, and lets sockets in to them."""

import msgspec
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from parlance.core.errors import ChatNotFound
from parlance.core.ids import ChatId
from parlance.core.principal import Caller, Principal
from parlance.dialects.chat_request import NEW_CHAT
from parlance.dialects.json_rpc.commands import decode_opening
from parlance.dialects.json_rpc.wire import SessionMade
from parlance.doors.accepting import OnlySockets, accepted
from parlance.doors.chatting import chat_ask
from parlance.doors.http import answer_json
from parlance.doors.json_rpc.session import DOOR as DOOR
from parlance.doors.json_rpc.sessions import SessionLimits, Sessions
from parlance.doors.json_rpc.socket import RpcSocket
from parlance.doors.serving import Serving
from parlance.doors.visit import sayer_of, visit_of


def routes(serving: Serving, limits: SessionLimits | None = None) -> list[BaseRoute]:
    """Comes behind the routes of other sockets below `/ws/`: every name that is not taken is a session's."""
    sessions = Sessions(limits or SessionLimits(history_tokens=serving.options.history_tokens))
    return [
        Route("/create_session", _CreateSession(serving, sessions), methods=["POST"]),
        WebSocketRoute("/ws/{session_id}", _Connect(serving, sessions)),
        Route("/ws/{session_id}", OnlySockets(), methods=["GET"]),
    ]


class _CreateSession:
    def __init__(self, serving: Serving, sessions: Sessions) -> None:
        self._serving = serving
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal, visit = self._serving.principal(scope), visit_of(scope)
        body = b""
        if _has_body(visit.caller):
            body = await self._serving.read_json(scope, receive, principal)
        opening = decode_opening(body)
        wanted = opening.chat_id or (NEW_CHAT if self._serving.options.stores_all else None)
        chat = None if wanted is None else await self._open_chat(wanted, principal)
        session = self._sessions.create(principal, opening, chat)
        await answer_json(send, visit, msgspec.json.encode(SessionMade(session.id, chat)))

    async def _open_chat(self, wanted: str, principal: Principal) -> ChatId:
        """`ChatNotFound`."""
        chats, asked = self._serving.chats, chat_ask(wanted, principal)
        if chats is None:
            raise ChatNotFound("This server keeps no chats.")
        if asked.new is None:
            return (await chats.find(asked.id, principal.reach)).id
        return (await chats.create(asked.new, principal.reach)).id


class _Connect:
    def __init__(self, serving: Serving, sessions: Sessions) -> None:
        self._serving = serving
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path_params"]["session_id"]
        async with accepted(self._serving, scope, receive, send) as seat:
            socket = RpcSocket(self._serving, self._sessions, name, receive, send, sayer_of(scope))
            await socket.serve(seat, visit_of(scope).request_id)


def _has_body(caller: Caller) -> bool:
    """A request without a body need not say of which type it is."""
    headers = caller.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers

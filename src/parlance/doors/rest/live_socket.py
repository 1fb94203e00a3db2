"""`/chats/{chat_id}/live`: a chat as it goes on, over a WebSocket."""

import asyncio
import logging
from contextlib import aclosing

from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from parlance.core.errors import ChatNotFound, CursorExpired, KeyMissing, ParlanceError, SlowFollower
from parlance.core.ids import ChatId
from parlance.core.principal import Principal
from parlance.core.snapshot import fold_snapshot
from parlance.dialects.rest.live import DELETED, decode_key, encode_frame, encode_lost, encode_refusal
from parlance.dialects.rest.wire_requests import FollowQuery
from parlance.doors.accepting import Seat, accepted, close_code
from parlance.doors.rest.acting import acting
from parlance.doors.rest.chat_tale import ChatTale, LostPlace, Place
from parlance.doors.rest.leaving import LEAVES, until_left
from parlance.doors.rest.operation import read_id, read_query
from parlance.doors.rest.paths import raw_segments
from parlance.doors.rest.stores import Stores
from parlance.doors.serving import Serving, newest
from parlance.doors.visit import visit_of

log = logging.getLogger(__name__)

GONE = 1000
TRY_AGAIN_LATER = 1013


class LiveSockets:
    def __init__(self, serving: Serving, stores: Stores) -> None:
        self._serving = serving
        self._stores = stores

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A caller who is known already, and may not see the chat, is refused in the handshake."""
        chat, wanted = _chat_of(scope), read_query(scope["query_string"], FollowQuery)
        try:
            principal = self._serving.principal(scope)
        except KeyMissing:
            pass
        else:
            await self._stores.chats.find(chat, (await self._acting(scope, principal)).reach)
        async with accepted(self._serving, scope, receive, send) as seat:
            try:
                await self._serve(_Socket(scope, receive, send), seat, chat, wanted)
            except OSError:
                log.debug("A client left a chat while it was told of it")

    async def _serve(self, socket: "_Socket", seat: Seat, chat: ChatId, wanted: FollowQuery) -> None:
        try:
            if seat.principal is None and not await self._sign_in(socket, seat):
                return
            if seat.principal is None:
                raise KeyMissing("This socket has not signed in.")
            principal = await self._acting(socket.scope, seat.principal)
            tale = ChatTale(self._stores, self._serving.engine, chat, principal)
            place = await _begin(tale, wanted, socket)
        except ParlanceError as error:
            await socket.turn_away(error)
            return
        await until_left(socket.receive, _tell(tale, place, wanted, socket))

    async def _acting(self, scope: Scope, principal: Principal) -> Principal:
        return await acting(visit_of(scope).caller, principal, self._stores.subtenants)

    async def _sign_in(self, socket: "_Socket", seat: Seat) -> bool:
        """False when the client has left. `KeyMissing`, `KeyInvalid`, `TooManyAtOnce`, and what `decode_key` raises."""
        limit = self._serving.options.sign_in
        try:
            async with asyncio.timeout(limit):
                frame = await socket.frame()
        except TimeoutError:
            raise KeyMissing(f"No key came within {limit:g} s.") from None
        if frame is not None:
            seat.belong(self._serving.gate.authenticate_key(decode_key(frame)))
        return frame is not None


class _Socket:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self._send = send

    async def frame(self) -> str | None:
        """The next text frame; None when the client has left."""
        while (message := await self.receive())["type"] not in LEAVES:
            text: str | None = message.get("text")
            if text is not None:
                return text
        return None

    async def say(self, frame: str) -> None:
        await self._send({"type": "websocket.send", "text": frame})

    async def close(self, code: int, reason: str) -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def turn_away(self, error: ParlanceError) -> None:
        await self.say(encode_refusal(error))
        await self.close(close_code(error), error.code)


async def _begin(tale: ChatTale, wanted: FollowQuery, socket: _Socket) -> Place:
    """Where the cursor can't be served: a snapshot first, and then what follows it."""
    try:
        return await tale.place(wanted.after)
    except LostPlace as lost:
        cursor = newest(lost.turn)
        snapshot = fold_snapshot(lost.turn.log.read()).told(thoughts=wanted.reasoning)
        place = await tale.place(cursor)
        await socket.say(encode_lost(lost.turn.id, snapshot, cursor))
        return place
    except CursorExpired:
        # Nothing was said in the chat: there is nothing to miss.
        return await tale.place(None)


async def _tell(tale: ChatTale, place: Place, wanted: FollowQuery, socket: _Socket) -> None:
    told = tale.tell(place, reasoning=wanted.reasoning, warnings=wanted.warnings)
    try:
        async with aclosing(told):
            async for events in told:
                for event in events:
                    await socket.say(encode_frame(event))
    except ChatNotFound:
        await socket.say(encode_frame(DELETED))
        await socket.close(GONE, "deleted")
    except SlowFollower as error:
        await socket.say(encode_refusal(error))
        await socket.close(TRY_AGAIN_LATER, error.code)


def _chat_of(scope: Scope) -> ChatId:
    segments = raw_segments(scope)
    if len(segments) != 3 or segments[0] != b"chats" or segments[2] != b"live":
        raise HTTPException(404)
    return ChatId(read_id(segments[1].decode("latin-1"), "chat_id"))

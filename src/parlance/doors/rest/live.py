"""`/chats/{chat_id}/events`: a chat as it goes on, over HTTP."""

from contextlib import aclosing

from starlette.types import Receive, Scope, Send

from parlance.core.errors import ChatNotFound, CursorExpired, SlowFollower
from parlance.dialects.rest.live import DELETED
from parlance.dialects.rest.serve import BEAT, encode_broken_off, encode_event
from parlance.dialects.rest.wire_requests import FollowQuery
from parlance.doors.http import begin
from parlance.doors.rest.chat_tale import ChatTale, LostPlace, Place
from parlance.doors.rest.leaving import until_left
from parlance.doors.rest.operation import Asked, Operation, Stream
from parlance.doors.rest.stores import Stores
from parlance.doors.rest.streams import HEADERS, answer_expired, cursor_of
from parlance.doors.serving import Heartbeat
from parlance.doors.visit import visit_of
from parlance.engine.engine import Engine

TAG = "Chats"


class Live:
    def __init__(self, stores: Stores, engine: Engine) -> None:
        self._stores = stores
        self._engine = engine

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET", path="/chats/{chat_id}/events", act=self.follow, tag=TAG,
                summary="Follow a chat: the events of its turns, for as long as you listen",
                query=FollowQuery, errors=(ChatNotFound, CursorExpired),
            ),
        )  # fmt: skip

    async def follow(self, asked: Asked) -> Stream:
        wanted = asked.query(FollowQuery)
        tale = ChatTale(self._stores, self._engine, asked.chat, asked.principal)
        try:
            place = await tale.place(cursor_of(asked, wanted.after))
        except LostPlace as lost:
            expired = lost

            async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
                await answer_expired(send, visit_of(scope), expired.turn, expired.error)

            return refuse

        async def tell(scope: Scope, receive: Receive, send: Send) -> None:
            await begin(send, visit_of(scope), 200, HEADERS)
            heartbeat = Heartbeat(send, BEAT)
            try:
                await until_left(receive, _tell(tale, place, wanted, heartbeat))
            finally:
                heartbeat.stop()
            await send({"type": "http.response.body", "body": b""})

        return tell


async def _tell(tale: ChatTale, place: Place, wanted: FollowQuery, heartbeat: Heartbeat) -> None:
    told = tale.tell(place, reasoning=wanted.reasoning, warnings=wanted.warnings)
    try:
        async with aclosing(told):
            async for events in told:
                if events:
                    await heartbeat.say(b"".join(map(encode_event, events)))
    except ChatNotFound:
        await heartbeat.say(encode_event(DELETED))
    except SlowFollower as error:
        await heartbeat.say(encode_broken_off(error))

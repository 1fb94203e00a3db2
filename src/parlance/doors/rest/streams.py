"""Turns told as server-sent events over HTTP."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw
from starlette.types import Receive, Scope, Send

from parlance.core.errors import CursorExpired, SlowFollower
from parlance.core.events import Event, ToolCalled
from parlance.core.journal import Follower
from parlance.core.snapshot import fold_snapshot
from parlance.dialects.rest.serve import BEAT, TurnEvents, encode_broken_off
from parlance.doors.http import Headers, answer_problem, begin
from parlance.doors.rest.operation import Asked, Stream
from parlance.doors.serving import Heartbeat, newest, place_of, reached, watched
from parlance.doors.visit import Visit, visit_of
from parlance.engine.view import TurnView

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    # Buffering proxies would hold the answer back until it is whole.
    (b"x-accel-buffering", b"no"),
)


class TurnStream:
    """A turn from behind the cursor `after` on. `leave` is called when the client goes away.

    Where the cursor can't be served the answer is 410, with a snapshot.
    """

    def __init__(
        self,
        turn: TurnView,
        events: TurnEvents,
        *,
        after: str | None = None,
        headers: Headers = (),
        leave: Callable[[], None] | None = None,
    ) -> None:
        self._turn = turn
        self._events = events
        self._after = after
        self._headers = headers
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = visit_of(scope)
        await reached(self._turn, self._after)
        try:
            place = place_of(self._turn, self._after)
        except CursorExpired as error:
            await answer_expired(send, visit, self._turn, error)
            return
        # Followed before anything is sent: from here on what it has not taken is kept.
        with self._turn.followed(place) as follower:
            await begin(send, visit, 200, (*HEADERS, *self._headers))
            heartbeat = Heartbeat(send, BEAT)
            try:
                await self._tell(follower, place, receive, heartbeat)
            finally:
                heartbeat.stop()
        await send({"type": "http.response.body", "body": b""})

    async def _tell(self, follower: Follower, place: int, receive: Receive, heartbeat: Heartbeat) -> None:
        if self._turn.ended and place == self._turn.log.head:
            await heartbeat.say(self._events.terminator(place))

        def left() -> None:
            follower.close()
            if self._leave is not None:
                self._leave()

        try:
            async with watched(receive, left):
                async for batch in follower:
                    self._events.renumber(self._turn.log.epoch)
                    body = self._events.encode(batch.first, batch.events)
                    if body:
                        await heartbeat.say(body)
        except SlowFollower as error:
            await heartbeat.say(encode_broken_off(error))


def asks_caller(events: Sequence[Event]) -> bool:
    """Whether a tool is called that the caller has to run."""
    return any(isinstance(event, ToolCalled) and event.runner == "client" for event in events)


async def answer_expired(send: Send, visit: Visit, turn: TurnView, error: CursorExpired) -> None:
    shown = Raw(msgspec.json.encode(fold_snapshot(turn.log.read()).told(thoughts=False)))
    await answer_problem(send, visit, error, turn_id=turn.id, snapshot=shown, cursor=newest(turn))


def cursor_of(asked: Asked, after: str | None) -> str | None:
    """What a client has seen: as it says in the query, else in the header that browsers send by themselves."""
    return after or asked.visit.caller.headers.get("last-event-id") or None


def stream_of(asked: Asked, turn: TurnView, events: TurnEvents, headers: Headers = ()) -> Stream:
    return TurnStream(turn, events, after=cursor_of(asked, None), headers=headers)

"""Door C: `POST /chat` and what goes with it: resume, cancel, tool results, and the list of models."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw
from starlette.datastructures import QueryParams
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from parlance.core.errors import CursorExpired, SlowFollower
from parlance.core.events import Event
from parlance.core.journal import Follower
from parlance.core.snapshot import fold_snapshot
from parlance.dialects.chat_request import NEW_CHAT, Params, build_request
from parlance.dialects.ndjson_chat.serve import (
    TurnLines,
    decode_chat,
    decode_results,
    encode_broken_off,
    encode_models,
    encode_status,
    is_whole,
)
from parlance.doors.chatting import chat_ask
from parlance.doors.http import answer_json, answer_problem, begin, idempotency_key
from parlance.doors.serving import Heartbeat, Serving, newest, place_of, reached, watched
from parlance.doors.visit import visit_of, writer_of
from parlance.engine.ask import Ask
from parlance.engine.engine import RESISTANCE
from parlance.engine.idempotency import Idempotency
from parlance.engine.view import TurnView

DOOR = "ndjson_chat"

_HEADERS = (
    (b"content-type", b"application/x-ndjson"),
    (b"cache-control", b"no-cache, no-transform"),
    # Buffering proxies would hold the answer back until it is whole.
    (b"x-accel-buffering", b"no"),
)


def routes(serving: Serving) -> list[Route]:
    return [
        Route("/chat", _Chat(serving), methods=["POST"]),
        Route("/chat/{turn_id}", _Resume(serving), methods=["GET"]),
        Route("/chat/{turn_id}/cancel", _Cancel(serving), methods=["POST"]),
        Route("/chat/{turn_id}/tool_results", _ToolResults(serving), methods=["POST"]),
        Route("/models", _Models(serving), methods=["GET"]),
    ]


class _Endpoint:
    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    async def turn(self, scope: Scope) -> TurnView:
        """The turn that the path names, if it is the caller's."""
        principal = self.serving.principal(scope)
        return await self.serving.engine.find(scope["path_params"]["turn_id"], principal)


class _Chat(_Endpoint):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ask, params = await self._read_ask(scope, receive)
        turn = await self.serving.engine.start(ask)
        await _tell(turn, None, params, scope, receive, send)

    async def _read_ask(self, scope: Scope, receive: Receive) -> tuple[Ask, Params]:
        """The body itself is let go of here: the answer may take long."""
        principal, visit = self.serving.principal(scope), visit_of(scope)
        body = await self.serving.read_json(scope, receive, principal)
        chat = decode_chat(body)
        request = build_request((), chat.message, model=chat.model, tools=chat.tools, params=chat.params)
        repeatable = Idempotency.of(idempotency_key(visit.caller), body)
        wanted = chat.chat_id or (NEW_CHAT if self.serving.options.stores_all else None)
        stored = chat_ask(wanted, principal) if wanted is not None else None
        return Ask(principal, DOOR, visit.request_id, request, chat.message, repeatable, stored), chat.params


class _Resume(_Endpoint):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = await self.turn(scope)
        query = QueryParams(scope["query_string"])
        params = Params(reasoning=query.get("reasoning") == "true", warnings=query.get("warnings") == "true")
        await _tell(turn, query.get("after"), params, scope, receive, send)


class _Cancel(_Endpoint):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = await self.turn(scope)
        turn.stop("cancelled")
        await turn.finished(RESISTANCE)
        status = turn.ending.status if turn.ended else "cancelling"
        await answer_json(send, visit_of(scope), encode_status(turn.id, status))


class _ToolResults(_Endpoint):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn, visit = await self.turn(scope), visit_of(scope)
        body = await self.serving.read_json(scope, receive, self.serving.principal(scope))
        await turn.answer(decode_results(body))
        await answer_json(send, visit, encode_status(turn.id, "received"))


class _Models(_Endpoint):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        offers = await self.serving.models.offered(self.serving.principal(scope), door=DOOR)
        await answer_json(send, visit_of(scope), encode_models(offers))


async def _tell(turn: TurnView, after: str | None, params: Params, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell the turn from behind the cursor `after` on. An answer that is not whole is broken off, not ended.

    Where the cursor can't be served the answer is 410, with a snapshot.
    """
    visit = visit_of(scope)
    await reached(turn, after)
    try:
        place = place_of(turn, after)
    except CursorExpired as error:
        shown = Raw(msgspec.json.encode(fold_snapshot(turn.log.read()).told(thoughts=params.reasoning)))
        await answer_problem(send, visit, error, turn_id=turn.id, snapshot=shown, cursor=newest(turn))
        return
    # Followed before anything is sent: from here on what it has not taken is kept.
    with turn.followed(place) as follower:
        await begin(send, visit, 200, _HEADERS)
        heartbeat = Heartbeat(send, b"\n", writer_of(scope))
        try:
            whole = await _tell_lines(turn, follower, place, params, receive, heartbeat)
        finally:
            heartbeat.stop()
    if whole:
        await send({"type": "http.response.body", "body": b""})


async def _tell_lines(
    turn: TurnView, follower: Follower, after: int, params: Params, receive: Receive, heartbeat: Heartbeat
) -> bool:
    """Whether the turn has ended in a way that a client may take for the whole answer."""
    lines = TurnLines(turn.id, turn.log.epoch, params, turn.facts.chat)
    if turn.ended and after == turn.log.head:
        await heartbeat.say(lines.terminator(after, turn.ending))

    def hear(number: int, events: Sequence[Event]) -> bool:
        return heartbeat.say_now(lines.encode(number, events))

    try:
        follower.listen(hear)
        async with watched(receive, follower.close):
            async for batch in follower:
                lines.renumber(turn.log.epoch)
                body = lines.encode(batch.first, batch.events)
                if body:
                    await heartbeat.say(body)
    except SlowFollower as error:
        await heartbeat.say(encode_broken_off(error))
        return False
    return turn.ended and is_whole(turn.ending)

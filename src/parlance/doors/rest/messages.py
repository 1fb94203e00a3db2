"""`/chats/{chat_id}/messages`: a message is sent, and answered whole, as a stream, or later."""

import msgspec
from msgspec import Struct
from starlette.types import Receive, Scope, Send

from parlance.core.errors import (
    CallNotWaiting,
    ChatBusy,
    ChatNotFound,
    ChatQueueFull,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    ModelForbidden,
    ModelNotFound,
    NoProvider,
    ParlanceError,
    RequestInFlight,
    UpstreamError,
)
from parlance.core.events import TurnStarted
from parlance.core.messages import Message
from parlance.core.stores import Page
from parlance.core.stores.request_keys import RequestKey
from parlance.core.tool import Answer as CallAnswer
from parlance.dialects.rest.resources import encode_message, encode_usage
from parlance.dialects.rest.sends import decode_send
from parlance.dialects.rest.serve import TurnEvents
from parlance.dialects.rest.wire import MessageResource, SentMessage
from parlance.dialects.rest.wire_requests import PageQuery, SendBody, StreamQuery
from parlance.doors.http import Headers
from parlance.doors.rest.operation import Answer, Asked, Operation, Stream, answer, say
from parlance.doors.rest.outcomes import WHOLE, answer_failed, find_answer, settled
from parlance.doors.rest.providers import DOOR, check_provider
from parlance.doors.rest.replays import REPLAYED, behind_a_claim
from parlance.doors.rest.stores import Stores
from parlance.doors.rest.streams import stream_of
from parlance.doors.rest.turns import Turns
from parlance.doors.serving import Serving
from parlance.doors.visit import visit_of
from parlance.engine.ask import Ask, ChatAsk
from parlance.engine.idempotency import chat_key
from parlance.engine.view import TurnView

TAG = "Messages"
ASKING: tuple[type[ParlanceError], ...] = (ModelNotFound, ModelForbidden, NoProvider, UpstreamError)
"""What can be wrong wherever a model is asked."""

_SENDING: tuple[type[ParlanceError], ...] = (
    ChatNotFound,
    ChatBusy,
    ChatQueueFull,
    CallNotWaiting,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    RequestInFlight,
    *ASKING,
)


_GIVING = f"{DOOR} results"


class _Given(Struct, frozen=True):
    """The turn that took a result, and the number of its newest event before that."""

    turn: str
    place: int


class _Begun(Struct, frozen=True):
    """The turn that a request began or goes on with, then behind number `place`. `headers`: whether it came before."""

    turn: TurnView
    place: int
    headers: Headers


class Messages:
    def __init__(self, serving: Serving, stores: Stores, turns: Turns) -> None:
        self._serving = serving
        self._stores = stores
        self._turns = turns

    def operations(self) -> tuple[Operation, ...]:
        all_of = "/chats/{chat_id}/messages"
        return (
            Operation(
                method="GET", path=all_of, act=self.list, summary="List the messages of a chat, oldest first", tag=TAG,
                query=PageQuery, gives=list[MessageResource], errors=(ChatNotFound,),
            ),
            Operation(
                method="POST", path=all_of, act=self.send, summary="Send a message, and get the answer", tag=TAG,
                takes=SendBody, gives=SentMessage, errors=_SENDING, keyed="by the engine", accepts=True,
            ),
            Operation(
                method="POST", path=f"{all_of}/stream", act=self.stream, tag=TAG,
                summary="Send a message, and be told the answer while it is made",
                takes=SendBody, query=StreamQuery, errors=_SENDING, keyed="by the engine",
            ),
        )  # fmt: skip

    async def list(self, asked: Asked) -> Answer:
        wanted, chat = asked.query(PageQuery), asked.chat
        found = await self._stores.messages.list(chat, Page(wanted.skip, wanted.limit), asked.principal.reach)
        return answer([encode_message(message) for message in found])

    async def send(self, asked: Asked) -> Answer | Stream:
        begun = await self._begin(asked, StreamQuery())
        turn = begun.turn
        if _prefers_async(asked):
            resource = await self._turns.resource(turn, asked.principal)
            location = f"{asked.root}/turns/{turn.id}".encode()
            headers = ((b"location", location), (b"preference-applied", b"respond-async"), *begun.headers)
            return Answer(msgspec.json.encode(resource), 202, headers)

        async def wait(scope: Scope, receive: Receive, send: Send) -> None:
            if await settled(turn, receive, begun.place):
                await self._answer(asked, turn, scope, send, begun.headers)

        return wait

    async def stream(self, asked: Asked) -> Answer | Stream:
        wanted = asked.query(StreamQuery)
        begun = await self._begin(asked, wanted)
        turn = begun.turn
        events = TurnEvents(
            turn.id, turn.log.epoch, turn.facts.chat, reasoning=wanted.reasoning, warnings=wanted.warnings
        )
        return stream_of(asked, turn, events, begun.headers)

    async def _begin(self, asked: Asked, wanted: StreamQuery) -> _Begun:
        sent, chat = decode_send(asked.body(SendBody), wanted), asked.chat
        if isinstance(sent, CallAnswer):
            return await self._give_result(asked, sent)
        if (giving := _key_of(asked, _GIVING)) is not None:
            await self._stores.answers.find(giving)
        await check_provider(self._serving.models, sent.request.model, sent.provider, asked.principal)
        ask = Ask(
            principal=asked.principal,
            door=DOOR,
            request_id=asked.visit.request_id,
            request=sent.request,
            input=sent.message,
            idempotency=asked.idempotency,
            chat=ChatAsk(
                id=chat,
                include_memories=sent.include_memories,
                enabled_functions=sent.enabled_functions,
                without_functions=sent.disabled_functions,
                enabled_mcp_tools=sent.enabled_mcp_tools,
                without_mcp_tools=sent.disabled_mcp_tools,
            ),
        )
        turn = await self._serving.engine.start(ask)
        return _Begun(turn, 0, () if _began(turn, sent.message) else (REPLAYED,))

    async def _give_result(self, asked: Asked, result: CallAnswer) -> _Begun:
        """To the turn of this chat that waits for it; once for an idempotency key."""

        async def give() -> Answer:
            turn, place = await self._find_asking(asked, result)
            return answer(_Given(turn.id, place))

        key = _key_of(asked, _GIVING)
        if key is None:
            told: Answer | Stream = await give()
        else:
            if (sending := _key_of(asked, DOOR)) is not None:
                await self._stores.turns.begun(sending)
            told = await behind_a_claim(self._stores.answers, key, give)
        if not isinstance(told, Answer):
            raise TypeError("A given result is told whole.")
        given = msgspec.json.decode(told.body, type=_Given)
        turn = await self._serving.engine.find(given.turn, asked.principal)
        return _Begun(turn, given.place, tuple(told.headers))

    async def _find_asking(self, asked: Asked, result: CallAnswer) -> tuple[TurnView, int]:
        chat, principal = asked.chat, asked.principal
        for record in await self._stores.turns.list(chat, Page(limit=1000), principal.reach, open_only=True):
            turn = await self._serving.engine.find(record.id, principal)
            place = turn.log.head
            try:
                await turn.answer((result,))
            except CallNotWaiting:
                continue
            return turn, place
        raise CallNotWaiting(f"No turn of this chat waits for a result of the call {result.call_id!r}.")

    async def _answer(self, asked: Asked, turn: TurnView, scope: Scope, send: Send, headers: Headers) -> None:
        visit = visit_of(scope)
        if turn.ended and turn.ending.status not in WHOLE:
            await answer_failed(send, visit, turn)
            return
        message = await find_answer(turn, self._stores.messages, asked.principal.reach)
        usage = encode_usage(turn.ending.usage) if turn.ended else None
        if usage is None:
            usage = message.usage if message is not None and message.usage is not None else encode_usage(None)
        sent = SentMessage(
            message=message,
            usage=usage,
            turn_id=turn.id,
            status="waiting" if not turn.ended else "completed" if turn.ending.status == "completed" else "cancelled",
        )
        await say(send, visit, Answer(msgspec.json.encode(sent), headers=headers))


def _key_of(asked: Asked, place: str) -> RequestKey | None:
    """A message is kept with its turn, a result by itself. Both are looked for: a key is for one request."""
    given = asked.idempotency
    return None if given is None else chat_key(asked.principal, place, given, asked.chat)


def _prefers_async(asked: Asked) -> bool:
    """RFC 7240: preferences stand in a list, each with what belongs to it behind a semicolon."""
    prefer = asked.visit.caller.headers.get("prefer", "")
    return "respond-async" in [word.partition(";")[0].strip().lower() for word in prefer.split(",")]


def _began(turn: TurnView, message: Message) -> bool:
    """Whether it was this very message: the same words that come again are another one, which nobody keeps."""
    _, first = next(iter(turn.log.numbered()), (0, None))
    return isinstance(first, TurnStarted) and first.input is not None and first.input.id == message.id

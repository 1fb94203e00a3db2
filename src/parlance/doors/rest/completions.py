"""`/llm/complete` and `/llm/stream`: a model is asked directly. Nothing of it is kept but what it cost."""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from parlance.core.errors import SubtenantNotFound
from parlance.core.principal import Principal
from parlance.dialects.rest.resources import encode_calls, encode_usage
from parlance.dialects.rest.sends import decode_completion
from parlance.dialects.rest.serve import TurnEvents
from parlance.dialects.rest.wire import Completion
from parlance.dialects.rest.wire_requests import CompletionBody, StreamQuery
from parlance.doors.rest.messages import ASKING
from parlance.doors.rest.operation import Asked, Operation, Stream, answer, say
from parlance.doors.rest.outcomes import WHOLE, answer_failed, last_answer, settled
from parlance.doors.rest.providers import DOOR, check_provider
from parlance.doors.rest.stores import Stores
from parlance.doors.rest.streams import TurnStream
from parlance.doors.serving import Serving
from parlance.doors.visit import visit_of
from parlance.engine.ask import Ask
from parlance.engine.view import TurnView

TAG = "Direct access"


class Completions:
    def __init__(self, serving: Serving, stores: Stores) -> None:
        self._serving = serving
        self._stores = stores

    def operations(self) -> tuple[Operation, ...]:
        own, others = "/llm", "/subtenants/{subtenant_id}/llm"
        return (
            *self._at(own, self._own, "", ()),
            *self._at(others, self._of_subtenant, ", for a subtenant", (SubtenantNotFound,)),
        )

    def _at(
        self,
        place: str,
        whose: Callable[[Asked], Awaitable[Principal]],
        suffix: str,
        errors: tuple[type[SubtenantNotFound], ...],
    ) -> tuple[Operation, ...]:
        async def complete(asked: Asked) -> Stream:
            return await self._complete(asked, await whose(asked))

        async def stream(asked: Asked) -> Stream:
            return await self._stream(asked, await whose(asked))

        return (
            Operation(
                method="POST", path=f"{place}/complete", act=complete, summary=f"Ask a model directly{suffix}", tag=TAG,
                takes=CompletionBody, gives=Completion, errors=(*errors, *ASKING),
            ),
            Operation(
                method="POST", path=f"{place}/stream", act=stream, tag=TAG,
                summary=f"Ask a model directly{suffix}, and be told its answer while it is made",
                takes=CompletionBody, query=StreamQuery, errors=(*errors, *ASKING),
            ),
        )  # fmt: skip

    async def _own(self, asked: Asked) -> Principal:
        return asked.principal

    async def _of_subtenant(self, asked: Asked) -> Principal:
        """It counts for that subtenant."""
        subtenant = await self._stores.subtenants.find(asked.subtenant, asked.principal.reach)
        return asked.principal.acting_for(subtenant.id)

    async def _complete(self, asked: Asked, principal: Principal) -> Stream:
        turn = await self._start(asked, principal, StreamQuery())

        async def wait(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                if await settled(turn, receive):
                    await _answer(turn, scope, send)
            finally:
                # Whoever has left does not come back to this turn.
                turn.stop("cancelled")

        return wait

    async def _stream(self, asked: Asked, principal: Principal) -> Stream:
        wanted = asked.query(StreamQuery)
        turn = await self._start(asked, principal, wanted)
        events = TurnEvents(turn.id, None, reasoning=wanted.reasoning, warnings=wanted.warnings)
        return TurnStream(turn, events, leave=lambda: _cancel(turn))

    async def _start(self, asked: Asked, principal: Principal, wanted: StreamQuery) -> TurnView:
        direct = decode_completion(asked.body(CompletionBody), wanted)
        await check_provider(self._serving.models, direct.request.model, direct.provider, principal)
        return await self._serving.engine.start(
            Ask(principal=principal, door=DOOR, request_id=asked.visit.request_id, request=direct.request, passing=True)
        )


def _cancel(turn: TurnView) -> None:
    turn.stop("cancelled")


async def _answer(turn: TurnView, scope: Scope, send: Send) -> None:
    visit = visit_of(scope)
    if turn.ended and turn.ending.status not in WHOLE:
        await answer_failed(send, visit, turn)
        return
    message = last_answer(turn)
    usage = turn.ending.usage if turn.ended else message.usage if message is not None else None
    origin = message.origin if message is not None else None
    completion = Completion(
        content=message.text if message is not None else "",
        role="assistant",
        tool_calls=encode_calls(message) if message is not None else None,
        usage=encode_usage(usage),
        model=origin.model if origin is not None else turn.facts.model,
        provider=origin.host if origin is not None else turn.facts.provider,
        finish_reason=message.finish if message is not None else None,
    )
    await say(send, visit, answer(completion))

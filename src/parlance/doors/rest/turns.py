"""`/turns`: how an answer is coming on, its events, and what can be done to it."""

from msgspec import structs

from parlance.core.errors import CallNotWaiting, CursorExpired, TurnNotFound
from parlance.core.principal import Principal
from parlance.core.stores.turns import State
from parlance.dialects.rest.resources import encode_turn, encode_usage
from parlance.dialects.rest.sends import decode_results
from parlance.dialects.rest.serve import TurnEvents
from parlance.dialects.rest.wire import TurnResource
from parlance.dialects.rest.wire_requests import FollowQuery, ResultsBody
from parlance.doors.rest.operation import Answer, Asked, Operation, Stream, answer
from parlance.doors.rest.outcomes import find_answer
from parlance.doors.rest.stores import Stores
from parlance.doors.rest.streams import TurnStream, cursor_of
from parlance.doors.serving import newest
from parlance.engine.engine import RESISTANCE, Engine
from parlance.engine.view import TurnView

TAG = "Turns"


class Turns:
    def __init__(self, stores: Stores, engine: Engine) -> None:
        self._stores = stores
        self._engine = engine

    def operations(self) -> tuple[Operation, ...]:
        one, missing = "/turns/{turn_id}", (TurnNotFound,)
        return (
            Operation(
                method="GET", path=one, act=self.find, summary="Get a turn, and its answer once it has ended", tag=TAG,
                gives=TurnResource, errors=missing,
            ),
            Operation(
                method="GET", path=f"{one}/events", act=self.follow, summary="Follow a turn, from any point", tag=TAG,
                query=FollowQuery, errors=(*missing, CursorExpired),
            ),
            Operation(
                method="POST", path=f"{one}/cancel", act=self.cancel, summary="Cancel a turn", tag=TAG,
                gives=TurnResource, errors=missing, keyed="here",
            ),
            Operation(
                method="POST", path=f"{one}/tool_results", act=self.give_results, tag=TAG,
                summary="Give the results of tools of your own", takes=ResultsBody, gives=TurnResource,
                errors=(*missing, CallNotWaiting), keyed="here",
            ),
        )  # fmt: skip

    async def find(self, asked: Asked) -> Answer:
        turn = await self._engine.find(asked.turn, asked.principal)
        return answer(await self.resource(turn, asked.principal))

    async def follow(self, asked: Asked) -> Stream:
        wanted = asked.query(FollowQuery)
        turn = await self._engine.find(asked.turn, asked.principal)
        events = TurnEvents(
            turn.id, turn.log.epoch, turn.facts.chat, reasoning=wanted.reasoning, warnings=wanted.warnings
        )
        return TurnStream(turn, events, after=cursor_of(asked, wanted.after))

    async def cancel(self, asked: Asked) -> Answer:
        turn = await self._engine.find(asked.turn, asked.principal)
        turn.stop("cancelled")
        await turn.finished(RESISTANCE)
        return _answer(await self.resource(turn, asked.principal))

    async def give_results(self, asked: Asked) -> Answer:
        results = decode_results(asked.body(ResultsBody))
        turn = await self._engine.find(asked.turn, asked.principal)
        await turn.answer(results)
        return _answer(await self.resource(turn, asked.principal))

    async def resource(self, turn: TurnView, principal: Principal) -> TurnResource:
        if turn.facts.chat is None:
            return _live(turn)
        record = await self._stores.turns.find(turn.id, principal.reach)
        message = await find_answer(turn, self._stores.messages, principal.reach) if turn.ended else None
        resource = encode_turn(record, message)
        if record.ended_at is None and not turn.ended:
            # Both are kept a moment after they are told.
            status: State = "waiting" if turn.waiting else record.state
            return structs.replace(resource, status=status, cursor=newest(turn))
        return resource


def _answer(resource: TurnResource) -> Answer:
    """Of a request that may be kept: a turn of a chat goes with its subtenant."""
    return structs.replace(answer(resource), subtenant=resource.subtenant_id if resource.chat_id is not None else None)


def _live(turn: TurnView) -> TurnResource:
    ending = turn.ending if turn.ended else None
    status: State = ending.status if ending is not None else "waiting" if turn.waiting else "running"
    return TurnResource(
        id=turn.id,
        chat_id=None,
        subtenant_id=turn.facts.home,
        status=status,
        door=turn.facts.door,
        model=turn.facts.model,
        provider=turn.facts.provider,
        finish_reason=ending.finish if ending is not None else None,
        usage=encode_usage(ending.usage) if ending is not None and ending.usage is not None else None,
        error=ending.fault if ending is not None else None,
        message=None,
        cursor=newest(turn),
        created_at=None,
        ended_at=None,
    )

"""`/requests` and `/usage`: what was asked of which model, and what it cost."""

from parlance.core.ids import ChatId, TurnId
from parlance.core.stores import Page
from parlance.core.stores.model_calls import CallFilter
from parlance.dialects.rest.resources import encode_model_call, encode_total
from parlance.dialects.rest.wire import CallResource, UsageRow
from parlance.dialects.rest.wire_requests import CallsQuery, UsageQuery
from parlance.doors.rest.operation import Answer, Asked, Operation, answer, has_control, read_id, refuse
from parlance.doors.rest.stores import Stores

TAG = "Usage"


class Calls:
    def __init__(self, stores: Stores) -> None:
        self._stores = stores.calls

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET", path="/requests", act=self.list, summary="List the calls of models, newest first",
                tag=TAG, query=CallsQuery, gives=list[CallResource],
            ),
            Operation(
                method="GET", path="/usage", act=self.sum_up, summary="Sum the calls up, by provider and model",
                tag=TAG, query=UsageQuery, gives=list[UsageRow],
            ),
        )  # fmt: skip

    async def list(self, asked: Asked) -> Answer:
        wanted = asked.query(CallsQuery)
        page = Page(wanted.skip, wanted.limit)
        found = await self._stores.list(_filter(wanted), page, asked.principal.reach)
        return answer([encode_model_call(call) for call in found])

    async def sum_up(self, asked: Asked) -> Answer:
        found = await self._stores.totals(_filter(asked.query(UsageQuery)), asked.principal.reach)
        return answer([encode_total(total) for total in found])


def _filter(wanted: CallsQuery | UsageQuery) -> CallFilter:
    for name in ("subtenant_id", "provider", "model"):
        if has_control(getattr(wanted, name) or ""):
            raise refuse(name, "It holds a control character. Send it without.")
    return CallFilter(
        subtenant=wanted.subtenant_id,
        chat=ChatId(read_id(wanted.chat_id, "chat_id")) if wanted.chat_id is not None else None,
        turn=TurnId(read_id(wanted.turn_id, "turn_id")) if wanted.turn_id is not None else None,
        provider=wanted.provider,
        model=wanted.model,
        since=wanted.since,
        until=wanted.until,
    )

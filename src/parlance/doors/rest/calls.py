"""`/requests` and `/usage`: what was asked of which model, and what it cost."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from parlance.core.ids import ChatId, TurnId
from parlance.core.stores import Page
from parlance.core.stores.model_calls import CallFilter
from parlance.dialects.rest.resources import encode_model_call, encode_total
from parlance.dialects.rest.wire import CallResource, UsageRow
from parlance.dialects.rest.wire_requests import CallsQuery, UsageQuery
from parlance.doors.rest.operation import Answer, Asked, Operation, answer, has_control, read_id, refuse
from parlance.doors.rest.stores import Stores

TAG = "Usage"

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


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
        since=_moment(wanted.since, "since"),
        until=_moment(wanted.until, "until"),
    )


def _moment(text: str | None, name: str) -> datetime | None:
    """In UTC. A bare number is no time: it would be taken for seconds since 1970."""
    try:
        return msgspec.convert(text, _Moment).astimezone(UTC) if text is not None else None
    except (msgspec.ValidationError, OverflowError):
        raise refuse(
            name, f"{text!r:.80} is no time of RFC 3339, such as 2026-01-31T12:00:00Z (write + as %2B)."
        ) from None

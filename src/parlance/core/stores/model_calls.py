"""The log of calls of models: what was asked of whom, what it cost, how it went. No text of any message."""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from parlance.core.attempts import Outcome
from parlance.core.ids import ChatId, TurnId
from parlance.core.stores import Page, Reach
from parlance.core.usage import Usage


class ModelCall(Struct, frozen=True, kw_only=True):
    """`id` is a UUID. `error` is the code of what went wrong. `cost` is in US dollars, None where no price is known.
    `first` and `duration` are seconds, to the first content and to the end.
    """

    id: str
    subtenant_id: str
    chat_id: ChatId | None
    turn_id: TurnId | None
    request_id: str | None
    door: str
    provider: str
    model: str
    number: int
    outcome: Outcome
    error: str | None
    upstream_id: str | None
    usage: Usage | None
    cost: float | None
    first: float | None
    duration: float
    created_at: datetime


class UsageTotal(Struct, frozen=True, kw_only=True):
    """Sums over calls of one provider's model. `cost` leaves out the `unpriced` calls."""

    provider: str
    model: str
    calls: int
    failed: int
    input: int
    output: int
    cost: float
    unpriced: int


class CallFilter(Struct, frozen=True, kw_only=True):
    """None: any. Times: from `since` on, before `until`."""

    subtenant: str | None = None
    chat: ChatId | None = None
    turn: TurnId | None = None
    provider: str | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class ModelCalls(Protocol):
    async def add(self, calls: tuple[ModelCall, ...]) -> int:
        """All of them in one transaction. Calls of a subtenant that is gone are left out: how many those were."""
        ...

    async def list(self, wanted: CallFilter, page: Page, reach: Reach) -> tuple[ModelCall, ...]:
        """Newest first."""
        ...

    async def totals(self, wanted: CallFilter, reach: Reach) -> tuple[UsageTotal, ...]:
        """By provider and model, in the order of their names."""
        ...

    async def forget(self, before: datetime) -> int:
        """Those that are older; how many they were."""
        ...

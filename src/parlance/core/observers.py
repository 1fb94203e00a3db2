"""Those who watch without taking part."""

from typing import Protocol

from msgspec import Struct

from parlance.core.events import Event
from parlance.core.ids import TurnId
from parlance.core.principal import Principal


class TurnFacts(Struct, frozen=True):
    """What stays the same over a turn.

    `request_id` is the one of the request that began it; `started` is in seconds of the monotonic clock.
    """

    turn: TurnId
    principal: Principal
    door: str
    model: str
    provider: str
    request_id: str
    started: float


class TurnObserver(Protocol):
    """Sees every event of every turn except growth, in order, as it is appended.

    MUST return at once; what it raises is logged and dropped.
    """

    def observe(self, facts: TurnFacts, event: Event) -> None: ...

"""Those who watch without taking part."""

from typing import Protocol

from msgspec import Struct

from parlance.core.events import Event
from parlance.core.ids import ChatId, TurnId
from parlance.core.principal import Principal


class TurnFacts(Struct, frozen=True):
    """What stays the same over a turn.

    `request_id` is the one of the request that began it; `started` is in seconds of the monotonic clock. `chat` is the
    stored chat that it belongs to, if it does, and `subtenant` that chat's.
    """

    turn: TurnId
    principal: Principal
    door: str
    model: str
    provider: str
    request_id: str
    started: float
    chat: ChatId | None = None
    subtenant: str | None = None

    @property
    def home(self) -> str:
        """The subtenant that the turn belongs to."""
        return self.subtenant or self.principal.home


class TurnObserver(Protocol):
    """Sees every event of every turn except growth, in order, as it is appended.

    MUST return at once; what it raises is logged and dropped.
    """

    def observe(self, facts: TurnFacts, event: Event) -> None: ...

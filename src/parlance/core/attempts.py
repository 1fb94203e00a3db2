"""Calls of hosts, one by one, as those see them who watch what models cost and how their hosts behave."""

from typing import Literal, Protocol

from msgspec import Struct

from parlance.core.ids import TurnId
from parlance.core.usage import Usage

Outcome = Literal["answered", "failed", "left"]
"""`answered`: to its end. `left`: nobody wanted the rest of it."""


class Attempt(Struct, frozen=True, kw_only=True):
    """One call of one host. A provider has one key, so `provider` names the key, too.

    `number` counts the attempts of one model call from 1. `upstream_id` is the host's own id of it. `fault` is the
    code of what went wrong. `usage` is what the host said, or an estimate that says so; None where nothing was asked
    of a model. `cost` is in US dollars; None where the price is not known. `first` and `duration` are in seconds, from
    the beginning of the attempt to its first content and to its end.
    """

    request_id: str | None
    turn: TurnId | None
    provider: str
    model: str
    number: int
    outcome: Outcome
    upstream_id: str | None = None
    fault: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    first: float | None = None
    duration: float = 0.0


class AttemptObserver(Protocol):
    """Sees every attempt once, when it has ended, those of passing turns too.

    MUST return at once; what it raises is logged and dropped.
    """

    def observe_attempt(self, attempt: Attempt) -> None: ...


class Prices(Protocol):
    def cost(self, provider: str, model: str, usage: Usage) -> float | None:
        """US dollars; None where the price or the amount is not known."""
        ...

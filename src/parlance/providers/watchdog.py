"""The deadlines of one model call after its head has come: one timer, re-armed only when it fires."""

import asyncio
from collections.abc import Callable

from parlance.core.errors import HostTimeout
from parlance.core.provider import Deadlines

# What the caller reads: which deadline, and what it was waiting for.
_PHASES = {
    "connect": "to accept the connection",
    "first": "to begin its answer",
    "idle": "between two pieces of its answer",
    "total": "for its whole answer",
}


class Watchdog:
    """Calls `bite` (set it before giving way) with a `HostTimeout` when a deadline of `host` has passed.

    `since` is when the wait for the next bytes began, by the loop's clock; 0.0 while nobody waits, for a slow reader is
    no fault of the host. Setting it is all that a read costs.
    """

    bite: Callable[[HostTimeout], None]

    def __init__(self, host: str, deadlines: Deadlines, begun: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._host = host
        self._deadlines = deadlines
        self._begun = begun
        self._answered = False
        self.since = 0.0
        self._timer = self._loop.call_at(self._due()[0], self._look)

    def answered(self) -> None:
        """The answer has begun: from now on `idle` counts instead of `first`."""
        self._answered = True
        self._timer.cancel()
        self._timer = self._loop.call_at(self._due()[0], self._look)

    def stop(self) -> None:
        self._timer.cancel()
        # Whom it bites holds it, too. What lives as long as an answer is old by then, and the collector, which looks at
        # old objects hardly ever, would be left with all that both of them hold.
        self.bite = _forget

    def _due(self) -> tuple[float, str]:
        total = self._begun + self._deadlines.total, "total"
        if not self._answered:
            return min((self._begun + self._deadlines.first, "first"), total)
        return min(((self.since or self._loop.time()) + self._deadlines.idle, "idle"), total)

    def _look(self) -> None:
        due, phase = self._due()
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._look)
        else:
            self.bite(timeout_of(self._host, self._deadlines, phase))


def _forget(_: HostTimeout) -> None:
    """Nobody is to be bitten any more."""


def timeout_of(host: str, deadlines: Deadlines, phase: str) -> HostTimeout:
    """The error for a deadline that has passed; `phase` is the name of one of `Deadlines`' fields."""
    seconds: float = getattr(deadlines, phase)
    return HostTimeout(
        f"The host {host!r} took longer than {seconds:g} s {_PHASES[phase]} (deadline `{phase}`). "
        f"Try again, or give it more time with `deadlines.{phase}`.",
        host=host,
    )

"""What clients may make this server hold: how much of it at once, by all of them and by one key; the rest is refused.

Running turns are counted by the engine, which alone knows when they end.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Self

from msgspec import Struct

from parlance.core.errors import LimitReached, Overloaded, ParlanceError, TooManyAtOnce
from parlance.core.ids import KeyId
from parlance.core.principal import LOCAL_ADMIN, Principal

log = logging.getLogger(__name__)

QUIET = 10.0
"""Seconds between two log lines on what was refused: a flood of requests must not become one of lines."""

DOORSTEP = 100
"""Connections beyond the limit that may bring their first bytes, so that they see why they are turned away."""


class LimitOptions(Struct, frozen=True):
    """`bytes`: of requests that are on their way. `patience`: seconds for a request's head, and again before its body
    has to come at a decent rate. `stall`: seconds for which a client may take nothing of what it is told.
    """

    connections: int = 10_000
    sockets: int = 5_000
    sockets_per_key: int = 1_000
    bytes: int = 268_435_456
    bytes_per_key: int = 67_108_864
    patience: float = 10.0
    stall: float = 15.0


class Limit:
    """How much of one thing is held, and how much of it may be: `total` by all, `per_key` by one key.

    Without keys there is one caller, the person at this machine: the total is theirs.
    """

    def __init__(self, name: str, what: str, total: int, per_key: int | None = None) -> None:
        """`name` is the setting's, below `limits`; `what` ends the sentence that begins with a number."""
        self.held = 0
        self._name = name
        self._what = what
        self._total = total
        self._per_key = per_key
        self._of_key: Counter[KeyId] = Counter()

    def hold(self, principal: Principal | None = None, amount: int = 1) -> "Held":
        """A share, which whoever holds it gives back. `Overloaded`, `TooManyAtOnce`: then nothing is held."""
        self.take(key_of(principal), amount)
        return Held(self, principal, amount)

    def take(self, key: KeyId | None, amount: int) -> None:
        if not amount:
            return
        if self.held + amount > self._total:
            raise Overloaded(
                f"{self._total} {self._what}, which is this server's limit. Try again in a moment.", limit=self._name
            )
        if key is not None and self._per_key is not None:
            if self._of_key[key] + amount > self._per_key:
                raise TooManyAtOnce(
                    f"{self._per_key} {self._what} for this key, which is its limit. Try again when it is less.",
                    limit=f"per_key.{self._name}",
                )
            self._of_key[key] += amount
        self.held += amount

    def give(self, key: KeyId | None, amount: int) -> None:
        self.held -= amount
        if key is not None and self._per_key is not None:
            self._of_key[key] -= amount
            if not self._of_key[key]:
                del self._of_key[key]


class Held:
    """A share of a limit. `with` gives it back at the end of the block."""

    __slots__ = ("_amount", "_key", "_limit")

    def __init__(self, limit: Limit, principal: Principal | None, amount: int) -> None:
        self._limit = limit
        self._key = key_of(principal)
        self._amount = amount

    def resize(self, amount: int) -> None:
        """`Overloaded`, `TooManyAtOnce`: then it is as large as before."""
        more = amount - self._amount
        if more > 0:
            self._limit.take(self._key, more)
        elif more:
            self._limit.give(self._key, -more)
        self._amount = amount

    def grow(self, more: int) -> None:
        self.resize(self._amount + more)

    def belong(self, principal: Principal | None) -> None:
        """It is this principal's from now on; None for nobody's. `TooManyAtOnce`: then it is whose it was."""
        key = key_of(principal)
        if key == self._key:
            return
        self._limit.give(self._key, self._amount)
        try:
            self._limit.take(key, self._amount)
        except LimitReached:
            self._limit.take(self._key, self._amount)
            raise
        self._key = key

    def release(self) -> None:
        """Once or more often."""
        self.resize(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Refusals:
    """Counts what was refused since it was too much, or no request that can be served."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._quiet: asyncio.TimerHandle | None = None

    def tell(self, error: ParlanceError, what: str) -> None:
        """Of a limit a count, and now and then a line; of anything else a line of its own."""
        if isinstance(error, LimitReached):
            self.count(error.limit)
        else:
            log.log(logging.WARNING if error.status >= 500 else logging.INFO, "Refused %s: %s", what, error.code)

    def count(self, reason: str) -> None:
        self.counted[reason] += 1
        if self._quiet is not None:
            self._untold[reason] += 1
            return
        log.warning("Refused by its limit: %s. What follows is summed up every %g s", reason, QUIET)
        self._be_quiet()

    def _be_quiet(self) -> None:
        self._quiet = asyncio.get_running_loop().call_later(QUIET, self._sum_up)

    def _sum_up(self) -> None:
        self._quiet = None
        if self._untold:
            told = ", ".join(f"{reason} {count} times" for reason, count in self._untold.most_common())
            self._untold.clear()
            log.warning("Refused by their limits in the last %g s: %s", QUIET, told)
            self._be_quiet()


class Limits:
    """All limits of one server."""

    def __init__(self, options: LimitOptions | None = None) -> None:
        self.options = options = options or LimitOptions()
        self.connections = Limit("connections", "connections are open", options.connections)
        self.doorstep = Limit("connections", "connections wait to be turned away", DOORSTEP)
        self.sockets = Limit("sockets", "WebSockets are open", options.sockets, options.sockets_per_key)
        self.bytes = Limit(
            "bytes", "bytes of requests are on their way to this server", options.bytes, options.bytes_per_key
        )
        self.refusals = Refusals()

    def held(self) -> Mapping[str, int]:
        return {"connections": self.connections.held, "sockets": self.sockets.held, "bytes": self.bytes.held}


def key_of(principal: Principal | None) -> KeyId | None:
    """Whose limit it counts against, besides everybody's."""
    return None if principal is None or principal == LOCAL_ADMIN else principal.key_id

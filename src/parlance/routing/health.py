"""Which hosts are worth asking: one that fails again and again is left alone for a while, then tried by one call."""

from collections.abc import Callable

from msgspec import Struct

FAILURES = 5
"""In a row, until a host is left alone."""

EJECTION = 30.0
"""Seconds, times the number of ejections in a row."""

LONGEST = 10
"""The ejections in a row after which the time does not grow any more."""

MOST = 1_000
"""Models watched at the same time: callers may ask for any name."""


class Health(Struct):
    """Of one model at one provider. `until` is when its ejection ends, by the clock."""

    failures: int = 0
    ejections: int = 0
    until: float = 0.0
    probing: bool = False

    def fit(self, now: float) -> bool:
        """Whether it may be asked now: by everybody when it is well, by one call when its ejection has ended."""
        return not self.ejections or (now >= self.until and not self.probing)

    def begin(self) -> None:
        self.probing = self.ejections > 0

    def succeed(self) -> None:
        self.failures = self.ejections = 0
        self.probing = False

    def fail(self, now: float) -> bool:
        """Whether this failure has it ejected. What was under way when it was ejected does not count again."""
        probing, self.probing = self.probing, False
        self.failures += 1
        if now < self.until or (self.failures < FAILURES and not probing):
            return False
        self.ejections = min(self.ejections + 1, LONGEST)
        self.until = now + EJECTION * self.ejections
        self.failures = 0
        return True

    def leave(self) -> None:
        """A call ended without telling anything about its host."""
        self.probing = False


class HealthBook:
    """The health of everything that was asked. What is well is forgotten first when there is too much."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.now = clock
        self._known: dict[tuple[str, str], Health] = {}

    def of(self, provider: str, model: str) -> Health:
        health = self._known.get((provider, model))
        if health is None:
            if len(self._known) >= MOST:
                self._forget_one()
            health = self._known[provider, model] = Health()
        return health

    def _forget_one(self) -> None:
        well = (key for key, health in self._known.items() if not health.failures and not health.ejections)
        del self._known[next(well, next(iter(self._known)))]

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


class Call(Struct, frozen=True):
    """One call as health knows it: begun in which spell, and whether it is the one that tries an ejected model."""

    spell: int
    probe: bool


class Health(Struct):
    """Of one model at one provider. `until` is when its ejection ends, by the clock.

    Each ejection begins a new `spell`: calls that were begun before say nothing of it any more.
    """

    failures: int = 0
    ejections: int = 0
    until: float = 0.0
    probing: bool = False
    spell: int = 0

    def fit(self, now: float) -> bool:
        """Whether it may be asked now: by everybody when it is well, by one call when its ejection has ended."""
        return not self.ejections or (now >= self.until and not self.probing)

    def begin(self, now: float) -> Call:
        """To be ended by one of `succeed`, `fail` and `leave`."""
        probe = self.ejections > 0 and self.fit(now)
        self.probing = self.probing or probe
        return Call(self.spell, probe)

    def succeed(self, call: Call) -> None:
        if call.spell == self.spell:
            self.failures = self.ejections = 0
            self.probing = False

    def fail(self, call: Call, now: float) -> bool:
        """Whether this failure has it ejected."""
        if call.spell != self.spell:
            return False
        self.failures += 1
        tried = call.probe and self.probing
        if not tried and (self.ejections or self.failures < FAILURES):
            return False
        self.ejections = min(self.ejections + 1, LONGEST)
        self.until = now + EJECTION * self.ejections
        self.failures = 0
        self.probing = False
        self.spell += 1
        return True

    def leave(self, call: Call) -> None:
        """A call ended without telling anything about its host."""
        if call.probe and call.spell == self.spell:
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

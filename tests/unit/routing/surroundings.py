"""What routes have round them in tests: time that passes only when they sleep, chance that is given, attempts kept."""

from collections.abc import Callable, Mapping

from parlance.core.attempts import Attempt
from parlance.core.usage import Usage
from parlance.routing.candidates import Conduct, Patience
from parlance.routing.defaults import Defaults
from parlance.routing.health import HealthBook
from parlance.routing.prices import ListPrices, Price
from parlance.routing.route import RouteParts


class Surroundings:
    """`slept` are the waits, in seconds; `attempts` what was reported."""

    def __init__(
        self,
        patience: Mapping[str, Patience] | None = None,
        random: Callable[[], float] = lambda: 1.0,
        defaults: Mapping[str, Defaults] | None = None,
    ) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.attempts: list[Attempt] = []
        self.health = HealthBook(lambda: self.now)
        prices = ListPrices({"a/small": Price(1.0, 2.0, cached=0.5)}, {})
        conduct = Conduct(self.health, random, patience or {}, {})
        self.parts = RouteParts(conduct, prices, self, self._sleep, defaults or {})

    def observe_attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Who was asked, and what came of it."""
        return [(attempt.provider, attempt.fault or attempt.outcome) for attempt in self.attempts]

    @property
    def usages(self) -> list[Usage | None]:
        return [attempt.usage for attempt in self.attempts]

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

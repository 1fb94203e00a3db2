"""Who is asked next, and when: the order of a route, what has failed, and what may be tried again."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from parlance.core.errors import HostDeclined, HostKeyRefused, HostQuotaExhausted, HostRejected, UpstreamError
from parlance.core.provider import Provider
from parlance.routing.budget import RetryBudget
from parlance.routing.health import Health, HealthBook

LONGEST_BACKOFF = 8.0
LONGEST_WAIT = 30.0
"""Seconds. A host that wants to be left alone for longer is not waited for: its caller is told when to come back."""


class Candidate(Struct, frozen=True):
    """A model that may answer. Neighbours with a weight share the load in its proportion."""

    provider: Provider
    model: str
    weight: float | None = None


class Patience(Struct, frozen=True):
    """How often a provider is asked again after a failure, and its first pause in seconds."""

    retries: int = 2
    delay: float = 0.5


class Conduct(Struct, frozen=True):
    """What all routes share: how hosts are, and how they are treated. `random` is from 0 to 1."""

    health: HealthBook
    random: Callable[[], float]
    patience: Mapping[str, Patience] = {}
    budgets: dict[str, RetryBudget] = {}

    def budget(self, provider: str) -> RetryBudget:
        return self.budgets.setdefault(provider, RetryBudget())


class _Asked(Struct, frozen=True):
    """A candidate's failures in this model call, the earliest time for another try (None: there is none), and until
    when its host wants to be left alone.
    """

    failures: int
    again_at: float | None
    rest_until: float = 0.0


class Candidates:
    """The candidates of one model call, each model at a provider once. `take` gives the next, `fail` says that it has
    failed.
    """

    def __init__(self, given: Sequence[Candidate], conduct: Conduct, *, until: float) -> None:
        """Nothing is begun after `until`, by the health book's clock."""
        self._conduct = conduct
        self._until = until
        self._order = _order(given, conduct.random)
        self._asked: dict[int, _Asked] = {}
        self._barred: set[str] = set()
        self._taken = 0
        now = conduct.health.now()
        self._fit = [at for at in range(len(self._order)) if self._health(at).fit(now)]
        # With nobody well, the one that was left alone the longest is worth a single call.
        self._last_resort: int | None = None if self._fit else min(range(len(self._order)), key=self._unfitness)
        self._single = self._last_resort is not None

    def take(self) -> tuple[Candidate, float] | None:
        """The next, and how many seconds to wait before; None when there is no more to be tried."""
        if self._last_resort is not None:
            self._taken, self._last_resort = self._last_resort, None
            return self._order[self._taken], 0.0
        now = self._conduct.health.now()
        if now >= self._until:
            return None
        for at in self._fit:
            if at not in self._asked and self._may_be_asked(at, now):
                self._conduct.budget(self._order[at].provider.name).call()
                self._taken = at
                return self._order[at], 0.0
        return self._take_again(now)

    def still_fit(self) -> bool:
        """Whether the one that was taken may be asked after the wait for it, in which others may have found it down."""
        return self._may_be_asked(self._taken, self._conduct.health.now())

    def fail(self, error: UpstreamError) -> None:
        """The one that was taken last has failed."""
        at, now = self._taken, self._conduct.health.now()
        if isinstance(error, HostQuotaExhausted):
            # The account is empty for every model of it.
            self._barred.add(self._order[at].provider.name)
        before = self._asked.get(at)
        failures = 1 + (before.failures if before else 0)
        self._asked[at] = _Asked(failures, self._again_at(at, failures, error), now + (error.retry_after or 0.0))

    def _take_again(self, now: float) -> tuple[Candidate, float] | None:
        again = [(one.again_at, at) for at, one in self._asked.items() if one.again_at is not None]
        for again_at, at in sorted(again):
            if not self._may_be_asked(at, now) or again_at >= self._until:
                continue
            if self._asked[at].rest_until - now > LONGEST_WAIT:
                continue
            if self._conduct.budget(self._order[at].provider.name).take():
                self._taken = at
                return self._order[at], max(0.0, again_at - now)
        return None

    def _again_at(self, at: int, failures: int, error: UpstreamError) -> float | None:
        patience = self._conduct.patience.get(self._order[at].provider.name, Patience())
        if self._single or failures > patience.retries or not may_retry(error):
            return None
        backoff = min(patience.delay * 2.0 ** (failures - 1), max(LONGEST_BACKOFF, patience.delay))
        # What a host asks for is the least; the rest is spread, so that its callers don't come back all at once.
        return self._conduct.health.now() + (error.retry_after or 0.0) + backoff * self._conduct.random()

    def _may_be_asked(self, at: int, now: float) -> bool:
        return self._order[at].provider.name not in self._barred and self._health(at).fit(now)

    def _unfitness(self, at: int) -> tuple[bool, float]:
        health = self._health(at)
        return health.probing, health.until

    def _health(self, at: int) -> Health:
        candidate = self._order[at]
        return self._conduct.health.of(candidate.provider.name, candidate.model)


def may_retry(error: UpstreamError) -> bool:
    """Whether the same host may do better the next time. Never for what costs money or patience in vain."""
    return error.retryable and not isinstance(error, HostKeyRefused | HostQuotaExhausted | HostRejected)


def may_go_elsewhere(error: UpstreamError) -> bool:
    """Whether another host may do better: not with a request that this one has found to be wrong."""
    return not isinstance(error, HostRejected) or isinstance(error, HostDeclined)


def _order(given: Sequence[Candidate], random: Callable[[], float]) -> list[Candidate]:
    """As given, but neighbours with weights drawn in proportion to them; what is named twice has its first place."""
    order: list[Candidate] = []
    drawn: list[tuple[float, Candidate]] = []
    for candidate in given:
        if candidate.weight is None:
            if drawn:
                order += _by_draw(drawn)
                drawn = []
            order.append(candidate)
        elif candidate.weight > 0:
            drawn.append((random() ** (1 / candidate.weight), candidate))
    once: dict[tuple[str, str], Candidate] = {}
    for candidate in order + _by_draw(drawn):
        once.setdefault((candidate.provider.name, candidate.model), candidate)
    return [*once.values()]


def _by_draw(drawn: list[tuple[float, Candidate]]) -> list[Candidate]:
    return [candidate for _, candidate in sorted(drawn, key=lambda pair: pair[0], reverse=True)]

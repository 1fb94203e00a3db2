"""Who is asked next, and when: the order of a route, what has failed, and what may be tried again."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from parlance.core.errors import HostKeyRefused, HostQuotaExhausted, HostRejected, UpstreamError
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


class _Asked(Struct):
    """A candidate's failures in this model call, and the earliest time for another try; None: there is none."""

    failures: int
    again_at: float | None


class Candidates:
    """The candidates of one model call. `take` gives the next, `fail` says that it has failed."""

    def __init__(self, given: Sequence[Candidate], conduct: Conduct, *, until: float) -> None:
        """Nothing is begun after `until`, by the health book's clock."""
        self._conduct = conduct
        self._until = until
        self._order = _order(given, conduct.random)
        self._asked: dict[int, _Asked] = {}
        now = conduct.health.now()
        self._fit = [at for at in range(len(self._order)) if self._health(at).fit(now)]
        if not self._fit:
            # With nobody well, the one that was left alone the longest is worth a single call.
            self._fit = [min(range(len(self._order)), key=lambda at: self._health(at).until)]
            self._asked[self._fit[0]] = _Asked(0, None)
            self._last_resort: int | None = self._fit[0]
        else:
            self._last_resort = None

    def take(self) -> tuple[Candidate, float] | None:
        """The next, and how many seconds to wait before; None when there is no more to be tried."""
        if self._last_resort is not None:
            at, self._last_resort = self._last_resort, None
            return self._order[at], 0.0
        now = self._conduct.health.now()
        if now >= self._until:
            return None
        for at in self._fit:
            if at not in self._asked and self._health(at).fit(now):
                self._conduct.budget(self._order[at].provider.name).call()
                return self._order[at], 0.0
        return self._take_again(now)

    def fail(self, candidate: Candidate, error: UpstreamError) -> None:
        at = self._order.index(candidate)
        before = self._asked.get(at)
        failures = (before.failures if before else 0) + 1
        single = before is not None and before.again_at is None
        self._asked[at] = _Asked(failures, None if single else self._again_at(candidate, failures, error))

    def _take_again(self, now: float) -> tuple[Candidate, float] | None:
        again = [(one.again_at, at) for at, one in self._asked.items() if one.again_at is not None]
        for again_at, at in sorted(again):
            candidate, wait = self._order[at], max(0.0, again_at - now)
            if not self._health(at).fit(now) or wait > LONGEST_WAIT or again_at >= self._until:
                continue
            if self._conduct.budget(candidate.provider.name).take():
                return candidate, wait
        return None

    def _again_at(self, candidate: Candidate, failures: int, error: UpstreamError) -> float | None:
        patience = self._conduct.patience.get(candidate.provider.name, Patience())
        if failures > patience.retries or not may_retry(error):
            return None
        backoff = min(patience.delay * 2.0 ** (failures - 1), LONGEST_BACKOFF)
        # What a host asks for is the least; the rest is spread, so that its callers don't come back all at once.
        return self._conduct.health.now() + (error.retry_after or 0.0) + backoff * self._conduct.random()

    def _health(self, at: int) -> Health:
        candidate = self._order[at]
        return self._conduct.health.of(candidate.provider.name, candidate.model)


def may_retry(error: UpstreamError) -> bool:
    """Whether the same host may do better the next time. Never for what costs money or patience in vain."""
    return error.retryable and not isinstance(error, HostKeyRefused | HostQuotaExhausted | HostRejected)


def may_go_elsewhere(error: UpstreamError) -> bool:
    """Whether another host may do better: not with a request that this one has found to be wrong."""
    return not isinstance(error, HostRejected)


def _order(given: Sequence[Candidate], random: Callable[[], float]) -> list[Candidate]:
    """As given, but neighbours with weights drawn in proportion to them."""
    order: list[Candidate] = []
    drawn: list[tuple[float, Candidate]] = []
    for candidate in given:
        if candidate.weight is None:
            order += _by_draw(drawn)
            drawn = []
            order.append(candidate)
        elif candidate.weight > 0:
            drawn.append((random() ** (1 / candidate.weight), candidate))
    return order + _by_draw(drawn)


def _by_draw(drawn: list[tuple[float, Candidate]]) -> list[Candidate]:
    return [candidate for _, candidate in sorted(drawn, key=lambda pair: pair[0], reverse=True)]

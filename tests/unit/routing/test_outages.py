"""Hosts that are down, slow or out of money, with many calls at once, in virtual time."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from random import Random

import pytest

from parlance.core.deltas import Began, Delta, Finished, TextDelta
from parlance.core.errors import HostFailed, HostQuotaExhausted, HostRateLimited, HostTimeout, UpstreamError
from parlance.core.messages import user_message
from parlance.core.provider import Listener
from parlance.core.requests import Request
from parlance.routing.candidates import Candidate, Conduct
from parlance.routing.health import HealthBook
from parlance.routing.prices import ListPrices
from parlance.routing.route import Route, RouteParts
from parlance.telemetry.observers import AttemptObserverList
from parlance.testing.provider import ScriptedProvider
from tests.unit.routing.virtual_time import now, offer, pass_by, run

SECONDS = 60.0
ASKED = Request("all", (user_message("Hi"),))
DOWN = HostFailed("down", host="a")
LATE = HostTimeout("late", host="a")
BROKE = HostQuotaExhausted("broke", host="a")


class TimedHost(ScriptedProvider):
    """Takes `latency` seconds, then raises `error`, or answers where there is none. `asked` is when it was."""

    def __init__(self, name: str, latency: float, error: UpstreamError | None = None) -> None:
        super().__init__(name=name)
        self.asked: list[float] = []
        self._latency = latency
        self.error = error

    async def stream_to(self, request: Request, listener: Listener) -> AsyncGenerator[Sequence[Delta], None]:
        self.asked.append(now())
        await pass_by(self._latency)
        if self.error is not None:
            raise self.error
        yield [Began("m", host=self.name)]
        yield [TextDelta("t", "Hi"), Finished("stop")]


class Calls:
    """Calls of one route: when each began, how long it took, and whether it was answered."""

    def __init__(self, hosts: Sequence[TimedHost], *, weights: bool = False, models: Sequence[str] = ("m",)) -> None:
        self.ended: list[tuple[float, float, bool]] = []
        random = Random(1).random
        conduct = Conduct(HealthBook(now), random)
        parts = RouteParts(conduct, ListPrices({}, {}), AttemptObserverList(()))
        weight = 1.0 if weights else None
        self._route = Route([Candidate(host, model, weight) for host in hosts for model in models], parts)

    async def call(self) -> None:
        begun = now()
        try:
            async with aclosing(self._route.stream(ASKED)) as batches:
                async for _ in batches:
                    pass
        except UpstreamError:
            self.ended.append((begun, now() - begun, False))
        else:
            self.ended.append((begun, now() - begun, True))

    def answered_after(self, seconds: float) -> float:
        """The share of the calls that were begun later than that."""
        later = [answered for begun, _, answered in self.ended if begun > seconds]
        return sum(later) / len(later)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(("latency", "error"), [(0.05, DOWN), (30.0, LATE), (30.0, None)])
def test_one_of_three_hosts_that_is_bad_fails_no_call(
    latency: float, error: UpstreamError | None, weights: bool
) -> None:
    calls = Calls([TimedHost("a", latency, error), TimedHost("b", 0.2), TimedHost("c", 0.2)], weights=weights)
    run(offer(20, SECONDS, calls.call))
    assert calls.answered_after(0) == 1.0


@pytest.mark.parametrize("weights", [False, True])
def test_a_host_that_only_makes_callers_wait_is_found_out_and_tried_by_single_calls(weights: bool) -> None:
    late = TimedHost("a", 30.0, LATE)
    calls = Calls([late, TimedHost("b", 0.2), TimedHost("c", 0.2)], weights=weights)
    run(offer(20, 4 * SECONDS, calls.call))
    assert sum(asked > 31 for asked in late.asked) <= 3
    slow = [took for begun, took, _ in calls.ended if begun > 31 and took > 1]
    assert len(slow) <= 3


BUSY = [HostRateLimited("busy", retry_after=wait) for wait in (None, 1.0, 20.0, 3600.0)]


@pytest.mark.parametrize("error", [DOWN, *BUSY])
@pytest.mark.parametrize("rate", [0.5, 20])
@pytest.mark.parametrize("latency", [0.1, 5.0])
def test_an_outage_of_a_minute_multiplies_no_load(error: UpstreamError, rate: float, latency: float) -> None:
    host = TimedHost("a", latency, error)
    offered = run(offer(rate, SECONDS, Calls([host]).call))
    assert len(host.asked) <= 1.2 * offered


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("error", [DOWN, BUSY[1]])
def test_an_outage_of_all_hosts_of_a_route_multiplies_no_load_of_any(error: UpstreamError, weights: bool) -> None:
    hosts = [TimedHost(name, 0.1, error) for name in "abc"]
    offered = run(offer(20, SECONDS, Calls(hosts, weights=weights).call))
    for host in hosts:
        assert len(host.asked) <= 1.2 * offered


def test_who_has_no_money_is_asked_exactly_once_by_each_call_until_it_is_left_alone() -> None:
    broke, other = TimedHost("a", 0.1, BROKE), TimedHost("b", 0.1)
    for hosts in ([broke], [broke, other]):
        broke.asked.clear()
        run(Calls(hosts, models=("large", "small")).call())
        assert len(broke.asked) == 1
    assert len(other.asked) == 1
    broke.asked.clear()
    offered = run(offer(20, SECONDS, Calls([broke]).call))
    assert len(broke.asked) == offered


def test_when_all_are_well_again_every_call_is_answered() -> None:
    hosts = [TimedHost(name, 0.1, DOWN) for name in "abc"]
    calls = Calls(hosts)

    async def outage_and_after() -> None:
        await offer(20, 10, calls.call)
        for host in hosts:
            host.error = None
        await offer(20, SECONDS, calls.call)

    run(outage_and_after())
    assert calls.answered_after(10.2) == 1.0

"""What counts against a host and what does not; what a call is reported as when it ends in another way."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from msgspec import Raw
from msgspec.structs import replace

from parlance.core.deltas import Began, Delta, Finished, Noted, TextDelta, Unknown, UsageReported
from parlance.core.errors import HostFailed, HostRateLimited, HostTimeout, TruncatedAnswer
from parlance.core.provider import Listener
from parlance.core.requests import Request
from parlance.core.usage import Usage
from parlance.routing.attempt import MOST_HELD
from parlance.routing.candidates import Candidate, Patience
from parlance.routing.health import EJECTION, FAILURES
from parlance.routing.route import FAIR, Route
from parlance.testing.provider import Act, ScriptedProvider, answering
from tests.unit.routing.asking import ASKED, fails, provider, read, route, texts
from tests.unit.routing.surroundings import Surroundings

DOWN = HostFailed("down", host="a")
ONCE = {"a": Patience(retries=0)}


class Hanging(ScriptedProvider):
    """Uses up the time that it is given."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(name="a")
        self._around = around

    async def stream_to(self, request: Request, listener: Listener) -> AsyncGenerator[Sequence[Delta], None]:
        self.requests.append(request)
        self._around.now += request.timeout or 60.0
        if self._around.now:
            raise HostTimeout("late", host="a")
        yield []


@pytest.mark.parametrize(("given", "ejected"), [(None, True), (FAIR, True), (FAIR / 2, False)])
async def test_a_callers_haste_does_not_take_a_host_from_the_others(given: float | None, ejected: bool) -> None:
    around = Surroundings(ONCE)
    a = Hanging(around)
    for _ in range(FAILURES):
        with pytest.raises(HostTimeout):
            await read(route(around, a), replace(ASKED, timeout=given))
    assert around.health.of("a", "small").fit(around.now) is not ejected


async def test_the_same_model_named_twice_is_asked_as_one() -> None:
    around = Surroundings({"a": Patience(retries=1, delay=0.0)})
    a = provider("a", fails(DOWN))
    with pytest.raises(HostFailed):
        await read(route(around, a, a, a))
    assert len(a.requests) == 2


async def test_a_host_that_was_found_down_during_the_pause_is_not_asked_again() -> None:
    around = Surroundings()
    a = provider("a", fails(DOWN))

    async def sleep(seconds: float) -> None:
        health = around.health.of("a", "small")
        for _ in range(FAILURES):
            health.fail(health.begin(around.now), around.now)
        around.now += seconds

    with pytest.raises(HostFailed):
        await read(Route([Candidate(a, "small")], replace(around.parts, sleep=sleep)))
    assert len(a.requests) == 1


async def test_leaving_during_the_pause_leaves_nothing_behind() -> None:
    around, sleeping = Surroundings(), asyncio.Event()
    a = provider("a", fails(DOWN), answering("Hi"))

    async def sleep(seconds: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    reading = asyncio.create_task(read(Route([Candidate(a, "small")], replace(around.parts, sleep=sleep))))
    await sleeping.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (a.opened, a.closed, around.outcomes) == (1, 1, [("a", "upstream_failed")])


async def test_a_probe_that_is_left_lets_another_try() -> None:
    around = Surroundings(ONCE)
    a = provider("a", *[fails(DOWN)] * FAILURES, [[Began("x")], asyncio.Event()], answering("back"))
    pair = route(around, a, provider("b", answering("Hi")))
    for _ in range(FAILURES):
        await read(pair)
    around.now += EJECTION
    probing = asyncio.create_task(read(pair))
    await a.arrival(FAILURES + 1)
    assert texts(await read(pair)) == "Hi"
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    assert texts(await read(pair)) == "back"


async def test_a_call_of_before_an_ejection_says_nothing_of_the_host_any_more() -> None:
    around = Surroundings(ONCE)
    going = asyncio.Event()
    a = provider("a", [[Began("x")], [TextDelta("t", "slow")], going, [Finished("stop")]], fails(DOWN))
    pair = route(around, a, provider("b", answering("Hi")))
    old = asyncio.create_task(read(pair))
    await a.arrival()
    for _ in range(FAILURES):
        await read(pair)
    going.set()
    await old
    assert not around.health.of("a", "small").fit(around.now)


async def test_a_bug_is_reported_as_a_failure_and_blamed_on_nobody() -> None:
    around = Surroundings()
    b = provider("b")
    for _ in range(FAILURES):
        with pytest.raises(ZeroDivisionError):
            await read(route(around, provider("a", [ZeroDivisionError()]), b))
    assert set(around.outcomes) == {("a", "internal_error")}
    assert (around.attempts[0].outcome, around.attempts[0].usage, b.requests) == ("failed", None, [])
    assert around.health.of("a", "small").failures == 0


async def test_an_answer_that_only_stops_is_no_answer() -> None:
    around = Surroundings()
    silent: list[Act] = [[Began("x")]]
    assert texts(await read(route(around, provider("a", silent), provider("b", answering("Hi"))))) == "Hi"
    with pytest.raises(TruncatedAnswer):
        await read(route(Surroundings(), provider("a", [[TextDelta("t", "Hel")]])))


async def test_a_host_that_never_comes_to_its_answer_fills_no_memory() -> None:
    around = Surroundings()
    endless: list[Act] = [[Began("x")], *[[Unknown("ping", Raw(b"{}"))]] * 10 * MOST_HELD, [UsageReported(Usage(1, 1))]]
    deltas = await read(route(around, provider("a", [*endless, [TextDelta("t", "Hi"), Finished("stop")]])))
    assert (type(deltas[0]), texts(deltas), deltas[-1]) == (Began, "Hi", Finished("stop"))
    assert len(deltas) <= MOST_HELD + 3


async def test_a_whole_answer_in_one_read_is_passed_on_whole() -> None:
    pieces: Sequence[Delta] = [TextDelta("t", "x")] * 5 * MOST_HELD
    deltas = await read(route(Surroundings(), provider("a", [[Began("x"), *pieces, Finished("stop")]])))
    assert len(texts(deltas)) == len(pieces)


async def test_what_a_cut_call_had_counted_is_kept_and_called_an_estimate() -> None:
    around = Surroundings()
    counted = [UsageReported(Usage(input=1000, output=1, cached=900))]
    with pytest.raises(HostFailed):
        await read(route(around, provider("a", fails(DOWN, [Began("x")], counted, [TextDelta("t", "x" * 40)]))))
    assert around.usages == [Usage(input=1000, output=10, cached=900, estimated=True)]


async def test_every_failure_of_a_call_is_told_to_who_asked_for_warnings() -> None:
    around = Surroundings()
    three = [provider("a", fails(DOWN)), provider("b", fails(DOWN)), provider("c", answering("Hi"))]
    notes = [delta.message for delta in await read(route(around, *three)) if isinstance(delta, Noted)]
    assert [note.split()[0] for note in notes] == ["a", "b"]


async def test_a_pause_that_the_operator_set_is_not_cut() -> None:
    around = Surroundings({"a": Patience(retries=2, delay=20.0)})
    assert texts(await read(route(around, provider("a", fails(DOWN), fails(DOWN), answering("Hi"))))) == "Hi"
    assert around.slept == [pytest.approx(20.0), pytest.approx(20.0)]


async def test_a_rest_of_just_the_longest_wait_is_waited_for() -> None:
    around, busy = Surroundings(), HostRateLimited("busy", retry_after=30.0)
    assert texts(await read(route(around, provider("a", fails(busy), answering("Hi"))))) == "Hi"

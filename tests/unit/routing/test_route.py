"""A route asks its models until one answers, and shows nothing twice."""

import asyncio
from contextlib import aclosing
from random import Random

import pytest

from parlance.core.attempts import Attempt
from parlance.core.deltas import (
    ArgumentsDelta,
    Began,
    Delta,
    Finished,
    Noted,
    Opened,
    Restarted,
    TextDelta,
    UsageReported,
)
from parlance.core.errors import (
    HostDeclined,
    HostFailed,
    HostKeyRefused,
    HostQuotaExhausted,
    HostRateLimited,
    HostRejected,
    HostTimeout,
    TruncatedAnswer,
    UpstreamError,
)
from parlance.core.ids import CallId
from parlance.core.parts import ToolCall
from parlance.core.requests import Request
from parlance.core.usage import Usage
from parlance.routing.candidates import Candidate, Patience
from parlance.routing.health import EJECTION, FAILURES
from parlance.routing.route import Route
from parlance.testing.provider import Act, answering
from tests.unit.routing.asking import ASKED, fails, provider, read, route, texts
from tests.unit.routing.surroundings import Surroundings

USAGE = Usage(input=1_000_000, output=500_000, cached=200_000)
BUSY = HostRateLimited("busy", host="a", retry_after=3.0)
DOWN = HostFailed("down", host="a")


async def test_one_that_answers_is_passed_on_and_reported_with_its_cost() -> None:
    around, a = Surroundings(), provider("a", answering("Hel", "lo", usage=USAGE))
    deltas = await read(route(around, a))
    assert isinstance(deltas[0], Began)
    assert (texts(deltas), deltas[-1]) == ("Hello", Finished("stop"))
    assert a.requests[0].model == "small"
    (attempt,) = around.attempts
    assert (attempt.outcome, attempt.number, attempt.usage) == ("answered", 1, USAGE)
    assert attempt.cost == pytest.approx(0.8 * 1.0 + 0.2 * 0.5 + 0.5 * 2.0)


async def test_an_unknown_price_is_none() -> None:
    around = Surroundings()
    await read(route(around, provider("b", answering("Hi", usage=USAGE))))
    assert around.attempts[0].cost is None


async def test_a_failure_before_content_goes_to_the_next_at_once_and_says_so() -> None:
    around = Surroundings()
    a, b = provider("a", fails(DOWN, [Began("x")], [Noted("n", "of a")])), provider("b", answering("Hi"))
    deltas = await read(route(around, a, b))
    assert [type(delta) for delta in deltas] == [Began, Noted, TextDelta, Finished]
    assert isinstance(deltas[0], Began)
    assert deltas[0].host == "b"
    assert isinstance(deltas[1], Noted)
    assert deltas[1].code == "upstream_failed_over"
    assert around.outcomes == [("a", "upstream_failed"), ("b", "answered")]
    assert around.slept == []


@pytest.mark.parametrize(
    "error", [DOWN, BUSY, HostTimeout("late", host="a"), HostKeyRefused("no", host="a"), HostQuotaExhausted("broke")]
)
async def test_whatever_is_wrong_with_one_host_another_may_answer(error: UpstreamError) -> None:
    around = Surroundings()
    deltas = await read(route(around, provider("a", fails(error)), provider("b", answering("Hi"))))
    assert texts(deltas) == "Hi"


async def test_a_host_that_has_no_such_model_is_no_reason_not_to_ask_another() -> None:
    around = Surroundings()
    a = provider("a", fails(HostDeclined("no such model", host="a")))
    assert texts(await read(route(around, a, provider("b", answering("Hi"))))) == "Hi"
    assert len(a.requests) == 1


async def test_a_request_that_is_wrong_is_wrong_everywhere() -> None:
    around, b = Surroundings(), provider("b")
    with pytest.raises(HostRejected):
        await read(route(around, provider("a", fails(HostRejected("bad", host="a"))), b))
    assert b.requests == []


async def test_a_host_is_asked_again_after_a_pause_that_grows_and_never_less_than_it_asked_for() -> None:
    around = Surroundings({"a": Patience(retries=2, delay=0.5)})
    a = provider("a", fails(BUSY), fails(DOWN), answering("Hi"))
    assert texts(await read(route(around, a))) == "Hi"
    assert around.slept == [pytest.approx(3.5), pytest.approx(1.0)]


async def test_jitter_spreads_the_pause_but_not_what_the_host_asked_for() -> None:
    around = Surroundings({"a": Patience(retries=1, delay=0.5)}, random=lambda: 0.5)
    assert texts(await read(route(around, provider("a", fails(BUSY), answering("Hi"))))) == "Hi"
    assert around.slept == [pytest.approx(3.25)]


async def test_after_its_retries_the_last_error_is_told() -> None:
    around = Surroundings({"a": Patience(retries=2, delay=0.0)})
    a = provider("a", fails(DOWN))
    with pytest.raises(HostFailed, match="down"):
        await read(route(around, a))
    assert len(a.requests) == 3


@pytest.mark.parametrize("error", [HostKeyRefused("no"), HostQuotaExhausted("broke"), HostRejected("bad")])
async def test_what_money_or_a_key_would_have_to_mend_is_never_asked_again(error: UpstreamError) -> None:
    around, a = Surroundings(), provider("a", fails(error), answering("Hi"))
    with pytest.raises(type(error)):
        await read(route(around, a))
    assert len(a.requests) == 1


async def test_a_host_that_wants_a_long_rest_is_not_waited_for() -> None:
    around, a = Surroundings(), provider("a", fails(HostRateLimited("busy", retry_after=3600.0)), answering("Hi"))
    with pytest.raises(HostRateLimited) as caught:
        await read(route(around, a))
    assert (caught.value.retry_after, around.slept) == (3600.0, [])


async def test_nothing_is_begun_when_the_callers_time_is_over() -> None:
    around, a = Surroundings(), provider("a", fails(BUSY), answering("Hi"))
    with pytest.raises(HostRateLimited):
        await read(route(around, a), Request("x", ASKED.messages, timeout=2.0))
    assert len(a.requests) == 1
    assert a.requests[0].timeout == pytest.approx(2.0)


async def test_the_callers_time_shrinks_from_attempt_to_attempt() -> None:
    around, a = Surroundings(), provider("a", fails(BUSY), answering("Hi"))
    await read(route(around, a), Request("x", ASKED.messages, timeout=10.0))
    assert [request.timeout for request in a.requests] == [pytest.approx(10.0), pytest.approx(6.5)]


async def test_after_content_the_error_is_told_and_nothing_is_said_again() -> None:
    around, b = Surroundings(), provider("b")
    cut = fails(TruncatedAnswer("cut", host="a"), [Began("x")], [TextDelta("t", "Hel")])
    deltas: list[Delta] = []
    with pytest.raises(TruncatedAnswer):
        await read(route(around, provider("a", cut), b), into=deltas)
    assert (texts(deltas), b.requests) == ("Hel", [])


async def test_where_route_and_caller_allow_it_another_begins_anew() -> None:
    around = Surroundings()
    call = ToolCall(CallId("1"), "buy", "")
    cut = fails(DOWN, [Began("x")], [Opened(0, call), ArgumentsDelta(0, "{}")])
    pair = route(around, provider("a", cut), provider("b", answering("Hi")), restarts=True)
    deltas = await read(pair, Request("x", ASKED.messages, can_restart=True))
    at = next(number for number, delta in enumerate(deltas) if isinstance(delta, Restarted))
    assert not any(isinstance(delta, Opened) for delta in deltas[at:])
    assert texts(deltas[at:]) == "Hi"


async def test_an_empty_answer_that_ends_with_an_error_counts_as_a_failure() -> None:
    around = Surroundings()
    empty: list[Act] = [[Began("x")], [UsageReported(USAGE), Finished("error")]]
    deltas = await read(route(around, provider("a", empty), provider("b", answering("Hi"))))
    assert texts(deltas) == "Hi"
    assert around.usages == [USAGE, None]


async def test_what_was_cut_or_left_is_estimated() -> None:
    around = Surroundings()
    cut = fails(DOWN, [Began("x")], [TextDelta("t", "12345678")])
    with pytest.raises(HostFailed):
        await read(route(around, provider("a", cut)))
    async with aclosing(route(around, provider("b", answering("12345678", "more"))).stream(ASKED)) as batches:
        await anext(batches)
    assert [(attempt.outcome, attempt.fault) for attempt in around.attempts] == [
        ("failed", "upstream_failed"),
        ("left", None),
    ]
    for usage in around.usages:
        assert usage is not None
        assert (usage.output, usage.estimated) == (2, True)


async def test_leaving_closes_the_hosts_stream() -> None:
    around, a = Surroundings(), provider("a", [[Began("x")], asyncio.Event()])
    reading = asyncio.create_task(read(route(around, a)))
    await a.arrival()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (a.opened, a.closed, around.outcomes) == (1, 1, [("a", "left")])


async def test_a_host_that_fails_again_and_again_is_left_alone_then_tried_by_one_call() -> None:
    around = Surroundings({"a": Patience(retries=0)})
    a, b = provider("a", fails(DOWN)), provider("b", answering("Hi"))
    pair = route(around, a, b)
    for _ in range(FAILURES + 5):
        assert texts(await read(pair)) == "Hi"
    assert len(a.requests) == FAILURES
    around.now += EJECTION
    await read(pair)
    await read(pair)
    assert len(a.requests) == FAILURES + 1
    around.now += EJECTION * 1.5
    await read(pair)
    assert len(a.requests) == FAILURES + 1
    around.now += EJECTION
    await read(pair)
    assert len(a.requests) == FAILURES + 2


async def test_a_probe_that_succeeds_brings_the_host_back() -> None:
    around = Surroundings({"a": Patience(retries=0)})
    a = provider("a", *[fails(DOWN)] * FAILURES, answering("back"))
    pair = route(around, a, provider("b", answering("Hi")))
    for _ in range(FAILURES):
        await read(pair)
    around.now += EJECTION
    assert [texts(await read(pair)) for _ in range(3)] == ["back"] * 3


async def test_one_key_that_is_refused_does_not_stop_another_of_the_same_host() -> None:
    around = Surroundings({"a": Patience(retries=0), "other": Patience(retries=0)})
    other = provider("other", answering("Hi"))
    for _ in range(FAILURES + 1):
        with pytest.raises(HostRateLimited):
            await read(route(around, provider("a", fails(BUSY))))
        assert texts(await read(route(around, other))) == "Hi"


async def test_with_nobody_well_one_call_is_made_and_not_repeated() -> None:
    around = Surroundings({"a": Patience(retries=2, delay=0.0)})
    a = provider("a", fails(DOWN))
    for _ in range(4):
        with pytest.raises(HostFailed):
            await read(route(around, a))
    before = len(a.requests)
    with pytest.raises(HostFailed):
        await read(route(around, a))
    assert len(a.requests) == before + 1


@pytest.mark.parametrize("error", [DOWN, BUSY])
async def test_an_outage_multiplies_no_load(error: UpstreamError) -> None:
    around = Surroundings()
    a = provider("a", fails(error))
    offered = 600
    for _ in range(offered):
        with pytest.raises(UpstreamError):
            await read(route(around, a))
        around.now += 0.1
    assert len(a.requests) <= 1.2 * offered


async def test_a_host_that_fails_now_and_then_is_asked_again_within_its_budget() -> None:
    around = Surroundings({"a": Patience(retries=1, delay=0.0)})
    a = provider("a", *([fails(DOWN), answering("Hi")] * 500))
    offered = 0
    while len(a.requests) < 900:
        offered += 1
        try:
            await read(route(around, a))
        except HostFailed:
            continue
    assert len(a.requests) <= 1.2 * offered + 5


async def test_weights_share_the_load_in_their_proportion() -> None:
    around = Surroundings(random=Random(1).random)
    a, b, c = provider("a"), provider("b"), provider("c")
    weighted = Route([Candidate(a, "small", 3.0), Candidate(b, "small", 1.0), Candidate(c, "small")], around.parts)
    for _ in range(800):
        await read(weighted)
    assert c.requests == []
    assert 0.65 < len(a.requests) / 800 < 0.85


class Broken(Surroundings):
    def observe_attempt(self, attempt: Attempt) -> None:
        raise ValueError("no")


async def test_an_observer_that_fails_hurts_nobody() -> None:
    assert texts(await read(route(Broken(), provider("a", answering("Hi"))))) == "Hi"

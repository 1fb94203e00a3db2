"""Every wait for a host ends, and its error says how long was waited for what; closing a stream ends it at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from parlance.core.deltas import Began, TextDelta
from parlance.core.errors import HostTimeout
from parlance.core.provider import Deadlines, HostSpec
from parlance.testing.reply import Reply
from parlance.testing.script import Script
from parlance.testing.silent_port import SilentPort
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.openai_chat import encode_stream
from tests.probes.leaks import LeakProbe
from tests.unit.providers.hosts import ASK, host_at, read_until_error, spec_at, text_of

LONG = 30.0


@pytest.fixture(autouse=True)
async def upstream(leak_probe: LeakProbe) -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


def with_deadlines(
    base_url: str, *, connect: float = LONG, first: float = LONG, idle: float = LONG, total: float = LONG
) -> HostSpec:
    return spec_at(base_url, deadlines=Deadlines(connect, first, idle, total))


async def time_out_at(spec: HostSpec) -> tuple[str, HostTimeout]:
    async with host_at(spec) as host:
        deltas, error = await read_until_error(host)
    assert type(error) is HostTimeout, error
    assert "'lab'" in error.message
    assert error.host == "lab"
    return text_of(deltas), error


async def test_a_host_that_never_accepts_breaks_the_deadline_for_connecting() -> None:
    async with SilentPort() as silent:
        _, error = await time_out_at(with_deadlines(silent.base_url, connect=0.05))
    assert "0.05 s to accept the connection (deadline `connect`)" in error.message


async def test_a_host_that_sends_no_head_breaks_the_deadline_for_the_first_delta(upstream: ScriptedUpstream) -> None:
    upstream.plan(Script(hold_head=True))
    _, error = await time_out_at(with_deadlines(upstream.base_url, first=0.05))
    assert "0.05 s to begin its answer (deadline `first`)" in error.message
    await upstream.requests[0].gone.wait()


async def test_a_role_and_pings_are_no_beginning_of_an_answer(upstream: ScriptedUpstream) -> None:
    role = encode_stream(Reply())[0]
    upstream.plan(Script(events=(role, *[b": ping\n\n"] * 1000), event_delay=0.01))
    text, error = await time_out_at(with_deadlines(upstream.base_url, first=0.1))
    assert (text, "`first`" in error.message) == ("", True)


async def test_a_host_that_falls_silent_breaks_the_deadline_between_bytes(upstream: ScriptedUpstream) -> None:
    upstream.plan(Script(hold_after=2))
    text, error = await time_out_at(with_deadlines(upstream.base_url, idle=0.05))
    assert text == "Hello"
    assert "0.05 s between two pieces of its answer (deadline `idle`)" in error.message
    await upstream.requests[0].gone.wait()


async def test_pings_are_life_once_the_answer_has_begun_but_the_total_bounds_them(upstream: ScriptedUpstream) -> None:
    begun = encode_stream(Reply())[:2]
    upstream.plan(Script(events=(*begun, *[b": ping\n\n"] * 1000), event_delay=0.01))
    text, error = await time_out_at(with_deadlines(upstream.base_url, idle=0.2, total=0.5))
    assert text == "Hello"
    assert "0.5 s for its whole answer (deadline `total`)" in error.message


async def test_an_error_whose_body_never_ends_breaks_a_deadline_too(upstream: ScriptedUpstream) -> None:
    upstream.plan(Script(status=500, events=(b"x",), hold_after=1))
    await time_out_at(with_deadlines(upstream.base_url, first=0.05))


async def test_the_total_bounds_the_head_as_well(upstream: ScriptedUpstream) -> None:
    upstream.plan(Script(hold_head=True))
    _, error = await time_out_at(with_deadlines(upstream.base_url, total=0.05))
    assert "`total`" in error.message


async def test_a_slow_reader_is_no_fault_of_the_host(upstream: ScriptedUpstream) -> None:
    async with host_at(with_deadlines(upstream.base_url, idle=0.05)) as host, aclosing(host.stream(ASK)) as batches:
        text = ""
        async for batch in batches:
            text += text_of(batch)
            if text == "Hello":
                await _pass(0.15)
    assert text == "Hello there!"


async def _pass(seconds: float) -> None:
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, done.set_result, None)
    await done


async def test_a_breach_while_the_reader_is_away_is_told_when_it_comes_back(upstream: ScriptedUpstream) -> None:
    upstream.plan(Script(hold_after=2))
    async with host_at(with_deadlines(upstream.base_url, total=0.1)) as host, aclosing(host.stream(ASK)) as batches:
        await anext(batches)
        await upstream.requests[0].gone.wait()
        with pytest.raises(HostTimeout, match="total"):
            async for _ in batches:
                pass


@pytest.mark.parametrize("script", [Script(hold_after=2), Script(hold_after=1), Script(hold_after=2, delimit="close")])
async def test_closing_a_stream_closes_its_socket_at_once(upstream: ScriptedUpstream, script: Script) -> None:
    upstream.plan(script)
    async with host_at(spec_at(upstream.base_url)) as host:
        batches = host.stream(ASK)
        first = await anext(batches)
        assert isinstance(first[0], Began)
        await batches.aclose()
        await upstream.requests[0].gone.wait()
        assert upstream.open_connections == 0


@pytest.mark.parametrize("script", [Script(hold_head=True), Script(hold_after=1), Script(hold_after=3)])
async def test_cancelling_the_reader_closes_the_socket_at_once(upstream: ScriptedUpstream, script: Script) -> None:
    upstream.plan(script)
    async with host_at(spec_at(upstream.base_url)) as host:
        reading = asyncio.create_task(read_until_error(host))
        request = await upstream.arrival()
        await request.held.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await request.gone.wait()


async def test_cancelling_while_a_connection_is_being_made_leaves_nothing() -> None:
    async with SilentPort() as silent, host_at(spec_at(silent.base_url)) as host:
        reading = asyncio.create_task(read_until_error(host))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_a_stream_closed_before_it_was_begun_sends_nothing(upstream: ScriptedUpstream) -> None:
    async with host_at(spec_at(upstream.base_url)) as host:
        await host.stream(ASK).aclose()
    assert not upstream.requests


async def test_streams_side_by_side_do_not_disturb_each_other(upstream: ScriptedUpstream) -> None:
    upstream.plan(Script(hold_after=2), *[Script(reply=Reply(text=(str(number),))) for number in range(20)])
    async with host_at(spec_at(upstream.base_url)) as host:
        held = asyncio.create_task(read_until_error(host))
        await upstream.arrival()
        answers = await asyncio.gather(*(read_until_error(host) for _ in range(20)))
        assert sorted(int(text_of(deltas)) for deltas, _ in answers) == list(range(20))
        upstream.requests[0].go()
        deltas, error = await held
    assert error is None
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["Hello", " there", "!"]

"""One answer of a host while it streams: what is left of it when it is over."""

import gc

import pytest

from parlance.core.deltas import TextDelta
from parlance.core.provider import Deadlines
from parlance.net.connection import Connection, HttpAnswer
from parlance.net.framing import MAX_FRAME
from parlance.providers.exchange import Exchange
from parlance.providers.watchdog import Watchdog
from parlance.testing.clock import settle
from parlance.testing.script import Script
from parlance.testing.upstream import ScriptedUpstream
from tests.probes.leaks import alive
from tests.unit.providers.hosts import ASK, KEY, host_at, read_until_error, spec_at

ENDINGS = {
    "whole": Script(),
    "without its finish": Script(finish=False),
    "an error in the stream": Script(stream_error="It broke."),
    "garbage": Script(garbage=b"data: {]\n\n"),
    "an endless event": Script(garbage=b"data: " + b"x" * (MAX_FRAME + 1)),
    "cut": Script(cut=300),
    "reset": Script(cut=300, break_by="reset"),
    "silent": Script(hold_after=3),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_answer_that_is_over_is_gone_without_the_collector(ending: str) -> None:
    """What lives as long as an answer is old when it ends, and the collector hardly ever looks at old objects."""
    gc.collect()
    gc.disable()
    try:
        async with ScriptedUpstream(key=KEY, default=ENDINGS[ending]) as upstream:
            spec = spec_at(upstream.base_url, deadlines=Deadlines(5, 5, 0.05, 20))
            async with host_at(spec) as host:
                for _ in range(3):
                    _, error = await read_until_error(host)
                    assert (error is None) == (ending == "whole")
                    del error
                await settle()
                assert [alive(kind) for kind in (Exchange, Watchdog, HttpAnswer)] == [0, 0, 0]
        assert alive(Connection) == 0
    finally:
        gc.enable()


async def test_an_answer_whose_listener_fails_is_gone_without_the_collector() -> None:
    def fail(_: TextDelta) -> bool:
        raise BlockingIOError

    gc.collect()
    gc.disable()
    try:
        async with ScriptedUpstream(key=KEY, default=Script(event_delay=0.01)) as upstream:
            async with host_at(spec_at(upstream.base_url)) as host:
                batches = host.stream_to(ASK, fail)
                with pytest.raises(BlockingIOError):
                    async for _ in batches:
                        pass
                del batches
                await settle()
            assert [alive(kind) for kind in (Exchange, Watchdog, HttpAnswer)] == [0, 0, 0]
    finally:
        gc.enable()

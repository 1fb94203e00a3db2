"""One answer of a host while it streams: what is left of it when it is over."""

import gc

from parlance.net.connection import Connection, HttpAnswer
from parlance.providers.exchange import Exchange
from parlance.providers.watchdog import Watchdog
from parlance.testing.upstream import ScriptedUpstream
from tests.probes.leaks import alive
from tests.unit.providers.hosts import KEY, host_at, read_all, spec_at


async def test_an_answer_that_is_over_is_gone_without_the_collector() -> None:
    """What lives as long as an answer is old when it ends, and the collector hardly ever looks at old objects."""
    gc.collect()
    gc.disable()
    try:
        async with ScriptedUpstream(key=KEY) as upstream, host_at(spec_at(upstream.base_url)) as host:
            for _ in range(3):
                await read_all(host)
            assert [alive(kind) for kind in (Exchange, Watchdog, HttpAnswer)] == [0, 0, 0]
        assert alive(Connection) == 0
    finally:
        gc.enable()

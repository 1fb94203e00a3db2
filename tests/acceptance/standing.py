"""Servers and hosts that tests of several modules share, and a look at what each module leaves behind."""

from tests.acceptance.chat_lines import open_client
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.server_process import ServerProcess
from tests.probes.leaks import LeakProbe
from tests.probes.processes import ProcessProbe

KEPT_TURNS = 100_000_000
"""Bytes more that a server may hold: ended turns are kept for replay, up to 64 MiB of them."""


class Standing:
    """What is there for as long as tests run; it comes when a test first needs it."""

    def __init__(self) -> None:
        self._servers: list[ServerProcess] = []
        self._upstreams: list[PlannedUpstream] = []
        self._own: LeakProbe | None = None
        self._held: list[ProcessProbe] = []

    def add_server(self, server: ServerProcess) -> None:
        self._servers.append(server)
        self._held.append(ProcessProbe(server.pid, spare=KEPT_TURNS))

    def add_upstream(self, upstream: PlannedUpstream) -> None:
        """One that comes in the middle of a module is none of its leaks."""
        self._upstreams.append(upstream)
        self._own = LeakProbe()

    async def begin(self) -> None:
        await self._hang_up()
        self._own = LeakProbe()
        self._held = [ProcessProbe(server.pid, spare=KEPT_TURNS) for server in self._servers]

    async def check(self) -> None:
        """Nothing is left behind since `begin`: no task and no socket here, no descriptor and no memory there."""
        await self._hang_up()
        for probe in self._held:
            await probe.settled()
        if self._own is not None:
            await self._own.settled()

    async def _hang_up(self) -> None:
        """Servers keep connections to their hosts for the next request: those are no leak."""
        for upstream in self._upstreams:
            await upstream.hang_up()
        for server in self._servers:
            # Once it answers it has noticed, and will not ask on a connection that is gone.
            async with open_client(server) as client:
                await client.get("/health")

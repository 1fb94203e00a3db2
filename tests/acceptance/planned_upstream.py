"""A scripted host that many tests share, one after the other."""

import asyncio
from typing import Any

from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.upstream_connection import UpstreamRequest
from tests.acceptance.chat_lines import DEADLINE


class PlannedUpstream(ScriptedUpstream):
    """`begin` forgets what the test before has planned; requests are then counted anew."""

    def begin(self) -> None:
        self._scripts.clear()
        self.requests.clear()

    def sent(self, number: int) -> dict[str, Any]:
        """The body of one request, counted from 0; from the end, if negative."""
        return dict(self.requests[number].json)

    async def arrival(self, number: int = 1) -> UpstreamRequest:
        async with asyncio.timeout(DEADLINE):
            return await super().arrival(number)

    async def hang_up(self) -> None:
        """Close what clients keep open to it, for the next request and otherwise."""
        for connection in tuple(self._connections):
            await connection.close()

    async def hung_up(self, number: int = 0) -> None:
        """Returns once the client of a request, counted from 0, has closed its socket before the answer was whole."""
        async with asyncio.timeout(DEADLINE):
            await self.requests[number].gone.wait()

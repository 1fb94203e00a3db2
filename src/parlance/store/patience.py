"""How long a database is waited for, by a process that may have too much to do to hear its answer."""

import asyncio
from types import TracebackType
from typing import Final, Self

LOOK: Final = 0.1
"""Seconds that pass at one turn of the loop, at most."""


class Patience:
    """As `asyncio.timeout`, on a loop that keeps up. On one that does not, time passes by a tenth of a second at a
    time, each of them at its own turn of the loop: an answer that lies there unheard is not late. Used once.
    """

    __slots__ = ("_handle", "_left", "_limit", "_pause")

    def __init__(self, seconds: float) -> None:
        self._left = max(1, round(seconds / LOOK))
        self._pause = seconds / self._left
        self._limit = asyncio.timeout(None)
        self._handle: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._handle = asyncio.get_running_loop().call_later(self._pause, self._look)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
            # A timer that was cancelled may still know this, and what stands in a circle waits for the collector.
            self._handle = None
        await self._limit.__aexit__(kind, error, trace)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._left -= 1
        if self._left:
            self._handle = loop.call_later(self._pause, self._look)
        else:
            self._limit.reschedule(loop.time())

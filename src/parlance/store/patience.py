"""How long a database is waited for, by a process that may have too much to do to hear its answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

LOOK: Final = 0.1
"""Seconds."""


@asynccontextmanager
async def patient(seconds: float) -> AsyncIterator[None]:
    """As `asyncio.timeout`, on a loop that keeps up. On one that does not, time passes by a tenth of a second at a
    time, each of them at its own turn of the loop: an answer that lies there unheard is not late.
    """
    loop = asyncio.get_running_loop()
    left = max(1, round(seconds / LOOK))
    pause = seconds / left
    handle: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def look() -> None:
            nonlocal left, handle
            left -= 1
            if left:
                handle = loop.call_later(pause, look)
            else:
                limit.reschedule(loop.time())

        handle = loop.call_later(pause, look)
        try:
            yield
        finally:
            handle.cancel()

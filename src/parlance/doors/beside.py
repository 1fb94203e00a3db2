"""What one socket does beside reading on: a frame that has to wait for something must not hold up those behind it."""

import asyncio
import logging
from collections.abc import Coroutine

log = logging.getLogger(__name__)

MOST = 100
"""Frames of one socket that may wait at once. Beyond that it is not read on."""


class Beside:
    """Frames begin in the order in which they came; each goes on by itself from where it first has to wait."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, doing: Coroutine[object, object, None]) -> None:
        """Returns when it is done, or waits for something."""
        while len(self._tasks) >= MOST:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(_until_left(doing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Its first step, which for nearly all is the only one.
        await asyncio.sleep(0)

    async def done(self) -> None:
        """Returns when nothing waits any more."""
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _until_left(doing: Coroutine[object, object, None]) -> None:
    try:
        await doing
    except OSError:
        log.debug("A client left while one of its frames waited")

"""Waiting for what tells nobody: the state of another process, and the passing of an outage."""

import asyncio
from collections.abc import Awaitable, Callable

LOOK = 0.05
"""Seconds between two looks, or two tries."""


async def until(seen: Callable[[], Awaitable[bool]], *, within: float) -> None:
    """`TimeoutError` if it is not seen within so many seconds."""
    async with asyncio.timeout(within):
        while not await seen():
            await pause()


async def pause(seconds: float = LOOK) -> None:
    await asyncio.sleep(seconds)

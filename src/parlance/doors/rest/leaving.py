"""Something that is done for as long as its client is there."""

import asyncio
from collections.abc import Coroutine

from starlette.types import Receive

LEAVES = ("http.disconnect", "websocket.disconnect")


async def until_left(receive: Receive, doing: Coroutine[object, object, None]) -> None:
    """Returns when it is done, or its client has left; what a client says meanwhile is passed over."""

    async def watch() -> None:
        while (await receive())["type"] not in LEAVES:
            pass

    watching, done = asyncio.create_task(watch()), asyncio.create_task(doing)
    try:
        await asyncio.wait((watching, done), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (watching, done):
            task.cancel()
        await asyncio.wait((watching, done))
    if not done.cancelled():
        done.result()

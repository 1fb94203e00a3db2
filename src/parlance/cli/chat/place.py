"""The server that is asked: one at an address, or one in this process."""

import contextlib
import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from msgspec import Struct

from parlance.cli.chat.connection import Server
from parlance.cli.chat.wish import Wish, data_folder


class Place(Struct, frozen=True):
    """`greeting` says who answers; `data` is the folder of what is kept."""

    server: Server
    greeting: str
    data: Path


@contextlib.asynccontextmanager
async def open_place(wish: Wish) -> AsyncIterator[Place]:
    """While the block runs. A server of our own ends the command with 2 for wrong settings, with 1 if it can't be."""
    if wish.server is not None:
        yield Place(wish.server, f"Parlance at {wish.server.address}", Path(data_folder()))
        return
    # A whole server: clients of another one need not load it.
    opener: Callable[[Wish], AbstractAsyncContextManager[Place]] = importlib.import_module(
        "parlance.cli.chat.own_place"
    ).open_own_place
    async with opener(wish) as place:
        yield place

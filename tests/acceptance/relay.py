"""A wire between a client and a server that can go dead: neither side is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.acceptance.chat_lines import DEADLINE
from tests.acceptance.server_process import ServerProcess


class Relay:
    """`port` stands for the server's. From `cut` on nothing passes, in either direction, and nothing is closed."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._cut = False
        self._given_up = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    def cut(self) -> None:
        self._cut = True

    async def given_up(self) -> None:
        """Returns once the server has closed its side of a connection."""
        async with asyncio.timeout(DEADLINE):
            await self._given_up.wait()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, to_server[1]]
        self._tasks.append(asyncio.create_task(self._pass_on(reader, to_server[1])))
        self._tasks.append(asyncio.create_task(self._pass_on(to_server[0], writer, from_server=True)))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_server: bool = False
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if not self._cut:
                    writer.write(data)
        except ConnectionError:
            pass
        if from_server:
            self._given_up.set()
        if not self._cut:
            writer.close()


@asynccontextmanager
async def relayed(server: ServerProcess) -> AsyncIterator[Relay]:
    relay = Relay(server.port)
    listener = await asyncio.start_server(relay.accept, "127.0.0.1", 0)
    relay.port = listener.sockets[0].getsockname()[1]
    async with listener:
        try:
            yield relay
        finally:
            await relay.close()

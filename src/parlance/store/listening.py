"""The one connection on which a process hears what others do in its PostgreSQL."""

import asyncio
import logging
from typing import Any

from parlance.store.addresses import PostgresqlAddress
from parlance.store.bells import CHANNEL, heard
from parlance.store.subscribers import Subscribers

log = logging.getLogger(__name__)

LOOKED_AFTER = 1.0
"""Seconds without a word after which the connection is asked whether it is still there."""

ANSWERED = 0.9
"""Seconds for that, and for a new connection."""

SHORTEST, LONGEST = 0.05, 1.0
"""Seconds between two tries to connect."""


class Listener:
    """Rings for what it hears, and rings for everything while it can hear nothing: the rows are the truth, and whoever
    is woken looks there.
    """

    def __init__(self, address: PostgresqlAddress, subscribers: Subscribers) -> None:
        self._address = address
        self._subscribers = subscribers
        self._task: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="listening to the database")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        import asyncpg  # type: ignore[import-untyped]  # it brings no types

        pause, told = SHORTEST, False
        while True:
            try:
                connection = await self._connect()
                try:
                    pause, told = SHORTEST, False
                    await self._listen(connection)
                finally:
                    self.listening.clear()
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not told:
                    log.warning("What other processes do is not heard of for now, and looked for again and again")
                    log.debug("The listening connection is gone: %s", type(error).__name__)
                told = True
            self._subscribers.ring_all()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    async def _connect(self) -> Any:
        import asyncpg

        settings = {"application_name": f"{self._address.application} (listening)"}
        async with asyncio.timeout(ANSWERED):
            return await asyncpg.connect(self._address.dsn, statement_cache_size=0, server_settings=settings)

    async def _listen(self, connection: Any) -> None:
        """Until the connection is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        async with asyncio.timeout(ANSWERED):
            await connection.add_listener(CHANNEL, self._heard)
        self.listening.set()
        # What happened while nobody listened.
        self._subscribers.ring_all()
        while not lost.is_set():
            try:
                async with asyncio.timeout(LOOKED_AFTER):
                    await lost.wait()
            except TimeoutError:
                async with asyncio.timeout(ANSWERED):
                    await connection.execute("SELECT 1")

    def _heard(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self._subscribers.ring(heard(str(payload)))

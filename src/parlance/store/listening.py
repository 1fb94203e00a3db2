"""The one connection on which a process hears what others do in its PostgreSQL."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from parlance.store.addresses import PostgresqlAddress
from parlance.store.bells import CHANNEL, heard
from parlance.store.faults import Unusable
from parlance.store.postgresql import Wire, connect
from parlance.store.subscribers import Subscribers

log = logging.getLogger(__name__)

LOOKED_AFTER = 1.0
"""Seconds without a word after which the connection is asked whether it is still there; and, where nothing is heard,
between two looks at everything.
"""

ANSWERED = 0.9
"""Seconds for that, for a new connection, and for a word from oneself to come back."""

SHORTEST, LONGEST = 0.05, 1.0
"""Seconds between two tries to connect."""

DEAF = 60
"""Looks at everything before listening is tried again where nothing is heard."""

AWAY = "What other processes do is not heard of for now, and looked for again and again"
UNHEARD = (
    "What other processes say in the database does not come in, as behind a pooler that gives each transaction another "
    "connection: it is looked for every second. Name the database without the pooler in database.listen_url"
)


class Listener:
    """Rings for what it hears, and rings for everything while it can hear nothing: the rows are the truth, and whoever
    is woken looks there.

    Some poolers take a `LISTEN` and pass on nothing, so it is tried with a word that goes another way.
    """

    def __init__(
        self, address: PostgresqlAddress, subscribers: Subscribers, at: PostgresqlAddress | None = None
    ) -> None:
        """`at`: where it listens, if not at the address where everything else is done."""
        self._speaks_at = address
        self._listens_at = at or address
        self._subscribers = subscribers
        self._task: asyncio.Task[None] | None = None
        self._probe = uuid4().hex
        self._probed = asyncio.Event()
        self._told: set[str] = set()
        self.listening = asyncio.Event()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="listening to the database")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        import asyncpg  # type: ignore[import-untyped]  # it brings no types

        pause = SHORTEST
        while True:
            deaf = False
            try:
                async with _connected(self._listens_at) as wire:
                    lost = _loss_of(wire)
                    deaf = not await self.can_hear(wire, lost)
                    pause = SHORTEST
                    self._told.discard(AWAY)
                    if not deaf:
                        await self._listen(wire, lost)
            except (OSError, Unusable, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._tell(AWAY)
                log.debug("The listening connection is gone: %s", type(error).__name__)
            finally:
                self.listening.clear()
            if deaf:
                await self._go_without()
            self._subscribers.ring_all()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    async def can_hear(self, wire: Wire, lost: asyncio.Event) -> bool:
        """Whether what others say comes in; true, too, of a connection that is `lost` by then."""
        self._probed.clear()
        async with asyncio.timeout(ANSWERED):
            await wire.add_listener(CHANNEL, self._heard)
        async with _connected(self._speaks_at) as other:
            async with asyncio.timeout(ANSWERED):
                await other.execute(f"SELECT pg_notify('{CHANNEL}', '{self._probe}')")
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWERED):
                    await self._probed.wait()
                return True
        # A server that has stopped to answer is none that passes nothing on.
        async with asyncio.timeout(ANSWERED):
            await wire.execute("SELECT 1")
        return self._probed.is_set() or lost.is_set()

    async def _listen(self, wire: Wire, lost: asyncio.Event) -> None:
        """Until the connection is lost."""
        self._told.discard(UNHEARD)
        self.listening.set()
        # What happened while nobody listened.
        self._subscribers.ring_all()
        while not lost.is_set():
            try:
                async with asyncio.timeout(LOOKED_AFTER):
                    await lost.wait()
            except TimeoutError:
                async with asyncio.timeout(ANSWERED):
                    await wire.execute("SELECT 1")

    async def _go_without(self) -> None:
        self._tell(UNHEARD)
        for _ in range(DEAF):
            self._subscribers.ring_all()
            await asyncio.sleep(LOOKED_AFTER)

    def _tell(self, what: str) -> None:
        """Once, until it is over."""
        if what not in self._told:
            log.warning(what)
        self._told.add(what)

    def _heard(self, connection: object, pid: int, channel: str, payload: object) -> None:
        if payload == self._probe:
            self._probed.set()
        else:
            self._subscribers.ring(heard(str(payload)))


async def hears(address: PostgresqlAddress, at: PostgresqlAddress | None = None) -> bool:
    """Whether what is said at the first address is heard at the second; false, too, where nobody listens there."""
    import asyncpg

    listener = Listener(address, Subscribers(), at)
    try:
        async with _connected(at or address) as wire:
            lost = _loss_of(wire)
            return await listener.can_hear(wire, lost) and not lost.is_set()
    except (OSError, Unusable, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


def _loss_of(wire: Wire) -> asyncio.Event:
    lost = asyncio.Event()
    wire.add_termination_listener(lambda _: lost.set())
    return lost


@asynccontextmanager
async def _connected(address: PostgresqlAddress) -> AsyncIterator[Wire]:
    async with asyncio.timeout(ANSWERED):
        wire = await connect(address)
    try:
        yield wire
    finally:
        wire.terminate()

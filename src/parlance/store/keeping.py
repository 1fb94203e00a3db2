"""All that keeps turns in one database, as one thing to open and to close."""

from parlance.store.addresses import Address, PostgresqlAddress
from parlance.store.bells import SqlBells
from parlance.store.database import Database
from parlance.store.leases import SqlLeases
from parlance.store.listening import Listener
from parlance.store.turns import SqlTurns
from parlance.store.writer import Writer


class TurnStores:
    """`turns`, `leases` and `bells` over a database that is open. `start` on the event loop, `close` before the
    database is closed. `listens_at`: where what other processes do is heard of, if not at the address.
    """

    def __init__(self, database: Database, address: Address, listens_at: PostgresqlAddress | None = None) -> None:
        shared = isinstance(address, PostgresqlAddress)
        self.bells = SqlBells(database, shared=shared)
        self._writer = Writer(database, self.bells)
        self._listener = (
            Listener(address, self.bells.subscribers, listens_at) if isinstance(address, PostgresqlAddress) else None
        )
        self.started = False
        self.turns = SqlTurns(database, self._writer)
        self.leases = SqlLeases(database, self.bells, alone=not shared)

    def start(self) -> None:
        self.started = True
        if self._listener is not None:
            self._listener.start()

    async def heard(self) -> None:
        """When what other processes do is heard of from now on."""
        if self._listener is not None:
            await self._listener.listening.wait()

    async def close(self) -> None:
        """When all that turns asked for has been kept."""
        await self._writer.close()
        if self._listener is not None:
            await self._listener.close()

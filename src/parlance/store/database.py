"""A database that is open: transactions for reading and for writing. What is in them is its stores' matter."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import assert_never

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from parlance.store import postgresql, sqlite
from parlance.store.addresses import Address, Kind, PostgresqlAddress, SqliteAddress
from parlance.store.circuit import Circuit
from parlance.store.lanes import PATIENCE, Lane

CONNECTIONS = 16


class Database:
    """Both kinds of transaction raise `StorageUnavailable`, within a second, while the database is locked, full or
    gone; they work again once it does. `IntegrityError` of SQLAlchemy comes through: what it means is for the stores
    to say. `shown` is what messages call the database.

    Each is given `within` seconds; what is known to take longer must say so.
    """

    def __init__(self, address: Address, reading: Lane, writing: Lane, engines: Sequence[AsyncEngine]) -> None:
        self.kind: Kind = "sqlite" if isinstance(address, SqliteAddress) else "postgresql"
        self.shown = address.shown
        self._pooled = isinstance(address, PostgresqlAddress) and address.pooled
        self._reading = reading
        self._writing = writing
        self._engines = engines

    @property
    def outage(self) -> str | None:
        """Why the database can't be written or read, as whoever tried last has seen it. Asks nobody."""
        return self._writing.outage or self._reading.outage

    @property
    def lasting(self) -> bool:
        """Whether that lasts until somebody has done something about it."""
        return self._writing.lasting or self._reading.lasting

    def reading(self, *, within: float = PATIENCE) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees one state of the database, and can't change it."""
        return self._transaction(self._reading, within)

    def writing(self, *, within: float = PATIENCE) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that is committed at a clean end: what follows may rely on it. On SQLite there is one at a
        time.
        """
        return self._transaction(self._writing, within)

    async def close(self) -> None:
        """Once nobody uses it any more."""
        for engine in self._engines:
            await engine.dispose()

    @asynccontextmanager
    async def _transaction(self, lane: Lane, within: float) -> AsyncIterator[AsyncConnection]:
        async with lane.transaction(within) as connection:
            if self.kind == "postgresql" and (self._pooled or within > PATIENCE):
                statement = int(within * 1000) if within > PATIENCE else postgresql.STATEMENT
                await postgresql.limit(connection, statement)
            yield connection


def open_database(address: Address | Path, *, connections: int = CONNECTIONS) -> Database:
    """The database there; a path is that of SQLite's file. Connects when it is first used.

    `connections`: how many there are to PostgreSQL at most.
    """
    match address:
        case Path():
            return _open_sqlite(SqliteAddress(address), address)
        case SqliteAddress(file=Path() as file):
            return _open_sqlite(address, file)
        case SqliteAddress():
            raise ValueError("the address names no file")
        case PostgresqlAddress():
            return _open_postgresql(address, connections)
        case _:
            assert_never(address)


def _open_sqlite(address: SqliteAddress, file: Path) -> Database:
    writer, readers = sqlite.open_writer(file), sqlite.open_readers(file)
    # Locked for writing, it can still be read; full, too.
    reading = Lane(readers, Circuit(address.shown), sqlite.READERS, writes=False)
    writing = Lane(writer, Circuit(address.shown), 1, writes=True)
    # The last connection that is closed checkpoints: that must be the one that always does.
    return Database(address, reading, writing, (readers, writer))


def _open_postgresql(address: PostgresqlAddress, connections: int) -> Database:
    engine, circuit = postgresql.open_engine(address, connections), Circuit(address.shown)
    reading = Lane(postgresql.reading(engine), circuit, max(1, connections // 2), writes=False)
    writing = Lane(engine, circuit, max(1, connections // 2), writes=True)
    return Database(address, reading, writing, (engine,))

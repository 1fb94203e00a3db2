"""SQLite as this service uses it: one connection writes and checkpoints, the others only read.

Releases of SQLite before 3.51.3 can damage a database when one connection resets the write-ahead log while another
checkpoints it (https://sqlite.org/wal.html#walresetbug): here no other connection ever does either.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Self

from aiosqlite import Connection, Cursor
from aiosqlite.core import _connection_worker_thread
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from parlance.store.faults import FileGone
from parlance.store.tables.schema import SCHEMA

OLDEST = (3, 35, 0)
"""The first that answers a change with the rows it changed (RETURNING)."""

SOUND = (3, 51, 3)
"""The first that is free of the fault that is worked around here."""

WRITE = "BEGIN IMMEDIATE"

BUSY = 500
"""Milliseconds to wait for another program's lock."""

READERS = 4

WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # What was acknowledged must survive the loss of power, and not only of the process.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA journal_size_limit=67108864",
    # Kibibytes. The system caches the file too, and what is cached here counts as ours.
    "PRAGMA cache_size=-4096",
    "PRAGMA temp_store=MEMORY",
)
READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA cache_size=-4096",
    "PRAGMA temp_store=MEMORY",
)


def sqlite_version() -> tuple[int, int, int]:
    return sqlite3.sqlite_version_info


class _Rows(Cursor):
    """A cursor that is made, executed and read by one visit to its connection's thread, instead of four."""

    def __init__(self, connection: "_Connection") -> None:
        self._home = connection
        self._rows: list[tuple[Any, ...]] = []
        self.description_seen: Any = None
        self.count = -1
        self.last: int | None = None
        self.size = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> Self:
        await self._home.visit(lambda connection: self._take(connection.execute(sql, parameters)))
        return self

    async def executemany(self, sql: str, parameters: Any) -> Self:
        await self._home.visit(lambda connection: self._take(connection.executemany(sql, parameters)))
        return self

    def _take(self, cursor: sqlite3.Cursor) -> None:
        self.description_seen, self._rows = cursor.description, cursor.fetchall()
        self.count, self.last = cursor.rowcount, cursor.lastrowid
        cursor.close()

    async def fetchall(self) -> list[tuple[Any, ...]]:  # type: ignore[override]  # its own is of sqlite3.Row
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []

    @property
    def description(self) -> Any:
        return self.description_seen

    @property
    def rowcount(self) -> int:
        return self.count

    @property
    def lastrowid(self) -> int | None:
        return self.last


class _Connection(Connection):
    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._thread = Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        """As the library's own, and to the end also where the loop is closed by then: nobody waits for an answer."""
        ended = False
        while not ended:
            try:
                _connection_worker_thread(self._tx)
                ended = True
            except RuntimeError:
                ended = not self._running and self._tx.empty()

    async def visit(self, act: Callable[[sqlite3.Connection], None]) -> None:
        await self._execute(act, self._conn)  # type: ignore[no-untyped-call]  # it has no types of its own

    def cursor(self) -> _Rows:  # type: ignore[override]  # its own is a coroutine as well as a context manager
        return _Rows(self)


def open_writer(file: Path) -> AsyncEngine:
    """One connection, whose transactions hold the lock for writing from their beginning."""
    return _open(file, WRITER_PRAGMAS, WRITE, connections=1)


def open_readers(file: Path) -> AsyncEngine:
    return _open(file, READER_PRAGMAS, "BEGIN", connections=READERS)


class _Place:
    """Where the file lies that was opened first. Connections that are open would write into one that was deleted, and
    what they say is kept would be gone with them.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._opened: tuple[int, int] | None = None

    def look(self) -> None:
        """`FileGone`, unless it is still there, or none was opened yet."""
        if self._opened is not None and self._found() != self._opened:
            raise FileGone

    def remember(self) -> None:
        if self._opened is None:
            self._opened = self._found()

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._file)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _open(file: Path, pragmas: Sequence[str], begin: str, *, connections: int) -> AsyncEngine:
    place = _Place(file)

    def connect() -> sqlite3.Connection:
        # SQLite would make another one, and it would be empty.
        place.look()
        # Python begins no transactions by itself: SQLAlchemy says when.
        connection = sqlite3.connect(file, timeout=BUSY / 1000, isolation_level=None, check_same_thread=False)
        try:
            for pragma in pragmas:
                connection.execute(pragma).close()
        except BaseException:
            connection.close()
            raise
        place.remember()
        return connection

    engine = create_async_engine(
        "sqlite+aiosqlite:///parlance.db",
        connect_args={"async_creator_fn": lambda *_, **__: _Connection(connect)},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        execution_options={"schema_translate_map": {SCHEMA: None}},
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: SyncConnection) -> None:
        if begin == WRITE:
            place.look()
        connection.exec_driver_sql(begin)

    return engine

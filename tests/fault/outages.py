"""Ways in which a database goes away under a server that runs, and how it comes back."""

import asyncio
import os
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from msgspec import Struct

from tests.acceptance.relay import Relay
from tests.acceptance.server_process import SOURCE, ServerProcess
from tests.probes.polling import pause
from tests.probes.postgres import PostgresServer

NO_ROOM = 4_151
"""Bytes that a file may have: one less than SQLite's log needs for a single page."""

PAUSE = 0.4
"""Seconds between two flickers. While it is down a database is tried every quarter of a second."""

# For a process that imports it at its start: its SQLite can't be written while a file is there. The system's rights
# keep neither root from writing, nor anybody whose files are open.
READ_ONLY = """
import sqlite3
from pathlib import Path

connect = sqlite3.connect


class Connection(sqlite3.Connection):
    def execute(self, sql, *parameters):
        if sql == "BEGIN IMMEDIATE":
            super().execute(f"PRAGMA query_only={'ON' if Path('read-only').exists() else 'OFF'}").close()
        return super().execute(sql, *parameters)


sqlite3.connect = lambda *given, **named: connect(*given, factory=Connection, **named)
"""

KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'parlance%'"

Away = Callable[[ServerProcess], AbstractAsyncContextManager[None]]


class Outage(Struct, frozen=True):
    """`settings` for the server, which runs already when `away` is entered; `says` what callers are told of it."""

    settings: dict[str, str]
    away: Away
    says: str


class Wire(Relay):
    """The network between a server and its PostgreSQL. What was cut is told so when the wire is mended."""

    def mend(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._cut = False


def sqlite_outages(folder: Path) -> dict[str, Outage]:
    settings = {"PARLANCE_DATA": str(folder / "data")}
    file = folder / "data" / "parlance.db"
    hooks = folder / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(READ_ONLY)
    hooked = {**settings, "PYTHONPATH": f"{hooks}{os.pathsep}{SOURCE}"}

    @asynccontextmanager
    async def locked(_: ServerProcess) -> AsyncIterator[None]:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.close()

    @asynccontextmanager
    async def full(server: ServerProcess) -> AsyncIterator[None]:
        before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (NO_ROOM, before[1]))
        try:
            yield
        finally:
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)

    @asynccontextmanager
    async def removed(_: ServerProcess) -> AsyncIterator[None]:
        elsewhere = file.rename(folder / "elsewhere.db")
        try:
            yield
        finally:
            elsewhere.rename(file)

    @asynccontextmanager
    async def read_only(server: ServerProcess) -> AsyncIterator[None]:
        mark = server.folder / "read-only"
        mark.touch()
        try:
            yield
        finally:
            mark.unlink()

    @asynccontextmanager
    async def flickering(server: ServerProcess) -> AsyncIterator[None]:
        async def lock_again_and_again() -> None:
            while True:
                async with locked(server):
                    await pause(PAUSE)
                await pause(PAUSE)

        async with _meanwhile(lock_again_and_again()):
            yield

    return {
        "flickering": Outage(settings, flickering, ""),
        "locked": Outage(settings, locked, "is locked by another program"),
        "full": Outage(settings, full, "disk"),
        "read-only": Outage(hooked, read_only, "may not be written"),
        "removed": Outage(settings, removed, "was deleted, moved or replaced"),
    }


@asynccontextmanager
async def postgresql_outages(postgres: PostgresServer) -> AsyncIterator[dict[str, Outage]]:
    wire = Wire(postgres.port)
    listener = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    wire.port = listener.sockets[0].getsockname()[1]
    settings = {"DATABASE_URL": postgres.address()}
    through = {"DATABASE_URL": postgres.address().replace(f":{postgres.port}/", f":{wire.port}/")}

    @asynccontextmanager
    async def frozen(_: ServerProcess) -> AsyncIterator[None]:
        with postgres.frozen():
            yield

    @asynccontextmanager
    async def stopped(_: ServerProcess) -> AsyncIterator[None]:
        await asyncio.to_thread(postgres.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(postgres.start)

    @asynccontextmanager
    async def read_only(_: ServerProcess) -> AsyncIterator[None]:
        await asyncio.to_thread(postgres.become_read_only, True)
        try:
            yield
        finally:
            await asyncio.to_thread(postgres.become_read_only, False)

    @asynccontextmanager
    async def cut(_: ServerProcess) -> AsyncIterator[None]:
        wire.cut()
        try:
            yield
        finally:
            wire.mend()

    @asynccontextmanager
    async def flickering(_: ServerProcess) -> AsyncIterator[None]:
        async def kill_again_and_again() -> None:
            while True:
                await asyncio.to_thread(postgres.sql, KILL)
                await pause(PAUSE)

        async with _meanwhile(kill_again_and_again()):
            yield

    async with listener:
        try:
            yield {
                "flickering": Outage(settings, flickering, ""),
                "frozen": Outage(settings, frozen, "did not answer in time"),
                "read-only": Outage(settings, read_only, "is read-only now"),
                "stopped": Outage(settings, stopped, "127.0.0.1"),
                "cut": Outage(through, cut, "did not answer in time"),
            }
        finally:
            await wire.close()


@asynccontextmanager
async def _meanwhile(act: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(act)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))

"""Databases for one run: files of SQLite's, and databases of a PostgreSQL server, which are dropped at its end."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.processes import BenchFailed
from bench.stored.findings import Place
from parlance.store.addresses import PostgresqlAddress, read_address
from parlance.store.database import Database, open_database
from parlance.store.postgresql import open_engine


class Databases:
    """`postgres`: the address of a database whose user may create others; that one itself is left alone."""

    def __init__(self, folder: Path, postgres: str | None) -> None:
        self._folder = folder
        self._postgres = postgres
        self._made: dict[str, str] = {}

    def data_of(self, place: Place) -> Path:
        """The server's folder of that place."""
        return self._folder / place.name

    async def address_of(self, place: Place) -> str:
        """Its `DATABASE_URL`, made when it is first asked for; empty for the SQLite file in its folder."""
        if place.kind != "PostgreSQL" or self._postgres is None:
            return ""
        if place.name not in self._made:
            name = f"parlance_bench_{os.getpid()}_{len(self._made)}"
            await self._command(self._postgres, f"CREATE DATABASE {name}")
            self._made[place.name] = urlsplit(self._postgres)._replace(path=f"/{name}").geturl()
        return self._made[place.name]

    @asynccontextmanager
    async def opened(self, place: Place) -> AsyncIterator[Database]:
        """While no server uses it."""
        address = await self.address_of(place)
        database = open_database(read_address(address) if address else self.data_of(place) / "parlance.db")
        try:
            yield database
        finally:
            await database.close()

    async def tidy(self, place: Place) -> None:
        """What PostgreSQL does by itself some time after it has been filled: now, and not while it is measured."""
        if address := await self.address_of(place):
            await self._command(address, "VACUUM ANALYZE")

    async def drop(self) -> None:
        for address in self._made.values():
            await self._command(self._postgres or "", f"DROP DATABASE {urlsplit(address).path[1:]} WITH (FORCE)")

    async def _command(self, address: str, command: str) -> None:
        engine = _administering(address)
        try:
            async with engine.connect() as connection:
                await connection.execute(text("SET statement_timeout = 0"))
                await connection.execute(text(command))
        except (OSError, SQLAlchemyError) as error:
            raise BenchFailed(f"PostgreSQL, {command}: {error}") from error
        finally:
            await engine.dispose()


def _administering(address: str) -> AsyncEngine:
    try:
        read = read_address(address)
    except ValueError as error:
        raise BenchFailed(f"--postgres: {error}") from error
    if not isinstance(read, PostgresqlAddress):
        raise BenchFailed("--postgres needs the address of a database of PostgreSQL's.")
    return open_engine(read, 1).execution_options(isolation_level="AUTOCOMMIT")


@asynccontextmanager
async def databases_of(folder: Path, postgres: str | None) -> AsyncIterator[Databases]:
    databases = Databases(folder, postgres)
    try:
        yield databases
    finally:
        await databases.drop()

"""Brings what is stored out as a file and in again, and in from an older service's database."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from parlance import __version__
from parlance.app.database import find_address, open_own_database, prepare_database
from parlance.config.settings import Settings
from parlance.store.addresses import PostgresqlAddress, SqliteAddress, read_address
from parlance.store.database import Database, open_database
from parlance.store.porting.exporting import Wanted, export_lines
from parlance.store.porting.importing import import_lines
from parlance.store.porting.line_rows import TABLES
from parlance.store.porting.lines import RowLine, encode_line
from parlance.store.porting.reading import LineReader, Source
from parlance.store.porting.refusal import PortingRefused
from parlance.store.porting.sessions import long_reading, long_writing
from parlance.store.porting.wrapper import Arrival, import_wrapper

Counts = Counter[str]
"""How many of each kind of thing, by the names of their tables."""


async def export_stored(
    settings: Settings, subtenant: str | None, write: Callable[[bytes], object], *, model_calls: bool
) -> Counts:
    """`subtenant` None: all of them. `PortingRefused`, `StorageUnavailable`; `ConfigError` where the database can't be
    used, or is another process's.
    """
    address = find_address(settings)
    if isinstance(address, SqliteAddress) and not (address.file and address.file.exists()):
        raise PortingRefused(f"There is nothing to export: {address.shown} is not there.")
    wanted = Wanted(subtenant=subtenant, model_calls=model_calls, made_by=f"parlance {__version__}")
    told: Counts = Counter()
    async with _own_database(settings) as database, long_reading(database) as connection:
        async for line in export_lines(connection, wanted):
            _write(write, encode_line(line))
            if isinstance(line, RowLine):
                told[TABLES[type(line)].name] += 1
    return told


async def import_stored(settings: Settings, source: Source, *, replace: bool) -> Counts:
    """All of it or nothing. Errors as of `export_stored`."""
    # What is no export at all is refused before there is a database.
    reader = LineReader(source)
    async with _own_database(settings) as database, long_writing(database) as connection:
        return await import_lines(connection, reader, replace=replace)


def _write(write: Callable[[bytes], object], line: bytes) -> None:
    """What fails here is no failure of the database's."""
    try:
        write(line)
    except OSError as error:
        raise PortingRefused(f"The export can't be written: {error.strerror or error}.") from None


@asynccontextmanager
async def _own_database(settings: Settings) -> AsyncIterator[Database]:
    opened = open_own_database(settings)
    try:
        await prepare_database(settings, opened.database)
        yield opened.database
    finally:
        await opened.close()


async def import_older(settings: Settings, url: str) -> Arrival:
    """What the older service behind this address has stored. Errors as of `export_stored`."""
    try:
        address = read_address(url)
    except ValueError as error:
        raise PortingRefused(f"The address of the older service's database {error}.") from None
    if not isinstance(address, PostgresqlAddress):
        raise PortingRefused("The older service's database is a PostgreSQL: its address begins with postgresql://.")
    old = open_database(address, connections=2)
    try:
        async with _own_database(settings) as new, long_reading(old) as reading, long_writing(new) as writing:
            return await import_wrapper(reading, writing)
    finally:
        await old.close()

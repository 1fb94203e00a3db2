"""Settings into the database of what is stored: which it is, and whether this process may have it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from parlance.config.errors import ConfigError, Problem
from parlance.config.settings import Settings
from parlance.core.errors import StorageUnavailable
from parlance.net.clock import SYSTEM_CLOCK, Clock
from parlance.store.addresses import Address, PostgresqlAddress, SqliteAddress, read_address
from parlance.store.circuit import UNCHANGED
from parlance.store.database import Database, open_database
from parlance.store.listening import hears
from parlance.store.migrating import bring_up_to_date, standing_of
from parlance.store.own_file import FileLock, look, take
from parlance.store.refusal import DatabaseRefused
from parlance.store.revisions import NEWEST, Standing
from parlance.store.soundness import damage_in
from parlance.store.sqlite import SOUND, sqlite_version

FILE = "parlance.db"

UNHEARD = "notifications do not come through: name the database without its pooler in database.listen_url"

AWAITED = 15.0
"""Seconds that a start waits for the database, which may be starting at the same moment."""

AGAIN = 0.3
"""Seconds between two tries."""


class OpenedDatabase:
    """The database that the settings mean; it is neither looked at nor touched before it is used, or `own`ed."""

    def __init__(self, settings: Settings) -> None:
        """`ConfigError` for an address that is none."""
        self.address = find_address(settings)
        self.listens_at = find_listening_address(settings)
        self.database = open_database(self.address, connections=settings.database.connections)
        self._settings = settings
        self._lock: FileLock | None = None

    def own(self) -> None:
        """Keep other processes from it where it must be this one's alone. `ConfigError` where one has it already."""
        if isinstance(self.address, SqliteAddress) and self.address.file is not None and self._lock is None:
            try:
                self._lock = take(self.address.file)
            except DatabaseRefused as error:
                raise refused(self._settings, error) from None

    async def close(self) -> None:
        await self.database.close()
        if self._lock is not None:
            self._lock.release()


class DatabaseReport(Struct, frozen=True):
    """What a database is called, whether it can be used as it is, and in what state it is. `note`: what else is worth
    knowing of it.
    """

    shown: str
    usable: bool
    text: str
    note: str = ""


def find_address(settings: Settings) -> Address:
    """`ConfigError` for one that is none."""
    default = SqliteAddress(settings.data / FILE)
    if settings.database_url is None:
        return default
    try:
        address = read_address(settings.database_url.get_secret_value())
    except ValueError as error:
        raise ConfigError((Problem("database_url", str(error)),)) from None
    return default if address == SqliteAddress(None) else address


def find_listening_address(settings: Settings) -> PostgresqlAddress | None:
    """Where it is another one. `ConfigError` for one that is none."""
    if settings.database.listen_url is None:
        return None
    try:
        address = read_address(settings.database.listen_url.get_secret_value())
    except ValueError as error:
        raise ConfigError((Problem("database.listen_url", str(error)),)) from None
    if not isinstance(address, PostgresqlAddress):
        raise ConfigError((Problem("database.listen_url", "must begin with postgresql://"),))
    return address


def open_own_database(settings: Settings) -> OpenedDatabase:
    """For this process alone where it is SQLite's. `ConfigError` where that can't be."""
    opened = OpenedDatabase(settings)
    opened.own()
    return opened


async def prepare_database(settings: Settings, database: Database, clock: Clock = SYSTEM_CLOCK) -> None:
    """Once it is there, its tables are brought up to date. `ConfigError` where it does not come, or can't be used: at
    once where waiting is of no use.
    """
    last = clock.monotonic() + AWAITED
    while True:
        try:
            return await bring_up_to_date(database, allowed=settings.database.migrate)
        except DatabaseRefused as error:
            raise refused(settings, error) from None
        except StorageUnavailable as error:
            if database.lasting or clock.monotonic() >= last:
                raise refused(settings, error) from None
        await clock.sleep(AGAIN)


def refused(settings: Settings, error: DatabaseRefused | StorageUnavailable) -> ConfigError:
    place = "data" if settings.database_url is None else "database_url"
    return ConfigError((Problem(place, error.message),), code="database_refused")


async def report_database(settings: Settings) -> DatabaseReport:
    """Looks, and changes nothing: not even a file is made. `ConfigError` for an address that is none."""
    address, listens_at = find_address(settings), find_listening_address(settings)
    try:
        if isinstance(address, SqliteAddress) and address.file is not None:
            look(address.file)
            if not address.file.exists():
                return _good(address, "not there yet; a start makes it")
        async with _looking(address) as database:
            standing = await standing_of(database)
        if isinstance(address, SqliteAddress) and address.file is not None:
            await _check_soundness(address.file, address.shown)
    except (DatabaseRefused, StorageUnavailable) as error:
        return DatabaseReport(address.shown, usable=False, text=_without_name(error, address))
    text = _tell(standing, migrates=settings.database.migrate)
    if not _fits(standing, settings):
        return DatabaseReport(address.shown, usable=False, text=text, note=_note(address))
    if isinstance(address, PostgresqlAddress) and not await hears(address, listens_at):
        return DatabaseReport(address.shown, usable=True, text=text, note=UNHEARD)
    return _good(address, text)


def _good(address: Address, text: str) -> DatabaseReport:
    return DatabaseReport(address.shown, usable=True, text=text, note=_note(address))


async def _check_soundness(file: Path, shown: str) -> None:
    if (damage := await asyncio.to_thread(damage_in, file)) is not None:
        raise DatabaseRefused(f"{shown} is damaged ({damage}); put back a backup.")


def _without_name(error: DatabaseRefused | StorageUnavailable, address: Address) -> str:
    return error.message.removeprefix(address.shown).removesuffix(UNCHANGED).strip(" .")


@asynccontextmanager
async def _looking(address: Address) -> AsyncIterator[Database]:
    database = open_database(address, connections=2)
    try:
        yield database
    finally:
        await asyncio.shield(database.close())


def _fits(standing: Standing, settings: Settings) -> bool:
    known = not standing.newer and not standing.foreign
    return known and (settings.database.migrate or not standing.pending)


def _tell(standing: Standing, *, migrates: bool) -> str:
    if standing.newer:
        return f"at revision {standing.revision}, made by a newer version: this one knows {NEWEST}"
    if standing.foreign:
        return f"tables that Parlance did not make: {', '.join(standing.foreign)}"
    if not standing.pending:
        return f"at revision {standing.revision}, up to date"
    found = "no tables yet" if standing.revision is None else f"at revision {standing.revision}"
    return f"{found}; {'a start brings it' if migrates else '`parlance migrate up` brings it'} to {NEWEST}"


def _note(address: Address) -> str:
    if isinstance(address, PostgresqlAddress):
        return ""
    version = ".".join(map(str, sqlite_version()))
    return f"SQLite {version}" if sqlite_version() >= SOUND else f"SQLite {version}, with its fault worked around"

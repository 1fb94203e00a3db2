"""Brings a database's tables to the revision that this program needs, or to another one."""

import logging
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, insert, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateSchema

from parlance.store.database import Database
from parlance.store.refusal import DatabaseRefused
from parlance.store.revisions import KNOWN, NEWEST, Standing, read_standing, versions
from parlance.store.rights import lacking, lacking_for_tables, read_rights
from parlance.store.tables.schema import SCHEMA
from parlance.store.tables.whole import metadata

log = logging.getLogger(__name__)

LOOKING: Final = 5.0
"""Seconds to look at the revision; on a connection that may have to be made first."""

CHANGING: Final = 600.0
"""Seconds for the change of a database of any size, and for those of other processes before it."""

LOCK: Final = int.from_bytes(b"parlance")
"""Names PostgreSQL's advisory lock, which one process holds while it changes tables."""

FOLDER: Final = Path(__file__).parent / "migrations"


async def standing_of(database: Database) -> Standing:
    """`DatabaseRefused` where its user could not work with it."""
    async with database.reading(within=LOOKING) as connection:
        return await _look(connection, database)


async def bring_up_to_date(database: Database, *, allowed: bool = True) -> None:
    """At every start. `DatabaseRefused` where that can't be, or where something is to be done and may not be."""
    standing = await standing_of(database)
    _check(database, standing)
    if standing.pending and not allowed:
        found = "has no tables yet" if standing.revision is None else f"is at revision {standing.revision}"
        raise DatabaseRefused(
            f"{database.shown} {found}, and this program needs {NEWEST}. Run `parlance migrate up`, or set "
            "database.migrate to true."
        )
    if standing.pending:
        await migrate(database, NEWEST)


async def _look(connection: AsyncConnection, database: Database) -> Standing:
    rights = await read_rights(connection)
    if rights is None:
        return await connection.run_sync(read_standing)
    _refuse(database, lacking(rights))
    standing = await connection.run_sync(read_standing)
    if not standing.newer and standing.pending:
        _refuse(database, lacking_for_tables(rights))
    return standing


def _refuse(database: Database, lacks: str | None) -> None:
    if lacks is not None:
        raise DatabaseRefused(f"{database.shown} {lacks}.")


async def migrate(database: Database, to: str | None, *, down: bool = False) -> tuple[str | None, str | None]:
    """The revision before and after, in one transaction. `to` None takes all tables away, with what is in them: that,
    and any older revision, only with `down`.
    """
    if to is not None and to not in KNOWN:
        raise DatabaseRefused(f"There is no revision {to}. Those that there are: {', '.join(KNOWN)}.")
    async with database.writing(within=CHANGING) as connection:
        await _hold_lock(connection, database)
        standing = await _look(connection, database)
        _check(database, standing)
        _check_direction(database, standing.revision, to, down=down)
        if standing.revision != to:
            await connection.run_sync(_change, standing.revision, to)
            log.info("%s went from revision %s to %s", database.shown, standing.revision, to)
    return standing.revision, to


def _check(database: Database, standing: Standing) -> None:
    if standing.newer:
        raise DatabaseRefused(
            f"{database.shown} is at revision {standing.revision}, which this program does not know: a newer version "
            f"of Parlance made it. Start that version, or put back a backup from before. This one knows: {NEWEST}."
        )
    if standing.foreign:
        raise DatabaseRefused(
            f"{database.shown} has tables that Parlance did not make: {', '.join(standing.foreign)}. Name another "
            "database."
        )


def _check_direction(database: Database, before: str | None, to: str | None, *, down: bool) -> None:
    if before == to or (_rank(to) < _rank(before)) == down:
        return
    way, other = ("down", "up") if down else ("up", "down")
    at = f"at revision {before}" if before else "without tables"
    raise DatabaseRefused(f"{database.shown} is {at}: {way} does not lead to {to}. `parlance migrate {other}` does.")


def _rank(revision: str | None) -> int:
    return -1 if revision is None else KNOWN.index(revision)


async def _hold_lock(connection: AsyncConnection, database: Database) -> None:
    """Until the transaction ends. On SQLite there is one who writes anyway."""
    if database.kind == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))


def _change(connection: Connection, before: str | None, to: str | None) -> None:
    _make_schema(connection)
    if before is None and to == NEWEST:
        # The same as all revisions in a row, and quicker: a test holds the two together.
        metadata.create_all(connection)
        versions.create(connection, checkfirst=True)
        connection.execute(insert(versions).values(version_num=NEWEST))
    else:
        _step_through(connection, before, to)


def _make_schema(connection: Connection) -> None:
    # Asked first: who may not make schemas may use one that somebody has made.
    if connection.dialect.name == "postgresql" and not inspect(connection).has_schema(SCHEMA):
        connection.execute(CreateSchema(SCHEMA))


def _step_through(connection: Connection, before: str | None, to: str | None) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    if to is not None and _rank(before) < _rank(to):
        command.upgrade(config, to)
    else:
        command.downgrade(config, to or "base")

"""What databases' errors mean: which of them say that the database can't be used now, and what to do about it."""

import sqlite3
from enum import IntEnum

from msgspec import Struct
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class Outage(Struct, frozen=True):
    """Why the database can't be used now, in words that go behind its name. `down`: nobody else need try it.
    `writing`: for writing only; in a transaction that only reads, it is a mistake of the one who wrote. `lasting`:
    until somebody has done something about it, so that waiting for it is of no use.
    """

    text: str
    down: bool
    writing: bool = False
    lasting: bool = False


class Unusable(Exception):
    """A connection could not be made, and it is known why."""

    def __init__(self, outage: Outage) -> None:
        super().__init__(outage.text)
        self.outage = outage


class FileGone(Exception):
    """The file of a SQLite database is not where it was opened, or another one is."""


class _Primary(IntEnum):
    """SQLite's result codes (https://sqlite.org/rescode.html), of which the low byte tells the kind."""

    PERM = 3
    BUSY = 5
    LOCKED = 6
    NOMEM = 7
    READONLY = 8
    INTERRUPT = 9
    IOERR = 10
    CORRUPT = 11
    FULL = 13
    CANTOPEN = 14
    PROTOCOL = 15
    NOTADB = 26


SQLITE: dict[int, Outage] = {
    _Primary.PERM: Outage("may not be opened; give this process leave to read and write it", True, lasting=True),
    _Primary.BUSY: Outage("is locked by another program; end what holds it", True),
    _Primary.LOCKED: Outage("is locked; try again", False),
    _Primary.NOMEM: Outage("has no memory left", True),
    _Primary.READONLY: Outage(
        "may not be written; give this process leave to write the file, those beside it, and its folder",
        True,
        writing=True,
        lasting=True,
    ),
    _Primary.INTERRUPT: Outage("was interrupted; try again", False),
    _Primary.IOERR: Outage("can't be read or written: its disk fails, or its file is gone", True),
    _Primary.CORRUPT: Outage("is damaged; put back a backup", True, lasting=True),
    _Primary.FULL: Outage("has no room left on its disk; make room", True),
    _Primary.CANTOPEN: Outage("can't be opened; look whether its folder is there and may be written", True),
    _Primary.PROTOCOL: Outage("is locked by another program; end what holds it", True),
    _Primary.NOTADB: Outage("is no database file; move it away", True, lasting=True),
}

MIXED = Outage(
    "lies behind a pooler that gives each transaction another connection; write prepared_statement_cache_size=0 behind "
    "its address",
    True,
    lasting=True,
)

# PostgreSQL's error codes (appendix A of its manual): whole codes, then classes.
POSTGRESQL: dict[str, Outage] = {
    "57014": Outage("took too long; look for what holds its locks", False),
    "40001": Outage("was changed by somebody else at the same moment; try again", False),
    "40P01": Outage("was changed by somebody else at the same moment; try again", False),
    "55P03": Outage("is locked; try again", False),
    # A statement that was prepared before a newer version changed the tables; prepared anew it works.
    "0A000": Outage("changed its tables at this moment; try again", False),
    "25006": Outage("is read-only now; name the server that may be written", True, writing=True),
    # Prepared on one of the server's connections, and used on another one.
    "26000": MIXED,
    "42P05": MIXED,
    "3D000": Outage("is not there; create it", True),
    "42501": Outage("refuses its user something that it needs; `parlance doctor` says what to grant it", True),
    "53300": Outage("has no connection left; raise its max_connections, or set database.connections lower", True),
}
POSTGRESQL_CLASSES: dict[str, Outage] = {
    "08": Outage("lost the connection", True),
    "28": Outage("refuses the user or the password; correct the address", True),
    "53": Outage("has no room or no memory left", True),
    "57": Outage("is being stopped or started", True),
    "58": Outage("has a fault of its system", True),
    "XX": Outage("has a fault of its own; its log tells more", True),
}

GONE = Outage("was deleted, moved or replaced; put the same file back, or restart this server", True)
SILENT = Outage("did not answer in time", True)
SLOW = Outage("did not answer in time; try again", False)
CROWDED = Outage("is busy: too many wait for it", False)
REFUSED = Outage("can't be reached: nobody listens there; start it, or correct its address", True)
LOST = Outage("lost the connection", True)


def outage_in(error: BaseException) -> Outage | None:
    """What the error says of the database's state; None where the fault lies in what was asked of it."""
    match error:
        case IntegrityError():
            return None
        case Unusable():
            return error.outage
        case FileGone():
            return GONE
        case DBAPIError():
            return _outage_in_driver(error)
        case PoolTimeout():
            return CROWDED
        case TimeoutError():
            return SILENT
        case ConnectionRefusedError():
            return REFUSED
        case OSError():
            return Outage(f"can't be reached: {error.strerror or error}; look whether it runs", True)
        case _:
            # Connecting, a driver's own errors come as they are.
            return _outage_by_state(error)


def _outage_in_driver(error: DBAPIError) -> Outage | None:
    found = _outage_by_state(error.orig)
    return LOST if found is None and error.connection_invalidated else found


def _outage_by_state(error: BaseException | None) -> Outage | None:
    if isinstance(error, sqlite3.Error):
        code: object = getattr(error, "sqlite_errorcode", None)
        return SQLITE.get(code & 0xFF) if isinstance(code, int) else None
    state: object = getattr(error, "sqlstate", None)
    return POSTGRESQL.get(state, POSTGRESQL_CLASSES.get(state[:2])) if isinstance(state, str) else None

"""Whether a SQLite file holds what a database's file must, as SQLite itself judges it."""

import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

LOOK = 3.0
"""Seconds to look through a file. What was not looked at by then passes for sound."""

STEPS = 10_000
"""Of SQLite's, between two looks at the clock."""


def damage_in(file: Path) -> str | None:
    """The first damage that is found; None for none, and where the file can't be read at all. Changes nothing."""
    until = time.monotonic() + LOOK
    try:
        connection = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)
    except sqlite3.Error:
        return None
    try:
        connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error) if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CORRUPT else None
    finally:
        connection.close()
    told = str(found[0]) if found else "ok"
    return None if told == "ok" else " ".join(told.split())

"""Moves the database's tables to another revision, when an operator says so."""

from msgspec import Struct

from parlance.app.database import open_own_database, refused
from parlance.config.settings import Settings
from parlance.core.errors import StorageUnavailable
from parlance.store.migrating import migrate
from parlance.store.refusal import DatabaseRefused


class Moved(Struct, frozen=True):
    """Revisions; None: no tables. `shown` is what the database is called."""

    shown: str
    before: str | None
    after: str | None


async def migrate_database(settings: Settings, to: str | None, *, down: bool) -> Moved:
    """`to` None takes all tables away. `ConfigError` where it can't be."""
    opened = open_own_database(settings)
    try:
        before, after = await migrate(opened.database, to, down=down)
    except (DatabaseRefused, StorageUnavailable) as error:
        raise refused(settings, error) from None
    finally:
        await opened.close()
    return Moved(opened.database.shown, before, after)

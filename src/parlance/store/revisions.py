"""Which revision a database's tables are of, and which this program knows. Asked in plain SQL: what changes tables is
in `store.migrating`, and is loaded only when something is to be changed.
"""

from typing import Final

from msgspec import Struct
from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, select
from sqlalchemy import inspect as look_at

from parlance.store.tables.schema import SCHEMA
from parlance.store.tables.whole import TABLES

KNOWN: Final = ("0001",)
"""All revisions, the oldest first."""

NEWEST: Final = KNOWN[-1]

VERSIONS: Final = "revisions"

versions = Table(
    VERSIONS,
    MetaData(schema=SCHEMA),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSIONS}_pkc"),
)


class Standing(Struct, frozen=True):
    """`revision` None: there are no tables of ours yet, or, where `foreign` names some, none that we know of."""

    revision: str | None
    foreign: tuple[str, ...] = ()

    @property
    def pending(self) -> tuple[str, ...]:
        """What is to be applied, the oldest first."""
        return KNOWN if self.revision is None else KNOWN[KNOWN.index(self.revision) + 1 :]

    @property
    def newer(self) -> bool:
        """Made by a newer program."""
        return self.revision is not None and self.revision not in KNOWN


def read_standing(connection: Connection) -> Standing:
    """Within a transaction, by `AsyncConnection.run_sync`."""
    schema = SCHEMA if connection.dialect.name == "postgresql" else None
    names = set(look_at(connection).get_table_names(schema=schema))
    if VERSIONS in names:
        return Standing(connection.execute(select(versions.c.version_num)).scalar())
    return Standing(None, tuple(sorted(names & {table.name for table in TABLES})))

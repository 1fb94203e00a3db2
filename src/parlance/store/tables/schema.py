"""What all tables share: their schema, their columns' types, and how their constraints are named."""

import json
from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    String,
    Text,
    Uuid,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

SCHEMA = "parlance"
"""On PostgreSQL. On SQLite there is none: `Database` translates it away."""

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)

Number = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite's own integers are as large, and only a column of this type can number its rows."""

Id = Uuid(as_uuid=False).with_variant(String(36), "sqlite")
"""A UUID, as text in Python: lower case, with its dashes."""

SubtenantId = String(255)

ByteOrdered = String(255).with_variant(String(255, collation="C"), "postgresql")
"""Text that is in the same order on every database: by its characters' numbers."""

Json = JSON(none_as_null=True)
"""Kept as it was written: the order of keys, too."""


class JsonText(TypeDecorator[object]):
    """JSON as a text of SQLite's: in a column declared JSON it makes numbers of its own of texts that look so."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str:
        return json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> object:
        return None if value is None else json.loads(value)


JsonValue = JSON(none_as_null=False).with_variant(JsonText(), "sqlite")
"""`Json` where a lone number, and JSON's null, is a value like any other."""


class Moment(TypeDecorator[datetime]):
    """An aware time, in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class database_seconds(FunctionElement[float]):
    """Seconds since 1970 by the database's clock, of this very moment: what leases are compared in."""

    type = Double()
    inherit_cache = True


# The library hands on keywords that say nothing about it.
compiles(database_seconds, "postgresql")(
    lambda element, compiler, **_: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
)
compiles(database_seconds, "sqlite")(lambda element, compiler, **_: "((julianday('now') - 2440587.5) * 86400.0)")


def numbered() -> Column[int]:
    """`seq`, the order of creation in which a table's rows are listed."""
    return Column("seq", Number, Identity(), primary_key=True)


def identified() -> Column[str]:
    return Column("id", Id, nullable=False, unique=True)


def of_subtenant(*, nullable: bool = False) -> Column[str]:
    """Whose the row is; it goes with its subtenant."""
    owner = ForeignKey(f"{SCHEMA}.subtenants.id", ondelete="CASCADE")
    return Column("subtenant_id", SubtenantId, owner, nullable=nullable)


def of_chat() -> Column[str]:
    """The chat that the row is of and goes with."""
    return Column("chat_id", Id, ForeignKey(f"{SCHEMA}.chats.id", ondelete="CASCADE"), nullable=False)


def of_turn(*, primary_key: bool = False) -> Column[str]:
    """The turn that the row is of and goes with."""
    turn = ForeignKey(f"{SCHEMA}.turns.id", ondelete="CASCADE")
    return Column("turn_id", Id, turn, nullable=False, primary_key=primary_key)


def moment(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, Moment(), nullable=nullable)

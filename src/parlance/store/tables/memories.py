"""Memories."""

from sqlalchemy import Column, Index, Table, UniqueConstraint

from parlance.store.tables.schema import ByteOrdered, JsonValue, identified, metadata, moment, numbered, of_subtenant

memories = Table(
    "memories",
    metadata,
    numbered(),
    identified(),
    of_subtenant(),
    Column("key", ByteOrdered, nullable=False),
    Column("value", JsonValue, nullable=False),
    moment("created_at"),
    moment("updated_at"),
    UniqueConstraint("subtenant_id", "key"),
    Index(None, "subtenant_id", "seq"),
)

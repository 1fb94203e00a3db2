"""Subtenants."""

from sqlalchemy import Column, Table, Text

from parlance.store.tables.schema import Json, SubtenantId, metadata, moment, numbered

subtenants = Table(
    "subtenants",
    metadata,
    numbered(),
    Column("id", SubtenantId, nullable=False, unique=True),
    Column("name", Text),
    Column("metadata", Json, nullable=False),
    moment("created_at"),
    moment("updated_at"),
)

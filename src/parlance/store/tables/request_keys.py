"""Clients' idempotency keys, and the turns that their requests began."""

from sqlalchemy import Column, Index, LargeBinary, String, Table

from parlance.store.tables.schema import SubtenantId, metadata, moment, of_turn

request_keys = Table(
    "request_keys",
    metadata,
    Column("home", SubtenantId, primary_key=True),
    Column("key_id", String(255), primary_key=True),
    Column("operation", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    of_turn(),
    moment("created_at"),
    Index(None, "turn_id"),
    Index(None, "created_at"),
)

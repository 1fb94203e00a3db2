"""Answers to requests under an idempotency key that began no turn. Without `status`: somebody carries it out."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from parlance.store.tables.schema import SubtenantId, metadata, moment

answers = Table(
    "answers",
    metadata,
    Column("home", SubtenantId, primary_key=True),
    Column("key_id", String(255), primary_key=True),
    Column("operation", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    moment("claimed_at"),
    Index(None, "claimed_at"),
)

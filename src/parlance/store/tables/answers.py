"""Answers to requests under an idempotency key that began no turn. Without `status`: somebody carries it out, under the
claim `claim`. `claimed_at` is in seconds since 1970 by the database's clock, as leases are. `subtenant_id`: of whom the
answer tells. It refers to nobody, since to look whether that one is there would wait for whoever deletes it.
"""

from sqlalchemy import Column, Double, Index, Integer, LargeBinary, String, Table

from parlance.store.tables.schema import Id, SubtenantId, metadata

answers = Table(
    "answers",
    metadata,
    Column("home", SubtenantId, primary_key=True),
    Column("key_id", String(255), primary_key=True),
    Column("operation", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("claim", Id, nullable=False),
    Column("claimed_at", Double, nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("subtenant_id", SubtenantId),
    Index(None, "claimed_at"),
    Index(None, "subtenant_id"),
)

"""The log of calls of models. It outlives the chats and turns that it names, not their subtenant.

The columns of tokens are those of `core.usage`; `estimated` is None where nothing was said of usage at all.
"""

from sqlalchemy import Boolean, Column, Double, Index, Integer, String, Table, Text

from parlance.store.tables.schema import Id, Number, identified, metadata, moment, numbered, of_subtenant

model_calls = Table(
    "model_calls",
    metadata,
    numbered(),
    identified(),
    of_subtenant(),
    Column("chat_id", Id),
    Column("turn_id", Id),
    Column("request_id", Text),
    Column("door", String(64), nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("error", String(64)),
    Column("upstream_id", Text),
    Column("input", Number),
    Column("output", Number),
    Column("cached", Number),
    Column("cache_written", Number),
    Column("reasoning", Number),
    Column("estimated", Boolean),
    Column("cost", Double),
    Column("first", Double),
    Column("duration", Double, nullable=False),
    moment("created_at"),
    Index(None, "subtenant_id", "seq"),
    Index(None, "created_at"),
)

in_chats = model_calls.c.chat_id.is_not(None)
Index(None, model_calls.c.chat_id, model_calls.c.seq, postgresql_where=in_chats, sqlite_where=in_chats)

in_turns = model_calls.c.turn_id.is_not(None)
Index(None, model_calls.c.turn_id, postgresql_where=in_turns, sqlite_where=in_turns)

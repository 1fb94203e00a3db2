"""Chats. Their messages and turns have tables of their own."""

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from parlance.store.tables.schema import SCHEMA, Id, Json, identified, metadata, moment, numbered, of_subtenant

ASSISTANT = ForeignKey(f"{SCHEMA}.assistants.id", ondelete="SET NULL")

chats = Table(
    "chats",
    metadata,
    numbered(),
    identified(),
    of_subtenant(),
    Column("assistant_id", Id, ASSISTANT),
    Column("title", Text),
    Column("system_message", Text),
    Column("enabled_functions", Json),
    Column("enabled_mcp_tools", Json),
    moment("created_at"),
    moment("updated_at"),
    Index(None, "subtenant_id", "seq"),
)

# Without it, deleting an assistant would look at every chat.
Index(
    None,
    chats.c.assistant_id,
    postgresql_where=chats.c.assistant_id.is_not(None),
    sqlite_where=chats.c.assistant_id.is_not(None),
)
